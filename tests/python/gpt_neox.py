"""Hugging Face's GPT-NeoX as an oracle: small random models in every configuration that Pythia's class has."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

BASE = {
    "hidden_size": 40,
    "num_attention_heads": 4,
    "num_hidden_layers": 3,
    "intermediate_size": 72,
    "vocab_size": 61,
    "max_position_embeddings": 64,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-5,
    "rotary_pct": 0.25,  # 2 of the 10 numbers of a head
    "rotary_emb_base": 10000,
    "use_parallel_residual": True,
    "attention_bias": True,
    "tie_word_embeddings": False,
}

# One difference each.
CONFIGS = {
    "base": {},
    "sequential": {"use_parallel_residual": False},
    "all of a head turned": {"rotary_pct": 1.0},
    "heads of 16": {"hidden_size": 64},
    "one head": {"num_attention_heads": 1},
    "another rotary base": {"rotary_emb_base": 50, "rotary_pct": 1.0},
    "tied": {"tie_word_embeddings": True},
    "no attention bias": {"attention_bias": False},
    "tanh gelu": {"hidden_act": "gelu_new"},
    "large epsilon": {"layer_norm_eps": 0.1},
}


def random_gpt_neox(changes: dict | None = None, seed: int = 0) -> GPTNeoXForCausalLM:
    """Weights large enough that every part shows in the logits: biases and norms are random too."""
    torch.manual_seed(seed)
    model = GPTNeoXForCausalLM(GPTNeoXConfig(**{**BASE, **(changes or {})})).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter.add_(0.2 * torch.randn_like(parameter))
            elif parameter.dim() == 1:
                parameter.copy_(0.3 * torch.randn_like(parameter))
            else:
                parameter.copy_(1.5 * torch.randn_like(parameter) / parameter.shape[1] ** 0.5)
    return model


def save(model: GPTNeoXForCausalLM, folder: Path, **options) -> Path:
    model.save_pretrained(folder, **options)
    return folder


@torch.no_grad()
def activations(model: GPTNeoXForCausalLM, ids: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Residual stream after every layer, each (L, d_model), and logits (L, V), of one sequence (L)."""
    after: list[torch.Tensor] = []
    hooks = [
        layer.register_forward_hook(
            lambda _module, _args, out: after.append((out[0] if isinstance(out, tuple) else out)[0].cpu())
        )
        for layer in model.gpt_neox.layers
    ]
    logits = model(ids.unsqueeze(0).to(model.device), use_cache=False).logits[0].cpu()
    for hook in hooks:
        hook.remove()
    return after, logits
