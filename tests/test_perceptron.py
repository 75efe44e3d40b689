"""What the perceptron shows: labels as they were given, first weights, and a record of updates worked by hand.

Not here: that it learns what can be separated (test_learning.py), and the bad input that it has in common with nets
(test_bad_input.py).
"""

import enum
import pickle

import numpy as np
import pandas as pd
import pytest

import fastmlp
from bad_arguments import refuses

CORNERS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])

# Worked by hand from zeros with learning rate 1, corners in the order 00, 01, 10, 11, and positive iff w.x + b > 0.
# A row for each mistake: the pass, the row of X, and w1, w2, b after the update.
BY_HAND = {
    "AND": (
        [0, 0, 0, 1],
        [
            (1, 3, 1, 1, 1),  # 0 is not > 0
            (2, 0, 1, 1, 0),
            (2, 1, 1, 0, -1),
            (2, 3, 2, 1, 0),
            (3, 1, 2, 0, -1),
            (3, 2, 1, 0, -2),
            (3, 3, 2, 1, -1),
            (4, 2, 1, 1, -2),
            (4, 3, 2, 2, -1),
            (5, 1, 2, 1, -2),
        ],
        [1, 3, 3, 2, 1, 0],
    ),
    "OR": (
        [0, 1, 1, 1],
        [(1, 1, 0, 1, 1), (2, 0, 0, 1, 0), (2, 2, 1, 1, 1), (3, 0, 1, 1, 0)],
        [1, 2, 1, 0],
    ),
    "NAND": (
        [1, 1, 1, 0],
        [
            (1, 0, 0, 0, 1),
            (1, 3, -1, -1, 0),
            (2, 0, -1, -1, 1),
            (2, 1, -1, 0, 2),
            (2, 3, -2, -1, 1),
            (3, 1, -2, 0, 2),
            (3, 2, -1, 0, 3),
            (3, 3, -2, -1, 2),
            (4, 2, -1, -1, 3),
            (4, 3, -2, -2, 2),
            (5, 1, -2, -1, 3),
        ],
        [2, 3, 3, 2, 1, 0],
    ),
}
NEGATIVE_AND_POSITIVE = {
    "-1 and +1": (-1, 1),
    "0 and 1": (0, 1),
    "False and True": (False, True),
    "cat and dog": ("cat", "dog"),
    "0.5 and 0.7": (0.5, 0.7),
    "-3 and -2": (-3, -2),
}
Pet = enum.Enum("Pet", {"CAT": "cat", "DOG": "dog"}, type=str)  # whose str() is Pet.CAT


@pytest.mark.parametrize("gate", list(BY_HAND))
@pytest.mark.parametrize("names", list(NEGATIVE_AND_POSITIVE))
def test_every_update_of_a_gate_is_the_one_worked_by_hand(gate, names):
    truth, steps, mistakes = BY_HAND[gate]
    y = [NEGATIVE_AND_POSITIVE[names][positive] for positive in truth]
    neuron = fastmlp.Perceptron().fit(CORNERS, y)
    assert [(u.epoch, u.row, *u.weights.tolist(), u.bias) for u in neuron.updates] == steps
    assert [u.label for u in neuron.updates] == [y[u.row] for u in neuron.updates]
    assert all(type(u.label) is type(y[0]) for u in neuron.updates)
    assert neuron.mistakes == mistakes
    assert (neuron.n_updates, neuron.converged) == (len(steps), True)
    assert (neuron.weights.tolist(), neuron.bias) == (list(steps[-1][2:4]), steps[-1][4])
    assert neuron.predict(CORNERS).tolist() == y


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        ([-1, 1], "i"),
        ([0, 1], "i"),
        ([False, True], "b"),
        (["cat", "dog"], "U"),
        ([0.5, 0.7], "f"),
        (np.array([0, 1], np.uint8), "u"),
        (np.array(["cat", "dog"], object), "U"),
        (np.array([0, 1], object), "i"),
        (pd.Series(["cat", "dog"], dtype="string"), "U"),
        (pd.Series(["cat", "dog"], dtype="category"), "U"),
        (pd.Series([False, True], dtype="boolean"), "b"),
        ((np.int64(-1), np.float64(1)), "f"),
        ([Pet.CAT, Pet.DOG], "U"),
    ],
    ids=repr,
)
def test_predictions_are_the_labels_that_were_given(labels, kind):
    X = [[-1.0], [2.0]]
    neuron = fastmlp.Perceptron().fit(X, labels)
    assert neuron.classes.tolist() == list(labels)
    predicted = neuron.predict(X)
    assert predicted.dtype.kind == neuron.classes.dtype.kind == kind
    assert predicted.tolist() == list(labels)
    assert neuron.predict(X[1]) == list(labels)[1]
    assert neuron.score(X, labels) == 1


