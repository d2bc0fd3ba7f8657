"""The tables of a fine-tuning.

    python -m simba_ssm.report.finetuning DIR [--before NAME] [--baseline NAME]

DIR holds results.json of a `simba-eval sweep` with books, in which one model is the checkpoint
before and the others are what recipes made of it. Every method of a tuned model is compared with
the same method on the model before, and with the method of a tuned baseline, on the same windows:
differences are paired, and their standard errors clustered by book as simba-eval's own are.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from simba_ssm.report.errors import ReportError
from simba_ssm.report.fields import Field
from simba_ssm.report.rows import Estimate

ABSENT = "–"
MOST_NATS = 700  # per token; a perplexity of more is no number


@dataclass(frozen=True)
class Scored:
    """One row: sums of nll over each window's `count` scored tokens; book: of each window."""

    model: str
    method: str
    retention: float
    nll: tuple[float, ...]
    count: tuple[int, ...]
    books: tuple[str, ...]
    overlap: float | None

    @property
    def perplexity(self) -> float:
        return math.exp(sum(self.nll) / sum(self.count))


def read_scored(folder: Path) -> list[Scored]:
    """Of the longest context. Raises ReportError."""
    whole = Field.of_file(folder / "results.json" if folder.is_dir() else folder)
    if whole["format"].text() != "simba-eval sweep 1":
        raise whole["format"].error("'simba-eval sweep 1'")
    books = tuple(_book(window) for window in whole["windows"].elements())
    rows = list(whole["perplexity_rows"].elements())
    if not rows:
        raise whole["perplexity_rows"].error("a row")
    longest = max(row["context"].integer() for row in rows)
    return [_scored(row, books) for row in rows if row["context"].integer() == longest]


def _book(window: Field) -> str:
    book = next(window.elements(), None)
    if book is None:
        raise window.error("a book and a position")
    return book.text()


def _scored(row: Field, books: tuple[str, ...]) -> Scored:
    windows = row["per_window"]
    nll = tuple(each.number() for each in windows["nll_sum"].elements())
    if len(nll) != len(books) or not nll:
        raise windows["nll_sum"].error(f"{len(books) or 'some'} sums, one per window")
    count = tuple(each.integer() for each in windows["count"].elements())
    if len(count) != len(nll) or min(count) < 1:
        raise windows["count"].error(f"{len(nll)} integers above 0, one per window")
    if any(abs(a) > MOST_NATS * n for a, n in zip(nll, count, strict=True)):
        raise windows["nll_sum"].error(f"at most {MOST_NATS} nats per token")
    overlap = row.get("overlap_with_recent")
    return Scored(
        model=row["model"].text(),
        method=row["label"].text(),
        retention=row["retention"].number(),
        nll=nll,
        count=count,
        books=books,
        overlap=overlap["mean"].number() if overlap and overlap.get("mean") else None,
    )


def paired_difference(method: Scored, base: Scored) -> Estimate:
    """method - base in nats per token; the standard error of a ratio of sums over books, the formula
    of eval/statistics.cpp.
    """
    tokens = sum(method.count)
    differences = [a - b for a, b in zip(method.nll, base.nll, strict=True)]
    mean = sum(differences) / tokens
    residuals: dict[str, float] = {}
    for book, difference, count in zip(method.books, differences, method.count, strict=True):
        residuals[book] = residuals.get(book, 0.0) + difference - mean * count
    n = len(residuals)
    if n < 2:
        return Estimate(mean)
    squares = sum(residual**2 for residual in residuals.values())
    return Estimate(mean, math.sqrt(n / (n - 1) * squares) / tokens)


def finetuning_tables(rows: Sequence[Scored], before: str, baseline: str | None) -> str:
    """Markdown. Raises ReportError where there is no model of such a name."""
    models = list(dict.fromkeys(row.model for row in rows))
    for name in (before, baseline):
        if name is not None and name not in models:
            raise ReportError(f"models: expected '{name}' among {', '.join(models)}")
    tuned = [name for name in models if name != before]
    parts = [
        "Perplexity before. Overlap: of the kept tokens with those of recent, at the least retention.",
        "",
        *_table(rows, [before], None),
        "",
        "Perplexity after (nats per token after − before, same method and windows, ± paired standard "
        "error clustered by book).",
        "",
        *_table(rows, tuned, before),
    ]
    if baseline is not None:
        others = [name for name in tuned if name != baseline]
        parts += [
            "",
            f"Perplexity after (nats per token − those of the model tuned for {baseline} at the same "
            "retention).",
            "",
            *_table(rows, others, baseline, same_method=False),
        ]
    first = rows[0]
    said = f"{len(first.nll)} windows of {len(set(first.books))} books, {sum(first.count)} scored tokens."
    return "\n".join([*parts, "", said]) + "\n"


def _table(
    rows: Sequence[Scored], models: Sequence[str], base: str | None, same_method: bool = True
) -> list[str]:
    """One line per model and method; base None: perplexities alone."""
    found = {(row.model, row.method, row.retention): row for row in rows}
    retentions = sorted({row.retention for row in rows}, reverse=True)
    head = ["model", "method", *[f"r = {r:g}" for r in retentions], "overlap"]
    lines = [f"| {' | '.join(head)} |", "|---|---|" + "---:|" * (len(head) - 2)]
    for model in models:
        methods = dict.fromkeys(r.method for r in rows if r.model == model and r.method != "dense")
        for method in methods or ["dense"]:
            cells, overlap = [], None
            for r in retentions:
                row = found.get((model, "dense" if r == 1 else method, r))
                other = _other(rows, row, base) if same_method else _own(rows, row, base)
                cells.append(_cell(row, other, base is not None))
                overlap = row.overlap if row else overlap
            shown = ABSENT if overlap is None else f"{overlap:.3f}"
            lines.append(f"| {' | '.join([model, method, *cells, shown])} |".replace("_", "\\_"))
    return lines


def _other(rows: Sequence[Scored], row: Scored | None, base: str | None) -> Scored | None:
    """The same method of another model."""
    if row is None:
        return None
    same = (each for each in rows if each.model == base and each.retention == row.retention)
    return next((each for each in same if each.method == row.method), None)


def _own(rows: Sequence[Scored], row: Scored | None, base: str | None) -> Scored | None:
    """What the other model was tuned for, at the same retention: its method of its own name, or its
    first where none is called so.
    """
    if row is None:
        return None
    same = [each for each in rows if each.model == base and each.retention == row.retention]
    named = (each for each in same if each.method.startswith(base))
    return next(named, same[0] if same else None)


def _cell(row: Scored | None, other: Scored | None, compared: bool) -> str:
    if row is None:
        return ABSENT
    text = f"{row.perplexity:.2f}"
    if not compared or other is None:
        return text
    difference = paired_difference(row, other)
    signed = f"{difference.value:+.4f}".replace("-", "−")
    error = difference.standard_error
    return f"{text} ({signed}{'' if error is None else f' ± {error:.4f}'})"


def main(arguments: Sequence[str] | None = None) -> int:
    """0: the tables on stdout; 2: one line on stderr says what is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m simba_ssm.report.finetuning",
        description="Markdown tables of a fine-tuning from the results of simba-eval sweep.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="output folder of the sweep")
    parser.add_argument("--before", default="before", metavar="NAME", help="default: before")
    parser.add_argument("--baseline", metavar="NAME", help="a tuned model to compare with")
    options = parser.parse_args(arguments)
    try:
        print(
            finetuning_tables(read_scored(options.folder), options.before, options.baseline), end=""
        )
    except ReportError as error:
        print(f"simba_ssm.report.finetuning: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
