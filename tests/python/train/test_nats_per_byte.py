"""Every id of a text is scored once, and bytes make tokenizers comparable."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from checkpoints import DEMO, story
from simba_ssm.modeling import SimbaForCausalLM
from simba_ssm.train.nats_per_byte import difference, main, text_nll, windows
from simba_ssm.train.tokenizer import load_tokenizer


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 12, 13, 100])
def test_every_id_is_scored_once(count: int) -> None:
    scored = []
    for begin, end, first in windows(count, 8):
        assert 0 <= begin < first < end <= min(begin + 8, count)
        # Half a window of context, where there is as much.
        assert first - begin >= min(4, first)
        scored += range(first, end)
    assert scored == list(range(1, count))


def test_a_short_text_is_one_dense_pass() -> None:
    model = SimbaForCausalLM.from_pretrained(DEMO, dtype=torch.float32)
    ids = [1, *load_tokenizer(DEMO / "tokenizer.model").encode([story()[:300]])[0]]
    with torch.no_grad():
        logits = model(torch.tensor([ids[:-1]])).logits[0]
        expected = float(F.cross_entropy(logits, torch.tensor(ids[1:]), reduction="sum"))
    assert text_nll(model, ids, 512, 2) == pytest.approx(expected, rel=1e-5)
    # Windows of 32: each id knows less, so the text is longer in nats, and how many are read at once
    # does not matter.
    short = text_nll(model, ids, 32, 1)
    assert short > expected
    assert text_nll(model, ids, 32, 3) == pytest.approx(short, rel=1e-5)


def test_difference_by_hand() -> None:
    mean, error = difference([3.0, 5.0], [2.0, 2.0], [10, 30])
    assert mean == 0.1
    # Residuals 0 and 0.
    assert error == 0
    mean, error = difference([3.0, 5.0], [2.0, 2.0], [20, 20])
    assert (mean, error) == (0.1, pytest.approx((2 * (1 + 1)) ** 0.5 / 40))
    assert difference([3.0], [2.0], [10]) == (0.1, None)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text(story()[:400])
    (tmp_path / "b.txt").write_text(story()[400:900])
    arguments = [
        str(DEMO),
        str(DEMO),
        "--data",
        str(tmp_path),
        "--length",
        "128",
        "--device",
        "cpu",
    ]
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"2 texts, {len(story()[:900].encode())} bytes, windows of 128 ids"
    assert [line.split("|")[3].strip() for line in lines[-2:]] == ["+0.00000 ± 0.00000"] * 2
    nats = float(lines[-1].split("|")[2])
    assert 0.5 < nats < 2

    assert main([str(tmp_path), "--data", str(tmp_path)]) == 2
    assert "config.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("", [], "x.txt: expected a text that is not empty, found none"),
        ("a", ["--rows", "0"], "--rows: expected at least 1, got 0"),
        ("a", ["--length", "1"], "--length: expected at least 2, got 1"),
        ("a", ["--device", "foo"], "--device: expected one that is here, got 'foo'"),
        ("a", ["--device", "cuda:99"], "--device: expected one that is here, got 'cuda:99'"),
    ],
)
def test_wrong_input_is_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
    arguments: list[str],
    message: str,
) -> None:
    (tmp_path / "x.txt").write_text(text)
    assert main([str(DEMO), "--data", str(tmp_path / "x.txt"), *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("simba_ssm.train.nats_per_byte: ") and line.endswith(message)
