"""A run on a GPU follows the CPU's curve."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import metrics, tiny_run, train


@pytest.mark.parametrize("device", ["cuda"])
@pytest.mark.parametrize(
    ("changes", "tolerance"),
    [([], 1e-4), (["--set", 'run.precision="bfloat16"'], 1e-2)],
    ids=["float32", "bfloat16"],
)
def test_the_curve_is_the_cpus(
    texts: Path,
    tokenizer_file: Path,
    tmp_path: Path,
    device: str,
    changes: list[str],
    tolerance: float,
) -> None:
    # Criterion recent: near-ties of scores may fall differently on another device.
    everything = {
        "data": {"lengths": [16, 32], "weights": [1, 1]},
        "loss": {"sparse": 1.0},
        "sparse": {"criterion": "recent"},
    }
    config = tiny_run(tmp_path, texts, tokenizer_file, **everything)
    cpu = train(config, "--out", tmp_path / "expected")
    gpu = train(config, "--out", tmp_path / "found", "--set", f'run.device="{device}"', *changes)
    assert (cpu.returncode, gpu.returncode) == (0, 0), cpu.stderr + gpu.stderr
    for a, b in zip(metrics(tmp_path / "expected"), metrics(tmp_path / "found"), strict=True):
        for name in set(a) - {"tokens_per_second", "gradient_norm"}:
            assert a[name] == pytest.approx(b[name], rel=tolerance), (a["step"], name)


@pytest.mark.parametrize("device", ["cuda"])
def test_influence_is_trained_and_resumed(
    texts: Path, tokenizer_file: Path, tmp_path: Path, device: str
) -> None:
    everything = {"loss": {"sparse": 1.0}, "run": {"device": device, "precision": "bfloat16"}}
    config = tiny_run(tmp_path, texts, tokenizer_file, **everything)
    first = train(config, "--out", tmp_path / "out")
    assert first.returncode == 0, first.stderr
    again = train(config, "--out", tmp_path / "out", "--resume")
    assert again.returncode == 0, again.stderr
    lines = [line for line in metrics(tmp_path / "out") if "loss" in line]
    assert len(lines) == 8 and lines[-1]["loss"] < lines[0]["loss"]
