"""selective_state_update against its float64 definition, and against the scan it is one step of."""

from __future__ import annotations

import pytest
import torch
from scan_inputs import on_cpu, scan_inputs
from op_support import DTYPES, assert_within

from simba_ssm import ops, reference

DATA = ("u", "delta", "B", "C", "z")


def step_inputs(**shape):
    inputs = scan_inputs(length=1, initial=True, **shape)
    inputs["state"] = inputs.pop("initial_state")
    return inputs | {name: inputs[name][:, 0] for name in DATA}


ROWS = [
    pytest.param({}, id="base"),
    *[pytest.param({"batch": n}, id=f"sequences {n}") for n in (0, 1, 63)],
    *[pytest.param({"channels": n}, id=f"channels {n}") for n in (0, 1, 7, 129)],
    *[pytest.param({"states": n}, id=f"states {n}") for n in (1, 3, 64)],
    *[pytest.param({"dtype": t}, id=str(t)) for t in DTYPES],
    *[pytest.param({"shift": x}, id=f"delta shifted by {x}") for x in (-30.0, 30.0, 1e4)],
    pytest.param({"view": True}, id="strided views"),
]


def check_against_reference(inputs, **options):
    cpu = on_cpu(inputs)
    expected, expected_state = reference.selective_state_update(**cpu, **options)
    absolute = {name: cpu[name].abs() for name in ("u", "B", "C", "D", "state") if name in cpu}
    magnitude, state_magnitude = reference.selective_state_update(**cpu | absolute, **options)
    out = ops.selective_state_update(**inputs, **options)
    assert out.dtype == inputs["u"].dtype
    assert_within(out, expected, magnitude.abs(), factor=32)
    assert_within(inputs["state"], expected_state, state_magnitude, factor=32)


@pytest.mark.parametrize("row", ROWS)
def test_equals_reference(row, device):
    check_against_reference(step_inputs(device=device, **row), delta_softplus=True)


@pytest.mark.parametrize("name", ["D", "z", "delta_bias"])
def test_without_an_optional_argument(name, device):
    inputs = step_inputs(device=device)
    del inputs[name]
    check_against_reference(inputs, delta_softplus=True)


def test_without_softplus(device):
    inputs = step_inputs(device=device)
    inputs["delta"] = inputs["delta"].abs()
    inputs["delta_bias"] = inputs["delta_bias"].abs()
    check_against_reference(inputs, delta_softplus=False)


def test_strided_state_is_written_where_it_lies(device):
    """And nothing around it is: sentinels fill the rest of its storage. On a GPU such a state takes another
    kernel than a contiguous one."""
    inputs = step_inputs(device=device)
    buffer = torch.full((4, 30, 23), 77.0, device=device)
    state = buffer[1::2, 3:27, 5:21]
    state.copy_(inputs["state"])
    expected = inputs["state"]
    out = ops.selective_state_update(**inputs, delta_softplus=True)
    strided_out = ops.selective_state_update(**inputs | {"state": state}, delta_softplus=True)
    tolerances = {"rtol": 1e-5, "atol": 1e-6} if device == "cuda" else {"rtol": 0, "atol": 0}
    torch.testing.assert_close(strided_out, out, **tolerances)
    torch.testing.assert_close(state, expected, **tolerances)
    around = torch.ones_like(buffer, dtype=torch.bool)
    around[1::2, 3:27, 5:21] = False
    assert (buffer[around] == 77.0).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_steps_equal_the_scan(dtype, device):
    inputs = scan_inputs(device=device, length=17, dtype=dtype, initial=True)
    out, last_state = ops.selective_scan(**inputs, delta_softplus=True)
    state = inputs.pop("initial_state").clone()
    for t in range(17):
        step = inputs | {name: inputs[name][:, t] for name in DATA}
        out_t = ops.selective_state_update(state, **step, delta_softplus=True)
        torch.testing.assert_close(out_t, out[:, t])
    torch.testing.assert_close(state, last_state)


ERRORS = [
    ("state", lambda t: t[:1], r"state must be \(S, D, N\) = \(2, 24, 16\), got \(1, 24, 16\)"),
    ("state", lambda t: t.double(), "state must be float32, got float64"),
    ("state", lambda t: t[:1].expand(2, 24, 16), "state must be free of overlap, got stride 0"),
    ("state", lambda t: t.mT.contiguous().mT, "state must be contiguous in its last dimension"),
    ("u", lambda t: t[0], r"u must be \(S, D\), of 2 dimensions, got \(24\)"),
    ("delta", lambda t: t[:, :3], r"delta must be \(S, D\) = \(2, 24\), got \(2, 3\)"),
    ("A", lambda t: t[:3], r"A must be \(D, N\) = \(24, 16\), got \(3, 16\)"),
    ("B", lambda t: t[:1], r"B must be \(S, N\) = \(2, 16\), got \(1, 16\)"),
    ("C", lambda t: t.half(), "C must be float32 like u, got float16"),
    ("D", lambda t: t[:1], r"D must be \(D\) = \(24\), got \(1\)"),
    ("z", lambda t: t[:1], r"z must be \(S, D\) = \(2, 24\), got \(1, 24\)"),
    ("delta_bias", lambda t: t[:1], r"delta_bias must be \(D\) = \(24\), got \(1\)"),
]


@pytest.mark.parametrize(("name", "change", "message"), ERRORS)
def test_wrong_argument(name, change, message, device):
    inputs = step_inputs(device=device)
    inputs[name] = change(inputs[name])
    with pytest.raises(ValueError, match="selective_state_update: " + message):
        ops.selective_state_update(**inputs)
