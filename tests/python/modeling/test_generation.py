"""Decoding by the C++ model on the module's own weights."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from checkpoints import DEMO, context_ids
from small_models import random_ids, small_model

from simba_ssm import Simba
from simba_ssm.modeling import Pruning, SimbaForCausalLM
from simba_ssm.modeling.generation import as_simba


@pytest.fixture(scope="module")
def model():
    return SimbaForCausalLM.from_pretrained(DEMO, dtype=torch.float32, retention=0.3)


def test_tokens_are_the_cpp_model_s(model):
    ids = context_ids(DEMO, 60).tolist()
    cpp = Simba.from_pretrained(DEMO, dtype=torch.float32, retention=0.3)
    options = {"max_new_tokens": 12, "temperature": 0.8, "top_k": 50, "top_p": 0.9, "seed": 3}
    contexts = [ids, ids[:9], ids[:33]]
    expected = cpp.generate(contexts, **options)
    assert model.generate(contexts, **options) == expected
    stop = expected[0][4]
    steps = list(model.stream(contexts, stop_ids=[stop], **options))
    assert steps == list(cpp.stream(contexts, stop_ids=[stop], **options))
    assert steps[0] == [row[0] for row in expected]


@torch.no_grad()
def test_greedy_equals_its_own_forward(model):
    ids = context_ids(DEMO, 60)[None]
    [tokens] = model.generate(ids, max_new_tokens=10)
    states, logits = model.prefill(ids)
    for token in tokens:
        # Near-ties apart: products of one row round otherwise than those of many.
        assert logits.max() - logits[0, token] <= 1e-4 * logits.square().mean().sqrt()
        after, states = model.extend(states, torch.tensor([[token]]))
        logits = after[:, 0]


def resident_bytes() -> int:
    """Private memory of this process, in bytes."""
    for line in open("/proc/self/smaps_rollup"):
        if line.startswith("Private_Dirty:"):
            return 1024 * int(line.split()[1])
    raise RuntimeError("no Private_Dirty in smaps_rollup")


def test_weights_are_not_copied():
    model = small_model(d_model=512, n_layer=8, vocab_size=8192, d_inner=1024, dt_rank=32).float()
    size = sum(p.numel() * p.element_size() for p in model.parameters())
    as_simba(small_model()).generate([[1, 2]], max_new_tokens=1)  # loads what is loaded once
    before = resident_bytes()
    as_simba(model)
    assert resident_bytes() - before < 0.05 * size


def test_changes_are_seen():
    model = small_model()
    ids = random_ids(1, 20)

    def differs_from_the_module(simba) -> float:
        with torch.no_grad():
            return (simba.prefill(ids)[1] - model.prefill(ids)[1]).abs().max().item()

    simba = as_simba(model)
    assert differs_from_the_module(simba) < 1e-4 and as_simba(model) is simba
    with torch.no_grad():
        # A is the one tensor that the C++ model does not share.
        model.backbone.layers[0].mixer.A_log.add_(2)
    assert differs_from_the_module(simba) > 1e-2
    assert differs_from_the_module(as_simba(model)) < 1e-4
    simba = as_simba(model)
    model.backbone.layers[1].mixer.A_log.data.add_(2)  # as fused optimizers do, unseen by _version
    assert differs_from_the_module(simba) > 1e-2
    assert differs_from_the_module(as_simba(model)) < 1e-4
    model.pruning = Pruning(retention=0.1, criterion="spaced")
    assert differs_from_the_module(as_simba(model)) < 1e-4
    model.double()
    assert differs_from_the_module(as_simba(model)) < 1e-12


def test_a_model_that_has_generated_can_be_copied_and_pickled():
    model = small_model()
    before = model.generate([[1, 2, 3]], max_new_tokens=4)
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert copied.generate([[1, 2, 3]], max_new_tokens=4) == before


def test_a_narrow_vector_that_changed_is_seen():
    model = small_model().bfloat16()
    before = as_simba(model)
    assert as_simba(model) is before
    model.backbone.layers[0].mixer.D.data.add_(1)
    assert as_simba(model) is not before


def test_bfloat16():
    model = SimbaForCausalLM.from_pretrained(DEMO, dtype=torch.bfloat16)
    ids = context_ids(DEMO, 60).tolist()
    cpp = Simba.from_pretrained(DEMO, dtype=torch.bfloat16)
    assert model.generate([ids], max_new_tokens=8) == cpp.generate([ids], max_new_tokens=8)
