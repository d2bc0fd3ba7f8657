"""What forward promises: batches, packed sequences, and which labels a pruned pass scores."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from small_models import assert_close, random_ids, small_model


@pytest.fixture(scope="module")
def model():
    return small_model()


@torch.no_grad()
def test_dense_loss_scores_every_next_token(model):
    ids = random_ids(3, 20)
    out = model(ids, labels=ids)
    assert out.logits.shape == (3, 20, 37) and out.logits.dtype == torch.float32
    expected = F.cross_entropy(out.logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    torch.testing.assert_close(out.loss, expected)
    assert model(ids).loss is None


@torch.no_grad()
def test_pruned_loss_scores_the_continuation_alone(model):
    ids = random_ids(2, 40)
    out = model(ids, labels=ids, retention=0.3, context=25)
    assert out.logits.shape == (2, 16, 37)
    states, last = model.prefill(ids[:, :25], 0.3)
    after, _ = model.extend(states, ids[:, 25:])
    scored = torch.cat([last[:, None], after[:, :-1]], dim=1)  # before each of the 15 tokens
    expected = F.cross_entropy(scored.flatten(0, 1), ids[:, 25:].flatten())
    torch.testing.assert_close(out.loss, expected)

    labels = ids.clone()
    labels[:, :25] = 0  # the context's labels do not matter
    assert torch.equal(model(ids, labels=labels, retention=0.3, context=25).loss, out.loss)
    labels[:, 30:] = -100
    ignoring = model(ids, labels=labels, retention=0.3, context=25).loss
    expected = F.cross_entropy(scored[:, :5].flatten(0, 1), ids[:, 25:30].flatten())
    torch.testing.assert_close(ignoring, expected)


@torch.no_grad()
def test_retention_1_is_dense(model):
    ids = random_ids(2, 30)
    dense = model(ids).logits
    assert_close(model(ids, retention=1, context=12).logits, dense[:, 11:])


@torch.no_grad()
def test_a_context_may_be_the_whole_sequence(model):
    ids = random_ids(2, 30)
    out = model(ids, retention=0.5, context=30)
    _, last = model.prefill(ids, 0.5)
    assert torch.equal(out.logits[:, 0], last)
    packed = model(ids.reshape(1, -1), retention=0.5, context=30, cu_seqlens=[0, 30, 60])
    assert_close(packed.logits[0], last)


@torch.no_grad()
@pytest.mark.parametrize("as_tensor", [False, True])
def test_packed_sequences_are_each_alone(model, as_tensor):
    lengths, contexts = [40, 9, 1, 21], [25, 9, 1, 4]
    sequences = [random_ids(1, n, seed=n) for n in lengths]
    ids = torch.cat(sequences, dim=1)
    cu_seqlens = [0, 40, 49, 50, 71]
    if as_tensor:
        cu_seqlens = torch.tensor(cu_seqlens, dtype=torch.int32)

    dense = [model(s, labels=s) for s in sequences]
    out = model(ids, labels=ids, cu_seqlens=cu_seqlens)
    assert_close(out.logits, torch.cat([one.logits for one in dense], dim=1))
    scored = [n - 1 for n in lengths]
    total = sum(one.loss * n for one, n in zip(dense, scored, strict=True) if n)
    torch.testing.assert_close(out.loss, total / sum(scored))

    pruned = [
        model(s, labels=s, retention=0.3, context=c)
        for s, c in zip(sequences, contexts, strict=True)
    ]
    out = model(ids, labels=ids, retention=0.3, context=contexts, cu_seqlens=cu_seqlens)
    assert_close(out.logits, torch.cat([one.logits for one in pruned], dim=1))
    scored = [n - c for n, c in zip(lengths, contexts, strict=True)]
    total = sum(one.loss * n for one, n in zip(pruned, scored, strict=True) if n)
    torch.testing.assert_close(out.loss, total / sum(scored))


@torch.no_grad()
def test_empty_sequences_are_read_and_score_nothing(model):
    ids = random_ids(1, 12)
    expected = model(ids, labels=ids, cu_seqlens=[0, 5, 12])
    out = model(ids, labels=ids, cu_seqlens=[0, 0, 5, 5, 12, 12])
    assert torch.equal(out.logits, expected.logits) and torch.equal(out.loss, expected.loss)


@torch.no_grad()
def test_a_retention_for_each_packed_sequence(model):
    first, second = random_ids(1, 30, seed=1), random_ids(1, 20, seed=2)
    _, last = model.prefill(torch.cat([first, second], 1), ["0.2", 1], cu_seqlens=[0, 30, 50])
    assert_close(last[:1], model.prefill(first, "0.2")[1])
    assert_close(last[1:], model.prefill(second, 1)[1])


@torch.no_grad()
def test_extend_leaves_its_states_alone(model):
    states, _ = model.prefill(random_ids(2, 30), 0.5)
    before = [(state.ssm.clone(), state.conv.clone()) for state in states]
    first, _ = model.extend(states, random_ids(2, 3))
    again, _ = model.extend(states, random_ids(2, 3))
    assert torch.equal(first, again)
    for state, (ssm, conv) in zip(states, before, strict=True):
        assert torch.equal(state.ssm, ssm) and torch.equal(state.conv, conv)


@torch.no_grad()
def test_autocast(model):
    """bfloat16 within the rounding of its 8 bits; states and logits stay wide."""
    ids = random_ids(2, 40)
    expected = model(ids, labels=ids, retention=0.5, context=20)
    with torch.autocast("cpu", torch.bfloat16):
        out = model(ids, labels=ids, retention=0.5, context=20)
        states, _ = model.prefill(ids, 0.5)
    assert out.logits.dtype == states[0].ssm.dtype == torch.float32
    assert states[0].conv.dtype == torch.bfloat16
    assert abs(out.loss - expected.loss) < 0.02 * expected.loss
    assert not torch.equal(out.logits, expected.logits)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"context": 5}, "retention: expected a number beside context"),
        ({"retention": 0.5}, "context: expected the number of the context's tokens, got None"),
        ({"retention": 0.5, "context": 0}, "context: expected 1 to 20 tokens of a sequence of 20, got 0"),
        ({"retention": 0.5, "context": 21}, "context: expected 1 to 20 tokens .* got 21"),
        ({"retention": 0.5, "context": [1, 2]}, "context: expected one number, or 1, got 2"),
        ({"retention": 0, "context": 5}, "retention: expected a decimal"),
        ({"cu_seqlens": [0, 7]}, "cu_seqlens: expected rising bounds from 0 to 20"),
        ({"cu_seqlens": [0, 9, 7, 20]}, "cu_seqlens: expected rising bounds"),
        ({"cu_seqlens": []}, r"cu_seqlens: expected rising bounds from 0 to 20, got \[\]"),
        ({"cu_seqlens": [0, 9.5, 20]}, r"cu_seqlens: expected rising bounds .*, got \[0, 9.5, 20\]"),
        (
            {"cu_seqlens": torch.tensor([0.0, 20.0])},
            r"cu_seqlens: expected integers of shape \(S \+ 1\), got torch.float32 \(2,\)",
        ),
        ({"cu_seqlens": torch.tensor(20)}, r"cu_seqlens: .* got torch.int64 \(\)"),
        ({"retention": 0.5, "context": 9.5}, "context: expected 1 to 20 tokens .* got 9.5"),
        ({"retention": 0.5, "context": [9.5]}, "context: expected 1 to 20 tokens .* got 9.5"),
        (
            {"retention": 0.5, "context": 9, "kept": [torch.zeros(1, 3, dtype=torch.int64)]},
            r"kept: layer 0: expected indices \(1, 8\), got \(1, 3\)",
        ),
        ({"retention": 0.5, "context": 9, "kept": []}, "kept: layer 0: .* got None"),
    ],
)
def test_wrong_arguments(model, arguments, message):
    with torch.no_grad(), pytest.raises(ValueError, match=message):
        model(random_ids(1, 20), **arguments)


@torch.no_grad()
@pytest.mark.parametrize("bounds", [[0, 6], [2, 12], [0, 14], [0, 9, 7, 12]])
@pytest.mark.parametrize("call", ["forward", "prefill"])
def test_bounds_in_a_tensor_are_checked_where_tokens_are_dropped(model, bounds, call):
    ids, options = random_ids(1, 12), {"cu_seqlens": torch.tensor(bounds, dtype=torch.int32)}
    said = f"cu_seqlens: expected rising bounds from 0 to 12, got {re.escape(str(bounds))}"
    with pytest.raises(ValueError, match=said):
        if call == "forward":
            model(ids, retention=0.5, context=1, **options)
        else:
            model.prefill(ids, 0.5, **options)


@torch.no_grad()
def test_numpys_numbers(model):
    ids = random_ids(1, 20)
    expected = model(ids, retention=0.5, context=8).logits
    assert torch.equal(model(ids, retention=np.float32(0.5), context=np.int64(8)).logits, expected)
    bounds = [0, 8, 20]
    expected = model(ids, retention=0.5, context=[3, 5], cu_seqlens=bounds).logits
    given = {"context": np.array([3, 5]), "cu_seqlens": np.array(bounds, np.int32)}
    assert torch.equal(model(ids, retention=0.5, **given).logits, expected)


@torch.no_grad()
def test_labels_of_any_integer_type(model):
    ids = random_ids(2, 20)
    for arguments in ({}, {"retention": 0.5, "context": 8}):
        expected = model(ids, labels=ids, **arguments).loss
        assert torch.equal(model(ids.int(), labels=ids.int(), **arguments).loss, expected)


def test_states_of_too_few_layers(model):
    with torch.no_grad(), pytest.raises(ValueError, match="states: expected one of each of 4 .* got 2"):
        states, _ = model.prefill(random_ids(1, 9))
        model.extend(states[:2], random_ids(1, 3))


@pytest.mark.parametrize("shape", [(20,), (1, 2, 10)])
def test_wrong_shapes(model, shape):
    with pytest.raises(ValueError, match=r"input_ids: expected a shape \(B, L\)"):
        model(random_ids(*shape))


def test_an_empty_context(model):
    with torch.no_grad(), pytest.raises(ValueError, match="contexts of at least 1 token"):
        model.prefill(random_ids(1, 5), 0.5, cu_seqlens=[0, 0, 5])
