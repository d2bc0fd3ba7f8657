"""A machine and rows of a comparison with round figures."""

from __future__ import annotations

from benchmarks.compare.device import Ceilings, Machine
from benchmarks.compare.floors import Work, floor
from benchmarks.compare.rows import Result, Row
from benchmarks.compare.timing import Spread

# 1 TB/s, 100 TFLOP/s of products, 10 T exponentials and 20 TFLOP/s of float32.
CEILINGS = Ceilings(
    copy=1e12, products={"bfloat16": 1e14}, exponentials=1e13, float32=2e13
)


def machine(device: str = "cuda") -> Machine:
    return Machine(
        device=device,
        name="Made-up GPU",
        multiprocessors=100,
        clock=1e9,
        cache=50_000_000,
        torch="2.11.0",
        cuda="13.0",
        ceilings=CEILINGS,
    )


def result() -> Result:
    return Result(machine(), "python -m benchmarks.compare --out DIR")


def row(section: str, subject: str, run: str, seconds: float, work: Work, **more: object) -> Row:
    times = Spread(seconds, 0.9 * seconds, 1.1 * seconds, 3)
    return Row(section, subject, "(1, 2)", run, times, work, floor(work, CEILINGS), dict(more))
