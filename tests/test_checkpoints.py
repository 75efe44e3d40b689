"""Fits that are killed and go on: to the same bits as a fit that nothing stopped, or not at all.

Expected bits are those of a fit without checkpoints. Not here: the file as such (test_files.py).
"""

import copy
import json
import multiprocessing
import os
import signal
import time

import numpy as np
import pytest
from scipy.sparse import csr_matrix

import fastmlp
from fastmlp import LoadError, MLPClassifier, MLPRegressor, checkpoints
from fastmlp.files import Contents, read, write
from processes import output_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 5))
TWO = (X[:, 0] * X[:, 1] > 0).astype(int)
WORDS = np.array(["no", "yes"])[TWO]
NUMBERS = 3 * X[:, :1] + X[:, 1:2] ** 2
WEIGHTS = RNG.uniform(0.5, 2, size=200)
EPOCHS = 30


class Killed(BaseException):
    """Ends a fit where a kill would."""


def killing(after):
    def callback(model, history):
        if history.epochs == after:
            raise Killed

    return callback


def bits(model):
    if isinstance(model, fastmlp.MLP):
        return model.parameters.tobytes()
    return b"".join(array.tobytes() for array in (*model.coefs_, *model.intercepts_))


FITS = {
    "plain": {},
    "online": {"batch_size": 1, "epochs": 12},
    "full batch": {"batch_size": None, "optimizer": fastmlp.SGD(0.1, momentum=0.9)},
    "in order": {"shuffle": False, "optimizer": "rmsprop"},
    "weights": {"sample_weight": WEIGHTS, "optimizer": fastmlp.AdamW(1e-3, clip_norm=1.0)},
    "a share held out": {"validation": 0.2, "patience": 25},
    "the last rows held out": {"validation": 0.2, "patience": 25, "shuffle": False, "sample_weight": WEIGHTS},
    "validation": {"validation": (X[:50], TWO[:50]), "tol": 1e-3, "patience": 25},
    "schedule": {"schedule": "one_cycle"},
    "schedule with numbers": {"schedule": fastmlp.schedules.Cosine(0.2, floor=0.1)},
    "schedule of a whole number": {"schedule": fastmlp.schedules.CosLog(2)},
    "time": {"max_time": 1e6},
    "accuracy": {"metric": "accuracy", "validation": 0.2, "average": 0.5},
    "accuracy and patience": {"metric": "accuracy", "validation": 0.2, "patience": 28},
    "three schedules": {
        "schedule": "coslog4",
        "dropout_schedule": "flat_cosine",
        "weight_decay_schedule": fastmlp.schedules.Step(),
        "optimizer": fastmlp.AdamW(1e-3, weight_decay=0.1),
    },
    "average": {"average": 0.9},
    "the best average": {"average": 0.9, "validation": 0.2, "patience": 25},
}


def new_net():
    return fastmlp.MLP([5, 16, 1], output="sigmoid", dropout=0.2, seed=7)


@pytest.mark.parametrize("every", [1, 4, 1e-9])
@pytest.mark.parametrize("name", list(FITS))
def test_a_net_goes_on_to_the_same_bits(tmp_path, name, every):
    arguments = {"epochs": EPOCHS} | FITS[name]
    whole = new_net()
    history = whole.fit(X, TWO, **arguments)
    path = tmp_path / "run.safetensors"
    net = new_net()
    with pytest.raises(Killed):
        net.fit(X, TWO, checkpoint=path, checkpoint_every=every, callbacks=killing(11), **arguments)
    kept = fastmlp.load(path)
    assert kept.history.loss == history.loss[: kept.history.epochs]
    assert kept.history.epochs == (8 if every == 4 else 10)
    again = {
        "sample_weight": arguments.get("sample_weight"),
        "validation": arguments.get("validation") if name == "validation" else None,
    }
    seen = []
    resumed = fastmlp.resume(path, X, TWO, callbacks=lambda net, history: seen.append(history.epochs), **again)
    assert bits(resumed) == bits(whole)
    assert resumed.history.loss == history.loss
    assert resumed.history.validation_loss == history.validation_loss
    assert resumed.history.validation_accuracy == history.validation_accuracy
    assert resumed.history.stop_reason == history.stop_reason
    assert seen == list(range(kept.history.epochs + 1, history.epochs + 1))
    for net in (whole, resumed, fastmlp.resume(path, X, TWO, **again)):  # the last was over already
        net.fit(X, TWO, epochs=2)
        assert net.parameters.tobytes() == whole.parameters.tobytes()


