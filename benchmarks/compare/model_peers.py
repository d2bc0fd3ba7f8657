"""Whole models to measure against: mamba_ssm, Hugging Face's transformers, mambapy; same weights."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.compare.operator_peers import version_of
from benchmarks.compare.timing import one_line


@dataclass(frozen=True)
class ModelPeer:
    """prefill(ids (B, L)) gives the last logits; decode(ids, count) new tokens, greedily. longest:
    tokens in all beyond which it is not run, since it takes too long or too much memory.
    """

    name: str
    prefill: Callable[[torch.Tensor], torch.Tensor]
    decode: Callable[[torch.Tensor, int], object] | None = None
    longest: int = 10**9


def load_model_peers(
    wanted: Iterable[str], folder: Path, device: torch.device, dtype: torch.dtype
) -> tuple[list[ModelPeer], dict[str, str]]:
    """Those that can be loaded, and why the others cannot."""
    peers, absent = [], {}
    for name in wanted:
        try:
            peers.append(PEERS[name](folder, device, dtype))
        except Exception as error:
            absent[name] = one_line(error)
    return peers, absent


def _mamba_ssm(folder: Path, device: torch.device, dtype: torch.dtype) -> ModelPeer:
    from mamba_ssm.models.config_mamba import MambaConfig
    from mamba_ssm.models.mixer_seq_simple import MambaLMHeadModel

    if device.type != "cuda":
        raise RuntimeError("it runs on GPUs alone")
    config = json.loads((folder / "config.json").read_text())
    with device:
        model = MambaLMHeadModel(MambaConfig(**config), dtype=dtype)
    model.load_state_dict(_weights(folder))
    model.eval()

    @torch.inference_mode()
    def prefill(ids: torch.Tensor) -> torch.Tensor:
        return model(ids, num_last_tokens=1).logits

    def decode(ids: torch.Tensor, count: int):
        return model.generate(ids, max_length=ids.shape[1] + count, cg=True, top_k=1)

    return ModelPeer(f"mamba_ssm {version_of('mamba_ssm')}", prefill, decode)


def _transformers(folder: Path, device: torch.device, dtype: torch.dtype) -> ModelPeer:
    import transformers

    config = json.loads((folder / "config.json").read_text())
    weights = _weights(folder)
    weights["backbone.embeddings.weight"] = weights.pop("backbone.embedding.weight")
    shapes = transformers.MambaConfig(
        hidden_size=config["d_model"],
        num_hidden_layers=config["n_layer"],
        vocab_size=weights["lm_head.weight"].shape[0],
        time_step_rank=math.ceil(config["d_model"] / 16),
        layer_norm_epsilon=1e-5,
    )
    with device:
        model = transformers.MambaForCausalLM(shapes)
    model.load_state_dict(weights)
    model.to(dtype).eval()

    @torch.inference_mode()
    def prefill(ids: torch.Tensor) -> torch.Tensor:
        return model(ids, use_cache=False, logits_to_keep=1).logits

    # Without others' kernels it scans token by token from Python.
    longest = 512 if device.type == "cuda" else 2048
    return ModelPeer(f"transformers {transformers.__version__}", prefill, None, longest)


def _mambapy(folder: Path, device: torch.device, dtype: torch.dtype) -> ModelPeer:
    """Its layers between our embedding and head: its language model cannot be imported without
    mamba_ssm, and takes every token through the head.
    """
    from mambapy.mamba import Mamba, MambaConfig, RMSNorm

    if dtype != torch.float32:
        raise RuntimeError("it computes in float32 alone")
    config = json.loads((folder / "config.json").read_text())
    weights = {name: tensor.to(device, dtype) for name, tensor in _weights(folder).items()}
    with device:
        layers = Mamba(MambaConfig(d_model=config["d_model"], n_layers=config["n_layer"]))
        norm = RMSNorm(config["d_model"], 1e-5)
    own = "backbone.layers."
    layers.load_state_dict(
        {name.replace(own, "layers."): w for name, w in weights.items() if name.startswith(own)}
    )
    layers.to(dtype).eval()
    norm.load_state_dict({"weight": weights["backbone.norm_f.weight"]})
    norm.to(dtype)
    embedding, head = weights["backbone.embedding.weight"], weights["lm_head.weight"]

    @torch.inference_mode()
    def prefill(ids: torch.Tensor) -> torch.Tensor:
        hidden = layers(torch.nn.functional.embedding(ids, embedding))
        # Newer versions return the states as well.
        hidden = hidden[0] if isinstance(hidden, tuple) else hidden
        return norm(hidden[:, -1:]) @ head.mT

    # Its states of one layer take L D N values, several times over.
    longest = 8192 if device.type == "cuda" else 2048
    return ModelPeer(f"mambapy {version_of('mambapy')}", prefill, None, longest)


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


PEERS = {"mamba_ssm": _mamba_ssm, "transformers": _transformers, "mambapy": _mambapy}
