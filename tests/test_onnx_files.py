"""Files of ONNX: what ONNX Runtime computes from them is what predict gives; what comes back is the net that went in.

Every activation, output, precision, scaling and task is written, checked by the package onnx, and run with no rows,
with one and with fifty. Not here: skl2onnx (test_onnx.py).
"""

import copy
import json
import os
from functools import cache
from itertools import pairwise

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import RobustScaler

import fastmlp
from fastmlp import MLP, MLPClassifier, MLPRegressor, formulas, onnx_files, onnx_patterns, onnx_reading
from fastmlp.files import LoadError
from processes import output_of

pytestmark = pytest.mark.filterwarnings("ignore")  # of fits that are too short

# How far ONNX Runtime may be from predict, relative to max(1, the largest |y| of an output): a sum is as exact as its
# terms are large, and one that cancels to nearly nothing has no more digits to lose. What was seen is the worst of
# the builds for three instruction sets.
OF_THE_LARGEST = {
    "float64": 1e-13,  # a few epsilons of each operator; seen 1.3e-14
    "float32": 1e-6,  # what was promised: products in another order, and other exp, tanh and erf; seen 6.0e-7
    # The steepest piece between two quantiles of y multiplies the error of the last layer; seen 2.9e-6.
    "float32 quantile": 5e-6,
}
# The same of each number, relative to max(1, |y| + |the mean of y that standard scaling adds|), so that no small
# number passes because of a large one beside it.
OF_EACH = {
    "float64": 1e-13,
    "float32": 5e-6,  # sums of terms a hundred times as large as what is left, and exp of up to 20; seen 3.7e-6
    "float32 quantile": 5e-6,  # as above; seen 3.2e-6
}
DTYPES = ("float32", "float64")
BATCHES = (0, 1, 50)
RNG = np.random.default_rng(0)


def checked_session(path):
    onnx.checker.check_model(str(path), full_check=True)
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def results(path, X):
    """The outputs by name, for all the rows; what fewer rows give is compared with them."""
    session = checked_session(path)
    names = [output.name for output in session.get_outputs()]
    found = dict(zip(names, session.run(None, {"X": X}), strict=True))
    for rows in BATCHES[:-1]:
        for name, few in zip(names, session.run(None, {"X": X[:rows]}), strict=True):
            assert few.shape == (rows, *found[name].shape[1:])
            if few.dtype.kind == "f":
                np.testing.assert_allclose(few, found[name][:rows], rtol=1e-5, atol=1e-5)
            else:
                assert np.array_equal(few, found[name][:rows])
    return found


def assert_near(found, expected, tolerance, what):
    assert found.shape == expected.shape, what
    assert np.isfinite(expected).all(), what
    error = np.max(np.abs(found - expected) / np.maximum(1, np.abs(expected)))
    assert error <= tolerance, f"{what}: off by {error:.2g}"


def assert_as_promised(found, expected, dtype, scale, activation, mean=0.0):
    """That both are as near as the tables above say."""
    assert found.shape == expected.shape, activation
    assert np.isfinite(expected).all(), activation
    each = np.abs(expected)
    for tolerances, sizes in ((OF_THE_LARGEST, each.max(axis=0)), (OF_EACH, each + np.abs(mean))):
        tolerance = tolerances.get(f"{dtype} {scale}", tolerances[dtype])
        error = np.max(np.abs(found - expected) / np.maximum(1, sizes))
        assert error <= tolerance, f"{activation}: off by {error:.2g}"


# Nets

POINTS = 2 * RNG.normal(size=(50, 4))
POINTS[:5] *= 10  # where activations saturate


def net_of(activation, output, dtype, sizes=(4, 6, 3), **more):
    net = MLP(sizes, activation=activation, output=output, dtype=dtype, seed=0, negative_slope=0.3, **more)
    for b in net.biases:
        b[:] = np.linspace(-0.2, 0.3, len(b))
    return net


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("output", formulas.OUTPUTS)
@pytest.mark.parametrize("activation", formulas.ACTIVATIONS)
def test_a_net_predicts_the_same_in_onnx_runtime_and_comes_back(tmp_path, activation, output, dtype):
    net, path = net_of(activation, output, dtype), tmp_path / "net.onnx"
    net.to_onnx(path)
    X = (POINTS / 30 if "exponential" in (activation, output) else POINTS).astype(dtype)
    found, expected = results(path, X), net.predict(X)
    assert list(found) == (["label", "probabilities"] if output in ("softmax", "sigmoid") else ["variable"])
    numbers = found.get("variable", found.get("probabilities"))
    assert numbers.dtype == net.dtype
    assert_as_promised(numbers, expected, dtype, None, activation)
    if "label" in found:
        assert found["label"].dtype == np.int64
        clear = (abs(np.diff(np.sort(expected)[:, -2:])[:, 0]) > 1e-4) & (abs(expected - 0.5) > 1e-4).all(axis=1)
        assert clear.sum() > 25
        assert np.array_equal(found["label"][clear], net.classify(X)[clear])

    again = fastmlp.load_onnx(path)
    assert (again.activation, again.output, again.dtype) == (net.activation, net.output, net.dtype)
    assert_near(again.predict(X), expected, 1e-6, "the net that comes back")
    assert again.parameters.tobytes() == net.parameters.tobytes()
    if activation == "leaky_relu" or output == "leaky_relu":
        assert again.negative_slope == 0.3


