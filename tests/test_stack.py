"""Every call runs in a thread of 128 KB, which is what musl gives a thread: nothing large stands on the stack."""

import pytest

from cases import COMPILED
from processes import python

CALLS = """
import sys, threading
import numpy as np
import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, builds
from scipy import sparse

def of_a_net(sizes, rows, dtype, threads):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(rows, sizes[0])).astype(dtype), rng.normal(size=(rows, sizes[-1])).astype(dtype)
    net = fastmlp.MLP(sizes, activation="gelu", dtype=dtype, dropout=0.1, seed=0)
    for optimizer in ("sgd", "adam", fastmlp.RMSprop(clip_norm=0.1)):
        net.fit(X, y, epochs=1, batch_size=max(1, rows // 2), optimizer=optimizer, validation=(X, y), threads=threads)
    net.predict(X), net.predict(X[0]), net.evaluate(X, y), net.gradient(X, y)
    if rows > 1:
        net.score(X, y)

def of_estimators(dtype):
    rng = np.random.default_rng(0)
    X, labels = rng.normal(size=(60, 5)).astype(dtype), np.arange(60) % 3
    for solver in ("adam", "sgd", "lbfgs"):
        MLPClassifier(max_iter=2, solver=solver).fit(X, labels).predict_proba(X)
        MLPRegressor(max_iter=2, solver=solver).fit(X, X[:, 0]).predict(X)
        MLPRegressor(max_iter=2, solver=solver).fit(sparse.csr_array(X), X[:, 0]).predict(X)
    fastmlp.Perceptron(5, seed=0).fit(X, np.where(labels == 0, 1, -1)).predict(X)
    done.append("estimators")

def calls(dtype, *all_rows):
    for threads in (1, 2):
        for sizes in ((2, 3, 1), (17, 33, 5), (700, 300, 400, 10)):
            for rows in all_rows:
                of_a_net(sizes, rows, dtype, threads)
    done.append(dtype)

import warnings
warnings.simplefilter("ignore")
build, size = sys.argv[1:]
done = []
with builds.forced(build):
    of_estimators("float32")  # what is imported on the way may take what it likes
    done.clear()
    threading.stack_size(int(size) * 1024)
    threads = [threading.Thread(target=calls, args=(dtype, 1, 40, 600)) for dtype in ("float32", "float64")]
    threads.append(threading.Thread(target=of_estimators, args=("float64",)))
    for thread in threads:
        thread.start()
        thread.join()
print(*done)
"""


@pytest.mark.parametrize("build", COMPILED)
def test_every_call_runs_in_a_thread_of_128_kb(build):
    done = python("-c", CALLS, build, "128")
    assert (done.returncode, done.stdout.split()) == (0, ["float32", "float64", "estimators"]), done.stderr
