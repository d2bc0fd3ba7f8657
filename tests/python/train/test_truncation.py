"""Truncated contexts cost what influence costs, by the C++ model's count of FLOPs."""

from __future__ import annotations

import pytest
from checkpoints import DEMO
from simba_ssm import Simba
from simba_ssm.modeling.checkpoint import read_config
from simba_ssm.train.truncation import truncated_length


@pytest.fixture(scope="module")
def model() -> Simba:
    return Simba.from_pretrained(str(DEMO))


@pytest.mark.parametrize("retention", ["0.9", "0.5", "0.3", "0.1", "0.05"])
@pytest.mark.parametrize("schedule", ["linear", "constant", "steps:6=0.5"])
def test_flops_agree(model: Simba, retention: str, schedule: str) -> None:
    pruned = model.flops(2048, plan=Simba.make_plan(retention, schedule)).prefill_with_scores
    length = truncated_length(2048, retention, schedule, read_config(DEMO))
    dense = [
        model.flops(n, plan=Simba.make_plan(1)).prefill for n in (length - 1, length, length + 1)
    ]
    assert abs(dense[1] - pruned) == min(abs(each - pruned) for each in dense)


def test_dense_is_not_truncated() -> None:
    assert truncated_length(2048, "1", "linear", read_config(DEMO)) == 2048
    assert truncated_length(1, "0.1", "linear", read_config(DEMO)) == 1
