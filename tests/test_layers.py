"""Kinds of layers and parameter groups: the core against the reference, and against what they are meant to do.

`MLP` makes dense layers, and a scale before the first; the core and the reference are called here without it.
"""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest

import fastmlp
from cases import COMPILED, DTYPES, EVERY_BUILD, EVERY_NETWORK, cast
from fastmlp import builds, sparse
from fastmlp.optimizers import Steps
from test_gradients import central_differences
from tolerances import DIFFERENCE_TOLERANCE, assert_close

NETS = {
    "a scale first": ((20, 20, 9, 3), ("scale", "dense", "dense")),
    "a scale last": ((7, 33, 33), ("dense", "scale")),
    "scales between": ((5, 17, 17, 17, 4), ("dense", "scale", "scale", "dense")),
    "scales alone": ((6, 6, 6), ("scale", "scale")),
    # Several threads share out the columns of its layers, and the weights make several blocks.
    "wide": ((300, 300, 400, 400, 5), ("scale", "dense", "scale", "dense")),
}
ROWS = (1, 3, 65, 300)
PARALLEL_ROWS = 1100  # of which a net with few parameters makes data-parallel parts
THREADS = (1, 2, 3, 4)
OPTIMIZERS = {
    "sgd": fastmlp.SGD(0.1),
    "momentum": fastmlp.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.1, l1=0.01),
    "adam": fastmlp.Adam(0.01, weight_decay=0.1),
    "adamw": fastmlp.AdamW(0.01, weight_decay=0.5),
    "rmsprop": fastmlp.RMSprop(0.01, momentum=0.5),
    "clipped": fastmlp.Adam(0.01, clip_norm=0.05, weight_decay=0.1),
}


def network(name, build, dtype, bias=True, dropout=()):
    """A net of that name, its factors near 1 and of both signs, its weights near 1 / sqrt(n_in)."""
    sizes, kinds = NETS[name]
    activations = ("tanh",) * (len(sizes) - 2) + ("identity",)
    net = builds.network(dtype, build)(sizes, activations, "half_squared_error", bias, dropout=dropout, kinds=kinds)
    rng = np.random.default_rng(1)
    parts = []
    for (n_in, n_out), kind in zip(pairwise(sizes), kinds, strict=True):
        if kind == "dense":
            parts.append(rng.normal(size=n_in * n_out) / np.sqrt(n_in))
            parts.append(0.3 * rng.normal(size=n_out * bias))
        else:
            parts.append(rng.uniform(0.5, 1.5, n_out) * rng.choice([-1.0, 1.0], n_out))
    net.parameters[:] = np.concatenate(parts).astype(np.float32)
    return net


def data_for(name, m, dtype):
    sizes, _ = NETS[name]
    rng = np.random.default_rng(2)
    arrays = rng.normal(size=(m, sizes[0])), rng.normal(size=(m, sizes[-1])), rng.uniform(0.5, 2.0, m)
    return [cast(array.astype(np.float32), dtype) for array in arrays]


