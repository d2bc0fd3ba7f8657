"""transformers' Mamba with a pruned context, in memory."""

from __future__ import annotations

import pytest
import torch
from small_models import assert_close, random_ids, small_model
from transformers import MambaConfig, MambaForCausalLM

from simba_ssm import sparsify
from simba_ssm.modeling import Pruning


@pytest.fixture
def theirs():
    torch.manual_seed(0)
    config = MambaConfig(vocab_size=37, hidden_size=24, state_size=5, num_hidden_layers=3)
    return MambaForCausalLM(config).eval()


@torch.no_grad()
@pytest.mark.parametrize("changes", [{}, {"tie_word_embeddings": False}, {"use_bias": True}])
def test_same_numbers_on_shared_parameters(changes):
    torch.manual_seed(0)
    sizes = {"vocab_size": 37, "hidden_size": 24, "state_size": 5, "num_hidden_layers": 3}
    theirs = MambaForCausalLM(MambaConfig(**sizes, **changes))
    ours = sparsify(theirs, retention=0.2, decay="full")
    assert ours.pruning == Pruning(retention=0.2, decay="full")
    assert ours.training
    ids = random_ids(2, 30)
    assert_close(ours(ids).logits, theirs(ids, use_cache=False).logits)
    assert {id(p) for p in ours.parameters()} == {id(p) for p in theirs.parameters()}
    theirs.backbone.layers[1].mixer.in_proj.weight.mul_(2)
    assert_close(ours(ids).logits, theirs(ids, use_cache=False).logits)


@torch.no_grad()
def test_its_retention_is_the_default(theirs):
    ids = random_ids(1, 30)
    ours = sparsify(theirs, retention=0.2)
    assert not ours.training
    states, logits = ours.prefill(ids)
    assert torch.equal(logits, ours.prefill(ids, 0.2)[1])
    assert not torch.equal(logits, ours.prefill(ids, 1)[1])
    assert len(ours.generate(ids, max_new_tokens=3)[0]) == 3


def test_what_is_frozen_stays_frozen(theirs):
    theirs.requires_grad_(False)
    theirs.backbone.layers[1].mixer.dt_proj.requires_grad_(True)
    before = {name: p.requires_grad for name, p in theirs.named_parameters()}
    ours = sparsify(theirs)
    assert {name: p.requires_grad for name, p in theirs.named_parameters()} == before
    learning = [name for name, p in ours.named_parameters() if p.requires_grad]
    assert learning == [f"backbone.layers.1.mixer.dt_proj.{of}" for of in ("weight", "bias")]


def test_another_family():
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    sizes = {"hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1}
    other = GPTNeoXForCausalLM(GPTNeoXConfig(vocab_size=7, intermediate_size=8, **sizes))
    with pytest.raises(ValueError, match="model: expected a MambaForCausalLM, got GPTNeoX"):
        sparsify(other)


@pytest.mark.parametrize("other", [small_model(n_layer=1), torch.nn.Linear(2, 2)])
def test_another_class(other):
    name = type(other).__name__
    with pytest.raises(ValueError, match=f"model: expected a MambaForCausalLM, got {name}"):
        sparsify(other)
