"""Several processes give one process's results, byte for byte, and end together when one of them is lost."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from checkpoints import DEMO
from test_resume import has_ended

LAUNCHERS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_", "TORCHELASTIC", "SLURM_", "OMP_NUM_THREADS")


def run_of(story_file: Path) -> list[str]:
    """A run of twelve units."""
    return [
        *("perplexity", "--model", str(DEMO), "--data", str(story_file), "--context", "96", "--score", "8"),
        *("--windows", "24", "--batch", "2", "--retention", "0.5", "--criterion", "influence,random"),
        # Tiny operations on several threads only wait for each other on a busy machine.
        *("--threads", "1"),
    ]


@pytest.fixture
def command(story_file: Path) -> list[str]:
    return run_of(story_file)


@pytest.fixture(scope="module")
def expected(simba_eval, story_file, tmp_path_factory) -> bytes:
    """The results of one process."""
    out = tmp_path_factory.mktemp("one") / "out"
    done = simba_eval(*run_of(story_file), "--out", out)
    assert done.returncode == 0, done.stderr
    return (out / "results.json").read_bytes()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def environment(**variables: object) -> dict[str, str]:
    """This one without what a launcher may have set, and with `variables`."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(LAUNCHERS)}
    return plain | {name: str(value) for name, value in variables.items()}


