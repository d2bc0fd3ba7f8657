"""Forward and backward of the operators that have a gradient, and the scan's backward alone."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from benchmarks.compare.floors import Work
from benchmarks.compare.inputs import Shape, Values, bytes_of, scan_inputs
from benchmarks.compare.operator_timing import Launch
from benchmarks.compare.operators import SECTION, Operators
from benchmarks.compare.rows import Case, Row
from simba_ssm import ops


def have_gradients() -> bool:
    return hasattr(ops, "selective_scan_backward")


def forward_and_backward(
    function: Callable[[], object], leaves: Sequence[Tensor], *grads: Tensor
) -> Launch:
    """A launch that computes the function's results and the gradients of all leaves, given those of
    its first results.
    """
    for leaf in leaves:
        leaf.requires_grad_()

    def launch() -> tuple[Tensor, ...]:
        # Operators are timed without autograd; here it is what is timed.
        with torch.inference_mode(False), torch.enable_grad():
            results = function()
            results = results if isinstance(results, tuple) else (results,)
            return torch.autograd.grad(results[: len(grads)], leaves, grads)

    return launch


class Gradients:
    """Times gradients; see Operators."""

    def __init__(self, operators: Operators) -> None:
        self.operators, self.peers = operators, operators.peers
        self.device = operators.device

    def scan(self, shape: Shape) -> list[Row]:
        def make_set(seed: int) -> dict[str, Launch]:
            inputs = scan_inputs(shape, seed, self.device)
            grad_out = Values(seed, self.device, shape.dtype).normal(*inputs["u"].shape)
            launches = {"simba": forward_and_backward(
                functools.partial(ops.selective_scan, **inputs, delta_softplus=True),
                list(inputs.values()), grad_out,
            )}  # fmt: skip
            for name, peer in self.peers.scans.items():
                if peer.differentiable and peer.takes(shape):
                    own = {k: v.detach() for k, v in peer.layout(inputs).items()}
                    turned = peer.layout({"u": grad_out})["u"]
                    launches[name] = forward_and_backward(
                        functools.partial(peer.differentiable, **own), list(own.values()), turned
                    )
            return launches

        work = _scan_backward_work(shape, self.device)
        forward = bytes_of(*scan_inputs(shape, 0, self.device).values())
        both = Work(work.bytes + forward, 2 * work.exponentials, work.flops * 25 / 16)
        return self.operators.time(
            make_set, both, f"selective_scan, forward and backward {shape.dtype}", str(shape)
        )

    def scan_backward(self, shape: Shape) -> list[Row]:
        def make_set(seed: int) -> dict[str, Launch]:
            inputs = scan_inputs(shape, seed, self.device)
            grad_out = Values(seed, self.device, shape.dtype).normal(*inputs["u"].shape)
            launches: dict[str, Launch] = {
                "simba": functools.partial(
                    ops.selective_scan_backward, **inputs, delta_softplus=True, grad_out=grad_out
                )
            }
            for name, peer in self.peers.scans.items():
                if peer.backward and peer.takes(shape):
                    turned = peer.layout({"u": grad_out})["u"]
                    launches[name] = peer.backward(peer.layout(inputs), turned)
            return launches

        work = _scan_backward_work(shape, self.device)
        subject = f"selective_scan_backward {shape.dtype}"
        return self.operators.time(make_set, work, subject, str(shape))

    def stream(self, operator: str, shape: Shape) -> list[Row]:
        """operator: causal_conv1d, add_norm or gate."""

        def make_set(seed: int) -> dict[str, Launch]:
            values = Values(seed, self.device, shape.dtype)
            B, L, D = shape.batch, shape.length, shape.channels
            x, grads = values.normal(B, L, D), [values.normal(B, L, D)]
            if operator == "causal_conv1d":
                leaves = [x, values.normal(D, 4), values.normal(D)]
                own = functools.partial(ops.causal_conv1d, silu=True)
            elif operator == "add_norm":
                leaves = [x, values.parameter(B, L, D), values.normal(D)]
                own = functools.partial(ops.add_norm, residual_in_fp32=True)
                grads.append(values.parameter(B, L, D))
            else:
                leaves, own = [x, values.normal(B, L, D)], ops.gate
            launches = {"simba": forward_and_backward(lambda: own(*leaves), leaves, *grads)}
            for name, function in self.peers.of(operator).items():
                given, turned = leaves, grads
                if operator == "causal_conv1d":
                    turned = [grads[0].transpose(1, 2).contiguous()]
                    if name != "torch":
                        last = x.detach().transpose(1, 2).contiguous()
                        given = [last, *leaves[1:]]
                launches[name] = forward_and_backward(
                    lambda function=function, given=given: function(*given), given, *turned
                )
            return launches

        size = torch.finfo(getattr(torch, shape.dtype)).bits // 8
        values = shape.batch * shape.length * shape.channels
        # Forward: data in and out; backward: data (add_norm: its new residual) and the gradients of
        # results in, gradients of data out.
        tensors = {"causal_conv1d": 5 * size, "gate": 8 * size, "add_norm": 4 * size + 20}[operator]
        subject = f"{operator}, forward and backward {shape.dtype}"
        return self.operators.time(make_set, Work(bytes=values * tensors), subject, str(shape))


def _scan_backward_work(shape: Shape, device: torch.device) -> Work:
    """Inputs and grad_out read, gradients written; the states anew (an exponential each), softplus
    and its derivative, the gate and its derivative; 16 operations a state.
    """
    moved = 2 * bytes_of(*scan_inputs(shape, 0, device).values())
    steps = shape.batch * shape.length * shape.channels
    size = torch.finfo(getattr(torch, shape.dtype)).bits // 8
    return Work(moved + size * steps, steps * (shape.states + 3.5), 16 * steps * shape.states)


def gradient_cases(operators: Operators, quick: bool) -> Iterator[Case]:
    """Nothing where the operators have no gradients."""
    if not have_gradients():
        return
    gradients = Gradients(operators)
    gpu = operators.result.machine.is_gpu
    if gpu:
        shapes = [Shape(1, 2048, 5120), Shape(8, 2048, 768), Shape(8, 2048, 5120)]
        shapes = shapes[:1] if quick else shapes
    else:
        shapes = [Shape(1, 64, 128, dtype="float32") if quick else Shape(1, 512, 1536, dtype="float32")]
    for shape in shapes:
        yield Case(SECTION, f"scan backward {shape}", 1.3,
                   lambda s=shape: gradients.scan_backward(s))  # fmt: skip
        yield Case(SECTION, f"scan forward and backward {shape}", 1.3,
                   lambda s=shape: gradients.scan(s))  # fmt: skip
        for operator in ("causal_conv1d", "add_norm", "gate"):
            yield Case(SECTION, f"{operator} forward and backward {shape}", 1.4,
                       lambda s=shape, o=operator: gradients.stream(o, s))  # fmt: skip
