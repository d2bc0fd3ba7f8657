"""in_proj_step against its float64 definition: each row differs from a base case in one thing."""

from __future__ import annotations

import pytest
import torch
from op_support import ROUNDING, accumulate_type, assert_within, strided

from simba_ssm import ops, reference

EPS = 1e-5


def step_inputs(
    *, device, rows=2, d_model=37, channels=21, width=4, dtype=torch.float32, view=False
):
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(shape, generator=generator)

    data = {
        "hidden": normal(rows, d_model),
        "in_proj": normal(2 * channels, d_model) / d_model**0.5,
    }
    data = {name: tensor.to(dtype).to(device) for name, tensor in data.items()}
    if view:
        data = {name: strided(tensor) for name, tensor in data.items()}
    parameters = {
        "residual": 3 * normal(rows, d_model),
        "norm_weight": 1 + 0.1 * normal(d_model),
        "conv_weight": normal(channels, width) / 2,
        "conv_bias": normal(channels) / 2,
    }
    acc = accumulate_type(dtype)
    parameters = {name: tensor.to(acc).to(device) for name, tensor in parameters.items()}
    conv_state = normal(rows, channels, width - 1).to(dtype).to(device)
    return data | parameters | {"conv_state": conv_state}


ROWS = [
    pytest.param({}, id="base"),
    *[pytest.param({"rows": n}, id=f"rows {n}") for n in (0, 1, 3, 4)],
    *[pytest.param({"d_model": n}, id=f"d_model {n}") for n in (1, 64, 768)],
    *[pytest.param({"channels": n}, id=f"channels {n}") for n in (1, 130, 1500)],
    *[pytest.param({"width": n}, id=f"width {n}") for n in (1, 2, 7)],
    *[pytest.param({"dtype": t}, id=str(t)) for t in (torch.bfloat16, torch.float16)],
    pytest.param({"view": True}, id="strided views"),
]


def magnitudes(inputs, residual):
    """Sums of the absolute terms behind x, z, u and the new residual, which is `residual`."""
    hidden, in_proj, weight = (inputs[k].double() for k in ("hidden", "in_proj", "conv_weight"))
    normed, _ = reference.add_norm(residual[None], None, inputs["norm_weight"], eps=EPS)
    x, z = reference.gemv(normed[0].abs(), in_proj.abs()).split(weight.shape[0], dim=1)
    window = torch.cat([inputs["conv_state"].double().abs(), x[..., None]], dim=2)
    u = (weight.abs() * window).sum(2)
    if inputs["conv_bias"] is not None:
        u += inputs["conv_bias"].double().abs()
    return x, z, u, hidden.abs() + (residual - hidden).abs()


def check_against_reference(inputs):
    cpu = {name: None if t is None else t.cpu().clone() for name, t in inputs.items()}
    u, z, residual, conv_state = reference.in_proj_step(**cpu, eps=EPS)
    x_magnitude, z_magnitude, u_magnitude, residual_magnitude = magnitudes(cpu, residual)
    actual_u, actual_z, actual_residual = ops.in_proj_step(**inputs, eps=EPS)
    dtype = inputs["hidden"].dtype
    assert (actual_u.dtype, actual_z.dtype) == (dtype, dtype)
    assert actual_residual.dtype == accumulate_type(dtype)
    assert_within(actual_residual, residual, residual_magnitude, factor=1)

    # The normed row and then x are rounded to the data type on the way; silu's slope is below 1.1.
    rounding = ROUNDING[dtype] / ROUNDING[accumulate_type(dtype)]
    assert_within(actual_z, z, z_magnitude, factor=32 + rounding)
    assert_within(actual_u, u, u_magnitude, factor=32 + 2.2 * rounding)
    after = inputs["conv_state"]
    assert torch.equal(after[..., :-1].cpu(), cpu["conv_state"][..., 1:])
    if after.shape[2]:
        assert_within(after[..., -1], conv_state[..., -1], x_magnitude, factor=32 + rounding)


@pytest.mark.parametrize("row", ROWS)
def test_equals_reference(row, device):
    check_against_reference(step_inputs(device=device, **row))


