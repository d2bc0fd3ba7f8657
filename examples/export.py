"""Compiles a pruned prefill ahead of time, and runs it without the model's Python.

    python examples/export.py [CHECKPOINT] [--length L] [--retention R] [--package FILE.pt2]
        [--device D]

The package holds code and weights for contexts of one length. Whoever loads it needs torch and the
operators (`import simba_ssm`, or libsimba_ops.so in a C++ program). Needs a C++ compiler (CXX, or
g++) that links libstdc++ as a shared library: packages of any model that hold one of their own
crash the process that loads them.
"""

import argparse
import time
from pathlib import Path

import torch

from simba_ssm.modeling import SimbaForCausalLM

DEMO = Path(__file__).parent / "demo"

parser = argparse.ArgumentParser()
parser.add_argument("checkpoint", nargs="?", type=Path, default=DEMO / "model")
parser.add_argument("--length", type=int, default=512)
parser.add_argument("--retention", type=float, default=0.1)
parser.add_argument("--package", type=Path, default=Path("out/prefill.pt2"))
parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
options = parser.parse_args()


class Prefill(torch.nn.Module):
    """A forward, which is what can be exported: ids (1, L) to the layers' states and logits (1, V)."""

    def __init__(self, model: SimbaForCausalLM) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids):
        return self.model.prefill(ids, options.retention)


model = SimbaForCausalLM.from_pretrained(
    options.checkpoint, dtype=torch.float32, device=options.device
)
ids = torch.randint(model.config.vocab_size, (1, options.length), device=options.device)
with torch.no_grad():
    exported = torch.export.export(Prefill(model), (ids,))
    options.package.parent.mkdir(parents=True, exist_ok=True)
    torch._inductor.aoti_compile_and_package(exported, package_path=str(options.package))
    print(f"{options.package}: {options.package.stat().st_size / 2**20:.1f} MiB")

    compiled = torch._inductor.aoti_load_package(str(options.package))
    other = torch.randint(model.config.vocab_size, (1, options.length), device=options.device)
    _, logits = compiled(other)
    _, expected = model.prefill(other, options.retention)
    print(f"largest difference from the module: {(logits - expected).abs().max().item():.1e}")

    for name, run in (("module", lambda: model.prefill(other, options.retention)),
                      ("compiled", lambda: compiled(other))):  # fmt: skip
        start = time.perf_counter()
        run()[1].sum().item()  # a GPU has finished when its number is there
        print(f"{name}: {1e3 * (time.perf_counter() - start):.1f} ms")
