"""Which points of a panel one line joins."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_up import Json, changed, perplexity, perplexity_row, sweep, task_row, write
from matplotlib.figure import Figure

from simba_ssm.report.appearance import appearance
from simba_ssm.report.comparison import compare
from simba_ssm.report.panels import Panel, accuracy_panels, criterion_panels, perplexity_panels
from simba_ssm.report.read_results import read_results

CONTEXTS = (512, 1024, 2048)


def matched(name: str) -> list[Json]:
    return [{"method": name, "flops": 1.0}]


def lines(panel: Panel, folder: Path) -> list[list[tuple[float, float]]]:
    """The points of each drawn line; markers are apart."""
    results = read_results(folder)
    rows = [*results.perplexities, *results.tasks]
    axes = Figure().subplots()
    panel.draw(axes, appearance([row.method for row in rows], results.models))
    drawn = [line for line in axes.get_lines() if line.get_linestyle() != "None"]
    return [[(float(x), float(y)) for x, y in line.get_xydata()] for line in drawn]


def test_contexts_truncated_to_two_costs_are_two_lines(tmp_path: Path) -> None:
    """As --match-flops has them: influence computes scores, recent and spaced do not."""
    made = perplexity(CONTEXTS, (0.5,))
    made["rows"] = []
    for context in CONTEXTS:
        cheap, dear = (perplexity_row("truncated", 0.5, context) for _ in range(2))
        cheap |= {"perplexity": 50, "tokens_read": 9}
        cheap["matches"] = matched("recent linear r=0.5") + matched("spaced linear r=0.5")
        dear["matches"] = matched("influence(decay=no_bias,reduction=max) linear r=0.5")
        made["rows"] += [perplexity_row("dense", None, context), cheap, dear]
    # Where both costs lead to the same tokens there is one row.
    first = made["rows"][2]
    first["matches"] += made["rows"].pop(1)["matches"]
    (panel,) = perplexity_panels(compare([read_results(write(tmp_path, made))]))
    drawn = lines(panel, tmp_path)
    assert len(drawn) == 3
    assert all([x for x, _ in line] == list(CONTEXTS) for line in drawn)
    assert [(512, first["perplexity"]), (1024, 50), (2048, 50)] in drawn


def test_seeds_are_a_line_each(tmp_path: Path) -> None:
    made = perplexity(CONTEXTS, (0.5,))
    again = [row | {"seed": 1, "perplexity": 60} for row in made["rows"] if row["seed"] == 0]
    made["rows"] += again
    (panel,) = perplexity_panels(compare([read_results(write(tmp_path, made))]))
    drawn = lines(panel, tmp_path)
    assert len(drawn) == 7
    assert all([x for x, _ in line] == list(CONTEXTS) for line in drawn)
    assert [(context, 60) for context in CONTEXTS] in drawn


@pytest.mark.parametrize("panels", [accuracy_panels, criterion_panels])
def test_retentions_of_one_method_are_one_line(panels, tmp_path: Path) -> None:
    """Truncated too, though each retention's name is another."""
    retentions = ("0.5", "0.3", "0.1")
    made = sweep(("mamba-130m",), ("piqa",), retentions)
    made = changed(made, "rows", [
        task_row("mamba-130m", "piqa", criterion, retention)
        for retention in retentions
        for criterion in ("influence", "recent", "truncated")
    ])  # fmt: skip
    (panel,) = panels(compare([read_results(write(tmp_path, made))]))
    assert [len(line) for line in lines(panel, tmp_path)] == [3, 3, 3]
