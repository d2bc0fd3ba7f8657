"""The fine-tuning table pairs what belongs together."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from simba_ssm.report.errors import ReportError
from simba_ssm.report.finetuning import finetuning_tables, main, paired_difference, read_scored

# 4 windows of 2 books, 10 scored tokens each.
WINDOWS = [["x", 0], ["x", 5], ["y", 0], ["y", 5]]


def row(model: str, label: str, retention: float, nll: list[float], context: int = 64) -> dict:
    return {
        "model": model,
        "label": label,
        "retention": retention,
        "context": context,
        "overlap_with_recent": None if label == "dense" else {"mean": 0.75, "last_cut": 0.5},
        "per_window": {"nll_sum": nll, "count": [10] * 4},
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [
        row("before", "dense", 1, [20, 20, 20, 20]),
        row("before", "recent", 0.5, [22, 22, 22, 22]),
        row("before", "influence full max", 0.5, [30, 30, 30, 30]),
        row("before", "recent", 0.5, [99, 99, 99, 99], context=32),
        row("tuned", "dense", 1, [21, 21, 19, 19]),
        row("tuned", "influence full max", 0.5, [24, 24, 22, 22]),
        row("recent", "dense", 1, [20, 20, 20, 20]),
        row("recent", "recent", 0.5, [21, 21, 21, 21]),
    ]
    results = {"format": "simba-eval sweep 1", "windows": WINDOWS, "perplexity_rows": rows}
    (tmp_path / "results.json").write_text(json.dumps(results))
    return tmp_path


def test_cells(folder: Path) -> None:
    text = finetuning_tables(read_scored(folder), "before", "recent")
    lines = text.splitlines()
    # By hand: residuals of books are 2 and -2 about a mean of 0, so sqrt(2 / 1 * 8) / 40 = 0.1.
    dense = f"{math.exp(2):.2f} (+0.0000 ± 0.1000)"
    tuned = f"{math.exp(2.3):.2f} (−0.7000 ± 0.1000)"
    assert f"| tuned | influence full max | {dense} | {tuned} | 0.750 |" in lines
    against = f"{math.exp(2.3):.2f} (+0.2000 ± 0.1000)"
    assert f"| tuned | influence full max | {dense} | {against} | 0.750 |" in lines
    before = f"| before | recent | {math.exp(2):.2f} | {math.exp(2.2):.2f} | 0.750 |"
    assert before in lines
    assert lines[-1] == "4 windows of 2 books, 40 scored tokens."
    assert sum(line.startswith("| recent |") for line in lines) == 1


def test_the_paired_error(folder: Path) -> None:
    rows = {(r.model, r.method): r for r in read_scored(folder)}
    found = paired_difference(rows["tuned", "dense"], rows["before", "dense"])
    assert (found.value, found.standard_error) == (0.0, pytest.approx(0.1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "simba-eval tasks 1"}, "format: expected 'simba-eval sweep 1'"),
        ({"perplexity_rows": []}, "perplexity_rows: expected a row"),
        ({"windows": WINDOWS[1:]}, "nll_sum: expected 3 sums, one per window"),
    ],
)
def test_other_files_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], change: dict, message: str
) -> None:
    file = folder / "results.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    assert main([str(folder)]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"windows": [[], *WINDOWS[1:]]}, "windows[0]: expected a book and a position, got []"),
        ({"count": [0] * 4}, "count: expected 4 integers above 0, one per window, got [0, 0, 0, 0]"),
        ({"count": [10] * 3}, "count: expected 4 integers above 0, one per window, got [10"),
        ({"count": [10**400, 1, 1, 1]}, "count[0]: expected an integer of 64 bits, got 1000"),
        ({"nll_sum": [1e9] * 4}, "nll_sum: expected at most 700 nats per token, got [1000000000.0"),
        ({"nll_sum": [1e200, -1e200, 1, 1]}, "nll_sum: expected at most 700 nats per token, got [1e"),
        ({"nll_sum": [10**400, 1, 1, 1]}, "nll_sum[0]: expected a finite number, got 1000"),
        ({"windows": [], "nll_sum": [], "count": []}, "nll_sum: expected some sums, one per window"),
    ],
)
def test_damaged_rows_are_named(
    folder: Path, capsys: pytest.CaptureFixture[str], change: dict, message: str
) -> None:
    file = folder / "results.json"
    results = json.loads(file.read_text())
    results["windows"] = change.get("windows", results["windows"])
    for each in results["perplexity_rows"][4:5]:
        each["per_window"] |= {k: v for k, v in change.items() if k in each["per_window"]}
    file.write_text(json.dumps(results))
    assert main([str(folder)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"simba_ssm.report.finetuning: {file}: ") and message in line


def test_a_model_that_is_not_there(folder: Path) -> None:
    with pytest.raises(ReportError, match="expected 'first' among before, tuned, recent"):
        finetuning_tables(read_scored(folder), "first", None)
