"""Bad input gives one clear error and changes nothing; odd but good input gives what the plain array
gives.

Each row of a table is one call and the words its message must hold: the argument, what came, what was
expected.
"""

import re
import warnings

import numpy as np
import pandas as pd
import pytest

import fastmlp
from fastmlp import formulas

X = np.random.default_rng(0).normal(size=(6, 4))
Y = np.random.default_rng(1).normal(size=(6, 3))
LABELS = np.array([0, 1, 2, 2, 1, 0])


def regression(dtype="float32", **options):
    return fastmlp.MLP([4, 5, 3], activation="tanh", dtype=dtype, seed=0, **options)


def classifier(dtype="float32"):
    return fastmlp.MLP([4, 5, 3], activation="tanh", output="softmax", dtype=dtype, seed=0)


def yes_or_no(dtype="float32"):
    return fastmlp.MLP([4, 5, 1], activation="tanh", output="sigmoid", dtype=dtype, seed=0)


def changed(array, index, value, dtype=None):
    copy = np.array(array, dtype=dtype)
    copy[index] = value
    return copy


def refuses(call, *words, net=None):
    """`call` raises a ValueError or TypeError that holds every pattern; the parameters of `net` stay."""
    before = None if net is None else net.parameters.copy()
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    message = str(caught.value)
    for word in words:
        assert re.search(word, message), f"no {word!r} in: {message}"
    if net is not None:
        assert net.parameters.tobytes() == before.tobytes(), "the parameters have changed"
    return message


FINITE = r"(?i)finite|nan|infinity"
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


def test_a_float64_net_takes_a_number_too_large_for_float32():
    net = fastmlp.MLP.from_parameters([np.ones((1, 1))], None, output="identity", dtype="float64")
    assert net.predict(np.array([[1e300]]))[0, 0] == 1e300


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


def read_only(array):
    array.flags.writeable = False
    return array


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


@pytest.mark.parametrize("sizes", [(64, 64), (5, 5, 5)])
def test_an_out_that_is_the_input_gets_the_right_outputs(sizes):
    net = fastmlp.MLP(sizes, activation="tanh", seed=0)
    batch = np.random.default_rng(0).normal(size=(70, sizes[0])).astype(np.float32)
    for rows in (batch, batch[0]):
        expected, shared = net.predict(rows.copy()), rows.copy()
        net.predict(shared, out=shared)
        np.testing.assert_array_equal(shared, expected)


def test_classify_refuses_a_bad_threshold():
    net = yes_or_no()
    for threshold in (-0.1, 1.5, float("nan"), "half", None):
        refuses(lambda threshold=threshold: net.classify(X, threshold=threshold), r"threshold", net=net)


def test_classify_refuses_a_net_of_one_output_that_is_no_probability():
    net = fastmlp.MLP([4, 5, 1], seed=0)
    refuses(lambda: net.classify(X), r"(?i)classify|output", r"identity", r"sigmoid", net=net)


def test_no_epochs_are_refused():
    net = regression()
    refuses(lambda: net.fit(X, Y, epochs=0), "epochs", "expected", net=net)


