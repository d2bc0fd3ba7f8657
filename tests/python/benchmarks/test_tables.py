from __future__ import annotations

import json

import made_up_run
import pytest

from benchmarks.compare.floors import Work
from benchmarks.compare.tables import digits, markdown


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.1234, "0.12"), (9.994, "9.99"), (12.34, "12.3"), (123.4, "123"), (98765.0, "98765")],
)
def test_digits(value: float, text: str) -> None:
    assert digits(value) == text


def cells(text: str, start: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith(f"| {start}")
    ]


def test_operators_have_floor_ratio_and_warm_time() -> None:
    result, work = made_up_run.result(), Work(bytes=10e6)  # 10 us
    warm = made_up_run.row("operators", "gate", "simba", 5e-6, work).seconds
    result.rows = [
        made_up_run.row("operators", "gate", "simba", 20e-6, work, warm=warm),
        made_up_run.row("operators", "gate", "peer 1.0", 50e-6, work),
    ]
    own, peer = cells(markdown(result), "gate")
    assert own == ["gate", "(1, 2)", "simba", "10.0", "memory", "20.0 (18.0 to 22.0)", "2.00", "5.00", "", ""]
    assert peer[2] == "peer 1.0" and peer[6] == "5.00" and peer[8] == "2.50"


def test_grid_says_faster_or_slower() -> None:
    result, work = made_up_run.result(), Work(bytes=1e6)
    for subject, peer in (("N=16", 30e-6), ("N=64", 10e-6)):
        result.rows.append(made_up_run.row("scan_grid", subject, "simba", 20e-6, work))
        result.rows.append(made_up_run.row("scan_grid", subject, "peer", peer, work))
    text = markdown(result)
    assert cells(text, "N=16")[0][-2:] == ["1.50", "faster"]
    assert cells(text, "N=64")[0][-2:] == ["0.50", "SLOWER"]


def test_grid_without_a_peer_still_has_its_row() -> None:
    result = made_up_run.result()
    result.rows = [made_up_run.row("scan_grid", "N=16", "simba", 20e-6, Work(bytes=1e6))]
    assert cells(markdown(result), "N=16")[0][-1] == ""


def test_prefill_compares_with_the_dense_run() -> None:
    result, work = made_up_run.result(), Work(bytes=1e9, product_flops=1e11)
    more = {"tokens": 2, "tokens_per_second": 1e5, "busy": 1e-3}
    result.rows = [
        made_up_run.row("models", "130m", "simba dense", 2e-3, work, **more),
        made_up_run.row("models", "130m", "simba r=0.1", 1e-3, work, **more | {"busy": 0.5e-3}),
    ]
    text = markdown(result)
    dense, pruned = cells(text[: text.index("## Prefill latency")], "130m")
    assert dense[4:6] == ["", "2.00"] and pruned[4:6] == ["0.50", ""]
    assert dense[7:9] == ["", "2.00"] and pruned[7:9] == ["0.50", ""]


def test_scores_are_compared_with_the_scan_of_their_type_and_shape() -> None:
    result, work = made_up_run.result(), Work(bytes=1e6)
    result.rows = [
        made_up_run.row("operators", "selective_scan bfloat16", "simba", 80e-6, work),
        made_up_run.row("operators", "selective_scan bfloat16", "peer", 40e-6, work),
        made_up_run.row("operators", "influence_scores bfloat16 no_bias max", "simba", 20e-6, work),
        made_up_run.row("operators", "influence_scores float32 no_bias max", "simba", 20e-6, work),
    ]
    low, high = cells(markdown(result), "influence_scores")
    assert low[-1] == "25%" and high[-1] == ""


def test_what_is_missing_is_said() -> None:
    result = made_up_run.result()
    result.absent["mamba_ssm's selective_scan"] = "ModuleNotFoundError: No module named 'x'"
    result.failures.append(("operators: gate", "simba", "RuntimeError: boom"))
    result.left_out.append("models: 2.8b (1, 32768)")
    text = markdown(result)
    assert "Absent: mamba_ssm's selective_scan (ModuleNotFoundError: No module named 'x')." in text
    assert "- operators: gate [simba]: RuntimeError: boom" in text
    assert "- models: 2.8b (1, 32768)" in text


def test_the_result_is_json() -> None:
    result = made_up_run.result()
    result.rows = [made_up_run.row("operators", "gate", "simba", 1e-6, Work(bytes=1))]
    read = json.loads(json.dumps(result.as_json()))
    assert read["rows"][0]["seconds"]["median"] == 1e-6
    assert read["machine"]["ceilings"]["copy"] == 1e12


def test_timing_table_has_lengths_across_and_takes_the_models_too() -> None:
    result, work = made_up_run.result(), Work(bytes=1e9)
    for section, model, length, seconds in (
        ("models", "130m", 512, 2e-3), ("models", "130m", 2048, 4e-3), ("timing_table", "2.8b", 512, 8e-3),
    ):  # fmt: skip
        for run, share in (("simba dense", 1), ("simba r=0.1", 0.5), ("floor of simba dense", 0.1)):
            row = made_up_run.row(section, model, run, share * seconds, work,
                                  tokens=length, tokens_per_second=1.0)  # fmt: skip
            row.shape = f"(1, {length})"
            result.rows.append(row)
    text = markdown(result)
    text = text[text.index("## Prefill latency") :]
    assert "| model | run | L = 512 | L = 2048 |" in text
    assert cells(text, "130m | simba r=0.1")[0][2:] == ["1.00 (2.00x)", "2.00 (2.00x)"]
    assert cells(text, "2.8b | simba dense")[0][2:] == ["8.00 (1.00x)", ""]
    assert "floor" not in text
