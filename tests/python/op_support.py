"""Inputs and comparisons that the operator tests share."""

from __future__ import annotations

import torch
from torch import Tensor

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
# Half a unit in the last place of 1.
ROUNDING = {
    torch.float64: 2.0**-53,
    torch.float32: 2.0**-24,
    torch.bfloat16: 2.0**-8,
    torch.float16: 2.0**-11,
}
# Below it float16 has no digits left; the other types' own limits never matter here.
SMALLEST = {torch.float16: 2.0**-25}


def accumulate_type(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def strided(tensor: Tensor) -> Tensor:
    """The same values as a view at an odd storage offset, NaN between its rows and around it."""
    wide = torch.full((*tensor.shape[:-2], tensor.shape[-2] + 1, tensor.shape[-1] + 5), torch.nan)
    wide = wide.to(tensor)
    view = wide[..., 1:, 3 : 3 + tensor.shape[-1]]
    view.copy_(tensor)
    return view


def cu_seqlens(lengths: list[int], device: str) -> Tensor:
    bounds = torch.tensor([0, *lengths]).cumsum(0)
    return bounds.to(torch.int32).to(device)


def assert_within(actual: Tensor, expected: Tensor, magnitude: Tensor, factor: float) -> None:
    """|actual - expected| stays within one rounding to actual's dtype and `factor` roundings of the
    accumulate type, relative to `magnitude`: the sum of the absolute terms behind `expected`.
    """
    assert actual.shape == expected.shape
    actual_double = actual.double().cpu()
    expected, magnitude = expected.cpu(), magnitude.cpu()
    bound = (
        ROUNDING[actual.dtype] * expected.abs()
        + factor * ROUNDING[accumulate_type(actual.dtype)] * magnitude
        + SMALLEST.get(actual.dtype, 0.0)
    )
    excess = ((actual_double - expected).abs() - bound).nan_to_num(nan=torch.inf)
    if excess.numel() and excess.max() > 0:
        worst = excess.argmax()
        raise AssertionError(
            f"element {worst.item()}: {actual_double.flatten()[worst].item()!r}, expected "
            f"{expected.flatten()[worst].item()!r} within {bound.flatten()[worst].item():.3g}; "
            f"{(excess > 0).sum().item()} of {excess.numel()} elements are off"
        )
