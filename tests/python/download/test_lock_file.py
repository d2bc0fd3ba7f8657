"""simba-download.lock: what was got once is what is got ever after."""

from __future__ import annotations

from pathlib import Path

import pytest
from file_server import FileServer
from tiny_hub import COMMIT, CONFIG, LATER, WEIGHTS, Get, error, files, lock, sha256

from simba_ssm.download.__main__ import main


def test_a_moved_branch_does_not_move_what_was_locked(
    get: Get, hub: FileServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert get("tiny-main") == 0
    hub.add_hub_file("org/tiny-main", "config.json", "main", LATER, b"{}", large=False)
    (tmp_path / "tiny-main/config.json").unlink()
    assert get("tiny-main") == 0
    assert (tmp_path / "tiny-main/config.json").read_bytes() == CONFIG

    capsys.readouterr()
    assert get("tiny-main", "--revision", LATER) == 2
    assert "tiny-main/config.json: simba-download.lock has revision main" in error(capsys)
    assert get("tiny-main", "--revision", COMMIT) == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a lock file"),
        ("[]", "not a lock file"),
        ('{"format": "else", "files": {}}', "format: expected 'simba download 1', got 'else'"),
        ('{"format": "simba download 1", "files": {"a": {"size": 1}}}', "not a lock file"),
    ],
)
def test_a_broken_lock_file_is_named(
    text: str, says: str, get: Get, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "simba-download.lock").write_text(text)
    assert get("tiny-mamba") == 2
    assert "simba-download.lock: " in (line := error(capsys)) and says in line


def test_a_lock_that_contradicts_the_source_is_named(
    get: Get, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    get("tiny-mamba")
    path = tmp_path / "simba-download.lock"
    path.write_text(path.read_text().replace(sha256(WEIGHTS), "0" * 64))
    capsys.readouterr()
    assert get("tiny-mamba") == 2
    assert f"simba-download.lock has sha256 {'0' * 64}" in error(capsys)


def test_a_file_of_unknown_origin_is_left_alone(
    get: Get, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny-main").mkdir()
    (tmp_path / "tiny-main/config.json").write_bytes(b"mine")
    assert get("tiny-main") == 2
    assert "tiny-main/config.json: is in the folder, but neither" in error(capsys)
    assert (tmp_path / "tiny-main/config.json").read_bytes() == b"mine"


def test_one_download_at_a_time(
    get: Get, hub: FileServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second: list[int] = []
    path = f"org/tiny-mamba/resolve/{COMMIT}/config.json"
    hub.files[path].before = lambda: second.append(get("tiny-mamba")) if not second else None
    assert get("tiny-mamba") == 0
    assert second == [2]
    assert "another download is writing there" in error(capsys)


def test_a_plain_file_is_locked_at_first_and_checked_ever_after(
    get_data: Get, publisher: FileServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert get_data("piqa") == 0
    first = sha256(b"goal\n" * 1000)
    assert lock(tmp_path)["piqa/valid.jsonl"]["sha256"] == first

    (tmp_path / "piqa/valid.jsonl").unlink()
    publisher.files["example.net/data/valid.jsonl"].body = b"Goal\n" * 1000
    capsys.readouterr()
    assert get_data("piqa") == 2
    assert f"expected sha256 {first} (simba-download.lock)" in error(capsys)
    assert files(tmp_path) == {}
