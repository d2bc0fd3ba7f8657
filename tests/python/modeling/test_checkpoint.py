"""Reading and writing checkpoint folders; transformers and the C++ model read what we write."""

from __future__ import annotations

import json
import pickle

import pytest
import torch
from checkpoints import DEMO
from safetensors.torch import load_file, save_file
from small_models import assert_close, cpp_model, random_ids, small_model
from transformers import MambaConfig, MambaForCausalLM

from simba_ssm import Simba
from simba_ssm.modeling import SimbaConfig, SimbaForCausalLM

SHAPES = {
    "default": {},
    "untied": {"tie_embeddings": False},
    "biases": {"projection_bias": True, "conv_bias": False},
    "other sizes": {"d_inner": 72, "norm_epsilon": 1e-6, "residual_in_fp32": False},
}


def assert_same(ours: SimbaForCausalLM, theirs: SimbaForCausalLM) -> None:
    assert ours.config == theirs.config
    weights = theirs.state_dict()
    assert ours.state_dict().keys() == weights.keys()
    for name, weight in ours.state_dict().items():
        assert weight.dtype == weights[name].dtype and torch.equal(weight, weights[name]), name


@torch.no_grad()
@pytest.mark.parametrize("shape", SHAPES)
def test_transformers_reads_what_is_saved(tmp_path, shape):
    model = small_model(**SHAPES[shape])
    model.save_pretrained(tmp_path)
    ids = random_ids(2, 30)
    theirs = MambaForCausalLM.from_pretrained(tmp_path)
    assert theirs.config.intermediate_size == model.config.d_inner
    assert theirs.dtype == torch.float32
    assert_close(model(ids).logits, theirs(ids, use_cache=False).logits)
    assert_same(SimbaForCausalLM.from_pretrained(tmp_path), model)
    _, logits = Simba.from_pretrained(tmp_path).prefill(ids)
    assert_close(logits, model(ids).logits[:, -1])


@torch.no_grad()
@pytest.mark.parametrize("d_inner", [48, 41])
@pytest.mark.parametrize("shape", ["default", "untied", "biases"])
@pytest.mark.parametrize("norm", ["rms", "layer"])
def test_state_spaces_layout(tmp_path, shape, norm, d_inner):
    model = small_model(**SHAPES[shape], rms_norm=norm == "rms", d_inner=d_inner)
    model.save_pretrained(tmp_path, layout="state-spaces")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "pytorch_model.bin"]
    assert_same(SimbaForCausalLM.from_pretrained(tmp_path), model)
    ids = random_ids(2, 30)
    _, logits = Simba.from_pretrained(tmp_path).prefill(ids)
    assert_close(logits, model(ids).logits[:, -1])
    if model.config.tie_embeddings:
        stored = torch.load(tmp_path / "pytorch_model.bin", weights_only=True)
        embedding, head = stored["backbone.embedding.weight"], stored["lm_head.weight"]
        assert embedding.data_ptr() == head.data_ptr()


@torch.no_grad()
@pytest.mark.parametrize("safe", [True, False], ids=["safetensors", "bin"])
def test_what_transformers_saved(tmp_path, safe):
    torch.manual_seed(0)
    config = MambaConfig(vocab_size=37, hidden_size=24, state_size=5, num_hidden_layers=3)
    theirs = MambaForCausalLM(config).eval()
    theirs.save_pretrained(tmp_path)
    if not safe:
        torch.save(load_file(tmp_path / "model.safetensors"), tmp_path / "pytorch_model.bin")
        (tmp_path / "model.safetensors").unlink()
    ids = random_ids(2, 20)
    ours = SimbaForCausalLM.from_pretrained(tmp_path)
    assert not ours.training
    assert_close(ours(ids).logits, theirs(ids, use_cache=False).logits)


def test_shards(tmp_path):
    model = small_model()
    model.save_pretrained(tmp_path / "one")
    model.save_pretrained(tmp_path / "many")
    (tmp_path / "many/model.safetensors").unlink()
    tensors = load_file(tmp_path / "one/model.safetensors")
    placed = {name: f"part-{i % 2}.safetensors" for i, name in enumerate(tensors)}
    for part in set(placed.values()):
        save_file({n: t for n, t in tensors.items() if placed[n] == part}, tmp_path / "many" / part)
    index = tmp_path / "many/model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": placed}))
    assert_same(SimbaForCausalLM.from_pretrained(tmp_path / "many"), model)
    index.write_text(json.dumps({"weight_map": {"x": "../one/model.safetensors"}}))
    with pytest.raises(ValueError, match="expected names of files beside the index"):
        SimbaForCausalLM.from_pretrained(tmp_path / "many")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_types(dtype):
    """Matrices in the type asked for; the rest stays wide, as in the C++ model."""
    model = SimbaForCausalLM.from_pretrained(DEMO, dtype=dtype)
    mixer = model.backbone.layers[0].mixer
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    assert model.lm_head.weight.dtype == mixer.in_proj.weight.dtype == mixer.dt_proj.weight.dtype == dtype
    assert mixer.A_log.dtype == mixer.dt_proj.bias.dtype == mixer.conv1d.weight.dtype == wide
    assert model.lm_head.weight is model.backbone.embedding.weight
    ids = random_ids(1, 50, vocab_size=4000)
    with torch.no_grad():
        _, logits = model.prefill(ids)
    _, expected = Simba.from_pretrained(DEMO, dtype=dtype).prefill(ids)
    assert_close(logits, expected, relative=0.05 if dtype == torch.bfloat16 else 1e-5)


