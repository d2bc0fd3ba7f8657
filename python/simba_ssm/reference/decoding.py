"""What a Mamba layer does with one token of each sequence."""

from __future__ import annotations

from torch import Tensor

from simba_ssm.reference._float64 import double
from simba_ssm.reference.layer import add_norm, causal_conv1d, selective_scan


def selective_state_update(
    state: Tensor,
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    z: Tensor | None = None,
    delta_bias: Tensor | None = None,
    delta_softplus: bool = False,
) -> tuple[Tensor, Tensor]:
    """One step of :func:`selective_scan` from ``state``: (out (S, D), the state after it)."""
    step = [None if tensor is None else tensor[:, None] for tensor in (u, delta, B, C, z)]
    out, after = selective_scan(
        step[0], step[1], A, step[2], step[3], D, step[4], delta_bias, state, None, delta_softplus
    )
    return out[:, 0], after


def gemv(x: Tensor, weight: Tensor) -> Tensor:
    """x weight^T."""
    x, weight = double(x, weight)
    return x @ weight.mT


def in_proj_step(
    hidden: Tensor,
    residual: Tensor | None,
    norm_weight: Tensor,
    eps: float,
    in_proj: Tensor,
    conv_state: Tensor,
    conv_weight: Tensor,
    conv_bias: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One token of each sequence from the residual to the convolution: (u, z, the new residual,
    ``conv_state`` after it). Nothing is rounded on the way.
    """
    normed, new_residual = add_norm(
        hidden[None], None if residual is None else residual[None], norm_weight, eps=eps
    )
    xz = gemv(normed[0], in_proj)
    channels = conv_weight.shape[0]
    x, z = xz[:, :channels], xz[:, channels:]
    u, after = causal_conv1d(x[:, None], conv_weight, conv_bias, conv_state, silu=True)
    return u[:, 0], z, new_residual[0], after


def ssm_step(
    state: Tensor,
    u: Tensor,
    dt_B_C: Tensor,
    dt_proj: Tensor,
    A: Tensor,
    D: Tensor,
    z: Tensor,
    delta_bias: Tensor,
) -> tuple[Tensor, Tensor]:
    """dt_proj, then :func:`selective_state_update`: (out (S, D), the state after it). Nothing is
    rounded on the way.
    """
    states = A.shape[1]
    dt, B, C = dt_B_C.split([dt_proj.shape[1], states, states], dim=1)
    return selective_state_update(
        state, u, gemv(dt, dt_proj), A, B, C, D, z, delta_bias, delta_softplus=True
    )
