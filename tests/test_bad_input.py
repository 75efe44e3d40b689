"""Bad input to a call of a net or a perceptron gives one clear error and changes nothing.

Each row of a table is one call and the words its message must hold: the argument, what came, what was expected. Not
here: nets that cannot be made (test_bad_nets.py), and odd input that is taken (test_odd_input.py).
"""

import numpy as np
import pandas as pd
import pytest

import fastmlp
from bad_arguments import FINITE, SIGNS, X, Y, changed, classifier, read_only, refuses, regression, yes_or_no

BAD_X = {
    "one column too few": (X[:, :3], [r"\bX\b", r"\b3\b", r"\b4\b"]),
    "one column too many": (np.ones((6, 5)), [r"\bX\b", r"\b5\b", r"\b4\b"]),
    "three dimensions": (np.ones((6, 4, 1)), [r"\bX\b", r"\(6, 4, 1\)|\b3\b", r"\b4\b"]),
    "no dimension": (np.float64(3.0), [r"\bX\b"]),
    "no rows": (np.empty((0, 4)), [r"\bX\b", r"(?i)empty"]),
    "an empty list": ([], [r"\bX\b"]),
    "nan": (changed(X, (2, 1), np.nan), [r"\bX\b", FINITE]),
    "infinity": (changed(X, (5, 3), np.inf), [r"\bX\b", FINITE]),
    "minus infinity in the first entry": (changed(X, (0, 0), -np.inf), [r"\bX\b", FINITE]),
    "a number too large for float32": (changed(X, (2, 1), 1e300), [r"\bX\b", FINITE]),
    "complex": (X.astype(complex), [r"\bX\b", r"complex"]),
    "objects": (X.astype(object), [r"\bX\b", r"object"]),
    "text": (X.astype(str), [r"\bX\b", r"(?i)str|<U|text"]),
    "masked": (np.ma.masked_greater(X, 0.5), [r"\bX\b", r"(?i)mask"]),
    "dates": (np.zeros((6, 4), "datetime64[s]"), [r"\bX\b", r"datetime64"]),
    "None": (None, [r"\bX\b"]),
    "a dict": ({"a": 1}, [r"\bX\b"]),
    "a ragged list": ([[1.0, 2.0, 3.0, 4.0], [1.0]], [r"\bX\b"]),
    "a data frame with a column of text": (
        pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"], "c": [0.0, 0.0], "d": [0.0, 0.0]}),
        [r"\bX\b", r"object|str"],
    ),
}


@pytest.mark.parametrize("name", list(BAD_X))
def test_predict_and_classify_refuse_a_bad_x(name):
    bad, words = BAD_X[name]
    for net in (regression(), classifier()):
        refuses(lambda net=net: net.predict(bad), *words, net=net)
    net = classifier()
    refuses(lambda: net.classify(bad), *words, net=net)


@pytest.mark.parametrize("name", list(BAD_X))
def test_fit_evaluate_and_gradient_refuse_a_bad_x(name):
    bad, words = BAD_X[name]
    for call in ("fit", "evaluate", "gradient"):
        net = regression()
        refuses(lambda net=net, call=call: getattr(net, call)(bad, Y), *words, net=net)


def test_predict_refuses_a_single_sample_of_the_wrong_length_or_not_finite():
    net = regression()
    refuses(lambda: net.predict(np.ones(3)), r"\bX\b", r"\b3\b", r"\b4\b", net=net)
    refuses(lambda: net.predict(np.array([1.0, np.nan, 1.0, 1.0])), r"\bX\b", FINITE, net=net)
    refuses(lambda: net.predict([1.0, 2.0, 1e300, 1.0]), r"\bX\b", FINITE, net=net)
    refuses(lambda: net.predict(np.empty(0)), r"\bX\b", net=net)


def test_a_masked_array_is_refused_by_predict_too():
    net = regression()
    masked = np.ma.array(np.ones((1, 4), "float32"), mask=[[True, False, False, False]])
    refuses(lambda: net.predict(masked), r"\bX\b", "masked", net=net)


