"""From output folders to a report's files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from simba_ssm.report.errors import ReportError
from simba_ssm.report.figures import write_figure
from simba_ssm.report.markdown import markdown
from simba_ssm.report.page import page
from simba_ssm.report.read_results import read_results, unique_files
from simba_ssm.report.sections import make_report


def write_report(folders: Sequence[Path], out: Path) -> Iterator[Path]:
    """Writes report.md, report.html and each figure as SVG and PNG into `out`, which is made where
    it is not there; yields what it wrote. Reads everything before it writes anything. Raises
    ReportError."""
    report = make_report(unique_files([read_results(folder) for folder in folders]))
    html = page(report)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for section in report.sections:
            if section.figure:
                stem = out / section.figure.name
                yield from write_figure(section.figure.panels, report.look, stem)
        for name, text in (("report.md", markdown(report)), ("report.html", html)):
            (out / name).write_text(text, encoding="utf-8")
            yield out / name
    except OSError as error:
        raise ReportError(f"--out: {error.filename}: {error.strerror}") from None