BAD_NETS = {
    "no layers": (([],), {}, [r"(?i)sizes|layers"]),
    "one layer": (([4],), {}, [r"(?i)sizes|layers"]),
    "a number": ((4,), {}, [r"(?i)sizes|layers"]),
    "text": (("4-3-1",), {}, [r"(?i)sizes|layers"]),
    "None": ((None,), {}, [r"(?i)sizes|layers"]),
    "a size of zero": (([4, 0, 3],), {}, [r"(?i)sizes|layers", r"\b0\b"]),
    "a negative size": (([4, -3, 3],), {}, [r"(?i)sizes|layers", r"-3"]),
    "no inputs": (([0, 3],), {}, [r"(?i)sizes|layers", r"\b0\b"]),
    "half a neuron": (([4, 2.5, 3],), {}, [r"(?i)sizes|layers", r"2\.5"]),
    "a size of text": (([4, "5", 3],), {}, [r"(?i)sizes|layers", r"'5'"]),
    "too few activations": (([4, 5, 6, 3],), {"activation": ["relu"]}, [r"activation", r"\b1\b", r"\b2\b"]),
    "too many activations": (
        ([4, 5, 3],),
        {"activation": ["relu", "tanh"]},
        [r"activation", r"\b2\b", r"\b1\b"],
    ),
    "activation of the wrong type": (([4, 5, 3],), {"activation": 3}, [r"activation", r"\b3\b|int"]),
    "output of the wrong type": (([4, 5, 3],), {"output": 3}, [r"output", r"\b3\b|int"]),
    "softmax in a hidden layer": (([4, 5, 3],), {"activation": "softmax"}, [r"activation", r"softmax"]),
    "step, which has no gradient": (([4, 5, 3],), {"output": "step"}, [r"output", r"'step'"]),
    "cross_entropy of identities": (
        ([4, 5, 3],),
        {"loss": "cross_entropy"},
        [r"loss", r"cross_entropy", r"identity"],
    ),
    "binary_cross_entropy of tanh": (
        ([4, 5, 3],),
        {"output": "tanh", "loss": "binary_cross_entropy"},
        [r"loss", r"binary_cross_entropy", r"tanh", r"sigmoid"],
    ),
    "poisson of relu, which may be 0": (
        ([4, 5, 3],),
        {"output": "relu", "loss": "poisson"},
        [r"loss", r"poisson", r"relu", r"exponential"],
    ),
    "huber_delta of zero": (
        ([4, 5, 3],),
        {"loss": "huber", "huber_delta": 0.0},
        [r"huber_delta", r"\b0\.0\b", r"> 0"],
    ),
    "huber_delta negative": (([4, 5, 3],), {"huber_delta": -1.0}, [r"huber_delta", r"-1\.0"]),
    "huber_delta of text": (([4, 5, 3],), {"huber_delta": "1"}, [r"huber_delta", r"'1'"]),
    "huber_delta that float32 rounds to 0": (
        ([4, 5, 3],),
        {"loss": "huber", "huber_delta": 1e-60},
        [r"huber_delta", r"1e-60", r"float64"],
    ),
    "quantile of everything": (([4, 5, 3],), {"loss": "quantile", "quantile": 1.0}, [r"quantile", r"1\.0", r"< 1"]),
    "quantile of nothing": (([4, 5, 3],), {"loss": "quantile", "quantile": 0.0}, [r"quantile", r"0\.0", r"> 0"]),
    "quantile nan": (([4, 5, 3],), {"quantile": float("nan")}, [r"quantile", r"nan"]),
    "dropout of everything": (([4, 5, 3],), {"dropout": 1.0}, [r"dropout", r"1\.0", r"< 1"]),
    "a negative dropout": (([4, 5, 6, 3],), {"dropout": [0.5, -0.1]}, [r"dropout\[1\]", r"-0\.1", r">= 0"]),
    "dropout nan": (([4, 5, 3],), {"dropout": float("nan")}, [r"dropout", r"nan"]),
    "dropout of text": (([4, 5, 3],), {"dropout": "half"}, [r"dropout", r"'half'"]),
    "dropout of None": (([4, 5, 3],), {"dropout": None}, [r"dropout", r"None"]),
    "dropout True": (([4, 5, 3],), {"dropout": True}, [r"dropout", r"True"]),
    "too many numbers of dropout": (([4, 5, 3],), {"dropout": [0.1, 0.1]}, [r"dropout", r"\b2\b", r"\b1\b"]),
    "dropout that float32 rounds to 1": (
        ([4, 5, 3],),
        {"dropout": 1 - 1e-12},
        [r"dropout", r"float64"],
    ),
    "a dtype without a core": (
        ([4, 5, 3],),
        {"dtype": "float16"},
        [r"dtype", r"float16", r"float32", r"float64"],
    ),
    "a dtype that is none": (([4, 5, 3],), {"dtype": "real"}, [r"dtype", r"real", r"float32"]),
    "negative_slope nan": (([4, 5, 3],), {"negative_slope": float("nan")}, [r"negative_slope", FINITE]),
    "negative_slope of text": (([4, 5, 3],), {"negative_slope": "steep"}, [r"negative_slope"]),
    "bias of text": (([4, 5, 3],), {"bias": "no"}, [r"bias", r"no"]),
    "a negative seed": (([4, 5, 3],), {"seed": -1}, [r"seed", r"-1"]),
    "a seed of text": (([4, 5, 3],), {"seed": "one"}, [r"seed", r"one"]),
    "a seed and a half": (([4, 5, 3],), {"seed": 1.5}, [r"seed", r"1\.5"]),
    "softmax of one neuron": (([4, 5, 1],), {"output": "softmax"}, [r"output|sizes", r"softmax", r"sigmoid"]),
    "a bool for a size": (([4, True, 3],), {}, [r"(?i)sizes|layers", r"True"]),
    "unknown init": (([4, 5, 3],), {"init": "glorto"}, [r"init", r"'glorto'", r"glorot"]),
}


