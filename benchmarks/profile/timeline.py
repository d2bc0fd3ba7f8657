"""Timeline of one prefill on a GPU, as torch's profiler sees it: kernels, and gaps layer by layer.

    python -m benchmarks.profile.timeline --out DIR [--size 2.8b] [--length 2048] [--retention 0.1]

Writes DIR/timeline.md and the trace itself, DIR/trace.json (chrome://tracing, Perfetto). --trace FILE
reduces a trace that exists.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks.compare.random_checkpoint import random_checkpoint
from benchmarks.profile.layers import Kernel, kernel_table, layer_table, layers

# A layer begins with the norm of its input.
FIRST = "add_norm|layer_norm|rms_norm"
CATEGORIES = {"kernel", "gpu_memcpy", "gpu_memset"}


def read_trace(trace: dict) -> list[Kernel]:
    """What ran on the GPU; times of a chrome trace are microseconds."""
    return [
        Kernel(event["name"], event["ts"] * 1e-6, event["dur"] * 1e-6)
        for event in trace["traceEvents"]
        if event.get("ph") == "X" and event.get("cat") in CATEGORIES
    ]


def record(size: str, length: int, retention: str, trace: Path, captured: bool) -> None:
    from simba_ssm import Simba

    with tempfile.TemporaryDirectory() as folder:
        checkpoint = random_checkpoint(f"mamba-{size}", Path(folder), "cuda")
        model = Simba.from_pretrained(checkpoint, device="cuda", dtype=torch.bfloat16)
    if captured:
        model.capture_prefills(1)
    plan = model.make_plan(retention)
    generator = torch.Generator().manual_seed(0)
    context = [torch.randint(model.vocab_size, (length,), generator=generator).tolist()]
    for _ in range(3):  # the second captures, the third replays
        model.prefill(context, plan=plan)
    torch.cuda.synchronize()
    activities = [torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profile:
        model.prefill(context, plan=plan)
        torch.cuda.synchronize()
    profile.export_chrome_trace(str(trace))


def reduced(kernels: list[Kernel], title: str) -> str:
    found = layers(kernels, FIRST)
    start, end = min(k.start for k in kernels), max(k.end for k in kernels)
    busy, idle = sum(k.seconds for k in kernels), sum(layer.idle for layer in found)
    head = (
        f"{len(kernels)} kernels from first to last {1e3 * (end - start):.3f} ms: busy "
        f"{1e3 * busy:.3f} ms, nothing runs for {1e3 * idle:.3f} ms ({idle / (end - start):.1%})."
    )
    return "\n".join(
        [f"# {title}", "", head, "", *kernel_table(kernels), "", *layer_table(found), ""]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--size", default="2.8b", help="of configs/models/mamba-SIZE")
    parser.add_argument("--length", type=int, default=2048)
    parser.add_argument("--retention", default="1")
    parser.add_argument("--eager", action="store_true", help="without a CUDA graph")
    parser.add_argument("--trace", type=Path, help="reduce this chrome trace instead of recording")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    trace = options.trace or options.out / "trace.json"
    title = str(options.trace)
    if not options.trace:
        if not torch.cuda.is_available():
            print("timeline: expected a GPU, found none", file=sys.stderr)
            return 2
        record(options.size, options.length, options.retention, trace, not options.eager)
        title = (f"Prefill, {options.size}, (1, {options.length}), r={options.retention}, bfloat16, "
                 f"{torch.cuda.get_device_name()}")  # fmt: skip
    kernels = read_trace(json.loads(trace.read_text()))
    if not kernels:
        print(f"timeline: expected GPU kernels in {trace}, found none", file=sys.stderr)
        return 2
    text = reduced(kernels, title)
    (options.out / "timeline.md").write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
