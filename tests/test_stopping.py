"""Who watches a training call and may end it: validation, patience, tol, callbacks, divergence.

Not here: what an epoch does (test_fit.py); callbacks after batches and the clock (test_schedules.py).

Expected losses come from formulas, the epoch of the end from the rule written once more; where weights are restored,
"the same" means the same bits.
"""

import re

import numpy as np
import pytest

import fastmlp
from lines import NO_STEP, half_squared_errors, line, line_data, small_net


def test_validation_data_of_ones_own_is_evaluated_after_every_epoch_and_not_learned():
    X, y = line_data(m=30)
    with_validation, without = small_net(), small_net()
    seen = []
    history = with_validation.fit(
        X[:20],
        y[:20],
        epochs=3,
        shuffle=False,
        validation=(X[20:], y[20:]),
        callbacks=[lambda net, history: seen.append(net.parameters.copy()) and None],
    )
    without.fit(X[:20], y[:20], epochs=3, shuffle=False)
    assert with_validation.parameters.tobytes() == without.parameters.tobytes()
    assert len(history.validation_loss) == 3
    for parameters, loss in zip(seen, history.validation_loss, strict=True):
        W1, b1 = parameters[:24].reshape(3, 8), parameters[24:32]
        W2, b2 = parameters[32:40].reshape(8, 1), parameters[40:]
        prediction = (np.tanh(X[20:] @ W1 + b1) @ W2 + b2)[:, 0]
        assert loss == pytest.approx(0.5 * np.mean((prediction - y[20:]) ** 2), rel=1e-12)


def test_a_fraction_without_shuffling_is_the_last_rows():
    X, y = line_data(m=50)
    by_fraction, by_hand = small_net(), small_net()
    one = by_fraction.fit(X, y, epochs=3, shuffle=False, validation=0.2)
    two = by_hand.fit(X[:40], y[:40], epochs=3, shuffle=False, validation=(X[40:], y[40:]))
    assert by_fraction.parameters.tobytes() == by_hand.parameters.tobytes()
    assert one.loss == two.loss
    assert one.validation_loss == two.validation_loss


def test_a_fraction_with_shuffling_is_a_seeded_choice_of_rows_that_are_not_trained_on():
    X, y = line_data(m=50)
    net = fastmlp.MLP([3, 1], dtype="float64", seed=3)
    total = half_squared_errors(net, X, y).sum()
    histories = []
    for seed in (3, 3, 4):
        again = fastmlp.MLP([3, 1], dtype="float64", seed=seed)
        again.parameters = net.parameters
        histories.append(again.fit(X, y, epochs=1, optimizer=NO_STEP, validation=0.2))
    for history in histories:
        # Every row is either among the 40 or among the 10.
        assert 40 * history.loss[0] + 10 * history.validation_loss[0] == pytest.approx(total, rel=1e-12)
    assert histories[0].validation_loss == histories[1].validation_loss
    assert histories[0].validation_loss != histories[2].validation_loss
    last_fifth = half_squared_errors(net, X[40:], y[40:]).mean()
    assert histories[0].validation_loss != pytest.approx([last_fifth], rel=1e-6)


def test_a_held_out_fraction_stays_held_out_in_every_epoch():
    X, y = line_data(m=50)
    history = fastmlp.MLP([3, 1], dtype="float64", seed=0).fit(X, y, epochs=4, optimizer=NO_STEP, validation=0.2)
    assert history.validation_loss == [history.validation_loss[0]] * 4
    assert history.loss == pytest.approx([history.loss[0]] * 4, rel=1e-12)


def test_sample_weights_follow_their_rows_into_the_validation_split():
    X, y = line_data(m=50)
    weight = np.random.default_rng(0).uniform(0.5, 2.0, 50)
    by_fraction, by_hand = small_net(), small_net()
    by_fraction.fit(X, y, epochs=3, shuffle=False, validation=0.2, sample_weight=weight)
    by_hand.fit(X[:40], y[:40], epochs=3, shuffle=False, sample_weight=weight[:40])
    assert by_fraction.parameters.tobytes() == by_hand.parameters.tobytes()


def test_validation_accuracy_is_the_share_of_right_classes():
    rng = np.random.default_rng(0)
    X, labels = rng.normal(size=(40, 3)), rng.integers(0, 3, 40)
    for y, output, truth in (
        (labels, "softmax", labels),
        (np.eye(3)[labels], "softmax", labels),
        ((labels > 0).astype(float), "sigmoid", labels > 0),
    ):
        net = fastmlp.MLP([3, 3 if output == "softmax" else 1], output=output, dtype="float64", seed=1)
        Z = X[30:] @ net.weights[0] + net.biases[0]
        classes = Z.argmax(axis=1) if output == "softmax" else Z[:, 0] >= 0
        history = net.fit(X[:30], y[:30], epochs=1, optimizer=NO_STEP, validation=(X[30:], y[30:]))
        assert history.validation_accuracy == pytest.approx([(classes == truth[30:]).mean()])
    regression = small_net().fit(X, X[:, 0], epochs=2, validation=0.2)
    assert len(regression.validation_accuracy) == 0


