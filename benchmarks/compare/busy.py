"""How long a GPU is busy with a run: the sum of its kernels, by torch's profiler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Busy:
    """seconds: sum of kernel times. kernels: (name, launches, seconds), longest first."""

    seconds: float
    launches: int
    kernels: list[tuple[str, int, float]]


def busy(run: Callable[[], object], top: int = 12) -> Busy:
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        run()
        torch.cuda.synchronize()
    kernels: dict[str, tuple[int, float]] = {}
    for event in profile.events():
        if event.device_type == torch.autograd.DeviceType.CUDA:
            count, seconds = kernels.get(event.name, (0, 0.0))
            kernels[event.name] = (count + 1, seconds + event.time_range.elapsed_us() * 1e-6)
    order = sorted(kernels.items(), key=lambda item: -item[1][1])
    return Busy(
        seconds=sum(seconds for _, seconds in kernels.values()),
        launches=sum(count for count, _ in kernels.values()),
        kernels=[(name, count, seconds) for name, (count, seconds) in order[:top]],
    )
