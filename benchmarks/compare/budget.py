"""Runs cases in order of importance until they are done or the time is up."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

import torch

from benchmarks.compare.rows import Case, Result, Row
from benchmarks.compare.timing import one_line


def run_cases(
    cases: Sequence[Case],
    result: Result,
    minutes: float | None,
    after_each: Callable[[Result], None],
    now: Callable[[], float] = time.monotonic,
) -> None:
    """Adds to the result what each case gives, in the order that the cases came in. A case that raises is noted, and the rest goes on,
    unless the GPU itself is lost. No case begins after `minutes`.
    """
    start = now()
    order = sorted(cases, key=lambda case: case.importance)
    found: dict[int, list[Row]] = {}
    place = {id(case): index for index, case in enumerate(cases)}
    for position, case in enumerate(order):
        if minutes is not None and now() - start > 60 * minutes:
            result.left_out += [f"{left.section}: {left.name}" for left in order[position:]]
            break
        began = now()
        try:
            found[place[id(case)]] = case.run()
            result.rows = [row for index in sorted(found) for row in found[index]]
            outcome = ""
        except Exception as error:
            outcome = one_line(error)
            result.failures.append((f"{case.section}: {case.name}", "", outcome))
        result.seconds = now() - start
        print(f"{result.seconds:7.1f} s  {case.section}: {case.name}  "
              f"({now() - began:.1f} s) {outcome}", file=sys.stderr, flush=True)  # fmt: skip
        after_each(result)
        if result.machine.is_gpu and not _gpu_answers():
            result.left_out += [f"{left.section}: {left.name}" for left in order[position + 1 :]]
            result.failures.append(("the GPU", "", f"lost since {case.name}; the rest was left out"))
            after_each(result)
            break


def _gpu_answers() -> bool:
    """Whether it does: after an illegal access every further call in this process fails. Gives what
    the case left cached back to it.
    """
    try:
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
    except RuntimeError:
        return False
    return True
