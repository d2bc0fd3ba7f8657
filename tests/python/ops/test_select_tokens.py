"""select_tokens equals its definition exactly, whatever the scores."""

from __future__ import annotations

import math

import pytest
import torch
from op_support import cu_seqlens, strided

from simba_ssm import ops, reference

INF, NAN = math.inf, math.nan


def scores_of(kind: str, batch: int, length: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(length)
    normal = torch.randn(batch, length, generator=generator)
    few = torch.randint(0, 4, (batch, length), generator=generator)
    return {
        "distinct": normal,
        "huge": normal * 1e38,
        "tiny": normal * 1e-44,
        "many ties": few.float(),
        "all equal": torch.zeros(batch, length),
        "signed zeros": torch.tensor([0.0, -0.0])[few % 2],
        "infinite": torch.tensor([-INF, INF, 1.0, -1.0])[few],
        "some NaN": torch.tensor([NAN, -INF, 1.0, NAN])[few],
        "NaN of both signs": torch.tensor([NAN, -NAN, -INF, 0.0])[few],
        "all NaN": torch.full((batch, length), NAN),
        "all -inf": torch.full((batch, length), -INF),
    }[kind]


KINDS = [
    "distinct", "huge", "tiny", "many ties", "all equal", "signed zeros", "infinite", "some NaN",
    "NaN of both signs", "all NaN", "all -inf",
]  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_equals_reference(kind, dtype, device):
    scores = scores_of(kind, 3, 129).to(dtype)
    for keep in (1, 2, 12, 64, 128, 129):
        kept = ops.select_tokens(scores.to(device), keep)
        assert torch.equal(kept.cpu(), reference.select_tokens(scores, keep)), keep


@pytest.mark.parametrize("length", [1, 2, 63, 129, 1000, 5000])
def test_lengths(length, device):
    scores = scores_of("distinct", 2, length)
    for keep in {1, (length + 1) // 2, length}:
        kept = ops.select_tokens(scores.to(device), keep)
        assert torch.equal(kept.cpu(), reference.select_tokens(scores, keep))


def test_ties_go_to_the_later_token(device):
    scores = torch.tensor([[5.0, 1.0, 1.0, 1.0, 0.0]], device=device)
    assert ops.select_tokens(scores, 3).tolist() == [[0, 3, 4]]


def test_last_token_is_always_kept(device):
    scores = torch.tensor([[5.0, 4.0, 3.0, -INF], [5.0, 4.0, 3.0, NAN]], device=device)
    assert ops.select_tokens(scores, 2).tolist() == [[0, 3], [0, 3]]
    assert ops.select_tokens(scores, 1).tolist() == [[3], [3]]


def test_nan_ranks_below_minus_infinity(device):
    scores = torch.tensor([[-INF, NAN, -NAN, -INF, NAN]], device=device)
    assert ops.select_tokens(scores, 3).tolist() == [[0, 3, 4]]
    assert ops.select_tokens(scores, 4).tolist() == [[0, 2, 3, 4]]


def test_strided_scores(device):
    scores = scores_of("many ties", 3, 65)
    kept = ops.select_tokens(strided(scores.to(device)), 20)
    assert torch.equal(kept.cpu(), reference.select_tokens(scores, 20))


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (3, 0)])
def test_empty(shape, device):
    kept = ops.select_tokens(torch.empty(shape, device=device), shape[1])
    assert kept.shape == shape
    assert kept.dtype == torch.int64


@pytest.mark.parametrize("kind", KINDS)
def test_packed_equals_reference_and_single(kind, device):
    lengths, keep = [5, 0, 63, 1, 0, 60], [2, 0, 63, 1, 0, 31]
    scores, bounds = scores_of(kind, 1, 129), cu_seqlens(lengths, "cpu")
    kept, kept_bounds = ops.select_tokens(scores.to(device), keep, bounds.to(device))
    expected, expected_bounds = reference.select_tokens(scores, keep, bounds)
    assert kept_bounds.dtype == torch.int32
    assert torch.equal(kept.cpu(), expected)
    assert torch.equal(kept_bounds.cpu(), expected_bounds)
    single = [
        begin + ops.select_tokens(scores[:, begin:end].to(device), count)
        for begin, end, count in zip(bounds[:-1].tolist(), bounds[1:].tolist(), keep, strict=True)
    ]
    assert torch.equal(torch.cat(single, dim=1), kept)


@pytest.mark.parametrize("lengths", [[], [0], [0, 0]])
def test_packed_and_empty(lengths, device):
    scores = torch.empty(1, 0, device=device)
    kept, bounds = ops.select_tokens(scores, lengths, cu_seqlens(lengths, device))
    assert kept.shape == (1, 0)
    assert bounds.tolist() == [0] * (len(lengths) + 1)


ERRORS = [
    (torch.zeros(5), 2, r"scores must be \(B, L\), of 2 dimensions, got \(5\)"),
    (torch.zeros(1, 5).half(), 2, "scores must be float32, got float16"),
    (torch.zeros(1, 5), 0, r"keep must be in \[1, 5\], got 0"),
    (torch.zeros(1, 5), 6, r"keep must be in \[1, 5\], got 6"),
    (torch.zeros(1, 0), 1, r"keep must be in \[0, 0\], got 1"),
]


@pytest.mark.parametrize(("scores", "keep", "message"), ERRORS)
def test_wrong_argument(scores, keep, message, device):
    with pytest.raises(ValueError, match="select_tokens: " + message):
        ops.select_tokens(scores.to(device), keep)


def test_scores_must_be_contiguous_in_their_last_dimension(device):
    with pytest.raises(
        ValueError, match="scores must be contiguous in its last dimension, got stride 2"
    ):
        ops.select_tokens(torch.zeros(1, 10, device=device)[:, ::2], 2)


# On a GPU the lengths are not known to the host; the counts are checked against the whole row.
PACKED_ERRORS = [
    ([1, 2], r"keep must be one count per sequence, S = 3, got 2 counts"),
    ([2, 0, -1], r"keep\[2\] must be in \[1, 4\], got -1"),
    ([2, 0, 11], r"keep\[2\] must be in \[1, 4\], got 11"),
    ([0, 0, 1], r"keep\[0\] must be in \[1, 6\], got 0"),
    ([1, 1, 1], r"keep\[1\] must be in \[0, 0\], got 1"),
    ([7, 0, 1], r"keep\[0\] must be in \[1, 6\], got 7"),
]


@pytest.mark.parametrize(("keep", "message"), PACKED_ERRORS)
def test_wrong_packed_counts(keep, message):
    with pytest.raises(ValueError, match="select_tokens: " + message):
        ops.select_tokens(torch.zeros(1, 10), keep, cu_seqlens([6, 0, 4], "cpu"))
