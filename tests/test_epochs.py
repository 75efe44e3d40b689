"""Epochs in the core: the same bits however they are cut into calls; the order of samples; what is held out.

`Network.train` with a Run, in every build and in the reference, and `MLP.fit` above it. What stops a fit is the
business of test_stopping.py, callbacks after batches that of test_schedules.py.
"""

import functools
import math
import operator
import pickle
import subprocess
import sys
from collections import Counter
from itertools import permutations
from textwrap import dedent

import numpy as np
import pytest

import fastmlp
from cases import COMPILED, EVERY_BUILD, EVERY_NETWORK, cast
from fastmlp import builds, formulas
from fastmlp.optimizers import Steps
from fastmlp.training import Run
from lines import half_squared_errors, line, line_data, small_net
from tolerances import assert_close

ROWS = 23
DATA_SEED = 4


def classifier(build, dtype, dropout=(), loss="cross_entropy", output="softmax", n_out=3):
    network = builds.network(dtype, build)((4, 9, n_out), ("tanh", output), loss, dropout=dropout)
    network.parameters[:] = np.random.default_rng(0).normal(size=network.parameters.size).astype(np.float32)
    return network


def data(dtype, m=ROWS):
    rng = np.random.default_rng(DATA_SEED)
    X = rng.normal(size=(m, 4)).astype(np.float32)
    labels = (X[:, 0] > 0).astype(np.int64) + (X[:, 1] > 0.5)
    return cast(X, dtype), labels, cast(rng.uniform(0.5, 2, m).astype(np.float32), dtype)


def a_run(network, epochs, validated=True, patience=0, shuffle=True, rows=None, m=ROWS):
    X, y, _ = data(network.dtype, 40)
    run = Run(seed=2**63 + 5, number=3, before=np.empty(network.parameters.size, network.dtype))
    if shuffle:
        run.order = np.empty(m if rows is None else len(rows), np.int64)
    if validated:
        run.validation, run.validation_rows, run.wants_accuracy = (X, y, np.arange(1, 40, 3)), 13, True
    if patience:
        run.patience, run.tol, run.best = patience, 1e-3, np.full(network.parameters.size, np.nan, network.dtype)
    run.losses = np.full((epochs, 3), np.nan)
    return run


def ends(network, run):
    """All that a run leaves behind."""
    moments = [np.asarray(part).tobytes() for part in network.optimizer_state]
    best = None if run.best is None else run.best.tobytes()
    return network.parameters.tobytes(), moments, run.number, run.stop, run.best_loss, run.waited, best


def run_in_calls(network, calls, one_step=False, **options):
    """Epochs in so many calls as there are numbers; the losses of all epochs, and the run."""
    X, y, w = data(network.dtype)
    run = a_run(network, 0, **options)
    run.one_step = one_step
    steps, losses = Steps(5, fastmlp.Adam(0.02, weight_decay=0.1)), []
    for epochs in calls:
        run.losses = np.full((epochs, 3), np.nan)
        ended = 0
        while ended < epochs and not run.stop:
            network.train(X, y, w, None, steps, 1, run)
            losses += run.losses[: run.ended].tolist()
            ended += run.ended
            if not one_step:
                break
            run.losses = np.full((epochs - ended, 3), np.nan)
    return losses, run


@pytest.mark.parametrize("patience", [0, 4])
@pytest.mark.parametrize("dropout", [(), (0.3,)])
@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_the_same_bits_however_epochs_are_cut_into_calls(build, dtype, dropout, patience):
    whole = classifier(build, dtype, dropout)
    expected, run = run_in_calls(whole, [9], patience=patience)
    assert len(expected) == run.ended > 4
    for calls, one_step in (([1] * 9, False), ([4, 1, 4], False), ([9], True), ([1] * 9, True)):
        cut = classifier(build, dtype, dropout)
        losses, other = run_in_calls(cut, calls, one_step, patience=patience)
        assert losses == expected, (calls, one_step)
        assert ends(cut, other) == ends(whole, run), (calls, one_step)


