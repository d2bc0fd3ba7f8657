"""Gradients of dense and pruned losses, against the same module on the operators' definitions."""

from __future__ import annotations

import pytest
import torch
from small_models import random_ids, small_model

from simba_ssm import reference
from simba_ssm.modeling import block

PASSES = {
    "dense": {},
    "pruned": {"retention": 0.3, "context": 20},
    "packed": {"retention": 0.3, "context": [10, 21], "cu_seqlens": [0, 14, 46]},
}


class Definitions:
    """In place of simba_ssm.ops: plain float64 PyTorch, which autograd differentiates by itself."""

    selective_scan = staticmethod(reference.selective_scan)
    causal_conv1d = staticmethod(reference.causal_conv1d)
    gate = staticmethod(reference.gate)

    @staticmethod
    def add_norm(x, residual, weight, bias, indices, eps, _residual_in_fp32):
        return reference.add_norm(x, residual, weight, bias, indices, eps)


def gradients(model, arguments, run=None) -> dict[str, torch.Tensor]:
    shape = (1, 46) if "cu_seqlens" in arguments else (2, 30)
    ids = random_ids(*shape)
    model.zero_grad()
    (model if run is None else run)(ids, labels=ids, **arguments).loss.backward()
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


def assert_same(ours: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert ours.keys() == expected.keys()
    for name, gradient in expected.items():
        assert gradient.abs().max() > 0, name
        assert (ours[name] - gradient).abs().max() <= 1e-9 * gradient.abs().max(), name


@pytest.mark.parametrize("kind", PASSES)
@pytest.mark.parametrize("changes", [{}, {"rms_norm": False, "projection_bias": True}], ids=["rms", "layer"])
def test_gradients(monkeypatch, kind, changes):
    """Those through the states and those through the kept tokens, of every parameter."""
    model = small_model(**changes).double()
    ours = gradients(model, PASSES[kind])
    monkeypatch.setattr(block, "ops", Definitions)
    assert_same(ours, gradients(model, PASSES[kind]))


@pytest.mark.parametrize("kind", ["dense", "pruned"])
def test_compiled(kind):
    torch.compiler.reset()
    model = small_model(n_layer=2).double()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    assert_same(gradients(model, PASSES[kind], compiled), gradients(model, PASSES[kind]))


def test_states_carry_gradients():
    """What prefill gives and extend takes: the loss of the second part reaches the first."""
    model = small_model().double()
    ids = random_ids(2, 30)
    states, last = model.prefill(ids[:, :20], 0.3)
    logits, _ = model.extend(states, ids[:, 20:])
    rows = torch.cat([last[:, None], logits[:, :-1]], dim=1)
    model.zero_grad()
    torch.nn.functional.cross_entropy(rows.flatten(0, 1), ids[:, 20:].flatten()).backward()
    ours = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    assert_same(ours, gradients(model, PASSES["pruned"]))


def test_autocast():
    """Parameters stay float32, and so do their gradients; bfloat16 moves them by its rounding."""
    model = small_model()
    expected = gradients(model, PASSES["pruned"])
    with torch.autocast("cpu", torch.bfloat16):
        ours = gradients(model, PASSES["pruned"])
    for name, gradient in expected.items():
        assert ours[name].dtype == torch.float32
        assert (ours[name] - gradient).norm() <= 0.1 * gradient.norm(), name
