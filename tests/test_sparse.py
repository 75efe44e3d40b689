"""A sparse X: what comes out is what the same X gives when it is dense, and nothing of it is ever made dense.

First the core against the reference, which multiplies the zeros, too; then the estimators with either X. Not here:
what scikit-learn does with a sparse X (its own checks, in test_estimators.py).
"""

import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csc_array, csr_array, csr_matrix, random_array
from sklearn.model_selection import train_test_split

import fastmlp
from cases import COMPILED, DTYPES, cast, make, random_parameters, random_sample_weight, random_targets
from fastmlp import MLPClassifier, MLPRegressor, sparse
from fastmlp.optimizers import Steps
from tolerances import assert_close

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

ROWS, FEATURES = 230, 40
FORMATS = {"csr": csr_array, "csc": csc_array}
# The same sums in the same order, but for columns that the dense product adds up along the inputs ...
SAME = 1e-12
# ... and lbfgs enlarges the last bits from step to step.
SAME_BY_LBFGS = 1e-9


def samples(rows=ROWS, features=FEATURES, density=0.1):
    return random_array((rows, features), density=density, format="csr", rng=np.random.default_rng(0))


@pytest.fixture
def never_dense(monkeypatch):
    """However many zeros it has, a sparse X stays so."""

    def refuse(self, *arguments, **options):
        assert self.shape[1] != FEATURES, "a sparse X is made dense"
        return toarray(self, *arguments, **options)  # scikit-learn makes labels so

    toarray = csr_array.toarray
    monkeypatch.setattr(sparse, "MAX_SPARSE_SHARE", 1)
    monkeypatch.setattr(sparse.CSR, "dense", refuse)
    monkeypatch.setattr(csr_array, "toarray", refuse)


# Sizes, hidden activation, output, loss. No hidden layer, one vector and less, several panels of which the last is
# narrow, a W too big for the cache, and weights so few that large batches go in data-parallel parts.
NETS = {
    "30-1": ((30, 1), "tanh", "identity", "half_squared_error"),
    "50-37-3": ((50, 37, 3), "tanh", "softmax", "cross_entropy"),
    "300-70-20-2": ((300, 70, 20, 2), "gelu", "identity", "half_squared_error"),
    "1100-150-4": ((1100, 150, 4), "tanh", "sigmoid", "binary_cross_entropy"),
}
OPTIMIZERS = {
    "SGD": (fastmlp.SGD(0.01, momentum=0.9, weight_decay=0.01), "training"),
    "Adam": (fastmlp.Adam(0.01), "adam"),
    "clipped": (fastmlp.SGD(0.01, clip_norm=0.1), "training"),
}


def compressed(m, n, dtype):
    """A CSR with empty rows, an empty column and elements that stand in one place; and what it stands for."""
    rng = np.random.default_rng([m, n])
    entries = m * n // 10
    rows, columns = rng.integers(0, m, entries), rng.integers(0, n - 1, entries)
    rows[rows % 7 == 3] = 0
    order = np.argsort(rows, kind="stable")
    values = rng.normal(size=entries).astype(dtype)
    indptr = np.searchsorted(rows[order], np.arange(m + 1))
    X = sparse.CSR(values, columns[order].astype(np.int32), indptr.astype(np.int64), (m, n))
    dense = np.zeros((m, n), dtype)
    for row, column, value in zip(rows[order], columns[order], values, strict=True):
        dense[row, column] += value
    return X, dense


def everything(network, X, y, weight, order, threads=1, batch_size=None):
    """All that a net computes from X, by name, with the tolerance that goes with it."""
    flat = np.empty_like(network.parameters)
    found = {
        "outputs": (network.forward(X, None, threads, True), "forward"),
        "loss": (np.float64(network.evaluate(X, y, weight, threads)), "loss"),
        "loss of gradient": (np.float64(network.gradient(X, y, weight, flat, None, threads)), "loss"),
        "gradient": (flat, "gradient"),
    }
    before = network.parameters.copy()
    for what, (optimizer, tolerance) in OPTIMIZERS.items():
        network.parameters[...] = before
        network.reset_optimizer()
        size = batch_size or len(X) * 3 // 7 + 1
        loss = network.train(X, y, weight, order, Steps(size, optimizer, 1e-3), threads)
        found[f"{what} loss"] = np.float64(loss), tolerance
        found[f"{what} parameters"] = network.parameters.copy(), tolerance
    return found


