"""The computational graph of fastmlp/graph.py: judged by hand values, mpmath and central differences, and then, as it
shares no formula with them, judge of the compiled core in both precisions.
"""

import ast
import doctest
import math
from pathlib import Path
from types import SimpleNamespace

import mpmath
import numpy as np
import pytest

import fastmlp
from cases import (
    DTYPES,
    LOSS_PARAMETER,
    OUTPUT_AND_LOSS,
    blocks,
    random_inputs,
    random_parameters,
    random_targets,
)
from fastmlp import graph
from fastmlp.graph import Value
from tolerances import DIFFERENCE_STEP, DIFFERENCE_TOLERANCE, KINK_MARGIN, NOT_ZERO, assert_close

SLOPE = 0.2
# A few roundings of float64, each amplified by what e^z does to that of z, up to 700.
NEARLY_EXACT = 1e-12


def to_digits(value, digits):
    return pytest.approx(value, rel=0, abs=0.5 * 10.0**-digits)


def exactly(*numbers):
    return pytest.approx(numbers if len(numbers) > 1 else numbers[0], rel=1e-15, abs=0)


def script_003():
    """f = (x + y) z of script 003, MATH.md item 6."""
    x, y, z = Value(-2, "x"), Value(5, "y"), Value(-4, "z")
    q = x + y
    f = q * z
    q.name, f.name = "q", "f"
    return x, y, z, q, f


# the lecture


def test_the_graph_of_script_003_has_its_values_and_gradients_on_the_nodes():
    x, y, z, q, f = script_003()
    assert (q.value, f.value) == (3, -12)
    f.backward()
    assert [node.grad for node in (f, z, q, y, x)] == [1, 3, -4, -4, -4]
    assert [node.operation for node in (x, q, f)] == ["leaf", "+", "·"]
    assert q.inputs == (x, y)
    assert x.inputs == ()


def test_the_graph_of_script_003_has_its_factors_and_gradients_on_the_edges():
    x, y, z, q, f = script_003()
    f.backward()
    edges = [(edge.source, edge.target, edge.local, edge.gradient) for edge in f.edges()]
    assert edges == [(x, q, 1, -4), (y, q, 1, -4), (q, f, -4, -4), (z, f, 3, 3)]
    assert str(f.edges()[0]) == "x → q: ∂q/∂x = 1, gradient -4"


def test_the_graph_of_script_003_as_text():
    x, _, _, _, f = script_003()
    f.backward()
    assert f.table().splitlines() == [
        "node  formula  value  gradient",
        "x                 -2        -4",
        "y                  5        -4",
        "q     x + y        3        -4",
        "z                 -4         3",
        "f     q·z        -12         1",
    ]
    assert str(f) == "f = q·z = -12, gradient 1"
    assert str(x) == "x = -2, gradient -4"
    assert repr(x) == "Value(-2.0, 'x')"
    assert repr(Value(3)) == "Value(3.0)"


# operations

