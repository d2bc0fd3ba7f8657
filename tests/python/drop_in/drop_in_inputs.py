"""What the tests of the drop-in functions share."""

from __future__ import annotations

import torch
from torch import Tensor


def close(actual: Tensor, expected: Tensor) -> None:
    tolerance = {torch.float32: 1e-5, torch.float64: 1e-12, torch.bfloat16: 1e-2}[actual.dtype]
    assert actual.shape == expected.shape
    assert (actual.double() - expected).abs().max() <= tolerance * expected.abs().max()


def normal(*shape: int, dtype=torch.float32, seed: int = 0, channels_last: bool = False) -> Tensor:
    values = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)
    return values.transpose(1, 2).contiguous().transpose(1, 2) if channels_last else values
