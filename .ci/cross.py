"""Compiles the core by clang for processors and systems that this machine need not be: warnings are errors.

One module for each instruction set of x86-64, and one for each system beside it; nothing is linked or run. The
sources and flags are those of setup.py, the compiler is the `zig cc` of the package ziglang, which has every system's
headers.
"""

import os
import runpy
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from unittest.mock import patch

import setuptools

# The platform as Python names it, and as clang does.
TARGETS = {
    "linux-x86_64": "x86_64-linux-gnu",
    "linux-aarch64": "aarch64-linux-gnu",
    "musllinux-aarch64": "aarch64-linux-musl",
    "macosx-11.0-arm64": "aarch64-macos",
}
# -Wextra without what Cython's own code is full of.
WARNINGS = ["-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-missing-field-initializers", "-Werror"]


def modules():
    """The Extensions of setup.py for the present platform."""
    with patch.object(setuptools, "setup") as setup:
        runpy.run_path("setup.py")
    return setup.call_args.kwargs["ext_modules"]


def compile_object(module, target, folder):
    """Compile one Extension of setup.py for a target."""
    headers = [sysconfig.get_path("include"), *(path for path in module.include_dirs if path != "src"), folder]
    command = [
        *(sys.executable, "-m", "ziglang", "cc", "-target", target, *WARNINGS, "-fPIC", "-Isrc"),
        *(flag.replace("-march=x86-64-", "-march=x86_64_") for flag in module.extra_compile_args),
        *(f"-D{name}={value}" for name, value in module.define_macros),
        *(argument for path in headers for argument in ("-isystem", path)),
        *("-Qunused-arguments", "-c", module.sources[0], "-o", f"{folder}/module.o"),
    ]
    print(f"{target:20}{module.name}", flush=True)
    subprocess.run(command, check=True)


with tempfile.TemporaryDirectory() as folder:
    # NumPy's headers, made for Linux, ask for one that macOS has elsewhere.
    Path(folder, "endian.h").write_text("#include <machine/endian.h>\n")
    for platform, target in TARGETS.items():
        os.environ["_PYTHON_HOST_PLATFORM"] = platform
        for module in modules():
            if module.name.endswith("float32") or not module.name.startswith("fastmlp._network"):
                compile_object(module, target, folder if "macos" in target else tempfile.gettempdir())
