"""A training step in words and numbers, as the lecture scripts do it by hand: what `MLP.explain` returns.

The numbers come from `MLP.trace`, the names from notations.py. A formula is a left side and what it is equal to,
first with symbols, then with numbers, then the result; each piece is made once as text and as LaTeX. Long sums and
layers are shortened, and say by how much.
"""

import os
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

import numpy as np

from fastmlp import checks, formulas
from fastmlp.formulas import Array
from fastmlp.notations import NOTATIONS, Notation, Term, plain
from fastmlp.optimizers import SGD, Optimizer
from fastmlp.trace import LayerTrace, Trace, trace

if TYPE_CHECKING:
    from fastmlp.mlp import MLP

WIDTH = 80
# Terms of a sum, neurons of a layer, weights of a neuron: so many are written out; of more, the first few.
MOST = 6
FEW = 3
# Closer than this to 0 or 1 an output has lost the digits that the product of the chain's factors needs.
SATURATED = 1e-6


class Formula(NamedTuple):
    """left = first = second = ...; a line of words has no sides."""

    left: Term
    sides: tuple[Term, ...]


class Section(NamedTuple):
    """A step, with its lines: formulas, and words between them."""

    title: str
    lines: list[Formula | str]


def value(number: float) -> str:
    """A value of the forward pass, nine decimals without trailing zeros, as script 003 writes it."""
    return _number(number, 9).rstrip("0").rstrip(".") if 1e-3 <= abs(number) < 1e6 else _number(number, 9)


def factor(number: float) -> str:
    """A factor of a product: six decimals, or all there are if fewer say it exactly."""
    return value(number) if abs(number - round(number, 6)) < 1e-12 else _number(number, 6)


def _number(number: float, decimals: int) -> str:
    if number == 0 or 1e-3 <= abs(number) < 1e6:
        return "0" if number == 0 else f"{number:.{decimals}f}"
    return f"{number:.{decimals - 1}g}"


def _bracketed(text: str) -> Term:
    """A number as a factor: in brackets if it has a sign."""
    return plain(f"({text})" if text.startswith("-") else text)


def dot(*factors: Term) -> Term:
    """A product."""
    return Term("·".join(f.text for f in factors), r" \cdot ".join(f.tex for f in factors))


def spaced(*factors: Term) -> Term:
    """A product with room around its points, for derivatives."""
    return Term(" · ".join(f.text for f in factors), r" \cdot ".join(f.tex for f in factors))


def plus(terms: Sequence[Term], of: int, last: Sequence[Term] = ()) -> Term:
    """A sum of `of` terms, of which the first are given, and of a last one after those left out."""
    shown = list(terms)
    if of > len(terms):
        shown.append(Term(f"… {of - len(terms):,} more", rf"\ldots\,\text{{{of - len(terms):,} more}}"))
    shown += last
    return Term(" + ".join(t.text for t in shown), " + ".join(t.tex for t in shown))


def partial(above: Term, below: Term) -> Term:
    """A derivative."""
    return Term(f"∂{above.text}/∂{below.text}", rf"\frac{{\partial {above.tex}}}{{\partial {below.tex}}}")


# Templates: {z}, {a}, {y}, {s}, {p} stand for names or numbers. Text, then LaTeX.
ACTIVATIONS: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "identity": (("{z}", "{z}"), ("1", "1")),
    "sigmoid": (("1/(1 + e^-{z})", r"\frac{{1}}{{1 + e^{{-{z}}}}}"), ("{a}·(1 - {a})", r"{a}\,(1 - {a})")),
    "tanh": (("tanh {z}", r"\tanh {z}"), ("1 - {a}²", "1 - {a}^2")),
    "relu": (("max(0, {bare})", r"\max(0, {z})"), ("", "")),
    "leaky_relu": (("max({s}·{z}, {bare})", r"\max({s}\,{z}, {z})"), ("", "")),
}  # fmt: skip
# The others are written by name; their formulas stand in the reference of the activations.


def _activation(name: str, z: Term, s: float) -> Term:
    text, tex = ACTIVATIONS.get(name, (("{n}({z})", r"\mathrm{{{n}}}({z})"), ("", "")))[0]
    shown = name.replace("_", r"\_")
    bare = z.text.removeprefix("(").removesuffix(")")
    return Term(text.format(z=z.text, bare=bare, s=f"{s:g}", n=name), tex.format(z=z.tex, s=f"{s:g}", n=shown))