# what it computes of x and y, the two numbers, the result, the derivatives by them
OPERATIONS = {
    "x + y": (lambda x, y: x + y, (3, 2), 5, (1, 1)),
    "x - y": (lambda x, y: x - y, (3, 2), 1, (1, -1)),
    "x y": (lambda x, y: x * y, (3, 2), 6, (2, 3)),
    "x / y": (lambda x, y: x / y, (3, 2), 1.5, (0.5, -0.75)),
    "x ** y": (lambda x, y: x**y, (3, 2), 9, (6, 9 * math.log(3))),
    "x ** y of a fraction": (lambda x, y: x**y, (4, -0.5), 0.5, (-0.0625, 0.5 * math.log(4))),
}
OPERATIONS_OF_ONE = {
    "2 + x": (lambda x: 2 + x, 3, 5, 1),
    "2 - x": (lambda x: 2 - x, 3, -1, -1),
    "2 x": (lambda x: 2 * x, 3, 6, 2),
    "2 / x": (lambda x: 2 / x, 4, 0.5, -0.125),
    "2 ** x": (lambda x: 2**x, 3, 8, 8 * math.log(2)),
    "x + 2": (lambda x: x + 2, 3, 5, 1),
    "x - 2": (lambda x: x - 2, 3, 1, 1),
    "x 2": (lambda x: x * 2, 3, 6, 2),
    "x / 2": (lambda x: x / 2, 3, 1.5, 0.5),
    "x ** 3": (lambda x: x**3, 2, 8, 12),
    "x ** 3 below 0": (lambda x: x**3, -2, -8, 12),
    "x ** -1": (lambda x: x**-1, -2, -0.5, -0.25),
    "x ** 0.5": (lambda x: x**0.5, 4, 2, 0.25),
    "-x": (lambda x: -x, 3, -3, -1),
    "|x|": (abs, -3, 3, -1),
    "e^x": (lambda x: x.exp(), 1, math.e, math.e),
    "log x": (lambda x: x.log(), 2, math.log(2), 0.5),
    # by two paths
    "x x": (lambda x: x * x, 3, 9, 6),
    "x / x": (lambda x: x / x, 3, 1, 0),
    "x ** x": (lambda x: x**x, 2, 4, 4 * (1 + math.log(2))),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_of_two_values_has_the_value_and_derivatives_worked_out_by_hand(name):
    operation, numbers, value, derivatives = OPERATIONS[name]
    x, y = map(Value, numbers)
    result = operation(x, y)
    result.backward()
    assert result.value == exactly(value)
    assert (x.grad, y.grad) == exactly(*derivatives)


@pytest.mark.parametrize("name", OPERATIONS_OF_ONE)
def test_an_operation_of_one_value_has_the_value_and_derivative_worked_out_by_hand(name):
    operation, number, value, derivative = OPERATIONS_OF_ONE[name]
    x = Value(number)
    result = operation(x)
    result.backward()
    assert result.value == exactly(value)
    assert x.grad == exactly(derivative)


@pytest.mark.parametrize(
    ("operation", "value"),
    [(abs, 0), (lambda x: x**2, 0), (lambda x: x**0, 1), (lambda x: 0 * x, 0)],
    ids=["|x|", "x ** 2", "x ** 0", "0 x"],
)
def test_the_derivative_at_zero_is_zero(operation, value):
    x = Value(0)
    result = operation(x)
    result.backward()
    assert (result.value, x.grad) == (value, 0)


def test_the_derivative_of_x_at_zero_to_the_first_power_is_one():
    x = Value(0)
    (x**1).backward()
    assert x.grad == 1


EXPRESSIONS = {
    "operators": lambda x, y, z: (x + y * z - 3) / (x * x + 2) - -z,
    "powers": lambda x, y, z: (x * x + 0.5) ** y + 1.5**z - (2 - z) ** 3 + z**-2,
    "exp, log and abs": lambda x, y, z: (abs(x * y).log() + z.exp() * y) * abs(z - 5),
    "softmax": lambda x, y, z: graph.softmax([x, y, z, x * y])[1] * 3 + graph.softmax([z, x])[0],
    "one value in many places": lambda x, y, z: x * x * x + x * y / x - x * z + (x + x) * z,
    **{
        name: lambda x, y, z, name=name: (x * y).activate(name) * z + (x - z).activate(name) * y + y * z
        for name in graph.ACTIVATIONS
    },
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_gradients_are_the_slopes_of_the_value(name):
    expression = EXPRESSIONS[name]
    rng = np.random.default_rng(0)
    for _ in range(20):
        numbers = (rng.uniform(0.3, 2, size=3) * rng.choice([-1, 1], size=3)).tolist()
        inputs = [Value(number) for number in numbers]
        expression(*inputs).backward()
        for i, source in enumerate(inputs):
            above, below = ([*numbers] for _ in range(2))
            above[i] += DIFFERENCE_STEP
            below[i] -= DIFFERENCE_STEP
            ends = [expression(*map(Value, point)).value for point in (above, below)]
            slope = (ends[0] - ends[1]) / (2 * DIFFERENCE_STEP)
            assert source.grad == pytest.approx(slope, rel=DIFFERENCE_TOLERANCE, abs=DIFFERENCE_TOLERANCE)
        assert max(abs(source.grad) for source in inputs) > NOT_ZERO


# activations, as published

MP = mpmath.MPContext()
MP.dps = 350  # 1 - e^-700 has 304 nines
# The paper's constants as what they are made for: mean 0 and variance 1 of a standard normal variable stay.
_E1, _E2 = MP.erfc(1 / MP.sqrt(2)), MP.erfc(MP.sqrt(2))
SELU_ALPHA = -MP.sqrt(2 / MP.pi) / (_E1 * MP.exp(0.5) - 1)
SELU_LAMBDA = (
    (1 - _E1 * MP.sqrt(MP.e))
    * MP.sqrt(2 * MP.pi)
    / MP.sqrt(2 * _E2 * MP.e**2 + MP.pi * _E1**2 * MP.e - 2 * (2 + MP.pi) * _E1 * MP.sqrt(MP.e) + MP.pi + 2)
)
PUBLISHED = {
    "identity": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + MP.exp(-z)),
    "tanh": MP.tanh,
    "relu": lambda z: max(z, MP.zero),
    "leaky_relu": lambda z: max(z, SLOPE * z),
    "elu": lambda z: z if z > 0 else MP.expm1(z),
    "selu": lambda z: SELU_LAMBDA * (z if z > 0 else SELU_ALPHA * MP.expm1(z)),
    "softplus": lambda z: MP.log(1 + MP.exp(z)),
    "gelu": lambda z: z * MP.erfc(-z / MP.sqrt(2)) / 2,
    "silu": lambda z: z / (1 + MP.exp(-z)),
    "mish": lambda z: z * MP.tanh(MP.log(1 + MP.exp(z))),
    "exponential": MP.exp,
}


def slope_of(name):
    return {"negative_slope": SLOPE} if name == "leaky_relu" else {}


def activated(name, z):
    """g(z), g'(z)."""
    source = Value(z)
    result = source.activate(name, **slope_of(name))
    result.backward()
    return result.value, source.grad


def test_the_activations_are_those_of_the_net():
    assert set(graph.ACTIVATIONS) == set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("size", [1e-9, 0.1, 0.5, 1, 2, 5, 10, 20, 36.5, 100, 300, 700])
def test_an_activation_and_its_derivative_are_as_published_however_large_z_is(name, size):
    if name == "gelu" and size > 50:  # Φ is 0 and 1 to more digits than float64 has, and slow to compute
        assert activated(name, size) == (size, 1)
        assert activated(name, -size) == (0, 0)
        return
    for z in (size, -size):
        value, derivative = activated(name, z)
        expected, slope = PUBLISHED[name](MP.mpf(z)), MP.diff(PUBLISHED[name], MP.mpf(z), h=MP.mpf(10) ** -150)
        assert value == pytest.approx(float(expected), rel=NEARLY_EXACT, abs=1e-300)
        assert derivative == pytest.approx(float(slope), rel=NEARLY_EXACT, abs=1e-300)


@pytest.mark.parametrize(
    ("name", "value", "derivative"),
    [
        ("identity", 0, 1),
        ("sigmoid", 0.5, 0.25),
        ("tanh", 0, 1),
        ("relu", 0, 0),
        ("leaky_relu", 0, SLOPE),
        ("elu", 0, 1),
        ("selu", 0, float(SELU_LAMBDA * SELU_ALPHA)),
        ("softplus", math.log(2), 0.5),
        ("gelu", 0, 0.5),
        ("silu", 0, 0.5),
        ("mish", 0, 0.6),
        ("exponential", 1, 1),
    ],
)
def test_an_activation_at_zero_has_the_value_and_derivative_worked_out_by_hand(name, value, derivative):
    assert activated(name, 0.0) == exactly(value, derivative)


def test_leaky_relu_has_the_slope_of_the_lectures_unless_told():
    assert Value(-2).activate("leaky_relu").value == -0.02


def test_softmax_is_that_of_script_004_with_the_derivatives_of_its_formula():
    z = [Value(number) for number in (7, 5, 2, -1, 3)]
    a = graph.softmax(z)
    powers = [math.exp(number) for number in (7, 5, 2, -1, 3)]
    expected = [power / sum(powers) for power in powers]
    assert [one.value for one in a] == pytest.approx(expected, rel=1e-14)
    # The script cuts some digits off and rounds others.
    assert [one.value for one in a] == pytest.approx([0.8615, 0.1165, 0.0058, 0.0003, 0.0157], abs=1e-4)
    for i in range(5):
        a[i].backward()
        slopes = [expected[i] * ((i == j) - expected[j]) for j in range(5)]
        assert [one.grad for one in z] == pytest.approx(slopes, rel=1e-13)


def test_softmax_of_distant_values_keeps_every_digit_of_what_is_left_to_the_others():
    z = [Value(400), Value(-200)]
    largest, least = graph.softmax(z)
    assert least.value == pytest.approx(math.exp(-600), rel=1e-13)
    rest = 1 - largest
    assert rest.value == pytest.approx(math.exp(-600), rel=1e-13)
    rest.log().backward()
    assert [one.grad for one in z] == pytest.approx([-1, 1], rel=1e-13)


def test_one_minus_a_sigmoid_keeps_its_digits():
    z = Value(500)
    loss = -(1 - z.activate("sigmoid")).log()
    loss.backward()
    assert loss.value == pytest.approx(500, rel=1e-14)
    assert z.grad == pytest.approx(1, rel=1e-13)


# backward


def test_gradients_add_up_over_every_path_and_a_value_that_enters_twice_has_two_edges():
    x = Value(3, "x")
    square = x * x
    f = square + x
    f.backward()
    assert x.grad == 7
    assert [(edge.local, edge.gradient) for edge in square.edges()] == [(3, 3), (3, 3)]
    flows = {node: sum(edge.gradient for edge in f.edges() if edge.source is node) for node in f.nodes()}
    assert flows == {x: 7, square: 1, f: 0}


def test_backward_again_starts_afresh():
    x, y, z, q, f = script_003()
    f.backward()
    f.backward()
    assert [node.grad for node in (f, z, q, y, x)] == [1, 3, -4, -4, -4]
    q.backward()
    assert [node.grad for node in (q, y, x)] == [1, 1, 1]


def test_gradients_are_zero_before_backward():
    x, _, _, q, f = script_003()
    assert [node.grad for node in (x, q, f)] == [0, 0, 0]
    assert [edge.gradient for edge in f.edges()] == [0, 0, 0, 0]


def test_the_gradient_of_a_leaf_by_itself_is_one():
    x = Value(4, "x")
    x.backward()
    assert x.grad == 1
    assert x.nodes() == [x]
    assert x.edges() == []


def test_nodes_come_after_their_inputs_and_once_each():
    a = Value(1)
    b = a + 1
    c = b * a
    d = (c + b) * (c - a)
    order = d.nodes()
    assert len(order) == len(set(order)) == 7  # those with a name here, the constant 1, c + b and c - a
    place = {node: i for i, node in enumerate(order)}
    assert all(place[edge.source] < place[edge.target] for edge in d.edges())
    assert order[-1] is d


def test_a_graph_of_a_hundred_thousand_nodes_goes_back_to_its_beginning():
    x = Value(1)
    y = x
    for _ in range(50_000):
        y = y + 0.5 * x
    assert len(y.nodes()) > 100_000
    y.backward()
    assert y.value == 25_001
    assert x.grad == 25_001


def test_a_graph_of_exponentially_many_paths_is_walked_once():
    x = Value(1)
    y = x
    for _ in range(200):
        y = y + y
    y.backward()
    assert y.value == x.grad == 2.0**200
    assert len(y.nodes()) == 201


# texts


def test_a_table_numbers_nodes_without_a_name_and_has_constants_in_the_formulas():
    x, y = Value(-2, "x"), Value(3)
    f = -(abs(x) ** 2 - y / (x - -1) + 2 ** (y * -1)) + (x - 5).exp() + y ** x.exp()
    f.backward()
    lines = f.table(digits=3).splitlines()
    start = lines[0].index("formula")
    assert [line[start:].split("  ")[0] for line in lines[1:]] == [
        "", "|x|", "v1^2", "", "x - (-1)", "v3 / v4", "v2 - v5", "v3·(-1)", "2^v7", "v6 + v8", "-v9",
        "x - 5", "exp(v11)", "v10 + v12", "exp(x)", "v3^v14", "v13 + v15",
    ]  # fmt: skip
    assert len({len(line) for line in lines}) == 1
    assert [line.split()[0] for line in lines] == ["node", "x", *(f"v{i}" for i in range(1, 17))]


def test_texts_put_powers_and_signs_in_brackets_and_shorten_long_sums():
    w = Value(-2, "w^1_11")
    assert str(w**2) == "(w^1_11)^2 = 4, gradient 0"
    assert str(-Value(-3)) == "-(-3) = 3, gradient 0"
    assert str(Value(2) ** Value(-1)) == "2^-1 = 0.5, gradient 0"
    net = fastmlp.MLP.from_parameters([np.ones((64, 1))], dtype="float64")
    step = graph.of_net(net, np.ones(64), 0)
    assert str(step.z[0][0]) == "z^1_1 = 1 + 1 + 1 + 1 + 1 + 1 + 1 + … 57 more = 64, gradient 0"


def test_a_table_has_as_many_digits_as_asked_for():
    third = Value(1, "a") / 3
    third.name = "b"
    assert third.table(9).splitlines()[-1].split() == ["b", "a", "/", "3", "0.333333333", "0"]


def test_plot_hands_the_graph_and_the_axes_to_the_room_of_pictures(monkeypatch):
    monkeypatch.setattr(fastmlp, "plot", SimpleNamespace(graph=lambda value, ax=None: (value, ax)), raising=False)
    x, axes = Value(1), object()
    assert x.plot(axes) == (x, axes)
    assert x.plot() == (x, None)


# bad input


@pytest.mark.parametrize("given", ["a", None, True, np.True_, 1j, [1.0], np.ones(2), Value(1)], ids=repr)
def test_a_value_of_something_else_is_refused(given):
    with pytest.raises(TypeError, match=r"^value is .*; expected a finite number"):
        Value(given)


@pytest.mark.parametrize("given", [math.nan, math.inf, -math.inf, 10**400], ids=["nan", "inf", "-inf", "10^400"])
def test_a_value_that_is_not_finite_is_refused(given):
    with pytest.raises(ValueError, match=r"^value is .*; expected a finite number"):
        Value(given)


@pytest.mark.parametrize(
    "given", [3, np.int8(3), np.float32(3), np.float64(3)], ids=lambda given: type(given).__name__
)
def test_every_kind_of_number_is_taken_on_either_side(given):
    x = Value(given)
    assert type(x.value) is float
    assert (given + x - given).value == (given * x / given).value == 3
    assert (given**x).value == (x**given).value == 27


@pytest.mark.parametrize("operator", ["+", "-", "*", "/", "**"])
@pytest.mark.parametrize("given", ["'a'", "None", "True", "1j", "[1]", "np.ones(2)", "math.nan"])
def test_an_operand_that_is_no_number_is_refused_on_either_side(operator, given):
    for expression in (f"x {operator} {given}", f"{given} {operator} x"):
        with pytest.raises((TypeError, ValueError), match=r"^the (operand of .|exponent) is .*; expected a"):
            eval(expression, {"x": Value(2), "np": np, "math": math})


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda x, y: (x - 2).log(), ValueError, r"^log\(0.0\): a logarithm is defined for values > 0"),
        (lambda x, y: y.log(), ValueError, r"^log\(y\) with y = -3.0: a logarithm is"),
        (lambda x, y: x / 0, ZeroDivisionError, r"^x / 0.0 with x = 2.0: division by zero"),
        (lambda x, y: 1 / (x - 2), ZeroDivisionError, r"^1.0 / 0.0: division by zero"),
        (lambda x, y: x / Value(0, "n"), ZeroDivisionError, r"^x / n with x = 2.0, n = 0.0: division by zero"),
        (lambda x, y: Value(0, "n") ** -1, ZeroDivisionError, r"^n\^-1 with n = 0.0: division by zero"),
        (lambda x, y: y**0.5, ValueError, r"^y\^0.5 with y = -3.0: not a real number"),
        (lambda x, y: Value(0, "n") ** 0.5, ValueError, r"^n\^0.5 with n = 0.0: the derivative is infinite"),
        (lambda x, y: y**x, ValueError, r"^y\^x with y = -3.0, x = 2.0: a power with a Value as exponent"),
        (lambda x, y: (-2) ** x, ValueError, r"^\(-2.0\)\^x with x = 2.0: a power with a Value"),
        (lambda x, y: x**1e300, ValueError, "the exponent is 1e"),
        (lambda x, y: (x * 400).exp(), OverflowError, r"^exp\(800.0\): the result leaves the range of float64"),
        (lambda x, y: (x * 400).activate("exponential"), OverflowError, r"^exponential\(800.0\): the result leaves"),
        (lambda x, y: x**2000, OverflowError, r"^x\^2000 with x = 2.0: the result leaves"),
        (lambda x, y: x ** Value(2000), OverflowError, r"^x\^2000.0 with x = 2.0: the result leaves"),
        (lambda x, y: x * 1e308, OverflowError, r"^x·1e\+308 with x = 2.0: the result leaves"),
        (lambda x, y: x * 8e307 + 1e308, OverflowError, r"^1.6e\+308 \+ 1e\+308: the result leaves"),
        (lambda x, y: 1 / Value(1e-200, "t"), OverflowError, r"^1.0 / t with t = 1e-200: its derivative leaves"),
        (lambda x, y: x.activate("tanhh"), ValueError, "name is 'tanhh'; expected one of identity.*did you mean"),
        (lambda x, y: x.activate("softmax"), ValueError, r"name is 'softmax', which takes several.*graph.softmax"),
        (lambda x, y: x.activate(3), TypeError, "name is 3; expected one of"),
        (lambda x, y: x.activate("relu", 0.1), ValueError, "negative_slope is 0.1 for relu"),
        (lambda x, y: x.activate("leaky_relu", 2), ValueError, "negative_slope is 2; expected"),
        (lambda x, y: Value(1, 2), TypeError, "name is 2; expected a str"),
        (lambda x, y: setattr(x, "name", None), TypeError, "name is None; expected a str"),
        (lambda x, y: setattr(x, "value", 3), AttributeError, "value"),
        (lambda x, y: x.table(0), ValueError, "digits is 0"),
        (lambda x, y: x.table(18), ValueError, "digits is 18; expected at most 17"),
        (lambda x, y: x.table(2.5), TypeError, "digits is 2.5"),
        (lambda x, y: graph.softmax([]), ValueError, "values is empty"),
        (lambda x, y: graph.softmax(x), TypeError, "values is .*; expected a list of graph.Value"),
        (lambda x, y: graph.softmax([x, 1.0]), TypeError, "values is .*; expected a list of graph.Value"),
        (lambda x, y: x < y, TypeError, "not supported"),
        (lambda x, y: math.exp(x), TypeError, "Value"),
    ],
)
def test_an_operation_that_is_not_defined_says_which_of_which_numbers(wrong, error, message):
    with pytest.raises(error, match=message):
        wrong(Value(2, "x"), Value(-3, "y"))


