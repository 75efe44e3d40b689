"""Decision boundaries: what a net of two inputs answers all over their plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import checks, formulas
from fastmlp.mlp import MLP
from fastmlp.perceptron import Perceptron
from fastmlp.plot import canvas
from fastmlp.plot.curves import pair

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GRID = 301  # points along each axis
_LABELLED = 12  # hidden lines with a name
_FLOAT = np.dtype(np.float64)


def decision_boundary(
    net: MLP | Perceptron,
    X: ArrayLike | None = None,
    y: ArrayLike | None = None,
    *,
    ax: Axes | None = None,
    limits: Sequence[Sequence[float]] | None = None,
    hidden: bool = True,
) -> Axes:
    """Where a net of two inputs changes its answer, and what it answers on either side.

    =======================  =================================================  ==================
    output                   shade                                              boundary
    =======================  =================================================  ==================
    softmax                  the class of the largest output                    between classes
    one sigmoid              the output, probability of class 1                 0.5
    one tanh, identity, ...  the output                                         0
    Perceptron               the class                                          w·x + b = 0
    =======================  =================================================  ==================

    Parameters
    ----------
    net : MLP or Perceptron
        With two inputs.
    X : array_like of shape (m, 2), optional
        Samples to draw.
    y : array_like, optional
        Their classes, to tell them apart by colour and marker; as for `MLP.evaluate`. For one output that is neither
        softmax nor sigmoid, the classes are y > 0 and the rest. For a Perceptron, its labels.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure unless given.
    limits : ((float, float), (float, float)), optional
        Least and greatest x1, and x2. By default around X; without X from -0.5 to 1.5, around the tables of gates.
    hidden : bool
        Whether to draw the lines z = 0 of the neurons of the first hidden layer, if there is one; h1, h2, ... where
        there are at most 12. They are what the layers behind have to combine (script 002, XNOR).

    Returns
    -------
    matplotlib.axes.Axes
        Its lines of hidden neurons have the labels h1, h2, ...

    Raises
    ------
    ValueError, TypeError
        If the net has not two inputs or its outputs have no boundary, or X, y or limits are not of the form above.
    ImportError
        If matplotlib is missing.

    Examples
    --------
    >>> import fastmlp
    >>> from fastmlp import plot
    >>> X, AND = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 0, 0, 1]
    >>> ax = plot.decision_boundary(fastmlp.Perceptron().fit(X, AND), X, AND)
    """
    hidden = checks.boolean("hidden", hidden)
    if not isinstance(net, (MLP, Perceptron)):
        raise TypeError(f"net is a {type(net).__name__}; expected a fastmlp.MLP or a fastmlp.Perceptron")
    n_in = net.sizes[0] if isinstance(net, MLP) else len(net.weights)
    if isinstance(net, Perceptron) and n_in == 0:
        raise ValueError("this Perceptron has not been fitted; call fit(X, y) first")
    if n_in != 2:
        raise ValueError(f"net has {n_in} inputs; a plane shows 2")
    if isinstance(net, MLP):
        net._check_parameters()
        _check_outputs(net)
    points = None if X is None else checks.inputs(X, 2, _FLOAT)
    if points is None and y is not None:
        raise ValueError("y came without X; expected the samples too, or neither")
    names, members = _members(net, points, y)
    x1, x2 = _limits(limits, points)
    grid_1, grid_2 = np.linspace(*x1, _GRID), np.linspace(*x2, _GRID)
    plane = np.stack(np.meshgrid(grid_1, grid_2), axis=-1)  # (x2, x1, 2)
    flat = plane.reshape(-1, 2)
    outputs = net.predict(flat) if isinstance(net, MLP) else net.decision_function(flat)
    values = outputs.reshape(_GRID, _GRID, -1).astype(np.float64)
    lines = _lines(net, x1, x2) if hidden and isinstance(net, MLP) and len(net.sizes) > 2 else {}

    ax = canvas.axes(ax, 7.2, 5.4)
    from matplotlib.lines import Line2D

    boundary = {"colors": canvas.INK, "linewidths": 2.4}
    if isinstance(net, Perceptron):
        _tint(ax, grid_1, grid_2, (values[..., 0] > 0).astype(int), 2)
        ax.contour(grid_1, grid_2, values[..., 0], [0], **boundary)
        name = "w·x + b = 0"
    elif net.output == "softmax":
        _tint(ax, grid_1, grid_2, values.argmax(axis=-1), net.sizes[-1])
        for k in range(net.sizes[-1]):
            lead = values[..., k] - np.delete(values, k, axis=-1).max(axis=-1)
            if lead.min() < 0 < lead.max():
                ax.contour(grid_1, grid_2, lead, [0], **boundary)
        name = "boundary"
    else:
        z = values[..., 0]
        sigmoid = net.output == "sigmoid"
        level, most = (0.5, 1.0) if sigmoid else (0.0, float(np.abs(z).max()) or 1.0)
        shade = ax.pcolormesh(
            grid_1, grid_2, z, cmap=canvas.signs(0.55), vmin=0 if sigmoid else -most, vmax=most, shading="nearest",
            rasterized=True,
        )  # fmt: skip
        ax.figure.colorbar(shade, ax=ax, label="output ŷ, probability of class 1" if sigmoid else "output ŷ")
        if z.min() < level < z.max():
            ax.contour(grid_1, grid_2, z, [level], **boundary)
        name = f"ŷ = {level:g}"
    handles = [Line2D([], [], color=canvas.INK, linewidth=2.4, label=name)]
    handles += _draw_lines(ax, lines, x1, x2, points)
    if points is not None:
        colours = canvas.classes(len(names)) if y is not None else [canvas.INK]
        for i, (label, rows) in enumerate(zip(names, members, strict=True)):
            (marks,) = ax.plot(
                points[rows, 0], points[rows, 1], linestyle="", marker=canvas.MARKERS[i % len(canvas.MARKERS)],
                color=colours[i], markeredgecolor=canvas.INK, markeredgewidth=0.7,
                markersize=10 if len(points) <= 20 else 6, label=label, zorder=4,
            )  # fmt: skip
            handles.append(marks)
    ax.set(xlabel="x1", ylabel="x2", xlim=x1, ylim=x2)
    canvas.legend_below(ax, handles)
    return ax


def _check_outputs(net: MLP) -> None:
    """Refuse outputs without a boundary."""
    n_out = net.sizes[-1]
    if n_out > 1 and net.output != "softmax":
        raise ValueError(
            f"net has {n_out} {net.output} outputs, which have no common boundary; expected softmax, or one output"
        )
    if net.output not in ("softmax", "sigmoid"):
        below, above = formulas.ACTIVATIONS[net.output].value(np.array([-1.0, 1.0]), net.negative_slope)
        if not below < 0 < above:
            raise ValueError(f"the output of net is {net.output}, which is never negative; the boundary would be 0")


def _members(net: MLP | Perceptron, points: Any, y: Any) -> tuple[list[str], list[NDArray[np.bool_]]]:
    """Names of classes, and which rows belong to each."""
    if points is None:
        return [], []
    rows = len(points)
    if y is None:
        return ["samples"], [np.ones(rows, bool)]
    if isinstance(net, Perceptron):
        labels = np.asarray(y)
        if labels.shape != (rows,):
            raise ValueError(f"y has shape {labels.shape} for {rows} rows of X; expected ({rows},)")
        known = np.isin(labels, net.classes)
        if not known.all():
            at = int(np.argmin(known))
            raise ValueError(f"y[{at}] is {labels[at]!r}; expected the labels of fit, {net.classes.tolist()}")
        return [f"class {each}" for each in net.classes.tolist()], [labels == each for each in net.classes]
    targets = checks.targets(y, rows, net.sizes[-1], net.output, net.loss, net.dtype)
    if net.output == "softmax":
        labels = targets if targets.ndim == 1 else targets.argmax(axis=1)
        return [f"class {k}" for k in range(net.sizes[-1])], [labels == k for k in range(net.sizes[-1])]
    if net.output == "sigmoid":
        return ["class 0", "class 1"], [targets[:, 0] < 0.5, targets[:, 0] >= 0.5]
    return ["y ≤ 0", "y > 0"], [targets[:, 0] <= 0, targets[:, 0] > 0]


def _limits(given: Any, points: Any) -> tuple[tuple[float, float], tuple[float, float]]:
    """Least and greatest x1 and x2."""
    if given is not None:
        if isinstance(given, (str, bytes)) or not isinstance(given, Sequence | np.ndarray) or len(given) != 2:
            raise TypeError(f"limits is {given!r}; expected ((least x1, greatest x1), (least x2, greatest x2))")
        return pair("limits[0]", given[0]), pair("limits[1]", given[1])
    if points is None:
        return (-0.5, 1.5), (-0.5, 1.5)
    low, high = points.min(axis=0), points.max(axis=0)
    room = np.where(high > low, 0.15 * (high - low), np.maximum(np.abs(low), 1))
    return tuple(zip((low - room).tolist(), (high + room).tolist(), strict=True))  # type: ignore[return-value]


def _tint(ax: Axes, grid_1: Any, grid_2: Any, classes: Any, n: int) -> None:
    """Fill each class's part of the plane with a light tone of its colour."""
    from matplotlib.colors import ListedColormap, to_rgb

    light = ListedColormap([[1 - 0.3 * (1 - part) for part in to_rgb(colour)] for colour in canvas.classes(n)])
    ax.pcolormesh(grid_1, grid_2, classes, cmap=light, vmin=-0.5, vmax=n - 0.5, shading="nearest", rasterized=True)


