"""What users give to an estimator: targets that are no numbers, weights of any size, labels of other kinds, frames.

Each is taken for what it is, or refused by name before anything changes; for `fit` and `partial_fit`, with `scale`
and without. Not here: what becomes of them in training (test_estimators_training.py).
"""

import datetime
import tracemalloc
import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array, csr_matrix
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from fastmlp import MLPClassifier, MLPRegressor, estimator_training
from problems import flat, several_labels

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
y = X[:, 0] + 0.1 * RNG.normal(size=60)
c = (y > 0).astype(int)
THREE = np.arange(60) % 3
METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function", "transform", "input_gradient")
MANNERS = ({}, {"scale": "standard"}, {"scale": "quantile"}, {"early_stopping": True}, {"solver": "lbfgs"})


def regressor(**parameters):
    return MLPRegressor(**{"hidden_layer_sizes": (5,), "max_iter": 5, "random_state": 0} | parameters)


def classifier(**parameters):
    return MLPClassifier(**{"hidden_layer_sizes": (5,), "max_iter": 5, "random_state": 0} | parameters)


def ways(make, manner):
    """fit, and partial_fit where it goes with these parameters."""
    yield make(**manner).fit
    if "early_stopping" not in manner and "solver" not in manner and manner.get("scale") != "quantile":
        yield make(**manner).partial_fit


def is_untouched(estimator):
    return not [name for name in vars(estimator) if name.endswith("_")]


# Targets of a regression


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (y.astype(str), r"y has dtype <U\d+; expected numbers"),
        (list(map(str, y)), r"y has dtype <U\d+; expected numbers"),
        (y.astype(str).astype(object), r"y has dtype object and the element '0\..*expected numbers"),
        (np.arange(60).astype("M8[D]"), r"y has dtype datetime64\[D\]; expected numbers"),
        (np.arange(60).astype("m8[s]"), r"y has dtype timedelta64\[s\]; expected numbers"),
        (np.arange(60).astype("M8[D]").astype(object), "y has the element datetime"),
        (pd.Series(pd.date_range("2020-01-01", periods=60, tz="UTC")), r"y has dtype datetime64.*expected numbers"),
        ([None, *y[1:]], "Input y contains NaN"),
        (np.array([None, *y[1:]], object), "Input y contains NaN"),
        (np.array([np.nan, *y[1:]], object), "Input y contains NaN"),
        (pd.Series([pd.NA, *y[1:]], dtype="Float64"), "Input y contains NaN"),
        ([np.nan, *y[1:]], "Input y contains NaN"),
        (csr_matrix(y[:, None]), r"y is sparse.*y\.toarray"),
    ],
)
def test_targets_that_are_no_numbers_are_refused_by_name(given, said, manner):
    for fit in ways(regressor, manner):
        with pytest.raises((ValueError, TypeError), match=said):
            fit(X, given)
        assert is_untouched(fit.__self__)


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize(
    "given", [y.astype(object), pd.Series(y).astype("Float64"), y.tolist(), pd.DataFrame({"y": y})]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
def test_numbers_of_any_make_are_targets(given, manner):
    for fit, of_array in zip(ways(regressor, manner), ways(regressor, manner), strict=True):
        assert np.array_equal(flat(fit(X, given)), flat(of_array(X, y)))


# X


@pytest.mark.parametrize(
    "dates",
    [
        np.zeros((60, 3), "M8[D]"),
        np.zeros((60, 3), "m8[D]"),
        pd.DataFrame({"a": pd.date_range("2020-01-01", periods=60)}),
        pd.DataFrame({"a": X[:, 0], "b": pd.timedelta_range("1D", periods=60)}),
        np.zeros((60, 3), "M8[D]").tolist(),
    ],
)
def test_dates_are_no_samples(dates):
    with pytest.raises((ValueError, TypeError), match=r"datetime|timedelta"):
        regressor().fit(dates, y)
    with pytest.raises((ValueError, TypeError), match=r"datetime|timedelta"):
        regressor().fit(X, y).predict(dates)


@pytest.mark.parametrize("make", [regressor, classifier])
def test_values_that_scaling_overflows_are_said(make):
    for fit in ways(make, {"scale": "standard"}):
        with pytest.raises(ValueError, match=r"scale='standard' overflows: X has values up to \d\.\d+e\+300"):
            fit(X * 1e300, c, **({"classes": [0, 1]} if make is classifier and "partial" in fit.__name__ else {}))


@pytest.mark.parametrize("scale", [None, "standard"])
@pytest.mark.parametrize("of", ["array", "sparse", "frame"])
@pytest.mark.parametrize("method", METHODS)
def test_a_value_beyond_float32_is_an_error_for_a_net_of_float32(method, of, scale):
    given = {"array": np.asarray, "sparse": csr_array, "frame": pd.DataFrame}[of](np.full((2, 3), 1e39))
    model = classifier(scale=scale).fit(X.astype(np.float32), c)
    with pytest.raises(ValueError, match=r"X.* has the value \d.*e\+39, infinity in float32"):
        getattr(model, method)(given)


def test_outputs_that_overflow_are_a_warning_at_the_line_of_the_user():
    model = regressor().fit(X.astype(np.float32), y)
    with pytest.warns(RuntimeWarning, match="outputs left the range of float32") as seen:
        model.predict(np.full((2, 3), 3e38))
    assert [record.filename for record in seen] == [__file__]


@pytest.mark.parametrize("scale", [None, "standard"])
@pytest.mark.parametrize("of", ["array", "sparse", "frame"])
@pytest.mark.parametrize("method", METHODS)
def test_a_net_that_overflows_inside_warns_whatever_it_is_asked(method, of, scale):
    given = {"array": np.asarray, "sparse": csr_array, "frame": pd.DataFrame}[of](np.full((2, 3), 1e20))
    model = classifier(scale=scale).fit(X.astype(np.float32), THREE)
    model.coefs_[0][...] = 1e30
    model.intercepts_[0][...] = 1
    with pytest.warns(RuntimeWarning, match="left the range of float32"):
        getattr(model, method)(given)


def test_weights_that_are_not_finite_are_said():
    model = classifier().fit(X, c)
    model.coefs_[0][0, 0] = np.nan
    with pytest.raises(ValueError, match="coefs_ or intercepts_ contain NaN"):
        model.predict(X)


# Weights of samples


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("size", [1e-300, 1e-30, 1e30, 1e300])
def test_weights_of_any_size_count_by_their_ratio(size, solver, dtype):
    of_one, of_any = (
        classifier(solver=solver).fit(X.astype(dtype), c, sample_weight=w) for w in (None, np.full(60, size))
    )
    np.testing.assert_allclose(of_any.loss_, of_one.loss_, rtol=1e-6)
    some = np.where(np.arange(60) < 30, 3.0, 1.0)
    losses = [
        classifier(solver=solver, alpha=0.0).fit(X.astype(dtype), c, sample_weight=some * factor).loss_
        for factor in (1.0, size)
    ]
    np.testing.assert_allclose(*losses, rtol=1e-5)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (np.zeros(60), "sample_weight is zero for every row"),
        (-np.ones(60), r"Negative values in data passed to `sample_weight`. sample_weight\[0\] is -1"),
        ([np.nan] * 60, "Input sample_weight contains NaN"),
        (np.ones(59), r"sample_weight.shape == \(59,\), expected \(60,\)!"),
        (np.ones((60, 1)), "Sample weights must be 1D array or scalar"),
    ],
)
def test_weights_that_are_none_are_refused(weights, said, solver):
    with pytest.raises(ValueError, match=said):
        classifier(solver=solver).fit(X, c, sample_weight=weights)


