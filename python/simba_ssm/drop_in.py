"""mamba_ssm's and causal_conv1d's functions on our operators: a user changes one import.

    from simba_ssm.drop_in import causal_conv1d_fn, selective_scan_fn, selective_state_update

Arguments, defaults, shapes and results are theirs (mamba_ssm 2.3, causal_conv1d 1.7). Ours also run
on CPUs, in float64, at any length and width, under torch.compile, and give the last state a gradient.
What they take and we do not raises NotImplementedError.

**Layout.** Their sequences are (batch, dim, length), our operators' (batch, length, dim). A tensor
that is contiguous along its length is copied on the way in, and its result on the way out; one whose
channels are contiguous (``x.transpose(1, 2)`` of a (batch, length, dim)) is not, and the result is
laid out alike. New code had better call :mod:`simba_ssm.ops`; benchmarks/drop_in.py shows the cost.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from simba_ssm import ops

__all__ = ["causal_conv1d_fn", "selective_scan_fn", "selective_state_update"]


def _copied(x: Tensor) -> Tensor:
    """x (batch, a, b), contiguous in a, made contiguous."""
    # The loop over rows would make the batch a constant of what is compiled.
    if torch.compiler.is_compiling() or x.device.type != "cpu" or x.shape[0] == 0:
        return x.contiguous()
    # torch's transposing copy on CPUs is blocked for matrices alone: two to three times as fast.
    return torch.stack([row.contiguous() for row in x]) if len(x) > 1 else x[0].contiguous()[None]


def _channels_last(x: Tensor | None) -> Tensor | None:
    """(batch, dim, length) as (batch, length, dim); copied unless its channels are contiguous."""
    if x is None:
        return None
    x = x.transpose(1, 2)
    return x if x.stride(2) == 1 or x.shape[2] == 1 else _copied(x)


def _like(out: Tensor, x: Tensor) -> Tensor:
    """out (batch, length, dim) as (batch, dim, length), laid out as x is."""
    out = out.transpose(1, 2)
    return out if x.stride(1) == 1 and x.stride(2) != 1 else _copied(out)


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
    rows = [_channels_last(tensor) for tensor in (u, delta, z)]
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
    out = _like(outs[0] if groups == 1 else torch.cat(outs, dim=2), u)
    if not return_last_state:
        return out
    return out, states[0] if groups == 1 else torch.cat(states, dim=1)


def causal_conv1d_fn(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    seq_idx: Tensor | None = None,
    initial_states: Tensor | None = None,
    return_final_states: bool = False,
    final_states_out: Tensor | None = None,
    activation: str | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """``causal_conv1d.causal_conv1d_fn``.

    Args:
        x: (batch, dim, length).
        weight: (dim, width), of any width.
        bias: (dim).
        seq_idx: (batch, length) numbers of the sequences that are packed in each row: neighbours of
            one number are one sequence; where it is negative, the output is 0 before the activation.
            Their bounds are looked for on the host.
        initial_states: (batch, dim, width - 1): what precedes each row.
        final_states_out: (batch, dim, width - 1), written to with return_final_states.
        activation: None, "silu" or "swish".

    Returns:
        out (batch, dim, length), and on request the final states (batch, dim, width - 1), which no
        seq_idx may go with; both in x's dtype.
    """
    if activation not in (None, "silu", "swish"):
        raise NotImplementedError(
            f"causal_conv1d_fn: activation: expected None, silu or swish, got {activation!r}"
        )
    if x.dim() != 3:
        raise ValueError(f"causal_conv1d_fn: x: expected (batch, dim, length), got {tuple(x.shape)}")
    if seq_idx is not None and return_final_states:
        raise NotImplementedError("causal_conv1d_fn: return_final_states: expected False with seq_idx")
    rows, silu = _channels_last(x), activation is not None
    if seq_idx is not None:
        out = _conv_of_sequences(rows, weight, bias, seq_idx, initial_states, silu)
        return _like(out, x)
    if initial_states is not None:
        initial_states = initial_states.to(x.dtype).contiguous()
    out, state = ops.causal_conv1d(rows, weight, bias, initial_states, silu=silu)
    out = _like(out, x)
    if not return_final_states:
        return out
    return out, state if final_states_out is None else final_states_out.copy_(state)


def _conv_of_sequences(
    x: Tensor, weight: Tensor, bias: Tensor | None, seq_idx: Tensor, initial: Tensor | None,
    silu: bool,
) -> Tensor:  # fmt: skip
    """The convolution of rows (batch, length, dim) that seq_idx cuts, as one packed row."""
    batch, length, dim = x.shape
    if seq_idx.shape != (batch, length):
        raise ValueError(
            f"causal_conv1d_fn: seq_idx: expected ({batch}, {length}), got {tuple(seq_idx.shape)}"
        )
    begins = torch.ones_like(seq_idx, dtype=torch.bool)
    begins[:, 1:] = seq_idx[:, 1:] != seq_idx[:, :-1]
    bounds = begins.flatten().nonzero()[:, 0]
    cu_seqlens = torch.cat([bounds, bounds.new_tensor([batch * length])]).to(torch.int32)
    states = None
    if initial is not None:
        states = initial.to(x.dtype).new_zeros(len(bounds), dim, weight.shape[1] - 1)
        states = states.index_copy(0, (bounds % length == 0).nonzero()[:, 0], initial.to(x.dtype))
    packed = x.reshape(1, batch * length, dim)
    out, _ = ops.causal_conv1d(packed, weight, bias, states, cu_seqlens, silu)
    return out.view(x.shape).masked_fill((seq_idx < 0)[..., None], 0)


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
