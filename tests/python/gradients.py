"""Gradients of the operators: random ones to start from, and comparison with the definitions."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from op_support import ROUNDING, SMALLEST, accumulate_type
from torch import Tensor


def random_like(tensor: Tensor, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(tensor.shape, generator=generator)
    return values.to(tensor.dtype).to(tensor.device)


def assert_gradients_within(
    names: Iterable[str],
    actual: Iterable[Tensor | None],
    expected: Iterable[Tensor | None],
    factor: float = 64,
) -> None:
    """Each gradient is within one rounding to its dtype and `factor` roundings of the accumulate
    type, relative to the largest element: gradients are sums whose terms cancel.
    """
    for name, one, other in zip(names, actual, expected, strict=True):
        assert (one is None) == (other is None), name
        if one is None:
            continue
        assert one.shape == other.shape, name
        if one.numel() == 0:
            continue
        other = other.cpu()
        error = (one.double().cpu() - other).abs()
        bound = (
            ROUNDING[one.dtype] * other.abs()
            + factor * ROUNDING[accumulate_type(one.dtype)] * other.abs().max()
            + SMALLEST.get(one.dtype, 0.0)
        )
        excess = (error - bound).nan_to_num(nan=torch.inf).max().item()
        assert excess <= 0, f"{name} is off by {error.max().item():.3g}, {excess:.3g} too much"
