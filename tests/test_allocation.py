"""Memory: a step allocates nothing, and what a net works in does not grow with the rows.

Every call of malloc is counted, whoever makes it: the GNU C library writes each one to a file between mtrace() and
muntrace(), and PYTHONMALLOC=malloc sends Python's own objects there too, as NumPy's arrays go by themselves. So it
takes no compiler, and no guess from the size of a process, which sees no block that is returned at once. The same
count over the NumPy reference, which does allocate in each step, shows that it sees what it should.
"""

import json
from functools import cache
from tempfile import NamedTemporaryFile

from cases import COMPILED, DTYPES
from processes import output_of

# Batches of ROWS rows: fewer samples than a row block, and several micro-batches of them.
ROWS, FEW, MANY = 20, 3, 30

SCRIPT = """
import ctypes, json, os, sys
import numpy as np
import fastmlp
from cases import COMPILED, DTYPES, builds
from fastmlp.optimizers import Steps

ROWS, FEW, MANY = map(int, sys.argv[1:])

debug = ctypes.CDLL("libc_malloc_debug.so.0")
find = ctypes.CDLL(None).dlvsym
find.restype, find.argtypes = ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p)

def function(name):
    # The library has them under the version of the processor's first C library alone, and libc's do nothing.
    for version in (b"GLIBC_2.2.5", b"GLIBC_2.17", b"GLIBC_2.27"):
        if address := find(debug._handle, name, version):
            return ctypes.CFUNCTYPE(None)(address)
    raise ImportError(f"no {name} in libc_malloc_debug.so.0")

mtrace, muntrace = function(b"mtrace"), function(b"muntrace")

def allocated(call):
    "(blocks, bytes) that a call asks for."
    mtrace()
    call()
    muntrace()
    asked = [line.split() for line in open(os.environ["MALLOC_TRACE"])]
    # "@ who + where size" is a block that is given, "> where size" what a block becomes, "-" and "<" are returned.
    sizes = [int(words[-1], 16) for words in asked if len(words) > 3 and words[-3] in "+>"]
    return len(sizes), sum(sizes)

def least(call):
    "The interpreter now and then makes room for its own things; the call itself does the same each time."
    return min(allocated(call) for _ in range(2))

def data(m, dtype):
    rng = np.random.default_rng(0)
    return rng.normal(size=(m, 20)).astype(dtype), rng.normal(size=(m, 3)).astype(dtype)

SIZES = (20, 40, 260, 3)
found = {}
for build in (*COMPILED, "reference"):
    for dtype in DTYPES if build in COMPILED else ("float64",):
        numbers = found[f"{build} {dtype}"] = {}
        Network = builds.network(dtype, build)
        def fresh():
            network = Network(SIZES, ("tanh", "silu", "identity"), "half_squared_error", dropout=(0.0, 0.5))
            network.parameters[:] = np.random.default_rng(0).normal(size=network.parameters.size) / 10
            return network
        for batches in (FEW, MANY):
            m = ROWS * batches
            X, y = data(m, dtype)
            weight, order, out, flat = np.ones(m, dtype), np.arange(m), np.empty((m, 3), dtype), fresh().parameters
            inputs, steps, one_step = np.empty_like(X), Steps(ROWS, fastmlp.Adam()), Steps(m, fastmlp.Adam())
            for threads in (1, 2):
                network = fresh()
                network.train(X, y, weight, order, one_step, 2)  # which starts the threads
                for what, call in {
                    "train": lambda: network.train(X, y, weight, order, steps, threads),
                    "forward": lambda: network.forward(X, out, threads),
                    "evaluate": lambda: network.evaluate(X, y, weight, threads),
                    "gradient": lambda: network.gradient(X, y, weight, flat, inputs, threads),
                }.items():
                    numbers.setdefault(f"{what}, {threads} threads", []).append(least(call))
            for what, call in {
                "first train": lambda: fresh().train(X, y, weight, order, steps, 2),
                "first forward": lambda: fresh().forward(X, out, 2),
                "first gradient": lambda: fresh().gradient(X, y, weight, flat, inputs, 2),
            }.items():
                numbers.setdefault(what, []).append(least(call))
            with builds.forced(build):
                net = fastmlp.MLP(SIZES, activation="tanh", dtype=dtype, seed=0)
            numbers.setdefault("predict into out", []).append(least(lambda: net.predict(X, out=out)))
        X, y = data(ROWS * MANY, dtype)
        with builds.forced(build):
            net = fastmlp.MLP(SIZES, activation="tanh", dtype=dtype, seed=0)
        net.fit(X, y, epochs=1)
        numbers["epoch of fit"] = [
            least(lambda: net.fit(X, y, epochs=1, batch_size=batch_size)) for batch_size in (ROWS * MANY // 2, ROWS)
        ]
print(json.dumps(found))
"""


@cache
def counted():
    """{build and dtype: {what: [(blocks, bytes) of few batches or rows, and of many]}}."""
    with NamedTemporaryFile() as trace:
        return json.loads(
            output_of(
                "-c",
                SCRIPT,
                str(ROWS),
                str(FEW),
                str(MANY),
                LD_PRELOAD="libc_malloc_debug.so.0",
                MALLOC_TRACE=trace.name,
                PYTHONMALLOC="malloc",
                FASTMLP_NUM_THREADS="2",
            )
        )


def of_compiled_builds():
    return [(build, counted()[build]) for build in (f"{name} {dtype}" for name in COMPILED for dtype in DTYPES)]


def is_more(few, many, bytes_each):
    """Whether blocks were added with the steps, or so many bytes with the rows.

    Python asks for a block of its own now and then, so a few are not counted: much less than one for each step.
    """
    return many[0] > few[0] + (MANY - FEW) // 2 or many[1] > few[1] + ROWS * (MANY - FEW) * bytes_each


def test_the_count_sees_what_the_reference_allocates():
    for what, (few, many) in counted()["reference float64"].items():
        # The activations of the widest layer, a row more for each row.
        assert is_more(few, many, 0 if what == "epoch of fit" else 260 * 8), what


def test_a_step_allocates_nothing():
    for build, numbers in of_compiled_builds():
        for what in ("train, 1 threads", "train, 2 threads"):
            assert numbers[what] == [[0, 0], [0, 0]], (build, what)


def test_an_epoch_of_fit_allocates_the_same_for_two_steps_and_for_many():
    for build, numbers in of_compiled_builds():
        two, many = numbers["epoch of fit"]
        assert not is_more(two, many, 1), build
        assert two[1] > ROWS * MANY * 8, "not even the order of the rows was counted"


def test_what_a_net_works_in_does_not_grow_with_the_rows():
    for build, numbers in of_compiled_builds():
        for what, (few, many) in numbers.items():
            if what != "epoch of fit":  # which draws an order of the rows
                assert not is_more(few, many, 1), (build, what)
        for what in ("first train", "first forward", "first gradient"):
            assert numbers[what][0][1] > 256 * 260, "the workspace itself was not counted"
