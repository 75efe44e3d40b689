"""fastmlp's estimators against scikit-learn's own: first the same, then timed; into bench/results, by build.

    make estimators            some nine minutes on two cores, and then learning.py, which it runs too
    make estimators QUICK=1    some seconds: shows that all of it works and computes the same, and writes nothing

Both have default parameters and the same random_state, and so the same random numbers. A fit counts as the same if
it takes as many iterations, with the same loss after each (LOSS); a prediction, if it is the same from the same
weights; a grid search, if every candidate has the same score (SCORE).

Fits and predictions are on one thread, BLAS included, and by the CPU clock, in turn, A B A B. A grid search is what a
user starts, with PROCESSES and nothing said about threads: its time is that on the wall, the least of SEARCHES in
turn, each with processes of its own that have imported everything before the clock starts. When it is over they tell
how many threads they have beside those of Python: those that compute.
"""

import argparse
import os
import threading
import time
import warnings
from functools import partial
from time import perf_counter, process_time
from typing import NamedTuple

import joblib
import numpy as np
import pandas as pd
import sklearn
from joblib.externals.loky import get_reusable_executor
from scipy.sparse import issparse
from sklearn import neural_network
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler

import data
import fastmlp
import run
import twins
from fastmlp import builds
from grid import in_turn

LIBRARIES = {"scikit-learn": neural_network, "fastmlp": fastmlp}
DTYPES = ("float32", "float64")
PREDICTION_FLOOR, PARTIAL_FLOOR, SEARCH_FLOOR = 10, 6, 4
PARTIAL_ROWS = 32  # of a partial_fit
SECONDS = 30  # of a comparison of fits, which has ROUNDS of grid.py at least; a thirtieth of that for predictions
VERIFIED_ROWS = 1000  # of a prediction

# How far apart the losses of an epoch may be, relative. With relu rounding decides on which side of its kink a neuron
# is, and digits end at a loss of 0.002, to which a few samples contribute. Seen: 1.5e-3 and 3e-15.
LOSS = {"float32": 1e-2, "float64": 1e-10}
# How far apart the accuracies of a candidate may be: in float32 some samples of 1,797 lie on a boundary.
SCORE = {"float32": 5e-3, "float64": 1e-12}

FOLDS = 3
CANDIDATES = {
    "hidden_layer_sizes": [(50,), (100,)],
    "alpha": [1e-5, 1e-4, 1e-3],
    "learning_rate_init": [3e-4, 1e-3, 3e-3, 1e-2],
}
PROCESSES = 2
SEARCHES = 2  # of each library


class Case(NamedTuple):
    title: str
    floor: float  # of the ratio of a fit
    floor_float64: float  # and of one in float64
    rows: int | None = None
    max_iter: int | None = None  # None for the default

    @property
    def parameters(self):
        return {"random_state": 0} | ({"max_iter": self.max_iter} if self.max_iter else {})


CASES = (
    Case("digits", 4, 4),
    Case("breast cancer", 4, 4),
    Case("diabetes", 4, 4),
    Case("Fashion-MNIST", 3, 2.4, rows=50_000, max_iter=5),
    Case("random sparse", 3, 3, max_iter=5),
)


# One row for a net of 4-16-1, by how it is asked for: the floor of the ratio.
ASKED = {
    "a float64 array": 10, "a float32 array": 10, "a list": 10, "a row in Fortran order": 10,
    "an array, fitted on a frame": 10, "a frame": 8, "an array, scaled inside": 10, "an array, quantiles inside": 10,
}  # fmt: skip

KINDS = ("fit", "partial_fit", "predict one row", "ask for one row", "GridSearchCV")


class Row(NamedTuple):
    """A line of the table; without seconds the note says why the data is missing."""

    what: str
    data: str
    dtype: str
    floor: float
    seconds: dict | None = None
    note: str = ""

    @property
    def ratio(self):
        return self.seconds["scikit-learn"] / self.seconds["fastmlp"]


def estimator(library, title):
    """The class for a data set."""
    return getattr(LIBRARIES[library], "MLPClassifier" if data.SOURCES[title].classes else "MLPRegressor")


