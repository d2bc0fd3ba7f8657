"""A small model through the sections of whole models, without peers."""

from __future__ import annotations

import made_up_run
import pytest

from benchmarks.compare.decode import decode
from benchmarks.compare.models import Models
from benchmarks.compare.prefill import prefill, prefill_cases
from benchmarks.compare.tables import markdown


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Models:
    result = made_up_run.result()
    result.machine = made_up_run.machine("cpu")
    return Models(result, [], "float32", tmp_path_factory.mktemp("weights"), repeats=1)


@pytest.mark.parametrize("lengths", [(33,), (20, 9, 40)])
def test_every_run_stands_beside_its_own_floor(models: Models, lengths: tuple[int, ...]) -> None:
    rows = {row.run: row for row in prefill(models, "models", "6m-demo", lengths)}
    assert list(rows) == ["simba dense", "simba r=0.1", "floor of simba dense", "floor of simba r=0.1"]
    for label in ("simba dense", "simba r=0.1"):
        alone = rows[f"floor of {label}"]
        assert rows[label].floor.seconds == alone.seconds.median
        assert rows[label].work.product_flops == alone.work.product_flops
        assert rows[label].more["tokens"] == sum(lengths)
    dense, pruned = rows["simba dense"], rows["simba r=0.1"]
    assert dense.more["flops_share"] == 1 and 0.5 < pruned.more["flops_share"] < 0.7
    assert 0.5 < pruned.work.product_flops / dense.work.product_flops < pruned.more["flops_share"]
    # The embedding is the head; A_log, D, norms and biases are few.
    assert dense.work.bytes == 4 * 6_305_024


def test_a_decoding_step_reads_weights_and_states(models: Models) -> None:
    (row,) = decode(models, "6m-demo", 2)
    states = 2 * 12 * 512 * 16
    assert row.work.bytes == 4 * 6_305_024 + 2 * 4 * states
    assert row.floor.bound == "memory"
    models.result.rows = [row]
    assert "| 6m-demo | batch 2 | simba |" in markdown(models.result)


def test_each_size_is_loaded_once_and_2048_comes_first(models: Models) -> None:
    cases = sorted(
        prefill_cases(models, "models", ["b", "a"], [512, 2048, 32768], 0.5),
        key=lambda case: case.importance,
    )
    assert [case.name for case in cases[:4]] == ["b (1, 2048)", "b (1, 512)", "b (1, 32768)",
                                                 "b 32 packed, 8945 tokens"]  # fmt: skip
    assert [case.name.split()[0] for case in cases] == ["b"] * 5 + ["a"] * 5
    timing = prefill_cases(models, "timing_table", ["a"], [512], 1)
    assert [case.name for case in timing] == ["a (1, 512)"]