def test_a_gradient_that_overflows_is_refused_and_the_earlier_ones_stay():
    x = Value(1e-200, "x")
    small = x * 1e200
    small.backward()
    large = small * 1e200
    with pytest.raises(OverflowError, match=r"^the gradient with respect to x leaves the range of float64"):
        large.backward()
    assert x.grad == 1e200
    assert small.grad == 1
    assert large.grad == 0


# a net and a sample as a graph


def numbers_of(nested):
    """The values and the gradients of nested lists of Value."""
    if isinstance(nested, Value):
        return nested.value, nested.grad
    pairs = [numbers_of(one) for one in nested]
    return tuple(np.array(part) for part in zip(*pairs, strict=True))


def the_2_2_2_net(dtype="float64"):
    return fastmlp.MLP.from_parameters(
        [[[0.15, 0.25], [0.20, 0.30]], [[0.40, 0.50], [0.45, 0.55]]],
        [[0.35, 0.35], [0.60, 0.60]],
        activation="sigmoid", output="sigmoid", loss="half_squared_error", dtype=dtype,
    )  # fmt: skip


def test_4_the_2_2_2_net_has_the_digits_of_script_003():
    step = graph.of_net(the_2_2_2_net(), [0.05, 0.10], [0.01, 0.99])
    step.loss.backward()
    assert step.z[0][0].value == to_digits(0.3775, 4)
    assert step.a[0][0].value == to_digits(0.593269992, 9)
    assert step.a[0][1].value == to_digits(0.596884378, 9)
    assert step.z[1][0].value == to_digits(1.105905967, 9)
    assert step.a[1][0].value == to_digits(0.75136507, 8)
    assert step.a[1][1].value == to_digits(0.772928465, 9)
    assert [term.value for term in step.loss.inputs] == [to_digits(0.274811083, 9), to_digits(0.023560026, 9)]
    assert step.loss.value == to_digits(0.298371109, 9)
    # the three factors of ∂E/∂w5, and their product
    assert step.a[1][0].grad == to_digits(0.74136507, 8)
    factor = {edge.target: edge.local for edge in step.loss.edges() if edge.source is step.z[1][0]}
    assert factor == {step.a[1][0]: to_digits(0.186815602, 9)}
    assert step.weights[1][0][0].grad == to_digits(0.082167041, 9)
    assert str(step.weights[1][0][0]) == "w^2_11 = 0.4, gradient 0.082167"


