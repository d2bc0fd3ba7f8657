"""What Python adds to the operators: fakes for tracing, and a clear error from the backward of
those that have no gradient (_autograd.py has the others).
"""

from __future__ import annotations

import torch
from torch import Tensor


def _accumulate_type(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def _sequences(batch: int, cu_seqlens: Tensor | None) -> int:
    return batch if cu_seqlens is None else cu_seqlens.shape[0] - 1


@torch.library.register_fake("simba::selective_scan")
def _(
    u, delta, A, B, C, D=None, z=None, delta_bias=None, initial_state=None, cu_seqlens=None,
    delta_softplus=False,
):  # fmt: skip
    state = (_sequences(u.shape[0], cu_seqlens), *A.shape)
    return u.new_empty(u.shape), u.new_empty(state, dtype=_accumulate_type(u.dtype))


def _empty_where(present: bool, lead: Tensor, shape, dtype: torch.dtype) -> Tensor:
    return lead.new_empty(shape if present else (0,), dtype=dtype)


@torch.library.register_fake("simba::selective_scan_backward")
def _(
    u, delta, A, B, C, D, z, delta_bias, initial_state, cu_seqlens, delta_softplus, grad_out,
    grad_last_state=None,
):  # fmt: skip
    acc = _accumulate_type(u.dtype)
    state = (_sequences(u.shape[0], cu_seqlens), *A.shape)
    return (
        u.new_empty(u.shape),
        u.new_empty(u.shape),
        u.new_empty(A.shape, dtype=acc),
        u.new_empty(B.shape),
        u.new_empty(C.shape),
        _empty_where(D is not None, u, A.shape[:1], acc),
        _empty_where(z is not None, u, u.shape, u.dtype),
        _empty_where(delta_bias is not None, u, A.shape[:1], acc),
        _empty_where(initial_state is not None, u, state, acc),
    )


@torch.library.register_fake("simba::influence_scores")
def _(
    u, delta, A, B, C, delta_bias=None, cu_seqlens=None, decay="no_bias", reduction="max"
):  # fmt: skip
    return u.new_empty(u.shape[:2], dtype=_accumulate_type(u.dtype))


@torch.library.register_fake("simba::select_tokens")
def _(scores, keep):
    return scores.new_empty((scores.shape[0], keep), dtype=torch.int64)


@torch.library.register_fake("simba::select_tokens.packed")
def _(scores, keep, cu_seqlens):
    indices = scores.new_empty((1, sum(keep)), dtype=torch.int64)
    return indices, scores.new_empty(cu_seqlens.shape, dtype=torch.int32)


@torch.library.register_fake("simba::causal_conv1d")
def _(x, weight, bias=None, initial_state=None, cu_seqlens=None, silu=False):
    state = (_sequences(x.shape[0], cu_seqlens), x.shape[2], weight.shape[1] - 1)
    return x.new_empty(x.shape), x.new_empty(state)


@torch.library.register_fake("simba::causal_conv1d_backward")
def _(x, weight, bias, initial_state, cu_seqlens, silu, grad_out, grad_last_state=None):
    acc = _accumulate_type(x.dtype)
    state = (_sequences(x.shape[0], cu_seqlens), x.shape[2], weight.shape[1] - 1)
    return (
        x.new_empty(x.shape),
        x.new_empty(weight.shape, dtype=acc),
        _empty_where(bias is not None, x, weight.shape[:1], acc),
        _empty_where(initial_state is not None, x, state, x.dtype),
    )


@torch.library.register_fake("simba::add_norm")
def _(x, residual, weight, bias=None, indices=None, eps=1e-5, residual_in_fp32=False):
    rows = x.shape[1] if indices is None else indices.shape[1]
    shape = (x.shape[0], rows, x.shape[2])
    wide = residual_in_fp32 or (residual is not None and residual.dtype != x.dtype)
    dtype = _accumulate_type(x.dtype) if wide else x.dtype
    return x.new_empty(shape), x.new_empty(shape, dtype=dtype)


@torch.library.register_fake("simba::add_norm_backward")
def _(
    new_residual, weight, bias, indices, eps, grad_normed, grad_new_residual, has_residual, length
):  # fmt: skip
    batch, kept, channels = grad_normed.shape
    acc, source = _accumulate_type(grad_normed.dtype), (batch, length, channels)
    return (
        grad_normed.new_empty((batch, kept, channels) if has_residual else source),
        _empty_where(has_residual, new_residual, source, new_residual.dtype),
        grad_normed.new_empty(weight.shape, dtype=acc),
        _empty_where(bias is not None, grad_normed, weight.shape, acc),
    )


@torch.library.register_fake("simba::gate")
def _(y, z, indices=None):
    rows = y.shape[1] if indices is None else indices.shape[1]
    return y.new_empty((y.shape[0], rows, y.shape[2]))


@torch.library.register_fake("simba::gate_backward")
def _(y, z, indices, grad_out):
    return y.new_empty(y.shape), y.new_empty(y.shape)


@torch.library.register_fake("simba::selective_state_update")
def _(state, u, delta, A, B, C, D=None, z=None, delta_bias=None, delta_softplus=False):
    return u.new_empty(u.shape)


@torch.library.register_fake("simba::gemv")
def _(x, weight):
    return x.new_empty((x.shape[0], weight.shape[0]))


@torch.library.register_fake("simba::in_proj_step")
def _(hidden, residual, norm_weight, eps, in_proj, conv_state, conv_weight, conv_bias=None):
    u = hidden.new_empty((hidden.shape[0], conv_weight.shape[0]))
    new_residual = hidden.new_empty(hidden.shape, dtype=_accumulate_type(hidden.dtype))
    return u, torch.empty_like(u), new_residual


@torch.library.register_fake("simba::ssm_step")
def _(state, u, dt_B_C, dt_proj, A, D, z, delta_bias):
    return u.new_empty(u.shape)


def _raise(name: str):
    raise NotImplementedError(
        f"simba::{name} has no gradient; call it under torch.no_grad(), or detach its inputs."
    )


def _register_raising_backward(name: str) -> None:
    torch.library.register_autograd(f"simba::{name}", lambda ctx, *grads: _raise(name))


# Not select_tokens: its results are integers, which carry no gradient.
for _name in (
    "influence_scores", "gemv", "selective_scan_backward", "causal_conv1d_backward",
    "add_norm_backward", "gate_backward",
):  # fmt: skip
    _register_raising_backward(_name)


class _ChangeWithoutGradient(torch.autograd.Function):
    """Operator ``name``, which changes its argument ``changed`` in place."""

    @staticmethod
    def forward(ctx, keys, name, changed, *inputs):
        ctx.name = name
        ctx.mark_dirty(inputs[changed])
        outs = _below_autograd(keys, name, *inputs)
        return *(outs if isinstance(outs, tuple) else (outs,)), inputs[changed]

    @staticmethod
    def backward(ctx, *grads):
        _raise(ctx.name)


def _below_autograd(keys, name, *args):
    with torch._C._AutoDispatchBelowAutograd():
        return getattr(torch.ops.simba, name).default.redispatch(
            keys & torch._C._after_autograd_keyset, *args
        )


def _register_raising_change(name: str, changed: int) -> None:
    def autograd(keys, *args):
        if torch.is_grad_enabled() and torch._C._any_requires_grad(*args):
            *outs, _ = _ChangeWithoutGradient.apply(keys, name, changed, *args)
            return tuple(outs) if len(outs) > 1 else outs[0]
        return _below_autograd(keys, name, *args)

    _library.impl(name, autograd, "Autograd", with_keyset=True)


# register_autograd refuses operators that change an argument.
_library = torch.library.Library("simba", "IMPL")
_register_raising_change("selective_state_update", changed=0)
_register_raising_change("in_proj_step", changed=5)
_register_raising_change("ssm_step", changed=0)
