"""Which tokens each step reads: a function of the seed and the step alone, so that nothing need be
remembered to go on after an interruption.

In each epoch the documents stand in a new random order, one after the other, and are cut into
blocks of the longest window; the blocks are dealt to steps in random order. A step draws one
window length, cuts its blocks into windows of it, and reads `tokens_per_step` tokens in all. A
window has one id more than it has inputs: the label of its last token. What is left over at an
epoch's end, less than a block, is not read in that epoch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from simba_ssm.train.errors import TrainError
from simba_ssm.train.token_cache import TokenStore

# What a draw is for; with the seed and a count it makes the key of its generator.
DOCUMENTS, BLOCKS, LENGTH, RETENTION = range(4)


def generator(seed: int, purpose: int, count: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, purpose, count))))


@dataclass(frozen=True)
class Windows:
    """ids: (B, L + 1) int64."""

    ids: torch.Tensor

    @property
    def inputs(self) -> torch.Tensor:
        return self.ids[:, :-1]

    @property
    def labels(self) -> torch.Tensor:
        return self.ids[:, 1:]

    def part(self, begin: int, end: int) -> Windows:
        return Windows(self.ids[begin:end])


class WindowOrder:
    """documents: the numbers of those to read, in the store."""

    def __init__(
        self,
        store: TokenStore,
        documents: np.ndarray,
        lengths: tuple[int, ...],
        weights: tuple[float, ...],
        tokens_per_step: int,
        seed: int,
    ) -> None:
        self._store = store
        self._documents = documents
        self._lengths = lengths
        self._weights = np.array(weights) / sum(weights)
        self._seed = seed
        self._block = max(lengths)
        self._blocks_per_step = tokens_per_step // self._block
        self._tokens = int(store.lengths()[documents].sum())
        # One token beyond a block is its last label.
        self._blocks = (self._tokens - 1) // self._block
        if self._blocks < 1:
            raise TrainError(
                f"data.train: expected more than {self._block} tokens (the longest window), "
                f"got {self._tokens}"
            )
        self._epoch = -1

    @property
    def tokens(self) -> int:
        return self._tokens

    def step(self, step: int) -> Windows:
        length = self._lengths[
            generator(self._seed, LENGTH, step).choice(len(self._lengths), p=self._weights)
        ]
        rows = []
        for place in range(step * self._blocks_per_step, (step + 1) * self._blocks_per_step):
            block = self._read_block(place // self._blocks, place % self._blocks)
            rows += [block[i : i + length + 1] for i in range(0, self._block, length)]
        return Windows(torch.from_numpy(np.stack(rows)))

    def _read_block(self, epoch: int, place: int) -> np.ndarray:
        if epoch != self._epoch:
            self._begin_epoch(epoch)
        begin = int(self._order_of_blocks[place]) * self._block
        return self._read(begin, begin + self._block + 1)

    def _begin_epoch(self, epoch: int) -> None:
        self._epoch = epoch
        self._order = generator(self._seed, DOCUMENTS, epoch).permutation(self._documents)
        self._ends = np.cumsum(self._store.lengths()[self._order])
        self._order_of_blocks = generator(self._seed, BLOCKS, epoch).permutation(self._blocks)

    def _read(self, begin: int, end: int) -> np.ndarray:
        """Positions [begin, end) of the epoch's row of documents."""
        parts = []
        at = int(np.searchsorted(self._ends, begin, side="right"))
        while begin < end:
            document = int(self._order[at])
            document_end = int(self._ends[at])
            take = min(end, document_end) - begin
            stop = int(self._store.starts[document + 1]) - (document_end - begin)
            parts.append(self._store.ids[stop : stop + take].astype(np.int64))
            begin += take
            at += 1
        return np.concatenate(parts)


def fixed_windows(store: TokenStore, documents: np.ndarray, length: int, count: int) -> Windows:
    """At most `count` windows of length + 1 ids, evenly spread over documents that hold one.

    As simba-eval spreads them: floor(count / documents) each, one more for the first ones; the i-th
    of a document's n starts at floor(i (tokens - window) / n).
    """
    size = length + 1
    long_enough = [d for d in documents if store.starts[d + 1] - store.starts[d] >= size]
    if not long_enough:
        raise TrainError(f"validation: expected a document of at least {size} tokens, found none")
    rows = []
    for place, document in enumerate(long_enough):
        n = count // len(long_enough) + (place < count % len(long_enough))
        begin, end = (int(store.starts[document + k]) for k in (0, 1))
        for i in range(n):
            start = begin + i * (end - begin - size) // n
            rows.append(store.ids[start : start + size].astype(np.int64))
    return Windows(torch.from_numpy(np.stack(rows)))
