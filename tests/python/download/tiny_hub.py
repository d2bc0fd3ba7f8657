"""What the test server publishes, and what a folder holds after a download."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

# Runs the command with some names; its exit code.
Get = Callable[..., int]

COMMIT = "1" * 40
LATER = "2" * 40
CONFIG = b'{"d_model": 8}\n'
WEIGHTS = bytes(i * i % 241 for i in range(20_000))
TOKENIZER = b'{"model": {}}\n' * 100

MAMBA = {
    "tiny-mamba/config.json": CONFIG,
    "tiny-mamba/tokenizer.json": TOKENIZER,
    "tiny-mamba/pytorch_model.bin": WEIGHTS,
}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def zipped(members: dict[str, bytes]) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return memory.getvalue()


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "simba-download.lock"
    }


def lock(folder: Path) -> dict[str, dict[str, object]]:
    return json.loads((folder / "simba-download.lock").read_text())["files"]


def error(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr."""
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]
