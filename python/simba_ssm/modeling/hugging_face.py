"""From transformers' Mamba to ours, in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simba_ssm.modeling.checkpoint import EMBEDDING, HUGGING_FACE_EMBEDDING
from simba_ssm.modeling.config_file import config_from_keys
from simba_ssm.modeling.model import SimbaForCausalLM
from simba_ssm.modeling.pruning import Pruning

if TYPE_CHECKING:
    from transformers import MambaForCausalLM


def sparsify(
    model: MambaForCausalLM, retention: float | str = 0.1, **pruning
) -> SimbaForCausalLM:
    """The same model with pruned contexts: it shares the parameters of transformers' one.

    Training either changes both; what is frozen stays so. retention is the share of the context's
    tokens that the last layer sees; ``pruning`` the other fields of ``simba_ssm.modeling.Pruning``.
    Raises ValueError on what is no plain MambaForCausalLM.
    """
    config = getattr(model, "config", None)
    keys = config.to_dict() if hasattr(config, "to_dict") else {}
    if keys.get("model_type") != "mamba":
        raise ValueError(f"model: expected a MambaForCausalLM, got {type(model).__name__}")
    weights = dict(model.named_parameters())
    if HUGGING_FACE_EMBEDDING in weights:
        weights[EMBEDDING] = weights.pop(HUGGING_FACE_EMBEDDING)
    options = Pruning(retention=retention, **pruning)
    ours = SimbaForCausalLM.from_weights(config_from_keys(keys), weights, options)
    return ours.train(model.training)
