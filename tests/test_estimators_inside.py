"""What a fitted estimator shows of its inside beyond scikit-learn's, and the scaling that it does there.

Hidden activations against the formula, gradients against differences of predictions, scaling against that of a
pipeline. Not here: how the net between the scalers is trained (test_estimators_training.py).
"""

import pickle

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastmlp import MLPClassifier, MLPRegressor
from problems import cancer, diabetes, iris, several_labels

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# Hidden activations


def test_transform_gives_the_activations_of_a_layer():
    X, y = iris()
    model = MLPClassifier((6, 5, 4), activation="tanh", random_state=0, max_iter=3).fit(X, y)
    hidden = X
    for layer, (W, b) in enumerate(zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True)):
        hidden = np.tanh(hidden @ W + b)
        np.testing.assert_allclose(model.transform(X, layer=layer), hidden, rtol=1e-10)
        np.testing.assert_allclose(model.transform(X, layer=layer - 3), hidden, rtol=1e-10)
    for wrong in (3, -4):
        with pytest.raises(ValueError, match=f"layer is {wrong}"):
            model.transform(X, layer=wrong)
    assert make_pipeline(model, MLPClassifier(max_iter=1)).fit(X, y).predict(X).shape == (150,)
    assert list(model.set_output(transform="pandas").transform(X)) == [f"mlpclassifier{i}" for i in range(4)]


def test_transform_names_the_columns_of_the_layer_it_shows():
    X, y = iris()
    model = MLPClassifier((6, 4), random_state=0, max_iter=2).fit(X, y).set_output(transform="pandas")
    assert [model.transform(X, layer=layer).shape[1] for layer in (0, 1, -2, -1)] == [6, 4, 6, 4]
    with pytest.raises(ValueError, match="no hidden layer"):
        MLPClassifier((), max_iter=2).fit(X, y).get_feature_names_out()


@pytest.mark.parametrize("layer", [1.5, "a", None])
def test_a_layer_that_is_no_number_is_refused(layer):
    X, y = iris()
    with pytest.raises(TypeError, match="layer is"):
        MLPClassifier(max_iter=2).fit(X, y).transform(X, layer=layer)


# Gradients in the inputs


def several_numbers():
    X, y = diabetes()
    return X, np.stack([y, -2 * y + X[:, 0]], axis=1)


OUTPUTS = {
    "binary": (MLPClassifier, cancer, {}),
    "classes": (MLPClassifier, iris, {}),
    "labels": (MLPClassifier, several_labels, {}),
    "number": (MLPRegressor, diabetes, {}),
    "numbers": (MLPRegressor, several_numbers, {}),
    "counts": (MLPRegressor, diabetes, {"loss": "poisson"}),
    "huber": (MLPRegressor, diabetes, {"loss": "huber"}),
}


@pytest.mark.parametrize("scale", [None, "standard"])
@pytest.mark.parametrize("kind", list(OUTPUTS))
def test_the_gradient_in_the_inputs_is_that_of_the_prediction(kind, scale):
    estimator, data, options = OUTPUTS[kind]
    X, y = data()
    model = estimator((8,), activation="tanh", random_state=0, max_iter=30, scale=scale, **options) if kind in (
        "binary", "classes", "labels") else estimator(
        hidden_layer_sizes=(8,), activation="tanh", random_state=0, max_iter=30, scale=scale, **options)  # fmt: skip
    X = X * 2 + 1
    model.fit(X, y)

    def outputs(X):
        if estimator is MLPRegressor:
            return model.predict(X)
        return model.predict_proba(X)[:, 1] if kind == "binary" else model.predict_proba(X)

    found, h = model.input_gradient(X[:7]), 1e-5
    for feature in range(min(4, X.shape[1])):
        step = np.zeros(X.shape[1])
        step[feature] = h
        difference = (outputs(X[:7] + step) - outputs(X[:7] - step)) / (2 * h)
        np.testing.assert_allclose(found[..., feature], difference, rtol=1e-5, atol=1e-8)
    assert np.abs(found).max() > 1e-3


def test_a_scale_by_quantiles_has_no_gradient():
    X, y = diabetes()
    with pytest.raises(ValueError, match="quantile"):
        MLPRegressor(scale="quantile", max_iter=2, random_state=0).fit(X, y).input_gradient(X)


# Scaling inside


@pytest.mark.parametrize("scale", ["standard", "quantile"])
def test_large_targets_are_learned_with_scaling_inside(scale):
    X, y = load_diabetes(return_X_y=True)
    model = MLPRegressor(scale=scale, random_state=0, max_iter=300).fit(X * 1e3 + 7, y * 1e3 + 5e5)
    assert model.score(X * 1e3 + 7, y * 1e3 + 5e5) > 0.5
    assert model.predict(X[:1] * 1e3 + 7).shape == (1,)


def test_scaling_inside_is_scaling_outside():
    X, y = load_breast_cancer(return_X_y=True)
    inside = MLPClassifier(scale="standard", random_state=0, max_iter=20).fit(X, y)
    outside = make_pipeline(StandardScaler(), MLPClassifier(random_state=0, max_iter=20)).fit(X, y)
    np.testing.assert_allclose(inside.predict_proba(X), outside.predict_proba(X), rtol=1e-9)
    for early in (
        MLPClassifier(scale="standard", early_stopping=True, random_state=0, max_iter=20),
        pickle.loads(pickle.dumps(inside)),
    ):
        early = early.fit(X, y) if not hasattr(early, "coefs_") else early
        assert early.score(X, y) > 0.9
    X, y = load_diabetes(return_X_y=True)
    model = MLPRegressor(scale="standard", early_stopping=True, random_state=0, max_iter=50).fit(X, y)
    assert model.predict(X).std() > 10


def test_scaling_inside_goes_with_partial_fit_and_learns_from_all_rows():
    X, y = load_diabetes(return_X_y=True)
    model = MLPRegressor(scale="standard", random_state=0, learning_rate_init=0.01)
    for _ in range(60):
        for rows in (slice(0, 221), slice(221, None)):
            model.partial_fit(X[rows], y[rows])
    np.testing.assert_allclose(model.y_scaler_.mean_, y.mean())
    np.testing.assert_allclose(model.x_scaler_.var_, X.var(axis=0))
    assert model.score(X, y) > 0.5


def test_a_fit_without_scale_forgets_the_scalers():
    X, y = diabetes()
    model = MLPRegressor(scale="standard", random_state=0, max_iter=5).fit(X, y)
    model.set_params(scale=None).fit(X, y)
    assert np.array_equal(model.predict(X), MLPRegressor(random_state=0, max_iter=5).fit(X, y).predict(X))


def test_scaling_inside_does_not_mind_pandas_output():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    with config_context(transform_output="pandas"):
        model = MLPRegressor(scale="standard", random_state=0, max_iter=3).fit(X, y)
        assert model.predict(X).shape == y.shape
        assert list(model.transform(X, layer=0).columns[:1]) == ["mlpregressor0"]


@pytest.mark.parametrize("scale", ["standard", "quantile"])
def test_scaling_inside_takes_sparse_data_as_dense(scale):
    X, y = diabetes()
    one, other = (
        MLPRegressor(scale=scale, max_iter=3, random_state=0).fit(data, y).predict(data) for data in (X, csr_array(X))
    )
    assert np.array_equal(one, other)
