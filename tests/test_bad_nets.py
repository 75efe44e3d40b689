"""A net, its parameters or an optimizer that cannot be gives one clear error, and a bad assignment changes nothing.

Each row of a table is one call and the words its message must hold: the argument, what came, what was expected. Not
here: what a net that was made refuses (test_bad_input.py).
"""

import re
import warnings

import numpy as np
import pytest

import fastmlp
from bad_arguments import FINITE, X, Y, changed, refuses, regression
from fastmlp import formulas

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
    "label_smoothing of everything": (
        ([4, 5, 3],),
        {"output": "softmax", "label_smoothing": 1.0},
        [r"label_smoothing", r"1\.0", r"< 1"],
    ),
    "a negative label_smoothing": (
        ([4, 5, 3],),
        {"output": "softmax", "label_smoothing": -0.1},
        [r"label_smoothing", r"-0\.1"],
    ),
    "label_smoothing of numbers": (
        ([4, 5, 3],),
        {"label_smoothing": 0.1},
        [r"label_smoothing", r"0\.1", r"half_squared_error", r"cross_entropy"],
    ),
    "label_smoothing of text": (
        ([4, 5, 3],),
        {"output": "softmax", "label_smoothing": "0.1"},
        [r"label_smoothing", r"'0\.1'"],
    ),
    "label_smoothing that float32 rounds to 1": (
        ([4, 5, 3],),
        {"output": "softmax", "label_smoothing": 1 - 1e-9},
        [r"label_smoothing", r"float64"],
    ),
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
