from __future__ import annotations

import json
from pathlib import Path

import made_up_run
import pytest

from benchmarks.compare.floors import Work
from benchmarks.compare.roofline import Roof, attainable, main, panels, points, write_roofline
from benchmarks.compare.rows import Result, Row


def test_points_are_operations_a_byte_and_a_second() -> None:
    rows = [
        made_up_run.row("operators", "scan", "simba", 1e-3, Work(bytes=1e6, exponentials=4e6)),
        made_up_run.row("operators", "copy", "simba", 1e-3, Work(bytes=1e6)),
    ]
    (point,) = points(rows, "exponentials")
    assert point.intensity == pytest.approx(4)
    assert point.rate == pytest.approx(4e9)
    assert points(rows, "flops") == []


def test_memory_below_the_ridge_and_the_roof_above() -> None:
    roof = Roof("units", 1e13)
    assert attainable(1, roof, copy=1e12) == 1e12
    assert attainable(100, roof, copy=1e12) == 1e13


def test_a_point_at_its_floor_lies_on_the_roof() -> None:
    work = Work(bytes=1e6, exponentials=1e9)
    seconds = made_up_run.row("operators", "scan", "simba", 1, work).floor.seconds
    (point,) = points([made_up_run.row("operators", "scan", "simba", seconds, work)], "exponentials")
    roof = Roof("exponential unit", made_up_run.CEILINGS.exponentials)
    assert point.rate == pytest.approx(attainable(point.intensity, roof, made_up_run.CEILINGS.copy))


def test_the_plot_is_written_and_timed_floors_are_no_points(tmp_path) -> None:
    result = made_up_run.result()
    work = Work(bytes=1e9, product_flops=1e12)
    result.rows = [
        made_up_run.row("operators", "scan", "simba", 1e-3, Work(bytes=1e6, exponentials=4e6)),
        made_up_run.row("models", "130m", "simba dense", 2e-2, work),
        made_up_run.row("models", "130m", "floor of simba dense", 1e-2, work),
    ]
    runs = {point.run for *_, panel in panels(result) for point in panel}
    assert runs == {"simba", "simba dense"}
    for path in write_roofline(result, tmp_path / "roofline"):
        assert path.stat().st_size > 1000


def test_nothing_to_draw(tmp_path) -> None:
    assert write_roofline(made_up_run.result(), tmp_path / "roofline") == []
    assert list(tmp_path.iterdir()) == []


def test_the_plot_of_a_written_comparison(tmp_path, capsys) -> None:
    result = made_up_run.result()
    work = Work(bytes=1e9, product_flops=1e12)
    result.rows = [made_up_run.row("models", "130m", "simba dense", 2e-2, work, tokens=7)]
    result.rows.append(Row("models", "130m", "(1, 2)", "peer"))
    result.failures.append(("case", "peer", "why"))
    text = json.dumps(result.as_json())
    assert Result.from_json(json.loads(text)) == result
    (tmp_path / "compare.json").write_text(text)
    assert main([str(tmp_path / "compare.json")]) == 0
    written = capsys.readouterr().out.split()
    assert [Path(path).name for path in written] == ["roofline.svg", "roofline.png"]
    assert main([str(tmp_path / "none.json")]) == 2 and "none.json" in capsys.readouterr().err
    (tmp_path / "other.json").write_text("{}")
    assert main([str(tmp_path / "other.json")]) == 2 and "'machine'" in capsys.readouterr().err
