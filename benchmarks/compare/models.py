"""Whole models with random weights of published shapes: loading, and prefill beside peers."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.compare.busy import busy
from benchmarks.compare.floors import Floor, Work, floor
from benchmarks.compare.model_peers import ModelPeer, load_model_peers
from benchmarks.compare.products import Product, product_runner, products_of
from benchmarks.compare.random_checkpoint import random_checkpoint
from benchmarks.compare.rows import Case, Result, Row
from benchmarks.compare.timing import in_turns, one_line, wall_clock
from simba_ssm import Simba

# Contexts of a benchmark's documents.
PACKED = tuple(60 + 440 * i // 31 for i in range(32))
RETENTION = "0.1"
PADDED = ", padded"
# Seconds after which a run is not repeated: a peer's that scans from Python.
PATIENCE = 20.0


@dataclass
class Loaded:
    size: str
    model: Simba
    config: dict
    peers: list[ModelPeer]


class Models:
    """Loads one model at a time, ours and every peer's with the same weights."""

    def __init__(
        self, result: Result, wanted: Sequence[str], dtype: str, weights: Path, repeats: int
    ) -> None:
        self.result, self.wanted, self.repeats = result, wanted, repeats
        self.device, self.dtype = result.machine.where(), getattr(torch, dtype)
        self.dtype_name, self.weights = dtype, weights
        self._loaded: Loaded | None = None

    def load(self, size: str) -> Loaded:
        """size: of configs/models/mamba-SIZE."""
        if self._loaded and self._loaded.size == size:
            return self._loaded
        self._loaded = None
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        folder = random_checkpoint(f"mamba-{size}", self.weights, self.device.type)
        model = Simba.from_pretrained(folder, device=self.device, dtype=self.dtype)
        if self.device.type == "cuda":
            model.capture_prefills(2)
        peers, absent = load_model_peers(self.wanted, folder, self.device, self.dtype)
        self.result.absent |= {f"{name}'s model": why for name, why in absent.items()}
        for peer in peers:
            name, version = peer.name.split(" ", 1)
            self.result.peers[name] = version
        config = json.loads((folder / "config.json").read_text())
        self._loaded = Loaded(size, model, config, peers)
        return self._loaded

    def prefill(self, section: str, size: str, lengths: Sequence[int]) -> list[Row]:
        """One sequence of lengths[0] tokens, or several packed without padding."""
        loaded = self.load(size)
        model = loaded.model
        contexts = _contexts(lengths, model.vocab_size)
        plans = {"simba dense": model.make_plan(), f"simba r={RETENTION}": model.make_plan(RETENTION)}
        runs: dict[str, Callable[[], object]] = {
            label: lambda plan=plan: model.prefill(contexts, plan=plan)
            for label, plan in plans.items()
        }
        for peer in loaded.peers:
            if len(lengths) * max(lengths) <= peer.longest:
                ids = _padded(contexts, self.device)
                label = peer.name + (PADDED if len(lengths) > 1 else "")
                runs[label] = lambda peer=peer, ids=ids: peer.prefill(ids)
        products = {
            label: self._products(loaded, lengths, plan) for label, plan in plans.items()
        }
        floors = {f"floor of {label}": label for label in plans}
        for name, label in floors.items():
            runs[name] = product_runner(products[label], self.device, self.dtype)

        clocks = {label: wall_clock(run, self.device) for label, run in runs.items()}
        warm_ups = 3 if self.device.type == "cuda" else 1  # the second captures, the third replays
        spreads, errors = in_turns(clocks, self.repeats, warm_ups, PATIENCE)
        case = f"{section}: {size} {shape_of(lengths)}"
        self.result.failures += [(case, label, text) for label, text in errors.items()]
        dense_flops = sum(model.flops(n, plan=plans["simba dense"]).prefill for n in lengths)
        rows = []
        for label, seconds in spreads.items():
            own = floors.get(label, label)
            own = own if own in plans else "simba dense"
            work = Work(
                bytes=model._model.parameters * self.dtype.itemsize,
                product_flops=sum(product.flops for product in products[own]),
                dtype=self.dtype_name,
            )
            row = Row(section, size, shape_of(lengths), label, seconds, work)
            if f"floor of {own}" in spreads:
                row.floor = Floor(spreads[f"floor of {own}"].median, "products, timed")
            row.more["floor_at_ceilings"] = floor(work, self.result.machine.ceilings).seconds
            row.more["tokens"] = sum(lengths)
            row.more["tokens_per_second"] = sum(lengths) / seconds.median
            if label in plans:
                flops = sum(model.flops(n, plan=plans[label]).prefill_with_scores for n in lengths)
                row.more["flops_share"] = flops / dense_flops
            if self.device.type == "cuda":
                try:
                    kernels = busy(runs[label])
                except Exception as error:
                    self.result.failures.append((case, f"{label}, profiled", one_line(error)))
                else:
                    row.more |= {
                        "busy": kernels.seconds,
                        "launches": kernels.launches,
                        "kernels": kernels.kernels,
                    }
            rows.append(row)
        return rows

    def _products(self, loaded: Loaded, lengths: Sequence[int], plan) -> list[Product]:
        layers = loaded.model.n_layer
        entering = [plan.tokens_per_layer(n, layers) for n in lengths]
        rows = [sum(tokens) for tokens in zip(*entering, strict=True)]
        return products_of(loaded.config, loaded.model.vocab_size, rows, read=len(lengths))


def shape_of(lengths: Sequence[int]) -> str:
    if len(lengths) == 1:
        return f"(1, {lengths[0]})"
    return f"{len(lengths)} packed, {sum(lengths)} tokens"


def prefill_cases(
    models: Models, section: str, sizes: Sequence[str], lengths: Sequence[int], importance: float
) -> Iterator[Case]:
    """All cases of one size follow each other, so that each model is loaded once. Sizes come in the
    order given, lengths with 2048 first. In section "models" also 32 packed contexts, and one
    sequence of as many tokens.
    """
    ordered = sorted(lengths, key=lambda n: (n != 2048, n))
    contexts: list[tuple[int, ...]] = [(n,) for n in ordered]
    if section == "models":
        contexts += [PACKED, (sum(PACKED),)] if max(lengths) >= sum(PACKED) else [PACKED]
    for rank, size in enumerate(sizes):
        for case in contexts:
            yield Case(
                section,
                f"{size} {shape_of(case)}",
                importance + rank / 100,
                lambda s=size, c=case: models.prefill(section, s, c),
            )


def _contexts(lengths: Sequence[int], vocabulary: int) -> list[list[int]]:
    generator = torch.Generator().manual_seed(sum(lengths))
    return [torch.randint(vocabulary, (n,), generator=generator).tolist() for n in lengths]


def _padded(contexts: list[list[int]], device: torch.device) -> torch.Tensor:
    longest = max(len(context) for context in contexts)
    rows = [context + [0] * (longest - len(context)) for context in contexts]
    return torch.tensor(rows, device=device)
