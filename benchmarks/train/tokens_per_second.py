"""Training speed of a 26 M Mamba: this project's model against mamba_ssm's, step by step in turns.

    python benchmarks/train/tokens_per_second.py [--json FILE] [--markdown FILE]

A step is forward, loss, backward, clipping and AdamW on (64, 2048) tokens, weights float32,
bfloat16 autocast; the loop, the initial weights and the tokens are the same for both. Rows:
mamba_ssm (where it is installed), simba, and simba under torch.compile. The floor is the time of
the matrix products alone, 6 FLOPs per weight and token, at the rate measured for a large product
in the same run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simba_ssm.modeling import SimbaConfig, SimbaForCausalLM

D_MODEL, LAYERS, VOCABULARY = 384, 24, 8192


class Trained:
    """A model in training. logits: of ids (B, L). Every step has the same loop."""

    def __init__(self, model: nn.Module, logits: Callable[[Tensor], Tensor], rows: int) -> None:
        self._model, self._logits, self._rows = model, logits, rows
        self._optimizer = torch.optim.AdamW(
            model.parameters(), lr=3e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True
        )

    def step(self, ids: Tensor) -> float:
        """ids (B, L + 1); the step's mean loss, so a wait for its end."""
        total = torch.zeros((), device="cuda")
        for part in ids.split(self._rows):
            with torch.autocast("cuda", torch.bfloat16):
                logits = self._logits(part[:, :-1])
            loss = F.cross_entropy(logits.float().flatten(0, 1), part[:, 1:].flatten())
            (loss * (len(part) / len(ids))).backward()
            total += loss.detach() * (len(part) / len(ids))
        nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return float(total)


def simba(weights: dict[str, Tensor], rows: int, compiled: bool) -> Trained:
    model = SimbaForCausalLM(SimbaConfig(D_MODEL, LAYERS, VOCABULARY)).cuda()
    model.load_state_dict(weights)
    forward = torch.compile(model) if compiled else model
    return Trained(model, lambda ids: forward(ids).logits, rows)


def mamba_ssm(weights: dict[str, Tensor], rows: int) -> Trained:
    from mamba_ssm.models.config_mamba import MambaConfig
    from mamba_ssm.models.mixer_seq_simple import MambaLMHeadModel

    config = MambaConfig(d_model=D_MODEL, n_layer=LAYERS, vocab_size=VOCABULARY)
    model = MambaLMHeadModel(config, device="cuda", dtype=torch.float32)
    model.load_state_dict(weights)
    return Trained(model, lambda ids: model(ids).logits, rows)


