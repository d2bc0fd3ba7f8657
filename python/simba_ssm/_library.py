"""Finds and loads the compiled parts: libsimba_ops.so at import, the C++ model on first use."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

import torch

OPS_LIBRARY = "libsimba_ops.so"
OPS_VARIABLE = "SIMBA_OPS_LIBRARY"
# What torch the C++ model beside it was built with, as "2.13".
TORCH_VERSION_FILE = "_C.torch-version"
OLDEST_TORCH = (2, 11)
PACKAGE = Path(__file__).resolve().parent
# Only a source checkout has it.
BUILD_TREE = PACKAGE.parents[1] / "out" / "build" / "lib"


def ops_candidates() -> list[tuple[str, Path]]:
    """Where the operator library may lie, as (kind of place, path); the first that exists counts.

    A path in SIMBA_OPS_LIBRARY excludes every other place.
    """
    given = os.environ.get(OPS_VARIABLE)
    if given:
        return [(f"environment variable {OPS_VARIABLE}", Path(given))]
    return [
        ("installed package", PACKAGE / OPS_LIBRARY),
        ("source checkout's build tree", BUILD_TREE / OPS_LIBRARY),
    ]


def ops_are_registered() -> bool:
    """Whether a copy of the library is in this process already, loaded by anyone."""
    return any(name.startswith("simba::") for name in torch._C._dispatch_get_all_op_names())


def load_ops_library() -> None:
    """Loads the operators unless a copy is loaded already (two copies would crash the process).

    Raises ImportError, naming each place tried and what is wrong with it.
    """
    if ops_are_registered():
        return
    tried = []
    for place, path in ops_candidates():
        if not path.is_file():
            tried.append(f"  {path} ({place}): no such file")
            continue
        try:
            torch.ops.load_library(path)
            return
        except OSError as error:
            # torch says only that loading failed; the loader's own words are the cause.
            tried.append(f"  {path} ({place}): {error.__cause__ or error}")
            break
    raise ImportError(
        _explain(f"its operator library {OPS_LIBRARY}", tried, _torch_advice() or _build_advice())
    )


def load_extension() -> ModuleType:
    """The C++ model's module ``simba_ssm._C``, loaded on first use.

    It lies in the package or beside the operator library. Raises ImportError like
    :func:`load_ops_library`.
    """
    name = "simba_ssm._C"
    if name in sys.modules:
        return sys.modules[name]
    file = "_C" + sysconfig.get_config_var("EXT_SUFFIX")
    tried = []
    for folder in dict.fromkeys([PACKAGE, *(path.parent for _, path in ops_candidates())]):
        path = folder / file
        if not path.is_file():
            tried.append(f"  {path}: no such file")
            continue
        built_with = _torch_of(path)
        if built_with not in (None, _torch_version()):
            wanted = ".".join(map(str, built_with))
            tried.append(f"  {path}: built with torch {wanted}, not {torch.__version__}")
            break
        spec = importlib.util.spec_from_file_location(name, path)
        try:
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        except ImportError as error:
            tried.append(f"  {path}: {error}")
            break
        sys.modules[name] = module
        return module
    advice = (
        "It runs on the torch and the Python that it was built with alone (the operators in "
        "simba_ssm.ops do not need it). " + _build_advice()
    )
    raise ImportError(_explain(f"the C++ model {file}", tried, advice))


def _minor(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("+")[0].split(".")[:2])


def _torch_version() -> tuple[int, ...]:
    return _minor(torch.__version__)


def _torch_of(extension: Path) -> tuple[int, ...] | None:
    """The torch that an extension was built with; None where nothing says so."""
    try:
        return _minor(extension.with_name(TORCH_VERSION_FILE).read_text())
    except (OSError, ValueError):
        return None


def _torch_advice() -> str:
    if _torch_version() >= OLDEST_TORCH:
        return ""
    return f"Install torch {'.'.join(map(str, OLDEST_TORCH))} or newer."


def _build_advice() -> str:
    return (
        "Build it: pip install --no-build-isolation . (in a source checkout also: cmake -S . -B "
        f"out/build && cmake --build out/build), or set {OPS_VARIABLE} to a built {OPS_LIBRARY}."
    )


def _explain(what: str, tried: list[str], advice: str) -> str:
    here = (
        f"Here: torch {torch.__version__}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}."
    )
    return "\n".join([f"simba_ssm cannot load {what}. Tried:", *tried, here, advice])
