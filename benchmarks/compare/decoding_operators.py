"""The operators that decode few sequences, beside torch's product with the same weights."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from benchmarks.compare.floors import Work
from benchmarks.compare.inputs import Shape, Values, bytes_of, scan_inputs
from benchmarks.compare.operator_timing import Launch
from benchmarks.compare.operators import SECTION, Operators
from benchmarks.compare.rows import Case, Row
from simba_ssm import ops


def gemv(operators: Operators, rows: int, inner: int, outer: int, dtype: str) -> list[Row]:
    def make_set(seed: int) -> dict[str, Launch]:
        values = Values(seed, operators.device, dtype)
        x, weight = values.normal(rows, inner), values.normal(outer, inner)
        return {
            "simba": lambda: ops.gemv(x, weight),
            "torch": lambda: torch.nn.functional.linear(x, weight),
        }

    size = torch.finfo(getattr(torch, dtype)).bits // 8
    work = Work(bytes=size * (outer * inner + rows * (inner + outer)), flops=2 * rows * inner * outer)
    return operators.time(make_set, work, f"gemv {dtype}", f"({rows}, {inner}) x ({outer}, {inner})")


def in_proj_step(operators: Operators, rows: int, d_model: int, dtype: str) -> list[Row]:
    D, K = 2 * d_model, 4

    def inputs(seed: int) -> tuple:
        values = Values(seed, operators.device, dtype)
        return (
            values.normal(rows, d_model), values.parameter(rows, d_model), values.parameter(d_model), 1e-5,
            values.normal(2 * D, d_model), values.normal(rows, D, K - 1), values.parameter(D, K),
            values.parameter(D),
        )  # fmt: skip

    def make_set(seed: int) -> dict[str, Launch]:
        given = inputs(seed)
        return {"simba": lambda: ops.in_proj_step(*given)}

    moved = bytes_of(*[value for value in inputs(0) if isinstance(value, torch.Tensor)])
    work = Work(bytes=moved, flops=4 * rows * d_model * D)
    return operators.time(make_set, work, f"in_proj_step {dtype}", f"({rows}, {d_model})")


def ssm_step(operators: Operators, rows: int, channels: int, dtype: str) -> list[Row]:
    N, rank = 16, math.ceil(channels / 32)

    def inputs(seed: int) -> tuple[torch.Tensor, ...]:
        values = Values(seed, operators.device, dtype)
        scan = scan_inputs(Shape(rows, 1, channels, N, dtype), seed, operators.device)
        return (
            values.parameter(rows, channels, N), scan["u"][:, 0], values.normal(rows, rank + 2 * N),
            values.normal(channels, rank), scan["A"], scan["D"], scan["z"][:, 0], scan["delta_bias"],
        )  # fmt: skip

    def make_set(seed: int) -> dict[str, Launch]:
        given = inputs(seed)
        return {"simba": lambda: ops.ssm_step(*given)}

    sample = inputs(0)
    # The state is written as well, and the output is as large as u.
    work = Work(bytes=bytes_of(*sample, sample[0], sample[1]), flops=2 * rows * channels * rank)
    return operators.time(make_set, work, f"ssm_step {dtype}", f"({rows}, {channels})")


def decoding_cases(operators: Operators, quick: bool) -> Iterator[Case]:
    if operators.result.machine.is_gpu:
        dtype, widths, vocabulary = "bfloat16", (2560, 768), 50280
    else:
        dtype, widths, vocabulary = "float32", (768,), 50280
    if quick:
        widths, vocabulary = widths[:1] if operators.result.machine.is_gpu else (64,), 4096
    for d_model in widths:
        for rows in (1, 4):
            # x_proj, out_proj and the head.
            D = 2 * d_model
            shapes = [(D, math.ceil(d_model / 16) + 32), (D, d_model), (d_model, vocabulary)]
            for inner, outer in shapes:
                yield Case(SECTION, f"gemv {rows} {inner} {outer}", 1.7,
                           lambda r=rows, i=inner, o=outer: gemv(operators, r, i, o, dtype))  # fmt: skip
            yield Case(SECTION, f"in_proj_step {rows} {d_model}", 1.7,
                       lambda r=rows, d=d_model: in_proj_step(operators, r, d, dtype))  # fmt: skip
            yield Case(SECTION, f"ssm_step {rows} {D}", 1.7,
                       lambda r=rows, d=D: ssm_step(operators, r, d, dtype))  # fmt: skip