def everything(net, X, y, weight, optimizer, threads=1):
    """What every call gives, the parameters after three epochs last."""
    flat, inputs = np.full(net.parameters.size, np.nan, net.dtype), np.full(X.shape, np.nan, net.dtype)
    found = {
        "forward": net.forward(X, None, threads),
        "evaluate": net.evaluate(X, y, weight, threads),
        "loss": net.gradient(X, y, weight, flat, inputs, threads),
        "gradient": flat,
        "inputs": inputs,
    }
    order, losses = np.random.default_rng(3).permutation(len(X)), []
    for _ in range(3):
        losses.append(net.train(X, y, weight, order, Steps(max(1, len(X) // 2), optimizer), threads))
    return found | {"losses": np.array(losses), "parameters": net.parameters.copy()}


TOLERANCES = {
    "forward": "forward", "evaluate": "loss", "loss": "loss", "gradient": "gradient", "inputs": "gradient",
    "losses": "adam", "parameters": "adam",
}  # fmt: skip


@cache
def of_the_reference(name, bias, m, optimizer):
    net = network(name, "reference", "float64", bias)
    return everything(net, *data_for(name, m, "float64"), OPTIMIZERS[optimizer])


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", list(NETS))
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_every_mixture_of_layers_gives_what_the_reference_gives(build, dtype, name, bias):
    for m in ROWS if name == "wide" else (*ROWS, PARALLEL_ROWS):
        for optimizer in ("adamw", "clipped"):
            found = everything(network(name, build, dtype, bias), *data_for(name, m, dtype), OPTIMIZERS[optimizer])
            for what, value in of_the_reference(name, bias, m, optimizer).items():
                assert_close(found[what], value, TOLERANCES[what], dtype, f"{name} m={m} {optimizer} {what}")


@pytest.mark.parametrize("name", list(NETS))
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_the_number_of_threads_changes_no_bit(build, dtype, name):
    for m in (3, 300, PARALLEL_ROWS):
        answers = []
        for threads in THREADS:
            found = everything(network(name, build, dtype), *data_for(name, m, dtype), OPTIMIZERS["clipped"], threads)
            answers.append({what: np.asarray(value).tobytes() for what, value in found.items()})
        assert answers[1:] == answers[:1] * (len(THREADS) - 1), (name, m)


@pytest.mark.parametrize("name", ["a scale first", "a scale last", "scales between", "scales alone"])
@pytest.mark.parametrize("build", EVERY_BUILD)
def test_the_gradient_is_the_slope_of_the_loss(build, name):
    net = network(name, build, "float64")
    X, y, weight = data_for(name, 5, "float64")
    flat, inputs = np.empty(net.parameters.size), np.empty(X.shape)
    net.gradient(X, y, weight, flat, inputs)
    for got, array in ((flat, net.parameters), (inputs, X)):
        expected = central_differences(lambda: net.evaluate(X, y, weight), array)
        assert np.abs(expected).max() > 1e-2
        np.testing.assert_allclose(got, expected, atol=DIFFERENCE_TOLERANCE)


@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_a_scale_multiplies_each_input_by_its_factor(build, dtype):
    net = builds.network(dtype, build)((3, 3), ("identity",), "half_squared_error", kinds=("scale",))
    net.parameters[:] = [2, -0.5, 0]
    np.testing.assert_array_equal(net.forward(np.array([[1, 2, 3], [4, 5, 6]], dtype)), [[2, -1, 0], [8, -2.5, 0]])


@pytest.mark.parametrize("build", EVERY_BUILD)
def test_kinds_that_cannot_be_are_refused(build):
    Network = builds.network("float64", build)
    for sizes, kinds in (((3, 4), ("scale",)), ((3, 3), ("scales",))):
        with pytest.raises(ValueError, match=r"layer 'scales?' from 3 to \d; expected"):
            Network(sizes, ("identity",), "half_squared_error", kinds=kinds)
    for kinds in (("dense",), ("dense",) * 3):
        with pytest.raises(ValueError, match=f"{len(kinds)} kinds for 2 layers"):
            Network((4, 4, 1), ("relu", "identity"), "half_squared_error", kinds=kinds)


@pytest.mark.parametrize("build", COMPILED)
def test_a_sparse_x_goes_into_a_dense_layer_alone(build):
    rng = np.random.default_rng(4)
    X, y, _ = data_for("scales between", 40, "float64")
    X[rng.random(X.shape) < 0.6] = 0
    indptr = np.concatenate([[0], np.cumsum((X != 0).sum(axis=1))]).astype(np.int64)
    csr = sparse.CSR(X[X != 0], np.nonzero(X)[1].astype(np.int32), indptr, X.shape)
    nets = [network("scales between", build, "float64") for _ in range(2)]
    losses = [net.train(x, y, None, None, Steps(8, fastmlp.Adam())) for net, x in zip(nets, (csr, X), strict=True)]
    np.testing.assert_allclose(*losses, rtol=1e-12)
    np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, rtol=1e-9)
    before = network("a scale first", build, "float64")
    start = before.parameters.copy()
    wide = sparse.CSR(csr.values, csr.indices, csr.indptr, (40, 20))
    with pytest.raises(ValueError, match="X is sparse; expected an array"):
        before.train(wide, np.zeros((40, 3)), None, None, Steps(8, fastmlp.Adam()))
    np.testing.assert_array_equal(before.parameters, start)
    assert np.isfinite(before.forward(np.ones((1, 20)))).all()  # and the net is as usable as it was


# groups


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", list(NETS))
@pytest.mark.parametrize("build", EVERY_BUILD)
def test_groups_follow_the_layers(build, name, bias):
    sizes, kinds = NETS[name]
    at, expected = 0, []
    for (n_in, n_out), kind in zip(pairwise(sizes), kinds, strict=True):
        lengths = [(n_in * n_out, True), *[(n_out, False)] * bias] if kind == "dense" else [(n_out, False)]
        for length, decayed in lengths:
            expected.append((at, length, decayed, 1.0, True))
            at += length
    net = network(name, build, "float32", bias)
    assert net.groups == tuple(expected)
    assert net.parameters.size == at
    net.set_group(len(expected) - 1, 0.25, False)
    assert net.groups == (*expected[:-1], (*expected[-1][:3], 0.25, False))
    for number in (-1, len(expected)):
        with pytest.raises(IndexError):
            net.set_group(number)


def slices(net):
    return [slice(offset, offset + length) for offset, length, *_ in net.groups]


@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
@pytest.mark.parametrize("name", ["scales between", "wide"])
@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_a_group_with_a_factor_moves_by_so_much_more(build, dtype, name, optimizer):
    X, y, weight = data_for(name, 30, dtype)
    steps = Steps(30, OPTIMIZERS[optimizer])
    once, scaled = network(name, build, dtype), network(name, build, dtype)
    start, factors = once.parameters.copy(), 2.0 ** -np.arange(len(once.groups))
    for number, factor in enumerate(factors):
        scaled.set_group(number, factor)
    for net in (once, scaled):
        net.train(X, y, weight, None, steps)
    for group, factor in zip(slices(once), factors, strict=True):
        moved, expected = scaled.parameters[group] - start[group], factor * (once.parameters[group] - start[group])
        assert np.abs(expected).max() > 0
        # Both differences are rounded as the parameters are, which are about 1.
        np.testing.assert_allclose(moved, expected, rtol=0, atol=4 * np.finfo(dtype).eps)


@cache
def partly_frozen(name, build, dtype, m, optimizer):
    """A net after four steps, whose groups have factors or are frozen, and the numbers of those that are."""
    net, frozen = network(name, build, dtype), {0, 1, 3}
    for number in range(len(net.groups)):
        net.set_group(number, 0.5 + number, number not in frozen)
    for _ in range(2):
        net.train(*data_for(name, m, dtype), None, Steps(m // 2, OPTIMIZERS[optimizer]))
    return net, frozen


@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
@pytest.mark.parametrize("m", [30, PARALLEL_ROWS])
@pytest.mark.parametrize("name", ["scales between", "wide"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_factors_and_frozen_groups_are_those_of_the_reference(build, dtype, name, m, optimizer):
    net, frozen = partly_frozen(name, build, dtype, m, optimizer)
    expected, _ = partly_frozen(name, "reference", "float64", m, optimizer)
    start = network(name, build, dtype).parameters
    assert_close(net.parameters, expected.parameters, "adam", dtype, optimizer)
    for number, group in enumerate(slices(net)):
        same = net.parameters[group] == start[group]
        assert same.all() if number in frozen else not same.all(), number
    _, _, first, second = net.optimizer_state
    for number in frozen:
        assert not first[slices(net)[number]].any(), number
        assert not second[slices(net)[number]].any(), number
    assert any(moments.any() for moments in (first, second)) or optimizer == "sgd"


@pytest.mark.parametrize("name", ["scales between", "wide"])
@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_a_frozen_group_is_no_part_of_the_length_that_is_clipped(build, dtype, name):
    net = network(name, build, dtype)
    start, last = net.parameters.copy(), len(net.groups) - 1
    for number in range(last):
        net.set_group(number, trainable=False)
    net.train(*data_for(name, 30, dtype), None, Steps(30, fastmlp.SGD(1.0, clip_norm=1e-2)))
    assert np.linalg.norm((net.parameters - start).astype(np.float64)) == pytest.approx(1e-2, rel=1e-4)


@pytest.mark.parametrize("name", ["a scale first", "scales between", "wide"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_what_is_frozen_still_has_a_gradient(build, dtype, name):
    frozen, free = network(name, build, dtype), network(name, build, dtype)
    X, y, weight = data_for(name, 30, dtype)
    for number in range(len(frozen.groups)):
        frozen.set_group(number, trainable=False)
    frozen.train(X, y, weight, None, Steps(8, fastmlp.Adam()))
    gradients = []
    for net in (frozen, free):
        flat, inputs = np.empty(net.parameters.size, dtype), np.empty(X.shape, dtype)
        net.gradient(X, y, weight, flat, inputs)
        gradients.append(flat.tobytes() + inputs.tobytes())
    assert gradients[0] == gradients[1]


@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_weight_decay_reaches_weights_and_no_factor_or_bias(build, dtype):
    # With X and y of zeros and biases of zero there is no gradient but that of the penalty.
    net = network("scales between", build, dtype)
    for group, (_, _, decayed, *_) in zip(slices(net), net.groups, strict=True):
        net.parameters[group] = 2
        if not decayed and net.parameters[group].size in (17, 4):
            net.parameters[group] = 1 if net.parameters[group].size == 17 else 0
    biases = slices(net)[1]
    net.parameters[biases] = 0
    start = net.parameters.copy()
    X, y = np.zeros((8, 5), dtype), np.zeros((8, 4), dtype)
    net.train(X, y, None, None, Steps(8, fastmlp.AdamW(0.25, weight_decay=0.5)))
    for group, (_, _, decayed, *_) in zip(slices(net), net.groups, strict=True):
        np.testing.assert_array_equal(net.parameters[group], start[group] * (1 - 0.125 if decayed else 1))
