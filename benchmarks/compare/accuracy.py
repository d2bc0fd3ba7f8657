"""Section "accuracy": every fast path's error against float64, beside that of storing the exact result."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from benchmarks.compare.gradients import have_gradients
from benchmarks.compare.inputs import Shape, Values, scan_inputs
from benchmarks.compare.operator_peers import OperatorPeers
from benchmarks.compare.rows import Case, Result, Row
from benchmarks.compare.timing import one_line
from simba_ssm import ops, reference

SECTION = "accuracy"
DTYPES = ("bfloat16", "float16", "float32")
SCORE_INPUTS = ("u", "delta", "A", "B", "C", "delta_bias")


def _as_is(inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    return inputs


def _wide(inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    # Decays from 1 to far below the smallest float.
    A = inputs["A"]
    generator = torch.Generator(A.device).manual_seed(1)
    normal = torch.randn(A.shape, generator=generator, device=A.device)
    return inputs | {"A": -torch.exp(1.5 * normal)}


def _shifted(by: float) -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:
    return lambda inputs: inputs | {"delta": inputs["delta"] + by}


DATA = {
    "as in a model": _as_is,
    "A = -exp(1.5 normal)": _wide,
    "Delta about 10": _shifted(12.5),
    "Delta about 1e-7": _shifted(-14),
}


def errors(actual: Tensor, exact: Tensor) -> tuple[float, float]:
    """(norm of the error over the norm of the exact result, largest |error| / (|exact| + rms / 100)).

    Where both are the same infinity the error is 0; a NaN makes both NaN.
    """
    actual, exact = actual.double(), exact.double()
    difference = torch.where(actual == exact, 0.0, actual - exact)
    exact = exact.nan_to_num(posinf=0.0, neginf=0.0)
    norm = exact.norm()
    rms = norm / math.sqrt(max(exact.numel(), 1))
    largest = (difference.abs() / (exact.abs() + rms / 100)).max()
    return float(difference.norm() / norm), float(largest)


def share_in(kept: Tensor, expected: Tensor) -> float:
    """The share of the indices kept (B, K) that are among those expected (B, K) of the same row."""
    found = [torch.isin(*row) for row in zip(kept, expected, strict=True)]
    return torch.stack(found).double().mean().item()


class Accuracy:
    def __init__(self, result: Result, peers: OperatorPeers, shape: Shape) -> None:
        self.result, self.peers, self.shape = result, peers, shape
        self.device = result.machine.where()

    def row(self, subject: str, data: str, run: str, actual: Tensor, exact: Tensor) -> Row:
        norm, largest = errors(actual, exact)
        stored = exact.to(actual.dtype)
        rounding_norm, rounding_largest = errors(stored, exact)
        return Row(SECTION, subject, data, run, more={
            "norm_error": norm, "rounding_norm_error": rounding_norm,
            "max_error": largest, "rounding_max_error": rounding_largest,
        })  # fmt: skip

    def inputs(self, dtype: str, data: str) -> dict[str, Tensor]:
        shape = Shape(self.shape.batch, self.shape.length, self.shape.channels, dtype=dtype)
        return DATA[data](scan_inputs(shape, 7, self.device))

    def scan(self, dtype: str, data: str) -> list[Row]:
        inputs = self.inputs(dtype, data)
        exact, exact_state = reference.selective_scan(**inputs, delta_softplus=True)
        out, state = ops.selective_scan(**inputs, delta_softplus=True)
        subject = f"selective_scan {dtype}"
        rows = [self.row(subject, data, "simba", out, exact)]
        for name, peer in self.peers.scans.items():
            shape = Shape(*inputs["u"].shape, dtype=dtype)
            if not peer.takes(shape):
                continue
            try:
                returned = peer.output(peer.scan(**peer.layout(inputs)))
            except Exception as error:  # built without the type, for one: ours is reported all the same
                self.result.failures.append((f"{SECTION}: {subject} {data}", name, one_line(error)))
            else:
                rows.append(self.row(subject, data, name, returned, exact))
        return rows + [self.row(f"{subject}, last state", data, "simba", state, exact_state)]

    def scan_gradients(self, dtype: str, data: str) -> list[Row]:
        """Of a sum with random weights, by every input; exact ones by autograd through the definition,
        on fewer channels, since it keeps all states.
        """
        shape = Shape(1, min(self.shape.length, 500), min(self.shape.channels, 96), dtype=dtype)
        inputs = DATA[data](scan_inputs(shape, 7, self.device))
        grad_out = Values(9, self.device, dtype).normal(*inputs["u"].shape)
        with torch.inference_mode(False), torch.enable_grad():
            leaves = {k: v.clone().double().requires_grad_() for k, v in inputs.items()}
            out, _ = reference.selective_scan(**leaves, delta_softplus=True)
            exact = torch.autograd.grad(out, list(leaves.values()), grad_out.clone().double())
        own = ops.selective_scan_backward(**inputs, delta_softplus=True, grad_out=grad_out)
        order = ("u", "delta", "A", "B", "C", "D", "z", "delta_bias")
        return [
            self.row(f"selective_scan_backward {dtype}, {name}", data, "simba",
                     own[order.index(name)], of_name)
            for name, of_name in zip(leaves, exact, strict=True)
        ]  # fmt: skip

    def influence(self, dtype: str, data: str, decay: str, reduction: str) -> list[Row]:
        inputs = {name: tensor for name, tensor in self.inputs(dtype, data).items()
                  if name in SCORE_INPUTS}  # fmt: skip
        how = {"decay": decay, "reduction": reduction}
        exact = reference.influence_scores(**inputs, **how)
        scores = ops.influence_scores(**inputs, **how)
        keep = max(1, exact.shape[1] // 10)
        kept, expected = ops.select_tokens(scores, keep), reference.select_tokens(exact, keep)
        row = self.row(f"influence_scores {dtype} {decay} {reduction}", data, "simba", scores, exact)
        row.more["kept_as_exact"] = share_in(kept, expected)
        return [row]

    def streams(self, dtype: str) -> list[Row]:
        """Convolution, norm, gate and the decoding update on normal values."""
        B, L, D = self.shape.batch, self.shape.length, self.shape.channels
        values, rows, data = Values(3, self.device, dtype), [], "normal"
        x, z = values.normal(B, L, D), values.normal(B, L, D)
        weight, bias = values.normal(D, 4), values.normal(D)
        exact, _ = reference.causal_conv1d(x, weight, bias, silu=True)
        out, _ = ops.causal_conv1d(x, weight, bias, silu=True)
        rows.append(self.row(f"causal_conv1d {dtype}", data, "simba", out, exact))
        for name, function in self.peers.of("causal_conv1d").items():
            given = x if name == "torch" else x.transpose(1, 2)
            rows.append(self.row(f"causal_conv1d {dtype}", data, name,
                                 function(given, weight, bias).transpose(1, 2), exact))  # fmt: skip
        residual, scale = values.parameter(B, L, D), values.normal(D)
        exact, _ = reference.add_norm(x, residual, scale)
        out, _ = ops.add_norm(x, residual, scale, residual_in_fp32=True)
        rows.append(self.row(f"add_norm {dtype}", data, "simba", out, exact))
        for name, function in self.peers.of("add_norm").items():
            out, _ = function(x, residual, scale)
            rows.append(self.row(f"add_norm {dtype}", data, name, out, exact))
        exact = reference.gate(x, z)
        rows.append(self.row(f"gate {dtype}", data, "simba", ops.gate(x, z), exact))
        for name, function in self.peers.of("gate").items():
            rows.append(self.row(f"gate {dtype}", data, name, function(x, z), exact))
        return rows

    def state_update(self, dtype: str, data: str) -> list[Row]:
        inputs = self.inputs(dtype, data)
        step = {k: v[:, 0] if k in ("u", "delta", "B", "C", "z") else v for k, v in inputs.items()}
        state = Values(5, self.device, dtype).parameter(self.shape.batch, *inputs["A"].shape)
        exact, _ = reference.selective_state_update(state, **step, delta_softplus=True)
        out = ops.selective_state_update(state.clone(), **step, delta_softplus=True)
        subject = f"selective_state_update {dtype}"
        rows = [self.row(subject, data, "simba", out, exact)]
        for name, function in self.peers.of("selective_state_update").items():
            rows.append(self.row(subject, data, name, function(state.clone(), **step), exact))
        return rows


def accuracy_cases(accuracy: Accuracy, quick: bool) -> Iterator[Case]:
    def case(importance: float, name: str, run: Callable[[], list[Row]]) -> Case:
        return Case(SECTION, name, importance, torch.inference_mode()(run))

    for dtype in DTYPES:
        yield case(1.1, f"streams {dtype}", lambda t=dtype: accuracy.streams(t))
        for data in DATA:
            yield case(1.1, f"scan {dtype} {data}", lambda t=dtype, d=data: accuracy.scan(t, d))
            if have_gradients():
                yield case(1.6, f"scan gradients {dtype} {data}",
                           lambda t=dtype, d=data: accuracy.scan_gradients(t, d))  # fmt: skip
            yield case(1.1, f"state update {dtype} {data}",
                       lambda t=dtype, d=data: accuracy.state_update(t, d))  # fmt: skip
            ways = itertools.product(("no_bias", "full"), ("max", "l1", "l2", "signed_max"))
            for decay, reduction in ways:
                main = (decay, reduction) in (("no_bias", "max"), ("full", "l1"))
                if main or not (quick or dtype == "float16"):
                    yield case(1.1 if main else 2.1, f"influence {dtype} {data} {decay} {reduction}",
                               lambda t=dtype, d=data, a=decay, r=reduction:
                               accuracy.influence(t, d, a, r))  # fmt: skip
