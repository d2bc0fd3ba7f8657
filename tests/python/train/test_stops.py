"""A run that goes wrong stops with the step, the reason and the last good checkpoint."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from simba_ssm.train import loop
from simba_ssm.train.__main__ import main
from simba_ssm.train.objective import Objective
from tiny import error_of, metrics


@pytest.mark.parametrize("term", ["loss", "gradient"])
def test_nan_stops_before_the_weights(
    config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    term: str,
) -> None:
    """The sixth step goes wrong; the checkpoint of the third is whole."""
    calls = iter(range(1, 100))
    right = Objective.forward

    def wrong(self, ids, retentions):
        loss, terms = right(self, ids, retentions)
        if next(calls) > 10:  # two parts a step
            # The square root's derivative at 0 is infinite, its value is not.
            zero = (loss - loss.detach()).clamp(min=0)
            loss = loss * math.nan if term == "loss" else loss + zero.sqrt()
        return loss, terms

    monkeypatch.setattr(Objective, "forward", wrong)
    out = tmp_path / "out"
    assert main([str(config), "--out", str(out)]) == 1
    what = "the loss is nan" if term == "loss" else "the gradient's norm is nan"
    assert error_of(capsys) == (
        f"step 6: {what}; the last good checkpoint is {out}/checkpoints/step-00000003"
    )
    assert [line["step"] for line in metrics(out) if "loss" in line] == [1, 2, 3, 4, 5]

    monkeypatch.setattr(Objective, "forward", right)
    assert main([str(config), "--out", str(out), "--resume"]) == 0


@pytest.mark.parametrize("kind", [RuntimeError, OSError])
def test_a_forward_that_fails_names_the_step(
    config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    kind: type[Exception],
) -> None:
    def wrong(self, ids, retentions):
        raise kind("out of memory\nmore about it")

    monkeypatch.setattr(Objective, "forward", wrong)
    assert main([str(config), "--out", str(tmp_path / "out")]) == 1
    assert error_of(capsys) == "step 1: out of memory; no checkpoint yet"


def test_a_full_disk_leaves_whole_checkpoints(
    config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = torch.save

    def full(state, file):
        if state["step"] == 6:
            Path(file).write_bytes(b"half")
            raise OSError(28, "No space left on device")
        right(state, file)

    monkeypatch.setattr(torch, "save", full)
    out = tmp_path / "out"
    assert main([str(config), "--out", str(out)]) == 1
    assert error_of(capsys) == (
        "step 6: its checkpoint: [Errno 28] No space left on device; "
        f"the last good checkpoint is {out}/checkpoints/step-00000003"
    )
    assert list(out.rglob("*.new")) == []
    monkeypatch.setattr(torch, "save", right)
    assert main([str(config), "--out", str(out), "--resume"]) == 0


@pytest.mark.parametrize(
    ("place", "step", "message"),
    [
        ("write_run_info", 0, "No space left on device"),
        ("Metrics.write", 5, "step 5: [Errno 28] No space left on device; the last good checkpoint"),
        ("write_model", 8, "step 8: the final model: [Errno 28] No space left on device; the last"),
    ],
)
def test_a_full_disk_elsewhere_is_named(
    config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    step: int,
    message: str,
) -> None:
    """Writing to an open file raises an OSError without a name."""
    target = f"simba_ssm.train.loop.{place}"
    owner = loop.Metrics if "." in place else loop
    right = getattr(owner, place.rpartition(".")[2])

    def full(*arguments):
        if "." not in place or arguments[1] == step:
            raise OSError(28, "No space left on device")
        right(*arguments)

    monkeypatch.setattr(target, full)
    out = tmp_path / "out"
    assert main([str(config), "--out", str(out)]) == 1
    line = error_of(capsys)
    assert line.startswith(message)
    newest = out / f"checkpoints/step-{step // 3 * 3 if step < 8 else 8:08d}"
    assert not step or line.endswith(f" is {newest}")
