"""A small sample of lm_eval_comparison.py, and made-up documents for the rules that no benchmark meets."""

from __future__ import annotations

import json
from pathlib import Path

import lm_eval_comparison
import pytest
from checkpoints import DATA, DEMO

needs_data = pytest.mark.skipif(not DATA, reason="SIMBA_TEST_DATA is not set: no benchmarks")


def expect_agreement(comparisons: list[lm_eval_comparison.Comparison], likelihoods: int) -> None:
    assert all(comparison.passed() for comparison in comparisons), comparisons
    assert sum(comparison.likelihoods for comparison in comparisons) == likelihoods
    assert max(comparison.metrics for comparison in comparisons) < 1e-4


def made_up_lambada(folder: Path, texts: list[str]) -> Path:
    path = folder / "data/lambada/lambada_test_openai.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return folder / "data"


def test_odd_contexts(program, tmp_path):
    """Empty, ended by white space of every kind, and longer than the longest input."""
    spaces = [" ", "\n", "\u00a0", "\u0085", "\x1c", "\u200b", " \n\t "]
    texts = ["word", "\u2581blank start", "a </s> b", "the sea", "caf\u00e9 \u6d77 \U0001f642 end"]
    texts += [f"He went home.{space} again" for space in spaces]
    texts += ["He said:\n\nyes\nno", "one two\n", "the old man and the sea " * 12 + "was", "long " + "x" * 30]
    data = made_up_lambada(tmp_path, texts)
    comparisons = lm_eval_comparison.run(program, DEMO, data, ["lambada_openai"], batch=4, max_length=40)
    expect_agreement(comparisons, len(texts))


def test_odd_choices(program, tmp_path):
    """Blanks at either end, choices that are equal, of one character, with wide ones."""
    rows = [
        {"query": "The ship", "choices": [" sailed away.", "sailed away.", "sailed away. ", "sank"], "gold": 2},
        {"query": "The ship ", "choices": ["\u6d77\u6d77", "a", "caf\u00e9", "a"], "gold": 1},
    ]
    folder = tmp_path / "hellaswag"
    folder.mkdir()
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "hellaswag_val_rebuilt.jsonl").write_text(text)
    raw = {"activity_label": "Sea", "ctx_a": "A man", "ctx_b": "he", "endings": ["[title] Go.", "b", "c", "d"], "label": 0}
    (folder / "hellaswag_train_first500.jsonl").write_text(json.dumps(raw) + "\n")
    comparisons = lm_eval_comparison.run(program, DEMO, tmp_path, ["hellaswag"], shots=1)
    expect_agreement(comparisons, 8)


def test_a_difference_is_found():
    ours = [{"line": "x:1", "gold": 0, "characters": [1, 1], "log_likelihoods": [[-1.0, -2.0]], "greedy": [[False, False]]}]
    theirs = {"filtered_resps": [("-1.0", "False"), ("-2.0", "False")], "acc": 1.0}
    metrics = {"acc": {"value": 1.0}}
    assert lm_eval_comparison.compare("t", ours, [theirs], metrics).passed()
    far = theirs | {"filtered_resps": [("-1.0", "False"), ("-2.01", "False")]}
    assert not lm_eval_comparison.compare("t", ours, [far], metrics).passed()
    ours[0]["log_likelihoods"] = [[-1.0, -1.001]]
    near = theirs | {"filtered_resps": [("-1.0009", "False"), ("-1.0005", "False")], "acc": 0.0}
    excused = lm_eval_comparison.compare("t", ours, [near], metrics)
    assert excused.passed() and excused.excused == excused.different > 0
    target = {"line": "x:1", "log_likelihoods": [[-1.0]], "greedy": [[True]]}
    assert not lm_eval_comparison.compare(
        "t", [target], [{"filtered_resps": [("-1.0", "False")], "acc": 0.0}], metrics
    ).passed()


@needs_data
@pytest.mark.parametrize(
    ("tasks", "shots", "limit", "likelihoods"),
    [(list(lm_eval_comparison.TASKS), 0, 4, 4 + 16 + 8 + 16 + 16 + 8), (["arc_easy", "winogrande"], 2, 2, 8 + 4)],
    ids=["zero_shot", "few_shot"],
)
def test_the_six_tasks(program, tasks, shots, limit, likelihoods):
    data = Path(DATA) / "benchmarks"
    comparisons = lm_eval_comparison.run(program, DEMO, data, tasks, shots=shots, limit=limit)
    expect_agreement(comparisons, likelihoods)


@needs_data
def test_raw_hellaswag_rows(program, tmp_path):
    """The publisher's rows, cleaned up by lm_eval itself there and by the named step here."""
    lines = (Path(DATA) / "benchmarks/hellaswag/hellaswag_val_raw_sample1000.jsonl").read_text().splitlines()
    # WikiHow's rows, which have the markers, are few.
    chosen = [line for line in lines if "[step]" in line or "[title]" in line][:6]
    (tmp_path / "hellaswag_val.jsonl").write_text("\n".join(chosen) + "\n")
    comparisons = lm_eval_comparison.run(program, DEMO, tmp_path, ["hellaswag"])
    expect_agreement(comparisons, 4 * len(chosen))
    assert len(chosen) == 6
