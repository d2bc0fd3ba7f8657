"""What pip installs: a wheel and an editable install, made from the build folder of the tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
import torch
from checkpoints import DEMO, ROOT

BUILD = Path(os.environ.get("SIMBA_BUILD_DIR", ROOT / "out/build")).resolve()
COMPILED = {"libsimba_ops.so", "libsimba.so", "_C" + sysconfig.get_config_var("EXT_SUFFIX")}

USE = """
import json, sys, torch, simba_ssm
loaded = sorted(torch.ops.loaded_libraries)
simba_ssm.ops.gate(torch.ones(1, 2, 3), torch.ones(1, 2, 3))
model = simba_ssm.Simba.from_pretrained(sys.argv[1], retention=0.5)
model.generate([[1, 2, 3]], max_new_tokens=2)
maps = {line.split()[-1] for line in open("/proc/self/maps")}
print(json.dumps([simba_ssm.__file__, loaded, sorted(m for m in maps if "simba" in m)]))
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A copy of what pip reads: making a wheel leaves files beside the sources."""
    folder = tmp_path_factory.mktemp("source")
    left_out = shutil.ignore_patterns("*.so", "*.torch-version", "__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "python", folder / "python", ignore=left_out)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    return folder


def make(source: Path, code: str, *arguments: object) -> None:
    """Runs `code` of the build backend as pip would."""
    environment = os.environ | {"SIMBA_BUILD_DIR": str(BUILD)}
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, setuptools.build_meta as backend; {code}", *map(str, arguments)],
        cwd=source, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    make(source, "backend.build_wheel(sys.argv[1])", folder)
    [path] = folder.glob("*.whl")
    return path


def test_contents(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = {
        str(path.relative_to(ROOT / "python"))
        for kind in ("*.py", "*.tsv", "*.css")
        for path in (ROOT / "python/simba_ssm").rglob(kind)
    }
    compiled = {f"simba_ssm/{name}" for name in COMPILED | {"_C.torch-version"}}
    about = "simba_ssm-0.1.0.dist-info"
    metadata = {f"{about}/{n}" for n in ("METADATA", "WHEEL", "RECORD", "top_level.txt", "licenses/LICENSE")}
    assert names == sources | compiled | metadata


def test_it_is_for_this_python_and_platform(wheel):
    tag = sys.implementation.cache_tag.replace("cpython-", "cp")
    platform = sysconfig.get_platform().replace("-", "_")
    assert wheel.name == f"simba_ssm-0.1.0-{tag}-{tag}-{platform}.whl"


def use(folder: Path, site: Path) -> tuple[str, list[str], list[str]]:
    """simba_ssm as found through a site folder alone: its file, libraries of operators, all of ours."""
    code = f"import site; site.addsitedir({str(site)!r})\n{USE}"
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "SIMBA_OPS_LIBRARY")}
    done = subprocess.run(
        [sys.executable, "-c", code, DEMO], cwd=folder, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_wheel_needs_nothing_of_the_checkout(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    package = tmp_path / "site/simba_ssm"
    file, loaded, mapped = use(tmp_path, tmp_path / "site")
    assert file == str(package / "__init__.py")
    assert loaded == [str(package / "libsimba_ops.so")]
    assert mapped == sorted(str(package / name) for name in COMPILED)


def test_an_editable_install_uses_the_sources(source, tmp_path):
    make(source, "backend.build_editable(sys.argv[1])", tmp_path)
    [path] = tmp_path.glob("*.whl")
    zipfile.ZipFile(path).extractall(tmp_path / "site")
    package = source / "python/simba_ssm"
    file, loaded, mapped = use(tmp_path, tmp_path / "site")
    assert file == str(package / "__init__.py")
    assert loaded == [str(package / "libsimba_ops.so")]
    assert mapped == sorted(str(package / name) for name in COMPILED)


def test_the_operators_keep_to_the_stable_abi():
    """One binary for torch 2.11 and newer, as torch's own auditor sees it."""
    pytest.importorskip("torch_abi_audit", reason="needs Python 3.11")
    [library] = [p for p in torch.ops.loaded_libraries if p.endswith("libsimba_ops.so")]
    audit = [sys.executable, "-m", "torch_abi_audit.cli", "--json", library]
    done = subprocess.run(audit, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [found] = json.loads(done.stdout)["bundled_libs"]
    assert found["torch"]["stable"] and found["torch"]["unstable_symbols"] == []
    oldest = found["torch"]["min_torch_version"]
    assert tuple(map(int, oldest.split(".")))[:2] <= (2, 11)
