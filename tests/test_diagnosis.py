"""What `diagnose` finds: each fault is built on purpose and must be named with its layer and numbers, and healthy
nets must pass in silence; it leaves the net as it was.

Expected counts are those that were built in, or are counted here on the outputs of the layer computed in NumPy.
"""

import copy
import pickle

import numpy as np
import pytest

import fastmlp
from bad_arguments import FINITE, refuses
from fastmlp import MLP, diagnosis
from test_bad_input import BAD_X, BAD_Y

DTYPES = ("float32", "float64")
DIGITS, LABELS = fastmlp.datasets.load_digits()
XOR = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]

rng = np.random.default_rng(0)
X = rng.normal(size=(1500, 3))
Y = np.sin(X[:, 0]) + X[:, 1] * X[:, 2]
Y = (Y - Y.mean()) / Y.std()
CLASSES = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)
del rng


def digits_net(dtype="float32", seed=0, **options):
    return MLP([64, 32, 10], output="softmax", dtype=dtype, seed=seed, **options)


def names(found):
    return [finding.name for finding in found]


def only(found, name, layer=None):
    """The one finding of that name and layer."""
    of_name = [finding for finding in found[name] if finding.layer == layer]
    assert len(of_name) == 1, str(found)
    return of_name[0]


def zeros_of_first_layer(net, rows):
    """How many relu units of the first layer are 0 for all rows."""
    a = np.maximum(np.asarray(rows, float) @ net.weights[0].astype(float) + net.biases[0].astype(float), 0)
    return int((a == 0).all(axis=0).sum())


# healthy nets


