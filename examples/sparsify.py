"""Gives transformers' Mamba a pruned context, on the same parameters.

    python examples/sparsify.py [CHECKPOINT] [--retention R] [--out DIR] [--device D]

CHECKPOINT is what MambaForCausalLM.from_pretrained takes. Without it, the demo's model is written to DIR
as such a checkpoint first.
"""

import argparse
from pathlib import Path

import sentencepiece
import torch
from transformers import MambaForCausalLM

from simba_ssm import sparsify
from simba_ssm.modeling import SimbaForCausalLM

DEMO = Path(__file__).parent / "demo"
CONTEXT, CONTINUATION = 448, 64

parser = argparse.ArgumentParser()
parser.add_argument("checkpoint", nargs="?")
parser.add_argument("--retention", type=float, default=0.1)
parser.add_argument("--out", default="out/demo_for_transformers")
parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
options = parser.parse_args()

if options.checkpoint is None:
    demo = SimbaForCausalLM.from_pretrained(DEMO / "model", dtype=torch.float32)
    demo.save_pretrained(options.out)
model = MambaForCausalLM.from_pretrained(options.checkpoint or options.out)
model = model.to(options.device).eval()
simba = sparsify(model, retention=options.retention)

if options.checkpoint is None:
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(DEMO / "model/tokenizer.model"))
    [story] = DEMO.glob("*.txt")
    ids = [tokenizer.eos_id(), *tokenizer.encode(story.read_text())][: CONTEXT + CONTINUATION]
    ids = torch.tensor([ids], device=options.device)
else:
    ids = torch.randint(model.config.vocab_size, (1, CONTEXT + CONTINUATION), device=options.device)

with torch.no_grad():
    few = ids[:, :64]
    difference = (simba(few).logits - model(few, use_cache=False).logits).abs().max()
    print(f"dense logits: largest difference from transformers {difference.item():.1e}")

    # The context is pruned; what follows is read densely and scored.
    for retention in (1, options.retention):
        loss = simba(ids, labels=ids, retention=retention, context=CONTEXT).loss
        print(f"retention {retention}: {loss.item():.4f} nats per token after {CONTEXT} tokens")

print("written after them:", simba.generate(ids, max_new_tokens=12)[0])
