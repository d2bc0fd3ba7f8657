"""Runs dump-checkpoint (tests/cpp/checkpoint), which reads a checkpoint folder as the C++ model does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from checkpoints import ROOT

sys.path.insert(0, str(Path(__file__).parent))  # for expected_weights

BUILD = Path(os.environ.get("SIMBA_BUILD_DIR", ROOT / "out/build"))

DTYPES = {
    "Float": torch.float32,
    "Double": torch.float64,
    "BFloat16": torch.bfloat16,
    "Half": torch.float16,
}


@dataclass
class Dump:
    """What the C++ reader found: config.json's fields, and the tensors under the names of MambaWeights."""

    config: dict
    tensors: dict[str, torch.Tensor]


class Dumper:
    def __init__(self, out: Path) -> None:
        self.out = out

    def run(self, folder: Path, dtype: str = "stored") -> subprocess.CompletedProcess[str]:
        self.out.mkdir(exist_ok=True)
        program = BUILD / "bin/dump-checkpoint"
        assert program.exists(), f"{program} is not built (set SIMBA_BUILD_DIR to the build folder)"
        command = [str(program), str(folder), dtype, str(self.out)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def read(self, folder: Path, dtype: str = "stored") -> Dump:
        done = self.run(folder, dtype)
        assert done.returncode == 0, done.stderr
        config = json.loads((self.out / "config.json").read_text())
        tensors = {}
        for name, info in config.pop("tensors").items():
            data = bytearray((self.out / f"{name}.bin").read_bytes())
            tensors[name] = torch.frombuffer(data, dtype=DTYPES[info["dtype"]]).reshape(info["shape"])
        return Dump(config, tensors)

    def refusal(self, folder: Path) -> str:
        """The one line that says why the folder is refused."""
        done = self.run(folder)
        assert done.returncode == 2, (done.returncode, done.stderr)
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr


@pytest.fixture
def dumper(tmp_path: Path) -> Dumper:
    return Dumper(tmp_path / "dump")
