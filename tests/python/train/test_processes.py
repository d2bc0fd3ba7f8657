"""Two processes under torchrun do what one does."""

from __future__ import annotations

from pathlib import Path

import pytest
from simba_ssm.train.__main__ import main
from tiny import losses, metrics, tiny_run, train


def test_two_processes_equal_one(texts: Path, tokenizer_file: Path, tmp_path: Path) -> None:
    everything = {
        "loss": {"sparse": 1.0},
        "data": {"lengths": [16, 32], "weights": [1, 1]},
        # Two parts a step of one process, one of each of two; and no clipping to hide a factor.
        "optimizer": {"clip": 0.0},
    }
    config = tiny_run(tmp_path, texts, tokenizer_file, **everything)
    assert main([str(config), "--out", str(tmp_path / "one")]) == 0
    two = train(config, "--out", tmp_path / "two", processes=2)
    assert two.returncode == 0, two.stderr
    assert two.stdout.splitlines()[-1:] == [f"{tmp_path}/two/model"]

    for a, b in zip(metrics(tmp_path / "one"), metrics(tmp_path / "two"), strict=True):
        assert a.keys() == b.keys()
        for name in set(a) - {"tokens_per_second"}:
            assert a[name] == pytest.approx(b[name], rel=1e-4), (a["step"], name)
    # Resumed by another number of processes.
    assert main([str(config), "--out", str(tmp_path / "two"), "--resume"]) == 0
    assert len(losses(tmp_path / "two")) == 8


def test_wrong_input_ends_every_process(texts: Path, tokenizer_file: Path, tmp_path: Path) -> None:
    config = tiny_run(
        tmp_path, texts, tokenizer_file, run={"tokens_per_step": 32, "micro_tokens": 32}
    )
    run = train(config, "--out", tmp_path / "out", processes=2)
    assert run.returncode != 0
    assert run.stderr.count("windows that 2 processes can share, got 1") == 1
