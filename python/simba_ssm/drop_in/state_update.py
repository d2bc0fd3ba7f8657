"""mamba_ssm's selective_state_update."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from simba_ssm import ops


@torch.no_grad()
def selective_state_update(
    state: Tensor,
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    z: Tensor | None = None,
    dt_bias: Tensor | None = None,
    dt_softplus: bool = False,
    state_batch_indices: Tensor | None = None,
) -> Tensor:
    """``mamba_ssm.ops.triton.selective_state_update.selective_state_update``, one step of a scan.

    No gradients, as in theirs. The forms with heads are Mamba-2's; groups of B and C that differ cost
    a call each.

    Args:
        state: (batch, dim, N) or (batch, heads, dim, N), updated in place; any float dtype.
        x, dt, z: (batch, dim) or (batch, heads, dim).
        A: (dim, N) or (heads, dim, N).
        B, C: (batch, N) or (batch, groups, N), groups dividing heads.
        D, dt_bias: (dim) or (heads, dim).
        state_batch_indices: (batch): which row of state belongs to which of x; no row twice.

    Returns:
        out, shaped and typed as x.
    """
    if state_batch_indices is not None:
        rows = state[state_batch_indices]
        out = selective_state_update(rows, x, dt, A, B, C, D, z, dt_bias, dt_softplus)
        state[state_batch_indices] = rows
        return out
    like = x
    data = [tensor for tensor in (x, dt, B, C, z) if tensor is not None]
    dtype = functools.reduce(torch.promote_types, (tensor.dtype for tensor in data))
    if state.dim() == 3:
        state = state[:, None]
    x, dt, z, B, C = (
        None if t is None else (t if t.dim() == 3 else t[:, None]).to(dtype) for t in (x, dt, z, B, C)
    )
    A = A if A.dim() == 3 else A[None]
    D, dt_bias = (t if t is None or t.dim() == 2 else t[None] for t in (D, dt_bias))
    batch, heads, dim, states = state.shape
    groups = B.shape[1]
    if heads % groups or B.shape != (batch, groups, states) or C.shape != B.shape:
        raise ValueError(
            f"selective_state_update: B, C: expected ({batch}, groups, {states}) with groups that "
            f"divide {heads}, got {tuple(B.shape)} and {tuple(C.shape)}"
        )
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    outs = []
    for group in range(groups):
        some = slice(group * heads // groups, (group + 1) * heads // groups)
        before = state[:, some]
        # Where these rows are the operator's as they lie, it updates them in place.
        joint = before.shape[1] == 1 or before.stride(1) == dim * before.stride(2)
        in_place = before.dtype == wide and before.stride(3) == 1 and joint
        after = before.flatten(1, 2) if in_place else before.to(wide).flatten(1, 2).contiguous()
        u, delta, gate = (None if t is None else t[:, some].flatten(1, 2) for t in (x, dt, z))
        flat = [None if t is None else t[some].flatten(0, 1) for t in (A, D, dt_bias)]
        flat = [None if t is None else t.contiguous() for t in flat]
        out = ops.selective_state_update(
            after, u.contiguous(), delta.contiguous(), flat[0], B[:, group].contiguous(),
            C[:, group].contiguous(), flat[1], None if gate is None else gate.contiguous(), flat[2],
            dt_softplus,
        )  # fmt: skip
        if not in_place:
            before.copy_(after.view(before.shape))
        outs.append(out)
    return torch.cat(outs, dim=1).view(like.shape).to(like.dtype)