SHAPES = {
    "one layer": {"sizes": [4, 3], "activation": []},
    "one output": {"sizes": [4, 5, 1]},
    "three layers, each its own": {"sizes": [4, 7, 5, 3], "activation": ["gelu", "leaky_relu"]},
    "without biases": {"sizes": [4, 5, 3], "bias": False},
    "with dropout": {"sizes": [4, 5, 3], "dropout": 0.4},
    "one input": {"sizes": [1, 5, 1]},
}


@pytest.mark.parametrize("output", ["identity", "sigmoid"])
@pytest.mark.parametrize("name", SHAPES)
def test_a_net_of_any_shape_predicts_the_same_and_comes_back(tmp_path, name, output):
    net = MLP(**SHAPES[name], output=output, dtype="float64", seed=0)
    X, path = POINTS[:, : net.sizes[0]], tmp_path / "net.onnx"
    net.to_onnx(path)
    found = results(path, np.ascontiguousarray(X))
    assert_near(found["variable" if output == "identity" else "probabilities"], net.predict(X), 1e-12, name)
    if output == "sigmoid":
        assert np.array_equal(found["label"], net.classify(X))
    again = fastmlp.load_onnx(path)
    assert again.sizes == net.sizes
    assert_near(again.predict(X), net.predict(X), 1e-14, name)


def test_at_one_half_a_net_says_yes_and_an_estimator_no(tmp_path):
    net = MLP([4, 1], output="sigmoid", dtype="float64", seed=0)
    net.parameters[:] = 0
    net.to_onnx(tmp_path / "net.onnx")
    model = estimator("two classes", "relu", None, "float64")
    for array in model.coefs_ + model.intercepts_:
        array[:] = 0
    model.to_onnx(tmp_path / "model.onnx")
    for name, what, says in (("net", net.classify, 1), ("model", model.predict, 0)):
        label = results(tmp_path / f"{name}.onnx", POINTS)["label"]
        assert (label == says).all()
        assert (what(POINTS) == says).all()


# Estimators

ROWS = 120
X = RNG.normal(size=(ROWS, 4))
X[:, 0] = np.round(2 * X[:, 0])  # with repetitions
X[:, 2] = 1e3 * X[:, 2] + 5e3
X[:, 3] = 7
SMALL = (X - [0, 0, 5e3, 7]) / [1, 1, 1e3, 1]  # for a net that does not scale
LABELS = RNG.integers(3, size=ROWS)
TASKS = {
    "number": (MLPRegressor, 50 * X[:, 0] - 100),
    "numbers": (MLPRegressor, np.stack([np.round(3 * X[:, 1]), X[:, 2], X[:, 0] * X[:, 1]], axis=1)),
    "counts": (MLPRegressor, RNG.poisson(2, ROWS)),
    "two classes": (MLPClassifier, (X[:, 1] > 0).astype(int)),
    "booleans": (MLPClassifier, X[:, 1] > 0),
    "integers": (MLPClassifier, 5 * LABELS.astype(np.uint8) + 1),
    "strings": (MLPClassifier, np.array(["a", "bé", "longer"])[LABELS]),
    "two strings": (MLPClassifier, np.array(["no", "yes"], object)[LABELS % 2]),
    "floats": (MLPClassifier, LABELS - 1.0),
    "one class": (MLPClassifier, np.full(ROWS, 7)),
    "several labels": (MLPClassifier, np.stack([X[:, 1] > 0, X[:, 0] > 0, X[:, 0] > X[:, 1]], axis=1).astype(int)),
}
LABEL_TYPES = {"booleans": np.bool_, "floats": np.float64, "strings": np.object_, "two strings": np.object_}


@cache
def fitted(task, activation, scale, dtype):
    kind, y = TASKS[task]
    loss = {"loss": "poisson"} if task == "counts" else {}
    model = kind(
        hidden_layer_sizes=(5,), activation=activation, scale=scale, max_iter=3, random_state=0, batch_size=40, **loss
    )
    y = y.astype(dtype) if y.dtype == float and kind is MLPRegressor else y
    return model.fit((X if scale else SMALL).astype(dtype), y)


def estimator(*description):
    """One that may be changed."""
    return copy.deepcopy(fitted(*description))


def seen_and_unseen(scale, dtype, task=""):
    """Rows of fit, and others far beyond them; not for counts, whose exp of exp leaves the range of float64 there."""
    rows = (X if scale else SMALL)[: BATCHES[-1]].copy()
    if scale and task != "counts":
        rows[-6:-3] *= 3
        rows[-3:] *= -3
    return rows.astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [None, "standard", "quantile"])
@pytest.mark.parametrize("task", TASKS)
def test_an_estimator_predicts_the_same_in_onnx_runtime(tmp_path, task, scale, dtype):
    points = seen_and_unseen(scale, dtype, task)
    for activation in (*formulas.ACTIVATIONS, "logistic"):
        model, path = fitted(task, activation, scale, dtype), tmp_path / "model.onnx"
        model.to_onnx(path)
        found = results(path, points)
        if isinstance(model, MLPRegressor):
            assert list(found) == ["variable"]
            assert found["variable"].dtype == dtype
            mean = getattr(model.__dict__.get("y_scaler_"), "mean_", 0.0)
            expected = model.predict(points).reshape(50, -1)
            assert_as_promised(found["variable"], expected, dtype, scale, activation, mean)
            continue
        assert list(found) == ["label", "probabilities"]
        assert found["probabilities"].dtype == dtype
        p, label = model.predict_proba(points), model.predict(points)
        assert_as_promised(found["probabilities"], p, dtype, scale, activation)
        assert found["label"].dtype == LABEL_TYPES.get(task, np.int64)
        assert found["label"].shape == label.shape
        clear = np.ones(50, bool) if p.shape[1] == 1 else (abs(p - 0.5) > 1e-4).all(axis=1)
        assert clear.sum() > 40
        assert np.array_equal(found["label"][clear], label[clear]), activation