def test_the_dtype_of_the_labels_stays():
    for dtype in (np.uint8, np.int16, np.float32):
        assert fastmlp.Perceptron().fit(CORNERS, np.array([0, 0, 0, 1], dtype)).predict(CORNERS).dtype == dtype


def test_the_second_label_in_sorted_order_is_the_positive_one_whatever_comes_first():
    X = [[-1.0], [1.0]]
    for y in (["dog", "cat"], [1, 0], [True, False], [0.7, 0.5], ["1", "-1"]):
        neuron = fastmlp.Perceptron().fit(X, y)
        assert neuron.classes.tolist() == sorted(y)
        assert (neuron.decision_function(X) > 0).tolist() == [True, False]
        assert neuron.predict(X).tolist() == y


@pytest.mark.parametrize(
    ("only", "classes"),
    [(1, [-1, 1]), (-1, [-1, 1]), (0, [0, 1]), (True, [False, True]), (False, [False, True]), (1.0, [-1.0, 1.0])],
)
def test_a_single_label_that_has_a_known_other_is_enough(only, classes):
    neuron = fastmlp.Perceptron().fit(CORNERS, [only] * 4)
    assert neuron.classes.tolist() == classes
    assert neuron.classes.dtype.kind == np.array(classes).dtype.kind
    assert neuron.predict(CORNERS).tolist() == [only] * 4
    assert neuron.converged is True


def test_a_single_label_1_without_a_sign_still_has_minus_1_as_the_other():
    assert fastmlp.Perceptron().fit(CORNERS, np.ones(4, np.uint8)).classes.tolist() == [-1, 1]


def test_xor_is_recorded_up_to_the_bound_and_never_converges():
    neuron = fastmlp.Perceptron(max_epochs=50, record=7).fit(CORNERS, [0, 1, 1, 0])
    everything = fastmlp.Perceptron(max_epochs=50).fit(CORNERS, [0, 1, 1, 0])
    assert neuron.converged is False
    assert len(neuron.mistakes) == 50
    assert neuron.n_updates == sum(neuron.mistakes) == len(everything.updates) > 100
    assert len(neuron.updates) == 7
    for kept, same in zip(neuron.updates, everything.updates[:7], strict=True):
        assert kept[:3] == same[:3]
        assert (kept.weights.tolist(), kept.bias) == (same.weights.tolist(), same.bias)
    assert neuron.weights.tolist() == everything.weights.tolist()
    assert neuron.score(CORNERS, [0, 1, 1, 0]) < 1


@pytest.mark.parametrize("record", [0, 1, 2, 3, 4, 5, 9, 10, 11, 2**31 - 1])
def test_a_record_of_any_length_holds_the_first_updates_and_changes_nothing_else(record):
    truth, steps, _ = BY_HAND["AND"]
    neuron = fastmlp.Perceptron(record=record).fit(CORNERS, truth)
    assert [(u.epoch, u.row, *u.weights.tolist(), u.bias) for u in neuron.updates] == steps[:record]
    assert (neuron.n_updates, neuron.weights.tolist(), neuron.bias) == (10, [2.0, 1.0], -2.0)


def test_a_recorded_update_keeps_its_numbers_when_the_neuron_learns_again_or_is_changed():
    neuron = fastmlp.Perceptron().fit(CORNERS, BY_HAND["AND"][0])
    updates, last = neuron.updates, neuron.updates[-1].weights
    neuron.weights[:] = 7
    neuron.fit(CORNERS, BY_HAND["NAND"][0])
    assert last.tolist() == [2.0, 1.0]
    assert len(updates) == 10
    assert len(neuron.updates) == 11


