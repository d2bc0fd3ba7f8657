"""The options of a pruned prefill."""

from __future__ import annotations

from dataclasses import dataclass

from simba_ssm.modeling.schedule import decimal, steps_of

CRITERIA = ("influence", "delta_norm", "delta", "recent", "spaced", "random")
DECAYS = ("no_bias", "full", "none")
REDUCTIONS = ("max", "l2", "l1", "signed_max")


@dataclass(frozen=True)
class Pruning:
    """Options of a pruned prefill, those of ``simba_ssm.Simba.from_pretrained``.

    retention: share of the context's tokens that the last layer sees, a decimal in (0, 1] with at
    most 9 decimals; exact if given as text. schedule: "linear", "constant" or
    "steps:LAYER=FRACTION,...". decay and reduction are the influence's, seed the random criterion's.
    """

    retention: float | str = 1
    schedule: str = "linear"
    criterion: str = "influence"
    decay: str = "no_bias"
    reduction: str = "max"
    seed: int = 0

    def __post_init__(self) -> None:
        decimal(self.retention)
        steps_of(self.schedule)
        for name, known in (("criterion", CRITERIA), ("decay", DECAYS), ("reduction", REDUCTIONS)):
            if (value := getattr(self, name)) not in known:
                raise ValueError(f"{name}: expected one of {', '.join(known)}, got {value!r}")
