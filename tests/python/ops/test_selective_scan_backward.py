"""selective_scan's gradients against its float64 definition's, and what autograd makes of them."""

from __future__ import annotations

import pytest
import torch
from gradients import assert_gradients_within, random_like
from op_support import DTYPES
from scan_inputs import on_cpu, scan_inputs

from simba_ssm import ops, reference

NAMES = ("u", "delta", "A", "B", "C", "D", "z", "delta_bias", "initial_state")
PER_TOKEN = ("u", "delta", "B", "C", "z")

SHAPES = [
    pytest.param({}, id="base"),
    *[pytest.param({"length": n}, id=f"length {n}") for n in (0, 1, 2, 8, 9, 32, 33)],
    *[pytest.param({"length": n}, id=f"length {n}") for n in (63, 64, 65, 129, 1000)],
    *[pytest.param({"channels": n}, id=f"channels {n}") for n in (0, 1, 7, 33, 300)],
    pytest.param({"channels": 1100, "length": 5}, id="channels 1100"),
    *[pytest.param({"states": n}, id=f"states {n}") for n in (1, 3, 5, 64)],
    *[pytest.param({"batch": n}, id=f"batch {n}") for n in (0, 1)],
    *[pytest.param({"dtype": t}, id=str(t)) for t in DTYPES],
    *[pytest.param({"shift": x}, id=f"delta shifted by {x}") for x in (-30.0, 30.0)],
    pytest.param({"initial": True}, id="initial state"),
    pytest.param({"initial": True, "length": 129, "dtype": torch.bfloat16}, id="initial, bfloat16"),
    pytest.param({"view": True}, id="strided views"),
    pytest.param({"lengths": [63]}, id="packed, one sequence"),
    pytest.param({"lengths": [0, 5, 0, 0, 63, 1, 0]}, id="packed, some empty"),
    pytest.param({"lengths": [0, 0]}, id="packed, all empty"),
    pytest.param({"lengths": []}, id="packed, no sequence"),
    pytest.param({"lengths": [3, 129], "initial": True}, id="packed, initial state"),
]


def with_gradients(inputs, last_state=True):
    """The arguments of selective_scan_backward."""
    out, state = ops.selective_scan(**inputs)
    given = inputs | {"grad_out": random_like(out)}
    return given | ({"grad_last_state": random_like(state, 2)} if last_state else {})


def check_against_reference(arguments, **options):
    actual = ops.selective_scan_backward(**arguments, **options)
    expected = reference.selective_scan_backward(**on_cpu(arguments), **options)
    assert_gradients_within(NAMES, actual, expected)


