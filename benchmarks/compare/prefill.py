"""Sections "models" and "timing_table": prefill of whole models, dense and pruned, beside peers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch

from benchmarks.compare.busy import busy
from benchmarks.compare.floors import Floor, Work, floor
from benchmarks.compare.models import Loaded, Models
from benchmarks.compare.products import Product, product_runner, products_of
from benchmarks.compare.rows import Case, Row
from benchmarks.compare.timing import in_turns, one_line, wall_clock

# Contexts as a benchmark's documents have them.
PACKED = tuple(60 + 440 * i // 31 for i in range(32))
RETENTION = "0.1"
# Seconds after which a run is not repeated: a peer's that scans from Python.
PATIENCE = 20.0


@dataclass
class Run:
    """products: those that it cannot do without. floor: the run that does them alone. more: columns
    of its row.
    """

    call: Callable[[], object]
    products: list[Product]
    floor: str
    more: dict[str, object] = field(default_factory=dict)


def prefill(models: Models, section: str, size: str, lengths: Sequence[int]) -> list[Row]:
    """One sequence of lengths[0] tokens, or several packed without padding."""
    runs = _runs(models.load(size), models, lengths)
    on_gpu = models.device.type == "cuda"
    clocks = {label: wall_clock(run.call, models.device) for label, run in runs.items()}
    warm_ups = 3 if on_gpu else 1  # the second captures, the third replays
    spreads, errors = in_turns(clocks, models.repeats, warm_ups, PATIENCE)
    case = f"{section}: {size} {shape_of(lengths)}"
    models.result.failures += [(case, label, text) for label, text in errors.items()]
    weights = models.load(size).weight_bytes
    rows = []
    for label, seconds in spreads.items():
        run = runs[label]
        flops = sum(product.flops for product in run.products)
        work = Work(bytes=weights, product_flops=flops, dtype=models.dtype_name)
        row = Row(section, size, shape_of(lengths), label, seconds, work, more=run.more)
        if run.floor in spreads:
            row.floor = Floor(spreads[run.floor].median, "products, timed")
        row.more |= {
            "floor_at_ceilings": floor(work, models.result.machine.ceilings).seconds,
            "tokens": sum(lengths),
            "tokens_per_second": sum(lengths) / seconds.median,
        }
        if on_gpu:
            try:
                kernels = busy(run.call)
            except Exception as error:
                models.result.failures.append((case, f"{label}, profiled", one_line(error)))
            else:
                row.more |= {"busy": kernels.seconds, "launches": kernels.launches,
                             "kernels": kernels.kernels}  # fmt: skip
        rows.append(row)
    return rows


def _runs(loaded: Loaded, models: Models, lengths: Sequence[int]) -> dict[str, Run]:
    """Ours dense and pruned, the peers', and the matrix products of our two alone."""
    model, runs = loaded.model, {}
    contexts = _contexts(lengths, model.vocab_size)
    plans = {"simba dense": model.make_plan(), f"simba r={RETENTION}": model.make_plan(RETENTION)}
    dense_flops = sum(model.flops(n, plan=plans["simba dense"]).prefill for n in lengths)
    for label, plan in plans.items():
        flops = sum(model.flops(n, plan=plan).prefill_with_scores for n in lengths)
        runs[label] = Run(
            lambda plan=plan: model.prefill(contexts, plan=plan),
            prefill_products(loaded, lengths, plan),
            f"floor of {label}",
            {"flops_share": flops / dense_flops},
        )
    dense = runs["simba dense"]
    for peer in loaded.peers:
        if len(lengths) * max(lengths) <= peer.longest:
            ids = _padded(contexts, models.device)
            label = peer.name + (", padded" if len(lengths) > 1 else "")
            runs[label] = Run(
                lambda peer=peer, ids=ids: peer.prefill(ids), dense.products, dense.floor
            )
    for label in plans:
        alone = product_runner(runs[label].products, models.device, models.dtype)
        runs[f"floor of {label}"] = Run(alone, runs[label].products, f"floor of {label}")
    return runs


def prefill_products(loaded: Loaded, lengths: Sequence[int], plan) -> list[Product]:
    """The matrix products of one prefill under a plan, in order."""
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
                lambda s=size, c=case: prefill(models, section, s, c),
            )


def _contexts(lengths: Sequence[int], vocabulary: int) -> list[list[int]]:
    generator = torch.Generator().manual_seed(sum(lengths))
    return [torch.randint(vocabulary, (n,), generator=generator).tolist() for n in lengths]


def _padded(contexts: list[list[int]], device: torch.device) -> torch.Tensor:
    longest = max(len(context) for context in contexts)
    rows = [context + [0] * (longest - len(context)) for context in contexts]
    return torch.tensor(rows, device=device)
