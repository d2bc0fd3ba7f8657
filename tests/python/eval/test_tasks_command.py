"""simba-eval tasks: a task that is only a file, and figures that follow from the log-likelihoods."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from checkpoints import DATA, DEMO
from task_figures import check_results

needs_data = pytest.mark.skipif(not DATA, reason="SIMBA_TEST_DATA is not set: no benchmarks")


def results_of(folder: Path) -> dict:
    return json.loads((folder / "results.json").read_text())


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


def test_another_cpu_does_not_go_on(simba_eval, small_tasks, tmp_path, monkeypatch):
    arguments = [*small_tasks, "--retention", "0.5", "--out", tmp_path / "o"]
    assert simba_eval(*arguments).returncode == 0
    settings = json.loads((tmp_path / "o/journal.jsonl").read_text().splitlines()[0])["settings"]
    assert [row["method"] for row in settings["rows"]] == ["dense", "influence(decay=no_bias,reduction=max) linear r=0.5"]
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    other = simba_eval(*arguments, "--resume")
    assert other.returncode == 2 and "computed_by.cpu_capability: " in other.stderr, other


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