@pytest.mark.parametrize("device", ["cpu"])
def test_float64_equals_reference(device):
    check_against_reference(step_inputs(device=device, dtype=torch.float64))


@pytest.mark.parametrize("device", ["cuda"])
def test_float64_is_refused(device):
    message = "in_proj_step: hidden must be float32, bfloat16 or float16 on a GPU"
    with pytest.raises(ValueError, match=message):
        ops.in_proj_step(**step_inputs(device=device, dtype=torch.float64), eps=EPS)


@pytest.mark.parametrize("name", ["residual", "conv_bias"])
def test_without_an_optional_argument(name, device):
    check_against_reference(step_inputs(device=device) | {name: None})


def test_parameters_of_the_data_type(device):
    inputs = step_inputs(device=device, dtype=torch.bfloat16)
    for name in ("norm_weight", "conv_weight", "conv_bias"):
        inputs[name] = inputs[name].bfloat16()
    check_against_reference(inputs)


def test_equals_the_operators_it_joins(device):
    inputs = step_inputs(device=device)
    state = inputs["conv_state"].clone()
    normed, residual = ops.add_norm(
        inputs["hidden"][None], inputs["residual"][None], inputs["norm_weight"], eps=EPS
    )  # fmt: skip
    x, z = ops.gemv(normed[0], inputs["in_proj"]).chunk(2, dim=1)
    u, state = ops.causal_conv1d(
        x[:, None], inputs["conv_weight"], inputs["conv_bias"], state, silu=True
    )
    actual_u, actual_z, actual_residual = ops.in_proj_step(**inputs, eps=EPS)
    torch.testing.assert_close(actual_u, u[:, 0])
    torch.testing.assert_close(actual_z, z)
    torch.testing.assert_close(inputs["conv_state"], state)
    assert torch.equal(actual_residual, residual[0])


ERRORS = [
    ("hidden", lambda t: t[0], r"hidden must be \(S, d_model\), of 2 dimensions, got \(37\)"),
    ("hidden", lambda t: t[:1].expand(5, 37), "hidden must be of at most 4 rows, got 5"),
    ("hidden", lambda t: t[:, :0], "hidden must be of at least one column, got 0"),
    (
        "hidden",
        lambda t: t.new_zeros(2, 5888 + 1),
        "hidden must be of at most 47104 bytes, got 47112",
    ),
    ("residual", lambda t: t[:1], r"residual must be \(S, d_model\) = \(2, 37\), got \(1, 37\)"),
    ("residual", lambda t: t.double(), "residual must be float32, got float64"),
    ("norm_weight", lambda t: t[:1], r"norm_weight must be \(d_model\) = \(37\), got \(1\)"),
    ("in_proj", lambda t: t[:3], r"in_proj must be \(2 D, d_model\) = \(42, 37\), got \(3, 37\)"),
    ("in_proj", lambda t: t.half(), "in_proj must be float32 like hidden, got float16"),
    ("conv_state", lambda t: t[:1], r"conv_state must be \(S, D, K - 1\) = \(2, 21, 3\), got"),
    ("conv_state", lambda t: t.half(), "conv_state must be float32, got float16"),
    ("conv_state", lambda t: t.mT.contiguous().mT, "conv_state must be contiguous, got a strided"),
    ("conv_weight", lambda t: t[0], r"conv_weight must be \(D, K\), of 2 dimensions, got \(4\)"),
    ("conv_weight", lambda t: t[:, :0], "conv_weight must be of at least one tap, got 0"),
    (
        "conv_weight",
        lambda t: t.new_zeros(21, 33),
        "conv_weight must be of at most 32 taps, got 33",
    ),
    ("conv_bias", lambda t: t[:1], r"conv_bias must be \(D\) = \(21\), got \(1\)"),
]


@pytest.mark.parametrize(("name", "change", "message"), ERRORS)
def test_wrong_argument(name, change, message, device):
    inputs = step_inputs(device=device)
    inputs[name] = change(inputs[name])
    with pytest.raises(ValueError, match="in_proj_step: " + message):
        ops.in_proj_step(**inputs, eps=EPS)