HEALTHY = {
    "digits, labels": (
        lambda dtype, seed: digits_net(dtype, seed), DIGITS, LABELS, {"epochs": 15},
    ),
    "digits, one-hot, tanh": (
        lambda dtype, seed: digits_net(dtype, seed, activation="tanh"), DIGITS, np.eye(10)[LABELS], {"epochs": 15},
    ),
    "digits, sigmoid": (
        lambda dtype, seed: digits_net(dtype, seed, activation="sigmoid"), DIGITS, LABELS, {"epochs": 15},
    ),
    "digits, sgd": (
        lambda dtype, seed: digits_net(dtype, seed), DIGITS, LABELS, {"epochs": 15, "optimizer": "sgd"},
    ),
    "regression, tanh": (
        lambda dtype, seed: MLP([3, 32, 32, 1], activation="tanh", dtype=dtype, seed=seed), X, Y, {"epochs": 20},
    ),
    "regression, relu": (
        lambda dtype, seed: MLP([3, 64, 64, 1], dtype=dtype, seed=seed), X, Y, {"epochs": 20},
    ),
    "two outputs, no biases": (
        lambda dtype, seed: MLP([3, 64, 2], bias=False, dtype=dtype, seed=seed),
        X, np.column_stack([Y, X[:, 0] / 3]), {"epochs": 20},
    ),
    "nine tenths, quantile": (
        lambda dtype, seed: MLP([3, 32, 1], activation="silu", loss="quantile", quantile=0.9, dtype=dtype, seed=seed),
        X, Y, {"epochs": 20},
    ),
    "several labels": (
        lambda dtype, seed: MLP([3, 16, 2], activation="tanh", output="sigmoid", dtype=dtype, seed=seed),
        X, X[:, :2] > 0, {"epochs": 20},
    ),
    "counts": (
        lambda dtype, seed: MLP([3, 16, 1], activation="tanh", output="exponential", dtype=dtype, seed=seed),
        X, np.floor(np.exp(X[:, 0])), {"epochs": 20},
    ),
    "xor": (
        lambda dtype, seed: MLP([2, 4, 1], activation="tanh", output="sigmoid", dtype=dtype, seed=seed),
        *XOR, {"epochs": 300, "batch_size": None, "optimizer": fastmlp.Adam(0.05)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", list(HEALTHY))
def test_nothing_is_found_in_a_healthy_net_fresh_or_trained(name, dtype):
    make, inputs, targets, how = HEALTHY[name]
    asked = {key: how[key] for key in ("optimizer", "batch_size") if key in how}
    for seed in range(2):
        net = make(dtype, seed)
        fresh = net.diagnose(inputs, targets, **asked)
        assert names(fresh) == [], str(fresh)
        net.fit(inputs, targets, **how)
        trained = net.diagnose(inputs, targets, **asked)
        assert names(trained) == [], str(trained)
    assert len(trained) == 0
    assert not trained
    assert "nothing found" in str(trained)


def test_dummies_outliers_rare_pixels_and_columns_of_zeros_are_not_unscaled():
    generator = np.random.default_rng(1)
    inputs = np.column_stack(
        [
            generator.random(1000) < 0.004,
            generator.random(1000) < 0.996,
            np.zeros(1000),
            generator.standard_t(2, size=1000).clip(-60, 60),
            generator.integers(0, 17, size=1000),
        ]
    )
    found = MLP([5, 16, 1], activation="tanh", seed=0).diagnose(inputs, generator.normal(size=1000))
    assert names(found) == [], str(found)


# the units


@pytest.mark.parametrize("dtype", DTYPES)
def test_dead_relus_are_counted_by_layer(dtype):
    net = MLP([3, 20, 10, 1], dtype=dtype, seed=0)
    healthy = net.diagnose(X, Y)
    assert "dead units" not in healthy
    net.biases[0][3:8] = -100
    net.biases[1][:2] = -1000
    found = net.diagnose(X, Y)
    assert [finding.layer for finding in found["dead units"]] == [1, 2]
    assert "5 of 20 relu units are 0 for all 1,500 rows" in only(found, "dead units", 1).what
    assert "2 of 10 relu units" in only(found, "dead units", 2).what
    assert "leaky_relu" in only(found, "dead units", 1).advice


def test_a_few_dead_units_are_let_pass_and_what_is_said_of_xor_is_true():
    net = MLP([3, 32, 1], seed=0)
    net.biases[0][:2] = -100
    assert "dead units" not in net.diagnose(X, Y)
    for seed in range(6):
        net = MLP([2, 8, 1], output="sigmoid", seed=seed)
        dead = zeros_of_first_layer(net, XOR[0])
        found = net.diagnose(*XOR, optimizer=fastmlp.Adam(0.05))
        assert len(found["dead units"]) == (dead > 0)
        if dead:
            assert f"{dead} of 8 relu units" in only(found, "dead units", 1).what


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "gelu", "silu", "mish", "softplus", "exponential"])
def test_every_activation_that_ends_at_zero_can_be_dead(activation):
    net = MLP([3, 8, 1], activation=activation, negative_slope=0.0, seed=0)
    net.biases[0][:3] = -200
    assert f"3 of 8 {activation} units" in only(net.diagnose(X, Y), "dead units", 1).what


def test_a_leaky_relu_below_zero_is_not_dead():
    net = MLP([3, 8, 1], activation="leaky_relu", seed=0)
    net.biases[0][:3] = -200
    assert "dead units" not in net.diagnose(X, Y)


def test_a_dead_output_is_named():
    net = MLP([3, 8, 1], output="relu", seed=0)
    net.biases[1][0] = -1000
    finding = only(net.diagnose(X, np.abs(Y)), "dead units", 2)
    assert "1 of 1 relu units" in finding.what


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_saturated_units_are_counted(activation, dtype):
    net = MLP([3, 10, 10, 1], activation=activation, dtype=dtype, seed=0)
    assert "saturated units" not in net.diagnose(X, Y)
    net.biases[1][:6] = [50, -50, 50, 50, -50, 50]
    found = net.diagnose(X, Y)
    assert f"6 of 10 {activation} units" in only(found, "saturated units", 2).what
    assert len(found["saturated units"]) == 1


def test_outputs_at_the_wrong_end_are_named_where_the_loss_has_no_gradient_there():
    inputs = X[:900]  # so few that all of them are looked at
    truth = (inputs[:, 0] > 0).astype(float)
    net = MLP([3, 8, 1], activation="tanh", output="sigmoid", loss="half_squared_error", seed=0)
    net.biases[1][0] = 20
    finding = only(net.diagnose(inputs, truth), "saturated units", 2)
    assert f"at the wrong end on {1 - truth.mean():.0%} of 900 rows" in finding.what
    assert "binary_cross_entropy" in finding.advice
    canonical = MLP.from_parameters(net.weights, net.biases, activation="tanh", output="sigmoid")
    assert "saturated units" not in canonical.diagnose(inputs, truth)
    net.biases[1][0] = 0
    net.weights[1][...] = 0
    net.weights[0][...] = 0
    net.weights[0][0, 0], net.weights[1][0, 0] = 1, 100  # at the right end for nearly every row
    assert "saturated units" not in net.diagnose(inputs, truth)


def test_a_softmax_at_the_wrong_class_is_named_with_squared_error_only():
    for loss, count in (("squared_error", 1), ("cross_entropy", 0)):
        net = MLP([3, 8, 3], activation="tanh", output="softmax", loss=loss, seed=0)
        net.biases[1][...] = [30, 0, 0]
        found = net.diagnose(X, CLASSES)["saturated units"]
        assert len(found) == count
        assert all(finding.what.startswith("the softmax is saturated") for finding in found)


@pytest.mark.parametrize("dtype", DTYPES)
def test_units_with_equal_weights_are_counted(dtype):
    net = MLP([3, 12, 8, 1], activation="tanh", dtype=dtype, seed=0)
    net.weights[0][:, [2, 7]] = net.weights[0][:, [0, 0]]
    net.weights[0][:, 5] = net.weights[0][:, 11]
    found = net.diagnose(X, Y)
    what = only(found, "duplicate units", 1).what
    assert "5 of 12 units" in what  # 0, 2 and 7; 5 and 11
    assert "counts as 9" in what
    net.biases[0][5] = 1  # another threshold is another unit
    assert "3 of 12 units" in only(net.diagnose(X, Y), "duplicate units", 1).what


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_constant_initial_weights_are_named_in_each_hidden_layer_before_and_after_a_fit(value):
    net = MLP([3, 8, 8, 1], activation="tanh", seed=0)
    net.parameters[...] = value
    for _ in range(2):
        found = net.diagnose(X, Y)
        for layer in (1, 2):
            what = only(found, "duplicate units", layer).what
            assert "8 of 8 units" in what
            assert what.endswith("counts as 1.")
        net.fit(X, Y, epochs=2)


# gradients


def relative_gradients(net, inputs, targets):
    """By layer, the RMS of dC/dW over those of W and of the layer's inputs; identity layers."""
    a, relative = np.asarray(inputs, float), []
    gradient = net.gradient(inputs, targets)
    for W, g in zip(net.weights, gradient.weights, strict=True):
        rms = [np.sqrt(np.mean(np.square(array.astype(float)))) for array in (g, W, a)]
        relative.append(rms[0] / (rms[1] * rms[2]))
        a = a @ W
    return np.array(relative)


@pytest.mark.parametrize(("factor", "name"), [(10.0, "exploding gradients"), (0.05, "vanishing gradients")])
@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_that_explode_or_vanish_are_named_by_layer(factor, name, dtype):
    net = MLP([3, *[16] * 5, 1], activation="identity", bias=False, dtype=dtype, seed=0)
    inputs, targets = X[:500], Y[:500]  # so few that all of them are looked at
    assert "exploding gradients" not in net.diagnose(inputs, targets)
    assert "vanishing gradients" not in net.diagnose(inputs, targets)
    for W in net.weights:
        W *= factor
    relative = relative_gradients(net, inputs, targets)
    ratios = relative / relative[-1]
    expected = [i for i, ratio in enumerate(ratios, start=1) if not 1e-3 <= ratio <= 1e3]
    assert 1 in expected
    assert len(expected) < 6
    found = net.diagnose(inputs, targets)
    assert [finding.layer for finding in found[name]] == expected
    for finding in found[name]:
        seen = float(finding.what.split(" times")[0].split()[-1])
        assert seen == pytest.approx(ratios[finding.layer - 1], rel=0.01)


def test_a_deep_sigmoid_net_has_vanishing_gradients():
    found = MLP([3, *[16] * 9, 1], activation="sigmoid", seed=0).diagnose(X, Y)
    layers = [finding.layer for finding in found["vanishing gradients"]]
    assert layers[:3] == [1, 2, 3]
    assert 9 not in layers


def test_overflow_is_named_with_its_layer_if_it_has_one():
    net = MLP([3, 8, 8, 1], seed=0)
    net.weights[1][...] = 3e38
    finding = only(net.diagnose(X, Y), "overflow", 2)
    assert "relu" in finding.what
    assert "float32" in finding.what
    found = MLP([1, 8, 1], seed=0).diagnose(np.array([[1e25], [2e25], [3e25], [4e25]]), [1, 2, 3, 4])
    assert only(found, "overflow").layer is None
    assert "unscaled inputs" in found
    assert "learning rate too high" not in found
    assert "overflow" not in MLP([1, 8, 1], dtype="float64", seed=0).diagnose(np.full((4, 1), 1e25), [1, 2, 3, 4])


# the data


def parabola():
    x = np.arange(1001.0)[:, None]
    return x, x[:, 0] ** 2 + 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_parabola_without_scale_is_explained_before_and_after_the_fit(dtype):
    x, y = parabola()
    net = MLP([1, 16, 1], activation="tanh", dtype=dtype, seed=0)
    found = net.diagnose(x, y)
    assert names(found)[:2] == ["unscaled inputs", "unscaled targets"]
    assert "mean 500" in only(found, "unscaled inputs").what
    assert "mean 3.34e+05 and standard deviation 2.98e+05" in only(found, "unscaled targets").what
    assert "(X - X.mean(axis=0)) / X.std(axis=0)" in only(found, "unscaled inputs").advice
    assert "scale='standard'" in only(found, "unscaled targets").advice
    assert "nearly constant outputs" not in found  # it was never trained
    with pytest.warns(RuntimeWarning, match=r"y lies between 1 and 1e\+06.*divide it"):
        net.fit(x, y, epochs=20)
    found = net.diagnose(x, y)
    assert names(found)[:2] == ["unscaled inputs", "unscaled targets"]
    r2 = 1 - np.square(net.predict(x)[:, 0] - y).sum() / np.square(y - y.mean()).sum()
    assert f"R² is {r2:.2f}" in only(found, "nearly constant outputs", 2).what


def test_the_parabola_in_its_scale_is_learned_and_passes():
    x, y = parabola()
    x, y = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    net = MLP([1, 16, 1], activation="tanh", seed=0)
    assert names(net.diagnose(x, y)) == []
    net.fit(x, y, epochs=50)
    assert names(net.diagnose(x, y)) == []


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (0, 1000 * X[:, 0]),
        (1, 20 + X[:, 1]),
        (2, 1e-3 * X[:, 2]),
        (1, 1990 + 30 * np.linspace(0, 1, 1500)),
    ],
    ids=["large", "offset", "small", "years"],
)
def test_a_column_that_is_not_scaled_is_named(column, values):
    inputs = X.copy()
    inputs[:, column] = values
    finding = only(MLP([3, 16, 1], activation="tanh", seed=0).diagnose(inputs, Y), "unscaled inputs")
    assert finding.what.startswith(f"column {column} of X is")


