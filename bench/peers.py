"""fastmlp against its peers: first equal, then timed; tables and two pictures into bench/results/, named by build.

    make peers            some ten minutes; the first time longer, for all peers are installed and torch compiles
    make peers QUICK=1    shows that all of it works and computes the same, and writes nothing

What is computed stands in peers_libraries.py; here is how it is timed. Every library has a process of its own, with
its own threads, so that none inherits the settings, the memory or the pool of another; they live side by side and
are asked in turn, case by case, library by library, TURNS times round. GENERATIONS times all processes are started
anew, because where the weights come to lie in memory changes the speed of a process for as long as it lives.

An answer is the least time of a call in SECONDS of calls, by the wall clock, and of all answers for a case the one
counts that a tenth of them beat. A machine that others use drifts by a factor of 1.5 in minutes, so that only
ratios within one run mean something.

A process is bound to as many cores as it may have threads, all libraries' to the same ones: JAX heeds nothing else.
The others are told the number besides, by environment variables and ONNX Runtime by a session option, lest several
threads share a core. Each answer is checked against the CPU time of its process: a library that was allowed n
threads and used more ends the run. Pools wait for more work by spinning, which is left as each library has it, since
it is good for its next call; but a process answers only once its CPU time stands still, so that nobody's pool spins
while another library is timed.
"""

import argparse
import gc
import multiprocessing
import os
import sys
from importlib.metadata import version
from itertools import repeat
from time import perf_counter, process_time, sleep

import numpy as np

import nets
import peers_pictures
import run
import twins
from fastmlp import builds
from peers_libraries import CASES, EPOCHS, LIBRARIES, PACKAGES, Case, environment

RESULTS = run.HERE / "results"
THREADS = (1, 2)
GENERATIONS = 2
TURNS = 6
SECONDS = 0.03
ROUND = 2e-4  # what is shorter is called several times between two looks at the clock
PRODUCT = Case("product", None, 1024)

# scikit-learn takes no probability for less than the epsilon of float32, and the largest net is sometimes more wrong.
CLIPPED_LOSS_TOLERANCE = 2e-3  # 8e-4 seen


# in the process of a library


def serve(pipe, library, threads):
    """Answer (question, case, seconds) until there is None."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    gc.disable()
    jobs = {}
    for question, case, seconds in iter(pipe.recv, None):
        try:
            if question == "answer":
                if case not in jobs:
                    jobs[case] = LIBRARIES[library][case.kind](case, threads)
                answer = once(jobs[case])
            else:
                gc.collect()
                answer = least(jobs[case], seconds, threads) / case.units
            settle()
        except Exception as error:
            answer = error
            error.add_note(f"{library}, {threads} threads, {case}")
        pipe.send(answer)


def once(job):
    """What is compared."""
    with job.context():
        return job.answer(job.run(*job.reset()))


def least(job, seconds, threads):
    """The least time of a call."""
    times, calls = [], 1
    with job.context():
        end, busy, wall = perf_counter() + seconds, 0.0, 0.0
        while not times or perf_counter() < end:
            arguments = job.reset()
            cpu, began = process_time(), perf_counter()
            for _ in repeat(None, calls):
                job.run(*arguments)
            taken = perf_counter() - began
            busy, wall = busy + process_time() - cpu, wall + taken
            times.append(taken / calls)
            if job.reset is tuple:
                calls = max(calls, int(ROUND / times[-1]))
    if busy > (threads + 0.1) * wall + 0.01:
        raise RuntimeError(f"{busy / wall:.2f} threads were at work; expected {threads}")
    return min(times)


def settle():
    """Wait until no thread of this process does anything."""
    for _ in range(200):
        before = process_time()
        sleep(0.005)
        if process_time() - before < 0.0005:
            return
    raise RuntimeError("its threads never sleep")


# in the process that asks


class Worker:
    """A library in its own process."""

    def __init__(self, library, threads):
        spawn = multiprocessing.get_context("spawn")
        self.pipe, theirs = spawn.Pipe()
        process = spawn.Process(target=serve, args=(theirs, library, threads), daemon=True)
        before = dict(os.environ)
        os.environ.update(environment(threads))
        try:
            process.start()
        finally:
            os.environ.clear()
            os.environ.update(before)
        theirs.close()
        self.library, self.process = library, process

    def ask(self, *question):
        self.pipe.send(question)

    def answer(self):
        try:
            answer = self.pipe.recv()
        except EOFError:
            sys.exit(f"no table: the process of {self.library} ended")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def stop(self):
        self.pipe.send(None)
        self.process.join()


def verified(workers, case):
    """The processes that can do the case, after what they compute was held against the reference.

    Asked for the first time they make it ready, which takes long where there is something to compile. Asked again
    after they were timed, they show that what was timed was the same as at first.
    """
    asked = [worker for worker in workers if case.kind in LIBRARIES[worker.library]]
    for worker in asked:
        worker.ask("answer", case, None)
    answers = {worker.library: worker.answer() for worker in asked}
    for library, answer in answers.items():
        try:
            compare(library, case, answer, answers["NumPy"])
        except AssertionError as error:
            sys.exit(f"no table: {library} does not compute what NumPy does, {case}: {error}")
    return asked


def compare(library, case, actual, expected):
    tolerances = twins.TOLERANCES[nets.DTYPE]
    if case.kind in ("predict", "product"):
        twins.assert_close(actual, expected, tolerances.output, np.linalg.norm(expected))
        return
    (loss, parameters), (expected_loss, expected_parameters) = actual, expected
    tolerance = CLIPPED_LOSS_TOLERANCE if library == "scikit-learn" else tolerances.loss
    twins.assert_close(loss, expected_loss, tolerance, expected_loss)
    moved = np.linalg.norm(expected_parameters - nets.make(case.net, "NumPy").parameters)
    twins.assert_close(parameters, expected_parameters, tolerances.move, moved)


def measure(cases, thread_counts, generations, turns, seconds):
    """{threads: {case: {library: seconds a prediction or step}}}."""
    answers = {threads: {case: {} for case in cases} for threads in thread_counts}
    for generation in range(generations):
        for threads in thread_counts:
            began = perf_counter()
            workers = [Worker(library, threads) for library in LIBRARIES]
            asked = {case: verified(workers, case) for case in cases}
            ready = perf_counter()
            for _ in range(turns):
                for case in cases:
                    for worker in asked[case]:
                        worker.ask("time", case, seconds)
                        answers[threads][case].setdefault(worker.library, []).append(worker.answer())
            timed = perf_counter()
            for case in cases:
                verified(workers, case)
            for worker in workers:
                worker.stop()
            print(
                f"{generation + 1} of {generations}, threads {threads}: all compute the same; "
                f"{ready - began:.0f} s to start, {timed - ready:.0f} s to time",
                flush=True,
            )
    return {
        threads: {
            case: {library: sorted(times)[len(times) // 10] for library, times in by_library.items()}
            for case, by_library in by_case.items()
        }
        for threads, by_case in answers.items()
    }


def gflops(case, seconds):
    """Of the matrix products alone."""
    operations = 2 * PRODUCT.rows**3 if case is PRODUCT else nets.step_operations(case.net)
    return operations / seconds / 1e9


def table(times, kind):
    """The times of one kind of case."""
    libraries = [library for library in LIBRARIES if kind in LIBRARIES[library]]
    training = kind != "predict"
    size = "batch" if training else "rows"
    rows = [("net", "best peer", size, *libraries, "ratio", *(("GFLOP/s", "of sgemm") if training else ()))]
    for case, by_library in times.items():
        if case.kind != kind:
            continue
        ours = by_library["fastmlp"]
        best = min(libraries[1:], key=by_library.get)
        cells = [case.net.title, best, f"{case.net.batch if training else case.rows:,}"]
        cells += [run.microseconds(by_library[library]) for library in libraries]
        cells += [f"{by_library[best] / ours:.2f}"]
        if training:
            rate = gflops(case, ours)
            cells += [f"{rate:.1f}", f"{rate / gflops(PRODUCT, times[PRODUCT]['NumPy']):.2f}"]
        rows.append(tuple(cells))
    return run.markdown(rows, 2)


def report(times, command):
    """All tables, and what the numbers depend on."""
    titles = {"train": "One Adam step", "step": "One Adam step by one call", "predict": "Prediction"}
    tables = "\n\n".join(
        f"## {title}, {threads} thread{'s' * (threads > 1)}\n\n{table(by_case, kind)}"
        for threads, by_case in times.items()
        for kind, title in titles.items()
    )
    rates = ", ".join(
        f"{gflops(PRODUCT, by_case[PRODUCT]['NumPy']):.0f} GFLOP/s on {threads} thread{'s' * (threads > 1)}"
        for threads, by_case in times.items()
    )
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return f"""\
# fastmlp and its peers

