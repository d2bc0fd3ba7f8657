"""A run that was cut off goes on to the same bytes. SIMBA_KILLS=20 kills it at more moments than CI does."""

from __future__ import annotations

import json
import os
import random
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from checkpoints import DEMO

KILLS = int(os.environ.get("SIMBA_KILLS", "3"))
UNITS = 10


def run_of(story_file: Path) -> list[str]:
    """A run of ten units, each of some tens of milliseconds."""
    return [
        *("perplexity", "--model", str(DEMO), "--data", str(story_file), "--context", "96", "--score", "8"),
        *("--windows", str(UNITS), "--batch", "1", "--retention", "0.5", "--criterion", "influence,random"),
        # Tiny operations on several threads only wait for each other on a busy machine.
        *("--threads", "1"),
    ]


@pytest.fixture
def command(story_file: Path) -> list[str]:
    return run_of(story_file)


@pytest.fixture(scope="module")
def whole(simba_eval, story_file, tmp_path_factory) -> Path:
    """The folder of a run that nothing interrupted."""
    out = tmp_path_factory.mktemp("resume") / "whole"
    done = simba_eval(*run_of(story_file), "--out", out)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def expected(whole) -> bytes:
    return (whole / "results.json").read_bytes()


def size_of(journal: Path) -> int:
    return journal.stat().st_size if journal.exists() else 0


def start_until(program: Path, command: list[str], out: Path, size: int) -> subprocess.Popen[str]:
    """Starts a run and returns when its journal has this size, or when it has ended."""
    process = subprocess.Popen(
        [str(program), *command, "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while size_of(out / "journal.jsonl") < size and not has_ended(process):
        pass
    return process


def has_ended(process: subprocess.Popen[str]) -> bool:
    """Leaves the core to it for a millisecond."""
    try:
        process.wait(0.001)
    except subprocess.TimeoutExpired:
        return False
    return True


def kill_at(program: Path, command: list[str], out: Path, size: int) -> None:
    with start_until(program, command, out, size) as process:
        process.kill()


def units_in(out: Path) -> int:
    """Whole lines without the header."""
    lines = (out / "journal.jsonl").read_bytes().split(b"\n")[1:-1]
    return sum(b'"unit":' in line for line in lines)


def leave_unfinished(program: Path, command: list[str], out: Path) -> None:
    """Leaves a run with some of its units."""
    kill_at(program, command, out, 1)
    header = size_of(out / "journal.jsonl")
    kill_at(program, [*command, "--resume"], out, header + 500)
    assert not (out / "results.json").exists()
    assert 0 < units_in(out) < UNITS


@pytest.fixture(scope="module")
def part(program, story_file, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("resume") / "part"
    leave_unfinished(program, run_of(story_file), out)
    return out


@pytest.fixture
def unfinished(part, tmp_path) -> Path:
    """The folder of a run with some of its units."""
    return Path(shutil.copytree(part, tmp_path / "out"))


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_run_killed_at_any_moment_goes_on_to_the_same_bytes(program, simba_eval, command, whole, expected, tmp_path, seed):
    size = size_of(whole / "journal.jsonl")
    moments = random.Random(seed)
    out = tmp_path / "out"
    for _ in range(2):
        kill_at(program, [*command, "--resume"], out, moments.randint(0, size))
    journal = out / "journal.jsonl"
    kept = journal.read_bytes() if journal.exists() else b""
    done = simba_eval(*command, "--out", out, "--resume")
    assert done.returncode == 0, done.stderr
    assert (out / "results.json").read_bytes() == expected
    assert journal.read_bytes().startswith(kept[: kept.rfind(b"\n") + 1])
    assert units_in(out) == UNITS


def test_an_unfinished_run_is_not_run_over(simba_eval, command, expected, unfinished):
    out = unfinished
    before = (out / "journal.jsonl").read_bytes()
    refused = simba_eval(*command, "--out", out)
    assert refused.returncode == 2
    assert "give --resume to go on with it, or --force to begin anew" in refused.stderr
    assert (out / "journal.jsonl").read_bytes() == before
    assert simba_eval(*command, "--out", out, "--force").returncode == 0
    assert (out / "results.json").read_bytes() == expected


@pytest.mark.parametrize(
    ("option", "value", "difference"),
    [
        ("--score", "9", "score: 8 then, 9 now"),
        ("--retention", "0.4", "retention: [0.5] then, [0.4] now"),
        ("--criterion", "influence", 'criterion: ["influence","random"] then, ["influence"] now'),
        ("--batch", "2", "batch: 1 then, 2 now"),
        ("--windows", "11", "windows.count: 10 then, 11 now"),
    ],
)
def test_changed_settings_are_named(simba_eval, command, unfinished, option, value, difference):
    before = (unfinished / "journal.jsonl").read_bytes()
    command[command.index(option) + 1] = value
    refused = simba_eval(*command, "--out", unfinished, "--resume")
    assert refused.returncode == 2
    assert "--resume" in refused.stderr and difference in refused.stderr, refused.stderr
    assert (unfinished / "journal.jsonl").read_bytes() == before


def test_changed_files_are_named(program, simba_eval, command, story_file, tmp_path):
    story = tmp_path / "story.txt"
    shutil.copy(story_file, story)
    model = tmp_path / "model"
    shutil.copytree(DEMO, model)
    command[command.index("--data") + 1] = str(story)
    command[command.index("--model") + 1] = str(model)
    leave_unfinished(program, command, tmp_path / "out")
    story.write_text(story.read_text() + "The end.\n")
    refused = simba_eval(*command, "--out", tmp_path / "out", "--resume")
    assert refused.returncode == 2 and "books[0].sha256: " in refused.stderr
    shutil.copy(story_file, story)
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "note": "changed"}))
    refused = simba_eval(*command, "--out", tmp_path / "out", "--resume")
    assert refused.returncode == 2
    assert 'model.config.note: nothing then, "changed" now' in refused.stderr, refused.stderr


