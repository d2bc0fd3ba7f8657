"""Simba against any peer that is installed: operators, accuracy and whole models, in one run.

    python -m benchmarks.compare --out DIR [--what operators scan_grid ...] [--quick] [--minutes M]

Writes DIR/compare.md and DIR/compare.json after every case, in order of importance, and at last
DIR/roofline.svg and .png (with matplotlib). Peers: mamba_ssm, causal_conv1d, transformers, mambapy; one
that is not installed is named.
"""

from __future__ import annotations

import argparse
import gc
import json
import re
import shlex
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks.compare.accuracy import Accuracy, accuracy_cases
from benchmarks.compare.budget import run_cases
from benchmarks.compare.decode import decode_cases
from benchmarks.compare.decoding_operators import decoding_cases
from benchmarks.compare.device import describe
from benchmarks.compare.gradients import gradient_cases
from benchmarks.compare.inputs import Shape
from benchmarks.compare.model_peers import PEERS
from benchmarks.compare.models import Models
from benchmarks.compare.operator_peers import find_operator_peers
from benchmarks.compare.operators import Operators, operator_cases
from benchmarks.compare.prefill import prefill_cases
from benchmarks.compare.random_checkpoint import CONFIGS
from benchmarks.compare.roofline import write_roofline
from benchmarks.compare.rows import Case, Result
from benchmarks.compare.scan_grid import scan_grid_cases
from benchmarks.compare.tables import markdown
from simba_ssm.report.errors import ReportError

SECTIONS = ("operators", "scan_grid", "accuracy", "models", "decode", "timing_table")
# Of the timing table: all that the paper's method was published on.
ALL_SIZES = ("130m", "370m", "790m", "1.4b", "2.8b")


def regex(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"expected a regular expression, got {text!r}: {error}") from None


def positive(text: str) -> int:
    number = int(text) if text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, got {text!r}")
    return number


def known_sizes() -> list[str]:
    return sorted(path.name.removeprefix("mamba-") for path in CONFIGS.glob("mamba-*"))


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
    parser.add_argument("--cases", type=regex, default=regex(""), metavar="REGEX",
                        help="only cases whose name matches")  # fmt: skip
    parser.add_argument("--device", choices=["cuda", "cpu"],
                        default="cuda" if torch.cuda.is_available() else "cpu")  # fmt: skip
    parser.add_argument("--threads", type=positive, help="of torch on a CPU")
    parser.add_argument("--repeats", type=positive, help="default: 20, operators; 7, models; 3, --quick")
    models = parser.add_argument_group("whole models")
    models.add_argument("--sizes", nargs="+", metavar="SIZE", choices=known_sizes(),
                        help="of configs/models/mamba-SIZE; default: 2.8b 130m, on a CPU 26m-pg19 130m")  # fmt: skip
    models.add_argument("--lengths", nargs="+", type=positive, metavar="TOKENS",
                        help="default: 512 2048 8192 32768, on a CPU 512 2048")  # fmt: skip
    models.add_argument("--dtype", choices=["bfloat16", "float16", "float32"],
                        help="default: bfloat16, on a CPU float32")  # fmt: skip
    models.add_argument("--peers", nargs="*", choices=list(PEERS), default=list(PEERS))
    models.add_argument("--weights", type=Path,
                        help="where the random checkpoints are kept; default: nowhere")  # fmt: skip
    options = parser.parse_args(arguments)
    gpu = options.device == "cuda"
    options.table_sizes = options.sizes or (ALL_SIZES if gpu and not options.quick else [])
    options.sizes = options.sizes or (["2.8b", "130m"] if gpu else ["26m-pg19", "130m"])
    options.lengths = options.lengths or ([512, 2048, 8192, 32768] if gpu else [512, 2048])
    options.dtype = options.dtype or ("bfloat16" if gpu else "float32")
    if options.quick:
        options.lengths = [n for n in options.lengths if n <= (8192 if gpu else 512)] or [512]
        options.sizes = options.sizes if gpu else options.sizes[:1]
    options.table_sizes = options.table_sizes or options.sizes
    return options


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    command = shlex.join(["python", "-m", "benchmarks.compare", *arguments])
    result = Result(describe(options.device, options.quick), command)
    options.out.mkdir(parents=True, exist_ok=True)

    def write(result: Result) -> None:
        (options.out / "compare.md").write_text(markdown(result))
        (options.out / "compare.json").write_text(json.dumps(result.as_json(), indent=1) + "\n")

    with tempfile.TemporaryDirectory() as temporary:
        cases = all_cases(options, result, options.weights or Path(temporary))
        chosen = [case for case in cases if options.cases.search(f"{case.section}: {case.name}")]
        if not chosen:
            print(f"--cases: {options.cases.pattern!r} matches no case", file=sys.stderr)
            return 2
        # Every capture collects garbage: not among what has just been imported.
        gc.freeze()
        run_cases(chosen, result, options.minutes, write)
    write(result)
    print(markdown(result))
    try:
        write_roofline(result, options.out / "roofline")
    except ReportError as error:
        print(f"no roofline plot: {error}", file=sys.stderr)
    return 1 if result.failed() else 0


def all_cases(options: argparse.Namespace, result: Result, weights: Path) -> list[Case]:
    what, quick = set(options.what), options.quick
    cases: list[Case] = []
    if what & {"operators", "scan_grid", "accuracy"}:
        peers = find_operator_peers(result.machine.where())
        result.peers |= peers.versions
        result.absent |= peers.absent
        operators = Operators(result, peers, options.repeats or (3 if quick else 20))
        if "operators" in what:
            cases += operator_cases(operators, quick)
            cases += decoding_cases(operators, quick)
            cases += gradient_cases(operators, quick)
        if "scan_grid" in what:
            cases += scan_grid_cases(operators, quick)
        if "accuracy" in what:
            shape = Shape(1, 2048, 1536) if result.machine.is_gpu else Shape(1, 201, 48)
            cases += accuracy_cases(Accuracy(result, peers, shape), quick)
    if what & {"models", "decode", "timing_table"}:
        repeats = options.repeats or (3 if quick else 7)
        models = Models(result, options.peers, options.dtype, weights, repeats)
        if "models" in what:
            cases += prefill_cases(models, "models", options.sizes, options.lengths, 0.5)
        if "decode" in what:
            batches = (1, 64) if result.machine.is_gpu else (1,)
            cases += decode_cases(models, options.sizes, batches, 0.5)
        if "timing_table" in what:
            # What "models" measures is not measured twice.
            measured = options.sizes if "models" in what else []
            sizes = [size for size in options.table_sizes if size not in measured]
            cases += prefill_cases(models, "timing_table", sizes, options.lengths, 1.5)
    return cases


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
