from __future__ import annotations

import pytest

from benchmarks.profile.layers import Kernel, kernel_table, layer_table, layers, short_name
from benchmarks.profile.timeline import read_trace, reduced


def kernels(*described: tuple[str, float, float]) -> list[Kernel]:
    return [Kernel(name, start, seconds) for name, start, seconds in described]


RUN = kernels(
    ("embedding", 0, 1), ("add_norm", 2, 1), ("gemm", 3, 4), ("add_norm", 8, 1), ("gemm", 8.5, 4),
    ("copy", 9, 1), ("scan", 13, 2),
)  # fmt: skip


def test_layers_begin_with_their_norm() -> None:
    found = layers(RUN, "add_norm")
    assert [[k.name for k in layer.kernels] for layer in found] == [
        ["embedding"], ["add_norm", "gemm"], ["add_norm", "gemm", "copy", "scan"],
    ]  # fmt: skip


def test_spans_follow_each_other_and_idle_time_counts_once() -> None:
    found = layers(RUN, "add_norm")
    assert [layer.span for layer in found] == [2, 6, 7]
    assert sum(layer.span for layer in found) == 15
    # Before the first norm 1, before the second 1; the copy runs beside the gemm, the scan 0.5 after it.
    assert [layer.idle for layer in found] == pytest.approx([0, 1, 1.5])
    assert found[2].busy == 8


def test_the_order_of_events_does_not_matter() -> None:
    assert layers(RUN[::-1], "add_norm") == layers(RUN, "add_norm")


def test_tables() -> None:
    lines = kernel_table(RUN)
    assert lines[2] == "| gemm | 2 | 8000.000 | 57.1% | 4000000.00 |"
    assert len(layer_table(layers(RUN, "add_norm"))) == 2 + 3


def test_names_are_cut_to_what_tells_kernels_apart() -> None:
    assert short_name("void simba::kernels::(anonymous namespace)::gate_kernel<float>(int)") == "gate_kernel<float>"
    assert short_name("Memcpy HtoD") == "Memcpy HtoD"


def test_only_the_gpus_events_count() -> None:
    trace = {"traceEvents": [
        {"ph": "X", "cat": "kernel", "name": "add_norm", "ts": 10.0, "dur": 5.0},
        {"ph": "X", "cat": "gpu_memcpy", "name": "Memcpy", "ts": 16.0, "dur": 2.0},
        {"ph": "X", "cat": "cpu_op", "name": "aten::mm", "ts": 0.0, "dur": 100.0},
        {"ph": "i", "name": "marker", "ts": 0.0},
    ]}  # fmt: skip
    found = read_trace(trace)
    assert [k.name for k in found] == ["add_norm", "Memcpy"]
    assert "busy 0.007 ms, nothing runs for 0.001 ms (12.5%)" in reduced(found, "title")
