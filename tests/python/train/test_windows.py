"""The order of the data is a function of seed and step, and reads every token."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from simba_ssm.train.errors import TrainError
from simba_ssm.train.token_cache import TokenStore
from simba_ssm.train.windows import WindowOrder, fixed_windows

LENGTHS = (7, 130, 3, 64, 41)


def make_store() -> TokenStore:
    """Every id occurs once, so that a window tells where it comes from."""
    total = sum(LENGTHS)
    starts = np.concatenate([[0], np.cumsum(LENGTHS)])
    return TokenStore(np.arange(total, dtype=np.uint16), starts, 0, {})


def make_order(seed: int = 0, lengths=(8,), weights=(1.0,), documents=range(5)) -> WindowOrder:
    return WindowOrder(make_store(), np.array(documents), lengths, weights, 16, seed)


def test_a_step_does_not_depend_on_what_was_read_before() -> None:
    order = make_order()
    in_turn = [order.step(step).ids for step in range(40)]
    for step in (31, 2, 39, 0):
        assert torch.equal(make_order().step(step).ids, in_turn[step])
    assert not torch.equal(make_order(seed=1).step(0).ids, in_turn[0])


def test_an_epoch_reads_every_token_once() -> None:
    order = make_order()
    blocks = (sum(LENGTHS) - 1) // 8
    windows = torch.cat([order.step(step).inputs for step in range(-(-blocks // 2))])[:blocks]
    read = windows.flatten().tolist()
    assert len(set(read)) == len(read) == blocks * 8
    # The rest, less than a block and the last label, is read in other epochs.
    assert sum(LENGTHS) - len(read) <= 8


def test_epochs_differ_in_their_order() -> None:
    order = make_order()
    blocks = (sum(LENGTHS) - 1) // 8
    first = order.step(0).ids
    epochs = [order.step(-(-blocks * k // 2)).ids for k in range(1, 4)]
    assert not any(torch.equal(first, epoch) for epoch in epochs)


def test_windows_run_through_documents_in_order() -> None:
    order = make_order()
    ends = np.cumsum(LENGTHS) - 1
    begins = set((ends + 1 - np.array(LENGTHS)).tolist())
    for step in range(30):
        for row in order.step(step).ids.tolist():
            for before, after in zip(row, row[1:], strict=False):
                assert after == before + 1 or (before in ends and after in begins)


def test_labels_follow_inputs() -> None:
    windows = make_order().step(3)
    assert windows.ids.shape == (2, 9)
    assert torch.equal(windows.inputs[:, 1:], windows.labels[:, :-1])


def test_documents_that_are_held_out_are_not_read() -> None:
    order = make_order(documents=[0, 1, 3])
    read = torch.cat([order.step(step).ids for step in range(60)]).flatten().tolist()
    starts = make_store().starts
    held_out = {*range(starts[2], starts[3]), *range(starts[4], starts[5])}
    assert not held_out & set(read)


def test_lengths_are_mixed_by_their_weights() -> None:
    order = make_order(lengths=(4, 16), weights=(3.0, 1.0))
    shapes = [tuple(order.step(step).ids.shape) for step in range(400)]
    assert set(shapes) == {(4, 5), (1, 17)}
    # Binomial(400, 3 / 4): eight standard deviations.
    assert 230 < shapes.count((4, 5)) < 370


def test_too_little_text() -> None:
    with pytest.raises(TrainError, match=r"more than 512 tokens \(the longest window\), got 245"):
        make_order(lengths=(512,))


def test_fixed_windows_are_spread_over_long_documents() -> None:
    windows = fixed_windows(make_store(), np.arange(5), length=39, count=5)
    begins = windows.ids[:, 0].tolist()
    # Documents 1, 3 and 4 hold 40 ids; two, two and one window.
    assert begins == [7, 7 + 90 // 2, 140, 140 + 24 // 2, 204]
    with pytest.raises(TrainError, match="a document of at least 141 tokens"):
        fixed_windows(make_store(), np.arange(5), length=140, count=5)
