"""What the definitions share."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor


def double(*tensors: Tensor | None) -> list[Tensor | None]:
    return [None if tensor is None else tensor.double() for tensor in tensors]


def spans(cu_seqlens: Tensor) -> Iterator[tuple[int, slice]]:
    """Each sequence of a packed row: its number and its positions."""
    bounds = cu_seqlens.tolist()
    for s in range(len(bounds) - 1):
        yield s, slice(bounds[s], bounds[s + 1])


def cut(tensor: Tensor | None, where: slice) -> Tensor | None:
    return None if tensor is None else tensor[:, where]


def softplus(x: Tensor) -> Tensor:
    # Not torch's softplus, which is the identity beyond 20: that is off by 2e-9.
    return torch.logaddexp(x, torch.zeros_like(x))
