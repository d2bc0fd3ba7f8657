"""Arguments of one call lie on one device."""

from __future__ import annotations

import pytest
import torch
from scan_inputs import scan_inputs, score_inputs

from simba_ssm import ops


def calls(device):
    inputs = scan_inputs(device=device, initial=True)
    x, weight = inputs["u"], inputs["A"]
    step = {name: inputs[name][:, 0] for name in ("u", "delta", "B", "C", "z")}
    step |= {"state": inputs["initial_state"], "A": inputs["A"], "D": inputs["D"]}
    ssm_step = {name: step[name] for name in ("state", "u", "A", "D")}
    ssm_step |= {"z": inputs["z"][:, 0], "delta_bias": inputs["delta_bias"]}
    ssm_step |= {"dt_B_C": torch.cat([step["u"][:, :2], step["B"], step["C"]], dim=1)}
    ssm_step |= {"dt_proj": inputs["A"][:, :2]}
    indices = torch.zeros(2, 3, dtype=torch.int64, device=device)
    bounds = torch.tensor([0, 63], dtype=torch.int32, device=device)
    return {
        "selective_scan": inputs,
        "influence_scores": score_inputs(inputs),
        "causal_conv1d": {"x": x[:1], "weight": weight, "cu_seqlens": bounds},
        "gate": {"y": x, "z": inputs["z"], "indices": indices},
        "add_norm": {"x": x, "residual": inputs["z"], "weight": inputs["D"]},
        "selective_state_update": step,
        "gemv": {"x": step["u"], "weight": inputs["z"][0]},
        "ssm_step": ssm_step,
        "selective_scan_backward": inputs
        | {"grad_out": x, "grad_last_state": inputs["initial_state"]},
        "causal_conv1d_backward": {"x": x[:1], "weight": weight, "cu_seqlens": bounds}
        | {"grad_out": x[:1], "bias": inputs["D"]},
        "gate_backward": {"y": x, "z": inputs["z"], "indices": indices, "grad_out": x[:, :3]},
        "add_norm_backward": {"grad_normed": x, "new_residual": inputs["z"]}
        | {"weight": inputs["D"], "grad_new_residual": x},
    }


@pytest.mark.parametrize("device", ["cuda"])
def test_every_argument_is_checked(device):
    elsewhere = calls("cpu")
    for op, arguments in calls(device).items():
        lead = "state" if op == "selective_state_update" else next(iter(arguments))
        for name in arguments:
            if name not in (lead, "u", "x", "y"):
                mixed = arguments | {name: elsewhere[op][name]}
                with pytest.raises(ValueError, match=f"{op}: {name} must be on cuda:0 like"):
                    getattr(ops, op)(**mixed)


@pytest.mark.parametrize("device", ["cuda"])
def test_results_are_on_the_arguments_device(device):
    for op, arguments in calls(device).items():
        outs = getattr(ops, op)(**arguments)
        for out in outs if isinstance(outs, tuple) else (outs,):
            assert out is None or out.device.type == device


@pytest.mark.parametrize("device", ["cuda"])
def test_pruning_is_one_cuda_graph(device):
    """No operator waits for the device, and a replay reads the new contents of its inputs."""
    inputs = scan_inputs(device=device)
    arguments = {name: inputs[name] for name in ("u", "delta", "A", "B", "C")}

    def prune():
        kept = ops.select_tokens(ops.influence_scores(**arguments), 20)
        out, state = ops.selective_scan(**arguments, delta_softplus=True)
        return kept, ops.gate(out, inputs["z"], kept), state

    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        prune()
    side.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = prune()
    inputs["u"].copy_(torch.randn_like(inputs["u"]))
    graph.replay()
    for actual, expected in zip(captured, prune(), strict=True):
        assert torch.equal(actual, expected)


@pytest.mark.parametrize("device", ["cuda"])
def test_training_is_one_cuda_graph(device):
    """Nor does any gradient wait for the device."""
    inputs = scan_inputs(device=device, lengths=[40, 0, 90], initial=True)
    kept = torch.arange(0, 130, 2, device=device)[None]
    grad = torch.randn_like(inputs["u"])

    def gradients():
        scan = ops.selective_scan_backward(**inputs, delta_softplus=True, grad_out=grad)
        gate = ops.gate_backward(inputs["u"], inputs["z"], kept, grad_out=grad[:, ::2])
        conv = ops.causal_conv1d_backward(
            inputs["u"], inputs["A"][:, :4].contiguous(), cu_seqlens=inputs["cu_seqlens"],
            silu=True, grad_out=grad,
        )  # fmt: skip
        norm = ops.add_norm_backward(
            inputs["u"][:, ::2], inputs["D"], indices=kept, grad_normed=grad[:, ::2], length=130
        )
        return [one for group in (scan, gate, conv, norm) for one in group if one is not None]

    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        gradients()
    side.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = gradients()
    grad.copy_(torch.randn_like(grad))
    graph.replay()
    for actual, expected in zip(captured, gradients(), strict=True):
        assert torch.equal(actual, expected)
