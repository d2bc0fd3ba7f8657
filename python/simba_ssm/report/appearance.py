"""How methods and models look, the same in every panel, table and legend.

Method: colour. Model: marker and line. Colours follow Okabe and Ito's palette, which people with
any of the common colour blindnesses can tell apart, darkened where white paper needs it; each has a
second value for dark pages.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from simba_ssm.report.rows import Method, Model


@dataclass(frozen=True)
class Colour:
    light: str
    dark: str


INK = Colour("#16191d", "#e8eaed")
FAINT = Colour("#d5d9de", "#3a4048")

_OF_CRITERION = {
    "dense": Colour("#2b2f36", "#f2f3f5"),
    "truncated": Colour("#7a7f87", "#9aa0a8"),
    "influence": Colour("#0072b2", "#56b4e9"),
    "recent": Colour("#d55e00", "#ff9145"),
    "spaced": Colour("#008a63", "#35cfa0"),
    "random": Colour("#b94e87", "#e99bc6"),
    "delta_norm": Colour("#8c7000", "#e8cb3c"),
    "delta": Colour("#5b3f9e", "#b8a3e8"),
}
# For variants of one criterion: other decays, reductions and schedules.
_MORE = (
    Colour("#00a0b8", "#7be0f2"),
    Colour("#7a2e0a", "#d9a07c"),
    Colour("#4f8a10", "#a5d867"),
    Colour("#9c1f2e", "#ff8f99"),
    Colour("#33466b", "#93a9d6"),
    Colour("#6d6a00", "#c9c65a"),
)
# For what is no criterion.
PALETTE = (*list(_OF_CRITERION.values())[2:], *_MORE)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "h", "*")
_LINES = ("-", "--", "-.", ":")


@dataclass(frozen=True)
class Appearance:
    """colours: by Method.kind. shapes: (marker, line) by model name."""

    colours: dict[str, Colour]
    shapes: dict[str, tuple[str, str]]


def appearance(methods: Iterable[Method], models: Iterable[Model]) -> Appearance:
    """Depends only on what there is, in its order: dense and truncated first."""
    criteria = {method.kind: method.criterion for method in methods}
    order = list(_OF_CRITERION)
    ranked = sorted(
        criteria, key=lambda k: order.index(criteria[k]) if criteria[k] in order else len(order)
    )
    colours: dict[str, Colour] = {}
    more = 0
    for kind in ranked:
        own = _OF_CRITERION.get(criteria[kind])
        if own is None or own in colours.values():
            own = _MORE[more % len(_MORE)]
            more += 1
        colours[kind] = own
    names = list(dict.fromkeys(model.name for model in models))
    shapes = {
        name: (MARKERS[i % len(MARKERS)], _LINES[i // len(MARKERS) % len(_LINES)])
        for i, name in enumerate(names)
    }
    return Appearance(colours, shapes)
