"""SimbaConfig to and from config.json, in the layouts of state-spaces and of Hugging Face.

A key left out has the default that it has in the layout's own package. Errors are ValueError and
name the key, what was expected and what came.
"""

from __future__ import annotations

import math
from typing import Any

from simba_ssm.modeling.config import SimbaConfig

Keys = dict[str, Any]

# state-spaces writes no epsilon: its package has this one.
STATE_SPACES_EPSILON = 1e-5


def config_from_keys(keys: Keys) -> SimbaConfig:
    """Of the contents of a config.json in either layout."""
    # Converted checkpoints keep d_model and n_layer beside Hugging Face's names.
    if "hidden_size" in keys:
        return _from_hugging_face(keys)
    if "d_model" in keys:
        return _from_state_spaces(keys)
    raise ValueError(
        "config.json: expected d_model (state-spaces layout) or hidden_size (Hugging Face layout), "
        f"got model_type {keys.get('model_type')!r}"
    )


def _expect(keys: Keys, key: str, accepted: tuple) -> None:
    value = keys.get(key, accepted[0])
    if value not in accepted:
        raise ValueError(f"config.json: {key}: expected {accepted[0]!r}, got {value!r}")


def _dt_rank(keys: Keys, key: str) -> int | None:
    rank = keys.get(key, "auto")
    return None if rank == "auto" else rank


def _from_hugging_face(keys: Keys) -> SimbaConfig:
    _expect(keys, "model_type", ("mamba",))
    _expect(keys, "hidden_act", ("silu", "swish"))
    d_model = keys["hidden_size"]
    d_inner = keys.get("intermediate_size")
    return SimbaConfig(
        d_model=d_model,
        n_layer=keys["num_hidden_layers"],
        vocab_size=keys["vocab_size"],
        d_state=keys.get("state_size", 16),
        d_conv=keys.get("conv_kernel", 4),
        # intermediate_size wins over expand, as it does in MambaConfig.
        d_inner=int(keys.get("expand", 2) * d_model) if d_inner is None else d_inner,
        dt_rank=_dt_rank(keys, "time_step_rank"),
        norm_epsilon=keys.get("layer_norm_epsilon", 1e-5),
        residual_in_fp32=keys.get("residual_in_fp32", True),
        tie_embeddings=keys.get("tie_word_embeddings", True),
        conv_bias=keys.get("use_conv_bias", True),
        projection_bias=keys.get("use_bias", False),
    )


def _from_state_spaces(keys: Keys) -> SimbaConfig:
    ssm = keys.get("ssm_cfg") or {}
    _expect(ssm, "layer", ("Mamba1",))
    _expect(keys, "d_intermediate", (0,))
    _expect(keys, "attn_layer_idx", ([], None))
    multiple = keys.get("pad_vocab_size_multiple", 8)
    return SimbaConfig(
        d_model=keys["d_model"],
        n_layer=keys["n_layer"],
        vocab_size=-(-keys["vocab_size"] // multiple) * multiple,
        d_state=ssm.get("d_state", 16),
        d_conv=ssm.get("d_conv", 4),
        d_inner=int(ssm.get("expand", 2) * keys["d_model"]),
        dt_rank=_dt_rank(ssm, "dt_rank"),
        norm_epsilon=STATE_SPACES_EPSILON,
        rms_norm=keys.get("rms_norm", True),
        residual_in_fp32=keys.get("residual_in_fp32", True),
        tie_embeddings=keys.get("tie_embeddings", True),
        conv_bias=ssm.get("conv_bias", True),
        projection_bias=ssm.get("bias", False),
    )


def hugging_face_keys(config: SimbaConfig, dtype: str) -> Keys:
    """What transformers' MambaForCausalLM.from_pretrained reads; dtype is a torch type's name."""
    if not config.rms_norm:
        raise ValueError("rms_norm: expected True, as transformers' Mamba has no LayerNorm")
    if config.d_inner % config.d_model != 0:
        raise ValueError(
            f"d_inner: expected a multiple of d_model ({config.d_model}), as transformers' Mamba has, "
            f"got {config.d_inner}"
        )
    return {
        "architectures": ["MambaForCausalLM"],
        "model_type": "mamba",
        "hidden_size": config.d_model,
        "num_hidden_layers": config.n_layer,
        "vocab_size": config.vocab_size,
        "state_size": config.d_state,
        "conv_kernel": config.d_conv,
        "expand": config.d_inner // config.d_model,
        "intermediate_size": config.d_inner,
        "time_step_rank": config.dt_rank,
        "layer_norm_epsilon": config.norm_epsilon,
        "residual_in_fp32": config.residual_in_fp32,
        "tie_word_embeddings": config.tie_embeddings,
        "use_conv_bias": config.conv_bias,
        "use_bias": config.projection_bias,
        "hidden_act": "silu",
        "torch_dtype": dtype,
    }


def state_spaces_keys(config: SimbaConfig) -> Keys:
    """What the state-spaces package reads."""
    if config.norm_epsilon != STATE_SPACES_EPSILON:
        raise ValueError(
            f"norm_epsilon: expected {STATE_SPACES_EPSILON}, the state-spaces package's own, got "
            f"{config.norm_epsilon}"
        )
    ssm = {
        "d_state": config.d_state,
        "d_conv": config.d_conv,
        "expand": _expand(config),
        "dt_rank": config.dt_rank,
        "conv_bias": config.conv_bias,
        "bias": config.projection_bias,
    }
    return {
        "d_model": config.d_model,
        "n_layer": config.n_layer,
        "vocab_size": config.vocab_size,
        "pad_vocab_size_multiple": 1,
        "ssm_cfg": ssm,
        "rms_norm": config.rms_norm,
        "residual_in_fp32": config.residual_in_fp32,
        "fused_add_norm": True,
        "tie_embeddings": config.tie_embeddings,
    }


def _expand(config: SimbaConfig) -> float | int:
    """The factor whose product with d_model has d_inner as its integer part."""
    expand = config.d_inner / config.d_model
    # The quotient's rounding can lead below.
    return expand if int(expand * config.d_model) == config.d_inner else math.nextafter(expand, math.inf)