def test_many_columns_are_counted_and_some_of_them_named():
    finding = only(digits_net().diagnose(DIGITS * 255, LABELS), "unscaled inputs")
    far = np.flatnonzero((255 * DIGITS).std(axis=0) > 10)
    assert finding.what.startswith(f"{len(far)} of 64 columns")
    assert f"columns {far[0]}, {far[1]}," in finding.what
    assert f"and {len(far) - 5} more" in finding.what


def test_columns_of_very_different_scale_are_named():
    inputs = X * [9.0, 1.0, 0.005]
    finding = only(MLP([3, 16, 1], activation="tanh", seed=0).diagnose(inputs, Y), "unscaled inputs")
    assert "column 0 has standard deviation" in finding.what
    assert "column 2 is within" in finding.what


def test_constant_columns_are_named():
    inputs = X.copy()
    inputs[:, [0, 2]] = 1.5
    finding = only(MLP([3, 16, 1], activation="tanh", seed=0).diagnose(inputs, Y), "constant inputs")
    assert finding.what == "columns 0 and 2 of X have the same value in all rows: 1.5 in column 0."


def test_a_column_that_varies_in_one_row_of_many_is_not_constant():
    for row in range(0, 6000, 1500):
        inputs = np.tile(X, (4, 1))
        inputs[:, 1] = 1
        assert "constant inputs" in MLP([3, 8, 1], activation="tanh", seed=0).diagnose(inputs, np.tile(Y, 4))
        inputs[row, 1] = 0
        assert "constant inputs" not in MLP([3, 8, 1], activation="tanh", seed=0).diagnose(inputs, np.tile(Y, 4))


