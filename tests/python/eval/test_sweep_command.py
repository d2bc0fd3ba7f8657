"""simba-eval sweep: the single commands' numbers, matched FLOPs, resuming, several processes, plans, wrong input."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import sentencepiece
from checkpoints import DATA, DEMO, ROOT
from simba_ssm.report.__main__ import main as report
from sweeps import make_world
from test_processes import Processes
from test_resume import kill_at, size_of, units_in

needs_data = pytest.mark.skipif(not DATA, reason="SIMBA_TEST_DATA is not set: no benchmarks")
CONFIGS = sorted((ROOT / "configs/paper").glob("*.toml")) + sorted((ROOT / "configs/local").glob("*.toml"))


@pytest.fixture(scope="module")
def world(tmp_path_factory, story_file) -> Path:
    return make_world(tmp_path_factory.mktemp("world"), story_file)


@pytest.fixture
def mutable(world, tmp_path) -> Path:
    return Path(shutil.copytree(world, tmp_path / "world"))


def command_in(world: Path) -> list[str]:
    return [
        *("sweep", str(world / "sweeps/sweep.toml"), "--data", str(world / "data")),
        *("--models", str(world / "models"), "--batch", "2", "--batch-tokens", "300", "--threads", "1"),
    ]


@pytest.fixture(scope="module")
def whole(simba_eval, world, tmp_path_factory) -> Path:
    """The output folder of an uninterrupted run."""
    out = tmp_path_factory.mktemp("whole") / "out"
    done = simba_eval(*command_in(world), "--out", out)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for name in ("small", "large", "pythia"):
        assert f"\n{name}\n\nharbour: 10 documents" in done.stdout
    assert done.stdout.count("6 windows of 1 book, 8 scored tokens each") == 3
    return out


def results_of(folder: Path) -> dict:
    return json.loads((folder / "results.json").read_text())


def test_the_numbers_are_those_of_the_single_commands(simba_eval, world, whole, tmp_path):
    sweep = results_of(whole)
    methods = ["--criterion", "influence,recent", "--retention", "0.5,0.2", "--match-flops"]
    for name in ("small", "large", "pythia"):
        chosen = methods if name != "pythia" else ["--retention", "1"]
        model = ["--model", world / "models" / name]
        tasks = simba_eval(
            "tasks", *model, "--data", world / "data", "--tasks", world / "harbour.toml", *chosen,
            *("--out", tmp_path / f"{name}-tasks"),
        )  # fmt: skip
        assert tasks.returncode == 0, tasks.stderr
        single = results_of(tmp_path / f"{name}-tasks")
        rows = [row for row in sweep["rows"] if row["model"] == name]
        # A truncated row that reads what another one does also matches that one's methods.
        same = [r for r in rows if "budget" not in r]
        assert [without(r, "matched", "method") for r in same] == [
            without(r, "matched", "method") for r in single["rows"]
        ]
        assert sweep["models"][("small", "large", "pythia").index(name)] == single["models"][0]
        perplexity = simba_eval(
            "perplexity", *model, "--data", world / "data/book.txt", "--context", "120,240", "--score", "8",
            *("--windows", "6", *chosen, "--out", tmp_path / f"{name}-perplexity"),
        )  # fmt: skip
        assert perplexity.returncode == 0, perplexity.stderr
        single = results_of(tmp_path / f"{name}-perplexity")
        rows = [r for r in sweep["perplexity_rows"] if r["model"] == name and "budget" not in r]
        added = ("model", "name", "label")
        assert [without(r, *added) for r in rows] == single["rows"]
        for key in ("windows", "books", "text"):
            assert sweep[key] == single[key]
        assert sweep["settings"]["tokenizer"] == single["settings"]["tokenizer"]


def without(row: dict, *keys: str) -> dict:
    return {key: value for key, value in row.items() if key not in keys}


def test_budgets_are_met(whole):
    """Every budget, matched model and truncated row is within 1 % of what it is to spend."""
    results = results_of(whole)
    dense = {}
    for row in results["rows"] + results["perplexity_rows"]:
        if row["name"] == "dense":
            dense[row["model"], row.get("context")] = row["flops"]["total"]
    budgets = set()
    for rows in (results["rows"], results["perplexity_rows"]):
        for row in rows:
            total = row["flops"]["total"]
            context = row.get("context")
            if "budget" in row:
                asked = row["budget"]["asked"]
                base = dense["small" if asked == "dense small" else row["model"], context]
                expected = base if asked == "dense small" else 0.8 * base
                assert row["budget"]["flops"] == pytest.approx(expected, rel=1e-12)
                assert total == pytest.approx(expected, rel=0.01)
                budgets.add((row["model"], asked, context))
            matched = row.get("matched") or [match["method"] for match in row.get("matches", [])]
            for name in matched:
                (spent,) = [
                    other["flops"]["total"]
                    for other in rows
                    if (other["name"], other["model"], other.get("context")) == (name, row["model"], context)
                ]
                assert total == pytest.approx(spent, rel=0.01)
    places = (None, 120, 240)
    assert budgets == {(model, "0.8", place) for model in ("small", "large") for place in places} | {
        ("large", "dense small", place) for place in places
    }
    assert [row["model"] for row in results["rows"] if row["name"] == "dense"] == ["small", "large", "pythia"]
    assert len([row for row in results["rows"] if row["model"] == "pythia"]) == 1


def test_documents_belong_to_the_rows(whole):
    results = results_of(whole)
    for document in results["documents"]["harbour"]:
        assert len(document["log_likelihoods"]) == len(results["rows"])
    for index, row in enumerate(results["rows"]):
        right = [
            max(range(2), key=lambda c, d=d: (d["log_likelihoods"][index][c], -c)) == d["gold"]
            for d in results["documents"]["harbour"]
        ]
        assert row["metrics"]["acc"]["value"] == pytest.approx(sum(right) / len(right))


def test_killed_and_resumed(program, simba_eval, world, whole, tmp_path):
    out = tmp_path / "out"
    command = command_in(world)
    size = size_of(whole / "journal.jsonl")
    for part in (0.4, 0.8):
        kill_at(program, [*command, "--resume"], out, int(size * part))
        assert not (out / "results.json").exists()
    kept = units_in(out)
    assert 0 < kept < units_in(whole)
    done = simba_eval(*command, "--out", out, "--resume")
    assert done.returncode == 0, done.stderr
    assert (out / "results.json").read_bytes() == (whole / "results.json").read_bytes()


def test_two_processes_equal_one(program, world, whole, tmp_path):
    with Processes(program, [*command_in(world), "--out", str(tmp_path / "out")], 2) as processes:
        ends = processes.finish()
    assert [code for code, _, _ in ends] == [0, 0], ends
    assert (tmp_path / "out/results.json").read_bytes() == (whole / "results.json").read_bytes()
    assert ends[1][1] == ""


def test_what_is_finished_survives_what_is_wrong_later(program, simba_eval, mutable, whole, tmp_path):
    """A model that broke between two starts is named before anything runs; mended, the run goes on."""
    out = tmp_path / "out"
    command = command_in(mutable)
    kill_at(program, command, out, size_of(whole / "journal.jsonl") // 2)
    journal = (out / "journal.jsonl").read_bytes()
    assert units_in(out) > 0
    weights = mutable / "models/pythia/model.safetensors"
    content = weights.read_bytes()
    os.truncate(weights, len(content) - 1000)
    done = simba_eval(*command, "--out", out, "--resume")
    assert done.returncode == 2
    assert f"{mutable}/sweeps/sweep.toml:3: model pythia: " in done.stderr and "model.safetensors" in done.stderr
    assert (out / "journal.jsonl").read_bytes().startswith(journal[: journal.rfind(b"\n") + 1])
    weights.write_bytes(content)
    done = simba_eval(*command, "--out", out, "--resume")
    assert done.returncode == 0, done.stderr
    assert (out / "results.json").read_bytes() == (whole / "results.json").read_bytes()


def test_changed_settings_are_named(simba_eval, mutable, tmp_path):
    command = [*command_in(mutable), "--limit", "2", "--out", tmp_path / "out"]
    assert simba_eval(*command).returncode == 0
    file = mutable / "sweeps/sweep.toml"
    file.write_text(file.read_text().replace("[0.5, 0.2]", "[0.5, 0.25]"))
    done = simba_eval(*command, "--resume")
    assert done.returncode == 2 and "retention" in done.stderr, done.stderr
    results = results_of(tmp_path / "out")
    assert {row["documents"] for row in results["rows"]} == {2} and len(results["windows"]) == 2


def test_the_report_reads_it(whole, tmp_path, capsys):
    assert report([str(whole), "--out", str(tmp_path)]) == 0, capsys.readouterr().err
    text = (tmp_path / "report.md").read_text()
    for expected in ("harbour", "small", "large", "pythia", "truncated", "Perplexity"):
        assert expected in text
    assert "Nothing says" not in text


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_plan(simba_eval, config, tmp_path):
    """Without weights, tokenizers or data at hand."""
    done = simba_eval("sweep", config, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    header = config.read_text().split('title = "')[1].split('"')[0]
    assert done.stdout.startswith(header + "\n")
    assert done.stdout.rstrip().endswith("nothing was computed")
    units = int(done.stdout.splitlines()[-1].split()[0])
    assert units > 0
    if "[[tasks]]" in config.read_text():
        assert "no --data: every task's length is nominal" in done.stdout
    if "budget = " in config.read_text():
        assert "% off)" in done.stdout
    assert "dense" in done.stdout


def test_a_plan_says_what_the_run_does(simba_eval, world, whole):
    done = simba_eval(*command_in(world), "--dry-run")
    assert done.returncode == 0, done.stderr
    results = results_of(whole)
    assert f"{units_in(whole)} units of work in all" in done.stdout
    assert "nominal" not in done.stdout
    lines = [line for line in done.stdout.splitlines() if "%" in line and not line.startswith("tokens")]
    assert len(lines) == len(results["rows"]) + len(results["perplexity_rows"])
    for row in results["rows"]:
        if row["name"] == "dense":
            assert f"{row['flops']['total'] / 1e9:#.4g}" in done.stdout


def test_a_plan_needs_no_tokenizer(simba_eval, mutable):
    for tokenizer in mutable.glob("models/*/tokenizer.model"):
        tokenizer.unlink()
    done = simba_eval(*command_in(mutable), "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "note: small: no tokenizer: every task's length is nominal, 100 context tokens" in done.stdout
    refused = simba_eval(*command_in(mutable))
    assert refused.returncode == 2
    assert "sweep.toml:3: model small: no tokenizer beside the weights in " in refused.stderr
    plan = simba_eval(*command_in(mutable), "--dry-run", "--tokenizer", DEMO / "tokenizer.model")
    assert plan.returncode == 0 and "nominal" not in plan.stdout


@needs_data
def test_the_smoke_sweep(simba_eval, tmp_path):
    done = simba_eval(
        "sweep", ROOT / "configs/local/small_smoke.toml", "--data", Path(DATA or "") / "benchmarks",
        *("--limit", "3", "--threads", "1", "--out", tmp_path / "out"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(results_of(tmp_path / "out")["rows"]) == 6


WRONG = [
    ('title = "Three small models"', "", ":1: expected a key 'title'"),
    ('title = "Three small models"', 'titel = "x"\ntitle = "x"', ":2: unknown key 'titel'; expected one of "),
    ('title = "Three small models"', 'title = "x', ":2: not TOML: "),
    ('"pythia"]', '"gpt-5"]', ":3: model gpt-5: not in "),
    ('"pythia"]', '"small"]', ":3: models: 'small' is given twice"),
    ('"pythia"]', '{ name = "pythia", weights = "x" }]', ":3: unknown key 'weights'"),
    ('"../harbour.toml"', '"harbor"', ":6: tasks: expected one of arc_challenge, "),
    ('names = ["../harbour.toml"]', 'names = ["../harbour.toml"]\nshots = -1', ":7: shots: expected an integer of at least 0"),
    ('names = ["../harbour.toml"]', 'names = ["../harbour.toml"]\nshots = 99', ":6: shots: expected at most 9"),
    ('names = ["../harbour.toml"]', 'names = ["../harbour.toml"]\nexamples = "best"', ":7: examples: expected first_n or seeded"),
    ('names = ["../harbour.toml"]', 'names = ["../harbour.toml"]\nmax_length = 4000', ":6: model pythia reads at most 2048 tokens"),
    ('names = ["../harbour.toml"]', 'names = ["../harbour.toml", "../harbour.toml"]', ":6: names: '../harbour.toml' is given twice"),
    ('text = "book.txt"', 'text = "nothing.txt"', ":8: perplexity: data "),
    ("contexts = [120, 240]", "contexts = [120, 2080]", ":8: model pythia reads at most 2048 tokens, got perplexity: context 2080"),
    ("contexts = [120, 240]", 'contexts = [120, "x"]', ":10: contexts: expected integers of at least 1, got 'x'"),
    ("windows = 6", "windows = 60000", ":8: perplexity: windows: book book "),
    ("windows = 6", "windows = 1000000000000", ":12: windows: expected an integer of at most 1048576, got 1000000000000"),
    ("score = 8", "score = 9223372036854775807", ":11: score: expected an integer of at most 1099511627776, got 92233"),
    ("contexts = [120, 240]", "contexts = [120, 9223372036854775807]", ":10: contexts: expected an integer of at most 1099511627776"),
    ("windows = 6", "window = 6", ":12: unknown key 'window'"),
    ('criterion = ["influence", "recent"]', 'criterion = ["influence", "importance"]', ":15: criterion: "),
    ('criterion = "random"', 'criterion = "random"\ndecay = "full"', ":21: decay: only the criterion influence reads it"),
    ('criterion = ["influence", "recent"]', 'decay = "some"', ":15: decay: "),
    ('criterion = ["influence", "recent"]', 'reduction = "min"', ":15: reduction: "),
    ('criterion = ["influence", "recent"]', 'schedule = "cubic"', ":15: schedule: expected linear, constant or "),
    ("retention = [0.5, 0.2]", "retention = [0.5, 1.2]", ":16: retention: expected a decimal in (0, 1]"),
    ("retention = [0.5, 0.2]", "retention = 0.5\nbudget = 0.6", ":17: expected one of retention, budget and match"),
    ("retention = [0.5, 0.2]", "", ":14: expected one of retention, budget and match, got none"),
    ("budget = 0.8", 'budget = "0.8 FLIP"', ":21: budget: expected a share of dense in (0, 1]"),
    ("budget = 0.8", "budget = 0.1", ":19: model small, task harbour: budget 0.1: random: budget: expected a run total within 1 % of one in ["),
    ('match = "small"', 'match = "tiny"', ":26: match: expected models of this file (small, large, pythia), got 'tiny'"),
    ('models = ["large"]', 'models = ["pythia"]', ":24: models: pythia is of the family gpt_neox"),
    ('match = "small"', 'match = "pythia"', ":24: model large, task harbour: budget dense pythia: "),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "part"), WRONG, ids=[f"{part[:28]}{i}" for i, (_, _, part) in enumerate(WRONG)])
def test_wrong_sweeps(simba_eval, mutable, tmp_path, old, new, part):
    """Each is found before anything is computed."""
    file = mutable / "sweeps/sweep.toml"
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))
    out = tmp_path / "out"
    refused = simba_eval(*command_in(mutable), "--out", out)
    assert refused.returncode == 2, refused
    assert refused.stdout == "" and refused.stderr.count("\n") == 1
    assert f"{file}{part}" in refused.stderr, refused.stderr
    assert not out.exists()


def test_wrong_files(simba_eval, mutable, world, tmp_path):
    def refused(*more: object) -> str:
        done = simba_eval(*command_in(mutable), *more)
        assert done.returncode == 2 and done.stdout == "", done
        return done.stderr

    assert "--out excludes --dry-run" in refused("--out", tmp_path / "out", "--dry-run")
    (mutable / "data/harbour.jsonl").write_text('{"story": "x"}\n')
    assert "harbour.jsonl:1: " in refused()
    shutil.copy(world / "data/harbour.jsonl", mutable / "data")
    # A tokenizer with more ids than the model has rows.
    config = mutable / "models/large/config.json"
    config.write_text(config.read_text().replace('"vocab_size": 4096', '"vocab_size": 1000'))
    assert "model large: " in refused() and "expected ids below the model's 1000 rows" in refused()
    shutil.copy(world / "models/large/config.json", config)
    # Windows in ids of one tokenizer are other text in those of another.
    sentencepiece.SentencePieceTrainer.train(
        input=str(mutable / "data/book.txt"),
        model_prefix=str(mutable / "models/pythia/tokenizer"),
        vocab_size=400,
        model_type="bpe",
        byte_fallback=True,
        minloglevel=9,
    )
    assert "sweep.toml:8: perplexity: the tokenizers of small and pythia cut the books differently" in refused()
    done = simba_eval("sweep", mutable / "sweeps/sweep.toml", "--models", mutable / "models")
    assert done.returncode == 2 and "--data: expected a folder" in done.stderr
