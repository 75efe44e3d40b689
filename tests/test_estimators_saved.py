"""Estimators in files: what they learned comes back, with labels, names and scalers, and goes on as if nothing was.

Expected values are those of the estimator that was saved. Not here: the format (test_files.py), fits that are stopped
(test_checkpoints.py).
"""

import json
import os
import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import MinMaxScaler

import fastmlp
from fastmlp import LoadError, MLPClassifier, MLPRegressor
from fastmlp.files import Contents, read, write
from processes import output_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = 3 + 2 * RNG.normal(size=(60, 4))
KIND = (X[:, 0] > 3).astype(int) + (X[:, 1] > 4)
NUMBERS = X[:, 0] ** 2
FRAME = pd.DataFrame(X, columns=["age", "größe", "a b", "x'y"])

LABELS = {
    "integers": KIND * 10 - 5,
    "int8": KIND.astype(np.int8),
    "unsigned": KIND.astype(np.uint64) + np.uint64(2**63),
    "booleans": KIND > 0,
    "floats": KIND * 2.0,
    "strings": np.array(["no", "größer", "yes\n\"'"])[KIND],
    "bytes of an object": np.array(["no", "maybe", "yes"], object)[KIND],
    "two": np.array(["a", "b"])[(KIND > 0).astype(int)],
    "one": np.full(60, "only"),
    "several": (X[:, :2] > 3).astype(int),
    "sparse": csr_matrix(X[:, :2] > 3),
    "pandas": pd.Series(KIND).map({0: "low", 1: "middle", 2: "high"}).astype("category"),
}
REGRESSIONS = {
    "plain": ({}, NUMBERS),
    "two outputs": ({}, X[:, :2]),
    "standard": ({"scale": "standard"}, NUMBERS),
    "quantile": ({"scale": "quantile"}, NUMBERS),
    "two outputs by quantiles": ({"scale": "quantile", "activation": ["tanh", "gelu"]}, X[:, :2]),
    "poisson": ({"loss": "poisson", "scale": "standard"}, NUMBERS),
    "huber": ({"loss": "huber", "huber_delta": 0.3, "solver": "lbfgs"}, NUMBERS),
    "sgd": ({"solver": "sgd", "learning_rate": "adaptive", "scale": "standard"}, NUMBERS),
    "early stopping": ({"early_stopping": True, "scale": "standard"}, NUMBERS),
    "schedule": ({"schedule": fastmlp.schedules.Cosine(0.1), "dropout": [0.1, 0.2]}, NUMBERS),
    "types of numbers": (
        {
            "alpha": np.float32(1e-3), "learning_rate_init": np.float64(0.01), "max_iter": np.int64(20),
            "shuffle": np.bool_(True),
            "hidden_layer_sizes": np.array([5, 4]), "n_iter_no_change": np.inf,
        },
        NUMBERS,
    ),
    "a generator": ({"random_state": np.random.RandomState(4)}, NUMBERS),
    "float32": ({}, NUMBERS.astype(np.float32)),
}  # fmt: skip


def bits(model):
    return b"".join(array.tobytes() for array in (*model.coefs_, *model.intercepts_))


def fitted(kind, x, y, **parameters):
    usual = {"hidden_layer_sizes": (5, 4), "random_state": 0, "max_iter": 20}
    return kind(**(usual | parameters)).fit(x, y)


def come_back(model, path, **options):
    model.save(path, **options)
    again = fastmlp.load(path)
    assert type(again) is type(model)
    assert bits(again) == bits(model)
    assert {k: type(v) for k, v in again.__getstate__().items()}.keys() >= {
        k for k in model.__getstate__() if k.endswith("_")
    }
    return again


@pytest.mark.parametrize("name", list(LABELS))
def test_labels_of_every_type_come_back(tmp_path, name):
    model = fitted(MLPClassifier, X, LABELS[name])
    again = come_back(model, tmp_path / "model")
    assert again.classes_.dtype == model.classes_.dtype
    assert again.classes_.tolist() == model.classes_.tolist()
    predicted, expected = again.predict(X), model.predict(X)
    assert type(predicted) is type(expected)
    if name == "sparse":
        predicted, expected = predicted.toarray(), expected.toarray()
    assert predicted.dtype == expected.dtype
    assert np.array_equal(predicted, expected)
    assert again.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()


