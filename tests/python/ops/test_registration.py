"""What torch knows of the operators: schemas, fakes, tracing, and which have no gradient."""

from __future__ import annotations

import pytest
import torch
from op_support import cu_seqlens
from scan_inputs import scan_inputs, score_inputs

from simba_ssm import ops

LENGTHS = [0, 5, 12]


def scan(device, **shape):
    inputs = scan_inputs(device=device, length=17, channels=6, states=3, **shape)
    return torch.ops.simba.selective_scan.default, inputs | {"delta_softplus": True}


def scores(device, **shape):
    inputs = scan_inputs(device=device, length=17, channels=6, states=3, **shape)
    options = {"decay": "full", "reduction": "l2"}
    return torch.ops.simba.influence_scores.default, score_inputs(inputs) | options


def conv(device, **options):
    x = torch.randn(1, 17, 6, device=device)
    inputs = {"x": x, "weight": torch.randn(6, 4, device=device)}
    return torch.ops.simba.causal_conv1d.default, inputs | options


def norm(device, **options):
    inputs = {"x": torch.randn(1, 2, 6, device=device), "residual": None}
    inputs["weight"] = torch.ones(6, device=device)
    return torch.ops.simba.add_norm.default, inputs | options


def gated(device, **options):
    y = torch.randn(1, 3, 6, device=device)
    return torch.ops.simba.gate.default, {"y": y, "z": torch.randn_like(y)} | options


def step(device, **shape):
    inputs = scan_inputs(device=device, length=1, channels=6, states=3, initial=True, **shape)
    inputs["state"] = inputs.pop("initial_state")
    inputs |= {name: inputs[name][:, 0] for name in ("u", "delta", "B", "C", "z")}
    return torch.ops.simba.selective_state_update.default, inputs


def product(device):
    return torch.ops.simba.gemv.default, {
        "x": torch.randn(2, 6, device=device),
        "weight": torch.randn(3, 6, device=device),
    }


def in_proj_step(device, dtype=torch.float32, residual=True):
    inputs = {
        "hidden": torch.randn(2, 6, device=device, dtype=dtype),
        "residual": torch.randn(2, 6, device=device) if residual else None,
        "norm_weight": torch.ones(6, device=device),
        "eps": 1e-5,
        "in_proj": torch.randn(8, 6, device=device, dtype=dtype),
        "conv_state": torch.randn(2, 4, 3, device=device, dtype=dtype),
        "conv_weight": torch.randn(4, 4, device=device),
    }
    return torch.ops.simba.in_proj_step.default, inputs


def ssm_step(device, dtype=torch.float32):
    _, inputs = step(device, dtype=dtype)
    dt = inputs["u"][:, :2]
    arguments = {"state": inputs["state"], "u": inputs["u"]}
    arguments["dt_B_C"] = torch.cat([dt, inputs["B"], inputs["C"]], dim=1)
    arguments["dt_proj"] = torch.randn(6, 2, device=device, dtype=dtype)
    arguments |= {name: inputs[name] for name in ("A", "D", "z", "delta_bias")}
    return torch.ops.simba.ssm_step.default, arguments


def select(device):
    return torch.ops.simba.select_tokens.default, {
        "scores": torch.randn(2, 17, device=device),
        "keep": 4,
    }


def select_packed(device):
    return torch.ops.simba.select_tokens.packed, {
        "scores": torch.randn(1, 17, device=device),
        "keep": [0, 2, 12],
        "cu_seqlens": cu_seqlens(LENGTHS, device),
    }


def indices(device):
    return torch.tensor([[1, 0]], device=device)


def backward(call):
    """The operator NAME_backward for a call of NAME, with gradients of ones."""
    op, arguments = call
    outs = op(**arguments)
    grads = [torch.ones_like(out) for out in (outs if isinstance(outs, tuple) else (outs,))]
    name = op.name().removeprefix("simba::").removesuffix(".default")
    if name == "add_norm":
        source = arguments["x"] if arguments["residual"] is None else arguments["residual"]
        given = {"new_residual": outs[1], "weight": arguments["weight"], "bias": None}
        given |= {"indices": arguments.get("indices"), "eps": 1e-5}
        given |= {"grad_normed": grads[0], "grad_new_residual": grads[1]}
        given |= {"has_residual": arguments["residual"] is not None, "length": source.shape[1]}
        return torch.ops.simba.add_norm_backward.default, given
    given = {argument.name: arguments.get(argument.name) for argument in op._schema.arguments}
    given |= {name: bool(given[name]) for name in ("silu", "delta_softplus") if name in given}
    given |= dict(zip(("grad_out", "grad_last_state"), grads, strict=False))
    return getattr(torch.ops.simba, name + "_backward").default, given


