"""The C++ GPT-NeoX against transformers' with the same random weights."""

from __future__ import annotations

import json

import pytest
import torch
from checkpoints import DEMO, ROOT
from gpt_neox import BASE, CONFIGS, activations, random_gpt_neox, save
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

import simba_ssm

V, LONGEST = BASE["vocab_size"], BASE["max_position_embeddings"]


def load(folder, device="cpu", dtype=None):
    return simba_ssm.Simba.from_pretrained(folder, device=device, dtype=dtype)


def ids(count: int, seed: int = 1) -> list[int]:
    return torch.randint(V, (count,), generator=torch.Generator().manual_seed(seed)).tolist()


def assert_close(ours, theirs, share=1e-4, text=""):
    rms = theirs.square().mean().sqrt()
    assert ours.shape == theirs.shape
    assert (ours.cpu() - theirs).abs().max() <= share * rms, text


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save(random_gpt_neox(), tmp_path_factory.mktemp("gpt_neox"))


@pytest.fixture(scope="module")
def model(folder):
    return load(folder)


@pytest.mark.parametrize("name", CONFIGS)
def test_activations_and_logits_equal_hugging_face_s(device, name, tmp_path):
    peer = random_gpt_neox(CONFIGS[name])
    model = load(save(peer, tmp_path), device)
    # Up to the last position that the model knows.
    sequences = [ids(LONGEST, seed=1), ids(1, seed=2), ids(33, seed=3)]
    context = [50, 1, 20]
    expected = [activations(peer, torch.tensor(sequence)) for sequence in sequences]
    after = []

    def observer(layer, tokens, inputs, kept):
        assert kept.indices is None and inputs.lengths == context
        after.append(tokens.activations().cpu().split(context))

    state, last = model.prefill([s[:n] for s, n in zip(sequences, context, strict=True)], observer=observer)
    logits = model.extend(state, [s[n:] for s, n in zip(sequences, context, strict=True)])
    logits = logits.cpu().split([len(s) - n for s, n in zip(sequences, context, strict=True)])
    for s, (layers, theirs) in enumerate(expected):
        for layer, activation in enumerate(layers):
            assert_close(after[layer][s], activation[: context[s]], text=f"layer {layer}")
        ours = torch.cat([last[s : s + 1].cpu(), logits[s]])
        assert_close(ours, theirs[context[s] - 1 :], text=f"sequence {s}")


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16], ids=str)
def test_other_types(device, dtype, folder):
    sequences = [ids(40), ids(7)]
    _, expected = load(folder).prefill(sequences)
    state, logits = load(folder, device, dtype).prefill(sequences)
    assert logits.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    unit = 2e-6 if dtype == torch.float64 else 8 * torch.finfo(dtype).eps
    assert_close(logits.float(), expected, share=unit)
    assert state.sequences == 2


def test_cpu_results_do_not_depend_on_the_batch(model):
    lengths, further = [31, 1, 16, 40], [7, 2, 0, 20]
    contexts = [ids(n, seed) for seed, n in enumerate(lengths)]
    continuations = [ids(n, 10 + seed) for seed, n in enumerate(further)]
    state, last = model.prefill(contexts)
    logits = model.extend(state, continuations).split(further)
    for s in range(len(lengths)):
        alone, last_alone = model.prefill([contexts[s]])
        assert torch.equal(last_alone[0], last[s])
        assert torch.equal(model.extend(alone, [continuations[s]]), logits[s])


def test_split_anywhere_is_the_whole(model):
    sequence = ids(30)
    _, whole = model.prefill([sequence])
    for cut in (1, 2, 17, 29):
        state, _ = model.prefill([sequence[:cut]])
        logits = model.extend(state, [sequence[cut:]])
        assert_close(logits[-1:], whole)
    state, _ = model.prefill([sequence[:1]])
    for token in sequence[1:]:
        logits = model.extend(state, [[token]])
    assert_close(logits, whole)


def test_states_are_replicated_reordered_and_dropped(model):
    contexts = [ids(9, 1), ids(21, 2), ids(4, 3)]
    state, _ = model.prefill(contexts)
    picked = state.index([2, 0, 2])
    assert picked.sequences == 3 and picked.plan == "dense"
    logits = model.extend(picked, [[5, 6], [5], [5, 6]]).split([2, 1, 2])
    assert torch.equal(logits[0], logits[2])
    for s, ours in ((2, logits[0]), (0, logits[1])):
        alone, _ = model.prefill([contexts[s]])
        assert torch.equal(ours, model.extend(alone, [[5, 6][: len(ours)]]))
    # The state that was indexed is as it was.
    assert torch.equal(model.extend(state.index([0]), [[5]]), logits[1])


def test_products_equal_torch_s_flop_counter(model):
    T, further = 33, 17
    D, L = BASE["hidden_size"], BASE["num_hidden_layers"]
    pair = 4 * D * L
    counted = model.flops(T, continuation=further)
    assert counted.scores == 0
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        state, _ = model.prefill([ids(T)])
    # Kernels multiply the whole square of queries and keys, of which T (T + 1) / 2 pairs are causal.
    head = 2 * D * V
    causal = T * (T + 1) // 2
    assert counter.get_total_flops() == counted.prefill + (T * T - causal) * pair + head
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model.extend(state, [ids(further)])
    causal = sum(T + i + 1 for i in range(further))
    square = further * (T + further)
    assert counter.get_total_flops() == counted.continuation + (square - causal) * pair + further * head
    assert counted.head == (1 + further) * head


