"""OUT/checkpoints/step-N: all that a run needs to go on exactly where it was.

    model/          the weights, as from_pretrained and simba-eval take them
    training.pt     the optimizer's state, and the settings of the run

A folder takes its name only when it is whole and on the disk, so a killed run leaves whole
checkpoints alone. The data and the draws of a step depend on seed and step: they have no state.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from simba_ssm.modeling import SimbaForCausalLM
from simba_ssm.train.atomic import new_folder
from simba_ssm.train.errors import TrainError

FORMAT = "simba training 1"


@dataclass(frozen=True)
class Checkpoint:
    """step: how many were done."""

    folder: Path
    step: int

    @property
    def model(self) -> Path:
        return self.folder / "model"

    def training(self) -> dict[str, Any]:
        file = self.folder / "training.pt"
        try:
            state = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # torch.load raises many kinds
            raise TrainError(
                f"{file}: expected a training state: {error}".splitlines()[0]
            ) from None
        if state.get("format") != FORMAT:
            raise TrainError(f"{file}: format: expected '{FORMAT}', got {state.get('format')!r}")
        return state


def checkpoints(out: Path) -> list[Checkpoint]:
    """Those that are whole, oldest first."""
    folder = out / "checkpoints"
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        if match := re.fullmatch(r"step-(\d+)", path.name):
            found.append(Checkpoint(path, int(match[1])))
    return sorted(found, key=lambda each: each.step)


def save(
    out: Path,
    step: int,
    model: SimbaForCausalLM,
    optimizer: torch.optim.Optimizer,
    settings: dict[str, Any],
    keep: int,
) -> Checkpoint:
    """keep: how many checkpoints stay, the newest ones."""
    checkpoint = Checkpoint(out / "checkpoints" / f"step-{step:08d}", step)
    with new_folder(checkpoint.folder) as folder:
        model.save_pretrained(folder / "model")
        training = {
            "format": FORMAT,
            "step": step,
            "optimizer": optimizer.state_dict(),
            "settings": settings,
        }
        torch.save(training, folder / "training.pt")
    for old in checkpoints(out)[:-keep]:
        shutil.rmtree(old.folder)
    return checkpoint
