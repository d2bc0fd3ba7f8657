"""influence_scores against its float64 definition.

A score is the logarithm of a sum of signed terms; its error is bounded relative to the same sum of
their absolute values (2^scale below), since terms of opposite sign may cancel.
"""

from __future__ import annotations

import math

import pytest
import torch
from scan_inputs import on_cpu, scan_inputs, score_inputs
from op_support import DTYPES, ROUNDING, accumulate_type

from simba_ssm import ops, reference

DECAYS = ["no_bias", "full", "none"]
REDUCTIONS = ["max", "signed_max", "l1", "l2"]
ROWS = [
    pytest.param({}, {}, id="base"),
    *[pytest.param({"length": n}, {}, id=f"length {n}") for n in (0, 1, 2, 129, 1000)],
    *[pytest.param({"channels": n}, {}, id=f"channels {n}") for n in (0, 1, 7, 33, 300)],
    *[pytest.param({"states": n}, {}, id=f"states {n}") for n in (1, 3, 64)],
    *[pytest.param({"batch": n}, {}, id=f"batch {n}") for n in (0, 1)],
    *[pytest.param({"dtype": t}, {}, id=str(t)) for t in DTYPES],
    *[pytest.param({"shift": x}, {}, id=f"delta shifted by {x}") for x in (-30.0, 30.0, 1e4)],
    *[pytest.param({}, {"decay": d}, id=f"decay {d}") for d in DECAYS],
    *[pytest.param({}, {"reduction": r}, id=f"reduction {r}") for r in REDUCTIONS],
    pytest.param({"view": True}, {}, id="strided views"),
    pytest.param({"lengths": [63]}, {}, id="packed, one sequence"),
    pytest.param({"lengths": [0, 5, 0, 0, 63, 1, 0]}, {}, id="packed, some empty"),
    pytest.param({"lengths": []}, {}, id="packed, no sequence"),
]


def assert_scores_within(scores, expected, scale, factor):
    """|2^scores - 2^expected| <= factor roundings of 2^scale, which grow with the exponent."""
    assert scores.shape == expected.shape
    assert torch.equal(scores.isnan().cpu(), expected.isnan())
    known = (scale != -math.inf) & ~expected.isnan()
    assert torch.equal(scores.cpu()[scale == -math.inf].double(), expected[scale == -math.inf])
    actual, expected, scale = (t.cpu().double()[known] for t in (scores, expected, scale))
    error = (torch.exp2(actual - scale) - torch.exp2(expected - scale)).abs()
    bound = factor * ROUNDING[scores.dtype] * (8 + scale.abs())
    excess = error / bound
    assert not excess.numel() or excess.max() <= 1, f"{excess.max().item():.3g} times the bound"


def check_against_reference(inputs, **options):
    scores = ops.influence_scores(**inputs, **options)
    cpu = on_cpu(inputs)
    expected = reference.influence_scores(**cpu, **options)
    absolute = {name: cpu[name].abs() for name in ("u", "B", "C")}
    scale = reference.influence_scores(**cpu | absolute, **options)
    assert scores.dtype == accumulate_type(inputs["u"].dtype)
    assert_scores_within(scores, expected, scale, factor=4)


@pytest.mark.parametrize(("shape", "options"), ROWS)
def test_equals_reference(shape, options, device):
    check_against_reference(score_inputs(scan_inputs(device=device, **shape)), **options)


@pytest.mark.parametrize("decay", DECAYS)
def test_without_delta_bias(decay, device):
    inputs = score_inputs(scan_inputs(device=device))
    del inputs["delta_bias"]
    check_against_reference(inputs, decay=decay)


def test_without_delta_bias_full_is_no_bias(device):
    inputs = score_inputs(scan_inputs(device=device))
    del inputs["delta_bias"]
    no_bias = ops.influence_scores(**inputs, decay="no_bias")
    assert torch.equal(ops.influence_scores(**inputs, decay="full"), no_bias)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_scores_survive_where_linear_float32_is_zero(reduction, device):
    inputs = score_inputs(scan_inputs(device=device, length=500, shift=2.0))
    contributions = reference.token_contributions(**on_cpu(inputs))
    assert (contributions[:, :200].float() == 0).all()
    check_against_reference(inputs, reduction=reduction)
    scores = ops.influence_scores(**inputs, reduction="max")[:, :-1]
    assert scores.isfinite().all()
    assert scores.unique(dim=1).shape[1] == scores.shape[1]


def test_largest_term_need_not_be_the_slowest_state(device):
    inputs = score_inputs(scan_inputs(device=device, dtype=torch.float64, shift=3.0))
    inputs["C"][..., 0] = 1e-300
    check_against_reference(inputs)