BAD_Y = {
    "too few rows": (Y[:5], [r"\by\b", r"\b5\b", r"\b6\b"]),
    "too many rows": (np.ones((7, 3)), [r"\by\b", r"\b7\b", r"\b6\b"]),
    "too few columns": (Y[:, :2], [r"\by\b", r"\b2\b", r"\b3\b"]),
    "one dimension for three outputs": (Y[:, 0], [r"\by\b", r"\b3\b"]),
    "transposed": (Y.T, [r"\by\b", r"\(3, 6\)", r"\b6\b"]),
    "three dimensions": (Y[:, :, None], [r"\by\b"]),
    "no dimension": (1.0, [r"\by\b"]),
    "nan": (changed(Y, (2, 1), np.nan), [r"\by\b", FINITE]),
    "infinity": (changed(Y, (2, 1), np.inf), [r"\by\b", FINITE]),
    "a number too large for float32": (changed(Y, (2, 1), 1e300), [r"\by\b", FINITE]),
    "complex": (Y.astype(complex), [r"\by\b", r"complex"]),
    "objects": (Y.astype(object), [r"\by\b", r"object"]),
    "text": (Y.astype(str), [r"\by\b", r"(?i)str|<U|text"]),
    "None": (None, [r"\by\b"]),
}


@pytest.mark.parametrize("name", list(BAD_Y))
def test_fit_evaluate_and_gradient_refuse_bad_targets(name):
    bad, words = BAD_Y[name]
    for call in ("fit", "evaluate", "gradient"):
        net = regression()
        refuses(lambda net=net, call=call: getattr(net, call)(X, bad), *words, net=net)


LABELS = np.array([0, 1, 2, 2, 1, 0])
BAD_LABELS = {
    "a class too many": (changed(LABELS, 2, 3), [r"\by\b", r"\b3\b", r"\b2\b|\b3 classes"]),
    "negative": (changed(LABELS, 2, -1), [r"\by\b", r"-1"]),
    "beyond 32 bits": (changed(LABELS, 2, 2**40), [r"\by\b", str(2**40)]),
    "beyond 64 bits": (changed(LABELS, 2, 2**63 + 1, np.uint64), [r"\by\b", str(2**63 + 1)]),
    "not whole": (changed(LABELS, 2, 1.5, float), [r"\by\b", r"1\.5|(?i:integer)"]),
    "nan": (changed(LABELS, 2, np.nan, float), [r"\by\b", r"(?i)finite|nan|integer"]),
    "infinity": (changed(LABELS, 2, np.inf, float), [r"\by\b", r"(?i)finite|inf|integer"]),
    "too few": (LABELS[:5], [r"\by\b", r"\b5\b", r"\b6\b"]),
    "text": (LABELS.astype(str), [r"\by\b", r"(?i)str|<U|text"]),
    "objects": (LABELS.astype(object), [r"\by\b", r"object"]),
    "complex": (LABELS.astype(complex), [r"\by\b", r"complex"]),
    "a column": (np.eye(2)[LABELS % 2], [r"\by\b", r"\b3\b"]),
    "a negative probability": (changed(np.eye(3)[LABELS], (1, 0), -0.5), [r"\by\b", r"-0\.5|(?i:negative)"]),
    "nan among probabilities": (changed(np.eye(3)[LABELS], (1, 0), np.nan), [r"\by\b", FINITE]),
}


@pytest.mark.parametrize("name", list(BAD_LABELS))
def test_a_softmax_net_refuses_bad_labels(name):
    bad, words = BAD_LABELS[name]
    for call in ("fit", "evaluate", "gradient"):
        net = classifier()
        refuses(lambda net=net, call=call: getattr(net, call)(X, bad), *words, net=net)


def test_labels_of_text_point_to_numbering_them():
    refuses(
        lambda: classifier().fit(X, np.array(["a", "b", "c", "a", "b", "c"])),
        r"\by\b",
        r"(?i)integer|number|0",
    )


@pytest.mark.parametrize("value", [-0.1, 1.1, 2.0, -1.0])
def test_binary_cross_entropy_refuses_targets_outside_0_and_1(value):
    for y in (changed(np.zeros(6), 3, value), changed(np.zeros((6, 1)), (3, 0), value)):
        for call in ("fit", "evaluate", "gradient"):
            net = yes_or_no()
            refuses(lambda net=net, call=call, y=y: getattr(net, call)(X, y), r"\by\b", r"\b0\b.*\b1\b", net=net)


def test_poisson_refuses_negative_targets():
    for call in ("fit", "evaluate", "gradient"):
        net = fastmlp.MLP([4, 5, 3], output="exponential", seed=0)
        refuses(lambda net=net, call=call: getattr(net, call)(X, Y), r"\by\b", r"poisson", r">= 0", net=net)


