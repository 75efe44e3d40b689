"""Compiles the core: src/network.pyx once for every instruction set and precision, the rest of src once.

Each build has its own folder for generated C and its own module name, fastmlp._network_<build>_<dtype>, so that one
source becomes several modules without sharing an object file. The list of builds is also what fastmlp/builds.py
finds beside itself at import.
"""

import os
import platform
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

BUILDS = {
    "v2": ["-march=x86-64-v2"],
    "v3": ["-march=x86-64-v3"],
    "v4": ["-march=x86-64-v4", "-mprefer-vector-width=512"],
}
if platform.machine() not in ("x86_64", "AMD64"):
    BUILDS = {"plain": []}

# No flag here changes results beyond rounding, and none sets FTZ for the process at import, as -ffast-math would.
FLAGS = [
    "-O3",
    "-g0",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",
    "-fvisibility=hidden",
    "-pthread",
]
MACROS = [("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"), ("NPY_TARGET_VERSION", "NPY_2_0_API_VERSION")]
DIRECTIVES = {  # C's own arithmetic and indexing: here, because the directives of a .pyx do not reach its .pxd files
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
}
HEADERS = [str(path) for path in sorted(Path("src").glob("*.h")) + sorted(Path("src").glob("*.pxd"))]
PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def extension(name, source, flags=(), macros=()):
    """One compiled module, fastmlp.<name>, with its C in a folder of its own.

    Cython only translates: what it hands back for a second module of one source carries the first one's macros.
    """
    [translated] = cythonize(
        [Extension(f"fastmlp.{name}", [source])],
        build_dir=f"build/{name}",
        include_path=["src"],
        compiler_directives=DIRECTIVES,
        quiet=True,
    )
    return Extension(
        f"fastmlp.{name}",
        translated.sources,
        include_dirs=["src", numpy.get_include()],
        define_macros=[*MACROS, *macros],
        extra_compile_args=[*FLAGS, *flags],
        extra_link_args=["-pthread"],
        depends=HEADERS,
    )


def network(build, dtype):
    """The core for one instruction set and precision."""
    double = [("REAL_IS_DOUBLE", "1" if dtype == "float64" else "0")]
    return extension(f"_network_{build}_{dtype}", "src/network.pyx", BUILDS[build], double)


class build_in_parallel(build_ext):
    """build_ext, with as many compilers at a time as there are processors to use."""

    def finalize_options(self):
        super().finalize_options()
        self.parallel = self.parallel or PROCESSORS


setup(
    ext_modules=[
        extension("_cpu", "src/cpu.pyx"),
        extension("_perceptron", "src/perceptron.pyx"),
        *(network(build, dtype) for build in BUILDS for dtype in ("float32", "float64")),
    ],
    cmdclass={"build_ext": build_in_parallel},
)
