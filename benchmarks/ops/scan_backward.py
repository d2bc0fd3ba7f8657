"""Gradients of the selective scan in bfloat16 on one GPU, beside mamba_ssm's, in one run.

    python benchmarks/ops/scan_backward.py

mamba_ssm's numbers need its compiled selective_scan_cuda; without it that column is empty. Each
side gets its own native layout, contiguous: (B, L, D) here, (B, D, L) there. Times are medians of
single launches between CUDA events with the second-level cache overwritten in between; the spread
is the distance of the quartiles. The largest difference is of the two sides' gradients.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

import torch
from torch import Tensor

from simba_ssm import ops

try:
    import selective_scan_cuda
except ImportError:
    selective_scan_cuda = None

STATES = 16
SHAPES = [(1, 2048, 5120), (8, 2048, 768), (8, 2048, 5120), (64, 2048, 768), (1, 2048, 1536)]
NAMES = ("u", "delta", "A", "B", "C", "D", "z", "delta_bias")
REPEATS = 50


def inputs(batch: int, length: int, channels: int) -> dict[str, Tensor]:
    """Delta before softplus about -2.5 with its bias, as in trained models; A about -(1 .. 16)."""
    torch.manual_seed(0)

    def normal(width: int) -> Tensor:
        return torch.randn(batch, length, width, device="cuda", dtype=torch.bfloat16)

    given = {name: normal(channels) for name in ("u", "delta", "z", "grad_out")}
    given |= {name: normal(STATES) for name in ("B", "C")}
    states = torch.arange(1, STATES + 1, device="cuda")
    given["A"] = -states * torch.exp(0.05 * torch.randn(channels, STATES, device="cuda"))
    given["D"] = torch.randn(channels, device="cuda")
    given["delta_bias"] = torch.randn(channels, device="cuda") * 0.5 - 2.5
    return given


def simba_backward(given: dict[str, Tensor]) -> Callable[[], tuple]:
    return lambda: ops.selective_scan_backward(**given, delta_softplus=True)[:-1]


def mamba_backward(given: dict[str, Tensor]) -> Callable[[], tuple]:
    swapped = {
        name: tensor.transpose(1, 2).contiguous() if tensor.dim() == 3 else tensor
        for name, tensor in given.items()
    }
    u, delta, z, grad = (swapped[name] for name in ("u", "delta", "z", "grad_out"))
    B, C = swapped["B"][:, None], swapped["C"][:, None]
    A, D, bias = (given[name] for name in ("A", "D", "delta_bias"))
    out, x, *_ = selective_scan_cuda.fwd(u, delta, A, B, C, D, z, bias, True)

    def run() -> tuple:
        du, ddelta, dA, dB, dC, dD, dbias, dz, *_ = selective_scan_cuda.bwd(
            u, delta, A, B, C, D, z, bias, grad, x, out, None, True, False
        )
        return du, ddelta, dA, dB, dC, dD, dz, dbias

    return run


def microseconds(run: Callable[[], tuple]) -> tuple[float, float]:
    """Median and distance of the quartiles."""
    overwritten = torch.empty(256 * 2**20, dtype=torch.int8, device="cuda")
    times = []
    for repeat in range(5 + REPEATS):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        overwritten.zero_()
        torch.cuda._sleep(1_000_000)  # cycles, in which the host gets ahead of the device
        begin.record()
        run()
        end.record()
        end.synchronize()
        if repeat >= 5:
            times.append(1e3 * begin.elapsed_time(end))
    low, median, high = statistics.quantiles(times, n=4)
    return median, high - low


def largest_difference(ours: tuple, theirs: tuple) -> str:
    """Of all gradients, the largest norm of the difference, relative, and whose it is."""
    worst = (0.0, "")
    for name, one, other in zip(NAMES, ours, theirs, strict=True):
        other = other[:, 0] if other.dim() == 4 else other
        other = other.transpose(1, 2) if other.dim() == 3 else other
        one, other = one.float(), other.float()
        worst = max(worst, (((one - other).norm() / other.norm()).item(), name))
    return f"{worst[0]:.1e} ({worst[1]})"


def main() -> None:
    print(torch.cuda.get_device_name(), "torch", torch.__version__)
    print("| (B, L, D) | simba us | spread | mamba_ssm us | spread | ratio | largest difference |")
    print("|---|---|---|---|---|---|---|")
    for shape in SHAPES:
        given = inputs(*shape)
        ours = simba_backward(given)
        median, spread = microseconds(ours)
        row = f"| {shape} | {median:.1f} | {spread:.1f} |"
        if selective_scan_cuda:
            theirs = mamba_backward(given)
            peer, peer_spread = microseconds(theirs)
            difference = largest_difference(ours(), theirs())
            row += f" {peer:.1f} | {peer_spread:.1f} | {peer / median:.2f} | {difference} |"
        else:
            row += " | | | |"
        print(row, flush=True)


if __name__ == "__main__":
    main()
