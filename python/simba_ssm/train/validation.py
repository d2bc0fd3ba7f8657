"""Held-out windows read densely, and again from pruned contexts.

`nll` is the dense model's mean over whole windows. `nll_at_R` is the mean over each window's last K
ids, its continuation, from a context pruned to retention R (objective.py); compare them with
`nll_at_1`, the dense model on the same ids. All in nats per token.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace

import torch

from simba_ssm.modeling import SimbaForCausalLM
from simba_ssm.train.config import SparseConfig, ValidationConfig
from simba_ssm.train.objective import continuation_logits, nll
from simba_ssm.train.windows import Windows


class Validation:
    """rows: windows read at once."""

    def __init__(
        self, config: ValidationConfig, sparse: SparseConfig, windows: Windows, rows: int
    ) -> None:
        self._retentions = _decimals(config.retention)
        # The criterion that is trained, at validation's own continuation.
        self._sparse = replace(sparse, continuation=config.continuation)
        self._windows = windows
        self._rows = rows

    @torch.no_grad()
    def run(
        self, model: SimbaForCausalLM, device: torch.device, autocast: AbstractContextManager
    ) -> dict[str, float]:
        sums: dict[str, float] = {}
        count = len(self._windows.ids)
        for begin in range(0, count, self._rows):
            ids = self._windows.part(begin, begin + self._rows).ids.to(device)
            scored = ids[:, -self._sparse.continuation :]
            with autocast:
                means = {"nll": nll(model(ids[:, :-1]).logits, ids[:, 1:])}
                for r in self._retentions:
                    logits = continuation_logits(model, ids, [r] * len(ids), self._sparse)
                    means[f"nll_at_{r}"] = nll(logits, scored)
            for name, mean in means.items():
                sums[name] = sums.get(name, 0.0) + float(mean) * len(ids)
        return {name: total / count for name, total in sums.items()}


def _decimals(retentions: tuple[str, ...]) -> list[str]:
    """Shortest decimals, dense first: it is what the others are compared with."""
    shortest = [r.rstrip("0").rstrip(".") for r in retentions]
    return list(dict.fromkeys(["1", *shortest])) if shortest else []