@pytest.mark.parametrize("name", list(BAD_NETS))
def test_a_net_that_cannot_be_is_refused(name):
    arguments, options, words = BAD_NETS[name]
    refuses(lambda: fastmlp.MLP(*arguments, **options), *words)


def test_a_negative_slope_above_one_is_refused():
    # max(s z, z) would have the slope s on the right.
    refuses(lambda: fastmlp.MLP([1, 1], output="leaky_relu", negative_slope=2.0), "negative_slope", "<= 1")


@pytest.mark.parametrize(
    ("argument", "wrong", "nearest", "known"),
    [
        ("activation", "rleu", "relu", tuple(formulas.ACTIVATIONS)),
        ("output", "sotfmax", "softmax", formulas.OUTPUTS),
        ("loss", "half_square_error", "half_squared_error", tuple(formulas.LOSSES)),
    ],
)
def test_an_unknown_name_is_answered_with_the_known_ones_and_the_nearest(argument, wrong, nearest, known):
    message = refuses(lambda: fastmlp.MLP([4, 5, 3], **{argument: wrong}), rf"\b{argument}", rf"'{wrong}'")
    for name in known:
        assert re.search(rf"\b{name}\b", message), f"{name} is not listed: {message}"
    assert len(re.findall(rf"\b{nearest}\b", message)) >= 2, f"{nearest} is not pointed out: {message}"


def test_one_unknown_name_in_a_list_of_activations_is_found():
    refuses(
        lambda: fastmlp.MLP([4, 5, 6, 3], activation=["relu", "tanhh"]),
        r"activation",
        r"'tanhh'",
        r"\btanh\b",
    )


W1, B1, W2, B2 = np.ones((4, 5)), np.ones(5), np.ones((5, 3)), np.ones(3)
BAD_PARAMETERS = {
    "no weights": (([], []), [r"weights"]),
    "layers that do not meet": (([W1, np.ones((6, 3))], [B1, B2]), [r"weights", r"\b6\b", r"\b5\b"]),
    "a bias too short": (([W1, W2], [np.ones(4), B2]), [r"biases", r"\b4\b", r"\b5\b"]),
    "a bias of two dimensions": (([W1, W2], [B1[None, :], B2]), [r"biases", r"\(1, 5\)"]),
    "a bias too few": (([W1, W2], [B1]), [r"biases", r"\b1\b", r"\b2\b"]),
    "a bias too many": (([W1, W2], [B1, B2, B2]), [r"biases", r"\b3\b", r"\b2\b"]),
    "a weight of one dimension": (([np.ones(4), W2], [B1, B2]), [r"weights", r"\(4,\)|\b1\b"]),
    "a weight of three dimensions": (([W1[None], W2], [B1, B2]), [r"weights", r"\(1, 4, 5\)|\b3\b"]),
    "a weight of nothing": (([np.ones((4, 0)), np.ones((0, 3))], [np.ones(0), B2]), [r"weights", r"\b0\b"]),
    "nan in a weight": (([W1, changed(W2, (0, 0), np.nan)], [B1, B2]), [r"weights", FINITE]),
    "infinity in a bias": (([W1, W2], [changed(B1, 2, np.inf), B2]), [r"biases", FINITE]),
    "a weight too large for float32": (([changed(W1, (0, 0), 1e300), W2], [B1, B2]), [r"weights", FINITE]),
    "a complex weight": (([W1.astype(complex), W2], [B1, B2]), [r"weights", r"complex"]),
    "a weight of objects": (([W1.astype(object), W2], [B1, B2]), [r"weights", r"object"]),
    "text for weights": (("W", None), [r"weights"]),
    "None for weights": ((None, None), [r"weights"]),
}


