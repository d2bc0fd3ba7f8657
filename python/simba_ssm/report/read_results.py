"""results.json of `simba-eval perplexity`, `tasks` and `sweep`, read into rows.

What two rows must share to be compared goes into `asked`, as (what it is, its value): for
perplexity the scored tokens (books, positions, how many), the tokenizer and the number type; for a
task its files, prompt, examples, limits and the number type.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from simba_ssm.report.errors import ReportError
from simba_ssm.report.fields import Field
from simba_ssm.report.rows import Estimate, Method, Model, Overlap, PerplexityRow, Results, TaskRow

Asked = tuple[tuple[str, str], ...]


def read_results(folder: Path) -> Results:
    """folder: an output folder, or its results.json. Raises ReportError."""
    file = folder / "results.json" if folder.is_dir() else folder
    whole = Field.of_file(file)
    format_ = whole["format"].text()
    read: dict[str, Callable[[Field], Results]] = {
        "simba-eval perplexity 1": _perplexity_run,
        "simba-eval tasks 1": _task_run,
        "simba-eval sweep 1": _task_run,
    }
    if format_ not in read:
        raise whole["format"].error(" or ".join(f"'{known}'" for known in read))
    return read[format_](whole)


def _perplexity_run(whole: Field) -> Results:
    model = Model(_model_name_of_run(whole), _family(whole["settings"]["model"].get("config")))
    windows = list(whole["windows"].elements())
    asked = _scored_tokens(whole, windows)
    rows = tuple(
        _perplexity_row(row, model, len(windows), asked) for row in whole["rows"].elements()
    )
    return Results(
        whole.file,
        whole["format"].text(),
        whole["settings"].value,
        (model,),
        perplexities=rows,
    )


def _task_run(whole: Field) -> Results:
    models = {}
    for entry in whole["models"].elements():
        family = entry.get("family")
        name = entry["name"].text()
        models[name] = Model(name, family.text() if family else _family(entry.get("config")))

    def model_of(row: Field) -> Model:
        name = row["model"]
        if name.text() not in models:
            raise name.error(f"one of the file's models ({', '.join(models)})")
        return models[name.value]

    windows = whole.get("windows")
    placed = list(windows.elements()) if windows else []
    rows = whole.get("rows")
    perplexities = whole.get("perplexity_rows")
    return Results(
        whole.file,
        whole["format"].text(),
        whole["settings"].value,
        tuple(models.values()),
        tuple(_task_row(row, model_of(row), _task_asked(whole, row)) for row in rows.elements())
        if rows
        else (),
        tuple(
            _perplexity_row(row, model_of(row), len(placed) or None, _scored_tokens(whole, placed))
            for row in perplexities.elements()
        )
        if perplexities
        else (),
        _remarks(whole["settings"]),
    )


def _remarks(settings: Field) -> tuple[str, ...]:
    tasks = settings.get("tasks")
    if tasks is None or not isinstance(tasks.value, list):
        return ()
    notes = [each.get("notes") for each in tasks.elements() if isinstance(each.value, dict)]
    return tuple(note.text() for found in notes if found for note in found.elements())


def _task_row(row: Field, model: Model, asked: Asked) -> TaskRow:
    metrics = {}
    for name, metric in row["metrics"].items():
        if metric.get("value") is not None:
            metrics[name] = _estimate(metric, "value")
    primary = row["primary_metric"]
    if primary.text() not in row["metrics"].value:
        raise primary.error("one of the row's metrics")
    matched = row.get("matched")
    difference = row.get("difference")
    return TaskRow(
        file=row.file,
        model=model,
        method=_method(row["method"]),
        task=row["task"].text(),
        shots=row["shots"].integer(),
        documents=_positive(row["documents"]),
        metrics=metrics,
        primary=primary.text(),
        flops=row["flops"]["total"].number(),
        asked=asked,
        flops_share=_number(row.get("flops_share")),
        difference=_estimate(difference, "value") if difference else None,
        overlap=_overlap(row),
        matched=tuple(each.text() for each in matched.elements()) if matched else (),
    )


def _perplexity_row(row: Field, model: Model, windows: int | None, asked: Asked) -> PerplexityRow:
    difference = row.get("difference_to_dense") or row.get("difference")
    share = row["flops"].get("share_of_dense")
    matches = row.get("matches")
    return PerplexityRow(
        file=row.file,
        model=model,
        method=_method(row.get("method") or row),
        context=_positive(row["context"]),
        tokens_read=row["tokens_read"].integer(),
        windows=windows,
        perplexity=_number(row.get("perplexity")),
        flops=row["flops"]["total"].number(),
        asked=asked,
        perplexity_per_word=_number(row.get("perplexity_per_word")),
        flops_share=_number(share.get("total") if share else row.get("flops_share")),
        difference=_estimate(difference, "mean", "value") if difference else None,
        kl=_number(row.get("kl_from_dense") or row.get("kl")),
        same_top=_number(row.get("same_top")),
        overlap=_overlap(row),
        matched=tuple(each["method"].text() for each in matches.elements()) if matches else (),
    )


def _method(field: Field) -> Method:
    def text(name: str) -> str | None:
        found = field.get(name)
        return found.text() if found else None

    seed = field.get("seed")
    return Method(
        criterion=field["criterion"].text(),
        decay=text("decay"),
        reduction=text("reduction"),
        retention=_retention(field.get("retention")),
        schedule=text("schedule"),
        seed=seed.integer() if seed else None,
    )


def _retention(field: Field | None) -> float | None:
    """A decimal, written as a number or as text."""
    if field is None:
        return None
    try:
        value = float(field.value) if isinstance(field.value, str) else field.number()
    except ValueError:
        raise field.error("a decimal in (0, 1]") from None
    if not 0 < value <= 1:
        raise field.error("a decimal in (0, 1]")
    return value


def _estimate(field: Field, *names: str) -> Estimate:
    value = next((found for name in names if (found := field.get(name))), None) or field[names[0]]
    return Estimate(value.number(), _number(field.get("standard_error")))


def _overlap(row: Field) -> Overlap | None:
    field = row.get("overlap_with_recent")
    mean = field.get("mean") if field else None
    return Overlap(mean.number(), _number(field.get("last_cut"))) if mean else None


def _number(field: Field | None) -> float | None:
    return None if field is None else field.number()


def _positive(field: Field) -> int:
    if field.integer() < 1:
        raise field.error("an integer above 0")
    return field.value


def _scored_tokens(whole: Field, windows: list[Field]) -> Asked:
    settings = whole["settings"]
    books = whole.get("books")
    if not windows or books is None:
        # Nothing says which tokens were scored: comparable within the file alone.
        return (("windows", f"those of {whole.file}"),)
    hashes = {book["name"].text(): book["sha256"].text() for book in books.elements()}
    longest = max((context.integer() for context in settings["contexts"].elements()), default=0)
    positions = []
    for window in windows:
        parts = list(window.elements())
        if len(parts) != 2:
            raise window.error("a book and a position")
        name = parts[0].text()
        if name not in hashes:
            raise parts[0].error("one of the file's books")
        positions.append((hashes[name], parts[1].integer() + longest))
    tokenizer = settings.get("tokenizer")
    return (
        ("scored tokens", f"{len(windows)} x {settings['score'].integer()}, {_digest(positions)}"),
        ("tokenizer", tokenizer["sha256"].text()[:12] if tokenizer else f"of {whole.file}"),
        ("number type", settings["dtype"].text()),
    )


def _task_asked(whole: Field, row: Field) -> Asked:
    settings = whole["settings"]
    dtype = settings.get("dtype")
    asked = [("documents", str(row["documents"].integer()))]
    entry = _task_entry(settings, row)
    if entry is None:
        asked.append(("task settings", f"those of {whole.file}"))
    else:
        names = {
            "files": "files",
            "config_sha256": "prompt",
            "few_shot": "examples",
            "limit": "limit",
            "max_length": "longest input",
        }
        for name, shown in names.items():
            value = entry.get(name)
            if value is not None:
                plain = isinstance(value.value, (int, str)) and name != "config_sha256"
                asked.append((shown, str(value.value) if plain else _digest(value.value)))
    asked.append(("number type", dtype.text() if dtype else "not stated"))
    return tuple(asked)


def _task_entry(settings: Field, row: Field) -> Field | None:
    tasks = settings.get("tasks")
    if tasks is None or not isinstance(tasks.value, list):
        return None
    for entry in tasks.elements():
        if isinstance(entry.value, dict) and (
            entry.value.get("task") == row["task"].value
            and entry.value.get("shots", row["shots"].value) == row["shots"].value
        ):
            return entry
    return None


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def _model_name_of_run(whole: Field) -> str:
    """results.json of a perplexity run names no model: run.json beside it has its folder."""
    run = whole.file.with_name("run.json")
    weights = next(iter(whole["settings"]["model"]["weights"].elements()), None)
    if weights is None:
        raise whole["settings"]["model"]["weights"].error("at least one file")
    mark = weights["sha256"].text()[:8]
    if not run.exists():
        return f"weights {mark}"
    paths = Field.of_file(run).get("paths")
    path = paths.get("model") if paths else None
    return f"{Path(path.text()).name} ({mark})" if path else f"weights {mark}"


def _family(config: Field | None) -> str:
    kind = config.get("model_type") if config else None
    return kind.text() if kind else "mamba"


def unique_files(results: list[Results]) -> list[Results]:
    """Raises ReportError when one file was named twice."""
    seen: dict[Path, Results] = {}
    for each in results:
        if each.file.resolve() in seen:
            raise ReportError(f"{each.file}: named twice")
        seen[each.file.resolve()] = each
    return results
