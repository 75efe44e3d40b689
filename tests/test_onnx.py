"""skl2onnx and the estimators: what is converted predicts the same in ONNX Runtime, whoever registers a converter.

Expected values are the estimator's own. Not here: files that fastmlp writes itself (test_onnx_files.py).
"""

from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
from skl2onnx import to_onnx
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastmlp import MLPClassifier, MLPRegressor, onnx_converters
from problems import several_labels
from processes import output_of

pytestmark = pytest.mark.filterwarnings("ignore")

RNG = np.random.default_rng(0)
X = 3 + 2 * RNG.normal(size=(80, 4))
y = 1e3 + 50 * X[:, 0]
TASKS = {
    "number": (MLPRegressor, y / 1e3),
    "two classes": (MLPClassifier, (X[:, 0] > 3).astype(int)),
    "strings": (MLPClassifier, np.array(["a", "b", "c"])[np.arange(80) % 3]),
    "labels": (MLPClassifier, several_labels(80, 4, 3)[1]),
}


def converted(model, dtype=np.float32, options=None):
    if options is None and isinstance(model, MLPClassifier):
        options = {id(model): {"zipmap": False}}
    session = onnxruntime.InferenceSession(
        to_onnx(model, X[:1].astype(dtype), options=options).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {session.get_inputs()[0].name: X.astype(dtype)})


@pytest.mark.parametrize("scale", [None, "standard"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity", "sigmoid", ["relu", "relu"]])
@pytest.mark.parametrize("task", list(TASKS))
def test_a_converted_estimator_predicts_the_same(task, activation, scale):
    kind, targets = TASKS[task]
    model = kind(hidden_layer_sizes=(6, 5), activation=activation, scale=scale, random_state=0, max_iter=30)
    model.fit(X, targets)
    outputs = converted(model)
    if kind is MLPRegressor:
        np.testing.assert_allclose(outputs[0][:, 0], model.predict(X), rtol=1e-4, atol=1e-5)
    else:
        p = model.predict_proba(X)
        np.testing.assert_allclose(outputs[1], p, atol=1e-5)
        clear = (abs(p - 0.5) > 1e-4).all(axis=1)
        assert np.array_equal(outputs[0][clear], model.predict(X)[clear])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("parameters", "targets"),
    [
        ({"activation": "gelu"}, y),
        ({"activation": ["relu", "mish"]}, y),
        ({"loss": "poisson"}, y / 1e3),
        ({"scale": "quantile"}, y),
        ({"scale": "standard"}, np.stack([y, -y], axis=1)),
    ],
)
def test_what_skl2onnx_has_no_converter_for_is_converted_too(parameters, targets, dtype):
    model = MLPRegressor(hidden_layer_sizes=(6, 5), random_state=0, max_iter=3, **parameters).fit(X, targets)
    expected = model.predict(X).reshape(len(X), -1)
    # A float32 X is off by 1e-7 of itself, which interpolation among 80 quantiles multiplies by their density.
    np.testing.assert_allclose(converted(model, dtype)[0], expected, rtol=1e-4 if dtype is np.float32 else 1e-10)


def test_a_pipeline_with_an_estimator_is_converted():
    model = make_pipeline(StandardScaler(), MLPClassifier((6,), activation="silu", random_state=0, max_iter=20))
    model.fit(X, TASKS["strings"][1])
    label, probabilities = converted(model, options={id(model): {"zipmap": False}})
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=1e-5)
    assert (label == model.predict(X)).mean() > 0.98


def test_an_opset_that_is_too_old_is_refused():
    model = MLPRegressor(hidden_layer_sizes=(3,), max_iter=1).fit(X, y)
    with pytest.raises(NotImplementedError, match="target_opset is 12"):
        to_onnx(model, X[:1], target_opset=12)


def test_labels_that_are_no_whole_numbers_are_refused():
    labels = [0, 0.5, 1]
    model = MLPClassifier((3,), max_iter=1).fit(X, np.full((80, 3), [0.5, 0.25, 0.25]), classes=labels)
    with pytest.raises(NotImplementedError, match=r"classes_ is \[0.  0.5 1. \]"):
        converted(model)


