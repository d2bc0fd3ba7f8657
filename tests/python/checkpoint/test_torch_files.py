"""Checkpoints in the state-spaces layout written by torch.save and by safetensors' save_file."""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from checkpoints import CHECKPOINTS
from expected_weights import assert_same, expected_weights
from safetensors.torch import save_file

CONFIG = {
    "d_model": 24,
    "n_layer": 2,
    "vocab_size": 37,
    "pad_vocab_size_multiple": 8,
    "ssm_cfg": {"d_state": 5, "d_conv": 3, "dt_rank": 7},
    "rms_norm": True,
    "residual_in_fp32": True,
    "tie_embeddings": True,
}


class Block(torch.nn.Module):
    """Parameters under the names of the state-spaces package, for their state_dict."""

    def __init__(self, norm: type[torch.nn.Module]) -> None:
        super().__init__()
        self.norm = norm(24)
        mixer = torch.nn.Module()
        mixer.in_proj = torch.nn.Linear(24, 96, bias=False)
        mixer.conv1d = torch.nn.Conv1d(48, 48, 3, groups=48)
        mixer.x_proj = torch.nn.Linear(48, 17, bias=False)
        mixer.dt_proj = torch.nn.Linear(7, 48)
        mixer.A_log = torch.nn.Parameter(torch.rand(48, 5))
        mixer.D = torch.nn.Parameter(torch.rand(48))
        mixer.out_proj = torch.nn.Linear(48, 24, bias=False)
        self.mixer = mixer


def make_module(norm: type[torch.nn.Module] = torch.nn.RMSNorm) -> torch.nn.Module:
    torch.manual_seed(0)
    model = torch.nn.Module()
    model.backbone = torch.nn.Module()
    model.backbone.embedding = torch.nn.Embedding(40, 24)
    model.backbone.layers = torch.nn.ModuleList([Block(norm) for _ in range(2)])
    model.backbone.norm_f = norm(24)
    model.lm_head = torch.nn.Linear(24, 40, bias=False)
    model.lm_head.weight = model.backbone.embedding.weight
    return model


def write_config(folder: Path, **changes) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG | changes))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_config(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_state_dict(folder: Path, dumper, dtype: torch.dtype) -> None:
    state = make_module().to(dtype).state_dict()
    assert isinstance(state, OrderedDict) and hasattr(state, "_metadata")
    torch.save(state, folder / "pytorch_model.bin")
    dump = dumper.read(folder)
    assert dump.config["vocab_size"] == 40 and dump.config["layout"] == "state-spaces"
    assert_same(dump.tensors, expected_weights(state, 2, dtype))


def test_layer_norm(folder: Path, dumper) -> None:
    state = make_module(torch.nn.LayerNorm).state_dict()
    torch.save(state, folder / "pytorch_model.bin")
    assert "unexpected" in dumper.refusal(folder)
    write_config(folder, rms_norm=False)
    assert_same(dumper.read(folder).tensors, expected_weights(state, 2, torch.float32))


def test_parameters_and_views(folder: Path, dumper) -> None:
    """Parameters instead of tensors, transposed matrices, and views into one larger storage."""
    state = dict(make_module().named_parameters())
    name = "backbone.layers.0.mixer.in_proj.weight"
    state[name] = state[name].detach().t().contiguous().t()
    pool = torch.rand(100)
    state["backbone.layers.0.mixer.D"] = pool[7:55]
    state["backbone.layers.1.mixer.D"] = pool[1:97:2]
    torch.save(state, folder / "pytorch_model.bin")
    expected = expected_weights({key: value.detach() for key, value in state.items()}, 2, torch.float32)
    assert_same(dumper.read(folder).tensors, expected)


def test_safetensors_of_mixed_types(folder: Path, dumper) -> None:
    state = {name: value.detach().clone() for name, value in make_module().named_parameters()}
    for name, value in state.items():
        if value.dim() == 2 and "A_log" not in name:
            state[name] = value.to(torch.bfloat16)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    assert_same(dumper.read(folder).tensors, expected_weights(state, 2, torch.bfloat16))


def test_sharded_archives(folder: Path, dumper) -> None:
    state = make_module().state_dict()
    names = sorted(state)
    weight_map = {}
    for i, part in enumerate((names[:9], names[9:])):
        shard = f"pytorch_model-0000{i + 1}-of-00002.bin"
        torch.save({name: state[name] for name in part}, folder / shard)
        weight_map |= dict.fromkeys(part, shard)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": weight_map}))
    assert_same(dumper.read(folder).tensors, expected_weights(state, 2, torch.float32))


def test_format_before_1_6(folder: Path, dumper) -> None:
    path = folder / "pytorch_model.bin"
    torch.save(make_module().state_dict(), path, _use_new_zipfile_serialization=False)
    assert "save it again with torch.save, or convert it to safetensors" in dumper.refusal(folder)


def test_training_checkpoint(folder: Path, dumper) -> None:
    torch.save({"model": make_module().state_dict(), "step": 3}, folder / "pytorch_model.bin")
    assert "tensor expected as 'model', got a dict" in dumper.refusal(folder)


class Attack:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def test_attack(folder: Path, tmp_path: Path, dumper) -> None:
    marker = tmp_path / "attacked"
    torch.save(make_module().state_dict() | {"z": Attack(marker)}, folder / "pytorch_model.bin")
    assert f"pytorch_model.bin: forbidden global '{os.system.__module__}.system'" in dumper.refusal(folder)
    assert not marker.exists()


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_other_protocols(folder: Path, dumper, protocol: int) -> None:
    torch.save(make_module().state_dict(), folder / "pytorch_model.bin", pickle_protocol=protocol)
    assert f"expected protocol 2, the default of torch.save, got {protocol}" in dumper.refusal(folder)


@pytest.mark.parametrize("checkpoint", CHECKPOINTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_trained_checkpoints(checkpoint: Path, dumper) -> None:
    state = torch.load(checkpoint / "pytorch_model.bin", weights_only=True)
    n_layer = json.loads((checkpoint / "config.json").read_text())["n_layer"]
    assert_same(dumper.read(checkpoint).tensors, expected_weights(state, n_layer, torch.bfloat16))
    assert_same(dumper.read(checkpoint, "float32").tensors, expected_weights(state, n_layer, torch.float32))
