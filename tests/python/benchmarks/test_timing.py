from __future__ import annotations

import contextlib
import types

import pytest
import torch

from benchmarks.compare.timing import Spread, graph_clock, in_turns, loop_clock


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


class Recorder:
    """Stands for torch.cuda: notes what is captured and replayed; an event's time is that of replays,
    4 ms each.
    """

    def __init__(self) -> None:
        self.log: list[str] = []
        self.Stream = self.current_stream = lambda: types.SimpleNamespace(wait_stream=lambda other: None)
        self.stream = contextlib.nullcontext
        self.synchronize = lambda: None

    def CUDAGraph(self):
        return types.SimpleNamespace(replay=lambda: self.log.append("replay"))

    @contextlib.contextmanager
    def graph(self, graph):
        self.log.append("capture")
        yield
        self.log.append("captured")

    def Event(self, enable_timing: bool):
        event = types.SimpleNamespace(at=0)
        event.record = lambda: setattr(event, "at", self.log.count("replay"))
        event.synchronize = lambda: None
        event.elapsed_time = lambda end: 4.0 * (end.at - event.at)
        return event


def test_a_graph_holds_all_launches_and_one_of_two_replays_is_timed(monkeypatch) -> None:
    cuda = Recorder()
    monkeypatch.setattr(torch, "cuda", cuda)
    launches = [lambda name=name: cuda.log.append(name) for name in "abcd"]
    clock = graph_clock(launches)
    assert cuda.log == ["a", "capture", "a", "b", "c", "d", "captured"]
    assert clock() == pytest.approx(1e-3)
    assert cuda.log[-2:] == ["replay", "replay"]


def test_a_loop_is_long_enough_to_be_timed() -> None:
    calls: list[int] = []
    seconds = loop_clock([lambda: calls.append(0), lambda: calls.append(1)], at_least=0.002)()
    assert len(calls) > 100 and calls.count(0) == calls.count(1)
    assert 0 < seconds < 1e-3