# Labels


@pytest.mark.parametrize(
    "given",
    [
        np.array([None, *["a", "b"] * 29, "a"], object),
        np.array([np.nan, *["a", "b"] * 29, "a"], object),
        pd.Series([pd.NA, *["a", "b"] * 29, "a"], dtype="string"),
        pd.Series([None, *["a", "b"] * 29, "a"], dtype="category"),
        pd.Series([pd.NA, *[0, 1] * 29, 1], dtype="Int64"),
    ],
)
def test_labels_that_are_missing_are_said(given):
    for manner in MANNERS:
        for fit in ways(classifier, manner):
            more = {"classes": ["a", "b"]} if "partial" in fit.__name__ else {}
            with pytest.raises(ValueError, match="y has missing values"):
                fit(X, given, **more)


@pytest.mark.parametrize("values", [(1, 2), (-1, 1), (0, 255), (0.0, 0.5)])
def test_several_labels_in_another_code_are_refused(values):
    _, labels = several_labels(60, 3, 3)
    for fit in ways(classifier, {}):
        more = {"classes": [0, 1, 2]} if "partial" in fit.__name__ else {}
        with pytest.raises(ValueError, match=r"expected 0 and 1|expected one of labels|expected probabilities"):
            fit(X, np.array(values)[labels], **more)


def test_class_weights_of_several_labels_are_a_list_as_in_a_forest():
    _, labels = several_labels(60, 3, 3)
    given = [{0: 1, 1: 2}, {0: 1, 1: 1}, {0: 3, 1: 1}]
    by_class = classifier(class_weight=given).fit(X, labels)
    by_sample = classifier().fit(X, labels, sample_weight=compute_sample_weight(given, labels))
    assert np.array_equal(flat(by_class), flat(by_sample))
    with pytest.raises(ValueError, match=r"should be a list of dicts.*expected a list of so many dicts"):
        classifier(class_weight={0: 1, 1: 2}).fit(X, labels)
    with pytest.raises(ValueError, match="one for each"):
        classifier(class_weight=given[:2]).fit(X, labels)
    with pytest.raises(ValueError, match="expected a dict"):
        classifier(class_weight=given).fit(X, c)


