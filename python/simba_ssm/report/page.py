"""The report as one HTML page that needs nothing else: no script, no font, no file beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from importlib import resources

from simba_ssm.report.appearance import Appearance
from simba_ssm.report.figures import css_variables, inline_svg, variable
from simba_ssm.report.sections import FigureOf, Report, Section
from simba_ssm.report.tables import Table

# A marker in a box of 22 by 10, as matplotlib's of the same letter.
_SHAPES = {
    "o": '<circle cx="11" cy="5" r="3.4"/>',
    "s": '<rect x="7.8" y="1.8" width="6.4" height="6.4"/>',
    "^": '<path d="M11 1 15 8.6H7z"/>',
    "v": '<path d="M11 9 15 1.4H7z"/>',
    "D": '<path d="M11 .4 15.6 5 11 9.6 6.4 5z"/>',
    "P": '<path d="M9.4 1h3.2v2.4H15v3.2h-2.4V9H9.4V6.6H7V3.4h2.4z"/>',
    "X": '<path d="m8 1 3 2.3L14 1l1 1-2.3 3L15 8l-1 1-3-2.3L8 9 7 8l2.3-3L7 2z"/>',
    "p": '<path d="m11 .9 4.2 3L13.6 8.8H8.4L6.8 3.9z"/>',
    "h": '<path d="m11 .6 3.8 2.2v4.4L11 9.4 7.2 7.2V2.8z"/>',
    "*": '<path d="m11 .3 1.2 3.2 3.5.1-2.8 2.1 1 3.4L11 7.2 8.1 9.1l1-3.4-2.8-2.1 3.5-.1z"/>',
}
_DASHES = {"-": "none", "--": "4 2", "-.": "4 2 1 2", ":": "1 2"}


def page(report: Report) -> str:
    css = resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    css = css.replace("THEME-LIGHT", css_variables(report.look, "light"))
    css = css.replace("THEME-DARK", css_variables(report.look, "dark"))
    body = "\n".join(
        [
            f"<h1>{escape(report.title)}</h1>",
            _table(report.sources, report.look),
            _notes(report.notes),
            *[_section(section, report.look) for section in report.sections],
            _settings(report.settings),
        ]
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(report.title)}</title>
<style>
{css}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def _notes(notes: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f'<ul class="notes">{items}</ul>' if items else ""


def _section(section: Section, look: Appearance) -> str:
    parts = [f"<h2>{escape(section.title)}</h2>", f"<p>{escape(section.text)}</p>"]
    if section.figure:
        parts += [_legend(section.figure, look), _panels(section.figure, look)]
    for caption, table in section.tables:
        parts += [f"<h3>{escape(caption)}</h3>", _table(table, look)]
    return "<section>\n" + "\n".join(parts) + "\n</section>"


def _panels(figure: FigureOf, look: Appearance) -> str:
    drawn = (
        f"<figure><figcaption>{escape(panel.title)}</figcaption>"
        f"{inline_svg(panel, look, f'{figure.name}{index}')}</figure>"
        for index, panel in enumerate(figure.panels)
    )
    return '<div class="panels">\n' + "\n".join(drawn) + "\n</div>"


def _legend(figure: FigureOf, look: Appearance) -> str:
    kinds = [kind for kind in look.colours if any(kind in panel.kinds for panel in figure.panels)]
    models = [name for name in look.shapes if any(name in panel.models for panel in figure.panels)]
    items = [f"<li>{_swatch(kind, look)}{escape(kind)}</li>" for kind in kinds]
    if len(models) > 1:
        items += [f"<li>{_marker(*look.shapes[name])}{escape(name)}</li>" for name in models]
    return '<ul class="legend">' + "".join(items) + "</ul>"


def _swatch(kind: str, look: Appearance) -> str:
    return f'<span class="swatch" style="--of: var(--{variable(kind, look)})"></span>'


def _marker(shape: str, line: str) -> str:
    return (
        '<svg viewBox="0 0 22 10" aria-hidden="true" fill="currentColor" stroke="currentColor">'
        f'<path d="M0 5H22" stroke-width="1.2" stroke-dasharray="{_DASHES[line]}"/>'
        f"{_SHAPES[shape]}</svg>"
    )


def _table(table: Table, look: Appearance) -> str:
    def classes(is_text: bool) -> str:
        return ' class="text"' if is_text else ""

    head = "".join(
        f"<th{classes(column.is_text)}>{escape(column.title)}</th>" for column in table.columns
    )
    rows = []
    for index, row in enumerate(table.rows):
        cells = []
        for column, text in zip(table.columns, row, strict=True):
            shown = escape(text)
            if column.title == "method" and table.kinds:
                shown = _swatch(table.kinds[index], look) + shown
            cells.append(f"<td{classes(column.is_text)}>{shown}</td>")
        gap = ' class="gap"' if index in table.gaps else ""
        rows.append(f"<tr{gap}>{''.join(cells)}</tr>")
    body = "\n".join(rows)
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def _settings(settings: Iterable[tuple[str, object]]) -> str:
    shown = "\n".join(
        f"<details><summary>{escape(file)}</summary>"
        f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre></details>"
        for file, value in settings
    )
    return f"<section>\n<h2>Settings</h2>\n<p>As the files state them.</p>\n{shown}\n</section>"
