"""The loop of pretraining and fine-tuning alike.

Each step reads `tokens_per_step` tokens, in parts of `micro_tokens` per process, takes the mean
gradient over all of them, clips it, and updates. Whatever is not finite stops the run before it
reaches the weights.
"""

from __future__ import annotations

import math
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from simba_ssm.train import checkpoint
from simba_ssm.train.checkpoint import Checkpoint, checkpoints
from simba_ssm.train.config import TrainConfig
from simba_ssm.train.errors import TrainError, TrainingStopped
from simba_ssm.train.metrics import Metrics
from simba_ssm.train.objective import TERMS
from simba_ssm.train.optimizer import learning_rate, make_optimizer
from simba_ssm.train.output import prepare_folder, write_model, write_run_info
from simba_ssm.train.place import Place, joined
from simba_ssm.train.prepare import (
    Texts,
    load_model,
    make_model,
    make_objective,
    prepare_texts,
    weights_digest,
)
from simba_ssm.train.progress import Progress
from simba_ssm.train.retention import draw_retentions
from simba_ssm.train.settings import require_same, settings_of


def train(config: TrainConfig, out: Path, *, resume: bool = False, force: bool = False) -> Path:
    """Runs to the end and returns the folder of the final model.

    resume: goes on from the newest checkpoint of `out`, where there is one. Raises TrainError for
    wrong input, TrainingStopped where the run itself goes wrong.
    """
    if config.run.threads:
        torch.set_num_threads(config.run.threads)
    with joined(config.run.device) as place:
        _check_world(config, place)
        with place.first_alone():
            if place.is_first:
                prepare_folder(out, resume=resume, force=force)
        return _Run(config, out, place).finish()


def _check_world(config: TrainConfig, place: Place) -> None:
    windows = config.run.tokens_per_step // max(config.data.lengths)
    if windows % place.world:
        raise TrainError(
            f"{config.file}: run.tokens_per_step: expected a number of windows that {place.world} "
            f"processes can share, got {windows}"
        )


@dataclass
class _Share:
    """This process's part of a step: the windows' ids (b, L + 1) and a retention of each."""

    step: int
    ids: Tensor
    retentions: list[str]


