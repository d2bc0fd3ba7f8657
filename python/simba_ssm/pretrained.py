"""A pretrained Mamba that drops tokens while it reads its context: the C++ model, from Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

from simba_ssm._library import load_extension

if TYPE_CHECKING:
    from simba_ssm import _C

Ids = torch.Tensor | Sequence[Sequence[int]]
Observer = Callable[[int, "_C.Tokens", "_C.SsmInputs", "_C.Kept"], None]


def _sequences(ids: Ids) -> list[list[int]]:
    """(S, L) tensor, or S sequences of ids of any lengths, as lists."""
    if isinstance(ids, torch.Tensor):
        if ids.dim() != 2:
            raise ValueError(f"ids: expected a tensor (S, L), got shape {tuple(ids.shape)}")
        return ids.tolist()
    return [s.tolist() if isinstance(s, torch.Tensor) else list(s) for s in ids]


class Simba:
    """A pretrained Mamba and a pruning plan.

    Token ids are given per sequence, of any lengths; they are packed without padding. All results are
    computed without autograd.
    """

    def __init__(self, model: _C.LanguageModel, plan: _C.PruningPlan) -> None:
        self._model = model
        self.plan = plan

    @classmethod
    def from_pretrained(
        cls,
        path: str,
        *,
        retention: float | str = 1,
        schedule: str = "linear",
        criterion: str = "influence",
        decay: str = "no_bias",
        reduction: str = "max",
        seed: int = 0,
        device: str | torch.device = "cpu",
        dtype: torch.dtype | None = None,
    ) -> Simba:
        """Loads a checkpoint folder, or a hub id that lies in the Hugging Face cache.

        retention: fraction of the context's tokens that the last layer sees, a decimal in (0, 1].
        schedule: "linear", "constant" or "steps:LAYER=FRACTION,...". criterion: "influence",
        "delta_norm", "delta", "recent", "spaced" or "random". dtype None keeps the stored type.
        Raises ValueError on anything that is wrong with the folder or an argument.
        """
        model = load_extension().LanguageModel.load(str(path), dtype, torch.device(device))
        return cls(
            model,
            cls.make_plan(retention, schedule, criterion, decay=decay, reduction=reduction, seed=seed),
        )

    @staticmethod
    def make_plan(
        retention: float | str = 1,
        schedule: str = "linear",
        criterion: str = "influence",
        *,
        decay: str = "no_bias",
        reduction: str = "max",
        seed: int = 0,
    ) -> _C.PruningPlan:
        """A plan for `prefill(plan=...)`; arguments as in `from_pretrained`."""
        # The decimal that was written, never its binary neighbour: ceilings are exact in it.
        decimal = retention if isinstance(retention, str) else format(retention, ".9f")
        return load_extension().PruningPlan.pruned(
            decimal, schedule, criterion, decay, reduction, seed
        )

    def prefill(
        self, ids: Ids, *, plan: _C.PruningPlan | None = None, observer: Observer | None = None
    ) -> tuple[_C.State, torch.Tensor]:
        """Reads S contexts; returns their state and the logits (S, V) after each last token.

        observer(layer, tokens, inputs, kept) is called after every layer.
        """
        return self._model.prefill(_sequences(ids), plan or self.plan, observer)

    def extend(
        self, state: _C.State, ids: Ids, *, observer: Observer | None = None
    ) -> torch.Tensor:
        """Reads more tokens of the same S sequences densely, advancing the state in place.

        Returns the logits after every token, packed: (sum of lengths, V).
        """
        return self._model.extend(state, _sequences(ids), observer)

    def flops(
        self, T: int, *, plan: _C.PruningPlan | None = None, continuation: int = 0
    ) -> _C.FlopCount:
        """Counted FLOPs of one context of T tokens and `continuation` tokens read densely after it."""
        return self._model.flops(T, plan or self.plan, continuation)

    @property
    def n_layer(self) -> int:
        return self._model.n_layer

    @property
    def vocab_size(self) -> int:
        """Rows of the LM head, padding rows included."""
        return self._model.vocab_size

    @property
    def dtype(self) -> torch.dtype:
        return self._model.dtype

    @property
    def device(self) -> torch.device:
        return self._model.device
