"""simba-eval reads its command line without LibTorch, whose loading takes a third of a second."""

from __future__ import annotations

import os
import subprocess

import pytest
from checkpoints import DEMO


def loaded_libraries(program, *arguments: str) -> str:
    """What the dynamic linker says of the libraries that it loads."""
    environment = os.environ | {"LD_DEBUG": "files"}
    done = subprocess.run(
        [program, *arguments], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return done.stderr


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["sweep", "--help"], ["--version"], ["--no-such-flag"], ["perplexity", "--score", "many"]],
    ids=" ".join,
)
def test_a_command_line_alone_needs_no_libtorch(program, arguments):
    libraries = loaded_libraries(program, *arguments)
    assert "libstdc++" in libraries
    assert "libtorch" not in libraries and "libsimba" not in libraries


def test_a_command_loads_it(program):
    libraries = loaded_libraries(program, "tokenize", "--tokenizer", str(DEMO))
    assert "libsimba_eval.so" in libraries and "libtorch" in libraries


def test_the_version(simba_eval):
    done = simba_eval("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("simba-eval ") and "(torch " in done.stdout


@pytest.mark.parametrize("arguments", [["--version"], ["tokenize", "--tokenizer", str(DEMO)]], ids=["version", "tokenize"])
def test_output_that_cannot_be_written(program, arguments):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [program, *arguments], stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, "simba-eval: error: standard output cannot be written\n")


@pytest.mark.parametrize("command", ["perplexity", "tasks", "sweep"])
def test_what_the_help_says_of_batches_and_threads(simba_eval, command):
    text = " ".join(simba_eval(command, "--help").stdout.split())
    assert "changes no result on a CPU in float32, float64 and bfloat16" in text
    assert "shared among the processes of a host" in text


def test_a_library_that_is_missing_is_named(program, tmp_path):
    alone = tmp_path / "bin/simba-eval"
    alone.parent.mkdir()
    alone.write_bytes(program.read_bytes())
    alone.chmod(0o755)
    done = subprocess.run([alone, "tokenize", "--tokenizer", DEMO], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("simba-eval: error: libsimba_eval.so: ") and done.stderr.count("\n") == 1