def test_one_class_has_one_probability():
    model = classifier().fit(X, ["only"] * 60)
    assert model.predict_proba(X).tolist() == [[1.0]] * 60
    assert model.predict_log_proba(X).tolist() == [[0.0]] * 60
    assert set(model.predict(X)) == {"only"}


def test_rows_of_probabilities_are_labels_where_classes_says_whose():
    P = RNG.dirichlet([1, 1, 1], 60)
    model = classifier(max_iter=300, learning_rate_init=0.01).fit(X, P, classes=["c", "a", "b"])
    assert model.classes_.tolist() == ["a", "b", "c"]
    expected = -np.mean(np.sum(P[:, [1, 2, 0]] * model.predict_log_proba(X), axis=1))
    penalty = 0.5 * model.alpha * sum(np.sum(W**2) for W in model.coefs_) / 60
    again = classifier(initial_weights=(model.coefs_, model.intercepts_), learning_rate_init=1e-12, max_iter=1)
    np.testing.assert_allclose(again.fit(X, P, classes=["c", "a", "b"]).loss_, expected + penalty, rtol=1e-6)
    hard = np.eye(3)[THREE]
    assert np.array_equal(flat(classifier().fit(X, hard, classes=[0, 1, 2])), flat(classifier().fit(X, THREE)))


def test_probabilities_of_two_classes_are_those_of_one_sigmoid():
    share = 1 / (1 + np.exp(-3 * X[:, 0]))
    rows = np.stack([share, 1 - share], axis=1)
    model = classifier(solver="lbfgs", max_iter=500).fit(X, rows, classes=["yes", "no"])
    assert model.classes_.tolist() == ["no", "yes"]
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], share, atol=0.02)


def test_probabilities_go_with_all_that_trains():
    P = RNG.dirichlet([1, 1, 1], 60)
    model = classifier(early_stopping=True).fit(X, P, classes=[0, 1, 2])
    assert len(model.validation_scores_) == model.n_iter_
    seen = classifier().fit(X, P, classes=[0, 1, 2], eval_set=(X, P))
    expected = -np.mean(np.sum(P * seen.predict_log_proba(X), axis=1))
    np.testing.assert_allclose(min(seen.validation_curve_), expected, rtol=1e-6)
    model = classifier().partial_fit(X, P, classes=[0, 1, 2]).partial_fit(X, P)
    assert model.t_ == 120


@pytest.mark.parametrize(
    ("rows", "classes", "said"),
    [
        (np.full((60, 3), 0.5), [0, 1, 2], "sum to 1"),
        (np.tile([1.5, -0.5], (60, 1)), [0, 1], ">= 0"),
        (np.full((60, 2), 0.5), [0, 1, 2], "2 columns"),
        (np.full((60, 2), np.nan), [0, 1], "NaN"),
        (np.full((60, 2), 0.5), [0, 0], "expected a label for each"),
        (np.full((60, 2), 0.5), None, "Multioutput target data is not supported"),
    ],
)
def test_rows_that_are_no_probabilities_are_refused(rows, classes, said):
    with pytest.raises(ValueError, match=said):
        classifier().fit(X, rows, classes=classes)


def test_integers_are_several_labels_and_floats_probabilities_whatever_the_first_rows_are():
    _, labels = several_labels(60, 3, 3)
    for fit in (classifier().fit, classifier().partial_fit):
        model = fit(X, labels, classes=[0, 1, 2])
        assert model.out_activation_ == "logistic"
    hard = np.eye(3)[THREE]
    model = classifier().partial_fit(X, hard, classes=[0, 1, 2]).partial_fit(X, np.full((60, 3), 1 / 3))
    assert model.out_activation_ == "softmax"


def test_other_classes_are_refused_when_a_fit_goes_on():
    model = classifier(warm_start=True).fit(X, c, classes=[0, 1, 2])
    model.fit(X, c, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="is not the same"):
        model.fit(X, c, classes=["x", "y", "z"])


def test_weights_of_classes_go_with_labels_that_are_missing():
    _, labels = several_labels(60, 3, 3)
    some = with_holes(labels)
    w = np.ones(60)
    for j in (0, 1, 2):
        w *= np.where(some[:, j] == 1, 5.0, 1.0)
    given = classifier(missing_targets="mask", class_weight=[{0: 1, 1: 5}] * 3).fit(X, some)
    by_sample = classifier(missing_targets="mask").fit(X, some, sample_weight=w)
    np.testing.assert_allclose(flat(given), flat(by_sample), rtol=1e-12)
    with pytest.raises(ValueError, match="Input y contains NaN"):
        classifier(missing_targets="mask").fit(X, [None, *["a", "b"] * 29, "a"])
    only_zeros = labels.copy()
    only_zeros[:, 0] = 0
    classifier(class_weight=[{1: 5}] * 3).partial_fit(X, only_zeros, classes=[0, 1, 2])