def test_targets_of_several_outputs_are_judged_by_column():
    net = MLP([3, 16, 3], activation="tanh", seed=0)
    finding = only(net.diagnose(X, np.column_stack([Y, 500 * Y, Y + 100])), "unscaled targets")
    assert "columns 1 and 2 of 3 of y" in finding.what
    finding = only(net.diagnose(X, np.column_stack([Y, 0.05 * Y, X[:, 0]])), "unscaled targets")
    assert "0.05 in column 1" in finding.what
    finding = only(net.diagnose(X, np.column_stack([Y, np.full(1500, 2.0), X[:, 0]])), "constant targets")
    assert "column 1 of 3 of y has the same value in all rows, 2." in finding.what


def test_targets_beyond_the_output_are_named_with_its_range():
    cases = [
        ("sigmoid", 10 * Y, "0 to 1"),
        ("tanh", 10 * Y, "-1 to 1"),
        ("relu", Y, "0 and more"),
        ("softplus", Y, "0 and more"),
        ("exponential", Y, "0 and more"),
        ("elu", 3 * Y, "-1 and more"),
    ]
    for output, targets, ends in cases:
        net = MLP([3, 8, 1], output=output, loss="half_squared_error", seed=0)
        finding = only(net.diagnose(X, targets), "targets out of range")
        assert f"range of {output} outputs, {ends}" in finding.what
        assert f"from {targets.min():.3g} to {targets.max():.3g}" in finding.what
        low = -0.9 if output == "tanh" else 0.1
        assert "targets out of range" not in net.diagnose(X, np.clip(targets, low, 0.9))
    assert "targets out of range" not in MLP([3, 8, 1], seed=0).diagnose(X, Y)
    net = MLP([3, 8, 2], output="tanh", seed=0)
    finding = only(net.diagnose(X, np.column_stack([np.tanh(Y), 5 * Y])), "targets out of range")
    assert finding.what.startswith("column 1 of y leaves")


