"""Checkpoints of published shapes with random weights, written once to a folder."""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch

CONFIGS = Path(__file__).parents[2] / "configs/models"
# Standard deviation of log |A|.
A_SPREAD = 0.08


def random_checkpoint(name: str, folder: Path, device: str = "cpu") -> Path:
    """The folder of a checkpoint with the shapes of configs/models/NAME (state-spaces layout), bfloat16,
    made by Mamba's own initialisation from a fixed seed; but A is spread about -(1 .. 16) as training
    leaves it (in mamba-26m-pg19 log |A| has a standard deviation of 0.08 about it). With equal decays no
    channel could be left out of influence scores, which happens to no trained model."""
    # Here, so that operators are compared where it is not installed.
    from safetensors.torch import save_file

    config = json.loads((CONFIGS / name / "config.json").read_text())
    target = folder / name
    if (target / "model.safetensors").exists():
        return target
    d_model, n_layer = config["d_model"], config["n_layer"]
    d_inner, N, K, rank = 2 * d_model, 16, 4, math.ceil(d_model / 16)
    multiple = config["pad_vocab_size_multiple"]
    vocab = -(-config["vocab_size"] // multiple) * multiple
    generator = torch.Generator(device).manual_seed(0)

    def uniform(*shape: int, bound: float) -> torch.Tensor:
        values = torch.rand(*shape, generator=generator, device=device)
        return (values * (2 * bound) - bound).bfloat16().cpu()

    tensors = {
        "backbone.embedding.weight": uniform(vocab, d_model, bound=0.035),
        "backbone.norm_f.weight": torch.ones(d_model, dtype=torch.bfloat16),
    }
    for layer in range(n_layer):
        prefix = f"backbone.layers.{layer}."
        # Delta between 0.001 and 0.1 after softplus, spread evenly on a logarithmic scale.
        steps = torch.rand(d_inner, generator=generator, device=device)
        dt = torch.exp(steps * math.log(100) + math.log(0.001))
        spread = A_SPREAD * torch.randn(d_inner, N, generator=generator, device=device)
        tensors |= {
            prefix + "norm.weight": torch.ones(d_model, dtype=torch.bfloat16),
            prefix + "mixer.in_proj.weight": uniform(2 * d_inner, d_model, bound=d_model**-0.5),
            prefix + "mixer.conv1d.weight": uniform(d_inner, 1, K, bound=K**-0.5),
            prefix + "mixer.conv1d.bias": uniform(d_inner, bound=K**-0.5),
            prefix + "mixer.x_proj.weight": uniform(rank + 2 * N, d_inner, bound=d_inner**-0.5),
            prefix + "mixer.dt_proj.weight": uniform(d_inner, rank, bound=rank**-0.5),
            prefix + "mixer.dt_proj.bias": (dt + torch.log(-torch.expm1(-dt))).bfloat16().cpu(),
            prefix + "mixer.A_log": torch.arange(1, N + 1).float().log() + spread.cpu(),
            prefix + "mixer.D": torch.ones(d_inner),
            prefix + "mixer.out_proj.weight": uniform(
                d_model, d_inner, bound=d_inner**-0.5 / n_layer**0.5
            ),
        }
    tensors["lm_head.weight"] = tensors["backbone.embedding.weight"].clone()
    target.mkdir(parents=True, exist_ok=True)
    (target / "config.json").write_text(json.dumps(config))
    save_file(tensors, target / "model.safetensors")
    return target
