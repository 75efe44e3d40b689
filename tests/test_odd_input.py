"""Odd but good input gives what the plain array gives, to the bit: other types, orders, strides, lists, data frames.

Not here: input that is refused (test_bad_input.py), and sparse data (test_sparse.py).
"""

import numpy as np
import pandas as pd
import pytest

import fastmlp
from bad_arguments import SIGNS, X, Y, classifier, read_only, regression, yes_or_no


def padded(array, dtype=None):
    """The same numbers, every second entry of a larger array in both directions."""
    spread = np.zeros([2 * n for n in array.shape], dtype or array.dtype)
    view = spread[tuple(slice(None, None, 2) for _ in array.shape)]
    view[...] = array
    return view


def backwards(array):
    turn = (slice(None, None, -1),) * array.ndim
    return array[turn].copy()[turn]


def misaligned(array):
    raw = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    raw[...] = array
    assert not raw.flags.aligned
    return raw


# Quarters between -2 and 2: exact in every float type, whole in the integer ones after multiplication by 4.
QUARTERS = np.random.default_rng(2).integers(-8, 9, size=(70, 4)) / 4.0
QUARTER_TARGETS = np.random.default_rng(3).integers(-8, 9, size=(70, 3)) / 4.0
WHOLE, BITS = QUARTERS * 4, (QUARTERS > 0).astype(float)

ODD_FORMS = {
    "Fortran order": np.asfortranarray,
    "strided": padded,
    "backwards": backwards,
    "read-only": lambda array: read_only(array.copy()),
    "misaligned": misaligned,
    "float16": lambda array: array.astype(np.float16),
    "float32": lambda array: array.astype(np.float32),
    "float64": lambda array: array.astype(np.float64),
    "long double": lambda array: array.astype(np.longdouble),
    "big-endian": lambda array: array.astype(">f8"),
    "big-endian float32": lambda array: array.astype(">f4"),
    "strided big-endian float32": lambda array: padded(array, ">f4"),
    "list": lambda array: array.tolist(),
    "tuple of rows": lambda array: tuple(array),
    "data frame": lambda array: pd.DataFrame(array) if array.ndim == 2 else pd.Series(array),
    "data frame of mixed types": lambda array: (
        pd.DataFrame({i: column.astype(np.float32 if i else np.float64) for i, column in enumerate(array.T)})
        if array.ndim == 2
        else pd.Series(array, index=range(5, 5 + len(array)))
    ),
    "subclass": lambda array: array.view(np.recarray) if array.ndim == 1 else np.asmatrix(array),
}


def everything(net, X, y, sample_weight=None):
    """All the answers of a net about these data, as bytes: loss, gradient, predictions, and training."""
    gradient = net.gradient(X, y, sample_weight=sample_weight)
    answers = [
        net.predict(X).tobytes(),
        net.evaluate(X, y, sample_weight=sample_weight),
        gradient.loss,
        gradient.flat.tobytes(),
        gradient.inputs.tobytes(),
    ]
    history = net.fit(X, y, epochs=2, batch_size=16, sample_weight=sample_weight, validation=0.2)
    return [*answers, history.loss, history.validation_loss, net.parameters.tobytes()]


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("form", list(ODD_FORMS))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_odd_form_of_good_data_gives_what_the_plain_array_gives(dtype, form):
    odd = ODD_FORMS[form]
    weight = np.arange(1, 71) / 4.0
    expected = everything(regression(dtype), QUARTERS, QUARTER_TARGETS, weight)
    assert everything(regression(dtype), odd(QUARTERS), odd(QUARTER_TARGETS), odd(weight)) == expected
    assert regression(dtype).predict(odd(QUARTERS[0])).tobytes() == regression(dtype).predict(QUARTERS[0]).tobytes()