def test_the_values_of_a_net_have_the_names_of_the_notation():
    step = graph.of_net(the_2_2_2_net(), [0.05, 0.10], [0.01, 0.99])
    names = {
        "inputs": ["x_1", "x_2"],
        "weights": [[["w^1_11", "w^1_12"], ["w^1_21", "w^1_22"]], [["w^2_11", "w^2_12"], ["w^2_21", "w^2_22"]]],
        "biases": [["b^1_1", "b^1_2"], ["b^2_1", "b^2_2"]],
        "z": [["z^1_1", "z^1_2"], ["z^2_1", "z^2_2"]],
        "a": [["a^1_1", "a^1_2"], ["a^2_1", "a^2_2"]],
        "loss": "C",
    }

    def named(nested):
        return nested.name if isinstance(nested, Value) else [named(one) for one in nested]

    assert {part: named(getattr(step, part)) for part in names} == names
    assert {"y_1", "y_2", "c_1", "c_2"} <= {node.name for node in step.loss.nodes()}
    assert repr(step) == "NetGraph(2-2-2, loss 0.298371)"


def test_a_wide_net_has_a_comma_between_the_indices_of_its_weights():
    step = graph.of_net(fastmlp.MLP([11, 12, 1], seed=0), np.ones(11), 1)
    names = [w.name for layer in step.weights for row in layer for w in row]
    assert len(set(names)) == len(names) == 144
    assert step.weights[0][0][10].name == "w^1_1,11"
    assert step.weights[0][10][0].name == "w^1_11,1"


