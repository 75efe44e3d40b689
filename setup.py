"""Compiles the core: src/network.pyx once for every instruction set and precision, the rest of src once.

Cython translates each source once. The C of network.pyx is then copied for every build, under a module name of its
own, fastmlp._network_<build>_<dtype>, and into a folder of its own, so that no two modules share an object file. The
list of builds is also what fastmlp/builds.py finds beside itself at import.
"""

import os
import re
import sysconfig
import tempfile
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

# The machine to build for, which need not be the one that builds; several at once for a universal binary.
TARGETS = re.findall(r"-arch\s+(\S+)", os.environ.get("ARCHFLAGS", "")) or [sysconfig.get_platform().split("-")[-1]]
if set(TARGETS) <= {"x86_64", "amd64"}:
    BUILDS = {
        "v2": ["-march=x86-64-v2"],
        "v3": ["-march=x86-64-v3"],
        "v4": ["-march=x86-64-v4", "-mprefer-vector-width=512"],
    }
else:
    BUILDS = {"plain": []}
REAL_IS_DOUBLE = {"float32": "0", "float64": "1"}
NETWORKS = {f"_network_{build}_{dtype}": (build, dtype) for build in reversed(BUILDS) for dtype in REAL_IS_DOUBLE}
SMALL = {"_perceptron": "src/perceptron.pyx", "_pool": "src/pool.pyx", "_cpu": "src/cpu.pyx"}

# No flag here changes results beyond rounding, and none sets FTZ for the process at import, as -ffast-math would.
FLAGS = [
    "-O3",
    "-g0",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",
    "-fvisibility=hidden",
    "-pthread",
    "-Wno-unused-function",  # Cython leaves its decompression of strings in, which the last of MACROS turns off
]
MACROS = [
    ("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"),
    ("NPY_TARGET_VERSION", "NPY_2_0_API_VERSION"),
    ("CYTHON_COMPRESS_STRINGS", "0"),  # so that the name of a module stands in its C to be replaced
]
DIRECTIVES = {  # C's own arithmetic and indexing: here, because the directives of a .pyx do not reach its .pxd files
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
}
HEADERS = [str(path) for path in sorted(Path("src").glob("*.h")) + sorted(Path("src").glob("*.pxd"))]
PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def translated(name, source):
    """The C file of a module, made by Cython."""
    [module] = cythonize(
        [Extension(f"fastmlp.{name}", [source])],
        build_dir="build/c",
        include_path=["src"],
        compiler_directives=DIRECTIVES,
        quiet=True,
    )
    return Path(module.sources[0])


def renamed(c_file, name, other):
    """A copy of the C file of one module for another one.

    The C knows the length of some strings with the name in them, so that both names must be of one length.
    """
    assert len(name) == len(other)
    copy = Path("build", "c", other, c_file.name)
    text = c_file.read_text().replace(name, other)
    if not copy.exists() or copy.read_text() != text:  # what is written anew is compiled anew
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(text)
    return copy


def extension(name, c_file, flags=(), macros=()):
    """One compiled module, fastmlp.<name>."""
    return Extension(
        f"fastmlp.{name}",
        [str(c_file)],
        include_dirs=["src", numpy.get_include()],
        define_macros=[*MACROS, *macros],
        extra_compile_args=[*FLAGS, *flags],
        extra_link_args=["-pthread"],
        depends=HEADERS,
    )


def networks():
    """The core for every instruction set and precision."""
    name = next(iter(NETWORKS))
    c_file = translated(name, "src/network.pyx")
    return [
        extension(other, renamed(c_file, name, other), BUILDS[build], [("REAL_IS_DOUBLE", REAL_IS_DOUBLE[dtype])])
        for other, (build, dtype) in NETWORKS.items()
    ]


class build_in_parallel(build_ext):
    """build_ext, with as many compilers at a time as there are processors to use, and only flags that they know."""

    def finalize_options(self):
        super().finalize_options()
        self.parallel = self.parallel or PROCESSORS

    def knows(self, flag):
        """Whether the compiler takes a flag. An instruction set is no matter of choice."""
        if flag.startswith("-march="):
            return True
        with tempfile.TemporaryDirectory() as folder:
            empty = Path(folder, "empty.c")
            empty.touch()
            try:
                self.compiler.compile([str(empty)], output_dir=folder, extra_postargs=["-Werror", flag])
            except CompileError:
                return False
        return True

    def build_extensions(self):
        flags = {flag for module in self.extensions for flag in module.extra_compile_args}
        unknown = {flag for flag in flags if not self.knows(flag)}
        for module in self.extensions:
            module.extra_compile_args = [flag for flag in module.extra_compile_args if flag not in unknown]
        super().build_extensions()


setup(
    # What takes longest to compile comes first, so that no processor waits for the last one.
    ext_modules=[*networks(), *(extension(name, translated(name, source)) for name, source in SMALL.items())],
    cmdclass={"build_ext": build_in_parallel},
)
