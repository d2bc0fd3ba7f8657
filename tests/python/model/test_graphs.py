"""CUDA graphs of prefills and of decoding against the same work as it is. On a GPU alone."""

from __future__ import annotations

import pytest
import torch
from checkpoints import DEMO, context_ids

import simba_ssm

CRITERIA = ["influence", "delta_norm", "delta", "recent", "spaced", "random"]


def load(dtype):
    return simba_ssm.Simba.from_pretrained(DEMO, device="cuda", dtype=dtype)


def assert_same(ours, expected):
    assert torch.equal(ours[1], expected[1])
    assert ours[0].lengths == expected[0].lengths
    for a, b in zip(ours[0].layers, expected[0].layers, strict=True):
        assert torch.equal(a.ssm, b.ssm)
        assert torch.equal(a.conv, b.conv)


@pytest.mark.parametrize("device", ["cuda"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("criterion", [None, *CRITERIA])
@pytest.mark.parametrize("lengths", [(300,), (300, 17, 64)], ids=str)
def test_replays_equal_passes_as_they_are(device, dtype, criterion, lengths):
    plain, model = load(dtype), load(dtype)
    model.capture_prefills(2)
    plan = model.make_plan() if criterion is None else model.make_plan("0.2", criterion=criterion)
    ids = context_ids(DEMO, 2000).tolist()
    results = []
    for turn in range(5):
        contexts = [ids[100 * turn + s : 100 * turn + s + n] for s, n in enumerate(lengths)]
        results.append((model.prefill(contexts, plan=plan), plain.prefill(contexts, plan=plan)))
    for ours, expected in results:
        assert_same(ours, expected)
    state, _ = results[-1][0]
    expected_state, _ = results[-1][1]
    more = [[5, 6]] * len(lengths)
    assert torch.equal(model.extend(state, more), plain.extend(expected_state, more))


@pytest.mark.parametrize("device", ["cuda"])
def test_the_memory_of_graphs_is_bounded(device):
    model = load(torch.bfloat16)
    model.capture_prefills(2)
    used = []
    for length in range(100, 1000, 100):
        for _ in range(3):
            model.prefill([[7] * length])
        torch.cuda.synchronize()
        used.append(torch.cuda.memory_allocated(device))
    # Two graphs' results at any time, whatever came before.
    assert max(used[2:]) <= min(used[2:]) + 2**20


@pytest.mark.parametrize("device", ["cuda"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("sequences", [1, 3, 4, 9])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_decoding_follows_the_dense_model(device, dtype, sequences, temperature):
    """Each token is what a dense extension of the context by the tokens before it gives, near-ties
    apart, and two runs are the same."""
    model = load(dtype)
    ids = context_ids(DEMO, 400).tolist()
    contexts = [ids[s : 50 + 7 * s] for s in range(sequences)]
    options = {"max_new_tokens": 21, "temperature": temperature, "seed": 3}
    tokens = model.generate(contexts, **options)
    assert [len(row) for row in tokens] == [21] * sequences
    assert model.generate(contexts, **options) == tokens
    # Another model: its graph is captured anew.
    assert load(dtype).generate(contexts, **options) == tokens
    if temperature > 0:
        return
    state, logits = model.prefill(contexts)
    tolerance = {torch.float32: 1e-4}.get(dtype, 0.1)
    for step in range(21):
        picked = torch.tensor([row[step] for row in tokens], device=device)
        gap = logits.amax(1) - logits.gather(1, picked.unsqueeze(1))[:, 0]
        assert gap.max() <= tolerance * logits.square().mean().sqrt()
        logits = model.extend(state, picked.unsqueeze(1))