{tables}

Microseconds of one call or step by the wall clock, float32; the ratio is the best peer's time over fastmlp's. Before
anything was timed and once again afterwards, all libraries were found to compute the same from the same weights:
outputs, and loss and parameters after an epoch. GFLOP/s is fastmlp's, of the matrix products alone over the whole
time; "of sgemm" divides it by NumPy's rate for the product of two 1024 × 1024 matrices in the same run: {rates}.

A training step is one of an epoch of {EPOCHS[4]:,} or {EPOCHS[0]:,} samples, gathered on the way, or one of many
with all samples as the batch; fastmlp's is `MLP.fit`, which shuffles besides, in the order that the others are
given. By one call it is `MLP.step`, and scikit-learn's `partial_fit`. Every peer is in its best form: torch with
fused Adam, torch.compile with the whole step as one graph, JAX with the whole epoch as one compiled scan, ONNX
Runtime with bound buffers, scikit-learn's `fit` without checks; NumPy is `fastmlp.reference`. Peers keep inputs and
outputs in arrays of their own; fastmlp's prediction is `MLP.predict`, NumPy arrays in and out, both checked. How it
is timed is told in [bench/peers.py](../peers.py), and what exactly runs in
[bench/peers_libraries.py](../peers_libraries.py).

{run.circumstances(command)}
- {versions}
"""


def main():
    parser = argparse.ArgumentParser(description="Compare fastmlp with its peers.")
    parser.add_argument("--quick", action="store_true", help="one short turn, and nothing is written")
    quick = parser.parse_args().quick
    cases = (*CASES, PRODUCT)
    if quick:
        text = report(measure(cases, THREADS[:1], 1, 1, SECONDS / 10), "make peers QUICK=1")
        print(f"\n{text}\nOne short turn: these times are rough, and were not written to a file.")
        return
    times = measure(cases, THREADS, GENERATIONS, TURNS, SECONDS)
    text = report(times, "make peers")
    print(f"\n{text}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"peers-{builds.current()}.md").write_text(text)
    peers_pictures.draw(times, RESULTS, builds.current())
    print(f"written to {os.path.relpath(RESULTS)}/peers*{builds.current()}*")


if __name__ == "__main__":
    main()