@pytest.mark.parametrize("name", list(REGRESSIONS))
def test_regressions_come_back_and_go_on(tmp_path, name):
    parameters, y = REGRESSIONS[name]
    x = X.astype(np.float32) if name == "float32" else X
    model = fitted(MLPRegressor, x, y, **parameters)
    again = come_back(model, tmp_path / "model")
    assert again.predict(x).tobytes() == model.predict(x).tobytes()
    shown = [{k: str(v) for k, v in one.get_params().items() if k != "random_state"} for one in (model, again)]
    assert {k for k in shown[0] if shown[0][k] != shown[1][k]} <= {"alpha"}  # np.float32(...) is a float
    for attribute in ("loss_curve_", "n_iter_", "t_", "loss_", "best_loss_", "validation_scores_"):
        assert getattr(again, attribute) == getattr(model, attribute)
    for one in (model, again):
        one.set_params(warm_start=True, schedule=None)
        one.fit(x, y)
    assert bits(again) == bits(model)
    assert again.loss_curve_ == model.loss_curve_


@pytest.mark.parametrize("solver", ["adam", "adamw", "rmsprop", "sgd"])
@pytest.mark.parametrize("scale", [None, "standard"])
def test_partial_fit_goes_on_as_if_nothing_had_been(tmp_path, solver, scale):
    model = MLPClassifier((6,), solver=solver, scale=scale, random_state=0)
    for part in (slice(20), slice(20, 40)):
        model.partial_fit(X[part], KIND[part], classes=[0, 1, 2])
    again = come_back(model, tmp_path / "model")
    for one in (model, again):
        one.partial_fit(X[40:], KIND[40:])
    assert bits(again) == bits(model)
    assert again.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()


def test_without_training_the_file_is_a_third(tmp_path):
    model = fitted(MLPRegressor, X, NUMBERS, hidden_layer_sizes=(200, 100), early_stopping=True)
    again = come_back(model, tmp_path / "small", training=False)
    assert again.predict(X).tobytes() == model.predict(X).tobytes()
    come_back(model, tmp_path / "large")
    numbers = sum(array.nbytes for array in (*model.coefs_, *model.intercepts_))
    assert os.path.getsize(tmp_path / "small") < 1.1 * numbers
    assert os.path.getsize(tmp_path / "large") < 3.1 * numbers


def test_names_of_columns_come_back(tmp_path):
    again = come_back(fitted(MLPRegressor, FRAME, NUMBERS, scale="standard"), tmp_path / "model")
    assert again.feature_names_in_.tolist() == list(FRAME.columns)
    with pytest.raises(ValueError, match="feature names"):
        again.predict(FRAME[FRAME.columns[::-1]])
    with pytest.warns(UserWarning, match="valid feature names"):
        again.predict(X)


def test_a_saved_estimator_is_an_estimator(tmp_path):
    model = fitted(MLPClassifier, X, KIND).set_output(transform="pandas")
    again = come_back(model, tmp_path / "model")
    assert isinstance(again.transform(FRAME.to_numpy()), pd.DataFrame)
    assert bits(clone(again).fit(X, KIND)) == bits(model)
    assert bits(pickle.loads(pickle.dumps(again))) == bits(model)
    come_back(again, tmp_path / "twice")
    assert (tmp_path / "twice").read_bytes() == (tmp_path / "model").read_bytes()


def test_weights_that_somebody_has_put_there_are_what_is_saved(tmp_path):
    model = fitted(MLPRegressor, X, NUMBERS)
    model.coefs_ = [W + 1 for W in model.coefs_]
    again = come_back(model, tmp_path / "model")
    assert again.predict(X).tobytes() == model.predict(X).tobytes()
    model.coefs_[0][0, 0] = np.inf
    with pytest.raises(ValueError, match="NaN or infinity"):
        model.save(tmp_path / "model")
    assert fastmlp.load(tmp_path / "model").coefs_[0][0, 0] == again.coefs_[0][0, 0]


def test_class_weights_and_initial_weights_come_back(tmp_path):
    weights = fitted(MLPClassifier, X, KIND, max_iter=1)
    first = [W.copy() for W in weights.coefs_], [b.copy() for b in weights.intercepts_]
    model = fitted(MLPClassifier, X, KIND, class_weight={0: 1, 1: 2.5, 2: 3}, initial_weights=first)
    again = come_back(model, tmp_path / "model")
    assert again.class_weight == {0: 1, 1: 2.5, 2: 3}
    assert bits(again.fit(X, KIND)) == bits(model)


# What is refused or said


def test_callables_are_left_out_with_a_warning(tmp_path):
    for name in ("callbacks", "batch_callbacks", "schedule"):
        given = (lambda progress: 1 - progress) if name == "schedule" else lambda model, history: False
        model = fitted(MLPRegressor, X, NUMBERS, **{name: given})
        with pytest.warns(UserWarning, match=f"{name} is .*which a file cannot hold"):
            again = come_back(model, tmp_path / "model")
        assert getattr(again, name) is None


