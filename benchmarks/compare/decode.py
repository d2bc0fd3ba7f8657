"""Section "decode": time of one decoding step, beside the time that reading the weights takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from benchmarks.compare.floors import Work, floor
from benchmarks.compare.models import Models
from benchmarks.compare.rows import Case, Row
from benchmarks.compare.timing import in_turns, wall_clock

SECTION = "decode"
PROMPT = 16


def decode_cases(
    models: Models, sizes: Sequence[str], batches: Sequence[int], importance: float
) -> Iterator[Case]:
    for rank, size in enumerate(sizes):
        for batch in batches:
            yield Case(
                SECTION,
                f"{size} batch {batch}",
                importance + rank / 100,
                lambda s=size, b=batch: decode(models, s, b),
            )


def decode(models: Models, size: str, batch: int) -> list[Row]:
    """A step is the difference of two lengths, divided: neither prefill nor capture is in it."""
    loaded = models.load(size)
    model, device = loaded.model, models.device
    generator = torch.Generator().manual_seed(batch)
    context = torch.randint(model.vocab_size, (batch, PROMPT), generator=generator)
    few, many = (33, 161) if device.type == "cuda" and batch == 1 else (9, 73)
    if device.type != "cuda":
        few, many = 2, 10
    plan = model.make_plan()
    runs: dict[str, Callable[[int], object]] = {
        "simba": lambda count: model.generate(context, max_new_tokens=count, plan=plan)
    }
    ids = context.to(device)
    for peer in loaded.peers:
        if peer.decode:
            runs[peer.name] = lambda count, peer=peer: peer.decode(ids, count)

    def step_clock(run: Callable[[int], object]) -> Callable[[], float]:
        clocks = [wall_clock(lambda count=count: run(count), device) for count in (few, many)]

        def clock() -> float:
            first, second = (clock() for clock in clocks)
            return (second - first) / (many - few)

        return clock

    spreads, errors = in_turns(
        {label: step_clock(run) for label, run in runs.items()}, models.repeats
    )
    case = f"{SECTION}: {size} batch {batch}"
    models.result.failures += [(case, label, text) for label, text in errors.items()]
    weights = loaded.weight_bytes
    # The states of all layers are read and written once as well.
    d_inner = 2 * loaded.config["d_model"]
    states = 2 * 4 * batch * model.n_layer * d_inner * 16
    work = Work(
        bytes=weights + states,
        product_flops=2 * batch * weights / models.dtype.itemsize,
        dtype=models.dtype_name,
    )
    least = floor(work, models.result.machine.ceilings)
    return [
        Row(SECTION, size, f"batch {batch}", label, seconds, work, least,
            {"tokens_per_second": batch / seconds.median,
             "weight_bytes_per_second": weights / seconds.median})
        for label, seconds in spreads.items()
    ]  # fmt: skip
