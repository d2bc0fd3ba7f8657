"""Decoding: the sampling rule against its definition in numpy, and what a Python user holds."""

from __future__ import annotations

import itertools
import math
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from checkpoints import DEMO, context_ids

import simba_ssm
from simba_ssm._library import load_extension

MASK = 2**64 - 1


@pytest.fixture(scope="module")
def model():
    return simba_ssm.Simba.from_pretrained(DEMO, dtype=torch.float32)


def splitmix64(x: int) -> int:
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def uniform(seed: int, stream: int, step: int) -> float:
    return (splitmix64(splitmix64(splitmix64(seed) ^ stream) ^ step) >> 11) * 2.0**-53


def choose(logits: np.ndarray, temperature: float, top_k: int, top_p: float, x: float) -> int:
    """The rule of csrc/model/sampling.h for one sequence, in exact integers, token by token."""
    if temperature == 0:
        return int(np.flatnonzero(logits == logits.max())[0])
    order = sorted(range(len(logits)), key=lambda i: (-logits[i], i))
    if top_k > 0:
        order = order[:top_k]
    largest = float(logits.max())
    weights = [math.floor(2**40 * math.exp((float(logits[i]) - largest) / temperature)) for i in order]
    bound, before, kept = top_p * float(sum(weights)), 0, []
    for i, weight in zip(order, weights, strict=True):
        if top_p == 1 or float(before) < bound:
            kept.append((i, weight))
        before += weight
    total = sum(weight for _, weight in kept)
    target = min(math.floor(x * float(total)), total - 1)
    running = 0
    for i, weight in kept:
        running += weight
        if running > target:
            return i
    raise AssertionError("weights that do not reach their own total")


def test_the_generator_of_uniforms_is_splitmix64():
    for seed, stream, step in itertools.product((0, 1, 2**64 - 1), (0, 7), (0, 1, 1000)):
        assert load_extension().uniform(seed, stream, step) == uniform(seed, stream, step)


@pytest.mark.parametrize("temperature", [0.0, 0.3, 1.0, 4.0])
@pytest.mark.parametrize("top_k", [0, 1, 5, 300])
@pytest.mark.parametrize("top_p", [1.0, 0.9, 0.3])
def test_choices_follow_the_rule(device, temperature, top_k, top_p):
    generator = torch.Generator().manual_seed(1)
    # Rounded logits: many ties.
    logits = torch.randn(64, 200, generator=generator).mul(8).round().div(4)
    xs = torch.rand(64, generator=generator, dtype=torch.float64)
    xs[0], xs[1] = 0.0, math.nextafter(1.0, 0.0)
    chosen = load_extension().choose_tokens(
        logits.to(device), temperature, top_k, top_p, xs.to(device)
    )
    expected = [
        choose(row, temperature, top_k, top_p, x)
        for row, x in zip(logits.numpy(), xs.tolist(), strict=True)
    ]
    assert chosen.tolist() == expected


def test_draws_have_the_model_s_probabilities():
    logits = torch.tensor([1.0, 0.0, 2.0, -1.0])
    count = 20000
    xs = torch.tensor([uniform(3, 0, step) for step in range(count)], dtype=torch.float64)
    chosen = load_extension().choose_tokens(logits.expand(count, -1), 1.0, 0, 1.0, xs)
    shares = torch.bincount(chosen, minlength=4) / count
    deviation = (logits.softmax(0) * (1 - logits.softmax(0)) / count).sqrt()
    assert ((shares - logits.softmax(0)).abs() <= 4 * deviation).all()


def test_greedy_equals_extending_step_by_step(device):
    model = simba_ssm.Simba.from_pretrained(DEMO, device=device, dtype=torch.float32)
    ids = context_ids(DEMO, 60).tolist()
    for contexts in ([ids], [ids, ids[:7], ids[:33]]):
        plan = model.make_plan("0.5")
        tokens = model.generate(contexts, max_new_tokens=20, plan=plan)
        state, logits = model.prefill(contexts, plan=plan)
        for turn in range(20):
            # Near-ties apart, as a GPU's products of few rows round otherwise than those of many.
            step = torch.tensor([row[turn] for row in tokens], device=device)
            picked = logits.gather(1, step.unsqueeze(1))[:, 0]
            assert (logits.amax(1) - picked).max() <= 1e-4 * logits.square().mean().sqrt()
            logits = model.extend(state, step.unsqueeze(1))


