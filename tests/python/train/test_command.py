"""python -m simba_ssm.train as its users run it: exit codes, messages, files."""

from __future__ import annotations

import json
import math
import os
import shutil
from pathlib import Path

import pytest
import torch
from simba_ssm.modeling import SimbaForCausalLM
from simba_ssm.train.__main__ import main
from tiny import error_of, losses, metrics
from torch._dynamo.utils import counters


def test_what_a_run_leaves(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], tokenizer_file: Path
) -> None:
    out = tmp_path / "out"
    assert main([str(config), "--out", str(out), "--set", "run.tensorboard=true"]) == 0
    assert capsys.readouterr().out == f"{out}/model\n"

    steps = [line for line in metrics(out) if "loss" in line]
    assert [line["step"] for line in steps] == list(range(1, 9))
    # Fresh weights know nothing: the loss begins near log of the vocabulary, and falls.
    assert abs(steps[0]["loss"] - math.log(384)) < 0.3
    assert steps[-1]["loss"] < steps[0]["loss"]
    validations = [line for line in metrics(out) if "validation/nll" in line]
    assert [line["step"] for line in validations] == [4, 8]
    assert set(validations[0]) == {
        "step",
        *(f"validation/nll{r}" for r in ("", "_at_1", "_at_0.5")),
    }

    info = json.loads((out / "run.json").read_text())
    assert info["documents"] == 5 and info["processes"] == 1 and info["config"]["run"]["steps"] == 8
    assert any((out / "tensorboard").iterdir())
    model = SimbaForCausalLM.from_pretrained(out / "model")
    assert model.config.n_layer == 3
    assert (out / "model/tokenizer.model").read_bytes() == tokenizer_file.read_bytes()


def test_the_model_can_be_stored_in_bfloat16(config: Path, tmp_path: Path) -> None:
    changes = ["--set", 'run.save="bfloat16"', "--set", "run.steps=1"]
    assert main([str(config), "--out", str(tmp_path / "out"), *changes]) == 0
    model = SimbaForCausalLM.from_pretrained(tmp_path / "out/model")
    mixer = model.backbone.layers[0].mixer
    assert mixer.in_proj.weight.dtype == torch.bfloat16
    assert mixer.A_log.dtype == mixer.D.dtype == torch.float32


@pytest.mark.parametrize(
    ("change", "tolerance"), [('run.precision="bfloat16"', 2e-3), ("run.compile=true", 1e-5)]
)
def test_faster_ways_give_the_same_curve(
    config: Path, tmp_path: Path, change: str, tolerance: float
) -> None:
    shape = json.loads((config.parent / "shape/config.json").read_text()) | {"n_layer": 1}
    (config.parent / "shape/config.json").write_text(json.dumps(shape))
    short = [str(config), "--set", "run.steps=3", "--set", "validation.every=0"]
    assert main([*short, "--out", str(tmp_path / "plain")]) == 0
    torch.compiler.reset()
    counters.clear()
    assert main([*short, "--out", str(tmp_path / "fast"), "--set", change]) == 0
    plain, fast = losses(tmp_path / "plain"), losses(tmp_path / "fast")
    assert [loss for _, loss in fast] == pytest.approx([loss for _, loss in plain], rel=tolerance)
    compiled = counters["frames"]["ok"] > 0
    assert compiled == ("compile" in change)
    assert compiled or fast != plain


@pytest.fixture
def making(config: Path) -> Path:
    """A config that has its tokenizer made."""
    text = config.read_text()
    file = next(line for line in text.splitlines() if line.startswith("file = "))
    config.write_text(text.replace(file, "pieces = 384"))
    return config


