"""Inputs of the operators as a model of a given width makes them: same layouts, same magnitudes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Shape:
    """batch B, length L, channels D, states N; views: z and x are halves of in_proj's output, and B
    and C columns of x_proj's, as in the model, instead of tensors of their own.
    """

    batch: int
    length: int
    channels: int
    states: int = 16
    dtype: str = "bfloat16"
    views: bool = False

    def __str__(self) -> str:
        return f"({self.batch}, {self.length}, {self.channels})"


class Values:
    """Random tensors of one type on one device from a seed."""

    def __init__(self, seed: int, device: torch.device, dtype: str) -> None:
        self.device, self.dtype = device, getattr(torch, dtype)
        self._generator = torch.Generator(device).manual_seed(seed)

    def normal(self, *shape: int, dtype: torch.dtype | None = None) -> Tensor:
        values = torch.randn(shape, generator=self._generator, device=self.device)
        return values.to(dtype or self.dtype)

    def parameter(self, *shape: int) -> Tensor:
        return self.normal(*shape, dtype=torch.float32)


def scan_inputs(shape: Shape, seed: int, device: torch.device) -> dict[str, Tensor]:
    """selective_scan's arguments: Delta about 0.1 after bias and softplus, A about -(1 .. N)."""
    values = Values(seed, device, shape.dtype)
    leading, D, N = (shape.batch, shape.length), shape.channels, shape.states
    if shape.views:
        z = values.normal(*leading, 2 * D)[..., D:]
        rank = math.ceil(D / 32)
        side_by_side = values.normal(*leading, rank + 2 * N)
        B, C = side_by_side[..., rank : rank + N], side_by_side[..., rank + N :]
    else:
        z, B, C = (values.normal(*leading, width) for width in (D, N, N))
    states = torch.arange(1, N + 1, device=device, dtype=torch.float32)
    return {
        "u": values.normal(*leading, D),
        "delta": values.normal(*leading, D),
        "A": -states * torch.exp(0.05 * values.parameter(D, N)),
        "B": B,
        "C": C,
        "D": values.parameter(D),
        "z": z,
        "delta_bias": 0.5 * values.parameter(D) - 2.5,
    }


def length_last(inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same values as mamba_ssm takes them: (B, D, L), B and C (B, 1, N, L)."""
    turned = dict(inputs)
    for name, tensor in inputs.items():
        if name in ("u", "delta", "z"):
            turned[name] = tensor.transpose(1, 2).contiguous()
        elif name in ("B", "C"):
            turned[name] = tensor.transpose(1, 2).unsqueeze(1).contiguous()
    return turned


def bytes_of(*tensors: Tensor | None) -> int:
    return sum(tensor.nbytes for tensor in tensors if tensor is not None)
