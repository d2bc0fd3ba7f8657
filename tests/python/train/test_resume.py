"""A run that was killed goes on as if nothing had happened, bit for bit."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from simba_ssm.train.__main__ import main
from simba_ssm.train.config_file import read_config
from simba_ssm.train.errors import TrainError
from simba_ssm.train.loop import train
from tiny import command, environment, losses, metrics, tiny_run

# Every draw of a run is in it: mixed lengths, retentions, all three terms.
EVERYTHING = {
    "data": {"lengths": [16, 32], "weights": [1, 1]},
    "loss": {"sparse": 1.0},
    "sparse": {"retention": [0.1, 1.0], "progressive": 0.5, "continuation": 8},
}


@pytest.fixture(scope="module")
def whole(texts: Path, tokenizer_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing interrupted; its config is beside it."""
    folder = tmp_path_factory.mktemp("whole")
    config = tiny_run(folder, texts, tokenizer_file, **EVERYTHING)
    train(read_config(config), folder / "out")
    return folder


def assert_same_run(out: Path, whole: Path) -> None:
    # Every figure but the speed.
    def figures(folder: Path) -> list[dict]:
        return [{k: v for k, v in line.items() if "second" not in k} for line in metrics(folder)]

    assert figures(out) == figures(whole)
    a, b = load_file(out / "model/model.safetensors"), load_file(whole / "model/model.safetensors")
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("steps_before", [2, 5])
def test_kill_9_at_any_time(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], steps_before: int
) -> None:
    """Before the first checkpoint, which is made after step 3, and after it."""
    out = tmp_path / "out"
    run = subprocess.Popen(
        command(whole / "run.toml", "--out", out),
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    for line in run.stderr:
        if line.startswith(f"step {steps_before} of"):
            os.kill(run.pid, signal.SIGKILL)
            break
    run.stderr.close()
    assert run.wait() == -signal.SIGKILL
    assert not (out / "model").exists()
    assert (out / "checkpoints/step-00000003").exists() == (steps_before > 3)

    assert main([str(whole / "run.toml"), "--out", str(out), "--resume"]) == 0
    again = capsys.readouterr()
    assert again.out == f"{out}/model\n"
    assert ("going on from" in again.err) == (steps_before > 3)
    assert_same_run(out, whole / "out")


def test_what_a_kill_may_leave(whole: Path, tmp_path: Path) -> None:
    """A checkpoint half written, a line half written, lines beyond the newest whole checkpoint."""
    out = tmp_path / "out"
    shutil.copytree(whole / "out", out)
    # Of a run with another cadence: this one makes no checkpoint of that name.
    (out / "checkpoints/step-00000004.new/model").mkdir(parents=True)
    (out / "run.json.new").write_text("half")
    (out / "mine.new").write_text("of somebody else")
    newest = out / "checkpoints/step-00000008"
    newest.rename(newest.with_name("step-00000008.new"))
    (newest.with_name("step-00000008.new") / "training.pt").write_bytes(b"half")
    shutil.rmtree(out / "model")
    with open(out / "metrics.jsonl", "a") as stream:
        stream.write('{"step": 9, "lo')
    train(read_config(whole / "run.toml"), out, resume=True)
    assert_same_run(out, whole / "out")
    assert [path.name for path in out.rglob("*.new")] == ["mine.new"]


def test_resuming_what_has_ended_changes_nothing(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(whole / "out", out)
    train(read_config(whole / "run.toml"), out, resume=True)
    assert_same_run(out, whole / "out")


def test_old_checkpoints_go(whole: Path) -> None:
    names = sorted(path.name for path in (whole / "out/checkpoints").iterdir())
    assert names == ["step-00000006", "step-00000008"]


@pytest.mark.parametrize(
    ("key", "value"), [("optimizer.lr", 1e-4), ("run.steps", 9), ("seed", 1), ("data.held_out", 2)]
)
def test_another_run_is_not_gone_on_with(whole: Path, key: str, value: object) -> None:
    with pytest.raises(TrainError, match=f"step-00000008: {key}: expected that of the checkpoint"):
        train(read_config(whole / "run.toml", {key: value}), whole / "out", resume=True)


def test_other_texts_are_another_run(whole: Path, texts: Path, tmp_path: Path) -> None:
    shutil.copytree(texts, tmp_path / "texts")
    (tmp_path / "texts/a.txt").write_text("x" + (texts / "a.txt").read_text())
    config = read_config(whole / "run.toml", {"data.train": str(tmp_path / "texts")})
    with pytest.raises(TrainError, match=r"texts\.texts_sha256: expected that of the checkpoint"):
        train(config, whole / "out", resume=True)


def test_cadence_and_place_may_change(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(whole / "out", out)
    shutil.rmtree(out / "checkpoints/step-00000008")
    changes = {"run.checkpoint_every": 1, "run.keep": 5, "title": "other"}
    train(read_config(whole / "run.toml", changes), out, resume=True)
    assert losses(out) == losses(whole / "out")
    assert len(list((out / "checkpoints").iterdir())) == 3


def test_an_earlier_run_is_not_overwritten(whole: Path, tmp_path: Path) -> None:
    config = read_config(whole / "run.toml", {"run.steps": 1})
    with pytest.raises(TrainError, match="holds an earlier run: --resume goes on with it"):
        train(config, whole / "out")
    out = tmp_path / "out"
    shutil.copytree(whole / "out", out)
    # Checkpoints may lie on another disk.
    elsewhere = (out / "checkpoints").rename(tmp_path / "elsewhere")
    (out / "checkpoints").symlink_to(elsewhere)
    train(config, out, force=True)
    assert [step for step, _ in losses(out)] == [1]
    assert len(list(elsewhere.iterdir())) == 2


def test_a_distillation_goes_on_with_its_teacher(whole: Path, tmp_path: Path) -> None:
    """The teacher is the checkpoint that the run began with, not the one that it goes on from."""
    text = (whole / "run.toml").read_text().replace('shape = "shape"', "")
    (tmp_path / "run.toml").write_text(text)
    changes = {
        "model.pretrained": str(whole / "out/model"),
        "loss.distillation": 1.0,
        "run.steps": 4,
        "run.checkpoint_every": 2,
        "run.keep": 2,
        "optimizer.lr": 0.1,
    }
    config = read_config(tmp_path / "run.toml", changes)
    train(config, tmp_path / "out")
    shutil.copytree(tmp_path / "out", tmp_path / "again")
    shutil.rmtree(tmp_path / "again/checkpoints/step-00000004")
    train(config, tmp_path / "again", resume=True)
    assert_same_run(tmp_path / "again", tmp_path / "out")

    other = str(tmp_path / "out/model")
    with pytest.raises(TrainError, match=r"teacher\.sha256: expected that of the checkpoint"):
        train(
            read_config(tmp_path / "run.toml", changes | {"model.pretrained": other}),
            tmp_path / "again",
            resume=True,
        )