def test_a_checkpoint_of_before_there_were_averages_has_none(tmp_path):
    whole, net, path = new_net(), new_net(), tmp_path / "run.safetensors"
    whole.fit(X, TWO, epochs=6)
    with pytest.raises(Killed):
        net.fit(X, TWO, epochs=6, checkpoint=path, checkpoint_every=1, callbacks=killing(3))
    contents = read(path)
    fit = json.loads(contents.metadata["fastmlp.fit"])
    for name in ("average", "dropout_schedule", "weight_decay_schedule", "metric"):
        assert fit["arguments"].pop(name) is None
    write(path, Contents(contents.tensors, contents.metadata | {"fastmlp.fit": json.dumps(fit)}))
    assert bits(fastmlp.resume(path, X, TWO)) == bits(whole)


def test_a_net_with_an_input_scale_goes_on_to_the_same_bits(tmp_path):
    whole, net = (fastmlp.MLP([5, 8, 1], output="sigmoid", input_scale=True, seed=1) for _ in range(2))
    arguments = {"epochs": 9, "validation": 0.2, "metric": "accuracy", "average": 0.5}
    for one in (whole, net):
        one.input_scale_rate = 3.0
    whole.fit(X, TWO, **arguments)
    path = tmp_path / "run.safetensors"
    with pytest.raises(Killed):
        net.fit(X, TWO, checkpoint=path, checkpoint_every=1, callbacks=killing(5), **arguments)
    resumed = fastmlp.resume(path, X, TWO)
    assert bits(resumed) == bits(whole)
    assert resumed.input_scale_rate == 3.0


def test_a_checkpoint_changes_nothing_of_a_fit(tmp_path):
    whole, watched = new_net(), new_net()
    whole.fit(X, TWO, epochs=EPOCHS)
    watched.fit(X, TWO, epochs=EPOCHS, checkpoint=tmp_path / "run", checkpoint_every=3)
    assert bits(whole) == bits(watched)
    assert bits(fastmlp.load(tmp_path / "run")) == bits(whole)


def test_patience_ends_a_resumed_fit_where_it_would_have_ended(tmp_path):
    arguments = {"epochs": 900, "validation": 0.3, "patience": 6, "optimizer": fastmlp.Adam(0.02)}
    whole, net, path = new_net(), new_net(), tmp_path / "run"
    history = whole.fit(X, TWO, **arguments)
    assert history.stop_reason == "patience"
    with pytest.raises(Killed):
        net.fit(X, TWO, checkpoint=path, checkpoint_every=1, callbacks=killing(history.epochs - 2), **arguments)
    resumed = fastmlp.resume(path, X, TWO)
    assert resumed.history.epochs == history.epochs
    assert bits(resumed) == bits(whole)


