"""selective_scan against its float64 definition: one base case, each row differs in one thing."""

from __future__ import annotations

import pytest
import torch
from scan_inputs import on_cpu, scan_inputs
from op_support import DTYPES, assert_within

from simba_ssm import ops, reference

SHAPES = [
    pytest.param({}, id="base"),
    *[pytest.param({"length": n}, id=f"length {n}") for n in (0, 1, 2, 129, 1000)],
    *[pytest.param({"channels": n}, id=f"channels {n}") for n in (0, 1, 7, 33, 300)],
    *[pytest.param({"states": n}, id=f"states {n}") for n in (1, 3, 64)],
    *[pytest.param({"batch": n}, id=f"batch {n}") for n in (0, 1)],
    *[pytest.param({"dtype": t}, id=str(t)) for t in DTYPES],
    *[pytest.param({"shift": x}, id=f"delta shifted by {x}") for x in (-30.0, 30.0, 1e4)],
    pytest.param({"initial": True}, id="initial state"),
    pytest.param({"view": True}, id="strided views"),
    pytest.param({"lengths": [63]}, id="packed, one sequence"),
    pytest.param({"lengths": [0, 5, 0, 0, 63, 1, 0]}, id="packed, some empty"),
    pytest.param({"lengths": [0, 0]}, id="packed, all empty"),
    pytest.param({"lengths": []}, id="packed, no sequence"),
    pytest.param({"lengths": [3, 60], "initial": True}, id="packed, initial state"),
]
ABSENT = ["D", "z", "delta_bias"]


def check_against_reference(inputs: dict[str, torch.Tensor], **options: bool) -> None:
    out, last_state = ops.selective_scan(**inputs, **options)
    cpu = on_cpu(inputs)
    expected, expected_state = reference.selective_scan(**cpu, **options)
    absolute = {n: cpu[n].abs() for n in ("u", "B", "C", "D", "initial_state") if n in cpu}
    magnitude, state_magnitude = reference.selective_scan(**cpu | absolute, **options)
    assert out.dtype == inputs["u"].dtype
    assert_within(out, expected, magnitude.abs(), factor=32)
    assert_within(last_state, expected_state, state_magnitude, factor=32)


@pytest.mark.parametrize("shape", SHAPES)
def test_equals_reference(shape, device):
    check_against_reference(scan_inputs(device=device, **shape), delta_softplus=True)


@pytest.mark.parametrize("name", ABSENT)
def test_without_an_optional_argument(name, device):
    inputs = scan_inputs(device=device)
    del inputs[name]
    check_against_reference(inputs, delta_softplus=True)


def test_without_softplus(device):
    inputs = scan_inputs(device=device)
    inputs["delta"] = inputs["delta"].abs()
    inputs["delta_bias"] = inputs["delta_bias"].abs()
    check_against_reference(inputs, delta_softplus=False)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_parameters_of_another_float_type(dtype, device):
    inputs = scan_inputs(device=device)
    for name in ("A", "D", "delta_bias"):
        inputs[name] = inputs[name].to(dtype)
    check_against_reference(inputs, delta_softplus=True)


def test_absent_initial_state_is_zero(device):
    inputs = scan_inputs(device=device, length=0)
    _, last_state = ops.selective_scan(**inputs)
    assert torch.equal(last_state, torch.zeros_like(last_state))


@pytest.mark.parametrize("shape", [{"length": 0}, {"lengths": [0, 0]}])
def test_empty_sequences_return_their_initial_state(shape, device):
    inputs = scan_inputs(device=device, initial=True, **shape)
    _, last_state = ops.selective_scan(**inputs)
    assert torch.equal(last_state, inputs["initial_state"])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cut", [0, 1, 2, 31, 64, 128, 129])
def test_split_anywhere_equals_whole(cut, dtype, device):
    inputs = scan_inputs(device=device, length=129, dtype=dtype, initial=True)
    per_token = ("u", "delta", "B", "C", "z")
    whole, whole_state = ops.selective_scan(**inputs, delta_softplus=True)
    first = inputs | {name: inputs[name][:, :cut] for name in per_token}
    out1, state = ops.selective_scan(**first, delta_softplus=True)
    second = inputs | {name: inputs[name][:, cut:] for name in per_token}
    second["initial_state"] = state
    out2, last_state = ops.selective_scan(**second, delta_softplus=True)
    assert torch.equal(torch.cat([out1, out2], dim=1), whole)
    assert torch.equal(last_state, whole_state)


