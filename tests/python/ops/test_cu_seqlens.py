"""Every operator that takes cu_seqlens refuses bad ones with the same messages."""

from __future__ import annotations

import pytest
import torch
from scan_inputs import scan_inputs, score_inputs

from simba_ssm import ops


def call_scan(device, cu_seqlens, batch):
    inputs = scan_inputs(device=device, batch=batch, length=10)
    ops.selective_scan(**inputs, cu_seqlens=cu_seqlens)


def call_scores(device, cu_seqlens, batch):
    inputs = scan_inputs(device=device, batch=batch, length=10)
    ops.influence_scores(**score_inputs(inputs), cu_seqlens=cu_seqlens)


def call_conv(device, cu_seqlens, batch):
    x = torch.zeros(batch, 10, 3, device=device)
    ops.causal_conv1d(x, torch.zeros(3, 4, device=device), cu_seqlens=cu_seqlens)


def call_select(device, cu_seqlens, batch):
    scores = torch.zeros(batch, 10, device=device)
    ops.select_tokens(scores, [1] * (cu_seqlens.numel() - 1), cu_seqlens)


CALLS = [call_scan, call_scores, call_conv, call_select]
BAD_ANYWHERE = [
    ([0, 10], torch.int64, "cu_seqlens must be int32, got int64"),
    ([], torch.int32, r"cu_seqlens must be \(S \+ 1\), at least one element, got \(0\)"),
    ([[0, 10]], torch.int32, r"cu_seqlens must be \(S \+ 1\), at least one element, got \(1, 2\)"),
]
# Their content is not read on a GPU.
BAD_ON_CPU = [
    ([1, 10], r"cu_seqlens\[0\] must be 0, got 1"),
    ([0, 6, 4, 10], "cu_seqlens must be ascending, got 6 before 4"),
    ([0, 4, 9], "cu_seqlens' last element must be L = 10, got 9"),
    ([0, 11], "cu_seqlens' last element must be L = 10, got 11"),
    ([0], "cu_seqlens' last element must be L = 10, got 0"),
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("values", "dtype", "message"), BAD_ANYWHERE)
def test_bad_shape_or_type(call, values, dtype, message, device):
    with pytest.raises(ValueError, match=message):
        call(device, torch.tensor(values, dtype=dtype, device=device), batch=1)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("values", "message"), BAD_ON_CPU)
def test_bad_content(call, values, message):
    with pytest.raises(ValueError, match=message):
        call("cpu", torch.tensor(values, dtype=torch.int32), batch=1)


@pytest.mark.parametrize("call", CALLS)
def test_batch_must_be_one(call, device):
    bounds = torch.tensor([0, 10], dtype=torch.int32, device=device)
    with pytest.raises(ValueError, match=r"must be \(1, L, ...\) where cu_seqlens"):
        call(device, bounds, batch=2)
