"""Finding and loading the compiled parts, and what is said where that fails."""

from __future__ import annotations

import subprocess
import sys
import sysconfig

import pytest
import torch

from simba_ssm import _library


@pytest.fixture
def nothing_loaded(monkeypatch):
    monkeypatch.setattr(_library, "ops_are_registered", lambda: False)
    return monkeypatch


def test_import_loads_the_operators_alone():
    """Asked of a fresh process: here other tests may have used the C++ model."""
    code = (
        "import sys, torch, simba_ssm\n"
        "torch.ops.simba.selective_scan.default\n"
        "assert len(torch.ops.loaded_libraries) == 1, torch.ops.loaded_libraries\n"
        "assert 'simba_ssm._C' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_second_copy_is_never_loaded(monkeypatch):
    monkeypatch.setattr(torch.ops, "load_library", lambda path: pytest.fail(f"loaded {path}"))
    _library.load_ops_library()


def test_missing_library_names_every_place(nothing_loaded, tmp_path):
    nothing_loaded.delenv(_library.OPS_VARIABLE, raising=False)
    nothing_loaded.setattr(_library, "PACKAGE", tmp_path / "package")
    nothing_loaded.setattr(_library, "BUILD_TREE", tmp_path / "build")
    with pytest.raises(ImportError) as caught:
        _library.load_ops_library()
    message = str(caught.value)
    assert f"{tmp_path}/package/libsimba_ops.so (installed package): no such file" in message
    assert f"{tmp_path}/build/libsimba_ops.so (source checkout's build tree)" in message
    assert f"torch {torch.__version__}, Python {sys.version.split()[0]}" in message
    assert "Build it: pip install" in message


def test_variable_excludes_every_other_place(nothing_loaded, tmp_path):
    nothing_loaded.setenv(_library.OPS_VARIABLE, str(tmp_path / "gone.so"))
    with pytest.raises(
        ImportError, match=r"gone\.so \(environment variable SIMBA_OPS_LIBRARY\)"
    ) as caught:
        _library.load_ops_library()
    assert "installed package" not in str(caught.value)


def test_unloadable_library_gives_the_loaders_reason(nothing_loaded, tmp_path):
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"not a library")
    nothing_loaded.setenv(_library.OPS_VARIABLE, str(broken))
    with pytest.raises(ImportError, match=r"broken\.so \(.*\): .*(invalid ELF|file too short)"):
        _library.load_ops_library()


def test_old_torch_is_the_advice(nothing_loaded, tmp_path):
    nothing_loaded.setenv(_library.OPS_VARIABLE, str(tmp_path / "gone.so"))
    nothing_loaded.setattr(torch, "__version__", "2.9.1")
    with pytest.raises(ImportError, match=r"Install torch 2\.11 or newer"):
        _library.load_ops_library()


def test_missing_extension_says_that_operators_do_without(monkeypatch, tmp_path):
    monkeypatch.delitem(sys.modules, "simba_ssm._C", raising=False)
    monkeypatch.setattr(_library, "PACKAGE", tmp_path)
    monkeypatch.setenv(_library.OPS_VARIABLE, str(tmp_path / "libsimba_ops.so"))
    with pytest.raises(
        ImportError, match=r"(?s)cannot load the C\+\+ model _C.*no such file"
    ) as caught:
        _library.load_extension()
    assert "the operators in simba_ssm.ops do not need it" in str(caught.value)


def test_an_extension_of_another_torch_is_not_loaded(monkeypatch, tmp_path):
    """Not even looked into: the file here is no library at all."""
    monkeypatch.delitem(sys.modules, "simba_ssm._C", raising=False)
    monkeypatch.setattr(_library, "PACKAGE", tmp_path)
    extension = tmp_path / ("_C" + sysconfig.get_config_var("EXT_SUFFIX"))
    extension.write_bytes(b"not a library")
    (tmp_path / _library.TORCH_VERSION_FILE).write_text("2.9\n")
    with pytest.raises(ImportError) as caught:
        _library.load_extension()
    message = str(caught.value)
    assert f"{extension}: built with torch 2.9, not {torch.__version__}" in message
    assert "It runs on the torch and the Python that it was built with alone" in message
    ours = ".".join(torch.__version__.split(".")[:2])
    (tmp_path / _library.TORCH_VERSION_FILE).write_text(ours)
    with pytest.raises(ImportError, match="invalid ELF|file too short"):
        _library.load_extension()


def test_the_operators_and_the_module_do_without_the_extension():
    """On another torch minor version all but the C++ model works; that says why on first use."""
    code = (
        "import torch, simba_ssm\n"
        "from simba_ssm import _library, modeling\n"
        "_library._torch_of = lambda extension: (2, 9)\n"
        "model = modeling.SimbaForCausalLM(modeling.SimbaConfig(8, 2, 10))\n"
        "with torch.no_grad():\n"
        "    assert model(torch.tensor([[1, 2, 3]]), retention=0.5, context=2).logits.isfinite().all()\n"
        "try:\n"
        "    model.generate([[1]], max_new_tokens=1)\n"
        "except ImportError as error:\n"
        "    assert 'built with torch 2.9, not' in str(error), error\n"
        "else:\n"
        "    raise SystemExit('loaded')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
