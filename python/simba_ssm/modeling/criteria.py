"""Which tokens go on to the next layer: the C++ model's criteria.

How many is known before anything runs, so shapes never depend on data.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from simba_ssm import ops
from simba_ssm.modeling.packing import Packing
from simba_ssm.modeling.pruning import Pruning


class SsmInputs(NamedTuple):
    """What one layer's scan reads: u, delta (raw), z (B, L, D); B, C (B, L, N); A (D, N); D,
    delta_bias (D).
    """

    u: Tensor
    delta: Tensor
    A: Tensor
    B: Tensor
    C: Tensor
    D: Tensor
    z: Tensor
    delta_bias: Tensor
    packing: Packing


@torch.no_grad()
def select(ssm: SsmInputs, keep: int | tuple[int, ...], layer: int, pruning: Pruning) -> Tensor:
    """Indices of the tokens that go on: (B, keep), or flat (1, sum of keep) of packed sequences.

    They carry no gradient.
    """
    if pruning.criterion == "influence":
        scores = ops.influence_scores(
            ssm.u, ssm.delta, ssm.A, ssm.B, ssm.C, ssm.delta_bias, ssm.packing.cu_seqlens,
            pruning.decay, pruning.reduction,
        )  # fmt: skip
    elif pruning.criterion in ("delta", "delta_norm"):
        delta = F.softplus(ssm.delta.to(ssm.A.dtype) + ssm.delta_bias.to(ssm.A.dtype))
        norm = pruning.criterion == "delta_norm"
        scores = torch.linalg.vector_norm(delta, dim=-1) if norm else delta.mean(-1)
    elif pruning.criterion == "recent":
        return _each(ssm, keep, lambda _, n, k: torch.arange(n - k, n))
    elif pruning.criterion == "spaced":
        return _each(ssm, keep, lambda _, n, k: (torch.arange(1, k + 1) * n) // max(k, 1) - 1)
    else:
        return _each(ssm, keep, lambda s, n, k: _subset(n, k, pruning.seed, s, layer))
    if ssm.packing.cu_seqlens is None:
        return ops.select_tokens(scores, keep)
    return ops.select_tokens(scores, list(keep), ssm.packing.cu_seqlens)[0]


def _each(
    ssm: SsmInputs, keep: int | tuple[int, ...], choose: Callable[[int, int, int], Tensor]
) -> Tensor:
    """The positions choose(sequence, length, count) of every sequence."""
    batch, length = ssm.u.shape[:2]
    device = ssm.u.device
    if ssm.packing.lengths is None:
        return torch.stack([choose(s, length, keep) for s in range(batch)]).to(device)
    begin, chosen = 0, []
    for s, (n, k) in enumerate(zip(ssm.packing.lengths, keep, strict=True)):
        chosen.append(choose(s, n, k) + begin)
        begin += n
    return torch.cat(chosen)[None].to(device)


def _splitmix64(x: Tensor) -> Tensor:
    """The finaliser of SplitMix64 after one increment, on int64 taken as unsigned."""

    def shifted(y: Tensor, bits: int) -> Tensor:
        return (y >> bits) & ((1 << (64 - bits)) - 1)

    x = x + _signed(0x9E3779B97F4A7C15)
    x = (x ^ shifted(x, 30)) * _signed(0xBF58476D1CE4E5B9)
    x = (x ^ shifted(x, 27)) * _signed(0x94D049BB133111EB)
    return x ^ shifted(x, 31)


def _signed(word: int) -> int:
    return word - (1 << 64) if word >= 1 << 63 else word


def _subset(length: int, keep: int, seed: int, document: int, layer: int) -> Tensor:
    """keep positions of length, the last among them; csrc/model/criteria/random.cpp's draw."""
    if keep == 0:
        return torch.arange(0)
    seeded = _splitmix64(torch.tensor(_signed(seed % (1 << 64))))
    key = _splitmix64(_splitmix64(seeded ^ document) ^ layer)
    draws = _splitmix64(_splitmix64(torch.arange(length - 1)) ^ key)
    # The smallest as unsigned numbers.
    others = torch.argsort(draws ^ _signed(1 << 63), stable=True)[: keep - 1]
    return torch.cat([others.sort().values, torch.tensor([length - 1])])
