"""The operators under the device's roofs: what each does a second, against what it moves for it.

    python -m benchmarks.compare.roofline DIR/compare.json

draws DIR/roofline.svg and .png of a run on a machine that has no matplotlib.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.compare.device import Ceilings
from benchmarks.compare.rows import Result, Row
from simba_ssm.report.errors import ReportError

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Point:
    """intensity: operations a byte. rate: operations a second."""

    label: str
    run: str
    intensity: float
    rate: float


@dataclass(frozen=True)
class Roof:
    """rate: the flat part, operations a second."""

    label: str
    rate: float


def points(rows: Iterable[Row], kind: str) -> list[Point]:
    """kind: "exponentials", "flops" or "product_flops", an attribute of Work; rows without any of it
    have no point.
    """
    out = []
    for row in rows:
        if row.work is None or row.seconds is None or row.work.bytes == 0:
            continue
        count = getattr(row.work, kind)
        if count > 0:
            label = f"{row.subject} {row.shape}"
            out.append(Point(label, row.run, count / row.work.bytes, count / row.seconds.median))
    return out


def named(panel: Iterable[Point]) -> dict[str, Point]:
    """Our first point of every operator or model: those that get its name in the plot."""
    first: dict[str, Point] = {}
    for point in panel:
        if point.run.startswith("simba"):
            first.setdefault(point.label.split()[0].rstrip(","), point)
    return first


def attainable(intensity: float, roof: Roof, copy: float) -> float:
    """Operations a second at most: under the slope of memory and the roof."""
    return min(roof.rate, intensity * copy)


def panels(result: Result) -> list[tuple[str, str, Roof, list[Point]]]:
    """(title, unit, roof, points) of those kinds of work that the result has."""
    ceilings: Ceilings = result.machine.ceilings
    single = result.of("operators")
    models = [row for row in result.of("models") if not row.run.startswith("floor")]
    found = []
    if ceilings.exponentials:
        roof = Roof("exponential unit", ceilings.exponentials)
        found.append(("Scan and scores", "exponentials", roof, points(single, "exponentials")))
    roof = Roof("float32 arithmetic", ceilings.float32)
    found.append(("Operators", "FLOP", roof, points(single, "flops")))
    dtype = next((row.work.dtype for row in models if row.work), "bfloat16")
    if dtype in ceilings.products:
        roof = Roof(f"{dtype} products", ceilings.products[dtype])
        found.append(("Prefill", "product FLOP", roof, points(models, "product_flops")))
    return [panel for panel in found if panel[3]]


def write_roofline(result: Result, stem: Path) -> list[Path]:
    """stem.svg and stem.png; nothing where there is nothing to draw. Raises ReportError without
    matplotlib.
    """
    drawn = panels(result)
    if not drawn:
        return []
    from simba_ssm.report.figures import PANEL, matplotlib_style

    with matplotlib_style(stem.name):
        from matplotlib.figure import Figure

        figure = Figure(figsize=(PANEL[0] * len(drawn), PANEL[1] + 0.6), layout="constrained")
        grid = figure.subplots(1, len(drawn), squeeze=False).flat
        runs = list(dict.fromkeys(point.run for *_, panel in drawn for point in panel))
        for axes, (title, unit, roof, panel) in zip(grid, drawn, strict=True):
            _draw(axes, unit, roof, panel, result.machine.ceilings.copy, runs)
            axes.set_title(title)
        handles = {}
        for axes in figure.axes:
            handles |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        figure.legend(handles.values(), handles.keys(), loc="outside lower center",
                      ncols=min(4, len(handles)), frameon=False)  # fmt: skip
        figure.suptitle(result.machine.name)
        svg, png = stem.with_suffix(".svg"), stem.with_suffix(".png")
        figure.savefig(svg, metadata={"Date": None, "Creator": None})
        figure.savefig(png, dpi=150, metadata={"Software": None})
    return [svg, png]


def _draw(
    axes: Axes, unit: str, roof: Roof, panel: list[Point], copy: float, runs: list[str]
) -> None:
    from simba_ssm.report.appearance import INK, MARKERS, PALETTE

    ridge = roof.rate / copy
    left = min([ridge / 4, *[point.intensity / 2 for point in panel]])
    right = max([ridge * 4, *[point.intensity * 2 for point in panel]])
    axes.plot([left, ridge, right], [left * copy, roof.rate, roof.rate], color=INK.light, linewidth=1)
    axes.annotate(roof.label, (right, roof.rate), ha="right", va="bottom", fontsize=8)
    axes.annotate("memory", (left, left * copy), ha="left", va="bottom", fontsize=8)
    for run in runs:
        mine = [point for point in panel if point.run == run]
        position = runs.index(run)
        axes.scatter(
            [point.intensity for point in mine],
            [point.rate for point in mine],
            s=22,
            marker=MARKERS[position % len(MARKERS)],
            color=PALETTE[position % len(PALETTE)].light,
            alpha=0.8,
            label=run if mine else None,
        )
    for operator, point in named(panel).items():
        axes.annotate(operator, (point.intensity, point.rate), xytext=(3, 3),
                      textcoords="offset points", fontsize=6)  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(f"{unit} a byte")
    axes.set_ylabel(f"{unit} a second")


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print(f"roofline: expected one compare.json, got {len(arguments)} arguments", file=sys.stderr)
        return 2
    file = Path(arguments[0])
    try:
        result = Result.from_json(json.loads(file.read_text()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"{file}: expected what benchmarks.compare writes: {error!r}", file=sys.stderr)
        return 2
    try:
        written = write_roofline(result, file.with_name("roofline"))
    except ReportError as error:
        print(error, file=sys.stderr)
        return 1
    print(*written, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
