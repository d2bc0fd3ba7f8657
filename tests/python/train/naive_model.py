"""The sparse loss of one window by simba_ssm.reference alone: no module, no packing, float64."""

from __future__ import annotations

import torch
from simba_ssm import reference
from simba_ssm.modeling import SimbaForCausalLM
from simba_ssm.modeling.schedule import tokens_per_layer
from torch import Tensor

State = tuple[Tensor, Tensor]


def sparse_predictions(
    model: SimbaForCausalLM, window: Tensor, retention: str, continuation: int
) -> Tensor:
    """Logits (K, V) for the window's last K ids; window: (L + 1)."""
    inputs = window[:-1]
    context = len(inputs) + 1 - continuation
    counts = tokens_per_layer(context, model.config.n_layer, retention)
    states: list[State] = []
    hidden, residual = model.backbone.embedding(inputs[:context])[None], None
    for number, layer in enumerate(model.backbone.layers):
        keep = counts[number + 1] if number + 1 < len(counts) else 1
        hidden, residual, state = _layer(model, layer, hidden, residual, None, keep)
        states.append(state)
    logits = [_logits(model, hidden, residual)]
    if continuation > 1:
        hidden, residual = model.backbone.embedding(inputs[context:])[None], None
        for layer, state in zip(model.backbone.layers, states, strict=True):
            hidden, residual, _ = _layer(model, layer, hidden, residual, state, None)
        logits.append(_logits(model, hidden, residual))
    return torch.cat(logits)


def _layer(
    model: SimbaForCausalLM,
    layer: torch.nn.Module,
    hidden: Tensor,
    residual: Tensor | None,
    state: State | None,
    keep: int | None,
) -> tuple[Tensor, Tensor, State]:
    """hidden, residual (1, n, d_model) of the tokens that go on, and the layer's state."""
    mixer, config = layer.mixer, model.config
    conv_state, ssm_state = state or (None, None)
    normed, residual = reference.add_norm(
        hidden, residual, layer.norm.weight, eps=config.norm_epsilon
    )
    x, z = mixer.in_proj(normed).chunk(2, -1)
    u, conv_state = reference.causal_conv1d(
        x, mixer.conv1d.weight[:, 0], mixer.conv1d.bias, conv_state, silu=True
    )
    dt, B, C = mixer.x_proj(u).split([config.dt_rank, config.d_state, config.d_state], -1)
    delta, A = dt @ mixer.dt_proj.weight.T, -torch.exp(mixer.A_log)
    bias = mixer.dt_proj.bias
    y, ssm_state = reference.selective_scan(
        u, delta, A, B, C, mixer.D, None, bias, ssm_state, None, delta_softplus=True
    )
    rows = torch.arange(y.shape[1])
    if keep is not None and keep < len(rows):
        with torch.no_grad():
            scores = reference.influence_scores(u, delta, A, B, C, bias)
            rows = reference.select_tokens(scores, keep)[0]
    out = mixer.out_proj(reference.gate(y, z)[:, rows])
    return out, residual[:, rows], (conv_state, ssm_state)


def _logits(model: SimbaForCausalLM, hidden: Tensor, residual: Tensor) -> Tensor:
    norm = model.backbone.norm_f
    normed, _ = reference.add_norm(hidden, residual, norm.weight, eps=model.config.norm_epsilon)
    return model.lm_head(normed)[0]
