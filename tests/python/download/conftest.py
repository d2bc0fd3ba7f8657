"""Makes the helpers beside this file importable by their bare names; one server per test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from file_server import FileServer, Served  # noqa: E402
from tiny_hub import COMMIT, CONFIG, TOKENIZER, WEIGHTS, Get, sha256, zipped  # noqa: E402

from simba_ssm.download import benchmarks, models, transfer  # noqa: E402
from simba_ssm.download.__main__ import main  # noqa: E402
from simba_ssm.download.wanted import Archive, HubFile, Wanted, WebFile  # noqa: E402


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A server on this machine; no proxy lies between, and nobody waits before asking again."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(transfer, "pause", lambda seconds: None)
    monkeypatch.setattr(transfer, "CHUNK", 1000)
    with FileServer() as server:
        yield server


@pytest.fixture
def hub(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> FileServer:
    """Publishes tiny-mamba (pinned, hash stated) and tiny-main (follows main, no hash stated)."""
    monkeypatch.setattr(
        models,
        "MODELS",
        {
            "tiny-mamba": models.PublishedModel(
                "org/tiny-mamba", COMMIT, "pytorch_model.bin", sha256(WEIGHTS), len(WEIGHTS)
            ),
            "tiny-main": models.PublishedModel("org/tiny-main", "main", "pytorch_model.bin"),
        },
    )
    tokenizer = HubFile("org/tokenizer", "tokenizer.json", COMMIT)
    monkeypatch.setattr(
        models, "TOKENIZER", Wanted("tokenizer.json", tokenizer, sha256=sha256(TOKENIZER))
    )
    for repo, revision in (("org/tiny-mamba", COMMIT), ("org/tiny-main", "main")):
        server.add_hub_file(repo, "config.json", revision, COMMIT, CONFIG, large=False)
        server.add_hub_file(repo, "pytorch_model.bin", revision, COMMIT, WEIGHTS, large=True)
    server.add_hub_file("org/tokenizer", "tokenizer.json", COMMIT, COMMIT, TOKENIZER, large=True)
    return server


@pytest.fixture
def get(hub: FileServer, tmp_path: Path) -> Get:
    return lambda *names: main(["models", *names, "--to", str(tmp_path), "--endpoint", hub.url])


@pytest.fixture
def publisher(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> FileServer:
    """Serves an archive with a stated hash, and a plain file without one."""
    data = zipped({"inside/dev.jsonl": b"{}\n" * 3000, "inside/other": b"not wanted"})
    archive = Wanted(
        "winogrande/a.zip", WebFile("https://example.org/a.zip"), len(data), sha256(data)
    )
    members = {"inside/dev.jsonl": "winogrande/dev.jsonl"}
    monkeypatch.setattr(benchmarks, "WINOGRANDE", [Archive(archive, members)])
    plain = Wanted("piqa/valid.jsonl", WebFile("https://example.net/data/valid.jsonl"))
    monkeypatch.setattr(benchmarks, "PIQA", [plain])
    server.files["example.org/a.zip"] = Served(data)
    server.files["example.net/data/valid.jsonl"] = Served(b"goal\n" * 1000, etag='"1"')
    return server


@pytest.fixture
def get_data(publisher: FileServer, tmp_path: Path) -> Get:
    return lambda *names: main(["data", *names, "--to", str(tmp_path), "--mirror", publisher.url])