def test_zero_influence_is_minus_infinity(device):
    inputs = score_inputs(scan_inputs(device=device))
    inputs["u"][:, 7] = 0
    inputs["B"][:, 9] = 0
    scores = ops.influence_scores(**inputs)
    assert (scores[:, [7, 9]] == -math.inf).all()
    assert scores.isfinite().sum() == scores.numel() - 4
    inputs["C"][:, -1] = 0
    for reduction in REDUCTIONS:
        assert (ops.influence_scores(**inputs, reduction=reduction) == -math.inf).all()


def test_signed_max_of_negative_contributions_is_minus_infinity(device):
    inputs = score_inputs(scan_inputs(device=device))
    inputs |= {"u": -inputs["u"].abs(), "B": inputs["B"].abs(), "C": inputs["C"].abs()}
    assert (ops.influence_scores(**inputs, reduction="signed_max") == -math.inf).all()
    inputs["u"] = -inputs["u"]
    signed = ops.influence_scores(**inputs, reduction="signed_max")
    assert torch.equal(signed, ops.influence_scores(**inputs, reduction="max"))


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", ["u", "B"])
def test_nan_marks_its_own_token(name, reduction, device):
    inputs = score_inputs(scan_inputs(device=device))
    inputs[name][1, 20, 3] = math.nan
    scores = ops.influence_scores(**inputs, reduction=reduction)
    marked = torch.zeros_like(scores, dtype=torch.bool)
    marked[1, 20] = True
    assert torch.equal(scores.isnan(), marked)


def test_nan_delta_marks_every_earlier_token(device):
    inputs = score_inputs(scan_inputs(device=device))
    inputs["delta"][1, 20, 3] = math.nan
    scores = ops.influence_scores(**inputs)
    assert scores[1, :21].isnan().all()
    assert not scores[1, 21:].isnan().any()
    assert not scores[0].isnan().any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("decay", DECAYS)
def test_packed_equals_single_bit_for_bit(decay, dtype, device):
    lengths = [5, 0, 63, 1, 32]
    inputs = score_inputs(scan_inputs(device=device, lengths=lengths, dtype=dtype))
    scores = ops.influence_scores(**inputs, decay=decay)
    single = {name: tensor for name, tensor in inputs.items() if name != "cu_seqlens"}
    begin = 0
    for length in lengths:
        span = slice(begin, begin + length)
        cut = {name: inputs[name][:, span] for name in ("u", "delta", "B", "C")}
        assert torch.equal(ops.influence_scores(**single | cut, decay=decay), scores[:, span])
        begin += length


@pytest.mark.parametrize("decay", DECAYS)
def test_kept_tokens_equal_the_reference(decay, device):
    """At 99.9 % of positions or more; the others are near-ties."""
    agree = total = 0
    for seed in range(4):
        inputs = scan_inputs(
            device=device, batch=2, length=1000, channels=48, shift=-4.0, seed=seed
        )
        inputs = score_inputs(inputs)
        scores = ops.influence_scores(**inputs, decay=decay).cpu()
        expected = reference.influence_scores(**on_cpu(inputs), decay=decay)
        for keep in (100, 500, 900):
            kept = ops.select_tokens(scores, keep)
            kept_expected = reference.select_tokens(expected, keep)
            for row, row_expected, row_scores in zip(kept, kept_expected, expected, strict=True):
                extra = sorted(set(row.tolist()) - set(row_expected.tolist()))
                missed = sorted(set(row_expected.tolist()) - set(row.tolist()))
                total += keep
                agree += keep - len(extra)
                for one, other in zip(row_scores[extra], row_scores[missed], strict=True):
                    assert abs(one - other) <= 1e-5 * max(1, abs(one))
    assert agree >= 0.999 * total


ERRORS = [
    ("u", lambda t: t[0], r"u must be \(B, L, D\), of 3 dimensions, got \(63, 24\)"),
    ("delta", lambda t: t[..., :5], r"delta must be \(B, L, D\) = \(2, 63, 24\), got \(2, 63, 5\)"),
    ("A", lambda t: t[:3], r"A must be \(D, N\) = \(24, 16\), got \(3, 16\)"),
    ("B", lambda t: t[:, :4], r"B must be \(B, L, N\) = \(2, 63, 16\), got \(2, 4, 16\)"),
    ("C", lambda t: t.double(), "C must be float32 like u, got float64"),
    ("delta_bias", lambda t: t[:1], r"delta_bias must be \(D\) = \(24\), got \(1\)"),
    ("decay", lambda _: "half", "decay must be no_bias, full or none, got 'half'"),
    ("reduction", lambda _: "mean", "reduction must be max, l2, l1 or signed_max, got 'mean'"),
]


@pytest.mark.parametrize(("name", "change", "message"), ERRORS)
def test_wrong_argument(name, change, message, device):
    inputs = score_inputs(scan_inputs(device=device))
    inputs[name] = change(inputs.get(name))
    with pytest.raises(ValueError, match="influence_scores: " + message):
        ops.influence_scores(**inputs)