class Processes:
    """Runs of one command, as torchrun would start them."""

    def __init__(self, program: Path, command: list[str], count: int, **variables: object) -> None:
        port = free_port()
        self.all = [
            start(
                [str(program), *command],
                **{"RANK": rank, "WORLD_SIZE": count, "LOCAL_RANK": rank},
                **{"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port},
                **variables,
            )
            for rank in range(count)
        ]

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.all:
            process.kill()
            process.communicate()

    def finish(self) -> list[tuple[int, str, str]]:
        """Exit code, stdout and stderr of each."""
        ends = [process.communicate() for process in self.all]
        return [(p.returncode, *end) for p, end in zip(self.all, ends, strict=True)]


def start(command: list[str], **variables: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(**variables)
    )


def wait_for_units(processes: Processes, journal: Path, units: int) -> None:
    while not journal.exists() or journal.read_bytes().count(b"\n") < 1 + units:
        assert not any(has_ended(process) for process in processes.all)


@pytest.mark.parametrize("count", [2, 3])
def test_many_equal_one(program, command, expected, tmp_path, count):
    with Processes(program, [*command, "--out", str(tmp_path / "out")], count) as processes:
        ends = processes.finish()
    assert [code for code, _, _ in ends] == [0] * count, ends
    assert (tmp_path / "out/results.json").read_bytes() == expected
    assert f'"processes": {count}' in (tmp_path / "out/run.json").read_text()
    assert "24 windows of 1 book" in ends[0][1]
    # With fewer cores than processes every process warns.
    assert [out for _, out, _ in ends[1:]] == [""] * (count - 1)


def test_threads_are_shared_and_said(program, command):
    del command[-2:]
    with Processes(program, command, 2) as processes:
        ends = processes.finish()
    assert [code for code, _, _ in ends] == [0, 0], ends
    assert "2 processes share the " in ends[0][2] and ends[0][2].count("\n") == 1
    assert ends[1][1:] == ("", "")
    cores = os.cpu_count()
    command[command.index("--windows") + 1] = "1"
    with Processes(program, [*command, "--threads", str(cores)], 2) as processes:
        for _, _, errors in processes.finish():
            assert f"warning: 2 processes of --threads {cores} share the {cores} cores" in errors


def test_without_a_folder(program, simba_eval, command):
    def numbers(table: str) -> list[list[str]]:
        return [line.split()[:-2] for line in table.splitlines()]  # without the two times

    with Processes(program, command, 2) as processes:
        ends = processes.finish()
    assert [code for code, _, _ in ends] == [0, 0], ends
    assert numbers(ends[0][1]) == numbers(simba_eval(*command).stdout)


def test_torchrun(program, command, expected, tmp_path):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = start([*torchrun, "--no-python", str(program), *command, "--out", str(tmp_path / "out")])
    printed, errors = done.communicate()
    assert done.returncode == 0, errors
    assert printed.count("24 windows of 1 book") == 1
    assert (tmp_path / "out/results.json").read_bytes() == expected


def test_srun(program, command, expected, tmp_path):
    job = {"SLURM_JOB_ID": os.getpid(), "SLURM_STEP_ID": 0, "SLURM_NTASKS": 2}
    job |= {"SLURM_STEP_NODELIST": "localhost", "MASTER_PORT": free_port()}
    tasks = [
        start(
            [str(program), *command, "--out", str(tmp_path / "out")],
            **{"SLURM_PROCID": rank, "SLURM_LOCALID": rank},
            **job,
        )
        for rank in range(2)
    ]
    ends = [task.communicate() for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0], ends
    assert (tmp_path / "out/results.json").read_bytes() == expected


# (signal, who gets it, what the others say)
LOSSES = [
    (signal.SIGKILL, 1, "process 1 of 3 (on "),
    (signal.SIGSTOP, 2, "process 2 of 3 (on "),
    (signal.SIGKILL, 0, "the store that the processes share does not answer"),
    (signal.SIGSTOP, 0, "the store that the processes share has not answered for "),
]


@pytest.mark.parametrize(("lost_by", "lost", "message"), LOSSES, ids=lambda value: str(value)[:12])
def test_a_lost_process_ends_the_run(program, simba_eval, command, expected, tmp_path, lost_by, lost, message):
    out = tmp_path / "out"
    arguments = [*command, "--out", str(out)]
    with Processes(program, arguments, 3, SIMBA_HEARTBEAT_SECONDS=3) as processes:
        wait_for_units(processes, out / "journal.jsonl", 1)
        processes.all[lost].send_signal(lost_by)
        others = [process for rank, process in enumerate(processes.all) if rank != lost]
        for process in others:
            _, errors = process.communicate()
            assert process.returncode == 1
            lines = [line for line in errors.splitlines() if "error: " in line]
            assert any(message in line for line in lines), errors
            assert "frame #" not in errors
    assert not (out / "results.json").exists()
    done = simba_eval(*arguments, "--resume")
    assert done.returncode == 0, done.stderr
    assert (out / "results.json").read_bytes() == expected


def test_settings_must_agree(program, command, tmp_path):
    port = free_port()
    variables = {"WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "SIMBA_HEARTBEAT_SECONDS": 20}
    first = start([str(program), *command, "--out", str(tmp_path / "out")], RANK=0, **variables)
    command[command.index("--windows") + 1] = "25"
    second = start([str(program), *command], RANK=1, **variables)
    _, errors = second.communicate()
    assert second.returncode == 2
    assert "simba-eval: process 1: error: process 1 of 2" in errors
    assert "windows.count: 24 then, 25 now" in errors
    _, errors = first.communicate()
    assert first.returncode == 1
    assert "process 1 of 2" in errors and "its own message says why" in errors


def test_wrong_input_is_refused_by_everybody(program, command):
    command[command.index("--data") + 1] = "/no/such/book.txt"
    with Processes(program, command, 2) as processes:
        for code, printed, errors in processes.finish():
            assert code in (1, 2) and printed == ""
            assert "/no/such/book.txt: no such file or folder" in errors or "stopped before the end" in errors


def test_an_interrupt_of_one_stops_all(program, command, expected, tmp_path):
    out = tmp_path / "out"
    arguments = [*command, "--out", str(out)]
    with Processes(program, arguments, 3) as processes:
        wait_for_units(processes, out / "journal.jsonl", 1)
        processes.all[1].send_signal(signal.SIGINT)
        ends = processes.finish()
    assert [code for code, _, _ in ends] == [130] * 3, ends
    assert " of 12 units are finished and in " in ends[0][2]
    assert "; to go on: " in ends[0][2]
    units = (out / "journal.jsonl").read_bytes().count(b"\n") - 1
    assert f"interrupted: {units} of 12 units" in ends[0][2]
    with Processes(program, [*arguments, "--resume"], 2) as processes:
        assert [code for code, _, _ in processes.finish()] == [0, 0]
    assert (out / "results.json").read_bytes() == expected
