"""What fastmlp's estimators learn against what scikit-learn's do, on real data; into bench/results/learning.md.

    make estimators            some minutes, after estimators.py
    make estimators QUICK=1    some seconds: shows that all of it works, and writes nothing

A seed draws the split into training and test set and is the random_state of both libraries. Features, and targets of
a regression, are scaled to mean 0 and variance 1 by the training set. What is compared is the accuracy or R² on the
test set: the mean over the seeds, and the mean of the differences with its standard error. fastmlp is below where
that difference is negative by more than its standard error and NOTHING. Where both draw the same random numbers only
rounding makes a difference, which by chance alone may be a standard error below in one case of six, or of five with
three seeds.

Every fit is on one thread; several seeds are at work at a time, each in a process of its own. Nothing is timed.
"""

import argparse
import os
import warnings
from typing import NamedTuple

import joblib
import numpy as np
import sklearn
from sklearn import neural_network
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import data
import fastmlp
import run
import twins

LIBRARIES = {"scikit-learn": neural_network, "fastmlp": fastmlp}
DTYPES = ("float32", "float64")
SEEDS, SEEDS_OF_LARGE = 20, 3
MAX_ITER = {"Fashion-MNIST": 20}  # so that it ends; the others have the default of 200
NOTHING = 1e-4  # a difference that the table does not show, of accuracy or R²

# Targets as prices are: around CENTRE, some SPREAD apart.
CENTRE, SPREAD = 5e5, 1e5


def scores(title, dtype, seed, max_iter):
    """Of scikit-learn and fastmlp, on the test set of a seed."""
    X_train, X_test, y_train, y_test = data.split(title, dtype, seed)
    kind = "MLPClassifier" if data.SOURCES[title].classes else "MLPRegressor"
    found = []
    with warnings.catch_warnings(), twins.one_thread():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 200 iterations are not always enough, which is as it is
        for library in LIBRARIES.values():
            model = getattr(library, kind)(random_state=seed, **({"max_iter": max_iter} if max_iter else {}))
            found.append(model.fit(X_train, y_train).score(X_test, y_test))
    return found


class Row(NamedTuple):
    """A line of the table; scores (seeds, 2) are None where the data is missing, and the note says why."""

    title: str
    dtype: str
    scores: np.ndarray | None = None
    note: str = ""

    @property
    def difference(self):
        """fastmlp's mean less scikit-learn's."""
        return np.mean(self.scores[:, 1] - self.scores[:, 0])

    @property
    def error(self):
        """The standard error of that."""
        return np.std(self.scores[:, 1] - self.scores[:, 0], ddof=1) / np.sqrt(len(self.scores))

    @property
    def below(self):
        return self.difference < -self.error - NOTHING


def learned(titles, dtypes, small, large, max_iter, jobs):
    """The rows of the data sets, so many seeds each."""
    for title in titles:
        try:
            X, _ = data.read(title)
        except data.Missing as missing:
            yield Row(title, ", ".join(dtypes), note=str(missing))
            continue
        seeds = range(large if data.SOURCES[title].large else small)
        size = f"{X.shape[0]:,} × {X.shape[1]}"
        for dtype in dtypes:
            with joblib.Parallel(n_jobs=jobs) as parallel:
                limit = max_iter or MAX_ITER.get(title)
                found = parallel(joblib.delayed(scores)(title, dtype, seed, limit) for seed in seeds)
            yield Row(title, dtype, np.array(found), size)


def line(row):
    """The cells of a row."""
    if row.scores is None:
        return row.title, "DATA MISSING", "", row.dtype, *("-",) * 5, "NOT COMPARED"
    metric = "accuracy" if data.SOURCES[row.title].classes else "R²"
    means = (f"{mean:.4f}" for mean in row.scores.mean(0))
    verdict = "BELOW" if row.below else "not below"
    difference = f"{row.difference + 0.0:+.4f}", f"{row.error:.4f}"
    return row.title, row.note, metric, row.dtype, f"{len(row.scores)}", *means, *difference, verdict


def prices(seed):
    """The diabetes of scikit-learn as measured, with targets around CENTRE: (X_train, X_test, y_train, y_test)."""
    X, y = load_diabetes(return_X_y=True, scaled=False)
    y = CENTRE + SPREAD * (y - y.mean()) / y.std()
    return train_test_split(X, y, test_size=data.TEST_SHARE, random_state=seed)


