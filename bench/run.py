"""Runs the benchmarks and prints one table: fastmlp against NumPy, with the ratio, on one thread.

    python bench/run.py            a minute or two; the table also goes to bench/results/numpy.md
    python bench/run.py --quick    some seconds; shows that all of it works and computes the same, and writes nothing

What is measured stands in test_speed.py, and pytest-benchmark measures it; here is how. A machine that is not left
alone changes its speed from one second to the next by a factor of 1.5 and more, so

- all cases are timed again and again, for SECONDS a time, and always the two implementations of a case right after
  each other: TURNS times in each of PROCESSES processes, because where the weights of a net come to lie in memory
  can halve its speed for as long as a process lives;
- the clock is the CPU time of the process, which stands still while others have the processor, and which would
  count a second thread against whoever starts one;
- of the least times of all turns, the one counts that a tenth of the turns beat: not the very least, because the CPU
  clock of a virtual machine now and then leaves time out. The ratio is the ratio of these times.

How far that holds, on a virtual machine of two cores with other programs at work: five runs in which NumPy's large
product, named below the table, went at 110 to 115 GFLOP/s gave the ratio of a case within 8 % (the median of the
cases) and 16 % at worst; two in a row, with little else at work, within 1 % and 10 %. Runs that only came to 85 to 95
GFLOP/s were off by 12 %, and up to half, mostly in favour of fastmlp: do them again.
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

import numpy as np
from threadpoolctl import threadpool_info

import fastmlp
import nets
from fastmlp import builds

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "numpy.md"
PROCESSES = 5
TURNS = 4
SECONDS = 0.02
PRODUCT = ("NumPy", "sgemm 1024³")


def measure(turns, seconds):
    """The report of pytest-benchmark on one process."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        options = {
            "turns": turns,
            "benchmark-json": report,
            "benchmark-timer": "time.process_time",
            "benchmark-max-time": seconds,
            "benchmark-min-time": 0.0002,
            "benchmark-min-rounds": 1,
        }
        command = [sys.executable, "-m", "pytest", HERE, "-q", "--benchmark-quiet", "--benchmark-disable-gc"]
        command += [f"--{name}={value}" for name, value in options.items()]
        if subprocess.run(command, check=False).returncode:
            sys.exit("no table: the benchmarks failed")
        return json.loads(report.read_text())


def times(reports):
    """{(net, case): {implementation: seconds a prediction or step, "operations": in one of them}}."""
    turns, cases = {}, {}
    for benchmark in chain.from_iterable(report["benchmarks"] for report in reports):
        info = benchmark["extra_info"]
        case = info["net"], info["case"]
        cases[case] = {"operations": info["operations"]}
        turns.setdefault((case, info["implementation"]), []).append(benchmark["stats"]["min"] / info["repeats"])
    for (case, implementation), least in turns.items():
        cases[case][implementation] = sorted(least)[len(least) // 10]
    return cases


def table(cases):
    """Markdown, aligned so that it can be read as it stands."""
    rows = [("net", "case", "NumPy µs", "fastmlp µs", "ratio", "GFLOP/s")]
    for title in (net.title for net in nets.NETS):
        for (net, name), case in cases.items():
            if net == title:
                old, new = case["NumPy"], case["fastmlp"]
                gflops = case["operations"] / new / 1e9
                rows.append((net, name, microseconds(old), microseconds(new), f"{old / new:.2f}", f"{gflops:.1f}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, tuple("-" * (width - (i > 1)) + ":" * (i > 1) for i, width in enumerate(widths)))
    line = "| {:{}} | {:{}} | {:>{}} | {:>{}} | {:>{}} | {:>{}} |".format
    return "\n".join(line(*(part for pair in zip(row, widths, strict=True) for part in pair)) for row in rows)


def microseconds(seconds):
    """Three digits or more."""
    digits = 2 if seconds < 1e-5 else 1 if seconds < 1e-4 else 0
    return f"{seconds * 1e6:,.{digits}f}"


def circumstances(cpu, command):
    """What the numbers depend on."""
    blas = ", ".join(f"{pool['internal_api']} {pool['version']}" for pool in threadpool_info())
    return "\n".join(
        [
            f"- {cpu.get('brand_raw', platform.machine())}, one of {os.cpu_count()} cores, {platform.system()}",
            f"- fastmlp {fastmlp.__version__}, build {builds.current()} of {', '.join(builds.available())}",
            f"- NumPy {np.__version__} with {blas}, Python {platform.python_version()}",
            f"- {datetime.now(UTC):%Y-%m-%d}, `{command}`",
        ]
    )


def main():
    parser = argparse.ArgumentParser(description="Compare fastmlp with NumPy.")
    parser.add_argument("--quick", action="store_true", help="one short turn, and nothing is written")
    quick = parser.parse_args().quick
    reports = [measure(1, SECONDS / 4)] if quick else [measure(TURNS, SECONDS) for _ in range(PROCESSES)]
    cases = times(reports)
    product = cases.pop(PRODUCT)
    gflops = product["operations"] / product["NumPy"] / 1e9
    text = f"""\
# fastmlp and NumPy

{table(cases)}

Microseconds of one call or step, float32, one thread; the ratio says how many times as fast fastmlp is. NumPy is
`fastmlp.reference`, the same network in plain NumPy; before anything was timed, both were found to compute the
same. Prediction is `MLP.predict`, which checks all values it is given and gives, against NumPy's forward pass, which
does not; a training step is forward, backward and Adam on one batch. GFLOP/s is fastmlp's: the operations of the
matrix products alone, over the whole time. NumPy multiplied two 1024 × 1024 matrices at
{gflops:.0f} GFLOP/s meanwhile.

{circumstances(reports[0]["machine_info"]["cpu"], "make bench" + " QUICK=1" * quick)}
"""
    print(f"\n{text}")
    if quick:
        print("One short turn: these times are rough, and were not written to a file.")
    else:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(text)
        print(f"written to {os.path.relpath(RESULT)}")


if __name__ == "__main__":
    main()