@pytest.mark.parametrize("last_state", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_equals_reference(shape, last_state, device):
    inputs = scan_inputs(device=device, **shape)
    check_against_reference(with_gradients(inputs, last_state), delta_softplus=True)


@pytest.mark.parametrize("name", ["D", "z", "delta_bias"])
def test_without_an_optional_argument(name, device):
    inputs = scan_inputs(device=device)
    del inputs[name]
    check_against_reference(with_gradients(inputs), delta_softplus=True)


def test_without_softplus(device):
    inputs = scan_inputs(device=device)
    inputs["delta"] = inputs["delta"].abs()
    inputs["delta_bias"] = inputs["delta_bias"].abs()
    check_against_reference(with_gradients(inputs), delta_softplus=False)


def test_gradient_of_any_strides(device):
    arguments = with_gradients(scan_inputs(device=device))
    expected = ops.selective_scan_backward(**arguments, delta_softplus=True)
    grad = arguments["grad_out"]
    arguments["grad_out"] = grad.transpose(1, 2).contiguous().transpose(1, 2)
    for one, other in zip(
        ops.selective_scan_backward(**arguments, delta_softplus=True), expected, strict=True
    ):
        assert one is other is None or torch.equal(one, other)


def test_types_of_the_gradients(device):
    arguments = with_gradients(scan_inputs(device=device, dtype=torch.bfloat16, initial=True))
    gradients = ops.selective_scan_backward(**arguments, delta_softplus=True)
    for name, gradient in zip(NAMES, gradients, strict=True):
        assert gradient.dtype == (torch.bfloat16 if name in PER_TOKEN else torch.float32), name


@pytest.mark.parametrize("dtype", DTYPES)
def test_repeats_bit_for_bit(dtype, device):
    arguments = with_gradients(scan_inputs(device=device, dtype=dtype, channels=200, initial=True))
    first = ops.selective_scan_backward(**arguments, delta_softplus=True)
    threads = torch.get_num_threads()
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            again = ops.selective_scan_backward(**arguments, delta_softplus=True)
            assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    finally:
        torch.set_num_threads(threads)


def test_packed_equals_single_bit_for_bit(device):
    """All but the parameters' gradients, which are sums over the sequences."""
    lengths = [5, 0, 63, 1, 32]
    inputs = scan_inputs(device=device, lengths=lengths, initial=True)
    arguments = with_gradients(inputs)
    packed = dict(
        zip(NAMES, ops.selective_scan_backward(**arguments, delta_softplus=True), strict=True)
    )
    del arguments["cu_seqlens"]
    begin = 0
    for s, length in enumerate(lengths):
        span = slice(begin, begin + length)
        cut = {name: arguments[name][:, span] for name in (*PER_TOKEN, "grad_out")}
        cut |= {name: arguments[name][s : s + 1] for name in ("initial_state", "grad_last_state")}
        single = dict(
            zip(
                NAMES,
                ops.selective_scan_backward(**arguments | cut, delta_softplus=True),
                strict=True,
            )
        )
        for name in PER_TOKEN:
            assert torch.equal(single[name], packed[name][:, span]), name
        assert torch.equal(single["initial_state"][0], packed["initial_state"][s])
        begin += length


@pytest.mark.parametrize("cut", [0, 1, 31, 64, 128])
def test_split_anywhere_equals_whole(cut, device):
    """The state's gradient is handed from the second part to the first."""
    arguments = with_gradients(
        scan_inputs(device=device, length=129, dtype=torch.float64, initial=True)
    )
    first = arguments | {name: arguments[name][:, :cut] for name in (*PER_TOKEN, "grad_out")}
    second = arguments | {name: arguments[name][:, cut:] for name in (*PER_TOKEN, "grad_out")}
    del first["grad_last_state"], first["grad_out"]
    _, state = ops.selective_scan(**first, delta_softplus=True)
    second["initial_state"] = state
    after = ops.selective_scan_backward(**second, delta_softplus=True)
    before = ops.selective_scan_backward(
        **first, delta_softplus=True, grad_out=arguments["grad_out"][:, :cut],
        grad_last_state=after[-1],
    )  # fmt: skip
    whole = ops.selective_scan_backward(**arguments, delta_softplus=True)
    joined = [
        torch.cat([one, other], dim=1) if name in PER_TOKEN else one + other
        for name, one, other in zip(NAMES, before, after, strict=True)
    ]
    joined[-1] = before[-1]
    assert_gradients_within(NAMES, joined, whole, factor=256)


GRADCHECKS = [
    pytest.param({}, id="base"),
    pytest.param({"initial": True}, id="initial state"),
    pytest.param({"lengths": [0, 3, 1, 5], "initial": True}, id="packed, initial state"),
]


@pytest.mark.parametrize("shape", GRADCHECKS)
def test_gradcheck(shape, device):
    sizes = {"length": 5, "batch": 2, "channels": 3, "states": 2}
    inputs = scan_inputs(device=device, dtype=torch.float64, **sizes | shape)
    leaves = {name: inputs[name].requires_grad_() for name in NAMES if name in inputs}

    def scan(*values):
        given = inputs | dict(zip(leaves, values, strict=True))
        return ops.selective_scan(**given, delta_softplus=True)

    assert torch.autograd.gradcheck(scan, tuple(leaves.values()), fast_mode=False)


def test_gradient_reaches_parameters_of_another_float_type(device):
    inputs = scan_inputs(device=device)
    expected = ops.selective_scan_backward(
        **inputs, delta_softplus=True, grad_out=torch.ones_like(inputs["u"])
    )
    leaves = {name: inputs[name].double().requires_grad_() for name in ("A", "D", "delta_bias")}
    out, _ = ops.selective_scan(**inputs | leaves, delta_softplus=True)
    out.sum().backward()
    for name, leaf in leaves.items():
        assert leaf.grad.dtype == torch.float64
        assert torch.equal(leaf.grad.float(), expected[NAMES.index(name)]), name


def test_only_the_state_used(device):
    inputs = scan_inputs(device=device)
    u = inputs["u"].requires_grad_()
    _, state = ops.selective_scan(**inputs, delta_softplus=True)
    grad = random_like(state)
    state.backward(grad)
    given = {name: tensor.detach() for name, tensor in inputs.items()}
    expected = ops.selective_scan_backward(
        **given, delta_softplus=True, grad_out=torch.zeros_like(u), grad_last_state=grad
    )
    assert torch.equal(u.grad, expected[0])


ERRORS = [
    ("grad_out", lambda t: t[:, :5], r"grad_out must be \(B, L, D\) = \(2, 63, 24\), got \(2, 5"),
    ("grad_out", lambda t: t.half(), "grad_out must be float32 like u, got float16"),
    ("grad_last_state", lambda t: t[:1], r"grad_last_state must be \(S, D, N\) = \(2, 24, 16\)"),
    ("grad_last_state", lambda t: t.double(), "grad_last_state must be float32, got float64"),
    ("A", lambda t: t[:3], r"A must be \(D, N\) = \(24, 16\), got \(3, 16\)"),
    ("z", lambda t: t[:1], r"z must be \(B, L, D\) = \(2, 63, 24\), got \(1, 63, 24\)"),
]


@pytest.mark.parametrize(("name", "change", "message"), ERRORS)
def test_wrong_argument(name, change, message, device):
    arguments = with_gradients(scan_inputs(device=device))
    arguments[name] = change(arguments[name])
    with pytest.raises(ValueError, match="selective_scan_backward: " + message):
        ops.selective_scan_backward(**arguments)
