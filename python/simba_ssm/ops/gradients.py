"""The gradients of :mod:`simba_ssm.ops.layer`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_simba = torch.ops.simba


def _where_given(gradients: Sequence[Tensor], arguments: Sequence[object]) -> tuple:
    """The operators return empty gradients for absent arguments."""
    return tuple(
        None if argument is None else gradient
        for gradient, argument in zip(gradients, arguments, strict=True)
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
