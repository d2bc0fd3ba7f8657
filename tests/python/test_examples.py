"""Every program in examples/ runs as its first lines say, and says what it should."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
import torch
from checkpoints import ROOT
from compiler import require_shared_libstdcxx

from simba_ssm.modeling import SimbaConfig, SimbaForCausalLM


@pytest.fixture
def run(tmp_path):
    def run_example(name: str, *arguments: str) -> str:
        """What it prints, started in an empty folder."""
        paths = os.pathsep.join([str(ROOT / "python"), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [sys.executable, ROOT / "examples" / name, *arguments],
            cwd=tmp_path, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run_example


def number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    assert found, f"no {pattern!r} in: {text}"
    return float(found[1])


def test_use_an_op(run):
    out = run("use_an_op.py", "--length", "300", "--retention", "0.2")
    assert "300 tokens in, 60 out" in out
    assert number(r"largest error .*: (\S+)", out) < 1e-4
    assert "states (2, 512, 16)" in out


def test_load_and_generate(run):
    out = run("load_and_generate.py", "--tokens", "12")
    assert "2048, 1881, " in out and " 373, 205]" in out
    assert number(r"GFLOP, (\d+)% of dense", out) == 56
    _, written = out.split("[written from here:]")
    assert len(written.split()) > 3


def test_sparsify(run, tmp_path):
    out = run("sparsify.py", "--out", "model")
    assert number(r"from transformers (\S+)", out) < 1e-3
    dense = number(r"retention 1: (\S+) nats", out)
    sparse = number(r"retention 0.1: (\S+) nats", out)
    assert dense != sparse and abs(dense - sparse) < 0.1
    assert len(re.findall(r"\d+", out.splitlines()[-1])) == 12
    again = run("sparsify.py", str(tmp_path / "model"), "--retention", "0.5")
    assert "retention 0.5: " in again


def test_export(run, tmp_path):
    require_shared_libstdcxx(tmp_path)
    torch.manual_seed(0)
    model = SimbaForCausalLM(SimbaConfig(d_model=64, n_layer=2, vocab_size=500))
    model.save_pretrained(tmp_path / "small")
    out = run("export.py", "small", "--length", "48", "--package", "p.pt2")
    assert (tmp_path / "p.pt2").stat().st_size > 4 * 64 * 500
    assert number(r"largest difference from the module: (\S+)", out) < 1e-3
