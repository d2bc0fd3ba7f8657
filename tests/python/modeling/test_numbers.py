"""The module against the C++ model on the same weights, and against transformers."""

from __future__ import annotations

import pytest
import torch
from checkpoints import CHECKPOINTS, context_ids
from small_models import Layers, assert_close, cpp_model, random_ids, small_model

from hugging_face import mamba_from_state_spaces
from simba_ssm import Simba
from simba_ssm.modeling import SimbaForCausalLM

SHAPES = {
    "default": {},
    "untied, biases": {"tie_embeddings": False, "projection_bias": True, "conv_bias": False},
    "LayerNorm": {"rms_norm": False, "residual_in_fp32": False, "norm_epsilon": 1e-4},
    "odd expansion": {"d_inner": 41},
    "one layer": {"n_layer": 1},
    "width 1, one state": {"d_conv": 1, "d_state": 1},
}


def assert_states_close(ours, theirs) -> None:
    for layer, (our, their) in enumerate(zip(ours, theirs.layers, strict=True)):
        assert our.ssm.shape == their.ssm.shape and our.conv.shape == their.conv.shape
        for name in ("ssm", "conv"):
            actual, expected = getattr(our, name), getattr(their, name)
            if expected.numel():
                difference = (actual - expected).abs().max()
                bound = 1e-5 * expected.square().mean().sqrt()
                assert difference <= bound, f"layer {layer}, {name}"


@torch.no_grad()
@pytest.mark.parametrize("retention", ["1", "0.4", "0.05"])
@pytest.mark.parametrize("shape", SHAPES)
def test_states_and_logits_are_the_cpp_model_s(shape, retention):
    model = small_model(**SHAPES[shape])
    cpp, plan = cpp_model(model), Simba.make_plan(retention)
    lengths = [50, 3, 27]
    sequences = [random_ids(n, seed=n) for n in lengths]
    layers = Layers()
    state, last = cpp.prefill(sequences, plan=plan, observer=layers)
    ids = torch.cat(sequences)[None]
    states, logits = model.prefill(
        ids, retention, cu_seqlens=[0, 50, 53, 80], kept=layers.indices
    )
    assert_close(logits, last)
    assert_states_close(states, state)

    more = [random_ids(n, seed=10 + n) for n in (4, 0, 9)]
    expected = cpp.extend(state, more)
    logits, states = model.extend(states, torch.cat(more)[None], cu_seqlens=[0, 4, 4, 13])
    assert_close(logits[0], expected)
    assert_states_close(states, state)


@torch.no_grad()
@pytest.mark.parametrize("retention", ["1", "0.1"])
@pytest.mark.parametrize("folder", CHECKPOINTS, ids=lambda folder: folder.name)
def test_checkpoints(folder, retention):
    ids = context_ids(folder, 400)
    layers = Layers()
    cpp = Simba.from_pretrained(folder, dtype=torch.float32, retention=retention)
    state, last = cpp.prefill([ids[:350]], observer=layers)
    after = cpp.extend(state, [ids[350:]])
    model = SimbaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    out = model(ids[None], retention=retention, context=350, kept=layers.indices)
    assert_close(out.logits[0], torch.cat([last, after]))
    # Its own choice is the same but for near-ties.
    own = model(ids[None], retention=retention, context=350)
    assert_close(own.logits[0], out.logits[0], relative=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("folder", CHECKPOINTS, ids=lambda folder: folder.name)
def test_dense_logits_are_transformers(folder):
    ids = context_ids(folder, 64)[None]
    expected = mamba_from_state_spaces(folder)(ids, labels=ids, use_cache=False)
    model = SimbaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    out = model(ids, labels=ids)
    assert_close(out.logits, expected.logits, relative=1e-4)
    assert abs(out.loss - expected.loss) <= 1e-5 * expected.loss


@torch.no_grad()
def test_float64():
    model = small_model().double()
    ids = random_ids(2, 30)
    states, logits = model.prefill(ids, 0.3)
    assert logits.dtype == states[0].ssm.dtype == states[0].conv.dtype == torch.float64
    _, expected = cpp_model(model).prefill(ids, plan=Simba.make_plan("0.3"))
    assert_close(logits, expected, relative=1e-13)
