"""Results in the driver's formats with made-up numbers, for tests of the report alone.

Nothing here was measured: values are simple functions of model, task and method, chosen so that
curves do not lie on each other. Every file says so in its settings.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

Json = dict[str, Any]

TASKS = {
    "lambada_openai": ("acc", 0.30, 5153),
    "hellaswag": ("acc_norm", 0.35, 10042),
    "piqa": ("acc", 0.62, 1838),
    "arc_easy": ("acc", 0.45, 2376),
    "arc_challenge": ("acc_norm", 0.24, 1172),
    "winogrande": ("acc", 0.51, 1267),
}
MODELS = {
    "mamba-130m": ("mamba", 0.00, 30e9),
    "mamba-370m": ("mamba", 0.05, 90e9),
    "mamba-1.4b": ("mamba", 0.11, 330e9),
    "pythia-160m": ("gpt_neox", -0.02, 38e9),
    "pythia-410m": ("gpt_neox", 0.02, 110e9),
    "pythia-1.4b": ("gpt_neox", 0.08, 380e9),
}
# Loss of accuracy with everything dropped, and overlap with recent.
CRITERIA = {
    "influence": (0.05, 0.95),
    "recent": (0.06, 1.0),
    "spaced": (0.12, 0.55),
    "random": (0.15, 0.5),
}


def method(criterion: str, retention: str | None = None) -> Json:
    json_: Json = {"criterion": criterion}
    if criterion == "influence":
        json_ |= {"decay": "no_bias", "reduction": "max"}
    if criterion == "random":
        json_["seed"] = 0
    if retention:
        json_ |= {"retention": retention, "schedule": "linear"}
    return json_


def task_settings(task: str, shots: int = 0) -> Json:
    settings = {
        "task": task,
        "config_sha256": "c" * 64,
        "files": [{"file": f"{task}.jsonl", "sha256": "d" * 64}],
        "shots": shots,
        "limit": None,
        "max_length": 2048,
        "notes": [],
    }
    if shots:
        settings["few_shot"] = {"sampling": "first_n", "seed": 0, "files": []}
    return settings


def task_row(
    model: str, task: str, criterion: str, retention: str | None = None, shots: int = 0
) -> Json:
    primary, base, documents = TASKS[task]
    _, gain, flops = MODELS[model]
    r = 1.0 if retention is None else float(retention)
    share = 0.45 + 0.55 * r
    loss, overlap = CRITERIA.get(criterion, (0.09, 0.0))
    value = base + gain - loss * (1 - r)
    error = (value * (1 - value) / documents) ** 0.5
    total = flops * documents * share
    dense = criterion == "dense"
    row: Json = {
        "model": model,
        "task": task,
        "shots": shots,
        "method": method(criterion, retention),
        "name": f"{criterion} {retention}",
        "label": criterion,
        "documents": documents,
        "metrics": {
            name: {"value": value - less, "standard_error": error}
            for name, less in (("acc", 0.0), ("acc_norm", 0.01))
            if name == "acc" or primary == "acc_norm"
        },
        "primary_metric": primary,
        "flops": {
            "prefill": total * 0.8,
            "scores": 0.0 if dense else total * 0.05,
            "continuation": total * 0.1,
            "head": total * (0.1 if dense else 0.05),
            "total": total,
        },
        "flops_share": share,
    }
    if task == "lambada_openai":
        row["metrics"]["perplexity"] = {"value": 30 - 20 * value, "standard_error": None}
    if criterion == "truncated":
        row["matched"] = [f"influence(decay=no_bias,reduction=max) linear r={retention}"]
    if not dense:
        row["difference"] = {"value": value - base - gain, "standard_error": error / 2}
    if criterion in CRITERIA:
        row["overlap_with_recent"] = {"mean": overlap, "last_cut": overlap - 0.02}
    return row


def model_entry(name: str) -> Json:
    return {
        "name": name,
        "family": MODELS[name][0],
        "parameters": 1,
        "config": {},
        "weights": [{"file": "weights", "sha256": "a" * 64}],
        "tokenizer": {"file": "tokenizer.json", "sha256": "b" * 64},
    }


def sweep(
    models: tuple[str, ...] = tuple(MODELS),
    tasks: tuple[str, ...] = tuple(TASKS),
    retentions: tuple[str, ...] = ("0.7", "0.5", "0.3", "0.1"),
    shots: int = 0,
) -> Json:
    """All models dense; the Mamba models pruned and truncated."""
    rows = []
    for task in tasks:
        for model in models:
            rows.append(task_row(model, task, "dense", shots=shots))
            if MODELS[model][0] == "mamba":
                rows += [
                    task_row(model, task, criterion, retention, shots)
                    for retention in retentions
                    for criterion in (*CRITERIA, "truncated")
                ]
    return {
        "format": "simba-eval sweep 1",
        "settings": {
            "made_up": "numbers of a test, never measured",
            "tasks": [task_settings(task, shots) for task in tasks],
            "methods": {"criterion": list(CRITERIA), "retention": list(retentions)},
            "dtype": "float32",
            "device": "cpu",
        },
        "models": [model_entry(model) for model in models],
        "rows": rows,
        "documents": {},
    }


def perplexity_row(criterion: str, retention: float | None, context: int) -> Json:
    dense = criterion == "dense"
    r = 1.0 if retention is None else retention
    worse, overlap = CRITERIA.get(criterion, (0.09, 0.0))
    row = {
        **{"decay": None, "reduction": None, "schedule": None, "seed": None},
        **method(criterion, None if dense else str(retention)),
        "retention": 1 if dense else retention,
        "context": context,
        "tokens_read": context if criterion != "truncated" else int(context * (0.4 + 0.6 * r)),
        "matches": [{"method": "influence", "flops": 1.0}] if criterion == "truncated" else [],
        "perplexity": 40 - context**0.3 + 30 * worse * (1 - r),
        "perplexity_per_word": 100.0,
        "mean_nll": 3.5,
        "difference_to_dense": {"mean": worse * (1 - r), "standard_error": None if dense else 0.01},
        "kl_from_dense": 0.0 if dense else 0.02,
        "same_top": 1.0 if dense else 0.9,
        "tokens_per_layer": [context],
        "overlap_with_recent": None,
        "flops": {
            "prefill": 1e10,
            "scores": 0.0,
            "continuation": 1e9,
            "head": 1e9,
            "total": 1e7 * context * (0.45 + 0.55 * r),
            "share_of_dense": {"prefill": r, "prefill_with_scores": r, "total": 0.45 + 0.55 * r},
        },
        "per_window": {},
    }
    if criterion in CRITERIA:
        row["overlap_with_recent"] = {"mean": overlap, "last_cut": None}
    return row


def perplexity(
    contexts: tuple[int, ...] = (512, 1024, 2048), retentions: tuple[float, ...] = (0.5, 0.1)
) -> Json:
    rows = []
    for context in contexts:
        rows.append(perplexity_row("dense", None, context))
        rows += [
            perplexity_row(criterion, retention, context)
            for retention in retentions
            for criterion in (*CRITERIA, "truncated")
        ]
    return {
        "format": "simba-eval perplexity 1",
        "settings": {
            "made_up": "numbers of a test, never measured",
            "model": {"config": {}, "weights": [{"file": "w.bin", "sha256": "e" * 64}]},
            "tokenizer": {"file": "tokenizer.json", "sha256": "b" * 64},
            "contexts": list(contexts),
            "score": 32,
            "windows": {"placed": "spread", "count": 2},
            "dtype": "float32",
            "device": "cpu",
        },
        "text": {"books": 1, "tokens": 9000, "words": 7000},
        "books": [{"name": "book", "sha256": "f" * 64, "ids": 9001, "words": 7000}],
        "windows": [["book", 0], ["book", 3000]],
        "rows": rows,
    }


def write(folder: Path, results: Json) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results))
    return folder


def changed(results: Json, place: str, value: object) -> Json:
    """A copy with one value changed: "rows.0.flops.total"; value ... takes it away."""
    copied = copy.deepcopy(results)
    *way, last = place.split(".")
    at: Any = copied
    for step in way:
        at = at[int(step) if isinstance(at, list) else step]
    key = int(last) if isinstance(at, list) else last
    if value is ...:
        del at[key]
    else:
        at[key] = value
    return copied
