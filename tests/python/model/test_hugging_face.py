"""The C++ model against transformers' Mamba with the same weights, activation by activation."""

from __future__ import annotations

import pytest
import torch
from checkpoints import CHECKPOINTS, context_ids

import simba_ssm
from hugging_face import activations, mamba_from_state_spaces


@pytest.mark.parametrize("folder", CHECKPOINTS, ids=lambda folder: folder.name)
def test_activations_and_logits(folder):
    ids = context_ids(folder, 300)
    expected, expected_logits = activations(mamba_from_state_spaces(folder), ids)
    model = simba_ssm.Simba.from_pretrained(folder, dtype=torch.float32)
    after = []
    state, last = model.prefill(
        [ids[:200]], observer=lambda _layer, tokens, _inputs, _kept: after.append(tokens.activations())
    )
    for layer, (ours, theirs) in enumerate(zip(after, expected, strict=True)):
        rms = theirs[:200].square().mean().sqrt()
        assert (ours - theirs[:200]).abs().max() <= 1e-4 * rms, f"layer {layer}"
    logits = model.extend(state, [ids[200:]])
    ours = torch.cat([last, logits])
    theirs = expected_logits[199:]
    assert (ours - theirs).abs().max() <= 1e-4 * theirs.square().mean().sqrt()