@pytest.mark.parametrize("given", [np.array([["a", "b"]] * 60), np.arange(120).reshape(60, 2) % 3])
def test_several_columns_of_classes_are_refused_as_there(given):
    with pytest.raises(ValueError, match="Multioutput target data is not supported with label binarization"):
        classifier().fit(X, given)


@pytest.mark.parametrize("given", [[object()] * 60, [[1.0], [1.0, 2.0]] * 30, [[1], [2]] * 15 + [3] * 30])
def test_a_y_that_is_no_array_of_numbers_is_named(given):
    with pytest.raises(ValueError, match=r"^y (has|cannot)"):
        regressor().fit(X, given)


def test_classes_may_name_labels_that_y_has_not():
    model = classifier().fit(X, c, classes=[0, 1, 2])
    assert model.predict_proba(X).shape == (60, 3)
    with pytest.raises(ValueError, match="classes not in"):
        classifier().fit(X, THREE, classes=[0, 1])


@pytest.mark.parametrize("early_stopping", [False, True])
def test_many_classes_take_no_row_of_ones_and_zeros_each(early_stopping):
    samples, classes = 50_000, 500
    labels = RNG.integers(0, classes, samples)
    model = MLPClassifier((4,), max_iter=1, batch_size=1000, early_stopping=early_stopping, validation_fraction=0.02)
    data = RNG.normal(size=(samples, 4))
    tracemalloc.start()
    model.fit(data, labels)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < samples * classes  # a byte for each


def test_early_stopping_holds_back_every_class_in_proportion(monkeypatch):
    labels = np.array(["common"] * 80 + ["rare"] * 10 + ["seldom"] * 10)
    data = np.random.default_rng(0).normal(size=(100, 2))
    held_out = []

    def watched(*arguments, **options):
        parts = train_test_split(*arguments, **options)
        held_out.append(parts[1])
        return parts

    monkeypatch.setattr(estimator_training, "train_test_split", watched)
    for seed in range(5):
        classifier(early_stopping=True, validation_fraction=0.2, random_state=seed, max_iter=1).fit(data, labels)
        assert np.unique(labels[held_out[-1]], return_counts=True)[1].tolist() == [16, 2, 2]
    too_few = np.array(["a"] * 50 + ["b"] * 49 + ["c"])
    assert len(classifier(early_stopping=True, max_iter=1).fit(data, too_few).validation_scores_) == 1
    with pytest.raises(ValueError, match=r"too few members are: \['no'\]|class in y has only 1 member"):
        classifier(early_stopping=True).fit(data, ["yes"] * 99 + ["no"])


# Logits


@pytest.mark.parametrize("labels", [c, THREE, several_labels(60, 3, 4)[1]])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logarithms_of_probabilities_come_from_logits_and_stay_finite(labels, dtype):
    model = classifier(solver="lbfgs").fit(X.astype(dtype), labels)
    far = model.predict_log_proba(1e4 * np.array([[1, 1, 1], [-1, -1, -1], [-1, 1, 1], [1, -1, -1]]))
    assert np.isfinite(far).all()
    assert far.min() < -300
    assert far.dtype == dtype
    rounded = 1e-4 if dtype == np.float64 else 1e-2  # of a small 1 - p in float32, which the logits have not
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(model.predict_proba(X)), rtol=rounded, atol=1e-6)
    z = model.decision_function(X)
    p = model.predict_proba(X)
    if labels is THREE:
        np.testing.assert_allclose(p, np.exp(z) / np.exp(z).sum(axis=1, keepdims=True), rtol=1e-4)
        assert log_loss(labels, p) > 0
    else:
        np.testing.assert_allclose(p if p.shape == z.shape else p[:, 1], 1 / (1 + np.exp(-z)), rtol=1e-4, atol=1e-7)


# Targets that are missing


def with_holes(array, at=7):
    holes = np.array(array, float)
    holes[:at, 0] = np.nan
    holes[-at:, 1] = np.nan
    return holes


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("loss", ["squared_error", "huber", "quantile", "poisson"])
def test_a_missing_target_of_a_regression_teaches_nothing_where_it_is_masked(loss, solver):
    targets = with_holes(np.exp(np.stack([y, -y], axis=1)))
    model = regressor(loss=loss, solver=solver, missing_targets="mask", max_iter=30).fit(X, targets)
    others = targets.copy()
    others[np.isnan(others)] = model.predict(X)[np.isnan(others)]  # of which the loss is least, and has no slope
    start = {"initial_weights": (model.coefs_, model.intercepts_), "alpha": 0.0, "solver": "sgd", "momentum": 0.0}
    start |= {"learning_rate_init": 1e-4, "batch_size": 60, "max_iter": 1, "shuffle": False, "loss": loss}
    masked, filled = regressor(**start, missing_targets="mask").fit(X, targets), regressor(**start).fit(X, others)
    if loss != "quantile":  # whose slope is not 0 at its least
        np.testing.assert_allclose(flat(masked), flat(filled), rtol=1e-9)
    np.testing.assert_allclose(masked.loss_, filled.loss_, rtol=1e-9)
    with pytest.raises(ValueError, match="NaN"):
        regressor(loss=loss, solver=solver).fit(X, targets)


