"""Prefill and decoding of whole models on a GPU: ours dense and pruned, and a peer's.

    python benchmarks/model/prefill_cuda.py [--quick] [--models 130m 2.8b] [--what prefill decode]
        [--repeats 7] [--weights FOLDER] [--json FILE] [--markdown FILE] [--no-peer]

Random weights of the published shapes, bfloat16, logits of the last token. Wall: from the call to the end
of the device's work, median and spread of runs that take turns. Busy: the sum of a run's kernel times, by
torch's profiler. Peers: mamba_ssm where it can be imported, else transformers (whose prefill is left out
beyond 512 tokens, and which does not decode here).
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

import simba_ssm

sys.path.insert(0, str(Path(__file__).parent))
from peers import load_peer  # noqa: E402
from random_checkpoint import random_checkpoint  # noqa: E402

LENGTHS = (512, 2048, 8192, 32768)
PACKED = [60 + 440 * i // 31 for i in range(32)]
# Without mamba_ssm's kernels transformers scans token by token from Python.
PEER_LIMIT = {"transformers": 512}


def wall(run: Callable[[], object]) -> float:
    torch.cuda.synchronize()
    start = time.perf_counter()
    run()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def busy(run: Callable[[], object]) -> tuple[float, dict[str, tuple[int, float]]]:
    """Sum of one run's kernel times in seconds, and (launches, seconds) by kernel."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        run()
        torch.cuda.synchronize()
    kernels: dict[str, tuple[int, float]] = {}
    for event in profile.events():
        if event.device_type == torch.autograd.DeviceType.CUDA:
            count, seconds = kernels.get(event.name, (0, 0.0))
            kernels[event.name] = (count + 1, seconds + event.time_range.elapsed_us() * 1e-6)
    return sum(seconds for _, seconds in kernels.values()), kernels


