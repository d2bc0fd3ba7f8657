"""configs/models: what models cost, from their config.json alone."""

from __future__ import annotations

import json

import pytest
import torch
from checkpoints import DATA, DEMO, ROOT
from gpt_neox import CONFIGS, random_gpt_neox, save
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, MambaConfig, MambaForCausalLM

import simba_ssm
from simba_ssm._library import load_extension

FOLDERS = ROOT / "configs/models"
MAMBA = ["mamba-130m", "mamba-370m", "mamba-790m", "mamba-1.4b", "mamba-2.8b"]
LOCAL = ["mamba-26m-pg19", "mamba-6m-demo"]
# From the models' cards: parameters without the embedding and the head.
PYTHIA = {
    "pythia-160m": 85_056_000,
    "pythia-410m": 302_311_424,
    "pythia-1b": 805_736_448,
    "pythia-1.4b": 1_208_602_624,
    "pythia-2.8b": 2_517_652_480,
}


def load_shape(path):
    return load_extension().ModelShape.load(str(path))


def config_of(name: str) -> dict:
    return json.loads((FOLDERS / name / "config.json").read_text())


def test_every_folder_is_tested():
    assert sorted(f.name for f in FOLDERS.iterdir() if f.is_dir()) == sorted([*MAMBA, *LOCAL, *PYTHIA])


def state_spaces_peer(config: dict) -> MambaForCausalLM:
    multiple = config["pad_vocab_size_multiple"]
    rows = -(-config["vocab_size"] // multiple) * multiple
    with torch.device("meta"):
        return MambaForCausalLM(
            MambaConfig(
                hidden_size=config["d_model"], num_hidden_layers=config["n_layer"], vocab_size=rows
            )
        )


@pytest.mark.parametrize("name", MAMBA + LOCAL)
def test_mamba_has_the_parameters_of_hugging_face_s_class(name):
    config = config_of(name)
    shape = load_shape(FOLDERS / name)
    peer = state_spaces_peer(config)
    assert shape.parameters == peer.num_parameters()
    assert shape.family == "mamba" and shape.max_length is None
    assert (shape.n_layer, shape.vocab_size) == (config["n_layer"], peer.config.vocab_size)


def test_the_published_count_of_mamba_130m():
    assert load_shape(FOLDERS / "mamba-130m").parameters == 129_135_360


@pytest.mark.parametrize("name", PYTHIA)
def test_pythia_has_the_published_parameters(name):
    config = config_of(name)
    shape = load_shape(FOLDERS / name / "config.json")
    assert shape.parameters == PYTHIA[name] + 2 * config["vocab_size"] * config["hidden_size"]
    assert shape.family == "gpt_neox" and shape.max_length == 2048
    assert (shape.n_layer, shape.vocab_size) == (config["num_hidden_layers"], 50304)
    with torch.device("meta"):
        peer = GPTNeoXForCausalLM(GPTNeoXConfig.from_pretrained(FOLDERS / name))
    assert shape.parameters == peer.num_parameters()


@pytest.mark.parametrize("name", CONFIGS)
def test_gpt_neox_counts_every_configuration(name, tmp_path):
    peer = random_gpt_neox(CONFIGS[name])
    assert load_shape(save(peer, tmp_path)).parameters == peer.num_parameters()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"use_bias": True},
        {"use_conv_bias": False},
        {"tie_word_embeddings": False},
        {"state_size": 5, "expand": 3, "conv_kernel": 3, "time_step_rank": 7},
    ],
    ids=str,
)
def test_mamba_counts_every_configuration(changes, tmp_path):
    peer = MambaForCausalLM(MambaConfig(hidden_size=24, num_hidden_layers=2, vocab_size=30, **changes))
    peer.save_pretrained(tmp_path)
    assert load_shape(tmp_path).parameters == peer.num_parameters()


@pytest.mark.parametrize(
    "folder", [DEMO] + ([f"{DATA}/checkpoints/{name}" for name in LOCAL] if DATA else []), ids=str
)
def test_a_loaded_model_is_its_shape(folder):
    model = load_extension().LanguageModel.load(str(folder), None, torch.device("cpu"))
    shape = load_shape(folder)
    pruned = simba_ssm.Simba.make_plan("0.3")
    for field in ("n_layer", "vocab_size", "parameters", "max_length", "family"):
        assert getattr(model, field) == getattr(shape, field), field
    for plan in (simba_ssm.Simba.make_plan(), pruned):
        for field in ("prefill", "scores", "continuation", "head"):
            counts = [getattr(side.flops(100, plan, 7), field) for side in (model, shape)]
            assert counts[0] == counts[1], field


def test_the_local_shapes_are_the_checkpoints(tmp_path):
    assert config_of("mamba-6m-demo") == json.loads((DEMO / "config.json").read_text())
    if DATA:
        stored = json.loads(open(f"{DATA}/checkpoints/mamba-26m-pg19/config.json").read())
        assert config_of("mamba-26m-pg19") == stored


def test_pythia_cannot_be_pruned():
    shape = load_shape(FOLDERS / "pythia-160m")
    with pytest.raises(ValueError, match="a GPT-NeoX model reads every token"):
        shape.flops(100, simba_ssm.Simba.make_plan("0.5"))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "llama"}, 'model_type: expected "mamba" or "gpt_neox", got "llama"'),
        ({"model_type": 7}, "model_type: expected a text"),
        ({"model_type": "gpt_neox"}, "no hidden_size"),
        ({"n_layer": 3}, r"expected d_model \(state-spaces layout\) or hidden_size"),
    ],
)
def test_other_configurations_are_refused(config, message, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=rf"config\.json: {message}"):
        load_shape(tmp_path)
    with pytest.raises(ValueError, match=rf"config\.json: {message}"):
        simba_ssm.Simba.from_pretrained(tmp_path)


def test_a_folder_without_config_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"config\.json"):
        load_shape(tmp_path)
