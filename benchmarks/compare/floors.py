"""The least time that a piece of work can take: its largest part at the device's ceilings."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.compare.device import Ceilings


@dataclass(frozen=True)
class Work:
    """bytes: inputs read once and outputs written once. exponentials: operations of the exponential
    unit (exp2, log2, reciprocal). flops: float32 arithmetic. product_flops: of matrix products in
    `dtype`.
    """

    bytes: float = 0
    exponentials: float = 0
    flops: float = 0
    product_flops: float = 0
    dtype: str = "bfloat16"


@dataclass(frozen=True)
class Floor:
    """bound: which ceiling it is: memory, exponentials, arithmetic or products."""

    seconds: float
    bound: str


def floor(work: Work, ceilings: Ceilings) -> Floor:
    times = {
        "memory": work.bytes / ceilings.copy,
        "arithmetic": work.flops / ceilings.float32,
        "products": work.product_flops / ceilings.products.get(work.dtype, ceilings.float32),
    }
    if ceilings.exponentials:
        times["exponentials"] = work.exponentials / ceilings.exponentials
    bound = max(times, key=lambda name: times[name])
    return Floor(times[bound], bound)


def scan_work(
    bytes_moved: float, batch: int, length: int, channels: int, states: int, gated: bool
) -> Work:
    """Per step and channel: an exponential a state, one for softplus (its logarithm by a polynomial),
    and for the gate an exponential and half a reciprocal; 9 operations a state (as FLOPs are
    counted).
    """
    steps = batch * length * channels
    return Work(
        bytes=bytes_moved,
        exponentials=steps * (states + 1 + (1.5 if gated else 0)),
        flops=9 * steps * states,
    )


def influence_work(bytes_moved: float, batch: int, length: int, channels: int, decay: str) -> Work:
    """A softplus of Delta with its bias and, where the decay has none, one without: what remains when
    bounds skip every channel and state that cannot count.
    """
    steps = batch * length * channels
    softplus = 2 if decay == "no_bias" else 1
    return Work(bytes=bytes_moved, exponentials=softplus * steps, flops=6 * steps)