ESTIMATORS = {
    "classes": (MLPClassifier, X, TWO, {}, {}),
    "strings, early stopping": (MLPClassifier, X, WORDS, {"early_stopping": True}, {}),
    "three classes, weighted": (MLPClassifier, X, TWO + (X[:, 2] > 0), {}, {"sample_weight": WEIGHTS}),
    "class weights": (MLPClassifier, X, WORDS, {"class_weight": "balanced"}, {}),
    "labels": (MLPClassifier, X, (X[:, :2] > 0).astype(int), {"solver": "sgd"}, {}),
    "probabilities": (
        MLPClassifier, X, np.stack([0.3 + 0.4 * TWO, 0.7 - 0.4 * TWO], 1), {}, {"classes": ["b", "a"]},
    ),
    "sparse": (MLPClassifier, csr_matrix(X), TWO, {"shuffle": False, "solver": "rmsprop"}, {}),
    "metric": (
        MLPClassifier, X, TWO, {"eval_metric": "roc_auc", "early_stopping": True}, {"eval_set": (X[:60], TWO[:60])},
    ),
    "standard": (MLPRegressor, X, NUMBERS[:, 0], {"scale": "standard", "schedule": "cosine"}, {}),
    "quantile": (MLPRegressor, X, NUMBERS[:, 0], {"scale": "quantile", "solver": "adamw"}, {}),
    "adaptive": (
        MLPRegressor, X, NUMBERS[:, 0],
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.5, "n_iter_no_change": 2}, {},
    ),
    "invscaling": (MLPRegressor, X, NUMBERS[:, 0] / 9, {"solver": "sgd", "learning_rate": "invscaling"}, {}),
    "dropout": (MLPRegressor, X, NUMBERS[:, 0], {"dropout": 0.3}, {"eval_set": (X[:60], NUMBERS[:60, 0])}),
    "masked": (
        MLPRegressor, X, np.where(RNG.random((200, 2)) < 0.1, np.nan, X[:, :2]), {"missing_targets": "mask"}, {},
    ),
    "a generator": (MLPRegressor, X, NUMBERS[:, 0], {"random_state": np.random.RandomState(5)}, {}),
    "warm": (MLPRegressor, X, NUMBERS[:, 0], {"warm_start": True}, {}),
}  # fmt: skip


@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_an_estimator_goes_on_to_the_same_bits(tmp_path, name, every):
    kind, x, y, parameters, arguments = ESTIMATORS[name]
    parameters = {
        "hidden_layer_sizes": (9,),
        "max_iter": EPOCHS,
        "n_iter_no_change": 25,
        "random_state": 3,
    } | parameters
    whole, model = (kind(**copy.deepcopy(parameters)) for _ in range(2))
    if whole.warm_start:
        for one in (whole, model):
            one.fit(x, y, **arguments)
    whole.fit(x, y, **arguments)
    path = tmp_path / "run.safetensors"
    model.set_params(callbacks=killing(11))
    with pytest.raises(Killed):
        model.fit(x, y, checkpoint=path, checkpoint_every=every, **arguments)
    kept = fastmlp.load(path)
    assert len(kept.loss_curve_) - (EPOCHS if whole.warm_start else 0) == (8 if every == 4 else 10)
    again = {"sample_weight": arguments.get("sample_weight"), "validation": arguments.get("eval_set")}
    resumed = fastmlp.resume(path, x, y, **again)
    assert bits(resumed) == bits(whole)
    for attribute in (
        "loss_curve_", "validation_curve_", "validation_scores_", "best_loss_", "best_validation_score_", "n_iter_",
        "t_", "loss_",
    ):  # fmt: skip
        assert getattr(resumed, attribute) == getattr(whole, attribute), attribute
    assert {k: v for k, v in resumed.get_params().items() if k not in ("random_state", "callbacks")} == {
        k: v for k, v in whole.get_params().items() if k not in ("random_state", "callbacks")
    }
    for one in (whole, resumed, fastmlp.resume(path, x, y, **again)):  # the last was over already
        one.set_params(early_stopping=False, schedule=None, warm_start=True, max_iter=2)
        one.fit(x, y, **arguments)
        assert bits(one) == bits(whole)


# Real kills

KILLS = 20
FORK = multiprocessing.get_context("fork")


def fit_or_resume(kind, path, slowly):
    calls = [lambda model, history: time.sleep(0.005)] if slowly else []
    every = {} if path is None else {"checkpoint": path, "checkpoint_every": 1}
    if path is not None and path.exists():
        return fastmlp.resume(path, X, TWO, callbacks=calls)
    if kind == "net":
        net = new_net()
        net.fit(X, TWO, epochs=500, validation=0.2, patience=500, callbacks=calls, **every)
        return net
    model = MLPClassifier((16,), max_iter=500, early_stopping=True, n_iter_no_change=500, random_state=1)
    return model.set_params(callbacks=calls).fit(X, TWO, **every)


