"""Token ids of all documents on the disk, so that a restart does not tokenise again.

A folder NAME per texts and tokenizer (NAME is a digest of both), written atomically:
    ids.bin       the ids, little-endian uint16 or uint32: document start, document, document start, ...
    starts.npy    (documents + 1) int64: where each document starts, its document start included
    cache.json    what it was made of
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simba_ssm.train.atomic import new_folder
from simba_ssm.train.documents import Document, digest, read_documents, text_files
from simba_ssm.train.errors import TrainError
from simba_ssm.train.tokenizer import Tokenizer, sha256

FORMAT = "simba tokens 1"


@dataclass(frozen=True)
class TokenStore:
    """ids: (tokens), on the disk. starts: (documents + 1). document_start begins each document."""

    ids: np.ndarray
    starts: np.ndarray
    document_start: int
    made_of: dict[str, object]

    @property
    def documents(self) -> int:
        return len(self.starts) - 1

    def lengths(self) -> np.ndarray:
        return np.diff(self.starts)


def tokenised(path: Path, field: str, tokenizer: Tokenizer, cache: Path) -> TokenStore:
    """The tokens of a file or folder of texts, made at the first time."""
    files = text_files(path)
    made_of = {
        "format": FORMAT,
        "texts_sha256": digest(files),
        "field": field,
        "tokenizer_sha256": sha256(tokenizer),
    }
    name = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]
    folder = cache / name
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / f"{name}.lock", "w") as lock:
        # Of several runs the first writes, the others wait; the lock goes with its process.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _write(folder, made_of, read_documents(files, field), tokenizer)
    return _read(folder, tokenizer)


def _write(
    folder: Path, made_of: dict[str, object], documents: Iterator[Document], tokenizer: Tokenizer
) -> None:
    dtype = _id_type(tokenizer)
    starts = [0]
    with new_folder(folder) as temporary:
        with open(temporary / "ids.bin", "wb") as stream:
            for batch in _batches(documents):
                for ids in tokenizer.encode([document.text for document in batch]):
                    row = np.array([tokenizer.document_start, *ids], dtype=dtype)
                    stream.write(row.tobytes())
                    starts.append(starts[-1] + len(row))
        if len(starts) == 1:
            raise TrainError("data: expected a document, found none")
        np.save(temporary / "starts.npy", np.array(starts, dtype=np.int64))
        summary = made_of | {"documents": len(starts) - 1, "tokens": starts[-1]}
        (temporary / "cache.json").write_text(json.dumps(summary, indent=1) + "\n")


def _read(folder: Path, tokenizer: Tokenizer) -> TokenStore:
    ids = np.memmap(folder / "ids.bin", dtype=_id_type(tokenizer), mode="r")
    starts = np.load(folder / "starts.npy")
    made_of = json.loads((folder / "cache.json").read_text())
    if starts[-1] != len(ids):
        raise TrainError(f"{folder}: expected {starts[-1]} ids, got {len(ids)}: remove the folder")
    return TokenStore(ids, starts, tokenizer.document_start, made_of)


def _id_type(tokenizer: Tokenizer) -> np.dtype:
    return np.dtype("<u2" if tokenizer.size <= 2**16 else "<u4")


def _batches(documents: Iterator[Document], most: int = 8_000_000) -> Iterator[list[Document]]:
    """Documents in groups of some 8 M characters: enough to keep the tokenizer's threads busy."""
    batch, size = [], 0
    for document in documents:
        batch.append(document)
        size += len(document.text)
        if size >= most:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