def test_a_shuffled_record_can_be_replayed_from_the_first_weights():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(40, 3))
    y = np.where(X @ [1.0, -2.0, 0.5] + 0.3 > 0, "yes", "no")
    neuron = fastmlp.Perceptron(0.5, shuffle=True, seed=2, initial_weights="random").fit(X, y)
    weights, bias = neuron.first_weights, neuron.first_bias
    rows = []
    for update in neuron.updates:
        x, sign = X[update.row], 1 if update.label == "yes" else -1
        assert update.label == y[update.row]
        assert sign * (x @ weights + bias) < 0  # which is why there was an update
        np.testing.assert_allclose(update.weights, weights + 0.5 * sign * x, rtol=1e-15, atol=1e-15)
        np.testing.assert_allclose(update.bias, bias + 0.5 * sign, rtol=1e-15)
        weights, bias = update.weights, update.bias
        rows.append(update.row)
    assert (neuron.weights.tolist(), neuron.bias) == (weights.tolist(), bias)
    assert [sum(u.epoch == epoch + 1 for u in neuron.updates) for epoch in range(len(neuron.mistakes))] == (
        neuron.mistakes
    )
    first_pass = rows[: neuron.mistakes[0]]
    assert first_pass != sorted(first_pass)


def test_first_weights_are_where_learning_starts():
    # AND from w = (1, 2), b = -3, by hand: row 3 has 0, so (2, 3, -2); then row 1 has 1, so (2, 2, -3); then none.
    first = np.array([1.0, 2.0])
    neuron = fastmlp.Perceptron(initial_weights=first, initial_bias=-3)
    first[:] = 9  # a copy was taken
    for _ in range(2):
        neuron.fit(CORNERS, [0, 0, 0, 1])
        assert (neuron.first_weights.tolist(), neuron.first_bias) == ([1.0, 2.0], -3.0)
        steps = [(u.epoch, u.row, *u.weights.tolist(), u.bias) for u in neuron.updates]
        assert steps == [(1, 3, 2, 3, -2), (2, 1, 2, 2, -3)]
        assert neuron.mistakes == [1, 1, 0]


def test_first_weights_and_first_bias_act_each_alone():
    # AND by hand. From w = (1, 1), b = 0 the first mistake is row 1 (z = 1); from w = 0, b = 1 it is row 0 (z = 1).
    neuron = fastmlp.Perceptron(initial_weights=[1, 1]).fit(CORNERS, [0, 0, 0, 1])
    assert (neuron.updates[0].row, neuron.updates[0].weights.tolist(), neuron.updates[0].bias) == (1, [1, 0], -1)
    neuron = fastmlp.Perceptron(initial_bias=1).fit(CORNERS, [0, 0, 0, 1])
    assert (neuron.updates[0].row, neuron.updates[0].weights.tolist(), neuron.updates[0].bias) == (0, [0, 0], 0)


def test_weights_that_already_separate_need_no_update():
    neuron = fastmlp.Perceptron(initial_weights=[1, 1], initial_bias=-1.5).fit(CORNERS, [0, 0, 0, 1])  # script 002
    assert (neuron.mistakes, neuron.updates, neuron.n_updates) == ([0], [], 0)
    assert (neuron.weights.tolist(), neuron.bias) == ([1.0, 1.0], -1.5)
    assert neuron.decision_function(CORNERS).tolist() == [-1.5, -0.5, -0.5, 0.5]


def test_random_first_weights_are_small_and_follow_the_seed():
    X = np.random.default_rng(0).normal(size=(2, 4000))
    first, same, other = (
        fastmlp.Perceptron(max_epochs=1, initial_weights="random", seed=seed).fit(X, [0, 1]) for seed in (3, 3, 4)
    )
    assert first.first_weights.tobytes() == same.first_weights.tobytes()
    assert first.weights.tobytes() == same.weights.tobytes()
    assert (first.first_bias, first.bias) == (same.first_bias, same.bias)
    assert first.first_bias != 0
    assert first.first_weights.tobytes() != other.first_weights.tobytes()
    assert 0.0095 < first.first_weights.std() < 0.0105  # 0.01, within five standard errors of 4000 draws
    assert abs(first.first_weights.mean()) < 0.0008
    again = first.fit(X, [0, 1])
    assert again.first_weights.tobytes() == same.first_weights.tobytes()