def _lines(net: MLP, x1: tuple[float, float], x2: tuple[float, float]) -> dict[int, NDArray[np.float64]]:
    """For each neuron j of the first layer whose line z = 0 crosses the plane, its two ends (2, 2)."""
    W = net.weights[0].astype(np.float64)  # (2, n)
    biases = net.biases[0].astype(np.float64) if net.bias else np.zeros(W.shape[1])
    ends = {}
    for j, ((w1, w2), b) in enumerate(zip(W.T, biases, strict=True), start=1):
        on_border = []
        if w2 != 0:
            on_border += [(edge, -(b + w1 * edge) / w2) for edge in x1]
        if w1 != 0:
            on_border += [(-(b + w2 * edge) / w1, edge) for edge in x2]
        # A corner counts as within, whatever the rounding.
        room_1, room_2 = (1e-9 * (high - low) for low, high in (x1, x2))
        within = [
            p
            for p in on_border
            if x1[0] - room_1 <= p[0] <= x1[1] + room_1 and x2[0] - room_2 <= p[1] <= x2[1] + room_2
        ]
        if within:
            first = np.array(min(within))
            last = np.array(max(within))
            if w1 == 0 or w2 == 0 or not np.allclose(first, last):
                ends[j] = np.array([first, last])
    return ends


