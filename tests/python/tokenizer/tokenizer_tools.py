"""Runs the test executables of tests/cpp/tokenizer.

They are looked for in $SIMBA_BUILD_DIR/bin; without that variable in out/build/bin, and the tests are left
out, saying so, where nothing has been built there.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def _tool(name: str) -> Path:
    given = os.environ.get("SIMBA_BUILD_DIR")
    path = Path(given or ROOT / "out/build") / "bin" / name
    if not path.exists():
        if given:
            raise FileNotFoundError(f"SIMBA_BUILD_DIR has no bin/{name}: {path}")
        pytest.skip(f"{path} is not built, and SIMBA_BUILD_DIR is not set")
    return path


def _run(name: str, *arguments: str, stdin: bytes = b"") -> bytes:
    done = subprocess.run([_tool(name), *arguments], input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


def encode(tokenizer_file: Path, texts: Sequence[str | bytes]) -> list[list[int] | str]:
    """The ids of each text, or the message of the error."""
    blobs = [text.encode() if isinstance(text, str) else text for text in texts]
    stdin = b"".join(b"%d\n%b" % (len(blob), blob) for blob in blobs)
    lines = _run("encode_lines", "encode", str(tokenizer_file), stdin=stdin).decode().split("\n")[:-1]
    return [line if line.startswith("error") else [int(n) for n in line.split()] for line in lines]


def decode(tokenizer_file: Path, many_ids: Sequence[Sequence[int]]) -> list[str]:
    stdin = "".join(" ".join(map(str, ids)) + "\n" for ids in many_ids).encode()
    out = _run("encode_lines", "decode", str(tokenizer_file), stdin=stdin)
    texts, begin = [], 0
    while begin < len(out):
        newline = out.index(b"\n", begin)
        size = int(out[begin:newline])
        texts.append(out[newline + 1 : newline + 1 + size].decode())
        begin = newline + 1 + size
    return texts


def character_classes() -> bytes:
    """One byte per code point: 1 letter, 2 number, 4 space, 8 word."""
    return _run("character_classes")
