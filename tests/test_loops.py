"""Loops of one's own: step, update, vjp; activations, jacobian, input_gradient, transform; copies; frozen layers.

Expected values are formulas, finite differences, and what `fit` and `gradient` give, which other files test.
"""

import pickle

import numpy as np
import pytest

import fastmlp
from bad_arguments import FINITE, X, Y, changed, classifier, refuses, regression
from cases import DTYPES, EVERY_BUILD, HIDDEN, cast
from fastmlp import builds, formulas
from test_gradients import central_differences
from tolerances import DIFFERENCE_TOLERANCE, assert_close

SIZES = (4, 7, 6, 3)
OPTIMIZERS = {
    "sgd": fastmlp.SGD(0.1, momentum=0.9, weight_decay=0.1, l1=0.01),
    "adam": fastmlp.Adam(0.01, weight_decay=0.1),
    "adamw": fastmlp.AdamW(0.01, weight_decay=0.5),
    "rmsprop": fastmlp.RMSprop(0.01),
    "clipped": fastmlp.Adam(0.01, clip_norm=0.05),
}


def a_net(build="reference", dtype="float64", output="identity", hidden="tanh", sizes=SIZES, **options):
    with builds.forced(build):
        return fastmlp.MLP(sizes, activation=hidden, output=output, dtype=dtype, seed=3, **options)


def samples(m=20, seed=0, n=4):
    return np.random.default_rng(seed).normal(size=(m, n)).astype(np.float32).astype(np.float64)


# steps


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
@pytest.mark.parametrize("build", EVERY_BUILD)
def test_a_step_is_an_epoch_of_one_batch(build, optimizer, dropout):
    x, y, w = samples(), samples(seed=1, n=3), np.arange(20.0)
    stepped, fitted = a_net(build, dropout=dropout), a_net(build, dropout=dropout)
    for _ in range(4):
        loss = stepped.step(x, y, OPTIMIZERS[optimizer], w)
        history = fitted.fit(x, y, epochs=1, batch_size=None, optimizer=OPTIMIZERS[optimizer], sample_weight=w)
        assert loss == history.loss[0]
        assert stepped.parameters.tobytes() == fitted.parameters.tobytes()


@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", EVERY_BUILD)
def test_an_update_by_the_gradient_is_a_step(build, dtype, optimizer):
    x, y = samples(), samples(seed=1, n=3)
    stepped, updated = a_net(build, dtype), a_net(build, dtype)
    for _ in range(4):
        updated.update(updated.gradient(x, y).flat, OPTIMIZERS[optimizer])
        stepped.step(x, y, OPTIMIZERS[optimizer])
        assert_close(updated.parameters, stepped.parameters, "adam", dtype, optimizer)
    assert updated.parameters.tobytes() != a_net(build, dtype).parameters.tobytes()


def test_an_update_of_a_wide_net_is_that_of_the_reference():
    nets = [a_net(build, sizes=(300, 400, 5)) for build in (builds.current(), "reference")]
    gradient = np.random.default_rng(0).normal(size=nets[0].n_parameters)
    nets[1].parameters = nets[0].parameters
    for net in nets:
        net.update(gradient, fastmlp.Adam(0.01, clip_norm=0.5))
    assert_close(nets[0].parameters, nets[1].parameters, "adam", "float64", "update")


def test_step_update_and_fit_continue_the_state_of_an_equal_optimizer_and_forget_that_of_another():
    x, y = samples(), samples(seed=1, n=3)
    one, other = a_net(), a_net()
    one.fit(x, y, epochs=1, batch_size=None, optimizer="adam")
    one.step(x, y, fastmlp.Adam())
    one.update(one.gradient(x, y).flat)
    other.fit(x, y, epochs=3, batch_size=None, optimizer="adam")
    np.testing.assert_allclose(one.parameters, other.parameters, rtol=1e-12)
    momentum = fastmlp.SGD(0.1, momentum=0.9)
    one.step(x, y, momentum)
    fresh = a_net()
    fresh.parameters = other.parameters
    fresh.step(x, y, momentum)
    np.testing.assert_allclose(one.parameters, fresh.parameters, rtol=1e-12)


