"""What a Mamba layer does with one token of each sequence.

On a GPU of capability 9.0, ``gemv``, ``in_proj_step`` and ``ssm_step`` fetch weights (``weight``,
``norm_weight``, ``in_proj``, ``dt_proj``) while the kernel launched before them on the stream is still
ending. Who has just written such a weight on that stream, or passes it strided or in another type, so
that a copy is made first, launches any other kernel in between or synchronises.
"""

from __future__ import annotations

import torch
from torch import Tensor

_simba = torch.ops.simba


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
) -> Tensor:
    """One step of :func:`selective_scan` (decoding); ``state`` is updated in place.

    Args:
        state: (S, D, N) in the accumulate type; any strides with a contiguous last dimension.
        u, delta, z: (S, D).
        A: (D, N).
        B, C: (S, N).
        D, delta_bias: (D).

    Returns:
        out (S, D) in u's dtype.
    """
    return _simba.selective_state_update(state, u, delta, A, B, C, D, z, delta_bias, delta_softplus)


def gemv(x: Tensor, weight: Tensor) -> Tensor:
    """x weight^T for few rows of x (decoding). No float64 on a GPU.

    Args:
        x: (S, K), S at most 4.
        weight: (M, K).

    Returns:
        (S, M) in x's dtype.
    """
    return _simba.gemv(x, weight)


def in_proj_step(
    hidden: Tensor,
    residual: Tensor | None,
    norm_weight: Tensor,
    eps: float,
    in_proj: Tensor,
    conv_state: Tensor,
    conv_weight: Tensor,
    conv_bias: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """The first half of a Mamba layer for one token of each sequence (decoding).

    r = hidden + residual; (x, z) = in_proj RMSNorm(r); u = silu(conv_bias + sum over k of
    conv_weight[:, k] window[k]), window being ``conv_state`` and then x. RMSNorm's result and x are
    rounded to hidden's dtype. ``conv_state`` is updated in place. No float64 on a GPU.

    Args:
        hidden: (S, d_model), S at most 4, and at most 46 KiB in all.
        residual: (S, d_model) in the accumulate type.
        norm_weight: (d_model).
        in_proj: (2 D, d_model), the rows of x before those of z.
        conv_state: (S, D, K - 1) in hidden's dtype, contiguous; oldest first.
        conv_weight: (D, K), K at most 32.
        conv_bias: (D).

    Returns:
        u and z (S, D) in hidden's dtype, and r (S, d_model) in the accumulate type.
    """
    return _simba.in_proj_step(
        hidden, residual, norm_weight, eps, in_proj, conv_state, conv_weight, conv_bias
    )


def ssm_step(
    state: Tensor,
    u: Tensor,
    dt_B_C: Tensor,
    dt_proj: Tensor,
    A: Tensor,
    D: Tensor,
    z: Tensor,
    delta_bias: Tensor,
) -> Tensor:
    """:func:`selective_state_update` with delta = dt_proj dt, rounded to u's dtype, and softplus.

    ``state`` is updated in place. No float64 on a GPU.

    Args:
        state: (S, D, N) in the accumulate type, contiguous.
        u, z: (S, D).
        dt_B_C: (S, R + 2 N): dt, B and C side by side, as x_proj gives them.
        dt_proj: (D, R).
        A: (D, N), negative.
        D, delta_bias: (D).

    Returns:
        out (S, D) in u's dtype.
    """
    return _simba.ssm_step(state, u, dt_B_C, dt_proj, A, D, z, delta_bias)