def test_a_finished_run_is_left_as_it_is(simba_eval, command, whole, expected, tmp_path):
    out = Path(shutil.copytree(whole, tmp_path / "out"))
    before = {file.name: file.stat().st_mtime_ns for file in out.iterdir()}
    done = simba_eval(*command, "--out", out, "--resume")
    assert done.returncode == 0
    assert "results.json is there already, from when this run was finished" in done.stderr
    assert {file.name: file.stat().st_mtime_ns for file in out.iterdir()} == before
    # Killed between the last unit and the results: only those are missing.
    (out / "results.json").unlink()
    assert simba_eval(*command, "--out", out, "--resume").returncode == 0
    assert (out / "results.json").read_bytes() == expected


def test_a_folder_whose_name_is_not_utf8(simba_eval, command, expected, tmp_path):
    out = tmp_path / os.fsdecode(b"caf\xe9")
    done = simba_eval(*command, "--out", out)
    assert done.returncode == 0, done.stderr
    assert (out / "results.json").read_bytes() == expected
    assert "caf\ufffd" in json.loads((out / "run.json").read_text())["command_line"]


def test_a_damaged_journal_is_refused_by_line(simba_eval, command, unfinished):
    journal = unfinished / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    lines[1] = lines[1].replace('"nll":[', '"nll":[1')
    journal.write_text("".join(lines))
    refused = simba_eval(*command, "--out", unfinished, "--resume")
    assert refused.returncode == 2
    assert f"{journal}:2: the checksum does not fit" in refused.stderr


def test_two_runs_do_not_write_one_folder(program, simba_eval, command, tmp_path):
    with start_until(program, command, tmp_path / "out", 1) as process:
        process.send_signal(signal.SIGSTOP)
        try:
            for flag in ("--resume", "--force"):
                refused = simba_eval(*command, "--out", tmp_path / "out", flag)
                assert refused.returncode == 2
                assert "another run is writing this folder" in refused.stderr
        finally:
            process.kill()


@pytest.mark.parametrize("flags", [["--resume"], ["--resume", "--force", "--out", "x"]])
def test_resume_needs_a_folder_and_no_force(simba_eval, command, flags):
    refused = simba_eval(*command, *flags)
    assert refused.returncode == 2 and "--resume" in refused.stderr


def test_an_interrupt_finishes_the_unit_and_says_how_to_go_on(program, command, whole, expected, tmp_path):
    out = tmp_path / "with blanks"
    header = (whole / "journal.jsonl").read_bytes().index(b"\n") + 1
    with start_until(program, [*command, "--force"], out, header + 1) as process:
        process.send_signal(signal.SIGINT)
        printed, errors = process.communicate()
    assert process.returncode == 130
    assert printed == ""
    units = units_in(out)
    assert 0 < units < UNITS
    message = errors.splitlines()[-1]
    assert f"interrupted: {units} of {UNITS} units are finished and in {out}/journal.jsonl" in message
    line = message.partition("; to go on: ")[2]
    assert "--force" not in line
    done = subprocess.run(shlex.split(line), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (out / "results.json").read_bytes() == expected