def unscaled(seeds):
    """{what is tried: ([R² of each seed], the warnings)} for a default regression on data as it comes."""
    tried = {
        "scikit-learn": lambda seed: neural_network.MLPRegressor(random_state=seed),
        "scikit-learn, X scaled and y in TransformedTargetRegressor": lambda seed: TransformedTargetRegressor(
            make_pipeline(StandardScaler(), neural_network.MLPRegressor(random_state=seed)),
            transformer=StandardScaler(),
        ),
        "fastmlp": lambda seed: fastmlp.MLPRegressor(random_state=seed),
        'fastmlp, scale="standard"': lambda seed: fastmlp.MLPRegressor(random_state=seed, scale="standard"),
    }
    found = {}
    for name, make in tried.items():
        with warnings.catch_warnings(record=True) as caught, twins.one_thread():
            warnings.simplefilter("always")
            r2 = []
            for seed in seeds:
                X_train, X_test, y_train, y_test = prices(seed)
                r2.append(make(seed).fit(X_train, y_train).score(X_test, y_test))
        found[name] = r2, list(dict.fromkeys(str(warning.message) for warning in caught))
    return found


def told(warned):
    """The warnings of all seeds, in words: the first of each kind, whose numbers differ."""
    kinds = {"".join(c for c in text if c.isalpha()): text for text in reversed(warned)}
    return " ".join(f"“{text}”" for text in kinds.values()) or "nothing"


def report(rows, targets, command):
    head = "data", "size", "score", "dtype", "seeds", *LIBRARIES, "difference", "std. error", "fastmlp is"
    missing = "".join(f"\nMISSING: {row.title} {row.note}\n" for row in rows if row.scores is None)
    compared = [row for row in rows if row.scores is not None]
    below = sum(row.below for row in compared)
    verdict = f"fastmlp is below scikit-learn by more than a standard error in {below} of {len(compared)} cases."
    if missing:
        verdict += f" {len(rows) - len(compared)} data sets are MISSING."
    limits = ", ".join(f"max_iter={limit} on {title}" for title, limit in MAX_ITER.items())
    means = [("default regression", "R², mean", "least")]
    means += [(name, f"{np.mean(r2):.2f}", f"{min(r2):.2f}") for name, (r2, _) in targets.items()]
    warned = "\n".join(f"- {name} says: {told(warned)}" for name, (_, warned) in targets.items())
    return f"""\
# What the estimators learn

{verdict}

{run.markdown([head, *map(line, rows)], 4)}
{missing}
Test sets of {data.TEST_SHARE:.0%}; means over the seeds, which draw the split and are the random_state. Default \
parameters, but for
{limits}, so that it ends. Features, and the targets of a regression, are scaled to mean 0 and
variance 1. [bench/learning.py](../learning.py) says how it is compared.

## Targets around {CENTRE:,.0f}, unscaled

scikit-learn's diabetes as measured, with targets of mean {CENTRE:,.0f} and standard deviation {SPREAD:,.0f}:

{run.markdown(means, 1)}

{warned}

{run.circumstances(command)}
- scikit-learn {sklearn.__version__}
"""


def main():
    parser = argparse.ArgumentParser(description="Compare the estimators with scikit-learn's: what they learn.")
    parser.add_argument("--quick", action="store_true", help="three data sets, few seeds, and nothing is written")
    quick = parser.parse_args().quick
    titles = [title for title, source in data.SOURCES.items() if source.learned]
    setting = titles, DTYPES, SEEDS, SEEDS_OF_LARGE, None, os.cpu_count()
    if quick:
        setting = ("breast cancer", "wine", "diabetes"), DTYPES[:1], 2, 2, 50, 1
    rows = []
    for row in learned(*setting):
        rows.append(row)
        print(" ".join(line(row)), flush=True)
    targets = unscaled(range(1 if quick else SEEDS))
    text = report(rows, targets, "make estimators" + " QUICK=1" * quick)
    print(f"\n{text}")
    if quick:
        print("Few seeds and 50 iterations: these scores are rough, and were not written to a file.")
        return
    path = run.HERE / "results" / "learning.md"
    path.write_text(text)
    print(f"written to {os.path.relpath(path)}")


if __name__ == "__main__":
    main()
