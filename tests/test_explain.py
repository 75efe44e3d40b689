"""`MLP.explain`: the scripts' steps in their notation, digit by digit; and arithmetic that a reader can redo."""

import io
import math
import re
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from cases import HIDDEN, OUTPUT_AND_LOSS, random_inputs, random_parameters, random_targets

GOLDEN = Path(__file__).parent / "golden"
NOTATIONS = ("fastmlp", "000", "001", "002", "003", "004")


def text_of(name, notation=None, optimizer="the example's"):
    example = fastmlp.examples.load(name)
    optimizer = example.optimizer if optimizer == "the example's" else optimizer
    return str(example.net.explain(example.x, example.y, optimizer=optimizer, notation=notation or example.notation))


def has(text, *lines):
    """All of these, each on one line, or with its sides on lines below each other."""
    joined = re.sub(r"\n +(?==)", " ", text)
    for line in lines:
        assert line in joined, line


@pytest.mark.parametrize("name", fastmlp.examples.NAMES)
def test_a_step_reads_as_it_was_read_and_approved(name):
    assert text_of(name) + "\n" == (GOLDEN / f"explain-{name}.txt").read_text()


def test_script_003_in_its_own_numbers():
    has(
        text_of("003"),
        "net_h1 = w1·i1 + w2·i2 + b1 = 0.15·0.05 + 0.2·0.1 + 0.35 = 0.3775",
        "out_h1 = 1/(1 + e^-net_h1) = 1/(1 + e^-0.3775) = 0.593269992",
        "out_h2 = 1/(1 + e^-net_h2) = 1/(1 + e^-0.3925) = 0.596884378",
        "net_o1 = w5·out_h1 + w6·out_h2 + b2 = 0.4·0.593269992 + 0.45·0.596884378 + 0.6 = 1.105905967",
        "out_o1 = 1/(1 + e^-net_o1) = 1/(1 + e^-1.105905967) = 0.75136507",
        " = 0.772928465",
        "E_o1 = 1/2·(out_o1 - target_o1)² = 1/2·(0.75136507 - 0.01)² = 0.274811083",
        "= 0.023560026",
        "E_total = E_o1 + E_o2 = 0.274811083 + 0.023560026 = 0.298371109",
        "∂E_total/∂w5 = ∂E_total/∂out_o1 · ∂out_o1/∂net_o1 · ∂net_o1/∂w5 = 0.741365 · 0.186816 · 0.593270 = 0.082167",
        "new w5 = w5 - α·∂E_total/∂w5 = 0.4 - 0.5·0.082167 = 0.358916",
    )


def test_script_001_in_its_own_notation():
    has(
        text_of("001"),
        "z^1_2 = w^1_21·x1 + w^1_22·x2 + b^1_2 = (-1)·1 + 1·2 + 0 = 1",
        "a^1_3 = max(0, z^1_3) = max(0, -1) = 0",
        "a^2_2 = e^(z^2_2)/Σ e^z = 7.389056099/11.107337927 = 0.665240956",
        "= 0.407605964",
        "δ^2_2 = ∂C/∂z^2_2 = a^2_2 - y2 = 0.665241 - 1 = -0.334759",
        "∂C/∂w^1_21 = δ^1_2 · x1 = 0.579488 · 1 = 0.579488",
    )


def test_script_000_has_theta_with_the_bias_at_0_and_the_inputs_as_layer_1():
    a, delta = 0.579877627, 0.579878  # by hand: σ(0.322271059), and a - y with y = 0
    has(
        text_of("000"),
        "z^2_1 = θ^(1)_1,0·1 + θ^(1)_1,1·x1 + θ^(1)_1,2·x2 = 0.1 + 0.2·1 + 0.4·0 = 0.3",
        f"a^3_1 = 1/(1 + e^-z^3_1) = 1/(1 + e^-0.322271059) = {a}",
        "∂J(θ)/∂a^3_1 = -y/a^3_1 + (1 - y)/(1 - a^3_1)",
        f"δ^3_1 = ∂J(θ)/∂z^3_1 = a^3_1 - y = {delta} - 0 = {delta}",
        "∂J(θ)/∂θ^(2)_1,1 = ∂J(θ)/∂a^3_1 · ∂a^3_1/∂z^3_1 · ∂z^3_1/∂θ^(2)_1,1",
        "∂J(θ)/∂θ^(2)_1,0 = δ^3_1",
    )


