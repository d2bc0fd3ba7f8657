"""Counts of tokens per layer: the C++ model's, to the last token."""

from __future__ import annotations

import pytest

from simba_ssm import Simba
from simba_ssm.modeling import Pruning
from simba_ssm.modeling.schedule import tokens_per_layer

SCHEDULES = ["linear", "constant", "steps:1=0.5,3=0.2", "steps:2=.07"]


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("retention", ["0.1", 0.1, 0.07, ".5", 0.333333333, "0.999999999", 1])
def test_counts_are_the_cpp_model_s(schedule, retention):
    plan = Simba.make_plan(retention, schedule)
    for n_layer in (4, 24, 64):
        for tokens in [*range(1, 40), 205, 1000, 2048, 1_000_003]:
            ours = tokens_per_layer(tokens, n_layer, retention, schedule)
            if retention == 1 and schedule == "linear":
                assert ours == [tokens] * n_layer
            assert ours == plan.tokens_per_layer(tokens, n_layer)


def test_one_layer_keeps_all():
    assert tokens_per_layer(7, 1, 0.1) == [7]
    assert tokens_per_layer(7, 1, 0.1, "constant") == [7]


@pytest.mark.parametrize(
    "retention", [0, -0.5, 1.5, "", ".", "1e-1", "0.1234567891", "½", "nan", float("nan")]
)
def test_refused_retentions(retention):
    with pytest.raises(ValueError, match=r"retention: expected a decimal in \(0, 1\]"):
        Pruning(retention=retention)
    with pytest.raises(ValueError, match=r"retention: expected a decimal in \(0, 1\]"):
        Simba.make_plan(retention)


@pytest.mark.parametrize(
    "schedule",
    ["", "lin", "steps", "steps:", "steps:1", "steps:a=0.5", "steps:1=0", "steps:2=0.5,1=0.4",
     "steps:1=0.5,2=0.6", "steps:1=0.5,"],
)  # fmt: skip
def test_refused_schedules(schedule):
    for make in (lambda: Pruning(schedule=schedule), lambda: Simba.make_plan("0.5", schedule)):
        with pytest.raises(ValueError, match="schedule: expected|retention: expected"):
            make()


def test_a_step_outside_the_layers():
    with pytest.raises(ValueError, match=r"schedule: expected layers in \[1, 4\).*got 4"):
        tokens_per_layer(10, 4, 1, "steps:4=0.5")


@pytest.mark.parametrize(
    ("field", "value"), [("criterion", "best"), ("decay", "some"), ("reduction", "mean")]
)
def test_refused_options(field, value):
    with pytest.raises(ValueError, match=f"{field}: expected one of .*, got '{value}'"):
        Pruning(**{field: value})
