"""Runs the built driver as its users do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from checkpoints import DEMO, ROOT

# What this room's tests share is imported by its bare name.
sys.path.insert(0, str(Path(__file__).parent))

from tides import make_tides  # noqa: E402

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def program() -> Path:
    return Path(os.environ.get("SIMBA_BUILD_DIR", ROOT / "out/build")) / "bin/simba-eval"


@pytest.fixture(scope="session")
def simba_eval(program: Path) -> Run:
    def run(*arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [str(program), *map(str, arguments)]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="session")
def story_file() -> Path:
    return next(iter(sorted((ROOT / "examples/demo").glob("*.txt"))))


@pytest.fixture
def small_run(story_file: Path) -> list[object]:
    """A perplexity run of about a second."""
    return [
        *("perplexity", "--model", DEMO, "--data", story_file),
        *("--context", "96", "--score", "8", "--windows", "3", "--retention", "0.5"),
    ]


@pytest.fixture
def tides(tmp_path: Path) -> Path:
    make_tides(tmp_path)
    return tmp_path


@pytest.fixture
def small_tasks(tides: Path) -> list[object]:
    """A tasks run of about a second."""
    return ["tasks", "--model", DEMO, "--data", tides, "--tasks", tides / "tides.toml"]
