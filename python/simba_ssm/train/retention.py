"""The retention that each window of a step is trained at."""

from __future__ import annotations

from simba_ssm.train.config import SparseConfig
from simba_ssm.train.windows import RETENTION, generator


def draw_retentions(
    sparse: SparseConfig, seed: int, step: int, steps: int, count: int
) -> list[str]:
    """One decimal per window, uniform between the ends of the draw, a function of seed and step.

    The paper drops 0 to 90 % per sample: retention 0.1 to 1.
    """
    low, high = ends(sparse, step, steps)
    drawn = generator(seed, RETENTION, step).uniform(low, high, count)
    # Six decimals: an exact count of tokens needs a decimal, and no context has a million tokens.
    return [f"{min(max(r, 1e-6), 1.0):.6f}" for r in drawn]


def ends(sparse: SparseConfig, step: int, steps: int) -> tuple[float, float]:
    """Of the draw at a step. Progressive: the lower end falls from the upper one to its value."""
    low, high = sparse.retention
    falling = sparse.progressive * steps
    if step < falling:
        low = high - (high - low) * step / falling
    return low, high
