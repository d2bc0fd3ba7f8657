"""Panels on paper: files for papers and slides; SVG for the page, its colours left to the theme.

Text is drawn as paths, so a figure looks the same everywhere; the same input gives the same bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from simba_ssm.report.appearance import FAINT, INK, Appearance, Colour
from simba_ssm.report.errors import ReportError
from simba_ssm.report.panels import Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL = (4.6, 3.4)  # inches
COLUMNS = 3


@contextmanager
def matplotlib_style(salt: str) -> Iterator[None]:
    """matplotlib drawing into files in this report's style; ids in SVG depend on the salt alone."""
    try:
        import matplotlib
    except ImportError:
        raise ReportError("matplotlib is not installed: pip install 'simba-ssm[report]'") from None
    matplotlib.use("Agg")
    settings = {
        "svg.fonttype": "path",
        "svg.hashsalt": salt,
        "font.family": "DejaVu Sans",
        "font.size": 10,
        "text.color": INK.light,
        "axes.edgecolor": FAINT.light,
        "axes.labelcolor": INK.light,
        "axes.titlecolor": INK.light,
        "axes.titlesize": 11,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": FAINT.light,
        "grid.linewidth": 0.6,
        "xtick.color": INK.light,
        "ytick.color": INK.light,
        "xtick.major.size": 0,
        "ytick.major.size": 0,
        "xtick.minor.size": 0,
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
    }
    with matplotlib.rc_context(settings):
        yield


def write_figure(panels: Sequence[Panel], look: Appearance, stem: Path) -> list[Path]:
    """All panels on one sheet with a legend, as stem.svg and stem.png."""
    with matplotlib_style(stem.name):
        from matplotlib.figure import Figure

        columns = min(COLUMNS, len(panels))
        rows = ceil(len(panels) / columns)
        legend = _legend(panels, look)
        legend_rows = ceil(len(legend) / _legend_columns(columns))
        height = PANEL[1] * rows + 0.25 * legend_rows + 0.2
        figure = Figure(figsize=(PANEL[0] * columns, height), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False).flat
        for axes, panel in zip(grid, panels, strict=False):
            _draw(axes, panel, look)
            axes.set_title(panel.title)
        for axes in figure.axes[len(panels) :]:
            axes.set_visible(False)
        figure.legend(
            handles=legend,
            loc="outside lower center",
            ncols=min(len(legend), _legend_columns(columns)),
            frameon=False,
        )
        svg, png = stem.with_suffix(".svg"), stem.with_suffix(".png")
        figure.savefig(svg, metadata={"Date": None, "Creator": None})
        figure.savefig(png, dpi=150, metadata={"Software": None})
    return [svg, png]


def inline_svg(panel: Panel, look: Appearance, prefix: str) -> str:
    """One panel without title and legend for an HTML page: colours are CSS variables (see
    `css_variables`), the ground is the page's, ids begin with `prefix`."""
    with matplotlib_style(prefix):
        from matplotlib.figure import Figure

        figure = Figure(figsize=PANEL, layout="constrained")
        _draw(figure.subplots(), panel, look)
        svg = _svg_text(figure)
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = re.sub(r'href="#', f'href="#{prefix}-', svg)
    svg = re.sub(r"url\(#", f"url(#{prefix}-", svg)
    for name, colour in _named_colours(look):
        svg = svg.replace(colour.light, f"var(--{name})")
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    assert size, "matplotlib writes a viewBox"
    says = panel.says.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    head = f'<svg viewBox="{size[0][9:-1]}" role="img" aria-label="{says}">'
    return head + svg[svg.index(">") + 1 :].strip()


def css_variables(look: Appearance, theme: str) -> str:
    """theme: "light" or "dark"."""
    return " ".join(f"--{name}: {getattr(colour, theme)};" for name, colour in _named_colours(look))


def variable(kind: str, look: Appearance) -> str:
    """The CSS variable of a method's colour."""
    return f"method-{list(look.colours).index(kind)}"


def _named_colours(look: Appearance) -> list[tuple[str, Colour]]:
    own = [(variable(kind, look), colour) for kind, colour in look.colours.items()]
    return [("ink", INK), ("faint", FAINT), *own]


def _draw(axes: Axes, panel: Panel, look: Appearance) -> None:
    axes.set_axisbelow(True)
    panel.draw(axes, look)
    axes.margins(x=0.08, y=0.12)


def _svg_text(figure: Figure) -> str:
    memory = io.StringIO()
    figure.savefig(memory, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return memory.getvalue()


def _legend_columns(columns: int) -> int:
    return 2 * columns


def _legend(panels: Sequence[Panel], look: Appearance) -> list[object]:
    from matplotlib.lines import Line2D

    kinds = [kind for kind in look.colours if any(kind in panel.kinds for panel in panels)]
    models = [name for name in look.shapes if any(name in panel.models for panel in panels)]
    handles = [
        Line2D([], [], color=look.colours[kind].light, linewidth=3, label=kind) for kind in kinds
    ]
    if len(models) > 1:
        for name in models:
            marker, style = look.shapes[name]
            handles.append(
                Line2D([], [], color=INK.light, marker=marker, linestyle=style, label=name)
            )
    return handles
