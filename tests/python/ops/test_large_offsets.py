"""Offsets beyond 2^31 elements: two rows that lie that far apart, little between them touched."""

from __future__ import annotations

import mmap

import pytest
import torch
from scan_inputs import scan_inputs, score_inputs

from simba_ssm import ops

# Rows that far apart are aligned for every kernel, or for the portable ones alone.
ALIGNED, ODD = 2**31 + 16, 2**31 + 9


@pytest.fixture(params=[ALIGNED, ODD], ids=["aligned", "odd"])
def far(request):
    return request.param


@pytest.fixture
def storage(far, device):
    """far + 4096 float16 elements. On the CPU, pages that nobody touches take no memory."""
    count = far + 4096
    if device == "cpu":
        no_reserve = 0x4000
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | no_reserve
        return torch.frombuffer(mmap.mmap(-1, 2 * count, flags=flags), dtype=torch.float16)
    return torch.zeros(count, dtype=torch.float16, device=device)


def spread(tensor, storage, dim, far):
    """A copy of `tensor`, whose `dim` has size 2, with `far` elements from one half to the other."""
    strides = list(torch.empty(tensor.shape, device="meta").stride())
    strides[dim] = far
    return storage.as_strided(tensor.shape, strides).copy_(tensor)


def assert_same(actual, want, far):
    """To the bit where both calls take the same kernel, else as near as rounding lets two kernels be."""
    if far == ALIGNED or not actual.is_cuda:
        assert torch.equal(actual, want)
    else:
        torch.testing.assert_close(actual, want)


@pytest.mark.parametrize("name", ["u", "delta", "B", "C", "z"])
@pytest.mark.parametrize("dim", [0, 1])
def test_scan(name, dim, far, storage, device):
    batch, length = (2, 5) if dim == 0 else (1, 2)
    inputs = scan_inputs(device=device, batch=batch, length=length, dtype=torch.float16)
    expected = ops.selective_scan(**inputs, delta_softplus=True)
    expected_scores = ops.influence_scores(**score_inputs(inputs))
    inputs[name] = spread(inputs[name], storage, dim, far)
    for actual, want in zip(
        ops.selective_scan(**inputs, delta_softplus=True), expected, strict=True
    ):
        assert_same(actual, want, far)
    # The fast kernels of influence take rows of u and delta at most 2^24 elements apart.
    apart = dim == 1 and name in ("u", "delta")
    assert_same(
        ops.influence_scores(**score_inputs(inputs)), expected_scores, ODD if apart else far
    )


@pytest.mark.parametrize("dim", [0, 1])
def test_conv_norm_and_gate(dim, far, storage, device):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 2, 24, generator=generator).half().to(device)
    x = x if dim == 0 else x[:1]
    spread_x = spread(x, storage, dim, far)
    indices = torch.tensor([[1, 0, 1]] * x.shape[0], device=device)
    ones = torch.ones(24, device=device)
    small = torch.randn(x.shape[0], 3, 24, generator=generator).half().to(device)
    for call in (
        lambda t: ops.causal_conv1d(t, ones[:, None])[0],
        lambda t: ops.add_norm(t, None, ones, indices=indices)[0],
        lambda t: ops.add_norm(small, t, ones, indices=indices)[0],
        lambda t: ops.gate(t, x, indices),
        lambda t: ops.gate(x, t, indices),
    ):
        assert torch.equal(call(spread_x), call(x))


def assert_gradients_same(actual, want, far):
    for one, other in zip(actual, want, strict=True):
        assert (one is None) == (other is None)
        if one is not None and (far == ALIGNED or not one.is_cuda):
            assert torch.equal(one, other)
        elif one is not None:
            torch.testing.assert_close(one, other, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("name", ["u", "delta", "B", "C", "z", "grad_out"])
@pytest.mark.parametrize("dim", [0, 1])
def test_scan_gradients(name, dim, far, storage, device):
    batch, length = (2, 5) if dim == 0 else (1, 2)
    inputs = scan_inputs(device=device, batch=batch, length=length, dtype=torch.float16)
    inputs["grad_out"] = inputs["z"].flip(1).contiguous()
    expected = ops.selective_scan_backward(**inputs, delta_softplus=True)
    inputs[name] = spread(inputs[name], storage, dim, far)
    actual = ops.selective_scan_backward(**inputs, delta_softplus=True)
    assert_gradients_same(actual, expected, far)


@pytest.mark.parametrize("dim", [0, 1])
def test_conv_norm_and_gate_gradients(dim, far, storage, device):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 2, 24, generator=generator).half().to(device)
    x = x if dim == 0 else x[:1]
    spread_x = spread(x, storage, dim, far)
    ones, taps = torch.ones(24, device=device), torch.ones(24, 3, device=device)
    for call in (
        lambda t: ops.causal_conv1d_backward(t, taps, silu=True, grad_out=x),
        lambda t: ops.causal_conv1d_backward(x, taps, silu=True, grad_out=t),
        lambda t: ops.add_norm_backward(t, ones, grad_normed=x),
        lambda t: ops.add_norm_backward(x, ones, grad_normed=t),
        lambda t: ops.add_norm_backward(x, ones, grad_normed=x, grad_new_residual=t),
        lambda t: ops.gate_backward(t, x, grad_out=x),
        lambda t: ops.gate_backward(x, t, grad_out=x),
        lambda t: ops.gate_backward(x, x, grad_out=t),
    ):
        assert_gradients_same(call(spread_x), call(x), far)
