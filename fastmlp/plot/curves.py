"""The activations and their derivatives as curves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fastmlp import checks, functions
from fastmlp.plot import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Those of the lecture scripts; those further down lie upon the others where they meet, and are thinner.
_SCRIPTS = ("identity", "leaky_relu", "relu", "step", "sigmoid", "tanh")
_POINTS = 801


def activations(
    names: str | Iterable[str] | None = None,
    *,
    ax: Axes | None = None,
    derivative: bool = False,
    limits: Sequence[float] = (-4, 4),
) -> Axes:
    """Curves of activations g(z), or of their derivatives g'(z).

    Parameters
    ----------
    names : str or iterable of str, optional
        Of `fastmlp.activations`, softmax excepted, which is a function of several z. By default those of the lecture
        scripts: identity, leaky_relu, relu, step, sigmoid and tanh, the step not among the derivatives.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure unless given.
    derivative : bool
        Whether to draw g' in place of g.
    limits : (float, float)
        The least and the greatest z.

    Returns
    -------
    matplotlib.axes.Axes
        Whose first lines are those of the names, in their order.

    Raises
    ------
    ValueError, TypeError
        If a name is unknown or given twice, if step is asked for its derivative, or for limits that do not rise.
    ImportError
        If matplotlib is missing.

    Examples
    --------
    >>> from fastmlp import plot
    >>> ax = plot.activations(["sigmoid", "tanh"], derivative=True)
    >>> [line.get_label() for line in ax.lines[:2]]
    ['sigmoid', 'tanh']
    """
    derivative = checks.boolean("derivative", derivative)
    low, high = pair("limits", limits)
    if names is None:
        names = [name for name in _SCRIPTS if not (derivative and name == "step")]
    if isinstance(names, str):
        names = [names]
    if not isinstance(names, Iterable):
        raise TypeError(f"names is {names!r}; expected names of fastmlp.activations")
    known = [name for name in functions.activations if name != "softmax"]  # which is no function of one z
    chosen = [checks.choice(f"names[{i}]", name, known) for i, name in enumerate(names)]
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(f"names is {chosen}; expected one or more names, each once")
    if derivative and "step" in chosen:
        raise ValueError(
            "names has 'step', whose derivative is 0 where it has one; leave it out with derivative=True"
        )
    z = np.linspace(low, high, _POINTS)
    rows = [functions.activations[name] for name in chosen]
    curves = [row.derivative(z) if derivative else row(z) for row in rows]

    ax = canvas.axes(ax, 8.3, 4.4)
    for i, (name, curve) in enumerate(zip(chosen, curves, strict=True)):
        colour, style = canvas.CURVES[i % len(canvas.CURVES)], canvas.LINES[i % len(canvas.LINES)]
        width = 1.8 + 2.4 * (len(chosen) - 1 - i) / max(len(chosen) - 1, 1)
        ax.plot(z, curve, color=colour, linestyle=style, linewidth=width, label=name)
    ax.set(xlabel="z", ylabel="derivative g′(z)" if derivative else "g(z)")
    ax.axhline(0, color=canvas.GREY, linewidth=0.8, zorder=0)
    ax.axvline(0, color=canvas.GREY, linewidth=0.8, zorder=0)
    ax.margins(x=0)
    canvas.quiet(ax)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, handlelength=4.5)
    return ax


def pair(name: str, given: object) -> tuple[float, float]:
    """Two numbers that rise."""
    expected = "expected two numbers, the least and the greatest"
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise TypeError(f"{name} is {given!r}; {expected}")
    numbers = list(given)
    if len(numbers) != 2:
        raise ValueError(f"{name} has {len(numbers)} elements; {expected}")
    low, high = (checks.number(f"{name}[{i}]", value) for i, value in enumerate(numbers))
    if low >= high:
        raise ValueError(f"{name} is ({low:g}, {high:g}); {expected}")
    return low, high
