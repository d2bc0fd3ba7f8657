"""torch.compile without breaks, torch.export and AOTInductor, dense and pruned."""

from __future__ import annotations

import pytest
import torch
from compiler import require_shared_libstdcxx
from small_models import assert_close, random_ids, small_model
from torch import Tensor, nn

from simba_ssm.modeling import LayerState, Pruning, SimbaForCausalLM

PASSES = {
    "dense": {},
    "pruned": {"retention": 0.3, "context": 20},
    "spaced": {"retention": 0.3, "context": 20},
}


class Prefill(nn.Module):
    """A pruned prefill as a forward, which is what can be exported."""

    def __init__(self, model: SimbaForCausalLM, retention: float) -> None:
        super().__init__()
        self.model, self.retention = model, retention

    def forward(self, input_ids: Tensor) -> tuple[list[LayerState], Tensor]:
        return self.model.prefill(input_ids, self.retention)


@pytest.fixture
def model():
    torch.compiler.reset()
    return small_model(n_layer=2)


@torch.no_grad()
@pytest.mark.parametrize("kind", PASSES)
def test_compile(model, kind):
    if kind == "spaced":
        model.pruning = Pruning(criterion="spaced")
    compiled = torch.compile(model, fullgraph=True)
    ids = random_ids(2, 30)
    expected = model(ids, labels=ids, **PASSES[kind])
    out = compiled(ids, labels=ids, **PASSES[kind])
    assert_close(out.logits, expected.logits)
    torch.testing.assert_close(out.loss, expected.loss)


@torch.no_grad()
def test_every_number_may_change(model):
    """A second retention, context and length compile as the first do."""
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    for length, context, retention in [(30, 20, 0.3), (32, 12, 1 / 3), (33, 15, 1e-3)]:
        ids = random_ids(2, length)
        arguments = {"retention": retention, "context": context}
        assert_close(compiled(ids, **arguments).logits, model(ids, **arguments).logits)


@torch.no_grad()
def test_compile_packed(model):
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    ids = random_ids(1, 50)
    bounds = {"cu_seqlens": [0, 30, 50]}
    assert_close(compiled(ids, **bounds).logits, model(ids, **bounds).logits)
    arguments = bounds | {"retention": 0.3, "context": [20, 13]}
    out, expected = (f(ids, labels=ids, **arguments) for f in (compiled, model))
    assert_close(out.logits, expected.logits)
    torch.testing.assert_close(out.loss, expected.loss)


@torch.no_grad()
def test_export_dense(model):
    """Batch and length stay free."""
    sizes = {"input_ids": {0: torch.export.Dim("batch"), 1: torch.export.Dim("length", min=2)}}
    exported = torch.export.export(model, (random_ids(2, 30),), dynamic_shapes=sizes)
    for shape in [(2, 30), (1, 30), (5, 47)]:
        ids = random_ids(*shape)
        assert_close(exported.module()(ids).logits, model(ids).logits)


@torch.no_grad()
def test_export_pruned_prefill(model, tmp_path):
    """Saved and loaded again; how many tokens each layer keeps is in the program."""
    ids = random_ids(2, 30)
    exported = torch.export.export(Prefill(model, 0.3), (ids,))
    torch.export.save(exported, tmp_path / "prefill.pt2")
    program = torch.export.load(tmp_path / "prefill.pt2").module()
    other = random_ids(2, 30, seed=1)
    (states, logits), (expected, expected_logits) = program(other), model.prefill(other, 0.3)
    assert_close(logits, expected_logits)
    for state, expected_state in zip(states, expected, strict=True):
        assert_close(state.ssm, expected_state.ssm)
        assert_close(state.conv, expected_state.conv)


class Both(Prefill):
    """A dense forward's logits beside a pruned prefill: one package, as compiling each takes long."""

    def forward(self, input_ids: Tensor) -> tuple[Tensor, list[LayerState], Tensor]:
        return self.model(input_ids).logits, *super().forward(input_ids)


@torch.no_grad()
def test_ahead_of_time_inductor(model, tmp_path):
    require_shared_libstdcxx(tmp_path)
    package = torch._inductor.aoti_compile_and_package(
        torch.export.export(Both(model, 0.3), (random_ids(2, 30),)),
        package_path=str(tmp_path / "model.pt2"),
    )
    other = random_ids(2, 30, seed=1)
    dense, states, last = torch._inductor.aoti_load_package(package)(other)
    assert_close(dense, model(other).logits)
    expected, expected_last = model.prefill(other, 0.3)
    assert_close(last, expected_last)
    for state, expected_state in zip(states, expected, strict=True):
        assert_close(state.ssm, expected_state.ssm)
        assert_close(state.conv, expected_state.conv)