def test_an_attribute_that_is_not_kept_is_said(tmp_path):
    model = fitted(MLPRegressor, X, NUMBERS)
    model.remark = "mine"
    with pytest.warns(UserWarning, match="attribute remark is not kept"):
        model.save(tmp_path / "model")


class Mine(MLPRegressor):
    pass


def test_what_cannot_be_read_again_is_not_saved(tmp_path):
    with pytest.raises(NotFittedError):
        MLPRegressor().save(tmp_path / "model")
    with pytest.raises(TypeError, match="is a Mine"):
        fitted(Mine, X, NUMBERS).save(tmp_path / "model")
    model = fitted(MLPRegressor, X, NUMBERS, scale="standard")
    model.x_scaler_ = MinMaxScaler().fit(X)
    with pytest.raises(ValueError, match="x_scaler_ is MinMaxScaler"):
        model.save(tmp_path / "model")
    model = fitted(MLPRegressor, X, NUMBERS)
    model.n_iter_ = "many"
    with pytest.raises(ValueError, match="n_iter_"):
        model.save(tmp_path / "model")
    with pytest.raises(TypeError, match="training is 1"):
        fitted(MLPRegressor, X, NUMBERS).save(tmp_path / "model", training=1)
    assert os.listdir(tmp_path) == []


def changed(path, change):
    contents = read(path)
    said, tensors = json.loads(contents.metadata["fastmlp"]), dict(contents.tensors)
    change(said, tensors)
    write(path, Contents(tensors, {"fastmlp": json.dumps(said)}))


CHANGES = {
    "another kind": (lambda s, t: s.update(kind="MLPRegressor"), "makes none|has not|out_activation_"),
    "a parameter": (lambda s, t: s["parameters"].update(magic=1), "parameter 'magic'"),
    "a value": (lambda s, t: s["parameters"].update(alpha=-1), "alpha"),
    "a type": (lambda s, t: s["parameters"].update(alpha={"open": "file"}), "no value"),
    "a name of the class": (lambda s, t: s["attributes"].update(predict=1), "attribute 'predict'"),
    "features": (lambda s, t: s["attributes"].update(n_features_in_=5), "coefs_"),
    "features true": (lambda s, t: s["attributes"].update(n_features_in_=True), "n_features_in_"),
    "layers": (lambda s, t: s["attributes"].update(n_layers_=3), "layers"),
    "classes": (lambda s, t: s["attributes"].update(classes_={"tensor": "W1"}), "classes_|no tensor"),
    "fewer classes": (lambda s, t: t.update(classes_=t["classes_"][:2]), "2 classes"),
    "classes out of order": (lambda s, t: t.update(classes_=t["classes_"][::-1].copy()), "in order"),
    "a scaler of y": (
        lambda s, t: s["scalers"].update(y_scaler_={"kind": "quantile"}),
        "has a scaler of y",
    ),
    "a rate below zero": (lambda s, t: s["training"]["rate"].update(learning_rate=-1.0), "learning rate"),
    "no classes": (lambda s, t: s["attributes"].pop("classes_"), "classes_"),
    "NaN": (lambda s, t: t["W2"].__setitem__((1, 1), np.nan), "W2"),
    "NaN of a bias": (lambda s, t: t["b1"].__setitem__(1, np.nan), "b1"),
    "dtype": (lambda s, t: t.update(W2=t["W2"].astype(np.float32)), "expected float32 or float64"),
    "no bias": (lambda s, t: t.pop("b2"), "no tensor 'b2'"),
    "no weight": (lambda s, t: t.pop("W2"), "layers"),
    "one more": (lambda s, t: t.update(more=np.zeros(3)), "tensor 'more'"),
    "moments": (lambda s, t: t.pop("first_moments"), "first_moments"),
    "powers": (lambda s, t: s["training"].update(powers=[2, 2]), "powers"),
    "rate": (lambda s, t: s["training"]["rate"].update(start="1"), "learning rate"),
    "scale": (lambda s, t: t.update({"x_scaler_scale_": np.zeros(4)}), "no fit gives"),
    "mean": (lambda s, t: t["x_scaler_mean_"].__setitem__(0, np.inf), "mean_"),
    "columns of the scaler": (lambda s, t: t.update({"x_scaler_mean_": np.zeros(3)}), "mean_ of its scaler of X"),
    "kind of scaler": (lambda s, t: s["scalers"]["x_scaler_"].update(kind="magic"), "makes none|no fit"),
    "output": (lambda s, t: s["attributes"].update(out_activation_="tanh"), "out_activation_"),
    "activation": (lambda s, t: s["parameters"].update(activation="magic"), "activation"),
    "a curve": (lambda s, t: s["attributes"].update(loss_curve_="long"), "loss_curve_"),
    "a tensor twice": (
        lambda s, t: s["attributes"].update(validation_curve_={"tensor": "loss_curve_"}),
        "loss_curve_",
    ),
    "names": (lambda s, t: s["attributes"]["feature_names_in_"]["array"].pop(), "makes no value|names"),
}