BAD_WEIGHTS = {
    "too few": (np.ones(5), [r"sample_weight", r"\b5\b", r"\b6\b"]),
    "two dimensions": (np.ones((6, 1)), [r"sample_weight", r"\(6, 1\)|\b2\b"]),
    "negative": (changed(np.ones(6), 2, -1.0), [r"sample_weight", r"(?i)negative|-1|>= 0|at least 0"]),
    "nan": (changed(np.ones(6), 2, np.nan), [r"sample_weight", FINITE]),
    "infinity": (changed(np.ones(6), 2, np.inf), [r"sample_weight", FINITE]),
    "all zero": (np.zeros(6), [r"sample_weight", r"(?i)zero|0|positive"]),
    "text": (np.ones(6).astype(str), [r"sample_weight"]),
    "complex": (np.ones(6, complex), [r"sample_weight", r"complex"]),
    "one number": (2.0, [r"sample_weight"]),
}


@pytest.mark.parametrize("name", list(BAD_WEIGHTS))
def test_fit_evaluate_and_gradient_refuse_bad_sample_weights(name):
    bad, words = BAD_WEIGHTS[name]
    for call in ("fit", "evaluate", "gradient"):
        net = regression()
        refuses(lambda net=net, call=call: getattr(net, call)(X, Y, sample_weight=bad), *words, net=net)


BAD_FIT = {
    "negative epochs": ({"epochs": -1}, [r"epochs", r"-1"]),
    "half an epoch": ({"epochs": 1.5}, [r"epochs", r"1\.5"]),
    "epochs as text": ({"epochs": "3"}, [r"epochs"]),
    "batch_size zero": ({"batch_size": 0}, [r"batch_size", r"\b0\b"]),
    "batch_size negative": ({"batch_size": -4}, [r"batch_size", r"-4"]),
    "batch_size not whole": ({"batch_size": 2.5}, [r"batch_size", r"2\.5"]),
    "batch_size as text": ({"batch_size": "all"}, [r"batch_size", r"all"]),
    "unknown optimizer": ({"optimizer": "adm"}, [r"optimizer", r"'adm'", r"(?i)\badam\b", r"(?i)\bsgd\b"]),
    "a number for an optimizer": ({"optimizer": 0.1}, [r"optimizer", r"0\.1|float"]),
    "no optimizer": ({"optimizer": None}, [r"optimizer", r"None"]),
    "shuffle as text": ({"shuffle": "no"}, [r"shuffle", r"no"]),
    "progress as text": ({"progress": "no"}, [r"progress", r"no"]),
    "the class of an optimizer": ({"optimizer": fastmlp.Adam}, [r"optimizer"]),
    "validation of everything": ({"validation": 1.0}, [r"validation", r"1\.0"]),
    "validation of more than everything": ({"validation": 1.5}, [r"validation", r"1\.5"]),
    "validation of less than nothing": ({"validation": -0.2}, [r"validation", r"-0\.2"]),
    "validation nan": ({"validation": float("nan")}, [r"validation", r"nan"]),
    "validation without targets": ({"validation": (X,)}, [r"validation"]),
    "validation as text": ({"validation": "some"}, [r"validation"]),
    "validation with too few columns": ({"validation": (X[:, :3], Y)}, [r"validation", r"\b3\b", r"\b4\b"]),
    "validation with too few targets": ({"validation": (X, Y[:5])}, [r"validation", r"\b5\b", r"\b6\b"]),
    "validation with nan": ({"validation": (changed(X, (0, 0), np.nan), Y)}, [r"validation", FINITE]),
    "validation of no rows": ({"validation": (X[:0], Y[:0])}, [r"validation", r"(?i)empty"]),
    "patience zero": ({"patience": 0}, [r"patience", r"\b0\b"]),
    "patience negative": ({"patience": -1}, [r"patience", r"-1"]),
    "patience not whole": ({"patience": 2.5}, [r"patience", r"2\.5"]),
    "tol negative": ({"tol": -1e-3}, [r"tol", r"-0\.001"]),
    "tol nan": ({"tol": float("nan")}, [r"tol", r"nan"]),
    "tol as text": ({"tol": "small"}, [r"tol"]),
    "a callback that is none": ({"callbacks": [3]}, [r"callback", r"(?i)callable|function"]),
    "threads zero": ({"threads": 0}, [r"threads", r"\b0\b"]),
    "threads negative": ({"threads": -2}, [r"threads", r"-2"]),
    "threads not whole": ({"threads": 1.5}, [r"threads", r"1\.5"]),
}


@pytest.mark.parametrize("name", list(BAD_FIT))
def test_fit_refuses_bad_options(name):
    options, words = BAD_FIT[name]
    net = regression()
    refuses(lambda: net.fit(X, Y, **options), *words, net=net)
    net.fit(X, Y, epochs=1)


