"""Nsight Compute over the fast kernels, reduced to one table: python -m benchmarks.profile.ncu --out DIR

Runs benchmarks.profile.kernels under ncu (about a minute), or takes a page that exists: --csv FILE.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.profile.ncu_summary import read_ncu, slowest_of_each, table

SECTIONS = ("SpeedOfLight", "ComputeWorkloadAnalysis", "SchedulerStats", "WarpStateStats", "Occupancy",
            "LaunchStats", "MemoryWorkloadAnalysis")  # fmt: skip
METRICS = ("gpu__time_duration.sum", "smsp__cycles_elapsed.avg.per_second", "dram__bytes.sum",
           "dram__throughput.avg.pct_of_peak_sustained_elapsed",
           "smsp__issue_active.avg.pct_of_peak_sustained_active",
           "sm__inst_executed_pipe_xu.avg.pct_of_peak_sustained_active")  # fmt: skip


def ncu_command(program: str, kernels: str, shape: list[str], log: Path, peers: bool) -> list[str]:
    # The clocks are left as they are: they belong to the machine.
    return [
        program, "--clock-control", "none", "--csv", "--page", "raw", "--log-file", str(log),
        "--kernel-name-base", "demangled", "--kernel-name", f"regex:{kernels}",
        *[part for name in SECTIONS for part in ("--section", name)],
        "--metrics", ",".join(METRICS),
        sys.executable, "-m", "benchmarks.profile.kernels", "--shape", *shape,
        *(["--peers"] if peers else []),
    ]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for ncu.csv and ncu.md")
    parser.add_argument("--csv", type=Path, help="summarise this page instead of running ncu")
    parser.add_argument("--ncu", default="ncu", metavar="PROGRAM")
    parser.add_argument("--kernels", default="simba|selective_scan", metavar="REGEX")
    parser.add_argument("--shape", nargs=3, default=["1", "2048", "5120"], metavar=("B", "L", "D"))
    parser.add_argument("--peers", action="store_true", help="mamba_ssm's selective scan too")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    page = options.csv or options.out / "ncu.csv"
    if not options.csv:
        command = ncu_command(options.ncu, options.kernels, options.shape, page, options.peers)
        try:
            done = subprocess.run(command)
        except FileNotFoundError:
            print(f"ncu: expected a program {options.ncu}, found none", file=sys.stderr)
            return 2
        if done.returncode != 0:
            print(f"ncu ended with {done.returncode}; its words are in {page}", file=sys.stderr)
    try:
        with page.open() as lines:
            profiles = slowest_of_each(read_ncu(lines))
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    title = "given page" if options.csv else f"({', '.join(options.shape)}), bfloat16"
    text = "\n".join([f"# Kernels under Nsight Compute, {title}", "", *table(profiles)]) + "\n"
    (options.out / "ncu.md").write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
