"""What is said of checkpoint folders with something wrong in them: ValueError, on one line."""

from __future__ import annotations

import json
import math
import re

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_models import small_model

from simba_ssm.modeling import SimbaForCausalLM


def broken(tmp_path, change) -> str:
    """What is said of a folder whose config and weights `change` has been at."""
    model = small_model()
    model.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    weights = load_file(tmp_path / "model.safetensors")
    change(config, weights)
    (tmp_path / "config.json").write_text(json.dumps(config))
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(ValueError) as caught:
        SimbaForCausalLM.from_pretrained(tmp_path)
    return str(caught.value)


NORM = "backbone.norm_f.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c, w: w.pop(NORM), f"{NORM}: missing, expected shape (24,)"),
        (lambda c, w: w.update({NORM: torch.ones(3)}), f"{NORM}: expected shape (24,), got (3,)"),
        (lambda c, w: w.update(more=torch.ones(3)), "more: unexpected; 1 such tensors in all"),
        (
            lambda c, w: w.update({"lm_head.weight": torch.ones(37, 24)}),
            "lm_head.weight: differs from the embedding",
        ),
        (lambda c, w: c.update(model_type="mamba2"), "model_type: expected 'mamba', got 'mamba2'"),
        (lambda c, w: c.update(hidden_act="relu"), "hidden_act: expected 'silu', got 'relu'"),
        (lambda c, w: c.pop("num_hidden_layers"), "expected the key 'num_hidden_layers'"),
        (lambda c, w: c.update(state_size=0), "d_state: expected an integer of at least 1, got 0"),
        (lambda c, w: c.pop("hidden_size"), "config.json: expected d_model"),
    ],
)
def test_what_is_said_of_broken_folders(tmp_path, change, message):
    assert message in broken(tmp_path, change)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"ssm_cfg": {"layer": "Mamba2"}}, "layer: expected 'Mamba1', got 'Mamba2'"),
        ({"attn_layer_idx": [1]}, r"attn_layer_idx: expected \[\], got \[1\]"),
        ({"d_intermediate": 8}, "d_intermediate: expected 0, got 8"),
    ],
)
def test_what_is_no_mamba_1(tmp_path, keys, message):
    config = {"d_model": 8, "n_layer": 2, "vocab_size": 10} | keys
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=message):
        SimbaForCausalLM.from_pretrained(tmp_path)


STATE_SPACES = {"d_model": 8, "n_layer": 2, "vocab_size": 10}
HUGGING_FACE = {"hidden_size": 8, "num_hidden_layers": 2, "vocab_size": 10}


def said_of(folder) -> str:
    with pytest.raises(ValueError) as caught:
        SimbaForCausalLM.from_pretrained(folder)
    said = str(caught.value)
    assert "\n" not in said
    return said.removeprefix(f"{folder}/")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ([], "expected an object, got []"),
        (STATE_SPACES | {"vocab_size": None}, "vocab_size: expected an integer, got None"),
        (HUGGING_FACE | {"vocab_size": None}, "vocab_size: expected an integer, got None"),
        (HUGGING_FACE | {"hidden_size": "16"}, "hidden_size: expected an integer, got '16'"),
        (HUGGING_FACE | {"hidden_size": True}, "hidden_size: expected an integer, got True"),
        (HUGGING_FACE | {"time_step_rank": 1.5}, "time_step_rank: expected an integer, got 1.5"),
        (HUGGING_FACE | {"expand": None}, "expand: expected a finite number, got None"),
        (HUGGING_FACE | {"expand": math.nan}, "expand: expected a finite number, got nan"),
        (HUGGING_FACE | {"use_bias": "no"}, "use_bias: expected true or false, got 'no'"),
        (STATE_SPACES | {"ssm_cfg": {"expand": "2"}}, "expand: expected a finite number, got '2'"),
        (STATE_SPACES | {"ssm_cfg": "Mamba1"}, "ssm_cfg: expected an object, got 'Mamba1'"),
        (
            STATE_SPACES | {"pad_vocab_size_multiple": 0},
            "pad_vocab_size_multiple: expected an integer of at least 1, got 0",
        ),
    ],
)
def test_damaged_configurations(tmp_path, keys, message):
    (tmp_path / "config.json").write_text(json.dumps(keys))
    assert said_of(tmp_path) == f"config.json: {message}"


@pytest.mark.parametrize("text", ["{", "[" * 100_000])
def test_configurations_that_are_no_json(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    assert said_of(tmp_path).startswith("config.json: ")


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({}, "weight_map: expected an object of names of files"),
        ([], "weight_map: expected an object of names of files"),
        ({"weight_map": {}}, "weight_map: expected an object of names of files"),
        ({"weight_map": {"a": 1}}, "expected names of files beside the index, got 1"),
    ],
)
def test_damaged_indices(tmp_path, index, message):
    (tmp_path / "config.json").write_text(json.dumps(STATE_SPACES))
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    assert said_of(tmp_path) == f"pytorch_model.bin.index.json: {message}"


IN_PROJ = "backbone.layers.0.mixer.in_proj.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.update(step=3), ": step: expected a tensor of floats, got int"),
        (
            lambda w: w.update({IN_PROJ: w[IN_PROJ].int()}),
            f": {IN_PROJ}: expected a tensor of floats, got torch.int32",
        ),
        (lambda w: w.update({7: w[IN_PROJ]}), ": expected names of tensors, got 7"),
    ],
)
def test_damaged_weights(tmp_path, change, message):
    small_model().save_pretrained(tmp_path, layout="state-spaces")
    weights = torch.load(tmp_path / "pytorch_model.bin", weights_only=True)
    change(weights)
    torch.save(weights, tmp_path / "pytorch_model.bin")
    assert said_of(tmp_path) == f"pytorch_model.bin{message}"


@pytest.mark.parametrize("dtype", [None, torch.float32])
def test_weights_without_the_first_matrix(tmp_path, dtype):
    small_model().save_pretrained(tmp_path, layout="state-spaces")
    weights = torch.load(tmp_path / "pytorch_model.bin", weights_only=True)
    del weights[IN_PROJ]
    torch.save(weights, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match=f"^{re.escape(str(tmp_path))}: {IN_PROJ}: missing"):
        SimbaForCausalLM.from_pretrained(tmp_path, dtype=dtype)
