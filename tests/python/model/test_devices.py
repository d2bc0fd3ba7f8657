"""The model on a GPU against the same model on the CPU, and in 16-bit types against float32."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from checkpoints import CHECKPOINTS, context_ids

import simba_ssm
from simba_ssm import ops

T, K = 768, 64


class Recorder:
    def __init__(self):
        self.inputs, self.kept = [], []

    def __call__(self, _layer, _tokens, inputs, kept):
        self.inputs.append(inputs)
        self.kept.append(kept)


def load(folder, device, dtype):
    return simba_ssm.Simba.from_pretrained(folder, device=device, dtype=dtype)


@pytest.mark.parametrize("device", ["cuda"])
@pytest.mark.parametrize("decay", ["no_bias", "full", "none"])
@pytest.mark.parametrize("folder", CHECKPOINTS, ids=lambda folder: folder.name)
def test_float32_selects_the_cpu_s_tokens(device, folder, decay):
    ids = context_ids(folder, T)
    here, there = Recorder(), Recorder()
    cpu = load(folder, "cpu", torch.float32)
    plan = cpu.make_plan("0.1", decay=decay)
    _, expected = cpu.prefill([ids], plan=plan, observer=here)
    # Past a near-tie the two would see different tokens: the GPU follows the CPU's choice, and its own
    # is made again from its own inputs.
    forced = plan.with_forced_indices([k.indices for k in here.kept[:-1]])
    _, logits = load(folder, device, torch.float32).prefill([ids], plan=forced, observer=there)
    assert (logits.cpu() - expected).abs().max() <= 1e-4 * expected.square().mean().sqrt()
    for inputs, kept in zip(there.inputs[:-1], here.kept[:-1], strict=True):
        scores = ops.influence_scores(
            inputs.u, inputs.delta, inputs.A, inputs.B, inputs.C, inputs.delta_bias, decay=decay
        )
        keep = kept.indices.shape[1]
        ours = set(ops.select_tokens(scores, keep)[0].tolist())
        theirs = set(kept.indices[0].tolist())
        threshold = sorted(kept.scores[0].tolist())[-keep]
        for index in ours ^ theirs:
            distance = abs(kept.scores[0, index].item() - threshold)
            assert distance <= 1e-3 * max(1.0, abs(threshold)), f"token {index} is no near-tie"


@cache
def nll(folder, device, dtype) -> torch.Tensor:
    """Mean of the K ids after a context of T."""
    ids = context_ids(folder, T + K)
    model = load(folder, device, dtype)
    state, last = model.prefill([ids[:T]])
    logits = torch.cat([last, model.extend(state, [ids[T:-1]])])
    return torch.nn.functional.cross_entropy(logits.cpu(), ids[T:])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("folder", CHECKPOINTS, ids=lambda folder: folder.name)
def test_16_bit_types_stay_near_float32(device, folder, dtype):
    assert abs(nll(folder, device, dtype) - nll(folder, device, torch.float32)) <= 0.01


def test_dropping_tokens_works_in_every_type(device):
    ids = context_ids(CHECKPOINTS[0], T)
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        model = load(CHECKPOINTS[0], device, dtype)
        recorder = Recorder()
        plan = model.make_plan("0.1")
        _, logits = model.prefill([ids], plan=plan, observer=recorder)
        assert logits.dtype == torch.float32 and logits.isfinite().all()
        entering = [inputs.u.shape[1] for inputs in recorder.inputs]
        assert entering == plan.tokens_per_layer(T, model.n_layer)
        assert recorder.inputs[0].u.dtype == dtype
        assert recorder.kept[0].scores.dtype == torch.float32
