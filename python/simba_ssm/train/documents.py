"""Training texts: .jsonl, .jsonl.zst and .txt files, or a folder of them, document by document."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from simba_ssm.train.errors import TrainError

ENDINGS = (".jsonl", ".jsonl.zst", ".txt")


@dataclass(frozen=True)
class Document:
    """name: file and line, for messages."""

    name: str
    text: str


def text_files(path: Path) -> list[Path]:
    """The file itself, or the folder's files with a known ending, in name order."""
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.name.endswith(ENDINGS))
        if not files:
            raise TrainError(f"{path}: expected files that end in {', '.join(ENDINGS)}, found none")
        return files
    if not path.exists():
        raise TrainError(f"{path}: No such file or directory")
    if not path.name.endswith(ENDINGS):
        raise TrainError(f"{path}: expected a name that ends in {', '.join(ENDINGS)}")
    return [path]


def read_documents(files: list[Path], field: str) -> Iterator[Document]:
    """The documents in order: lines of JSON with the text in `field`, and whole .txt files."""
    for file in files:
        try:
            if file.suffix == ".txt":
                # Bytes: reading as text would turn CRLF into LF.
                yield Document(file.name, file.read_bytes().decode("utf-8"))
            else:
                yield from _json_lines(file, field)
        except OSError as error:
            raise TrainError(f"{file}: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise TrainError(
                f"{file}: expected UTF-8, got byte {error.object[error.start]}"
            ) from None


def digest(files: list[Path]) -> str:
    """SHA-256 over the names and bytes of the files."""
    total = hashlib.sha256()
    for file in files:
        total.update(file.name.encode() + b"\0")
        with open(file, "rb") as stream:
            while block := stream.read(1 << 20):
                total.update(block)
    return total.hexdigest()


def _json_lines(file: Path, field: str) -> Iterator[Document]:
    with _lines(file) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except ValueError:
                raise TrainError(
                    f"{file}:{number}: expected a line of JSON, got {_shown(line)}"
                ) from None
            text = value.get(field) if isinstance(value, dict) else None
            if not isinstance(text, str):
                raise TrainError(
                    f"{file}:{number}: {field}: expected a text, got {_shown(json.dumps(text))}"
                )
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise TrainError(
                    f"{file}:{number}: {field}: expected a text, got the lone surrogate "
                    f"{text[error.start]!r}"
                ) from None
            yield Document(f"{file.name}:{number}", text)


@contextmanager
def _lines(file: Path) -> Iterator[Iterator[str]]:
    with open(file, "rb") as raw:
        if file.suffix != ".zst":
            yield io.TextIOWrapper(raw, encoding="utf-8", newline="\n")
            return
        try:
            import zstandard
        except ImportError:
            raise TrainError(
                f"{file}: zstandard is not installed: pip install 'simba-ssm[train]'"
            ) from None
        # Frames made with long windows (zstd --long=27) need more than the library's default.
        unpacker = zstandard.ZstdDecompressor(max_window_size=2**31)
        try:
            yield io.TextIOWrapper(
                unpacker.stream_reader(raw, read_across_frames=True), encoding="utf-8", newline="\n"
            )
        except zstandard.ZstdError as error:
            raise TrainError(f"{file}: expected zstandard data: {error}") from None


def _shown(text: str) -> str:
    text = text.strip()
    return repr(text if len(text) <= 40 else text[:37] + "...")
