"""What the documentation tells users to try runs: the small configs and the example."""

from __future__ import annotations

import math
import runpy
import sys
from pathlib import Path

import pytest
from checkpoints import ROOT
from simba_ssm.train.__main__ import main
from tiny import losses, metrics


@pytest.mark.parametrize("name", ["small_pretrain", "small_finetune"])
def test_small_configs(name: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main([str(ROOT / f"configs/train/{name}.toml"), "--out", str(out)]) == 0
    values = [loss for _, loss in losses(out)]
    assert all(map(math.isfinite, values))
    if name == "small_finetune":
        first = metrics(out)[0]
        # The demo's model is at home in English, and the first step drops nothing.
        assert first["dense"] < 5 and first["distillation"] < 1e-5
    else:
        assert values[-1] < values[0]


def test_the_example(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    example = ROOT / "examples/fine_tune.py"
    monkeypatch.setattr(sys, "argv", [str(example), "--steps", "3"])
    runpy.run_path(str(example), run_name="__main__")
    before, *steps, after = capsys.readouterr().out.splitlines()
    assert len(steps) == 3
    values = [float(line.split(": ")[1].split()[0]) for line in (before, after)]
    assert values[1] < values[0] < 6
