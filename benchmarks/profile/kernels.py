"""Launches every fast kernel a few times at the shapes of one layer, for a profiler to look at.

    python -m benchmarks.profile.kernels [--shape B L D] [--launches 2]
"""

from __future__ import annotations

import argparse
import functools
import math

import torch

from benchmarks.compare.inputs import Shape, Values, scan_inputs
from benchmarks.compare.operator_peers import find_operator_peers
from simba_ssm import ops


def launches(shape: Shape, device: torch.device) -> dict[str, functools.partial]:
    """By operator; bfloat16, strided as in the model, a tenth of the tokens kept."""
    inputs = scan_inputs(shape, 0, device)
    scored = {k: inputs[k] for k in ("u", "delta", "A", "B", "C", "delta_bias")}
    values = Values(1, device, shape.dtype)
    B, L, D = shape.batch, shape.length, shape.channels
    d_model = D // 2
    xz = values.normal(B, L, 2 * D)
    x, z = xz[..., :D], xz[..., D:]
    weight, bias = values.normal(D, 4), values.normal(D)
    hidden, residual = values.normal(B, L, d_model), values.parameter(B, L, d_model)
    keep = math.ceil(L / 10)
    scores = values.parameter(B, L)
    indices = ops.select_tokens(scores, keep)
    step = {k: v[:, 0] if k in ("u", "delta", "B", "C", "z") else v for k, v in inputs.items()}
    state = values.parameter(B, D, shape.states)
    run = functools.partial
    return {
        "selective_scan": run(ops.selective_scan, **inputs, delta_softplus=True),
        "influence_scores max": run(ops.influence_scores, **scored),
        "influence_scores l2": run(ops.influence_scores, **scored, reduction="l2"),
        "select_tokens": run(ops.select_tokens, scores, keep),
        "causal_conv1d": run(ops.causal_conv1d, x, weight, bias, silu=True),
        "add_norm": run(ops.add_norm, hidden, residual, values.normal(d_model), residual_in_fp32=True),
        "gate": run(ops.gate, inputs["u"], z),
        "gate, gathered": run(ops.gate, inputs["u"], z, indices),
        "selective_state_update": run(
            ops.selective_state_update, state, **step, delta_softplus=True
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", nargs=3, type=int, default=[1, 2048, 5120], metavar=("B", "L", "D"))
    parser.add_argument("--launches", type=int, default=2)
    parser.add_argument("--peers", action="store_true", help="mamba_ssm's selective scan too")
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    device, shape = torch.device(options.device), Shape(*options.shape, views=True)
    with torch.inference_mode():
        runs = dict(launches(shape, device))
        if options.peers:
            inputs = scan_inputs(shape, 0, device)
            for name, peer in find_operator_peers(device).scans.items():
                if peer.takes(shape):
                    runs[name] = functools.partial(peer.scan, **peer.layout(inputs))
        for run in runs.values():
            for _ in range(options.launches):
                run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    print(", ".join(runs))


if __name__ == "__main__":
    main()