def test_random_first_weights_take_a_bias_that_is_given():
    options = {"initial_weights": "random", "seed": 0}
    given = fastmlp.Perceptron(**options, initial_bias=2).fit(CORNERS, [0, 0, 0, 1])
    drawn = fastmlp.Perceptron(**options).fit(CORNERS, [0, 0, 0, 1])
    assert given.first_bias == 2.0
    assert (
        fastmlp.Perceptron(**options, initial_bias=0).fit(CORNERS, [0, 0, 0, 1]).first_bias == 0.0 != drawn.first_bias
    )
    assert given.first_weights.tolist() == drawn.first_weights.tolist()
    assert given.first_weights.all()


def test_decision_function_is_w_x_plus_b():
    neuron = fastmlp.Perceptron().fit(CORNERS, [0, 0, 0, 1])  # 2 x1 + x2 - 2
    assert neuron.decision_function(CORNERS).tolist() == [-2.0, -1.0, 0.0, 1.0]
    assert neuron.decision_function([3, 0.5]) == 4.5
    assert np.ndim(neuron.decision_function([3, 0.5])) == 0
    assert neuron.predict(CORNERS).tolist() == [0, 0, 0, 1]  # 0 is not > 0


def test_what_was_learned_without_a_mistake_is_predicted_without_one():
    # Samples on or beside the boundary, where rounding decides: matrix products of NumPy lose some of these.
    converged = 0
    for seed in range(300):
        X = np.random.default_rng(seed).integers(-3, 4, (30, 5)) * 0.1
        y = X @ [1.0, -2.0, 3.0, 1.0, 2.0] + 0.1 > 0
        neuron = fastmlp.Perceptron(0.1).fit(X, y)
        converged += neuron.converged
        if neuron.converged:
            assert neuron.score(X, y) == 1
            assert neuron.predict(X).tolist() == y.tolist()
    assert converged > 250


def test_score_is_the_part_that_is_right():
    neuron = fastmlp.Perceptron().fit(CORNERS, ["no", "no", "no", "yes"])
    assert neuron.score(CORNERS, ["no", "no", "no", "yes"]) == 1.0
    assert neuron.score(CORNERS, ["no", "yes", "no", "yes"]) == 0.75
    assert neuron.score(CORNERS[3:], ["no"]) == 0.0
    assert fastmlp.Perceptron().fit(CORNERS, [0, 0, 0, 1]).score(CORNERS, np.array([0, 1, 0, 1]) == 1) == 0.75


def test_repr_tells_how_learning_ended():
    neuron = fastmlp.Perceptron(max_epochs=1)
    assert repr(neuron) == "Perceptron(learning_rate=1; not fitted)"
    assert repr(neuron.fit(CORNERS, [0, 0, 0, 1])) == (
        "Perceptron(learning_rate=1; 2 inputs, 1 mistake left after 1 pass)"
    )
    # By hand, (w, b): (0.5, 0.5) at row 2, (0.5, 0) at row 0 of the second pass, and the third has no mistake.
    assert repr(fastmlp.Perceptron(0.5).fit(CORNERS[:, :1], [0, 0, 1, 1])).endswith(
        "1 input, converged after 3 passes)"
    )


def test_a_pickled_perceptron_keeps_its_record():
    neuron = pickle.loads(pickle.dumps(fastmlp.Perceptron().fit(CORNERS, ["cat", "cat", "cat", "dog"])))
    assert neuron.updates[0][:3] == (1, 3, "dog")
    assert neuron.predict(CORNERS).tolist() == ["cat", "cat", "cat", "dog"]


def fitted(y=(0, 0, 0, 1), **options):
    return fastmlp.Perceptron(**options).fit(CORNERS, y)


