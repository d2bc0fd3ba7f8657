"""SentencePiece models against the `sentencepiece` package."""

from __future__ import annotations

import pytest
import sentencepiece
from texts import DATA, from_data, generated, needs_data
from tokenizer_tools import ROOT, decode, encode

DEMO = ROOT / "examples/demo/model/tokenizer.model"
CHECKPOINTS = ["mamba-6m-demo", "mamba-26m-pg19"]

ODD_TEXTS = [
    "",
    " ",
    "  ",
    " a",
    "a ",
    "a  b",
    "\u2581a",
    "\u2581",
    "</s>",
    "<unk>",
    "a</s>b",
    "\x00",
    "a\nb\t",
    b"\xff\xfea",
    b"abc\x80",
    b"\xed\xa0\x80",
    b"\xe2\x82",
]


def assert_same_ids_and_text(path, texts):
    reference = sentencepiece.SentencePieceProcessor(model_file=str(path))
    expected = [reference.encode(text) for text in texts]
    for text, ours, theirs in zip(texts, encode(path, texts), expected, strict=True):
        assert ours == theirs, ascii(text)
    assert decode(path, expected) == [reference.decode(ids) for ids in expected]


def test_demo_model_on_odd_and_generated_strings():
    assert_same_ids_and_text(DEMO, ODD_TEXTS + generated(3000, seed=21))


@needs_data
@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_checkpoints_on_strings_of_the_data_and_generated_ones(checkpoint):
    path = DATA / "checkpoints" / checkpoint / "tokenizer.model"
    assert_same_ids_and_text(path, ODD_TEXTS + from_data(3000, seed=22) + generated(3000, seed=23))
