from __future__ import annotations

import made_up_run
import pytest

from benchmarks.compare import budget
from benchmarks.compare.floors import Work
from benchmarks.compare.rows import Case, Row


def case(name: str, importance: float, calls: list[str], fails: bool = False) -> Case:
    def run() -> list[Row]:
        calls.append(name)
        if fails:
            raise ValueError(f"{name} is wrong")
        return [made_up_run.row("operators", name, "simba", 1e-6, Work(bytes=1))]

    return Case("operators", name, importance, run)


@pytest.fixture
def cpu_result():
    result = made_up_run.result()
    result.machine = made_up_run.machine("cpu")
    return result


def test_the_important_come_first_and_a_failure_stops_nothing(cpu_result) -> None:
    calls: list[str] = []
    written: list[int] = []
    cases = [case("late", 2, calls), case("broken", 1, calls, fails=True), case("first", 0, calls)]
    budget.run_cases(cases, cpu_result, None, lambda result: written.append(len(result.rows)))
    assert calls == ["first", "broken", "late"]
    assert cpu_result.failures == [("operators: broken", "", "ValueError: broken is wrong")]
    assert written == [1, 1, 2]
    assert [row.subject for row in cpu_result.rows] == ["late", "first"]  # as the cases were listed


def test_no_case_begins_after_the_time_is_up(cpu_result) -> None:
    calls: list[str] = []
    seconds = iter(range(0, 1000, 20))
    cases = [case(name, 0, calls) for name in "abcd"]
    budget.run_cases(cases, cpu_result, 1.5, lambda result: None, now=lambda: next(seconds))
    assert calls == ["a"]
    assert cpu_result.left_out == [f"operators: {name}" for name in "bcd"]


def test_a_lost_gpu_ends_the_run(monkeypatch) -> None:
    result, calls = made_up_run.result(), []
    monkeypatch.setattr(budget, "_gpu_answers", lambda: False)
    cases = [case("bad", 0, calls, fails=True), case("never", 1, calls)]
    budget.run_cases(cases, result, None, lambda result: None)
    assert calls == ["bad"]
    assert result.left_out == ["operators: never"]
    assert result.failures[-1][0] == "the GPU"
