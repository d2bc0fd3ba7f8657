"""Random weights in the shapes of published models, written by Hugging Face's own code, read by ours."""

from __future__ import annotations

import pytest
import torch
from transformers import MambaConfig, MambaForCausalLM

import simba_ssm

# At transformers' default initializer_range, 0.1, the network is chaotic: its own float32 logits are 6e-3
# of their rms from its float64 logits (130m, CPU).
RANGE = 0.02
# From the published config.json files (state-spaces/mamba-*-hf).
SHAPES = {
    "tiny": {"hidden_size": 64, "num_hidden_layers": 3, "vocab_size": 512},
    "mamba-130m": {"hidden_size": 768, "num_hidden_layers": 24, "vocab_size": 50280},
    "mamba-2.8b": {"hidden_size": 2560, "num_hidden_layers": 64, "vocab_size": 50280},
}


@pytest.mark.parametrize(
    ("device", "shape"),
    [
        ("cpu", "tiny"),
        ("cpu", "mamba-130m"),
        ("cuda", "tiny"),
        ("cuda", "mamba-130m"),
        ("cuda", "mamba-2.8b"),
    ],
)
def test_logits_equal_hugging_face_s(device, shape, tmp_path, monkeypatch):
    assert not torch.backends.cuda.matmul.allow_tf32
    # On by default: the peer's convolution would round its inputs to 10 bits.
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    torch.manual_seed(0)
    with torch.device(device):
        peer = MambaForCausalLM(MambaConfig(**SHAPES[shape], initializer_range=RANGE)).eval()
    peer.save_pretrained(tmp_path, max_shard_size="2GB")
    ids = torch.randint(SHAPES[shape]["vocab_size"], (2, 40))
    with torch.no_grad():
        expected = peer(ids.to(device), use_cache=False).logits.cpu()
    del peer
    model = simba_ssm.Simba.from_pretrained(tmp_path, device=device)
    assert model.dtype == torch.float32
    state, last = model.prefill(ids[:, :30])
    logits = model.extend(state, ids[:, 30:])
    ours = torch.cat([last.unsqueeze(1), logits.view(2, 10, -1)], dim=1).cpu()
    theirs = expected[:, 29:]
    assert (ours - theirs).abs().max() <= 1e-4 * theirs.square().mean().sqrt()
