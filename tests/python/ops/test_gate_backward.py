"""gate's gradients against its float64 definition's."""

from __future__ import annotations

import pytest
import torch
from gradients import assert_gradients_within, random_like
from op_support import DTYPES
from row_inputs import gate_inputs

from simba_ssm import ops, reference

NAMES = ("y", "z")

ROWS = [
    pytest.param({}, id="base"),
    *[pytest.param({"length": n}, id=f"length {n}") for n in (0, 1, 2, 129)],
    *[pytest.param({"channels": n}, id=f"channels {n}") for n in (0, 1, 7, 33, 129)],
    *[pytest.param({"batch": n}, id=f"batch {n}") for n in (0, 1)],
    *[pytest.param({"dtype": t}, id=str(t)) for t in DTYPES],
    pytest.param({"indices": True}, id="indices"),
    pytest.param({"length": 2, "indices": True}, id="no index"),
    pytest.param({"view": True}, id="strided views"),
    pytest.param({"view": True, "indices": True}, id="strided views, indices"),
    *[pytest.param({"scale": x}, id=f"z scaled by {x}") for x in (0.0, 1e-30, 30.0)],
]


def with_gradient(inputs):
    return inputs | {"grad_out": random_like(ops.gate(**inputs))}


def check_against_reference(arguments):
    actual = ops.gate_backward(**arguments)
    expected = reference.gate_backward(**{name: t.cpu() for name, t in arguments.items()})
    assert_gradients_within(NAMES, actual, expected, factor=16)


@pytest.mark.parametrize("row", ROWS)
def test_equals_reference(row, device):
    check_against_reference(with_gradient(gate_inputs(device=device, **row)))


def test_rows_picked_twice_or_not_at_all(device):
    inputs = gate_inputs(device=device, indices=True)
    inputs["indices"] = torch.tensor([[3, 3, 0, 8, 3, 0], [7, 6, 5, 5, 5, 5]], device=device)
    arguments = with_gradient(inputs)
    check_against_reference(arguments)
    grad_y, grad_z = ops.gate_backward(**arguments)
    assert not grad_y[0, 1].any()
    assert not grad_z[1, 0].any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_repeats_bit_for_bit(dtype, device):
    arguments = with_gradient(gate_inputs(device=device, dtype=dtype, length=129, indices=True))
    first = ops.gate_backward(**arguments)
    again = ops.gate_backward(**arguments)
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))


@pytest.mark.parametrize("indices", [False, True])
def test_gradcheck(indices, device):
    inputs = gate_inputs(
        device=device, dtype=torch.float64, length=4, channels=3, indices=indices
    )
    leaves = {name: inputs[name].requires_grad_() for name in NAMES}

    def gate(*values):
        return ops.gate(**inputs | dict(zip(leaves, values, strict=True)))

    assert torch.autograd.gradcheck(gate, tuple(leaves.values()))


def test_infinite_gates(device):
    z = torch.tensor([[[torch.inf, -torch.inf, 1e30, -1e30]]], device=device)
    ones = torch.ones_like(z)
    _, grad_z = ops.gate_backward(ones, z, grad_out=ones)
    assert grad_z.flatten().tolist() == [1, 0, 1, 0]


ERRORS = [
    ("grad_out", lambda t: t[:, :3], r"grad_out must be \(B, K, D\) = \(2, 7, 64\), got \(2, 3"),
    ("grad_out", lambda t: t.half(), "grad_out must be float32 like y, got float16"),
    ("z", lambda t: t.half(), "z must be float32 like y, got float16"),
    ("indices", lambda t: t.int(), "indices must be int64, got int32"),
]


@pytest.mark.parametrize(("name", "change", "message"), ERRORS)
def test_wrong_argument(name, change, message, device):
    arguments = with_gradient(gate_inputs(device=device, indices=True))
    arguments[name] = change(arguments[name])
    with pytest.raises(ValueError, match="gate_backward: " + message):
        ops.gate_backward(**arguments)