@pytest.mark.parametrize("truth", [1, np.int64(1), [0, 1, 0], np.array([0.0, 1.0, 0.0])])
def test_5_the_exercise_of_script_001_with_relu_and_softmax(truth):
    net = fastmlp.MLP.from_parameters(
        [np.array([[1, 1], [-1, 1], [1, -1]]).T, np.array([[0, 1, 0], [1, -1, 0], [0, 0, 1]]).T],
        [np.zeros(3), np.zeros(3)],
        output="softmax",
    )
    step = graph.of_net(net, [1, 2], truth)
    step.loss.backward()
    assert numbers_of(step.z)[0].tolist() == [[3, 1, -1], [1, 2, 0]]
    assert step.loss.value == to_digits(0.407606, 6)
    assert step.weights[0][0][1].grad == to_digits(0.579488, 6)  # the script's w^1_21: from input 1 to neuron 2
    assert step.loss.name == "C"


def test_7_the_bias_free_2_2_1_net_has_the_gradients_with_respect_to_values_of_script_002():
    rng = np.random.default_rng(7)
    w1, w2, w3, w4, w5, w6, x1, x2, y = rng.normal(size=9)
    net = fastmlp.MLP.from_parameters(
        [[[w1, w2], [w3, w4]], [[w5], [w6]]], activation="sigmoid", output="tanh", dtype="float64"
    )
    step = graph.of_net(net, [x1, x2], y)
    step.loss.backward()
    a1, a2 = (1 / (1 + math.exp(-z)) for z in (w1 * x1 + w3 * x2, w2 * x1 + w4 * x2))
    y_hat = math.tanh(w5 * a1 + w6 * a2)
    g1, g2, g3 = a1 * (1 - a1), a2 * (1 - a2), 1 - y_hat**2
    error = y_hat - y
    z1, z2 = error * g3 * w5 * g1, error * g3 * w6 * g2
    expected = {
        "C": 1, "a^2_1": error, "z^2_1": error * g3, "a^1_1": error * g3 * w5, "a^1_2": error * g3 * w6,
        "z^1_1": z1, "z^1_2": z2, "x_1": z1 * w1 + z2 * w2, "x_2": z1 * w3 + z2 * w4,
        "w^1_11": z1 * x1, "w^1_12": z2 * x1, "w^1_21": z1 * x2, "w^1_22": z2 * x2,
        "w^2_11": error * g3 * a1, "w^2_21": error * g3 * a2, "y_1": -error,
    }  # fmt: skip
    assert {node.name: node.grad for node in step.loss.nodes() if node.name} == pytest.approx(expected, rel=1e-12)
    assert step.biases == []