@pytest.mark.parametrize("name", list(BAD_PARAMETERS))
def test_from_parameters_refuses_bad_parameters(name):
    arguments, words = BAD_PARAMETERS[name]
    refuses(lambda: fastmlp.MLP.from_parameters(*arguments, activation="tanh", dtype="float32"), *words)


def test_from_parameters_refuses_a_wrong_number_of_activations_and_unknown_names():
    refuses(
        lambda: fastmlp.MLP.from_parameters([W1, W2], [B1, B2], activation=["tanh", "tanh"]),
        r"activation",
        r"\b2\b",
        r"\b1\b",
    )
    refuses(lambda: fastmlp.MLP.from_parameters([W1, W2], [B1, B2], output="sotfmax"), r"output", r"\bsoftmax\b")


def assign(net, name, value):
    setattr(net, name, value)


def assign_item(net, name, index, value):
    getattr(net, name)[index] = value


GOOD_WEIGHTS, GOOD_BIASES = [W1, W2], [B1, B2]
BAD_ASSIGNMENTS = {
    "parameters too short": (assign, ("parameters", np.ones(42)), [r"parameters", r"\b42\b", r"\b43\b"]),
    "parameters of two dimensions": (assign, ("parameters", np.ones((1, 43))), [r"parameters", r"\(1, 43\)"]),
    "parameters with nan": (
        assign,
        ("parameters", changed(np.ones(43), 42, np.nan)),
        [r"parameters", FINITE],
    ),
    "parameters too large": (
        assign,
        ("parameters", changed(np.ones(43), 42, 1e300)),
        [r"parameters", FINITE],
    ),
    "parameters complex": (assign, ("parameters", np.ones(43, complex)), [r"parameters", r"complex"]),
    "a number for all parameters": (assign, ("parameters", 1.0), [r"parameters"]),
    "one weight too few": (assign, ("weights", [W1]), [r"weights", r"\b1\b", r"\b2\b"]),
    "a number for all weights": (assign, ("weights", 1.0), [r"weights"]),
    "the second weight of a wrong shape": (
        assign,
        ("weights", [W1, W2.T]),
        [r"weights", r"\(3, 5\)", r"\(5, 3\)"],
    ),
    "the second weight not finite": (
        assign,
        ("weights", [W1, changed(W2, (4, 2), np.nan)]),
        [r"weights", FINITE],
    ),
    "the second bias of a wrong shape": (
        assign,
        ("biases", [B1, np.ones(4)]),
        [r"biases", r"\b4\b", r"\b3\b"],
    ),
    "the second bias not finite": (assign, ("biases", [B1, changed(B2, 0, np.inf)]), [r"biases", FINITE]),
    "one weight of a wrong shape": (
        assign_item,
        ("weights", 0, W1.T),
        [r"weights", r"\(5, 4\)", r"\(4, 5\)"],
    ),
    "one weight that would broadcast": (assign_item, ("weights", 0, np.ones(5)), [r"weights", r"\(4, 5\)"]),
    "a number for one weight": (assign_item, ("weights", 0, 1.0), [r"weights", r"\(4, 5\)"]),
    "one weight not finite": (
        assign_item,
        ("weights", 1, changed(W2, (4, 2), np.nan)),
        [r"weights", FINITE],
    ),
    "one weight of objects": (assign_item, ("weights", 1, W2.astype(object)), [r"weights", r"object"]),
    "one bias of a wrong shape": (
        assign_item,
        ("biases", 1, np.ones(1)),
        [r"biases", r"\(1,\)|\b1\b", r"\b3\b"],
    ),
    "one bias not finite": (assign_item, ("biases", -1, changed(B2, 0, np.inf)), [r"biases", FINITE]),
}


