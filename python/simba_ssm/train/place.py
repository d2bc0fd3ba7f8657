"""Where this process stands: alone, or one of several that torchrun started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

from simba_ssm.train.errors import TrainError


@dataclass(frozen=True)
class Place:
    """Process `rank` of `world`."""

    rank: int
    world: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """The first process goes through the block before the others do."""
        if not self.is_first:
            self._wait()
        try:
            yield
        finally:
            if self.is_first:
                self._wait()

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """Over the processes."""
        if self.world == 1:
            return values
        values = values.clone()
        dist.all_reduce(values)
        return values / self.world

    def _wait(self) -> None:
        if self.world > 1:
            dist.barrier()


@contextmanager
def joined(device: str) -> Iterator[Place]:
    """device: auto, cpu, cuda or cuda:INDEX; under torchrun cuda is the process's own GPU."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    here = _device(device, local if world > 1 else None)
    if here.type == "cuda":
        torch.cuda.set_device(here)
    if world == 1:
        yield Place(0, 1, here)
        return
    backend = "nccl" if here.type == "cuda" else "gloo"
    # Hours: the others wait while the first tokenises.
    dist.init_process_group(backend, timeout=timedelta(hours=6))
    try:
        yield Place(dist.get_rank(), world, here)
    finally:
        dist.destroy_process_group()


def _device(name: str, local: int | None) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise TrainError(
            f"run.device: expected auto, cpu, cuda or cuda:INDEX, got {name!r}"
        ) from None
    if device.type not in ("cpu", "cuda"):
        raise TrainError(f"run.device: expected auto, cpu, cuda or cuda:INDEX, got {name!r}")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise TrainError(f"run.device: expected a GPU for {name!r}, found none")
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", local or 0)
    return device
