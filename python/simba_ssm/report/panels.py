"""What is drawn: one panel per task, per model's perplexities, per comparison of criteria.

A panel draws itself on matplotlib axes. Colour is the method, marker and line are the model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simba_ssm.report.appearance import INK, Appearance
from simba_ssm.report.comparison import Comparison
from simba_ssm.report.rows import UNPRUNED, Estimate, Method, Model, PerplexityRow, TaskRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from simba_ssm.report.tables import Row


@dataclass(frozen=True)
class Panel:
    """kinds and models: what a legend has to explain. draw(axes, appearance)."""

    title: str
    kinds: tuple[str, ...]
    models: tuple[str, ...]
    draw: Callable[[Axes, Appearance], None]
    says: str  # for those who do not see it


@dataclass(frozen=True)
class Point:
    x: float
    y: float
    error: float | None
    method: Method
    model: Model
    matched: tuple[str, ...] = ()  # of a truncated one: whose FLOPs it spends


def accuracy_panels(comparison: Comparison) -> list[Panel]:
    """Accuracy against FLOPs, one panel per task and shots."""
    panels = []
    for group in comparison.tasks:
        points = [
            _point(row.flops / row.documents / 1e9, row.score, row)
            for row in group.rows
            if row.score
        ]
        if points:
            primary = group.rows[0].primary
            panels.append(
                _panel(
                    group.name,
                    points,
                    lambda axes, look, points=points, primary=primary: _draw_against_flops(
                        axes, look, points, _metric_label(primary)
                    ),
                    f"{_metric_label(primary)} against GFLOP per document on {group.name}",
                )
            )
    return panels


def perplexity_panels(comparison: Comparison) -> list[Panel]:
    """Perplexity against context length, one panel per retention: dense and truncated in each."""
    panels = []
    for group in comparison.perplexities:
        rows = [row for row in group.rows if row.perplexity is not None]
        retentions = sorted(
            {r.method.retention for r in rows if r.method.retention and not _is_dense(r)},
            reverse=True,
        )
        for retention in retentions or [None]:
            shown = [r for r in rows if _is_dense(r) or r.method.retention == retention]
            points = [
                Point(row.context, row.perplexity, None, row.method, row.model, row.matched)
                for row in shown
            ]
            if points:
                at = "" if retention is None else f", r = {retention:g}"
                mark = f" ({group.mark})" if group.mark else ""
                panels.append(
                    _panel(
                        f"Perplexity{at}{mark}",
                        points,
                        lambda axes, look, points=points: _draw_against_context(axes, look, points),
                        f"perplexity against context length{at}",
                    )
                )
    return panels


def criterion_panels(comparison: Comparison) -> list[Panel]:
    """Criteria against each other over several retentions, a panel per task and model (Fig. 6)."""
    panels = []
    for group in comparison.tasks:
        scored = [row for row in group.rows if row.score]
        for model in _models(scored):
            rows = [row for row in scored if row.model.name == model]
            points = [_point(row.method.retention or 1, row.score, row) for row in rows]
            label = _metric_label(group.rows[0].primary)
            panels += _criterion_panel(f"{group.name}, {model}", points, label)
    for group in comparison.perplexities:
        scored = [row for row in group.rows if row.perplexity is not None]
        for model in _models(scored):
            rows = [row for row in scored if row.model.name == model]
            longest = max(row.context for row in rows)
            points = [
                Point(r.method.retention or 1, r.perplexity, None, r.method, r.model, r.matched)
                for r in rows
                if r.context == longest
            ]
            panels += _criterion_panel(
                f"{group.name} at {longest} tokens, {model}", points, "perplexity"
            )
    return panels


def _criterion_panel(title: str, points: list[Point], label: str) -> list[Panel]:
    pruned = [p for p in points if p.method.criterion not in UNPRUNED]
    kinds = {p.method.kind for p in pruned}
    if len(kinds) < 2 or len({p.x for p in pruned}) < 2:
        return []
    return [
        _panel(
            title,
            points,
            lambda axes, look: _draw_criteria(axes, look, points, label),
            f"{label} against retention for {', '.join(sorted(kinds))}: {title}",
        )
    ]


def _is_dense(row: PerplexityRow) -> bool:
    return row.method.criterion == "dense"


def _models(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row.model.name for row in rows))


def _point(x: float, score: Estimate, row: TaskRow) -> Point:
    scale = 100 if row.primary.startswith("acc") else 1
    error = None if score.standard_error is None else scale * score.standard_error
    return Point(x, scale * score.value, error, row.method, row.model, row.matched)


def _metric_label(primary: str) -> str:
    return f"{primary} (%)" if primary.startswith("acc") else primary


def _panel(
    title: str, points: list[Point], draw: Callable[[Axes, Appearance], None], says: str
) -> Panel:
    return Panel(
        title,
        tuple(dict.fromkeys(p.method.kind for p in points)),
        tuple(dict.fromkeys(p.model.name for p in points)),
        draw,
        says,
    )


def _lines(points: Iterable[Point]) -> list[tuple[Point, ...]]:
    """The points of each method and model, from left to right; baselines first, so that they lie
    below.

    Seeds are apart, and so is what is truncated to the FLOPs of one method and of another.
    """
    lines: dict[tuple[object, ...], list[Point]] = {}
    for point in sorted(points, key=lambda p: (p.method.criterion not in UNPRUNED, p.x)):
        # Without the retention, over which a line may run.
        matched = dict.fromkeys(re.sub(r" r=[0-9.]+$", "", name) for name in point.matched)
        for name in matched or [""]:
            key = (point.method.kind, point.method.seed, point.model.name, name)
            lines.setdefault(key, []).append(point)
    # Methods of one cost have the same truncated rows.
    return list(dict.fromkeys(tuple(line) for line in lines.values()))


def _draw_lines(axes: Axes, look: Appearance, points: Iterable[Point]) -> None:
    """Methods that lie on each other all stay visible: what is drawn later is drawn smaller."""
    lines = _lines(points)
    kinds = list(dict.fromkeys(line[0].method.kind for line in lines))
    for line in lines:
        kind, model = line[0].method.kind, line[0].model.name
        above = (len(kinds) - 1 - kinds.index(kind)) / max(1, len(kinds) - 1)
        marker, style = look.shapes[model]
        colour = look.colours[kind].light
        width = 1.3 + 2.2 * above
        axes.plot([p.x for p in line], [p.y for p in line], style, color=colour, linewidth=width)
        for with_error in (True, False):
            some = [p for p in line if (p.error is not None) == with_error]
            if not some:
                continue
            axes.errorbar(
                [p.x for p in some],
                [p.y for p in some],
                yerr=[p.error for p in some] if with_error else None,
                fmt=marker,
                markersize=4.5 + 5 * above,
                color=colour,
                elinewidth=1.1,
                capsize=2.5,
            )


def _draw_against_flops(axes: Axes, look: Appearance, points: list[Point], label: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    dense = [p for p in points if p.method.criterion == "dense"]
    for family in dict.fromkeys(p.model.family for p in dense):
        sizes = sorted((p for p in dense if p.model.family == family), key=lambda p: p.x)
        style = "-" if family == "mamba" else (0, (1, 1.5))
        colour = look.colours["dense"].light
        axes.plot([p.x for p in sizes], [p.y for p in sizes], linestyle=style, color=colour, lw=1)
    _draw_lines(axes, look, points)
    xs = [p.x for p in points]
    if max(xs) > 5 * min(xs) > 0:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=8))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, position: f"{x:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("GFLOP per document")
    axes.set_ylabel(label)


def _draw_against_context(axes: Axes, look: Appearance, points: list[Point]) -> None:
    from matplotlib.ticker import NullLocator

    _draw_lines(axes, look, points)
    contexts = sorted({int(p.x) for p in points})
    axes.set_xscale("log", base=2)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(contexts, [str(context) for context in contexts])
    axes.set_xlabel("context (tokens)")
    axes.set_ylabel("perplexity per token")


def _draw_criteria(axes: Axes, look: Appearance, points: list[Point], label: str) -> None:
    for point in points:
        if point.method.criterion == "dense":
            axes.axhline(point.y, color=look.colours["dense"].light, linewidth=1.2)
            if point.error:
                band = (point.y - point.error, point.y + point.error)
                axes.axhspan(*band, color=INK.light, alpha=0.08, linewidth=0)
    _draw_lines(axes, look, [p for p in points if p.method.criterion != "dense"])
    retentions = sorted({p.x for p in points if p.method.criterion != "dense"})
    axes.set_xticks(retentions, [f"{100 * r:g}" for r in retentions])
    axes.set_xlabel("retention at the last layer (%)")
    axes.set_ylabel(label)
