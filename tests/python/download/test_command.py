"""python -m simba_ssm.download against a server on this machine."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from file_server import FileServer, Served

from simba_ssm.download import benchmarks, models
from simba_ssm.download.__main__ import main
from simba_ssm.download.transfer import FRUITLESS_ATTEMPTS
from simba_ssm.download.wanted import Archive, HubFile, Wanted, WebFile

COMMIT = "1" * 40
LATER = "2" * 40
CONFIG = b'{"d_model": 8}\n'
WEIGHTS = bytes(i * i % 241 for i in range(20_000))
TOKENIZER = b'{"model": {}}\n' * 100


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


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


Get = Callable[..., int]


@pytest.fixture
def get(hub: FileServer, tmp_path: Path) -> Get:
    return lambda *names: main(["models", *names, "--to", str(tmp_path), "--endpoint", hub.url])


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


MAMBA = {
    "tiny-mamba/config.json": CONFIG,
    "tiny-mamba/tokenizer.json": TOKENIZER,
    "tiny-mamba/pytorch_model.bin": WEIGHTS,
}


def test_a_model_is_put_in_its_folder(
    get: Get, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert get("tiny-mamba") == 0
    assert files(tmp_path) == MAMBA
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == (
        f"tiny-mamba/pytorch_model.bin  20000 bytes  sha256 {sha256(WEIGHTS)}  downloaded"
    )
    assert lock(tmp_path)["tiny-mamba/pytorch_model.bin"] == {
        "source": "hub:org/tiny-mamba/pytorch_model.bin",
        "revision": COMMIT,
        "commit": COMMIT,
        "size": 20000,
        "sha256": sha256(WEIGHTS),
    }


def test_what_is_there_is_checked_and_not_got_again(
    get: Get, hub: FileServer, capsys: pytest.CaptureFixture[str]
) -> None:
    get("tiny-mamba")
    capsys.readouterr()
    hub.requests.clear()
    assert get("tiny-mamba") == 0
    assert hub.requests == []
    assert all(line.endswith("here already") for line in capsys.readouterr().out.splitlines())


@pytest.mark.parametrize("name", ["tiny-mamba", "tiny-main"])
def test_a_file_that_changed_in_the_folder_is_found_out(
    name: str, get: Get, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    get(name)
    changed = bytearray(WEIGHTS)
    changed[7] ^= 1
    (tmp_path / name / "pytorch_model.bin").write_bytes(changed)
    capsys.readouterr()
    assert get(name) == 2
    assert f"{name}/pytorch_model.bin: expected sha256 {sha256(WEIGHTS)}" in error(capsys)


def test_cut_connections_change_nothing(get: Get, hub: FileServer, tmp_path: Path) -> None:
    hub.files[f"bytes/org/tiny-mamba/{COMMIT}/pytorch_model.bin"].cuts = [5000, 100, 9000]
    assert get("tiny-mamba") == 0
    assert files(tmp_path) == MAMBA


def test_a_download_that_was_given_up_is_continued(
    get: Get, hub: FileServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = f"bytes/org/tiny-mamba/{COMMIT}/pytorch_model.bin"
    hub.files[path].cuts = [5000] + [0] * FRUITLESS_ATTEMPTS
    assert get("tiny-mamba") == 2
    assert "5000 bytes are kept, the same command continues" in error(capsys)
    assert not (tmp_path / "tiny-mamba/pytorch_model.bin").exists()
    assert get("tiny-mamba") == 0
    assert hub.got(path)[-1] == "bytes=5000-"
    assert files(tmp_path) == MAMBA
    assert capsys.readouterr().out.splitlines()[-1].endswith("  continued")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "config.json", "tokenizer.json"])
def test_wrong_bytes_are_not_put_in_place(
    name: str, get: Get, hub: FileServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = {
        "pytorch_model.bin": f"bytes/org/tiny-mamba/{COMMIT}/pytorch_model.bin",
        "config.json": f"org/tiny-mamba/resolve/{COMMIT}/config.json",
        "tokenizer.json": f"bytes/org/tokenizer/{COMMIT}/tokenizer.json",
    }[name]
    served = hub.files[path]
    right, wrong = served.body, bytearray(served.body)
    wrong[3] ^= 1
    served.body = bytes(wrong)
    assert get("tiny-mamba") == 2
    assert f"tiny-mamba/{name}: {hub.url}/org" in (line := error(capsys))
    assert "the download was thrown away" in line
    assert not list(tmp_path.rglob(f"{name}*"))

    served.body = right
    assert get("tiny-mamba") == 0
    assert files(tmp_path) == MAMBA


def test_wrong_lengths_are_refused(
    get: Get, hub: FileServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.files[f"bytes/org/tiny-mamba/{COMMIT}/pytorch_model.bin"].body = WEIGHTS + b" "
    assert get("tiny-mamba") == 2
    assert "expected 20000 bytes, the server offers 20001" in error(capsys)
    assert "tiny-mamba/pytorch_model.bin" not in files(tmp_path)


def test_a_hub_that_states_another_hash_than_the_source_is_refused_before_the_bytes(
    get: Get, hub: FileServer, capsys: pytest.CaptureFixture[str]
) -> None:
    other = bytes(20_000)
    hub.add_hub_file("org/tiny-mamba", "pytorch_model.bin", COMMIT, COMMIT, other, large=True)
    assert get("tiny-mamba") == 2
    assert f"expected sha256 {sha256(WEIGHTS)} (stated by its source)" in error(capsys)
    assert hub.got(f"bytes/org/tiny-mamba/{COMMIT}/pytorch_model.bin") == []


def test_a_file_that_the_hub_lacks_is_named(
    get: Get, hub: FileServer, capsys: pytest.CaptureFixture[str]
) -> None:
    del hub.files[f"org/tiny-mamba/resolve/{COMMIT}/config.json"]
    assert get("tiny-mamba") == 2
    assert f"hub:org/tiny-mamba/config.json at {COMMIT}" in error(capsys)


def test_a_server_that_is_no_hub_is_named(
    get: Get, hub: FileServer, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.files[f"org/tiny-mamba/resolve/{COMMIT}/config.json"] = Served(CONFIG)
    assert get("tiny-mamba") == 2
    assert "does not answer as a model hub" in error(capsys)


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


def test_another_revision_goes_without_the_pinned_hash(
    get: Get, hub: FileServer, tmp_path: Path
) -> None:
    for name, body, large in (("config.json", CONFIG, False), ("pytorch_model.bin", b"new", True)):
        hub.add_hub_file("org/tiny-mamba", name, "v2", LATER, body, large=large)
    assert get("tiny-mamba", "--revision", "v2") == 0
    assert (tmp_path / "tiny-mamba/pytorch_model.bin").read_bytes() == b"new"
    assert lock(tmp_path)["tiny-mamba/pytorch_model.bin"]["commit"] == LATER
    assert lock(tmp_path)["tiny-mamba/tokenizer.json"]["commit"] == COMMIT


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


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["models", "mamba-7b"], "expected names out of"),
        (["data", "mmlu"], "expected names out of lambada_openai, hellaswag"),
    ],
)
def test_unknown_names_are_named(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--to", str(tmp_path)]) == 2
    line = error(capsys)
    assert says in line and line.endswith(f"got '{arguments[1]}'")


def test_a_folder_that_cannot_be_is_named(
    get: Get, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert main(["models", "tiny-mamba", "--to", str(tmp_path / "file")]) == 2
    assert "--to: " in error(capsys)


def test_one_download_at_a_time(
    get: Get, hub: FileServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second: list[int] = []
    path = f"org/tiny-mamba/resolve/{COMMIT}/config.json"
    hub.files[path].before = lambda: second.append(get("tiny-mamba")) if not second else None
    assert get("tiny-mamba") == 0
    assert second == [2]
    assert "another download is writing there" in error(capsys)


def zipped(members: dict[str, bytes]) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return memory.getvalue()


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


def test_a_publisher_that_lacks_a_file_is_named(
    get_data: Get, publisher: FileServer, capsys: pytest.CaptureFixture[str]
) -> None:
    publisher.files.clear()
    assert get_data("piqa") == 2
    assert "piqa/valid.jsonl: " in (line := error(capsys)) and "404" in line