@pytest.mark.parametrize("name", list(CHANGES))
def test_a_file_that_contradicts_itself_is_refused(tmp_path, name):
    change, said = CHANGES[name]
    path = tmp_path / "model"
    fitted(MLPClassifier, FRAME, KIND, scale="standard").save(path)
    changed(path, change)
    with pytest.raises(LoadError, match=said) as caught:
        fastmlp.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("how", ["bytes", "description"])
def test_damaged_files_are_refused_or_hold_a_good_estimator(tmp_path, how, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # which takes most of the time
    path = tmp_path / "model"
    fitted(MLPClassifier, FRAME, LABELS["strings"], scale="quantile", hidden_layer_sizes=(3,)).save(path)
    good, rng, refused = path.read_bytes(), np.random.default_rng(1), 0
    header = 8 + int.from_bytes(good[:8], "little")
    for _ in range(1000):
        path.write_bytes(good)
        if how == "bytes":
            damaged = bytearray(good)
            damaged[rng.integers(header if rng.random() < 0.5 else len(good))] ^= 1 << rng.integers(8)
            path.write_bytes(damaged)
        else:  # behind the digest
            contents = read(path)
            text = bytearray(contents.metadata["fastmlp"].encode())
            at = rng.integers(len(text), size=rng.integers(1, 3))
            text[at[0]] = rng.choice(bytearray(b'0123456789"{}[]:,.-entrufals_'))
            if len(at) == 2:
                del text[at[1] : at[1] + rng.integers(12)]
            write(path, Contents(contents.tensors, {"fastmlp": text.decode()}))
        try:
            again = fastmlp.load(path)
        except LoadError:
            refused += 1
            continue
        again.predict(FRAME.set_axis(again.feature_names_in_, axis=1) if "feature_names_in_" in vars(again) else X)
    assert refused > (980 if how == "bytes" else 300)  # a change of the digest's own name is harmless


def test_a_header_that_would_take_more_memory_than_the_file_is_refused(tmp_path):
    path, taken = tmp_path / "net", []
    for text in (b'{"a":[' + b"{}," * 10**6 + b"{}]}", b'{"a":"' + b"," * 10**6 + b'"}', b"[" * 10**6):
        path.write_bytes(len(text).to_bytes(8, "little") + text)
        tracemalloc.start()
        with pytest.raises(LoadError, match="more elements"):
            fastmlp.load(path)
        taken.append(tracemalloc.get_traced_memory()[1] / len(text))
        tracemalloc.stop()
    assert max(taken) < 2


MEMORY = """
import sys, threading, time
import numpy as np, fastmlp
if sys.argv[1] == "net":
    fastmlp.MLP([3, 4, 1])
else:
    fastmlp.MLPClassifier((3,), max_iter=1).fit(np.eye(4), [0, 1, 0, 1])
def resident():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) * 1024
before = resident()
model = fastmlp.load(sys.argv[2])
print(resident() - before)
"""


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("kind", ["net", "estimator"])
def test_loading_takes_no_more_than_twice_the_file(tmp_path, kind, training):
    path, x = tmp_path / "model", np.zeros((4, 2000))
    if kind == "net":
        model = fastmlp.MLP([2000, 2000, 2], seed=0)
        model.fit(x, np.zeros((4, 2)), epochs=1)
    else:
        model = MLPClassifier((2000,), max_iter=2).fit(x.astype(np.float32), [0, 1, 0, 1])
    model.save(path, training=training)
    size = os.path.getsize(path)
    assert size > 12e6 * (3 if training else 1)
    taken = int(output_of("-c", MEMORY, kind, str(path)))
    assert 0.9 * size < taken < 2 * size + 3e6  # and what Python needs to look at it


@pytest.mark.parametrize("parameters", [{}, {"early_stopping": True}, {"solver": "lbfgs"}])
def test_a_pickle_is_no_larger_than_its_numbers_and_the_state_of_its_optimizer(parameters):
    model = fitted(MLPRegressor, X, NUMBERS, hidden_layer_sizes=(200, 100), max_iter=3, **parameters)
    numbers = sum(array.nbytes for array in (*model.coefs_, *model.intercepts_))
    state = 0 if parameters.get("solver") == "lbfgs" else 2 * numbers
    assert len(pickle.dumps(model)) < 1.2 * numbers + state
    again = pickle.loads(pickle.dumps(model))
    for one in (model, again):
        one.set_params(warm_start=True).fit(X, NUMBERS)
    assert bits(again) == bits(model)