@pytest.mark.parametrize("name", list(BAD_ASSIGNMENTS))
def test_a_bad_assignment_changes_nothing(name):
    how, arguments, words = BAD_ASSIGNMENTS[name]
    net = regression()
    refuses(lambda: how(net, *arguments), *words, net=net)


def test_a_weight_made_infinite_by_hand_is_not_trained_on_in_silence():
    net = regression()
    net.weights[0][0, 0] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises((ValueError, RuntimeWarning), match=r"(?i)weights|parameters|epoch 1\b"):
            net.fit(X, Y, epochs=2)


BAD_OPTIMIZERS = {
    "a negative rate": (lambda: fastmlp.SGD(-0.1), [r"learning_rate", r"-0\.1"]),
    "a rate of nan": (lambda: fastmlp.SGD(float("nan")), [r"learning_rate", r"nan"]),
    "an infinite rate": (lambda: fastmlp.SGD(float("inf")), [r"learning_rate", r"inf"]),
    "a rate of text": (lambda: fastmlp.SGD("fast"), [r"learning_rate", r"fast|str"]),
    "a rate of None": (lambda: fastmlp.SGD(None), [r"learning_rate", r"None"]),
    "a negative momentum": (lambda: fastmlp.SGD(0.1, momentum=-0.5), [r"momentum", r"-0\.5"]),
    "a momentum above one": (lambda: fastmlp.SGD(0.1, momentum=1.5), [r"momentum", r"1\.5"]),
    "a momentum of nan": (lambda: fastmlp.SGD(0.1, momentum=float("nan")), [r"momentum", r"nan"]),
    "Nesterov without momentum": (lambda: fastmlp.SGD(0.1, nesterov=True), [r"nesterov", r"momentum"]),
    "a rate of zero": (lambda: fastmlp.SGD(0.0), [r"learning_rate", r"0\.0"]),
    "a negative decay": (lambda: fastmlp.SGD(0.1, weight_decay=-1.0), [r"weight_decay", r"-1"]),
    "Adam with a negative rate": (lambda: fastmlp.Adam(-1e-3), [r"learning_rate", r"-0\.001"]),
    "Adam with a rate of nan": (lambda: fastmlp.Adam(float("nan")), [r"learning_rate", r"nan"]),
    "beta_1 of one": (lambda: fastmlp.Adam(beta_1=1.0), [r"beta_1", r"1\.0"]),
    "beta_1 negative": (lambda: fastmlp.Adam(beta_1=-0.1), [r"beta_1", r"-0\.1"]),
    "beta_2 of one": (lambda: fastmlp.Adam(beta_2=1.0), [r"beta_2", r"1\.0"]),
    "beta_2 above one": (lambda: fastmlp.Adam(beta_2=1.5), [r"beta_2", r"1\.5"]),
    "a negative epsilon": (lambda: fastmlp.Adam(epsilon=-1e-8), [r"epsilon", r"-1e-08"]),
    "an epsilon of nan": (lambda: fastmlp.Adam(epsilon=float("nan")), [r"epsilon", r"nan"]),
    "AdamW with a negative decay": (lambda: fastmlp.AdamW(weight_decay=-1.0), [r"weight_decay", r"-1"]),
    "AdamW with a beta_1 of one": (lambda: fastmlp.AdamW(beta_1=1.0), [r"beta_1", r"1\.0"]),
    "RMSprop with a rate of zero": (lambda: fastmlp.RMSprop(0.0), [r"learning_rate", r"0\.0"]),
    "a clip_norm of zero": (lambda: fastmlp.SGD(0.1, clip_norm=0.0), [r"clip_norm", r"0\.0", r"> 0"]),
    "a clip_norm of nan": (lambda: fastmlp.Adam(clip_norm=float("nan")), [r"clip_norm", r"nan"]),
    "a clip_norm of text": (lambda: fastmlp.RMSprop(clip_norm="1"), [r"clip_norm", r"'1'"]),
    "a negative l1": (lambda: fastmlp.SGD(0.1, l1=-1e-3), [r"l1", r"-0\.001"]),
    "an l1 of nan": (lambda: fastmlp.RMSprop(l1=float("nan")), [r"l1", r"nan"]),
    "an l1 of text": (lambda: fastmlp.Adam(l1="0"), [r"l1", r"'0'"]),
    "rho of one": (lambda: fastmlp.RMSprop(rho=1.0), [r"rho", r"1\.0"]),
    "rho of text": (lambda: fastmlp.RMSprop(rho="0.9"), [r"rho", r"'0\.9'"]),
    "RMSprop with a negative momentum": (lambda: fastmlp.RMSprop(momentum=-0.1), [r"momentum", r"-0\.1"]),
    "RMSprop with an epsilon of zero": (lambda: fastmlp.RMSprop(epsilon=0.0), [r"epsilon", r"> 0"]),
    "Adam with a negative decay": (lambda: fastmlp.Adam(weight_decay=-1.0), [r"weight_decay", r"-1"]),
}


