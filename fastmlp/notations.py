"""How each lecture script writes the values of a step: one row a notation, in text and in LaTeX.

`fastmlp` is the notation of docs/architecture.md. The names say where a value stands; what is computed is the same in
all of them and stands in explanation.py.
"""

from dataclasses import dataclass
from typing import NamedTuple


class Term(NamedTuple):
    """A piece of a formula, as text and as LaTeX."""

    text: str
    tex: str

    def __add__(self, other: object) -> "Term":
        piece = other if isinstance(other, Term) else Term(str(other), str(other))
        return Term(self.text + piece.text, self.tex + piece.tex)


def plain(text: str) -> Term:
    """The same in both."""
    return Term(text, text)


_GREEK = {"δ": r"\delta", "θ": r"\theta"}


def _tex(letter: str) -> str:
    return _GREEK.get(letter, letter)


@dataclass(frozen=True)
class Notation:
    """Names of the values of a net; neurons, layers and weights are counted from 0 here, from 1 in what is written.

    Parameters
    ----------
    sizes : tuple of int
        n_0, ..., n_L.
    one_bias : tuple of bool
        For each layer, whether its biases are all the same.
    """

    sizes: tuple[int, ...]
    one_bias: tuple[bool, ...]

    loss_letter = plain("C")
    rate = Term("α", r"\alpha")
    bias_first = False
    words = "W^l_ij leads from neuron i of layer l - 1 to neuron j of layer l: z^l = a^(l-1) W^l + b^l."

    def place(self, l: int, i: int, j: int) -> str:
        """The indices of the weight that leads from i to j."""
        return f"{i + 1}{j + 1}" if max(i, j) < 9 else f"{i + 1},{j + 1}"

    def up(self, l: int) -> str:
        """The layer, where a name carries it."""
        return f"{l + 1}"

    def named(self, letter: str, l: int, index: str) -> Term:
        """A letter with its layer above and an index below."""
        return Term(f"{letter}^{self.up(l)}_{index}", f"{_tex(letter)}^{{{self.up(l)}}}_{{{index}}}")

    def x(self, i: int) -> Term:
        """Input i."""
        return Term(f"x{i + 1}", f"x_{{{i + 1}}}")

    def y(self, k: int) -> Term:
        """Target of output k."""
        return Term(f"y{k + 1}", f"y_{{{k + 1}}}")

    def w(self, l: int, i: int, j: int) -> Term:
        """The weight of layer l that leads from i to j."""
        return self.named("W", l, self.place(l, i, j))

    def b(self, l: int, j: int) -> Term:
        """The bias of neuron j of layer l."""
        return self.named("b", l, f"{j + 1}")

    def shares_bias(self, l: int) -> bool:
        """Whether the neurons of a layer are written with one bias."""
        return False

    def own_bias(self, l: int, j: int) -> Term:
        """The bias of one neuron, where `b` is shared."""
        return self.b(l, j)

    def z(self, l: int, j: int) -> Term:
        """The weighted sum of neuron j of layer l."""
        return self.named("z", l, f"{j + 1}")

    def a(self, l: int, j: int) -> Term:
        """The output of neuron j of layer l; of the inputs for l = -1."""
        return self.x(j) if l < 0 else self.named("a", l, f"{j + 1}")

    def delta(self, l: int, j: int) -> Term:
        """dC/dz of neuron j of layer l."""
        return self.named("δ", l, f"{j + 1}")

    def c(self, k: int) -> Term:
        """The loss of output k."""
        return Term(f"c{k + 1}", f"c_{{{k + 1}}}")

    def total(self) -> Term:
        """The loss."""
        return self.loss_letter

    def last(self) -> int:
        """The output layer."""
        return len(self.sizes) - 2


class _Script000(Notation):
    """θ^(l)_{i,j} leads from node j of layer l to node i of the next, j = 0 is the bias; the inputs are layer 1."""

    loss_letter = Term("J(θ)", r"J(\theta)")
    bias_first = True
    words = (
        "θ^(l)_i,j leads from node j of layer l to node i of layer l + 1. The inputs are layer 1, j = 0 is the bias."
    )

    def up(self, l: int) -> str:
        return f"{l + 2}"

    def w(self, l: int, i: int, j: int) -> Term:
        return Term(f"θ^({l + 1})_{j + 1},{i + 1}", rf"\theta^{{({l + 1})}}_{{{j + 1},{i + 1}}}")

    def b(self, l: int, j: int) -> Term:
        return Term(f"θ^({l + 1})_{j + 1},0", rf"\theta^{{({l + 1})}}_{{{j + 1},0}}")

    def y(self, k: int) -> Term:
        return plain("y") if self.sizes[-1] == 1 else super().y(k)


