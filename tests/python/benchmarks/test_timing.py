from __future__ import annotations

import pytest

from benchmarks.compare.timing import Spread, in_turns


def test_median_and_extremes() -> None:
    assert Spread.of([5.0, 1.0, 3.0]) == Spread(median=3.0, low=1.0, high=5.0, count=3)
    assert Spread.of([4.0, 1.0, 2.0, 3.0]).median == 2.5


def test_runs_take_turns_and_the_order_alternates() -> None:
    calls: list[str] = []
    clocks = {name: lambda name=name: calls.append(name) or 1.0 for name in "abc"}
    spreads, errors = in_turns(clocks, repeats=2, warm_ups=1)
    assert "".join(calls) == "abc" + "cba" + "abc"
    assert errors == {}
    assert {spread.count for spread in spreads.values()} == {2}


def test_warm_ups_do_not_count() -> None:
    times = iter([100.0, 1.0, 2.0, 3.0])
    spreads, _ = in_turns({"a": lambda: next(times)}, repeats=3, warm_ups=1)
    assert spreads["a"] == Spread(2.0, 1.0, 3.0, 3)


@pytest.mark.parametrize("fails_at", [0, 2])
def test_a_run_that_raises_is_left_out_and_named(fails_at: int) -> None:
    count = iter(range(100))

    def broken() -> float:
        if next(count) >= fails_at:
            raise RuntimeError("out of memory\nand a long trace")
        return 1.0

    spreads, errors = in_turns({"a": lambda: 1.0, "b": broken}, repeats=3)
    assert set(spreads) == {"a"} and spreads["a"].count == 3
    assert errors == {"b": "RuntimeError: out of memory"}


def test_patience_ends_the_repeats_of_slow_runs_alone() -> None:
    clocks = {"fast": lambda: 1.0, "slow": lambda: 30.0, "slowest": lambda: 90.0}
    spreads, _ = in_turns(clocks, repeats=5, warm_ups=1, patience=50.0)
    assert {name: spread.count for name, spread in spreads.items()} == {
        "fast": 5, "slow": 1, "slowest": 1,
    }  # fmt: skip
