"""Every figure of simba-eval tasks' results.json, from the log-likelihoods in the same file."""

from __future__ import annotations

import math
import statistics

import pytest


def first_of_largest(values: list[float]) -> int:
    return max(range(len(values)), key=lambda i: (values[i], -i))


def verdicts(document: dict, row: int) -> dict[str, float]:
    """What the documents' log-likelihoods say of each metric."""
    likelihoods = document["log_likelihoods"][row]
    if "gold" not in document:
        return {"acc": float(document["greedy"][row][0]), "perplexity": likelihoods[0]}
    lengths = {"acc": [1] * len(likelihoods), "acc_norm": document["characters"], "acc_bytes": document["bytes"]}
    return {
        name: float(first_of_largest([v / n for v, n in zip(likelihoods, by, strict=True)]) == document["gold"])
        for name, by in lengths.items()
    }


def check_results(results: dict) -> None:
    """Every figure of every row, from the log-likelihoods and FLOPs in the same file."""
    tasks = {row["task"] for row in results["rows"]}
    for task in tasks:
        rows = [row for row in results["rows"] if row["task"] == task]
        key = task if rows[0]["shots"] == 0 else f"{task}, {rows[0]['shots']}-shot"
        dense = [verdicts(document, 0) for document in results["documents"][key]]
        for index, row in enumerate(rows):
            values = [verdicts(document, index) for document in results["documents"][key]]
            assert row["documents"] == len(values)
            for name, metric in row["metrics"].items():
                mean = statistics.fmean(value[name] for value in values)
                error = statistics.stdev(value[name] for value in values) / math.sqrt(len(values))
                if name == "perplexity":
                    mean, error = math.exp(-mean), math.exp(-mean) * error
                assert metric["value"] == pytest.approx(mean, rel=1e-12)
                assert metric["standard_error"] == pytest.approx(error, rel=1e-9, abs=1e-12)
            flops = row["flops"]
            parts = flops["prefill"] + flops["scores"] + flops["continuation"] + flops["head"]
            assert flops["total"] == pytest.approx(parts, rel=1e-15)
            assert row["flops_share"] == pytest.approx(flops["total"] / rows[0]["flops"]["total"], rel=1e-15)
            if index == 0:
                assert row["name"] == "dense" and "difference" not in row
                continue
            primary = row["primary_metric"]
            changes = [value[primary] - base[primary] for value, base in zip(values, dense, strict=True)]
            assert row["difference"]["value"] == pytest.approx(statistics.fmean(changes), abs=1e-12)
            error = statistics.stdev(changes) / math.sqrt(len(changes))
            assert row["difference"]["standard_error"] == pytest.approx(error, rel=1e-9, abs=1e-12)
            for name in row.get("matched", []):
                spent = next(other["flops"]["total"] for other in rows if other["name"] == name)
                assert flops["total"] == pytest.approx(spent, rel=0.01)
