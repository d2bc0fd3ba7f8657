"""Times one operator and its peers on equal inputs, from memory and from the cache."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from benchmarks.compare.device import Machine
from benchmarks.compare.floors import Work, floor
from benchmarks.compare.rows import Result, Row
from benchmarks.compare.timing import Spread, graph_clock, in_turns, loop_clock, one_line

Launch = Callable[[], object]
# A set of inputs: for every run a launch bound to tensors of its own layout.
MakeSet = Callable[[int], dict[str, Launch]]

# Memory that all sets together may take, and how many there may be.
MOST_BYTES = {"cuda": 24 * 2**30, "cpu": 2**30}
MOST_SETS = {"cuda": 512, "cpu": 8}


def time_operator(
    make_set: MakeSet,
    work: Work,
    *,
    section: str,
    subject: str,
    shape: str,
    result: Result,
    repeats: int,
    more: dict[str, object] | None = None,
) -> list[Row]:
    """One row a run, "simba" first.

    seconds: a launch among many that use several sets of inputs in turn, so many that a set has left
    the last-level cache when its turn comes again: how an operator meets data that no other kernel
    has just written. more["warm"]: all launches on one set, which stays in the cache if it fits, as
    the output of the kernel before does.
    """
    machine = result.machine
    sets = [make_set(seed) for seed in range(sets_of(work.bytes, machine))]
    names = list(sets[0])
    cold = _time(sets, work.bytes, repeats, f"{section}: {subject} {shape}", result)
    warm = _time(sets[:1], work.bytes, repeats, "", result)
    least = floor(work, machine.ceilings)
    rows = []
    for name in names:
        if name not in cold:
            continue
        row = Row(section, subject, shape, name, cold[name], work, least, dict(more or {}))
        if name in warm:
            row.more["warm"] = warm[name]
        rows.append(row)
    return rows


def sets_of(bytes_moved: float, machine: Machine) -> int:
    """How many sets it takes until one has left the cache, in the memory that there is: a set holds
    each run's layout of the inputs, and outputs.
    """
    wanted = 2 + math.floor(3 * machine.cache / max(bytes_moved, 1))
    affordable = int(MOST_BYTES[machine.device] / max(4 * bytes_moved, 1))
    return max(1, min(wanted, affordable, MOST_SETS[machine.device]))


def _time(
    sets: list[dict[str, Launch]], bytes_moved: float, repeats: int, case: str, result: Result
) -> dict[str, Spread]:
    """Spreads by run; errors go to the result, under the case's name if it has one."""
    machine = result.machine
    clocks: dict[str, Callable[[], float]] = {}
    errors: dict[str, str] = {}
    for name in sets[0]:
        launches = [launch_set[name] for launch_set in sets]
        try:
            with torch.inference_mode():
                clocks[name] = _clock(launches, machine, bytes_moved)
        except Exception as error:
            errors[name] = one_line(error)
    with torch.inference_mode():
        spreads, raised = in_turns(clocks, repeats, warm_ups=3 if machine.is_gpu else 1)
    if case:
        result.failures += [(case, name, text) for name, text in (errors | raised).items()]
    return spreads


def _clock(launches: list[Launch], machine: Machine, bytes_moved: float) -> Callable[[], float]:
    if not machine.is_gpu:
        return loop_clock(launches, at_least=0.02)
    # Few are enough where one takes long; they are many where a graph's own start would count.
    fewest = 40 if bytes_moved < 2**26 else 10 if bytes_moved < 2**28 else 4
    rounds = math.ceil(fewest / len(launches))
    return graph_clock(launches * rounds)
