"""Typed functions over the operators ``torch.ops.simba.*`` (CPU and CUDA).

Letters in shapes: B batch, L length, D channels, N states, S sequences, K conv width (or kept
tokens).

Data tensors share one dtype, float32, float64, bfloat16 or float16, and one device; any strides
with a contiguous last dimension will do. Parameters (A, D, biases, weights) may have any of these
dtypes and are read in the accumulate type: float32, float64 for float64 data.

Packed input has B = 1 and ``cu_seqlens`` (S + 1, int32, on the same device): sequence s covers
positions cu_seqlens[s] to cu_seqlens[s + 1], and may be empty. Unpacked, S = B.

A wrong argument raises ValueError with one line that names the operator, the argument, what was
expected and what came. The values of ``cu_seqlens`` and of indices are checked on the CPU only.
Shapes of results never depend on data.

``selective_scan``, ``causal_conv1d``, ``add_norm`` and ``gate`` are differentiable, each by an
operator NAME_backward that keeps nothing but the forward's arguments (add_norm: its new residual)
and repeats bit for bit. Backward through any other operator, or twice, raises.

Definitions: :mod:`simba_ssm.reference`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

import simba_ssm._ops_registration  # noqa: F401  (fakes and raising gradients)
import simba_ssm._ops_autograd  # noqa: F401  (gradients)

_simba = torch.ops.simba


def _where_given(gradients: Sequence[Tensor], arguments: Sequence[object]) -> tuple:
    """The operators return empty gradients for absent arguments."""
    return tuple(
        None if argument is None else gradient
        for gradient, argument in zip(gradients, arguments, strict=True)
    )


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


def selective_scan_backward(
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
    *,
    grad_out: Tensor,
    grad_last_state: Tensor | None = None,
) -> tuple[Tensor | None, ...]:
    """Gradients of :func:`selective_scan`; its states are computed anew.

    Args:
        grad_out: (B, L, D) in u's dtype, of any strides.
        grad_last_state: (S, D, N) in the accumulate type; zeros where absent.

    Returns:
        Gradients of u, delta, A, B, C, D, z, delta_bias and initial_state in their shapes, None
        for an absent one: of data in u's dtype, of parameters and the state in the accumulate type.
    """
    gradients = _simba.selective_scan_backward(
        u, delta, A, B, C, D, z, delta_bias, initial_state, cu_seqlens, delta_softplus, grad_out,
        grad_last_state,
    )  # fmt: skip
    return _where_given(gradients, (u, delta, A, B, C, D, z, delta_bias, initial_state))


def influence_scores(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    delta_bias: Tensor | None = None,
    cu_seqlens: Tensor | None = None,
    decay: str = "no_bias",
    reduction: str = "max",
) -> Tensor:
    """log2 of every token's influence on the last token of its sequence (Simba, Eq. 4).

    Shapes as in :func:`selective_scan`; ``delta`` is raw: bias and softplus are applied here.

    Args:
        decay: Delta of the decay in the score: "no_bias" softplus(delta), "full" with the bias,
            "none" no decay at all.
        reduction: over channels: "max" of |dy|, "signed_max" (max(0, max dy)), "l1" or "l2".

    Returns:
        (B, L) float32 (float64 for float64 input). log2(0) is -inf; NaN stays NaN.
    """
    return _simba.influence_scores(u, delta, A, B, C, delta_bias, cu_seqlens, decay, reduction)


def select_tokens(
    scores: Tensor, keep: int | Sequence[int], cu_seqlens: Tensor | None = None
) -> Tensor | tuple[Tensor, Tensor]:
    """The ``keep`` highest-scoring tokens of each sequence, in their order.

    Of equal scores the later token is kept, NaN ranks below -inf, and the last token of a sequence
    is always kept.

    Args:
        scores: (B, L) float32 or float64.
        keep: tokens kept, 1 to L; with cu_seqlens one count for each sequence (0 for an empty one).

    Returns:
        Ascending indices (B, keep) int64. Packed: flat indices (1, sum of keep) and the kept
        tokens' own cu_seqlens (S + 1) int32.
    """
    if cu_seqlens is None:
        return _simba.select_tokens.default(scores, keep)
    return _simba.select_tokens.packed(scores, keep, cu_seqlens)


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


def causal_conv1d_backward(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    initial_state: Tensor | None = None,
    cu_seqlens: Tensor | None = None,
    silu: bool = False,
    *,
    grad_out: Tensor,
    grad_last_state: Tensor | None = None,
) -> tuple[Tensor | None, ...]:
    """Gradients of :func:`causal_conv1d`.

    Args:
        grad_out: (B, L, D) in x's dtype, of any strides.
        grad_last_state: (S, D, K - 1) in x's dtype; zeros where absent.

    Returns:
        Gradients of x, weight, bias and initial_state in their shapes, None for an absent one: of
        x and the state in x's dtype, of the parameters in the accumulate type.
    """
    gradients = _simba.causal_conv1d_backward(
        x, weight, bias, initial_state, cu_seqlens, silu, grad_out, grad_last_state
    )
    return _where_given(gradients, (x, weight, bias, initial_state))


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


def add_norm_backward(
    new_residual: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    indices: Tensor | None = None,
    eps: float = 1e-5,
    *,
    grad_normed: Tensor,
    grad_new_residual: Tensor | None = None,
    has_residual: bool = True,
    length: int | None = None,
) -> tuple[Tensor | None, ...]:
    """Gradients of :func:`add_norm`, from the new residual that it returned.

    Args:
        new_residual: (B, K, D).
        weight, bias, indices, eps: those of add_norm.
        grad_normed: (B, K, D) in x's dtype, of any strides.
        grad_new_residual: (B, K, D) in new_residual's dtype; zeros where absent.
        has_residual: whether add_norm was given a residual.
        length: L, the rows that indices pick from; K without indices.

    Returns:
        Gradients of x in its dtype, residual in new_residual's, weight and bias in the accumulate
        type; None for an absent one. Rows that no index picks get zeros.
    """
    if length is None:
        length = new_residual.shape[1]
    gradients = _simba.add_norm_backward(
        new_residual, weight, bias, indices, eps, grad_normed, grad_new_residual, has_residual,
        length,
    )  # fmt: skip
    return _where_given(gradients, (True, has_residual or None, weight, bias))


def gate(y: Tensor, z: Tensor, indices: Tensor | None = None) -> Tensor:
    """y * silu(z), of the rows that ``indices`` pick, or of all.

    Args:
        y, z: (B, L, D).
        indices: (B, K) int64, rows within each batch row.

    Returns:
        (B, K, D), or (B, L, D) without indices.
    """
    return _simba.gate(y, z, indices)


def gate_backward(
    y: Tensor, z: Tensor, indices: Tensor | None = None, *, grad_out: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of :func:`gate`; rows that no index picks get zeros.

    Args:
        grad_out: (B, K, D), or (B, L, D) without indices, in y's dtype, of any strides.

    Returns:
        Gradients of y and z, (B, L, D).
    """
    return _simba.gate_backward(y, z, indices, grad_out)


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
