"""A run's kernels in time, cut into layers: how long each is busy, and how long nothing runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Kernel:
    """start, seconds: of one launch."""

    name: str
    start: float
    seconds: float

    @property
    def end(self) -> float:
        return self.start + self.seconds


@dataclass(frozen=True)
class Layer:
    """span: from its first kernel's start to the next layer's. busy: sum of its kernels. idle: time
    before its kernels in which none ran; the kernels overlap where busy + idle is more than span.
    """

    kernels: tuple[Kernel, ...]
    span: float
    idle: float

    @property
    def busy(self) -> float:
        return sum(kernel.seconds for kernel in self.kernels)


def layers(kernels: Sequence[Kernel], first: str) -> list[Layer]:
    """Cut before every kernel whose name matches `first`; what comes before the first cut is a layer
    of its own.
    """
    ordered = sorted(kernels, key=lambda kernel: kernel.start)
    parts: list[list[Kernel]] = []
    for kernel in ordered:
        if not parts or re.search(first, kernel.name):
            parts.append([])
        parts[-1].append(kernel)
    # What runs the longest may not be what was launched last.
    ends = []
    latest = float("-inf")
    for kernel in ordered:
        latest = max(latest, kernel.end)
        ends.append(latest)
    found, position = [], 0
    for index, part in enumerate(parts):
        idle = 0.0
        for kernel in part:
            if position > 0:
                idle += max(0.0, kernel.start - ends[position - 1])
            position += 1
        stop = parts[index + 1][0].start if index + 1 < len(parts) else latest
        found.append(Layer(tuple(part), stop - part[0].start, idle))
    return found


def kernel_table(kernels: Sequence[Kernel], top: int = 20) -> list[str]:
    """Launches and time of each kernel, longest first, and its share of the whole."""
    sums: dict[str, tuple[int, float]] = {}
    for kernel in kernels:
        count, seconds = sums.get(short_name(kernel.name), (0, 0.0))
        sums[short_name(kernel.name)] = (count + 1, seconds + kernel.seconds)
    whole = sum(seconds for _, seconds in sums.values())
    out = ["| kernel | launches | ms | share | µs each |", "|---|---:|---:|---:|---:|"]
    for name, (count, seconds) in sorted(sums.items(), key=lambda item: -item[1][1])[:top]:
        out.append(
            f"| {name} | {count} | {seconds * 1e3:.3f} | {seconds / whole:.1%} "
            f"| {seconds / count * 1e6:.2f} |"
        )
    return out


def layer_table(found: Sequence[Layer]) -> list[str]:
    out = ["| part | kernels | span µs | busy µs | idle µs | longest kernel |",
           "|---:|---:|---:|---:|---:|---|"]  # fmt: skip
    for index, layer in enumerate(found):
        longest = max(layer.kernels, key=lambda kernel: kernel.seconds)
        out.append(
            f"| {index} | {len(layer.kernels)} | {layer.span * 1e6:.1f} | {layer.busy * 1e6:.1f} "
            f"| {layer.idle * 1e6:.1f} | {short_name(longest.name)} {longest.seconds * 1e6:.1f} |"
        )
    return out


def short_name(name: str) -> str:
    """The function's own name, with at most the start of its template arguments."""
    bare = name.replace("(anonymous namespace)::", "").removeprefix("void ")
    bare = re.sub(r"\(.*", "", bare, flags=re.DOTALL)
    function, _, arguments = bare.partition("<")
    return function.split("::")[-1] + (f"<{arguments[:24]}" if arguments else "")
