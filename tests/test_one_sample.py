"""What a student of the scripts tries first: one sample, a score, transposed weights, labels that are words."""

import numpy as np
import pytest

import fastmlp

XNOR = fastmlp.examples.load("xnor").net
CORNERS = [[0, 0], [0, 1], [1, 0], [1, 1]]


@pytest.mark.parametrize(
    ("net", "x", "y"),
    [
        (fastmlp.MLP([3, 4, 1], seed=0), [1, 2, 3], 0.5),
        (fastmlp.MLP([3, 4, 1], seed=0), [1, 2, 3], [0.5]),
        (fastmlp.MLP([3, 4, 2], seed=0), [1, 2, 3], [0.5, 1]),
        (fastmlp.MLP([3, 4, 2], output="softmax", seed=0), [1, 2, 3], 1),
        (fastmlp.MLP([3, 4, 2], output="softmax", seed=0), [1, 2, 3], [0, 1]),
        (fastmlp.MLP([3, 4, 2], output="softmax", seed=0), np.array([1, 2, 3], "float32"), [1]),
    ],
)
def test_gradient_and_evaluate_take_one_sample(net, x, y):
    batch = net.gradient(np.array([x]), np.array(y).reshape(1, *np.shape(y)) if np.shape(y) != (1,) else y)
    one = net.gradient(x, y)
    assert one.inputs.shape == (3,)
    assert (one.flat == batch.flat).all()
    assert (one.inputs == batch.inputs[0]).all()
    assert one.loss == batch.loss == net.evaluate(x, y)
    assert np.abs(one.flat).max() > 1e-3


def test_one_sample_with_the_target_of_another_shape_is_refused():
    net = fastmlp.MLP([3, 4, 2], seed=0)
    for y in (1.0, [1, 2, 3], [[1, 2], [3, 4]]):
        with pytest.raises(ValueError, match="y has shape"):
            net.gradient([1, 2, 3], y)


def test_score_of_a_classifier_is_its_accuracy():
    assert XNOR.score(CORNERS, [1, 0, 0, 1]) == 1
    assert XNOR.score(CORNERS, [1, 0, 0, 0]) == 0.75
    assert XNOR.score(CORNERS, [1, 0, 0, 0], sample_weight=[1, 1, 1, 5]) == pytest.approx(3 / 8)
    net = fastmlp.MLP.from_parameters([np.eye(3)], None, output="softmax")
    X = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [5, 0, 0]]
    assert net.score(X, [0, 1, 2, 1]) == 0.75
    assert net.score(X, np.eye(3)[[0, 1, 2, 1]]) == 0.75
    two = fastmlp.MLP.from_parameters([np.eye(2)], None, output="sigmoid")
    assert two.score([[1, 1], [1, -1]], [[1, 1], [1, 1]]) == 0.5


def test_score_of_a_regression_is_r_squared():
    line = fastmlp.MLP.from_parameters([[[2.0]]], [[1.0]], dtype="float64")
    X = [[0.0], [1.0], [2.0], [3.0]]
    assert line.score(X, [1, 3, 5, 7]) == 1
    assert line.score(X, [2, 2, 6, 6]) == pytest.approx(1 - 4 / 16)
    assert line.score(X, [2, 2, 6, 6], sample_weight=[1, 1, 0, 1]) == pytest.approx(1 - 3 / (32 / 3))
    both = fastmlp.MLP.from_parameters([[[2.0, 2.0]]], [[1.0, 1.0]], dtype="float64")
    assert both.score(X, np.c_[[1, 3, 5, 7], [2, 2, 6, 6]]) == pytest.approx((1 + 0.75) / 2)
    assert fastmlp.examples.load("003").net.score([[0.05, 0.1], [1, 1]], [[0.01, 0.99], [0, 1]]) < 1


def test_score_refuses_what_has_none():
    with pytest.raises(ValueError, match="name no class"):
        XNOR.score(CORNERS, [0.5, 0, 0, 1])
    with pytest.raises(ValueError, match="without spread"):
        fastmlp.MLP([2, 1], seed=0).score(CORNERS, [1, 1, 1, 1])


def test_classify_of_a_regression_says_what_to_do():
    net = fastmlp.MLP([2, 3, 2], seed=0)
    with pytest.raises(ValueError, match=r"2 identity: predict gives the values"):
        net.classify(CORNERS)


def test_transposed_weights_are_asked_about():
    rows_are_neurons = [np.ones((4, 3)), np.ones((2, 4))]
    with pytest.raises(ValueError, match=r"transposed\? give W.T of each"):
        fastmlp.MLP.from_parameters(rows_are_neurons)
    with pytest.raises(ValueError, match=r"transposed\? give weights\[1\].T"):
        fastmlp.MLP.from_parameters([np.ones((3, 4)), np.ones((2, 4))])
    with pytest.raises(ValueError, match=r"biases\[0\] has shape \(3,\); expected \(2,\).*transposed\? give W.T"):
        fastmlp.MLP.from_parameters([np.ones((3, 2))], [np.ones(3)])
    with pytest.raises(ValueError, match=r"expected \(4, n_out\)$"):
        fastmlp.MLP.from_parameters([np.ones((3, 4)), np.ones((5, 6))])
    assert fastmlp.MLP.from_parameters([W.T for W in rows_are_neurons]).sizes == (3, 4, 2)


def test_labels_that_are_words_are_told_where_to_go():
    net = fastmlp.MLP([2, 2], output="softmax", seed=0)
    for y in (["cat", "dog"], np.array(["cat", "dog"], object)):
        with pytest.raises(TypeError, match=r"y has dtype .*np.unique.*MLPClassifier"):
            net.fit([[0, 1], [1, 0]], y)
    names, labels = np.unique(["cat", "dog"], return_inverse=True)
    net.fit([[0, 1], [1, 0]], labels, epochs=1)
    assert names[net.classify([[0, 1]])].tolist()[0] in ("cat", "dog")


@pytest.mark.parametrize("name", fastmlp.examples.NAMES)
def test_examples_are_made_anew_each_time(name):
    first, second = fastmlp.examples.load(name), fastmlp.examples.load(name)
    first.net.parameters[:] = 7
    assert (second.net.parameters != 7).any()
    assert np.isfinite(second.net.evaluate(second.x, second.y))
    assert fastmlp.examples.title(name) == second.title


def test_an_unknown_example_is_answered_with_the_names():
    with pytest.raises(ValueError, match=r"name is '005'; expected one of 000, 001"):
        fastmlp.examples.load("005")