@pytest.mark.parametrize("manner", [{}, {"scale": "standard"}, {"early_stopping": True}, {"solver": "lbfgs"}])
def test_missing_labels_go_with_all_that_trains(manner):
    _, labels = several_labels(60, 3, 3)
    model = classifier(missing_targets="mask", **manner).fit(X, with_holes(labels))
    assert np.isfinite(model.loss_)
    assert set(np.unique(model.predict(X))) <= {0, 1}


def test_what_cannot_be_masked_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        regressor(missing_targets="mask").fit(X, [np.nan, *y[1:]])
    nothing = np.stack([y, np.full(60, np.nan)], axis=1)
    with pytest.raises(ValueError, match="Column 1 of y has nothing else"):
        regressor(missing_targets="mask").fit(X, nothing)


# Sizes


@pytest.mark.parametrize("sizes", [(64.0,), np.array([4.0, 3.0]), np.array([4, 3]), [np.int32(4)], 5, ()])
def test_whole_numbers_of_any_type_are_sizes(sizes):
    model = classifier(hidden_layer_sizes=sizes).fit(X, c)
    assert [len(b) for b in model.intercepts_[:-1]] == [int(n) for n in np.atleast_1d(sizes)]


@pytest.mark.parametrize(
    "sizes", [{64}, True, None, "64", (None,), ((3, 2),), [[3]], (2.5,), 5.0, [True], [np.nan], [-1]]
)
def test_other_sizes_are_refused_by_name(sizes):
    with pytest.raises((ValueError, TypeError), match="hidden_layer_sizes"):
        classifier(hidden_layer_sizes=sizes).fit(X, c)


def test_sizes_beyond_memory_are_a_memory_error():
    with pytest.raises(MemoryError):
        classifier(hidden_layer_sizes=(10**9,)).fit(X, c)


# Scaled back


@pytest.mark.parametrize("scale", ["standard", "quantile"])
def test_predictions_are_scaled_back_in_float64(scale):
    targets = 1e9 + np.arange(60) % 3
    data = np.eye(3)[np.arange(60) % 3].astype(np.float32)
    model = regressor(scale=scale, solver="lbfgs", max_iter=500).fit(data, targets)
    predicted = model.predict(data)
    assert predicted.dtype == np.float64
    assert np.ptp(predicted) > 1.5
    np.testing.assert_allclose(predicted, targets, atol=0.4)


# Frames


def test_a_frame_is_known_by_its_columns_and_a_stranger_is_told():
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    model = regressor().fit(frame, y)
    expected = model.predict(frame)
    for same in (frame.copy(), frame.iloc[:], pd.DataFrame({name: frame[name] for name in "abc"})):
        assert np.array_equal(model.predict(same), expected)
    with pytest.raises(ValueError, match="same order"):
        model.predict(frame[["b", "a", "c"]])
    with pytest.raises(ValueError, match="seen at fit time"):
        model.predict(frame.rename(columns={"a": "z"}))
    with pytest.warns(UserWarning, match="X does not have valid feature names, but MLPRegressor was fitted") as seen:
        assert np.array_equal(model.predict(X), expected)
    assert [record.filename for record in seen] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(frame.iloc[[0]])
    swapped = frame[["c", "b", "a"]]
    model.fit(swapped, y)
    np.testing.assert_allclose(
        model.predict(swapped), regressor().fit(swapped.to_numpy(), y).predict(swapped.to_numpy())
    )
    with pytest.raises(ValueError, match="same order"):
        model.predict(frame)


@pytest.mark.parametrize("method", ["predict", "transform", "input_gradient", "partial_fit"])
def test_names_of_columns_on_one_side_only_are_a_warning_at_the_line_of_the_user(method):
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    for of_fit, asked, said in (
        (frame, X, "X does not have valid feature names"),
        (X, frame, "X has feature names, but"),
    ):
        model = regressor().fit(of_fit, y)
        with pytest.warns(UserWarning, match=said) as seen:
            getattr(model, method)(asked, *((y,) if method == "partial_fit" else ()))
        assert [record.filename for record in seen] == [__file__]
    model = regressor().fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(pd.DataFrame(X))


def test_a_y_of_one_column_warns_at_the_line_of_the_user():
    for make, targets in ((regressor, y), (classifier, c)):
        with pytest.warns(DataConversionWarning, match="A column-vector y was passed") as seen:
            column = make().fit(X, targets[:, None])
        assert {record.filename for record in seen} == {__file__}
        assert np.array_equal(flat(column), flat(make().fit(X, targets)))


