from __future__ import annotations

import csv
import io

import pytest

from benchmarks.profile.ncu_summary import read_ncu, slowest_of_each, table

TITLES = {
    "ID": "", "Kernel Name": "", "gpu__time_duration.sum": "us",
    "smsp__cycles_elapsed.avg.per_second": "cycle/nsecond", "dram__bytes.sum": "Mbyte",
    "dram__throughput.avg.pct_of_peak_sustained_elapsed": "%",
    "smsp__issue_active.avg.pct_of_peak_sustained_active": "%",
    "sm__inst_executed_pipe_xu.avg.pct_of_peak_sustained_active": "%",
    "launch__registers_per_thread": "register/thread",
    "smsp__average_warps_issue_stalled_short_scoreboard_per_issue_active.ratio": "inst",
    "smsp__average_warps_issue_stalled_barrier_per_issue_active.ratio": "inst",
    "smsp__average_warps_issue_stalled_selected_per_issue_active.ratio": "inst",
}  # fmt: skip
SCAN = "void simba::kernels::(anonymous namespace)::scan_kernel<float, (int)2>(simba::Params<T1>)"


def page(*rows: list[str]) -> list[str]:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([list(TITLES), list(TITLES.values()), *rows])
    return ["==PROF== Connected to process 1\n", "selective_scan, gate\n",
            *text.getvalue().splitlines(keepends=True), "==PROF== Disconnected\n"]  # fmt: skip


def test_units_and_thousands() -> None:
    row = ["0", SCAN, "1,095.4", "1.95", "125.5", "20", "56", "71.5", "88", "2.5", "1.5", "9"]
    (profile,) = read_ncu(page(row))
    assert profile.name == "scan_kernel"
    assert profile.seconds == pytest.approx(1095.4e-6)
    assert profile.clock == pytest.approx(1.95e9)
    assert profile.dram_bytes == pytest.approx(125.5e6)
    assert profile.registers == 88
    assert profile.fma is None
    assert profile.bound == "exponential unit"


def test_below_every_peak_it_waits_for_what_most_warps_wait_for() -> None:
    row = ["0", SCAN, "95", "1.95", "125", "20", "56", "40", "88", "2.5", "1.5", "9"]
    (profile,) = read_ncu(page(row))
    assert profile.bound == "waiting (short scoreboard)"


def test_the_last_launch_counts_and_the_longest_comes_first() -> None:
    def row(name: str, micros: str) -> list[str]:
        return ["0", name, micros, "1.9", "1", "80", "20", "10", "32", "1", "1", "1"]

    rows = [row("gate_kernel(int)", "9"), row("gate_kernel(int)", "5"), row(SCAN, "90")]
    profiles = slowest_of_each(read_ncu(page(*rows)))
    assert [(p.name, round(p.seconds * 1e6)) for p in profiles] == [("scan_kernel", 90), ("gate_kernel", 5)]
    lines = table(profiles)
    assert lines[3].startswith("| gate_kernel | 5.0 | 1.90 | 20 % | 10 % |  | 80 % | 0.20 |")
    assert lines[3].endswith("| memory |")


def test_a_page_without_header_is_an_error() -> None:
    with pytest.raises(ValueError, match='expected a line beginning with "ID"'):
        read_ncu(["==ERROR== no permission\n"])