@pytest.mark.parametrize("kind", ["net", "estimator"])
def test_a_fit_that_was_killed_twenty_times_ends_with_the_same_bits(tmp_path, kind):
    path = tmp_path / "run.safetensors"
    rng, epochs = np.random.default_rng(0), 0

    def epochs_kept():
        if not path.exists():
            return 0
        kept = fastmlp.load(path)
        return kept.history.epochs if kind == "net" else len(kept.loss_curve_)

    for _ in range(KILLS):
        process = FORK.Process(target=fit_or_resume, args=(kind, path, True))
        process.start()
        while epochs_kept() == epochs:  # until it has gone on
            assert process.is_alive()
        time.sleep(rng.uniform(0, 0.02))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        epochs = epochs_kept()
    assert bits(fit_or_resume(kind, path, False)) == bits(fit_or_resume(kind, None, False))


def test_a_resumed_fit_has_the_rest_of_its_time(tmp_path):
    for max_time, epochs in ((0.5, 1), (1e6, 40)):
        path = tmp_path / f"run of {max_time}"
        with pytest.raises(Killed):
            new_net().fit(
                X, TWO, epochs=40, max_time=max_time, checkpoint=path, checkpoint_every=1, callbacks=killing(2)
            )
        contents = read(path)
        said = json.loads(contents.metadata["fastmlp"])
        said["history"]["dict"] = [[k, 0.6 if k == "seconds" else v] for k, v in said["history"]["dict"]]
        contents.metadata["fastmlp"] = json.dumps(said)
        write(path, contents)
        assert fastmlp.resume(path, X, TWO).history.epochs - 1 == epochs - (max_time > 1)


def test_the_data_to_validate_on_may_be_others_of_the_same_values(tmp_path):
    x, y = X.astype(np.float32), TWO.astype(np.float32)[:, None]
    for given, again in (((x, y), (x.copy(), y.copy())), ((x.copy(), y.copy()), (x, y))):
        path = tmp_path / str(given is again)
        with pytest.raises(Killed):
            new_net().fit(x, y, epochs=9, validation=given, checkpoint=path, callbacks=killing(5))
        assert fastmlp.resume(path, x, y, validation=again).history.epochs == 9
        path.unlink()


def test_a_callback_that_trains_by_another_optimizer_changes_no_bit_of_what_is_resumed(tmp_path):
    def trains(net, history):
        net.step(X[:5], TWO[:5], fastmlp.SGD(0.01, 0.9))

    whole, net, path = new_net(), new_net(), tmp_path / "run"
    whole.fit(X, TWO, epochs=9, callbacks=trains)
    with pytest.raises(Killed):
        net.fit(X, TWO, epochs=9, callbacks=[trains, killing(5)], checkpoint=path, checkpoint_every=1)
    assert bits(fastmlp.resume(path, X, TWO, callbacks=trains)) == bits(whole)


# What is refused


@pytest.fixture
def stopped(tmp_path):
    path = tmp_path / "run"
    with pytest.raises(Killed):
        new_net().fit(
            X, TWO, epochs=9, validation=(X[:9], TWO[:9]), sample_weight=WEIGHTS, checkpoint=path,
            checkpoint_every=1, callbacks=killing(5),
        )  # fmt: skip
    return path


@pytest.fixture
def stopped_estimator(tmp_path):
    path = tmp_path / "estimator"
    with pytest.raises(Killed):
        MLPClassifier((4,), max_iter=9, callbacks=killing(5), early_stopping=True, random_state=0).fit(
            X, WORDS, checkpoint=path, checkpoint_every=1
        )
    return path


OTHER_DATA = [
    ((X + 1e-3, TWO, WEIGHTS, (X[:9], TWO[:9])), r"X, of shape \(200, 5\) and float32, has other values"),
    ((X[:-1], TWO[:-1], WEIGHTS[:-1], (X[:9], TWO[:9])), r"of shape \(199, 5\)"),
    ((X, 1 - TWO, WEIGHTS, (X[:9], TWO[:9])), "y, of shape"),
    ((X, TWO, None, (X[:9], TWO[:9])), "sample_weight is not given"),
    ((X, TWO, WEIGHTS[::-1], (X[:9], TWO[:9])), "sample_weight, of shape"),
    ((X, TWO, WEIGHTS, (X[:9] + 1, TWO[:9])), "X_validation, of shape"),
    ((X, TWO, WEIGHTS, None), "validation is None"),
]


