"""The definition of every operator: plain PyTorch in float64, written to be read, not to be fast.

Shapes are those of :mod:`simba_ssm.ops`: B batch, L length, D channels, N states, S sequences, K
conv width. Inputs of any float type are taken to float64 and results are float64 (indices int64).
Packed input has B = 1 and ``cu_seqlens`` (S + 1); each of its sequences is a batch of one.
Gradients are those of the definitions here, by autograd.
"""

from simba_ssm.reference.decoding import gemv, in_proj_step, selective_state_update, ssm_step
from simba_ssm.reference.gradients import (
    add_norm_backward,
    causal_conv1d_backward,
    gate_backward,
    selective_scan_backward,
)
from simba_ssm.reference.layer import add_norm, causal_conv1d, gate, selective_scan
from simba_ssm.reference.pruning import influence_scores, select_tokens, token_contributions

__all__ = [
    "add_norm",
    "add_norm_backward",
    "causal_conv1d",
    "causal_conv1d_backward",
    "gate",
    "gate_backward",
    "gemv",
    "in_proj_step",
    "influence_scores",
    "select_tokens",
    "selective_scan",
    "selective_scan_backward",
    "selective_state_update",
    "ssm_step",
    "token_contributions",
]
