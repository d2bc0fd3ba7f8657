"""A small world for sweeps: two random Mambas, a random Pythia, the demo's tokenizer, a task and a book."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from checkpoints import DEMO
from gpt_neox import random_gpt_neox, save
from transformers import MambaConfig, MambaForCausalLM

VOCABULARY = 4096  # of the demo's tokenizer

TASK = """
name = "harbour"
[[documents]]
files = ["harbour.jsonl"]
[[few_shot]]
files = ["harbour.jsonl"]
[prompt]
context = "{story} Who comes back?"
choices = ["{a}", "{b}"]
[label]
field = "label"
form = "index"
[score]
metrics = ["acc", "acc_norm"]
primary = "acc"
"""

# Names of the models in order; contexts of the task are long beside its choices.
SWEEP = """
title = "Three small models"
models = ["small", "large", "pythia"]

[[tasks]]
names = ["../harbour.toml"]

[perplexity]
text = "book.txt"
contexts = [120, 240]
score = 8
windows = 6

[[methods]]
criterion = ["influence", "recent"]
retention = [0.5, 0.2]
truncated = true

[[methods]]
criterion = "random"
budget = 0.8
seed = 3

[[methods]]
models = ["large"]
match = "small"
"""


def save_mamba(folder: Path, layers: int, seed: int) -> None:
    torch.manual_seed(seed)
    config = MambaConfig(
        vocab_size=VOCABULARY, hidden_size=48, num_hidden_layers=layers, state_size=8, time_step_rank=3
    )
    MambaForCausalLM(config).save_pretrained(folder)


def make_world(root: Path, story: Path) -> Path:
    """root/models/{small,large,pythia}, root/data, root/harbour.toml, root/sweeps/sweep.toml"""
    models = root / "models"
    save_mamba(models / "small", 8, 1)
    save_mamba(models / "large", 11, 2)
    # Every text is short enough for it.
    changes = {"vocab_size": VOCABULARY, "max_position_embeddings": 2048}
    save(random_gpt_neox(changes, seed=3), models / "pythia")
    for name in ("small", "large", "pythia"):
        shutil.copy(DEMO / "tokenizer.model", models / name)
    text = story.read_text()
    data = root / "data"
    data.mkdir()
    (data / "book.txt").write_text(text[:6000])
    rows = [
        {
            "story": " ".join(text[i * 400 : i * 400 + 150 + 30 * (i % 5)].split()),
            "a": f"the keeper {i}",
            "b": "nobody",
            "label": i % 2,
        }
        for i in range(10)
    ]
    (data / "harbour.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (root / "harbour.toml").write_text(TASK)
    (root / "sweeps").mkdir()
    (root / "sweeps/sweep.toml").write_text(SWEEP)
    return root
