"""A page of Nsight Compute's raw CSV as one table: what each kernel is bound by."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass

# Share of a unit's peak from which on it, and not waiting, is said to bound a kernel.
BOUND = 60.0
TO_SECONDS = {"nsecond": 1e-9, "ns": 1e-9, "usecond": 1e-6, "us": 1e-6, "msecond": 1e-3, "ms": 1e-3,
              "second": 1.0, "s": 1.0}  # fmt: skip
PREFIXES = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
STALL = re.compile(r"smsp__average_warps?_(?:issue|latency_issue)_stalled_(.+?)(?:_per_issue_active)?\.")


@dataclass(frozen=True)
class KernelProfile:
    """Percentages are of peak, clock in Hz. None: not collected. stall: what most warps wait for."""

    name: str
    seconds: float | None
    clock: float | None
    issue: float | None
    exponential: float | None
    fma: float | None
    memory: float | None
    dram_bytes: float | None
    warps: float | None
    registers: int | None
    stall: str

    @property
    def bound(self) -> str:
        units = {
            "issue slots": self.issue,
            "exponential unit": self.exponential,
            "FMA pipe": self.fma,
            "memory": self.memory,
        }
        known = {unit: percent for unit, percent in units.items() if percent is not None}
        if not known:
            return "unknown"
        unit = max(known, key=lambda name: known[name])
        if known[unit] >= BOUND:
            return unit
        return "waiting" + (f" ({self.stall})" if self.stall else "")


def read_ncu(lines: Iterable[str]) -> list[KernelProfile]:
    """`ncu --csv --page raw`: anything before the header (the program's own output, ==PROF== lines)
    is passed over. Raises ValueError where there is no header.
    """
    rows = iter(lines)
    header = next((line for line in rows if line.startswith('"ID"')), None)
    if header is None:
        raise ValueError('ncu: expected a line beginning with "ID", found none (did ncu fail?)')
    titles = next(csv.reader([header]))
    units = dict(zip(titles, next(csv.reader(rows)), strict=True))
    profiles = []
    for cells in csv.reader(line for line in rows if line.startswith('"')):
        if len(cells) == len(titles):
            profiles.append(_profile(dict(zip(titles, cells, strict=True)), units))
    return profiles


def slowest_of_each(profiles: Iterable[KernelProfile]) -> list[KernelProfile]:
    """The last launch of every kernel (the first may have loaded it), longest first."""
    last = {profile.name: profile for profile in profiles}
    return sorted(last.values(), key=lambda profile: -(profile.seconds or 0))


def table(profiles: Iterable[KernelProfile]) -> list[str]:
    out = [
        "| kernel | µs | SM GHz | issue slots | exponential unit | FMA pipe | memory | DRAM TB/s "
        "| warps | registers | bound by |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for p in profiles:
        bandwidth = p.dram_bytes / p.seconds / 1e12 if p.dram_bytes and p.seconds else None
        cells = [
            p.name, _number(p.seconds, 1e6), _number(p.clock, 1e-9, 2), _percent(p.issue),
            _percent(p.exponential), _percent(p.fma), _percent(p.memory), _number(bandwidth, 1, 2),
            _percent(p.warps), "" if p.registers is None else str(p.registers), p.bound,
        ]  # fmt: skip
        out.append("| " + " | ".join(cells) + " |")
    return out


def _profile(cells: dict[str, str], units: dict[str, str]) -> KernelProfile:
    def value(*names: str) -> float | None:
        for name in names:
            number = _parse(cells.get(name, ""))
            if number is not None:
                return number * _factor(units.get(name, ""))
        return None

    active, elapsed = "avg.pct_of_peak_sustained_active", "avg.pct_of_peak_sustained_elapsed"
    registers = value("launch__registers_per_thread")
    stalls = {
        match[1]: number
        for name, cell in cells.items()
        if (match := STALL.match(name)) and (number := _parse(cell)) is not None
    }
    stalls.pop("selected", None)
    return KernelProfile(
        name=_short(cells["Kernel Name"]),
        seconds=value("gpu__time_duration.sum"),
        clock=value("smsp__cycles_elapsed.avg.per_second", "gpc__cycles_elapsed.avg.per_second"),
        issue=value(f"smsp__issue_active.{active}", f"sm__inst_issued.{active}"),
        exponential=value(f"sm__inst_executed_pipe_xu.{active}", f"sm__inst_executed_pipe_xu.{elapsed}"),
        fma=value(f"sm__pipe_fma_cycles_active.{active}", f"sm__inst_executed_pipe_fma.{active}"),
        memory=value(f"dram__throughput.{elapsed}",
                     f"gpu__dram_throughput.{elapsed}",
                     f"gpu__compute_memory_throughput.{elapsed}"),  # fmt: skip
        dram_bytes=value("dram__bytes.sum"),
        warps=value(f"sm__warps_active.{active}"),
        registers=None if registers is None else int(registers),
        stall=max(stalls, key=lambda name: stalls[name]).replace("_", " ") if stalls else "",
    )  # fmt: skip


def _parse(cell: str) -> float | None:
    try:
        return float(cell.replace(",", ""))
    except ValueError:
        return None


def _factor(unit: str) -> float:
    """To seconds, bytes and Hz; 1 for what has no unit that is known."""
    if unit in TO_SECONDS:
        return TO_SECONDS[unit]
    match = re.fullmatch(r"([KMGT]?)(?:byte|hz|Hz|cycle/second)", unit)
    if match:
        return PREFIXES[match[1]]
    # ncu writes a clock as cycle/nsecond, cycle/usecond.
    match = re.fullmatch(r"cycle/(\w+)", unit)
    return 1 / TO_SECONDS[match[1]] if match and match[1] in TO_SECONDS else 1.0


def _short(name: str) -> str:
    """The function's own name, without namespaces, arguments and what ncu says of templates."""
    bare = re.sub(r"\(.*", "", name.replace("(anonymous namespace)::", ""), flags=re.DOTALL)
    bare = re.sub(r"<.*", "", bare, flags=re.DOTALL)
    return bare.split("::")[-1].split(" ")[-1]


def _number(value: float | None, factor: float = 1, digits: int = 1) -> str:
    return "" if value is None else f"{value * factor:.{digits}f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} %"
