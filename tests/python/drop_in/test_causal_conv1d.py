"""causal_conv1d's functions, against plain definitions of what they mean."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from drop_in_inputs import close, normal

from simba_ssm.drop_in import causal_conv1d_fn, causal_conv1d_update


def conv_definition(x, weight, bias, seq_idx, initial, silu):
    """Tap by tap in float64; a tap counts where its token belongs to the same sequence."""
    batch, dim, length = x.shape
    width = weight.shape[1]
    out = torch.zeros(x.shape, dtype=torch.float64)
    for b in range(batch):
        for t in range(length):
            if seq_idx is not None and seq_idx[b, t] < 0:
                continue
            y = torch.zeros(dim, dtype=torch.float64)
            for k in range(width):
                at = t - (width - 1) + k
                if at >= 0:
                    same = seq_idx is None or seq_idx[b, at] == seq_idx[b, t]
                    value = x[b, :, at].double()
                else:
                    same = initial is not None and (seq_idx is None or seq_idx[b, 0] == seq_idx[b, t])
                    value = 0 if initial is None else initial[b, :, width - 1 + at].double()
                if same:
                    y = y + weight[:, k].double() * value
            if bias is not None:
                y = y + bias.double()
            out[b, :, t] = F.silu(y) if silu else y
    return out


SEQ_IDX = torch.tensor([[0, 0, 0, 1, 2, 2, 2, 2, 3], [5, 5, 5, 5, 5, 5, 6, -1, -1]], dtype=torch.int32)

CONVS = {
    "plain": {},
    "bias, silu": {"bias": True, "activation": "silu"},
    "swish, bfloat16": {"activation": "swish", "dtype": torch.bfloat16},
    "initial": {"initial": True, "bias": True},
    "channels last": {"channels_last": True, "initial": True},
    "width 2": {"width": 2, "initial": True},
    "width 7": {"width": 7, "initial": True},
    "sequences": {"seq_idx": True, "bias": True, "activation": "silu"},
    "sequences, initial": {"seq_idx": True, "initial": True, "channels_last": True},
}


@torch.no_grad()
@pytest.mark.parametrize("case", CONVS)
def test_causal_conv1d_fn(case):
    options = {"dtype": torch.float32, "width": 4, "channels_last": False} | CONVS[case]
    dtype, width = options["dtype"], options["width"]
    x = normal(2, 5, 9, seed=1, dtype=dtype, channels_last=options["channels_last"])
    weight = normal(5, width, seed=2)
    bias = normal(5, seed=3) if "bias" in options else None
    initial = normal(2, 5, width - 1, seed=4, dtype=dtype) if "initial" in options else None
    seq_idx = SEQ_IDX if "seq_idx" in options else None
    activation = options.get("activation")
    out = causal_conv1d_fn(x, weight, bias, seq_idx, initial, activation=activation)
    assert out.dtype == dtype and out.stride() == x.stride()
    close(out, conv_definition(x, weight, bias, seq_idx, initial, activation is not None))
    if seq_idx is not None:
        return
    again, final = causal_conv1d_fn(
        x, weight, bias, None, initial, return_final_states=True, activation=activation
    )
    assert torch.equal(again, out)
    before = torch.zeros(2, 5, width - 1, dtype=dtype) if initial is None else initial
    assert torch.equal(final, torch.cat([before, x], dim=2)[..., -(width - 1) :])
    place = torch.empty(2, 5, width - 1, dtype=dtype)
    _, given = causal_conv1d_fn(
        x, weight, bias, None, initial, True, place, activation=activation
    )
    assert given is place and torch.equal(place, final)


def test_what_causal_conv1d_fn_does_not_take():
    x, weight = normal(2, 5, 9), normal(5, 4)
    with pytest.raises(ValueError, match=r"x: expected \(batch, dim, length\), got \(5, 9\)"):
        causal_conv1d_fn(x[0], weight)
    with pytest.raises(NotImplementedError, match="activation: expected None, silu or swish, got 'relu'"):
        causal_conv1d_fn(x, weight, activation="relu")
    with pytest.raises(NotImplementedError, match="return_final_states: expected False with seq_idx"):
        causal_conv1d_fn(x, weight, seq_idx=SEQ_IDX, return_final_states=True)
    with pytest.raises(ValueError, match=r"seq_idx: expected \(2, 9\), got \(9,\)"):
        causal_conv1d_fn(x, weight, seq_idx=SEQ_IDX[0])


def test_gradients():
    """Through sequences and what precedes them."""
    wide = {"dtype": torch.float64}
    x, weight, bias, initial = (
        normal(*s, seed=6, **wide).requires_grad_() for s in ((2, 5, 9), (5, 4), (5,), (2, 5, 3))
    )
    assert torch.autograd.gradcheck(
        lambda x, weight, bias, initial: causal_conv1d_fn(
            x, weight, bias, SEQ_IDX, initial, activation="silu"
        ),
        (x, weight, bias, initial),
    )


UPDATES = {
    "one token": {},
    "bias, silu": {"bias": True, "activation": "silu"},
    "bfloat16": {"dtype": torch.bfloat16, "activation": "swish"},
    "several tokens": {"length": 3},
    "a longer state": {"size": 6, "length": 2},
    "more tokens than the state holds": {"size": 3, "length": 5},
    "width 2": {"width": 2, "size": 1},
    "a ring": {"size": 5, "ring": True},
    "a ring, several tokens": {"size": 5, "length": 3, "ring": True},
    "a ring, more tokens than it holds": {"size": 4, "length": 9, "ring": True},
    "some rows of a cache": {"indices": True},
    "some rows of rings": {"size": 4, "length": 2, "ring": True, "indices": True},
    "a state in float32": {"dtype": torch.bfloat16, "state": torch.float32},
}


@pytest.mark.parametrize("case", UPDATES)
def test_causal_conv1d_update(case):
    """As the convolution of all tokens since the beginning, of which the state keeps the newest."""
    options = {"dtype": torch.float32, "width": 4, "size": 3, "length": 1} | UPDATES[case]
    dtype, width, size, length = (options[name] for name in ("dtype", "width", "size", "length"))
    before = 7  # tokens that the rows have had
    every = normal(2, 5, before + length, seed=1, dtype=dtype)
    weight = normal(5, width, seed=2)
    bias = normal(5, seed=3) if "bias" in options else None
    seen = torch.tensor([before, before - 2], dtype=torch.int32) if "ring" in options else None

    def state_after(tokens: int) -> torch.Tensor:
        state = torch.empty(2, 5, size, dtype=options.get("state", dtype))
        for row in range(2):
            for age in range(size):  # of the newest token 0
                at = tokens - 1 - age
                place = size - 1 - age
                if seen is not None:  # the second row's ring began two tokens later
                    place = (at - 2 * row) % size
                state[row, :, place] = every[row, :, at]
        return state

    state, indices = state_after(before), None
    if "indices" in options:
        indices = torch.tensor([3, 1])
        cache = normal(5, 5, size, seed=4, dtype=dtype)
        untouched = cache[0].clone()
        cache[indices] = state
        state = cache
    x = every[..., before:]
    out = causal_conv1d_update(
        x[..., 0] if length == 1 else x, state, weight, bias, options.get("activation"), seen, indices
    )
    expected = conv_definition(every, weight, bias, None, None, "activation" in options)[..., before:]
    assert out.dtype == dtype
    close(out, expected[..., 0] if length == 1 else expected)
    after = state if indices is None else state[indices]
    assert torch.equal(after, state_after(before + length))
    if indices is not None:
        assert torch.equal(state[0], untouched)


def test_what_causal_conv1d_update_does_not_take():
    x, weight = normal(2, 5), normal(5, 4)
    with pytest.raises(NotImplementedError, match="causal_conv1d_update: activation: expected None"):
        causal_conv1d_update(x, normal(2, 5, 3), weight, activation="relu")
    with pytest.raises(ValueError, match=r"x: expected \(batch, dim\) or \(batch, dim, length\), got \(5,\)"):
        causal_conv1d_update(x[0], normal(2, 5, 3), weight)
    with pytest.raises(ValueError, match=r"expected \(2, 5\) and at least 3 tokens, got \(2, 5, 2\)"):
        causal_conv1d_update(x, normal(2, 5, 2), weight)
