"""Label smoothing of the two cross entropies: core against reference, against targets smoothed by hand, and what an
MLP says of it. Without it all else about them is in test_core_equals_reference.py and test_formulas.py.
"""

import pickle

import numpy as np
import pytest

import fastmlp
from cases import EVERY_NETWORK, cast
from fastmlp import builds, graph
from fastmlp.optimizers import Steps
from test_gradients import central_differences
from tolerances import DIFFERENCE_TOLERANCE, NOT_ZERO, assert_close

SMOOTHING = 0.2
PAIRS = [(output, loss) for output in ("softmax", "sigmoid") for loss in ("cross_entropy", "binary_cross_entropy")]
PAIR_NAMES = ["-".join(pair) for pair in PAIRS]
SIZES = (5, 9, 3)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 5)).astype(np.float32).astype(np.float64)
LABELS = RNG.integers(0, 3, 300)
ONE_HOT = np.eye(3)[LABELS]
WEIGHT = RNG.uniform(0.5, 2.0, 300).astype(np.float32).astype(np.float64)


def network(build, dtype, output, loss, smoothing=SMOOTHING):
    made = builds.network(dtype, build)(SIZES, ("tanh", output), loss if smoothing is None else (loss, smoothing))
    made.parameters[:] = np.random.default_rng(1).normal(size=made.parameters.size).astype(np.float32) * 0.5
    return made


def by_hand(loss, y, e=SMOOTHING):
    """Targets (m, 3) of which e goes to three classes, or to the two of each output."""
    return (1 - e) * y + e / {"cross_entropy": 3, "binary_cross_entropy": 2}[loss]


def gradient(net, rows, y, weight):
    flat, inputs = np.empty(net.parameters.size, net.dtype), np.empty((rows, 5), net.dtype)
    x, y, w = (cast(a, net.dtype) for a in (X[:rows], y[:rows], weight if weight is None else weight[:rows]))
    return net.gradient(x, y, w, flat, inputs), flat, inputs


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["alike", "weighted"])
@pytest.mark.parametrize(("output", "loss"), PAIRS, ids=PAIR_NAMES)
@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_smoothed_labels_are_targets_smoothed_by_hand(build, dtype, output, loss, weight):
    smooth, plain = (
        network(*where, output, loss, e)
        for where, e in (((build, dtype), SMOOTHING), (("reference", "float64"), 0.0))
    )
    kinds = [ONE_HOT, RNG.uniform(size=ONE_HOT.shape).astype(np.float32).astype(np.float64)]
    for rows in (1, 3, 300):
        for y in kinds:
            expected = gradient(plain, rows, by_hand(loss, y), weight)
            for name, one, other in zip(
                ("loss", "gradient", "gradient"), gradient(smooth, rows, y, weight), expected, strict=True
            ):
                assert_close(one, other, name, dtype, (build, rows), scale=1e-2)
            w = None if weight is None else cast(weight[:rows], dtype)
            found = smooth.evaluate(cast(X[:rows], dtype), cast(y[:rows], dtype), w)
            assert_close(found, expected[0], "loss", dtype, (build, rows))
        if output == "softmax":
            by_labels, by_rows = (gradient(smooth, rows, y, weight) for y in (LABELS, ONE_HOT))
            assert all(np.array_equal(one, other) for one, other in zip(by_labels, by_rows, strict=True))


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(("output", "loss"), PAIRS, ids=PAIR_NAMES)
@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_steps_with_smoothed_labels_are_those_of_the_reference(build, dtype, output, loss, threads):
    tested, oracle = network(build, dtype, output, loss), network("reference", "float64", output, loss)
    y = LABELS if output == "softmax" else ONE_HOT
    steps = Steps(64, fastmlp.SGD(0.1, momentum=0.5))
    for _ in range(3):
        loss_here = tested.train(cast(X, dtype), cast(y, dtype), None, None, steps, threads)
        assert_close(loss_here, oracle.train(X, y, None, None, steps), "training", dtype)
    assert_close(tested.parameters, oracle.parameters, "training", dtype)


@pytest.mark.parametrize(("output", "loss"), PAIRS, ids=PAIR_NAMES)
@pytest.mark.parametrize("build", ["reference", builds.current()])
def test_the_gradient_of_smoothed_labels_is_that_of_finite_differences(build, output, loss):
    net = network(build, "float64", output, loss)
    _, flat, _ = gradient(net, 20, ONE_HOT, None)
    found = central_differences(lambda: net.evaluate(X[:20], ONE_HOT[:20]), net.parameters)
    np.testing.assert_allclose(flat, found, atol=DIFFERENCE_TOLERANCE)
    plain = network(build, "float64", output, loss, 0.0)
    assert np.abs(flat - gradient(plain, 20, ONE_HOT, None)[1]).max() > NOT_ZERO


@pytest.mark.parametrize(("output", "loss"), PAIRS, ids=PAIR_NAMES)
@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_without_smoothing_there_are_the_bits_of_a_loss_that_has_none(build, dtype, output, loss):
    bare, zero = (gradient(network(build, dtype, output, loss, e), 300, ONE_HOT, WEIGHT) for e in (None, 0.0))
    assert all(np.array_equal(one, other) for one, other in zip(bare, zero, strict=True))


