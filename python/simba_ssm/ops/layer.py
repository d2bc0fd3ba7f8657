"""What a Mamba layer does with many tokens; these are differentiable."""

from __future__ import annotations

import torch
from torch import Tensor

_simba = torch.ops.simba


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
    """Mamba-1's selective scan (arXiv 2312.00752).

    dt = softplus(delta + delta_bias); h_t = exp(dt A) h_{t-1} + dt B_t u_t; y_t = C_t h_t + D u_t;
    the output is y, or y * silu(z). Softplus only on request.

    Args:
        u, delta, z: (B, L, D).
        A: (D, N), negative.
        B, C: (B, L, N).
        D, delta_bias: (D).
        initial_state: (S, D, N) in the accumulate type; zeros where absent.

    Returns:
        out (B, L, D) in u's dtype and last_state (S, D, N) in the accumulate type.
    """
    return _simba.selective_scan(
        u, delta, A, B, C, D, z, delta_bias, initial_state, cu_seqlens, delta_softplus
    )


def causal_conv1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    initial_state: Tensor | None = None,
    cu_seqlens: Tensor | None = None,
    silu: bool = False,
) -> tuple[Tensor, Tensor]:
    """Depthwise causal convolution along each sequence, then silu on request.

    out_t = bias + sum over k of weight[:, k] x_{t - (K - 1) + k}; x before the start is
    ``initial_state`` (the K - 1 newest inputs, oldest first) or zero.

    Args:
        x: (B, L, D).
        weight: (D, K).
        bias: (D).
        initial_state: (S, D, K - 1) in x's dtype.

    Returns:
        out (B, L, D) and last_state (S, D, K - 1), both in x's dtype.
    """
    return _simba.causal_conv1d(x, weight, bias, initial_state, cu_seqlens, silu)


def add_norm(
    x: Tensor,
    residual: Tensor | None,
    weight: Tensor,
    bias: Tensor | None = None,
    indices: Tensor | None = None,
    eps: float = 1e-5,
    residual_in_fp32: bool = False,
) -> tuple[Tensor, Tensor]:
    """s = x + residual, and its RMSNorm (LayerNorm where a bias is given) times weight.

    Gradients are taken from s as it is returned: in float32 nothing is lost.

    Args:
        x: (B, L, D); (B, K, D) with both residual and indices.
        residual: (B, L, D) in x's dtype or float32.
        weight, bias: (D).
        indices: (B, K) int64, rows of residual (of x without one) within each batch row.
        residual_in_fp32: return s in float32 (float64 for float64).

    Returns:
        The normed rows in x's dtype, and s: float32 on request or where residual was, else in x's.
    """
    return _simba.add_norm(x, residual, weight, bias, indices, eps, residual_in_fp32)


def gate(y: Tensor, z: Tensor, indices: Tensor | None = None) -> Tensor:
    """y * silu(z), of the rows that ``indices`` pick, or of all.

    Args:
        y, z: (B, L, D).
        indices: (B, K) int64, rows within each batch row.

    Returns:
        (B, K, D), or (B, L, D) without indices.
    """
    return _simba.gate(y, z, indices)
