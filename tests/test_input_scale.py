"""`MLP(input_scale=True)`: a factor for each input, trained, and folded into W^1 where nets are written out.

The layer as such, in every build, is the business of test_layers.py; here it is that of a net.
"""

import copy
import pickle

import numpy as np
import pytest

import fastmlp
from fastmlp import graph
from test_gradients import central_differences
from tolerances import DIFFERENCE_TOLERANCE, NOT_ZERO

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
Y = RNG.integers(0, 3, 60)
SCALE = np.array([0.5, -2.0, 1.5, 3.0])


def new_net(**options):
    given = {"output": "softmax", "activation": "tanh", "dtype": "float64", "seed": 1} | options
    net = fastmlp.MLP([4, 7, 5, 3], input_scale=True, **given)
    net.input_scale = SCALE
    return net


def folded(net):
    """The net with the factors in its first layer."""
    weights = [net.input_scale[:, None] * net.weights[0], *net.weights[1:]]
    biases = list(net.biases) if net.bias else None
    return fastmlp.MLP.from_parameters(weights, biases, activation=net.activation, output=net.output, dtype=net.dtype)


def test_a_new_net_has_factors_of_one_and_the_weights_of_a_net_without():
    net = fastmlp.MLP([4, 3], input_scale=True, seed=0)
    plain = fastmlp.MLP([4, 3], seed=0)
    assert net.input_scale.tolist() == [1, 1, 1, 1]
    assert net.parameters.tolist() == [1, 1, 1, 1, *plain.parameters]
    assert net.n_parameters == 4 + 4 * 3 + 3
    assert [W.shape for W in net.weights] == [(4, 3)]
    assert [b.shape for b in net.biases] == [(3,)]
    assert plain.input_scale is None
    np.testing.assert_allclose(net.predict(X), plain.predict(X), rtol=1e-6)


def test_the_factors_are_a_view_that_can_be_written():
    net = new_net()
    before = net.predict(X)
    net.input_scale[1] = 7.0
    assert net.parameters[1] == 7.0
    assert np.abs(net.predict(X) - before).max() > 1e-3
    net.input_scale = SCALE.tolist()
    np.testing.assert_array_equal(net.predict(X), before)
    for wrong in ([1.0, 2.0], [np.nan] * 4, "1", None):
        with pytest.raises((ValueError, TypeError), match="input_scale"):
            net.input_scale = wrong
    with pytest.raises(ValueError, match="no input_scale to assign to"):
        fastmlp.MLP([4, 3]).input_scale = SCALE


