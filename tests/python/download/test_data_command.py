"""python -m simba_ssm.download data against a publisher on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from file_server import FileServer
from tiny_hub import Get, error, files, lock, sha256

from simba_ssm.download import __main__ as command
from simba_ssm.download import benchmarks
from simba_ssm.download.wanted import Archive


def test_an_archive_leaves_only_its_members(
    get_data: Get, publisher: FileServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publisher.files["example.org/a.zip"].cuts = [20]
    assert get_data("winogrande") == 0
    assert files(tmp_path) == {"winogrande/dev.jsonl": b"{}\n" * 3000}
    assert "winogrande/a.zip" in lock(tmp_path)
    publisher.requests.clear()
    assert get_data("winogrande") == 0
    assert publisher.requests == []

    (tmp_path / "winogrande/dev.jsonl").write_bytes(b"changed")
    capsys.readouterr()
    assert get_data("winogrande") == 2
    assert "winogrande/dev.jsonl: expected sha256" in error(capsys)


def test_an_archive_without_the_member_is_named(
    get_data: Get,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (archive,) = benchmarks.WINOGRANDE
    without = Archive(archive.file, {"gone": "winogrande/gone"})
    monkeypatch.setattr(benchmarks, "WINOGRANDE", [without])
    assert get_data("winogrande") == 2
    assert "winogrande/a.zip" in (line := error(capsys)) and "gone" in line


def test_a_publisher_that_lacks_a_file_is_named(
    get_data: Get, publisher: FileServer, capsys: pytest.CaptureFixture[str]
) -> None:
    publisher.files.clear()
    assert get_data("piqa") == 2
    assert "piqa/valid.jsonl: " in (line := error(capsys)) and "404" in line


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError(13, "Permission denied", "x"), "x: Permission denied"),
        (OSError("no name, no number"), "no name, no number"),
    ],
)
def test_an_error_without_a_name_is_named(
    get_data: Get,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    cause: OSError,
    message: str,
) -> None:
    def fail(options: object) -> None:
        raise cause

    monkeypatch.setattr(command, "_run", fail)
    assert get_data("piqa") == 2
    assert error(capsys) == f"simba_ssm.download: {message}"