def test_stored_types_are_written_back(tmp_path):
    model = SimbaForCausalLM.from_pretrained(DEMO, dtype=torch.bfloat16)
    model.save_pretrained(tmp_path)
    assert_same(SimbaForCausalLM.from_pretrained(tmp_path), model)


@torch.no_grad()
@pytest.mark.parametrize("layout", ["huggingface", "state-spaces"])
def test_saving_over_the_files_that_were_loaded(tmp_path, layout):
    """Parameters may be those files' own memory."""
    small_model().save_pretrained(tmp_path, layout=layout)
    model = SimbaForCausalLM.from_pretrained(tmp_path)
    model.backbone.layers[0].mixer.D.add_(1)
    expected = {name: weight.clone() for name, weight in model.state_dict().items()}
    model.save_pretrained(tmp_path, layout=layout)
    again = SimbaForCausalLM.from_pretrained(tmp_path)
    for loaded in (model, again):
        for name, weight in loaded.state_dict().items():
            assert torch.equal(weight, expected[name]), name
    assert len(list(tmp_path.iterdir())) == 2


def test_other_weights_are_in_the_way(tmp_path):
    small_model().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="expected no weights but pytorch_model.bin, found model.safe"):
        small_model().save_pretrained(tmp_path, layout="state-spaces")


def test_a_failed_save_leaves_what_was_there(tmp_path, monkeypatch):
    small_model().save_pretrained(tmp_path, layout="state-spaces")

    def fail(_weights, path):
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        small_model(seed=1).save_pretrained(tmp_path, layout="state-spaces")
    assert_same(SimbaForCausalLM.from_pretrained(tmp_path), small_model())
    assert len(list(tmp_path.iterdir())) == 2


def test_marks_against_weight_decay():
    for model in (small_model(), SimbaForCausalLM.from_pretrained(DEMO)):
        marked = [n for n, p in model.named_parameters() if getattr(p, "_no_weight_decay", False)]
        assert len(marked) == 2 * model.config.n_layer
        assert all(name.endswith((".A_log", ".D")) for name in marked)


def test_hub_ids_are_found_in_the_cache(tmp_path, monkeypatch):
    cache = tmp_path / "hub"
    snapshot = cache / "models--someone--small/snapshots/0123abc"
    small_model().save_pretrained(snapshot)
    (cache / "models--someone--small/refs").mkdir()
    (cache / "models--someone--small/refs/main").write_text("0123abc")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    assert_same(SimbaForCausalLM.from_pretrained("someone/small"), small_model())
    with pytest.raises(ValueError, match="someone/other: no such folder, and no such model in"):
        SimbaForCausalLM.from_pretrained("someone/other")


class Harm:
    def __reduce__(self):
        return exec, ("raise SystemExit('ran')",)


def test_nothing_in_a_file_is_run(tmp_path):
    small_model().save_pretrained(tmp_path, layout="state-spaces")
    for write in (torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))):
        write({"lm_head.weight": Harm()}, tmp_path / "pytorch_model.bin")
        with pytest.raises(ValueError, match="pytorch_model.bin: ") as caught:
            SimbaForCausalLM.from_pretrained(tmp_path)
        assert "\n" not in str(caught.value)


def test_what_a_layout_cannot_say(tmp_path):
    with pytest.raises(ValueError, match="rms_norm: expected True"):
        small_model(rms_norm=False).save_pretrained(tmp_path / "a")
    with pytest.raises(ValueError, match=r"d_inner: expected a multiple of d_model \(24\).*got 41"):
        small_model(d_inner=41).save_pretrained(tmp_path / "a")
    with pytest.raises(ValueError, match="norm_epsilon: expected 1e-05"):
        small_model(norm_epsilon=1e-6).save_pretrained(tmp_path / "b", layout="state-spaces")
    with pytest.raises(ValueError, match="layout: expected one of huggingface, state-spaces"):
        small_model().save_pretrained(tmp_path / "c", layout="gguf")
    assert list(tmp_path.iterdir()) == []


def test_default_sizes():
    config = SimbaConfig(d_model=40, n_layer=2, vocab_size=10)
    assert (config.d_inner, config.dt_rank) == (80, 3)


def test_the_cpp_model_checks_its_tensors():
    model = small_model()
    model.config = SimbaConfig(**(model.config.__dict__ | {"d_state": 6}))
    with pytest.raises(ValueError, match="x_proj.weight.*expected shape"):
        cpp_model(model)
