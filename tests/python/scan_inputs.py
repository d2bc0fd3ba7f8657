"""Inputs of selective_scan, influence_scores and selective_state_update, shaped like Mamba's."""

from __future__ import annotations

import torch
from op_support import accumulate_type, cu_seqlens, strided
from torch import Tensor


def scan_inputs(
    *,
    device: str,
    batch: int = 2,
    length: int = 63,
    channels: int = 24,
    states: int = 16,
    dtype: torch.dtype = torch.float32,
    shift: float = 0.0,
    lengths: list[int] | None = None,
    initial: bool = False,
    view: bool = False,
    seed: int = 0,
) -> dict[str, Tensor]:
    """selective_scan's tensor arguments. `shift` is added to delta; `lengths` packs one row."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    if lengths is not None:
        batch, length = 1, sum(lengths)
    data = {
        "u": normal(batch, length, channels),
        "delta": normal(batch, length, channels) + shift,
        "B": normal(batch, length, states),
        "C": normal(batch, length, states),
        "z": normal(batch, length, channels),
    }
    data = {name: tensor.to(dtype).to(device) for name, tensor in data.items()}
    if view:
        data = {name: strided(tensor) for name, tensor in data.items()}
    acc = accumulate_type(dtype)
    parameters = {
        "A": -(1 + torch.arange(states).float()) * torch.exp(0.3 * normal(channels, states)),
        "D": normal(channels),
        "delta_bias": normal(channels) - 2,
    }
    inputs = data | {name: tensor.to(acc).to(device) for name, tensor in parameters.items()}
    sequences = batch if lengths is None else len(lengths)
    if initial:
        inputs["initial_state"] = normal(sequences, channels, states).to(acc).to(device)
    if lengths is not None:
        inputs["cu_seqlens"] = cu_seqlens(lengths, device)
    return inputs


def on_cpu(inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.cpu() for name, tensor in inputs.items()}


def score_inputs(inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Those that influence_scores takes."""
    names = ("u", "delta", "A", "B", "C", "delta_bias", "cu_seqlens")
    return {name: inputs[name] for name in names if name in inputs}
