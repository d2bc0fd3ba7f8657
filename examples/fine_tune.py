"""Fine-tunes a pretrained Mamba so that it loses less when its context is pruned.

    python examples/fine_tune.py [CHECKPOINT] [TEXT] [--steps N] [--device D]

One step is the paper's recipe (arXiv 2505.20698) on one window: read it densely, read it again
with a pruned context, and lower the sum of both losses. Whole runs, with batches, checkpoints and
validation, are `python -m simba_ssm.train` (docs/training.md).
"""

import argparse
from pathlib import Path

import sentencepiece
import torch

from simba_ssm.modeling import SimbaForCausalLM

DEMO = Path(__file__).parent / "demo"
WINDOW, CONTINUATION = 256, 32

parser = argparse.ArgumentParser()
parser.add_argument("checkpoint", nargs="?", type=Path, default=DEMO / "model")
parser.add_argument("text", nargs="?", type=Path, default=DEMO / "the_ledger_of_skerrow_light.txt")
parser.add_argument("--steps", type=int, default=8)
parser.add_argument("--retention", type=float, default=0.1)
parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
options = parser.parse_args()

torch.manual_seed(0)
tokenizer = sentencepiece.SentencePieceProcessor(
    model_file=str(options.checkpoint / "tokenizer.model")
)
ids = torch.tensor([tokenizer.eos_id(), *tokenizer.encode(options.text.read_text())])
windows = ids[: len(ids) // WINDOW * WINDOW].view(-1, 1, WINDOW).to(options.device)
held_out, windows = windows[-4:], windows[:-4]

# "spaced" loses most on this model, so there is something to win back within a few steps.
model = SimbaForCausalLM.from_pretrained(
    options.checkpoint, dtype=torch.float32, criterion="spaced", device=options.device
)
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5)


def sparse_loss(window: torch.Tensor, retention: float) -> torch.Tensor:
    """The last tokens' loss, from the states that the pruned context left."""
    return model(window, labels=window, retention=retention, context=WINDOW - CONTINUATION).loss


def evaluate() -> float:
    with torch.no_grad():
        return sum(sparse_loss(w, options.retention).item() for w in held_out) / len(held_out)


print(f"before: {evaluate():.4f} nats per token at retention {options.retention}")
for step in range(options.steps):
    window = windows[torch.randint(len(windows), ())]
    retention = 0.1 + 0.9 * torch.rand(()).item()  # 0 to 90 % of the tokens are dropped
    loss = model(window, labels=window).loss + sparse_loss(window, retention)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    print(f"step {step + 1}: retention {retention:.2f}, dense + sparse {loss.item():.4f}")
print(f"after: {evaluate():.4f} nats per token at retention {options.retention}")
