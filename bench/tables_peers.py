"""The peers of tables.py, and one fit of one of them, in a process by itself.

Every peer is what a user writes who changes none of its parameters, with the least that it needs before it: it takes
a frame with strings and holes, and a series of labels or of floats. What is fitted to prepare the frame is fitted to
the rows for training, and its time counts. A row of PEERS makes one, for classes or for numbers.

One thread: the process is bound to one core, and told so in all the ways there are; the variables of THREADS are
tables.py's to set, since libraries read them as they are imported. CPU seconds are of this process, its threads and
its children.
"""

import importlib
import os
import resource
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from time import perf_counter, process_time
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import TransformedTargetRegressor, make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.metrics import accuracy_score, log_loss, r2_score, roc_auc_score, root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

import tables_data

THREADS = dict.fromkeys(("FASTMLP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
PREDICTIONS = 5  # at a time; the clock of a virtual machine now and then leaves time out
CLIP = 1e-15  # a probability of 0 that was wrong does not count as infinite

NUMBERS = make_column_selector(dtype_include="number")
OTHERS = make_column_selector(dtype_exclude="number")


class Frame(TransformerMixin, BaseEstimator):
    """The same frame with what a library wants of it: plain names of columns, and categories in a form of its own.

    `categories` is "category", pandas' own type with the categories of the training set, to which all others are
    holes, or "string", in which a hole is a category, too. `impute` puts medians into the holes of numbers, and
    appends a column of 0 and 1 for each that had any.
    """

    def __init__(self, categories, impute=False):
        self.categories = categories
        self.impute = impute

    def fit(self, X, y=None):
        self.types_ = {name: pd.CategoricalDtype(sorted(X[name].dropna().astype(str).unique())) for name in OTHERS(X)}
        numbers = X[NUMBERS(X)]
        self.medians_ = numbers.median()
        self.with_holes_ = numbers.columns[numbers.isna().any()]
        return self

    def transform(self, X):
        columns = dict(X.items())
        for name, dtype in self.types_.items():
            text = X[name].astype("string").astype(object)
            columns[name] = text.where(X[name].notna(), "missing" if self.categories == "string" else None)
            if self.categories == "category":
                columns[name] = columns[name].astype(dtype)
        if self.impute:
            holes = {f"{name} is missing": X[name].isna().astype(float) for name in self.with_holes_}
            columns |= {name: X[name].fillna(median) for name, median in self.medians_.items()} | holes
        renamed = {f"c{i}": column for i, column in enumerate(columns.values())}
        return pd.DataFrame(renamed)


def ordinal():
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
    return make_column_transformer((encoder, OTHERS), (SimpleImputer(strategy="median"), NUMBERS))


def one_hot():
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer((encoder, OTHERS), (SimpleImputer(strategy="median"), NUMBERS))
    return make_pipeline(columns, StandardScaler())


def named(module, name, classes):
    """The class of a module that is imported now: LGBM, for example, with Classifier or Regressor behind it."""
    return getattr(importlib.import_module(module), name + ("Classifier" if classes else "Regressor"))


def fastmlp(classes, seed):
    return named("fastmlp", "Tabular", classes)(random_state=seed)


def lightgbm(classes, seed):
    model = named("lightgbm", "LGBM", classes)(random_state=seed, n_jobs=1, verbose=-1)
    return make_pipeline(Frame("category"), model)


def random_forest(classes, seed):
    return make_pipeline(ordinal(), named("sklearn.ensemble", "RandomForest", classes)(random_state=seed, n_jobs=1))


def sklearn_mlp(classes, seed):
    model = named("sklearn.neural_network", "MLP", classes)(random_state=seed)
    if not classes:
        model = TransformedTargetRegressor(model, transformer=StandardScaler())
    return make_pipeline(one_hot(), model)


class CatBoost:
    """Its pipeline: which columns are categories is known once there is a frame."""

    def __init__(self, classes, seed):
        self.frame = Frame("string")
        self.model = named("catboost", "CatBoost", classes)(
            random_seed=seed, thread_count=1, verbose=False, allow_writing_files=False
        )

    def fit(self, X, y):
        frame = self.frame.fit(X).transform(X)
        self.model.fit(frame, y, cat_features=OTHERS(frame))
        self.classes_ = getattr(self.model, "classes_", None)
        return self

    def predict(self, X):
        return self.model.predict(self.frame.transform(X), thread_count=1)

    def predict_proba(self, X):
        return self.model.predict_proba(self.frame.transform(X), thread_count=1)


def real_mlp(classes, seed):
    import torch

    torch.set_num_threads(1)
    model = named("pytabkit", "RealMLP_TD_S_", classes)(random_state=seed, device="cpu", n_threads=1)
    return make_pipeline(Frame("category", impute=True), model)


class Peer(NamedTuple):
    name: str
    package: str
    make: Callable  # of (classes, seed)


PEERS = {
    peer.name: peer
    for peer in (
        Peer("fastmlp", "fastmlp", fastmlp),
        Peer("LightGBM", "lightgbm", lightgbm),
        Peer("random forest", "scikit-learn", random_forest),
        Peer("sklearn MLP", "scikit-learn", sklearn_mlp),
        Peer("CatBoost", "catboost", CatBoost),
        Peer("RealMLP-TD-S", "pytabkit", real_mlp),
    )
}


def named_peer(name):
    """A row of PEERS, or of the pieces, whose module imports this one."""
    return PEERS[name] if name in PEERS else importlib.import_module("tables_pieces").PIECES[name]


def cpu_seconds():
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return process_time() + children.ru_utime + children.ru_stime


def quality(model, X, y, classes, predicted):
    """What the predictions of the test set are worth."""
    if not classes:
        return {"rmse": root_mean_squared_error(y, predicted), "r2": r2_score(y, predicted)}
    labels = np.asarray(model.classes_).astype(str)
    order = labels.argsort()
    labels, p = labels[order], np.clip(np.asarray(predicted, np.float64)[:, order], CLIP, 1)
    p /= p.sum(axis=1, keepdims=True)
    measures = {
        "error": 1 - accuracy_score(y, labels[p.argmax(axis=1)]),
        "log_loss": log_loss(y, p, labels=labels),
    }
    if classes == 2:
        measures["auc"] = roc_auc_score(y == labels[1], p[:, 1])
    return measures


def measure(table, seed, peer):
    """One fit on one split: a row of results."""
    classes = tables_data.described_by(table).classes
    X_train, X_test, y_train, y_test = tables_data.split(table, seed)
    model = named_peer(peer).make(classes, seed)  # imports what it needs
    before = memory("VmRSS", anew=True)
    cpu, wall = cpu_seconds(), perf_counter()
    model.fit(X_train, y_train)
    cpu, wall = cpu_seconds() - cpu, perf_counter() - wall
    taken = memory("VmHWM") - before
    predict = model.predict_proba if classes else model.predict
    predicted = predict(X_test)
    began = process_time()
    for _ in range(PREDICTIONS):
        predict(X_test)
    predicting = (process_time() - began) / PREDICTIONS
    row = {
        **quality(model, X_test, y_test, classes, predicted),
        "test_rows": len(X_test),
        "fit_cpu": cpu,
        "fit_wall": wall,
        "fit_mib": taken / 2**20,
        "predict_us": 1e6 * predicting / len(X_test),
        "version": version_of(named_peer(peer).package),
    }
    return {name: value if isinstance(value, str | int) else float(f"{value:.6g}") for name, value in row.items()}


def memory(of, anew=False):
    """Bytes that this process has (VmRSS), or has had at most (VmHWM); from now on, if it is to be counted anew."""
    if anew:
        Path("/proc/self/clear_refs").write_text("5")
    lines = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return 1024 * int(lines[of].split()[0])


def version_of(package):
    """fastmlp may be that of the tree, which is not installed."""
    return importlib.import_module("fastmlp").__version__ if package == "fastmlp" else version(package)


def serve(pipe, cores, limit, *question):
    """Answer (table, seed, peer) in a process that may use these cores, and so many seconds of them."""
    os.sched_setaffinity(0, cores)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
    warnings.simplefilter("ignore")
    try:
        answer = measure(*question)
    except Exception as error:
        answer = {"failed": f"{type(error).__name__}: {error}"}
    pipe.send(answer)
