"""python -m simba_ssm.train CONFIG.toml [--data PATH] [--model DIR] [--out DIR] [--resume]

Under torchrun the processes share every step:
    torchrun --nproc-per-node 8 -m simba_ssm.train CONFIG.toml ...
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from simba_ssm.train.config_file import read_config
from simba_ssm.train.errors import TrainError, TrainingStopped
from simba_ssm.train.loop import train
from simba_ssm.train.toml_table import tomllib


def main(arguments: Sequence[str] | None = None) -> int:
    """0: done, the model's folder on stdout; 2: wrong input; 1: the run went wrong; 130: interrupted.

    In all but the first case one line on stderr says what happened.
    """
    options = _options().parse_args(arguments)
    # MKL adds in a fixed order: a resumed run on a CPU is the uninterrupted one bit for bit.
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")

    first = os.environ.get("RANK", "0") == "0"
    try:
        config = read_config(options.config, _overrides(options))
        out = options.out or Path("out/train") / options.config.stem
        model = train(config, out, resume=options.resume, force=options.force)
    except (TrainError, TrainingStopped) as error:
        if first or isinstance(error, TrainingStopped):
            print(f"simba_ssm.train: {error}", file=sys.stderr)
        return 2 if isinstance(error, TrainError) else 1
    except OSError as error:
        # Reading or writing an open file raises one without a name.
        named = f"{error.filename}: " if error.filename else ""
        print(f"simba_ssm.train: {named}{error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "simba_ssm.train: interrupted; --resume goes on from its last checkpoint",
            file=sys.stderr,
        )
        return 130
    if first:
        print(model)
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simba_ssm.train",
        description="Pretrains or fine-tunes a Mamba; docs/training.md explains the configuration.",
    )
    parser.add_argument("config", type=Path, metavar="CONFIG.toml")
    parser.add_argument(
        "--data", type=Path, metavar="PATH", help="training texts, instead of data.train"
    )
    parser.add_argument(
        "--model", metavar="DIR", help="checkpoint to begin with, instead of model.pretrained"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: out/train/CONFIG")
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", help="tokens of several runs, instead of data.cache"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any other key, its value as TOML: --set optimizer.lr=1e-4 --set run.precision='\"float32\"'",
    )
    again = parser.add_mutually_exclusive_group()
    again.add_argument(
        "--resume", action="store_true", help="go on from the newest checkpoint, or begin"
    )
    again.add_argument("--force", action="store_true", help="replace an earlier run in the folder")
    return parser


def _overrides(options: argparse.Namespace) -> dict[str, Any]:
    overrides: dict[str, Any] = {}
    for text in options.set:
        key, equals, value = text.partition("=")
        try:
            if not (key and equals):
                raise ValueError
            overrides[key] = tomllib.loads(f"value = {value}")["value"]
        except ValueError:
            raise TrainError(f"--set: expected KEY=VALUE with a TOML value, got {text!r}") from None
    # A path in the file starts at the file's folder, one of the command line where it is given.
    if options.data:
        overrides["data.train"] = str(options.data.absolute())
    if options.cache:
        overrides["data.cache"] = str(options.cache.absolute())
    if options.model:
        # Anything else is the id of a model on the hub.
        folder = Path(options.model)
        is_path = folder.is_dir() or options.model.startswith(".")
        overrides["model.pretrained"] = str(folder.absolute()) if is_path else options.model
    return overrides


if __name__ == "__main__":
    sys.exit(main())
