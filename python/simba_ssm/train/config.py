"""What a training run is; docs/training.md explains every key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ModelConfig:
    """One of the two is given. pretrained: folder or hub id; shape: folder with config.json."""

    pretrained: str | None
    shape: Path | None


@dataclass(frozen=True)
class TokenizerConfig:
    """file None: the one beside the pretrained model, or one of `pieces` made from the texts."""

    file: Path | None
    pieces: int | None
    sample_bytes: int


@dataclass(frozen=True)
class DataConfig:
    """lengths: of windows, in tokens; a step draws one with these weights. held_out: documents.
    cache: where tokens are kept, None: with the run.
    """

    train: Path
    cache: Path | None
    field: str
    lengths: tuple[int, ...]
    weights: tuple[float, ...]
    reset: bool
    held_out: int


@dataclass(frozen=True)
class ValidationConfig:
    data: Path | None
    every: int
    windows: int
    length: int
    continuation: int
    retention: tuple[str, ...]


@dataclass(frozen=True)
class OptimizerConfig:
    """warmup: share of the steps; final: share of lr that the cosine ends at; clip 0: none."""

    lr: float
    betas: tuple[float, float]
    eps: float
    weight_decay: float
    warmup: float
    final: float
    clip: float


@dataclass(frozen=True)
class LossConfig:
    """Weights of the three terms; temperature of the distillation."""

    dense: float
    sparse: float
    distillation: float
    temperature: float

    @property
    def reads_sparsely(self) -> bool:
        return self.sparse > 0 or self.distillation > 0


@dataclass(frozen=True)
class SparseConfig:
    """retention: lower and upper end of the draw; progressive: share of the steps in which the
    lower end comes down from the upper one."""

    criterion: str
    decay: str
    reduction: str
    schedule: str
    retention: tuple[float, float]
    progressive: float
    continuation: int


@dataclass(frozen=True)
class RunConfig:
    """micro_tokens: of one forward of one process. save: type of the final model's matrices."""

    steps: int
    tokens_per_step: int
    micro_tokens: int
    precision: str
    compile: bool
    checkpoint_every: int
    keep: int
    device: str
    threads: int | None
    log_every: int
    tensorboard: bool
    save: str


@dataclass(frozen=True)
class TrainConfig:
    file: Path
    title: str
    seed: int
    model: ModelConfig
    tokenizer: TokenizerConfig
    data: DataConfig
    validation: ValidationConfig
    optimizer: OptimizerConfig
    loss: LossConfig
    sparse: SparseConfig
    run: RunConfig
