"""Makes the helpers beside this file importable by their bare names; one server per test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from file_server import FileServer  # noqa: E402


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A server on this machine; no proxy lies between, and nobody waits before asking again."""
    from simba_ssm.download import transfer

    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(transfer, "pause", lambda seconds: None)
    monkeypatch.setattr(transfer, "CHUNK", 1000)
    with FileServer() as server:
        yield server