def stopping_epoch(losses, patience, tol):
    """The epoch that is the `patience`-th in a row that does not beat the best by more than tol, or None."""
    best, waited = np.inf, 0
    for epoch, loss in enumerate(losses, start=1):
        if loss < best - tol:
            best, waited = loss, 0
        else:
            waited += 1
        if waited == patience:
            return epoch
    return None


def noisy_fit(**stopping):
    """Return net, history and the weights of each epoch of a fit whose validation loss goes up and down."""
    X, y = line_data(m=40, seed=6)
    net = small_net(seed=2)
    seen = []
    history = net.fit(
        X[:20],
        y[:20],
        epochs=200,
        batch_size=1,
        optimizer=fastmlp.SGD(0.1),
        validation=(X[20:], y[20:]),
        callbacks=[lambda net, history: seen.append(net.parameters.copy()) and None],
        **stopping,
    )
    return net, history, seen


@pytest.mark.parametrize("patience", [1, 2, 5])
def test_patience_stops_after_so_many_epochs_without_improvement_and_restores_the_best_weights(patience):
    _, endless, _ = noisy_fit()
    assert endless.epochs == 200
    expected = stopping_epoch(endless.validation_loss, patience, 0.0)
    assert expected is not None
    assert 1 < expected < 200

    net, history, seen = noisy_fit(patience=patience)
    assert history.stop_reason == "patience"
    assert history.epochs == expected
    assert history.validation_loss == endless.validation_loss[:expected]
    best = int(np.argmin(history.validation_loss))
    assert best == expected - 1 - patience
    assert net.parameters.tobytes() == seen[best].tobytes()


def test_the_best_weights_are_restored_also_when_the_epochs_run_out():
    net, history, seen = noisy_fit(patience=1000)
    assert history.stop_reason == "epochs"
    best = int(np.argmin(history.validation_loss))
    assert best != len(seen) - 1
    assert net.parameters.tobytes() == seen[best].tobytes()


def test_without_patience_and_tol_the_last_weights_stay():
    net, _, seen = noisy_fit()
    assert net.parameters.tobytes() == seen[-1].tobytes()


def test_tol_stops_at_the_first_epoch_that_improves_too_little():
    X, y = line_data(m=20)
    tol = 1e-3
    options = {"epochs": 500, "batch_size": None, "optimizer": fastmlp.SGD(0.05), "shuffle": False}
    endless = line().fit(X, y, **options)
    expected = stopping_epoch(endless.loss, 1, tol)
    assert expected is not None
    assert 2 < expected < 500
    history = line().fit(X, y, tol=tol, **options)
    assert history.stop_reason == "tol"
    assert history.epochs == expected
    assert history.loss == endless.loss[:expected]


def test_tol_with_patience_waits_for_several_epochs():
    X, y = line_data(m=20)
    options = {"epochs": 500, "batch_size": None, "optimizer": fastmlp.SGD(0.05), "shuffle": False}
    endless = line().fit(X, y, **options)
    tol = 1e-2
    expected = stopping_epoch(endless.loss, 4, tol)
    assert expected is not None
    assert stopping_epoch(endless.loss, 1, tol) < expected < 500
    history = line().fit(X, y, tol=tol, patience=4, **options)
    assert history.stop_reason == "patience"
    assert history.epochs == expected


@pytest.mark.parametrize(("stopping", "epochs"), [({"patience": 3}, 4), ({"tol": 0.0}, 2)])
def test_a_loss_that_stays_the_same_is_no_improvement(stopping, epochs):
    X, y = line_data(m=20)
    history = line().fit(X, y, epochs=20, batch_size=None, optimizer=NO_STEP, shuffle=False, **stopping)
    assert history.epochs == epochs
    assert len(set(history.loss)) == 1


def test_tol_watches_the_validation_loss_where_there_is_one():
    _, endless, _ = noisy_fit()
    expected = stopping_epoch(endless.validation_loss, 1, 1e-4)
    _, history, _ = noisy_fit(tol=1e-4)
    assert history.epochs == expected
    assert stopping_epoch(endless.loss, 1, 1e-4) != expected


def test_a_callback_is_called_after_every_epoch_with_the_net_and_its_history():
    X, y = line_data(m=20)
    net, calls = small_net(), []

    def watch(watched, history):
        calls.append((watched is net, history.epochs, len(history.loss), len(history.validation_loss)))

    history = net.fit(X, y, epochs=3, validation=0.2, callbacks=[watch, watch])
    assert calls == [(True, epoch, epoch, epoch) for epoch in (1, 1, 2, 2, 3, 3)]
    assert history.stop_reason == "epochs"


