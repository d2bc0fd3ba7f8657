"""What a Mamba layer does with many tokens."""

from __future__ import annotations

import torch
from torch import Tensor

from simba_ssm.reference._float64 import cut, double, softplus, spans


def _silu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(x)


def selective_scan(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    z: Tensor | None = None,
    delta_bias: Tensor | None = None,
    initial_state: Tensor | None = None,
    cu_seqlens: Tensor | None = None,
    delta_softplus: bool = False,
) -> tuple[Tensor, Tensor]:
    """Mamba-1's recurrence (arXiv 2312.00752); see :func:`simba_ssm.ops.selective_scan`."""
    if cu_seqlens is not None:
        outs, states = [u[:, :0].double()], [A[None, :0].double().new_zeros(0, *A.shape)]
        for s, span in spans(cu_seqlens):
            initial = None if initial_state is None else initial_state[s : s + 1]
            per_token = [cut(tensor, span) for tensor in (u, delta, B, C, z)]
            out, state = selective_scan(
                per_token[0], per_token[1], A, per_token[2], per_token[3], D, per_token[4],
                delta_bias, initial, None, delta_softplus,
            )  # fmt: skip
            outs.append(out)
            states.append(state)
        return torch.cat(outs, dim=1), torch.cat(states)

    u, delta, A, B, C, D, z, delta_bias, state = double(
        u, delta, A, B, C, D, z, delta_bias, initial_state
    )
    if delta_bias is not None:
        delta = delta + delta_bias
    if delta_softplus:
        delta = softplus(delta)
    if state is None:
        state = u.new_zeros(u.shape[0], *A.shape)
    state = state.clone()
    outs = []
    # The gradient of unbind is one stack; that of indexing, a tensor of all tokens for each token.
    for u_t, dt_t, B_t, C_t in zip(*(tensor.unbind(1) for tensor in (u, delta, B, C)), strict=True):
        dt = dt_t[:, :, None]  # (B, D, 1)
        state = torch.exp(dt * A) * state + dt * B_t[:, None, :] * u_t[:, :, None]
        outs.append((state * C_t[:, None, :]).sum(-1))
    out = torch.stack(outs, dim=1) if outs else torch.zeros_like(u)
    if D is not None:
        out = out + D * u
    if z is not None:
        out = out * _silu(z)
    return out, state


def causal_conv1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    initial_state: Tensor | None = None,
    cu_seqlens: Tensor | None = None,
    silu: bool = False,
) -> tuple[Tensor, Tensor]:
    """Depthwise causal convolution; see :func:`simba_ssm.ops.causal_conv1d`."""
    width = weight.shape[1]
    if cu_seqlens is not None:
        outs, states = [x[:, :0].double()], [x.new_zeros(0, x.shape[2], width - 1).double()]
        for s, span in spans(cu_seqlens):
            initial = None if initial_state is None else initial_state[s : s + 1]
            out, state = causal_conv1d(x[:, span], weight, bias, initial, None, silu)
            outs.append(out)
            states.append(state)
        return torch.cat(outs, dim=1), torch.cat(states)

    x, weight, bias, initial_state = double(x, weight, bias, initial_state)
    batch, length, channels = x.shape
    if initial_state is None:
        initial_state = x.new_zeros(batch, channels, width - 1)
    padded = torch.cat([initial_state.transpose(1, 2), x], dim=1)  # (B, K - 1 + L, D)
    out = torch.zeros_like(x) if bias is None else bias.expand_as(x)
    for k in range(width):
        out = out + weight[:, k] * padded[:, k : k + length]
    return (_silu(out) if silu else out), padded[:, length:].transpose(1, 2).contiguous()


def _gather_rows(x: Tensor, indices: Tensor) -> Tensor:
    return torch.stack([rows[picked] for rows, picked in zip(x, indices, strict=True)])


def add_norm(
    x: Tensor,
    residual: Tensor | None,
    weight: Tensor,
    bias: Tensor | None = None,
    indices: Tensor | None = None,
    eps: float = 1e-5,
) -> tuple[Tensor, Tensor]:
    """Residual addition and RMSNorm, or LayerNorm where a bias is given: (normed, new residual)."""
    x, residual, weight, bias = double(x, residual, weight, bias)
    if residual is not None:
        x = x + (residual if indices is None else _gather_rows(residual, indices))
    elif indices is not None:
        x = _gather_rows(x, indices)
    centred = x if bias is None else x - x.mean(-1, keepdim=True)
    normed = centred / torch.sqrt((centred**2).mean(-1, keepdim=True) + eps) * weight
    return (normed if bias is None else normed + bias), x


def gate(y: Tensor, z: Tensor, indices: Tensor | None = None) -> Tensor:
    """y * silu(z), of the rows that ``indices`` (B, K) pick in each batch row, or of all."""
    y, z = double(y, z)
    out = y * _silu(z)
    return out if indices is None else _gather_rows(out, indices)
