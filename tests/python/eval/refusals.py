"""What simba-eval promises of wrong input: one clear line on stderr, nothing on stdout, exit code 2."""

from __future__ import annotations

from subprocess import CompletedProcess


def expect_refusal(done: CompletedProcess[str], part: str) -> None:
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert done.stderr.startswith("simba-eval: error: ")
    assert done.stderr.count("\n") == 1 and done.stderr.endswith("\n"), done.stderr
    assert part in done.stderr
