"""python -m simba_ssm.report DIR... [--out FOLDER]"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from simba_ssm.report import ReportError, write_report


def main(arguments: Sequence[str] | None = None) -> int:
    """0: written, one line per file on stdout; 2: one line on stderr says what is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m simba_ssm.report",
        description="Markdown tables, plots and one HTML page from the results of simba-eval.",
    )
    parser.add_argument(
        "folders",
        nargs="+",
        type=Path,
        metavar="DIR",
        help="output folder of simba-eval perplexity, tasks or sweep; several are put together",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="default: report in the first DIR"
    )
    options = parser.parse_args(arguments)
    first = options.folders[0]
    out = options.out or (first if first.is_dir() else first.parent) / "report"
    try:
        for path in write_report(options.folders, out):
            print(path)
    except ReportError as error:
        print(f"simba_ssm.report: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