def measure(make: dict[str, Callable[[], Trained]], ids: Tensor, steps: int) -> dict[str, dict]:
    """Three steps each to warm up, then blocks of five in turns."""
    rows: dict[str, dict] = {}
    models = {name: each() for name, each in make.items()}
    for name, model in models.items():
        torch.cuda.reset_peak_memory_stats()
        rows[name] = {"losses": [model.step(ids) for _ in range(3)], "seconds": []}
        rows[name]["peak_gib"] = torch.cuda.max_memory_allocated() / 2**30
    for _ in range(max(1, steps // 5)):
        for name, model in models.items():
            for _ in range(5):
                torch.cuda.synchronize()
                begin = time.perf_counter()
                model.step(ids)
                rows[name]["seconds"].append(time.perf_counter() - begin)
    return rows


def largest_micro_batch(make: dict[str, Callable[[int], Trained]], ids: Tensor) -> int:
    """The most rows, a power of two below the batch, at which every model has enough memory."""
    rows = len(ids)
    while not all(fits(each, ids[:rows]) for each in make.values()):
        if rows == 1:
            sys.exit("tokens_per_second: expected a GPU with memory for one row")
        rows //= 2
    return rows


def fits(make: Callable[[int], Trained], ids: Tensor) -> bool:
    try:
        make(len(ids)).step(ids)
        return True
    except torch.OutOfMemoryError:
        return False
    finally:
        # What the failed step held is free only now.
        torch.cuda.empty_cache()


def product_rate() -> float:
    """FLOP/s of a bfloat16 product of 8192 x 8192 matrices, the best of five."""
    a, b = torch.randn(2, 8192, 8192, device="cuda", dtype=torch.bfloat16)
    times = []
    for _ in range(6):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        a @ b
        torch.cuda.synchronize()
        times.append(time.perf_counter() - begin)
    return 2 * 8192**3 / min(times)


def markdown(result: dict) -> str:
    lines = [
        f"{result['gpu']}, torch {result['torch']}, peer {result['peer']}; {result['shape']}, "
        f"{result['micro_batch']} rows at once",
        "",
        "| model | ms a step (spread) | tokens/s | of the peer | of the floor | peak GiB |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    peer = result["rows"].get("mamba_ssm")
    for name, row in result["rows"].items():
        ratio = f"{peer['median'] / row['median']:.2f}x" if peer else "–"
        lines.append(
            f"| {name} | {row['median'] * 1e3:.1f} ({row['low'] * 1e3:.1f} to {row['high'] * 1e3:.1f}) | "
            f"{row['tokens_per_second']:,.0f} | {ratio} | {row['median'] / result['floor']:.2f}x | "
            f"{row['peak_gib']:.1f} |"
        )
    first = ", ".join(f"{name} {row['losses'][0]:.4f}" for name, row in result["rows"].items())
    lines += [
        "",
        f"Floor: {result['floor'] * 1e3:.1f} ms, products alone at {result['product_rate'] / 1e12:.0f} "
        f"TFLOP/s. Loss of the first step: {first}.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--length", type=int, default=2048)
    parser.add_argument("--steps", type=int, default=20, help="timed steps of each model")
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("tokens_per_second: expected a GPU, found none")

    torch.manual_seed(0)
    weights = SimbaForCausalLM(SimbaConfig(D_MODEL, LAYERS, VOCABULARY)).state_dict()
    ids = torch.randint(VOCABULARY, (options.batch, options.length + 1), device="cuda")
    make: dict[str, Callable[[int], Trained]] = {}
    try:
        import mamba_ssm as peer

        # An installation without some of its kernels is found out here.
        mamba_ssm(weights, 1).step(ids[:1, :65])
        version = f"mamba_ssm {peer.__version__}"
        make["mamba_ssm"] = lambda rows: mamba_ssm(weights, rows)
    except (ImportError, RuntimeError) as error:
        version = f"none ({error})"
    make["simba"] = lambda rows: simba(weights, rows, compiled=False)
    micro_batch = largest_micro_batch(make, ids)
    if not options.no_compile:
        make["simba, compiled"] = lambda rows: simba(weights, rows, compiled=True)

    rate = product_rate()
    tokens = options.batch * options.length
    counted = {name: w for name, w in weights.items() if w.dim() == 2 and "A_log" not in name}
    counted.pop("backbone.embedding.weight")  # read as the head, counted under that name
    floor = 6 * sum(w.numel() for w in counted.values()) * tokens / rate
    rows = measure(
        {name: lambda each=each: each(micro_batch) for name, each in make.items()},
        ids,
        options.steps,
    )
    for row in rows.values():
        row |= {"median": statistics.median(row["seconds"])}
        row |= {"low": min(row["seconds"]), "high": max(row["seconds"])}
        row["tokens_per_second"] = tokens / row["median"]
    result = {
        "gpu": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "peer": version,
        "shape": f"d_model {D_MODEL}, {LAYERS} layers, B {options.batch}, L {options.length}, bf16",
        "micro_batch": micro_batch,
        "product_rate": rate,
        "floor": floor,
        "rows": rows,
    }
    print(markdown(result))
    if options.markdown:
        options.markdown.write_text(markdown(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
