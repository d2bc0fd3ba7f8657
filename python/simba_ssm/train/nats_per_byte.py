"""Models with any tokenizers, compared on whole texts.

    python -m simba_ssm.train.nats_per_byte MODEL... --data TEXTS

A text is the document start and its ids. It is read in windows of `length` ids, each beginning
half a window after the one before, with fresh states; a window scores its second half, the first
one all of it. So every id is scored once, after at least length / 2 ids of context where the text
has them. The sum of negative log-likelihoods is divided by the text's bytes (UTF-8): tokenizers
drop out.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F

from simba_ssm.modeling import SimbaForCausalLM
from simba_ssm.modeling.checkpoint import find_folder
from simba_ssm.train.documents import Document, read_documents, text_files
from simba_ssm.train.errors import TrainError
from simba_ssm.train.prepare import load_model
from simba_ssm.train.tokenizer import load_tokenizer, tokenizer_beside


def windows(count: int, length: int) -> Iterator[tuple[int, int, int]]:
    """(begin, end, first scored) of the windows over ids 0 .. count; id 0 is not scored."""
    begin, scored = 0, 1
    while scored < count:
        end = min(begin + length, count)
        yield begin, end, scored
        begin, scored = begin + length // 2, end


@torch.no_grad()
def text_nll(model: SimbaForCausalLM, ids: Sequence[int], length: int, rows: int) -> float:
    """Sum of the negative log-likelihoods of all ids but the first; rows: windows read at once."""
    device = model.lm_head.weight.device
    places = list(windows(len(ids), length))
    total = 0.0
    whole = torch.tensor(ids)
    full = [place for place in places if place[1] - place[0] == length]
    rest = [place for place in places if place[1] - place[0] != length]
    groups = [full[i : i + rows] for i in range(0, len(full), rows)] + [[place] for place in rest]
    for group in groups:
        batch = torch.stack([whole[begin:end] for begin, end, _ in group]).to(device)
        logits = model(batch[:, :-1]).logits
        nll = F.cross_entropy(logits.transpose(1, 2), batch[:, 1:], reduction="none")
        for row, (begin, _, scored) in zip(nll, group, strict=True):
            # nll's place i is that of id i + 1.
            total += float(row[scored - begin - 1 :].double().sum())
    return total


def nats_per_text(
    folder: str | Path, documents: Sequence[Document], length: int, device: str, rows: int
) -> list[float]:
    """Of each document, in nats. Raises TrainError."""
    model = load_model(folder).to(device)
    try:
        tokenizer = load_tokenizer(tokenizer_beside(find_folder(folder)))
    except ValueError as error:
        raise TrainError(str(error)) from None
    encoded = tokenizer.encode([document.text for document in documents])
    return [text_nll(model, [tokenizer.document_start, *ids], length, rows) for ids in encoded]


def difference(
    ours: Sequence[float], base: Sequence[float], sizes: Sequence[int]
) -> tuple[float, float | None]:
    """ours - base in nats per byte, and the standard error of this ratio of sums over texts, which
    one text alone does not have.
    """
    total, n = sum(sizes), len(sizes)
    mean = (sum(ours) - sum(base)) / total
    squares = sum((a - b - mean * size) ** 2 for a, b, size in zip(ours, base, sizes, strict=True))
    return mean, math.sqrt(n / (n - 1) * squares) / total if n > 1 else None


def _check_device(name: str) -> None:
    try:
        torch.zeros(1, device=name).item()
    except (RuntimeError, AssertionError, ImportError):  # which one depends on torch's build
        raise TrainError(f"--device: expected one that is here, got {name!r}") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """0: a Markdown table on stdout; 2: one line on stderr says what is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m simba_ssm.train.nats_per_byte",
        description="Nats per byte of models on whole texts; differences are to the first model.",
    )
    parser.add_argument(
        "models", nargs="+", metavar="MODEL", help="checkpoint folder with its tokenizer"
    )
    parser.add_argument("--data", type=Path, required=True, metavar="TEXTS", help="file or folder")
    parser.add_argument("--length", type=int, default=2048, help="of a window, in ids")
    parser.add_argument("--rows", type=int, default=8, help="windows read at once")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args(arguments)
    try:
        if options.length < 2:
            raise TrainError(f"--length: expected at least 2, got {options.length}")
        if options.rows < 1:
            raise TrainError(f"--rows: expected at least 1, got {options.rows}")
        _check_device(options.device)
        documents = list(read_documents(text_files(options.data), "text"))
        sizes = [len(document.text.encode()) for document in documents]
        if not sum(sizes):
            raise TrainError(f"{options.data}: expected a text that is not empty, found none")
        print(f"{len(sizes)} texts, {sum(sizes):,} bytes, windows of {options.length} ids\n")
        print("| model | nats per byte | difference to the first ± standard error over texts |")
        print("|---|---:|---:|")
        first = None
        for model in options.models:
            nats = nats_per_text(model, documents, options.length, options.device, options.rows)
            first = first or nats
            mean, error = difference(nats, first, sizes)
            shown = f"{mean:+.5f}" + ("" if error is None else f" ± {error:.5f}")
            print(f"| {model} | {sum(nats) / sum(sizes):.5f} | {shown} |", flush=True)
    except TrainError as error:
        print(f"simba_ssm.train.nats_per_byte: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
