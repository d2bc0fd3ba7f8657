"""What a report holds, in order, whatever it is written as."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from simba_ssm.report.appearance import Appearance, appearance
from simba_ssm.report.comparison import Comparison, Group, compare
from simba_ssm.report.errors import ReportError
from simba_ssm.report.panels import (
    Panel,
    accuracy_panels,
    criterion_panels,
    perplexity_panels,
)
from simba_ssm.report.rows import Results
from simba_ssm.report.tables import Table, perplexity_table, sources_table, task_table


@dataclass(frozen=True)
class FigureOf:
    """name: of its files, without an ending."""

    name: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Section:
    title: str
    text: str
    figure: FigureOf | None
    tables: tuple[tuple[str, Table], ...] = ()


@dataclass(frozen=True)
class Report:
    title: str
    sources: Table
    notes: tuple[str, ...]
    sections: tuple[Section, ...]
    look: Appearance
    settings: tuple[tuple[str, object], ...] = field(default=())


def make_report(results: Sequence[Results]) -> Report:
    """Raises ReportError when there is no row at all."""
    rows = [row for each in results for row in (*each.tasks, *each.perplexities)]
    if not rows:
        files = ", ".join(str(each.file) for each in results)
        raise ReportError(f"{files}: expected rows, got none")
    comparison = compare(results)
    sections = [
        _section(
            "Accuracy against FLOPs",
            "FLOPs are run totals per document: prefill, scores, continuation and LM head. Error "
            "bars are one standard error. The thin line through the dense points joins the sizes "
            "of one family.",
            "accuracy",
            accuracy_panels(comparison),
            [(_caption(group), task_table(group)) for group in comparison.tasks],
        ),
        _section(
            "Perplexity against context length",
            "Every method and context length of a panel scores the same tokens. nll − dense: the "
            "paired difference on the same windows, in nats per token, with its standard error.",
            "perplexity",
            perplexity_panels(comparison),
            [(_caption(group), perplexity_table(group)) for group in comparison.perplexities],
        ),
        _section(
            "Criteria at equal retention",
            "Which tokens are kept, at the same number kept: the comparison of the paper's Figure "
            "6. The horizontal line is the dense model; truncated stands at the retention whose "
            "FLOPs it spends.",
            "criteria",
            criterion_panels(comparison),
            [],
        ),
    ]
    return Report(
        title="Simba: results",
        sources=sources_table(results),
        notes=tuple(comparison.notes) + _overlap_note(comparison),
        sections=tuple(section for section in sections if section is not None),
        look=appearance((row.method for row in rows), (row.model for row in rows)),
        settings=tuple((str(each.file), each.settings) for each in results),
    )


def _section(
    title: str,
    text: str,
    name: str,
    panels: list[Panel],
    tables: list[tuple[str, Table]],
) -> Section | None:
    if not panels and not tables:
        return None
    return Section(title, text, FigureOf(name, tuple(panels)) if panels else None, tuple(tables))


def _caption(group: Group) -> str:
    asked = ", ".join(f"{name} {value}" for name, value in group.asked.items())
    return f"{group.name}: {asked}" if group.mark else group.name


def _overlap_note(comparison: Comparison) -> tuple[str, ...]:
    groups = [*comparison.tasks, *comparison.perplexities]
    if not any(row.overlap for group in groups for row in group.rows):
        return ()
    return (
        "Overlap with recent is the share of kept tokens that keeping the newest would keep as "
        "well: mean over the layers that drop / at the last one. Near 1, a method is recency under "
        "another name.",
    )