class _Run:
    def __init__(self, config: TrainConfig, out: Path, place: Place) -> None:
        self._config, self._out, self._place = config, out, place
        self._texts: Texts = prepare_texts(config, out, place)
        newest = next(iter(checkpoints(out)[::-1]), None)
        self._settings = settings_of(config, self._texts.digests)
        initial = make_model(config.model, config.seed)
        if config.loss.distillation > 0:
            self._settings["teacher.sha256"] = weights_digest(initial)
        self._model = load_model(newest.model) if newest else initial
        objective = make_objective(config, self._model, self._texts, place.device)
        self._optimizer = make_optimizer(self._model, config.optimizer)
        self._step = self._go_on(newest) if newest else 0
        self._upcoming: _Share | None = None
        self._objective: nn.Module = objective
        if config.run.compile:
            self._model.compile()
        if place.world > 1:
            self._objective = DistributedDataParallel(objective)

    def finish(self) -> Path:
        config, steps = self._config, self._config.run.steps
        metrics = None
        if self._place.is_first:
            facts = self._texts.facts | {"processes": self._place.world}
            facts["device"] = _device_name(self._place.device)
            write_run_info(self._out, config, facts | {"settings": self._settings})
            metrics = Metrics(self._out, self._step, config.run.tensorboard)
        shown = self._place.is_first
        with Progress(config.title, steps, self._step, config.run.log_every, shown) as progress:
            if self._step:
                progress.say(f"going on from {checkpoints(self._out)[-1].folder}")
            try:
                while self._step < steps:
                    self._advance(metrics, progress)
            except OSError as error:
                raise self._stopped(self._step, str(error)) from error
        if not self._place.is_first:
            return self._out / "model"
        try:
            metrics.close()
            return write_model(self._out, self._model, self._texts.tokenizer.file, config.run.save)
        except Exception as error:  # a full disk is a different one in each library
            raise self._stopped(steps, f"the final model: {error}".splitlines()[0]) from error

    def _go_on(self, newest: Checkpoint) -> int:
        state = newest.training()
        require_same(self._settings, state["settings"], newest.folder)
        self._optimizer.load_state_dict(state["optimizer"])
        return newest.step

    def _advance(self, metrics: Metrics | None, progress: Progress) -> None:
        config = self._config
        begin = time.perf_counter()
        lr = learning_rate(config.optimizer, self._step, config.run.steps)
        for group in self._optimizer.param_groups:
            group["lr"] = lr
        terms, norm = self._gradients()
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._step += 1

        seconds = time.perf_counter() - begin
        speed = config.run.tokens_per_step / seconds
        if metrics:
            speeds = {"tokens_per_second": round(speed, 1)}
            metrics.write(self._step, terms | {"gradient_norm": norm, "lr": lr} | speeds)
            progress.step(self._step, terms["loss"], speed)
        last = self._step == config.run.steps
        validation = self._texts.validation
        if validation and metrics and (last or self._step % config.validation.every == 0):
            self._model.eval()
            values = validation.run(self._model, self._place.device, self._autocast())
            self._model.train()
            metrics.write(self._step, {f"validation/{name}": each for name, each in values.items()})
            progress.validation(self._step, values)
        if metrics and (last or self._step % config.run.checkpoint_every == 0):
            self._save()

    def _save(self) -> None:
        keep = self._config.run.keep
        try:
            checkpoint.save(
                self._out, self._step, self._model, self._optimizer, self._settings, keep
            )
        except Exception as error:  # a full disk is a different one in each library
            raise self._stopped(self._step, f"its checkpoint: {error}".splitlines()[0]) from error

    def _gradients(self) -> tuple[dict[str, float], float]:
        """Leaves the step's mean gradient, clipped, in the parameters: (loss and its terms, norm)."""
        share = self._share(self._step)
        rows = max(1, self._config.run.micro_tokens // (share.ids.shape[1] - 1))
        begins = range(0, len(share.ids), rows)
        means = torch.zeros(1 + len(TERMS), device=self._place.device)
        try:
            for begin in begins:
                part = slice(begin, begin + rows)
                ids = share.ids[part]
                weight = len(ids) / len(share.ids)
                last = begin == begins[-1]
                with self._unsynchronised(not last):
                    with self._autocast():
                        loss, terms = self._objective(ids, share.retentions[part])
                    means += torch.cat([loss.detach()[None], terms]) * weight
                    (loss * weight).backward()
        except (RuntimeError, OSError) as error:
            raise self._stopped(self._step + 1, str(error).splitlines()[0]) from error
        # A GPU is still at work on what it was told: the next step is read meanwhile.
        self._upcoming = self._share(self._step + 1)
        means = self._place.mean(means)
        clip = self._config.optimizer.clip or math.inf
        norm = float(nn.utils.clip_grad_norm_(self._model.parameters(), clip))
        loss = float(means[0])
        if not math.isfinite(loss):
            raise self._stopped(self._step + 1, f"the loss is {loss}")
        if not math.isfinite(norm):
            raise self._stopped(self._step + 1, f"the gradient's norm is {norm}")
        weights = self._config.loss
        used = {name: float(mean) for name, mean in zip(TERMS, means[1:], strict=True)}
        named = {name: mean for name, mean in used.items() if getattr(weights, name) > 0}
        return {"loss": loss, **named}, norm

    def _share(self, step: int) -> _Share:
        """Of the windows of a step each process takes every world-th."""
        if self._upcoming and self._upcoming.step == step:
            return self._upcoming
        config, place = self._config, self._place
        windows = self._texts.order.step(step)
        mine = slice(place.rank, None, place.world)
        retentions: list[str] = []
        if config.loss.reads_sparsely:
            retentions = draw_retentions(
                config.sparse, config.seed, step, config.run.steps, len(windows.ids)
            )[mine]
        return _Share(step, windows.ids[mine], retentions)

    def _autocast(self) -> AbstractContextManager:
        enabled = self._config.run.precision == "bfloat16"
        return torch.autocast(self._place.device.type, torch.bfloat16, enabled=enabled)

    def _unsynchronised(self, whether: bool) -> AbstractContextManager:
        """While gradients of a step's first parts are summed, processes need not exchange them."""
        parallel = isinstance(self._objective, DistributedDataParallel)
        return self._objective.no_sync() if whether and parallel else nullcontext()

    def _stopped(self, step: int, reason: str) -> TrainingStopped:
        there = checkpoints(self._out)
        good = f"the last good checkpoint is {there[-1].folder}" if there else "no checkpoint yet"
        return TrainingStopped(f"step {step}: {reason}; {good}")


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