def test_a_step_whose_loss_overflows_is_not_made_and_one_that_overflows_says_so():
    net = fastmlp.MLP.from_parameters([np.full((1, 1), 1e30)], None, output="identity")
    before = net.parameters.copy()
    with pytest.warns(RuntimeWarning, match="no step was made: the loss left the range of float32"):
        assert not np.isfinite(net.step([[1e30]], [0.0], fastmlp.SGD(1.0)))
    assert net.parameters.tobytes() == before.tobytes()
    net.parameters = [1.0]
    for call in (
        lambda: net.step([[1e19]], [0.0], fastmlp.SGD(1e30)),
        lambda: net.update([1e30], fastmlp.SGD(1e30)),
    ):
        net.parameters = [1.0]
        with pytest.warns(RuntimeWarning, match="the step was too large: parameters left the range of float32"):
            call()
        refuses(lambda: net.step([[1.0]], [0.0]), "parameters contain NaN or infinity")


# vjp


@pytest.mark.parametrize("output", formulas.OUTPUTS)
@pytest.mark.parametrize("build", EVERY_BUILD)
def test_vjp_is_the_slope_of_what_it_says(build, output):
    net, x, dY = a_net(build, output=output), samples(5), samples(5, seed=2, n=3)
    weight = np.array([1.0, -2.0, 0.5, 0.0, 3.0])
    for w in (None, weight):
        factors = dY if w is None else dY * w[:, None]
        found = net.vjp(x, dY, w)
        assert found.loss == pytest.approx(float((factors * net.predict(x)).sum()), rel=1e-12)
        for got, array in ((found.flat, net.parameters), (found.inputs, x)):
            expected = central_differences(lambda factors=factors: float((factors * net.predict(x)).sum()), array)
            assert np.abs(expected).max() > 1e-2
            np.testing.assert_allclose(got, expected, atol=DIFFERENCE_TOLERANCE)
        assert [W.shape for W in found.weights] == [(4, 7), (7, 6), (6, 3)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", EVERY_BUILD)
def test_vjp_of_many_rows_is_that_of_the_reference(build, dtype):
    tested, oracle = a_net(build, dtype), a_net()
    oracle.parameters = tested.parameters
    for m in (1, 3, 65, 300, 1100):
        x, dY, w = samples(m), samples(m, seed=2, n=3), samples(m, seed=5, n=1)[:, 0]
        for threads in (1, 3):
            fastmlp.set_num_threads(threads)
            got, expected = tested.vjp(x, dY, w), oracle.vjp(x, dY, w)
            scale = float(np.abs(expected.flat).max())
            assert_close(got.flat, expected.flat, "gradient", dtype, f"m={m}", scale=1e-2 * scale)
            assert_close(got.inputs, expected.inputs, "gradient", dtype, f"m={m}", scale=1e-2)
    fastmlp.set_num_threads(2)


def test_vjp_with_the_derivative_of_the_loss_is_its_gradient():
    for output, loss, derivative in (
        ("softmax", "cross_entropy", lambda a, y: -y / a),
        ("sigmoid", "binary_cross_entropy", lambda a, y: (a - y) / (a * (1 - a))),
        ("identity", "squared_error", lambda a, y: 2 * (a - y)),
    ):
        net, x = a_net(builds.current(), output=output, loss=loss), samples(8)
        y = np.random.default_rng(1).uniform(0.1, 0.9, (8, 3))
        given = net.vjp(x, derivative(net.predict(x), y) / len(x))
        np.testing.assert_allclose(given.flat, net.gradient(x, y).flat, rtol=1e-9, atol=1e-12)
        assert np.abs(given.flat).max() > 1e-2


def test_vjp_of_one_sample_and_of_one_output():
    net = a_net(sizes=(4, 5, 1))
    x = samples(6)
    column, flat = net.vjp(x, samples(6, seed=1, n=1)), net.vjp(x, samples(6, seed=1, n=1)[:, 0])
    assert column.flat.tobytes() == flat.flat.tobytes()
    one = net.vjp(x[0], [2.0])
    assert one.inputs.shape == (4,)
    np.testing.assert_allclose(one.flat, 2 * net.vjp(x[:1], [1.0]).flat, rtol=1e-12)


# looks


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", EVERY_BUILD)
def test_activations_are_those_of_the_layers_one_after_the_other(build, dtype):
    for sizes in (SIZES, (4, 200, 5), (4, 1)):
        net = a_net(build, dtype, sizes=sizes, dropout=0.0 if len(sizes) == 2 else 0.5)
        for m in (1, 3, 300):
            x = samples(m)
            found, a = net.activations(x), x
            assert [array.dtype for array in found] == [net.dtype] * (len(sizes) - 1)
            for l, (W, b) in enumerate(zip(net.weights, net.biases, strict=True)):
                z = a @ W.astype(np.float64) + b
                a = np.tanh(z) if l < len(sizes) - 2 else z
                assert_close(found[l], a, "forward", dtype, f"{sizes} {m} {l}")
            assert_close(found[-1], net.predict(x), "forward", dtype, "the last")
            for l in range(len(sizes) - 2):
                assert net.transform(x, l).tobytes() == found[l].tobytes()
                assert net.transform(x, l - (len(sizes) - 2)).tobytes() == found[l].tobytes()
    one = net.activations(x[0])
    assert [array.shape for array in one] == [(1,)]


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("build", EVERY_BUILD)
def test_the_jacobian_is_the_slope_of_the_outputs(build, hidden):
    net, x = a_net(build, hidden=hidden, output="softmax"), samples(3)
    jacobian = net.jacobian(x)
    assert jacobian.shape == (3, 3, 4)
    for i in range(3):
        for k in range(3):
            expected = central_differences(lambda i=i, k=k: float(net.predict(x[i])[k]), x)[i]
            np.testing.assert_allclose(jacobian[i, k], expected, atol=DIFFERENCE_TOLERANCE)
    assert np.abs(jacobian).max() > 1e-2


@pytest.mark.parametrize("output", ["identity", "softmax", "sigmoid", "exponential"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", EVERY_BUILD)
def test_the_jacobian_of_many_rows_is_that_of_the_reference_for_any_threads(build, dtype, output):
    for sizes in (SIZES, (4, 1), (4, 150, 20)):
        tested, oracle = a_net(build, dtype, output if sizes[-1] > 1 else "identity", sizes=sizes), None
        oracle = a_net(output=output if sizes[-1] > 1 else "identity", sizes=sizes)
        oracle.parameters = tested.parameters
        for m in (1, 65, 300):
            fastmlp.set_num_threads(1)
            found = tested.jacobian(samples(m))
            assert_close(found, oracle.jacobian(samples(m)), "gradient", dtype, f"{sizes} {m}", scale=1e-2)
            fastmlp.set_num_threads(3)
            assert tested.jacobian(samples(m)).tobytes() == found.tobytes()
    fastmlp.set_num_threads(2)


def test_input_gradient_is_the_jacobian_without_the_axis_of_one_output():
    x = samples(5)
    several, one = a_net(), a_net(sizes=(4, 5, 1))
    assert several.input_gradient(x).tobytes() == several.jacobian(x).tobytes()
    assert one.input_gradient(x).shape == (5, 4)
    assert one.input_gradient(x[0]).shape == (4,)
    np.testing.assert_array_equal(one.input_gradient(x), one.jacobian(x)[:, 0])
    np.testing.assert_allclose(one.input_gradient(x), one.vjp(x, np.ones(5)).inputs, rtol=1e-12)


def test_estimators_have_the_same_looks():
    x = samples(30)
    model = fastmlp.MLPRegressor(hidden_layer_sizes=(5,), activation="tanh", random_state=0, tol=1.0)
    model.fit(x, samples(30, seed=1, n=2))
    net = fastmlp.MLP.from_parameters(model.coefs_, model.intercepts_, activation="tanh", dtype="float64")
    np.testing.assert_allclose(model.input_gradient(x), net.input_gradient(x), rtol=1e-12)
    np.testing.assert_allclose(model.transform(x), net.transform(x), rtol=1e-12)


# copies


@pytest.mark.parametrize("again", [lambda net: net.copy(), lambda net: pickle.loads(pickle.dumps(net))])
def test_a_copy_is_a_net_of_its_own_that_goes_on_alike(again):
    x, y = samples(), samples(seed=1, n=3)
    net = a_net(builds.current(), dropout=0.2)
    net.rate_factors, net.trainable = [(0.5, 2), (1, 1), (0, 0.25)], [True, False, True]
    net.fit(x, y, epochs=2, batch_size=8)
    other = again(net)
    assert (other.trainable, other.rate_factors, repr(other)) == (net.trainable, net.rate_factors, repr(net))
    before = net.parameters.copy()
    other.step(x, y)
    assert net.parameters.tobytes() == before.tobytes() != other.parameters.tobytes()
    net.step(x, y)
    assert net.parameters.tobytes() == other.parameters.tobytes()


# frozen layers and rates


@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
@pytest.mark.parametrize("build", EVERY_BUILD)
def test_a_frozen_layer_stays_and_the_others_move_as_ever(build, optimizer):
    x, y = samples(), samples(seed=1, n=3)
    for trainable in ([False, True, True], [True, False, True], [False, False, True], [True, True, False]):
        net, free = a_net(build), a_net(build)
        net.trainable = trainable
        assert net.trainable == tuple(trainable)
        if optimizer != "clipped":  # whose gradient is shorter without the frozen ones
            net.step(x, y, OPTIMIZERS[optimizer])
            free.step(x, y, OPTIMIZERS[optimizer])
            for l, moves in enumerate(trainable):
                same = net.weights[l].tobytes() == free.weights[l].tobytes()
                assert same == moves
        start = a_net(build)
        net.fit(x, y, epochs=3, optimizer=OPTIMIZERS[optimizer])
        for l, moves in enumerate(trainable):
            for mine, theirs in ((net.weights[l], start.weights[l]), (net.biases[l], start.biases[l])):
                assert (mine.tobytes() != theirs.tobytes()) == moves
    assert np.abs(net.gradient(x, y).weights[2]).max() > 0  # and its gradient can be had none the less


def test_a_factor_multiplies_the_rate_of_its_parameters_alone():
    x, y = samples(), samples(seed=1, n=3)
    net, free = a_net(builds.current()), a_net(builds.current())
    before = a_net(builds.current())
    net.rate_factors = [(1, 1), (0.5, 3), (1, 0)]
    for one in (net, free):
        one.step(x, y, fastmlp.SGD(0.1))
    for l, factors in enumerate(net.rate_factors):
        for which, factor in zip(("weights", "biases"), factors, strict=True):
            mine, theirs, old = (getattr(one, which)[l] for one in (net, free, before))
            np.testing.assert_allclose(mine - old, factor * (theirs - old), rtol=1e-9, atol=1e-15)


def test_nets_without_biases_have_factors_of_weights_alone():
    net = fastmlp.MLP([2, 3, 1], bias=False, seed=0)
    net.rate_factors = [(0.5, 1), (2, 1)]
    net.trainable = [True, False]
    assert (net.rate_factors, net.trainable) == (((0.5, 1.0), (2.0, 1.0)), (True, False))
    refuses(lambda: setattr(net, "rate_factors", [(1, 2), (1, 1)]), r"rate_factors\[0\]\[1\] is 2", "no biases")


def test_a_look_at_a_step_sees_what_is_frozen_and_at_what_rates():
    net = a_net(builds.current())
    net.trainable, net.rate_factors = [False, True, True], [(1, 1), (0.5, 3), (1, 0)]
    x, y = samples(5), samples(5, seed=1, n=3)
    step = net.trace(x, y, optimizer=fastmlp.SGD(0.1))
    net.step(x, y, fastmlp.SGD(0.1))
    for layer, W, b in zip(step.layers, net.weights, net.biases, strict=True):
        np.testing.assert_allclose(layer.new_weights, W, rtol=1e-12)
        np.testing.assert_allclose(layer.new_biases, b, rtol=1e-12)
    refuses(lambda: net.explain(x[0], y[0], optimizer="sgd"), "frozen layers or rate_factors")
    assert str(net.explain(x[0], y[0]))


def test_factors_are_kept_as_they_were_given():
    net = fastmlp.MLP([2, 3, 1], seed=0)
    net.rate_factors = [(0.1, 0.3), (1 / 3, 2)]
    assert net.rate_factors == ((0.1, 0.3), (1 / 3, 2.0))


# bad input


def assigns(name, value):
    return lambda net: setattr(net, name, value)


BAD_CALLS = {
    "dY of too few rows": (lambda net: net.vjp(X, Y[:5]), [r"dY has shape \(5, 3\)", r"\(6, 3\)"]),
    "dY of too few columns": (lambda net: net.vjp(X, Y[:, :2]), [r"dY has shape \(6, 2\)", r"\(6, 3\)"]),
    "dY of one axis": (lambda net: net.vjp(X, Y[:, 0]), [r"dY has shape \(6,\)", r"\(6, 3\)"]),
    "dY of labels": (lambda net: net.vjp(X, [0, 1, 2, 0, 1, 2]), [r"dY has shape \(6,\)"]),
    "dY not finite": (lambda net: net.vjp(X, changed(Y, (2, 1), np.nan)), [r"dY\[2, 1\] is nan", FINITE]),
    "dY of text": (lambda net: net.vjp(X, Y.astype(str)), ["dY has dtype", "real numbers"]),
    "dY too large": (lambda net: net.vjp(X, changed(Y, (0, 0), 1e300)), [r"dY\[0, 0\] is 1e\+300", "float32"]),
    "X of vjp": (lambda net: net.vjp(X[:, :3], Y), [r"X has shape \(6, 3\)", r"\(m, 4\)"]),
    "weights of vjp": (lambda net: net.vjp(X, Y, [1.0] * 5), [r"sample_weight has shape \(5,\)", r"\(6,\)"]),
    "weights of vjp not finite": (lambda net: net.vjp(X, Y, [np.inf] * 6), [r"sample_weight\[0\] is inf"]),
    "negative weights of a step": (lambda net: net.step(X, Y, sample_weight=[-1.0] * 6), ["sample_weight", ">= 0"]),
    "X of step": (lambda net: net.step(X[0], Y[0]), [r"X has shape \(4,\)", r"\(m, 4\)"]),
    "y of step": (lambda net: net.step(X, Y[:5]), [r"y has shape \(5, 3\)"]),
    "optimizer of step": (lambda net: net.step(X, Y, "adm"), ["optimizer is 'adm'", "did you mean 'adam'"]),
    "optimizer of update": (lambda net: net.update(net.parameters, 3), ["optimizer is 3"]),
    "a rate below float32": (lambda net: net.step(X, Y, fastmlp.SGD(1e-60)), ["learning_rate", "float64"]),
    "a gradient too short": (lambda net: net.update(np.ones(3), "sgd"), [r"flat_gradient has shape \(3,\)", "43"]),
    "a gradient in parts": (lambda net: net.update([np.ones(3), np.ones(2)], "sgd"), ["flat_gradient"]),
    "a gradient not finite": (
        lambda net: net.update(np.full(43, np.nan), "sgd"), [r"flat_gradient\[0\] is nan", FINITE]
    ),
    "X of activations": (lambda net: net.activations(X.T), [r"X has shape \(4, 6\)", r"\(m, 4\)"]),
    "X of jacobian": (lambda net: net.jacobian(changed(X, (1, 1), np.inf)), [r"X\[1, 1\] is inf"]),
    "X of input_gradient": (lambda net: net.input_gradient("X"), ["X has dtype"]),
    "layer": (lambda net: net.transform(X, 1), ["layer is 1", "1 hidden layer"]),
    "a negative layer": (lambda net: net.transform(X, -2), ["layer is -2"]),
    "layer as a number with a point": (lambda net: net.transform(X, 0.0), ["layer is 0.0", "integer"]),
    "layer True": (lambda net: net.transform(X, True), ["layer is True", "integer"]),
    "all layers frozen": (assigns("trainable", [False, False]), ["trainable is", "nothing"]),
    "too few trainable": (assigns("trainable", [True]), ["trainable has 1", "2"]),
    "trainable of numbers": (assigns("trainable", [1, 0]), [r"trainable\[0\] is 1", "True or False"]),
    "trainable of one": (assigns("trainable", True), ["trainable is True", "list"]),
    "a negative factor": (assigns("rate_factors", [(1, 1), (-1, 1)]), [r"rate_factors\[1\]\[0\] is -1"]),
    "a factor alone": (assigns("rate_factors", [1, 1]), [r"rate_factors\[0\] is 1"]),
    "three factors": (assigns("rate_factors", [(1, 1, 1)] * 2), [r"rate_factors\[0\]", "two numbers"]),
    "a factor that float32 does not hold": (
        assigns("rate_factors", [(1e60, 1), (1, 1)]), [r"rate_factors\[0\]\[0\]", "float64"]
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(BAD_CALLS))
def test_a_bad_argument_is_named_and_changes_nothing(name):
    call, words = BAD_CALLS[name]
    net, untouched = regression(), regression()
    refuses(lambda: call(net), *words, net=net)
    assert (net.trainable, net.rate_factors) == (untouched.trainable, untouched.rate_factors)
    for one in (net, untouched):
        one.fit(X, Y, epochs=2, batch_size=2)
    assert net.parameters.tobytes() == untouched.parameters.tobytes()


def test_parameters_that_are_not_finite_are_refused_by_every_call():
    for call in (
        lambda net: net.step(X, Y), lambda net: net.vjp(X, Y), lambda net: net.update(np.zeros(43)),
        lambda net: net.jacobian(X), lambda net: net.activations(X), lambda net: net.transform(X),
    ):  # fmt: skip
        net = regression()
        net.weights[0][0, 0] = np.nan
        refuses(lambda call=call, net=net: call(net), "parameters contain NaN or infinity", net=net)


def test_the_parameters_themselves_can_be_given_as_anything():
    net, other = regression(), regression()
    net.update(net.parameters, fastmlp.SGD(0.5))
    np.testing.assert_allclose(net.parameters, 0.5 * other.parameters, rtol=1e-6)
    gradient = classifier().vjp(X, np.eye(3)[[0, 1, 2, 0, 1, 2]])
    assert np.isfinite(gradient.flat).all()


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8"])
def test_a_target_without_an_axis_is_refused(dtype):
    net = fastmlp.MLP([4, 1], seed=0)
    for call in (net.evaluate, net.gradient, net.step, net.fit, net.vjp):
        name = "dY" if call == net.vjp else "y"
        refuses(lambda call=call: call(X[:1].astype("f4"), np.array(1, dtype)), rf"{name} has shape \(\)", net=net)


# two threads


def test_calls_side_by_side_leave_the_net_what_it_was():
    import threading

    net = fastmlp.MLP([64, 256, 1], output="sigmoid", seed=0)
    x = np.random.default_rng(0).normal(size=(300, 64)).astype("f4")
    y = np.random.default_rng(1).uniform(size=(300, 1)).astype("f4")
    expected = net.gradient(x, y).loss, net.vjp(x, y).loss, net.evaluate(x, y)
    found, problems = set(), []

    def work():
        try:
            for _ in range(60):
                found.add((net.gradient(x, y).loss, net.vjp(x, y).loss, net.evaluate(x, y)))
                net.transform(x)
                assert len(net.weights) == len(net.trainable) == len(net.copy().rate_factors) == 2
                refuses(lambda: net.evaluate(x, y + 2), "binary_cross_entropy expects")
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert found == {expected}


# arrays that are ready, and those that are not, give the same


@pytest.mark.parametrize(
    "form",
    [
        lambda a: a.astype("f4"), lambda a: a.tolist(), lambda a: np.asfortranarray(a), lambda a: a[::-1][::-1],
        lambda a: a.astype("f4").astype(">f4"), lambda a: a.astype("f2").astype("f8"), lambda a: a,
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_form_of_the_same_numbers_gives_the_same_answer(dtype, form):
    x, y = samples().astype("f2").astype("f8"), samples(seed=1, n=3).astype("f2").astype("f8")
    net = a_net(builds.current(), dtype)
    ready = cast(x, dtype), cast(y, dtype)
    assert net.predict(form(x)).tobytes() == net.predict(ready[0]).tobytes()
    assert net.predict(form(x)[3]).tobytes() == net.predict(ready[0][3]).tobytes()
    assert net.evaluate(form(x), form(y)) == net.evaluate(*ready)
    assert net.gradient(form(x), form(y)).flat.tobytes() == net.gradient(*ready).flat.tobytes()
    nets = net.copy(), net.copy()
    assert nets[0].step(form(x), form(y)) == nets[1].step(*ready)
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()


def test_integers_and_booleans_are_numbers_in_a_list_and_in_an_array():
    net = a_net(builds.current(), "float32")
    expected = net.predict(np.array([[1, 0, 1, 0]], "f4"))
    for form in ([[1, 0, 1, 0]], [[True, False, True, False]], [[1, 0.0, 1, False]], np.array([[1, 0, 1, 0]], "u1")):
        assert net.predict(form).tobytes() == expected.tobytes()