@pytest.mark.parametrize("y", [0, 1])
def test_8_the_2_2_1_net_with_binary_cross_entropy_has_the_deltas_of_script_000(y):
    rng = np.random.default_rng(8)
    theta_1, theta_2, x = rng.normal(size=(2, 3)), rng.normal(size=3), rng.normal(size=2)
    net = fastmlp.MLP.from_parameters(
        [theta_1[:, 1:].T, theta_2[1:, None]],
        [theta_1[:, 0], theta_2[:1]],
        activation="sigmoid", output="sigmoid", dtype="float64",
    )  # fmt: skip
    step = graph.of_net(net, x, y)
    step.loss.backward()
    a_2 = 1 / (1 + np.exp(-(theta_1[:, 0] + theta_1[:, 1:] @ x)))
    y_hat = 1 / (1 + math.exp(-(theta_2[0] + theta_2[1:] @ a_2)))
    delta_3 = y_hat - y
    delta_2 = delta_3 * theta_2[1:] * a_2 * (1 - a_2)
    assert step.loss.value == pytest.approx(-y * math.log(y_hat) - (1 - y) * math.log(1 - y_hat), rel=1e-12)
    assert step.z[1][0].grad == step.biases[1][0].grad == pytest.approx(delta_3, rel=1e-12)
    assert numbers_of(step.z[0])[1] == pytest.approx(delta_2, rel=1e-12)
    assert numbers_of(step.biases[0])[1] == pytest.approx(delta_2, rel=1e-12)
    assert numbers_of(step.weights[0])[1] == pytest.approx(np.outer(x, delta_2), rel=1e-12)
    assert numbers_of(step.weights[1])[1][:, 0] == pytest.approx(delta_3 * a_2, rel=1e-12)


# one output a, one target y: c and dc/da by hand; huber_delta 2, quantile 0.9
ONE_OUTPUT = [
    ("half_squared_error", "identity", 3, 1, 2, 2),
    ("squared_error", "identity", 3, 1, 4, 4),
    ("absolute_error", "identity", 3, 1, 2, 1),
    ("absolute_error", "identity", -3, 1, 4, -1),
    ("absolute_error", "identity", 1, 1, 0, 0),
    ("huber", "identity", 2, 1, 0.5, 1),
    ("huber", "identity", 3, 1, 2, 2),
    ("huber", "identity", 6, 1, 8, 2),
    ("huber", "identity", -4, 1, 8, -2),
    ("log_cosh", "identity", 2, 1, math.log(math.cosh(1)), math.tanh(1)),
    ("log_cosh", "identity", 1.5, 2, math.log(math.cosh(0.5)), -math.tanh(0.5)),
    ("log_cosh", "identity", 1000, 0, 1000 - math.log(2), 1),
    ("log_cosh", "identity", 1e-9, 0, 5e-19, 1e-9),
    ("quantile", "identity", 1, 3, 1.8, -0.9),
    ("quantile", "identity", 3, 1, 0.2, 0.1),
    ("quantile", "identity", 1, 1, 0, 0),
    ("binary_cross_entropy", "sigmoid", 0, 0.25, math.log(2), 1),  # (a - y) / (a (1 - a)) = 0.25 / 0.25
    ("cross_entropy", "sigmoid", 0, 3, 3 * math.log(2), -6),
    ("cross_entropy", "sigmoid", 0, 0, 0, 0),
    ("poisson", "exponential", 0, 3, 3 * math.log(3) - 2, -2),
    ("poisson", "exponential", 0, 0, 1, 1),
    ("poisson", "softplus", 0, 0, math.log(2), 1),
]


@pytest.mark.parametrize(("loss", "output", "z", "y", "value", "derivative"), ONE_OUTPUT)
def test_a_loss_of_one_output_has_the_value_and_derivative_worked_out_by_hand(loss, output, z, y, value, derivative):
    net = fastmlp.MLP.from_parameters(
        [[[1.0]]], output=output, loss=loss, huber_delta=2, quantile=0.9, dtype="float64"
    )
    step = graph.of_net(net, [z], y)
    step.loss.backward()
    assert step.loss.value == pytest.approx(value, rel=1e-13, abs=0)
    assert step.a[0][0].grad == pytest.approx(derivative, rel=1e-13, abs=0)


def test_every_loss_of_the_graph_is_among_them():
    assert {loss for loss, *_ in ONE_OUTPUT} == set(graph._LOSSES)


def test_what_has_no_row_in_the_graph_comes_from_the_formulas(monkeypatch):
    net = fastmlp.MLP.from_parameters([[[0.5]], [[2.0]]], [[0.25], [0.5]], activation="tanh", loss="log_cosh")
    steps = [graph.of_net(net, [3.0], [1.0])]
    monkeypatch.delitem(graph.ACTIVATIONS, "tanh")
    monkeypatch.delitem(graph._LOSSES, "log_cosh")
    steps.append(graph.of_net(net, [3.0], [1.0]))
    for step in steps:
        step.loss.backward()
    judge, other = steps
    assert other.loss.value == pytest.approx(judge.loss.value, rel=1e-12)
    for part in ("inputs", "weights", "biases", "z", "a"):
        for expected, found in zip(getattr(judge, part), getattr(other, part), strict=True):
            np.testing.assert_allclose(numbers_of(found), numbers_of(expected), rtol=1e-12)


