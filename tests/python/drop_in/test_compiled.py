"""The drop-in functions under torch.compile, without breaks."""

from __future__ import annotations

import pytest
import torch
from drop_in_inputs import normal
from torch._dynamo.testing import CompileCounterWithBackend

from simba_ssm.drop_in import (
    causal_conv1d_fn,
    causal_conv1d_update,
    selective_scan_fn,
    selective_state_update,
)


@torch.no_grad()
def test_compiled():
    compiled = torch.compile(selective_scan_fn, fullgraph=True, backend="aot_eager")
    u, A, B = normal(2, 6, 9), -torch.ones(6, 4), normal(2, 2, 4, 9)
    assert torch.equal(compiled(u, u, A, B, B), selective_scan_fn(u, u, A, B, B))


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("heads", [None, 4])
def test_a_compiled_step(heads, dtype):
    torch.compiler.reset()
    compiled = torch.compile(selective_state_update, fullgraph=True, backend="aot_eager")
    lead = () if heads is None else (heads,)
    A, B = -normal(*lead, 6, 5, seed=1).exp(), normal(2, *(() if heads is None else (2,)), 5, seed=2)
    x, before = normal(2, *lead, 6, seed=3), normal(2, *lead, 6, 5, seed=4, dtype=dtype)
    state, expected_state = before.clone(), before.clone()
    expected = selective_state_update(expected_state, x, x, A, B, B, dt_softplus=True)
    assert torch.equal(compiled(state, x, x, A, B, B, dt_softplus=True), expected)
    assert torch.equal(state, expected_state) and not torch.equal(state, before)


@torch.no_grad()
def test_batches_of_any_size_share_what_is_compiled():
    torch.compiler.reset()
    counter = CompileCounterWithBackend("aot_eager")
    scan = torch.compile(selective_scan_fn, fullgraph=True, backend=counter)
    conv = torch.compile(causal_conv1d_fn, fullgraph=True, backend=counter)
    A, weight = -torch.ones(6, 4), normal(6, 4)
    for batch in (2, 3, 4, 5):
        u, B = normal(batch, 6, 9), normal(batch, 4, 9)
        assert torch.equal(scan(u, u, A, B, B), selective_scan_fn(u, u, A, B, B))
        assert torch.equal(conv(u, weight), causal_conv1d_fn(u, weight))
    # Each for the first size, and for those after it.
    assert counter.frame_count == 4


@torch.no_grad()
def test_a_compiled_convolution_step():
    torch.compiler.reset()
    compiled = torch.compile(causal_conv1d_update, fullgraph=True, backend="aot_eager")
    weight, x, before = normal(6, 4, seed=1), normal(2, 6, seed=2), normal(2, 6, 3, seed=3)
    state, expected_state = before.clone(), before.clone()
    expected = causal_conv1d_update(x, expected_state, weight, activation="silu")
    assert torch.equal(compiled(x, state, weight, activation="silu"), expected)
    assert torch.equal(state, expected_state) and not torch.equal(state, before)
