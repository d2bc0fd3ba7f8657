"""mamba_ssm's selective_scan_fn."""

from __future__ import annotations

import torch
from torch import Tensor

from simba_ssm import ops
from simba_ssm.drop_in.layout import channels_last, like


def _grouped(name: str, tensor: Tensor, lead: Tensor) -> Tensor:
    """B or C as (batch, length, groups, N)."""
    if tensor.dim() == 2:
        raise NotImplementedError(
            f"selective_scan_fn: {name}: expected (batch, N, length) or (batch, groups, N, length), "
            f"got {tuple(tensor.shape)}: a constant {name} is not supported"
        )
    if tensor.dim() == 3:
        tensor = tensor[:, None]
    batch, dim, length = lead.shape
    if tensor.dim() != 4 or tensor.shape[::3] != (batch, length) or dim % tensor.shape[1]:
        raise ValueError(
            f"selective_scan_fn: {name}: expected (batch, N, length) or (batch, groups, N, length) "
            f"with batch {batch}, length {length} and groups that divide {dim}, got "
            f"{tuple(tensor.shape)}"
        )
    tensor = tensor.permute(0, 3, 1, 2)
    return tensor if tensor.stride(3) == 1 else tensor.contiguous()


def selective_scan_fn(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    z: Tensor | None = None,
    delta_bias: Tensor | None = None,
    delta_softplus: bool = False,
    return_last_state: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """``mamba_ssm.ops.selective_scan_interface.selective_scan_fn``.

    Args:
        u, delta, z: (batch, dim, length).
        A: (dim, N), real.
        B, C: (batch, N, length), or (batch, groups, N, length), of which each serves dim / groups
            channels; more groups than one cost a scan each. No constant ones (dim, N).
        D, delta_bias: (dim).

    Returns:
        out (batch, dim, length) in u's dtype, and on request last_state (batch, dim, N) in float32
        or wider, whose gradient counts (in mamba_ssm it does not).
    """
    if A.is_complex():
        raise NotImplementedError("selective_scan_fn: A: expected a real tensor, got a complex one")
    if u.dim() != 3:
        raise ValueError(f"selective_scan_fn: u: expected (batch, dim, length), got {tuple(u.shape)}")
    B, C = _grouped("B", B, u), _grouped("C", C, u)
    groups = max(B.shape[2], C.shape[2])
    for name, tensor in (("B", B), ("C", C)):
        if tensor.shape[2] not in (1, groups):
            raise NotImplementedError(
                f"selective_scan_fn: {name}: expected 1 or {groups} groups, got {tensor.shape[2]}"
            )
    rows = [channels_last(tensor) for tensor in (u, delta, z)]
    width = u.shape[1] // groups
    outs, states = [], []
    for group in range(groups):
        channels = slice(group * width, (group + 1) * width)
        u_g, delta_g, z_g = (None if row is None else row[..., channels] for row in rows)
        A_g, D_g, bias_g = (
            None if p is None else p[channels].contiguous() for p in (A, D, delta_bias)
        )
        B_g, C_g = (t[:, :, group if t.shape[2] > 1 else 0] for t in (B, C))
        out, state = ops.selective_scan(
            u_g, delta_g, A_g, B_g, C_g, D_g, z_g, bias_g, delta_softplus=delta_softplus
        )
        outs.append(out)
        states.append(state)
    out = like(outs[0] if groups == 1 else torch.cat(outs, dim=2), u)
    if not return_last_state:
        return out
    return out, states[0] if groups == 1 else torch.cat(states, dim=1)
