"""SimbaConfig to and from config.json, in the layouts of state-spaces and of Hugging Face.

A key left out has the default that it has in the layout's own package. Errors are ValueError and
name the key, what was expected and what came; KeyError where a key without default is left out.
"""

from __future__ import annotations

import math
from typing import Any

from simba_ssm.modeling.config import SimbaConfig

Keys = dict[str, Any]

# state-spaces writes no epsilon: its package has this one.
STATE_SPACES_EPSILON = 1e-5

_NAMES = {int: "an integer", float: "a finite number", bool: "true or false"}


def config_from_keys(keys: Keys) -> SimbaConfig:
    """Of the contents of a config.json in either layout."""
    if not isinstance(keys, dict):
        raise ValueError(f"expected an object, got {keys!r}")
    # Converted checkpoints keep d_model and n_layer beside Hugging Face's names.
    if "hidden_size" in keys:
        return _from_hugging_face(keys)
    if "d_model" in keys:
        return _from_state_spaces(keys)
    raise ValueError(
        "expected d_model (state-spaces layout) or hidden_size (Hugging Face layout), "
        f"got model_type {keys.get('model_type')!r}"
    )


def _expect(keys: Keys, key: str, accepted: tuple) -> None:
    value = keys.get(key, accepted[0])
    if value not in accepted:
        raise ValueError(f"{key}: expected {accepted[0]!r}, got {value!r}")


def _value(keys: Keys, key: str, kind: type, default: Any = None) -> Any:
    """keys[key], an int, float or bool; default None: it may not be left out."""
    value = keys[key] if default is None else keys.get(key, default)
    fits = isinstance(value, (int, float) if kind is float else kind)
    # To Python true and false are integers.
    if not fits or isinstance(value, bool) != (kind is bool) or not abs(value) < math.inf:
        raise ValueError(f"{key}: expected {_NAMES[kind]}, got {value!r}")
    return value


def _dt_rank(keys: Keys, key: str) -> int | None:
    return None if keys.get(key, "auto") in ("auto", None) else _value(keys, key, int)


def _from_hugging_face(keys: Keys) -> SimbaConfig:
    _expect(keys, "model_type", ("mamba",))
    _expect(keys, "hidden_act", ("silu", "swish"))
    d_model = _value(keys, "hidden_size", int)
    # intermediate_size wins over expand, as it does in MambaConfig.
    if keys.get("intermediate_size") is not None:
        d_inner = _value(keys, "intermediate_size", int)
    else:
        d_inner = int(_value(keys, "expand", float, 2) * d_model)
    return SimbaConfig(
        d_model=d_model,
        n_layer=_value(keys, "num_hidden_layers", int),
        vocab_size=_value(keys, "vocab_size", int),
        d_state=_value(keys, "state_size", int, 16),
        d_conv=_value(keys, "conv_kernel", int, 4),
        d_inner=d_inner,
        dt_rank=_dt_rank(keys, "time_step_rank"),
        norm_epsilon=_value(keys, "layer_norm_epsilon", float, 1e-5),
        residual_in_fp32=_value(keys, "residual_in_fp32", bool, True),
        tie_embeddings=_value(keys, "tie_word_embeddings", bool, True),
        conv_bias=_value(keys, "use_conv_bias", bool, True),
        projection_bias=_value(keys, "use_bias", bool, False),
    )


def _from_state_spaces(keys: Keys) -> SimbaConfig:
    ssm = keys.get("ssm_cfg") or {}
    if not isinstance(ssm, dict):
        raise ValueError(f"ssm_cfg: expected an object, got {ssm!r}")
    _expect(ssm, "layer", ("Mamba1",))
    _expect(keys, "d_intermediate", (0,))
    _expect(keys, "attn_layer_idx", ([], None))
    d_model = _value(keys, "d_model", int)
    multiple = _value(keys, "pad_vocab_size_multiple", int, 8)
    if multiple < 1:
        raise ValueError(
            f"pad_vocab_size_multiple: expected an integer of at least 1, got {multiple}"
        )
    return SimbaConfig(
        d_model=d_model,
        n_layer=_value(keys, "n_layer", int),
        vocab_size=-(-_value(keys, "vocab_size", int) // multiple) * multiple,
        d_state=_value(ssm, "d_state", int, 16),
        d_conv=_value(ssm, "d_conv", int, 4),
        d_inner=int(_value(ssm, "expand", float, 2) * d_model),
        dt_rank=_dt_rank(ssm, "dt_rank"),
        norm_epsilon=STATE_SPACES_EPSILON,
        rms_norm=_value(keys, "rms_norm", bool, True),
        residual_in_fp32=_value(keys, "residual_in_fp32", bool, True),
        tie_embeddings=_value(keys, "tie_embeddings", bool, True),
        conv_bias=_value(ssm, "conv_bias", bool, True),
        projection_bias=_value(ssm, "bias", bool, False),
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