class _Script001(Notation):
    """w^l_ij leads from j to i: a row of W for each neuron, z = W a + b."""

    words = "w^l_ij leads from neuron j of layer l - 1 to neuron i of layer l: z^l = W^l a^(l-1) + b^l."

    def w(self, l: int, i: int, j: int) -> Term:
        return self.named("w", l, self.place(l, j, i))


class _Script002(Notation):
    """W^[l] applied transposed, z = W^T x, often without a bias; the last a is ŷ."""

    loss_letter = plain("L")
    rate = Term("γ", r"\gamma")
    words = "W^[l]_ij leads from neuron i to neuron j: z^[l] = W^[l]T a^[l-1]."

    def up(self, l: int) -> str:
        return f"[{l + 1}]"

    def a(self, l: int, j: int) -> Term:
        if l == self.last():
            return Term("ŷ", r"\hat y") if self.sizes[-1] == 1 else Term(f"ŷ{j + 1}", rf"\hat y_{{{j + 1}}}")
        return super().a(l, j)

    def y(self, k: int) -> Term:
        return plain("y") if self.sizes[-1] == 1 else super().y(k)


class _Script003(Notation):
    """Weights named w1, w2, ... in the order of the neurons that they enter; net and out of h1, ..., o1, ..."""

    loss_letter = Term("E_total", r"E_{total}")
    words = "w1, w2, ... are numbered by the neuron that they enter, h1 first; net is z, out is a."

    def neuron(self, l: int, j: int) -> str:
        if l == self.last():
            return f"o{j + 1}"
        return f"h{j + 1}" if self.last() == 1 else f"h{l + 1}.{j + 1}"

    def x(self, i: int) -> Term:
        return Term(f"i{i + 1}", f"i_{{{i + 1}}}")

    def y(self, k: int) -> Term:
        return Term(f"target_o{k + 1}", rf"target_{{o{k + 1}}}")

    def w(self, l: int, i: int, j: int) -> Term:
        before = sum(self.sizes[m] * self.sizes[m + 1] for m in range(l))
        number = before + j * self.sizes[l] + i + 1
        return Term(f"w{number}", f"w_{{{number}}}")

    def shares_bias(self, l: int) -> bool:
        return self.one_bias[l]

    def own_bias(self, l: int, j: int) -> Term:
        return Term(f"b_{self.neuron(l, j)}", f"b_{{{self.neuron(l, j)}}}")

    def b(self, l: int, j: int) -> Term:
        return Term(f"b{l + 1}", f"b_{{{l + 1}}}") if self.one_bias[l] else self.own_bias(l, j)

    def z(self, l: int, j: int) -> Term:
        return Term(f"net_{self.neuron(l, j)}", f"net_{{{self.neuron(l, j)}}}")

    def a(self, l: int, j: int) -> Term:
        return self.x(j) if l < 0 else Term(f"out_{self.neuron(l, j)}", f"out_{{{self.neuron(l, j)}}}")

    def delta(self, l: int, j: int) -> Term:
        return Term(f"δ_{self.neuron(l, j)}", rf"\delta_{{{self.neuron(l, j)}}}")

    def c(self, k: int) -> Term:
        return Term(f"E_o{k + 1}", f"E_{{o{k + 1}}}")


class _Script004(_Script002):
    """w^[l]_ij leads from i to j, z = W^T x + b, layers in square brackets."""

    loss_letter = plain("L")
    rate = Term("α", r"\alpha")
    words = "w^[l]_ij leads from neuron i to neuron j: z^[l] = W^[l]T a^[l-1] + b^[l]."

    def w(self, l: int, i: int, j: int) -> Term:
        return self.named("w", l, self.place(l, i, j))

    def a(self, l: int, j: int) -> Term:
        return Notation.a(self, l, j)


NOTATIONS: dict[str, type[Notation]] = {
    "fastmlp": Notation,
    "000": _Script000,
    "001": _Script001,
    "002": _Script002,
    "003": _Script003,
    "004": _Script004,
}
