"""What all Python tests share: poisoned memory, and the devices at hand.

A test that takes `device` runs once for each device that is here. Cases for a device that is absent
are not collected; the summary says how many those are.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

# What tests share lies beside this file, and is imported by its bare name.
sys.path.insert(0, str(Path(__file__).parent))

# MKL's sums are in a fixed order, as in simba-eval: it reads this at its first product.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")

# Fills what torch.empty returns, in operators too, with NaN and the largest integers.
torch.use_deterministic_algorithms(True)

DEVICES = ("cpu", "cuda")


def is_here(device: str) -> bool:
    return device == "cpu" or torch.cuda.is_available()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    named = any(
        "device" in (names.split(",") if isinstance(names := mark.args[0], str) else names)
        for mark in metafunc.definition.iter_markers("parametrize")
    )
    if "device" in metafunc.fixturenames and not named:
        metafunc.parametrize("device", DEVICES)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = dict.fromkeys((name for name in DEVICES if not is_here(name)), 0)
    kept = []
    for item in items:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        device = parameters.get("device")
        if device in left_out:
            left_out[device] += 1
        else:
            kept.append(item)
    items[:] = kept
    config.stash[LEFT_OUT] = left_out


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Modules and cases stay to the end: looking for garbage among them took 2 s of collecting."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node) -> None:
    """Workers collect, all of them the same; the process that prints the summary does not."""
    if "left_out" in getattr(node, "workeroutput", {}):
        node.config.stash[LEFT_OUT] = node.workeroutput["left_out"]


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash.get(LEFT_OUT, {})


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    for device, count in config.stash.get(LEFT_OUT, {}).items():
        text = f"{count} cases for {device} were left out: no such device here"
        terminalreporter.write_line(text)


LEFT_OUT = pytest.StashKey[dict[str, int]]()
