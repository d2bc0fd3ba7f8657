"""Texts are read as they are, and a broken line is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from checkpoints import story
from simba_ssm.train.documents import digest, read_documents, text_files
from simba_ssm.train.errors import TrainError


def read(path: Path, field: str = "text") -> list[str]:
    return [document.text for document in read_documents(text_files(path), field)]


def test_all_kinds_in_name_order(texts: Path) -> None:
    assert [file.name for file in text_files(texts)] == ["a.txt", "b.jsonl", "c.jsonl.zst"]
    assert read(texts) == [story()[i : i + 4000] for i in range(0, 24000, 4000)]


def test_text_is_not_changed(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes(b"a\r\nb\xe2\x80\xa8c ")
    (tmp_path / "y.jsonl").write_bytes('{"body": "a\\r\\n\u2028"}\n\n{"body": "b\u2028c"}'.encode())
    assert read(tmp_path / "x.txt") == ["a\r\nb\u2028c "]
    assert read(tmp_path / "y.jsonl", "body") == ["a\r\n\u2028", "b\u2028c"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "x.jsonl:2: expected a line of JSON, got '{'"),
        ('{"txt": "a"}', "x.jsonl:2: text: expected a text, got 'null'"),
        ('{"text": 3}', "x.jsonl:2: text: expected a text, got '3'"),
        ("[1]", "x.jsonl:2: text: expected a text, got 'null'"),
        (
            r'{"text": "a\ud800"}',
            r"x.jsonl:2: text: expected a text, got the lone surrogate '\ud800'",
        ),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "x.jsonl").write_text('{"text": "a"}\n' + line)
    with pytest.raises(TrainError) as error:
        read(tmp_path / "x.jsonl")
    assert str(error.value) == f"{tmp_path}/{message}"


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="expected files that end in .jsonl"):
        text_files(tmp_path)
    with pytest.raises(TrainError, match="No such file"):
        text_files(tmp_path / "absent.txt")
    (tmp_path / "x.csv").write_text("a")
    with pytest.raises(TrainError, match="expected a name that ends in"):
        text_files(tmp_path / "x.csv")
    (tmp_path / "y.txt").write_bytes(b"a\xff")
    with pytest.raises(TrainError, match="y.txt: expected UTF-8, got byte 255"):
        read(tmp_path / "y.txt")
    (tmp_path / "z.jsonl.zst").write_bytes(b"not zstandard")
    with pytest.raises(TrainError, match="z.jsonl.zst: expected zstandard data"):
        read(tmp_path / "z.jsonl.zst")


def test_the_digest_sees_bytes_and_names(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("a")
    (tmp_path / "y.txt").write_text("a")
    x, y = digest([tmp_path / "x.txt"]), digest([tmp_path / "y.txt"])
    assert x != y
    (tmp_path / "x.txt").write_text("b")
    assert digest([tmp_path / "x.txt"]) != x