@pytest.mark.parametrize(("data", "said"), OTHER_DATA)
def test_other_data_are_refused(stopped, data, said):
    before = stopped.read_bytes()
    x, y, w, validation = data
    with pytest.raises(ValueError, match=said):
        fastmlp.resume(stopped, x, y, sample_weight=w, validation=validation)
    assert stopped.read_bytes() == before


@pytest.mark.parametrize("shuffle", [True, False])
def test_rows_that_are_held_out_are_compared_too(tmp_path, shuffle):
    path = tmp_path / "run"
    with pytest.raises(Killed):
        new_net().fit(X, TWO, epochs=9, validation=0.2, shuffle=shuffle, checkpoint=path, callbacks=killing(5))
    for row in range(0, 200, 20):
        other = X.copy()
        other[row] += 1
        with pytest.raises(ValueError, match="X, of shape"):
            fastmlp.resume(path, other, TWO)
    with pytest.raises(ValueError, match="validation is given"):
        fastmlp.resume(path, X, TWO, validation=(X, TWO))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"X": X + 1, "y": WORDS}, "X, of shape"),
        ({"X": X, "y": WORDS[::-1]}, "y, of shape"),
        ({"X": X, "y": np.where(WORDS == "yes", "no", "perhaps")}, "classes"),
        ({"X": X, "y": WORDS, "sample_weight": WEIGHTS}, "when the fit began it was not given"),
        ({"X": X, "y": WORDS, "validation": (X, WORDS)}, "when the fit began it was not given"),
    ],
)
def test_other_data_are_refused_for_an_estimator(stopped_estimator, arguments, said):
    before = stopped_estimator.read_bytes()
    with pytest.raises(ValueError, match=said):
        fastmlp.resume(stopped_estimator, **arguments)
    assert stopped_estimator.read_bytes() == before


def test_a_fit_that_has_not_ended_is_not_written_over(stopped):
    before = stopped.read_bytes()
    for model in (new_net(), MLPClassifier()):
        with pytest.raises(FileExistsError, match="has not ended"):
            model.fit(X, TWO, checkpoint=stopped)
    assert stopped.read_bytes() == before
    fastmlp.resume(stopped, X, TWO, sample_weight=WEIGHTS, validation=(X[:9], TWO[:9]))
    new_net().fit(X, TWO, epochs=1, checkpoint=stopped)  # it was over


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("kind", ["net", "estimator"])
def test_of_two_fits_that_begin_at_once_on_one_path_one_goes_on(tmp_path, monkeypatch, kind, links):
    def no_link(source, target):
        raise PermissionError(1, "Operation not permitted")  # as of a FAT file system

    if not links:
        monkeypatch.setattr(os, "link", no_link)
    path, other = tmp_path / "run", new_net()
    model = new_net() if kind == "net" else MLPClassifier((4,), max_iter=9).fit(X, TWO)
    described = checkpoints.Checkpoints.write

    def late(self, *arguments, **more):
        """The other one begins after this one has looked for a file, and before it writes its first."""
        monkeypatch.undo()
        if not links:
            monkeypatch.setattr(os, "link", no_link)
        with pytest.raises(Killed):
            other.fit(X, TWO, epochs=9, checkpoint=path, checkpoint_every=1, callbacks=killing(3))
        described(self, *arguments, **more)

    before = bits(model)
    monkeypatch.setattr(checkpoints.Checkpoints, "write", late)
    with pytest.raises(FileExistsError, match="a fit has not ended"):
        model.fit(X, TWO, checkpoint=path)
    assert bits(model) == before
    assert os.listdir(tmp_path) == ["run"]
    assert fastmlp.resume(path, X, TWO).history.epochs == 9