@pytest.mark.parametrize("scale", [None, "standard"])
def test_every_way_to_ask_for_a_row_gives_the_same(scale):
    model = regressor(scale=scale).fit(X, y)
    expected = model.predict(X)[:1]
    frame = pd.DataFrame(X)
    asked = (X[:1], X[:1].tolist(), np.asfortranarray(X)[:1], frame.iloc[[0]], X[::2][:1], csr_array(X[:1]))
    for one in (*asked, X[:1].astype(">f8"), X[:1].astype(object)):
        np.testing.assert_allclose(model.predict(one), expected, rtol=1e-12)
    np.testing.assert_allclose(model.predict(X[:1].astype(np.float32)), expected, rtol=1e-5)
    wrong = [
        (X[0], "Expected 2D array, got 1D array"),
        (X[0].tolist(), "Expected 2D array, got 1D array"),
        ([[1.0], [1.0, 2.0]], "inhomogeneous"),
        (X[:1, :2], "2 features, but MLPRegressor is expecting 3"),
        ([["a", "b", "c"]], "could not convert|dtype='numeric' is not compatible"),
        (X[:0], r"0 sample\(s\)"),
        (np.where(np.eye(3), np.nan, 1), "X contains NaN"),
        (np.where(np.eye(3), np.inf, 1), "X contains infinity"),
    ]
    for given, said in wrong:
        with pytest.raises(ValueError, match=said):
            model.predict(given)


@pytest.mark.parametrize("scale", [None, "standard"])
@pytest.mark.parametrize(
    "dtype", [np.int8, np.int32, np.uint64, np.int64, np.bool_, np.float16, np.float32, np.longdouble]
)
def test_a_row_of_any_type_of_number_gives_the_same(dtype, scale):
    whole = (X > 0).astype(float)
    model = regressor(scale=scale).fit(whole, y)
    given = whole.astype(dtype)
    for asked in (given[:1], given, np.asfortranarray(given)[:1], given.tolist()):
        np.testing.assert_allclose(model.predict(asked), model.predict(whole)[: len(asked)], rtol=1e-12)


@pytest.mark.parametrize("scale", ["standard", "quantile"])
@pytest.mark.parametrize("data", ["any", "ties", "constant"])
def test_scaling_is_that_of_the_fitted_scalers(data, scale):
    given = {"any": X, "ties": np.round(X), "constant": np.concatenate([X[:, :2], np.ones((60, 1))], axis=1)}[data]
    model = regressor(scale=scale).fit(given, 1e3 * y)
    asked = np.concatenate([given, given + 0.01, 10 * given, given - 1e-8])
    A = model.x_scaler_.transform(asked)
    A = np.maximum(A @ model.coefs_[0] + model.intercepts_[0], 0) @ model.coefs_[1] + model.intercepts_[1]
    expected = model.y_scaler_.inverse_transform(A)[:, 0]
    np.testing.assert_allclose(model.predict(asked), expected, rtol=1e-9)
    np.testing.assert_allclose([model.predict(row[None])[0] for row in asked], expected, rtol=1e-9)
    model.x_scaler_ = FunctionTransformer().fit(given)  # whatever somebody puts there counts
    A = np.maximum(asked @ model.coefs_[0] + model.intercepts_[0], 0) @ model.coefs_[1] + model.intercepts_[1]
    np.testing.assert_allclose(model.predict(asked), model.y_scaler_.inverse_transform(A)[:, 0], rtol=1e-9)


def test_quantiles_do_not_go_with_partial_fit():
    with pytest.raises(ValueError, match="scale is 'quantile', which partial_fit cannot learn"):
        regressor(scale="quantile").partial_fit(X, y)
    model = regressor(scale="quantile").fit(X, y)
    with pytest.raises(ValueError, match="scale is 'quantile', which partial_fit cannot learn"):
        model.partial_fit(X, y)
    assert model.predict(X).shape == y.shape


def test_a_first_part_without_spread_does_not_decide_for_ever():
    model = regressor(scale="standard", learning_rate_init=0.01).partial_fit(X, np.full(60, 3.0))
    before = model.x_scaler_
    mean = before.mean_.copy()
    for _ in range(200):
        model.partial_fit(X + 1, y)
    assert model.score(X + 1, y) > 0.8
    assert np.array_equal(before.mean_, mean)


# Rows of probabilities, in the order of `classes`


def test_later_rows_of_probabilities_come_in_the_order_of_classes():
    share = 1 / (1 + np.exp(-3 * X[:, 0]))
    rows = np.stack([share, 1 - share], axis=1)
    model = classifier(learning_rate_init=0.01).partial_fit(X, rows, classes=["pos", "neg"])
    for _ in range(200):
        model.partial_fit(X, rows)
    assert model.predict([[2.0, 0, 0], [-2.0, 0, 0]]).tolist() == ["pos", "neg"]
    P, order = RNG.dirichlet([0.1, 0.1, 0.1], 60), [2, 0, 1]
    ends = []
    for columns in ([0, 1, 2], order):
        model = classifier(early_stopping=True, warm_start=True, max_iter=20)
        given = P[:, columns]
        model.fit(X, given, classes=columns, eval_set=(X, given)).fit(X, given, X_val=X, y_val=given)
        ends.append((model.validation_curve_, model.loss_curve_))
    np.testing.assert_allclose(ends[0][0], ends[1][0], rtol=1e-12)
    np.testing.assert_allclose(ends[0][1], ends[1][1], rtol=1e-12)