def test_a_tokenizer_is_made_once(making: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main([str(making), "--out", str(out), "--set", "run.steps=1"]) == 0
    (made,) = out.glob("tokenizer/*/tokenizer.model")
    before = made.stat().st_mtime_ns
    assert main([str(making), "--out", str(out), "--set", "run.steps=1", "--resume"]) == 0
    assert list(out.glob("tokenizer/*/tokenizer.model")) == [made]
    assert made.stat().st_mtime_ns == before
    assert (out / "model/tokenizer.model").read_bytes() == made.read_bytes()


@pytest.mark.parametrize("change", ["pieces", "texts"])
def test_a_tokenizer_of_another_run_is_not_taken(
    making: Path, texts: Path, tmp_path: Path, change: str
) -> None:
    """A run that stopped before its first step leaves a tokenizer, and no run.json."""
    out = tmp_path / "out"
    assert main([str(making), "--out", str(out), "--set", "data.held_out=99"]) == 2
    # The same names and sizes.
    shutil.copytree(texts, tmp_path / "texts")
    (tmp_path / "texts/a.txt").write_text((texts / "a.txt").read_text()[::-1])
    other = ["--set", "tokenizer.pieces=376"]
    other = other if change == "pieces" else ["--data", str(tmp_path / "texts")]
    fresh = tmp_path / "fresh"
    for folder in (out, fresh):
        assert main([str(making), "--out", str(folder), "--set", "run.steps=1", *other]) == 0
    made, expected = (folder / "model/tokenizer.model" for folder in (out, fresh))
    assert made.read_bytes() == expected.read_bytes()


def test_several_runs_share_their_tokens(config: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    for name in ("a", "b"):
        run = [str(config), "--out", str(tmp_path / name), "--cache", str(cache)]
        assert main([*run, "--set", "run.steps=1"]) == 0
        assert not (tmp_path / name / "tokens").exists()
    assert len([path for path in cache.iterdir() if path.is_dir()]) == 1
    assert metrics(tmp_path / "a")[0]["loss"] == metrics(tmp_path / "b")[0]["loss"]


def test_validation_reads_what_it_says(config: Path, tmp_path: Path) -> None:
    """nll_at_1, the dense model on the continuations alone, by hand."""
    out = tmp_path / "out"
    assert main([str(config), "--out", str(out), "--set", "run.steps=1"]) == 0
    from simba_ssm.train.config_file import read_config
    from simba_ssm.train.place import Place
    from simba_ssm.train.prepare import prepare_texts

    texts = prepare_texts(read_config(config), out, Place(0, 1, torch.device("cpu")))
    ids = texts.validation._windows.ids
    model = SimbaForCausalLM.from_pretrained(out / "model")
    with torch.no_grad():
        logits = model(ids[:, :-1]).logits
    nll = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none"
    ).view(len(ids), -1)
    line = next(line for line in metrics(out) if "validation/nll" in line)
    assert line["validation/nll"] == pytest.approx(float(nll.mean()), rel=1e-5)
    assert line["validation/nll_at_1"] == pytest.approx(float(nll[:, -8:].mean()), rel=1e-5)


WRONG = [
    # arguments, what the message says
    (["--set", "run.steps"], "--set: expected KEY=VALUE with a TOML value, got 'run.steps'"),
    (["--set", "run.steps=many"], "--set: expected KEY=VALUE with a TOML value"),
    (["--set", "run.steps.x=1"], "run.steps.x: expected a key of a table, steps is none"),
    (["--data", "absent"], "absent: No such file or directory"),
    (["--set", 'run.device="tpu"'], "run.device: expected auto, cpu, cuda or cuda:INDEX, got 'tpu'"),
    (["--set", "data.held_out=6"], "data.held_out: expected less than the 6 documents"),
    (["--set", "data.lengths=[65536]", "--set", "run.tokens_per_step=65536",
      "--set", "run.micro_tokens=65536"], "data.train: expected more than 65536 tokens"),
    (["--set", 'sparse.schedule="square"'], "sparse.schedule: expected linear, constant or steps:"),
    (["--set", 'sparse.schedule="steps:3=0.5"'], "sparse.schedule: expected layers in [1, 3)"),
    (["--set", "validation.length=8192"], "validation: expected a document of at least 8193 tokens"),
    (["--set", 'model.shape="absent"'], "absent/config.json"),
    (["--set", 'tokenizer.file="absent.model"'], "absent.model: No such file or directory"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=[row[1][:30] for row in WRONG])
def test_wrong_input_is_one_line(
    config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    assert main([str(config), "--out", str(tmp_path / "out"), *arguments]) == 2
    assert message in error_of(capsys)
    assert not (tmp_path / "out/checkpoints").exists()


@pytest.mark.parametrize("again", [[], ["--resume"], ["--force"]])
def test_a_file_is_no_folder_of_a_run(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], again: list[str]
) -> None:
    (tmp_path / "out").write_text("")
    assert main([str(config), "--out", str(tmp_path / "out"), *again]) == 2
    assert error_of(capsys) == f"{tmp_path}/out: File exists"


def test_a_gpu_that_is_not_there(
    config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main([str(config), "--out", str(tmp_path / "o"), "--set", 'run.device="cuda"']) == 2
    assert "run.device: expected a GPU for 'cuda', found none" in error_of(capsys)


def test_a_tokenizer_too_large_for_the_model(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shape = json.loads((config.parent / "shape/config.json").read_text()) | {"vocab_size": 376}
    (config.parent / "shape/config.json").write_text(json.dumps(shape))
    assert main([str(config), "--out", str(tmp_path / "out")]) == 2
    assert "expected at most 376 pieces, the rows of the model, got 384" in error_of(capsys)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rms_norm": False}, "rms_norm: expected True"),
        ({"ssm_cfg": {"expand": 1.5}}, "d_inner: expected a multiple of d_model (16)"),
    ],
    ids=["rms_norm", "d_inner"],
)
def test_a_shape_that_checkpoints_cannot_hold(
    config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, object],
    message: str,
) -> None:
    shape = json.loads((config.parent / "shape/config.json").read_text()) | change
    (config.parent / "shape/config.json").write_text(json.dumps(shape))
    assert main([str(config), "--out", str(tmp_path / "out")]) == 2
    assert error_of(capsys).startswith(f"{config.parent}/shape: {message}")


def test_pretrained_comes_with_its_tokenizer(
    config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert main([str(config), "--out", str(tmp_path / "a"), "--set", "run.steps=1"]) == 0
    values = config.read_text().replace('shape = "shape"', "")
    file = next(line for line in values.splitlines() if line.startswith("file = "))
    (tmp_path / "tuned.toml").write_text(values.replace(file, ""))
    tuned = [str(tmp_path / "tuned.toml"), "--out", str(tmp_path / "b"), "--set", "run.steps=1"]
    distilled = ["--set", "loss.distillation=1.0", "--set", "sparse.retention=[1.0, 1.0]"]
    # The command line's paths start here, the file's at its folder.
    monkeypatch.chdir(tmp_path / "a")
    assert main([*tuned, "--model", "./model", *distilled]) == 0
    # Teacher and student are one model before the first step.
    first = metrics(tmp_path / "b")[0]
    assert abs(first["distillation"]) < 1e-6 < first["dense"]

    assert main([*tuned, "--model", "./a/model", "--force"]) == 2
    assert f"{tmp_path}/a/a/model: no such folder" in error_of(capsys)
    os.remove(tmp_path / "a/model/tokenizer.model")
    assert main([*tuned, "--model", str(tmp_path / "a/model"), "--force"]) == 2
    assert "expected tokenizer.model or tokenizer.json" in error_of(capsys)