def measure(runs: dict[str, Callable[[], object]], repeats: int) -> dict[str, dict]:
    """Every run three times to warm up (the second captures, the third replays), then in turns."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(repeats + 3):
        for name, run in runs.items():
            seconds = wall(run)
            if repeat >= 3:
                times[name].append(seconds)
    rows = {}
    for name, run in runs.items():
        total, kernels = busy(run)
        top = sorted(kernels.items(), key=lambda item: -item[1][1])[:12]
        rows[name] = {
            "wall": statistics.median(times[name]),
            "wall_low": min(times[name]),
            "wall_high": max(times[name]),
            "busy": total,
            "launches": sum(count for count, _ in kernels.values()),
            "kernels": [{"name": k, "launches": n, "seconds": s} for k, (n, s) in top],
        }
    return rows


def prefill_rows(name: str, model: simba_ssm.Simba, peer, cases, repeats: int) -> list[dict]:
    plans = {"simba dense": model.make_plan(), "simba r=0.1": model.make_plan("0.1")}
    rows = []
    for lengths in cases:
        generator = torch.Generator().manual_seed(sum(lengths))
        contexts = [torch.randint(50000, (n,), generator=generator).tolist() for n in lengths]
        runs: dict[str, Callable[[], object]] = {
            label: lambda plan=plan, contexts=contexts: model.prefill(contexts, plan=plan)
            for label, plan in plans.items()
        }
        if peer and len(lengths) == 1 and lengths[0] <= PEER_LIMIT.get(peer[0].split()[0], 10**9):
            ids = torch.tensor(contexts, device="cuda")
            runs[peer[0]] = lambda ids=ids: peer[1](ids)
        measured = measure(runs, repeats)
        dense = sum(model.flops(n, plan=plans["simba dense"]).prefill for n in lengths)
        for label, row in measured.items():
            if label in plans:
                flops = sum(
                    model.flops(n, plan=plans[label]).prefill_with_scores for n in lengths
                )
                row["flops_share"] = flops / dense
            row["busy_share_of_dense"] = row["busy"] / measured["simba dense"]["busy"]
            row["tokens_per_second"] = sum(lengths) / row["wall"]
            shape = f"(1, {lengths[0]})" if len(lengths) == 1 else f"{len(lengths)} packed, {sum(lengths)} tokens"
            rows.append({"model": name, "shape": shape, "run": label, **row})
    return rows


def decode_rows(name: str, model: simba_ssm.Simba, peer, batches, repeats: int) -> list[dict]:
    rows = []
    weights = sum_of_weights(model)
    for batch in batches:
        context = torch.randint(50000, (batch, 16), generator=torch.Generator().manual_seed(batch))
        counts = (33, 161) if batch == 1 else (9, 73)
        runs: dict[str, Callable[[int], object]] = {
            "simba": lambda count, context=context: model.generate(
                context, max_new_tokens=count, plan=model.make_plan()
            )
        }
        if peer and peer[2]:
            ids = context.cuda()
            runs[peer[0]] = lambda count, ids=ids: peer[2](ids, count)
        steps: dict[str, list[float]] = {label: [] for label in runs}
        for repeat in range(repeats + 1):
            for label, run in runs.items():
                # The difference of two lengths: neither prefill nor capture is in it.
                seconds = [wall(lambda run=run, count=count: run(count)) for count in counts]
                if repeat > 0:
                    steps[label].append((seconds[1] - seconds[0]) / (counts[1] - counts[0]))
        for label, times in steps.items():
            step = statistics.median(times)
            rows.append(
                {
                    "model": name,
                    "batch": batch,
                    "run": label,
                    "step": step,
                    "step_low": min(times),
                    "step_high": max(times),
                    "tokens_per_second": batch / step,
                    "weight_bytes_per_second": weights / step,
                }
            )
    return rows


def sum_of_weights(model: simba_ssm.Simba) -> int:
    """Bytes that a step reads of matrices at least: bfloat16, a tied head read once."""
    return 2 * model._model.parameters


def copy_bandwidth() -> float:
    """Bytes a second, read and written, of a large device copy."""
    source = torch.empty(2**31, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    times = [wall(lambda: target.copy_(source)) for _ in range(5)]
    return 2 * source.numel() / min(times)


def markdown(result: dict) -> str:
    machine = result["machine"]
    lines = [
        f"{machine['gpu']}, torch {machine['torch']}, peer: {machine['peer']}, copy {machine['copy'] / 1e12:.2f} TB/s",
        "",
    ]
    if result["prefill"]:
        lines += [
            "| model | shape | run | wall ms (spread) | busy ms | launches | busy / dense | FLOPs share | tokens/s |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
    for row in result["prefill"]:
        share = f"{row['flops_share']:.3f}" if "flops_share" in row else ""
        lines.append(
            f"| {row['model']} | {row['shape']} | {row['run']} | {row['wall'] * 1e3:.3f} "
            f"({row['wall_low'] * 1e3:.3f} to {row['wall_high'] * 1e3:.3f}) | {row['busy'] * 1e3:.3f} | "
            f"{row['launches']} | {row['busy_share_of_dense']:.3f} | {share} | {row['tokens_per_second']:.0f} |"
        )
    if result["decode"]:
        lines += [
            "",
            "| model | batch | run | ms a step (spread) | tokens/s | weights TB/s |",
            "|---|---|---|---|---|---|",
        ]
    for row in result["decode"]:
        lines.append(
            f"| {row['model']} | {row['batch']} | {row['run']} | {row['step'] * 1e3:.4f} "
            f"({row['step_low'] * 1e3:.4f} to {row['step_high'] * 1e3:.4f}) | {row['tokens_per_second']:.0f} | "
            f"{row['weight_bytes_per_second'] / 1e12:.2f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer shapes and repeats: under a minute")
    parser.add_argument("--models", nargs="+", default=["130m", "2.8b"])
    parser.add_argument("--what", nargs="+", default=["prefill", "decode"], choices=["prefill", "decode"])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--weights", type=Path, help="where the random checkpoints are kept; default: nowhere")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--no-peer", action="store_true")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("prefill_cuda: expected a GPU, found none")
    repeats = min(arguments.repeats, 3) if arguments.quick else arguments.repeats
    cases = [[n] for n in (LENGTHS[:3] if arguments.quick else LENGTHS)] + [PACKED]

    result: dict = {
        "machine": {
            "gpu": torch.cuda.get_device_name(),
            "torch": torch.__version__,
            "host": platform.machine(),
            "peer": "none",
            "copy": copy_bandwidth(),
        },
        "prefill": [],
        "decode": [],
    }
    with tempfile.TemporaryDirectory() as temporary:
        for size in arguments.models:
            folder = random_checkpoint(f"mamba-{size}", arguments.weights or Path(temporary), "cuda")
            model = simba_ssm.Simba.from_pretrained(folder, device="cuda", dtype=torch.bfloat16)
            model.capture_prefills(2)
            peer = None if arguments.no_peer else load_peer(folder)
            if peer:
                result["machine"]["peer"] = peer[0]
            if "prefill" in arguments.what:
                result["prefill"] += prefill_rows(size, model, peer, cases, repeats)
            if "decode" in arguments.what:
                result["decode"] += decode_rows(size, model, peer, (1, 64), repeats)
            del model, peer
            torch.cuda.empty_cache()
    print(markdown(result))
    if arguments.markdown:
        arguments.markdown.write_text(markdown(result))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
