"""Whole models with random weights of published shapes, ours and the peers'."""

from __future__ import annotations

import gc
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.compare.model_peers import ModelPeer, load_model_peers
from benchmarks.compare.random_checkpoint import random_checkpoint
from benchmarks.compare.rows import Result
from simba_ssm import Simba


@dataclass
class Loaded:
    size: str
    model: Simba
    config: dict
    peers: list[ModelPeer]

    @property
    def weight_bytes(self) -> int:
        """What a pass reads of matrices at least; a tied head is read once."""
        return self.model._model.parameters * self.model.dtype.itemsize


class Models:
    """Loads one model at a time, ours and every peer's with the same weights."""

    def __init__(
        self, result: Result, wanted: Sequence[str], dtype: str, weights: Path, repeats: int
    ) -> None:
        self.result, self.wanted, self.repeats = result, wanted, repeats
        self.device, self.dtype = result.machine.where(), getattr(torch, dtype)
        self.dtype_name, self.weights = dtype, weights
        self._loaded: Loaded | None = None

    def load(self, size: str) -> Loaded:
        """size: of configs/models/mamba-SIZE."""
        if self._loaded and self._loaded.size == size:
            return self._loaded
        self._loaded = None
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        folder = random_checkpoint(f"mamba-{size}", self.weights, self.device.type)
        model = Simba.from_pretrained(folder, device=self.device, dtype=self.dtype)
        if self.device.type == "cuda":
            model.capture_prefills(2)
        peers, absent = load_model_peers(self.wanted, folder, self.device, self.dtype)
        self.result.absent |= {f"{name}'s model": why for name, why in absent.items()}
        for peer in peers:
            name, version = peer.name.split(" ", 1)
            self.result.peers[name] = version
        config = json.loads((folder / "config.json").read_text())
        self._loaded = Loaded(size, model, config, peers)
        return self._loaded