@pytest.mark.parametrize("rows", [1, 2, 3, 1100])
def test_quantiles_of_any_number_are_interpolated_as_the_estimator_does(tmp_path, rows):
    data = np.round(np.random.default_rng(rows).normal(size=(rows, 2)), 2)
    y = data[:, 0] ** 3 + 5
    model = MLPRegressor(hidden_layer_sizes=(4,), scale="quantile", max_iter=2, random_state=0).fit(data, y)
    known = model.x_scaler_.quantiles_
    near = [known, known + 1e-9, known - 1e-9, known + 5e-8, known + 2e-7, (known[1:] + known[:-1]) / 2, known * 9]
    points = np.ascontiguousarray(np.concatenate(near))
    model.to_onnx(tmp_path / "model.onnx")
    found = checked_session(tmp_path / "model.onnx").run(None, {"X": points})[0][:, 0]
    assert_near(found, model.predict(points), 1e-10, rows)


def test_labels_and_names_of_features_are_in_the_metadata(tmp_path):
    import pandas

    frame = pandas.DataFrame(SMALL, columns=list("abcd"))
    model = MLPClassifier((3,), max_iter=2, random_state=0).fit(frame, TASKS["strings"][1])
    model.to_onnx(tmp_path / "model.onnx")
    facts = {one.key: json.loads(one.value) for one in onnx.load(tmp_path / "model.onnx").metadata_props}
    assert facts == {"classes": ["a", "bé", "longer"], "feature_names": ["a", "b", "c", "d"]}


def test_a_file_says_who_wrote_it_and_for_which_operators(tmp_path):
    net_of("gelu", "softmax", "float32").to_onnx(tmp_path / "net.onnx")
    model = onnx.load(tmp_path / "net.onnx")
    assert [(one.domain, one.version) for one in model.opset_import] == [("", 17)]
    assert model.ir_version == 8
    assert (model.producer_name, model.producer_version) == ("fastmlp", fastmlp.__version__)
    assert model.doc_string == "4 -> 6 gelu -> 3 softmax, float32; opset 17"
    assert [dim.dim_param for dim in model.graph.input[0].type.tensor_type.shape.dim] == ["n_samples", ""]


