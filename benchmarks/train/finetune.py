"""The fine-tuning table: trains every recipe, evaluates before and after, prints the tables.

    python benchmarks/train/finetune.py --model CHECKPOINT --data BOOKS --pg19 FOLDER --out DIR

CHECKPOINT is mamba-26m-pg19, BOOKS what it is tuned on, FOLDER holds pg19/test. Recipes are
configs/train/finetune_*.toml, the evaluation is configs/local/finetuned_26m.toml. Everything goes
on where it was when the same command runs again. DIR/finetuning.md holds the tables.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs/train"
SWEEP = ROOT / "configs/local/finetuned_26m.toml"
RECIPES = [path.stem.removeprefix("finetune_") for path in sorted(CONFIGS.glob("finetune_*.toml"))]


def run(*command: object) -> None:
    print("+", *command, flush=True)
    begin = time.perf_counter()
    subprocess.run([str(each) for each in command], check=True)
    print(f"  {time.perf_counter() - begin:.0f} s", flush=True)


def train(options: argparse.Namespace) -> None:
    for recipe in options.recipes:
        changes = [argument for each in options.set for argument in ("--set", each)]
        run(
            *(sys.executable, "-m", "simba_ssm.train", CONFIGS / f"finetune_{recipe}.toml"),
            *("--model", options.model, "--data", options.data),
            *("--cache", options.out / "tokens"),
            *("--out", options.out / "runs" / recipe, "--resume", *changes),
        )


def place_models(options: argparse.Namespace) -> Path:
    """DIR/models: the folders that the sweep's models have as names, as links."""
    folder = options.out / "models"
    folder.mkdir(parents=True, exist_ok=True)
    targets = {recipe: options.out / "runs" / recipe / "model" for recipe in options.recipes}
    for name, target in ({"before": options.model} | targets).items():
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(target.resolve(), target_is_directory=True)
    return folder


def evaluate(options: argparse.Namespace) -> None:
    run(
        *(options.simba_eval, "sweep", options.sweep, "--models", place_models(options)),
        *("--data", options.pg19, "--device", options.device, "--dtype", options.dtype),
        *("--out", options.out / "results", "--resume"),
    )


def tables(options: argparse.Namespace) -> None:
    from simba_ssm.report.finetuning import finetuning_tables, read_scored

    text = finetuning_tables(read_scored(options.out / "results"), "before", "recent")
    (options.out / "finetuning.md").write_text(text)
    print(text)


STAGES = {"train": train, "evaluate": evaluate, "tables": tables}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, metavar="CHECKPOINT")
    parser.add_argument("--data", type=Path, required=True, metavar="BOOKS")
    parser.add_argument("--pg19", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=RECIPES)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--set", action="append", default=[], help="as simba_ssm.train takes it")
    parser.add_argument("--sweep", type=Path, default=SWEEP, help="of the evaluation")
    parser.add_argument("--simba-eval", type=Path, default=ROOT / "out/build/bin/simba-eval")
    parser.add_argument("--device", default="cuda", help="of the evaluation")
    parser.add_argument("--dtype", default="float32", help="of the evaluation")
    options = parser.parse_args()
    try:
        for stage in options.stages:
            STAGES[stage](options)
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)


if __name__ == "__main__":
    main()