@pytest.mark.parametrize("name", list(BAD_OPTIMIZERS))
def test_an_optimizer_that_cannot_be_is_refused(name):
    call, words = BAD_OPTIMIZERS[name]
    refuses(call, *words)


def test_an_epsilon_of_zero_is_refused_as_a_gradient_of_zero_would_be_divided_by_it():
    refuses(lambda: fastmlp.Adam(epsilon=0.0), "epsilon", "> 0")


SIGNS = np.array([1, -1, 1, -1, 1, -1])
BAD_PERCEPTRONS = {
    "labels 0 and 1": (lambda: fastmlp.Perceptron().fit(X, LABELS % 2), [r"\by\b", r"-1", r"\+?1\b"]),
    "labels of three kinds": (
        lambda: fastmlp.Perceptron().fit(X, changed(SIGNS, 0, 2)),
        [r"\by\b", r"\b2\b", r"-1"],
    ),
    "labels that are not whole": (lambda: fastmlp.Perceptron().fit(X, SIGNS * 0.5), [r"\by\b", r"-1"]),
    "labels with nan": (lambda: fastmlp.Perceptron().fit(X, changed(SIGNS, 0, np.nan, float)), [r"\by\b"]),
    "labels of text": (lambda: fastmlp.Perceptron().fit(X, SIGNS.astype(str)), [r"\by\b"]),
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


def padded(array, dtype=None):
    """The same numbers, every second entry of a larger array in both directions."""
    spread = np.zeros([2 * n for n in array.shape], dtype or array.dtype)
    view = spread[tuple(slice(None, None, 2) for _ in array.shape)]
    view[...] = array
    return view


def backwards(array):
    turn = (slice(None, None, -1),) * array.ndim
    return array[turn].copy()[turn]


def misaligned(array):
    raw = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    raw[...] = array
    assert not raw.flags.aligned
    return raw


# Quarters between -2 and 2: exact in every float type, whole in the integer ones after multiplication by 4.
QUARTERS = np.random.default_rng(2).integers(-8, 9, size=(70, 4)) / 4.0
QUARTER_TARGETS = np.random.default_rng(3).integers(-8, 9, size=(70, 3)) / 4.0
WHOLE, BITS = QUARTERS * 4, (QUARTERS > 0).astype(float)

ODD_FORMS = {
    "Fortran order": np.asfortranarray,
    "strided": padded,
    "backwards": backwards,
    "read-only": lambda array: read_only(array.copy()),
    "misaligned": misaligned,
    "float16": lambda array: array.astype(np.float16),
    "float32": lambda array: array.astype(np.float32),
    "float64": lambda array: array.astype(np.float64),
    "long double": lambda array: array.astype(np.longdouble),
    "big-endian": lambda array: array.astype(">f8"),
    "big-endian float32": lambda array: array.astype(">f4"),
    "strided big-endian float32": lambda array: padded(array, ">f4"),
    "list": lambda array: array.tolist(),
    "tuple of rows": lambda array: tuple(array),
    "data frame": lambda array: pd.DataFrame(array) if array.ndim == 2 else pd.Series(array),
    "data frame of mixed types": lambda array: (
        pd.DataFrame({i: column.astype(np.float32 if i else np.float64) for i, column in enumerate(array.T)})
        if array.ndim == 2
        else pd.Series(array, index=range(5, 5 + len(array)))
    ),
    "subclass": lambda array: array.view(np.recarray) if array.ndim == 1 else np.asmatrix(array),
}


def everything(net, X, y, sample_weight=None):
    """All the answers of a net about these data, as bytes: loss, gradient, predictions, and training."""
    gradient = net.gradient(X, y, sample_weight=sample_weight)
    answers = [
        net.predict(X).tobytes(),
        net.evaluate(X, y, sample_weight=sample_weight),
        gradient.loss,
        gradient.flat.tobytes(),
        gradient.inputs.tobytes(),
    ]
    history = net.fit(X, y, epochs=2, batch_size=16, sample_weight=sample_weight, validation=0.2)
    return [*answers, history.loss, history.validation_loss, net.parameters.tobytes()]


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("form", list(ODD_FORMS))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_odd_form_of_good_data_gives_what_the_plain_array_gives(dtype, form):
    odd = ODD_FORMS[form]
    weight = np.arange(1, 71) / 4.0
    expected = everything(regression(dtype), QUARTERS, QUARTER_TARGETS, weight)
    assert everything(regression(dtype), odd(QUARTERS), odd(QUARTER_TARGETS), odd(weight)) == expected
    assert regression(dtype).predict(odd(QUARTERS[0])).tobytes() == regression(dtype).predict(QUARTERS[0]).tobytes()


@pytest.mark.parametrize("integer", ["int8", "int16", "int32", "int64", ">i4", ">i8"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_integers_give_what_floats_give(dtype, integer):
    expected = everything(regression(dtype), WHOLE, 4 * QUARTER_TARGETS)
    got = everything(regression(dtype), WHOLE.astype(integer), (4 * QUARTER_TARGETS).astype(integer))
    assert got == expected


@pytest.mark.parametrize("form", ["bool", "uint8", "uint64"])
def test_booleans_and_unsigned_numbers_give_what_floats_give(form):
    y = BITS[:, :1]
    assert everything(yes_or_no(), BITS.astype(form), y.astype(form)) == everything(yes_or_no(), BITS, y)
    assert everything(yes_or_no(), BITS, y[:, 0].astype(form)) == everything(yes_or_no(), BITS, y)


def test_targets_of_one_output_may_be_a_row_of_numbers_or_a_column():
    net = fastmlp.MLP([4, 5, 1], activation="tanh", seed=0)
    again = fastmlp.MLP([4, 5, 1], activation="tanh", seed=0)
    y = QUARTER_TARGETS[:, 0]
    assert everything(net, QUARTERS, y) == everything(again, QUARTERS, y[:, None])


@pytest.mark.parametrize(
    "form",
    [
        "int8",
        "int32",
        "uint8",
        "uint64",
        ">i4",
        "float32",
        "float64",
        "float16",
        "list",
        "series",
        "strided",
        "read-only",
    ],
)
def test_labels_of_any_whole_type_give_what_int64_gives(form):
    labels = np.random.default_rng(4).integers(0, 3, 70)
    odd = {
        "list": lambda: labels.tolist(),
        "series": lambda: pd.Series(labels, index=range(100, 170)),
        "strided": lambda: padded(labels),
        "read-only": lambda: read_only(labels.copy()),
    }.get(form, lambda: labels.astype(form))()
    assert everything(classifier(), QUARTERS, odd) == everything(classifier(), QUARTERS, labels)


def test_a_data_frame_with_a_shuffled_index_is_taken_in_its_own_order():
    order = np.random.default_rng(5).permutation(70)
    frame, series = pd.DataFrame(QUARTERS, index=order), pd.Series(QUARTER_TARGETS[:, 0], index=order[::-1])
    one, two = (fastmlp.MLP([4, 5, 1], activation="tanh", seed=0) for _ in range(2))
    assert everything(one, frame, series) == everything(two, QUARTERS, QUARTER_TARGETS[:, 0])


@pytest.mark.parametrize(
    "form", ["Fortran order", "strided", "read-only", "float16", "big-endian", "list", "data frame"]
)
def test_parameters_in_an_odd_form_are_taken(form):
    odd = ODD_FORMS[form]
    rng = np.random.default_rng(6)
    weights = [rng.integers(-8, 9, shape) / 4.0 for shape in ((4, 5), (5, 3))]
    biases = [rng.integers(-8, 9, n) / 4.0 for n in (5, 3)]
    flat = np.concatenate([weights[0].ravel(), biases[0], weights[1].ravel(), biases[1]])

    made = fastmlp.MLP.from_parameters([odd(W) for W in weights], [odd(b) for b in biases], activation="tanh")
    assert made.parameters.tolist() == flat.tolist()
    one_by_one, at_once, in_one = regression(), regression(), regression()
    for layer in range(2):
        one_by_one.weights[layer] = odd(weights[layer])
        one_by_one.biases[layer] = odd(biases[layer])
    at_once.weights, at_once.biases = [odd(W) for W in weights], [odd(b) for b in biases]
    in_one.parameters = odd(flat)
    for net in (one_by_one, at_once, in_one):
        assert net.parameters.tolist() == flat.tolist()


def test_numpy_integers_and_floats_serve_as_numbers():
    net = fastmlp.MLP(np.array([4, 5, 3]), seed=np.int64(0))
    assert net.parameters.tobytes() == fastmlp.MLP((4, 5, 3), seed=0).parameters.tobytes()
    history = net.fit(X, Y, epochs=np.int64(2), batch_size=np.int32(4), optimizer=fastmlp.SGD(np.float32(0.5)))
    assert history.epochs == 2


def test_the_perceptron_takes_odd_forms_too():
    plain = fastmlp.Perceptron(max_epochs=20).fit(QUARTERS[:6], SIGNS)
    for form, odd in ODD_FORMS.items():
        if form == "subclass":
            continue  # np.matrix is a form for layers, of which the perceptron has none
        other = fastmlp.Perceptron(max_epochs=20).fit(odd(QUARTERS[:6]), odd(SIGNS.astype(float)))
        assert other.weights.tobytes() == plain.weights.tobytes(), form
        assert (other.bias, list(other.mistakes)) == (plain.bias, list(plain.mistakes)), form


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


def test_an_out_that_is_part_of_the_net_is_refused():
    net = fastmlp.MLP([4, 4], bias=False, seed=0)
    refuses(lambda: net.predict(np.eye(4, dtype="float32"), out=net.weights[0]), "out", "parameters", net=net)


def test_a_masked_array_is_refused_by_predict_too():
    net = regression()
    masked = np.ma.array(np.ones((1, 4), "float32"), mask=[[True, False, False, False]])
    refuses(lambda: net.predict(masked), r"\bX\b", "masked", net=net)


def test_outputs_and_losses_beyond_the_range_of_the_dtype_warn():
    net = fastmlp.MLP.from_parameters([np.full((2, 1), 1e20)])
    X = np.full((3, 2), 1e30, "float32")
    with pytest.warns(RuntimeWarning, match="float32"):
        assert np.isinf(net.predict(X)).all()
    with pytest.warns(RuntimeWarning, match="float32"):
        assert np.isinf(net.evaluate(X, np.zeros(3)))
