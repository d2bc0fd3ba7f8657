"""What Simba is measured against: mamba_ssm where it is installed, else Hugging Face's Mamba."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import torch


def load_peer(folder: Path) -> tuple[str, Callable, Callable | None]:
    """(name and version, prefill(ids (B, L)) -> last logits, decode(ids, new tokens) or None): a bfloat16
    model with the checkpoint's weights on the GPU."""
    try:
        import mamba_ssm
    except ImportError:
        return _hugging_face(folder)
    return _mamba_ssm(folder, mamba_ssm.__version__)


def _mamba_ssm(folder: Path, version: str):
    from mamba_ssm.models.config_mamba import MambaConfig
    from mamba_ssm.models.mixer_seq_simple import MambaLMHeadModel
    from safetensors.torch import load_file

    config = json.loads((folder / "config.json").read_text())
    with torch.device("cuda"):
        model = MambaLMHeadModel(MambaConfig(**config), dtype=torch.bfloat16)
    model.load_state_dict(load_file(folder / "model.safetensors"))
    model.eval()

    @torch.inference_mode()
    def prefill(ids: torch.Tensor):
        return model(ids, num_last_tokens=1).logits

    def decode(ids: torch.Tensor, count: int):
        return model.generate(ids, max_length=ids.shape[1] + count, cg=True, top_k=1)

    return f"mamba_ssm {version}", prefill, decode


def _hugging_face(folder: Path):
    import transformers
    from safetensors.torch import load_file

    config = json.loads((folder / "config.json").read_text())
    multiple = config["pad_vocab_size_multiple"]
    shapes = transformers.MambaConfig(
        hidden_size=config["d_model"],
        num_hidden_layers=config["n_layer"],
        vocab_size=-(-config["vocab_size"] // multiple) * multiple,
        time_step_rank=math.ceil(config["d_model"] / 16),
        layer_norm_epsilon=1e-5,
    )
    with torch.device("cuda"):
        model = transformers.MambaForCausalLM(shapes).to(torch.bfloat16).eval()
    weights = load_file(folder / "model.safetensors")
    weights["backbone.embeddings.weight"] = weights.pop("backbone.embedding.weight")
    model.load_state_dict(weights)

    @torch.inference_mode()
    def prefill(ids: torch.Tensor):
        return model(ids, use_cache=False, logits_to_keep=1).logits

    return f"transformers {transformers.__version__}", prefill, None
