"""simba-eval tasks: wrong documents, task files and options are refused by name and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from checkpoints import DATA
from refusals import expect_refusal
from tides import TASK

needs_data = pytest.mark.skipif(not DATA, reason="SIMBA_TEST_DATA is not set: no tokenizer larger than the demo's model")


@pytest.mark.parametrize(
    ("line", "part"),
    [
        (b'{"kind": "sea", "who": "x"}', ":13: expected a field 'text', found 'kind, who'"),
        (b'{"kind": "sea", "who": "\xff"}', ":13: "),
        (b'{"kind": "sea", ', ":13: invalid JSON at byte "),
        (b'["sea"]', ":13: expected a JSON object, got array"),
        (b'{"kind": "sea", "who": "x", "text": "no", "a": "y", "b": "z", "label": "A"}', ":13: expected a '?' in 'no'"),
        (b'{"kind": "sea", "who": "x", "text": "?", "a": "", "b": "z", "label": "A"}', ":13: expected a text as choice 0"),
        (b'{"kind": "sea", "who": "x", "text": "?", "a": "y", "b": "z", "label": "D"}', ":13: label: expected A to C, got 'D'"),
        (b'{"kind": "sea", "who": "x", "text": ["?"], "a": "y", "b": "z", "label": "A"}', ":13: expected field 'text' to be a text"),
    ],
)  # fmt: skip
def test_a_wrong_document(simba_eval, small_tasks, tides, tmp_path, line, part):
    with (tides / "tides.jsonl").open("ab") as file:
        file.write(line + b"\n")
    out = tmp_path / "o"
    expect_refusal(simba_eval(*small_tasks, "--out", out), f"{tides}/tides.jsonl{part}")
    assert not out.exists()


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ('name = "tides"', 'name = "tides', ":2: not TOML: "),
        ('name = "tides"', 'name = "tides"\ncolour = 3', ":3: unknown key 'colour'; expected one of "),
        ("labels", "label", ":11: unknown key 'label'"),
        ("{a}\"", "{a\"", ":15: '{a' has a brace without its partner"),
        ("|strip", "|trim", ":14: expected before('..')"),
        ('"acc_bytes", ', '"f1", ', ":24: expected one of acc, acc_norm, acc_bytes, perplexity, got 'f1'"),
        ('form = "letter"', "", ":19: expected a key 'form'"),
        ('["tides.jsonl"]', '["neap.jsonl"]', "task tides expects one of neap.jsonl, found none"),
        ('["sea"]', '["sky"]', "has kind among the values"),
    ],
)  # fmt: skip
def test_a_wrong_task_file(simba_eval, small_tasks, tides, old, new, part):
    assert old in TASK
    (tides / "tides.toml").write_text(TASK.replace(old, new, 1))
    expect_refusal(simba_eval(*small_tasks), part)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--tasks", "arc_hard"], "--tasks: expected one of arc_challenge, arc_easy, hellaswag"),
        (["--tasks", "piqa", "--configs", "/nowhere"], "there are none in /nowhere"),
        (["--tasks", "x.toml"], "--tasks: no such file: x.toml"),
        (["--data", "/no/such"], "--data /no/such: expected a folder"),
        (["--shots", "7"], "--shots: expected at most 5"),
        (["--shots", "-1"], "--shots"),
        (["--fewshot", "best"], "--fewshot: expected first_n or seeded, got 'best'"),
        (["--limit", "0"], "--limit"),
        (["--max-length", "0"], "--max-length: expected an integer of at least 1, got 0"),
        (["--max-length", "3"], "tides.jsonl:1: expected a continuation of at most 3 tokens (--max-length), got "),
        (["--batch-tokens", "0"], "--batch-tokens: expected an integer of at least 1, got 0"),
        (["--budget", "2"], "--budget: expected a share of dense in (0, 1] or a number of FLOPs such as 12.3GFLOP, got '2'"),
        (["--budget", "0.9", "--retention", "0.5"], "--budget"),
        (["--criterion", "importance"], "got 'importance'"),
        (["--resume"], "--out"),
        (["--dtype", "fp8"], "--dtype"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else None,
)  # fmt: skip
def test_a_wrong_option(simba_eval, small_tasks, arguments, part):
    for name, value in zip(arguments[::2], arguments[1::2], strict=False):
        if name in small_tasks:
            small_tasks[small_tasks.index(name) + 1] = value
            arguments = [a for a in arguments if a not in (name, value)]
    expect_refusal(simba_eval(*small_tasks, *arguments), part)


def test_labels_of_another_length(simba_eval, small_tasks, tides):
    (tides / "examples.lst").write_text("A\nB\n")
    expect_refusal(
        simba_eval(*small_tasks, "--shots", "1"),
        f"{tides}/examples.lst: expected a label for each of 5 documents, got 2 lines",
    )


@needs_data
def test_a_tokenizer_larger_than_the_model(simba_eval, small_tasks, tides):
    tokenizer = Path(DATA) / "checkpoints/mamba-26m-pg19/tokenizer.model"
    done = simba_eval(*small_tasks, "--tokenizer", tokenizer)
    expect_refusal(done, f"{tides}/tides.jsonl:1: the tokenizer does not fit the model: id ")
    assert "the model's 4096 rows" in done.stderr
