"""A Mamba block of the operators, trained: compiled, and under autocast."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from simba_ssm import ops

WIDTH, CHANNELS, STATES, RANK = 12, 24, 4, 2


def block_parameters(device, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)

    def normal(*shape, scale=0.3):
        values = scale * torch.randn(shape, generator=generator)
        return values.to(dtype).to(device).requires_grad_()

    return {
        "norm": normal(WIDTH),
        "in_proj": normal(2 * CHANNELS, WIDTH),
        "conv": normal(CHANNELS, 4),
        "conv_bias": normal(CHANNELS),
        "x_proj": normal(RANK + 2 * STATES, CHANNELS),
        "dt_proj": normal(CHANNELS, RANK),
        "A_log": normal(CHANNELS, STATES),
        "D": normal(CHANNELS),
        "dt_bias": normal(CHANNELS),
        "out_proj": normal(WIDTH, CHANNELS),
    }


def block(hidden, residual, kept, p):
    """One pruned layer: all tokens feed the state, those kept go on."""
    normed, residual = ops.add_norm(hidden, residual, p["norm"], residual_in_fp32=True)
    x, z = F.linear(normed, p["in_proj"]).chunk(2, dim=-1)
    u, _ = ops.causal_conv1d(x, p["conv"], p["conv_bias"], silu=True)
    dt, B, C = F.linear(u, p["x_proj"]).split([RANK, STATES, STATES], dim=-1)
    delta = F.linear(dt, p["dt_proj"])
    y, state = ops.selective_scan(
        u, delta, -p["A_log"].exp(), B, C, p["D"], delta_bias=p["dt_bias"], delta_softplus=True
    )
    hidden = F.linear(ops.gate(y, z, kept), p["out_proj"])
    normed, _ = ops.add_norm(hidden, residual, p["norm"], indices=kept)
    return normed.float().square().mean() + state.square().mean()


def gradients(run, device, autocast=False):
    p = block_parameters(device)
    generator = torch.Generator().manual_seed(1)
    hidden = torch.randn(2, 37, WIDTH, generator=generator).to(device).requires_grad_()
    kept = torch.arange(0, 37, 3, device=device).expand(2, -1).contiguous()
    with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=autocast):
        loss = run(hidden, None, kept, p)
    loss.backward()
    return {name: tensor.grad for name, tensor in (p | {"hidden": hidden}).items()}


def test_block_equals_its_definition(device):
    """Through the whole chain: a wrong order of gradients in one operator shows here."""
    from simba_ssm import reference

    actual = gradients(block, device)

    def defined(hidden, residual, kept, p):
        double = {name: tensor.double() for name, tensor in p.items()}
        swapped = {
            "add_norm": lambda *a, residual_in_fp32=False, **k: reference.add_norm(*a, **k),
            **{n: getattr(reference, n) for n in ("causal_conv1d", "selective_scan", "gate")},
        }
        with pytest.MonkeyPatch.context() as patch:
            for name, function in swapped.items():
                patch.setattr(ops, name, function)
            return block(hidden.double(), residual, kept, double)

    for name, expected in gradients(defined, device).items():
        torch.testing.assert_close(actual[name], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dynamic", [False, True])
def test_compiled_training_step(dynamic, device):
    compiled = torch.compile(block, backend="aot_eager", fullgraph=True, dynamic=dynamic)
    eager = gradients(block, device)
    for name, actual in gradients(compiled, device).items():
        torch.testing.assert_close(actual, eager[name], rtol=1e-5, atol=1e-6)


def test_autocast(device):
    """Matrix products in bfloat16; norm, scan parameters and states stay float32."""
    exact = gradients(block, device)
    for name, actual in gradients(block, device, autocast=True).items():
        assert actual.dtype == torch.float32
        error = (actual - exact[name]).norm() / exact[name].norm()
        assert error < 0.05, f"{name} is off by {error:.3f}"


def test_gradients_repeat_bit_for_bit(device):
    first, again = gradients(block, device, autocast=True), gradients(block, device, autocast=True)
    for name, gradient in first.items():
        assert torch.equal(gradient, again[name]), name


def test_no_gradient_of_gradients(device):
    y = torch.randn(1, 3, 4, device=device, requires_grad=True)
    (grad,) = torch.autograd.grad(ops.gate(y, y).sum(), y, create_graph=True)
    with pytest.raises(NotImplementedError, match="simba::gate_backward has no gradient"):
        grad.sum().backward()


@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 0, 4)])
def test_nothing_has_gradients_too(shape):
    """torch.sum's gradient is expanded, so of strides 0; an empty one cannot be made contiguous."""
    x = torch.randn(shape, requires_grad=True)
    weight = torch.randn(4, 3, requires_grad=True)
    ops.causal_conv1d(x, weight)[0].sum().backward()
    assert x.grad.shape == shape and weight.grad.count_nonzero() == 0
