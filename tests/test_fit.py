"""The training call: batches, order, continuing, sample weights, history, progress.

Threads are the business of test_determinism.py; forks, signals and interruption of test_neighbour.py; validation and
what ends a call before its last epoch of test_stopping.py.

Expected weights come from formulas of one linear neuron, written here; the rest are statements about
repetition, where "the same" means the same bits.
"""

import numpy as np
import pytest

import fastmlp
from lines import NO_STEP, half_squared_errors, line, line_data, small_net


def walk(w, X, y, batches, learning_rate):
    """Plain gradient descent of a line over the batches (slices or index arrays); w = (weights..., bias)."""
    for batch in batches:
        A = np.column_stack([X[batch], np.ones(len(X[batch]))])
        w = w - learning_rate * A.T @ (A @ w - y[batch]) / len(A)
    return w


@pytest.mark.parametrize(
    ("batch_size", "cuts"),
    [
        (1, [(i, i + 1) for i in range(10)]),
        (4, [(0, 4), (4, 8), (8, 10)]),
        (5, [(0, 5), (5, 10)]),
        (10, [(0, 10)]),
        (None, [(0, 10)]),
        (1000, [(0, 10)]),
    ],
)
def test_an_epoch_walks_the_batches_in_order_and_steps_by_their_mean(batch_size, cuts):
    X, y = line_data()
    net = line()
    w = np.append(net.weights[0][:, 0], net.biases[0])
    net.fit(X, y, epochs=2, batch_size=batch_size, optimizer=fastmlp.SGD(0.05), shuffle=False)
    expected = walk(w, X, y, [slice(*cut) for cut in cuts] * 2, 0.05)
    np.testing.assert_allclose([*net.weights[0][:, 0], *net.biases[0]], expected, rtol=1e-12)


def test_the_loss_of_an_epoch_is_the_mean_over_its_rows_also_when_the_last_batch_is_short():
    X, y = line_data(m=11)
    net = line()
    expected = half_squared_errors(net, X, y).mean()
    for batch_size in (1, 4, 10, 11, None):
        history = net.fit(X, y, epochs=1, batch_size=batch_size, optimizer=NO_STEP)
        assert history.loss == pytest.approx([expected], rel=1e-12), batch_size


def test_the_loss_of_a_full_batch_epoch_is_the_loss_before_its_step():
    X, y = line_data()
    net = line()
    w = np.append(net.weights[0][:, 0], net.biases[0])
    history = net.fit(X, y, epochs=3, batch_size=None, optimizer=fastmlp.SGD(0.05))
    for loss in history.loss:
        assert loss == pytest.approx(0.5 * np.mean((X @ w[:3] + w[3] - y) ** 2), rel=1e-12)
        w = walk(w, X, y, [slice(None)], 0.05)


def test_a_shuffled_epoch_sees_every_row_once():
    # Losses that are different powers of two: their mean tells which rows were seen how often.
    m = 40
    y = -np.sqrt(2.0 * 2.0 ** np.arange(m))
    net = fastmlp.MLP.from_parameters([np.zeros((1, 1))], [np.zeros(1)], output="identity", dtype="float64")
    for batch_size in (1, 7, 40):
        history = net.fit(np.zeros((m, 1)), y, epochs=3, batch_size=batch_size, optimizer=NO_STEP, shuffle=True)
        assert history.loss == pytest.approx([(2.0**m - 1) / m] * 3, rel=1e-13)


