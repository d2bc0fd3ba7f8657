"""What the C++ compiler must be for AOTInductor."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from torch._inductor.cpp_builder import get_cpp_compiler


def require_shared_libstdcxx(folder: Path) -> None:
    """Fails where the compiler (CXX) links libstdc++ statically, before a package is loaded.

    Packages parse the name of their device with std::regex. With a libstdc++ of its own beside the
    process's, that of any package, of a single nn.Linear too, crashes the process or throws.
    """
    source, library = folder / "string.cpp", folder / "string.so"
    source.write_text("#include <string>\nstd::string empty() { return {}; }\n")
    compiler = get_cpp_compiler()
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    needed = subprocess.run(
        ["readelf", "--dynamic", library], capture_output=True, text=True, check=True
    ).stdout
    assert re.search(r"NEEDED.*libstdc\+\+", needed), (
        f"{compiler} (CXX, or g++): expected a compiler that links libstdc++ as a shared library, "
        "since AOTInductor's packages crash with one of their own"
    )
