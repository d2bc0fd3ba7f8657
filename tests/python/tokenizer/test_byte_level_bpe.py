"""Byte-level BPE against Hugging Face's `tokenizers` on the same tokenizer.json."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from texts import DATA, from_data, generated, needs_data
from tokenizer_tools import decode, encode
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

NEOX = DATA and DATA / "tokenizers/gpt-neox-20b.tokenizer.json"


def trained(path: Path, *, normalizer=None, prefix_space=False, regex=True, added=(), **model) -> Path:
    """Writes a small tokenizer, its merges learnt from generated strings."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space, use_regex=regex)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=900,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|endoftext|>", "<|padding|>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(generated(800, seed=11), trainer)
    tokenizer.add_tokens([AddedToken(content, **flags) for content, flags in added])
    file = json.loads(tokenizer.to_str())
    file["model"].update(model)
    path.write_text(json.dumps(file))
    return path


def flags(**given: bool) -> dict[str, bool]:
    return {"special": False, "normalized": False, **given}


VARIANTS = {
    "as-neox": {
        "normalizer": normalizers.NFC(),
        "added": [(" " * n, flags(normalized=True)) for n in range(24, 1, -1)],
    },
    "no-normalizer": {},
    "sequence": {"normalizer": normalizers.Sequence([normalizers.NFC()])},
    "prefix-space": {"prefix_space": True, "normalizer": normalizers.NFC()},
    "no-regex": {"regex": False},
    "ignore-merges": {"ignore_merges": True},
    "added-tokens": {
        "normalizer": normalizers.NFC(),
        "added": [
            ("'s", flags(single_word=True)),
            ("eta", flags(single_word=True, normalized=True)),
            ("\U0001f600", flags(lstrip=True)),
            ("<s>", flags(rstrip=True)),
            ("</s>", flags(lstrip=True, rstrip=True)),
            ("e\u0301", flags(normalized=True)),
            ("o\u0323\u0302", flags()),
            ("  ", flags(normalized=True)),
            ("    ", flags(normalized=True)),
            ("\u2581", flags()),
            ("\u2581a", flags(normalized=True)),
        ],
    },
}


def assert_same_ids(path: Path, texts: list[str]) -> None:
    reference = Tokenizer.from_file(str(path))
    for text, ours in zip(texts, encode(path, texts), strict=True):
        assert ours == reference.encode(text, add_special_tokens=False).ids, ascii(text)


@pytest.mark.parametrize("variant", VARIANTS)
def test_small_tokenizers_give_the_same_ids_and_text(variant, tmp_path):
    path = trained(tmp_path / "tokenizer.json", **VARIANTS[variant])
    assert_same_ids(path, generated(1500, seed=12))

    reference = Tokenizer.from_file(str(path))
    rng = random.Random(13)
    size = reference.get_vocab_size()
    many_ids = [[rng.randrange(size) for _ in range(rng.randint(0, 30))] for _ in range(1000)]
    expected = [reference.decode(ids, skip_special_tokens=False) for ids in many_ids]
    assert decode(path, many_ids) == expected


def test_merges_as_strings_give_the_same_ids(tmp_path):
    path = trained(tmp_path / "tokenizer.json")
    file = json.loads(path.read_text())
    file["model"]["merges"] = [" ".join(pair) for pair in file["model"]["merges"]]
    path.write_text(json.dumps(file))
    assert_same_ids(path, generated(300, seed=14))


def test_decoding_gives_the_text_back(tmp_path):
    path = trained(tmp_path / "tokenizer.json")
    texts = generated(500, seed=15)
    assert decode(path, encode(path, texts)) == texts


def test_invalid_utf8_is_refused_by_its_offset(tmp_path):
    path = trained(tmp_path / "tokenizer.json")
    rng = random.Random(16)
    blobs = [rng.randbytes(rng.randint(1, 12)) for _ in range(500)]
    blobs += [text.encode()[:-1] for text in generated(300, seed=17)]
    for blob, ours in zip(blobs, encode(path, blobs), strict=True):
        try:
            blob.decode()
        except UnicodeDecodeError as error:
            assert f"byte offset {error.start} holds 0x{blob[error.start]:02X}" in ours
        else:
            assert isinstance(ours, list)


@needs_data
def test_neox_ids_on_ten_thousand_strings_of_the_data():
    assert_same_ids(NEOX, from_data(10_000, seed=18))


@needs_data
def test_neox_ids_on_ten_thousand_generated_strings():
    assert_same_ids(NEOX, generated(10_000, seed=19))


@needs_data
def test_neox_text_of_random_ids():
    reference = Tokenizer.from_file(str(NEOX))
    rng = random.Random(20)
    size = reference.get_vocab_size()
    many_ids = [[rng.randrange(size) for _ in range(rng.randint(0, 50))] for _ in range(3000)]
    expected = [reference.decode(ids, skip_special_tokens=False) for ids in many_ids]
    assert decode(NEOX, many_ids) == expected
