"""Reads a text with a pruned context and writes on.

    python examples/load_and_generate.py [CHECKPOINT] [TEXT] [--retention R] [--tokens N]
        [--device D]

CHECKPOINT is a folder with a SentencePiece tokenizer.model beside the weights; the demo's by default.
"""

import argparse
from pathlib import Path

import sentencepiece
import torch

from simba_ssm import Simba

DEMO = Path(__file__).parent / "demo"

parser = argparse.ArgumentParser()
parser.add_argument("checkpoint", nargs="?", type=Path, default=DEMO / "model")
parser.add_argument("text", nargs="?", type=Path, default=DEMO / "the_ledger_of_skerrow_light.txt")
parser.add_argument("--retention", default="0.1")
parser.add_argument("--tokens", type=int, default=40)
parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
options = parser.parse_args()

tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(options.checkpoint / "tokenizer.model"))
context = [tokenizer.eos_id(), *tokenizer.encode(options.text.read_text())][:2048]

model = Simba.from_pretrained(
    options.checkpoint, retention=options.retention, dtype=torch.float32, device=options.device
)
print(f"{len(context)} tokens; each layer reads {model.plan.tokens_per_layer(len(context), model.n_layer)}")

# What is read and what it costs, before anything is generated.
cost, dense = model.flops(len(context)), model.flops(len(context), plan=model.make_plan(1))
share = cost.prefill_with_scores / dense.prefill_with_scores
print(f"{cost.prefill_with_scores / 1e9:.1f} GFLOP, {share:.0%} of dense")

written: list[int] = []
sampling = {"temperature": 0.8, "top_p": 0.95, "seed": 1, "stop_ids": [tokenizer.eos_id()]}
for [token] in model.stream([context], max_new_tokens=options.tokens, **sampling):
    written.append(token)
print("...", tokenizer.decode(context[-12:]), "[written from here:]", tokenizer.decode(written))
