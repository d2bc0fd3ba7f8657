"""The definition itself: Eq. 4 against the scan, against autograd, and in its log form."""

from __future__ import annotations

import math

import pytest
import torch
from scan_inputs import scan_inputs, score_inputs

from simba_ssm import reference

DECAYS = ["no_bias", "full", "none"]


def double_inputs(**shape):
    return scan_inputs(device="cpu", dtype=torch.float64, **shape)


def absolute_terms(inputs, decay):
    """Sum over tokens and states of the absolute terms of y_T - D u_T, (B, D)."""
    positive = inputs | {name: inputs[name].abs() for name in ("u", "B", "C")}
    return reference.token_contributions(**score_inputs(positive), decay=decay).sum(1)


def surrogate_last_output(inputs, scales, decay):
    """y_T of a scan whose decay uses `decay`'s own delta, token t's term times scales[:, t].

    Written without reference's formulas: the state is carried from token to token.
    """
    u, delta, A, B, C, bias = (inputs[n] for n in ("u", "delta", "A", "B", "C", "delta_bias"))
    dt = torch.logaddexp(delta + bias, torch.zeros_like(delta))
    decay_dt = {
        "full": dt,
        "no_bias": torch.logaddexp(delta, torch.zeros_like(delta)),
        "none": torch.zeros_like(dt),
    }[decay]
    state = torch.zeros(u.shape[0], *A.shape, dtype=torch.float64)
    for t in range(u.shape[1]):
        term = scales[:, t, :, None] * dt[:, t, :, None] * B[:, t, None] * u[:, t, :, None]
        state = torch.exp(decay_dt[:, t, :, None] * A) * state + term
    return (state * C[:, -1, None]).sum(-1)


@pytest.mark.parametrize("length", [1, 2, 63, 129, 1000])
def test_contributions_sum_to_the_last_output(length):
    inputs = double_inputs(length=length)
    del inputs["z"]
    out, _ = reference.selective_scan(**inputs, delta_softplus=True)
    expected = out[:, -1] - inputs["D"].double() * inputs["u"][:, -1]
    total = reference.token_contributions(**score_inputs(inputs), decay="full").sum(1)
    assert ((total - expected).abs() <= 1e-10 * absolute_terms(inputs, "full")).all()


@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("shift", [-3.0, 0.0])
def test_contributions_are_the_derivative_by_a_scale_on_each_term(decay, shift):
    inputs = double_inputs(length=33, shift=shift)
    scales = torch.ones_like(inputs["u"]).requires_grad_()
    # y_T[d] depends on channel d's scales alone: one backward pass gives every derivative.
    surrogate_last_output(inputs, scales, decay).sum().backward()
    contributions = reference.token_contributions(**score_inputs(inputs), decay=decay)
    bound = 1e-10 * absolute_terms(inputs, decay)[:, None]
    assert ((contributions - scales.grad).abs() <= bound).all()
    assert (scales.grad.abs() > bound).any(dim=-1).sum() >= 5