def test_of_many_processes_that_begin_at_once_on_one_path_one_goes_on(tmp_path):
    path, results = tmp_path / "run", FORK.Queue()
    start, end = FORK.Barrier(6), FORK.Barrier(6)

    def begin(seed):
        net = fastmlp.MLP([5, 4, 1], output="sigmoid", seed=seed)
        start.wait(60)
        try:
            net.fit(X, TWO, epochs=1, checkpoint=path, callbacks=lambda net, history: end.wait(60) < 0)
            results.put(seed)
        except FileExistsError:
            end.wait(60)  # until then the fit of the other one is not over
            results.put(None)

    processes = [FORK.Process(target=begin, args=(seed,)) for seed in range(6)]
    for process in processes:
        process.start()
    ended = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    (seed,) = [one for one in ended if one is not None]
    alone = fastmlp.MLP([5, 4, 1], output="sigmoid", seed=seed)
    alone.fit(X, TWO, epochs=1)
    assert bits(fastmlp.load(path)) == bits(alone)
    assert os.listdir(tmp_path) == ["run"]


def test_a_fit_that_diverged_is_over_and_says_so(tmp_path):
    path = tmp_path / "run"

    model = MLPRegressor(hidden_layer_sizes=(4,), solver="sgd", learning_rate_init=0.5, max_iter=9, random_state=0)
    with pytest.raises(ValueError, match="non-finite"):
        model.fit(X, 9 * NUMBERS[:, 0], checkpoint=path, checkpoint_every=1)
    with pytest.raises(ValueError, match=r"run: the fit has diverged.*fastmlp\.load gives") as caught:
        fastmlp.resume(path, X, 9 * NUMBERS[:, 0])
    assert not isinstance(caught.value, LoadError)
    assert len(fastmlp.load(path).loss_curve_) < 9
    assert "has diverged: Solver produced" in output_of("-m", "fastmlp", "info", str(path))
    new_net().fit(X, TWO, epochs=1, checkpoint=path)  # it was over
    assert bits(fastmlp.resume(path, X, TWO)) == bits(fastmlp.load(path))


def test_a_fit_whose_callback_failed_goes_on(tmp_path):
    path = tmp_path / "run"

    def fails(model, history):
        if history.epochs == 3:
            raise ValueError("of the callback")

    parameters = {"hidden_layer_sizes": (4,), "max_iter": 9, "random_state": 0}
    with pytest.raises(ValueError, match="of the callback"):
        MLPClassifier(**parameters, callbacks=fails).fit(X, TWO, checkpoint=path, checkpoint_every=1)
    assert bits(fastmlp.resume(path, X, TWO)) == bits(MLPClassifier(**parameters).fit(X, TWO))


def test_a_file_of_something_else_is_not_written_over(tmp_path):
    path = tmp_path / "thesis.txt"
    path.write_text("Introduction")
    with pytest.raises(FileExistsError, match=r"no file of fastmlp's"):
        new_net().fit(X, TWO, checkpoint=path)
    assert path.read_text() == "Introduction"
    new_net().save(tmp_path / "net")
    with pytest.raises(FileExistsError, match="holds no fit"):
        new_net().fit(X, TWO, checkpoint=tmp_path / "net")


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"checkpoint_every": 3}, ValueError, "without checkpoint"),
        ({"checkpoint": 3}, TypeError, "path is 3"),
        ({"checkpoint": "", "checkpoint_every": 0}, ValueError, "checkpoint_every"),
        ({"checkpoint": "", "checkpoint_every": -1.0}, ValueError, "checkpoint_every"),
        ({"checkpoint": "", "checkpoint_every": np.nan}, ValueError, "checkpoint_every"),
        ({"checkpoint": "", "checkpoint_every": True}, TypeError, "checkpoint_every is True"),
        ({"checkpoint": "", "checkpoint_every": "1"}, TypeError, "checkpoint_every"),
    ],
)
def test_arguments_that_cannot_act_are_refused_and_nothing_has_changed(tmp_path, arguments, error, said):
    if arguments.get("checkpoint") == "":
        arguments = arguments | {"checkpoint": tmp_path / "run"}
    net, model = new_net(), MLPRegressor(hidden_layer_sizes=(3,), max_iter=3, random_state=0).fit(X, TWO)
    for one in (net, model):
        before = bits(one)
        with pytest.raises(error, match=said):
            one.fit(X, TWO, **arguments)
        assert bits(one) == before
    assert os.listdir(tmp_path) == []
    with pytest.raises(ValueError, match="checkpoint"):
        fastmlp.fit_many([net], X, TWO, **arguments)


