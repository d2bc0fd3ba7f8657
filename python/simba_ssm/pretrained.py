"""A pretrained Mamba that drops tokens while it reads its context: the C++ model, from Python."""

from __future__ import annotations

import atexit
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
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


_open_streams: dict[threading.Thread, threading.Event] = {}


@atexit.register
def _end_streams() -> None:
    """A thread that the interpreter's end meets in C++ would abort the process."""
    for thread, closed in list(_open_streams.items()):
        closed.set()
        thread.join()


class Simba:
    """A pretrained Mamba and a pruning plan.

    Token ids are given per sequence, of any lengths; they are packed without padding. All results are
    computed without autograd.
    """

    def __init__(self, model: _C.LanguageModel, plan: _C.PruningPlan) -> None:
        self._model = model
        self._generator: _C.Generator | None = None
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

    def capture_prefills(self, capacity: int = 8) -> None:
        """Makes CUDA graphs of prefills on a GPU, one per lengths and plan, from the second time on.

        At most `capacity` graphs are held, the least recently used given up first; 0 turns it off.
        Prefills with an observer or forced indices are not captured. Passes of a model that does this
        belong on one stream. Raises ValueError where the model is on no GPU.
        """
        self._mamba("capture_prefills").capture_prefills(capacity)

    def generate(
        self,
        ids: Ids,
        *,
        max_new_tokens: int,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int = 0,
        stop_ids: Sequence[int] = (),
        streams: Sequence[int] | None = None,
        plan: _C.PruningPlan | None = None,
        on_tokens: Callable[[list[int]], bool | None] | None = None,
    ) -> list[list[int]]:
        """Reads S contexts under the plan and returns the new tokens of each, its stop id included.

        temperature 0 takes the largest logit. Otherwise logits are divided by it, the top_k largest are
        kept (0: all), of those the smallest set of at least top_p probability, and one is drawn. What
        sequence s draws depends on the seed and streams[s] (default s), never on the batch.
        on_tokens(ids) is called after every step with S ids, -1 for sequences that have ended;
        returning False ends all. On a GPU, tokens are computed some steps ahead of these calls.
        """
        model = self._mamba("generate")
        state, last_logits = self.prefill(ids, plan=plan)
        if self._generator is None:
            self._generator = load_extension().Generator(model)
        return self._generator.generate(
            state,
            last_logits,
            max_new_tokens,
            temperature,
            top_k,
            top_p,
            seed,
            list(stop_ids),
            list(streams or ()),
            on_tokens,
        )

    def stream(self, ids: Ids, **options) -> Iterator[list[int]]:
        """The steps of `generate(ids, **options)` as they come: S ids each, -1 for ended sequences.

        Closing the iterator ends the decoding.
        """
        steps: queue.SimpleQueue = queue.SimpleQueue()
        closed = threading.Event()  # also by the interpreter's end, see _end_streams

        def pass_on(step: list[int]) -> bool:
            steps.put(step)
            return not closed.is_set()

        def run() -> None:
            try:
                self.generate(ids, on_tokens=pass_on, **options)
                steps.put(None)
            except BaseException as error:  # whatever it is, the reader hears it
                steps.put(error)

        thread = threading.Thread(target=run, daemon=True)
        _open_streams[thread] = closed
        thread.start()
        try:
            while (step := steps.get()) is not None:
                if isinstance(step, BaseException):
                    raise step
                yield step
        finally:
            closed.set()
            thread.join()
            _open_streams.pop(thread, None)

    def _mamba(self, purpose: str) -> _C.Simba:
        if not isinstance(self._model, load_extension().Simba):
            raise ValueError(f"{purpose}: expected a mamba model, got family {self._model.family}")
        return self._model

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