def test_full_decay_of_the_surrogate_is_the_scan():
    inputs = double_inputs(length=33)
    out, _ = reference.selective_scan(
        **{n: inputs[n] for n in ("u", "delta", "A", "B", "C", "delta_bias")}, delta_softplus=True
    )
    surrogate = surrogate_last_output(inputs, torch.ones_like(inputs["u"]), "full")
    torch.testing.assert_close(surrogate, out[:, -1], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("lengths", [None, [40, 0, 1, 22]])
def test_l1_scores_of_positive_terms_sum_to_the_last_output(lengths):
    inputs = double_inputs(lengths=lengths)
    inputs |= {name: inputs[name].abs() for name in ("u", "B", "C")}
    del inputs["z"]
    out, _ = reference.selective_scan(**inputs, delta_softplus=True)
    without_skip = out - inputs["D"].double() * inputs["u"]
    linear = torch.exp2(
        reference.influence_scores(**score_inputs(inputs), decay="full", reduction="l1")
    )
    spans = [(b, 0, 63) for b in range(2)]
    if lengths:
        ends = torch.tensor(lengths).cumsum(0).tolist()
        spans = [(0, end - n, end) for n, end in zip(lengths, ends, strict=True) if n]
    for b, begin, end in spans:
        expected = without_skip[b, end - 1].sum()
        assert abs(linear[b, begin:end].sum() - expected) <= 1e-10 * expected


@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize(
    ("reduction", "reduce"),
    [
        ("max", lambda dy: dy.abs().amax(-1)),
        ("signed_max", lambda dy: dy.amax(-1).clamp(min=0)),
        ("l1", lambda dy: dy.abs().sum(-1)),
        ("l2", lambda dy: dy.square().sum(-1).sqrt()),
    ],
)
def test_scores_are_the_logarithm_of_reduced_contributions(reduction, reduce, decay):
    inputs = score_inputs(double_inputs(length=40, shift=-3.0))
    scores = reference.influence_scores(**inputs, decay=decay, reduction=reduction)
    expected = torch.log2(reduce(reference.token_contributions(**inputs, decay=decay)))
    assert expected.isfinite().any(dim=1).all()
    torch.testing.assert_close(scores, expected, rtol=1e-9, atol=1e-9)


def test_scores_go_on_below_the_smallest_float64():
    inputs = score_inputs(double_inputs(length=2000))
    linear = reference.token_contributions(**inputs)
    scores = reference.influence_scores(**inputs)
    assert (linear[:, :200] == 0).all()
    assert scores.isfinite().all()
    # With a single state the score is a closed form: A R is never exponentiated.
    one = {
        name: tensor[..., :1] if name in ("A", "B", "C") else tensor
        for name, tensor in inputs.items()
    }
    after = torch.nn.functional.softplus(one["delta"]).flip(1).cumsum(1).flip(1)[:, 1]
    dt = torch.nn.functional.softplus(one["delta"] + one["delta_bias"])[:, 0]
    size = (one["C"][:, -1] * one["B"][:, 0] * dt * one["u"][:, 0]).abs().log()
    expected = (size + after * one["A"][:, 0]).amax(-1) / math.log(2)
    torch.testing.assert_close(reference.influence_scores(**one)[:, 0], expected, rtol=1e-8, atol=0)


def test_scan_of_a_closed_form():
    """dt = 1, A = -ln 2, u = B = C = 1: h halves and gains 1, so h_t = 2 - 2^-t."""
    ones = torch.ones(1, 6, 1, dtype=torch.float64)
    A = torch.full((1, 1), -math.log(2), dtype=torch.float64)
    out, state = reference.selective_scan(ones, ones, A, ones, ones)
    expected = 2 - 0.5 ** torch.arange(6, dtype=torch.float64)
    torch.testing.assert_close(out[0, :, 0], expected)
    torch.testing.assert_close(state[0, 0], expected[-1:])


def test_conv_is_torchs_own():
    x, weight = torch.randn(2, 20, 6).double(), torch.randn(6, 4).double()
    out, state = reference.causal_conv1d(x, weight)
    padded = torch.nn.functional.pad(x.mT, (3, 0))
    expected = torch.nn.functional.conv1d(padded, weight[:, None], groups=6).mT
    torch.testing.assert_close(out, expected)
    assert torch.equal(state, x[:, -3:].mT)


@pytest.mark.parametrize("with_bias", [False, True])
def test_norms_are_torchs_own(with_bias):
    x, residual = torch.randn(2, 5, 16).double(), torch.randn(2, 5, 16).double()
    weight, bias = torch.randn(16).double(), torch.randn(16).double()
    normed, new_residual = reference.add_norm(x, residual, weight, bias if with_bias else None)
    if with_bias:
        expected = torch.nn.functional.layer_norm(x + residual, (16,), weight, bias, 1e-5)
    else:
        expected = torch.nn.functional.rms_norm(x + residual, (16,), weight, 1e-5)
    torch.testing.assert_close(normed, expected)
    assert torch.equal(new_residual, x + residual)


def test_gate_is_torchs_silu():
    y, z = torch.randn(2, 5, 4).double(), torch.randn(2, 5, 4).double()
    torch.testing.assert_close(reference.gate(y, z), y * torch.nn.functional.silu(z))


def test_selection_order():
    scores = torch.tensor([[3.0, 1.0, math.nan, 1.0, -math.inf, 0.0]])
    order = [[5], [0, 5], [0, 3, 5], [0, 1, 3, 5], [0, 1, 3, 4, 5], [0, 1, 2, 3, 4, 5]]
    assert [reference.select_tokens(scores, keep)[0].tolist() for keep in range(1, 7)] == order
