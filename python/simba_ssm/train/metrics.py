"""metrics.jsonl: a line of JSON per step and per validation; the same in TensorBoard on request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from simba_ssm.train.atomic import write_file
from simba_ssm.train.errors import TrainError

NAME = "metrics.jsonl"


class Metrics:
    """Goes on after `step`: lines of later steps, and a line cut short, are taken away first."""

    def __init__(self, folder: Path, step: int, tensorboard: bool) -> None:
        file = folder / NAME
        kept = [line for line in read_metrics(folder) if line["step"] <= step]
        write_file(file, "".join(json.dumps(line) + "\n" for line in kept).encode())
        self._stream = open(file, "a", encoding="utf-8")  # noqa: SIM115 (closed by close)
        self._board = _board(folder, step) if tensorboard else None

    def write(self, step: int, values: dict[str, Any]) -> None:
        self._stream.write(json.dumps({"step": step, **values}) + "\n")
        self._stream.flush()
        if self._board:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def close(self) -> None:
        self._stream.close()
        if self._board:
            self._board.close()


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run; what a killed process left of its last one is no line."""
    try:
        text = (folder / NAME).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    lines = []
    for line in text.split("\n"):
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue
    return lines


def _board(folder: Path, step: int):
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise TrainError(
            "run.tensorboard: tensorboard is not installed: pip install tensorboard"
        ) from None
    return SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)