@pytest.mark.parametrize("options", [{}, {"patience": 3}, {"shuffle": False}, {"validated": False}], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("build", COMPILED)
def test_a_run_gives_what_the_reference_gives(build, dtype, options):
    oracle, tested = classifier("reference", "float64", (0.3,)), classifier(build, dtype, (0.3,))
    expected, wanted = run_in_calls(oracle, [7], **options)
    losses, run = run_in_calls(tested, [7], **options)
    assert (run.number, run.stop, run.waited, run.ended) == (wanted.number, wanted.stop, wanted.waited, wanted.ended)
    assert_close(np.array(losses)[:, 0], np.array(expected)[:, 0], "adam", dtype, "losses")
    if "validated" not in options:
        assert_close(np.array(losses)[:, 1], np.array(expected)[:, 1], "adam", dtype, "validation losses")
        np.testing.assert_array_equal(np.array(losses)[:, 2], np.array(expected)[:, 2])
        assert 0 < min(np.array(expected)[:, 2]) < 1
    assert_close(tested.parameters, oracle.parameters, "adam", dtype, "parameters")
    if "patience" in options:
        assert_close(run.best, wanted.best, "adam", dtype, "best parameters")


@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_validation_loss_and_accuracy_are_those_of_evaluate_and_forward(build, dtype):
    X, labels, _ = data(dtype, 40)
    rows = np.arange(1, 40, 3)
    for output, n_out, y in (
        ("softmax", 3, labels),
        ("softmax", 3, cast(np.eye(3)[labels], dtype)),
        ("sigmoid", 1, cast((labels > 0).astype(float)[:, None], dtype)),
    ):
        loss = "binary_cross_entropy" if output == "sigmoid" else "cross_entropy"
        network = classifier(build, dtype, loss=loss, output=output, n_out=n_out)
        run = a_run(network, 1, m=40)
        run.validation = X, y, rows
        network.train(X, y, None, None, Steps(8, fastmlp.SGD(0.1)), 1, run)
        outputs = network.forward(X[rows])
        classes = outputs.argmax(axis=1) if output == "softmax" else outputs[:, 0] >= 0.5
        _, measured, accuracy = run.losses[0]
        assert measured == network.evaluate(np.ascontiguousarray(X[rows]), np.ascontiguousarray(y[rows]))
        assert accuracy == np.mean(classes == (labels[rows] if output == "softmax" else labels[rows] > 0))


@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_divergence_returns_to_the_parameters_from_before_the_epoch(build, dtype):
    network = classifier(build, dtype, loss="half_squared_error", output="identity", n_out=1)
    X, _, _ = data(dtype)
    run = a_run(network, 50, validated=False)
    before = []
    while not run.stop:
        before.append(network.parameters.copy())
        run.losses = np.full((1, 3), np.nan)
        network.train(X, X[:, :1].copy(), None, None, Steps(5, fastmlp.SGD(1e9, momentum=0.5)), 1, run)
    assert run.stop == "diverged"
    assert not math.isfinite(run.diverged_loss) or not math.isfinite(run.sums.sum())
    assert network.parameters.tobytes() == before[-1].tobytes()
    assert not any(np.asarray(moment).any() for moment in network.optimizer_state[2:])


@pytest.mark.parametrize("build", EVERY_BUILD)
def test_the_rows_to_train_with_are_the_only_ones_that_count(build):
    X, y, w = data("float64", 40)
    rows = np.sort(np.random.default_rng(1).permutation(40)[:ROWS])
    by_rows, alone = classifier(build, "float64"), classifier(build, "float64")
    some, all_of_them = a_run(by_rows, 4, rows=rows), a_run(alone, 4)
    by_rows.train(X, y, w, rows, Steps(5, fastmlp.Adam()), 1, some)
    alone.train(*(np.ascontiguousarray(a[rows]) for a in (X, y, w)), None, Steps(5, fastmlp.Adam()), 1, all_of_them)
    assert by_rows.parameters.tobytes() == alone.parameters.tobytes()
    np.testing.assert_array_equal(some.losses[:, 0], all_of_them.losses[:, 0])
    np.testing.assert_array_equal(rows[all_of_them.order], some.order)


# the order of samples


@pytest.mark.parametrize("build", EVERY_BUILD)
def test_the_order_of_an_epoch_is_that_of_the_formula(build):
    network = classifier(build, "float64")
    X, y, _ = data("float64")
    run = a_run(network, 2)
    network.train(X, y, None, None, Steps(5, fastmlp.SGD()), 1, run)
    seed = formulas.seed_of_epoch(2**63 + 5, 4)
    expected = formulas.shuffled(np.arange(ROWS), seed)
    np.testing.assert_array_equal(run.order, expected)
    assert sorted(expected) == list(range(ROWS))


def test_every_order_is_as_likely_as_any_other():
    # 24 orders of 4 rows, 48,000 draws: chi-squared with 23 degrees of freedom is above 60 once in 30,000 seeds.
    n = 48_000
    counts = Counter(tuple(formulas.shuffled(np.arange(4), seed)) for seed in range(n))
    assert set(counts) == set(permutations(range(4)))
    assert sum((count - n / 24) ** 2 / (n / 24) for count in counts.values()) < 60


def test_a_number_is_drawn_below_its_bound_and_each_is_as_likely():
    # Of the bound 3 * 2^30 a quarter of all hashes gives a number that another one gives, too: they are drawn again.
    n = 100_000
    hashes = np.random.default_rng(0).integers(2**64, size=n, dtype=np.uint64)
    for bound in (1, 3, 3 << 30, 1 << 32):
        numbers = formulas.numbers_below(np.full(n, bound, np.uint64), hashes)
        assert numbers.max() < bound
        if bound == 3 << 30:
            plain = (hashes >> np.uint64(32)) * np.uint64(bound) >> np.uint64(32)
            assert 0.24 < np.mean(numbers != plain) < 0.26
            # Of the plain ones, those that are 0 modulo 3 are twice as many as each of the others.
            assert np.bincount(plain % np.uint64(3))[0] > 0.45 * n
            assert max(np.bincount((numbers % np.uint64(3)).astype(int))) < 0.345 * n


def test_the_core_draws_again_what_the_formula_draws_again():
    # Among 400,000 rows some twenty draws are unfair.
    m, seed = 400_000, formulas.seed_of_epoch(2**63 + 5, 3)
    bounds = np.arange(1, m + 1, dtype=np.uint64)
    key = formulas._mixed(np.array([seed], np.uint64))
    hashes = formulas._mixed(key + (bounds - np.uint64(1)) * formulas._GOLDEN)
    assert (formulas.numbers_below(bounds, hashes) != (hashes >> np.uint64(32)) * bounds >> np.uint64(32)).sum() > 5
    for build in COMPILED:
        network = builds.network("float32", build)((1, 1), ("identity",), "half_squared_error")
        run = a_run(network, 1, validated=False, m=m)
        network.train(np.ones((m, 1), "f4"), np.ones((m, 1), "f4"), None, None, Steps(m // 2, fastmlp.SGD()), 1, run)
        np.testing.assert_array_equal(run.order, formulas.shuffled(np.arange(m), seed))


def test_consecutive_epochs_and_neighbouring_seeds_have_orders_of_their_own():
    orders = {
        formulas.shuffled(np.arange(100), formulas.seed_of_epoch(seed, number)).tobytes()
        for seed in range(20)
        for number in range(20)
    }
    assert len(orders) == 400


# fit


@pytest.mark.parametrize(
    "options",
    [{}, {"batch_size": None}, {"validation": 0.2}, {"shuffle": False}, {"sample_weight": np.arange(30)}],
    ids=lambda options: next(iter(options), "as it is"),
)
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_fit_goes_on_as_if_it_had_never_ended(options, dropout):
    X, y = line_data(m=30)
    whole, parts = small_net(dropout=dropout), small_net(dropout=dropout)
    options = {"batch_size": 7} | options
    history = whole.fit(X, y, epochs=9, **options)
    histories = [parts.fit(X, y, epochs=epochs, **options) for epochs in (2, 4, 3)]
    assert parts.parameters.tobytes() == whole.parameters.tobytes()
    assert functools.reduce(operator.iadd, (one.loss for one in histories), []) == history.loss
    assert functools.reduce(operator.iadd, (one.validation_loss for one in histories), []) == history.validation_loss


def test_a_pickle_and_a_copy_go_on_in_the_same_order():
    X, y = line_data(m=30)
    net = small_net(dropout=0.2)
    net.fit(X, y, epochs=3, batch_size=4)
    others = pickle.loads(pickle.dumps(net)), net.copy()
    for one in (net, *others):
        one.fit(X, y, epochs=3, batch_size=4)
    assert {one.parameters.tobytes() for one in others} == {net.parameters.tobytes()}


def test_nobody_who_looks_changes_what_is_computed():
    X, y = line_data(m=40)
    nets, histories, options = [], [], {"epochs": 6, "batch_size": 7, "validation": 0.25, "schedule": "cosine"}
    for looks in (
        {}, {"callbacks": lambda net, history: None}, {"batch_callbacks": lambda net, history: None},
        {"max_time": 1e6}, {"threads": 2}, {"progress": True},
    ):  # fmt: skip
        net = small_net(dropout=0.2)
        histories.append(net.fit(X, y, patience=3, **options, **looks))
        nets.append(net.parameters.tobytes())
    assert nets[1:] == nets[:1] * 5
    for history in histories[1:]:
        assert (history.loss, history.validation_loss) == (histories[0].loss, histories[0].validation_loss)


def test_more_epochs_than_one_call_makes_are_all_made():
    X, y = line_data(m=4)
    net, other = small_net(), small_net()
    history = net.fit(X, y, epochs=5000, batch_size=None, schedule="cosine")
    assert history.epochs == 5000
    for cut in (1, 4096):
        assert history.loss[cut - 1] > history.loss[cut]
    other.fit(X, y, epochs=5000, batch_size=None, schedule="cosine", callbacks=lambda net, history: False)
    assert net.parameters.tobytes() == other.parameters.tobytes()


@pytest.mark.parametrize(
    "options", [{}, {"validation": 0.2, "patience": 10**6}, {"schedule": "cosine"}, {"max_time": 1e6}], ids=str
)
def test_an_epoch_makes_no_call_of_python(options):
    X, y = line_data(m=40)
    net = small_net()
    calls = []
    for epochs in (10, 1000):
        seen = []
        sys.setprofile(lambda frame, event, argument, seen=seen: seen.append(event))
        try:
            net.fit(X, y, epochs=epochs, batch_size=8, **options)
        finally:
            sys.setprofile(None)
        calls.append(Counter(seen)["call"] + Counter(seen)["c_call"])
    assert calls[0] > 10
    assert abs(calls[1] - calls[0]) < 60  # a look every tenth of a second, and no call for each of 990 epochs


def test_rows_held_out_are_the_same_in_the_next_fit():
    X, y = line_data(m=50)
    net = line()
    first = net.fit(X, y, epochs=1, optimizer=fastmlp.SGD(1e-30), validation=0.2)
    again = net.fit(X, y, epochs=1, optimizer=fastmlp.SGD(1e-30), validation=0.2)
    assert first.validation_loss == again.validation_loss
    total = half_squared_errors(net, X, y).sum()
    assert 40 * first.loss[0] + 10 * first.validation_loss[0] == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize("shuffle", [True, False])
def test_rows_held_out_are_not_copied(tmp_path, shuffle):
    # 512 MiB of zeros in a file; of anonymous memory there may be a tenth of that beyond what the import takes.
    code = f"""
        import threading, time
        import numpy as np, fastmlp
        X = np.memmap({str(tmp_path / "X")!r}, "f4", "w+", shape=(2**20, 128))
        y = np.zeros(2**20, "f4")
        net = fastmlp.MLP([128, 4, 1], seed=0)
        def anonymous():
            return int(next(l for l in open("/proc/self/status") if l.startswith("RssAnon")).split()[1]) // 1024
        before, most, over = anonymous(), 0, False
        def watch():
            global most
            while not over:
                most = max(most, anonymous())
                time.sleep(0.002)
        watcher = threading.Thread(target=watch)
        watcher.start()
        history = net.fit(X, y, epochs=1, batch_size=256, validation=0.1, shuffle={shuffle})
        over = True
        watcher.join()
        print(most - before, len(history.validation_loss))
    """
    done = subprocess.run([sys.executable, "-c", dedent(code)], capture_output=True, text=True, check=True)
    grown, epochs = map(int, done.stdout.split())
    assert epochs == 1
    assert grown < 51


def test_another_thread_gets_the_net_while_a_fit_goes_on():
    import threading

    X, y = line_data(m=200)
    net, seen = small_net(), []

    def look():
        while worker.is_alive():
            net.predict(X[:1])
            seen.append(1)

    worker = threading.Thread(target=lambda: net.fit(X, y, epochs=10**9, max_time=2.0))
    watcher = threading.Thread(target=look)
    worker.start()
    watcher.start()
    worker.join()
    watcher.join()
    assert len(seen) > 2


def test_a_schedule_that_is_any_callable_is_asked_for_one_epoch_at_a_time():
    X, y = line_data(m=10)
    asked = []
    small_net().fit(X, y, epochs=3, batch_size=5, schedule=lambda progress: asked.append(len(progress)) or progress)
    assert asked == [2] * 4  # the first time to see whether it is one


@pytest.mark.parametrize("build", EVERY_BUILD)
def test_a_batch_that_weighs_nothing_does_not_end_an_epoch_by_the_clock(build):
    X, y = line_data(m=64)
    with builds.forced(build):
        net = small_net()
    options = {"batch_size": 32, "shuffle": False, "sample_weight": np.repeat([0.0, 1.0], 32)}
    history = net.fit(X, y, epochs=5, max_time=1e-9, **options)
    assert (history.stop_reason, history.epochs) == ("time", 1)
    assert math.isfinite(history.loss[0])


@pytest.mark.parametrize("build", EVERY_BUILD)
def test_another_thread_can_end_an_epoch(build):
    import threading
    import time

    with builds.forced(build):
        net = fastmlp.MLP([30, 300, 300, 1], seed=0)
    X = np.random.default_rng(0).normal(size=(200_000, 30)).astype("f4")
    done = []
    worker = threading.Thread(target=lambda: done.append(net.fit(X, X[:, 0], epochs=1, batch_size=8)))
    worker.start()
    time.sleep(0.1)
    net._network.interrupt()
    worker.join()
    assert done[0].stop_reason == "time"
    assert net.fit(X, X[:, 0], epochs=9, batch_size=8).stop_reason == "time"  # until it may go on
    net._network.interrupt(False)
    assert net.fit(X[:80], X[:80, 0], epochs=2, batch_size=8).stop_reason == "epochs"


def test_a_pickle_of_a_net_that_had_a_generator_can_be_read():
    X, y = line_data(m=20)
    net = small_net()
    net.fit(X, y, epochs=1)
    state = net.__getstate__()
    for name in ("_seed", "_epochs", "trainable", "rate_factors"):
        state.pop(name)
    state |= {"_rng": np.random.default_rng(3), "_process": 1}
    other = fastmlp.MLP.__new__(fastmlp.MLP)
    other.__setstate__(state)
    assert other.parameters.tobytes() == net.parameters.tobytes()
    assert other.fit(X, y, epochs=1).epochs == 1


@pytest.mark.parametrize("again", [lambda net: net.copy(), lambda net: pickle.loads(pickle.dumps(net))])
def test_a_copy_that_a_callback_makes_goes_on_as_the_net_does(again):
    X, y = line_data(m=30)
    net, copies = small_net(dropout=0.2), []
    options = {"batch_size": 7, "validation": 0.2}
    net.fit(X, y, epochs=4, callbacks=lambda net, history: copies.append(again(net)), **options)
    for epochs, one in zip((3, 2, 1), copies, strict=False):
        one.fit(X, y, epochs=epochs, **options)
        assert one.parameters.tobytes() == net.parameters.tobytes()


def test_a_callback_may_train_its_own_net():
    X, y = line_data(m=30)
    net = small_net()

    def train(net, history):
        net.step(X, y)
        net.fit(X, y, epochs=2)

    history = net.fit(X, y, epochs=3, callbacks=train)
    assert history.epochs == 3
    assert net._epochs == 9  # no order of samples comes twice
