"""What the operators are measured against: mamba_ssm, causal_conv1d, mambapy, and torch's own parts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.compare.inputs import Shape, length_last
from benchmarks.compare.timing import one_line


@dataclass(frozen=True)
class ScanPeer:
    """A selective scan of someone else. layout turns our arguments into its own, output what it
    returns into (B, L, D); takes says whether it is to be run on a shape. differentiable is the same
    scan under autograd; backward(arguments, grad_out) makes a launch of its backward alone.
    """

    scan: Callable
    layout: Callable[[dict[str, Tensor]], dict[str, Tensor]]
    output: Callable[[object], Tensor]
    takes: Callable[[Shape], bool] = lambda shape: True
    differentiable: Callable | None = None
    backward: Callable[[dict[str, Tensor], Tensor], Callable[[], object]] | None = None


@dataclass
class OperatorPeers:
    """scans, and by operator functions, by the peer's name and version. absent: why one is not
    there.
    """

    scans: dict[str, ScanPeer] = field(default_factory=dict)
    functions: dict[str, dict[str, Callable]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def of(self, operator: str) -> dict[str, Callable]:
        return self.functions.get(operator, {})


def find_operator_peers(device: torch.device) -> OperatorPeers:
    peers = OperatorPeers()
    for operator, function in _TORCH.items():
        peers.functions[operator] = {"torch": function}
    finders: list[tuple[str, str, Callable[[], object]]] = []
    if device.type == "cuda":
        finders += [
            ("mamba_ssm", "selective_scan", _selective_scan_cuda),
            ("mamba_ssm", "add_norm", _rms_norm_fn),
            ("mamba_ssm", "selective_state_update", _state_update),
            ("causal_conv1d", "causal_conv1d", _causal_conv1d_fn),
        ]
    finders.append(("mambapy", "selective_scan", _mambapy_scan))
    for package, operator, find in finders:
        try:
            found = find()
        except Exception as error:
            peers.absent[f"{package}'s {operator}"] = one_line(error)
            continue
        peers.versions[package] = version_of(package)
        label = f"{package} {peers.versions[package]}"
        if isinstance(found, ScanPeer):
            peers.scans[label] = found
        else:
            peers.functions.setdefault(operator, {})[label] = found
    return peers


def version_of(package: str) -> str:
    """Of a package that has been imported."""
    try:
        return version(package)
    except PackageNotFoundError:
        return getattr(sys.modules.get(package), "__version__", "of unknown version")


def _selective_scan_cuda() -> ScanPeer:
    """fwd on (B, D, L) and B, C (B, 1, N, L). Newer builds take cu_seqlens as well."""
    import selective_scan_cuda

    def call(function: Callable, *arguments):
        try:
            return function(*arguments)
        except TypeError:
            return function(*arguments, None)

    def scan(u, delta, A, B, C, D, z, delta_bias):
        return call(selective_scan_cuda.fwd, u, delta, A, B, C, D, z, delta_bias, True)

    def backward(inputs: dict[str, Tensor], grad_out: Tensor) -> Callable[[], object]:
        out, states, _ = scan(**inputs)
        given = [inputs[name] for name in ("u", "delta", "A", "B", "C", "D", "z", "delta_bias")]
        return lambda: call(
            selective_scan_cuda.bwd, *given, grad_out, states, out, None, True, False
        )

    try:
        from mamba_ssm.ops.selective_scan_interface import selective_scan_fn as differentiable
    except Exception:  # the rest of the package may need what is not here
        differentiable = None
    return ScanPeer(
        scan,
        length_last,
        lambda returned: returned[2].transpose(1, 2),
        differentiable=differentiable
        and (lambda **inputs: differentiable(**inputs, delta_softplus=True)),
        backward=backward,
    )


def _rms_norm_fn() -> Callable:
    try:
        from mamba_ssm.ops.triton.layer_norm import rms_norm_fn
    except ImportError:
        from mamba_ssm.ops.triton.layernorm import rms_norm_fn

    def add_norm(x: Tensor, residual: Tensor, weight: Tensor):
        return rms_norm_fn(
            x, weight, None, residual=residual, eps=1e-5, prenorm=True, residual_in_fp32=True
        )

    return add_norm


def _state_update() -> Callable:
    from mamba_ssm.ops.triton.selective_state_update import selective_state_update

    def update(state, u, delta, A, B, C, D, z, delta_bias):
        return selective_state_update(
            state, u, delta, A, B, C, D, z=z, dt_bias=delta_bias, dt_softplus=True
        )

    return update


def _causal_conv1d_fn() -> Callable:
    """x (B, D, L), contiguous along L or along D."""
    from causal_conv1d import causal_conv1d_fn

    def convolve(x: Tensor, weight: Tensor, bias: Tensor):
        return causal_conv1d_fn(x, weight, bias, activation="silu")

    return convolve


def _mambapy_scan() -> ScanPeer:
    """mambapy's parallel scan in torch, float32, with what its block does around it."""
    from mambapy.pscan import pscan

    def scan(u, delta, A, B, C, D, z, delta_bias):
        dt = F.softplus(delta + delta_bias)[..., None]
        states = pscan(torch.exp(dt * A), dt * B[:, :, None] * u[..., None])
        return ((states @ C[..., None])[..., 0] + D * u) * F.silu(z)

    def takes(shape: Shape) -> bool:
        # Its states take B L D N values, several times over.
        states = shape.batch * shape.length * shape.channels * shape.states
        return shape.dtype == "float32" and states <= 2**28

    return ScanPeer(scan, dict, lambda returned: returned, takes, differentiable=scan)


def _torch_conv(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x (B, L, D), as a Conv1d inside of a model sees it."""
    K = weight.shape[1]
    out = F.conv1d(x.transpose(1, 2), weight[:, None], bias, padding=K - 1, groups=weight.shape[0])
    return F.silu(out[..., : x.shape[1]])


def _torch_add_norm(x: Tensor, residual: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    total = x + residual
    normed = F.rms_norm(total, weight.shape, weight.to(total.dtype), 1e-5)
    return normed.to(x.dtype), total


def _torch_gate(y: Tensor, z: Tensor) -> Tensor:
    return y * F.silu(z)


def _torch_select(scores: Tensor, keep: int) -> Tensor:
    return scores.topk(keep, dim=1, sorted=False).indices.sort(dim=1).values


_TORCH = {
    "causal_conv1d": _torch_conv,
    "add_norm": _torch_add_norm,
    "gate": _torch_gate,
    "select_tokens": _torch_select,
}
