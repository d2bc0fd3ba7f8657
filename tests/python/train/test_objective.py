"""Each term of the loss against its definition."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from naive_model import sparse_predictions
from simba_ssm.modeling import SimbaConfig, SimbaForCausalLM
from simba_ssm.train.config import LossConfig, SparseConfig
from simba_ssm.train.objective import (
    Objective,
    continuation_logits,
    dense_loss,
    divergence,
    document_bounds,
    nll,
    pruning_of,
)
from simba_ssm.train.truncation import truncated_length

SPARSE = SparseConfig("influence", "no_bias", "max", "linear", (0.1, 1.0), 0.0, 9)
CONFIG = SimbaConfig(d_model=12, n_layer=4, vocab_size=40, d_state=3)
RETENTIONS = ["0.3", "1", "0.05"]


def make_model(seed: int = 0, sparse: SparseConfig = SPARSE) -> SimbaForCausalLM:
    torch.manual_seed(seed)
    model = SimbaForCausalLM(CONFIG, pruning_of(sparse)).double()
    with torch.no_grad():
        # Larger than at the beginning of a training, so that tokens matter to one another.
        model.backbone.embedding.weight.normal_()
    return model


@pytest.fixture
def ids() -> torch.Tensor:
    return torch.randint(2, 40, (3, 34), generator=torch.Generator().manual_seed(1))


def objective(model, teacher=None, **weights: float) -> Objective:
    loss = LossConfig(**({"dense": 0, "sparse": 0, "distillation": 0, "temperature": 1} | weights))
    return Objective(model, loss, SPARSE, None, teacher)


def test_the_sparse_term_is_the_definitions(ids: torch.Tensor) -> None:
    model = make_model()
    loss, terms = objective(model, sparse=1.0)(ids, RETENTIONS)
    naive = torch.stack(
        [
            F.cross_entropy(sparse_predictions(model, window, r, 9), window[-9:])
            for window, r in zip(ids, RETENTIONS, strict=True)
        ]
    ).mean()
    torch.testing.assert_close(loss, naive, rtol=1e-9, atol=0)
    torch.testing.assert_close(terms[1].double(), naive, rtol=1e-6, atol=0)

    names, parameters = zip(*model.named_parameters(), strict=True)
    ours = torch.autograd.grad(loss, parameters)
    theirs = torch.autograd.grad(naive, parameters)
    for name, a, b in zip(names, ours, theirs, strict=True):
        torch.testing.assert_close(
            a, b, rtol=1e-7, atol=1e-11, msg=lambda text, n=name: f"{n}: {text}"
        )


def test_gradients_reach_tokens_that_were_dropped(ids: torch.Tensor) -> None:
    model = make_model()
    ids[:, 0] = 1  # the oldest token, and the only one of its kind
    objective(model, sparse=1.0)(ids, ["0.05"] * 3)[0].backward()
    assert model.backbone.embedding.weight.grad[1].abs().max() > 0


def test_the_dense_term_is_next_token_prediction(ids: torch.Tensor) -> None:
    model = make_model()
    loss, _ = objective(model, dense=2.0)(ids, [])
    expected = F.cross_entropy(model(ids[:, :-1]).logits.flatten(0, 1), ids[:, 1:].flatten())
    torch.testing.assert_close(loss, 2 * expected)


def test_states_start_anew_at_each_document(ids: torch.Tensor) -> None:
    model = make_model()
    ids[0, 5] = ids[0, 20] = ids[2, 33] = 0
    whole = dense_loss(model, ids, document_bounds(ids[:, :-1], 0))
    parts = [ids[0, :6], ids[0, 5:21], ids[0, 20:], ids[1], ids[2]]
    sums = [
        F.cross_entropy(model(part[None, :-1]).logits[0], part[1:], reduction="sum")
        for part in parts
    ]
    torch.testing.assert_close(whole, sum(sums) / ids[:, 1:].numel())
    assert not torch.isclose(whole, dense_loss(model, ids))


def test_bounds_of_documents() -> None:
    inputs = torch.tensor([[5, 0, 5, 5], [0, 5, 5, 0]])
    assert document_bounds(inputs, 0) == [0, 1, 4, 7, 8]
    assert document_bounds(inputs[:, :1], 0) is None


def test_samples_have_a_retention_each(ids: torch.Tensor) -> None:
    model = make_model()
    together = continuation_logits(model, ids, RETENTIONS, SPARSE)
    for row, retention in enumerate(RETENTIONS):
        alone = continuation_logits(model, ids[row : row + 1], [retention], SPARSE)
        torch.testing.assert_close(together[row], alone[0])


def test_distillation_is_zero_where_teacher_and_student_are_one_dense_model(
    ids: torch.Tensor,
) -> None:
    model, teacher = make_model(), make_model()
    term = objective(model, teacher, distillation=1.0)
    dense, _ = term(ids, ["1"] * 3)
    assert abs(dense.item()) < 1e-12
    sparse, _ = term(ids, ["0.1"] * 3)
    assert sparse.item() > 1e-6
    other, _ = objective(model, make_model(seed=1), distillation=1.0)(ids, ["1"] * 3)
    assert other.item() > 1e-3


def test_the_teacher_is_not_trained(ids: torch.Tensor) -> None:
    teacher = make_model(seed=1).requires_grad_(False)
    term = objective(make_model(), teacher, distillation=1.0)
    trained = {id(p) for p in term.parameters()}
    assert not trained & {id(p) for p in teacher.parameters()}
    term(ids, RETENTIONS)[0].backward()
    assert all(p.grad is None for p in teacher.parameters())


def test_the_terms_add_up(ids: torch.Tensor) -> None:
    model, teacher = make_model(), make_model(seed=1)
    weights = {"dense": 0.5, "sparse": 2.0, "distillation": 3.0}
    total, terms = objective(model, teacher, **weights)(ids, RETENTIONS)
    parts = [objective(model, teacher, **{k: v})(ids, RETENTIONS)[0] for k, v in weights.items()]
    torch.testing.assert_close(total, sum(parts))
    weighted = terms.double() * torch.tensor(list(weights.values()), dtype=torch.float64)
    torch.testing.assert_close(weighted, torch.stack(parts), rtol=1e-5, atol=1e-6)


def test_divergence_by_hand() -> None:
    teacher = torch.log(torch.tensor([[[0.5, 0.5]]]))
    student = torch.log(torch.tensor([[[0.8, 0.2]]]))
    by_hand = 0.5 * math.log(0.5 / 0.8) + 0.5 * math.log(0.5 / 0.2)
    assert float(divergence(teacher, student)) == pytest.approx(by_hand)
    # At temperature 2 the student's odds of 4 become 2.
    at_two = 0.5 * math.log(0.5 / (2 / 3)) + 0.5 * math.log(0.5 / (1 / 3))
    assert float(divergence(teacher, student, 2.0)) == pytest.approx(4 * at_two)


def test_truncated_reads_the_newest_part_densely(ids: torch.Tensor) -> None:
    sparse = replace(SPARSE, criterion="truncated")
    model = make_model(sparse=sparse)
    logits = continuation_logits(model, ids, RETENTIONS, sparse)
    for window, retention, got in zip(ids, RETENTIONS, logits, strict=True):
        length = truncated_length(25, retention, "linear", CONFIG)
        assert (length == 25) == (retention == "1")
        alone = model(window[None, 25 - length : -1]).logits[0, -9:]
        torch.testing.assert_close(got, alone)


@pytest.mark.parametrize("criterion", ["influence", "recent", "spaced", "delta", "delta_norm"])
def test_every_criterion_trains(ids: torch.Tensor, criterion: str) -> None:
    model = make_model(sparse=replace(SPARSE, criterion=criterion))
    loss, _ = objective(model, sparse=1.0)(ids, RETENTIONS)
    loss.backward()
    assert all(torch.isfinite(p.grad).all() and p.grad.abs().sum() > 0 for p in model.parameters())


def test_one_scored_id_needs_no_continuation(ids: torch.Tensor) -> None:
    model, sparse = make_model(), replace(SPARSE, continuation=1)
    logits = continuation_logits(model, ids, ["1"] * 3, sparse)
    torch.testing.assert_close(
        nll(logits, ids[:, -1:]), nll(model(ids[:, :-1]).logits[:, -1:], ids[:, -1:])
    )
