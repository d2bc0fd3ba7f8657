"""Which tokens a layer keeps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_simba = torch.ops.simba


def influence_scores(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    delta_bias: Tensor | None = None,
    cu_seqlens: Tensor | None = None,
    decay: str = "no_bias",
    reduction: str = "max",
) -> Tensor:
    """log2 of every token's influence on the last token of its sequence (Simba, Eq. 4).

    Shapes as in :func:`selective_scan`; ``delta`` is raw: bias and softplus are applied here.

    Args:
        decay: Delta of the decay in the score: "no_bias" softplus(delta), "full" with the bias,
            "none" no decay at all.
        reduction: over channels: "max" of |dy|, "signed_max" (max(0, max dy)), "l1" or "l2".

    Returns:
        (B, L) float32 (float64 for float64 input). log2(0) is -inf; NaN stays NaN.
    """
    return _simba.influence_scores(u, delta, A, B, C, delta_bias, cu_seqlens, decay, reduction)


def select_tokens(
    scores: Tensor, keep: int | Sequence[int], cu_seqlens: Tensor | None = None
) -> Tensor | tuple[Tensor, Tensor]:
    """The ``keep`` highest-scoring tokens of each sequence, in their order.

    Of equal scores the later token is kept, NaN ranks below -inf, and the last token of a sequence
    is always kept.

    Args:
        scores: (B, L) float32 or float64.
        keep: tokens kept, 1 to L; with cu_seqlens one count for each sequence (0 for an empty one).

    Returns:
        Ascending indices (B, keep) int64. Packed: flat indices (1, sum of keep) and the kept
        tokens' own cu_seqlens (S + 1) int32.
    """
    if cu_seqlens is None:
        return _simba.select_tokens.default(scores, keep)
    return _simba.select_tokens.packed(scores, keep, cu_seqlens)
