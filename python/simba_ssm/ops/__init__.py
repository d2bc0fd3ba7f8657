"""Typed functions over the operators ``torch.ops.simba.*`` (CPU and CUDA).

Letters in shapes: B batch, L length, D channels, N states, S sequences, K conv width (or kept
tokens).

Data tensors share one dtype, float32, float64, bfloat16 or float16, and one device; any strides
with a contiguous last dimension will do. Parameters (A, D, biases, weights) may have any of these
dtypes and are read in the accumulate type: float32, float64 for float64 data.

Packed input has B = 1 and ``cu_seqlens`` (S + 1, int32, on the same device): sequence s covers
positions cu_seqlens[s] to cu_seqlens[s + 1], and may be empty. Unpacked, S = B.

A wrong argument raises ValueError with one line that names the operator, the argument, what was
expected and what came. The values of ``cu_seqlens`` and of indices are checked on the CPU only.
Shapes of results never depend on data.

``selective_scan``, ``causal_conv1d``, ``add_norm`` and ``gate`` are differentiable, each by an
operator NAME_backward that keeps nothing but the forward's arguments (add_norm: its new residual)
and repeats bit for bit. Backward through any other operator, or twice, raises.

Definitions: :mod:`simba_ssm.reference`.
"""

import simba_ssm.ops._registration  # noqa: F401  (fakes and raising gradients)
import simba_ssm.ops._autograd  # noqa: F401  (gradients)
from simba_ssm.ops.decoding import gemv, in_proj_step, selective_state_update, ssm_step
from simba_ssm.ops.gradients import (
    add_norm_backward,
    causal_conv1d_backward,
    gate_backward,
    selective_scan_backward,
)
from simba_ssm.ops.layer import add_norm, causal_conv1d, gate, selective_scan
from simba_ssm.ops.pruning import influence_scores, select_tokens

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
]
