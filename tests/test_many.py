"""fit_many: the same bits as a fit of each net alone, whatever the threads; one data set for all, or one for each."""

import subprocess
import sys
import threading
from textwrap import dedent

import numpy as np
import pytest

import fastmlp
from bad_arguments import refuses
from lines import line_data

OPTIONS = {"epochs": 4, "batch_size": 5, "validation": 0.25, "patience": 2}


def nets(n=5, **options):
    return [fastmlp.MLP([3, 6, 1], activation="tanh", seed=seed, **options) for seed in range(n)]


def each_for_itself(several, data, weights=None, **options):
    histories = []
    for i, net in enumerate(several):
        w = None if weights is None else weights[i]
        histories.append(net.fit(*data[i], sample_weight=w, **(OPTIONS | options)))
    return histories


def same(ours, theirs):
    return [net.parameters.tobytes() for net in ours] == [net.parameters.tobytes() for net in theirs]


@pytest.mark.parametrize("threads", [None, 1, 2, 3, 100])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_many_nets_are_each_what_they_are_alone(dtype, threads):
    X, y = line_data(m=30)
    ours, theirs = nets(dtype=dtype), nets(dtype=dtype)
    histories = fastmlp.fit_many(ours, X, y, threads=threads, **OPTIONS)
    expected = each_for_itself(theirs, [(X, y)] * 5)
    assert same(ours, theirs)
    assert [one.loss for one in histories] == [one.loss for one in expected]
    assert [one.validation_loss for one in histories] == [one.validation_loss for one in expected]


@pytest.mark.parametrize("form", [list, tuple, np.stack])
def test_each_net_may_have_its_own_data(form):
    data = [line_data(m=30, seed=seed) for seed in range(5)]
    weights = [np.random.default_rng(seed).uniform(size=30) for seed in range(5)]
    ours, theirs = nets(), nets()
    y = [one for _, one in data]
    fastmlp.fit_many(ours, form([x for x, _ in data]), y, threads=2, sample_weight=weights, **OPTIONS)
    each_for_itself(theirs, data, weights)
    assert same(ours, theirs)


def test_one_x_for_all_and_a_y_for_each():
    X, _ = line_data(m=30)
    targets = [line_data(m=30, seed=seed)[1] for seed in range(5)]
    ours, theirs = nets(), nets()
    fastmlp.fit_many(ours, X.tolist(), targets, threads=2, **OPTIONS)
    each_for_itself(theirs, [(X, y) for y in targets])
    assert same(ours, theirs)


def test_one_net_a_thread_and_as_many_as_asked_for():
    X, y = line_data(m=30)
    seen, both = set(), threading.Barrier(2, timeout=30)

    def meet(net, history):
        seen.add(threading.get_ident())
        if history.epochs == 1:
            both.wait()

    fastmlp.fit_many(nets(2), X, y, threads=2, callbacks=meet, epochs=3)
    assert len(seen) == 2


def test_an_error_in_a_callback_ends_all_fits_and_comes_through():
    X, y = line_data(m=30)

    def fail(net, history):
        raise LookupError("mine")

    several = nets(3)
    with pytest.raises(LookupError, match="mine"):
        fastmlp.fit_many(several, X, y, threads=2, epochs=10**6, callbacks=fail)
    assert all(np.isfinite(net.parameters).all() for net in several)


def test_an_error_of_the_last_net_ends_the_first_ones():
    X, y = line_data(m=30)
    several = nets(2)

    def fail(net, history):
        if net is several[-1] and history.epochs == 3:
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        fastmlp.fit_many(several, X, y, threads=2, epochs=10**9, callbacks=fail)


def test_ctrl_c_ends_all_fits_in_the_middle_of_an_epoch():
    code = """
        import os, signal, threading, time
        import numpy as np, fastmlp
        nets = [fastmlp.MLP([30, 300, 300, 1], seed=seed) for seed in range(4)]
        X = np.random.default_rng(0).normal(size=(1_000_000, 30)).astype("f4")
        signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell in the background turns off
        def interrupt():
            time.sleep(1)
            os.kill(os.getpid(), signal.SIGINT)
        threading.Thread(target=interrupt).start()
        began = time.perf_counter()
        try:
            fastmlp.fit_many(nets, X, X[:, 0], threads=2, epochs=10**6, batch_size=1)
        except KeyboardInterrupt:
            print(time.perf_counter() - began)
    """
    command = [sys.executable, "-c", dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert float(done.stdout) < 20  # an epoch takes minutes


def test_callbacks_may_come_from_an_iterator():
    X, y = line_data(m=30)
    seen = []
    fastmlp.fit_many(nets(3), X, y, epochs=2, callbacks=iter([lambda net, history: seen.append(1)]))
    assert len(seen) == 6


def test_divergence_is_told_for_the_net_that_diverged():
    X, y = line_data(m=30)
    several = nets(2)
    with pytest.warns(RuntimeWarning, match="diverged"):
        histories = fastmlp.fit_many(
            several, X, [y, 1e20 * y], threads=2, epochs=20, optimizer=fastmlp.SGD(0.01, momentum=0.5)
        )
    assert [one.stop_reason for one in histories] == ["epochs", "diverged"]


BAD = {
    "no list": (lambda n, X, y: fastmlp.fit_many(n[0], X, y), ["nets is"]),
    "no net": (lambda n, X, y: fastmlp.fit_many([*n, 3], X, y), [r"nets\[2\] is 3", "MLP"]),
    "a net twice": (lambda n, X, y: fastmlp.fit_many([*n, n[0]], X, y), ["nets has one net twice"]),
    "too few X": (lambda n, X, y: fastmlp.fit_many(n, [X], y), ["X has 1 arrays for 2 nets"]),
    "too many y": (lambda n, X, y: fastmlp.fit_many(n, X, [y] * 3), ["y has 3 arrays for 2 nets"]),
    "a bad X for the second": (
        lambda n, X, y: fastmlp.fit_many(n, [X, X[:, :2]], y), [r"nets\[1\]: X has shape \(30, 2\)"]
    ),
    "a y that is not finite": (lambda n, X, y: fastmlp.fit_many(n, X, [y, y / 0]), [r"nets\[1\]: y\[0\] is -?inf"]),
    "an argument of fit": (lambda n, X, y: fastmlp.fit_many(n, X, y, epochs=0), [r"nets\[0\]: epochs is 0"]),
    "an unknown argument": (lambda n, X, y: fastmlp.fit_many(n, X, y, epoch=3), ["epoch"]),
    "progress": (lambda n, X, y: fastmlp.fit_many(n, X, y, progress=True), ["progress"]),
    "callbacks": (lambda n, X, y: fastmlp.fit_many(n, X, y, callbacks=[3]), [r"callbacks\[0\] is 3"]),
    "threads": (lambda n, X, y: fastmlp.fit_many(n, X, y, threads=0), ["threads is 0"]),
    "weights": (lambda n, X, y: fastmlp.fit_many(n, X, y, sample_weight=-y), [r"nets\[0\]: sample_weight"]),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("name", list(BAD))
def test_a_bad_argument_is_named_and_no_net_changes(name):
    call, words = BAD[name]
    several, untouched = nets(2), nets(2)
    refuses(lambda: call(several, *line_data(m=30)), *words)
    assert same(several, untouched)


def test_no_nets_are_no_work():
    assert fastmlp.fit_many([], *line_data()) == []
