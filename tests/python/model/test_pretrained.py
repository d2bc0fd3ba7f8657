"""simba_ssm.Simba: what a Python user holds."""

from __future__ import annotations

import signal
import threading

import pytest
import torch
from checkpoints import DEMO, context_ids

import simba_ssm


@pytest.fixture(scope="module")
def model():
    return simba_ssm.Simba.from_pretrained(DEMO, retention=0.1, dtype=torch.float32)


def test_batches_of_any_lengths(model):
    ids = context_ids(DEMO, 100).tolist()
    state, logits = model.prefill([ids, ids[:7]])
    assert logits.shape == (2, model.vocab_size)
    assert state.sequences == 2
    assert state.plan == "influence(decay=no_bias,reduction=max) linear r=0.1"
    after = model.extend(state, [ids[:3], []])
    assert after.shape == (3, model.vocab_size)
    _, alone = model.prefill([ids[:7]])
    assert torch.equal(alone[0], logits[1])


def test_states_are_replicated_and_shown(model):
    ids = context_ids(DEMO, 20).unsqueeze(0)
    state, _ = model.prefill(ids)
    twice = state.index([0, 0])
    first, second = model.extend(twice, [[5], [5]])
    assert torch.equal(first, second)
    assert len(twice.layers) == model.n_layer
    assert twice.layers[0].ssm.shape == (2, 512, 16)
    assert twice.layers[0].conv.shape == (2, 512, 3)
    assert twice.lengths == [21, 21]


def test_a_float_retention_is_the_decimal_that_was_written():
    assert simba_ssm.Simba.make_plan(0.07).name.endswith("r=0.07")
    assert simba_ssm.Simba.make_plan(1.0).is_dense


def test_an_observer_s_error_comes_through(model):
    class Stop(Exception):
        pass

    def observer(layer, *_):
        if layer == 3:
            raise Stop

    with pytest.raises(Stop):
        model.prefill([[1, 2, 3]], observer=observer)


def test_a_signal_ends_a_prefill_between_layers(model):
    class Alarm(Exception):
        pass

    def ring(*_):
        raise Alarm

    def products(seconds_to_alarm: float) -> int:
        """Matrix products of one prefill. The profiler counts them without running Python, which would
        hear the signal by itself."""
        activities = [torch.profiler.ProfilerActivity.CPU]
        with torch.profiler.profile(activities=activities) as profile:
            signal.setitimer(signal.ITIMER_REAL, seconds_to_alarm)
            if seconds_to_alarm > 0:
                with pytest.raises(Alarm):
                    model.prefill([ids])
            else:
                model.prefill([ids])
        return sum(event.name == "aten::mm" for event in profile.events())

    ids = context_ids(DEMO, 8000).tolist()
    before = signal.signal(signal.SIGALRM, ring)
    try:
        assert products(seconds_to_alarm=0.02) < products(seconds_to_alarm=0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_other_threads_run_during_a_pass(model):
    ids = context_ids(DEMO, 13000).tolist()
    counted = 0
    counts = []

    def read():
        counts.append(counted)
        model.prefill([ids], plan=model.make_plan())
        counts.append(counted)

    pass_ = threading.Thread(target=read)
    pass_.start()
    while pass_.is_alive():
        counted += 1
    # Millions in the second that a pass takes; a pass that held the GIL would let in one time slice.
    assert counts[1] - counts[0] > 300_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"retention": 0}, r"retention: expected a decimal in \(0, 1\]"),
        ({"retention": 1.5}, r"retention: expected a decimal in \(0, 1\]"),
        ({"criterion": "newest"}, "criterion: expected one of influence"),
        ({"schedule": "quadratic"}, "schedule: expected linear"),
        ({"decay": "half"}, "decay: expected one of no_bias"),
    ],
)
def test_wrong_plans_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        simba_ssm.Simba.from_pretrained(DEMO, **{"retention": 0.5, **arguments})


def test_wrong_folders_and_ids_are_refused(model, tmp_path):
    with pytest.raises(ValueError, match=r"config\.json"):
        simba_ssm.Simba.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"ids in \[0, 4096\)"):
        model.prefill([[1, 4096]])
    with pytest.raises(ValueError, match=r"tensor \(S, L\)"):
        model.prefill(torch.tensor([1, 2]))
