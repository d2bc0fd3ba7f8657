"""Real checkpoints for the tests: the demo's, and the one in SIMBA_TEST_DATA where that is set."""

from __future__ import annotations

import os
from pathlib import Path

import sentencepiece
import torch

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "examples/demo/model"
DATA = os.environ.get("SIMBA_TEST_DATA")
CHECKPOINTS = [DEMO] + ([Path(DATA) / "checkpoints/mamba-26m-pg19"] if DATA else [])


def story() -> str:
    return next(iter(sorted((ROOT / "examples/demo").glob("*.txt")))).read_text()


def context_ids(folder: Path, count: int) -> torch.Tensor:
    """The document start and the first tokens of the demo's story, by the checkpoint's own tokenizer."""
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    ids = [tokenizer.eos_id(), *tokenizer.encode(story())]
    return torch.tensor(ids[:count])
