"""A task that is only a file, with a dozen documents: a small world for simba-eval tasks."""

from __future__ import annotations

import json
from pathlib import Path

# A seventh task: letters for labels, a filter, its own delimiters, choices made of templates.
TASK = """
name = "tides"

[[documents]]
files = ["tides.jsonl"]
keep = { field = "kind", values = ["sea"] }
note = "invented for this test"

[[few_shot]]
files = ["examples.jsonl"]
labels = "examples.lst"

[prompt]
context = "{who|strip} asks: {text|before('?')}?"
choices = ["{a}", "{b}", "neither {a} nor {b}"]
target_delimiter = "\\n"
example_delimiter = "\\n---\\n"

[label]
field = "label"
form = "letter"

[score]
metrics = ["acc_bytes", "acc", "acc_norm"]
primary = "acc_bytes"
"""


def documents(count: int) -> list[dict]:
    return [
        {
            "kind": "land" if i % 4 == 3 else "sea",
            "who": f" Ann {i} ",
            "text": f"where does the water number {i} go {'far and ' * (i % 5)}away? (unused)",
            "a": f"out to the sea {i}",
            "b": "caf\u00e9" * (1 + i % 3),
            "label": "ABC"[i % 3],
        }
        for i in range(count)
    ]


def write_lines(path: Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def make_tides(folder: Path) -> None:
    """folder/tides.toml and its data beside it."""
    write_lines(folder / "tides.jsonl", documents(12))
    write_lines(folder / "examples.jsonl", [{**row, "label": None} for row in documents(5)])
    (folder / "examples.lst").write_text("A\nB\nC\nA\nB\n")
    (folder / "tides.toml").write_text(TASK)