def test_what_is_drawn_repeats_and_does_not_depend_on_the_batch(model):
    ids = context_ids(DEMO, 60).tolist()
    options = {"max_new_tokens": 16, "temperature": 1.0, "top_k": 50, "top_p": 0.9}
    together = model.generate([ids, ids[:9], ids], seed=5, **options)
    assert model.generate([ids, ids[:9], ids], seed=5, **options) == together
    assert model.generate([ids[:9]], seed=5, streams=[1], **options) == together[1:2]
    assert together[0] != together[2]  # the same context, another stream
    assert model.generate([ids], seed=6, **options) != together[:1]


def test_stop_ids_and_callbacks_end_sequences(model):
    ids = context_ids(DEMO, 60).tolist()
    plain = model.generate([ids, ids[:9]], max_new_tokens=12)
    stop = plain[0][3]
    cut = [row[: row.index(stop) + 1] if stop in row else row for row in plain]
    steps = []
    assert model.generate([ids, ids[:9]], max_new_tokens=12, stop_ids=[stop], on_tokens=steps.append) == cut
    assert [[s[i] for s in steps if s[i] >= 0] for i in (0, 1)] == cut
    assert model.generate([ids], max_new_tokens=12, on_tokens=lambda _: False) == [plain[0][:1]]
    assert list(model.stream([ids, ids[:9]], max_new_tokens=12, stop_ids=[stop])) == steps
    stream = model.stream([ids], max_new_tokens=10**6)
    assert [next(stream) for _ in range(3)] == [[i] for i in plain[0][:3]]
    stream.close()
    with pytest.raises(ValueError, match="max_new_tokens: expected"):
        list(model.stream([ids], max_new_tokens=-1))


def test_streams_may_overlap(model):
    contexts = [[1, 2, 3], [7, 5], [9, 8, 7, 6]]
    alone = [model.generate([ids], max_new_tokens=40)[0] for ids in contexts]
    streams = [model.stream([ids], max_new_tokens=40) for ids in contexts]
    together = [[token for [token] in steps] for steps in zip(*zip(*streams, strict=True), strict=True)]
    assert together == alone
    stream = model.stream([contexts[0]], max_new_tokens=40)
    first = next(stream)
    assert model.generate([contexts[1]], max_new_tokens=40)[0] == alone[1]
    assert [token for [token] in [first, *stream]] == alone[0]


def test_a_process_may_end_beside_an_open_stream():
    program = f"""
import sys, simba_ssm
model = simba_ssm.Simba.from_pretrained({str(DEMO)!r})
stream = model.stream([[1, 2, 3]], max_new_tokens=10**6)
next(stream)
sys.exit(3)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (3, "")


def test_a_signal_ends_it(model):
    class Alarm(Exception):
        pass

    def ring(*_):
        raise Alarm

    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Alarm):
            model.generate([[1, 2, 3]], max_new_tokens=10**7)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_an_error_of_the_callback_comes_through(model):
    with pytest.raises(ZeroDivisionError):
        model.generate([[1, 2]], max_new_tokens=5, on_tokens=lambda _: 1 / 0)


def test_other_threads_run_meanwhile(model):
    running = threading.Event()
    counts = []

    def write():
        model.generate([[1, 2, 3]], max_new_tokens=200, on_tokens=lambda _: running.set())
        counts.append(counted)

    counted = 0
    thread = threading.Thread(target=write)
    thread.start()
    running.wait()
    while thread.is_alive():
        counted += 1
    assert counts[0] > 10_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -1}, "temperature: expected"),
        ({"top_k": -1}, "top_k: expected"),
        ({"top_p": 0}, r"top_p: expected a number in \(0, 1\]"),
        ({"stop_ids": [4096]}, r"stop_ids: expected ids in \[0, 4096\)"),
        ({"streams": [1, 2]}, "streams: expected one number for each of 1"),
    ],
)
def test_wrong_options_are_refused(model, options, message):
    with pytest.raises(ValueError, match=message):
        model.generate([[1]], max_new_tokens=1, **options)


def test_only_a_gpu_captures(model):
    with pytest.raises(ValueError, match="capture_prefills: expected a model on a GPU"):
        model.capture_prefills()
