"""Prefill of a checkpoint on a CPU: ours dense and pruned, Hugging Face's, and the floor.

    python benchmarks/model/prefill_cpu.py --model DIR [--tokens 2048] [--threads 2] [--repeats 5] [--no-peer]

Prints the median and the spread (smallest to largest) of wall times in seconds, all from this one run,
the floor (the dense model's matrix products alone, through torch), and pruned over dense beside the share
of counted FLOPs.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

import simba_ssm

sys.path.insert(0, str(Path(__file__).parents[2] / "tests/python"))


def measure(runs: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Wall times of each run, after one warm-up; the runs take turns, so that all see the same machine."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(repeats + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if repeat > 0:
                times[name].append(time.perf_counter() - start)
    return times


def matrix_products(model: simba_ssm.Simba, ids: torch.Tensor):
    """A function that does the products of the dense prefill and nothing else."""
    shapes = []

    def record(_layer, tokens, inputs, _kept):
        shapes.append((tokens.activations().shape[1], inputs.u.shape[2], inputs.B.shape[2]))

    model.prefill([ids[:2]], plan=model.make_plan(), observer=record)
    T = len(ids)
    products = []
    for d_model, d_inner, N in shapes:
        dt_rank = -(-d_model // 16)
        for inner, outer in ((d_model, 2 * d_inner), (d_inner, dt_rank + 2 * N), (dt_rank, d_inner), (d_inner, d_model)):
            products.append((torch.randn(T, inner, dtype=model.dtype), torch.randn(outer, inner, dtype=model.dtype)))

    def run():
        for x, weight in products:
            torch.nn.functional.linear(x, weight)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, type=Path)
    parser.add_argument("--tokens", type=int, default=2048)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--no-peer", action="store_true", help="leave Hugging Face out")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    dtype = getattr(torch, arguments.dtype)

    model = simba_ssm.Simba.from_pretrained(arguments.model, dtype=dtype)
    torch.manual_seed(0)
    ids = torch.randint(model.vocab_size, (arguments.tokens,))
    dense_plan = model.make_plan()
    plans = {"simba dense": dense_plan}
    for decay in ("no_bias", "full"):
        plans[f"simba influence {decay} r=0.1"] = model.make_plan("0.1", decay=decay)
    plans["simba recent r=0.1"] = model.make_plan("0.1", criterion="recent")

    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, {arguments.threads} threads, "
          f"{arguments.model.name}, (1, {arguments.tokens}), {arguments.dtype}")
    runs = {"floor: matrix products": matrix_products(model, ids)}
    for name, plan in plans.items():
        runs[name] = lambda plan=plan: model.prefill([ids], plan=plan)
    times = measure(runs, arguments.repeats)
    if not arguments.no_peer:
        from hugging_face import mamba_from_state_spaces

        peer = mamba_from_state_spaces(arguments.model, dtype)
        with torch.no_grad():
            forward = lambda: peer(ids.unsqueeze(0), use_cache=False, logits_to_keep=1)  # noqa: E731
            times |= measure({"transformers": forward}, max(1, arguments.repeats // 3))
    dense = statistics.median(times["simba dense"])
    for name, walls in times.items():
        median, low, high = statistics.median(walls), min(walls), max(walls)
        line = f"{name:32s} {median:8.3f} s  [{low:.3f}, {high:.3f}]  {median / dense:6.3f} x dense"
        if name in plans:
            count = model.flops(arguments.tokens, plan=plans[name])
            share = count.prefill_with_scores / model.flops(arguments.tokens, plan=dense_plan).prefill
            line += f"  FLOPs share with scores {share:.3f}"
        print(line)


if __name__ == "__main__":
    main()