def test_a_callback_that_returns_true_stops_the_fit():
    X, y = line_data(m=20)
    net, other = small_net(), small_net()
    history = net.fit(X, y, epochs=50, shuffle=False, callbacks=(lambda net, history: history.epochs == 7,))
    assert history.stop_reason == "callback"
    assert history.epochs == len(history.loss) == 7
    other.fit(X, y, epochs=7, shuffle=False)
    assert net.parameters.tobytes() == other.parameters.tobytes()


def test_a_callback_that_stops_at_the_best_epoch_leaves_the_weights_of_that_epoch():
    X, y = line_data(m=20)
    net, other = line(), line()
    options = {"batch_size": None, "optimizer": fastmlp.SGD(0.05), "shuffle": False, "validation": (X, y)}
    history = net.fit(X, y, epochs=50, patience=10, callbacks=[lambda net, history: history.epochs == 7], **options)
    assert history.stop_reason == "callback"
    assert int(np.argmin(history.validation_loss)) == 6
    other.fit(X, y, epochs=7, **options)
    assert net.parameters.tobytes() == other.parameters.tobytes()
    assert net.evaluate(X, y) == history.validation_loss[-1]


def test_an_error_in_a_callback_comes_through_and_leaves_a_working_net():
    X, y = line_data(m=20)
    net = small_net()

    def fail(net, history):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        net.fit(X, y, epochs=5, callbacks=[fail])
    assert np.isfinite(net.parameters).all()
    assert net.fit(X, y, epochs=2).epochs == 2


def test_a_callback_may_predict_and_change_the_weights():
    X, y = line_data(m=20)
    net = small_net()

    def clip(net, history):
        assert net.predict(X).shape == (20, 1)
        net.weights[0][:] = 0.0

    net.fit(X, y, epochs=3, callbacks=[clip])
    assert (net.weights[0] == 0).all()


def test_divergence_stops_says_the_epoch_and_keeps_the_last_finite_weights():
    # One weight, x = 1, y = 0: w <- w - 1e30 w. So w = 1, then -1e30, then 1e60, which float32 does not hold.
    net = fastmlp.MLP.from_parameters([np.ones((1, 1))], None, output="identity", dtype="float32")
    with pytest.warns(RuntimeWarning, match=r"(?i)epoch 2\b") as record:
        history = net.fit(np.ones((1, 1)), np.zeros(1), epochs=10, optimizer=fastmlp.SGD(1e30))
    assert len(record) == 1
    assert history.stop_reason == "diverged"
    assert net.weights[0][0, 0] == np.float32(-1e30)
    assert len(history.loss) == history.epochs
    assert history.loss[0] == 0.5


@pytest.mark.parametrize("optimizer", [fastmlp.SGD(1e6), fastmlp.SGD(1e6, momentum=0.9)], ids=["SGD", "momentum"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_after_divergence_the_weights_are_those_from_before_the_epoch(dtype, optimizer):
    X, y = line_data(m=50)
    net = fastmlp.MLP([3, 8, 8, 1], activation="relu", dtype=dtype, seed=0)
    seen = [net.parameters.copy()]

    def remember(net, history):
        if np.isfinite(net.parameters).all():
            seen.append(net.parameters.copy())

    with pytest.warns(RuntimeWarning, match=r"(?i)epoch \d+") as record:
        history = net.fit(100 * X, 100 * y, epochs=100, batch_size=5, optimizer=optimizer, callbacks=[remember])
    assert history.stop_reason == "diverged"
    assert np.isfinite(net.parameters).all()
    assert net.parameters.tobytes() == seen[-1].tobytes()
    assert int(re.search(r"(?i)epoch (\d+)", str(record[0].message))[1]) <= 100
    assert np.isfinite(net.predict(np.zeros((1, 3)))).all()


def test_a_net_that_has_diverged_can_be_trained_again_from_clean_state():
    X, y = line_data(m=20)
    optimizer = fastmlp.SGD(1e29, momentum=0.9)
    diverged, fresh = (
        fastmlp.MLP.from_parameters([np.ones((3, 1))], None, output="identity", dtype="float32") for _ in range(2)
    )
    with pytest.warns(RuntimeWarning, match=r"(?i)epoch \d+"):
        diverged.fit(X, y, epochs=50, optimizer=optimizer, shuffle=False)
    for net in (diverged, fresh):
        # In so small a world the huge rate is a good one.
        net.parameters = np.zeros(3)
        history = net.fit(1e-15 * X, 1e-15 * y, epochs=3, optimizer=optimizer, shuffle=False)
        assert history.stop_reason == "epochs"
    assert diverged.parameters.tobytes() == fresh.parameters.tobytes()
    assert (fresh.parameters != 0).all()


def test_a_diverging_validation_loss_is_divergence_too_or_the_weights_are_finite():
    X, y = line_data(m=20)
    net = line(dtype="float32")
    with pytest.warns(RuntimeWarning, match=r"(?i)epoch \d+"):
        history = net.fit(X, y, epochs=200, optimizer=fastmlp.SGD(1e4), validation=0.2, patience=150)
    assert history.stop_reason == "diverged"
    assert np.isfinite(net.parameters).all()
