"""AdamW with two groups of parameters, and its learning rate as a function of the step."""

from __future__ import annotations

import math

import torch
from torch import nn

from simba_ssm.train.config import OptimizerConfig


def make_optimizer(model: nn.Module, config: OptimizerConfig) -> torch.optim.AdamW:
    """Matrices and convolutions decay; norms, biases, A_log and D do not."""
    decaying, others = [], []
    for parameter in model.parameters():
        if parameter.requires_grad:
            keeps = parameter.dim() < 2 or getattr(parameter, "_no_weight_decay", False)
            (others if keeps else decaying).append(parameter)
    groups = [
        {"params": decaying, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    on_gpu = all(parameter.is_cuda for parameter in decaying)
    return torch.optim.AdamW(
        groups, lr=config.lr, betas=config.betas, eps=config.eps, fused=on_gpu or None
    )


def learning_rate(config: OptimizerConfig, step: int, steps: int) -> float:
    """Of step (from 0): up linearly over the warm-up, then down half a cosine to final * lr."""
    warmup = math.ceil(config.warmup * steps)
    if step < warmup:
        return config.lr * (step + 1) / warmup
    share = (step - warmup) / max(steps - warmup, 1)
    cosine = (1 + math.cos(math.pi * share)) / 2
    return config.lr * (config.final + (1 - config.final) * cosine)