def test_script_002_has_the_gradients_of_all_values_and_no_bias():
    text = text_of("002")
    has(
        text,
        "z^[1]_1 = W^[1]_11·x1 + W^[1]_21·x2 = 0.5·1 + 0.3·2 = 1.1",
        "∂L/∂ŷ = ŷ - y",
        "∂L/∂a^[1]_1 = δ^[2]_1·W^[2]_11",
        "∂L/∂x1 = δ^[1]_1·W^[1]_11 + δ^[1]_2·W^[1]_12",
    )
    assert "b^" not in text


def test_script_004_has_layers_in_square_brackets():
    has(
        text_of("004"),
        "z^[1]_1 = w^[1]_11·x1 + w^[1]_21·x2 + b^[1]_1 = 0.3·1 + 0.1·2 + 0.1 = 0.6",
        "z^[2]_1 = w^[2]_11·a^[1]_1 + w^[2]_21·a^[1]_2 + w^[2]_31·a^[1]_3 + b^[2]_1",
        "δ^[2]_1 = ∂L/∂z^[2]_1 = a^[2]_1 - y",
    )


def test_fastmlp_s_own_notation_leads_from_i_to_j():
    has(text_of("003", "fastmlp"), "z^1_2 = W^1_12·x1 + W^1_22·x2 + b^1_2 = 0.25·0.05 + 0.3·0.1 + 0.35 = 0.3925")


def test_biases_that_differ_have_names_of_their_own_in_003():
    example = fastmlp.examples.load("003")
    example.net.biases[0][:] = [0.1, 0.2]
    text = str(example.net.explain(example.x, example.y, notation="003"))
    assert "b_h1 = 0.1,  b_h2 = 0.2" in text
    assert "b2 = 0.6" in text


@pytest.mark.parametrize("notation", NOTATIONS)
@pytest.mark.parametrize("name", fastmlp.examples.NAMES)
def test_every_example_reads_in_every_notation_at_80_columns(name, notation):
    for optimizer in (None, "adam"):
        lines = text_of(name, notation, optimizer).splitlines()
        assert max(map(len, lines)) <= 80
        assert len(lines) > 30


@pytest.mark.parametrize("notation", NOTATIONS)
def test_a_large_net_is_shortened_and_says_by_how_much(notation):
    net = fastmlp.MLP([784, 256, 10], output="softmax", seed=0)
    text = str(net.explain(np.linspace(0, 1, 784), 3, optimizer="adam", notation=notation))
    lines = text.splitlines()
    assert len(lines) < 210
    assert max(map(len, lines)) <= 80
    for words in ("… 781 more", "… 253 more neurons", "… 7 more outputs", "… 781 more inputs"):
        assert words in text, words


DIGITS = r"\d+(?:\.\d+)?(?:e[-+]\d+)?"
NUMBER = rf"(?:\(-{DIGITS}\)|-?{DIGITS})"


def step_of(text):
    """Half a unit of the last digit of a number as printed."""
    mantissa, _, exponent = text.strip("()").partition("e")
    return 0.5 * 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("output", "loss"), OUTPUT_AND_LOSS)
def test_products_and_sums_come_to_what_is_printed(output, loss, bias):
    rng = np.random.default_rng(11)
    found = 0
    first = 2 * OUTPUT_AND_LOSS.index((output, loss)) + bias
    for hidden in (HIDDEN[first % len(HIDDEN)], HIDDEN[(first + 5) % len(HIDDEN)], HIDDEN[(first + 8) % len(HIDDEN)]):
        sizes = (3, 2, 4, 3)
        net = fastmlp.MLP(list(sizes), activation=hidden, output=output, loss=loss, bias=bias, dtype="float64")
        net.parameters = 0.5 * random_parameters(sizes, bias, rng)  # which no exponential of one makes overflow
        x, y = random_inputs(1, 3, rng)[0], random_targets(loss, 1, 3, rng)[0]
        text = re.sub(r"\n +(?==)", " ", str(net.explain(x, y, optimizer=fastmlp.SGD(0.1))))
        text = re.sub(r"\n {8,}", " ", text)
        for line in text.splitlines():
            *_, middle, result = line.split(" = ") if line.count(" = ") > 1 else ("", "")
            if not result or not re.fullmatch(rf"{NUMBER}(?: ?[·+-] ?{NUMBER})+", middle):
                continue
            terms = re.split(r" [+] | - (?!\d*\))", middle)
            factors = [[n.strip("()") for n in re.split(r" ?· ?", term)] for term in terms]
            signs = [1 if sign.strip() == "+" else -1 for sign in re.findall(r" [+] | - ", middle)]
            value = sum(s * math.prod(map(float, f)) for s, f in zip([1, *signs], factors, strict=True))
            slack = step_of(result) + sum(
                sum(step_of(n) * abs(math.prod(float(m) for m in f if m != n)) for n in f) for f in factors
            )
            assert abs(value - float(result)) <= 1.05 * slack + 1e-12, line
            found += 1
    assert found > 75


