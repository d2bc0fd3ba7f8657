"""Between (batch, dim, length), as the packages take it, and our (batch, length, dim)."""

from __future__ import annotations

import torch
from torch import Tensor


def _copied(x: Tensor) -> Tensor:
    """x (batch, a, b), contiguous in a, made contiguous."""
    # The loop over rows would make the batch a constant of what is compiled.
    if torch.compiler.is_compiling() or x.device.type != "cpu" or x.shape[0] == 0:
        return x.contiguous()
    # torch's transposing copy on CPUs is blocked for matrices alone: two to three times as fast.
    return torch.stack([row.contiguous() for row in x]) if len(x) > 1 else x[0].contiguous()[None]


def channels_last(x: Tensor | None) -> Tensor | None:
    """(batch, dim, length) as (batch, length, dim); copied unless its channels are contiguous."""
    if x is None:
        return None
    x = x.transpose(1, 2)
    return x if x.stride(2) == 1 or x.shape[2] == 1 else _copied(x)


def like(out: Tensor, x: Tensor) -> Tensor:
    """out (batch, length, dim) as (batch, dim, length), laid out as x is."""
    out = out.transpose(1, 2)
    return out if x.stride(1) == 1 and x.stride(2) != 1 else _copied(out)
