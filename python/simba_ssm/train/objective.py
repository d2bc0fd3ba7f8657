"""The loss of a batch of windows: dense, sparse, and distilled from the dense model.

A window has L + 1 ids. The *dense* term is the mean negative log-likelihood of its last L ids, read
without pruning.

A *sparse* forward scores its last K ids, the continuation. The L + 1 - K ids before them are the
context. It goes up the layers and is pruned with respect to its own last token, so no scored id
takes part in selection; the last token stays to the top, and its logits predict the continuation's
first id. The continuation then runs densely from the states which the pruned context left in every
layer, and its logits predict the other K - 1. The *sparse* term is the mean negative
log-likelihood of the K ids. The *distillation* term is the mean KL(teacher, student) of the same K
predictions, the teacher reading the same context densely.

Selection carries no gradient. Gradients reach the context through the states: a layer's state
depends on all tokens that entered the layer (those dropped after it too), and the tokens that stay
carry theirs on to the layers above.

Criterion `truncated` reads the newest part of the context densely, as much as influence at the same
retention would cost.
"""

from __future__ import annotations

from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simba_ssm.modeling import Pruning, SimbaForCausalLM
from simba_ssm.train.config import LossConfig, SparseConfig
from simba_ssm.train.truncation import truncated_length

TERMS = ("dense", "sparse", "distillation")


class Objective(nn.Module):
    """teacher: frozen; needed where the distillation term has a weight."""

    def __init__(
        self,
        model: SimbaForCausalLM,
        loss: LossConfig,
        sparse: SparseConfig,
        reset_at: int | None = None,
        teacher: SimbaForCausalLM | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self._loss = loss
        self._sparse = sparse
        self._reset_at = reset_at
        # In a tuple, so that its weights are not this module's: they are not trained.
        self._teacher = (teacher,)

    def forward(self, ids: Tensor, retentions: list[str]) -> tuple[Tensor, Tensor]:
        """The weighted sum of the terms' means, and the means (3) in the order of TERMS.

        ids: (B, L + 1), on the CPU: where documents begin is asked there, and no GPU waited for.
        retentions: one of each window, empty where nothing is read sparsely.
        """
        bounds = None if self._reset_at is None else document_bounds(ids[:, :-1], self._reset_at)
        ids = ids.to(self.model.lm_head.weight.device, non_blocking=True)
        dense = sparse = distillation = torch.zeros((), device=ids.device)
        if self._loss.dense > 0:
            dense = dense_loss(self.model, ids, bounds)
        if self._loss.reads_sparsely:
            scored = ids[:, -self._sparse.continuation :]
            logits = continuation_logits(self.model, ids, retentions, self._sparse)
            if self._loss.sparse > 0:
                sparse = nll(logits, scored)
            if self._loss.distillation > 0:
                distillation = self._distilled(ids, logits)
        total = self._loss.dense * dense + self._loss.sparse * sparse
        total = total + self._loss.distillation * distillation
        return total, torch.stack([dense, sparse, distillation]).detach()

    def _distilled(self, ids: Tensor, logits: Tensor) -> Tensor:
        (teacher,) = self._teacher
        with torch.no_grad():
            dense = continuation_logits(teacher, ids, ["1"] * len(ids), self._sparse)
        return divergence(dense, logits, self._loss.temperature)


def nll(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over all predictions, in nats."""
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten())


def divergence(teacher: Tensor, student: Tensor, temperature: float = 1.0) -> Tensor:
    """Mean KL(teacher, student) in nats, of logits (B, K, V) divided by the temperature, times its
    square (Hinton et al., arXiv 1503.02531: gradients keep their size).
    """
    of_teacher = F.log_softmax(teacher.flatten(0, 1) / temperature, dim=-1)
    of_student = F.log_softmax(student.flatten(0, 1) / temperature, dim=-1)
    kl = F.kl_div(of_student, of_teacher, reduction="batchmean", log_target=True)
    return kl * temperature**2


def dense_loss(model: SimbaForCausalLM, ids: Tensor, bounds: list[int] | None = None) -> Tensor:
    """bounds: where in the row of all inputs states start anew; None: at each window alone."""
    inputs, labels = ids[:, :-1], ids[:, 1:]
    if bounds is None:
        return nll(model(inputs).logits, labels)
    packed = model(inputs.reshape(1, -1), cu_seqlens=bounds)
    return nll(packed.logits, labels.reshape(1, -1))


def document_bounds(inputs: Tensor, start: int) -> list[int] | None:
    """Where windows and documents begin in the row of all inputs (B, L), and its end; None if no
    document begins inside a window.
    """
    begins = inputs == start
    begins[:, 0] = False
    if not begins.any():
        return None
    begins[:, 0] = True
    return [*begins.flatten().nonzero()[:, 0].tolist(), inputs.numel()]


def continuation_logits(
    model: SimbaForCausalLM, ids: Tensor, retentions: list[str], sparse: SparseConfig
) -> Tensor:
    """Predictions (B, K, V) of the last K ids of each window, from its pruned context.

    The windows are packed: each has a retention, so a number of tokens, of its own.
    """
    inputs = ids[:, :-1]
    full = inputs.shape[1] + 1 - sparse.continuation
    contexts, kept = [full] * len(inputs), retentions
    if sparse.criterion == "truncated":
        contexts = [truncated_length(full, r, sparse.schedule, model.config) for r in retentions]
        kept = ["1"] * len(inputs)
    rows = [row[full - context :] for row, context in zip(inputs, contexts, strict=True)]
    bounds = [0, *accumulate(len(row) for row in rows)]
    packed = model(torch.cat(rows)[None], retention=kept, context=contexts, cu_seqlens=bounds)
    return packed.logits.view(len(rows), sparse.continuation, -1)


def pruning_of(sparse: SparseConfig) -> Pruning:
    """How a model prunes that is trained for `sparse`; truncated contexts are not pruned."""
    criterion = "recent" if sparse.criterion == "truncated" else sparse.criterion
    return Pruning(
        schedule=sparse.schedule,
        criterion=criterion,
        decay=sparse.decay,
        reduction=sparse.reduction,
    )
