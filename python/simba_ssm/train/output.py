"""The folder of a run: run.json, metrics.jsonl, checkpoints, and at the end model/."""

from __future__ import annotations

import json
import platform
import shutil
from pathlib import Path
from typing import Any

import torch

from simba_ssm.modeling import SimbaForCausalLM
from simba_ssm.modeling.checkpoint import convert, write
from simba_ssm.train.atomic import new_folder, write_file
from simba_ssm.train.config import TrainConfig
from simba_ssm.train.errors import TrainError
from simba_ssm.train.settings import plain

# What a run leaves, beside the tokens: those are good for any run.
LEFT = ("run.json", "metrics.jsonl", "checkpoints", "tensorboard", "model", "tokenizer")
# Parts of those that a killed process had not finished (atomic.py).
UNFINISHED = (
    "run.json.new",
    "metrics.jsonl.new",
    "checkpoints/step-*.new",
    "model.new",
    "tokenizer/*/tokenizer.model.new",
)


def prepare_folder(out: Path, *, resume: bool, force: bool) -> None:
    """Refuses a folder that holds a run which is neither to be replaced nor gone on with."""
    if (out / "run.json").exists() and not (resume or force):
        raise TrainError(
            f"{out}: holds an earlier run: --resume goes on with it, --force replaces it"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainError(f"{out}: {error.strerror}") from None
    if force:
        for name in LEFT:
            _remove(out / name)
    for pattern in UNFINISHED:
        for path in out.glob(pattern):
            _remove(path)


def _remove(path: Path) -> None:
    """Of a link the link alone."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_run_info(out: Path, config: TrainConfig, facts: dict[str, Any]) -> None:
    info = {
        "format": "simba training run 1",
        "config": plain(config),
        **facts,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    write_file(out / "run.json", (json.dumps(info, indent=1) + "\n").encode())


def write_model(out: Path, model: SimbaForCausalLM, tokenizer: Path, save: str) -> Path:
    """OUT/model: what simba-eval --model takes. save: type of its matrices."""
    weights = convert(model.state_dict(), getattr(torch, save))
    with new_folder(out / "model") as folder:
        write(folder, model.config, weights, "huggingface")
        shutil.copyfile(tokenizer, folder / tokenizer.name)
    return out / "model"
