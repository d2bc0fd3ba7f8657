"""simba-eval tasks: a task that is only a file, figures that follow from the log-likelihoods, wrong input."""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path

import pytest
from checkpoints import DATA, DEMO

needs_data = pytest.mark.skipif(not DATA, reason="SIMBA_TEST_DATA is not set: no benchmarks")

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


@pytest.fixture
def tides(tmp_path) -> Path:
    write_lines(tmp_path / "tides.jsonl", documents(12))
    write_lines(tmp_path / "examples.jsonl", [{**row, "label": None} for row in documents(5)])
    (tmp_path / "examples.lst").write_text("A\nB\nC\nA\nB\n")
    (tmp_path / "tides.toml").write_text(TASK)
    return tmp_path


@pytest.fixture
def small_tasks(tides) -> list[object]:
    return ["tasks", "--model", DEMO, "--data", tides, "--tasks", tides / "tides.toml"]


def results_of(folder: Path) -> dict:
    return json.loads((folder / "results.json").read_text())


def first_of_largest(values: list[float]) -> int:
    return max(range(len(values)), key=lambda i: (values[i], -i))


def verdicts(document: dict, row: int) -> dict[str, float]:
    """What the documents' log-likelihoods say of each metric."""
    likelihoods = document["log_likelihoods"][row]
    if "gold" not in document:
        return {"acc": float(document["greedy"][row][0]), "perplexity": likelihoods[0]}
    lengths = {"acc": [1] * len(likelihoods), "acc_norm": document["characters"], "acc_bytes": document["bytes"]}
    return {
        name: float(first_of_largest([v / n for v, n in zip(likelihoods, by, strict=True)]) == document["gold"])
        for name, by in lengths.items()
    }


def check_results(results: dict) -> None:
    """Every figure of every row, from the log-likelihoods and FLOPs in the same file."""
    tasks = {row["task"] for row in results["rows"]}
    for task in tasks:
        rows = [row for row in results["rows"] if row["task"] == task]
        key = task if rows[0]["shots"] == 0 else f"{task}, {rows[0]['shots']}-shot"
        dense = [verdicts(document, 0) for document in results["documents"][key]]
        for index, row in enumerate(rows):
            values = [verdicts(document, index) for document in results["documents"][key]]
            assert row["documents"] == len(values)
            for name, metric in row["metrics"].items():
                mean = statistics.fmean(value[name] for value in values)
                error = statistics.stdev(value[name] for value in values) / math.sqrt(len(values))
                if name == "perplexity":
                    mean, error = math.exp(-mean), math.exp(-mean) * error
                assert metric["value"] == pytest.approx(mean, rel=1e-12)
                assert metric["standard_error"] == pytest.approx(error, rel=1e-9, abs=1e-12)
            flops = row["flops"]
            parts = flops["prefill"] + flops["scores"] + flops["continuation"] + flops["head"]
            assert flops["total"] == pytest.approx(parts, rel=1e-15)
            assert row["flops_share"] == pytest.approx(flops["total"] / rows[0]["flops"]["total"], rel=1e-15)
            if index == 0:
                assert row["name"] == "dense" and "difference" not in row
                continue
            primary = row["primary_metric"]
            changes = [value[primary] - base[primary] for value, base in zip(values, dense, strict=True)]
            assert row["difference"]["value"] == pytest.approx(statistics.fmean(changes), abs=1e-12)
            error = statistics.stdev(changes) / math.sqrt(len(changes))
            assert row["difference"]["standard_error"] == pytest.approx(error, rel=1e-9, abs=1e-12)
            for name in row.get("matched", []):
                spent = next(other["flops"]["total"] for other in rows if other["name"] == name)
                assert flops["total"] == pytest.approx(spent, rel=0.01)


