"""Hugging Face's Mamba as an oracle: the same weights in transformers' own model."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from transformers import MambaConfig, MambaForCausalLM


def mamba_from_state_spaces(folder: Path, dtype: torch.dtype = torch.float32) -> MambaForCausalLM:
    """The checkpoint of a state-spaces folder (config.json, pytorch_model.bin) as transformers' model."""
    config = json.loads((folder / "config.json").read_text())
    weights = torch.load(folder / "pytorch_model.bin", map_location="cpu", weights_only=True)
    weights = {name.replace("backbone.embedding.", "backbone.embeddings."): w for name, w in weights.items()}
    A = weights["backbone.layers.0.mixer.A_log"]
    conv = weights["backbone.layers.0.mixer.conv1d.weight"]
    dt_proj = weights["backbone.layers.0.mixer.dt_proj.weight"]
    embedding = weights["backbone.embeddings.weight"]
    model = MambaForCausalLM(
        MambaConfig(
            vocab_size=embedding.shape[0],
            hidden_size=config["d_model"],
            num_hidden_layers=config["n_layer"],
            state_size=A.shape[1],
            expand=A.shape[0] // config["d_model"],
            conv_kernel=conv.shape[-1],
            time_step_rank=dt_proj.shape[1],
            layer_norm_epsilon=1e-5,
            use_conv_bias="backbone.layers.0.mixer.conv1d.bias" in weights,
            residual_in_fp32=config["residual_in_fp32"],
            tie_word_embeddings=config["tie_embeddings"],
        )
    )
    weights.setdefault("lm_head.weight", embedding)
    model.load_state_dict(weights, strict=True)
    return model.to(dtype).eval()


@torch.no_grad()
def activations(model: MambaForCausalLM, ids: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Residual stream after every layer, each (L, d_model), and logits (L, V), of one sequence (L)."""
    after: list[torch.Tensor] = []
    hooks = [
        layer.register_forward_hook(
            lambda _module, _args, out: after.append((out[0] if isinstance(out, tuple) else out)[0])
        )
        for layer in model.backbone.layers
    ]
    logits = model(ids.unsqueeze(0), use_cache=False).logits[0]
    for hook in hooks:
        hook.remove()
    return after, logits