def test_the_same_net_gives_the_same_bytes(tmp_path):
    for name in "ab":
        net_of("mish", "softmax", "float64").to_onnx(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


# What is refused


def test_what_cannot_be_written_is_said_and_nothing_is_written(tmp_path, monkeypatch):
    net, path = net_of("relu", "identity", "float32"), tmp_path / "net.onnx"
    monkeypatch.setattr(onnx_files, "MOST_BYTES", 100)
    with pytest.raises(ValueError, match="the parameters have 204 bytes; a file of ONNX holds at most 100"):
        net.to_onnx(path)
    monkeypatch.undo()
    net.weights[0][0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity"):
        net.to_onnx(path)
    with pytest.raises(NotFittedError):
        MLPRegressor().to_onnx(path)
    model = estimator("number", "relu", "standard", "float64")
    model.x_scaler_ = RobustScaler().fit(X)
    with pytest.raises(ValueError, match="RobustScaler"):
        model.to_onnx(path)
    model = estimator("two classes", "relu", None, "float64")
    for classes in (np.array([1, 1j]), np.array([1, "a"], object), np.array([1, 2**63], np.uint64)):
        model.classes_ = classes
        with pytest.raises(ValueError, match="classes_ has dtype"):
            model.to_onnx(path)
    model.classes_ = np.array(["a", "b\udc80"])
    with pytest.raises(ValueError, match=r"classes_ has 'b.*udc80', of half a surrogate pair"):
        model.to_onnx(path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("path", [None, 3, 1.5, ["a"]])
def test_a_path_that_is_none_is_named(path):
    for use in (fastmlp.load_onnx, net_of("relu", "identity", "float32").to_onnx, fitted(*TASK).to_onnx):
        with pytest.raises(TypeError, match="path is"):
            use(path)


TASK = "number", "relu", None, "float64"


def test_a_file_that_cannot_be_opened_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        fastmlp.load_onnx(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        fitted(*TASK).to_onnx(tmp_path / "no" / "folder")


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "net"
    net_of("relu", "identity", "float32").to_onnx(path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space left"):
        net_of("gelu", "identity", "float64").to_onnx(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["net"]


WITHOUT = """
import sys
sys.modules["onnx"] = None
import fastmlp
for use in (lambda: fastmlp.MLP([2, 1]).to_onnx("net.onnx"), lambda: fastmlp.load_onnx("net.onnx")):
    try:
        use()
    except ImportError as problem:
        print("pip install 'onnx>=" in str(problem))
"""


def test_without_the_package_the_error_says_what_to_install():
    assert output_of("-c", WITHOUT).split() == ["True", "True"]


def test_the_package_is_imported_when_a_file_is():
    code = "import sys, fastmlp; fastmlp.MLPRegressor; print('onnx' in sys.modules, 'load_onnx' in fastmlp.__all__)"
    assert output_of("-c", code).split() == ["False", "True"]


# Nets that come back


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [None, "standard"])
@pytest.mark.parametrize("task", [task for task in TASKS if task != "one class"])
def test_an_estimator_comes_back_as_its_to_mlp(tmp_path, task, scale, dtype):
    model = fitted(task, "silu", scale, dtype)
    model.to_onnx(tmp_path / "model.onnx")
    net, expected = fastmlp.load_onnx(tmp_path / "model.onnx"), model.to_mlp()
    assert (net.sizes, net.activation, net.output) == (expected.sizes, expected.activation, expected.output)
    assert net.dtype == expected.dtype
    points = seen_and_unseen(scale, dtype)
    assert_near(net.predict(points), expected.predict(points), 1e-12 if net.dtype == np.float64 else 1e-5, task)


@pytest.mark.parametrize(
    ("task", "scale", "said"),
    [("one class", None, "is a ConstantOfShape"), ("number", "quantile", "is a Gather")],
)
def test_an_estimator_that_is_no_mlp_is_refused(tmp_path, task, scale, said):
    fitted(task, "relu", scale, "float64").to_onnx(tmp_path / "model.onnx")
    with pytest.raises(LoadError, match=said):
        fastmlp.load_onnx(tmp_path / "model.onnx")


# Files that others write: each is compared with what ONNX Runtime computes from it.

W = RNG.normal(size=(4, 3)).astype(np.float32)
V = RNG.normal(size=(3, 2)).astype(np.float32)
B3, B2 = (RNG.normal(size=n).astype(np.float32) for n in (3, 2))
HALF = W.astype(np.float16)


def node(text, **attributes):
    """A node of "output = Operator input input"."""
    output, _, kind, *inputs = text.split()
    return helper.make_node(kind, ["" if name == "-" else name for name in inputs], [output], output, **attributes)


def model_of(nodes, constants=None, output="y", opset=17, rank=2, dtype=TensorProto.FLOAT, more=(), columns=None):
    constants = {"W": W, "V": V, "b": B3, "c": B2} | (constants or {})
    tensors = [
        one if isinstance(one, TensorProto) else numpy_helper.from_array(one, k) for k, one in constants.items()
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", dtype, ["n", *[4] * (rank - 1)])],
        [helper.make_tensor_value_info(name, dtype, columns and ["n", columns]) for name in (output, *more)],
        initializer=tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def one(number):
    return np.array(number, np.float32)


LAYER, LAST = node("z = Gemm x W b"), node("y = Gemm a V c")
WHOLE = {
    "Gemm": ([node("y = Gemm x W b")], {}),
    "Gemm without C": ([node("y = Gemm x W")], {}),
    "Gemm with a C that is not there": ([node("y = Gemm x W -")], {}),
    "transB": ([node("y = Gemm x T b", transB=1)], {"T": np.ascontiguousarray(W.T)}),
    "alpha and beta": ([node("y = Gemm x W b", alpha=0.5, beta=-2.0)], {}),
    "C is one number": ([node("y = Gemm x W s")], {"s": one(0.7)}),
    "C is a row": ([node("y = Gemm x W s")], {"s": B3[None]}),
    "MatMul": ([node("y = MatMul x W")], {}),
    "MatMul and Add": ([node("p = MatMul x W"), node("y = Add p b")], {}),
    "Add and MatMul": ([node("p = MatMul x W"), node("y = Add b p")], {}),
    "two layers": ([LAYER, node("a = Relu z"), LAST], {}),
    "two layers and nothing between": ([LAYER, node("y = Gemm z V c")], {}),
    "scaling before": ([node("s = Sub x m"), node("d = Div s e"), node("y = Gemm d W b")],
                       {"m": RNG.normal(size=4).astype(np.float32), "e": np.array([1, 2, 3, 4], np.float32)}),
    "scaling after": ([node("z = Gemm x W b"), node("f = Mul z g"), node("y = Add f b")], {"g": B3 + 2}),
    "from a constant": ([node("s = Sub m x"), node("z = Gemm s W b"), node("y = Sub b z")],
                        {"m": RNG.normal(size=(1, 4)).astype(np.float32)}),
    "scaling between": ([LAYER, node("t = Tanh z"), node("a = Mul t g"), LAST], {"g": B3}),
    "names for the same": (
        [node("i = Identity x"), node("d = Dropout i"), node("f = Flatten d"), node("z = Gemm f W b"),
         node("t = Cast z", to=1), node("a = Relu t"), LAST], {}),
    "Dropout of old": ([node("d = Dropout x r t"), node("y = Gemm d W b")], {"r": one(0.5), "t": np.array(False)}),
    "Constant nodes": (
        [helper.make_node("Constant", [], ["K"], value=numpy_helper.from_array(W)),
         node("k = Constant", value_float=0.5), node("p = MatMul x K"), node("y = Add p k")], {}),
    "constants under other names": (
        [node("K = Identity W"), node("T = Transpose U"), node("z = MatMul x T"), node("a = Relu z"),
         node("y = MatMul a V")], {"U": np.ascontiguousarray(W.T)}),
    "constants of half precision": ([node("K = Cast H", to=1), node("y = MatMul x K")], {"H": HALF}),
    "Reshape": ([node("z = Gemm x W b"), node("y = Reshape z s")], {"s": np.array([-1, 3])}),
    "Reshape of before": ([node("r = Reshape x s"), node("y = Gemm r W b")], {"s": np.array([0, -1])}),
    "Softmax": ([LAYER, node("y = Softmax z")], {}),
    "Softmax over columns": ([LAYER, node("y = Softmax z", axis=1)], {}),
    "what the output does not need": ([node("u = Erf x"), node("v = Ceil u"), node("y = Gemm x W b")], {}),
}  # fmt: skip
# A node, or several, from z to a.
SQRT2 = {"q": one(np.sqrt(2)), "r": one(np.sqrt(0.5)), "h": one(0.5), "o": one(1)}
ACTIVATION_NODES = {
    "relu": [node("a = Relu z")],
    "relu by Max": [node("a = Max z n")],
    "sigmoid": [node("a = Sigmoid z")],
    "tanh": [node("a = Tanh z")],
    "elu": [node("a = Elu z", alpha=1.0)],
    "selu": [node("a = Selu z", alpha=1.6732632423543772, gamma=1.0507009873554805)],
    "softplus": [node("a = Softplus z")],
    "leaky_relu": [node("a = LeakyRelu z", alpha=0.2)],
    "leaky_relu of the default": [node("a = LeakyRelu z")],
    "leaky_relu by PRelu": [node("a = PRelu z s")],
    "exponential": [node("a = Exp z")],
    "silu": [node("t = Sigmoid z"), node("a = Mul z t")],
    "silu, the other way round": [node("t = Sigmoid z"), node("a = Mul t z")],
    "mish": [node("t = Softplus z"), node("u = Tanh t"), node("a = Mul z u")],
    "mish of opset 18": [node("a = Mish z")],
    "gelu": [node("d = Div z q"), node("e = Erf d"), node("f = Add e o"), node("g = Mul z f"), node("a = Mul g h")],
    "gelu from behind": [
        node("d = Mul z r"), node("e = Erf d"), node("f = Add o e"), node("g = Mul h z"), node("a = Mul f g"),
    ],
    "gelu of opset 20": [node("a = Gelu z")],
}  # fmt: skip
OTHERS = {
    **WHOLE,
    **{
        name: ([LAYER, *nodes, LAST], SQRT2 | {"n": one(0), "s": np.full(3, 0.1, np.float32)})
        for name, nodes in ACTIVATION_NODES.items()
    },
}


SCALED = "alpha and beta", "scaling before", "scaling after", "from a constant", "scaling between"
WITHOUT_BIASES = (
    "Gemm without C",
    "Gemm with a C that is not there",
    "MatMul",
    "constants under other names",
    "constants of half precision",
)


@pytest.mark.parametrize("name", OTHERS)
def test_a_file_of_others_comes_back_as_a_net(tmp_path, name):
    nodes, constants = OTHERS[name]
    model, path = model_of(nodes, constants, opset=20 if "opset" in name else 17), tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    points = POINTS.astype(np.float32)
    expected = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": points})[0]
    net = fastmlp.load_onnx(path)
    assert net.dtype == ("float64" if name in SCALED else "float32")
    assert_near(net.predict(points), expected, 1e-5, name)
    if name in ACTIVATION_NODES:
        assert net.activation == (name.split()[0].strip(","),)
    assert bool(net.biases) == (name not in WITHOUT_BIASES)


def test_images_are_flattened(tmp_path):
    weights = RNG.normal(size=(16, 2)).astype(np.float32)
    model = model_of([node("f = Flatten x"), node("y = MatMul f U")], {"U": weights}, rank=3)
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    assert fastmlp.load_onnx(tmp_path / "net.onnx").sizes == (16, 2)


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.BFLOAT16])
@pytest.mark.parametrize("raw", [False, True])
def test_short_numbers_are_widened(tmp_path, kind, raw):
    numbers = [1.5, -2.0, 0.25, 3.0]
    if raw:
        bits = np.array(numbers, np.float16 if kind == TensorProto.FLOAT16 else np.float32)
        data = bits.tobytes() if kind == TensorProto.FLOAT16 else (bits.view(np.uint32) >> 16).astype("<u2").tobytes()
        tensor = helper.make_tensor("U", kind, [4, 1], data, raw=True)
    else:
        tensor = helper.make_tensor("U", kind, [4, 1], numbers)
    model = model_of([node("y = MatMul x U")], {"U": tensor}, dtype=kind)
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    net = fastmlp.load_onnx(tmp_path / "net.onnx")
    assert net.dtype == np.float32
    assert net.weights[0].ravel().tolist() == numbers


def external(shape=(4, 3)):
    tensor = TensorProto(name="U", data_type=1, dims=shape, data_location=TensorProto.EXTERNAL)
    for key, value in (("location", "secret"), ("offset", "0"), ("length", "48")):
        tensor.external_data.add(key=key, value=value)
    return tensor


def raw(data_type=1, dims=(4, 3), data=bytes(48)):
    return TensorProto(name="U", data_type=data_type, dims=dims, raw_data=data)


OBSTACLES = {
    "operators": (
        [node("conv1 = Conv x W"), node("p = MaxPool conv1"), node("y = Gemm p V c")],
        {}, ["node 'conv1' is a Conv", "node 'p' is a MaxPool"],
    ),
    "domain": (
        [helper.make_node("FusedGemm", ["x", "W"], ["y"], "fused", domain="com.microsoft")],
        {}, ["node 'fused' is a com.microsoft.FusedGemm"],
    ),
    "activations of other numbers": (
        [LAYER, node("e = Elu z", alpha=2.0), node("t = Gemm e V c"), node("s = Selu t", gamma=3.0),
         node("y = Gelu s", approximate="tanh")],
        {},
        ["'e' is an Elu with alpha=2.0", "'s' is a Selu with gamma=3.0", "'y' is a Gelu with approximate=b'tanh'"],
    ),
    "slopes": (
        [LAYER, node("a = LeakyRelu z", alpha=0.5), node("t = Gemm a V c"), node("y = LeakyRelu t", alpha=0.25)],
        {}, ["different slopes of leaky_relu: 0.25, 0.5"],
    ),
    "a slope beyond 1": ([LAYER, node("y = LeakyRelu z", alpha=1.5)], {}, ["negative_slope"]),
    "a slope for each": ([LAYER, node("y = PRelu z b")], {}, ["'y' is a PRelu"]),
    "almost a gelu": (
        [LAYER, node("d = Div z q"), node("e = Erf d"), node("f = Add e o"), node("g = Mul z f"),
         node("y = Mul g h")],
        {"q": one(1.5), "o": one(1), "h": one(0.5)}, ["node 'g' is a Mul"],
    ),
    "softmax in the middle": ([LAYER, node("a = Softmax z"), LAST], {}, ["node 'a' is a Softmax"]),
    "softmax of rows": ([LAYER, node("y = Softmax z", axis=0)], {}, ["node 'y' is a Softmax with axis=0"]),
    "activations alone": ([node("y = Relu x")], {}, ["node 'y' is a Relu, which does not follow a layer"]),
    "two activations": ([LAYER, node("a = Relu z"), node("y = Tanh a")], {}, ["node 'y' is a Tanh"]),
    "a factor at the end": ([LAYER, node("a = Relu z"), node("y = Mul a b")], {}, ["'y' is a Mul, after the last"]),
    "no layer": ([node("y = Identity x")], {}, ["it has no layer"]),
    "nothing of x": ([node("y = Add W W")], {}, ["node 'y' is an Add"]),
    "a constant": ([node("y = Identity W")], {}, ["made of constants"]),
    "a residual": ([LAYER, node("r = Relu z"), node("y = Add z r")], {}, ["node 'y' is an Add"]),
    "transA": ([node("y = Gemm x W b", transA=1)], {}, ["node 'y' is a Gemm with transA=1"]),
    "from the left": ([node("y = MatMul U x")], {"U": np.ones((4, 4), np.float32)}, ["node 'y' is a MatMul"]),
    "a product of two": ([node("y = MatMul x x")], {}, ["node 'y' is a MatMul"]),
    "a bias for each row": ([node("p = MatMul x W"), node("y = Add p u")],
                            {"u": np.ones((4, 1), np.float32)}, ["node 'y' is an Add"]),
    "a divisor": ([LAYER, node("y = Div b z")], {}, ["node 'y' is a Div"]),
    "shapes": ([LAYER, node("y = Gemm z W b")], {}, ["node 'y' is a Gemm, whose shape does not fit the 3 columns"]),
    "shapes of a factor": ([LAYER, node("y = Mul z c")], {}, ["node 'y' is a Mul, whose shape"]),
    "another shape": ([LAYER, node("y = Reshape z s")], {"s": np.array([-1, 6])}, ["node 'y' is a Reshape, whose"]),
    "three axes": ([LAYER, node("y = Reshape z s")], {"s": np.array([-1, 3, 1])}, ["node 'y' is a Reshape"]),
    "axis": ([node("f = Flatten x", axis=0), node("y = Gemm f W b")], {}, ["node 'f' is a Flatten with axis=0"]),
    "training": ([node("d = Dropout x r t"), node("y = Gemm d W b")],
                 {"r": one(0.5), "t": np.array(True)}, ["node 'd' is a Dropout that drops"]),
    "a cast": ([node("t = Cast x", to=7), node("y = MatMul t W")], {}, ["node 't' is a Cast to the type 7"]),
    "a cast of a constant": ([node("K = Cast W", to=7), node("F = Cast K", to=1), node("y = MatMul x F")], {},
                             ["node 'K' is a Cast to the type 7"]),
    "a transpose": ([node("t = Transpose x"), node("y = MatMul t W")], {}, ["node 't' is a Transpose"]),
    "an attribute": ([node("y = Relu x", colour=1)], {}, ["attribute 'colour'"]),
    "an attribute of another type": ([node("y = Gemm x W b", alpha=1)], {}, ["attribute 'alpha'"]),
    "not a number": ([node("y = MatMul x U")], {"U": W * np.float32(np.nan)}, ["tensor 'U' contains NaN or"]),
    "several that are not numbers": (
        [node("z = Gemm x U d"), node("y = Gemm z V d")], {"U": W * np.float32(np.inf), "d": B3 * np.float32(np.nan)},
        ["tensor 'U' contains NaN or infinity", "tensor 'd' contains NaN or infinity"],
    ),
    "overflow": ([node("z = MatMul x U"), node("y = Mul z k")],
                 {"U": np.full((4, 3), 1e308), "k": one(1e3)}, ["make no net"]),
    "division by zero": ([LAYER, node("y = Div z k")], {"k": one(0)}, ["make no net"]),
    "softmax of one": ([node("z = MatMul x U"), node("y = Softmax z")],
                       {"U": np.ones((4, 1), np.float32)}, ["softmax"]),
    "external data": ([node("y = MatMul x U")], {"U": external()}, ["tensor 'U' is kept in another file"]),
    "huge": ([node("y = MatMul x U")], {"U": raw(dims=(2**40, 2**40))}, ["'U' has shape (1099511627776"]),
    "huge and empty": ([node("y = MatMul x U")], {"U": raw(dims=(0, 2**62), data=b"")}, ["node 'y' is a MatMul"]),
    "negative": ([node("y = MatMul x U")], {"U": raw(dims=(-4, -3))}, ["'U' has shape (-4, -3)"]),
    "too short": ([node("y = MatMul x U")], {"U": raw(data=bytes(44))}, ["'U' has shape (4, 3), and 11 elements"]),
    "strings": ([node("y = MatMul x U")], {"U": raw(data_type=8)}, ["'U' has elements of type 8"]),
    "integers": ([node("y = Gemm x W U")], {"U": np.arange(3)}, ["node 'y' is a Gemm"]),
    "a circle": ([node("a = Add z b"), node("z = Add a b"), node("y = Gemm z V c")], {}, ["reads 'z'"]),
    "no outputs": ([helper.make_node("Abs", [""], [])], {}, ["'y' is made of constants, or of nothing"]),
    "no names": ([helper.make_node("Abs", [""], [""]), node("y = Gemm - W b")], {}, ["node 'y' is a Gemm"]),
    "a shape of nothing": ([node("r = Reshape - s"), node("y = Gemm r W b")], {"s": np.array([-1, 4])},
                           ["node 'r' is a Reshape"]),
    "a slope with columns of its own": (
        [node("z = MatMul x U"), node("y = PRelu z s")],
        {"U": np.ones((4, 1), np.float32), "s": np.full(4, 0.1, np.float32)}, ["node 'y' is a PRelu, whose shape"],
    ),
    "a slope with an axis of its own": ([LAYER, node("y = PRelu z s")], {"s": np.full((1, 1, 3), 0.1, np.float32)},
                                        ["node 'y' is a PRelu"]),
    "a zero with an axis of its own": ([LAYER, node("y = Max z n")], {"n": np.zeros((1, 1, 1), np.float32)},
                                       ["node 'y' is a Max"]),
    "a name twice": ([node("z = Gemm x W b"), node("z = Relu x"), node("y = Gemm z V c")], {},
                     ["'z', which is there"]),
    "nothing read": ([helper.make_node("Gemm", [], ["y"], "y")], {}, ["node 'y' is a Gemm of nothing"]),
    "nothing made": ([node("u = Relu x")], {}, ["'y' is made of constants, or of nothing"]),
}  # fmt: skip


@pytest.mark.parametrize("name", OBSTACLES)
def test_all_that_stands_in_the_way_is_listed(tmp_path, name):
    nodes, constants, said = OBSTACLES[name]
    path = tmp_path / "net.onnx"
    (tmp_path / "secret").write_bytes(W.tobytes())  # what "external data" points at
    path.write_bytes(model_of(nodes, constants).SerializeToString())
    with pytest.raises(LoadError) as caught:
        fastmlp.load_onnx(path)
    for one_of in (*said, str(path)):
        assert one_of in str(caught.value)


def test_a_graph_of_another_form_is_refused(tmp_path):
    path = tmp_path / "net.onnx"
    for model, said in (
        (model_of([LAYER, node("y = Relu z")], more=["z"]), "it has 2 outputs: 'y', 'z'; expected one"),
        (model_of([LAYER, node("y = Relu z")], output="probabilities", more=["y"]), "it has 2 outputs"),
        (model_of([node("y = Gemm x W b")], opset=6), "it is of opset 6; expected 7 to 28"),
        (model_of([node("y = Gemm x W b")], opset=29), "it is of opset 29; expected 7 to 28"),
        (model_of([node("y = Gemm x W b")], columns=4), "its output 'y', whose shape does not fit the 3 columns"),
        (model_of([helper.make_node("Abs", [""], [""])], output=""), "its output has no name"),
        (model_of([node("y = MatMul x W")], rank=3), "its input 'x' has 3 axes; expected 2"),
        (onnx.ModelProto(), "it has 0 inputs; expected one"),
    ):
        path.write_bytes(model.SerializeToString())
        with pytest.raises(LoadError) as caught:
            fastmlp.load_onnx(path)
        assert said in str(caught.value)


def test_a_graph_of_nothing_comes_to_an_end(tmp_path):
    path = tmp_path / "net.onnx"
    for inputs, outputs in ((["x"], [""]), ([""], [""]), ([""], [])):
        model = model_of([helper.make_node("Abs", inputs, outputs)], output="")
        model.graph.input[0].name = inputs[0]
        path.write_bytes(model.SerializeToString())
        with pytest.raises(LoadError, match="its output has no name"):
            fastmlp.load_onnx(path)


def test_the_operators_have_the_attributes_of_the_newest_opset():
    unread = {"value_string", "value_strings", "sparse_value"}  # of Constant
    for name, attributes in onnx_patterns.OPERATORS.items():
        schema = onnx.defs.get_schema(name, onnx_reading._NEWEST_OPSET)
        assert set(schema.attributes) - unread == set(attributes) - ({"ratio"} if name == "Dropout" else set())


@pytest.mark.parametrize("mean", [0, 1e6])
def test_means_that_are_large_cost_no_digits(tmp_path, mean):
    m, small = np.full(4, mean, np.float32), np.float32(1e-30)
    nodes = [node("s = Sub x m"), node("d = Mul s k"), node("z = Gemm d U b"), node("y = Gemm z V c")]
    model = model_of(nodes, {"m": m, "k": np.full(4, small), "U": W / small})
    points = (mean + np.round(8 * POINTS) / 8).astype(np.float32)
    expected = ((points.astype(np.float64) - mean) @ W + B3) @ V + B2
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    assert_near(fastmlp.load_onnx(tmp_path / "net.onnx").predict(points), expected, 1e-5, mean)


def test_of_very_many_obstacles_the_first_are_listed(tmp_path):
    names = ["x", *(f"i{k}" for k in range(20_000))]
    chain = [node(f"{after} = Ceil {before}") for before, after in pairwise(names)]
    (tmp_path / "net.onnx").write_bytes(model_of(chain, output=names[-1]).SerializeToString())
    with pytest.raises(LoadError) as caught:
        fastmlp.load_onnx(tmp_path / "net.onnx")
    assert len(str(caught.value).splitlines()) == 52
    assert str(caught.value).endswith("- and 19,950 more")


def test_an_input_that_is_spread_over_columns_is_refused(tmp_path):
    model = model_of([node("s = Add x c"), node("y = MatMul s U")], {"U": V.T.copy()})
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 1  # and c has 2
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(LoadError, match="node 's' is an Add, whose shape does not fit the 1 columns"):
        fastmlp.load_onnx(tmp_path / "net.onnx")


def test_rows_that_are_flattened_after_a_layer_are_refused(tmp_path):
    model = model_of([node("z = MatMul x W"), node("y = Flatten z")], rank=3)
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(LoadError, match="has 3 axes; expected 2"):
        fastmlp.load_onnx(tmp_path / "net.onnx")


def test_weights_among_the_inputs_are_no_inputs_as_in_files_of_old(tmp_path):
    model = model_of([node("y = Gemm x W b")])
    model.graph.input.append(helper.make_tensor_value_info("W", TensorProto.FLOAT, [4, 3]))
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    assert np.array_equal(fastmlp.load_onnx(tmp_path / "net.onnx").weights[0], W)


def test_a_long_chain_is_no_deep_one(tmp_path):
    names = ["x", *(f"i{k}" for k in range(5000))]
    chain = [node(f"{after} = Identity {before}") for before, after in pairwise(names)]
    path = tmp_path / "net.onnx"
    path.write_bytes(model_of([*chain, node(f"y = Gemm {names[-1]} W b")]).SerializeToString())
    assert fastmlp.load_onnx(path).sizes == (4, 3)


# Damage


def is_refused_or_good(path, data):
    path.write_bytes(data)
    try:
        net = fastmlp.load_onnx(path)
    except LoadError:
        return True
    assert np.isfinite(net.parameters).all()
    assert np.isfinite(net.predict(np.zeros(net.sizes[0]))).all()
    return False


def files_to_damage(tmp_path):
    for description in (("gelu", "softmax", "float64"), ("leaky_relu", "sigmoid", "float32")):
        net_of(*description).to_onnx(tmp_path / "good.onnx")
        yield (tmp_path / "good.onnx").read_bytes()
    fitted("two classes", "mish", "standard", "float64").to_onnx(tmp_path / "good.onnx")
    yield (tmp_path / "good.onnx").read_bytes()


def test_two_thousand_damaged_files_are_refused_or_hold_a_good_net(tmp_path):
    files, rng, refused = list(files_to_damage(tmp_path)), np.random.default_rng(0), 0
    for i in range(2000):
        damaged = bytearray(files[i % len(files)])
        how = rng.integers(5)
        if how == 0:
            damaged[rng.integers(len(damaged))] ^= 1 << rng.integers(8)
        elif how == 1:
            del damaged[rng.integers(len(damaged)) :]
        elif how == 2:
            at = rng.integers(len(damaged))
            damaged[at : at + rng.integers(1, 9)] = rng.bytes(rng.integers(9))
        elif how == 3:
            at, to = rng.integers(len(damaged), size=2)
            damaged[to : to + 20] = damaged[at : at + 20]
        else:
            damaged += rng.bytes(rng.integers(1, 9))
        refused += is_refused_or_good(tmp_path / "net.onnx", bytes(damaged))
    assert 1000 < refused < 1950


def rearranged(model, rng):
    """Change something of a model that stays one by its form."""
    graph = model.graph
    nodes, tensors = list(graph.node), list(graph.initializer)
    one, other = nodes[rng.integers(len(nodes))], nodes[rng.integers(len(nodes))]
    tensor = tensors[rng.integers(len(tensors))]
    how = rng.integers(9)
    if how == 0:
        one.op_type = other.op_type
    elif how == 1 and one.input:
        one.input[rng.integers(len(one.input))] = [*other.output, tensor.name, ""][rng.integers(3)]
    elif how == 2:
        graph.node.remove(one)
    elif how == 3:
        tensor.dims[:] = rng.integers(-1, 9, size=rng.integers(4)).tolist()
    elif how == 4:
        tensor.data_type = int(rng.integers(20))
    elif how == 5 and one.input:
        one.input.append(one.input[0]) if rng.random() < 0.5 else one.input.pop()
    elif how == 6:
        one.attribute.append(helper.make_attribute(["alpha", "axis", "to", "transB", "x"][rng.integers(5)], 1))
    elif how == 7:
        one.output[0] = other.output[0]
    else:
        tensor.raw_data = rng.bytes(len(tensor.raw_data))


def test_a_thousand_rearranged_graphs_are_refused_or_hold_a_good_net(tmp_path):
    files, rng, refused = list(files_to_damage(tmp_path)), np.random.default_rng(1), 0
    for i in range(1000):
        model = onnx.ModelProto.FromString(files[i % len(files)])
        for _ in range(rng.integers(1, 4)):
            rearranged(model, rng)
        refused += is_refused_or_good(tmp_path / "net.onnx", model.SerializeToString())
    assert 500 < refused < 990
