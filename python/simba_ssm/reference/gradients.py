"""Gradients of the definitions in :mod:`simba_ssm.reference.layer`, by autograd."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from simba_ssm.reference.layer import add_norm, causal_conv1d, gate, selective_scan


def _gradients(op: Callable, inputs: dict, options: dict, grads: Sequence[Tensor | None]) -> tuple:
    """d(sum of op's results times ``grads``) by each of ``inputs``, None where that is None."""
    leaves = {
        name: None if tensor is None else tensor.detach().double().requires_grad_()
        for name, tensor in inputs.items()
    }
    with torch.enable_grad():
        outs = op(**leaves, **options)
        outs = outs if isinstance(outs, tuple) else (outs,)
        pairs = [(out, grad.double()) for out, grad in zip(outs, grads, strict=True)
                 if grad is not None and out.requires_grad]  # fmt: skip
    given = [leaf for leaf in leaves.values() if leaf is not None]
    found = iter(
        torch.autograd.grad(
            [out for out, _ in pairs], given, [grad for _, grad in pairs], materialize_grads=True
        )
        if pairs
        else [torch.zeros_like(leaf) for leaf in given]
    )
    return tuple(None if leaf is None else next(found) for leaf in leaves.values())


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
    """Gradients of u, delta, A, B, C, D, z, delta_bias and initial_state."""
    inputs = {
        "u": u, "delta": delta, "A": A, "B": B, "C": C, "D": D, "z": z, "delta_bias": delta_bias,
        "initial_state": initial_state,
    }  # fmt: skip
    options = {"cu_seqlens": cu_seqlens, "delta_softplus": delta_softplus}
    return _gradients(selective_scan, inputs, options, (grad_out, grad_last_state))


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
    """Gradients of x, weight, bias and initial_state."""
    inputs = {"x": x, "weight": weight, "bias": bias, "initial_state": initial_state}
    options = {"cu_seqlens": cu_seqlens, "silu": silu}
    return _gradients(causal_conv1d, inputs, options, (grad_out, grad_last_state))


def add_norm_backward(
    x: Tensor,
    residual: Tensor | None,
    weight: Tensor,
    bias: Tensor | None = None,
    indices: Tensor | None = None,
    eps: float = 1e-5,
    *,
    grad_normed: Tensor,
    grad_new_residual: Tensor | None = None,
) -> tuple[Tensor | None, ...]:
    """Gradients of x, residual, weight and bias."""
    inputs = {"x": x, "residual": residual, "weight": weight, "bias": bias}
    options = {"indices": indices, "eps": eps}
    return _gradients(add_norm, inputs, options, (grad_normed, grad_new_residual))


def gate_backward(
    y: Tensor, z: Tensor, indices: Tensor | None = None, *, grad_out: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of y and z."""
    return _gradients(gate, {"y": y, "z": z}, {"indices": indices}, (grad_out,))
