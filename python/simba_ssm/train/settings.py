"""What a run's numbers depend on, so that a resumed one is the same run."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from simba_ssm.train.config import TrainConfig
from simba_ssm.train.errors import TrainError

# Cadence, place and speed: a resumed run may have others. Paths too: digests stand for contents.
FREE = (
    "file",
    "title",
    "model.",
    "tokenizer.",
    "validation.",
    "data.train",
    "data.cache",
    "run.micro_tokens",
    "run.compile",
    "run.checkpoint_every",
    "run.keep",
    "run.device",
    "run.threads",
    "run.log_every",
    "run.tensorboard",
    "run.save",
)


def settings_of(config: TrainConfig, digests: dict[str, Any]) -> dict[str, Any]:
    """By dotted key; digests: of the texts, the tokenizer and the like, in the same form."""
    flat = _flat(asdict(config), "")
    return {key: value for key, value in flat.items() if not key.startswith(FREE)} | digests


def require_same(settings: dict[str, Any], earlier: dict[str, Any], checkpoint: Path) -> None:
    """Raises TrainError naming the first setting in which the run differs from its checkpoint."""
    for key in dict.fromkeys([*earlier, *settings]):
        if settings.get(key) != earlier.get(key):
            raise TrainError(
                f"{checkpoint}: {key}: expected that of the checkpoint, {earlier.get(key)!r}, "
                f"got {settings.get(key)!r}"
            )


def plain(config: TrainConfig) -> dict[str, Any]:
    """Every setting as JSON has it, nested as in the file."""
    return _plain(asdict(config))


def _flat(value: dict[str, Any], where: str) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, each in value.items():
        if isinstance(each, dict):
            flat |= _flat(each, f"{where}{key}.")
        else:
            flat[where + key] = _plain(each)
    return flat


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value
