"""gate against its float64 definition: one base case, each row differs from it in one thing."""

from __future__ import annotations

import pytest
import torch
from op_support import DTYPES, assert_within
from row_inputs import gate_inputs

from simba_ssm import ops, reference


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
    *[pytest.param({"scale": x}, id=f"z scaled by {x}") for x in (0.0, 1e-30, 30.0, 1e6)],
]


@pytest.mark.parametrize("row", ROWS)
def test_equals_reference(row, device):
    inputs = gate_inputs(device=device, **row)
    out = ops.gate(**inputs)
    expected = reference.gate(**{name: tensor.cpu() for name, tensor in inputs.items()})
    assert out.dtype == inputs["y"].dtype
    # silu(-100) is a denormal number in float32 and zero to a fast exponential.
    assert_within(out, expected, expected.abs() + 1e-35, factor=8)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("offset", range(9))
def test_any_storage_offset(offset, dtype, device):
    """Vector loads need no alignment and read nothing outside the view, which NaN surrounds."""
    inputs = gate_inputs(device=device, dtype=dtype, batch=1, channels=17)
    expected = ops.gate(**inputs)
    for name in ("y", "z"):
        buffer = torch.full((1, 10, 40), torch.nan, dtype=dtype, device=device)
        view = buffer[:, :9, offset : offset + 17]
        view.copy_(inputs[name])
        inputs[name] = view
    assert torch.equal(ops.gate(**inputs), expected)


def test_infinite_gates(device):
    y = torch.ones(1, 1, 3, device=device)
    z = torch.tensor([[[torch.inf, -1e30, torch.nan]]], device=device)
    out = ops.gate(y, z)[0, 0]
    assert out[0] == torch.inf
    assert out[1] == 0
    assert out[2].isnan()


ERRORS = [
    ("y", lambda t: t[0], r"y must be \(B, L, D\), of 3 dimensions, got \(9, 64\)"),
    ("y", lambda t: t.int(), "y must be float32, float64, bfloat16 or float16, got int32"),
    ("y", lambda t: t[..., ::2], "y must be contiguous in its last dimension, got stride 2"),
    ("z", lambda t: t[:, :3], r"z must be \(B, L, D\) = \(2, 9, 64\), got \(2, 3, 64\)"),
    ("z", lambda t: t.half(), "z must be float32 like y, got float16"),
    ("indices", lambda t: t.int(), "indices must be int64, got int32"),
    ("indices", lambda t: t[0], r"indices must be \(B, K\) with B = 2, got \(7\)"),
]


@pytest.mark.parametrize(("name", "change", "message"), ERRORS)
def test_wrong_argument(name, change, message, device):
    inputs = gate_inputs(device=device, indices=True)
    inputs[name] = change(inputs[name])
    with pytest.raises(ValueError, match="gate: " + message):
        ops.gate(**inputs)


@pytest.mark.parametrize("bad", [-1, 9])
def test_index_out_of_range(bad):
    inputs = gate_inputs(device="cpu", indices=True)
    inputs["indices"][1, 4] = bad
    with pytest.raises(ValueError, match=rf"indices must be in \[0, 9\), got {bad}"):
        ops.gate(**inputs)
