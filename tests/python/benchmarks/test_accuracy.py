from __future__ import annotations

import made_up_run
import torch

from benchmarks.compare.accuracy import Accuracy, share_in
from benchmarks.compare.inputs import Shape
from benchmarks.compare.operator_peers import find_operator_peers
from simba_ssm import ops


def test_one_other_token_is_one_whatever_its_place() -> None:
    """A token exchanged near the front moves the places of all behind it."""
    expected = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8]])
    kept = torch.tensor([[0, 1, 2, 3], [5, 6, 7, 8]])
    assert share_in(kept, expected) == 7 / 8
    assert share_in(kept.flip(0), expected) == 0
    assert share_in(expected, expected) == 1


def test_kept_tokens_are_compared_as_sets(monkeypatch) -> None:
    result = made_up_run.result()
    result.machine = made_up_run.machine("cpu")
    accuracy = Accuracy(result, find_operator_peers(torch.device("cpu")), Shape(1, 60, 8))
    ways = ("float32", "as in a model", "no_bias", "max")
    with torch.inference_mode():
        (row,) = accuracy.influence(*ways)
        assert row.more["kept_as_exact"] == 1
        select = ops.select_tokens

        def shifted(scores, keep):
            kept = select(scores, keep)
            missing = min(i for i in range(60) if i not in kept)
            others = torch.cat([kept[:, :-2], kept[:, -1:], torch.tensor([[missing]])], dim=1)
            return others.sort(dim=1).values

        monkeypatch.setattr(ops, "select_tokens", shifted)
        (row,) = accuracy.influence(*ways)
    assert row.more["kept_as_exact"] == 5 / 6
