"""The hyper-parameters of a Mamba-1 language model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class SimbaConfig:
    """Sizes and switches; names as in Mamba's own code.

    vocab_size counts rows of the embedding, padding rows included. d_inner is 2 d_model and dt_rank
    is ceil(d_model / 16) where not given.
    """

    d_model: int
    n_layer: int
    vocab_size: int
    d_state: int = 16
    d_conv: int = 4
    d_inner: int | None = None
    dt_rank: int | None = None
    norm_epsilon: float = 1e-5
    rms_norm: bool = True  # False: LayerNorm with bias
    residual_in_fp32: bool = True
    tie_embeddings: bool = True
    conv_bias: bool = True
    projection_bias: bool = False  # of in_proj and out_proj

    def __post_init__(self) -> None:
        if self.d_inner is None:
            self.d_inner = 2 * self.d_model
        if self.dt_rank is None:
            self.dt_rank = -(-self.d_model // 16)
        sizes = ("d_model", "n_layer", "vocab_size", "d_state", "d_conv", "d_inner", "dt_rank")
        for name in sizes:
            size = getattr(self, name)
            if not isinstance(size, int) or size < 1:
                raise ValueError(f"{name}: expected an integer of at least 1, got {size!r}")