def test_the_ends_of_a_range_are_within_it_whatever_the_rounding():
    scaled = (Y - Y.min()) / (Y.max() - Y.min()) * (1 + 2e-16)
    net = MLP([3, 8, 1], output="sigmoid", loss="half_squared_error", dtype="float64", seed=0)
    assert "targets out of range" not in net.diagnose(X, scaled)


@pytest.mark.parametrize("one_hot", [False, True])
def test_rare_and_absent_classes_are_named_for_labels_and_one_hot_rows(one_hot):
    labels = np.where(np.arange(1500) % 30 == 0, 3, CLASSES)
    targets = np.eye(5)[labels] if one_hot else labels
    found = MLP([3, 16, 5], activation="tanh", output="softmax", seed=0).diagnose(X, targets)
    counts = np.bincount(labels)
    assert counts[3] == 50
    assert "class 4 of 5" in only(found, "absent classes").what
    what = only(found, "unbalanced classes").what
    assert f"class {counts.argmax()} has {100 * counts.max() / 1500:.3g}% of the rows" in what
    assert "class 3 3.33%" in what


def test_rare_labels_of_sigmoid_and_tanh_outputs_are_named():
    rare = X[:, 0] > 2
    share = f"class 1 {100 * rare.mean():.3g}%"
    found = MLP([3, 8, 1], activation="tanh", output="sigmoid", seed=0).diagnose(X, rare)
    assert share in only(found, "unbalanced classes").what
    found = MLP([3, 8, 1], activation="tanh", output="tanh", seed=0).diagnose(X, np.where(rare, 1, -1))
    assert share in only(found, "unbalanced classes").what
    found = MLP([3, 8, 2], activation="tanh", output="sigmoid", seed=0).diagnose(
        X, np.column_stack([X[:, 1] > 0, rare])
    )
    assert only(found, "unbalanced classes").what.startswith("output 1: class 0")
    assert (
        "class 1 of 2"
        in only(MLP([3, 8, 1], output="sigmoid", seed=0).diagnose(X, np.zeros(1500)), "absent classes").what
    )


