"""add_norm against its float64 definition: one base case, each row differs from it in one thing."""

from __future__ import annotations

import pytest
import torch
from op_support import DTYPES, accumulate_type, assert_within
from row_inputs import norm_inputs

from simba_ssm import ops, reference

EPS = 1e-5


ROWS = [
    pytest.param({}, id="base"),
    *[pytest.param({"length": n}, id=f"length {n}") for n in (0, 1, 2, 63)],
    *[pytest.param({"channels": n}, id=f"channels {n}") for n in (1, 7, 33, 129, 1000)],
    *[pytest.param({"batch": n}, id=f"batch {n}") for n in (0, 1)],
    *[pytest.param({"dtype": t}, id=str(t)) for t in DTYPES],
    *[pytest.param({"dtype": t, "residual": "wide"}, id=f"{t}, wide residual") for t in DTYPES],
    pytest.param({"bias": True}, id="LayerNorm"),
    pytest.param({"bias": True, "mean": 100.0}, id="LayerNorm far from zero"),
    pytest.param({"residual": None}, id="no residual"),
    pytest.param({"residual": None, "indices": True}, id="no residual, indices"),
    pytest.param({"indices": True}, id="indices"),
    pytest.param({"view": True}, id="strided views"),
    pytest.param({"view": True, "indices": True}, id="strided views, indices"),
    *[pytest.param({"scale": x}, id=f"scaled by {x}") for x in (0.0, 1e-20, 1e15)],
]


@pytest.mark.parametrize("residual_in_fp32", [False, True])
@pytest.mark.parametrize("row", ROWS)
def test_equals_reference(row, residual_in_fp32, device):
    inputs = norm_inputs(device=device, **row)
    normed, new_residual = ops.add_norm(**inputs, eps=EPS, residual_in_fp32=residual_in_fp32)
    cpu = {name: tensor.cpu() for name, tensor in inputs.items() if tensor is not None}
    cpu.setdefault("residual", None)
    expected, expected_residual = reference.add_norm(**cpu, eps=EPS)

    dtype = inputs["x"].dtype
    wide = residual_in_fp32 or row.get("residual") == "wide"
    assert normed.dtype == dtype
    assert new_residual.dtype == (accumulate_type(dtype) if wide else dtype)
    # The sum is one rounding in the accumulate type; centring divides its error by the spread.
    assert_within(new_residual, expected_residual, expected_residual.abs(), factor=1)
    spread = expected_residual
    if "bias" in cpu:
        spread = spread - spread.mean(-1, keepdim=True)
    per_unit = cpu["weight"].double() / torch.sqrt((spread**2).mean(-1, keepdim=True) + EPS)
    magnitude = (expected_residual * per_unit).abs() + cpu.get("bias", torch.zeros(())).abs()
    if "bias" in cpu:
        magnitude = magnitude + (expected_residual.mean(-1, keepdim=True) * per_unit).abs()
    assert_within(normed, expected, magnitude, factor=12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_do_not_depend_on_their_number(dtype, device):
    inputs = norm_inputs(device=device, length=17, dtype=dtype)
    normed, new_residual = ops.add_norm(**inputs)
    for row in (0, 7, 16):
        cut = {name: inputs[name][:, row : row + 1] for name in ("x", "residual")}
        one, one_residual = ops.add_norm(**inputs | cut)
        assert torch.equal(one, normed[:, row : row + 1])
        assert torch.equal(one_residual, new_residual[:, row : row + 1])


def test_no_channels(device):
    normed, new_residual = ops.add_norm(**norm_inputs(device=device, channels=0))
    assert normed.shape == new_residual.shape == (2, 9, 0)


def test_new_residual_is_not_the_input(device):
    inputs = norm_inputs(device=device, residual=None)
    _, new_residual = ops.add_norm(**inputs)
    assert torch.equal(new_residual, inputs["x"])
    assert new_residual.data_ptr() != inputs["x"].data_ptr()


BASE = {"indices": True}
ERRORS = [
    ("x", lambda t: t[0], r"x must be \(B, L, D\), of 3 dimensions, got \(7, 64\)"),
    ("x", lambda t: t[:, :3], r"x must be \(B, K, D\) = \(2, 7, 64\), got \(2, 3, 64\)"),
    ("x", lambda t: t[..., ::2], "x must be contiguous in its last dimension, got stride 2"),
    ("residual", lambda t: t[0], r"residual must be \(B, L, D\), of 3 dimensions, got \(9, 64\)"),
    ("residual", lambda t: t[:1], r"residual must be \(B, L, D\) = \(2, 9, 64\), got \(1, 9, 64\)"),
    ("residual", lambda t: t.half(), "residual must be float32, got float16"),
    ("weight", lambda t: t[:3], r"weight must be \(D\) = \(64\), got \(3\)"),
    ("bias", lambda _: torch.zeros(3), r"bias must be \(D\) = \(64\), got \(3\)"),
    ("indices", lambda t: t.int(), "indices must be int64, got int32"),
    ("indices", lambda t: t[:1], r"indices must be \(B, K\) with B = 2, got \(1, 7\)"),
    ("indices", lambda t: t[:, ::2], "indices must be contiguous, got a strided tensor"),
]


@pytest.mark.parametrize(("name", "change", "message"), ERRORS)
def test_wrong_argument(name, change, message, device):
    inputs = norm_inputs(device=device, indices=True)
    changed = change(inputs.get(name))
    inputs[name] = changed.to(device)
    with pytest.raises(ValueError, match="add_norm: " + message):
        ops.add_norm(**inputs)


@pytest.mark.parametrize("bad", [-1, 9])
def test_index_out_of_range(bad):
    inputs = norm_inputs(device="cpu", indices=True)
    inputs["indices"][1, 4] = bad
    with pytest.raises(ValueError, match=rf"indices must be in \[0, 9\), got {bad}"):
        ops.add_norm(**inputs)
