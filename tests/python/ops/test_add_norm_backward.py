"""add_norm's gradients against its float64 definition's."""

from __future__ import annotations

import pytest
import torch
from gradients import assert_gradients_within, random_like
from op_support import DTYPES, ROUNDING
from row_inputs import norm_inputs

from simba_ssm import ops, reference

EPS = 1e-5
NAMES = ("x", "residual", "weight", "bias")

ROWS = [
    pytest.param({}, id="base"),
    *[pytest.param({"length": n}, id=f"length {n}") for n in (0, 1, 2, 63, 129, 300)],
    *[pytest.param({"channels": n}, id=f"channels {n}") for n in (2, 7, 33, 129, 1000)],
    *[pytest.param({"batch": n}, id=f"batch {n}") for n in (0, 1)],
    *[pytest.param({"dtype": t, "residual": "wide"}, id=f"{t}, wide residual") for t in DTYPES],
    pytest.param({"bias": True}, id="LayerNorm"),
    pytest.param({"bias": True, "channels": 33, "mean": 10.0}, id="LayerNorm far from zero"),
    pytest.param({"residual": None}, id="no residual"),
    pytest.param({"residual": None, "indices": True}, id="no residual, indices"),
    pytest.param({"indices": True}, id="indices"),
    pytest.param({"indices": True, "bias": True, "length": 129}, id="LayerNorm, indices"),
    pytest.param({"view": True}, id="strided views"),
    pytest.param({"view": True, "indices": True}, id="strided views, indices"),
]


def gradients_of(inputs, residual_in_fp32=False, grad_residual=True):
    """add_norm_backward's gradients, and the definition's."""
    normed, new_residual = ops.add_norm(**inputs, eps=EPS, residual_in_fp32=residual_in_fp32)
    grads = {"grad_normed": random_like(normed)}
    if grad_residual:
        grads["grad_new_residual"] = random_like(new_residual, 2)
    residual = inputs["residual"]
    actual = ops.add_norm_backward(
        new_residual, inputs["weight"], inputs.get("bias"), inputs.get("indices"), EPS,
        has_residual=residual is not None,
        length=(inputs["x"] if residual is None else residual).shape[1], **grads,
    )  # fmt: skip
    cpu = {name: None if tensor is None else tensor.cpu() for name, tensor in inputs.items()}
    cpu_grads = {name: tensor.cpu() for name, tensor in grads.items()}
    return actual, reference.add_norm_backward(**cpu, eps=EPS, **cpu_grads)


@pytest.mark.parametrize("grad_residual", [False, True])
@pytest.mark.parametrize("row", ROWS)
def test_equals_reference(row, grad_residual, device):
    inputs = norm_inputs(device=device, **row)
    actual, expected = gradients_of(inputs, grad_residual=grad_residual)
    assert_gradients_within(NAMES, actual, expected)


@pytest.mark.parametrize("bias", [False, True])
def test_one_channel(bias, device):
    """The norm's own gradient cancels to almost nothing there: compared beside the residual's."""
    actual, expected = gradients_of(norm_inputs(device=device, channels=1, bias=bias))
    assert_gradients_within(NAMES, actual, expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_from_a_rounded_new_residual(dtype, device):
    """It is saved in 16 bits then: off by that rounding, not by more."""
    inputs = norm_inputs(device=device, dtype=dtype, channels=129)
    actual, expected = gradients_of(inputs)
    roundings = 8 * ROUNDING[dtype] / ROUNDING[torch.float32]
    assert_gradients_within(NAMES, actual, expected, factor=roundings)
    inputs = norm_inputs(device=device, dtype=dtype, channels=129)
    actual, expected = gradients_of(inputs, residual_in_fp32=True)
    assert_gradients_within(NAMES, actual, expected)


@pytest.mark.parametrize("residual", ["same", None])
def test_rows_picked_twice(residual, device):
    inputs = norm_inputs(device=device, indices=True, residual=residual)
    inputs["indices"] = inputs["indices"].clone()
    inputs["indices"][:, 3:6] = inputs["indices"][:, :1]
    actual, expected = gradients_of(inputs)
    assert_gradients_within(NAMES, actual, expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_repeats_bit_for_bit(dtype, device):
    inputs = norm_inputs(device=device, dtype=dtype, length=300, indices=True, bias=True)
    first, _ = gradients_of(inputs)
    threads = torch.get_num_threads()
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            again, _ = gradients_of(inputs)
            assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    finally:
        torch.set_num_threads(threads)


GRADCHECKS = [
    pytest.param({}, id="base"),
    pytest.param({"bias": True}, id="LayerNorm"),
    pytest.param({"residual": None}, id="no residual"),
    pytest.param({"indices": True, "bias": True}, id="indices"),
    pytest.param({"residual": None, "indices": True}, id="no residual, indices"),
]


@pytest.mark.parametrize("row", GRADCHECKS)
def test_gradcheck(row, device):
    inputs = norm_inputs(device=device, dtype=torch.float64, length=4, channels=3, **row)
    leaves = {name: inputs[name].requires_grad_() for name in NAMES if inputs.get(name) is not None}

    def norm(*values):
        return ops.add_norm(**inputs | dict(zip(leaves, values, strict=True)), eps=EPS)

    assert torch.autograd.gradcheck(norm, tuple(leaves.values()))


@pytest.mark.parametrize("residual_in_fp32", [False, True])
def test_gradients_have_their_arguments_types(residual_in_fp32, device):
    inputs = norm_inputs(device=device, dtype=torch.bfloat16, bias=True)
    leaves = {name: inputs[name].requires_grad_() for name in NAMES}
    leaves["bias"] = inputs["bias"] = inputs["bias"].detach().bfloat16().requires_grad_()
    normed, new_residual = ops.add_norm(**inputs, residual_in_fp32=residual_in_fp32)
    (normed.float().sum() + new_residual.float().sum()).backward()
    for name, leaf in leaves.items():
        assert leaf.grad.dtype == leaf.dtype, name


ERRORS = [
    ("grad_normed", lambda t: t[0], r"grad_normed must be \(B, K, D\), of 3 dimensions, got"),
    ("new_residual", lambda t: t[:, :3], r"new_residual must be \(B, K, D\) = \(2, 9, 64\), got"),
    ("new_residual", lambda t: t.half(), "new_residual must be float32, got float16"),
    ("weight", lambda t: t[:3], r"weight must be \(D\) = \(64\), got \(3\)"),
    ("grad_new_residual", lambda t: t.half(), "grad_new_residual must be float32 like new_res"),
    ("length", lambda _: 12, "length must be 9 without indices, got 12"),
]


@pytest.mark.parametrize(("name", "change", "message"), ERRORS)
def test_wrong_argument(name, change, message, device):
    rows = torch.zeros(2, 9, 64, device=device)
    arguments = dict.fromkeys(("new_residual", "grad_normed", "grad_new_residual"), rows)
    arguments["weight"] = torch.ones(64, device=device)
    arguments[name] = change(arguments.get(name))
    with pytest.raises(ValueError, match="add_norm_backward: " + message):
        ops.add_norm_backward(**arguments)
