"""Runs the benchmarks and prints tables: fastmlp against NumPy, with the ratio, on one thread.

    python bench/run.py            some minutes; every build in both precisions, also into bench/results/numpy-*.md,
                                   which is named by the best of them
    python bench/run.py --quick    some seconds; one build in float32: shows that all of it works and computes the
                                   same, and writes nothing

What is measured stands in test_speed.py, and pytest-benchmark measures it; here is how. A machine that is not left
alone changes its speed from one second to the next by a factor of 1.5 and more, so

- all cases are timed again and again, for SECONDS a time, and always the two implementations of a case right after
  each other: in several turns, and, for the best build in float32, in several processes, because where the weights of
  a net come to lie in memory can halve its speed for as long as a process lives;
- the clock is the CPU time of the process, which stands still while others have the processor, and which would
  count a second thread against whoever starts one;
- of the least times of all turns, the one counts that a tenth of the turns beat: not the very least, because the CPU
  clock of a virtual machine now and then leaves time out. The ratio is the ratio of these times.

The best build meets NumPy's BLAS as NumPy comes. For the others OpenBLAS is held to the same instruction set (BLAS),
and test_speed.py sees to it that it is; NumPy's own loops, which are not products, keep the best instructions.

How far the numbers of the best build in float32 hold, on a virtual machine of two cores with other programs at work:
five runs in which NumPy's large product, named above the table, went at 110 to 115 GFLOP/s gave the ratio of a case
within 8 % (the median of the cases) and 16 % at worst; two in a row, with little else at work, within 1 % and 10 %.
Runs that only came to 85 to 95 GFLOP/s were off by 12 %, and up to half, mostly in favour of fastmlp: do them again.
The other forms have two turns in one process: they show whether a build is fit, not by how many per cent.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from statistics import median
from typing import NamedTuple

import cpuinfo  # which comes with pytest-benchmark
import numpy as np
from threadpoolctl import threadpool_info

import fastmlp
import nets
from fastmlp import builds

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / f"numpy-{builds.current()}.md"
SECONDS = 0.02
MOST, FEW = (5, 4), (1, 2)  # processes, and turns in each: of the first form, and of the others
# The OPENBLAS_CORETYPE with the instructions of a build.
BLAS = {"v4": "SkylakeX", "v3": "Haswell", "v2": "Nehalem"}
IMPORTS = 21


class Form(NamedTuple):
    """What is compared: a build and a precision, against a BLAS held to an instruction set, or left alone."""

    build: str
    dtype: str
    blas: str | None

    @property
    def title(self):
        return f"Build {self.build}, {self.dtype}"

    @property
    def product(self):
        return {"float32": "sgemm", "float64": "dgemm"}[self.dtype]


def forms():
    """The best build in float32 first."""
    openblas = all(pool["internal_api"] == "openblas" for pool in threadpool_info())
    best = builds.available()[0]
    return [
        Form(build, dtype, BLAS.get(build) if openblas and build != best else None)
        for build in builds.available()
        for dtype in builds.DTYPES
    ]


def measure(form, turns, seconds):
    """The report of pytest-benchmark on one process."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        options = {
            "turns": turns,
            "dtype": form.dtype,
            "benchmark-json": report,
            "benchmark-timer": "time.process_time",
            "benchmark-max-time": seconds,
            "benchmark-min-time": 0.0002,
            "benchmark-min-rounds": 1,
        }
        command = [sys.executable, "-m", "pytest", HERE, "-q", "--benchmark-quiet", "--benchmark-disable-gc"]
        command += [f"--{name}={value}" for name, value in options.items()]
        environment = os.environ | {"FASTMLP_BUILD": form.build}
        if form.blas:
            environment["OPENBLAS_CORETYPE"] = form.blas
        if subprocess.run(command, env=environment, check=False).returncode:
            sys.exit(f"no table: the benchmarks of {form} failed")
        return json.loads(report.read_text())


class Case(NamedTuple):
    net: str
    case: str
    operations: int
    numpy: float  # seconds
    fastmlp: float
    c: float | None  # of the net written as C, where that was timed

    @property
    def ratio(self):
        return self.numpy / self.fastmlp

    @property
    def rate(self):
        return self.operations / self.fastmlp


class Outcome(NamedTuple):
    """The cases of a form, in the order of nets.py; the rate of NumPy's large product, and whose kernels it uses."""

    form: Form
    cases: list[Case]
    product: float
    blas: str

    def of_product(self, case):
        return case.rate / self.product