def test_weights_balance_classes_and_rows_of_weight_zero_do_not_count():
    rare = (X[:, 0] > 2).astype(int)
    net = MLP([3, 8, 2], activation="tanh", output="softmax", seed=0)
    assert "unbalanced classes" in diagnosis.diagnose(net, X, rare)
    balance = np.where(rare, 1 / rare.mean(), 1 / (1 - rare.mean()))
    assert "unbalanced classes" not in diagnosis.diagnose(net, X, rare, sample_weight=balance)
    found = diagnosis.diagnose(net, X, rare, sample_weight=1.0 - rare)
    assert "class 1 of 2" in only(found, "absent classes").what
    assert found.rows == 1500 - rare.sum()
    far = X.copy()
    far[10] = 1e6
    weight = np.ones(1500)
    weight[10] = 0
    regression = MLP([3, 8, 1], activation="tanh", seed=0)
    assert "unscaled inputs" in diagnosis.diagnose(regression, far, Y)
    assert "unscaled inputs" not in diagnosis.diagnose(regression, far, Y, sample_weight=weight)


# outputs


def test_a_trained_net_that_answers_a_constant_is_named():
    net = MLP([3, 8, 2], activation="tanh", seed=0)
    net.weights[1][:, 1] = 0
    net.biases[1][...] = [0.1, 0.3]
    finding = only(net.diagnose(X, np.column_stack([Y, Y])), "nearly constant outputs", 2)
    assert finding.what.startswith("output 1 of 2 hardly varies")
    assert "standard deviation 0 around 0.3" in finding.what


def test_a_trained_net_that_is_worse_than_the_mean_is_named():
    net = MLP([3, 8, 1], activation="tanh", seed=0)
    net.biases[1][0] = 1.5
    loss, of_mean = net.evaluate(X, Y), np.mean(np.square(Y - Y.mean())) / 2
    what = only(net.diagnose(X, Y), "no better than the mean").what
    assert f"the loss is {loss:.3g}" in what
    assert f"is {of_mean:.3g}" in what
    assert f"R² is {1 - loss / of_mean:.2f}" in what


def test_a_classifier_that_is_too_sure_but_often_right_is_not_worse_than_the_mean():
    truth = (X[:, 0] > 0).astype(int)
    truth[::8] = 1 - truth[::8]
    net = MLP([3, 1], output="sigmoid", seed=0)
    net.weights[0][:, 0] = [200, 0, 0]
    net.biases[0][0] = 0.1
    assert net.evaluate(X, truth) > np.log(2)
    assert "no better than the mean" not in net.diagnose(X, truth)
    assert "no better than the mean" in net.diagnose(X, 1 - truth)


# the learning rate


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("optimizer", "name"),
    [
        (fastmlp.SGD(1e-5), "learning rate too low"),
        (fastmlp.SGD(0.05), None),
        (fastmlp.SGD(50.0), "learning rate too high"),
        (fastmlp.Adam(1e-6), "learning rate too low"),
        ("adam", None),
        (fastmlp.Adam(3.0), "learning rate too high"),
        (fastmlp.RMSprop(1e-7), "learning rate too low"),
        ("rmsprop", None),
        (fastmlp.RMSprop(1.0), "learning rate too high"),
        ("adamw", None),
        (fastmlp.AdamW(3.0), "learning rate too high"),
    ],
    ids=str,
)
def test_a_learning_rate_is_judged_for_its_optimizer_and_the_advice_helps(optimizer, name, dtype):
    net = digits_net(dtype)
    found = net.diagnose(DIGITS, LABELS, optimizer=optimizer)
    assert names(found) == ([] if name is None else [name]), str(found)
    if name is not None:
        advised = float(only(found, name).advice.split("=")[1])
        good, bad = copy.deepcopy(net), copy.deepcopy(net)
        good.fit(DIGITS, LABELS, epochs=4, optimizer=type(optimizer)(advised))
        bad.fit(DIGITS, LABELS, epochs=4, optimizer=optimizer)
        assert good.evaluate(DIGITS, LABELS) < 0.8 * bad.evaluate(DIGITS, LABELS)


