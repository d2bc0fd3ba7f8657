"""python -m simba_ssm.download models NAME... --to DIR
python -m simba_ssm.download data [NAME...] --to DIR"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from simba_ssm.download.benchmarks import BENCHMARKS, benchmark_files
from simba_ssm.download.errors import DownloadError
from simba_ssm.download.folder import DownloadFolder
from simba_ssm.download.models import MODELS, model_files
from simba_ssm.download.wanted import Archive, Wanted


def main(arguments: Sequence[str] | None = None) -> int:
    """0: everything is in place; 2: one line on stderr says what is not; 130: interrupted."""
    options = _options().parse_args(arguments)
    try:
        _run(options)
    except DownloadError as error:
        print(f"simba_ssm.download: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        # Writing to an open file raises one without a name.
        named = f"{error.filename}: " if error.filename else ""
        print(f"simba_ssm.download: {named}{error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("simba_ssm.download: interrupted; the same command continues", file=sys.stderr)
        return 130
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simba_ssm.download",
        description="Gets published checkpoints and benchmarks, verified; continues after a cut.",
    )
    what = parser.add_subparsers(dest="what", required=True, metavar="models | data")

    models = what.add_parser("models", help="pretrained models, one folder each")
    models.add_argument("names", nargs="+", metavar="NAME", help=", ".join(MODELS))
    models.add_argument("--revision", help="commit, tag or branch (default: the pinned one)")

    data = what.add_parser("data", help="the benchmarks' own files")
    data.add_argument(
        "names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS) + " (default: all)"
    )
    data.add_argument("--mirror", help="address under which the publishers' files lie as HOST/PATH")

    for command in (models, data):
        command.add_argument("--to", type=Path, required=True, metavar="DIR", help="folder")
        command.add_argument("--endpoint", help="address of a mirror of the model hub")
    return parser


def _run(options: argparse.Namespace) -> None:
    wanted: list[Wanted | Archive] = []
    if options.what == "models":
        for name in dict.fromkeys(options.names):
            wanted += model_files(name, options.revision)
    else:
        wanted = benchmark_files(options.names)

    try:
        from simba_ssm.download.progress import bars
    except ImportError:
        raise DownloadError("rich is not installed: pip install 'simba-ssm[download]'") from None
    with bars() as watch:
        folder = DownloadFolder(
            options.to,
            endpoint=options.endpoint,
            mirror=getattr(options, "mirror", None),
            watch=watch,
        )
        with folder.opened() as opened:
            for item in wanted:
                for done in opened.get(item):
                    print(f"{done.path}  {done.size} bytes  sha256 {done.sha256}  {done.how}")


if __name__ == "__main__":
    sys.exit(main())
