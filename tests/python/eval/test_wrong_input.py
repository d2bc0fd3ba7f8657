"""Whatever a user gets wrong gives one clear line on stderr, nothing on stdout and exit code 2."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch
from checkpoints import DATA, DEMO
from gpt_neox import random_gpt_neox, save
from refusals import expect_refusal

REPLACED = [
    # option, value, part of the message
    ("--score", "0", "--score: expected an integer of at least 1, got 0"),
    ("--score", "many", "--score"),
    ("--score", "9223372036854775807", "--score: expected an integer of at most 1099511627776, got 9223372036854775807"),
    ("--context", "64,64", "--context: 64 is given twice"),
    ("--context", "0", "--context: expected integers of at least 1, got '0'"),
    ("--context", "100000000", "is longer than every book"),
    ("--retention", "0", "0"),
    ("--retention", "1.5", "1.5"),
    ("--retention", "half", "half"),
    ("--retention", "0.5,", "--retention: expected values separated by commas"),
    ("--windows", "0", "--windows"),
    ("--windows", "1000000", "different windows"),
    ("--windows", "/no/such/file", "/no/such/file: cannot be read"),
    ("--data", "/no/such/book.txt", "/no/such/book.txt: no such file or folder"),
    ("--model", "/no/such/model", "/no/such/model"),
]

ADDED = [
    (["--dtype", "fp8"], "--dtype: expected one of float32, float64, bfloat16, float16, got 'fp8'"),
    (["--device", "tpu"], "--device: expected cpu, cuda or cuda:INDEX, got 'tpu'"),
    (["--criterion", "importance"], "got 'importance'"),
    (["--decay", "half"], "half"),
    (["--reduction", "min"], "min"),
    (["--schedule", "square"], "square"),
    (["--schedule", "steps:12=0.5"], "12"),
    (["--seed", "x"], "--seed"),
    (["--batch", "0"], "--batch: expected an integer of at least 1, got 0"),
    (["--threads", "0"], "--threads"),
    (["--threads", "2147483648"], "--threads: "),
    (["--threads", "4294967297"], "--threads: "),
    (["--windows-per-book", "3"], "--windows"),
    (["--tokenizer", "/no/such/tokenizer"], "/no/such/tokenizer"),
    (["--out", "/proc/simba"], "--out /proc/simba"),
    (["--out", "/dev/null"], "--out /dev/null"),
    (["--out", ""], "--out: expected a folder, got an empty value"),
    (["--no-such-flag"], "--no-such-flag"),
    (["--context"], "--context"),
]


@pytest.mark.parametrize(("option", "value", "part"), REPLACED, ids=lambda value: str(value)[:24])
def test_a_wrong_value(simba_eval, small_run, option, value, part):
    small_run[small_run.index(option) + 1] = value
    expect_refusal(simba_eval(*small_run), part)


@pytest.mark.parametrize(("arguments", "part"), ADDED, ids=lambda value: " ".join(value)[:30])
def test_a_wrong_option(simba_eval, small_run, arguments, part):
    expect_refusal(simba_eval(*small_run, *arguments), part)


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["--no-such-flag"], ["perplexity"]])
def test_a_wrong_command(simba_eval, arguments):
    expect_refusal(simba_eval(*arguments), "")


def test_a_cuda_device_that_is_not_there(simba_eval, small_run):
    part = "CUDA devices present" if torch.cuda.is_available() else "no CUDA device"
    expect_refusal(simba_eval(*small_run, "--device", "cuda:99"), "--device cuda:99: ")
    assert part in simba_eval(*small_run, "--device", "cuda:99").stderr


@pytest.fixture
def model(small_run, tmp_path) -> Path:
    """A copy of the demo's checkpoint that the run reads."""
    folder = tmp_path / "model"
    folder.mkdir()
    for file in DEMO.iterdir():
        shutil.copyfile(file, folder / file.name)
    small_run[small_run.index("--model") + 1] = folder
    return folder


@pytest.mark.parametrize("file", ["config.json", "pytorch_model.bin", "tokenizer.model"])
def test_a_missing_file(simba_eval, small_run, model, file):
    (model / file).unlink()
    expect_refusal(simba_eval(*small_run), str(model))


def test_data_is_looked_at_before_weights_are_loaded(simba_eval, small_run, model):
    (model / "pytorch_model.bin").write_bytes(b"")
    small_run[small_run.index("--data") + 1] = "/no/such/book.txt"
    expect_refusal(simba_eval(*small_run), "/no/such/book.txt: no such file or folder")