@pytest.mark.parametrize("dtype", DTYPES)
def test_packed_equals_single_bit_for_bit(dtype, device):
    lengths = [5, 0, 63, 1, 32]
    inputs = scan_inputs(device=device, lengths=lengths, dtype=dtype, initial=True)
    out, last_state = ops.selective_scan(**inputs, delta_softplus=True)
    single = {name: tensor for name, tensor in inputs.items() if name != "cu_seqlens"}
    begin = 0
    for s, length in enumerate(lengths):
        span = slice(begin, begin + length)
        cut = {name: inputs[name][:, span] for name in ("u", "delta", "B", "C", "z")}
        cut["initial_state"] = inputs["initial_state"][s : s + 1]
        out_s, state_s = ops.selective_scan(**single | cut, delta_softplus=True)
        assert torch.equal(out_s, out[:, span])
        assert torch.equal(state_s[0], last_state[s])
        begin += length


def test_batch_equals_single_bit_for_bit(device):
    inputs = scan_inputs(device=device, batch=3)
    out, last_state = ops.selective_scan(**inputs, delta_softplus=True)
    for b in range(3):
        cut = {name: inputs[name][b : b + 1] for name in ("u", "delta", "B", "C", "z")}
        out_b, state_b = ops.selective_scan(**inputs | cut, delta_softplus=True)
        assert torch.equal(out_b, out[b : b + 1])
        assert torch.equal(state_b, last_state[b : b + 1])


def test_inputs_are_left_alone(device):
    inputs = scan_inputs(device=device, initial=True)
    copies = {name: tensor.clone() for name, tensor in inputs.items()}
    ops.selective_scan(**inputs, delta_softplus=True)
    for name, tensor in inputs.items():
        assert torch.equal(tensor, copies[name]), name


ERRORS = [
    ("u", lambda t: t[0], r"u must be \(B, L, D\), of 3 dimensions, got \(63, 24\)"),
    ("u", lambda t: t.int(), "u must be float32, float64, bfloat16 or float16, got int32"),
    ("u", lambda t: t[..., ::2], "u must be contiguous in its last dimension, got stride 2"),
    ("delta", lambda t: t[:, :5], r"delta must be \(B, L, D\) = \(2, 63, 24\), got \(2, 5, 24\)"),
    ("delta", lambda t: t.double(), "delta must be float32 like u, got float64"),
    ("A", lambda t: t[:3], r"A must be \(D, N\) = \(24, 16\), got \(3, 16\)"),
    ("A", lambda t: t[0], r"A must be \(D, N\), of 2 dimensions, got \(16\)"),
    ("A", lambda t: t[:, :0], r"A must be \(D, N\) with at least one state, got N = 0"),
    ("A", lambda t: t.long(), "A must be float32, float64, bfloat16 or float16, got int64"),
    ("B", lambda t: t[:, :4], r"B must be \(B, L, N\) = \(2, 63, 16\), got \(2, 4, 16\)"),
    (
        "B",
        lambda t: t.transpose(1, 2).contiguous().transpose(1, 2),
        "B must be contiguous in its last",
    ),
    ("C", lambda t: t[..., :8], r"C must be \(B, L, N\) = \(2, 63, 16\), got \(2, 63, 8\)"),
    ("C", lambda t: t.half(), "C must be float32 like u, got float16"),
    ("D", lambda t: t[:1], r"D must be \(D\) = \(24\), got \(1\)"),
    ("z", lambda t: t[:1], r"z must be \(B, L, D\) = \(2, 63, 24\), got \(1, 63, 24\)"),
    ("delta_bias", lambda t: t[None], r"delta_bias must be \(D\) = \(24\), got \(1, 24\)"),
    ("initial_state", lambda t: t[:1], r"initial_state must be \(S, D, N\) = \(2, 24, 16\), got"),
    ("initial_state", lambda t: t.double(), "initial_state must be float32, got float64"),
]


@pytest.mark.parametrize(("name", "change", "message"), ERRORS)
def test_wrong_argument(name, change, message, device):
    inputs = scan_inputs(device=device, initial=True)
    inputs[name] = change(inputs[name])
    with pytest.raises(ValueError, match="selective_scan: " + message):
        ops.selective_scan(**inputs)
