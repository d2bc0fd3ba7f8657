"""The module on every device at hand: the C++ model's numbers there, and the CPU's."""

from __future__ import annotations

import pytest
import torch
from checkpoints import DEMO, context_ids
from small_models import Layers, assert_close, cpp_model, random_ids, small_model

from simba_ssm import Simba, drop_in
from simba_ssm.modeling import Pruning, SimbaForCausalLM


@torch.no_grad()
@pytest.mark.parametrize("retention", ["1", "0.2"])
def test_numbers_are_the_cpp_model_s(device, retention):
    model = small_model().to(device)
    layers = Layers()
    sequences = [random_ids(n, seed=n) for n in (50, 3, 27)]
    state, last = cpp_model(model).prefill(
        sequences, plan=Simba.make_plan(retention), observer=layers
    )
    ids = torch.cat(sequences)[None].to(device)
    for bounds in ([0, 50, 53, 80], torch.tensor([0, 50, 53, 80], dtype=torch.int32, device=device)):
        states, logits = model.prefill(ids, retention, cu_seqlens=bounds, kept=layers.indices)
        assert_close(logits, last, relative=1e-4)
        for ours, theirs in zip(states, state.layers, strict=True):
            assert_close(ours.ssm, theirs.ssm, relative=1e-3)
            assert_close(ours.conv, theirs.conv, relative=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("criterion", ["influence", "delta", "recent", "spaced", "random"])
def test_losses_are_the_cpu_s(device, criterion):
    ids = random_ids(2, 60)
    arguments = {"retention": 0.3, "context": 40}
    model = small_model(pruning=Pruning(criterion=criterion))
    expected = model(ids, labels=ids, **arguments).loss
    loss = model.to(device)(ids.to(device), labels=ids.to(device), **arguments).loss
    torch.testing.assert_close(loss.cpu(), expected, rtol=1e-3, atol=0)


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_types(device, dtype):
    """The demo's model, as stored matrices of 8 or 11 bits read it, and as autocast does."""
    ids = context_ids(DEMO, 300)[None].to(device)
    exact = SimbaForCausalLM.from_pretrained(DEMO, dtype=torch.float32, device=device)
    narrow = SimbaForCausalLM.from_pretrained(DEMO, dtype=dtype, device=device)
    arguments = {"labels": ids, "retention": 0.5, "context": 200}
    expected = exact(ids, **arguments).loss
    assert abs(narrow(ids, **arguments).loss - expected) < 0.02 * expected
    with torch.autocast(device, dtype):
        assert abs(exact(ids, **arguments).loss - expected) < 0.02 * expected


def test_generation(device):
    ids = context_ids(DEMO, 60).tolist()
    model = SimbaForCausalLM.from_pretrained(DEMO, dtype=torch.float32, device=device, retention=0.3)
    cpp = Simba.from_pretrained(DEMO, dtype=torch.float32, device=device, retention=0.3)
    contexts = [ids, ids[:9]]
    assert model.generate(contexts, max_new_tokens=9) == cpp.generate(contexts, max_new_tokens=9)


@pytest.mark.parametrize("arguments", [{}, {"retention": 0.3, "context": 40}], ids=["dense", "pruned"])
def test_gradients_are_the_cpu_s(device, arguments):
    ids = random_ids(2, 60)
    # Fixed rows, so that a near-tie cannot change what is compared.
    pruning = Pruning(criterion="spaced")
    exact, model = small_model(pruning=pruning).double(), small_model(pruning=pruning).to(device)
    exact(ids, labels=ids, **arguments).loss.backward()
    model(ids.to(device), labels=ids.to(device), **arguments).loss.backward()
    pairs = zip(model.named_parameters(), exact.parameters(), strict=True)
    for (name, ours), theirs in pairs:
        assert (ours.grad.cpu() - theirs.grad).norm() <= 1e-3 * theirs.grad.norm(), name


@torch.no_grad()
@pytest.mark.parametrize("device", ["cuda"])
def test_compiled_on_a_gpu(device):
    torch.compiler.reset()
    model = small_model(n_layer=2).to(device)
    compiled = torch.compile(model, fullgraph=True)
    ids = random_ids(2, 30).to(device)
    for arguments in ({}, {"retention": 0.3, "context": 20}):
        assert_close(compiled(ids, **arguments).logits, model(ids, **arguments).logits, relative=1e-4)


@torch.no_grad()
def test_drop_in(device):
    generator = torch.Generator().manual_seed(0)

    def both(*shape):
        values = torch.randn(shape, generator=generator)
        return values, values.to(device)

    u, delta, z, B, C = (both(2, 6, 9), both(2, 6, 9), both(2, 6, 9), both(2, 2, 4, 9), both(2, 4, 9))
    A, weight = both(6, 4), both(6, 4)
    seq_idx = torch.arange(9).div(4, rounding_mode="floor").int().expand(2, 9)
    for name, arguments in {
        "selective_scan_fn": [
            (u[i], delta[i].abs(), -A[i].exp(), B[i], C[i], None, z[i], None, True, True) for i in (0, 1)
        ],
        "causal_conv1d_fn": [(u[i], weight[i], None, seq_idx.to(u[i].device)) for i in (0, 1)],
        "causal_conv1d_update": [
            (u[i][..., 0], z[i][..., :4].clone(), weight[i], None, "silu",
             torch.tensor([5, 2], device=u[i].device))
            for i in (0, 1)
        ],
        "selective_state_update": [
            (torch.ones(2, 6, 4, device=u[i].device), u[i][..., 0], delta[i][..., 0], -A[i].exp(),
             C[i][..., 0], C[i][..., 1])
            for i in (0, 1)
        ],
    }.items():  # fmt: skip
        expected, actual = (getattr(drop_in, name)(*a) for a in arguments)
        torch.testing.assert_close(actual, expected, check_device=False)
