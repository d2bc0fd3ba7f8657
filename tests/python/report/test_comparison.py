"""Only what was asked alike is put side by side."""

from __future__ import annotations

from pathlib import Path

from made_up import Json, changed, perplexity, sweep, write

from simba_ssm.report.comparison import Comparison, compare
from simba_ssm.report.read_results import read_results

ARC = sweep(("mamba-130m",), ("arc_easy",), ("0.5",))


def compared(tmp_path: Path, *made: Json) -> Comparison:
    folders = [write(tmp_path / str(i), each) for i, each in enumerate(made)]
    return compare([read_results(folder) for folder in folders])


def other_model(made: Json) -> Json:
    return changed(made, "settings.model.weights.0.sha256", "9" * 64)


def test_models_on_the_same_windows_are_put_together(tmp_path: Path) -> None:
    comparison = compared(tmp_path, perplexity(), other_model(perplexity()))
    (group,) = comparison.perplexities
    assert len(group.rows) == 2 * len(perplexity()["rows"])
    assert comparison.notes == []


def test_the_same_scored_tokens_count_however_long_the_contexts(tmp_path: Path) -> None:
    long = perplexity(contexts=(512, 1024, 2048))
    short = changed(perplexity(contexts=(512, 1024)), "windows", [["book", 1024], ["book", 4024]])
    assert len(compared(tmp_path, long, other_model(short)).perplexities) == 1


def apart(tmp_path: Path, place: str, value: object) -> Comparison:
    comparison = compared(tmp_path, perplexity(), changed(perplexity(), place, value))
    assert [group.name for group in comparison.perplexities] == ["Perplexity (A)", "Perplexity (B)"]
    return comparison


def test_other_windows_are_kept_apart(tmp_path: Path) -> None:
    (note,) = apart(tmp_path, "windows.1.1", 3001).notes
    assert note == (
        "Perplexity: results that differ in scored tokens must not be compared and are shown apart "
        f"(A: {tmp_path}/0/results.json; B: {tmp_path}/1/results.json)."
    )


def test_another_number_of_scored_tokens_is_kept_apart(tmp_path: Path) -> None:
    assert "differ in scored tokens" in apart(tmp_path, "settings.score", 64).notes[0]


def test_another_text_is_kept_apart(tmp_path: Path) -> None:
    assert "differ in scored tokens" in apart(tmp_path, "books.0.sha256", "0" * 64).notes[0]


def test_other_tokenizers_and_types_are_kept_apart(tmp_path: Path) -> None:
    assert "in tokenizer must" in apart(tmp_path, "settings.tokenizer.sha256", "0" * 64).notes[0]
    assert "in number type must" in apart(tmp_path, "settings.dtype", "bfloat16").notes[0]


def test_other_documents_are_kept_apart(tmp_path: Path) -> None:
    for place, value, what in (
        ("settings.tasks.0.files.0.sha256", "0" * 64, "files"),
        ("settings.tasks.0.config_sha256", "0" * 64, "prompt"),
        ("settings.tasks.0.limit", 500, "limit"),
        ("settings.tasks.0.max_length", 1024, "longest input"),
        ("settings.dtype", "bfloat16", "number type"),
    ):
        comparison = compared(tmp_path, ARC, changed(ARC, place, value))
        assert [group.name for group in comparison.tasks] == ["arc_easy (A)", "arc_easy (B)"]
        assert f"differ in {what} must" in comparison.notes[0]


def test_shots_are_different_tasks(tmp_path: Path) -> None:
    few = sweep(("mamba-130m",), ("arc_easy",), ("0.5",), shots=5)
    comparison = compared(tmp_path, ARC, few)
    assert [group.name for group in comparison.tasks] == ["arc_easy", "arc_easy, 5-shot"]
    assert comparison.notes == []


def test_files_that_do_not_say_what_was_asked_are_kept_apart(tmp_path: Path) -> None:
    silent = changed(ARC, "settings.tasks", ...)
    comparison = compared(tmp_path, silent, silent)
    assert len(comparison.tasks) == 2


def test_equal_rows_of_two_files_are_shown_once(tmp_path: Path) -> None:
    comparison = compared(tmp_path, ARC, ARC)
    assert len(comparison.tasks[0].rows) == len(ARC["rows"])
    assert comparison.notes == []


def test_equal_rows_with_other_numbers_are_named(tmp_path: Path) -> None:
    comparison = compared(tmp_path, ARC, changed(ARC, "rows.1.metrics.acc.value", 0.5))
    assert len(comparison.tasks[0].rows) == len(ARC["rows"])
    (note,) = comparison.notes
    assert "mamba-130m, influence no_bias max 0.5 has other numbers in" in note


def test_a_missing_baseline_is_named(tmp_path: Path) -> None:
    comparison = compared(tmp_path, changed(ARC, "rows.0", ...))
    assert comparison.notes == ["arc_easy: the files hold no dense row of mamba-130m."]


def test_what_a_run_says_of_its_task_is_repeated_once(tmp_path: Path) -> None:
    noted = changed(ARC, "settings.tasks.0.notes", ["the examples are from the test set"])
    assert compared(tmp_path, noted, noted).notes == ["the examples are from the test set."]