def test_a_fit_on_labels_does_not_go_on_with_rows():
    model = classifier(warm_start=True).fit(X, THREE)
    for fit in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match="The object was not fitted with multilabel input"):
            fit(X, np.eye(3)[THREE].astype(int))


# Dates, once more


@pytest.mark.parametrize("column", [[datetime.date(2020, 1, 1)] * 60, pd.period_range("2020-01-01", periods=60)])
def test_dates_as_objects_are_named(column):
    frame = pd.DataFrame({"a": X[:, 0], "b": pd.Series(list(column), dtype=object)})
    if isinstance(column, list):
        with pytest.raises(ValueError, match=r"X has the element datetime\.date"):
            regressor().fit(frame, y)
    with pytest.raises(ValueError, match="y has"):
        regressor().fit(X, frame["b"])


def test_dates_are_no_weights():
    with pytest.raises(ValueError, match="sample_weight has dtype datetime64"):
        regressor().fit(X, y, sample_weight=np.full(60, np.datetime64("2020-01-01")))


# Masks, part by part


def test_parts_may_miss_a_target_wholly():
    targets = np.stack([y, y], axis=1)
    model = regressor(missing_targets="mask").fit(X, targets)
    model.partial_fit(X[:1], [[1.0, np.nan]])
    model.fit(X, targets, eval_set=(X[:1], [[1.0, np.nan]]))
    labels = np.stack([c, 1 - c], axis=1).astype(float)
    labels[0, 0] = np.nan
    assert classifier(missing_targets="mask").partial_fit(X, labels, classes=[0, 1]).out_activation_ == "logistic"


def test_a_part_without_weight_makes_no_step():
    model = classifier(class_weight={0: 0, 1: 1}).partial_fit(X, c, classes=[0, 1])
    before = flat(model).copy()
    model.partial_fit(X[c == 0][:3], [0] * 3)
    assert np.array_equal(flat(model), before)
    assert model.t_ == 60


# Weights and scales


@pytest.mark.parametrize("scale", ["standard", "quantile"])
@pytest.mark.parametrize("make", [regressor, classifier])
def test_rows_without_weight_do_not_count_for_scaling(make, scale):
    keep = np.arange(60) < 45
    spoiled = np.where(keep[:, None], X, 1e6 * X)
    targets = np.where(keep, y, 1e6) if make is regressor else c
    weighted = make(scale=scale, solver="lbfgs").fit(spoiled, targets, sample_weight=keep.astype(float))
    alone = make(scale=scale, solver="lbfgs").fit(X[keep], targets[keep])
    np.testing.assert_allclose(weighted.predict(X), alone.predict(X), rtol=1e-4, atol=1e-4)


