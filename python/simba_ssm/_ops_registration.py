"""What Python adds to the operators: fakes for tracing, and a clear error from backward."""

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


@torch.library.register_fake("simba::add_norm")
def _(x, residual, weight, bias=None, indices=None, eps=1e-5, residual_in_fp32=False):
    rows = x.shape[1] if indices is None else indices.shape[1]
    shape = (x.shape[0], rows, x.shape[2])
    wide = residual_in_fp32 or (residual is not None and residual.dtype != x.dtype)
    dtype = _accumulate_type(x.dtype) if wide else x.dtype
    return x.new_empty(shape), x.new_empty(shape, dtype=dtype)


@torch.library.register_fake("simba::gate")
def _(y, z, indices=None):
    rows = y.shape[1] if indices is None else indices.shape[1]
    return y.new_empty((y.shape[0], rows, y.shape[2]))


@torch.library.register_fake("simba::selective_state_update")
def _(state, u, delta, A, B, C, D=None, z=None, delta_bias=None, delta_softplus=False):
    return u.new_empty(u.shape)


def _raise(name: str):
    raise NotImplementedError(
        f"simba::{name} has no gradient; call it under torch.no_grad(), or detach its inputs."
    )


def _register_raising_backward(name: str) -> None:
    torch.library.register_autograd(f"simba::{name}", lambda ctx, *grads: _raise(name))


# Not select_tokens: its results are integers, which carry no gradient.
for _name in ("selective_scan", "influence_scores", "causal_conv1d", "add_norm", "gate"):
    _register_raising_backward(_name)


class _StateUpdateWithoutGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, keys, state, *inputs):
        ctx.mark_dirty(state)
        return _state_update_below_autograd(keys, state, *inputs), state

    @staticmethod
    def backward(ctx, *grads):
        _raise("selective_state_update")


def _state_update_below_autograd(keys, *args):
    with torch._C._AutoDispatchBelowAutograd():
        return torch.ops.simba.selective_state_update.default.redispatch(
            keys & torch._C._after_autograd_keyset, *args
        )


def _state_update_autograd(keys, *args):
    if torch.is_grad_enabled() and torch._C._any_requires_grad(*args):
        out, _ = _StateUpdateWithoutGradient.apply(keys, *args)
        return out
    return _state_update_below_autograd(keys, *args)


# register_autograd refuses operators that change an argument.
_library = torch.library.Library("simba", "IMPL")
_library.impl("selective_state_update", _state_update_autograd, "Autograd", with_keyset=True)