def test_more_tokens_than_the_model_reads(simba_eval, small_run, tmp_path):
    """Before weights are loaded, whichever context comes first; the last scored token is not fed."""
    folder = tmp_path / "pythia"
    save(random_gpt_neox({"vocab_size": 4096, "max_position_embeddings": 100}), folder)
    shutil.copy(DEMO / "tokenizer.model", folder)
    small_run[small_run.index("--model") + 1] = folder
    small_run[small_run.index("--retention") + 1] = "1"
    small_run[small_run.index("--context") + 1] = "20,93"
    assert simba_eval(*small_run).returncode == 0
    (folder / "model.safetensors").write_bytes(b"")
    small_run[small_run.index("--context") + 1] = "20,94"
    expect_refusal(
        simba_eval(*small_run),
        "--context: expected context + score - 1 of at most the model's 100 tokens, got 94 + 8 - 1",
    )


@pytest.mark.parametrize("file", ["config.json", "pytorch_model.bin", "tokenizer.model"])
def test_a_truncated_file(simba_eval, small_run, model, file):
    content = (model / file).read_bytes()
    (model / file).write_bytes(content[: len(content) // 2])
    expect_refusal(simba_eval(*small_run), file)


def test_a_forbidden_global(simba_eval, small_run, model):
    torch.save({"backbone.norm_f.weight": torch.ones(256), "payload": print}, model / "pytorch_model.bin")
    expect_refusal(simba_eval(*small_run), "forbidden global")


def test_tensors_of_wrong_shape(simba_eval, small_run, model):
    weights = torch.load(model / "pytorch_model.bin", weights_only=True)
    weights["backbone.layers.3.mixer.D"] = torch.ones(7)
    torch.save(weights, model / "pytorch_model.bin")
    expect_refusal(simba_eval(*small_run), "7")


def test_data_that_cannot_be_read(simba_eval, small_run, tmp_path):
    data = small_run.index("--data") + 1
    small_run[data] = tmp_path
    expect_refusal(simba_eval(*small_run), "expected *.txt files, found none")
    (tmp_path / "a.txt").write_text("")
    expect_refusal(simba_eval(*small_run), "a.txt: expected text, got an empty file")
    (tmp_path / "a.txt").write_bytes(b"fine \xff not fine")
    expect_refusal(simba_eval(*small_run), "a.txt")


def test_a_book_whose_name_results_cannot_hold(simba_eval, small_run, story_file, tmp_path):
    book = tmp_path / os.fsdecode(b"caf\xe9.txt")
    shutil.copyfile(story_file, book)
    small_run[small_run.index("--data") + 1] = book
    expect_refusal(simba_eval(*small_run), "expected a name in UTF-8, got 'caf\\xe9.txt'")


def test_a_model_whose_name_results_cannot_hold(simba_eval, small_tasks, tmp_path):
    model = tmp_path / os.fsdecode(b"caf\xe9")
    shutil.copytree(DEMO, model)
    small_tasks[small_tasks.index("--model") + 1] = model
    expect_refusal(simba_eval(*small_tasks), "expected a name in UTF-8, got 'caf\\xe9'")


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("nobody 0", ":2: expected the name of a book of --data, got 'nobody'"),
        ("{book} 100000000", ":2: expected a start in [0, "),
        ("{book} -1", ":2: expected a start in [0, "),
        ("{book}", ":2: expected 'book start'"),
        ("{book} 3", ":2: window {book} 3 is given twice"),
    ],
)
def test_a_windows_file_that_does_not_fit(simba_eval, small_run, story_file, tmp_path, line, part):
    windows = tmp_path / "windows"
    windows.write_text(f"{story_file.stem} 3\n{line.format(book=story_file.stem)}\n")
    small_run[small_run.index("--windows") + 1] = windows
    expect_refusal(simba_eval(*small_run), f"{windows}{part.format(book=story_file.stem)}")


def test_a_refusal_leaves_no_folder(simba_eval, small_run, tmp_path):
    small_run[small_run.index("--context") + 1] = "100000000"
    expect_refusal(simba_eval(*small_run, "--out", tmp_path / "new"), "longer than every book")
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(not DATA, reason="SIMBA_TEST_DATA is not set: no tokenizer larger than the demo's model")
def test_a_tokenizer_larger_than_the_model(simba_eval, small_run):
    tokenizer = Path(DATA) / "checkpoints/mamba-26m-pg19/tokenizer.model"
    expect_refusal(simba_eval(*small_run, "--tokenizer", tokenizer), "the model's 4096 rows")
