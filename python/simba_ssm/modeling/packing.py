"""Where sequences begin and end: a batch (B, L) of equal lengths, or packed end to end (1, R)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from numbers import Integral, Real

import torch
import torch.nn.functional as F
from torch import Tensor

IGNORED = -100  # a label that counts for nothing, as in torch's and transformers' losses


@dataclass(frozen=True)
class Packing:
    """cu_seqlens (S + 1) int32 bounds packed sequences; lengths are the same on the host, None
    where nobody asked for them. Unpacked, both are None.
    """

    cu_seqlens: Tensor | None = None
    lengths: tuple[int, ...] | None = None

    @classmethod
    def of(cls, ids: Tensor, cu_seqlens: Tensor | Sequence[int] | None) -> Packing:
        """Of ids as a user gives them. Raises ValueError where the shapes do not fit."""
        if ids.dim() != 2:
            raise ValueError(f"input_ids: expected a shape (B, L), got {tuple(ids.shape)}")
        if cu_seqlens is None:
            return cls()
        if ids.shape[0] != 1:
            raise ValueError(
                f"input_ids: expected (1, R) with cu_seqlens, got {tuple(ids.shape)}"
            )
        if isinstance(cu_seqlens, Tensor):
            if cu_seqlens.dim() != 1 or cu_seqlens.is_floating_point() or cu_seqlens.is_complex():
                raise ValueError(
                    "cu_seqlens: expected integers of shape (S + 1), got "
                    f"{cu_seqlens.dtype} {tuple(cu_seqlens.shape)}"
                )
            return cls(cu_seqlens.to(ids.device, torch.int32))
        return cls.packed(_lengths(cu_seqlens, ids.shape[1]), device=ids.device)[0]

    @classmethod
    def packed(cls, *each: Sequence[int], device: torch.device) -> list[Packing]:
        """Of lengths of the same number of sequences; one copy to the device serves all."""
        bounds = [[0, *accumulate(lengths)] for lengths in each]
        rows = torch.tensor(bounds, dtype=torch.int32, device=device)
        return [cls(row, tuple(lengths)) for row, lengths in zip(rows, each, strict=True)]

    @property
    def is_packed(self) -> bool:
        return self.cu_seqlens is not None

    def on_host(self, tokens: int) -> Packing:
        """With lengths; waits for a GPU that alone knows them. Raises ValueError where they are not
        those of so many tokens.
        """
        if self.cu_seqlens is None or self.lengths is not None:
            return self
        return Packing(self.cu_seqlens, _lengths(self.cu_seqlens.tolist(), tokens))

    def last_rows(self, hidden: Tensor) -> Tensor:
        """The row of each sequence's last token in hidden (B, L, ...): (B, 1), or (1, S) packed."""
        if self.cu_seqlens is None:
            last = hidden.shape[1] - 1
            return torch.full((hidden.shape[0], 1), last, device=hidden.device)
        return (self.cu_seqlens[1:] - 1).long()[None]

    def targets(self, labels: Tensor) -> Tensor:
        """The label that the logits after each token are scored on: its sequence's next."""
        if self.cu_seqlens is not None:
            # One more than there are tokens: sequences that are empty begin at the end too.
            first = torch.zeros(labels.shape[1] + 1, dtype=torch.bool, device=labels.device)
            first = first.index_fill(0, self.cu_seqlens[:-1].long(), True)[:-1]
            labels = labels.masked_fill(first, IGNORED)
        return F.pad(labels[:, 1:], (0, 1), value=IGNORED)


@dataclass(frozen=True)
class Split:
    """Every sequence cut into its context (head) and its continuation (tail)."""

    head: Packing
    tail: Packing
    contexts: int | tuple[int, ...]  # tokens of the context; packed: of each

    @classmethod
    def of(
        cls, ids: Tensor, packing: Packing, context: int | Sequence[int] | None
    ) -> Split:
        """Raises ValueError where a context is empty or longer than its sequence."""
        packing = packing.on_host(ids.shape[1])
        packed = packing.lengths is not None
        lengths = packing.lengths if packed else (ids.shape[1],)
        if context is None:
            raise ValueError("context: expected the number of the context's tokens, got None")
        counts = (context,) * len(lengths) if isinstance(context, Real) else tuple(context)
        if len(counts) != len(lengths):
            raise ValueError(
                f"context: expected one number, or {len(lengths)}, got {len(counts)}"
            )
        for count, length in zip(counts, lengths, strict=True):
            if not isinstance(count, Integral) or not 1 <= count <= length:
                raise ValueError(
                    f"context: expected 1 to {length} tokens of a sequence of {length}, got {count}"
                )
        counts = tuple(map(int, counts))  # numpy's, too, are plain ones from here on
        if not packed:
            return cls(packing, packing, counts[0])
        rests = [length - count for count, length in zip(counts, lengths, strict=True)]
        return cls(*Packing.packed(counts, rests, device=ids.device), counts)

    def cut(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """The tokens of the contexts and of the continuations, laid out as ids."""
        if isinstance(self.contexts, int):
            return ids[:, : self.contexts], ids[:, self.contexts :]
        heads, tails, begin = [], [], 0
        for context, rest in zip(self.contexts, self.tail.lengths, strict=True):
            heads.append((begin, begin + context))
            tails.append((begin + context, begin + context + rest))
            begin += context + rest
        return ids[:, _ranges(heads, ids.device)], ids[:, _ranges(tails, ids.device)]

    def join(self, last: Tensor, after: Tensor) -> Tensor:
        """Logits after the contexts (S, V) and after the continuations' tokens, by sequence."""
        if isinstance(self.contexts, int):
            return torch.cat([last[:, None], after], dim=1)
        rows, begin = [], len(self.contexts)
        for s, rest in enumerate(self.tail.lengths):
            rows += [(s, s + 1), (begin, begin + rest)]
            begin += rest
        return torch.cat([last, after[0]])[None, _ranges(rows, last.device)]

    def targets(self, labels: Tensor) -> Tensor:
        """As Packing.targets, for the rows of ``join``: the continuations' labels alone."""
        _, tails = self.cut(labels)
        tails = F.pad(tails, (0, 1), value=IGNORED)
        if isinstance(self.contexts, int):
            return tails
        columns, begin, ignored = [], 0, tails.shape[1] - 1
        for rest in self.tail.lengths:
            columns += [(begin, begin + rest), (ignored, ignored + 1)]
            begin += rest
        return tails[:, _ranges(columns, labels.device)]


def _ranges(bounds: Sequence[tuple[int, int]], device: torch.device) -> Tensor:
    """The integers of half-open ranges, one after the other."""
    return torch.cat([torch.arange(begin, end) for begin, end in bounds]).to(device)


def _lengths(bounds: Sequence[int], tokens: int) -> tuple[int, ...]:
    """Of the sequences between bounds. Raises ValueError where these are not of so many tokens."""
    bounds = list(bounds)
    pairs = list(zip(bounds, bounds[1:], strict=False))
    integers = all(isinstance(bound, Integral) for bound in bounds)
    falling = integers and any(end < begin for begin, end in pairs)
    if not integers or falling or bounds[:1] != [0] or bounds[-1] != tokens:
        raise ValueError(f"cu_seqlens: expected rising bounds from 0 to {tokens}, got {bounds}")
    return tuple(int(end - begin) for begin, end in pairs)