def test_what_a_checkpoint_cannot_hold_is_refused(tmp_path):
    path = tmp_path / "run"
    with pytest.raises(TypeError, match="schedule is <function"):
        new_net().fit(X, TWO, schedule=lambda t: 1 - t, checkpoint=path)
    with pytest.raises(TypeError, match="metric is <function"):
        new_net().fit(X, TWO, validation=0.2, metric=lambda y, outputs: 1.0, checkpoint=path)
    for parameters, error, said in (
        ({"solver": "lbfgs"}, ValueError, "lbfgs"),
        ({"schedule": lambda t: 1 - t}, TypeError, "schedule is"),
        ({"eval_metric": lambda model, X, y: 1.0}, TypeError, "eval_metric is"),
        ({"random_state": np.random.RandomState(np.random.PCG64())}, TypeError, "random_state is"),
    ):
        with pytest.raises(error, match=said):
            MLPRegressor(hidden_layer_sizes=(3,), **parameters).fit(X, TWO, eval_set=(X, TWO), checkpoint=path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("kind", ["net", "estimator"])
def test_a_disk_that_fills_up_later_costs_no_training(tmp_path, monkeypatch, kind):
    whole, model = (new_net() if kind == "net" else MLPClassifier((4,), max_iter=6, random_state=0) for _ in range(2))
    epochs = {"epochs": 6} if kind == "net" else {}
    whole.fit(X, TWO, **epochs)
    path, real = tmp_path / "run", os.fsync
    calls = []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) > 4:  # two for each checkpoint
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.warns(RuntimeWarning, match="no checkpoint could be written after epoch 2.*No space left"):
        model.fit(X, TWO, checkpoint=path, checkpoint_every=1, **epochs)
    assert bits(model) == bits(whole)
    assert os.listdir(tmp_path) == ["run"]
    monkeypatch.undo()
    assert bits(fastmlp.resume(path, X, TWO)) == bits(whole)
    monkeypatch.setattr(os, "fsync", full)
    fresh = new_net()
    before = bits(fresh)
    with pytest.raises(OSError, match="No space left"):
        fresh.fit(X, TWO, checkpoint=tmp_path / "another")
    assert bits(fresh) == before


def test_a_file_without_a_fit_is_said_to_have_none(tmp_path):
    new_net().save(tmp_path / "net")
    with pytest.raises(LoadError, match="no fit to go on with"):
        fastmlp.resume(tmp_path / "net", X, TWO)
    with pytest.raises(FileNotFoundError):
        fastmlp.resume(tmp_path / "none", X, TWO)


def test_another_build_is_said(stopped):
    other = next(build for build in fastmlp.builds.available() if build != fastmlp.builds.current())
    with fastmlp.builds.forced(other), pytest.warns(RuntimeWarning, match="with other last bits"):
        fastmlp.resume(stopped, X, TWO, sample_weight=WEIGHTS, validation=(X[:9], TWO[:9]))