def network_and_data(name, build, dtype, m):
    sizes, _hidden, _output, loss = NETS[name]
    rng = np.random.default_rng([m, *sizes])
    network = make(build, dtype, *NETS[name], m % 2 == 1, random_parameters(sizes, m % 2 == 1, rng))
    y, weight = random_targets(loss, m, sizes[-1], rng), random_sample_weight(m, rng) if m % 2 == 0 else None
    order = rng.permutation(m).astype(np.int64) if m % 3 else None
    return network, (cast(y, dtype), cast(weight, dtype), order)


@pytest.mark.parametrize("m", [1, 3, 66, 259, 700])
@pytest.mark.parametrize("name", list(NETS))
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_the_core_computes_from_a_csr_what_the_reference_does_from_dense_rows(build, dtype, name, m):
    X, dense = compressed(m, NETS[name][0][0], dtype)
    network, data = network_and_data(name, build, dtype, m)
    expected = everything(network_and_data(name, "reference", "float64", m)[0], cast(dense, "float64"), *data)
    for what, (value, tolerance) in everything(network, X, *data).items():
        assert_close(value, expected[what][0], tolerance, dtype, f"{what}, m={m}")


@pytest.mark.parametrize("name", list(NETS))
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_the_number_of_threads_does_not_change_a_bit(build, dtype, name):
    for m in (259, 2301):
        X, _ = compressed(m, NETS[name][0][0], dtype)
        alone = None
        for threads in (1, 2, 3, 4):
            network, data = network_and_data(name, build, dtype, m)
            found = {what: value.tobytes() for what, (value, _) in everything(network, X, *data, threads).items()}
            alone = alone or found
            assert [what for what in alone if found[what] != alone[what]] == [], f"m={m} threads={threads}"


@pytest.mark.parametrize("build", COMPILED)
def test_one_network_takes_sparse_and_dense_data_in_turn(build):
    X, dense = compressed(300, 1100, "float64")
    network, data = network_and_data("1100-150-4", build, "float64", 300)
    before = network.parameters.copy()
    found = []
    for x in (X, dense, X):
        network.parameters[...] = before
        found.append(everything(network, x, *data, threads=2))
    for what, (value, tolerance) in found[1].items():
        for other in (found[0], found[2]):
            assert_close(other[what][0], value, tolerance, "float64", what)


def test_the_reference_makes_a_csr_dense():
    X, dense = compressed(66, 50, "float64")
    (one, data), (other, _) = (network_and_data("50-37-3", "reference", "float64", 66) for _ in range(2))
    expected = everything(other, dense, *data)
    for what, (value, _) in everything(one, X, *data).items():
        assert np.array_equal(value, expected[what][0]), what


def targets(problem):
    """Something that can be learned from the samples."""
    z = samples() @ np.random.default_rng(1).normal(size=(FEATURES, 3))
    return {
        "binary": z[:, 0] > 0,
        "classes": z.argmax(axis=1),
        "labels": (z > 0).astype(int),
        "number": z[:, 0],
        "numbers": z,
    }[problem]


def model_of(problem, **options):
    estimator = MLPRegressor if problem.startswith("number") else MLPClassifier
    return estimator(**{"hidden_layer_sizes": (37,), "random_state": 0, "max_iter": 6, "batch_size": 32} | options)


def outputs(model, X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


def assert_same(one, other, X, rtol=SAME):
    assert one.n_iter_ == other.n_iter_
    for curve in ("loss_curve_", "validation_curve_", "validation_scores_"):
        curves = [getattr(model, curve) for model in (one, other)]
        assert (curves[0] is None) == (curves[1] is None), curve
        if curves[0] is not None:
            np.testing.assert_allclose(*curves, rtol=rtol, err_msg=curve)
    # Beside a sum that cancels to nearly nothing, an error is compared with 1, the size of the targets.
    for a, b in zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        np.testing.assert_allclose(a, b, rtol=100 * rtol, atol=100 * rtol)
    np.testing.assert_allclose(outputs(one, X), outputs(other, X), rtol=100 * rtol, atol=100 * rtol)


FITS = {
    "adam": {},
    "adam, auto": {"batch_size": "auto"},
    "adam, in order": {"shuffle": False, "batch_size": 7},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.05},
    "adamw": {"solver": "adamw", "clip_norm": 0.5, "l1": 1e-3},
    "rmsprop, a schedule": {"solver": "rmsprop", "schedule": "cosine"},
    "dropout": {"dropout": 0.3},
    "early stopping": {"early_stopping": True, "n_iter_no_change": 2, "max_iter": 40, "validation_fraction": 0.4},
    "a clock": {"max_time": 1e6},
    "lbfgs": {"solver": "lbfgs"},
}


