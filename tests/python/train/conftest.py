"""Makes the helpers beside this file importable by their bare names; texts and a tokenizer."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from checkpoints import story

sys.path.insert(0, str(Path(__file__).parent))

from tiny import PIECES, tiny_run  # noqa: E402


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    """A run sets the threads of its process, which here is that of other tests too."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of six documents of the demo's story, in the three kinds of files."""
    import json

    import zstandard

    folder = tmp_path_factory.mktemp("texts")
    parts = [story()[i : i + 4000] for i in range(0, 24000, 4000)]
    (folder / "a.txt").write_text(parts[0])
    lines = [json.dumps({"id": i, "text": part}) for i, part in enumerate(parts[1:3])]
    (folder / "b.jsonl").write_text("\n".join(lines) + "\n")
    lines = [json.dumps({"id": i, "text": part}) for i, part in enumerate(parts[3:])]
    packed = zstandard.ZstdCompressor().compress("\n".join(lines).encode())
    (folder / "c.jsonl.zst").write_bytes(packed)
    (folder / "README.md").write_text("not a text to train on")
    return folder


@pytest.fixture(scope="session")
def tokenizer_file(texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from simba_ssm.train.documents import read_documents, text_files
    from simba_ssm.train.tokenizer import make_tokenizer

    file = tmp_path_factory.mktemp("tokenizer") / "tokenizer.model"
    make_tokenizer(read_documents(text_files(texts), "text"), PIECES, 10**6, 0, file)
    return file


@pytest.fixture
def config(texts: Path, tokenizer_file: Path, tmp_path: Path) -> Path:
    return tiny_run(tmp_path, texts, tokenizer_file)
