"""Checkpoint folders: config.json and weights, in the layouts of state-spaces and Hugging Face.

Weights are read without running anything that a file may hold: safetensors, or torch's archives with
``weights_only``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from simba_ssm.modeling.config import SimbaConfig
from simba_ssm.modeling.config_file import config_from_keys, hugging_face_keys, state_spaces_keys

WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
LAYOUTS = ("huggingface", "state-spaces")
HEAD = "lm_head.weight"
EMBEDDING = "backbone.embedding.weight"
HUGGING_FACE_EMBEDDING = "backbone.embeddings.weight"

# What is multiplied with. The rest, vectors, the convolution and A, is read in float32 or wider.
MATRICES = ("in_proj.weight", "x_proj.weight", "dt_proj.weight", "out_proj.weight", "in_proj.bias",
            "out_proj.bias", EMBEDDING, HEAD)  # fmt: skip


def find_folder(folder_or_id: str | Path) -> Path:
    """A checkpoint folder, or the snapshot of a hub id that lies in the Hugging Face cache.

    Nothing is downloaded. Raises ValueError where there is neither.
    """
    folder = Path(folder_or_id)
    if folder.is_dir():
        return folder
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise ValueError(
            f"{folder_or_id}: no such folder (huggingface_hub, which finds hub ids in its cache, is "
            "not installed)"
        ) from None
    try:
        return Path(snapshot_download(str(folder_or_id), local_files_only=True))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{folder_or_id}: no such folder, and no such model in the Hugging Face cache"
        ) from error


def read_config(folder: Path) -> SimbaConfig:
    """Raises ValueError on what is no Mamba-1 language model."""
    path = folder / "config.json"
    try:
        return config_from_keys(_read_json(path))
    except KeyError as error:
        raise ValueError(f"{path}: expected the key {error}") from error
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{path}: {error}") from error


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from error


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The tensors of a folder under state-spaces names, on the CPU, as they are stored."""
    path = next((folder / name for name in WEIGHT_FILES if (folder / name).exists()), None)
    if path is None:
        raise ValueError(f"{folder}: no weights; looked for {', '.join(WEIGHT_FILES)}")
    files = [path]
    if path.name.endswith(".index.json"):
        index = _read_json(path)
        placed = index.get("weight_map") if isinstance(index, dict) else None
        if not isinstance(placed, dict) or not placed:
            raise ValueError(f"{path}: weight_map: expected an object of names of files")
        shards = placed.values()
        for name in shards:
            if not isinstance(name, str) or Path(name).name != name:
                raise ValueError(f"{path}: expected names of files beside the index, got {name!r}")
        files = [folder / name for name in dict.fromkeys(shards)]
    weights: dict[str, Tensor] = {}
    for file in files:
        weights |= _read_file(file)
    if HUGGING_FACE_EMBEDDING in weights:
        weights[EMBEDDING] = weights.pop(HUGGING_FACE_EMBEDDING)
    return weights


def _read_file(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            weights = load_file(path)
        else:
            weights = dict(torch.load(path, map_location="cpu", weights_only=True, mmap=True))
    except Exception as error:  # of three libraries, whose errors have nothing else in common
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from error
    for name, weight in weights.items():
        if not isinstance(name, str):
            raise ValueError(f"{path}: expected names of tensors, got {name!r}")
        if not isinstance(weight, Tensor) or not weight.is_floating_point():
            got = weight.dtype if isinstance(weight, Tensor) else type(weight).__name__
            raise ValueError(f"{path}: {name}: expected a tensor of floats, got {got}")
    return weights


def convert(weights: dict[str, Tensor], dtype: torch.dtype | None) -> dict[str, Tensor]:
    """Matrices in dtype (None: as stored), the rest in float32, or float64 beside float64. Raises
    ValueError where there is no matrix to say how they are stored.
    """
    if dtype is None:
        if (first := "backbone.layers.0.mixer.in_proj.weight") not in weights:
            raise ValueError(f"{first}: missing")
        dtype = weights[first].dtype
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    return {
        name: weight.to(dtype if name.endswith(MATRICES) else wide)
        for name, weight in weights.items()
    }


def assign(model: nn.Module, weights: dict[str, Tensor]) -> None:
    """Puts the weights, as they are, in place of a model's own, which are on the meta device. Raises
    ValueError where they are not the model's.
    """
    _check_weights(model, weights)
    for name, parameter in model.named_parameters():
        # load_state_dict puts this flag on what is given, which may be frozen.
        if isinstance(given := weights.get(name), nn.Parameter):
            parameter.requires_grad_(given.requires_grad)
    model.load_state_dict(weights, strict=False, assign=True)


def _check_weights(model: nn.Module, weights: dict[str, Tensor]) -> None:
    """Raises ValueError unless the weights are the model's, by name and shape; a tied head may be
    left out, and must equal the embedding where it is not.
    """
    expected = {name: parameter.shape for name, parameter in model.state_dict().items()}
    tied = model.config.tie_embeddings
    for name, shape in expected.items():
        if name not in weights:
            if tied and name == HEAD:
                continue
            raise ValueError(f"{name}: missing, expected shape {tuple(shape)}")
        if weights[name].shape != shape:
            got = tuple(weights[name].shape)
            raise ValueError(f"{name}: expected shape {tuple(shape)}, got {got}")
    if unexpected := sorted(weights.keys() - expected.keys()):
        raise ValueError(f"{unexpected[0]}: unexpected; {len(unexpected)} such tensors in all")
    if tied and HEAD in weights:
        head, embedding = weights[HEAD], weights[EMBEDDING]
        if head.data_ptr() != embedding.data_ptr() and not torch.equal(head, embedding):
            raise ValueError(f"{HEAD}: differs from the embedding, but the configuration ties the two")


def write(folder: str | Path, config: SimbaConfig, weights: dict[str, Tensor], layout: str) -> None:
    """config.json, and model.safetensors (Hugging Face) or pytorch_model.bin (state-spaces).

    Raises ValueError where the folder holds weights of another name, which readers could take for
    these.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"layout: expected one of {', '.join(LAYOUTS)}, got {layout!r}")
    hugging_face = layout == "huggingface"
    file = "model.safetensors" if hugging_face else "pytorch_model.bin"
    folder = Path(folder)
    for name in WEIGHT_FILES:
        if name != file and (folder / name).exists():
            raise ValueError(f"{folder}: expected no weights but {file}, found {name}")
    weights = {name: weight.detach().cpu().contiguous() for name, weight in weights.items()}
    dtype = str(weights[EMBEDDING].dtype).removeprefix("torch.")
    keys = hugging_face_keys(config, dtype) if hugging_face else state_spaces_keys(config)
    folder.mkdir(parents=True, exist_ok=True)
    if hugging_face:
        from safetensors.torch import save_file

        if config.tie_embeddings:
            weights.pop(HEAD)
        weights[HUGGING_FACE_EMBEDDING] = weights.pop(EMBEDDING)
        _replace(folder / file, lambda path: save_file(weights, path, metadata={"format": "pt"}))
    else:
        if config.tie_embeddings:
            # One storage, written once.
            weights[HEAD] = weights[EMBEDDING]
        _replace(folder / file, lambda path: torch.save(weights, path))
    text = json.dumps(keys, indent=2) + "\n"
    _replace(folder / "config.json", lambda path: path.write_text(text))


def _replace(path: Path, save: Callable[[Path], object]) -> None:
    """A file is whole or the old one; parameters may lie in the old one's memory, which stays."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        save(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
