"""causal_conv1d against its float64 definition: one base case, each row differs in one thing."""

from __future__ import annotations

import pytest
import torch
from op_support import DTYPES, assert_within
from row_inputs import conv_inputs

from simba_ssm import ops, reference


ROWS = [
    pytest.param({}, id="base"),
    *[pytest.param({"length": n}, id=f"length {n}") for n in (0, 1, 2, 3, 129, 1000)],
    *[pytest.param({"channels": n}, id=f"channels {n}") for n in (0, 1, 7, 33, 300)],
    *[pytest.param({"width": n}, id=f"width {n}") for n in (1, 2, 3, 5, 9)],
    *[pytest.param({"batch": n}, id=f"batch {n}") for n in (0, 1)],
    *[pytest.param({"dtype": t}, id=str(t)) for t in DTYPES],
    pytest.param({"bias": False}, id="no bias"),
    pytest.param({"initial": True}, id="initial state"),
    pytest.param({"length": 1, "initial": True}, id="initial state, length 1"),
    pytest.param({"view": True}, id="strided views"),
    pytest.param({"lengths": [0, 5, 0, 0, 63, 1, 0]}, id="packed, some empty"),
    pytest.param({"lengths": [0, 1, 2, 60], "initial": True}, id="packed, initial state"),
    pytest.param({"lengths": []}, id="packed, no sequence"),
]


@pytest.mark.parametrize("silu", [False, True])
@pytest.mark.parametrize("row", ROWS)
def test_equals_reference(row, silu, device):
    inputs = conv_inputs(device=device, **row)
    out, last_state = ops.causal_conv1d(**inputs, silu=silu)
    cpu = {name: tensor.cpu() for name, tensor in inputs.items()}
    expected, expected_state = reference.causal_conv1d(**cpu, silu=silu)
    absolute = {name: cpu[name].abs() for name in cpu if name != "cu_seqlens"}
    magnitude, _ = reference.causal_conv1d(**cpu | absolute)
    assert out.dtype == last_state.dtype == inputs["x"].dtype
    assert_within(out, expected, magnitude, factor=8)
    assert torch.equal(last_state.cpu().double(), expected_state)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cut", [0, 1, 2, 3, 4, 31, 62, 63])
def test_split_anywhere_equals_whole(cut, dtype, device):
    inputs = conv_inputs(device=device, dtype=dtype, initial=True)
    whole, whole_state = ops.causal_conv1d(**inputs, silu=True)
    x = inputs["x"]
    out1, state = ops.causal_conv1d(**inputs | {"x": x[:, :cut]}, silu=True)
    second = inputs | {"x": x[:, cut:], "initial_state": state}
    out2, last_state = ops.causal_conv1d(**second, silu=True)
    assert torch.equal(torch.cat([out1, out2], dim=1), whole)
    assert torch.equal(last_state, whole_state)


@pytest.mark.parametrize("dtype", DTYPES)
def test_packed_equals_single_bit_for_bit(dtype, device):
    lengths = [5, 0, 63, 1, 2, 32]
    inputs = conv_inputs(device=device, lengths=lengths, dtype=dtype, initial=True)
    out, last_state = ops.causal_conv1d(**inputs, silu=True)
    del inputs["cu_seqlens"]
    begin = 0
    for s, length in enumerate(lengths):
        span = slice(begin, begin + length)
        cut = {"x": inputs["x"][:, span], "initial_state": inputs["initial_state"][s : s + 1]}
        out_s, state_s = ops.causal_conv1d(**inputs | cut, silu=True)
        assert torch.equal(out_s, out[:, span])
        assert torch.equal(state_s[0], last_state[s])
        begin += length


ERRORS = [
    ("x", lambda t: t[0], r"x must be \(B, L, D\), of 3 dimensions, got \(63, 24\)"),
    ("x", lambda t: t.long(), "x must be float32, float64, bfloat16 or float16, got int64"),
    ("x", lambda t: t[..., ::2], "x must be contiguous in its last dimension, got stride 2"),
    ("weight", lambda t: t[:, None], r"weight must be \(D, K\), of 2 dimensions, got \(24, 1, 4\)"),
    ("weight", lambda t: t[:5], r"weight must be \(D, K\) = \(24, 4\), got \(5, 4\)"),
    ("weight", lambda t: t[:, :0], r"weight must be \(D, K\) with at least one tap, got K = 0"),
    ("bias", lambda t: t[:5], r"bias must be \(D\) = \(24\), got \(5\)"),
    (
        "initial_state",
        lambda t: t[..., :2],
        r"initial_state must be \(S, D, K - 1\) = \(2, 24, 3\)",
    ),
    ("initial_state", lambda t: t.half(), "initial_state must be float32, got float16"),
]


@pytest.mark.parametrize(("name", "change", "message"), ERRORS)
def test_wrong_argument(name, change, message, device):
    inputs = conv_inputs(device=device, initial=True)
    inputs[name] = change(inputs[name])
    with pytest.raises(ValueError, match="causal_conv1d: " + message):
        ops.causal_conv1d(**inputs)