CALLS = {
    "selective_scan": scan,
    "selective_scan, packed": lambda device: scan(device, lengths=LENGTHS, initial=True),
    "selective_scan, bfloat16": lambda device: scan(device, dtype=torch.bfloat16),
    "selective_scan, float64": lambda device: scan(device, dtype=torch.float64, initial=True),
    "influence_scores": scores,
    "influence_scores, packed": lambda device: scores(device, lengths=LENGTHS),
    "influence_scores, float16": lambda device: scores(device, dtype=torch.float16),
    "select_tokens": select,
    "select_tokens.packed": select_packed,
    "causal_conv1d": conv,
    "causal_conv1d, packed": lambda device: conv(device, cu_seqlens=cu_seqlens(LENGTHS, device)),
    "add_norm": norm,
    "add_norm, indices": lambda device: norm(
        device, residual=torch.randn(1, 5, 6, device=device), indices=indices(device)
    ),
    "add_norm, wide": lambda device: norm(
        device, x=torch.randn(1, 2, 6, device=device).bfloat16(), residual_in_fp32=True
    ),
    "gate": gated,
    "gate, indices": lambda device: gated(device, indices=indices(device)),
    "selective_state_update": step,
    "selective_state_update, bfloat16": lambda device: step(device, dtype=torch.bfloat16),
    "gemv": product,
    "in_proj_step": in_proj_step,
    "in_proj_step, bfloat16": lambda device: in_proj_step(device, dtype=torch.bfloat16),
    "in_proj_step, first layer": lambda device: in_proj_step(device, residual=False),
    "ssm_step": ssm_step,
    "ssm_step, bfloat16": lambda device: ssm_step(device, dtype=torch.bfloat16),
}


@pytest.mark.parametrize("name", CALLS)
def test_opcheck(name, device):
    op, arguments = CALLS[name](device)
    torch.library.opcheck(op, (), arguments)


DIFFERENTIABLE = {
    name: call
    for name, call in CALLS.items()
    if name.split(",")[0] in ("selective_scan", "causal_conv1d", "add_norm", "gate")
}


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_opcheck_of_backward(name, device):
    op, arguments = backward(DIFFERENTIABLE[name](device))
    torch.library.opcheck(op, (), arguments)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_opcheck_with_gradients(name, device):
    op, arguments = DIFFERENTIABLE[name](device)
    for argument in arguments.values():
        if isinstance(argument, torch.Tensor) and argument.is_floating_point():
            argument.requires_grad_()
    torch.library.opcheck(op, (), arguments)


@pytest.mark.parametrize("name", ["influence_scores", "gemv"])
def test_no_gradient(name, device):
    op, arguments = CALLS[name](device)
    first = next(iter(arguments))
    arguments[first] = arguments[first].requires_grad_()
    outs = op(**arguments)
    for out in outs if isinstance(outs, tuple) else (outs,):
        with pytest.raises(NotImplementedError, match=f"simba::{name} has no gradient"):
            out.sum().backward(retain_graph=True)


@pytest.mark.parametrize(
    ("name", "parameter", "state"),
    [
        ("selective_state_update", "A", "state"),
        ("in_proj_step", "in_proj", "conv_state"),
        ("ssm_step", "dt_proj", "state"),
    ],
)
def test_operators_that_change_a_state_have_no_gradient(name, parameter, state, device):
    op, arguments = CALLS[name](device)
    arguments[parameter] = arguments[parameter].requires_grad_()
    outs = op(**arguments)
    for result in (*(outs if isinstance(outs, tuple) else (outs,)), arguments[state]):
        with pytest.raises(NotImplementedError, match=f"simba::{name} has no gradient"):
            result.sum().backward(retain_graph=True)


def test_selected_indices_carry_no_gradient(device):
    scores = torch.randn(1, 17, device=device, requires_grad=True)
    assert not ops.select_tokens(scores, 4).requires_grad
    kept, _ = ops.select_tokens(scores, [0, 2, 12], cu_seqlens(LENGTHS, device))
    assert not kept.requires_grad


def test_inference_leaves_no_graph(device):
    op, arguments = step(device)
    arguments["A"] = arguments["A"].requires_grad_()
    with torch.no_grad():
        assert not op(**arguments).requires_grad
    assert not arguments["state"].requires_grad


@pytest.mark.parametrize("dynamic", [False, True])
def test_compiled_pruning_step_equals_eager(dynamic, device):
    """Score, select, scan, gate and norm as one traced graph without breaks."""

    def prune(u, delta, A, B, C, z, keep):
        kept = ops.select_tokens(ops.influence_scores(u, delta, A, B, C), keep)
        out, _ = ops.selective_scan(u, delta, A, B, C, delta_softplus=True)
        gated = ops.gate(out, z, kept)
        return kept, *ops.add_norm(gated, u, torch.ones_like(A[:, 0]), indices=kept)

    compiled = torch.compile(prune, backend="aot_eager", fullgraph=True, dynamic=dynamic)
    for length in (33, 40):
        inputs = scan_inputs(device=device, length=length, channels=8)
        arguments = [inputs[name] for name in ("u", "delta", "A", "B", "C", "z")]
        for actual, expected in zip(
            compiled(*arguments, length // 2), prune(*arguments, length // 2), strict=True
        ):
            assert torch.equal(actual, expected)


@pytest.mark.parametrize(
    ("name", "state"),
    [("selective_state_update", "state"), ("in_proj_step", "conv_state"), ("ssm_step", "state")],
)
def test_compiled_step_changes_the_state(name, state, device):
    op, arguments = CALLS[name](device)
    before = arguments[state].clone()
    eager = arguments | {state: before.clone()}
    compiled = torch.compile(lambda **a: op(**a), backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(**arguments), op(**eager), rtol=0, atol=0)
    assert torch.equal(arguments[state], eager[state])
    assert not torch.equal(before, eager[state])