# scikit-learn's own converters, registered by hand for our estimators: they read coefs_ and no scaler.
BY_HAND = """
import warnings
warnings.simplefilter("ignore")
{imports}
import numpy as np
import onnxruntime
from skl2onnx import to_onnx, update_registered_converter
from skl2onnx.common import shape_calculator

X = 3 + np.random.default_rng(0).normal(size=(40, 2))
for kind, name, y in (
    (fastmlp.MLPRegressor, "regressor", X[:, 0]),
    (fastmlp.MLPClassifier, "classifier", (X[:, 0] > 3).astype(int)),
):
    model = kind(hidden_layer_sizes=(3,), max_iter=5, random_state=0, scale="standard").fit(X, y)
    shapes = getattr(shape_calculator, f"calculate_linear_{{name}}_output_shapes")
    convert = getattr(converters, f"convert_sklearn_mlp_{{name}}", None) or globals()[name]
    options = {{"zipmap": [True, False], "nocl": [True, False]}} if name == "classifier" else None
    update_registered_converter(kind, "ByHand" + name, shapes, convert, options=options)
    asked = {{id(model): {{"zipmap": False}}}} if options else None
    try:
        graph = to_onnx(model, X[:1], options=asked).SerializeToString()
    except NotImplementedError as problem:
        print("refused", "leave out" in str(problem))
        continue
    outputs = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"]).run(None, {{"X": X}})
    expected = model.predict_proba(X) if options else model.predict(X)[:, None]
    print("right", bool(np.allclose(outputs[-1], expected, atol=1e-9)))
"""
MODULE = "from skl2onnx.operator_converters import multilayer_perceptron as converters"
FUNCTIONS = """
import types
from skl2onnx.operator_converters.multilayer_perceptron import convert_sklearn_mlp_classifier as classifier
from skl2onnx.operator_converters.multilayer_perceptron import convert_sklearn_mlp_regressor as regressor
converters = types.SimpleNamespace()
"""
OURS = "import fastmlp; fastmlp.MLPRegressor"


@pytest.mark.parametrize(
    ("imports", "said"),
    [
        ((OURS, MODULE), "right"),
        ((MODULE, OURS), "right"),
        ((OURS, FUNCTIONS), "right"),
        ((FUNCTIONS, OURS), "refused"),  # nobody can reach what was taken out before
    ],
    ids=["ours first", "theirs first", "functions after ours", "functions before ours"],
)
def test_a_converter_of_scikit_learns_registered_by_hand_gives_right_numbers_or_none(imports, said):
    assert output_of("-c", BY_HAND.format(imports="\n".join(imports))).splitlines() == [f"{said} True"] * 2


def test_a_skl2onnx_without_the_private_name_is_warned_of():
    names = "convert_sklearn_mlp_classifier", "convert_sklearn_mlp_regressor"
    module = SimpleNamespace(**dict.fromkeys(names, print))
    with pytest.warns(UserWarning, match="this skl2onnx is not one that fastmlp knows"):
        onnx_converters._guard(module)
    assert all(getattr(module, name) is not print for name in names)


def test_scikit_learns_own_estimators_are_converted_as_before():
    from sklearn.neural_network import MLPRegressor as Theirs

    theirs = Theirs(hidden_layer_sizes=(5,), random_state=0, max_iter=20).fit(X, y / 1e3)
    np.testing.assert_allclose(converted(theirs)[0][:, 0], theirs.predict(X), rtol=1e-4)


ORDER = """
import warnings
warnings.simplefilter("ignore")
{imports}
import numpy as np
X = np.zeros((4, 2), np.float32)
model = MLPRegressor(hidden_layer_sizes=(3,), max_iter=1).fit(X, np.arange(4.0))
print(len(to_onnx(model, X).graph.node) > 0)
"""


@pytest.mark.parametrize("first", ["skl2onnx", "fastmlp", "a look for it"])
def test_the_order_of_imports_does_not_matter(first):
    lines = ["from skl2onnx import to_onnx", "from fastmlp import MLPRegressor"]
    if first == "a look for it":
        lines.insert(0, "from importlib.util import find_spec; assert find_spec('skl2onnx')")
    imports = "\n".join(lines if first == "skl2onnx" else lines[::-1])
    assert output_of("-c", ORDER.format(imports=imports)).strip() == "True"


def test_the_estimators_do_not_import_skl2onnx():
    code = "import sys; from fastmlp import MLPClassifier; print('skl2onnx' in sys.modules)"
    assert output_of("-c", code).strip() == "False"