@pytest.mark.parametrize(("form", "weighted"), [("csr", True), ("csc", False)])
@pytest.mark.parametrize("fit", list(FITS))
@pytest.mark.parametrize("problem", ["binary", "classes", "labels", "number", "numbers"])
def test_a_fit_is_the_fit_of_dense_data(problem, fit, form, weighted, never_dense):
    X, dense, y = samples(), dense_samples(), targets(problem)
    w = np.random.default_rng(2).uniform(0, 2, ROWS) if weighted else None
    expected = model_of(problem, **FITS[fit]).fit(dense, y, sample_weight=w)
    assert expected.loss_curve_[-1] < expected.loss_curve_[0]
    found = model_of(problem, **FITS[fit]).fit(FORMATS[form](X), y, sample_weight=w)
    assert_same(found, expected, dense, SAME_BY_LBFGS if "lbfgs" in fit else SAME)
    np.testing.assert_allclose(outputs(found, FORMATS[form](X)), outputs(found, dense), rtol=SAME, atol=SAME)


def dense_samples():
    """What `toarray` gives, which is forbidden here."""
    X, dense = samples().tocoo(), np.zeros((ROWS, FEATURES))
    dense[X.row, X.col] = X.data
    return dense


@pytest.mark.parametrize("form", list(FORMATS))
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("problem", ["classes", "number"])
def test_eval_set_may_be_sparse(problem, solver, form, never_dense):
    parts = train_test_split(samples(), dense_samples(), targets(problem), random_state=0)
    X, X_eval, dense, dense_eval, y, y_eval = parts
    options = {"solver": solver, "eval_metric": "r2" if problem == "number" else "neg_log_loss"}
    expected = model_of(problem, **options).fit(dense, y, eval_set=(dense_eval, y_eval))
    found = model_of(problem, **options).fit(FORMATS[form](X), y, eval_set=(FORMATS[form](X_eval), y_eval))
    assert_same(found, expected, dense, SAME_BY_LBFGS if solver == "lbfgs" else SAME)


def test_callbacks_after_batches_see_the_same_losses(never_dense):
    seen = [[], []]
    for k, data in enumerate((dense_samples(), samples())):
        note = [lambda _, history, k=k: seen[k].append(history.batch_loss)]
        model_of("classes", batch_callbacks=note).fit(data, targets("classes"))
    assert len(seen[0]) == 6 * 8
    np.testing.assert_allclose(*seen, rtol=SAME)


