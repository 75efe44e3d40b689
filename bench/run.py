"""Runs the benchmarks and prints one table: fastmlp against NumPy, with the ratio, on one thread.

    python bench/run.py            about a minute; the table also goes to bench/results/numpy.md
    python bench/run.py --quick    some seconds; shows that all of it works and computes the same, and writes nothing

What is measured stands in test_speed.py, and pytest-benchmark measures it; here is how. A machine that is not left
alone changes its speed from one second to the next by a factor of 1.5 and more, so

- all cases are timed in TURNS turns, some hundredths of a second each, and in every turn the two implementations of
  a case right after each other;
- the clock is the CPU time of the process, which stands still while others have the processor, and which would
  count a second thread against whoever starts one;
- the time of a case is the median of a turn, in the turn where that is least, and the ratio is the ratio of these.
  The least of all would be wrong in a virtual machine, whose CPU clock now and then leaves time out.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info

import fastmlp
import nets
from fastmlp import builds

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "numpy.md"
TURNS = 10
PRODUCT = ("NumPy", "sgemm 1024³")


def measure(turns, seconds):
    """The report of pytest-benchmark after so many turns of so many seconds for each case."""
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


def least_times(benchmarks):
    """{(net, case): {implementation: seconds a prediction or step, "operations": in one of them}}."""
    cases = {}
    for benchmark in benchmarks:
        info = benchmark["extra_info"]
        case = cases.setdefault((info["net"], info["case"]), {"operations": info["operations"]})
        seconds = benchmark["stats"]["median"] / info["repeats"]
        case[info["implementation"]] = min(seconds, case.get(info["implementation"], seconds))
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
    report = measure(1, 0.005) if quick else measure(TURNS, 0.03)
    cases = least_times(report["benchmarks"])
    product = cases.pop(PRODUCT)
    gflops = product["operations"] / product["NumPy"] / 1e9
    text = f"""\
# fastmlp and NumPy

{table(cases)}

Microseconds of one call or step, float32, one thread; the ratio says how many times as fast fastmlp is. NumPy is
`fastmlp.reference`, the same network in plain NumPy; before anything was timed, both were found to compute the
same. Prediction is `MLP.predict`, with its checks, against NumPy's bare forward pass; a training step is forward,
backward and Adam on one batch. GFLOP/s is fastmlp's: the operations of the matrix products alone, over the whole
time. In the same run NumPy multiplied two 1024 × 1024 matrices at {gflops:.0f} GFLOP/s.

{circumstances(report["machine_info"]["cpu"], "make bench" + " QUICK=1" * quick)}
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
