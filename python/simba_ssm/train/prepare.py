"""Everything a run begins with: tokenizer, tokens, model, teacher, objective."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from simba_ssm.modeling import SimbaForCausalLM
from simba_ssm.modeling.checkpoint import find_folder, read_config
from simba_ssm.modeling.config_file import hugging_face_keys
from simba_ssm.modeling.schedule import tokens_per_layer
from simba_ssm.train.config import ModelConfig, TrainConfig
from simba_ssm.train.documents import digest, read_documents, text_files
from simba_ssm.train.errors import TrainError
from simba_ssm.train.objective import Objective, pruning_of
from simba_ssm.train.place import Place
from simba_ssm.train.token_cache import tokenised
from simba_ssm.train.tokenizer import Tokenizer, load_tokenizer, make_tokenizer, tokenizer_beside
from simba_ssm.train.validation import Validation
from simba_ssm.train.windows import WindowOrder, fixed_windows


@dataclass(frozen=True)
class Texts:
    """digests: what the tokens were made of, for settings."""

    tokenizer: Tokenizer
    order: WindowOrder
    validation: Validation | None
    digests: dict[str, Any]
    facts: dict[str, Any]


def prepare_texts(config: TrainConfig, out: Path, place: Place) -> Texts:
    """Tokenises at the first time; of several processes the first does it for all."""
    cache = config.data.cache or out / "tokens"
    with place.first_alone():
        tokenizer = load_tokenizer(_tokenizer_file(config, out))
        store = tokenised(config.data.train, config.data.field, tokenizer, cache)
        held_out = store
        if config.validation.data:
            held_out = tokenised(config.validation.data, config.data.field, tokenizer, cache)
    if config.data.held_out >= store.documents:
        raise TrainError(
            f"{config.file}: data.held_out: expected less than the {store.documents} documents of "
            f"{config.data.train}, got {config.data.held_out}"
        )
    training = store.documents - config.data.held_out
    order = WindowOrder(
        store,
        np.arange(training),
        config.data.lengths,
        config.data.weights,
        config.run.tokens_per_step,
        config.seed,
    )
    validation = None
    if config.validation.every:
        first = 0 if config.validation.data else training
        windows = fixed_windows(
            held_out,
            np.arange(first, held_out.documents),
            config.validation.length,
            config.validation.windows,
        )
        rows = max(1, config.run.micro_tokens // config.validation.length)
        validation = Validation(config.validation, config.sparse, windows, rows)
    facts = {
        "documents": training,
        "tokens": order.tokens,
        "texts": store.made_of,
        "epochs": config.run.steps * config.run.tokens_per_step / order.tokens,
    }
    digests = {f"texts.{key}": value for key, value in store.made_of.items()}
    return Texts(tokenizer, order, validation, digests, facts)


def _tokenizer_file(config: TrainConfig, out: Path) -> Path:
    if config.tokenizer.file:
        return config.tokenizer.file
    if config.tokenizer.pieces is None:
        if config.model.pretrained is None:
            raise TrainError(f"{config.file}: tokenizer: expected file or pieces, got neither")
        try:
            return tokenizer_beside(find_folder(config.model.pretrained))
        except ValueError as error:
            raise TrainError(str(error)) from None
    return _made_tokenizer(config, out)


def _made_tokenizer(config: TrainConfig, out: Path) -> Path:
    """OUT/tokenizer/NAME/tokenizer.model, made at the first time; NAME is a digest of what it is
    made of, so that one of other texts is never taken for it.
    """
    files = text_files(config.data.train)
    pieces, sample_bytes = config.tokenizer.pieces, config.tokenizer.sample_bytes
    made_of = [digest(files), config.data.field, pieces, sample_bytes, config.seed]
    name = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:16]
    made = out / "tokenizer" / name / "tokenizer.model"
    if not made.exists():
        made.parent.mkdir(parents=True, exist_ok=True)
        documents = read_documents(files, config.data.field)
        make_tokenizer(documents, pieces, sample_bytes, config.seed, made)
    return made


def make_model(config: ModelConfig, seed: int) -> SimbaForCausalLM:
    """float32. Fresh weights depend on the seed alone. Raises TrainError on what checkpoints, which
    have transformers' layout, cannot hold.
    """
    torch.manual_seed(seed)
    try:
        if config.shape is None:
            model = load_model(config.pretrained)
        else:
            model = SimbaForCausalLM(read_config(config.shape))
    except ValueError as error:
        raise TrainError(str(error)) from None
    try:
        hugging_face_keys(model.config, "float32")
    except ValueError as error:
        raise TrainError(f"{config.shape or config.pretrained}: {error}") from None
    return model


def load_model(folder: str | Path) -> SimbaForCausalLM:
    try:
        return SimbaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise TrainError(str(error).splitlines()[0]) from None


def make_objective(
    config: TrainConfig, model: SimbaForCausalLM, texts: Texts, device: torch.device
) -> Objective:
    """model and teacher go to the device."""
    if texts.tokenizer.size > model.config.vocab_size:
        raise TrainError(
            f"{texts.tokenizer.file}: expected at most {model.config.vocab_size} pieces, the rows of "
            f"the model, got {texts.tokenizer.size}"
        )
    model.to(device)
    try:
        model.pruning = pruning_of(config.sparse)
        tokens_per_layer(1, model.config.n_layer, "1", config.sparse.schedule)
    except ValueError as error:
        raise TrainError(f"{config.file}: sparse.{error}") from None
    teacher = None
    if config.loss.distillation > 0:
        teacher = load_model(config.model.pretrained).to(device).eval().requires_grad_(False)
    start = texts.tokenizer.document_start if config.data.reset else None
    return Objective(model, config.loss, config.sparse, start, teacher)


def weights_digest(model: SimbaForCausalLM) -> str:
    total = hashlib.sha256()
    for name, parameter in model.named_parameters():
        total.update(name.encode())
        total.update(parameter.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