def outcome(form, reports):
    turns, operations, blas = {}, {}, ""
    for benchmark in chain.from_iterable(report["benchmarks"] for report in reports):
        info = benchmark["extra_info"]
        case = info["net"], info["case"]
        operations[case] = info["operations"]
        blas = info.get("blas", blas)
        turns.setdefault((case, info["implementation"]), []).append(benchmark["stats"]["min"] / info["repeats"])
    times = {key: sorted(least)[len(least) // 10] for key, least in turns.items()}
    cases = [
        Case(*case, operations[case], times[case, "NumPy"], times[case, "fastmlp"], times.get((case, "C")))
        for title in (net.title for net in (*nets.NETS, nets.FULL_BATCH))
        for case in operations
        if case[0] == title
    ]
    (product,) = (case for case in operations if case[0] == "NumPy")
    return Outcome(form, cases, operations[product] / times[product, "NumPy"], blas)


def microseconds(seconds):
    """Three digits or more."""
    digits = 2 if seconds < 1e-5 else 1 if seconds < 1e-4 else 0
    return f"{seconds * 1e6:,.{digits}f}"


def markdown(rows, left):
    """A table, aligned so that it can be read as it stands; so many columns to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = ["-" * (width - (i >= left)) + ":" * (i >= left) for i, width in enumerate(widths)]
    return "\n".join(
        "| " + " | ".join(f"{cell:{'<>'[i >= left]}{widths[i]}}" for i, cell in enumerate(row)) + " |"
        for row in (rows[0], rule, *rows[1:])
    )


def section(found):
    """One form, case by case."""
    rows = [("net", "case", "NumPy µs", "fastmlp µs", "ratio", "GFLOP/s", f"of {found.form.product}")]
    rows += [
        (
            case.net,
            case.case,
            microseconds(case.numpy),
            microseconds(case.fastmlp),
            f"{case.ratio:.2f}",
            f"{case.rate / 1e9:.1f}",
            f"{found.of_product(case):.2f}",
        )
        for case in found.cases
    ]
    in_c = [("net, one row", "NumPy µs", "fastmlp µs", "C µs", "NumPy / C", "fastmlp / C")]
    in_c += [
        (
            case.net,
            *map(microseconds, (case.numpy, case.fastmlp, case.c)),
            f"{case.numpy / case.c:.2f}",
            f"{case.fastmlp / case.c:.2f}",
        )
        for case in found.cases
        if case.c is not None
    ]
    return f"""\
## {found.form.title}

NumPy's {found.form.product} of 1024 × 1024 matrices, with OpenBLAS kernels for {found.blas}: \
{found.product / 1e9:.0f} GFLOP/s.

{markdown(rows, 2)}

Written as C by `to_c`, and compiled by GCC for this processor; without the call from Python, which is part of the
others:

{markdown(in_c, 1)}
"""


def summary(outcomes):
    """All forms, a line each."""
    rows = [("build", "dtype", "BLAS", "product GFLOP/s", "ratio", "ratio, training", "of product, training")]
    for found in outcomes:
        training = [case for case in found.cases if case.case.startswith("training")]
        fractions = [f"{found.of_product(case):.2f}" for case in training]
        rows.append(
            (
                found.form.build,
                found.form.dtype,
                found.blas,
                f"{found.product / 1e9:.0f}",
                spread([case.ratio for case in found.cases]),
                spread([case.ratio for case in training]),
                ", ".join(fractions),
            )
        )
    return markdown(rows, 3)


def spread(ratios):
    return f"{min(ratios):.2f} / {median(ratios):.2f} / {max(ratios):.2f}"


def import_seconds():
    """What `import fastmlp` takes where NumPy has been imported: the median of fresh processes.

    They may keep bytecode, as an installation does.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    program = "from time import perf_counter as t; import numpy; start = t(); import fastmlp; print(t() - start)"
    command = [sys.executable, "-c", program]
    runs = (
        subprocess.run(command, check=True, capture_output=True, text=True, env=environment) for _ in range(IMPORTS)
    )
    return median(float(run.stdout) for run in runs)


def processor():
    return cpuinfo.get_cpu_info().get("brand_raw", platform.machine())


def circumstances(command):
    """What the numbers depend on."""
    blas = ", ".join(f"{pool['internal_api']} {pool['version']}" for pool in threadpool_info())
    return "\n".join(
        [
            f"- {processor()}, {os.cpu_count()} cores, {platform.system()}",
            f"- fastmlp {fastmlp.__version__}, build {builds.current()} of {', '.join(builds.available())}",
            f"- NumPy {np.__version__} with {blas}, Python {platform.python_version()}",
            f"- {datetime.now(UTC):%Y-%m-%d}, `{command}`",
        ]
    )


def main():
    parser = argparse.ArgumentParser(description="Compare fastmlp with NumPy.")
    parser.add_argument("--quick", action="store_true", help="one build, one short turn, and nothing is written")
    quick = parser.parse_args().quick
    if quick:
        form = Form(builds.current(), nets.DTYPE, None)
        outcomes = [outcome(form, [measure(form, 1, SECONDS / 4)])]
    else:
        outcomes = []
        for form in forms():
            processes, turns = FEW if outcomes else MOST
            outcomes.append(outcome(form, [measure(form, turns, SECONDS) for _ in range(processes)]))
    missing = [build for build in BLAS if build not in builds.available()]
    left_out = f" Left out, since this processor cannot run it: {', '.join(missing)}." if missing else ""
    sections = "\n".join(map(section, outcomes))
    text = f"""\
# fastmlp and NumPy

One thread. NumPy is `fastmlp.reference`, the same network in plain NumPy; before anything was timed, both were found
to compute the same. Prediction is `MLP.predict`, which checks all values it is given and gives, against NumPy's
forward pass, which does not; a training step is forward, backward and Adam on one batch. The ratio says how many
times as fast fastmlp is. GFLOP/s is fastmlp's: the operations of the matrix products alone, over the whole time;
"of sgemm" sets that against the rate at which NumPy multiplied two 1024 × 1024 matrices meanwhile, "of dgemm" in
float64.

All builds, each with least / median / greatest ratio of its cases, and with the fractions of the product that its
training steps reach, in the order of the tables below. The best build meets NumPy as it comes, the others an OpenBLAS
held to the same instruction set.{left_out}

{summary(outcomes)}

`import fastmlp` takes {import_seconds() * 1e3:.0f} ms where NumPy has been imported, the median of {IMPORTS} \
processes.

{circumstances("make bench" + " QUICK=1" * quick)}

{sections}"""
    print(f"\n{text}")
    if quick:
        print("One short turn: these times are rough, and were not written to a file.")
    else:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(text)
        print(f"written to {os.path.relpath(RESULT)}")


if __name__ == "__main__":
    main()