TAMPERED = [
    ("net", "fastmlp.fit", ("arguments", "epochs"), "many"),
    ("net", "fastmlp.fit", ("arguments", "batch_size"), -1),
    ("net", "fastmlp.fit", ("arguments", "shuffle"), 3),
    ("net", "fastmlp.fit", ("arguments", "schedule"), "sgd"),
    ("net", "fastmlp.fit", ("arguments", "schedule"), 5),
    ("net", "fastmlp.fit", ("arguments", "validation"), 1.5),
    ("net", "fastmlp.fit", ("arguments", "patience"), []),
    ("net", "fastmlp.fit", ("arguments", "max_time"), "x"),
    ("net", "fastmlp.fit", ("fingerprints", "X"), [1, 2]),
    ("net", "fastmlp.fit", ("failure",), 3),
    ("estimator", "fastmlp.fit", ("best",), 0.5),
    ("estimator", "fastmlp.fit", ("held_out",), None),
    ("estimator", "fastmlp", ("attributes", "best_validation_score_"), None),
    ("estimator", "fastmlp", ("attributes", "loss_curve_"), None),
    ("estimator", "fastmlp", ("attributes", "_scores_of"), "minus poisson"),
    ("estimator", "fastmlp", ("parameters", "hidden_layer_sizes"), {"tuple": ["x"]}),
    ("estimator", "fastmlp", ("parameters", "hidden_layer_sizes"), {"tuple": [5]}),
    ("estimator", "fastmlp", ("parameters", "early_stopping"), False),
    ("estimator", "fastmlp", ("parameters", "eval_metric"), "sgd"),
    ("estimator", "fastmlp", ("parameters", "dropout"), [1, 2]),
    ("estimator", "fastmlp", ("parameters", "scale"), "standard"),
    ("estimator", "fastmlp", ("parameters", "solver"), "lbfgs"),
    ("estimator", "fastmlp", ("parameters", "weight_decay"), 1),
    ("estimator", "fastmlp", ("training", "rate", "learning_rate"), 0),
]


@pytest.mark.parametrize(("kind", "key", "place", "value"), TAMPERED)
def test_a_file_that_was_changed_by_hand_is_a_load_error(stopped, stopped_estimator, kind, key, place, value):
    path = stopped if kind == "net" else stopped_estimator
    y, again = (TWO, {"sample_weight": WEIGHTS, "validation": (X[:9], TWO[:9])}) if kind == "net" else (WORDS, {})
    contents = read(path)
    said = json.loads(contents.metadata[key])
    table = said
    for name in place[:-1]:
        table = table[name]
    assert place[-1] in table or place == ("failure",)
    table[place[-1]] = value
    contents.metadata[key] = json.dumps(said)
    write(path, contents)
    with pytest.raises(LoadError, match=path.name):
        fastmlp.resume(path, X, y, **again)


def test_what_the_caller_gives_wrongly_is_no_fault_of_the_file(stopped):
    for wrong, error in (
        ({"callbacks": 3}, TypeError),
        ({"batch_callbacks": [3]}, TypeError),
        ({"threads": 0}, ValueError),
        ({"progress": "bar"}, ValueError),
        ({"validation": 0.5}, TypeError),
        ({"sample_weight": WEIGHTS[:-1]}, ValueError),
    ):
        given = {"sample_weight": WEIGHTS, "validation": (X[:9], TWO[:9])} | wrong
        with pytest.raises(error, match=next(iter(wrong))) as caught:
            fastmlp.resume(stopped, X, TWO, **given)
        assert not isinstance(caught.value, LoadError)


@pytest.mark.parametrize("kind", ["net", "estimator"])
def test_damage_behind_the_digest_is_an_error_or_a_fit(stopped, stopped_estimator, kind, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # which takes most of the time
    path = stopped if kind == "net" else stopped_estimator
    rng, good = np.random.default_rng(0), path.read_bytes()
    y, again = (TWO, {"sample_weight": WEIGHTS, "validation": (X[:9], TWO[:9])}) if kind == "net" else (WORDS, {})
    refused = 0
    for _ in range(400):
        path.write_bytes(good)
        contents = read(path)
        text = bytearray(contents.metadata["fastmlp.fit"].encode())
        for _ in range(rng.integers(1, 3)):
            text[rng.integers(len(text))] = rng.choice(bytearray(b'0123456789"{}[]:,.-entrufals'))
        contents.metadata["fastmlp.fit"] = text.decode()
        write(path, Contents(contents.tensors, contents.metadata))
        try:
            resumed = fastmlp.resume(path, X, y, **again)
        except ValueError:  # a LoadError, or that the data are others
            refused += 1
        except RuntimeWarning:  # of another build, or of a rate with which it diverges
            continue
        else:
            assert np.isfinite(np.frombuffer(bits(resumed), np.float32 if kind == "net" else np.float64)).all()
    assert refused > 100