@pytest.mark.parametrize("integer", ["int8", "int16", "int32", "int64", ">i4", ">i8"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_integers_give_what_floats_give(dtype, integer):
    expected = everything(regression(dtype), WHOLE, 4 * QUARTER_TARGETS)
    got = everything(regression(dtype), WHOLE.astype(integer), (4 * QUARTER_TARGETS).astype(integer))
    assert got == expected


@pytest.mark.parametrize("form", ["bool", "uint8", "uint64"])
def test_booleans_and_unsigned_numbers_give_what_floats_give(form):
    y = BITS[:, :1]
    assert everything(yes_or_no(), BITS.astype(form), y.astype(form)) == everything(yes_or_no(), BITS, y)
    assert everything(yes_or_no(), BITS, y[:, 0].astype(form)) == everything(yes_or_no(), BITS, y)


def test_targets_of_one_output_may_be_a_row_of_numbers_or_a_column():
    net = fastmlp.MLP([4, 5, 1], activation="tanh", seed=0)
    again = fastmlp.MLP([4, 5, 1], activation="tanh", seed=0)
    y = QUARTER_TARGETS[:, 0]
    assert everything(net, QUARTERS, y) == everything(again, QUARTERS, y[:, None])


@pytest.mark.parametrize(
    "form",
    [
        "int8",
        "int32",
        "uint8",
        "uint64",
        ">i4",
        "float32",
        "float64",
        "float16",
        "list",
        "series",
        "strided",
        "read-only",
    ],
)
def test_labels_of_any_whole_type_give_what_int64_gives(form):
    labels = np.random.default_rng(4).integers(0, 3, 70)
    odd = {
        "list": lambda: labels.tolist(),
        "series": lambda: pd.Series(labels, index=range(100, 170)),
        "strided": lambda: padded(labels),
        "read-only": lambda: read_only(labels.copy()),
    }.get(form, lambda: labels.astype(form))()
    assert everything(classifier(), QUARTERS, odd) == everything(classifier(), QUARTERS, labels)


def test_a_data_frame_with_a_shuffled_index_is_taken_in_its_own_order():
    order = np.random.default_rng(5).permutation(70)
    frame, series = pd.DataFrame(QUARTERS, index=order), pd.Series(QUARTER_TARGETS[:, 0], index=order[::-1])
    one, two = (fastmlp.MLP([4, 5, 1], activation="tanh", seed=0) for _ in range(2))
    assert everything(one, frame, series) == everything(two, QUARTERS, QUARTER_TARGETS[:, 0])


@pytest.mark.parametrize(
    "form", ["Fortran order", "strided", "read-only", "float16", "big-endian", "list", "data frame"]
)
def test_parameters_in_an_odd_form_are_taken(form):
    odd = ODD_FORMS[form]
    rng = np.random.default_rng(6)
    weights = [rng.integers(-8, 9, shape) / 4.0 for shape in ((4, 5), (5, 3))]
    biases = [rng.integers(-8, 9, n) / 4.0 for n in (5, 3)]
    flat = np.concatenate([weights[0].ravel(), biases[0], weights[1].ravel(), biases[1]])

    made = fastmlp.MLP.from_parameters([odd(W) for W in weights], [odd(b) for b in biases], activation="tanh")
    assert made.parameters.tolist() == flat.tolist()
    one_by_one, at_once, in_one = regression(), regression(), regression()
    for layer in range(2):
        one_by_one.weights[layer] = odd(weights[layer])
        one_by_one.biases[layer] = odd(biases[layer])
    at_once.weights, at_once.biases = [odd(W) for W in weights], [odd(b) for b in biases]
    in_one.parameters = odd(flat)
    for net in (one_by_one, at_once, in_one):
        assert net.parameters.tolist() == flat.tolist()


def test_numpy_integers_and_floats_serve_as_numbers():
    net = fastmlp.MLP(np.array([4, 5, 3]), seed=np.int64(0))
    assert net.parameters.tobytes() == fastmlp.MLP((4, 5, 3), seed=0).parameters.tobytes()
    history = net.fit(X, Y, epochs=np.int64(2), batch_size=np.int32(4), optimizer=fastmlp.SGD(np.float32(0.5)))
    assert history.epochs == 2


def test_a_float64_net_takes_a_number_too_large_for_float32():
    net = fastmlp.MLP.from_parameters([np.ones((1, 1))], None, output="identity", dtype="float64")
    assert net.predict(np.array([[1e300]]))[0, 0] == 1e300


@pytest.mark.parametrize("sizes", [(64, 64), (5, 5, 5)])
def test_an_out_that_is_the_input_gets_the_right_outputs(sizes):
    net = fastmlp.MLP(sizes, activation="tanh", seed=0)
    batch = np.random.default_rng(0).normal(size=(70, sizes[0])).astype(np.float32)
    for rows in (batch, batch[0]):
        expected, shared = net.predict(rows.copy()), rows.copy()
        net.predict(shared, out=shared)
        np.testing.assert_array_equal(shared, expected)


def test_the_perceptron_takes_odd_forms_too():
    plain = fastmlp.Perceptron(max_epochs=20).fit(QUARTERS[:6], SIGNS)
    for form, odd in ODD_FORMS.items():
        if form == "subclass":
            continue  # np.matrix is a form for layers, of which the perceptron has none
        other = fastmlp.Perceptron(max_epochs=20).fit(odd(QUARTERS[:6]), odd(SIGNS.astype(float)))
        assert other.weights.tobytes() == plain.weights.tobytes(), form
        assert (other.bias, list(other.mistakes)) == (plain.bias, list(plain.mistakes)), form


def nullable(array):
    columns = {f"column {j}": pd.array(array[:, j], dtype="Int64" if j == 1 else "Float64") for j in range(4)}
    return pd.DataFrame(columns)


def test_a_frame_of_nullable_columns_is_one_of_numbers():
    frame = nullable(WHOLE)
    targets = pd.Series(QUARTER_TARGETS[:, 0]).astype("Float64")
    plain, odd = (fastmlp.MLP([4, 5, 1], seed=0) for _ in range(2))
    assert plain.fit(WHOLE, QUARTER_TARGETS[:, 0], epochs=2).loss == odd.fit(frame, targets, epochs=2).loss
    assert np.array_equal(plain.predict(WHOLE), odd.predict(frame))


@pytest.mark.parametrize("use", ["predict", "fit", "evaluate"])
def test_a_missing_element_of_a_frame_is_named_by_row_and_column(use):
    frame = nullable(WHOLE)
    frame.iloc[3, 2] = pd.NA
    call = getattr(fastmlp.MLP([4, 5, 1], seed=0), use)
    with pytest.raises(ValueError, match=r"X\[3, 2\] is nan; expected finite numbers"):
        call(*((frame,) if use == "predict" else (frame, QUARTER_TARGETS[:, 0])))


def test_strings_of_digits_in_a_frame_are_no_numbers():
    with pytest.raises(TypeError, match="X has dtype"):
        fastmlp.MLP([4, 5, 1]).predict(pd.DataFrame(WHOLE).astype(str))


def test_a_column_of_labels_is_labels():
    labels = np.arange(70) % 3
    plain, odd = (fastmlp.MLP([4, 5, 3], output="softmax", seed=0) for _ in range(2))
    history = plain.fit(QUARTERS, labels, epochs=2, validation=(QUARTERS, labels))
    column = labels[:, None]
    assert odd.fit(QUARTERS, column, epochs=2, validation=(QUARTERS, column)).loss == history.loss
    assert odd.score(QUARTERS, column) == plain.score(QUARTERS, labels)
    with pytest.raises(ValueError, match=r"y\[0\] is 0\.5"):
        odd.fit(QUARTERS, column + 0.5)


def test_a_perceptron_answers_in_the_labels_it_was_given():
    gates = [[0, 0], [0, 1], [1, 0], [1, 1]]
    for labels in ([0, 0, 0, 1], [False, False, False, True], [0.0, 1.0, 1.0, 1.0], [-1, -1, -1, 1]):
        assert fastmlp.Perceptron().fit(gates, labels).predict(gates).tolist() == labels
