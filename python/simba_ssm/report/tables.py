"""The tables of a report, as text cells: Markdown and HTML are made from the same ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from simba_ssm.report.comparison import Group
from simba_ssm.report.rows import Estimate, Overlap, PerplexityRow, Results, TaskRow

ABSENT = "–"
Row = TypeVar("Row", TaskRow, PerplexityRow)


@dataclass(frozen=True)
class Column:
    title: str
    is_text: bool = False


@dataclass(frozen=True)
class Table:
    """kinds: Method.kind of each row, for its colour. gaps: indices of rows that begin a block."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    kinds: tuple[str, ...] = ()
    gaps: frozenset[int] = frozenset()


def task_table(group: Group[TaskRow]) -> Table:
    metrics = list(dict.fromkeys(name for row in group.rows for name in row.metrics))
    primary = group.rows[0].primary
    metrics.sort(key=lambda name: name != primary)
    models = _models(group)
    rows = sorted(group.rows, key=lambda row: (models.index(row.model.name), *_order(row)))
    shown: Cells = [
        (name, lambda row, name=name: _metric(name, row.metrics.get(name))) for name in metrics
    ]
    return _table(
        rows,
        [
            *_method_columns(),
            *shown[:1],
            ("overlap with recent", lambda row: _overlap(row.overlap)),
            (f"{primary} − dense", lambda row: _difference(row)),
            ("GFLOP/document", lambda row: _significant(row.flops / row.documents / 1e9)),
            ("of dense", lambda row: _percent(row.flops_share)),
            *shown[1:],
            ("documents", lambda row: str(row.documents)),
        ],
    )


def perplexity_table(group: Group[PerplexityRow]) -> Table:
    models = _models(group)
    rows = sorted(
        group.rows, key=lambda row: (models.index(row.model.name), row.context, *_order(row))
    )
    return _table(
        rows,
        [
            *_method_columns(),
            ("context", lambda row: str(row.context)),
            ("read", lambda row: str(row.tokens_read)),
            ("perplexity", lambda row: _fixed(row.perplexity, 3)),
            ("overlap with recent", lambda row: _overlap(row.overlap)),
            ("nll − dense", lambda row: _difference(row)),
            ("per word", lambda row: _fixed(row.perplexity_per_word, 2)),
            ("GFLOP/window", lambda row: _significant(_per_window(row))),
            ("of dense", lambda row: _percent(row.flops_share)),
            ("KL", lambda row: _fixed(row.kl, 4)),
            ("same top", lambda row: _percent(row.same_top)),
        ],
    )


def sources_table(results: Sequence[Results]) -> Table:
    titles = ("file", "made by", "models")
    columns = (*(Column(title, is_text=True) for title in titles), Column("rows"))
    rows = tuple(
        (
            str(each.file),
            each.format,
            ", ".join(model.name for model in each.models),
            str(len(each.tasks) + len(each.perplexities)),
        )
        for each in results
    )
    return Table(columns, rows)


def _per_window(row: PerplexityRow) -> float | None:
    return row.flops / row.windows / 1e9 if row.windows else None


def _models(group: Group[Row]) -> list[str]:
    return list(dict.fromkeys(row.model.name for row in group.rows))


def _order(row: TaskRow | PerplexityRow) -> tuple[object, ...]:
    """Dense, the pruned ones, truncated; each from much kept to little."""
    rank = {"dense": 0, "truncated": 2}.get(row.method.criterion, 1)
    return (rank, row.method.kind, -(row.method.retention or 1))


Cells = list[tuple[str, Callable[[Row], str]]]


def _method_columns() -> Cells:
    return [
        ("model", lambda row: row.model.name),
        ("method", lambda row: row.method.kind),
        ("r", lambda row: _retention(row)),
    ]


def _table(rows: Sequence[Row], columns: Cells) -> Table:
    """Columns in which nothing is known are left out."""
    cells = [[cell(row) for row in rows] for _, cell in columns]
    known = [i for i, column in enumerate(cells) if any(text != ABSENT for text in column)]
    blocks = [(row.model.name, getattr(row, "context", None)) for row in rows]
    return Table(
        columns=tuple(Column(columns[i][0], columns[i][0] in ("model", "method")) for i in known),
        rows=tuple(tuple(cells[i][r] for i in known) for r in range(len(rows))),
        kinds=tuple(row.method.kind for row in rows),
        gaps=frozenset(r for r in range(1, len(rows)) if blocks[r] != blocks[r - 1]),
    )


def _retention(row: Row) -> str:
    if row.method.criterion == "dense":
        return "1"
    # A truncated row has the FLOPs of rows of this retention, and drops no token itself.
    text = row.method.retention_text or ABSENT
    return f"as {text}" if row.method.criterion == "truncated" and text != ABSENT else text


def _metric(name: str, estimate: Estimate | None) -> str:
    if estimate is None:
        return ABSENT
    if not name.startswith("acc"):
        return _significant(estimate.value) + _plus_minus(estimate.standard_error, _significant)
    return _fixed(100 * estimate.value, 2) + _plus_minus(
        estimate.standard_error, lambda error: _fixed(100 * error, 2)
    )


def _difference(row: TaskRow | PerplexityRow) -> str:
    if row.difference is None or row.method.criterion == "dense":
        return ABSENT
    is_accuracy = isinstance(row, TaskRow) and row.primary.startswith("acc")
    scale, digits = (100, 2) if is_accuracy else (1, 4)
    text = f"{scale * row.difference.value:+.{digits}f}".replace("-", "−")
    return text + _plus_minus(row.difference.standard_error, lambda e: _fixed(scale * e, digits))


def _plus_minus(error: float | None, shown: Callable[[float], str]) -> str:
    return "" if error is None else f" ± {shown(error)}"


def _overlap(overlap: Overlap | None) -> str:
    if overlap is None:
        return ABSENT
    last = "" if overlap.last_cut is None else f" / {overlap.last_cut:.3f}"
    return f"{overlap.mean:.3f}{last}"


def _fixed(value: float | None, digits: int) -> str:
    return ABSENT if value is None else f"{value:.{digits}f}"


def _percent(value: float | None) -> str:
    return ABSENT if value is None else f"{100 * value:.1f} %"


def _significant(value: float | None) -> str:
    """Four significant digits."""
    if value is None:
        return ABSENT
    rounded = float(f"{value:.4g}")
    return f"{rounded:.0f}" if abs(rounded) >= 1000 else f"{rounded:#.4g}"
