"""A configuration says what is wrong with it: file, key, what was expected, what came."""

from __future__ import annotations

from pathlib import Path

import pytest
from checkpoints import ROOT
from simba_ssm.train.config_file import read_config
from simba_ssm.train.errors import TrainError
from tiny import tiny_run, write_toml

CONFIGS = sorted((ROOT / "configs/train").glob("*.toml"))

WRONG = [
    # key, value, what the message says
    ("optimizer.lr", "fast", "optimizer.lr: expected a number above 0, got 'fast'"),
    ("optimizer.lr", -1, "optimizer.lr: expected a number above 0, got -1"),
    ("optimizer.lr", True, "optimizer.lr: expected a number above 0, got True"),
    ("optimizer.lr", float("nan"), "optimizer.lr: expected a number above 0, got nan"),
    ("optimizer.betas", [0.9], "optimizer.betas: expected 2 numbers of at least 0"),
    ("optimizer.momentum", 0.9, "optimizer.momentum: expected one of betas, clip"),
    ("optimizer", 3, "optimizer: expected a table, got 3"),
    ("seed", 2**64, "seed: expected an integer of at least 0 and at most 18446744073709551615"),
    ("run.steps", 0, "run.steps: expected an integer of at least 1, got 0"),
    ("run.tokens_per_step", 100, "run.tokens_per_step: expected a multiple of the longest"),
    ("run.micro_tokens", 16, "run.micro_tokens: expected a multiple of the longest"),
    ("run.precision", "int8", "run.precision: expected one of float32, bfloat16, got 'int8'"),
    ("data.lengths", [32, 24], "data.lengths: expected lengths that divide the longest one"),
    ("data.weights", [1, 2], "data.weights: expected 1 numbers above 0, got [1, 2]"),
    ("model.pretrained", "x", "model: expected pretrained or shape, got both"),
    ("tokenizer.pieces", 512, "tokenizer: expected file or pieces, got both"),
    ("loss.dense", 0, "loss: expected a term with a weight above 0, got none"),
    ("loss.distillation", 1, "loss.distillation: expected 0 where model.pretrained"),
    ("run.compile", True, "run.compile: expected false where loss.sparse or loss.distillation"),
    ("sparse.retention", [0.9, 0.1], "sparse.retention: expected the lower end before"),
    ("sparse.criterion", "newest", "sparse.criterion: expected one of influence, delta_norm"),
    (
        "validation.continuation",
        32,
        "validation.continuation: expected less than validation.length",
    ),
    ("validation.retention", [1e-10], "validation.retention: expected a list of numbers of at least"),
    ("colour", "red", "colour: expected one of data, loss, model"),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tiny_run(tmp_path, tmp_path, tmp_path / "tokenizer.model")


@pytest.mark.parametrize(("key", "value", "message"), WRONG, ids=[row[0] for row in WRONG])
def test_wrong_values_are_named(file: Path, key: str, value: object, message: str) -> None:
    changes = {key: value}
    if key == "run.compile":
        changes["loss.sparse"] = 1
    with pytest.raises(TrainError) as error:
        read_config(file, changes)
    assert str(error.value).startswith(f"{file}: {message}")
    assert "\n" not in str(error.value)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    file = write_toml(tmp_path / "x.toml", {"model": {"shape": "shape"}})
    with pytest.raises(TrainError, match=r"data\.train: expected a file or folder .* no such key"):
        read_config(file)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text("steps = ")
    with pytest.raises(TrainError, match="x.toml: not TOML"):
        read_config(file)
    with pytest.raises(TrainError, match="absent.toml: No such file"):
        read_config(tmp_path / "absent.toml")


def test_paths_start_at_the_file(file: Path) -> None:
    assert read_config(file, {"data.train": "texts"}).data.train == file.parent / "texts"


def test_a_config_extends_another(file: Path, tmp_path: Path) -> None:
    above = write_toml(tmp_path / "above.toml", {"extends": "run.toml", "optimizer": {"clip": 0.5}})
    config = read_config(above)
    assert (config.optimizer.lr, config.optimizer.clip) == (3e-3, 0.5)
    assert config.title == "above"


def test_a_config_that_extends_itself_is_refused(tmp_path: Path) -> None:
    write_toml(tmp_path / "a.toml", {"extends": "b.toml"})
    write_toml(tmp_path / "b.toml", {"extends": "a.toml"})
    with pytest.raises(TrainError, match="extends: expected a file that does not lead back"):
        read_config(tmp_path / "a.toml")


@pytest.mark.parametrize("path", CONFIGS, ids=[path.stem for path in CONFIGS])
def test_the_repositorys_configs_are_right(path: Path) -> None:
    given = {"data.train": "texts"}
    if path.stem.startswith(("finetune", "paper")):
        given["model.pretrained"] = "model"
    assert read_config(path, given).run.steps
