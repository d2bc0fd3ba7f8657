"""Clocks, and runs that take turns on them."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Spread:
    """Seconds of repeated runs: median, smallest and largest."""

    median: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Spread:
        return cls(statistics.median(seconds), min(seconds), max(seconds), len(seconds))


def in_turns(
    clocks: Mapping[str, Callable[[], float]],
    repeats: int,
    warm_ups: int = 1,
    patience: float = math.inf,
) -> tuple[dict[str, Spread], dict[str, str]]:
    """Every clock `warm_ups` times unread and then `repeats` times, all in turns and the order
    reversed at every turn, so that all see the same device. One that has taken `patience` seconds
    in all is not repeated further, but read at least once.

    Returns the spreads by name, and by name the error of those that raised; these are left out.
    """
    times: dict[str, list[float]] = {name: [] for name in clocks}
    errors: dict[str, str] = {}
    spent = dict.fromkeys(clocks, 0.0)
    for turn in range(warm_ups + repeats):
        for name in list(clocks)[:: 1 if turn % 2 == 0 else -1]:
            if name in errors or (times[name] and spent[name] > patience):
                continue
            try:
                seconds = clocks[name]()
            except Exception as error:
                errors[name] = one_line(error)
                continue
            spent[name] += seconds
            if turn >= warm_ups:
                times[name].append(seconds)
    return {name: Spread.of(t) for name, t in times.items() if name not in errors}, errors


def wall_clock(run: Callable[[], object], device: torch.device) -> Callable[[], float]:
    """Seconds from the call to the end of the device's work."""

    def clock() -> float:
        synchronize(device)
        start = time.perf_counter()
        run()
        synchronize(device)
        return time.perf_counter() - start

    return clock


def loop_clock(launches: Sequence[Callable[[], object]], at_least: float) -> Callable[[], float]:
    """Seconds a launch on the CPU: all launches in a loop that is long enough to be timed."""
    for launch in launches:
        launch()
    start = time.perf_counter()
    for launch in launches:
        launch()
    once = time.perf_counter() - start
    rounds = max(1, round(at_least / max(once, 1e-9)))

    def clock() -> float:
        start = time.perf_counter()
        for _ in range(rounds):
            for launch in launches:
                launch()
        return (time.perf_counter() - start) / (rounds * len(launches))

    return clock


def graph_clock(launches: Sequence[Callable[[], object]]) -> Callable[[], float]:
    """Seconds a launch on the GPU: replays of one CUDA graph of all launches.

    What the launches return is kept, so that each writes to memory of its own.
    """
    # Handles, compiled kernels and lazily loaded modules come into being outside of the capture.
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        launches[0]()
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        kept = [launch() for launch in launches]
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))

    def clock() -> float:
        # While the first replay runs, the second is enqueued: no launch of the host is timed.
        graph.replay()
        begin.record()
        graph.replay()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) * 1e-3 / len(kept)

    return clock


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def one_line(error: BaseException) -> str:
    text = str(error).strip().split("\n")[0]
    return f"{type(error).__name__}: {text}"[:300]