# the compiled core, with the graph as its judge


def facade(sizes, hidden, output, loss, bias, parameters, dtype):
    """A net of the current build with these parameters."""
    cut = [block for _, block in blocks(parameters, sizes, bias)]
    weights, biases = (cut[::2], cut[1::2]) if bias else (cut, None)
    return fastmlp.MLP.from_parameters(
        weights, biases, activation=hidden, output=output, loss=loss, dtype=dtype,
        negative_slope=SLOPE, huber_delta=LOSS_PARAMETER, quantile=LOSS_PARAMETER,
    )  # fmt: skip


def is_a_fair_case(step, y):
    """Whether no kink is in reach of a rounding, and no part of the gradient is zero throughout."""
    z = np.concatenate([numbers_of(layer)[0] for layer in step.z])
    errors = np.abs(numbers_of(step.a[-1])[0] - y)
    parts = [*step.weights, *step.biases, step.inputs]
    return (
        np.abs(z).min() > KINK_MARGIN
        and min(errors.min(), np.abs(errors - LOSS_PARAMETER).min()) > KINK_MARGIN
        and all(np.abs(numbers_of(part)[1]).max() > NOT_ZERO for part in parts)
    )


def check_against_the_core(dtype, sizes, hidden, output, loss, bias):
    where = f"{sizes} {hidden} {output} {loss} bias={bias} {dtype}"
    for seed in range(100):
        rng = np.random.default_rng(seed)
        parameters, x = random_parameters(sizes, bias, rng), random_inputs(1, sizes[0], rng)
        y = random_targets(loss, 1, sizes[-1], rng)
        net = facade(sizes, hidden, output, loss, bias, parameters, dtype)
        step = graph.of_net(net, x[0], y[0])
        step.loss.backward()
        if is_a_fair_case(step, y[0]):
            break
    else:
        raise AssertionError(f"{where}: no seed without a kink or a gradient of zero")
    expected = net.gradient(x, y)
    assert_close(expected.loss, step.loss.value, "loss", dtype, where)
    assert_close(net.predict(x[0]), numbers_of(step.a[-1])[0], "forward", dtype, where)
    assert len(step.weights) == len(expected.weights)
    assert len(step.biases) == len(expected.biases) == (len(sizes) - 1 if bias else 0)
    for name, got, judge in (
        *((f"W{l}", *pair) for l, pair in enumerate(zip(expected.weights, step.weights, strict=True), start=1)),
        *((f"b{l}", *pair) for l, pair in enumerate(zip(expected.biases, step.biases, strict=True), start=1)),
        ("inputs", expected.inputs[0], step.inputs),
    ):
        assert_close(got, numbers_of(judge)[1], "gradient", dtype, f"{where}: {name}")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", graph.ACTIVATIONS)
def test_the_core_has_the_gradients_of_the_graph(hidden, dtype):
    for output, loss in OUTPUT_AND_LOSS:
        for bias in (True, False):
            check_against_the_core(dtype, (3, 4, 3), hidden, output, loss, bias)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", graph.ACTIVATIONS)