def test_no_epochs_are_refused():
    net = regression()
    refuses(lambda: net.fit(X, Y, epochs=0), "epochs", "expected", net=net)


def test_nothing_has_changed_after_an_error_and_training_goes_on_as_if_it_had_not_been():
    disturbed, calm = regression(), regression()
    for net in (disturbed, calm):
        net.fit(X, Y, epochs=2, batch_size=2)
    for options in (
        {"batch_size": 0},
        {"validation": 2.0},
        {"optimizer": "x"},
        {"sample_weight": np.ones(3)},
    ):
        refuses(lambda options=options: disturbed.fit(X, Y, **options), net=disturbed)
    refuses(lambda: disturbed.fit(changed(X, (5, 3), np.nan), Y), net=disturbed)
    for net in (disturbed, calm):
        net.fit(X, Y, epochs=2, batch_size=2)
    assert disturbed.parameters.tobytes() == calm.parameters.tobytes()


BAD_OUT = {
    "too few rows": np.empty((5, 3), np.float32),
    "too few columns": np.empty((6, 2), np.float32),
    "one dimension": np.empty(18, np.float32),
    "the other precision": np.empty((6, 3), np.float64),
    "integers": np.empty((6, 3), np.int32),
    "Fortran order": np.empty((6, 3), np.float32, order="F"),
    "strided": np.empty((6, 6), np.float32)[:, ::2],
    "read-only": read_only(np.empty((6, 3), np.float32)),
    "big-endian": np.empty((6, 3), ">f4"),
    "a list": [[0.0] * 3] * 6,
}


@pytest.mark.parametrize("name", list(BAD_OUT))
def test_predict_refuses_a_bad_out(name):
    net, out = regression(), BAD_OUT[name]
    before = np.array(out, copy=True)
    refuses(lambda: net.predict(X, out=out), r"\bout\b", net=net)
    np.testing.assert_array_equal(np.array(out), before)


def test_predict_of_one_sample_refuses_a_bad_out():
    net = regression()
    for out in (
        np.empty(2, np.float32),
        np.empty((1, 3), np.float32),
        np.empty(3),
        np.empty(6, np.float32)[::2],
    ):
        refuses(lambda out=out: net.predict(X[0], out=out), r"\bout\b", net=net)


def test_an_out_that_is_part_of_the_net_is_refused():
    net = fastmlp.MLP([4, 4], bias=False, seed=0)
    refuses(lambda: net.predict(np.eye(4, dtype="float32"), out=net.weights[0]), "out", "parameters", net=net)


def test_classify_refuses_a_bad_threshold():
    net = yes_or_no()
    for threshold in (-0.1, 1.5, float("nan"), "half", None):
        refuses(lambda threshold=threshold: net.classify(X, threshold=threshold), r"threshold", net=net)


def test_classify_refuses_a_net_of_one_output_that_is_no_probability():
    net = fastmlp.MLP([4, 5, 1], seed=0)
    refuses(lambda: net.classify(X), r"(?i)classify|output", r"identity", r"sigmoid", net=net)


def test_numbers_too_large_for_the_core_are_refused_by_name():
    net, X = regression(), np.zeros((5, 4))
    refuses(lambda: net.fit(X, np.zeros((5, 3)), batch_size=2**63), "batch_size", "expected", net=net)
    refuses(lambda: net.fit(X, np.zeros((5, 3)), threads=2**40), "threads", "expected", net=net)
    refuses(lambda: fastmlp.set_num_threads(2**40), r"\bn\b", "expected")
    refuses(lambda: fastmlp.MLP([2**31, 4]), r"sizes\[0\]", "expected")
    refuses(lambda: fastmlp.MLP([2**30, 2**30]), "sizes", "parameters")
    refuses(lambda: fastmlp.SGD(10**400), "learning_rate", "expected")


@pytest.mark.parametrize(("name", "value"), [("beta_1", 1 - 1e-12), ("beta_2", 1 - 1e-12), ("epsilon", 1e-40)])
def test_a_hyperparameter_that_float32_rounds_away_is_refused_there_and_not_in_float64(name, value):
    X, y, optimizer = np.eye(4), np.eye(4)[:, :3], fastmlp.Adam(**{name: value})
    net = regression()
    refuses(lambda: net.fit(X, y, optimizer=optimizer), name, "float32", net=net)
    history = fastmlp.MLP([4, 3], dtype="float64", seed=0).fit(X, y, epochs=2, optimizer=optimizer)
    assert history.stop_reason == "epochs"


