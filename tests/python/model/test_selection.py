"""What every layer of a real model keeps, against the float64 definition."""

from __future__ import annotations

import pytest
import torch
from checkpoints import CHECKPOINTS, DEMO, context_ids

import simba_ssm
from simba_ssm import reference

T = 1024


class Layers:
    """Observer that records one prefill."""

    def __init__(self):
        self.inputs, self.kept = [], []

    def __call__(self, _layer, _tokens, inputs, kept):
        self.inputs.append(inputs)
        self.kept.append(kept)


def run(folder, decay: str, tokens: int = T) -> Layers:
    model = simba_ssm.Simba.from_pretrained(folder, dtype=torch.float32, retention=0.1, decay=decay)
    layers = Layers()
    model.prefill([context_ids(folder, tokens)], observer=layers)
    return layers


def definition(inputs, decay: str) -> torch.Tensor:
    """The largest over channels, 16 of them at a time: all at once their terms leave the caches."""
    parts = [slice(first, first + 16) for first in range(0, inputs.u.shape[2], 16)]
    scores = [
        reference.influence_scores(
            inputs.u[..., part], inputs.delta[..., part], inputs.A[part], inputs.B, inputs.C,
            inputs.delta_bias[part], decay=decay, reduction="max",
        )
        for part in parts
    ]  # fmt: skip
    return torch.stack(scores).amax(0)


@pytest.mark.parametrize("decay", ["no_bias", "full", "none"])
@pytest.mark.parametrize("folder", CHECKPOINTS, ids=lambda folder: folder.name)
def test_kept_tokens_are_the_definition_s(folder, decay):
    layers = run(folder, decay)
    for layer, (inputs, kept) in enumerate(zip(layers.inputs[:-1], layers.kept[:-1], strict=True)):
        scores = definition(inputs, decay)
        expected = reference.select_tokens(scores, kept.indices.shape[1])
        ours, theirs = set(kept.indices[0].tolist()), set(expected[0].tolist())
        swapped_in, swapped_out = sorted(ours - theirs), sorted(theirs - ours)
        assert len(swapped_in) <= 0.001 * len(ours), f"layer {layer}"
        for index in swapped_in + swapped_out:
            exact, fast = scores[0, index].item(), kept.scores[0, index].item()
            assert abs(exact - fast) <= 1e-5 * max(1.0, abs(exact)), f"layer {layer}, token {index}"


def overlap_with_recent(layers: Layers, tokens: int) -> float:
    """Mean over the layers that drop of the share of kept tokens that `recent` would keep there."""
    shares = []
    for inputs, kept in zip(layers.inputs[:-1], layers.kept[:-1], strict=True):
        positions = inputs.positions[kept.indices[0]]
        shares.append((positions >= tokens - len(positions)).double().mean().item())
    return sum(shares) / len(shares)


@pytest.mark.parametrize("folder", CHECKPOINTS, ids=lambda folder: folder.name)
def test_full_decay_is_not_recency(folder):
    assert overlap_with_recent(run(folder, "full", 2048), 2048) < 0.9


def test_products_equal_torch_s_flop_counter():
    from torch.utils.flop_counter import FlopCounterMode

    model = simba_ssm.Simba.from_pretrained(DEMO, dtype=torch.float32, retention="0.5")
    # T (1 - l / 22) with 11 * 32 = 352 tokens: whole numbers in every layer.
    T, L, d_model, N, K = 352, 12, 256, 16, 4
    D, dt_rank = 2 * d_model, d_model // 16
    ids = context_ids(DEMO, T)
    with FlopCounterMode(display=False) as counter:
        model.prefill([ids])
    counted = model.flops(T)
    layers = [352 - 16 * l for l in range(L)]
    not_products = sum(n * (2 * K * D + 9 * D * N) for n in layers)
    expected = counted.prefill - not_products + counted.head
    assert model.plan.tokens_per_layer(T, L) == layers
    assert counter.get_total_flops() == expected
