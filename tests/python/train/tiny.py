"""A model of some thousand weights and a run of some steps, for tests on a CPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from checkpoints import ROOT

PIECES = 384
SHAPE = {
    "d_model": 16,
    "n_layer": 3,
    "vocab_size": PIECES,
    "ssm_cfg": {"d_state": 4},
    "tie_embeddings": True,
}


def write_toml(file: Path, values: dict[str, Any]) -> Path:
    """JSON's values are TOML's, but for null."""
    lines = [f"{key} = {json.dumps(v)}" for key, v in values.items() if not isinstance(v, dict)]
    for name, table in values.items():
        if isinstance(table, dict):
            lines += ["", f"[{name}]", *[f"{key} = {json.dumps(v)}" for key, v in table.items()]]
    file.write_text("\n".join(lines) + "\n")
    return file


def tiny_run(folder: Path, texts: Path, tokenizer: Path, **tables: dict[str, Any]) -> Path:
    """A config in `folder` of 8 steps of 4 windows; tables: changes, by name."""
    (folder / "shape").mkdir(exist_ok=True)
    (folder / "shape/config.json").write_text(json.dumps(SHAPE))
    values: dict[str, Any] = {
        "model": {"shape": "shape"},
        "tokenizer": {"file": str(tokenizer)},
        "data": {"train": str(texts), "lengths": [32], "held_out": 1},
        "validation": {
            "every": 4,
            "windows": 4,
            "length": 32,
            "continuation": 8,
            "retention": [0.5],
        },
        "optimizer": {"lr": 3e-3},
        "sparse": {"continuation": 8},
        "run": {
            "steps": 8,
            "tokens_per_step": 128,
            "micro_tokens": 64,
            "checkpoint_every": 3,
            "log_every": 1,
            "threads": 1,
            "device": "cpu",
        },
    }
    for name, table in tables.items():
        values[name] = values.get(name, {}) | table
    return write_toml(folder / "run.toml", values)


def command(*arguments: object, processes: int = 1) -> list[str]:
    """python -m simba_ssm.train, of several processes under torchrun."""
    several = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    start = several if processes > 1 else []
    return [sys.executable, *start, "-m", "simba_ssm.train", *map(str, arguments)]


def train(*arguments: object, processes: int = 1) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments, processes=processes), capture_output=True, text=True, env=environment()
    )


def environment() -> dict[str, str]:
    path = os.pathsep.join([str(ROOT / "python"), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": path}


def metrics(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def losses(out: Path) -> list[tuple[int, float]]:
    return [(line["step"], line["loss"]) for line in metrics(out) if "loss" in line]


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr that says what is wrong."""
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("simba_ssm.train: ")
    assert not any("Traceback" in line for line in lines)
    return lines[-1].removeprefix("simba_ssm.train: ")
