"""Puts together the rows that may be compared, and says what keeps the others apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from simba_ssm.report.rows import PerplexityRow, Results, TaskRow

Row = TypeVar("Row", TaskRow, PerplexityRow)


@dataclass
class Group(Generic[Row]):
    """Rows on the same documents or windows. mark: a letter where there are several of a title."""

    title: str
    rows: list[Row]
    asked: dict[str, str]
    mark: str = ""

    @property
    def name(self) -> str:
        return f"{self.title} ({self.mark})" if self.mark else self.title


@dataclass
class Comparison:
    """notes: sentences on what was kept apart or left out."""

    tasks: list[Group[TaskRow]] = field(default_factory=list)
    perplexities: list[Group[PerplexityRow]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def compare(results: Sequence[Results]) -> Comparison:
    comparison = Comparison()
    tasks = [row for each in results for row in each.tasks]
    titles = dict.fromkeys((row.task, row.shots) for row in tasks)
    for task, shots in titles:
        title = task if shots == 0 else f"{task}, {shots}-shot"
        rows = [row for row in tasks if (row.task, row.shots) == (task, shots)]
        comparison.tasks += _groups(title, rows, comparison.notes)
    perplexities = [row for each in results for row in each.perplexities]
    comparison.perplexities = _groups("Perplexity", perplexities, comparison.notes)
    for group in [*comparison.tasks, *comparison.perplexities]:
        _say_what_lacks_a_baseline(group, comparison.notes)
    remarks = (f"{remark}." for each in results for remark in each.remarks)
    comparison.notes = list(dict.fromkeys([*comparison.notes, *remarks]))
    return comparison


def _groups(title: str, rows: list[Row], notes: list[str]) -> list[Group[Row]]:
    by_asked: dict[tuple[tuple[str, str], ...], list[Row]] = {}
    for row in rows:
        by_asked.setdefault(row.asked, []).append(row)
    groups = [
        Group(title, _once(title, each, notes), dict(asked)) for asked, each in by_asked.items()
    ]
    if len(groups) > 1:
        for index, group in enumerate(groups):
            group.mark = chr(ord("A") + index) if index < 26 else str(index + 1)
        notes.append(_kept_apart(title, groups))
    return groups


def _kept_apart(title: str, groups: list[Group[Row]]) -> str:
    names = list(dict.fromkeys(name for group in groups for name in group.asked))
    differing = [n for n in names if len({group.asked.get(n) for group in groups}) > 1]
    files = "; ".join(
        f"{group.mark}: " + ", ".join(dict.fromkeys(str(row.file) for row in group.rows))
        for group in groups
    )
    return (
        f"{title}: results that differ in {', '.join(differing)} must not be compared and are "
        f"shown apart ({files})."
    )


def _key(row: TaskRow | PerplexityRow) -> tuple[object, ...]:
    extra = (row.context, row.tokens_read) if isinstance(row, PerplexityRow) else (row.flops,)
    return (row.model.name, row.method, row.matched, *extra)


def _once(title: str, rows: list[Row], notes: list[str]) -> list[Row]:
    """Rows that several files hold, once; where their numbers differ, the first file's."""
    kept: dict[tuple[object, ...], Row] = {}
    for row in rows:
        first = kept.setdefault(_key(row), row)
        if first is row:
            continue
        same = (
            first.metrics == row.metrics
            if isinstance(row, TaskRow)
            else first.perplexity == row.perplexity
        )
        if not same:
            notes.append(
                f"{title}: {row.model.name}, {row.method.kind} {row.method.retention_text} has "
                f"other numbers in {row.file} than in {first.file}; the latter are shown."
            )
    return list(kept.values())


def _say_what_lacks_a_baseline(group: Group[Row], notes: list[str]) -> None:
    models = dict.fromkeys(row.model.name for row in group.rows)
    dense = {row.model.name for row in group.rows if row.method.criterion == "dense"}
    without = [name for name in models if name not in dense]
    if without:
        notes.append(f"{group.name}: the files hold no dense row of {', '.join(without)}.")