BAD_LABELS = {
    "nan": ([0, 0, 0, np.nan], [r"y\[3\] is nan", "finite"]),
    "infinity": ([0, 0, 0, np.inf], [r"y\[3\] is inf", "finite"]),
    "None": ([0, 0, None, 1], [r"y\[2\] is None", "one kind"]),
    "None in a column of text": (pd.Series(["a", "b", None, "a"], dtype="string"), [r"y\[2\] is", "one kind"]),
    "numbers among strings": (["cat", "cat", 1, "dog"], [r"y\[0\] is 'cat' and y\[2\] is 1", "one kind"]),
    "booleans among numbers": ([0, True, 0, 1], [r"y\[0\] is 0 and y\[1\] is True", "one kind"]),
    "complex in a list": ([0, 0, 0, 1j], [r"y\[3\] is 1j", "numbers, strings or booleans"]),
    "complex": (np.array([0, 0, 0, 1j]), ["y has dtype complex128", "numbers, strings or booleans"]),
    "bytes": ([b"a", b"a", b"b", b"b"], [r"y\[0\] is b'a'", "numbers, strings or booleans"]),
    "dates": (np.zeros(4, "datetime64[s]"), [r"y has dtype datetime64", "numbers, strings or booleans"]),
    "masked": (np.ma.masked_equal([0, 0, 1, 2], 2), ["y is a masked array", "labels"]),
    "more than 64 bits": ([0, 0, 0, 2**70], [r"y\[3\] is 1180591620717411303424", "int64"]),
    "one bit too many beside a float": ([0.5, 2**63, 0, 0], [r"y\[1\] is 9223372036854775808", "int64"]),
    "three": ([0, 1, 2, 1], ["y has 3 labels: 0, 1, 2;", "expected two", "softmax"]),
    "four strings": (list("dcba"), ["y has 4 labels: 'a', 'b', 'c', 'd';", "expected two"]),
    "a single string": (["cat"] * 4, ["single label 'cat'", "expected two"]),
    "a single number": ([2] * 4, ["single label 2", "expected two"]),
    "a column": ([[0], [0], [0], [1]], [r"y has shape \(4, 1\)", r"expected \(4,\)", r"np\.ravel\(y\)"]),
    "a data frame": (pd.DataFrame({"y": [0, 0, 0, 1]}), [r"y has shape \(4, 1\)", r"np\.ravel\(y\)"]),
    "one-hot": (np.eye(2)[[0, 0, 0, 1]], [r"y has shape \(4, 2\)", r"expected \(4,\)"]),
    "too few": ([0, 1], [r"y has shape \(2,\) for 4 rows of X", r"expected \(4,\)"]),
    "ragged": ([[0, 1], [1], [0], [1]], [r"y\[0\] is \[0, 1\]", "one kind"]),
    "one name": ("cat", [r"y has shape \(\)", r"expected \(4,\)"]),
    "nothing": (None, [r"y has shape \(\)", r"expected \(4,\)"]),
}


@pytest.mark.parametrize("name", list(BAD_LABELS))
def test_bad_labels_are_refused_and_the_neuron_stays_as_it_was(name):
    bad, words = BAD_LABELS[name]
    neuron = fitted()
    before = pickle.dumps(neuron)
    refuses(lambda: neuron.fit(CORNERS, bad), *words)
    assert pickle.dumps(neuron) == before


def test_a_hundred_labels_are_not_all_named():
    message = refuses(
        lambda: fastmlp.Perceptron().fit(np.eye(100), range(100)), r"y has 100 labels: 0, 1, 2, 3, 4, \."
    )
    assert len(message) < 120
    message = refuses(lambda: fastmlp.Perceptron().fit(np.eye(2), ["x" * 10_000] * 2), "single label 'x")
    assert len(message) < 160