def test_weights_count_in_the_means_of_scaling():
    w = RNG.integers(1, 4, 60)
    model = regressor(scale="standard").fit(X, y, sample_weight=w)
    np.testing.assert_allclose(model.x_scaler_.mean_, np.repeat(X, w, axis=0).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(model.y_scaler_.var_, np.repeat(y, w).var(), rtol=1e-12)


@pytest.mark.parametrize("name", ["X", "y"])
def test_values_whose_variance_underflows_are_said(name):
    data, targets = (X * 1e-200, y) if name == "X" else (X, y * 1e-200)
    with pytest.raises(ValueError, match=f"scale='standard' underflows: {name} has values up to"):
        regressor(scale="standard").fit(data, targets)


def test_a_scaler_without_mean_is_used_as_it_is():
    model = regressor(scale="standard").fit(X, y)
    model.x_scaler_ = StandardScaler(with_mean=False).fit(X + 3)
    A = model.x_scaler_.transform(X)
    A = np.maximum(A @ model.coefs_[0] + model.intercepts_[0], 0) @ model.coefs_[1] + model.intercepts_[1]
    np.testing.assert_allclose(model.predict(X), model.y_scaler_.inverse_transform(A)[:, 0], rtol=1e-9)


# Messages


@pytest.mark.parametrize(
    ("parameters", "given", "more", "said"),
    [
        ({}, c.astype(object), {}, r"Unknown label type: unknown.*y\.astype\(int\)"),
        ({"class_weight": {0: "a", 1: 3}}, c, {}, "class_weight is"),
        ({"early_stopping": True, "validation_fraction": 0.0}, c, {}, "The validation set is too small"),
        ({"hidden_layer_sizes": (2**40,)}, c, {}, "hidden_layer_sizes is"),
        ({"hidden_layer_sizes": (5, 5), "width": 3}, c, {}, "expected one of the two ways"),
        ({"hidden_layer_sizes": (5,), "n_layers": 2}, c, {}, "expected one of the two ways"),
        ({"n_threads": 2**31}, c, {}, "n_threads is"),
        ({"eval_metric": "no_such_score"}, c, {"eval_set": (X, c)}, "eval_metric is 'no_such_score'"),
        ({"eval_metric": "r2"}, ["a", "b"] * 30, {"eval_set": (X, ["a", "b"] * 30)}, "eval_metric 'r2' cannot"),
        (
            {"eval_metric": lambda m, X, y: 1.0}, c, {"X_val": X, "y_val": c, "sample_weight_val": np.ones(60)},
            "eval_metric",
        ),
        ({}, c, {"X_val": np.where(np.eye(60, 3), np.nan, X), "y_val": c}, "of the validation data"),
        ({}, c, {"X_val": X, "y_val": c[:5]}, "of the validation data"),
        ({}, c, {"X_val": X, "y_val": c + 7}, "of the validation data"),
    ],
)  # fmt: skip
def test_an_error_names_what_it_is_about(parameters, given, more, said):
    with pytest.raises((ValueError, TypeError), match=said):
        classifier(**parameters).fit(X, given, **more)


def test_numbers_beyond_float64_are_named():
    with pytest.raises(ValueError, match="y has numbers beyond the range of float64"):
        regressor().fit(X, [10**400] * 60)


# Any type of array, again


@pytest.mark.parametrize("scale", [None, "standard", "quantile"])
@pytest.mark.parametrize("make", [regressor, classifier])
def test_whole_numbers_of_any_type_are_scaled_alike(make, scale):
    whole = np.random.default_rng(0).integers(0, 7, (60, 3))
    model = make(scale=scale).fit(whole, THREE)
    expected, hidden = model.predict(whole.astype(float)), model.transform(whole.astype(float))
    for dtype in ("uint8", "uint16", "uint64", "int8", "int64", "float16", "float32", "longdouble"):
        for asked in (whole.astype(dtype), pd.DataFrame(whole.astype(dtype)), np.asfortranarray(whole.astype(dtype))):
            np.testing.assert_allclose(model.predict(asked), expected, rtol=1e-6)
            np.testing.assert_allclose(model.transform(asked), hidden, rtol=1e-6, atol=1e-9)
    yes = whole > 3
    model = make(scale=scale).fit(yes, THREE)
    for asked in (yes, yes.tolist(), pd.DataFrame(yes)):
        np.testing.assert_allclose(model.predict(asked), model.predict(yes.astype(float)), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", ["predict", "transform", "fit"])
def test_arrays_that_are_not_aligned_are_read(method, dtype):
    given = X.astype(dtype)
    odd = np.frombuffer(bytearray(b"\0" + given.tobytes()), dtype, offset=1).reshape(given.shape)
    assert not odd.flags.aligned
    if method == "fit":
        assert np.array_equal(flat(regressor().fit(odd, y)), flat(regressor().fit(given, y)))
        return
    model = regressor().fit(given, y)
    assert np.array_equal(getattr(model, method)(odd), getattr(model, method)(given))


@pytest.mark.parametrize("scale", [None, "standard", "quantile"])
def test_lists_of_objects_are_numbers_or_refused(scale):
    model = regressor(scale=scale).fit(X, y)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.predict([[1.0, None, 2.0]])
    for row in ([Decimal("1.5")] * 3, [10**30, 1, 2], [Fraction(1, 2)] * 3):
        np.testing.assert_allclose(model.predict([row]), model.predict([list(map(float, row))]), rtol=1e-12)


# Masks and scales


def test_a_column_of_which_a_part_knows_nothing_keeps_its_scale():
    targets = np.stack([y, 5 + 3 * y], axis=1)
    model = regressor(missing_targets="mask", scale="standard").partial_fit(X, targets)
    mean = model.y_scaler_.mean_.copy()
    some = np.stack([np.full(60, np.nan), targets[:, 1] + 1], axis=1)
    model.partial_fit(X, some)
    np.testing.assert_allclose(model.y_scaler_.mean_, [mean[0], mean[1] + 0.5], rtol=1e-9)
    model.partial_fit(X, targets)
    np.testing.assert_allclose(model.y_scaler_.mean_[0], mean[0], rtol=1e-9)
    with pytest.raises(ValueError, match="Column 0 of y has nothing else"):
        regressor(missing_targets="mask", scale="standard").partial_fit(X, some)


@pytest.mark.parametrize("scale", [None, "standard"])
def test_targets_that_are_missing_wherever_there_is_weight_are_refused(scale):
    targets = np.stack([np.where(np.arange(60) < 30, np.nan, y), y], axis=1)
    with pytest.raises(ValueError, match="Column 0 of y has nothing else"):
        regressor(missing_targets="mask", scale=scale).fit(X, targets, sample_weight=np.arange(60) < 30)


def test_validation_data_without_any_target_are_refused():
    targets, nothing = np.stack([y, y], axis=1), np.full((60, 2), np.nan)
    with pytest.raises(ValueError, match="y of the validation data contains NaN and nothing else"):
        regressor(missing_targets="mask").fit(X, targets, eval_set=(X, nothing))