def verified(case, X, y, dtype):
    """{library: its fitted estimator}, after both were seen to have walked the same way."""
    fitted = {name: estimator(name, case.title)(**case.parameters).fit(X, y) for name in LIBRARIES}
    theirs, ours = fitted.values()
    assert ours.coefs_[0].dtype == theirs.coefs_[0].dtype == dtype
    assert ours.n_iter_ == theirs.n_iter_, f"{case}, {dtype}: {ours.n_iter_} iterations, {theirs.n_iter_} expected"
    expected = np.array(theirs.loss_curve_)
    apart = np.max(abs(ours.loss_curve_ - expected) / expected)
    assert apart <= LOSS[dtype], f"{case}, {dtype}: losses are {apart:.1e} apart, {LOSS[dtype]:.0e} allowed"
    return fitted


def verify_prediction(fitted, X, dtype):
    """Both get the same weights, and must predict the same."""
    theirs, ours = fitted.values()
    theirs.coefs_, theirs.intercepts_ = ([a.copy() for a in arrays] for arrays in (ours.coefs_, ours.intercepts_))
    outputs = "predict_proba" if hasattr(ours, "predict_proba") else "predict"
    actual, expected = (getattr(model, outputs)(X) for model in (ours, theirs))
    twins.assert_close(actual, expected, twins.TOLERANCES[dtype].output, np.linalg.norm(expected))
    assert outputs == "predict" or np.array_equal(ours.predict(X), theirs.predict(X))


def timed(case, dtype, seconds):
    """The rows of a case: a fit, and, where X is dense, the prediction of one row."""
    floor = case.floor if dtype == "float32" else case.floor_float64
    try:
        X, y = data.whole(case.title, dtype, case.rows)
    except data.Missing as missing:
        kinds = ("fit", floor), ("predict one row", PREDICTION_FLOOR)
        return [Row(what, case.title, dtype, floor, note=str(missing)) for what, floor in kinds]
    fitted = verified(case, X, y, dtype)
    fits = {name: (None, partial(_fit, type(model), case.parameters, X, y)) for name, model in fitted.items()}
    times = in_turn(fits, process_time, seconds)
    size = f"{X.shape[0]:,} × {X.shape[1]:,}, {fitted['fastmlp'].n_iter_} iterations"
    row = Row("fit", case.title, dtype, floor, times, size)
    verify_prediction(fitted, X[:VERIFIED_ROWS], dtype)
    if issparse(X):
        return [row]
    predictions = {name: (None, partial(model.predict, X[:1])) for name, model in fitted.items()}
    ones = in_turn(predictions, process_time, seconds / 30)
    rows = [row, Row("predict one row", case.title, dtype, PREDICTION_FLOOR, ones, f"1 × {X.shape[1]}")]
    if not data.SOURCES[case.title].classes:
        some = X[:PARTIAL_ROWS], y[:PARTIAL_ROWS]
        few = {name: (None, partial(_going_on(type(model), *some), *some)) for name, model in fitted.items()}
        parts = in_turn(few, process_time, seconds / 30)
        rows.append(Row("partial_fit", case.title, dtype, PARTIAL_FLOOR, parts, f"{PARTIAL_ROWS} × {X.shape[1]}"))
    return rows