@pytest.mark.parametrize("bias", [True, False])
def test_it_predicts_as_the_net_with_the_factors_in_its_first_layer(bias):
    net = new_net(bias=bias)
    one = folded(net)
    np.testing.assert_allclose(net.predict(X), one.predict(X), rtol=1e-13)
    np.testing.assert_allclose(net.predict(X[0]), one.predict(X[0]), rtol=1e-13)
    np.testing.assert_allclose(net.jacobian(X), one.jacobian(X), rtol=1e-10, atol=1e-15)
    for ours, theirs in zip(net.activations(X), one.activations(X), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    np.testing.assert_allclose(net.transform(X, 0), one.transform(X, 0), rtol=1e-12)
    assert net.evaluate(X, Y) == pytest.approx(one.evaluate(X, Y), rel=1e-13)
    assert (net.classify(X) == one.classify(X)).all()
    ours, theirs = net.gradient(X, Y), one.gradient(X, Y)
    np.testing.assert_allclose(ours.inputs, theirs.inputs, rtol=1e-10, atol=1e-15)
    # W_eff = s W: dC/ds is a sum over each row of W dC/dW_eff, and dC/dW is s dC/dW_eff.
    np.testing.assert_allclose(ours.flat[:4], (net.weights[0] * theirs.weights[0]).sum(axis=1), rtol=1e-10)
    np.testing.assert_allclose(ours.weights[0], SCALE[:, None] * theirs.weights[0], rtol=1e-10)
    np.testing.assert_allclose(ours.weights[1], theirs.weights[1], rtol=1e-10)
    assert len(ours.biases) == (3 if bias else 0)


def test_the_gradient_is_that_of_finite_differences():
    net = new_net()
    found = net.gradient(X, Y).flat
    expected = central_differences(lambda: net.evaluate(X, Y), net.parameters)
    np.testing.assert_allclose(found, expected, atol=DIFFERENCE_TOLERANCE)
    assert np.abs(found[:4]).min() > NOT_ZERO


def test_the_factors_have_a_learning_rate_of_their_own():
    for rate in (1.0, 6.0, 0.0):
        net = new_net()
        net.input_scale_rate = rate
        net.rate_factors = [(2.0, 0.5), (1.0, 1.0), (1.0, 1.0)]
        assert net.input_scale_rate == rate
        gradient, before = net.gradient(X, Y), net.copy()
        net.step(X, Y, fastmlp.SGD(0.1))
        np.testing.assert_allclose(net.input_scale, SCALE - 0.1 * rate * gradient.flat[:4], rtol=1e-12)
        np.testing.assert_allclose(net.weights[0], before.weights[0] - 0.2 * gradient.weights[0], rtol=1e-12)
        np.testing.assert_allclose(net.biases[0], before.biases[0] - 0.05 * gradient.biases[0], rtol=1e-12)
        assert net.rate_factors == ((2.0, 0.5), (1.0, 1.0), (1.0, 1.0))
    for wrong in (-1.0, np.nan, "1", True):
        with pytest.raises((ValueError, TypeError), match="input_scale_rate"):
            net.input_scale_rate = wrong
    plain = fastmlp.MLP([4, 3])
    assert plain.input_scale_rate == 1.0
    with pytest.raises(ValueError, match=r"input_scale_rate is 2\.0 for a net without"):
        plain.input_scale_rate = 2.0


def test_frozen_layers_leave_the_factors_to_be_trained():
    net = new_net()
    net.trainable = [False, True, False]
    assert net.trainable == (False, True, False)
    before = net.copy()
    net.fit(X, Y, epochs=2)
    for i, moved in ((0, False), (1, True), (2, False)):
        assert (net.weights[i] != before.weights[i]).any() == moved
    assert (net.input_scale != SCALE).all()


def test_no_decay_acts_on_the_factors():
    net = new_net(bias=False)
    before = net.copy()
    net.update(np.zeros(net.n_parameters), fastmlp.AdamW(0.1, weight_decay=0.5))
    np.testing.assert_array_equal(net.input_scale, SCALE)
    np.testing.assert_allclose(net.weights[0], 0.95 * before.weights[0])


@pytest.mark.parametrize("threads", [1, 2])
def test_a_fit_learns_which_inputs_count(threads):
    rng = np.random.default_rng(3)
    inputs = rng.normal(size=(400, 6))
    net = fastmlp.MLP([6, 16, 1], input_scale=True, dropout=0.1, seed=0)
    net.input_scale_rate = 6.0
    net.fit(inputs, inputs[:, :1] * inputs[:, 1:2], epochs=60, threads=threads, optimizer=fastmlp.Adam(0.01))
    strength = np.abs(net.input_scale)
    assert strength[:2].min() > 2 * strength[2:].max()


def test_copies_and_files_keep_it(tmp_path):
    net = new_net()
    net.input_scale_rate = 6.0
    net.fit(X, Y, epochs=2)
    net.save(tmp_path / "net.safetensors", training=True)
    twins = [
        net.copy(),
        copy.deepcopy(net),
        pickle.loads(pickle.dumps(net)),
        fastmlp.load(tmp_path / "net.safetensors"),
    ]
    net.fit(X, Y, epochs=2)
    for twin in twins:
        assert twin.input_scale_rate == 6.0
        twin.fit(X, Y, epochs=2)
        assert twin.parameters.tobytes() == net.parameters.tobytes()
    made = fastmlp.MLP.from_parameters(
        net.weights, net.biases, input_scale=net.input_scale, activation="tanh", output="softmax", dtype="float64"
    )
    assert made.predict(X).tobytes() == net.predict(X).tobytes()
    with pytest.raises(ValueError, match=r"input_scale has shape \(3,\)"):
        fastmlp.MLP.from_parameters(net.weights, net.biases, input_scale=[1.0, 2.0, 3.0])


def test_a_pickle_and_a_file_of_a_net_from_before_have_none(tmp_path):
    net = fastmlp.MLP([4, 3], seed=0)
    state = net.__getstate__()
    for name in ("_input_scale", "input_scale_rate"):
        del state[name]
    older = fastmlp.MLP.__new__(fastmlp.MLP)
    older.__setstate__(state)
    assert older.input_scale is None
    assert older.predict(X).tobytes() == net.predict(X).tobytes()


def test_what_is_written_out_has_the_factors_in_the_first_layer(tmp_path):
    net = new_net()
    forward = net._forward()
    np.testing.assert_array_equal(forward.weights[0], SCALE[:, None] * net.weights[0])
    np.testing.assert_array_equal(forward.weights[1], net.weights[1])
    net.to_c(tmp_path / "net.h")
    assert "net(const double x[4], double y[3])" in (tmp_path / "net.h").read_text()
    net.input_scale[0] = 1e308
    net.weights[0][0] = 1e10
    with pytest.raises(ValueError, match="input_scale times the weights"):
        net.to_c(tmp_path / "net.h")


def test_onnx_and_torch_predict_the_same(tmp_path):
    pytest.importorskip("onnx")
    torch = pytest.importorskip("torch")
    net = new_net()
    net.to_onnx(tmp_path / "net.onnx")
    np.testing.assert_allclose(fastmlp.load_onnx(tmp_path / "net.onnx").predict(X), net.predict(X), rtol=1e-12)
    np.testing.assert_allclose(net.to_torch()(torch.tensor(X)).detach().numpy(), net.predict(X), rtol=1e-12)


def test_the_graph_and_the_trace_have_it():
    net = new_net()
    found = net.gradient(X[0], 2)
    step = graph.of_net(net, X[0], 2)
    step.loss.backward()
    assert [s.value for s in step.input_scale] == SCALE.tolist()
    np.testing.assert_allclose([s.grad for s in step.input_scale], found.flat[:4], rtol=1e-9)
    np.testing.assert_allclose([x.grad for x in step.inputs], found.inputs, rtol=1e-9)
    trace = net.trace(X[:5], Y[:5], optimizer=fastmlp.SGD(0.1))
    expected = net.gradient(X[:5], Y[:5])
    assert trace.loss == pytest.approx(expected.loss, rel=1e-12)
    np.testing.assert_allclose(trace.layers[0].inputs, X[:5] * SCALE)
    np.testing.assert_allclose(trace.gradient_inputs, expected.inputs, rtol=1e-9)
    for layer, W, dW in zip(trace.layers, net.weights, expected.weights, strict=True):
        np.testing.assert_array_equal(layer.weights, W)
        np.testing.assert_allclose(layer.gradient_weights, dW, rtol=1e-9)
        np.testing.assert_allclose(layer.new_weights, W - 0.1 * dW, rtol=1e-9)


def test_what_has_no_place_for_it_says_so():
    with pytest.raises(ValueError, match="the net has an input_scale"):
        new_net().explain(X[0], 2)
    pytest.importorskip("matplotlib")
    from fastmlp import plot

    with pytest.raises(ValueError, match="net has an input_scale"):
        plot.network(new_net())


def test_a_diagnosis_and_the_words_about_a_net_take_it():
    net = new_net()
    assert "MLP(4 scaled -> 7 tanh -> 5 tanh -> 3 softmax" in repr(net)
    assert [line.split() for line in net.summary().splitlines()][1] == ["scale", "4", "4", "4"]
    assert f"{net.n_parameters}" in net.summary()
    assert str(net.diagnose(X, Y))
    assert str(new_net(dtype="float32").diagnose(X, Y))


def test_fit_many_trains_the_factors():
    alone, together = ([new_net(seed=seed) for seed in (1, 2)] for _ in range(2))
    for net in alone:
        net.fit(X, Y, epochs=2)
    fastmlp.fit_many(together, X, Y, epochs=2)
    assert [net.parameters.tobytes() for net in alone] == [net.parameters.tobytes() for net in together]


@pytest.mark.parametrize("wrong", [1, None, "yes", SCALE])
def test_what_is_no_boolean_is_refused(wrong):
    with pytest.raises((ValueError, TypeError), match="input_scale"):
        fastmlp.MLP([4, 3], input_scale=wrong)
