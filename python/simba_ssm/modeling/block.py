"""One Mamba-1 layer, cut where pruning needs it.

Letters in shapes: B batch, L length, K tokens kept, S sequences, D d_inner, N d_state.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simba_ssm import ops
from simba_ssm.modeling.config import SimbaConfig
from simba_ssm.modeling.criteria import SsmInputs
from simba_ssm.modeling.packing import Packing


@dataclass(frozen=True)
class LayerState:
    """What a layer remembers of S sequences; None stands for zeros."""

    ssm: Tensor | None  # (S, D, N), float32 or wider
    conv: Tensor | None  # (S, D, d_conv - 1), the newest inputs of the convolution, oldest first


# So that torch.export can take and give it.
torch.export.register_dataclass(LayerState, serialized_type_name="simba_ssm.LayerState")


@dataclass
class Tokens:
    """The tokens between two layers. The residual stream is residual[rows] + hidden."""

    hidden: Tensor  # (B, K, d_model)
    residual: Tensor | None
    rows: Tensor | None  # (B, K): which rows of residual are still there; None: all
    packing: Packing


class SimbaMixer(nn.Module):
    """Parameters of a Mamba-1 mixer, under Mamba's names."""

    def __init__(self, config: SimbaConfig) -> None:
        super().__init__()
        D, N, rank = config.d_inner, config.d_state, config.dt_rank
        bias = config.projection_bias
        self.in_proj = nn.Linear(config.d_model, 2 * D, bias=bias)
        self.conv1d = nn.Conv1d(D, D, config.d_conv, groups=D, bias=config.conv_bias)
        self.x_proj = nn.Linear(D, rank + 2 * N, bias=False)
        self.dt_proj = nn.Linear(rank, D)
        self.A_log = nn.Parameter(torch.empty(D, N))
        self.D = nn.Parameter(torch.empty(D))
        self.out_proj = nn.Linear(D, config.d_model, bias=bias)


class SimbaBlock(nn.Module):
    """One layer, cut where pruning needs it: what goes into the scan, the scan, what comes out for
    the tokens that are kept.
    """

    def __init__(self, config: SimbaConfig) -> None:
        super().__init__()
        self.config = config
        self.norm = make_norm(config)
        self.mixer = SimbaMixer(config)

    def project(self, tokens: Tokens, conv: Tensor | None) -> tuple[SsmInputs, Tensor, Tensor]:
        """The scan's inputs, the residual stream, and the convolution's state after the tokens."""
        mixer, packing = self.mixer, tokens.packing
        normed, residual = add_norm(self.norm, tokens, self.config)
        x, z = mixer.in_proj(normed).chunk(2, dim=-1)
        u, conv = ops.causal_conv1d(
            x, mixer.conv1d.weight.squeeze(1), mixer.conv1d.bias, conv, packing.cu_seqlens, silu=True
        )
        sizes = [self.config.dt_rank, self.config.d_state, self.config.d_state]
        dt, B, C = mixer.x_proj(u).split(sizes, dim=-1)
        # The bias of dt_proj is added inside the scan.
        delta = F.linear(dt, mixer.dt_proj.weight)
        A_log = mixer.A_log
        A = -torch.exp(A_log if A_log.dtype == torch.float64 else A_log.float())
        return SsmInputs(u, delta, A, B, C, mixer.D, z, mixer.dt_proj.bias, packing), residual, conv

    def scan(self, ssm: SsmInputs, state: Tensor | None, gated: bool) -> tuple[Tensor, Tensor]:
        """y (B, L, D) of all tokens, gated on request, and the state after them."""
        return ops.selective_scan(
            ssm.u, ssm.delta, ssm.A, ssm.B, ssm.C, ssm.D, ssm.z if gated else None,
            ssm.delta_bias, state, ssm.packing.cu_seqlens, delta_softplus=True,
        )  # fmt: skip

    def emit(
        self,
        y: Tensor,
        ssm: SsmInputs,
        residual: Tensor,
        rows: Tensor | None,
        packing: Packing,
        gated: bool,
    ) -> Tokens:
        """Gate (where the scan has not) and out_proj of the rows that go on alone; the others' outputs
        are never read.
        """
        if not gated:
            y = ops.gate(y, ssm.z, rows)
        return Tokens(self.mixer.out_proj(y), residual, rows, packing)


def make_norm(config: SimbaConfig) -> nn.Module:
    kind = nn.RMSNorm if config.rms_norm else nn.LayerNorm
    return kind(config.d_model, eps=config.norm_epsilon)


def add_norm(norm: nn.Module, tokens: Tokens, config: SimbaConfig) -> tuple[Tensor, Tensor]:
    return ops.add_norm(
        tokens.hidden, tokens.residual, norm.weight, getattr(norm, "bias", None), tokens.rows,
        config.norm_epsilon, config.residual_in_fp32,
    )  # fmt: skip