def _draw_lines(ax: Axes, lines: dict[int, Any], x1: Any, x2: Any, points: Any) -> list[Any]:
    """Draw the hidden neurons' lines, name them where there is room, and return what the legend says."""
    from matplotlib.lines import Line2D

    low, size = np.array([x1[0], x2[0]]), np.array([x1[1] - x1[0], x2[1] - x2[0]])
    taken = [] if points is None or len(points) > 200 else list((points - low) / size)
    for j, ends in lines.items():
        ax.plot(*ends.T, color=canvas.INK, linestyle="--", linewidth=1.2, label=f"h{j}", zorder=3)
        if len(lines) <= _LABELLED:
            along = np.array([0.07, 0.93, 0.2, 0.8, 0.35, 0.65, 0.5])[:, None]
            places = (ends[0] + along * (ends[1] - ends[0]) - low) / size
            distances = [min((np.hypot(*(place - other)) for other in taken), default=1.0) for place in places]
            best = next((i for i, d in enumerate(distances) if d > 0.1), int(np.argmax(distances)))
            taken.append(places[best])
            ax.text(
                *(low + places[best] * size), f"h{j}", color=canvas.INK, fontsize=11, fontweight="bold",
                ha="center", va="center", path_effects=canvas.halo(4), zorder=5,
            )  # fmt: skip
    key = Line2D([], [], color=canvas.INK, linestyle="--", linewidth=1.2, label="hidden neurons, z = 0")
    return [key] if lines else []
