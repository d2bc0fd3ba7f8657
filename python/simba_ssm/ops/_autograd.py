"""Gradients of the operators that have one: each calls its operator NAME_backward.

Only arguments are saved (of add_norm its new residual in place of x and residual, whose sum it is).
"""

from __future__ import annotations

import torch
from torch import Tensor

_simba = torch.ops.simba


def _like(gradient: Tensor, argument_dtype: torch.dtype | None) -> Tensor | None:
    """Of an argument of that dtype; None where it was absent."""
    return None if argument_dtype is None else gradient.to(argument_dtype)


def _dtypes(*arguments: Tensor | None) -> tuple[torch.dtype | None, ...]:
    return tuple(None if argument is None else argument.dtype for argument in arguments)


def _scan_setup(ctx, inputs, output):
    *tensors, cu_seqlens, ctx.delta_softplus = inputs
    ctx.save_for_backward(*tensors, cu_seqlens)
    ctx.dtypes = _dtypes(*tensors)


def _scan_backward(ctx, grad_out, grad_last_state):
    gradients = _simba.selective_scan_backward(
        *ctx.saved_tensors, ctx.delta_softplus, grad_out, grad_last_state
    )
    return *map(_like, gradients, ctx.dtypes), None, None


def _conv_setup(ctx, inputs, output):
    *tensors, cu_seqlens, ctx.silu = inputs
    ctx.save_for_backward(*tensors, cu_seqlens)
    ctx.dtypes = _dtypes(*tensors)


def _conv_backward(ctx, grad_out, grad_last_state):
    gradients = _simba.causal_conv1d_backward(
        *ctx.saved_tensors, ctx.silu, grad_out, grad_last_state
    )
    return *map(_like, gradients, ctx.dtypes), None, None


def _norm_setup(ctx, inputs, output):
    x, residual, weight, bias, indices, ctx.eps, _ = inputs
    ctx.save_for_backward(output[1], weight, bias, indices)
    ctx.dtypes = _dtypes(x, residual, weight, bias)
    ctx.length = (x if residual is None else residual).shape[1]


def _norm_backward(ctx, grad_normed, grad_new_residual):
    new_residual, weight, bias, indices = ctx.saved_tensors
    gradients = _simba.add_norm_backward(
        new_residual, weight, bias, indices, ctx.eps, grad_normed, grad_new_residual,
        ctx.dtypes[1] is not None, ctx.length,
    )  # fmt: skip
    grad_x, grad_residual, grad_weight, grad_bias = map(_like, gradients, ctx.dtypes)
    return grad_x, grad_residual, grad_weight, grad_bias, None, None, None


def _gate_setup(ctx, inputs, output):
    ctx.save_for_backward(*inputs)


def _gate_backward(ctx, grad_out):
    return *_simba.gate_backward(*ctx.saved_tensors, grad_out), None


torch.library.register_autograd(
    "simba::selective_scan", _scan_backward, setup_context=_scan_setup
)
torch.library.register_autograd(
    "simba::causal_conv1d", _conv_backward, setup_context=_conv_setup
)
torch.library.register_autograd("simba::add_norm", _norm_backward, setup_context=_norm_setup)
torch.library.register_autograd("simba::gate", _gate_backward, setup_context=_gate_setup)
