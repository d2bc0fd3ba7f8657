"""Text to token ids: a SentencePiece model, or GPT-NeoX's tokenizer.json; or a SentencePiece model
made from the training texts.

A made one has this project's conventions: BPE with byte fallback, texts taken as they are (identity
normalisation), `<unk>` 0, the document separator `</s>` 1, the newline 2, no `<s>`.
"""

from __future__ import annotations

import hashlib
import io
import os
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from simba_ssm.train.atomic import write_file
from simba_ssm.train.documents import Document
from simba_ssm.train.errors import TrainError

NAMES = ("tokenizer.model", "tokenizer.json")


class Tokenizer(Protocol):
    """document_start: the id put before every document. size: ids are below it."""

    file: Path
    document_start: int
    size: int

    def encode(self, texts: list[str]) -> list[list[int]]:
        """The ids of each text, without a document start."""
        ...


def load_tokenizer(file: Path) -> Tokenizer:
    if not file.exists():
        raise TrainError(f"{file}: No such file or directory")
    try:
        return _NeoX(file) if file.suffix == ".json" else _SentencePiece(file)
    except ImportError as error:
        raise TrainError(f"{error.name} is not installed: pip install 'simba-ssm[train]'") from None


def tokenizer_beside(folder: Path) -> Path:
    """The tokenizer of a checkpoint folder. Raises TrainError where it has none."""
    for name in NAMES:
        if (folder / name).exists():
            return folder / name
    raise TrainError(
        f"{folder}: expected {' or '.join(NAMES)} (or a tokenizer.file), found neither"
    )


def sha256(tokenizer: Tokenizer) -> str:
    return hashlib.sha256(tokenizer.file.read_bytes()).hexdigest()


def make_tokenizer(
    documents: Iterable[Document], pieces: int, sample_bytes: int, seed: int, file: Path
) -> None:
    """Writes a SentencePiece model of `pieces` pieces, trained on about `sample_bytes` of text."""
    try:
        import sentencepiece
    except ImportError:
        raise TrainError("sentencepiece is not installed: pip install 'simba-ssm[train]'") from None
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_sample(documents, sample_bytes, seed),
            model_writer=model,
            model_type="bpe",
            vocab_size=pieces,
            character_coverage=0.9995,
            byte_fallback=True,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            user_defined_symbols=["\n"],
            unk_id=0,
            eos_id=1,
            bos_id=-1,
            pad_id=-1,
            num_threads=os.cpu_count() or 1,
            minloglevel=1,
        )
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise TrainError(
            f"tokenizer.pieces: expected a number the texts suffice for: {reason}"
        ) from None
    write_file(file, model.getvalue())


def _sample(documents: Iterable[Document], sample_bytes: int, seed: int) -> Iterator[str]:
    """Lines of documents drawn in random order until `sample_bytes` are reached."""
    texts = [document.text for document in documents]
    random.Random(seed).shuffle(texts)
    taken = 0
    for text in texts:
        for line in text.split("\n"):
            if line:
                yield line
        taken += len(text.encode())
        if taken >= sample_bytes:
            return


class _SentencePiece:
    def __init__(self, file: Path) -> None:
        import sentencepiece

        try:
            self._model = sentencepiece.SentencePieceProcessor(model_file=str(file))
        except (OSError, RuntimeError):
            raise TrainError(f"{file}: expected a SentencePiece model") from None
        if self._model.eos_id() < 0:
            raise TrainError(f"{file}: expected a piece </s>, which separates documents")
        self.file = file
        self.document_start = self._model.eos_id()
        self.size = self._model.get_piece_size()

    def encode(self, texts: list[str]) -> list[list[int]]:
        return self._model.encode(texts, num_threads=os.cpu_count() or 1)


class _NeoX:
    START = "<|endoftext|>"

    def __init__(self, file: Path) -> None:
        from tokenizers import Tokenizer as Fast

        try:
            self._model = Fast.from_file(str(file))
        except Exception as error:  # the library raises its base class
            raise TrainError(f"{file}: expected a tokenizer.json: {error}") from None
        start = self._model.token_to_id(self.START)
        if start is None:
            raise TrainError(f"{file}: expected a token {self.START}, which separates documents")
        self.file = file
        self.document_start = start
        self.size = self._model.get_vocab_size(with_added_tokens=True)

    def encode(self, texts: list[str]) -> list[list[int]]:
        encoded = self._model.encode_batch(texts, add_special_tokens=False)
        return [each.ids for each in encoded]
