"""fastmlp and NumPy on the nets of nets.py, on one thread: first seen to be equal (twins.py), then timed.

The small nets, written as C (in_c.py), predict one row besides; the rate of a large product of NumPy's is measured.
Nothing here asserts a speed. `pytest bench` shows the groups of pytest-benchmark, run.py makes the tables.
"""

import os
from functools import cache

import numpy as np
import pytest
from threadpoolctl import threadpool_info

import in_c
import nets
import twins

ROWS = (1, 32, 10_000)
PRODUCT = 1024


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with twins.one_thread():
        yield


def blas():
    """The processor whose kernels NumPy's BLAS uses; its own name where it does not tell."""
    return ", ".join(pool.get("architecture", pool["internal_api"]) for pool in threadpool_info())


@pytest.fixture(scope="module", autouse=True)
def blas_as_asked():
    """OpenBLAS takes another kernel without a word where it does not know or cannot run the one asked for."""
    asked, found = os.environ.get("OPENBLAS_CORETYPE"), blas()
    assert asked in (None, "", found), f"NumPy's BLAS runs as {found}, and OPENBLAS_CORETYPE asks for {asked}"


def batches(net):
    """Of an epoch: 16, or less where 2,000 samples are enough."""
    return max(1, min(16, 2_000 // net.batch))


@cache
def verified(net, dtype):
    return twins.verified(net, ROWS, batches(net), dtype)


@cache
def compiled(net, dtype):
    return in_c.verified(net, nets.make(net, "fastmlp", dtype), dtype)


@cache
def samples(net, rows, dtype):
    return twins.samples(net, rows, dtype)


def describe(benchmark, net, case, implementation, repeats, operations):
    """What run.py reads: one call does `repeats` predictions or steps of so many `operations`."""
    benchmark.group = f"{net}, {case}"
    benchmark.extra_info = {
        "net": net,
        "case": case,
        "implementation": implementation,
        "repeats": repeats,
        "operations": operations,
    }


# The implementations of a case are the innermost loop: they are timed next to each other.
implementations = pytest.mark.parametrize("implementation", nets.IMPLEMENTATIONS)
every_net = pytest.mark.parametrize("net", [*nets.NETS, nets.FULL_BATCH], ids=lambda net: net.name)


@implementations
@pytest.mark.parametrize("rows", ROWS)
@every_net
def test_predict(benchmark, turn, dtype, net, rows, implementation):
    predict = twins.predictor(verified(net, dtype)[implementation].mlp, implementation)
    case = f"predict {rows:,} row{'s' * (rows > 1)}"
    describe(benchmark, net.title, case, implementation, 1, nets.predict_operations(net, rows))
    benchmark(predict, samples(net, rows, dtype))


@pytest.mark.parametrize("net", nets.SMALL, ids=lambda net: net.name)
def test_predict_in_c(benchmark, turn, dtype, net):
    predict = compiled(net, dtype)
    describe(benchmark, net.title, "predict 1 row", "C", in_c.ROWS, nets.predict_operations(net, 1))
    benchmark(predict)


@implementations
@every_net
def test_training_step(benchmark, request, turn, dtype, net, implementation):
    training = verified(net, dtype)[implementation]
    case = f"training step, batch {net.batch:,}"
    describe(benchmark, net.title, case, implementation, training.batches, nets.step_operations(net))
    # pytest-benchmark does not choose the number of rounds where each of them is preceded by a reset.
    least, limit = (request.config.getoption(f"benchmark_{name}") for name in ("min_rounds", "max_time"))
    rounds = max(least, int(float(limit) / training.seconds))
    benchmark.pedantic(training.run, setup=training.reset, rounds=rounds)


def test_product(benchmark, turn, dtype):
    A, B = np.random.default_rng(4).standard_normal((2, PRODUCT, PRODUCT), dtype)
    describe(benchmark, "NumPy", f"product {PRODUCT}³", "NumPy", 1, 2 * PRODUCT**3)
    benchmark.extra_info["blas"] = blas()
    benchmark(np.matmul, A, B, out=np.empty_like(A))