@pytest.mark.parametrize(
    ("hidden", "pair"),
    [*((name, OUTPUT_AND_LOSS[0]) for name in HIDDEN), *(("tanh", pair) for pair in OUTPUT_AND_LOSS)],
)
def test_every_activation_and_loss_has_a_formula_and_its_latex_is_balanced(hidden, pair):
    output, loss = pair
    net = fastmlp.MLP([2, 3, 2], activation=hidden, output=output, loss=loss, dtype="float64", seed=1)
    y = random_targets(loss, 1, 2, np.random.default_rng(0))[0]
    explanation = net.explain([0.3, -0.7], y, optimizer="rmsprop")
    assert "{" not in str(explanation)
    for formula in re.findall(r"\$\$(.*?)\$\$", explanation.markdown()):
        depth = 0
        for sign in formula.replace(r"\{", "").replace(r"\}", ""):
            depth += (sign == "{") - (sign == "}")
            assert depth >= 0, formula
        assert depth == 0, formula


def test_the_short_form_alone_stands_where_an_output_is_saturated():
    net = fastmlp.MLP.from_parameters([[[40.0]]], None, output="sigmoid", dtype="float64")
    text = str(net.explain([1.0], 0.0))
    has(text, "δ^1_1 = ∂C/∂z^1_1 = a^1_1 - y1 = 1 - 0 = 1")
    assert "∂a^1_1/∂z^1_1" not in text


def test_targets_that_do_not_add_up_to_1_show_their_sum():
    net = fastmlp.MLP.from_parameters([np.eye(2)], None, output="softmax", dtype="float64")
    has(str(net.explain([0.0, 0.0], [1.0, 1.0])), "δ^1_1 = ∂C/∂z^1_1 = Σy · a^1_1 - y1 = 2 · 0.5 - 1 = 0")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_colours_are_for_terminals(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    example = fastmlp.examples.load("003")
    explanation = example.net.explain(example.x, example.y, notation="003")
    file, terminal = io.StringIO(), Terminal()
    explanation.print(file)
    explanation.print(terminal)
    assert file.getvalue() == str(explanation) + "\n"
    assert "\x1b[" in terminal.getvalue()
    assert re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue()) == file.getvalue()
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        with monkeypatch.context() as changed:
            changed.setenv(name, value)
            plain = Terminal()
            explanation.print(plain)
            assert plain.getvalue() == file.getvalue()


def test_a_notebook_gets_html_with_every_result_and_markdown_has_latex():
    example = fastmlp.examples.load("003")
    explanation = example.net.explain(example.x, example.y, optimizer=example.optimizer, notation="003")
    page = explanation._repr_html_()
    assert page == explanation.html()
    for digits in ("0.593269992", "0.298371109", "<b>0.082167</b>", "0.358916"):
        assert digits in page
    markdown = explanation.markdown()
    assert r"\frac{\partial E_{total}}{\partial w_{5}} = " in markdown
    assert r"0.741365 \cdot 0.186816 \cdot 0.593270 = 0.082167$$" in markdown
    quantile = fastmlp.MLP([1, 1], loss="quantile", dtype="float64", seed=0).explain([1.0], 2.0)
    assert "&gt;" in quantile.html()
    assert repr(explanation) == str(explanation)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda net: net.explain([[0.05, 0.1]], [[0.01, 0.99]]), r"expected one sample \(2,\): trace takes a batch"),
        (lambda net: net.explain([0.05, 0.1, 0.2], [0.01, 0.99]), r"X has shape \(3,\)"),
        (lambda net: net.explain([0.05, 0.1], [0.01]), "y has shape"),
        (lambda net: net.explain([0.05, 0.1], [0.01, 0.99], notation="005"), "notation is '005'"),
        (lambda net: net.explain([0.05, 0.1], [0.01, 0.99], notation=3), "notation is 3"),
        (lambda net: net.explain([0.05, 0.1], [0.01, 0.99], optimizer="sdg"), "did you mean 'sgd'"),
        (lambda net: net.explain([0.05, np.nan], [0.01, 0.99]), r"X\[1\] is nan"),
    ],
)
def test_bad_input_says_what_is_wrong(call, words):
    with pytest.raises((ValueError, TypeError), match=words):
        call(fastmlp.examples.load("003").net)
