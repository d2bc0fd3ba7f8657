"""Inputs of causal_conv1d, add_norm and gate."""

from __future__ import annotations

import torch
from op_support import accumulate_type, cu_seqlens, strided


def conv_inputs(
    *, device, batch=2, length=63, channels=24, width=4, dtype=torch.float32, lengths=None,
    initial=False, view=False, bias=True,
):  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    if lengths is not None:
        batch, length = 1, sum(lengths)
    acc = accumulate_type(dtype)
    x = torch.randn(batch, length, channels, generator=generator).to(dtype).to(device)
    weight = torch.randn(channels, width, generator=generator).to(acc).to(device)
    inputs = {"x": strided(x) if view else x, "weight": weight}
    if bias:
        inputs["bias"] = torch.randn(channels, generator=generator).to(acc).to(device)
    if initial:
        sequences = batch if lengths is None else len(lengths)
        state = torch.randn(sequences, channels, width - 1, generator=generator)
        inputs["initial_state"] = state.to(dtype).to(device)
    if lengths is not None:
        inputs["cu_seqlens"] = cu_seqlens(lengths, device)
    return inputs


def norm_inputs(
    *, device, batch=2, length=9, channels=64, dtype=torch.float32, residual="same", bias=False,
    indices=False, view=False, mean=0.0, scale=1.0,
):  # fmt: skip
    generator = torch.Generator().manual_seed(0)

    def data(rows, kind):
        values = scale * torch.randn(batch, rows, channels, generator=generator) + mean
        values = values.to(kind).to(device)
        return strided(values) if view else values

    kept = max(length - 2, 0) if indices else length
    acc = accumulate_type(dtype)
    inputs = {"x": data(kept if residual else length, dtype), "residual": None}
    if residual:
        inputs["residual"] = data(length, dtype if residual == "same" else acc)
    inputs["weight"] = torch.randn(channels, generator=generator).to(acc).to(device)
    if bias:
        inputs["bias"] = torch.randn(channels, generator=generator).to(acc).to(device)
    if indices:
        picked = [torch.randperm(length, generator=generator)[:kept] for _ in range(batch)]
        inputs["indices"] = torch.stack(picked).to(device)
    return inputs


def gate_inputs(
    *, device, batch=2, length=9, channels=64, dtype=torch.float32, indices=False, view=False,
    scale=1.0,
):  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    inputs = {}
    for name in ("y", "z"):
        values = torch.randn(batch, length, channels, generator=generator)
        values = (scale * values if name == "z" else values).to(dtype).to(device)
        inputs[name] = strided(values) if view else values
    if indices:
        kept = max(length - 2, 0)
        picked = [torch.randperm(length, generator=generator)[:kept] for _ in range(batch)]
        inputs["indices"] = torch.stack(picked).to(device)
    return inputs