def _slope(name: str, z: Term, a: Term, s: float) -> Term:
    text, tex = ACTIVATIONS.get(name, (("", ""), ("{n}'({z})", r"\mathrm{{{n}}}'({z})")))[1]
    shown = name.replace("_", r"\_")
    return Term(
        text.format(z=z.text, a=a.text, s=f"{s:g}", n=name), tex.format(z=z.tex, a=a.tex, s=f"{s:g}", n=shown)
    )


LOSSES: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "half_squared_error": (("1/2·({a} - {y})²", r"\tfrac12 ({a} - {y})^2"), ("{a} - {y}", "{a} - {y}")),
    "squared_error": (("({a} - {y})²", "({a} - {y})^2"), ("2·({a} - {y})", "2({a} - {y})")),
    "binary_cross_entropy": (
        ("-{y}·log {a} - (1 - {y})·log(1 - {a})", r"-{y} \log {a} - (1 - {y}) \log(1 - {a})"),
        ("-{y}/{a} + (1 - {y})/(1 - {a})", r"-\frac{{{y}}}{{{a}}} + \frac{{1 - {y}}}{{1 - {a}}}"),
    ),
    "cross_entropy": (("-{y}·log {a}", r"-{y} \log {a}"), ("-{y}/{a}", r"-\frac{{{y}}}{{{a}}}")),
    "absolute_error": (("|{a} - {y}|", r"|{a} - {y}|"), ("sign({a} - {y})", r"\mathrm{{sign}}({a} - {y})")),
    "huber": (
        ("huber_{p}({a} - {y})", r"\mathrm{{huber}}_{{{p}}}({a} - {y})"),
        ("clip({a} - {y}, -{p}, {p})", r"\mathrm{{clip}}({a} - {y}, -{p}, {p})"),
    ),
    "log_cosh": (("log cosh({a} - {y})", r"\log\cosh({a} - {y})"), ("tanh({a} - {y})", r"\tanh({a} - {y})")),
    "quantile": (
        ("max({p}·({y} - {a}), ({p} - 1)·({y} - {a}))", r"\max({p}({y} - {a}), ({p} - 1)({y} - {a}))"),
        ("-{p} if {y} > {a}, else 1 - {p}", r"-{p}\,[{y} > {a}] + (1 - {p})\,[{y} < {a}]"),
    ),
    "poisson": (
        ("{y}·log({y}/{a}) - {y} + {a}", r"{y} \log\frac{{{y}}}{{{a}}} - {y} + {a}"),
        ("1 - {y}/{a}", r"1 - \frac{{{y}}}{{{a}}}"),
    ),
}  # fmt: skip