@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_a_derivative_that_is_given_is_not_smoothed(build, dtype):
    found = []
    for e in (0.0, SMOOTHING):
        net = network(build, dtype, "softmax", "cross_entropy", e)
        flat = np.empty(net.parameters.size, net.dtype)
        found.append((net.vjp(cast(X, dtype), cast(ONE_HOT, dtype), None, flat), flat))
    assert found[0][0] == found[1][0]
    assert np.array_equal(found[0][1], found[1][1])


def test_the_loss_is_pytorchs():
    # -sum_j t_j log a_j of logits 1, 2, 3 and class 0, as torch.nn.CrossEntropyLoss(label_smoothing=0.1) has it.
    net = fastmlp.MLP.from_parameters([np.eye(3)], output="softmax", label_smoothing=0.1, dtype="float64")
    logs = np.array([1.0, 2.0, 3.0]) - np.log(np.exp([1.0, 2.0, 3.0]).sum())
    assert net.evaluate([[1.0, 2.0, 3.0]], [0]) == pytest.approx(-(0.9 * logs[0] + 0.1 * logs.mean()))
    one = fastmlp.MLP.from_parameters([[[1.0]]], output="sigmoid", label_smoothing=0.1, dtype="float64")
    p = 1 / (1 + np.exp(-2.0))
    assert one.evaluate([[2.0]], [1]) == pytest.approx(-(0.95 * np.log(p) + 0.05 * np.log(1 - p)))


@pytest.mark.parametrize(("output", "n_out"), [("softmax", 3), ("sigmoid", 1)])
def test_a_net_says_that_it_smooths_and_keeps_it(output, n_out, tmp_path):
    net = fastmlp.MLP([5, 4, n_out], output=output, label_smoothing=0.1, seed=0)
    y = LABELS if n_out == 3 else LABELS > 0
    net.save(tmp_path / "net.safetensors")
    for twin in (net, net.copy(), pickle.loads(pickle.dumps(net)), fastmlp.load(tmp_path / "net.safetensors")):
        assert twin.label_smoothing == 0.1
        assert "cross_entropy label_smoothing=0.1" in repr(twin)
        assert twin.evaluate(X, y) == net.evaluate(X, y)
    plain = fastmlp.MLP([5, 4, n_out], output=output, seed=0)
    assert "label_smoothing" not in repr(plain) + plain.summary()
    assert plain.evaluate(X, y) != net.evaluate(X, y)
    assert plain.score(X, y) == net.score(X, y)


def test_a_pickle_from_before_there_was_smoothing_has_none():
    net = fastmlp.MLP([5, 3], output="softmax", seed=0)
    state = net.__getstate__()
    del state["_label_smoothing"]
    older = fastmlp.MLP.__new__(fastmlp.MLP)
    older.__setstate__(state)
    assert older.label_smoothing == 0.0
    assert older.evaluate(X, LABELS) == net.evaluate(X, LABELS)


@pytest.mark.parametrize(
    ("output", "n_out", "loss"),
    [
        ("softmax", 3, "cross_entropy"),
        ("sigmoid", 3, "cross_entropy"),
        ("sigmoid", 1, "binary_cross_entropy"),
        ("softmax", 3, "binary_cross_entropy"),
    ],
)
def test_the_graph_the_trace_and_the_explanation_smooth_as_the_core_does(output, n_out, loss):
    net = fastmlp.MLP(
        [5, 4, n_out], activation="tanh", output=output, loss=loss, label_smoothing=0.1, dtype="float64", seed=0
    )
    x, y = X[0], ONE_HOT[0] if n_out == 3 else 1.0
    found = net.gradient(x, y)
    step = graph.of_net(net, x, y)
    step.loss.backward()
    assert step.loss.value == pytest.approx(found.loss, rel=1e-12)
    assert step.weights[0][0][0].grad == pytest.approx(found.weights[0][0, 0], rel=1e-9)
    assert net.trace(x, y).loss == pytest.approx(found.loss, rel=1e-12)
    shared = {"cross_entropy": "0.033333333", "binary_cross_entropy": "0.05"}[loss]
    assert f"(0.9·y1 + {shared})" in str(net.explain(x, y))


def test_the_losses_to_call_take_a_smoothing():
    a, y = np.array([0.2, 0.5, 0.3]), np.array([0.0, 1.0, 0.0])
    terms = fastmlp.losses["cross_entropy"](a, y, parameter=0.3)
    np.testing.assert_allclose(terms, -np.array([0.1, 0.8, 0.1]) * np.log(a))
    assert fastmlp.losses["binary_cross_entropy"].derivative(0.5, 1, parameter=0.5) == pytest.approx(-1.0)
    with pytest.raises(ValueError, match="parameter is given with scalars"):
        fastmlp.losses["cross_entropy"](0.5, 1.0, parameter=0.1)
    with pytest.raises(ValueError, match=r"parameter is 1\.0"):
        fastmlp.losses["cross_entropy"](a, y, parameter=1.0)


def test_a_module_of_torch_gets_a_smoothed_loss():
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Linear(5, 3), torch.nn.Softmax(dim=-1)).double()
    net = fastmlp.MLP.from_torch(module, label_smoothing=0.2)
    theirs = torch.nn.CrossEntropyLoss(label_smoothing=0.2)(module[0](torch.tensor(X)), torch.tensor(LABELS))
    assert net.evaluate(X, LABELS) == pytest.approx(theirs.item(), rel=1e-12)
