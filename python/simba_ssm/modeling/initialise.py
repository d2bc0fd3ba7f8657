"""Mamba's own initialisation (arXiv 2312.00752, section 3.6 and its published code)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from simba_ssm.modeling.model import SimbaForCausalLM

DT_MIN, DT_MAX, DT_FLOOR = 1e-3, 0.1, 1e-4
EMBEDDING_STD = 0.02


@torch.no_grad()
def initialise(model: SimbaForCausalLM) -> None:
    """Fills every parameter anew.

    softplus(dt_proj.bias) is log-uniform in [1e-3, 0.1], A_n = -n, D = 1, embeddings have standard
    deviation 0.02, out_proj is scaled by 1 / sqrt(n_layer), products and convolutions are torch's own.
    """
    for layer in model.backbone.layers:
        mixer = layer.mixer
        for module in (layer.norm, mixer.in_proj, mixer.conv1d, mixer.x_proj, mixer.out_proj):
            module.reset_parameters()
        for linear in (mixer.in_proj, mixer.out_proj):
            if linear.bias is not None:
                nn.init.zeros_(linear.bias)
        mixer.out_proj.weight.div_(math.sqrt(model.config.n_layer))

        std = model.config.dt_rank**-0.5
        nn.init.uniform_(mixer.dt_proj.weight, -std, std)
        log_dt = torch.empty_like(mixer.dt_proj.bias).uniform_(math.log(DT_MIN), math.log(DT_MAX))
        dt = log_dt.exp().clamp(min=DT_FLOOR)
        # The inverse of softplus.
        mixer.dt_proj.bias.copy_(dt + torch.log(-torch.expm1(-dt)))

        n = torch.arange(1, model.config.d_state + 1).to(mixer.A_log)
        mixer.A_log.copy_(n.log().expand_as(mixer.A_log))
        mixer.D.fill_(1)
    model.backbone.norm_f.reset_parameters()
    for table in (model.backbone.embedding, model.lm_head):
        nn.init.normal_(table.weight, std=EMBEDDING_STD)
