"""Every peer that is installed computes what our model computes."""

from __future__ import annotations

import pytest
import torch

from benchmarks.compare.model_peers import PEERS, load_model_peers
from benchmarks.compare.random_checkpoint import random_checkpoint
from simba_ssm import Simba


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return random_checkpoint("mamba-6m-demo", tmp_path_factory.mktemp("weights"))


@pytest.mark.parametrize("name", list(PEERS))
def test_last_logits_agree(folder, name: str) -> None:
    (peers, absent) = load_model_peers([name], folder, torch.device("cpu"), torch.float32)
    if not peers:
        assert set(absent) == {name} and absent[name]
        return
    ids = torch.randint(4096, (1, 19), generator=torch.Generator().manual_seed(1))
    model = Simba.from_pretrained(folder, dtype=torch.float32)
    _, logits = model.prefill(ids)
    torch.testing.assert_close(peers[0].prefill(ids)[:, -1], logits, rtol=1e-3, atol=1e-4)
    assert peers[0].name.startswith(name)


def test_a_folder_that_is_none_leaves_all_absent(tmp_path) -> None:
    peers, absent = load_model_peers(PEERS, tmp_path, torch.device("cpu"), torch.float32)
    assert peers == [] and set(absent) == set(PEERS)


def test_mambapy_is_named_where_it_cannot_compute(folder) -> None:
    peers, absent = load_model_peers(["mambapy"], folder, torch.device("cpu"), torch.bfloat16)
    assert peers == [] and absent["mambapy"]