@pytest.mark.parametrize("form", list(FORMATS))
def test_partial_fit_is_that_of_dense_data(form, never_dense):
    expected, found = model_of("classes"), model_of("classes")
    for _ in range(3):
        expected.partial_fit(dense_samples(), targets("classes"), classes=[0, 1, 2])
        found.partial_fit(FORMATS[form](samples()), targets("classes"), classes=[0, 1, 2])
    assert_same(found, expected, dense_samples())


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_the_types_of_numbers_and_indices_change_nothing(dtype, solver, never_dense):
    X, dense, y = (10 * samples()).astype(dtype), (10 * dense_samples()).astype(dtype), targets("classes")
    expected = model_of("classes", solver=solver).fit(dense, y)
    rtol = 1e-4 if dtype == np.float32 else SAME_BY_LBFGS
    for index in (np.int32, np.int64):
        X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
        found = model_of("classes", solver=solver).fit(X, y)
        assert found.coefs_[0].dtype == expected.coefs_[0].dtype
        np.testing.assert_allclose(found.loss_curve_, expected.loss_curve_, rtol=rtol)
        for other in (np.float32, np.float64, np.int64):
            probabilities = found.predict_proba(X.astype(other)), expected.predict_proba(dense.astype(other))
            np.testing.assert_allclose(*probabilities, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("form", list(FORMATS))
def test_a_look_inside_takes_sparse_data(form, never_dense):
    X, dense = FORMATS[form](samples()), dense_samples()
    model = model_of("classes", hidden_layer_sizes=(9, 5)).fit(X, targets("classes"))
    for layer in (0, 1):
        np.testing.assert_allclose(model.transform(X, layer), model.transform(dense, layer), rtol=SAME, atol=SAME)
    np.testing.assert_allclose(model.input_gradient(X), model.input_gradient(dense), rtol=SAME, atol=SAME)


@pytest.mark.parametrize("scale", ["standard", "quantile"])
def test_scaling_fills_the_zeros(scale):
    X, y = samples(), targets("classes")
    one, other = (model_of("classes", scale=scale).fit(data, y) for data in (X, X.toarray()))
    assert_same(one, other, X)


def test_without_any_element_a_row_gives_what_the_biases_make_of_it(never_dense):
    model = model_of("classes").fit(samples(), targets("classes"))
    empty = csr_array((5, FEATURES))
    np.testing.assert_allclose(model.predict_proba(empty), model.predict_proba(np.zeros((5, FEATURES))), rtol=SAME)


def network_of(*sizes):
    return fastmlp.builds.network("float32")(sizes, ("tanh",) * (len(sizes) - 1), "half_squared_error")


def test_x_is_made_dense_where_that_is_faster_and_not_large(monkeypatch):
    for stored, width, most, expected in (
        (16, 32, 400, np.ndarray),
        (15, 32, 400, sparse.CSR),
        (16, 31, 400, sparse.CSR),
        (16, 32, 399, sparse.CSR),
    ):
        monkeypatch.setattr(sparse, "MAX_DENSE_BYTES", most)
        X = csr_array((np.ones(stored), (np.zeros(stored, int), np.arange(stored))), shape=(5, 20))
        assert type(sparse.by_rows(sparse.checked(X), network_of(20, width, 1))) is expected


@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_what_was_checked_is_a_copy(index):
    X = samples()
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    csr = sparse.by_rows(sparse.checked(X), network_of(FEATURES, 1))
    assert not np.shares_memory(csr.indices, X.indices)
    assert not np.shares_memory(csr.indptr, X.indptr)


@pytest.mark.parametrize(
    "broken",
    [
        ([1.0, 2.0], [0, 40], [0, 1, 2]),
        ([1.0, 2.0], [0, -1], [0, 1, 2]),
        ([1.0, 2.0], [0, 2**31 - 1], [0, 1, 2]),
        ([1.0, 2.0], [0, 1], [0, 3, 2]),
        ([1.0, 2.0], [0, 1], [0, 1, 5]),
        ([1.0, 2.0], [0, 1], [0, 2, 0]),
        ([1.0, 2.0], [0, 1], [0, 300_000_000, -1]),
    ],
    ids=["beyond the columns", "negative", "far beyond", "falling", "beyond the values", "empty", "less than empty"],
)
def test_indices_that_lie_outside_are_an_error(broken):
    model = model_of("classes").fit(samples(), targets("classes"))
    before = [W.copy() for W in model.coefs_]
    for make_matrix in (csr_array, csr_matrix, csc_array):
        X = make_matrix((2, FEATURES))
        X.data, X.indices, starts = (np.array(part) for part in broken)
        X.indptr = np.concatenate([starts, np.repeat(starts[-1:], len(X.indptr) - 3)]).astype(np.int32)
        for call in (
            lambda X=X: model.predict(X),
            lambda X=X: model.partial_fit(X, [0, 1]),
            lambda X=X: model.fit(X, [0, 1]),
            lambda X=X: model.fit(samples(), targets("classes"), eval_set=(X, [0, 1])),
        ):
            with pytest.raises(ValueError, match="ind"):
                call()
    for W, was in zip(model.coefs_, before, strict=True):
        assert np.array_equal(W, was)


def test_too_many_columns_are_an_error():
    X = csr_array(([1.0], [2**31 + 5], [0, 1]), shape=(1, 2**31 + 9))
    with pytest.raises(ValueError, match=r"X has 2147483657 columns; expected 2147483647"):
        sparse.checked(X)


def test_a_network_takes_no_csr_that_was_not_checked():
    network = network_of(FEATURES, 1)
    csr = sparse.by_rows(sparse.checked(samples()), network)
    assert network.forward(csr) is None
    assert network_of(FEATURES + 1, 1).forward(csr, None, 1, True) is None
    with pytest.raises(TypeError, match="expected real numbers"):
        fastmlp.MLP((FEATURES, 1), dtype="float32").predict(csr)


def test_an_mlp_says_who_takes_sparse_data():
    with pytest.raises(
        TypeError, match=r"X is sparse; expected a dense array.*MLPClassifier and MLPRegressor take a sparse X"
    ):
        fastmlp.MLP((FEATURES, 1)).predict(samples())


def peak_of(call):
    """The most bytes that NumPy had from the system during the call, beyond those before it."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("form", list(FORMATS))
@pytest.mark.parametrize(
    "options",
    [{}, {"early_stopping": True, "validation_fraction": 0.5}, {"solver": "lbfgs"}],
    ids=["adam", "early stopping", "lbfgs"],
)
def test_memory_has_no_room_for_dense_data(options, form):
    X, y = FORMATS[form](samples(40_000, 20_000, 1e-4)), np.arange(40_000) % 3
    of_dense = 40_000 * 20_000 * 8
    model = model_of("classes", hidden_layer_sizes=(4,), max_iter=1, **{"batch_size": 20_000} | options)
    assert peak_of(lambda: model.fit(X, y)) < of_dense / 100
    assert peak_of(lambda: model.predict(X)) < of_dense / 100
    assert peak_of(lambda: model.transform(X)) < of_dense / 100
