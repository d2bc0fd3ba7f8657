"""gemv against its float64 definition: one base case, each row differs from it in one thing."""

from __future__ import annotations

import pytest
import torch
from op_support import assert_within, strided
from scan_inputs import on_cpu

from simba_ssm import ops, reference


def gemv_inputs(*, device, rows=2, inner=65, outer=37, dtype=torch.float32, view=False):
    generator = torch.Generator().manual_seed(0)
    inputs = {
        "x": torch.randn(rows, inner, generator=generator),
        "weight": torch.randn(outer, inner, generator=generator),
    }
    inputs = {name: tensor.to(dtype).to(device) for name, tensor in inputs.items()}
    return {name: strided(tensor) for name, tensor in inputs.items()} if view else inputs


ROWS = [
    pytest.param({}, id="base"),
    *[pytest.param({"rows": n}, id=f"rows {n}") for n in (0, 1, 3, 4)],
    *[pytest.param({"inner": n}, id=f"inner {n}") for n in (0, 1, 7, 768)],
    *[pytest.param({"outer": n}, id=f"outer {n}") for n in (0, 1, 2001)],
    *[pytest.param({"dtype": t}, id=str(t)) for t in (torch.bfloat16, torch.float16)],
    pytest.param({"view": True}, id="strided views"),
]


def check_against_reference(inputs):
    cpu = on_cpu(inputs)
    magnitude = reference.gemv(cpu["x"].abs(), cpu["weight"].abs())
    out = ops.gemv(**inputs)
    assert out.dtype == inputs["x"].dtype
    assert_within(out, reference.gemv(**cpu), magnitude, factor=32)


@pytest.mark.parametrize("row", ROWS)
def test_equals_reference(row, device):
    check_against_reference(gemv_inputs(device=device, **row))


@pytest.mark.parametrize("device", ["cpu"])
def test_float64_equals_reference(device):
    check_against_reference(gemv_inputs(device=device, dtype=torch.float64))


@pytest.mark.parametrize("device", ["cuda"])
def test_float64_is_refused(device):
    with pytest.raises(ValueError, match="gemv: x must be float32, bfloat16 or float16 on a GPU"):
        ops.gemv(**gemv_inputs(device=device, dtype=torch.float64))


@pytest.mark.parametrize(("dtype", "digits"), [(torch.bfloat16, 8), (torch.float16, 11)])
def test_every_value_is_read_exactly_and_ties_go_to_even(dtype, digits, device):
    every = torch.arange(2**16, dtype=torch.int32).to(torch.int16).view(dtype)
    every = every[every.isfinite()]
    one = torch.ones(1, 2, dtype=dtype, device=device)
    assert torch.equal(ops.gemv(one[:, :1], every[:, None].to(device))[0].cpu(), every)
    _, exponent = torch.frexp(every.float())
    half_a_unit = torch.ldexp(torch.ones(exponent.shape), exponent - 1 - digits).to(dtype)
    halfway = torch.stack([every, half_a_unit], dim=1)
    out = ops.gemv(one, halfway.to(device))[0].cpu()
    assert torch.equal(out, halfway.float().sum(1).to(dtype))


ERRORS = [
    ("x", lambda t: t[0], r"x must be \(S, K\), of 2 dimensions, got \(65\)"),
    ("x", lambda t: t.int(), "x must be float32, float64, bfloat16 or float16, got int32"),
    ("x", lambda t: t[:1].expand(5, 65), "x must be of at most 4 rows, got 5"),
    ("x", lambda t: t.mT.contiguous().mT, "x must be contiguous in its last dimension"),
    ("weight", lambda t: t[0], r"weight must be \(M, K\), of 2 dimensions, got \(65\)"),
    ("weight", lambda t: t[:, :3], r"weight must be \(M, K\) = \(37, 65\), got \(37, 3\)"),
    ("weight", lambda t: t.half(), "weight must be float32 like x, got float16"),
]


@pytest.mark.parametrize(("name", "change", "message"), ERRORS)
def test_wrong_argument(name, change, message, device):
    inputs = gemv_inputs(device=device)
    inputs[name] = change(inputs[name])
    with pytest.raises(ValueError, match="gemv: " + message):
        ops.gemv(**inputs)
