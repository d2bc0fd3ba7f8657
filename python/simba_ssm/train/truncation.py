"""The dense model on a truncated context, at the FLOPs of a pruned one.

FLOPs are counted as csrc/model/mamba_flops.cpp does: 2 per multiply-add of every projection and of
the convolution, 9 D N per token for the scan, 6 D N for influence in layers that drop tokens; the
output projection of kept tokens only.
"""

from __future__ import annotations

from simba_ssm.modeling import SimbaConfig
from simba_ssm.modeling.schedule import tokens_per_layer


def truncated_length(
    context: int, retention: str | float, schedule: str, config: SimbaConfig
) -> int:
    """How many of the newest tokens cost densely what influence costs on `context` tokens."""
    before_emit, out_proj, influence = _per_token(config)
    entering = tokens_per_layer(context, config.n_layer, retention, schedule)
    if entering[-1] == context:
        return context
    leaving = [*entering[1:], 1]
    flops = sum(n * before_emit for n in entering) + sum(n * out_proj for n in leaving)
    # After the last layer the token that is read is known without scores.
    dropping = (n for n, after in zip(entering[:-1], leaving, strict=False) if after < n)
    flops += sum(n * influence for n in dropping)
    return min(context, max(1, round(flops / (config.n_layer * (before_emit + out_proj)))))


def _per_token(config: SimbaConfig) -> tuple[int, int, int]:
    """Of one layer: up to the scan, the output projection, the influence scores."""
    D, N, K, R = config.d_inner, config.d_state, config.d_conv, config.dt_rank
    products = 2 * (config.d_model * 2 * D + K * D + D * (R + 2 * N) + R * D)
    return products + 9 * D * N, 2 * D * config.d_model, 6 * D * N