def test_shuffling_changes_the_order_from_epoch_to_epoch():
    X, y = line_data(m=30)
    kept, shuffled = line(), line()
    kept.fit(X, y, epochs=1, batch_size=1, optimizer=fastmlp.SGD(0.05), shuffle=False)
    shuffled.fit(X, y, epochs=1, batch_size=1, optimizer=fastmlp.SGD(0.05), shuffle=True)
    assert kept.parameters.tobytes() != shuffled.parameters.tobytes()

    net = fastmlp.MLP([3, 1], seed=0, dtype="float64")
    ends = []
    for _ in range(2):
        net.parameters = np.zeros(4)
        net.fit(X, y, epochs=1, batch_size=1, optimizer=fastmlp.SGD(0.05), shuffle=True)
        ends.append(net.parameters.tobytes())
    assert ends[0] != ends[1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", ["adam", fastmlp.SGD(0.05, momentum=0.9)], ids=["adam", "momentum"])
def test_the_same_seed_gives_the_same_bits(dtype, optimizer):
    X, y = line_data(m=50)
    ends, histories = [], []
    for seed in (5, 5, 6):
        net = small_net(seed=seed, dtype=dtype)
        histories.append(net.fit(X, y, epochs=5, batch_size=8, optimizer=optimizer, validation=0.2))
        ends.append(net.parameters.tobytes())
    assert ends[0] == ends[1]
    assert histories[0].loss == histories[1].loss
    assert histories[0].validation_loss == histories[1].validation_loss
    assert ends[0] != ends[2]


def test_training_does_not_touch_the_global_random_state_of_numpy_or_depend_on_it():
    X, y = line_data(m=20)
    ends = []
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002
        before = np.random.get_state()[1].tobytes()  # noqa: NPY002
        net = small_net(seed=0)
        net.fit(X, y, epochs=2)
        assert np.random.get_state()[1].tobytes() == before  # noqa: NPY002
        ends.append(net.parameters.tobytes())
    assert ends[0] == ends[1]


@pytest.mark.parametrize(
    "optimizer",
    [
        fastmlp.SGD(0.05),
        fastmlp.SGD(0.05, momentum=0.9),
        fastmlp.SGD(0.05, momentum=0.9, nesterov=True),
        "adam",
    ],
    ids=["SGD", "momentum", "Nesterov", "Adam"],
)
@pytest.mark.parametrize("batch_size", [1, 8, None])
def test_continuing_a_fit_is_the_same_as_one_long_fit(optimizer, batch_size):
    X, y = line_data(m=30)
    options = {"batch_size": batch_size, "optimizer": optimizer, "shuffle": False}
    long, parts = small_net(), small_net()
    whole = long.fit(X, y, epochs=6, **options)
    pieces = [parts.fit(X, y, epochs=epochs, **options) for epochs in (1, 2, 3)]
    assert long.parameters.tobytes() == parts.parameters.tobytes()
    assert whole.loss == [loss for piece in pieces for loss in piece.loss]


@pytest.mark.parametrize("first", ["adam", fastmlp.SGD(0.05, momentum=0.9)], ids=["adam", "momentum"])
def test_another_optimizer_starts_without_the_state_of_the_first(first):
    X, y = line_data(m=30)
    for second in (fastmlp.Adam(0.02), fastmlp.SGD(0.02, momentum=0.5)):
        net, fresh = small_net(), small_net()
        net.fit(X, y, epochs=3, optimizer=first, shuffle=False)
        fresh.parameters = net.parameters
        for either in (net, fresh):
            either.fit(X, y, epochs=3, optimizer=second, shuffle=False)
        assert net.parameters.tobytes() == fresh.parameters.tobytes()


def test_an_equal_optimizer_made_anew_also_continues():
    X, y = line_data(m=30)
    long, parts = small_net(), small_net()
    long.fit(X, y, epochs=4, optimizer=fastmlp.SGD(0.05, momentum=0.9), shuffle=False)
    for _ in range(2):
        parts.fit(X, y, epochs=2, optimizer=fastmlp.SGD(0.05, momentum=0.9), shuffle=False)
    assert long.parameters.tobytes() == parts.parameters.tobytes()


def test_sample_weights_that_are_whole_numbers_are_repeated_rows():
    X, y = line_data(m=12)
    times = np.array([1, 2, 0, 3, 1, 1, 4, 0, 2, 1, 1, 2])
    weighted, repeated = small_net(), small_net()
    options = {"epochs": 20, "batch_size": None, "optimizer": fastmlp.Adam(0.01), "shuffle": False}
    with_weights = weighted.fit(X, y, sample_weight=times, **options)
    with_rows = repeated.fit(np.repeat(X, times, axis=0), np.repeat(y, times), **options)
    np.testing.assert_allclose(weighted.parameters, repeated.parameters, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(with_weights.loss, with_rows.loss, rtol=1e-10)
    assert weighted.evaluate(X, y, sample_weight=times) == pytest.approx(
        repeated.evaluate(np.repeat(X, times, axis=0), np.repeat(y, times)), rel=1e-10
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("factor", [2.0**60, 2.0**-60])
def test_sample_weights_count_by_their_ratio(factor, dtype):
    X, y = line_data(m=30)
    weight = np.random.default_rng(0).uniform(0.5, 2.0, 30).astype(np.float32)
    answers = []
    for sample_weight in (weight, weight * np.float32(factor)):
        net = small_net(dtype=dtype)
        gradient = net.gradient(X, y, sample_weight=sample_weight)
        history = net.fit(X, y, epochs=3, batch_size=7, shuffle=False, sample_weight=sample_weight)
        answers.append([gradient.loss, *gradient.flat, *gradient.inputs.ravel(), *history.loss, *net.parameters])
    np.testing.assert_allclose(answers[1], answers[0], rtol=1e-5 if dtype == "float32" else 1e-12, atol=1e-7)


def test_a_batch_without_weight_changes_nothing():
    X, y = line_data(m=8)
    weight = np.array([0.0, 0, 0, 0, 1, 1, 1, 1])
    net = line()
    w = np.append(net.weights[0][:, 0], net.biases[0])
    history = net.fit(X, y, epochs=1, batch_size=4, optimizer=fastmlp.SGD(0.05), shuffle=False, sample_weight=weight)
    expected = walk(w, X, y, [slice(4, 8)], 0.05)
    np.testing.assert_allclose([*net.weights[0][:, 0], *net.biases[0]], expected, rtol=1e-12)
    assert history.loss == pytest.approx([0.5 * np.mean((X[4:] @ w[:3] + w[3] - y[4:]) ** 2)], rel=1e-12)


def test_the_history_tells_what_happened():
    X, y = line_data(m=20)
    history = small_net().fit(X, y, epochs=4)
    assert history.epochs == 4
    assert history.stop_reason == "epochs"
    assert isinstance(history.loss, list)
    assert [type(loss) for loss in history.loss] == [float] * 4
    assert len(history.validation_loss) == 0
    assert len(history.validation_accuracy) == 0
    assert isinstance(history.seconds, float)
    assert history.seconds > 0


def test_progress_goes_to_stderr_and_only_when_asked_for(capsys):
    X, y = line_data(m=20)
    small_net().fit(X, y, epochs=3, validation=0.2)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
    small_net().fit(X, y, epochs=3, validation=0.2, progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "epoch" in captured.err.lower()
    assert "3" in captured.err
    assert "loss" in captured.err.lower()
    assert captured.err.endswith("\n")


def test_progress_changes_no_bit():
    X, y = line_data(m=20)
    quiet, loud = small_net(), small_net()
    quiet.fit(X, y, epochs=3)
    loud.fit(X, y, epochs=3, progress=True)
    assert quiet.parameters.tobytes() == loud.parameters.tobytes()


def test_fit_does_not_write_to_the_data():
    X, y = line_data(m=20)
    weight = np.ones(20)
    before = [array.tobytes() for array in (X, y, weight)]
    small_net().fit(X, y, epochs=3, sample_weight=weight, validation=0.2)
    assert [array.tobytes() for array in (X, y, weight)] == before


def test_an_optimizer_can_be_shared_by_two_nets():
    X, y = line_data(m=20)
    shared = fastmlp.Adam(0.01)
    alone, one, two = small_net(), small_net(), small_net(seed=9)
    for _ in range(2):
        alone.fit(X, y, epochs=2, optimizer=fastmlp.Adam(0.01), shuffle=False)
    for _ in range(2):
        one.fit(X, y, epochs=2, optimizer=shared, shuffle=False)
        two.fit(X, y, epochs=2, optimizer=shared, shuffle=False)
    assert one.parameters.tobytes() == alone.parameters.tobytes()


def test_labels_that_change_during_the_fit_do_not_reach_the_core():
    X, y = np.eye(10, dtype="f4"), np.arange(10)
    net = fastmlp.MLP([10, 10], output="softmax", seed=0)
    net.fit(X, y, epochs=3, callbacks=[lambda net, history: y.fill(10**12)])
    assert np.isfinite(net.parameters).all()


def test_weights_built_from_the_nets_own_views_are_copied_first():
    net = fastmlp.MLP([3, 3, 3], seed=0)
    first, second = (W.copy() for W in net.weights)
    net.weights = net.weights[::-1]
    assert np.array_equal(net.weights[0], second)
    assert np.array_equal(net.weights[1], first)
