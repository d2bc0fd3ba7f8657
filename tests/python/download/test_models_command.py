"""python -m simba_ssm.download models against a hub on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from file_server import FileServer, Served
from tiny_hub import COMMIT, CONFIG, LATER, MAMBA, WEIGHTS, Get, error, files, lock, sha256

from simba_ssm.download.__main__ import main
from simba_ssm.download.transfer import FRUITLESS_ATTEMPTS


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
