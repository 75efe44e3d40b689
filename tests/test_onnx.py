"""skl2onnx and the estimators: what is converted predicts the same in ONNX Runtime, what cannot be is refused.

Expected values are the estimator's own. Not here: an export of our own, which fastmlp has not.
"""

import numpy as np
import onnxruntime
import pytest

from fastmlp import MLPClassifier, MLPRegressor
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


def converted(model, dtype=np.float32):
    from skl2onnx import to_onnx

    options = {id(model): {"zipmap": False}} if hasattr(model, "classes_") else None
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


@pytest.mark.parametrize(
    ("parameters", "targets", "said"),
    [
        ({"activation": "gelu"}, y, "gelu"),
        ({"activation": ["relu", "tanh"]}, y, "different activations"),
        ({"loss": "poisson"}, y / 1e3, "exp"),
        ({"scale": "quantile"}, y, "scale='quantile'"),
        ({}, np.stack([y, y], axis=1), "2 outputs"),
    ],
)
def test_what_cannot_be_converted_is_said(parameters, targets, said):
    model = MLPRegressor(hidden_layer_sizes=(6, 5), random_state=0, max_iter=3, **parameters).fit(X, targets)
    with pytest.raises(NotImplementedError, match=said):
        converted(model)


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
