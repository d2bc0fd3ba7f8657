"""How much `import simba_ssm` adds to `import torch`, in fresh interpreters that take turns.

    python benchmarks/import_time.py [--runs 15]

Prints medians and spreads, and the difference of the medians; ours should stay below 0.3 s.
"""

import argparse
import statistics
import subprocess
import sys

STATEMENTS = {"torch": "import torch", "torch and simba_ssm": "import torch, simba_ssm"}
TIMED = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"

parser = argparse.ArgumentParser()
parser.add_argument("--runs", type=int, default=15)
options = parser.parse_args()


def seconds(statement: str) -> float:
    command = [sys.executable, "-c", TIMED.format(statement)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


for statement in STATEMENTS.values():
    seconds(statement)  # fills the file cache
times: dict[str, list[float]] = {name: [] for name in STATEMENTS}
for _ in range(options.runs):
    for name, statement in STATEMENTS.items():
        times[name].append(seconds(statement))

medians = []
for name, values in times.items():
    low, median, high = statistics.quantiles(values, n=4)
    medians.append(median)
    print(f"import {name}: {median:.3f} s (quartiles {low:.3f} to {high:.3f}, {options.runs} runs)")
print(f"simba_ssm adds {medians[1] - medians[0]:.3f} s")
