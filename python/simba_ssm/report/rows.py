"""Rows of results, as a report shows them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# Kept as they read the whole context, or a part of it, without pruning.
UNPRUNED = ("dense", "truncated")


@dataclass(frozen=True)
class Method:
    """How a context is read; retention is the share of tokens left at the last layer."""

    criterion: str
    decay: str | None = None
    reduction: str | None = None
    retention: float | None = None
    schedule: str | None = None
    seed: int | None = None

    @property
    def kind(self) -> str:
        """What makes it one method over all retentions: "influence no_bias max", "recent"."""
        if self.criterion in UNPRUNED:
            return self.criterion
        words = [self.criterion, self.decay, self.reduction]
        if self.schedule and self.schedule != "linear":
            words.append(self.schedule)
        return " ".join(word for word in words if word)

    @property
    def retention_text(self) -> str:
        return "" if self.retention is None else f"{self.retention:g}"


@dataclass(frozen=True)
class Model:
    name: str
    family: str = "mamba"


@dataclass(frozen=True)
class Estimate:
    value: float
    standard_error: float | None = None


@dataclass(frozen=True)
class Overlap:
    """Share of the kept tokens that `recent` keeps as well."""

    mean: float
    last_cut: float | None = None


@dataclass(frozen=True)
class TaskRow:
    """asked: what the numbers depend on beside model and method; rows are compared only where it is
    the same. flops: of the whole run. matched: the methods whose FLOPs a truncated row spends."""

    file: Path
    model: Model
    method: Method
    task: str
    shots: int
    documents: int
    metrics: dict[str, Estimate]
    primary: str
    flops: float
    asked: tuple[tuple[str, str], ...]
    flops_share: float | None = None
    difference: Estimate | None = None
    overlap: Overlap | None = None
    matched: tuple[str, ...] = ()

    @property
    def score(self) -> Estimate | None:
        return self.metrics.get(self.primary)


@dataclass(frozen=True)
class PerplexityRow:
    """As TaskRow; flops: of all windows. Both errors of a mean are nats per token."""

    file: Path
    model: Model
    method: Method
    context: int
    tokens_read: int
    windows: int | None
    perplexity: float | None
    flops: float
    asked: tuple[tuple[str, str], ...]
    perplexity_per_word: float | None = None
    flops_share: float | None = None
    difference: Estimate | None = None
    kl: float | None = None
    same_top: float | None = None
    overlap: Overlap | None = None
    matched: tuple[str, ...] = ()


@dataclass(frozen=True)
class Results:
    """One results.json."""

    file: Path
    format: str
    settings: object
    models: tuple[Model, ...]
    tasks: tuple[TaskRow, ...] = ()
    perplexities: tuple[PerplexityRow, ...] = ()
    remarks: tuple[str, ...] = ()  # what the run itself says of its tasks
