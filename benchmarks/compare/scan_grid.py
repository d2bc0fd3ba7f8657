"""Section "scan_grid": the selective scan on thirty shapes, beside every peer: faster or slower."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.compare.inputs import Shape
from benchmarks.compare.operators import Operators
from benchmarks.compare.rows import Case

SECTION = "scan_grid"

GRID = (
    # One layer of 2.8b and of 130m, and what lies between.
    Shape(1, 2048, 5120),
    Shape(8, 2048, 5120),
    Shape(1, 2048, 1536),
    Shape(1, 512, 5120),
    Shape(1, 32768, 5120),
    Shape(64, 256, 5120),
    Shape(1, 2048, 768),
    Shape(1, 2048, 2048),
    Shape(1, 2048, 3072),
    Shape(1, 2048, 4096),
    Shape(2, 2048, 5120),
    Shape(4, 2048, 5120),
    Shape(8, 2048, 1536),
    Shape(32, 2048, 768),
    Shape(1, 8192, 1536),
    Shape(1, 8192, 5120),
    Shape(1, 128, 5120),
    Shape(1, 217, 5120),
    Shape(16, 60, 1536),
    # Other numbers of states.
    Shape(1, 2048, 5120, states=8),
    Shape(8, 2048, 1536, states=8),
    Shape(1, 2048, 5120, states=32),
    Shape(4, 2048, 1536, states=32),
    Shape(1, 2048, 2048, states=64),
    Shape(4, 1024, 1536, states=64),
    # Odd numbers of channels.
    Shape(1, 2048, 777),
    Shape(8, 1024, 1001),
    Shape(1, 2048, 5121),
    # As the model has it: z in in_proj's output, B and C in x_proj's.
    Shape(1, 2048, 5120, views=True),
    Shape(8, 2048, 1536, views=True),
    # Other types.
    Shape(1, 2048, 5120, dtype="float16"),
    Shape(8, 2048, 1536, dtype="float16"),
    Shape(1, 2048, 5120, dtype="float32"),
    Shape(8, 2048, 1536, dtype="float32"),
)
SMALL_GRID = (
    Shape(1, 64, 96, dtype="float32"),
    Shape(2, 33, 65, dtype="float32"),
    Shape(1, 64, 64, states=8, dtype="float32"),
    Shape(1, 64, 64, dtype="bfloat16", views=True),
)


def scan_grid_cases(operators: Operators, quick: bool) -> Iterator[Case]:
    """quick: every fifth shape on a GPU. A CPU takes shapes of its own size."""
    if not operators.result.machine.is_gpu:
        grid = SMALL_GRID
    else:
        grid = GRID[::5] if quick else GRID
    for shape in grid:
        subject = f"{shape.dtype} N={shape.states}" + (", views" if shape.views else "")
        yield Case(
            SECTION,
            f"{subject} {shape}",
            1.2,
            lambda s=shape, n=subject: operators.scan(s, SECTION, n),
        )
