"""Influence of tokens (Simba, Eq. 4), and which tokens a layer keeps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from simba_ssm.reference._float64 import cut, double, softplus, spans


def _decay_delta(delta: Tensor, delta_bias: Tensor | None, decay: str) -> Tensor:
    if decay == "no_bias":
        return softplus(delta)
    if decay == "full":
        return softplus(delta if delta_bias is None else delta + delta_bias)
    if decay == "none":
        return torch.zeros_like(delta)
    raise ValueError(f"decay must be no_bias, full or none, got {decay!r}")


def _token_terms(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    delta_bias: Tensor | None,
    decay: str,
) -> tuple[Tensor, Tensor]:
    """Eq. 4 before its sum over states, unpacked: (ln|term|, sign), both (B, L, D, N).

    term = C_T[n] exp(A[d, n] R_t[d]) dt_t[d] B_t[n] u_t[d], R_t the sum of decay deltas after t.
    """
    u, delta, A, B, C, delta_bias = double(u, delta, A, B, C, delta_bias)
    dt = softplus(delta if delta_bias is None else delta + delta_bias)
    decay_dt = _decay_delta(delta, delta_bias, decay)
    # A suffix sum, never a difference of prefix sums: the newest tokens would cancel.
    from_t = decay_dt.flip(1).cumsum(1).flip(1)
    after_t = torch.cat([from_t[:, 1:], torch.zeros_like(from_t[:, :1])], dim=1)
    C_last = C[:, -1:, None, :]  # (B, 1, 1, N)
    product = C_last * B[:, :, None, :] * (dt * u)[..., None]
    log_size = after_t[..., None] * A + torch.log(product.abs())
    return log_size, torch.sign(product)


def token_contributions(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    delta_bias: Tensor | None = None,
    cu_seqlens: Tensor | None = None,
    decay: str = "no_bias",
) -> Tensor:
    """Signed contribution of token t to y_T of its sequence, per channel: (B, L, D) (Simba, Eq. 4).

    ``delta`` is raw, before bias and softplus. With decay "full" and no initial state the sum over
    t is y_T - D u_T.
    """
    if cu_seqlens is not None:
        parts = [u[:, :0].double()]
        for _, span in spans(cu_seqlens):
            of_s = [cut(tensor, span) for tensor in (u, delta, B, C)]
            parts.append(
                token_contributions(of_s[0], of_s[1], A, of_s[2], of_s[3], delta_bias, None, decay)
            )
        return torch.cat(parts, dim=1)
    if u.shape[1] == 0:
        return torch.zeros_like(u, dtype=torch.float64)
    log_size, sign = _token_terms(u, delta, A, B, C, delta_bias, decay)
    return (sign * torch.exp(log_size)).sum(-1)


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
    """log2 of :func:`token_contributions` reduced over channels, all in the log domain."""
    if cu_seqlens is not None:
        parts = [u[:, :0, 0].double()] if u.shape[2] else [u.new_zeros(1, 0).double()]
        for _, span in spans(cu_seqlens):
            of_s = [cut(tensor, span) for tensor in (u, delta, B, C)]
            inputs = (of_s[0], of_s[1], A, of_s[2], of_s[3], delta_bias)
            parts.append(influence_scores(*inputs, None, decay, reduction))
        return torch.cat(parts, dim=1)
    if u.shape[1] == 0 or u.shape[2] == 0:
        return u.new_full(u.shape[:2], -math.inf, dtype=torch.float64)

    log_size, sign = _token_terms(u, delta, A, B, C, delta_bias, decay)
    largest = log_size.amax(-1, keepdim=True)
    offset = torch.where(largest == -math.inf, torch.zeros_like(largest), largest)
    scaled = (sign * torch.exp(log_size - offset)).sum(-1)  # (B, L, D), in units of exp(offset)
    log_abs = torch.log(scaled.abs()) + offset[..., 0]
    if reduction == "max":
        log_score = log_abs.amax(-1)
    elif reduction == "signed_max":
        log_score = torch.where(scaled < 0, torch.full_like(log_abs, -math.inf), log_abs).amax(-1)
    elif reduction == "l1":
        log_score = torch.logsumexp(log_abs, -1)
    elif reduction == "l2":
        log_score = torch.logsumexp(2 * log_abs, -1) / 2
    else:
        raise ValueError(f"reduction must be max, l2, l1 or signed_max, got {reduction!r}")
    return log_score / math.log(2)


def _select(scores: Sequence[float], keep: int) -> list[int]:
    """The last position and the keep - 1 highest others by (score, position), ascending."""
    last = len(scores) - 1
    order = sorted(range(last), key=lambda t: (not math.isnan(scores[t]), _rank(scores[t]), t))
    return sorted(order[len(order) - (keep - 1) :] + [last]) if keep else []


def _rank(score: float) -> float:
    return 0.0 if math.isnan(score) else score


def select_tokens(
    scores: Tensor, keep: int | Sequence[int], cu_seqlens: Tensor | None = None
) -> Tensor | tuple[Tensor, Tensor]:
    """The tokens to keep: order by (score, position), NaN below -inf, the last token always in."""
    device = scores.device
    if cu_seqlens is None:
        kept = [_select(row, keep) for row in scores.tolist()]
        return torch.tensor(kept, dtype=torch.int64, device=device).reshape(scores.shape[0], keep)
    row, flat, bounds = scores[0].tolist(), [], [0]
    for s, span in spans(cu_seqlens):
        flat += [span.start + t for t in _select(row[span], keep[s])]
        bounds.append(len(flat))
    indices = torch.tensor(flat, dtype=torch.int64, device=device).reshape(1, -1)
    return indices, torch.tensor(bounds, dtype=torch.int32, device=device)