def test_a_rate_that_overflows_is_too_high():
    net = MLP([3, 16, 1], seed=0)
    found = net.diagnose(X, Y, optimizer=fastmlp.SGD(1e4))
    assert "overflows" in only(found, "learning rate too high").what


def test_a_rate_is_not_called_low_where_the_data_have_no_scale():
    net, slow = MLP([3, 16, 1], activation="tanh", seed=0), fastmlp.Adam(1e-6)
    assert "learning rate too low" in net.diagnose(X, Y, optimizer=slow)
    found = net.diagnose(15 * X, Y, optimizer=slow)
    assert "unscaled inputs" in found
    assert "learning rate too low" not in found


def test_the_batch_size_decides_the_steps_that_are_tried():
    x, y = X[:640], Y[:640]
    net = MLP([3, 16, 1], activation="tanh", seed=0)
    slow = fastmlp.Adam(1e-7)
    assert "in 200 steps" in only(net.diagnose(x, y, optimizer=slow), "learning rate too low").what  # 20 an epoch
    found = net.diagnose(x, y, optimizer=slow, batch_size=None)
    assert "in 200 steps" in only(found, "learning rate too low").what  # one an epoch
    found = net.diagnose(x, y, optimizer=slow, batch_size=64)
    assert "in 200 steps" in only(found, "learning rate too low").what  # 10 an epoch
    found = net.diagnose(x, y, optimizer=slow, batch_size=90)
    assert "in 200 steps" in only(found, "learning rate too low").what  # 8 an epoch


# what it leaves and what it answers


def state(net):
    """All that a net is, as bytes."""
    return pickle.dumps(net.__getstate__())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("fault", [False, True])
def test_the_net_is_unchanged_bit_for_bit_and_trains_on_as_if_nobody_had_looked(dtype, fault):
    net = digits_net(dtype, dropout=0.2)
    twin = copy.deepcopy(net)
    for one in (net, twin):
        one.fit(DIGITS, LABELS, epochs=2, optimizer="adam")
    if fault:
        net.biases[0][:8] = twin.biases[0][:8] = -100
    before, inputs, labels = state(net), DIGITS.copy(), LABELS.copy()
    net.diagnose(DIGITS * (300 if fault else 1), LABELS, optimizer=fastmlp.Adam(10.0 if fault else 1e-3))
    assert state(net) == before
    assert np.array_equal(DIGITS, inputs)
    assert np.array_equal(LABELS, labels)
    for one in (net, twin):
        one.fit(DIGITS, LABELS, epochs=2, optimizer="adam")
    assert net.parameters.tobytes() == twin.parameters.tobytes()


def test_a_generator_that_the_caller_gave_is_not_moved():
    generator = np.random.default_rng(5)
    net = digits_net(seed=generator)
    before = generator.bit_generator.state
    net.diagnose(DIGITS, LABELS)
    assert generator.bit_generator.state == before


def test_the_same_net_and_data_give_the_same_answer_and_the_global_generator_plays_no_part():
    net = MLP([3, 16, 1], seed=0)
    net.biases[0][:4] = -100
    long = np.tile(X, (3, 1)), np.tile(Y, 3)
    np.random.seed(1)  # noqa: NPY002
    first = net.diagnose(*long, optimizer=fastmlp.SGD(50.0))
    np.random.seed(2)  # noqa: NPY002
    assert net.diagnose(*long, optimizer=fastmlp.SGD(50.0)) == first
    assert len(first) >= 2


def test_findings_are_sorted_looked_up_by_name_and_cannot_be_changed():
    x, y = parabola()
    net = MLP([1, 16, 16, 1], seed=0)
    net.biases[0][:8] = -1e6
    net.biases[1][:8] = -1e6
    found = net.diagnose(x, y)
    order = [diagnosis.NAMES.index(finding.name) for finding in found]
    assert order == sorted(order)
    assert [finding.layer for finding in found["dead units"]] == [1, 2]
    assert list(found) == found.findings
    assert len(found) == len(found.findings)
    assert "overflow" not in found
    assert found["overflow"] == []
    with pytest.raises(ValueError, match=r"name is 'dead unit'.*did you mean 'dead units'"):
        assert "dead unit" in found
    with pytest.raises(TypeError, match="name is 3"):
        assert 3 in found
    with pytest.raises(AttributeError):
        found.findings[0].what = "something else"