def _loss(name: str, which: int, a: Term, y: Term, p: float) -> Term:
    prime, shown = "'" * which, name.replace("_", r"\_")
    by_name = f"{name}{prime}({{a}}, {{y}})", rf"\mathrm{{{{{shown}}}}}{prime}({{a}}, {{y}})"  # with no row above
    text, tex = LOSSES[name][which] if name in LOSSES else by_name
    return Term(text.format(a=a.text, y=y.text, p=f"{p:g}"), tex.format(a=a.tex, y=y.tex, p=f"{p:g}"))


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """A training step, explained. Its str is text of at most 80 columns; a notebook shows it as a page.

    Attributes
    ----------
    title : str
    sections : list of Section
        Steps, with their formulas.

    Examples
    --------
    >>> import fastmlp
    >>> example = fastmlp.examples.load("003")
    >>> explanation = example.net.explain(example.x, example.y, notation="003")
    >>> "0.15·0.05 + 0.2·0.1 + 0.35 = 0.3775" in str(explanation)
    True
    """

    title: str
    sections: list[Section]

    def __str__(self) -> str:
        return self._text(lambda kind, text: text)

    def __repr__(self) -> str:
        return str(self)

    def print(self, file: TextIO | None = None) -> None:
        """Write the text, in colours if it goes to a terminal.

        Parameters
        ----------
        file : file, optional
            By default standard output. NO_COLOR in the environment, or TERM=dumb, turns colours off.
        """
        out = sys.stdout if file is None else file
        coloured = out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        codes = {"title": "1", "section": "1;34", "result": "1", "words": "2"}
        print(self._text(lambda kind, t: f"\x1b[{codes[kind]}m{t}\x1b[0m" if coloured else t), file=out)

    def _text(self, paint: Callable[[str, str], str]) -> str:
        lines = [paint("title", line) for line in textwrap.wrap(self.title, WIDTH)]
        for number, section in enumerate(self.sections, start=1):
            lines += ["", paint("section", f"{number}. {section.title}"), ""]
            for line in section.lines:
                if isinstance(line, str):
                    lines += [paint("words", part) for part in _broken(line, "  ", "  ")]
                else:
                    lines += _wrapped(line, paint)
        return "\n".join(lines)

    def markdown(self) -> str:
        """The same as Markdown with formulas in LaTeX.

        Returns
        -------
        str
        """
        parts = [f"## {self.title}"]
        for number, section in enumerate(self.sections, start=1):
            parts.append(f"### {number}. {section.title}")
            for line in section.lines:
                if isinstance(line, str):
                    parts.append(line)
                else:
                    parts.append("$$" + " = ".join(side.tex for side in (line.left, *line.sides)) + "$$")
        return "\n\n".join(parts) + "\n"

    def html(self) -> str:
        """The same as a piece of HTML, which reads without MathJax; a notebook shows it.

        Returns
        -------
        str
        """
        parts = [f"<div><h3>{escape(self.title)}</h3>"]
        for number, section in enumerate(self.sections, start=1):
            parts.append(f"<h4>{number}. {escape(section.title)}</h4>")
            for line in section.lines:
                if isinstance(line, str):
                    parts.append(f"<p><em>{escape(line)}</em></p>")
                else:
                    *middle, result = (escape(side.text) for side in (line.left, *line.sides))
                    parts.append(
                        '<p style="margin: 0.2em 0 0.2em 3em; text-indent: -2em"><code>'
                        f"{' = '.join([*middle, f'<b>{result}</b>'])}</code></p>"
                    )
        return "\n".join([*parts, "</div>"])

    def _repr_html_(self) -> str:
        return self.html()


def _wrapped(line: Formula, paint: Callable[[str, str], str]) -> list[str]:
    """A formula on one line, or a line for each side, broken at signs where that is too long."""
    sides = [side.text for i, side in enumerate(line.sides) if i == 0 or side != line.sides[i - 1]]
    left = f"  {line.left.text} = "
    whole = left + " = ".join(sides)
    if len(whole) <= WIDTH:
        at = whole.rindex(" = ") + 3
        return [whole[:at] + paint("result", whole[at:])]
    indent = " " * min(len(left) - 2, 24)
    lines: list[str] = []
    for i, side in enumerate(sides):
        first = left if i == 0 else indent + "= "
        *upper, lowest = _broken(side, first, indent + "    ")
        lines += [*upper, paint("result", lowest) if i == len(sides) - 1 else lowest]
    return lines


# A name and its value in a list, which stay on one line.
_TIED = "\u00a0=\u00a0"


def _broken(text: str, first: str, later: str) -> list[str]:
    """Text cut into lines at spaces."""
    tied = text.replace("… ", "…\u00a0").replace(" more", "\u00a0more")
    lines = textwrap.wrap(
        tied, WIDTH, initial_indent=first, subsequent_indent=later, break_long_words=False, break_on_hyphens=False
    )
    return [line.replace("\u00a0", " ") for line in lines]


def explain(net: "MLP", x: Any, y: Any, optimizer: Any, notation: str) -> Explanation:
    """A step of net for one sample; see `MLP.explain`."""
    kind = NOTATIONS[checks.choice("notation", notation, NOTATIONS)]
    if net.input_scale is not None:
        raise ValueError(
            "the net has an input_scale, of which no lecture script writes the step; expected one without, as of "
            "from_parameters with input_scale[:, None] * weights[0]"
        )
    if np.ndim(x) == 2:
        raise ValueError(f"X has shape {np.shape(x)}; expected one sample ({net.sizes[0]},): trace takes a batch")
    if optimizer is not None and not all(factor == 1 and moves for *_, factor, moves in net._network.groups):
        raise ValueError(
            "optimizer is given for a net with frozen layers or rate_factors, of which no lecture script writes the "
            "step; expected all of them trainable, with factors of 1"
        )
    step = trace(net, x, y, None, optimizer)
    one_bias = tuple(layer.biases is not None and bool(np.ptp(layer.biases) == 0) for layer in step.layers)
    writer = _Writer(net, step, kind(net.sizes, one_bias))
    return Explanation(f"A step of backpropagation: {net._architecture.layers_in_words()}", writer.sections())