def asked(seconds):
    """The rows of ASKED: both fitted on the same float64 data, scikit-learn's behind a scaler where ours scales."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 4))
    frame, y, one = pd.DataFrame(X, columns=list("abcd")), X[:, 0], X[:1].copy()
    ways = {
        "a float64 array": (X, one), "a float32 array": (X, one.astype(np.float32)), "a list": (X, one.tolist()),
        "a row in Fortran order": (X, np.asfortranarray(X)[:1]), "an array, fitted on a frame": (frame, one),
        "a frame": (frame, frame.iloc[[0]]), "an array, scaled inside": (X, one),
        "an array, quantiles inside": (X, one),
    }  # fmt: skip
    scalers = {"an array, scaled inside": "standard", "an array, quantiles inside": "quantile"}
    rows = []
    for way, floor in ASKED.items():
        of_fit, row = ways[way]
        scale = scalers.get(way)
        parameters = {"hidden_layer_sizes": (16,), "random_state": 0, "max_iter": 3}
        ours = fastmlp.MLPRegressor(**parameters, scale=scale).fit(of_fit, y)
        theirs = neural_network.MLPRegressor(**parameters)
        if scale is not None:
            scaler = (
                StandardScaler()
                if scale == "standard"
                else QuantileTransformer(n_quantiles=500, output_distribution="normal")
            )
            theirs = TransformedTargetRegressor(make_pipeline(scaler, theirs), transformer=clone(scaler))
        models = {"scikit-learn": theirs.fit(of_fit, y), "fastmlp": ours}
        if scale is None:
            theirs.coefs_, theirs.intercepts_ = ours.coefs_, ours.intercepts_
            np.testing.assert_allclose(ours.predict(row), theirs.predict(row), rtol=1e-5)
        calls = {name: (None, partial(model.predict, row)) for name, model in models.items()}
        rows.append(
            Row("ask for one row", way, "float64", floor, in_turn(calls, process_time, seconds / 30), "1 × 4")
        )
    return rows


def _going_on(kind, X, y):
    """partial_fit of a model that has begun."""
    return kind(random_state=0).partial_fit(X, y).partial_fit


def _fit(kind, parameters, X, y):
    kind(**parameters).fit(X, y)


def look_at_threads(seconds):
    """Of the process that is asked: its id, threads that compute, and how many fastmlp may use."""
    time.sleep(seconds)  # so that every process gets one of these calls
    # The main thread computes; of the others, Python's do not.
    computing = len(os.listdir("/proc/self/task")) - threading.active_count() + 1
    return os.getpid(), computing, fastmlp.get_num_threads()


def ask_workers():
    """What each process says of its threads; the first time this starts them."""
    with joblib.Parallel(n_jobs=PROCESSES) as parallel:
        return parallel(joblib.delayed(look_at_threads)(0.5) for _ in range(PROCESSES))


def search(library, X, y, candidates, max_iter):
    """(Seconds, the scores, what each process says of its threads) of a grid search."""
    get_reusable_executor(max_workers=PROCESSES).shutdown(wait=True)
    ask_workers()
    model = estimator(library, "digits")(random_state=0, **({"max_iter": max_iter} if max_iter else {}))
    began = perf_counter()
    found = GridSearchCV(model, candidates, cv=FOLDS, n_jobs=PROCESSES).fit(X, y)
    seconds = perf_counter() - began
    threads = {pid: rest for pid, *rest in ask_workers()}
    assert len(threads) == PROCESSES, f"{len(threads)} processes at work, {PROCESSES} expected"
    return seconds, found.cv_results_["mean_test_score"], list(threads.values())


def searched(dtype, candidates, max_iter, times):
    """The row of the grid search, and a sentence on its threads."""
    X, y = data.whole("digits", dtype)
    seconds = {name: [] for name in LIBRARIES}
    scores, threads = {}, {}
    for _ in range(times):
        for name in LIBRARIES:
            taken, scores[name], threads[name] = search(name, X, y, candidates, max_iter)
            seconds[name].append(taken)
        apart = np.max(abs(scores["fastmlp"] - scores["scikit-learn"]))
        assert apart <= SCORE[dtype], f"scores are {apart:.1e} apart, {SCORE[dtype]:.0e} allowed"
    candidates = len(scores["fastmlp"])
    row = Row(
        "GridSearchCV",
        "digits",
        dtype,
        SEARCH_FLOOR,
        {name: min(taken) for name, taken in seconds.items()},
        f"{candidates} candidates, {FOLDS} folds, n_jobs={PROCESSES}",
    )
    return row, "\n".join(about_threads(name, dtype, found) for name, found in threads.items())


def about_threads(library, dtype, found):
    computing, allowed = zip(*found, strict=True)
    cores = os.cpu_count()
    verdict = f"no more than the {cores} cores" if sum(computing) <= cores else f"MORE than the {cores} cores"
    text = f"- {library}, {dtype}: {' + '.join(map(str, computing))} threads that compute: {verdict}"
    if library == "fastmlp":
        text += f"; `fastmlp.get_num_threads()` is {', '.join(map(str, allowed))} there"
    return text


def milliseconds(seconds):
    """Three digits or more."""
    ms = seconds * 1e3
    return f"{ms:,.{4 if ms < 0.1 else 3 if ms < 1 else 2 if ms < 10 else 1 if ms < 100 else 0}f}"


def line(row):
    """The cells of a row."""
    if row.seconds is None:
        return row.what, row.data, row.dtype, "DATA MISSING", *("-",) * 3, f"{row.floor:g}", "NOT TIMED"
    times = [milliseconds(row.seconds[name]) for name in LIBRARIES]
    met = "yes" if row.ratio >= row.floor else "NO"
    return row.what, row.data, row.dtype, row.note, *times, f"{row.ratio:.1f}", f"{row.floor:g}", met


def report(rows, threads, command):
    table = run.markdown([("", "data", "dtype", "size", *LIBRARIES, "ratio", "floor", "met"), *map(line, rows)], 4)
    missing = sorted({f"\nMISSING: {row.data} {row.note}\n" for row in rows if row.seconds is None})
    below = sum(row.seconds is None or row.ratio < row.floor for row in rows)
    verdict = "All floors are met." if not below else f"{below} of {len(rows)} floors are NOT met."
    limited = " and ".join(f"max_iter={case.max_iter} on {case.title}" for case in CASES if case.max_iter)
    return f"""\
