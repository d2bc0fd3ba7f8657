"""simba-eval perplexity against an independent computation: windows, numbers and words in Python, the
model from transformers."""

from __future__ import annotations

import hashlib
import json
import math
import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest
import sentencepiece
import torch
from checkpoints import DATA, DEMO
from hugging_face import mamba_from_state_spaces

needs_data = pytest.mark.skipif(not DATA, reason="SIMBA_TEST_DATA is not set: no PG-19, no mamba-26m-pg19")


@pytest.fixture(autouse=True)
def one_thread():
    """transformers' Mamba on a CPU is a loop of tiny operations: several threads only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def results_of(folder: Path) -> dict:
    return json.loads((folder / "results.json").read_text())


def row_of(results: dict, criterion: str, context: int, retention: float | None = None) -> dict:
    rows = [
        row
        for row in results["rows"]
        if (row["criterion"], row["context"]) == (criterion, context)
        and retention in (None, row["retention"])
    ]
    assert len(rows) == 1, [row["criterion"] for row in results["rows"]]
    return rows[0]


def spread(lengths: dict[str, int], total: int, count: int) -> list[list]:
    """PAPER's rule: [book, start] of every window."""
    usable = {name: length for name, length in sorted(lengths.items()) if length >= total}
    windows = []
    for index, (name, length) in enumerate(usable.items()):
        n = count // len(usable) + (index < count % len(usable))
        windows += [[name, i * (length - total) // n] for i in range(n)]
    return windows


@torch.no_grad()
def window_nll(model, ids: list[int], start: int, size: tuple[int, int, int]) -> float:
    """Summed nll in float64 of the scored tokens after the newest `length` of a window's context."""
    longest, length, score = size
    first = start + longest
    tokens = torch.tensor(ids[first - length : first + score])
    logits = model(tokens[None, :-1], use_cache=False).logits[0, -score:].double()
    return torch.nn.functional.cross_entropy(logits, tokens[-score:], reduction="sum").item()


def encode(folder: Path, text: str) -> list[int]:
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    return [tokenizer.eos_id(), *tokenizer.encode(text)]


def test_numbers_equal_transformers(simba_eval, story_file, tmp_path):
    longest, score, count = 160, 12, 5
    text = story_file.read_text()
    (tmp_path / "data").mkdir()
    books = {"b": text[: len(text) // 3], "a": text[len(text) // 3 :], "short": text[:300]}
    for name, content in books.items():
        (tmp_path / f"data/{name}.txt").write_text(content)
    out = tmp_path / "out"
    done = simba_eval(
        *("perplexity", "--model", DEMO, "--data", tmp_path / "data", "--out", out),
        *("--context", f"48,{longest}", "--score", score, "--windows", count),
        *("--retention", "0.3", "--criterion", "recent", "--match-flops"),
    )
    assert done.returncode == 0, done.stderr
    assert "1 of 3 books have fewer than 172 ids and are left out: short" in done.stderr
    results = results_of(out)

    ids = {name: encode(DEMO, content) for name, content in books.items()}
    windows = spread({name: len(i) for name, i in ids.items()}, longest + score, count)
    assert results["windows"] == windows
    assert [w[0] for w in windows] == ["a", "a", "a", "b", "b"]
    model = mamba_from_state_spaces(DEMO)
    checked = 0
    for row in results["rows"]:
        if row["criterion"] not in ("dense", "truncated"):
            continue
        size = (longest, row["tokens_read"], score)
        expected = [window_nll(model, ids[book], start, size) for book, start in windows]
        assert row["per_window"]["nll_sum"] == pytest.approx(expected, rel=1e-5)
        assert row["per_window"]["count"] == [score] * count
        mean = sum(expected) / (count * score)
        assert row["perplexity"] == pytest.approx(math.exp(mean), rel=1e-4)
        tokens = sum(len(ids[book]) - 1 for book in "ab")
        words = sum(len(books[book].split()) for book in "ab")
        assert row["perplexity_per_word"] == pytest.approx(math.exp(mean * tokens / words), rel=1e-4)
        checked += 1
    assert checked == 4  # dense and truncated at two contexts


def test_rows_are_consistent(simba_eval, story_file, tmp_path):
    done = simba_eval(
        *("perplexity", "--model", DEMO, "--data", story_file, "--out", tmp_path / "out"),
        *("--context", "200", "--score", "8", "--windows", "6", "--retention", "1,0.5,0.1"),
        *("--criterion", "influence,recent,random", "--decay", "no_bias,full", "--match-flops"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no progress line in a pipe
    results = results_of(tmp_path / "out")
    dense = row_of(results, "dense", 200)
    assert dense["kl_from_dense"] == 0 and dense["same_top"] == 1
    kinds = [(row["criterion"], row["decay"], row["retention"]) for row in results["rows"]]
    expected = [("dense", None, 1)]
    for r in (0.5, 0.1):
        influence = [("influence", decay, r) for decay in ("no_bias", "full")]
        expected += [*influence, ("recent", None, r), ("random", None, r)]
    assert kinds[: len(expected)] == expected
    truncated = results["rows"][len(expected) :]
    assert {row["criterion"] for row in truncated} == {"truncated"}
    budgets = [match for row in truncated for match in row["matches"]]
    assert len(budgets) == 8
    for row in truncated:
        for match in row["matches"]:
            assert abs(row["flops"]["total"] / match["flops"] - 1) < 0.01
    for row in results["rows"]:
        flops = row["flops"]
        assert flops["total"] == sum(flops[part] for part in ("prefill", "scores", "continuation", "head"))
        nll = row["per_window"]["nll_sum"]
        assert row["mean_nll"] == pytest.approx(sum(nll) / (6 * 8), rel=1e-12)
        difference = row["mean_nll"] - dense["mean_nll"]
        assert row["difference_to_dense"]["mean"] == pytest.approx(difference, abs=1e-12)
        assert row["difference_to_dense"]["standard_error"] is None  # one book
        assert row["kl_from_dense"] >= 0
        overlap = row["overlap_with_recent"]
        if row["criterion"] in ("dense", "truncated"):
            assert overlap is None
        else:
            assert row["tokens_per_layer"][-1] == round(200 * row["retention"])
            assert row["perplexity"] != dense["perplexity"]
            assert overlap["layers"] == list(range(11))
        if row["criterion"] == "recent":
            assert set(overlap["per_layer"]) == {1}
        if row["criterion"] == "random":
            # Chance: the share of tokens that is left.
            chance = [tokens / 200 for tokens in row["tokens_per_layer"][1:]]
            assert overlap["mean"] == pytest.approx(sum(chance) / 11, abs=0.1)
    lines = done.stdout.splitlines()
    assert sum(line.startswith(("dense ", "influence ", "recent ", "random ")) for line in lines) == 9


def test_results_do_not_depend_on_batch_or_threads(simba_eval, small_run, tmp_path, monkeypatch):
    # MKL's sums by AVX2 would, and by AVX-512 do not: the program itself must ask for a fixed order.
    monkeypatch.setenv("MKL_ENABLE_INSTRUCTIONS", "AVX2")
    monkeypatch.delenv("MKL_CBWR")
    contents = []
    for name, batch, threads in (("a", 1, 1), ("b", 3, 2), ("c", 2, 1)):
        done = simba_eval(
            *(*small_run, "--criterion", "influence,random", "--match-flops"),
            *("--batch", batch, "--threads", threads, "--out", tmp_path / name),
        )
        assert done.returncode == 0, done.stderr
        contents.append((tmp_path / name / "results.json").read_bytes())
        run = json.loads((tmp_path / name / "run.json").read_text())
        assert (run["batch"], run["threads"], run["processes"]) == (batch, threads, 1)
    assert contents[0] == contents[1] == contents[2]


def test_results_name_their_inputs(simba_eval, small_run, story_file, tmp_path):
    done = simba_eval(*small_run, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    results = results_of(tmp_path / "out")
    settings = results["settings"]

    def digest(path: Path) -> str:
        return hashlib.sha256(path.read_bytes()).hexdigest()

    weights = DEMO / "pytorch_model.bin"
    assert settings["model"]["weights"] == [{"file": weights.name, "sha256": digest(weights)}]
    assert settings["model"]["config"] == json.loads((DEMO / "config.json").read_text())
    assert settings["tokenizer"]["sha256"] == digest(DEMO / "tokenizer.model")
    assert results["books"][0]["sha256"] == digest(story_file)
    assert results["books"][0]["words"] == len(story_file.read_text().split())
    assert (settings["dtype"], settings["device"]) == ("float32", "cpu")
    text = (tmp_path / "out/results.json").read_text()
    assert str(tmp_path) not in text and str(DEMO) not in text


def test_a_windows_file_repeats_a_run(simba_eval, small_run, tmp_path):
    assert simba_eval(*small_run, "--out", tmp_path / "a").returncode == 0
    first = results_of(tmp_path / "a")
    windows = tmp_path / "windows"
    windows.write_text("".join(f"{book} {start}\n" for book, start in reversed(first["windows"])))
    small_run[small_run.index("--windows") + 1] = windows
    assert simba_eval(*small_run, "--out", tmp_path / "b").returncode == 0
    second = results_of(tmp_path / "b")
    for one, other in zip(first["rows"], second["rows"], strict=True):
        assert one["per_window"]["nll_sum"] == other["per_window"]["nll_sum"][::-1]


def test_windows_per_book(simba_eval, small_run, tmp_path):
    at = small_run.index("--windows")
    done = simba_eval(*small_run[:at], *small_run[at + 2 :], "--windows-per-book", 4, "--out", tmp_path / "o")
    assert done.returncode == 0, done.stderr
    results = results_of(tmp_path / "o")
    book = results["books"][0]
    stride = (book["ids"] - 96 - 8) // 4
    assert results["windows"] == [[book["name"], i * stride] for i in range(4)]


def test_results_are_replaced_only_by_force(simba_eval, small_run, tmp_path):
    assert simba_eval(*small_run, "--out", tmp_path).returncode == 0
    before = (tmp_path / "results.json").read_bytes()
    refused = simba_eval(*small_run, "--out", tmp_path)
    assert refused.returncode == 2 and "--force" in refused.stderr
    assert simba_eval(*small_run, "--out", tmp_path, "--force").returncode == 0
    assert (tmp_path / "results.json").read_bytes() == before


def test_an_interrupt_without_a_folder_ends_at_the_next_step(program, small_run):
    small_run[small_run.index("--windows") + 1] = "4000"
    terminal, end = pty.openpty()
    with subprocess.Popen(
        [str(program), *map(str, small_run)],
        stdout=subprocess.PIPE,
        stderr=end,
    ) as process:
        os.close(end)
        seen = b""
        while b"windows" not in seen:
            seen += os.read(terminal, 1000)
        process.send_signal(signal.SIGINT)
        while True:
            try:
                piece = os.read(terminal, 1000)
            except OSError:  # the other end of a terminal was closed
                break
            if not piece:
                break
            seen += piece
        assert process.wait() == 130
        assert process.stdout.read() == b""
    os.close(terminal)
    assert b" %  elapsed " in seen
    assert seen.endswith(b"\r\x1b[Ksimba-eval: error: interrupted\r\n")


@needs_data
def test_pg19_equals_transformers(simba_eval, tmp_path):
    """Of two books: transformers takes 10 s for a window of this length."""
    folder, books = Path(DATA) / "checkpoints/mamba-26m-pg19", tmp_path / "books"
    books.mkdir()
    for book in sorted((Path(DATA) / "pg19/test").glob("*.txt"))[:2]:
        (books / book.name).symlink_to(book)
    done = simba_eval(
        *("perplexity", "--model", folder, "--data", books, "--out", tmp_path / "out"),
        *("--context", 2048, "--score", 64, "--windows", 2, "--retention", 0.1),
    )
    assert done.returncode == 0, done.stderr
    results = results_of(tmp_path / "out")
    assert len({book for book, _ in results["windows"]}) == 2
    model = mamba_from_state_spaces(folder)
    nll = [
        window_nll(model, encode(folder, (books / f"{book}.txt").read_text()), start, (2048, 2048, 64))
        for book, start in results["windows"]
    ]
    dense = row_of(results, "dense", 2048)
    assert dense["per_window"]["nll_sum"] == pytest.approx(nll, rel=1e-4)
    assert dense["perplexity"] == pytest.approx(math.exp(sum(nll) / 128), rel=1e-4)
    share = row_of(results, "influence", 2048, 0.1)["flops"]["share_of_dense"]
    assert round(100 * share["prefill"], 1) == 53.8
    assert round(100 * share["prefill_with_scores"], 1) == 55.8