def test_a_task_is_a_file(simba_eval, small_tasks, tmp_path):
    done = simba_eval(
        *small_tasks, "--retention", "0.4", "--criterion", "influence,random", "--match-flops", "--out", tmp_path / "o"
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no progress line in a pipe
    assert "tides: 9 documents, 9 contexts" in done.stdout
    assert "invented for this test" in done.stdout
    results = results_of(tmp_path / "o")
    assert results["format"] == "simba-eval tasks 1"
    assert [row["label"] for row in results["rows"]] == [
        *("dense", "influence no_bias max", "random", "truncated", "truncated")
    ]
    check_results(results)
    lines = [document["line"] for document in results["documents"]["tides"]]
    assert lines == [f"tides.jsonl:{i + 1}" for i in range(12) if i % 4 != 3]
    document = results["documents"]["tides"][1]
    assert document["gold"] == 1
    assert document["characters"] == [16, 8, len("neither out to the sea 1 nor caf\u00e9caf\u00e9")]
    assert document["bytes"][1] == 10
    row = results["rows"][1]
    assert row["method"] == {
        "criterion": "influence",
        "decay": "no_bias",
        "reduction": "max",
        "retention": "0.4",
        "schedule": "linear",
    }
    assert 0 < row["overlap_with_recent"]["mean"] <= 1
    assert results["models"][0]["name"] == "model"
    run = json.loads((tmp_path / "o/run.json").read_text())
    assert len(run["row_seconds"]) == 5 and all(entry["seconds"] > 0 for entry in run["row_seconds"])


def test_shots_stand_before_the_question(simba_eval, small_tasks, tmp_path):
    """Few-shot prompts are other prompts; first_n ignores the seed, seeded does not."""
    likelihoods = {}
    for shots, sampling, seed in [(0, "first_n", 0), (2, "first_n", 0), (2, "first_n", 1), (2, "seeded", 0), (2, "seeded", 1)]:
        out = tmp_path / f"{shots}{sampling}{seed}"
        done = simba_eval(
            *small_tasks, "--retention", "1", "--shots", shots, "--fewshot", sampling, "--seed", seed, "--out", out
        )
        assert done.returncode == 0, done.stderr
        results = results_of(out)
        check_results(results)
        (rows,) = results["documents"].values()
        likelihoods[shots, sampling, seed] = [row["log_likelihoods"] for row in rows]
    assert likelihoods[2, "first_n", 0] == likelihoods[2, "first_n", 1]
    different = [likelihoods[key] for key in likelihoods if key != (2, "first_n", 1)]
    assert all(a != b for i, a in enumerate(different) for b in different[:i])


def test_results_depend_neither_on_batch_nor_on_threads(simba_eval, small_tasks, tmp_path):
    texts = []
    for number, (tokens, threads) in enumerate([(4096, 2), (1, 1), (130, 3)]):
        out = tmp_path / str(number)
        done = simba_eval(
            *small_tasks, "--retention", "0.3", "--criterion", "influence,random", "--match-flops",
            *("--batch-tokens", tokens, "--threads", threads, "--out", out),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        texts.append((out / "results.json").read_bytes())
    assert texts[0] == texts[1] == texts[2]


def test_a_finished_run_resumes_to_itself(simba_eval, small_tasks, tmp_path):
    out = tmp_path / "o"
    arguments = [*small_tasks, "--retention", "0.5", "--batch-tokens", "100", "--out", out]
    whole = simba_eval(*arguments)
    assert whole.returncode == 0, whole.stderr
    expected = (out / "results.json").read_bytes()
    journal = (out / "journal.jsonl").read_text().splitlines(keepends=True)
    (out / "results.json").unlink()
    (out / "journal.jsonl").write_text("".join(journal[:4]) + journal[4][:30])
    resumed = simba_eval(*arguments, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert (out / "results.json").read_bytes() == expected
    assert resumed.stdout == whole.stdout
    other = simba_eval(*arguments, "--resume", "--limit", "3")
    assert other.returncode == 2 and "limit" in other.stderr


def test_a_budget_is_met(simba_eval, small_tasks, tmp_path):
    done = simba_eval(*small_tasks, "--budget", "0.85,0.9", "--criterion", "influence,recent", "--out", tmp_path / "o")
    assert done.returncode == 0, done.stderr
    rows = results_of(tmp_path / "o")["rows"]
    assert [row.get("budget", {}).get("asked") for row in rows] == [None, "0.85", "0.9", "0.85", "0.9"]
    dense = rows[0]["flops"]["total"]
    for row in rows[1:]:
        assert row["flops"]["total"] == pytest.approx(float(row["budget"]["asked"]) * dense, rel=0.01)
    # Scores cost FLOPs: at the same budget recent keeps more.
    kept = [float(row["method"]["retention"]) for row in rows[1:]]
    assert kept[0] < kept[2] and kept[1] < kept[3]
    again = simba_eval(*small_tasks, "--budget", f"{0.9 * dense / 1e9:.6f}GFLOP", "--criterion", "recent")
    assert again.returncode == 0, again.stderr
    out_of_reach = simba_eval(*small_tasks, "--budget", "0.2", "--out", tmp_path / "none")
    assert out_of_reach.returncode == 2
    assert "task tides: --budget 0.2: influence no_bias max: budget: expected a run total within 1 % of one in [" in (
        out_of_reach.stderr
    )
    assert not (tmp_path / "none").exists()


def expect_refusal(done, part: str) -> None:
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert done.stderr.startswith("simba-eval: error: ")
    assert done.stderr.count("\n") == 1 and done.stderr.endswith("\n"), done.stderr
    assert part in done.stderr


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


@needs_data
def test_the_six_tasks(simba_eval, tmp_path):
    """From the files as they are, in any batch; the counts are those of the data's own notes."""
    texts = []
    for batch_tokens in (300, 4096):
        out = tmp_path / str(batch_tokens)
        done = simba_eval(
            *("tasks", "--model", DEMO, "--data", Path(DATA) / "benchmarks", "--limit", "5"),
            *("--retention", "0.3", "--match-flops", "--batch-tokens", batch_tokens, "--out", out),
        )
        assert done.returncode == 0, done.stderr
        texts.append((out / "results.json").read_bytes())
    assert texts[0] == texts[1]
    results = json.loads(texts[0])
    check_results(results)
    assert {row["task"]: row["primary_metric"] for row in results["rows"]} == {
        "lambada_openai": "acc",
        "hellaswag": "acc_norm",
        "piqa": "acc",
        "arc_easy": "acc",
        "arc_challenge": "acc_norm",
        "winogrande": "acc",
    }
    assert [document["gold"] for document in results["documents"]["hellaswag"]] == [3, 3, 2, 2, 1]
    assert [document["gold"] for document in results["documents"]["piqa"]] == [0, 1, 1, 1, 0]
    choices = {task: len(rows[0]["log_likelihoods"][0]) for task, rows in results["documents"].items()}
    assert choices == {
        "lambada_openai": 1,
        "hellaswag": 4,
        "piqa": 2,
        "arc_easy": 4,
        "arc_challenge": 4,
        "winogrande": 2,
    }