BAD_CALLS = {
    "first weights of an unknown name": (
        lambda: fastmlp.Perceptron(initial_weights="rnd"),
        ["initial_weights is 'rnd'", "'random'", "None"],
    ),
    "first weights in two dimensions": (
        lambda: fastmlp.Perceptron(initial_weights=[[1, 2]]),
        [r"initial_weights has shape \(1, 2\)", r"\(n,\)"],
    ),
    "no first weights": (lambda: fastmlp.Perceptron(initial_weights=[]), [r"initial_weights has shape \(0,\)"]),
    "first weights with nan": (
        lambda: fastmlp.Perceptron(initial_weights=[1, np.nan]),
        [r"initial_weights\[1\] is nan"],
    ),
    "first weights of text": (lambda: fastmlp.Perceptron(initial_weights=["a"]), ["initial_weights has dtype <U1"]),
    "too many first weights": (
        lambda: fitted(initial_weights=[1, 2, 3]),
        [r"initial_weights has shape \(3,\)", r"expected \(2,\)", "column of X"],
    ),
    "a first bias of text": (lambda: fastmlp.Perceptron(initial_bias="1"), ["initial_bias is '1'", "number"]),
    "a first bias without end": (lambda: fastmlp.Perceptron(initial_bias=np.inf), ["initial_bias is inf", "finite"]),
    "a negative record": (lambda: fastmlp.Perceptron(record=-1), ["record is -1", "integer"]),
    "a record of True": (lambda: fastmlp.Perceptron(record=True), ["record is True", "integer"]),
    "no record": (lambda: fastmlp.Perceptron(record=None), ["record is None", "integer"]),
    "weights that grow beyond float64": (
        lambda: fastmlp.Perceptron(1e200).fit([[1e200], [2e200]], [0, 1]),
        [r"learning_rate 1e\+200", "not finite", "smaller"],
    ),
    "first weights too large for X": (
        lambda: fastmlp.Perceptron(max_epochs=1, initial_weights=[1e200, 1e200]).fit([[1e200, -1e200]], [1]),
        ["first weights", "not finite", "smaller"],
    ),
    "decision_function before fit": (lambda: fastmlp.Perceptron().decision_function(CORNERS), ["fit"]),
    "score before fit": (lambda: fastmlp.Perceptron().score(CORNERS, [0, 0, 0, 1]), ["fit"]),
    "decision_function with a column too many": (
        lambda: fitted().decision_function(np.ones((4, 3))),
        [r"X has shape \(4, 3\)", r"\(m, 2\)"],
    ),
    "decision_function beyond float64": (
        lambda: fitted().decision_function([[1, 1], [1e308, 1e308]]),
        ["row 1 of X", "float64", "scale X"],
    ),
    "score of a label that fit did not see": (
        lambda: fitted(["cat", "cat", "cat", "dog"]).score(CORNERS, ["cat", "cat", "bird", "dog"]),
        [r"y\[2\] is 'bird'", "labels of fit, 'cat' and 'dog'"],
    ),
    "score of other signs": (lambda: fitted().score(CORNERS, [-1, -1, -1, 1]), [r"y\[0\] is -1", "0 and 1"]),
    "score of text as numbers": (
        lambda: fitted(list("0001")).score(CORNERS, [0, 0, 0, 1]),
        [r"y\[0\] is 0", "'0' and '1'"],
    ),
    "score of digits as text": (lambda: fitted().score(CORNERS, list("0001")), [r"y\[0\] is '0'", "0 and 1"]),
    "score of one sample": (lambda: fitted().score([1, 1], [1]), [r"X has shape \(2,\)", r"\(m, 2\)"]),
    "score of a column": (lambda: fitted().score(CORNERS, np.ones((4, 1))), [r"y has shape \(4, 1\)", "ravel"]),
}


@pytest.mark.parametrize("name", list(BAD_CALLS))
def test_a_bad_argument_is_refused(name):
    call, words = BAD_CALLS[name]
    refuses(call, *words)


def test_weights_set_by_hand_are_checked_before_they_are_used():
    for bad in (np.ones((2, 5)), [1.0, np.nan], np.ones(3), "ab"):
        neuron = fitted()
        neuron.weights = bad
        refuses(lambda neuron=neuron: neuron.predict(CORNERS), r"weights|\bX\b")
    neuron = fitted()
    neuron.weights, neuron.bias = [-1, -1], 1
    assert neuron.decision_function(CORNERS).tolist() == [1.0, 0.0, 0.0, -1.0]
