"""simba-eval tokenize and inspect-model."""

from __future__ import annotations

import re

import pytest
import sentencepiece
import torch
from checkpoints import DEMO
from gpt_neox import random_gpt_neox, save

TEXT = "The tide went out.\n\n  Two blanks, caf\u00e9 \u2014 and \U0001f642\n"


@pytest.fixture(scope="module")
def tokenizer() -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(model_file=str(DEMO / "tokenizer.model"))


@pytest.mark.parametrize("path", [DEMO, DEMO / "tokenizer.model"], ids=["folder", "file"])
def test_ids_of_a_whole_text(simba_eval, tokenizer, path):
    done = simba_eval("tokenize", "--tokenizer", path, stdin=TEXT)
    assert done.returncode == 0, done.stderr
    assert [int(word) for word in done.stdout.split()] == tokenizer.encode(TEXT)
    assert done.stdout.count("\n") == 1


def test_ids_of_lines_with_a_document_start(simba_eval, tokenizer, tmp_path):
    (tmp_path / "text").write_text(TEXT)
    done = simba_eval(
        "tokenize", "--tokenizer", DEMO, "--lines", "--document-start", tmp_path / "text"
    )
    ids = [[int(word) for word in line.split()] for line in done.stdout.splitlines()]
    assert ids == [[1, *tokenizer.encode(line)] for line in TEXT.splitlines()]


@pytest.mark.parametrize("options", [[], ["--document-start"], ["--lines"]])
def test_decode_gives_the_text_back(simba_eval, options):
    encoded = simba_eval("tokenize", "--tokenizer", DEMO, *options, stdin=TEXT)
    decoded = simba_eval("tokenize", "--tokenizer", DEMO, "--decode", *options, stdin=encoded.stdout)
    assert decoded.stdout == TEXT, decoded.stderr


@pytest.mark.parametrize("word", ["4096", "-1", "x", "1.5"])
def test_what_is_no_id_is_refused(simba_eval, word):
    done = simba_eval("tokenize", "--tokenizer", DEMO, "--decode", stdin=f"5 {word} 6")
    assert done.returncode == 2
    assert done.stderr == f"simba-eval: error: --decode: expected ids in [0, 4096), got '{word}'\n"


def test_inspect_model(simba_eval):
    done = simba_eval("inspect-model", DEMO)
    assert done.returncode == 0, done.stderr
    weights = torch.load(DEMO / "pytorch_model.bin", weights_only=True)
    stored = {name: tensor for name, tensor in weights.items() if name != "lm_head.weight"}
    parameters = sum(tensor.numel() for tensor in stored.values())
    assert re.search(rf"^parameters +{parameters}$", done.stdout, re.MULTILINE)
    assert re.search(r"^layout +state-spaces$", done.stdout, re.MULTILINE)
    assert re.search(r"^layers\.11\.in_proj +\(1024, 256\) +bfloat16$", done.stdout, re.MULTILINE)
    assert re.search(r"^influence linear r=0\.1, with scores +\S+ +\d\d\.\d%$", done.stdout, re.MULTILINE)


def test_inspect_gpt_neox(simba_eval, tmp_path):
    model = random_gpt_neox()
    done = simba_eval("inspect-model", save(model, tmp_path))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in lines if line}
    assert rows["family"] == ["gpt_neox"]
    assert rows["parameters"] == [str(model.num_parameters())]
    assert rows["rotary_dim"] == ["2"] and rows["max_length"] == ["64"]
    assert rows["layers.2.mlp_in"] == ["(72,", "40)", "float32"]
    # A model that reads every token has one row of FLOPs.
    assert lines[-2].startswith("prefill of (1, 64)") or lines[-3].startswith("prefill of (1, 64)")
    assert rows["dense"][1] == "100.0%" and "influence" not in done.stdout


def test_inspect_what_is_no_model(simba_eval, tmp_path):
    done = simba_eval("inspect-model", tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("simba-eval: error: ") and done.stderr.count("\n") == 1
