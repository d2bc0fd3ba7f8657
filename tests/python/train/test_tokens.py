"""The tokenizer that a run makes, and the tokens that a restart finds."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
from checkpoints import DATA
from simba_ssm.train.documents import read_documents, text_files
from simba_ssm.train.errors import TrainError
from simba_ssm.train.token_cache import tokenised
from simba_ssm.train.tokenizer import load_tokenizer, make_tokenizer
from tiny import PIECES


def test_a_made_tokenizer_has_the_projects_conventions(tokenizer_file: Path) -> None:
    model = sentencepiece.SentencePieceProcessor(model_file=str(tokenizer_file))
    assert (model.unk_id(), model.eos_id(), model.bos_id(), model.pad_id()) == (0, 1, -1, -1)
    assert model.id_to_piece(2) == "\n"
    assert model.get_piece_size() == PIECES
    # Nothing is normalised, and bytes stand for what no piece is for.
    for text in ("two  blanks \n\n and\ttabs", "\u00e9 e\u0301 \u4e00 \U0001f600", "a\r\nb"):
        assert model.decode(model.encode(text)) == text


def test_making_it_again_gives_the_same(texts: Path, tokenizer_file: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.model"
    make_tokenizer(read_documents(text_files(texts), "text"), PIECES, 10**6, 0, again)
    pieces = [
        [model.id_to_piece(i) for i in range(PIECES)]
        for file in (tokenizer_file, again)
        for model in [sentencepiece.SentencePieceProcessor(model_file=str(file))]
    ]
    assert pieces[0] == pieces[1]


def test_too_many_pieces_for_the_texts(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("a short text")
    with pytest.raises(
        TrainError, match="tokenizer.pieces: expected a number the texts suffice for"
    ):
        make_tokenizer(
            read_documents(text_files(tmp_path), "text"), 4096, 10**6, 0, tmp_path / "x.model"
        )
    assert not (tmp_path / "x.model").exists()


def test_each_document_follows_a_document_start(
    texts: Path, tokenizer_file: Path, tmp_path: Path
) -> None:
    tokenizer = load_tokenizer(tokenizer_file)
    store = tokenised(texts, "text", tokenizer, tmp_path)
    documents = list(read_documents(text_files(texts), "text"))
    assert store.documents == len(documents)
    for number, document in enumerate(documents):
        ids = store.ids[store.starts[number] : store.starts[number + 1]].tolist()
        assert ids == [1, *tokenizer.encode([document.text])[0]]


def test_a_restart_does_not_tokenise_again(
    texts: Path, tokenizer_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = load_tokenizer(tokenizer_file)
    first = tokenised(texts, "text", tokenizer, tmp_path)
    monkeypatch.setattr(tokenizer, "encode", lambda texts: pytest.fail("tokenised again"))
    again = tokenised(texts, "text", tokenizer, tmp_path)
    np.testing.assert_array_equal(first.ids, again.ids)
    with pytest.raises(pytest.fail.Exception):
        tokenised(texts / "a.txt", "text", tokenizer, tmp_path)
    assert len([path for path in tmp_path.iterdir() if not path.suffix]) == 1


def test_gpt_neox() -> None:
    if not DATA:
        pytest.skip("SIMBA_TEST_DATA is not set")
    tokenizer = load_tokenizer(Path(DATA) / "tokenizers/gpt-neox-20b.tokenizer.json")
    assert tokenizer.document_start == 0
    assert tokenizer.size == 50277
    assert tokenizer.encode(["Hello world", ""]) == [[12092, 1533], []]


def test_a_file_that_is_no_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "x.model").write_bytes(os.urandom(100))
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(TrainError, match="x.model: expected a SentencePiece model"):
        load_tokenizer(tmp_path / "x.model")
    with pytest.raises(TrainError, match="x.json: expected a tokenizer.json"):
        load_tokenizer(tmp_path / "x.json")
