"""Builds the compiled parts of simba_ssm by calling CMake; everything else is in pyproject.toml.

torch must be installed where this runs, hence `pip install --no-build-isolation .` SIMBA_BUILD_DIR names
a CMake build folder that is configured already, instead of one of its own.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig

import setuptools
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = pathlib.Path(__file__).parent.resolve()
CONFIGURED = os.environ.get("SIMBA_BUILD_DIR")
BUILD = pathlib.Path(CONFIGURED or ROOT / "out" / f"wheel-{sys.implementation.cache_tag}")

# Without build isolation pip does not look at what pyproject.toml requires.
if int(setuptools.__version__.split(".")[0]) < 77:
    sys.exit(
        f"setuptools: expected 77 or newer, got {setuptools.__version__}; "
        "pip install --upgrade setuptools")


class CMakeBuild(build_ext):
    def run(self):
        if not CONFIGURED:
            generator = ["-G", "Ninja"] if shutil.which("ninja") else []
            subprocess.check_call(
                ["cmake", "-S", ROOT, "-B", BUILD, *generator, "-DCMAKE_BUILD_TYPE=Release",
                 "-DSIMBA_BUILD_TESTS=OFF", f"-DPython_EXECUTABLE={sys.executable}"])
        subprocess.check_call(
            ["cmake", "--build", BUILD, "--parallel", "--target", "simba_ops", "simba_python"])
        # An editable install imports the package from the source tree.
        in_source = self.editable_mode or self.inplace
        package = (ROOT / "python" if in_source else pathlib.Path(self.build_lib)) / "simba_ssm"
        subprocess.check_call(
            ["cmake", "--install", BUILD, "--component", "python", "--prefix", package.resolve()])

    def get_outputs(self):
        package = pathlib.Path(self.build_lib) / "simba_ssm"
        names = ["libsimba_ops.so", "libsimba.so", "_C" + sysconfig.get_config_var("EXT_SUFFIX"),
                 "_C.torch-version"]
        return [str(package / name) for name in names]

    def get_output_mapping(self):
        return {}


setup(
    # Marks the wheel as one for this platform; CMake knows the sources.
    ext_modules=[Extension("simba_ssm._C", sources=[])],
    cmdclass={"build_ext": CMakeBuild},
    # setuptools' own default, build/, is a name that people give to CMake folders.
    options={"build": {"build_base": str(ROOT / "out" / "setuptools")}},
)
