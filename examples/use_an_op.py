"""One layer's pruning step on the operators alone: scan, score, select, gate.

    python examples/use_an_op.py [--length L] [--retention R]

Runs on any torch from 2.11 on, on a GPU where there is one.
"""

import argparse

import torch

from simba_ssm import ops, reference

parser = argparse.ArgumentParser()
parser.add_argument("--length", type=int, default=2048)
parser.add_argument("--retention", type=float, default=0.1)
options = parser.parse_args()

torch.manual_seed(0)
device = "cuda" if torch.cuda.is_available() else "cpu"
batch, length, channels, states = 1, options.length, 512, 16
u, delta, z = torch.randn(3, batch, length, channels, device=device)
B, C = torch.randn(2, batch, length, states, device=device)
A = -torch.arange(1.0, states + 1, device=device).expand(channels, states).contiguous()
D, bias = torch.randn(2, channels, device=device)
bias -= 3  # Mamba's steps are small

# Every token feeds the state; only the kept ones are gated and go on to the next layer.
y, last_state = ops.selective_scan(u, delta, A, B, C, D, delta_bias=bias, delta_softplus=True)
scores = ops.influence_scores(u, delta, A, B, C, delta_bias=bias, decay="full")
kept = ops.select_tokens(scores, keep=max(1, int(length * options.retention)))
out = ops.gate(y, z, kept)
print(f"{length} tokens in, {out.shape[1]} out, the oldest kept is token {kept[0, 0].item()}")
print(f"state {tuple(last_state.shape)} {last_state.dtype}")

# Every operator has a definition in plain float64 PyTorch.
few = slice(0, 64)
exact, _ = reference.selective_scan(
    u[:, few], delta[:, few], A, B[:, few], C[:, few], D, delta_bias=bias, delta_softplus=True
)
print(f"largest error of the first 64 outputs: {(y[:, few] - exact).abs().max().item():.1e}")

# Sequences of any lengths are packed into one row, without padding.
bounds = torch.tensor([0, length // 3, length], dtype=torch.int32, device=device)
_, two_states = ops.selective_scan(
    u, delta, A, B, C, D, delta_bias=bias, delta_softplus=True, cu_seqlens=bounds
)
print(f"two packed sequences, states {tuple(two_states.shape)}")