def test_the_core_has_the_gradients_of_the_graph_of_a_deep_net(hidden, dtype):
    check_against_the_core(dtype, (2, 5, 3, 4, 2), hidden, "identity", "half_squared_error", True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_core_has_the_gradients_of_the_graph_of_one_layer(dtype):
    for output, loss in OUTPUT_AND_LOSS:
        check_against_the_core(dtype, (4, 3), "identity", output, loss, True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", [loss for output, loss in OUTPUT_AND_LOSS if output == "softmax"])
def test_a_label_is_the_row_of_its_class_to_core_and_graph(loss, dtype):
    rng = np.random.default_rng(3)
    sizes = (3, 4, 3)
    net = facade(sizes, "tanh", "softmax", loss, True, random_parameters(sizes, True, rng), dtype)
    x = random_inputs(1, 3, rng)
    for label in range(3):
        step, of_row = graph.of_net(net, x[0], label), graph.of_net(net, x[0], np.eye(3)[label])
        step.loss.backward()
        of_row.loss.backward()
        expected = net.gradient(x, [label])
        assert_close(expected.loss, step.loss.value, "loss", dtype)
        for got, judge in zip(expected.weights, step.weights, strict=True):
            assert_close(got, numbers_of(judge)[1], "gradient", dtype)
        assert np.abs(numbers_of(step.weights[0])[1]).max() > NOT_ZERO
        assert numbers_of(step.weights[0])[1].tolist() == numbers_of(of_row.weights[0])[1].tolist()


@pytest.mark.parametrize("z", [30.0, 300.0, 600.0, -30.0, -300.0, -600.0])
@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
def test_a_saturated_output_has_a_finite_loss_and_gradient_in_core_and_graph(output, z):
    net = fastmlp.MLP.from_parameters([[[1.0, -1.0]]], output=output, dtype="float64")
    for y in ([0, 1], [1, 0], [0.25, 0.75]):
        step = graph.of_net(net, [z / 2 if output == "softmax" else z], y)
        step.loss.backward()
        x = [[z / 2 if output == "softmax" else z]]
        expected = net.gradient(x, [y])
        assert_close(expected.loss, step.loss.value, "loss", "float64", scale=1.0)
        assert_close(expected.weights[0], numbers_of(step.weights[0])[1], "gradient", "float64", scale=1.0)


@pytest.mark.parametrize(("output", "loss"), OUTPUT_AND_LOSS)
def test_targets_of_zero_have_the_gradient_of_the_core(output, loss):
    net = facade(
        (2, 2), "tanh", output, loss, True, random_parameters((2, 2), True, np.random.default_rng(1)), "float64"
    )
    step = graph.of_net(net, [0.5, -1.0], [0.0, 0.0])
    step.loss.backward()
    expected = net.gradient([[0.5, -1.0]], [[0.0, 0.0]])
    assert_close(expected.loss, step.loss.value, "loss", "float64")
    # Absolute errors of a softmax sum to a constant: that gradient is zero but for roundings.
    assert_close(expected.weights[0], numbers_of(step.weights[0])[1], "gradient", "float64", scale=1.0)


def test_the_graph_shares_no_formula_with_what_it_judges():
    tree = ast.parse(Path(graph.__file__).read_text())
    imported = {
        f"{node.module}.{name.name}" if isinstance(node, ast.ImportFrom) else name.name
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in node.names
    }
    own = {name for name in imported if name.startswith("fastmlp")}
    assert own == {"fastmlp.checks", "fastmlp.formulas", "fastmlp.mlp.MLP", "fastmlp.plot"}
    # Of formulas.py only names, and what has no row in the graph, where it is no judge.
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    users = {
        function.name
        for function in functions
        if any(isinstance(node, ast.Name) and node.id == "formulas" for node in ast.walk(function))
    }
    assert users == {"activate", "_activation", "_loss_term"}
    arithmetic = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "np"
    }
    assert arithmetic <= {"array", "dtype", "float64"}


# bad input of a net and a sample


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([1], 0, r"^x has shape \(1,\); expected one sample, \(2,\)"),
        ([[1, 2]], 0, r"^x has shape \(1, 2\); expected one sample, \(2,\); give one row of it, x\[0\]"),
        (3, 0, r"^x has shape \(\)"),
        ([1, math.nan], 0, r"^x\[1\] is nan"),
        (["a", "b"], 0, "^x has dtype"),
        ([1, 2], 3, r"^y\[0\] is 3; expected integer labels 0 to 2"),
        ([1, 2], 0.5, r"^y\[0\] is 0.5; expected integer labels 0 to 2"),
        ([1, 2], -1, r"^y\[0\] is -1; expected integer labels"),
        ([1, 2], [1], r"^y has shape \(1,\); expected the target of one sample: a class label or \(3,\)"),
        ([1, 2], [[0, 1, 0]], r"^y has shape \(1, 3\); expected the target of one sample"),
        ([1, 2], [0, 1], r"^y has shape \(2,\)"),
        ([1, 2], [0, -1, 2], r"^y\[0, 1\] is -1.0; cross_entropy expects targets >= 0"),
        ([1, 2], [0, math.inf, 0], r"^y\[0, 1\] is inf"),
        ([1, 2], None, "^y has dtype object"),
    ],
)
def test_a_sample_that_does_not_fit_is_refused(x, y, message):
    net = fastmlp.MLP([2, 2, 3], output="softmax", seed=0)
    with pytest.raises((ValueError, TypeError), match=message):
        graph.of_net(net, x, y)


@pytest.mark.parametrize(
    ("sizes", "y", "message"),
    [
        ([2, 1], [1, 2], r"^y has shape \(2,\); expected the target of one sample: a number or \(1,\)"),
        ([2, 2], 1, r"^y has shape \(\); expected the target of one sample: \(2,\)"),
    ],
)
def test_a_target_of_regression_that_does_not_fit_is_refused(sizes, y, message):
    with pytest.raises(ValueError, match=message):
        graph.of_net(fastmlp.MLP(sizes, seed=0), [1, 2], y)


def test_a_number_and_a_vector_of_one_are_the_same_target():
    net = fastmlp.MLP([2, 3, 1], seed=0)
    assert graph.of_net(net, [1, 2], 3).loss.value == graph.of_net(net, [1, 2], [3]).loss.value


def test_something_else_than_a_net_is_refused():
    with pytest.raises(TypeError, match=r"^net is 'net'; expected a fastmlp\.MLP"):
        graph.of_net("net", [1], 1)


@pytest.mark.parametrize(
    ("sizes", "output"), [([1000, 1000, 1], "identity"), ([1, 2000], "softmax")], ids=["weights", "softmax"]
)
def test_a_net_that_is_too_large_for_a_graph_is_refused_with_the_limit(sizes, output):
    with pytest.raises(ValueError, match=r"edges; expected at most 1,000,000. net.gradient takes nets of any size"):
        graph.of_net(fastmlp.MLP(sizes, output=output, seed=0), np.ones(sizes[0]), np.ones(sizes[-1]))


@pytest.mark.parametrize("part", ["weights", "biases"])
def test_a_net_with_a_parameter_that_is_not_finite_is_refused(part):
    net = the_2_2_2_net()
    getattr(net, part)[1][..., 1] = math.nan
    with pytest.raises(ValueError, match=rf"^{part}\[1\]\[.*1\] is nan"):
        graph.of_net(net, [0.05, 0.10], [0.01, 0.99])


def test_a_net_whose_numbers_overflow_names_the_node():
    net = fastmlp.MLP.from_parameters([[[800.0]]], output="exponential", dtype="float64")
    with pytest.raises(OverflowError, match=r"^exponential\(z\^1_1\) with z\^1_1 = 800.0: the result leaves"):
        graph.of_net(net, [1], 1)
    net = fastmlp.MLP.from_parameters([[[800.0]]], output="sigmoid", dtype="float64")
    with pytest.raises(ValueError, match=r"^log\(0.0\): a logarithm is defined for values > 0"):
        graph.of_net(net, [1], 0)


def test_a_graph_leaves_the_net_as_it_is_and_keeps_its_numbers():
    net = the_2_2_2_net("float32")
    before = net.parameters.copy()
    step = graph.of_net(net, [0.05, 0.10], [0.01, 0.99])
    step.loss.backward()
    assert net.parameters.tolist() == before.tolist()
    net.weights[0][...] = 7
    assert step.weights[0][0][0].value == float(np.float32(0.15))


def test_the_examples_of_the_docstrings_run():
    failed, tried = doctest.testmod(graph)
    assert failed == 0
    assert tried > 15
