"""causal_conv1d's gradients against its float64 definition's."""

from __future__ import annotations

import pytest
import torch
from gradients import assert_gradients_within, random_like
from op_support import DTYPES
from row_inputs import conv_inputs

from simba_ssm import ops, reference

NAMES = ("x", "weight", "bias", "initial_state")

ROWS = [
    pytest.param({}, id="base"),
    *[pytest.param({"length": n}, id=f"length {n}") for n in (0, 1, 2, 3, 32, 33, 129, 1000)],
    *[pytest.param({"channels": n}, id=f"channels {n}") for n in (0, 1, 7, 33, 300)],
    *[pytest.param({"width": n}, id=f"width {n}") for n in (1, 2, 3, 5, 9)],
    *[pytest.param({"batch": n}, id=f"batch {n}") for n in (0, 1)],
    *[pytest.param({"dtype": t}, id=str(t)) for t in DTYPES],
    pytest.param({"bias": False}, id="no bias"),
    pytest.param({"initial": True}, id="initial state"),
    pytest.param({"length": 1, "initial": True}, id="initial state, length 1"),
    pytest.param({"length": 2, "width": 9, "initial": True}, id="initial state longer than x"),
    pytest.param({"view": True}, id="strided views"),
    pytest.param({"lengths": [0, 5, 0, 0, 63, 1, 0]}, id="packed, some empty"),
    pytest.param({"lengths": [0, 1, 2, 60], "initial": True}, id="packed, initial state"),
    pytest.param({"lengths": []}, id="packed, no sequence"),
]


def with_gradients(inputs, last_state=True):
    out, state = ops.causal_conv1d(**inputs)
    given = inputs | {"grad_out": random_like(out)}
    return given | ({"grad_last_state": random_like(state, 2)} if last_state else {})


@pytest.mark.parametrize("last_state", [False, True])
@pytest.mark.parametrize("silu", [False, True])
@pytest.mark.parametrize("row", ROWS)
def test_equals_reference(row, silu, last_state, device):
    arguments = with_gradients(conv_inputs(device=device, **row), last_state)
    actual = ops.causal_conv1d_backward(**arguments, silu=silu)
    cpu = {name: tensor.cpu() for name, tensor in arguments.items()}
    expected = reference.causal_conv1d_backward(**cpu, silu=silu)
    assert_gradients_within(NAMES, actual, expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_repeats_bit_for_bit(dtype, device):
    arguments = with_gradients(conv_inputs(device=device, dtype=dtype, channels=200, initial=True))
    first = ops.causal_conv1d_backward(**arguments, silu=True)
    threads = torch.get_num_threads()
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            again = ops.causal_conv1d_backward(**arguments, silu=True)
            assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("lengths", [None, [0, 2, 1, 5]])
@pytest.mark.parametrize("silu", [False, True])
def test_gradcheck(silu, lengths, device):
    sizes = {"batch": 2, "length": 5, "channels": 3, "lengths": lengths}
    inputs = conv_inputs(device=device, dtype=torch.float64, initial=True, **sizes)
    leaves = {name: inputs[name].requires_grad_() for name in NAMES}

    def conv(*values):
        return ops.causal_conv1d(**inputs | dict(zip(leaves, values, strict=True)), silu=silu)

    assert torch.autograd.gradcheck(conv, tuple(leaves.values()))


def test_infinite_inputs_of_silu(device):
    x = torch.tensor([[[torch.inf], [-torch.inf], [1e30], [-1e30]]], device=device)
    weight = torch.ones(1, 1, device=device)
    grad_x, *_ = ops.causal_conv1d_backward(x, weight, silu=True, grad_out=torch.ones_like(x))
    assert grad_x.flatten().tolist() == [1, 0, 1, 0]


ERRORS = [
    ("grad_out", lambda t: t[:, :5], r"grad_out must be \(B, L, D\) = \(2, 63, 24\), got"),
    ("grad_last_state", lambda t: t[..., :2], r"grad_last_state must be \(S, D, K - 1\) = \(2,"),
    ("grad_last_state", lambda t: t.half(), "grad_last_state must be float32, got float16"),
    ("weight", lambda t: t[:, :0], r"weight must be \(D, K\) with at least one tap, got K = 0"),
]


@pytest.mark.parametrize(("name", "change", "message"), ERRORS)
def test_wrong_argument(name, change, message, device):
    arguments = with_gradients(conv_inputs(device=device))
    arguments[name] = change(arguments[name])
    with pytest.raises(ValueError, match="causal_conv1d_backward: " + message):
        ops.causal_conv1d_backward(**arguments)
