"""Many nets at once: `fastmlp.fit_many` on one thread and on two, beside a control; into bench/results/many.md.

    make many            half a minute
    make many QUICK=1    some seconds: shows that it works, and writes nothing

SMALL nets with data of their own are the case in which everything but the core counts: a fit of one takes less than
a millisecond. Of LARGE ones there are two, so that two threads should take half the time of one. The control says
what the machine has to give at that moment: the same two fits in two processes, which share nothing and sleep
nowhere. One thread, two threads and the control are timed in turn; the least time of each counts.
"""

import argparse
import multiprocessing
import os
from time import perf_counter

import numpy as np

import fastmlp
import run

SMALL = {"sizes": [4, 16, 16, 1], "activation": "tanh"}, 1000, {"rows": 256, "epochs": 20, "batch_size": 32}
LARGE = {"sizes": [54, 128, 64, 7], "activation": "relu"}, 2, {"rows": 4096, "epochs": 30, "batch_size": 64}
TURNS = 5


def made(case, count=None):
    """(nets, X, y, arguments of fit), a data set for each net."""
    net, n, options = case
    n = n if count is None else count
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, options["rows"], net["sizes"][0]), np.float32)
    y = rng.standard_normal((n, options["rows"], net["sizes"][-1]), np.float32)
    nets = [fastmlp.MLP(**net, seed=seed) for seed in range(n)]
    return nets, X, y, {name: value for name, value in options.items() if name != "rows"}


def timed(case, threads, count=None):
    nets, X, y, options = made(case, count)
    began = perf_counter()
    fastmlp.fit_many(nets, X, y, threads=threads, **options)
    return perf_counter() - began, [net.parameters.tobytes() for net in nets]


def process(case, barrier, pipe):
    """One of the fits of the control, which begins together with the other."""
    nets, X, y, options = made(case, 1)
    for _ in range(2):  # the first one makes everything ready
        barrier.wait()
        began = perf_counter()
        nets[0].fit(X[0], y[0], threads=1, **options)
        taken = perf_counter() - began
    pipe.send(taken)


def control(case):
    """The seconds of the longer of two fits, each in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    barrier, pipes = spawn.Barrier(2), [spawn.Pipe() for _ in range(2)]
    processes = [spawn.Process(target=process, args=(case, barrier, theirs)) for _, theirs in pipes]
    for each in processes:
        each.start()
    taken = [mine.recv() for mine, _ in pipes]
    for each in processes:
        each.join()
    return max(taken)


def report(small, large, command):
    rows = [("nets", "", "1 thread", "2 threads", "two processes", "ratio")]
    for case, (one, two, apart) in ((SMALL, small), (LARGE, large)):
        net, n, options = case
        sizes = "-".join(map(str, net["sizes"]))
        what = f"{options['rows']:,} rows, {options['epochs']} epochs of batches of {options['batch_size']}"
        cells = f"{one:.3f}", f"{two:.3f}", "" if apart is None else f"{apart:.3f}", f"{one / two:.2f}"
        rows.append((f"{n:,} × {sizes}", what, *cells))
    return f"""\
# Many nets at once

{run.markdown(rows, 2)}

Seconds of `fastmlp.fit_many`, each net with data of its own, float32; the nets were made before. The parameters are
the same bits on one thread and on two. "Two processes" is the control: the two fits in two processes that share
nothing.

{run.circumstances(command)}
"""


def main():
    parser = argparse.ArgumentParser(description="Train many nets at once.")
    parser.add_argument("--quick", action="store_true", help="few nets, one turn, and nothing is written")
    quick = parser.parse_args().quick
    turns, count = (1, 20) if quick else (TURNS, None)
    times = {"small": [], "large": []}
    for _ in range(turns):
        for name, case, n in (("small", SMALL, count), ("large", LARGE, None)):
            (one, bits), (two, same) = timed(case, 1, n), timed(case, 2, n)
            assert bits == same, "two threads gave other bits than one"
            times[name].append((one, two, control(case) if case is LARGE else 0.0))
    small, large = ([min(column) for column in zip(*times[name], strict=True)] for name in times)
    text = report((*small[:2], None), large, "make many" + " QUICK=1" * quick)
    print(text)
    if quick:
        print("Few nets and one turn: these times are rough, and were not written to a file.")
        return
    path = run.HERE / "results" / "many.md"
    path.write_text(text)
    print(f"written to {os.path.relpath(path)}")


if __name__ == "__main__":
    main()
