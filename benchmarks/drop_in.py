"""What mamba_ssm's layout costs: the drop-in scan and convolution in both layouts, and the operators.

    python benchmarks/drop_in.py [--device cuda] [--batch 1] [--length 2048] [--channels 1536]

"channels last" is a (batch, dim, length) whose channels are contiguous, which needs no copy. Rounds take
turns; medians and quartiles in milliseconds.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from simba_ssm import drop_in, ops

parser = argparse.ArgumentParser()
parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
parser.add_argument("--batch", type=int, default=1)
parser.add_argument("--length", type=int, default=2048)
parser.add_argument("--channels", type=int, default=1536)
parser.add_argument("--dtype", default="float32")
parser.add_argument("--rounds", type=int, default=25)
options = parser.parse_args()

torch.manual_seed(0)
shape, states = (options.batch, options.length, options.channels), 16
like = {"device": options.device, "dtype": getattr(torch, options.dtype)}
u, delta, z = (torch.randn(shape, **like) for _ in range(3))
B, C = (torch.randn(*shape[:2], states, **like) for _ in range(2))
A = -torch.rand(options.channels, states, device=options.device)
weight = torch.randn(options.channels, 4, device=options.device)
last = [t.transpose(1, 2) for t in (u, delta, z)]
contiguous = [t.contiguous() for t in last]
Bt, Ct = (t.transpose(1, 2).contiguous() for t in (B, C))


def scan(u: torch.Tensor, delta: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    return drop_in.selective_scan_fn(u, delta, A, Bt, Ct, None, z, None, True)


CALLS: dict[str, Callable[[], object]] = {
    "scan: operator": lambda: ops.selective_scan(u, delta, A, B, C, z=z, delta_softplus=True),
    "scan: drop-in, channels last": lambda: scan(*last),
    "scan: drop-in, contiguous": lambda: scan(*contiguous),
    "conv: operator": lambda: ops.causal_conv1d(u, weight),
    "conv: drop-in, channels last": lambda: drop_in.causal_conv1d_fn(last[0], weight),
    "conv: drop-in, contiguous": lambda: drop_in.causal_conv1d_fn(contiguous[0], weight),
}


def milliseconds(call: Callable[[], object]) -> float:
    wait = torch.cuda.synchronize if options.device.startswith("cuda") else lambda: None
    wait()
    start = time.perf_counter()
    call()
    wait()
    return 1e3 * (time.perf_counter() - start)


for call in CALLS.values():
    milliseconds(call)
times = {name: [] for name in CALLS}
for _ in range(options.rounds):
    for name, call in CALLS.items():
        times[name].append(milliseconds(call))

where = torch.cuda.get_device_name() if options.device.startswith("cuda") else "CPU"
print(f"{where}, {shape} {options.dtype}, {states} states, {options.rounds} rounds, torch {torch.__version__}")
for name, values in times.items():
    low, median, high = statistics.quantiles(values, n=4)
    print(f"{name:30} {median:8.3f} ms ({low:.3f} to {high:.3f})")
