"""From results.json to rows, and what is said of a file that is not one."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_up import Json, changed, perplexity, sweep, write

from simba_ssm.report import ReportError
from simba_ssm.report.__main__ import main
from simba_ssm.report.read_results import read_results
from simba_ssm.report.rows import Estimate, Method, Overlap

SMALL_SWEEP = sweep(("mamba-130m", "pythia-160m"), ("arc_easy", "lambada_openai"), ("0.5",))


def test_a_task_rows_numbers_are_the_files(tmp_path: Path) -> None:
    results = read_results(write(tmp_path, SMALL_SWEEP))
    raw = SMALL_SWEEP["rows"][1]
    row = results.tasks[1]
    assert row.method == Method("influence", "no_bias", "max", 0.5, "linear")
    assert row.metrics["acc"] == Estimate(
        raw["metrics"]["acc"]["value"], raw["metrics"]["acc"]["standard_error"]
    )
    assert row.difference == Estimate(
        raw["difference"]["value"], raw["difference"]["standard_error"]
    )
    assert (row.flops, row.flops_share) == (raw["flops"]["total"], raw["flops_share"])
    assert row.overlap == Overlap(0.95, 0.95 - 0.02)
    assert row.documents == 2376
    assert [model.family for model in results.models] == ["mamba", "gpt_neox"]


def test_a_perplexity_rows_numbers_are_the_files(tmp_path: Path) -> None:
    made = perplexity()
    results = read_results(write(tmp_path, made))
    raw = made["rows"][1]
    row = results.perplexities[1]
    assert (row.context, row.tokens_read, row.windows) == (512, 512, 2)
    assert row.perplexity == raw["perplexity"]
    assert row.flops == raw["flops"]["total"]
    assert row.flops_share == raw["flops"]["share_of_dense"]["total"]
    assert row.kl == 0.02 and results.perplexities[0].kl == 0.0
    assert row.overlap == Overlap(0.95, None) and results.perplexities[0].overlap is None


def test_a_sweep_may_hold_perplexities_of_several_models(tmp_path: Path) -> None:
    made = sweep(("mamba-130m", "mamba-370m"), ("piqa",), ("0.5",))
    flat = perplexity()
    made["perplexity_rows"] = [
        {"model": name, **row} for name in ("mamba-130m", "mamba-370m") for row in flat["rows"]
    ]
    results = read_results(write(tmp_path, made))
    assert len(results.perplexities) == 2 * len(flat["rows"])
    assert {row.model.name for row in results.perplexities} == {"mamba-130m", "mamba-370m"}


def test_unknown_numbers_stay_unknown(tmp_path: Path) -> None:
    made = changed(perplexity(), "rows.1.perplexity", None)
    made = changed(made, "rows.1.difference_to_dense.standard_error", None)
    row = read_results(write(tmp_path, made)).perplexities[1]
    assert row.perplexity is None
    assert row.difference is not None and row.difference.standard_error is None


def test_a_model_is_named_as_its_folder_where_run_json_says_so(tmp_path: Path) -> None:
    write(tmp_path, perplexity())
    assert read_results(tmp_path).models[0].name == "weights eeeeeeee"
    (tmp_path / "run.json").write_text('{"paths": {"model": "some/mamba-26m/"}}')
    assert read_results(tmp_path).models[0].name == "mamba-26m (eeeeeeee)"


WRONG: list[tuple[Json, str, object, str]] = [
    (SMALL_SWEEP, "format", "simba-eval sweep 2", "format: expected 'simba-eval perplexity 1' or"),
    (SMALL_SWEEP, "format", ..., "format: expected, but not there"),
    (SMALL_SWEEP, "models", ..., "models: expected, but not there"),
    (SMALL_SWEEP, "rows", {}, "rows: expected a list, got {}"),
    (SMALL_SWEEP, "rows.2", 7, "rows[2]: expected an object, got 7"),
    (SMALL_SWEEP, "rows.2.model", "gpt", "rows[2].model: expected one of the file's models"),
    (SMALL_SWEEP, "rows.2.flops.total", "x", 'rows[2].flops.total: expected a number, got "x"'),
    (SMALL_SWEEP, "rows.2.flops.total", ..., "rows[2].flops.total: expected, but not there"),
    (SMALL_SWEEP, "rows.2.documents", 0, "rows[2].documents: expected an integer above 0, got 0"),
    (SMALL_SWEEP, "rows.2.documents", 10**400, "rows[2].documents: expected an integer of 64 bits"),
    (SMALL_SWEEP, "rows.2.flops.total", 10**400, "rows[2].flops.total: expected a finite number"),
    (SMALL_SWEEP, "rows.2.documents", True, "rows[2].documents: expected an integer, got true"),
    (SMALL_SWEEP, "rows.2.shots", 1.5, "rows[2].shots: expected an integer, got 1.5"),
    (SMALL_SWEEP, "rows.2.primary_metric", "f1", "rows[2].primary_metric: expected one of"),
    (SMALL_SWEEP, "rows.2.method.retention", "0", "rows[2].method.retention: expected a decimal"),
    (SMALL_SWEEP, "rows.2.method.retention", "half", "rows[2].method.retention: expected a deci"),
    (SMALL_SWEEP, "rows.2.metrics.acc.value", "1", "rows[2].metrics.acc.value: expected a number"),
    (SMALL_SWEEP, "rows.2.metrics.acc.value", float("inf"), "acc.value: expected a finite number"),
    (SMALL_SWEEP, "settings.dtype", 32, "settings.dtype: expected a text, got 32"),
    (perplexity(), "windows.1", ["book"], "windows[1]: expected a book and a position"),
    (perplexity(), "windows.1.0", "else", "windows[1][0]: expected one of the file's books"),
    (perplexity(), "books.0.sha256", ..., "books[0].sha256: expected, but not there"),
    (perplexity(), "settings.score", ..., "settings.score: expected, but not there"),
    (perplexity(), "settings.model.weights", [], "settings.model.weights: expected at least one"),
    (perplexity(), "rows.3.context", "1k", 'rows[3].context: expected an integer, got "1k"'),
]


@pytest.mark.parametrize(("made", "place", "value", "says"), WRONG)
def test_a_wrong_field_is_named(
    made: Json,
    place: str,
    value: object,
    says: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(tmp_path, changed(made, place, value))
    assert main([str(tmp_path)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"simba_ssm.report: {tmp_path}/results.json: ")
    assert says in lines[0]
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"{\n,", "results.json:2: not JSON"),
        (b"\xff", "results.json: not UTF-8 at byte 0"),
        (b"[]", "results.json: the whole: expected an object, got []"),
        (b"[" * 100_000, "results.json: not JSON that can be read: maximum recursion depth"),
        (b"1" * 5000, "results.json: not JSON that can be read: Exceeds the limit"),
        (None, "results.json: No such file or directory"),
    ],
)
def test_a_file_that_is_no_results_is_named(data: bytes | None, says: str, tmp_path: Path) -> None:
    if data is not None:
        (tmp_path / "results.json").write_bytes(data)
    with pytest.raises(ReportError) as error:
        read_results(tmp_path)
    assert says in str(error.value)


def test_nesting_of_any_depth_is_a_report_error(tmp_path: Path) -> None:
    """Between what can be read and what cannot lies what can be read but not shown."""
    for depth in range(1, 1100):
        (tmp_path / "results.json").write_text("[" * depth + "]" * depth)
        with pytest.raises(ReportError):
            read_results(tmp_path)