class _Writer:
    """The sections of an explanation, from a trace and a notation."""

    def __init__(self, net: "MLP", step: Trace, names: Notation) -> None:
        self.net, self.step, self.names = net, step, names
        self.p = next(iter(net._architecture.loss_parameters.values()), 1.0)
        self.targets = formulas.smoothed(net.loss, step.targets, net.label_smoothing)
        self.total = names.total()
        self.pair = (net.output, net.loss)
        outputs = step.outputs
        self.short = self.pair in formulas.CANONICAL
        self.saturated = self.short and bool(((outputs < SATURATED) | (outputs > 1 - SATURATED)).any())

    def sections(self) -> list[Section]:
        parts = [self.parameters(), *map(self.forward, self.step.layers), self.loss()]
        parts += map(self.backward, reversed(self.step.layers))
        parts.append(self.inputs())
        if self.step.optimizer is not None:
            parts.append(self.update(self.step.optimizer))
        return parts

    # one section each

    def parameters(self) -> Section:
        names, step = self.names, self.step
        lines: list[Formula | str] = [names.words]
        lines.append(
            self._listed(
                "sample", (f"{names.x(i).text} = {value(v)}" for i, v in enumerate(step.inputs)), len(step.inputs)
            )
        )
        lines.append(
            self._listed(
                "target", (f"{names.y(k).text} = {value(v)}" for k, v in enumerate(step.targets)), len(step.targets)
            )
        )
        for l, layer in enumerate(step.layers):
            n_in, n_out = layer.weights.shape
            cells = [(i, j) for j in _shown(n_out) for i in _shown(n_in)]
            lines.append(
                self._listed(
                    f"layer {layer.number}",
                    (f"{names.w(l, i, j).text} = {value(layer.weights[i, j])}" for i, j in cells),
                    n_in * n_out,
                )
            )
            if layer.biases is not None:
                lines.append(
                    self._listed("biases", self._biases(l, layer.biases), 1 if names.shares_bias(l) else n_out)
                )
        return Section("The net, its sample and its target", lines)  # fmt: skip

    def _biases(self, l: int, biases: Array) -> list[str]:
        texts = [f"{self.names.b(l, j).text} = {value(v)}" for j, v in enumerate(biases)]
        return texts[:1] if self.names.shares_bias(l) else texts

    def forward(self, layer: LayerTrace) -> Section:
        names, l = self.names, layer.number - 1
        n_in, n_out = layer.weights.shape
        lines: list[Formula | str] = []
        for j in _shown(n_out):
            shown = _shown(n_in)
            symbols = [dot(names.w(l, i, j), names.a(l - 1, i)) for i in shown]
            numbers = [dot(_bracketed(value(layer.weights[i, j])), _bracketed(value(layer.inputs[i]))) for i in shown]
            first: tuple[list[Term], list[Term]] = ([], [])
            last: tuple[list[Term], list[Term]] = ([], [])
            if layer.biases is not None:
                bias, number = names.b(l, j), _bracketed(value(layer.biases[j]))
                if names.bias_first:
                    first = ([dot(bias, plain("1"))], [number])
                else:
                    last = ([bias], [number])
            z, a = names.z(l, j), names.a(l, j)
            sides = [
                plus([*before, *terms], n_in + len(before), after)
                for before, terms, after in zip(first, (symbols, numbers), last, strict=True)
            ]
            lines.append(Formula(z, (*sides, plain(value(layer.z[j])))))
            if layer.activation != "softmax":
                g = _activation(layer.activation, z, self.net.negative_slope)
                of_number = _activation(layer.activation, _bracketed(value(layer.z[j])), self.net.negative_slope)
                result = plain(value(layer.a[j]))
                lines.append(Formula(a, (g, result) if layer.activation == "identity" else (g, of_number, result)))
        lines += self._more(n_out, "neurons")
        if layer.activation == "softmax":
            lines += self._softmax(layer)
        return Section(f"Forward, layer {layer.number}: {n_in} -> {n_out}, {layer.activation}", lines)

    def _softmax(self, layer: LayerTrace) -> list[Formula | str]:
        names, l, shown = self.names, layer.number - 1, _shown(len(layer.z))
        largest = layer.z.max()
        e = np.exp(layer.z - largest)
        moved = "" if abs(largest) < 30 else f" (of z - {value(largest)}, which changes no quotient)"
        if not moved:
            e = np.exp(layer.z)
        lines: list[Formula | str] = [f"softmax: e^z of each neuron, divided by their sum{moved}."]
        sum_ = Term("Σ e^z", r"\sum e^z")
        powers = [Term(f"e^({names.z(l, j).text})", f"e^{{{names.z(l, j).tex}}}") for j in shown]
        lines += [Formula(power, (plain(value(e[j])),)) for j, power in zip(shown, powers, strict=True)]
        numbers = [plain(value(e[j])) for j in shown]
        lines.append(Formula(sum_, (plus(numbers, len(e)), plain(value(e.sum())))))
        for j, power in zip(shown, powers, strict=True):
            quotient = Term(f"{power.text}/{sum_.text}", rf"\frac{{{power.tex}}}{{{sum_.tex}}}")
            number = Term(f"{value(e[j])}/{value(e.sum())}", rf"\frac{{{value(e[j])}}}{{{value(e.sum())}}}")
            lines.append(Formula(names.a(l, j), (quotient, number, plain(value(layer.a[j])))))
        return lines + self._more(len(e), "neurons")

    def _target(self, k: int) -> Term:
        """A target as the loss takes it."""
        y, e = self.names.y(k), self.net.label_smoothing
        if e == 0:
            return y
        shared = value(e / (2 if self.net.loss == "binary_cross_entropy" else len(self.targets)))
        return Term(f"({value(1 - e)}·{y.text} + {shared})", rf"({value(1 - e)}\,{y.tex} + {shared})")

    def loss(self) -> Section:
        names, step, last = self.names, self.step, self.names.last()
        n = len(step.targets)
        lines: list[Formula | str] = []
        for k in _shown(n):
            a, y = names.a(last, k), self._target(k)
            numbers = (_bracketed(value(step.outputs[k])), _bracketed(value(self.targets[k])))
            sides = (_loss(self.net.loss, 0, a, y, self.p), _loss(self.net.loss, 0, *numbers, self.p))
            lines.append(Formula(names.c(k), (*sides, plain(value(step.loss_terms[k])))))
        lines += self._more(n, "outputs")
        shown = _shown(n)
        symbols, numbers_ = [names.c(k) for k in shown], [_bracketed(value(step.loss_terms[k])) for k in shown]
        lines.append(Formula(self.total, (plus(symbols, n), plus(numbers_, n), plain(value(step.loss)))))
        return Section(f"Loss: {self.net._architecture.loss_in_words()}", lines)

    def backward(self, layer: LayerTrace) -> Section:
        l = layer.number - 1
        lines = self._of_outputs(layer) if l == self.names.last() else self._of_hidden(layer)
        n_in, n_out = layer.weights.shape
        lines.append("Each weight: δ of the neuron that it enters, times what comes in along it.")
        for j in _shown(n_out):
            for i in _shown(n_in):
                lines.append(self._of_weight(layer, i, j))
            lines += self._more(n_in, f"weights into {self.names.z(l, j).text}")
            if layer.gradient_biases is not None:
                bias = self.names.b(l, j)
                if not self.names.shares_bias(l):
                    lines.append(
                        Formula(partial(self.total, bias), (self.names.delta(l, j), plain(value(layer.delta[j]))))
                    )
        if layer.gradient_biases is not None and self.names.shares_bias(l):
            shown = _shown(n_out)
            symbols = [self.names.delta(l, j) for j in shown]
            numbers = [_bracketed(value(layer.delta[j])) for j in shown]
            lines.append(
                Formula(
                    partial(self.total, self.names.b(l, 0)),
                    (plus(symbols, n_out), plus(numbers, n_out), plain(value(layer.delta.sum()))),
                )
            )
        lines += self._more(n_out, "neurons")
        return Section(f"Backward, layer {layer.number}", lines)  # fmt: skip

    def _of_outputs(self, layer: LayerTrace) -> list[Formula | str]:
        names, l = self.names, layer.number - 1
        lines: list[Formula | str] = []
        for k in _shown(len(layer.z)):
            a, z, y, d = names.a(l, k), names.z(l, k), self._target(k), names.delta(l, k)
            a_, z_, y_ = (_bracketed(factor(v)) for v in (layer.a[k], layer.z[k], self.targets[k]))
            if not self.saturated:
                sides = _loss(self.net.loss, 1, a, y, self.p), _loss(self.net.loss, 1, a_, y_, self.p)
                lines.append(Formula(partial(self.total, a), (*sides, plain(factor(layer.gradient_a[k])))))
                if layer.activation != "softmax":
                    lines.append(self._derivative(layer, k, a, z, a_, z_))
                    lines.append(self._delta(layer, k))
            if self.short:
                share = self.targets.sum() if self.net.output == "softmax" else 1.0
                first = (
                    (a, a_)
                    if abs(share - 1) < 1e-12
                    else (spaced(Term("Σy", r"\sum y"), a), spaced(plain(factor(share)), a_))
                )
                lines.append(Formula(d, (
                    partial(self.total, z), first[0] + " - " + y, first[1] + " - " + y_, plain(factor(layer.delta[k]))
                )))  # fmt: skip
        if self.short:
            words = "shortens to" if not self.saturated else "is"
            target = "smoothed target" if self.net.label_smoothing else "target"
            lines.append(f"With {self.net.output} and {self.net.loss} δ {words} the output less the {target}.")
        if layer.activation == "softmax":
            lines.insert(
                0, "Each z moves every output of softmax: ∂a_i/∂z_j = a_i·(1 - a_i) for i = j, else -a_i·a_j."
            )
            if not self.short:
                for k in _shown(len(layer.z)):
                    shown = _shown(len(layer.z))
                    n = len(layer.z)
                    symbols = [
                        spaced(partial(self.total, names.a(l, i)), partial(names.a(l, i), names.z(l, k)))
                        for i in shown
                    ]
                    numbers = [
                        spaced(_bracketed(factor(layer.gradient_a[i])), _bracketed(factor(layer.derivative[i, k])))
                        for i in shown
                    ]
                    lines.append(
                        Formula(
                            names.delta(l, k), (plus(symbols, n), plus(numbers, n), plain(factor(layer.delta[k])))
                        )
                    )
        return lines + self._more(len(layer.z), "outputs")  # fmt: skip

    def _of_hidden(self, layer: LayerTrace) -> list[Formula | str]:
        names, l = self.names, layer.number - 1
        above = self.step.layers[layer.number]
        n = len(above.z)
        lines: list[Formula | str] = []
        for j in _shown(len(layer.z)):
            lines.append(self._through(names.a(l, j), l + 1, above, j, layer.gradient_a[j], n))
            z_, a_ = _bracketed(factor(layer.z[j])), _bracketed(factor(layer.a[j]))
            lines.append(self._derivative(layer, j, names.a(l, j), names.z(l, j), a_, z_))
            lines.append(self._delta(layer, j))
        return lines + self._more(len(layer.z), "neurons")

    def _through(self, below: Term, l: int, above: LayerTrace, i: int, result: float, n: int) -> Formula:
        """The sum over the neurons above that a value enters."""
        shown = _shown(n)
        symbols = [dot(self.names.delta(l, k), self.names.w(l, i, k)) for k in shown]
        numbers = [dot(_bracketed(factor(above.delta[k])), _bracketed(factor(above.weights[i, k]))) for k in shown]
        return Formula(partial(self.total, below), (plus(symbols, n), plus(numbers, n), plain(factor(result))))

    def _derivative(self, layer: LayerTrace, j: int, a: Term, z: Term, a_: Term, z_: Term) -> Formula:
        s, name = self.net.negative_slope, layer.activation
        result = plain(factor(layer.derivative[j]))
        sides: tuple[Term, ...] = (_slope(name, z, a, s), _slope(name, z_, a_, s), result)
        if name == "identity":
            sides = sides[2:]
        elif name in ("relu", "leaky_relu"):
            sign, tex = (">", ">") if layer.z[j] > 0 else ("<=", r"\le")
            sides = (Term(f"{result.text}, for {z.text} {sign} 0", rf"{result.tex} \text{{ for }} {z.tex} {tex} 0"),)
        elif name not in ACTIVATIONS:
            sides = (sides[0], result)
        return Formula(partial(a, z), sides)

    def _delta(self, layer: LayerTrace, j: int) -> Formula:
        names, l = self.names, layer.number - 1
        a, z = names.a(l, j), names.z(l, j)
        numbers = spaced(_bracketed(factor(layer.gradient_a[j])), _bracketed(factor(layer.derivative[j])))
        symbols = spaced(partial(self.total, a), partial(a, z))
        return Formula(names.delta(l, j), (symbols, numbers, plain(factor(layer.delta[j]))))

    def _of_weight(self, layer: LayerTrace, i: int, j: int) -> Formula:
        names, l = self.names, layer.number - 1
        w, z, a, into = names.w(l, i, j), names.z(l, j), names.a(l, j), names.a(l - 1, i)
        result = plain(factor(layer.gradient_weights[i, j]))
        source = _bracketed(factor(layer.inputs[i]))
        if l == names.last() and layer.activation != "softmax" and not self.saturated:
            chain = spaced(partial(self.total, a), partial(a, z), partial(z, w))
            numbers = spaced(_bracketed(factor(layer.gradient_a[j])), _bracketed(factor(layer.derivative[j])), source)
            return Formula(partial(self.total, w), (chain, numbers, result))
        numbers = spaced(_bracketed(factor(layer.delta[j])), source)
        return Formula(partial(self.total, w), (spaced(names.delta(l, j), into), numbers, result))

    def inputs(self) -> Section:
        step, first = self.step, self.step.layers[0]
        n = len(step.inputs)
        lines: list[Formula | str] = [
            self._through(self.names.x(i), 0, first, i, step.gradient_inputs[i], len(first.z)) for i in _shown(n)
        ]
        return Section("Gradients with respect to the inputs", lines + self._more(n, "inputs"))

    def update(self, method: Optimizer) -> Section:
        names = self.names
        plain_sgd = isinstance(method, SGD) and not method.momentum and method.clip_norm is None
        lines: list[Formula | str] = [f"{method!r}"]
        if any(map(names.shares_bias, range(len(self.step.layers)))):
            lines.append("In fastmlp each neuron has a bias of its own.")
        for l, layer in enumerate(self.step.layers):
            assert layer.new_weights is not None
            n_in, n_out = layer.weights.shape
            for j in _shown(n_out):
                for i in _shown(n_in):
                    lines.append(
                        self._moved(
                            method,
                            plain_sgd,
                            names.w(l, i, j),
                            layer.weights[i, j],
                            layer.gradient_weights[i, j],
                            layer.new_weights[i, j],
                        )
                    )
                lines += self._more(n_in, f"weights into {names.z(l, j).text}")
                if layer.biases is not None and layer.gradient_biases is not None and layer.new_biases is not None:
                    lines.append(
                        self._moved(
                            method,
                            plain_sgd,
                            names.own_bias(l, j),
                            layer.biases[j],
                            layer.gradient_biases[j],
                            layer.new_biases[j],
                        )
                    )
            lines += self._more(n_out, "neurons")
        return Section("Update", lines)  # fmt: skip

    def _moved(self, method: Optimizer, plain_sgd: bool, name: Term, old: float, g: float, new: float) -> Formula:
        left = Term(f"new {name.text}", rf"{name.tex}^{{new}}")
        if plain_sgd and not method.weight_decay and not method.l1:
            rate = plain(f"{method.learning_rate:g}")
            symbols = name + " - " + dot(self.names.rate, partial(self.total, name))
            numbers = plain(value(old)) + " - " + dot(rate, _bracketed(factor(g)))
            return Formula(left, (symbols, numbers, plain(factor(new))))
        change = new - old
        return Formula(
            left, (plain(f"{value(old)} {'-' if change < 0 else '+'} {factor(abs(change))}"), plain(factor(new)))
        )

    # shortening

    def _listed(self, what: str, texts: Iterable[str], of: int) -> str:
        shown = list(islice(texts, 2 * MOST))
        more = [f"… {of - len(shown):,} more"] if of > len(shown) else []
        return f"{what}: " + ",  ".join([*shown, *more]).replace(" = ", _TIED)

    @staticmethod
    def _more(of: int, what: str) -> list[Formula | str]:
        return [f"… {of - FEW:,} more {what}"] if of > MOST else []


def _shown(n: int) -> range:
    """Which of n are written out."""
    return range(n if n <= MOST else FEW)