def test_outputs_and_losses_beyond_the_range_of_the_dtype_warn():
    net = fastmlp.MLP.from_parameters([np.full((2, 1), 1e20)])
    X = np.full((3, 2), 1e30, "float32")
    with pytest.warns(RuntimeWarning, match="float32"):
        assert np.isinf(net.predict(X)).all()
    with pytest.warns(RuntimeWarning, match="float32"):
        assert np.isinf(net.evaluate(X, np.zeros(3)))


BAD_PERCEPTRONS = {
    "labels of three kinds": (
        lambda: fastmlp.Perceptron().fit(X, changed(SIGNS, 0, 2)),
        [r"\by\b", r"\b2\b", r"-1"],
    ),
    "labels with nan": (lambda: fastmlp.Perceptron().fit(X, changed(SIGNS, 0, np.nan, float)), [r"\by\b"]),
    "too few labels": (lambda: fastmlp.Perceptron().fit(X, SIGNS[:5]), [r"\by\b", r"\b5\b", r"\b6\b"]),
    "labels of two columns": (lambda: fastmlp.Perceptron().fit(X, np.ones((6, 2))), [r"\by\b", r"\(6, 2\)"]),
    "X of one dimension": (lambda: fastmlp.Perceptron().fit(X[:, 0], SIGNS), [r"\bX\b", r"\(6,\)|\b1\b"]),
    "X with nan": (lambda: fastmlp.Perceptron().fit(changed(X, (0, 0), np.nan), SIGNS), [r"\bX\b", FINITE]),
    "X complex": (lambda: fastmlp.Perceptron().fit(X.astype(complex), SIGNS), [r"\bX\b", r"complex"]),
    "X of objects": (lambda: fastmlp.Perceptron().fit(X.astype(object), SIGNS), [r"\bX\b", r"object"]),
    "X empty": (lambda: fastmlp.Perceptron().fit(X[:0], SIGNS[:0]), [r"\bX\b", r"(?i)empty"]),
    "a rate of zero": (lambda: fastmlp.Perceptron(learning_rate=0.0), [r"learning_rate", r"0\.0"]),
    "a negative rate": (lambda: fastmlp.Perceptron(learning_rate=-1.0), [r"learning_rate", r"-1"]),
    "a rate of nan": (lambda: fastmlp.Perceptron(learning_rate=float("nan")), [r"learning_rate", r"nan"]),
    "no passes": (lambda: fastmlp.Perceptron(max_epochs=0), [r"max_epochs", r"\b0\b"]),
    "half a pass": (lambda: fastmlp.Perceptron(max_epochs=1.5), [r"max_epochs", r"1\.5"]),
    "predict with too few columns": (
        lambda: fastmlp.Perceptron().fit(X, SIGNS).predict(X[:, :3]),
        [r"\bX\b", r"\b3\b", r"\b4\b"],
    ),
    "predict with nan": (
        lambda: fastmlp.Perceptron().fit(X, SIGNS).predict(changed(X, (0, 0), np.nan)),
        [r"\bX\b", FINITE],
    ),
    "predict of nothing": (
        lambda: fastmlp.Perceptron().fit(X, SIGNS).predict(X[:0]),
        [r"\bX\b", r"(?i)empty"],
    ),
}


@pytest.mark.parametrize("name", list(BAD_PERCEPTRONS))
def test_a_perceptron_refuses_what_it_cannot_take(name):
    call, words = BAD_PERCEPTRONS[name]
    refuses(call, *words)


def test_a_perceptron_that_has_not_been_fitted_says_so():
    with pytest.raises((ValueError, AttributeError, RuntimeError), match="fit"):
        fastmlp.Perceptron().predict(X)


def test_a_refused_fit_leaves_the_perceptron_as_it_was():
    perceptron = fastmlp.Perceptron(max_epochs=50).fit(X, SIGNS)
    weights, bias, mistakes = perceptron.weights.copy(), perceptron.bias, list(perceptron.mistakes)
    refuses(lambda: perceptron.fit(X, LABELS))
    assert perceptron.weights.tobytes() == weights.tobytes()
    assert (perceptron.bias, list(perceptron.mistakes)) == (bias, mistakes)


def test_a_number_of_threads_that_cannot_be_is_refused():
    before = fastmlp.get_num_threads()
    for bad in (0, -1, 1.5, "two", True):
        refuses(lambda bad=bad: fastmlp.set_num_threads(bad), r"(?i)\bn\b|threads")
    assert fastmlp.get_num_threads() == before
