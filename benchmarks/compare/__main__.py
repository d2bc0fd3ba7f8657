"""Simba against any peer that is installed: operators, accuracy and whole models, in one run.

    python -m benchmarks.compare --out DIR [--what operators scan_grid ...] [--quick] [--minutes M]

Writes DIR/compare.md, DIR/compare.json and DIR/roofline.svg (with matplotlib) after every case, in order
of importance. Peers: mamba_ssm, causal_conv1d, transformers, mambapy; one that is not installed is named.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import sys
from pathlib import Path

import torch

from benchmarks.compare.budget import run_cases
from benchmarks.compare.device import describe
from benchmarks.compare.operator_peers import find_operator_peers
from benchmarks.compare.operators import Operators, operator_cases
from benchmarks.compare.rows import Result
from benchmarks.compare.scan_grid import scan_grid_cases
from benchmarks.compare.tables import markdown

SECTIONS = ("operators", "scan_grid")


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--what", nargs="+", choices=SECTIONS, default=SECTIONS, metavar="SECTION",
                        help=f"of {', '.join(SECTIONS)}; default: all")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--quick", action="store_true", help="fewer and smaller cases, fewer repeats")
    parser.add_argument("--minutes", type=float, help="begin no case after this time")
    parser.add_argument("--cases", default="", metavar="REGEX", help="only cases whose name matches")
    parser.add_argument("--device", choices=["cuda", "cpu"],
                        default="cuda" if torch.cuda.is_available() else "cpu")  # fmt: skip
    parser.add_argument("--threads", type=int, help="of torch on a CPU")
    parser.add_argument("--repeats", type=int, help="default: 20, operators; 7, models; 3, --quick")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    command = shlex.join(["python", "-m", "benchmarks.compare", *arguments])
    result = Result(describe(options.device, options.quick), command)
    cases = []
    if {"operators", "scan_grid"} & set(options.what):
        peers = find_operator_peers(device)
        result.peers |= peers.versions
        result.absent |= peers.absent
        operators = Operators(result, peers, options.repeats or (3 if options.quick else 20))
        if "operators" in options.what:
            cases += operator_cases(operators, options.quick)
        if "scan_grid" in options.what:
            cases += scan_grid_cases(operators, options.quick)
    chosen = [case for case in cases if re.search(options.cases, f"{case.section}: {case.name}")]
    options.out.mkdir(parents=True, exist_ok=True)

    def write(result: Result) -> None:
        (options.out / "compare.md").write_text(markdown(result))
        (options.out / "compare.json").write_text(json.dumps(result.as_json(), indent=1) + "\n")

    run_cases(chosen, result, options.minutes, write)
    print(markdown(result))
    return 1 if result.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
