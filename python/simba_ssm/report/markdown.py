"""The report as Markdown: the same sections and tables as the page."""

from __future__ import annotations

from simba_ssm.report.sections import Report
from simba_ssm.report.tables import Table


def markdown(report: Report) -> str:
    parts = [f"# {report.title}", "", *_table(report.sources)]
    if report.notes:
        parts += ["", "## Notes", "", *[f"- {note}" for note in report.notes]]
    for section in report.sections:
        parts += ["", f"## {section.title}", "", section.text]
        if section.figure:
            name = section.figure.name
            parts += ["", f"![{section.title}]({name}.svg)"]
        for caption, table in section.tables:
            parts += ["", f"### {caption}", "", *_table(table)]
    return "\n".join(parts) + "\n"


def _table(table: Table) -> list[str]:
    head = "| " + " | ".join(_escape(column.title) for column in table.columns) + " |"
    rule = "|" + "|".join("---" if column.is_text else "---:" for column in table.columns) + "|"
    return [head, rule, *["| " + " | ".join(map(_escape, row)) + " |" for row in table.rows]]


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("_", "\\_").replace("*", "\\*")
