"""From a TOML file to the training run that it describes."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from simba_ssm.train.config import (
    DataConfig,
    LossConfig,
    ModelConfig,
    OptimizerConfig,
    RunConfig,
    SparseConfig,
    TokenizerConfig,
    TrainConfig,
    ValidationConfig,
)
from simba_ssm.train.errors import TrainError
from simba_ssm.train.toml_table import Table, read_toml

CRITERIA = ("influence", "delta_norm", "delta", "recent", "spaced", "truncated")


def read_config(file: Path, overrides: dict[str, Any] | None = None) -> TrainConfig:
    """overrides: values by dotted key ("optimizer.lr"), replacing the file's. Raises TrainError."""
    values = _with_base(file, ())
    for key, value in (overrides or {}).items():
        *tables, last = key.split(".")
        target = values
        for name in tables:
            target = target.setdefault(name, {})
            if not isinstance(target, dict):
                raise TrainError(f"{file}: {key}: expected a key of a table, {name} is none")
        target[last] = value
    return _config(Table(file, "", values))


def _with_base(file: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    """The file's values over those of the file that its key `extends` names."""
    if file.resolve() in seen:
        raise TrainError(f"{file}: extends: expected a file that does not lead back to this one")
    values = read_toml(file)
    if "extends" not in values:
        return values
    base = Table(file, "", values).path("extends")
    del values["extends"]
    return _merged(_with_base(base, (*seen, file.resolve())), values)


def _merged(base: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = copy.deepcopy(base)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _config(top: Table) -> TrainConfig:
    config = TrainConfig(
        file=top.file,
        title=top.text("title", top.file.stem),
        # As many as torch's generators take.
        seed=top.integer("seed", 0, most=2**64 - 1),
        model=_model(top.table("model")),
        tokenizer=_tokenizer(top.table("tokenizer")),
        data=_data(top.table("data")),
        validation=_validation(top.table("validation")),
        optimizer=_optimizer(top.table("optimizer")),
        loss=_loss(top.table("loss")),
        sparse=_sparse(top.table("sparse")),
        run=_run(top.table("run")),
    )
    top.refuse_unknown()
    _check_together(config)
    return config


def _model(table: Table) -> ModelConfig:
    pretrained = table.text("pretrained", None)
    if pretrained and pretrained.startswith("."):
        pretrained = str(table.file.parent / pretrained)
    model = ModelConfig(pretrained, table.path("shape", None))
    table.refuse_unknown()
    if (model.pretrained is None) == (model.shape is None):
        both = "both" if model.shape else "neither"
        raise TrainError(f"{table.file}: model: expected pretrained or shape, got {both}")
    return model


def _tokenizer(table: Table) -> TokenizerConfig:
    tokenizer = TokenizerConfig(
        table.path("file", None),
        table.integer("pieces", None, least=300),
        table.integer("sample_bytes", 100_000_000, least=1),
    )
    table.refuse_unknown()
    if tokenizer.file and tokenizer.pieces:
        raise TrainError(f"{table.file}: tokenizer: expected file or pieces, got both")
    return tokenizer


def _data(table: Table) -> DataConfig:
    if "train" not in table:
        raise table.error("train", "a file or folder of texts, here or as --data")
    lengths = table.integers("lengths", (2048,))
    data = DataConfig(
        train=table.path("train"),
        cache=table.path("cache", None),
        field=table.text("field", "text"),
        lengths=lengths,
        weights=table.numbers("weights", (1.0,) * len(lengths), count=len(lengths), above=0),
        reset=table.boolean("reset", True),
        held_out=table.integer("held_out", 0),
    )
    table.refuse_unknown()
    for length in lengths:
        if max(lengths) % length:
            raise table.error("lengths", "lengths that divide the longest one")
    return data


def _validation(table: Table) -> ValidationConfig:
    validation = ValidationConfig(
        data=table.path("data", None),
        every=table.integer("every", 0),
        windows=table.integer("windows", 32, least=1),
        length=table.integer("length", 2048, least=2),
        continuation=table.integer("continuation", 64, least=1),
        retention=tuple(f"{r:.9f}" for r in table.numbers("retention", (), least=1e-9, most=1)),
    )
    table.refuse_unknown()
    if validation.continuation >= validation.length:
        raise table.error("continuation", f"less than validation.length ({validation.length})")
    return validation


def _optimizer(table: Table) -> OptimizerConfig:
    optimizer = OptimizerConfig(
        lr=table.number("lr", above=0),
        betas=table.numbers("betas", (0.9, 0.95), count=2, least=0, most=0.999999),
        eps=table.number("eps", 1e-8, above=0),
        weight_decay=table.number("weight_decay", 0.1, least=0),
        warmup=table.number("warmup", 0.1, least=0, most=1),
        final=table.number("final", 0.0, least=0, most=1),
        clip=table.number("clip", 1.0, least=0),
    )
    table.refuse_unknown()
    return optimizer


def _loss(table: Table) -> LossConfig:
    loss = LossConfig(
        dense=table.number("dense", 1.0, least=0),
        sparse=table.number("sparse", 0.0, least=0),
        distillation=table.number("distillation", 0.0, least=0),
        temperature=table.number("temperature", 1.0, above=0),
    )
    table.refuse_unknown()
    if loss.dense + loss.sparse + loss.distillation == 0:
        raise TrainError(f"{table.file}: loss: expected a term with a weight above 0, got none")
    return loss


def _sparse(table: Table) -> SparseConfig:
    sparse = SparseConfig(
        criterion=table.choice("criterion", CRITERIA, "influence"),
        decay=table.choice("decay", ("no_bias", "full", "none"), "no_bias"),
        reduction=table.choice("reduction", ("max", "l2", "l1", "signed_max"), "max"),
        schedule=table.text("schedule", "linear"),
        retention=table.numbers("retention", (0.1, 1.0), count=2, above=0, most=1),
        progressive=table.number("progressive", 0.0, least=0, most=1),
        continuation=table.integer("continuation", 256, least=1),
    )
    table.refuse_unknown()
    if sparse.retention[0] > sparse.retention[1]:
        raise table.error("retention", "the lower end before the upper one")
    return sparse


def _run(table: Table) -> RunConfig:
    tokens = table.integer("tokens_per_step", least=1)
    run = RunConfig(
        steps=table.integer("steps", least=1),
        tokens_per_step=tokens,
        micro_tokens=table.integer("micro_tokens", tokens, least=1),
        precision=table.choice("precision", ("float32", "bfloat16"), "float32"),
        compile=table.boolean("compile", False),
        checkpoint_every=table.integer("checkpoint_every", 100, least=1),
        keep=table.integer("keep", 2, least=1),
        device=table.text("device", "auto"),
        threads=table.integer("threads", None, least=1),
        log_every=table.integer("log_every", 10, least=1),
        tensorboard=table.boolean("tensorboard", False),
        save=table.choice("save", ("float32", "bfloat16", "float16"), "float32"),
    )
    table.refuse_unknown()
    return run


def _check_together(config: TrainConfig) -> None:
    def refuse(key: str, expected: str, got: object) -> None:
        raise TrainError(f"{config.file}: {key}: expected {expected}, got {got}")

    longest = max(config.data.lengths)
    if config.run.tokens_per_step % longest:
        expected = f"a multiple of the longest of data.lengths ({longest})"
        refuse("run.tokens_per_step", expected, config.run.tokens_per_step)
    if config.run.micro_tokens % longest:
        expected = f"a multiple of the longest of data.lengths ({longest})"
        refuse("run.micro_tokens", expected, config.run.micro_tokens)
    if config.loss.reads_sparsely and config.sparse.continuation >= min(config.data.lengths):
        expected = f"less than the shortest of data.lengths ({min(config.data.lengths)})"
        refuse("sparse.continuation", expected, config.sparse.continuation)
    if config.loss.reads_sparsely and config.run.compile:
        # Every step has other counts of tokens, so it would be compiled anew.
        refuse("run.compile", "false where loss.sparse or loss.distillation is above 0", "true")
    if config.loss.distillation > 0 and config.model.pretrained is None:
        refuse(
            "loss.distillation", "0 where model.pretrained is not given", config.loss.distillation
        )
    if config.validation.every and not (config.validation.data or config.data.held_out):
        refuse(
            "validation.every", "0, or validation.data or data.held_out", config.validation.every
        )
