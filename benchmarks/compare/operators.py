"""Section "operators": every operator of torch.ops.simba at the shapes of models, beside its peers."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import torch

from benchmarks.compare.floors import Work, influence_work, scan_work
from benchmarks.compare.inputs import Shape, Values, bytes_of, scan_inputs
from benchmarks.compare.operator_peers import OperatorPeers
from benchmarks.compare.operator_timing import Launch, time_operator
from benchmarks.compare.rows import Case, Result, Row
from simba_ssm import ops

SECTION = "operators"


class Operators:
    """Times single operators."""

    def __init__(self, result: Result, peers: OperatorPeers, repeats: int) -> None:
        self.result, self.peers, self.repeats = result, peers, repeats
        self.device = result.machine.where()

    def time(self, make_set, work: Work, subject: str, shape: str, section: str = SECTION, **more):
        return time_operator(
            make_set,
            work,
            section=section,
            subject=subject,
            shape=shape,
            result=self.result,
            repeats=self.repeats,
            more=more,
        )

    def scan(self, shape: Shape, section: str = SECTION, subject: str | None = None) -> list[Row]:
        def make_set(seed: int) -> dict[str, Launch]:
            inputs = scan_inputs(shape, seed, self.device)
            launches: dict[str, Launch] = {
                "simba": functools.partial(ops.selective_scan, **inputs, delta_softplus=True)
            }
            for name, peer in self.peers.scans.items():
                if peer.takes(shape):
                    launches[name] = functools.partial(peer.scan, **peer.layout(inputs))
            return launches

        sample = scan_inputs(shape, 0, self.device)
        state = 4 * shape.batch * shape.channels * shape.states
        moved = bytes_of(*sample.values()) + sample["u"].nbytes + state
        work = scan_work(moved, shape.batch, shape.length, shape.channels, shape.states, gated=True)
        del sample
        name = subject or f"selective_scan {shape.dtype}"
        return self.time(make_set, work, name, str(shape), section, **vars(shape))

    def influence(self, shape: Shape, decay: str, reduction: str) -> list[Row]:
        def score_inputs(seed: int) -> dict[str, torch.Tensor]:
            inputs = scan_inputs(shape, seed, self.device)
            return {k: inputs[k] for k in ("u", "delta", "A", "B", "C", "delta_bias")}

        def make_set(seed: int) -> dict[str, Launch]:
            inputs = score_inputs(seed)
            launches = {"simba": functools.partial(
                ops.influence_scores, **inputs, decay=decay, reduction=reduction
            )}  # fmt: skip
            return launches

        moved = bytes_of(*score_inputs(0).values()) + 4 * shape.batch * shape.length
        work = influence_work(moved, shape.batch, shape.length, shape.channels, decay)
        subject = f"influence_scores {shape.dtype} {decay} {reduction}"
        return self.time(make_set, work, subject, str(shape))

    def convolution(self, shape: Shape) -> list[Row]:
        """x is half of in_proj's output, as in the model; the peer's channel-last row too. Ours takes
        its parameters in float32, as models hold them; peers take them in x's type.
        """
        K = 4

        def make_set(seed: int) -> dict[str, Launch]:
            values = Values(seed, self.device, shape.dtype)
            xz = values.normal(shape.batch, shape.length, 2 * shape.channels)
            x = xz[..., : shape.channels]
            weight, bias = values.parameter(shape.channels, K), values.parameter(shape.channels)
            narrow = weight.to(x.dtype), bias.to(x.dtype)
            launches: dict[str, Launch] = {
                "simba": lambda: ops.causal_conv1d(x, weight, bias, silu=True)
            }
            for name, function in self.peers.of("causal_conv1d").items():
                if name == "torch":
                    launches[name] = lambda function=function: function(x, *narrow)
                    continue
                last = x.transpose(1, 2).contiguous()
                launches[name] = lambda function=function, last=last: function(last, *narrow)
                launches[f"{name}, channels last"] = lambda function=function: function(
                    x.transpose(1, 2), *narrow
                )
            return launches

        size = torch.finfo(getattr(torch, shape.dtype)).bits // 8
        steps = shape.batch * shape.length * shape.channels
        return self.time(
            make_set,
            Work(bytes=2 * size * steps, exponentials=1.5 * steps, flops=2 * K * steps),
            f"causal_conv1d {shape.dtype}",
            str(shape),
        )

    def norm(self, shape: Shape, kept: int = 0) -> list[Row]:
        """The residual in float32, as published models want it, and for us the weight, as models hold
        it; peers take that in x's type. kept: rows gathered of each batch row.
        """
        rows = kept or shape.length

        def make_set(seed: int) -> dict[str, Launch]:
            values = Values(seed, self.device, shape.dtype)
            x = values.normal(shape.batch, rows, shape.channels)
            residual = values.parameter(shape.batch, shape.length, shape.channels)
            weight = values.parameter(shape.channels)
            narrow = weight.to(x.dtype)
            indices = self._every(shape, kept)
            launches: dict[str, Launch] = {
                "simba": lambda: ops.add_norm(
                    x, residual, weight, indices=indices, residual_in_fp32=True
                )
            }
            for name, function in ({} if kept else self.peers.of("add_norm")).items():
                launches[name] = lambda function=function: function(x, residual, narrow)
            return launches

        size = torch.finfo(getattr(torch, shape.dtype)).bits // 8
        steps = shape.batch * rows * shape.channels
        return self.time(
            make_set,
            Work(bytes=2 * steps * (size + 4) + 8 * shape.batch * kept, flops=5 * steps),
            f"add_norm {shape.dtype}" + (f", 1 row of {shape.length // kept}" if kept else ""),
            str(shape),
        )

    def gate(self, shape: Shape, kept: int = 0) -> list[Row]:
        """z is half of in_proj's output."""

        def make_set(seed: int) -> dict[str, Launch]:
            values = Values(seed, self.device, shape.dtype)
            y = values.normal(shape.batch, shape.length, shape.channels)
            xz = values.normal(shape.batch, shape.length, 2 * shape.channels)
            z = xz[..., shape.channels :]
            indices = self._every(shape, kept)
            launches: dict[str, Launch] = {"simba": lambda: ops.gate(y, z, indices)}
            for name, function in ({} if kept else self.peers.of("gate")).items():
                launches[name] = lambda function=function: function(y, z)
            return launches

        size = torch.finfo(getattr(torch, shape.dtype)).bits // 8
        steps = shape.batch * (kept or shape.length) * shape.channels
        return self.time(
            make_set,
            Work(bytes=3 * steps * size + 8 * shape.batch * kept, exponentials=1.5 * steps),
            f"gate {shape.dtype}" + (f", 1 row of {shape.length // kept}" if kept else ""),
            str(shape),
        )

    def selection(self, batch: int, length: int, keep: int, equal: bool = False) -> list[Row]:
        def make_set(seed: int) -> dict[str, Launch]:
            values = Values(seed, self.device, "float32")
            scores = values.parameter(batch, length)
            if equal:
                scores.fill_(-3)
            launches: dict[str, Launch] = {"simba": lambda: ops.select_tokens(scores, keep)}
            for name, function in self.peers.of("select_tokens").items():
                launches[name] = lambda function=function: function(scores, keep)
            return launches

        return self.time(
            make_set,
            Work(bytes=batch * (4 * length + 8 * keep)),
            f"select_tokens, keep {keep / length:.0%}" + (", all equal" if equal else ""),
            f"({batch}, {length})",
        )

    def state_update(self, shape: Shape) -> list[Row]:
        """shape.length is not used."""
        N, D = shape.states, shape.channels

        def inputs(seed: int) -> dict[str, torch.Tensor]:
            one = Shape(shape.batch, 1, D, N, shape.dtype)
            step = scan_inputs(one, seed, self.device)
            for name in ("u", "delta", "B", "C", "z"):
                step[name] = step[name][:, 0]
            values = Values(seed, self.device, shape.dtype)
            return {"state": values.parameter(shape.batch, D, N), **step}

        def make_set(seed: int) -> dict[str, Launch]:
            tensors = inputs(seed)
            launches: dict[str, Launch] = {
                "simba": functools.partial(
                    ops.selective_state_update, **tensors, delta_softplus=True
                )
            }
            for name, function in self.peers.of("selective_state_update").items():
                launches[name] = functools.partial(function, **tensors)
            return launches

        sample = inputs(0)
        moved = bytes_of(*sample.values(), sample["state"], sample["u"])
        work = scan_work(moved, shape.batch, 1, D, N, gated=True)
        return self.time(
            make_set, work, f"selective_state_update {shape.dtype}", f"({shape.batch}, {D})"
        )

    def _every(self, shape: Shape, kept: int) -> torch.Tensor | None:
        if not kept:
            return None
        rows = torch.arange(kept, device=self.device) * (shape.length // kept)
        return rows.expand(shape.batch, kept).contiguous()


def operator_cases(operators: Operators, quick: bool) -> Iterator[Case]:
    def case(importance: float, name: str, run) -> Case:
        return Case(SECTION, name, importance, run)

    gpu = operators.result.machine.is_gpu
    base, batch = ((1, 2048), (8, 2048)) if gpu else ((1, 512), (4, 512))
    if quick and not gpu:
        base, batch = (1, 64), (2, 64)
    widths = {"2.8b": (2560, 5120), "130m": (768, 1536)} if gpu else {"130m": (768, 1536)}
    if quick and not gpu:
        widths = {"6m": (256, 512)}
    dtypes = ("bfloat16", "float16", "float32") if gpu else ("float32", "bfloat16")
    for rank, (d_model, d_inner) in enumerate(widths.values()):
        first = Shape(*base, d_inner, dtype=dtypes[0])
        shapes = [first] if quick else [first, Shape(*batch, d_inner, dtype=dtypes[0])]
        for shape in shapes:
            yield case(rank, f"scan {shape}", lambda s=shape: operators.scan(s))
            narrow = Shape(shape.batch, shape.length, d_model, dtype=shape.dtype)
            kept = shape.length // 8
            for taken in (0, kept):
                yield case(rank + 1, f"gate {shape} {taken}",
                           lambda s=shape, k=taken: operators.gate(s, k))  # fmt: skip
                yield case(rank + 1, f"add_norm {narrow} {taken}",
                           lambda s=narrow, k=taken: operators.norm(s, k))  # fmt: skip
            yield case(rank + 1, f"conv {shape}", lambda s=shape: operators.convolution(s))
        for decay in ("no_bias", "full", "none"):
            for reduction in ("max", "l1", "l2", "signed_max"):
                main = decay == "no_bias" and reduction == "max"
                if main or not quick:
                    yield case(rank if main else rank + 2, f"influence {first} {decay} {reduction}",
                               lambda s=first, d=decay, r=reduction: operators.influence(s, d, r))  # fmt: skip
        for dtype in dtypes[1:]:
            other = Shape(*base, d_inner, dtype=dtype)
            yield case(rank + 2, f"scan {other} {dtype}", lambda s=other: operators.scan(s))
            yield case(rank + 2.5, f"influence {other} {dtype}",
                       lambda s=other: operators.influence(s, "no_bias", "max"))  # fmt: skip
            yield case(rank + 2.5, f"conv {other} {dtype}",
                       lambda s=other: operators.convolution(s))  # fmt: skip
        for sequences in (1, 64):
            step = Shape(sequences, 1, d_inner, dtype=dtypes[0])
            yield case(rank + 1, f"state update {sequences} {d_inner}",
                       lambda s=step: operators.state_update(s))  # fmt: skip
    for length in (256,) if quick and not gpu else (2048, 8192, 32768):
        for share in (10, 90):
            yield case(1.5, f"select {length} {share}%",
                       lambda n=length, p=share: operators.selection(1, n, n * p // 100))  # fmt: skip
        yield case(2.5, f"select {length} equal",
                   lambda n=length: operators.selection(1, n, n // 2, equal=True))  # fmt: skip
