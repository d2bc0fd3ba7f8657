"""Checkpoints written by transformers' own save_pretrained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from expected_weights import assert_same, expected_weights
from transformers import MambaConfig, MambaForCausalLM

DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float64": torch.float64,
}


def make_model(**changes) -> MambaForCausalLM:
    """Sizes all differ, so that no two shapes can be mistaken; every weight is random."""
    torch.manual_seed(0)
    sizes = {
        "vocab_size": 37,
        "hidden_size": 24,
        "state_size": 5,
        "num_hidden_layers": 3,
        "conv_kernel": 3,
        "time_step_rank": 7,
    }
    model = MambaForCausalLM(MambaConfig(**(sizes | changes)))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    return model


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tie_word_embeddings": False},
        {"use_bias": True, "use_conv_bias": False},
        {"expand": 3, "time_step_rank": "auto", "layer_norm_epsilon": 1e-6, "residual_in_fp32": False},
    ],
    ids=["tied", "untied", "biases", "sizes"],
)
def test_save_pretrained(tmp_path: Path, dumper, changes: dict, dtype: str) -> None:
    model = make_model(**changes).to(DTYPES[dtype])
    model.save_pretrained(tmp_path / "model")
    dump = dumper.read(tmp_path / "model")
    config = model.config
    assert dump.config["layout"] == "huggingface"
    assert dump.config["d_model"] == config.hidden_size
    assert dump.config["n_layer"] == config.num_hidden_layers
    assert dump.config["vocab_size"] == config.vocab_size
    assert dump.config["d_inner"] == config.intermediate_size
    assert dump.config["d_state"] == config.state_size
    assert dump.config["d_conv"] == config.conv_kernel
    assert dump.config["dt_rank"] == config.time_step_rank
    assert dump.config["norm_epsilon"] == config.layer_norm_epsilon
    assert dump.config["residual_in_fp32"] == config.residual_in_fp32
    assert dump.config["tie_embeddings"] == config.tie_word_embeddings
    assert dump.config["rms_norm"] is True
    assert_same(dump.tensors, expected_weights(model.state_dict(), config.num_hidden_layers, DTYPES[dtype]))


@pytest.mark.parametrize("asked", DTYPES)
def test_conversion(tmp_path: Path, dumper, asked: str) -> None:
    model = make_model().to(torch.bfloat16)
    model.save_pretrained(tmp_path / "model")
    dump = dumper.read(tmp_path / "model", asked)
    assert_same(dump.tensors, expected_weights(model.state_dict(), 3, DTYPES[asked]))


def test_sharded(tmp_path: Path, dumper) -> None:
    model = make_model(tie_word_embeddings=False)
    model.save_pretrained(tmp_path / "model", max_shard_size="8KB")
    assert len(list((tmp_path / "model").glob("*.safetensors"))) > 3
    dump = dumper.read(tmp_path / "model")
    assert dump.config["weights_file"].endswith("model.safetensors.index.json")
    assert_same(dump.tensors, expected_weights(model.state_dict(), 3, torch.float32))

    next(iter(sorted((tmp_path / "model").glob("*.safetensors")))).unlink()
    assert "is missing beside it" in dumper.refusal(tmp_path / "model")


def test_through_the_hub_cache(tmp_path: Path, dumper, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model()
    cache = tmp_path / "hub/models--some--mamba"
    model.save_pretrained(cache / "snapshots/0123abc")
    (cache / "refs").mkdir()
    (cache / "refs/main").write_text("0123abc")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    dump = dumper.read(Path("some/mamba"))
    assert_same(dump.tensors, expected_weights(model.state_dict(), 3, torch.float32))
    assert str(tmp_path / "hub/models--some--other") in dumper.refusal(Path("some/other"))
