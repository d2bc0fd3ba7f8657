"""Strings to tokenize: generated ones over all of Unicode 15, and ones from the data in SIMBA_TEST_DATA."""

from __future__ import annotations

import json
import os
import random
import unicodedata
from functools import cache
from pathlib import Path

import pytest

DATA = Path(os.environ["SIMBA_TEST_DATA"]) if "SIMBA_TEST_DATA" in os.environ else None
needs_data = pytest.mark.skipif(
    DATA is None, reason="SIMBA_TEST_DATA is not set: no books, benchmarks and tokenizers"
)

_PRIVATE = ("Co", "Cs")
_SNIPPETS = [
    *("'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'Ve", "'lL", "'", "''"),
    *("\u2019s", "don't", "we're"),
    *(" ", " ", "  ", "   ", "    ", " " * 7, " " * 23, " " * 24, " " * 25, " " * 60),
    *("\n", "\n\n", "\r\n", "\t", "\t\t ", " \n ", "\x0b", "\x0c", "\x85", "\xa0", "\u3000", "\u2028"),
    *("\x00", "\x01", "\x1b", "\x1c", "\x1f", "\x7f", "\xad", "\u200b", "\u200d", "\ufeff", "\ufffd"),
    *("<|endoftext|>", "<|padding|>", "<|endoftext|", "|>", "<s>", "</s>", "\u2581", "\u2581a"),
    *("e\u0301", "\u00e9", "\u0344", "\u212b", "\u0958", "\u1100\u1161\u11a8", "\uac00\u11a8"),
    "o\u0323\u0302",
    *("\U0001f600", "\U0001f469\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea", "\u2764\ufe0f"),
]


@cache
def assigned() -> list[str]:
    """The characters of Unicode 15 outside the private use areas."""
    lines = (Path(__file__).parent / "assigned_in_unicode_15.txt").read_text().splitlines()
    ranges = [[int(n, 16) for n in line.split()] for line in lines if not line.startswith("#")]
    characters = [chr(c) for first, last in ranges for c in range(first, last + 1)]
    return [c for c in characters if unicodedata.category(c) not in _PRIVATE]


@cache
def _marks() -> list[str]:
    return [c for c in assigned() if unicodedata.category(c).startswith("M")]


@cache
def _outside_cjk() -> list[str]:
    return [c for c in assigned() if not unicodedata.category(c) == "Lo" or ord(c) < 0x3000]


def _stretch(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.30:
        return rng.choice(_SNIPPETS)
    if kind < 0.50:
        return "".join(rng.choices("etaoinshrdluETA0123456789.,-_!?()", k=rng.randint(1, 9)))
    if kind < 0.60:
        return rng.choice(assigned())
    if kind < 0.75:
        return rng.choice(_outside_cjk())
    if kind < 0.90:
        return "".join(rng.choices(_marks(), k=rng.randint(1, 4)))
    characters = assigned()
    begin = rng.randrange(len(characters) - 8)  # neighbours: a script's letters and marks
    return "".join(characters[begin : begin + rng.randint(2, 8)])


def generated(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return ["".join(_stretch(rng) for _ in range(rng.randint(1, 40))) for _ in range(count)]


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [s for item in value for s in _strings(item)] if isinstance(value, list) else []


def from_data(count: int, seed: int) -> list[str]:
    """Half from the books of PG-19 (stretches of up to 2000 characters), half from the benchmarks."""
    rng = random.Random(seed)
    texts = []
    books = [path.read_bytes().decode() for path in sorted(DATA.glob("pg19/*/*.txt")) if path.stem.isdigit()]
    for _ in range(count // 2):
        book = rng.choice(books)
        begin = rng.randrange(len(book))
        texts.append(book[begin : begin + rng.randint(1, 2000)])
    rows = []
    for path in sorted(DATA.glob("benchmarks/*/*.jsonl")):
        rows += rng.sample(lines := path.read_text(encoding="utf-8").splitlines(), min(len(lines), 400))
    strings = [s for row in rows for s in _strings(json.loads(row))]
    return texts + rng.sample(strings, count - len(texts))