def test_the_report_fits_80_columns_and_says_each_advice_once():
    x, y = parabola()
    net = MLP([1, *[16] * 6, 1], activation="sigmoid", seed=0)
    net.fit(x, y, epochs=2)
    found = net.diagnose(x, y)
    text = str(found)
    assert max(map(len, text.splitlines())) <= 80
    assert f"{len(found)} findings" in text.replace("\n", " ")
    flat = " ".join(text.split())
    for finding in found:
        assert text.count(f"\n{finding.name}\n") == 1
        assert flat.count(finding.advice) == 1
        assert (f"layer {finding.layer}: " if finding.layer else "") + finding.what in flat
    assert repr(found) == text
    assert "1,001 rows" in flat


def test_rows_too_few_to_judge_data_are_not_judged():
    net = MLP([3, 8, 1], seed=0)
    for m in (1, 2, 3):
        found = net.diagnose(np.full((m, 3), 7.0), np.full(m, 3.0))
        assert not {"constant inputs", "constant targets", "unscaled inputs"} & set(names(found))
    classifier = MLP([3, 8, 1], activation="tanh", output="sigmoid", seed=0)
    assert "fewer than four rows" in str(classifier.diagnose([[0.5, 1, 2]], [1]))


def test_many_classes_are_looked_at_within_bounds_of_memory():
    generator = np.random.default_rng(0)
    inputs, labels = generator.normal(size=(3000, 4)), generator.integers(0, 600, size=3000)
    net = MLP([4, 16, 600], output="softmax", seed=0)
    net.biases[0][:4] = -100
    found = net.diagnose(inputs, labels)
    assert "4 of 16 relu units are 0 for all 2,000 rows" in only(found, "dead units", 1).what
    assert "unbalanced classes" not in found  # five rows a class: chance
    wide = MLP([4, 2, 5000], output="softmax", seed=0)
    assert "dead units" not in wide.diagnose(inputs[:50], labels[:50], batch_size=10)


# bad input


@pytest.mark.parametrize("name", list(BAD_X))
def test_a_bad_x_is_refused(name):
    bad, words = BAD_X[name]
    net = MLP([4, 5, 3], activation="tanh", seed=0)
    refuses(lambda: net.diagnose(bad, np.ones((6, 3))), *words, net=net)


@pytest.mark.parametrize("name", list(BAD_Y))
def test_a_bad_y_is_refused(name):
    bad, words = BAD_Y[name]
    net = MLP([4, 5, 3], activation="tanh", seed=0)
    refuses(lambda: net.diagnose(np.ones((6, 4)), bad), *words, net=net)


def test_other_bad_arguments_are_refused():
    net = MLP([3, 5, 1], activation="tanh", seed=0)
    refuses(lambda: net.diagnose(X, Y, optimizer="adamm"), "optimizer", "adamm", "did you mean 'adam'", net=net)
    refuses(lambda: net.diagnose(X, Y, optimizer=0.1), "optimizer", r"0\.1", net=net)
    refuses(lambda: net.diagnose(X, Y, optimizer=fastmlp.Adam(1e-300)), "learning_rate", "float32", net=net)
    refuses(lambda: net.diagnose(X, Y, batch_size=0), "batch_size", r"\b0\b", net=net)
    refuses(lambda: net.diagnose(X, Y, batch_size=2.5), "batch_size", r"2\.5", net=net)
    refuses(lambda: diagnosis.diagnose(net, X, Y, sample_weight=np.zeros(1500)), "sample_weight", "zero", net=net)
    refuses(lambda: diagnosis.diagnose(net, X, Y, sample_weight=np.ones(3)), "sample_weight", r"\(3,\)", net=net)
    net.weights[0][0, 0] = np.nan
    refuses(lambda: net.diagnose(X, Y), "parameters", FINITE, net=net)
