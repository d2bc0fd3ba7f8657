"""ssm_step against its float64 definition: each row differs from a base case in one thing."""

from __future__ import annotations

import pytest
import torch
from op_support import ROUNDING, accumulate_type, assert_within, strided
from scan_inputs import on_cpu, scan_inputs

from simba_ssm import ops, reference


def step_inputs(
    *, device, sequences=2, channels=21, states=16, dt_rank=5, dtype=torch.float32, view=False,
    shift=0.0,
):  # fmt: skip
    inputs = scan_inputs(
        device=device, batch=sequences, length=1, channels=channels, states=states, dtype=dtype,
        initial=True,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(1)
    dt = torch.randn(sequences, dt_rank, generator=generator).to(inputs["u"])
    dt_proj = torch.randn(channels, dt_rank, generator=generator) / max(dt_rank, 1) ** 0.5
    data = {
        "u": inputs["u"][:, 0],
        "dt_B_C": torch.cat([dt, inputs["B"][:, 0], inputs["C"][:, 0]], dim=1),
        "dt_proj": dt_proj.to(inputs["u"]),
        "z": inputs["z"][:, 0],
    }
    if view:
        data = {name: strided(tensor) for name, tensor in data.items()}
    data |= {name: inputs[name] for name in ("A", "D")}
    data["delta_bias"] = inputs["delta_bias"] + shift
    return {"state": inputs["initial_state"]} | data


ROWS = [
    pytest.param({}, id="base"),
    *[pytest.param({"sequences": n}, id=f"sequences {n}") for n in (0, 1, 5, 63)],
    *[pytest.param({"channels": n}, id=f"channels {n}") for n in (0, 1, 130)],
    *[pytest.param({"states": n}, id=f"states {n}") for n in (0, 1, 3, 64)],
    *[pytest.param({"dt_rank": n}, id=f"dt_rank {n}") for n in (0, 1, 48)],
    *[pytest.param({"dtype": t}, id=str(t)) for t in (torch.bfloat16, torch.float16)],
    *[pytest.param({"shift": x}, id=f"delta shifted by {x}") for x in (-30.0, 30.0, 1e4)],
    pytest.param({"view": True}, id="strided views"),
]


def magnitudes(inputs):
    """Per unit of relative error in delta's terms and in every operation: that of out and state."""
    names = ("state", "u", "dt_B_C", "dt_proj", "A", "D", "z", "delta_bias")
    state, u, dt_B_C, dt_proj, A, D, z, bias = (inputs[name].double() for name in names)
    dt, B, C = dt_B_C.split([dt_proj.shape[1], A.shape[1], A.shape[1]], dim=1)
    raw = reference.gemv(dt.abs(), dt_proj.abs())
    delta = torch.nn.functional.softplus(reference.gemv(dt, dt_proj) + bias)
    # softplus's slope is below 1 and below delta.
    error = (delta.clamp(max=1) * (raw + bias.abs()) + delta)[..., None]
    delta = delta[..., None]
    decayed = torch.exp(delta * A) * state.abs()
    after = decayed * (1 + A.abs() * error) + error * (B[:, None] * u[..., None]).abs()
    out = (after * C[:, None].abs()).sum(2) + (D * u).abs()
    return out * (z * torch.sigmoid(z)).abs(), after


def check_against_reference(inputs):
    cpu = {name: tensor.clone() for name, tensor in on_cpu(inputs).items()}
    expected, expected_state = reference.ssm_step(**cpu)
    magnitude, state_magnitude = magnitudes(cpu)
    out = ops.ssm_step(**inputs)
    dtype = inputs["u"].dtype
    assert out.dtype == dtype
    # delta is rounded to the data type before softplus.
    factor = 32 + 1.1 * ROUNDING[dtype] / ROUNDING[accumulate_type(dtype)]
    assert_within(out, expected, magnitude, factor)
    assert_within(inputs["state"], expected_state, state_magnitude, factor)


@pytest.mark.parametrize("row", ROWS)
def test_equals_reference(row, device):
    check_against_reference(step_inputs(device=device, **row))


@pytest.mark.parametrize("device", ["cpu"])
def test_float64_equals_reference(device):
    check_against_reference(step_inputs(device=device, dtype=torch.float64))


@pytest.mark.parametrize("device", ["cuda"])
def test_float64_is_refused(device):
    message = "ssm_step: u must be float32, bfloat16 or float16 on a GPU"
    with pytest.raises(ValueError, match=message):
        ops.ssm_step(**step_inputs(device=device, dtype=torch.float64))


def test_equals_the_operators_it_joins(device):
    inputs = step_inputs(device=device)
    state = inputs["state"].clone()
    dt, B, C = inputs["dt_B_C"].split([5, 16, 16], dim=1)
    delta = ops.gemv(dt, inputs["dt_proj"])
    rest = {name: inputs[name] for name in ("A", "D", "z", "delta_bias")}
    out = ops.selective_state_update(
        state, inputs["u"], delta, B=B, C=C, **rest, delta_softplus=True
    )
    torch.testing.assert_close(ops.ssm_step(**inputs), out)
    torch.testing.assert_close(inputs["state"], state)


ERRORS = [
    ("state", lambda t: t[:1], r"state must be \(S, D, N\) = \(2, 21, 16\), got \(1, 21, 16\)"),
    ("state", lambda t: t.double(), "state must be float32, got float64"),
    ("state", lambda t: t.mT.contiguous().mT, "state must be contiguous, got a strided tensor"),
    ("u", lambda t: t[0], r"u must be \(S, D\), of 2 dimensions, got \(21\)"),
    ("dt_B_C", lambda t: t[:, :9], r"dt_B_C must be \(S, R \+ 2 N\) = \(2, 37\), got \(2, 9\)"),
    ("dt_B_C", lambda t: t.half(), "dt_B_C must be float32 like u, got float16"),
    ("dt_proj", lambda t: t[:3], r"dt_proj must be \(D, R\) = \(21, 5\), got \(3, 5\)"),
    ("A", lambda t: t[:3], r"A must be \(D, N\) = \(21, 16\), got \(3, 16\)"),
    ("D", lambda t: t[:1], r"D must be \(D\) = \(21\), got \(1\)"),
    ("z", lambda t: t[:1], r"z must be \(S, D\) = \(2, 21\), got \(1, 21\)"),
    ("delta_bias", lambda t: t[:1], r"delta_bias must be \(D\) = \(21\), got \(1\)"),
]


@pytest.mark.parametrize(("name", "change", "message"), ERRORS)
def test_wrong_argument(name, change, message, device):
    inputs = step_inputs(device=device)
    inputs[name] = change(inputs[name])
    with pytest.raises(ValueError, match="ssm_step: " + message):
        ops.ssm_step(**inputs)