def test_pruned_plans_are_refused(model):
    plan = model.make_plan("0.5")
    for refused in (lambda: model.prefill([[1, 2, 3]], plan=plan), lambda: model.flops(3, plan=plan)):
        with pytest.raises(ValueError, match=r"GPT-NeoX model reads every token.*influence"):
            refused()


def test_sequences_beyond_the_known_positions_are_refused(model):
    with pytest.raises(ValueError, match="prefill: expected sequences of at most 64 tokens"):
        model.prefill([[1], ids(LONGEST + 1)])
    state, _ = model.prefill([[1], ids(LONGEST - 1)])
    model.extend(state.index([0, 1]), [[1, 2], [1]])
    with pytest.raises(ValueError, match=r"extend: expected sequences of at most 64 tokens.*got 65"):
        model.extend(state, [[1, 2], [1, 2]])


def test_wrong_tokens_and_states_are_refused(model):
    with pytest.raises(ValueError, match=r"ids in \[0, 61\)"):
        model.prefill([[61]])
    with pytest.raises(ValueError, match="at least 1 token"):
        model.prefill([[1], []])
    state, _ = model.prefill([[1]])
    with pytest.raises(ValueError, match="the state's 1 sequences, got 2"):
        model.extend(state, [[1], [1]])
    other, _ = load(DEMO).prefill([[1]])
    with pytest.raises(ValueError, match="a state made by this model's prefill"):
        model.extend(other, [[1]])


def as_published(folder, peer, head="embed_out.weight"):
    """pytorch_model.bin with the constants that Pythia's published files hold beside the weights."""
    folder.mkdir(exist_ok=True)
    weights = {name.replace("lm_head.weight", head): tensor for name, tensor in peer.state_dict().items()}
    for layer in range(BASE["num_hidden_layers"]):
        attention = f"gpt_neox.layers.{layer}.attention."
        weights[attention + "bias"] = torch.ones(1, 1, LONGEST, LONGEST, dtype=torch.bool).tril()
        weights[attention + "masked_bias"] = torch.tensor(-1e9)
        weights[attention + "rotary_emb.inv_freq"] = torch.ones(1)
    torch.save(weights, folder / "pytorch_model.bin")
    (folder / "config.json").write_text(json.dumps({**BASE, "model_type": "gpt_neox"}))
    return weights


@pytest.mark.parametrize("head", ["embed_out.weight", "lm_head.weight"])
def test_published_files_are_read(model, tmp_path, head):
    as_published(tmp_path, random_gpt_neox(), head)
    _, logits = load(tmp_path).prefill([ids(12)])
    assert torch.equal(logits, model.prefill([ids(12)])[1])


def test_shards_are_read(model, tmp_path):
    save(random_gpt_neox(), tmp_path, max_shard_size="60KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    _, logits = load(tmp_path).prefill([ids(12)])
    assert torch.equal(logits, model.prefill([ids(12)])[1])


def test_newer_spellings_of_the_rotary_keys(tmp_path):
    peer = random_gpt_neox(CONFIGS["another rotary base"])
    save(peer, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    for key in ("rotary_pct", "rotary_emb_base", "rope_theta", "partial_rotary_factor", "rope_parameters"):
        config.pop(key, None)
    expected = load(save(peer, tmp_path / "saved")).prefill([ids(12)])[1]
    for spelling in (
        {"rotary_pct": 1.0, "rotary_emb_base": 50},
        {"partial_rotary_factor": 1.0, "rope_theta": 50},
        {"rope_parameters": {"rope_type": "default", "rope_theta": 50, "partial_rotary_factor": 1.0}},
    ):
        (tmp_path / "config.json").write_text(json.dumps({**config, **spelling}))
        assert torch.equal(load(tmp_path).prefill([ids(12)])[1], expected)


def test_missing_and_unexpected_tensors_are_refused(tmp_path):
    weights = as_published(tmp_path, random_gpt_neox())
    norm = weights.pop("gpt_neox.layers.1.post_attention_layernorm.bias")
    torch.save(weights, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"layers\.1\.post_attention_layernorm\.bias': missing"):
        load(tmp_path)
    weights["gpt_neox.layers.1.post_attention_layernorm.bias"] = norm
    weights["gpt_neox.layers.3.attention.bias"] = norm  # a layer that the model has not
    torch.save(weights, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"'gpt_neox\.layers\.3\.attention\.bias': unexpected"):
        load(tmp_path)


@pytest.mark.parametrize(("device", "name"), [("cuda", "pythia-160m"), ("cuda", "pythia-2.8b")])
def test_logits_in_published_shapes(device, name, tmp_path, monkeypatch):
    assert not torch.backends.cuda.matmul.allow_tf32
    config = GPTNeoXConfig.from_pretrained(ROOT / "configs/models" / name)
    torch.manual_seed(0)
    with torch.device(device):
        peer = GPTNeoXForCausalLM(config).eval()
    peer.save_pretrained(tmp_path, max_shard_size="2GB")
    tokens = torch.randint(config.vocab_size, (2, 40))
    with torch.no_grad():
        expected = peer(tokens.to(device), use_cache=False).logits.cpu()
    del peer
    model = load(tmp_path, device)
    state, last = model.prefill(tokens[:, :30])
    logits = model.extend(state, tokens[:, 30:])
    ours = torch.cat([last.unsqueeze(1), logits.view(2, 10, -1)], dim=1).cpu()
    assert_close(ours, expected[:, 29:])
