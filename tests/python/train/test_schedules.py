"""What changes with the step: the learning rate and the retention that is drawn."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from simba_ssm.modeling import SimbaConfig, SimbaForCausalLM
from simba_ssm.train.config import OptimizerConfig, SparseConfig
from simba_ssm.train.optimizer import learning_rate, make_optimizer
from simba_ssm.train.retention import draw_retentions, ends

OPTIMIZER = OptimizerConfig(1e-3, (0.9, 0.95), 1e-8, 0.1, warmup=0.1, final=0.0, clip=1.0)
SPARSE = SparseConfig("influence", "no_bias", "max", "linear", (0.1, 1.0), 0.0, 8)


def test_warm_up_then_cosine() -> None:
    rates = [learning_rate(OPTIMIZER, step, 400) for step in range(400)]
    np.testing.assert_allclose(rates[:40], 1e-3 * np.arange(1, 41) / 40)
    assert rates[40] == 1e-3
    np.testing.assert_allclose(rates[220], 0.5e-3)  # half way through the cosine
    assert all(a > b for a, b in zip(rates[40:], rates[41:], strict=False))
    assert 0 < rates[-1] < 1e-7


def test_the_cosine_ends_at_its_share() -> None:
    config = replace(OPTIMIZER, warmup=0.0, final=0.1)
    assert learning_rate(config, 0, 1000) == 1e-3
    assert learning_rate(config, 999, 1000) == pytest.approx(1e-4, rel=1e-3)


def test_a_run_of_warm_up_alone() -> None:
    rates = [learning_rate(replace(OPTIMIZER, warmup=1.0), step, 4) for step in range(4)]
    np.testing.assert_allclose(rates, [0.25e-3, 0.5e-3, 0.75e-3, 1e-3])


def test_what_decays() -> None:
    config = SimbaConfig(d_model=8, n_layer=2, vocab_size=16, rms_norm=False, projection_bias=True)
    model = SimbaForCausalLM(config)
    names = {id(p): name for name, p in model.named_parameters()}
    decaying, others = make_optimizer(model, OPTIMIZER).param_groups
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.1, 0.0)
    kinds = {names[id(p)].replace("backbone.layers.0.", "") for p in decaying["params"]}
    kinds = {kind for kind in kinds if "layers" not in kind}
    assert kinds == {
        "backbone.embedding.weight",
        *(f"mixer.{n}.weight" for n in ("in_proj", "conv1d", "x_proj", "dt_proj", "out_proj")),
    }
    left = {names[id(p)].split(".")[-1] for p in others["params"]}
    assert left == {"bias", "weight", "A_log", "D"}
    assert len(decaying["params"]) + len(others["params"]) == len(names)


def test_retentions_are_uniform_and_of_the_step_alone() -> None:
    drawn = [draw_retentions(SPARSE, 7, step, 400, 16) for step in range(400)]
    values = np.array(drawn, dtype=float)
    assert 0.1 <= values.min() < 0.102 and 0.998 < values.max() <= 1
    # The mean of 6400 draws: standard error 0.9 / sqrt(12 * 6400) = 0.00325.
    assert abs(values.mean() - 0.55) < 5 * 0.00325
    assert draw_retentions(SPARSE, 7, 123, 400, 16) == drawn[123]
    assert draw_retentions(SPARSE, 8, 123, 400, 16) != drawn[123]


def test_a_progressive_draw_comes_down() -> None:
    sparse = replace(SPARSE, progressive=0.5)
    assert ends(sparse, 0, 400) == (1.0, 1.0)
    assert ends(sparse, 100, 400) == (pytest.approx(0.55), 1.0)
    assert ends(sparse, 200, 400) == ends(sparse, 399, 400) == (0.1, 1.0)
    assert set(draw_retentions(sparse, 0, 0, 400, 4)) == {"1.000000"}


def test_retentions_are_decimals_the_model_takes() -> None:
    for retention in draw_retentions(replace(SPARSE, retention=(1e-9, 2e-9)), 0, 0, 1, 4):
        assert 0 < float(retention) <= 1
    assert not math.isnan(sum(map(float, draw_retentions(SPARSE, 0, 0, 1, 4))))
