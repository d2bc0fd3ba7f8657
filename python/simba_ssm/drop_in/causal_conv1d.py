"""causal_conv1d's functions."""

from __future__ import annotations

import torch
from torch import Tensor

from simba_ssm import ops
from simba_ssm.drop_in.layout import channels_last, like


def _is_silu(function: str, activation: str | None) -> bool:
    if activation not in (None, "silu", "swish"):
        raise NotImplementedError(
            f"{function}: activation: expected None, silu or swish, got {activation!r}"
        )
    return activation is not None


def causal_conv1d_fn(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    seq_idx: Tensor | None = None,
    initial_states: Tensor | None = None,
    return_final_states: bool = False,
    final_states_out: Tensor | None = None,
    activation: str | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """``causal_conv1d.causal_conv1d_fn``.

    Args:
        x: (batch, dim, length).
        weight: (dim, width), of any width.
        bias: (dim).
        seq_idx: (batch, length) numbers of the sequences that are packed in each row: neighbours of
            one number are one sequence; where it is negative, the output is 0 before the activation.
            Their bounds are looked for on the host.
        initial_states: (batch, dim, width - 1): what precedes each row.
        final_states_out: (batch, dim, width - 1), written to with return_final_states.
        activation: None, "silu" or "swish".

    Returns:
        out (batch, dim, length), and on request the final states (batch, dim, width - 1), which no
        seq_idx may go with; both in x's dtype.
    """
    silu = _is_silu("causal_conv1d_fn", activation)
    if x.dim() != 3:
        raise ValueError(f"causal_conv1d_fn: x: expected (batch, dim, length), got {tuple(x.shape)}")
    if seq_idx is not None and return_final_states:
        raise NotImplementedError("causal_conv1d_fn: return_final_states: expected False with seq_idx")
    rows = channels_last(x)
    if seq_idx is not None:
        out = _conv_of_sequences(rows, weight, bias, seq_idx, initial_states, silu)
        return like(out, x)
    if initial_states is not None:
        initial_states = initial_states.to(x.dtype).contiguous()
    out, state = ops.causal_conv1d(rows, weight, bias, initial_states, silu=silu)
    out = like(out, x)
    if not return_final_states:
        return out
    return out, state if final_states_out is None else final_states_out.copy_(state)


def _conv_of_sequences(
    x: Tensor, weight: Tensor, bias: Tensor | None, seq_idx: Tensor, initial: Tensor | None,
    silu: bool,
) -> Tensor:  # fmt: skip
    """The convolution of rows (batch, length, dim) that seq_idx cuts, as one packed row."""
    batch, length, dim = x.shape
    if seq_idx.shape != (batch, length):
        raise ValueError(
            f"causal_conv1d_fn: seq_idx: expected ({batch}, {length}), got {tuple(seq_idx.shape)}"
        )
    begins = torch.ones_like(seq_idx, dtype=torch.bool)
    begins[:, 1:] = seq_idx[:, 1:] != seq_idx[:, :-1]
    bounds = begins.flatten().nonzero()[:, 0]
    cu_seqlens = torch.cat([bounds, bounds.new_tensor([batch * length])]).to(torch.int32)
    states = None
    if initial is not None:
        states = initial.to(x.dtype).new_zeros(len(bounds), dim, weight.shape[1] - 1)
        states = states.index_copy(0, (bounds % length == 0).nonzero()[:, 0], initial.to(x.dtype))
    packed = x.reshape(1, batch * length, dim)
    out, _ = ops.causal_conv1d(packed, weight, bias, states, cu_seqlens, silu)
    return out.view(x.shape).masked_fill((seq_idx < 0)[..., None], 0)


@torch.no_grad()
def causal_conv1d_update(
    x: Tensor,
    conv_state: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    activation: str | None = None,
    cache_seqlens: Tensor | None = None,
    conv_state_indices: Tensor | None = None,
) -> Tensor:
    """``causal_conv1d.causal_conv1d_update``: the convolution of the newest tokens. No gradients.

    Args:
        x: (batch, dim), or (batch, dim, length).
        conv_state: (batch, dim, state length), the tokens before, oldest first, at least width - 1 of
            them; updated in place.
        weight: (dim, width), of any width.
        bias: (dim).
        activation: None, "silu" or "swish".
        cache_seqlens: (batch) integers: conv_state is a ring, in which each row's x begins at this place.
        conv_state_indices: (batch): which row of conv_state belongs to which of x; no row twice.

    Returns:
        out, shaped and typed as x.
    """
    silu = _is_silu("causal_conv1d_update", activation)
    if x.dim() not in (2, 3):
        raise ValueError(
            "causal_conv1d_update: x: expected (batch, dim) or (batch, dim, length), got "
            f"{tuple(x.shape)}"
        )
    if conv_state_indices is not None:
        rows = conv_state[conv_state_indices]
        out = causal_conv1d_update(x, rows, weight, bias, activation, cache_seqlens)
        conv_state[conv_state_indices] = rows
        return out
    tokens = x if x.dim() == 3 else x[..., None]
    older, size = weight.shape[1] - 1, conv_state.shape[-1]
    if conv_state.shape[:-1] != tokens.shape[:-1] or size < older:
        raise ValueError(
            f"causal_conv1d_update: conv_state: expected {tuple(tokens.shape[:-1])} and at least "
            f"{older} tokens, got {tuple(conv_state.shape)}"
        )
    window = conv_state[..., size - older :]
    if cache_seqlens is not None:
        window = conv_state.gather(2, _ring(cache_seqlens - older, older, conv_state))
    out, _ = ops.causal_conv1d(
        channels_last(tokens), weight, bias, window.to(x.dtype).contiguous(), silu=silu
    )
    length = tokens.shape[2]
    if cache_seqlens is None:
        conv_state.copy_(torch.cat([conv_state, tokens.to(conv_state.dtype)], dim=2)[..., length:])
    else:
        newest = tokens[..., -size:].to(conv_state.dtype)
        first = cache_seqlens + (length - newest.shape[2])
        conv_state.scatter_(2, _ring(first, newest.shape[2], conv_state), newest)
    return like(out, tokens).reshape(x.shape)


def _ring(first: Tensor, count: int, state: Tensor) -> Tensor:
    """The places of `count` tokens from `first` (batch) on in rings, (batch, dim, count)."""
    batch, dim, size = state.shape
    places = (first.long()[:, None] + torch.arange(count, device=state.device)) % size
    return places[:, None].expand(batch, dim, count)