# The estimators and scikit-learn's

{verdict}

{table}
{"".join(missing)}
Milliseconds; the ratio is scikit-learn's time over fastmlp's. Default parameters and random_state=0, but for
{limited}, so that it ends. Features, and the targets of the regression on
diabetes, are scaled to mean 0 and variance 1, those of sparse data to variance 1 only. Before anything was timed both
were found to do the same: as many iterations with the same losses, the same predictions, the same scores of all
candidates. Fits and predictions are on one thread, by the CPU clock, grid searches by the clock on the wall;
[bench/estimators.py](../estimators.py) says how.

Threads in the processes of the grid search:

{threads}

{run.circumstances(command)}
- scikit-learn {sklearn.__version__}, joblib {joblib.__version__}
"""


def main():
    parser = argparse.ArgumentParser(description="Compare the estimators with scikit-learn's: speed.")
    parser.add_argument("--quick", action="store_true", help="few short fits, and nothing is written")
    quick = parser.parse_args().quick
    cases, dtypes, seconds, candidates, max_iter, times = CASES, DTYPES, SECONDS, CANDIDATES, None, SEARCHES
    if quick:
        dtypes, seconds, max_iter, times = DTYPES[:1], 0, 10, 1
        cases = [case._replace(max_iter=max_iter) for case in CASES if not data.SOURCES[case.title].large]
        candidates = CANDIDATES | {"alpha": [1e-4], "learning_rate_init": [1e-3, 3e-3]}
    rows, threads = [], []
    with warnings.catch_warnings(), twins.one_thread():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        rows += asked(seconds)
        print(*(" ".join(line(row)) for row in rows), sep="\n", flush=True)
        for dtype in dtypes:
            for case in cases:
                made = timed(case, dtype, seconds)
                rows += made
                print(*(" ".join(line(row)) for row in made), sep="\n", flush=True)
            row, sentence = searched(dtype, candidates, max_iter, times)
            rows.append(row)
            threads.append(sentence)
            print(" ".join(line(row)), flush=True)
    rows.sort(key=lambda row: KINDS.index(row.what))
    text = report(rows, "\n".join(threads), "make estimators" + " QUICK=1" * quick)
    print(f"\n{text}")
    if quick:
        print(f"{max_iter} iterations, timed in haste; floors are for whole fits. This was not written to a file.")
        return
    path = run.HERE / "results" / f"estimators-{builds.current()}.md"
    path.write_text(text)
    print(f"written to {os.path.relpath(path)}")


if __name__ == "__main__":
    main()
