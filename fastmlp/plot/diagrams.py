"""Diagrams: a net as columns of neurons, and a graph of `fastmlp.graph` from its leaves to its end.

Both are drawn in lines of text: 1 in the coordinates of the Axes is the height of a line, and the size of the font
follows from how many of them the Axes have room for. So texts keep out of each other's way on any Axes.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import checks
from fastmlp.graph import Value
from fastmlp.mlp import MLP
from fastmlp.plot import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_NEURONS, MOST_LAYERS = 16, 8
MOST_NODES = 80
_NUMBERED = 20  # edges between two layers that get numbers unless told
_LINE = 13.5  # points a line, where there is room
_LEGIBLE = 6.5  # points a line at least, for numbers on lines
_THIN, _THICK = 0.5, 5.0  # points: a line's width for a weight of 0, and for the largest where there is room
_FLOAT = np.dtype(np.float64)


def network(
    net: MLP,
    x: ArrayLike | None = None,
    y: Any = None,
    *,
    ax: Axes | None = None,
    numbers: bool | None = None,
) -> Axes:
    """The diagram of a net: a column of neurons for each layer, and the weights as lines.

    A line is the thicker, the larger ``abs(w)``, and blue where w > 0, orange where w < 0. Biases are the weights of
    a dashed unit that is always 1 (script 000 gives it the index 0). With x, each neuron shows its z and a; with x
    and y, there are also the gradients of the loss C: under a neuron those of a and z, under a weight that of the
    weight, as scripts 002 and 003 draw them.

    Parameters
    ----------
    net : MLP
        Of at most 16 neurons in a layer, and at most 8 layers of them, inputs included.
    x : array_like of shape (n_in,), optional
        One sample.
    y : optional
        Its target, as for `MLP.trace`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure unless given. Its scales become equal, its axes invisible.
    numbers : bool, optional
        Whether the lines carry numbers. By default where there are at most 20 between any two layers and the
        Axes are large enough to read them.

    Returns
    -------
    matplotlib.axes.Axes
        With two line collections for each layer l, whose gid are "weights l", in the order of W^l by rows, and
        "biases l".

    Raises
    ------
    ValueError, TypeError
        If the net is too large, or x or y does not fit it.
    ImportError
        If matplotlib is missing.

    Examples
    --------
    >>> import fastmlp
    >>> from fastmlp import plot
    >>> net = fastmlp.MLP([2, 2, 1], activation="sigmoid", output="sigmoid", seed=0)
    >>> ax = plot.network(net, [0.05, 0.10], [1])
    """
    sizes = canvas.mlp(net).sizes
    if net.input_scale is not None:
        raise ValueError(
            "net has an input_scale, which a diagram has no place for; expected one without, as of from_parameters "
            "with input_scale[:, None] * weights[0]"
        )
    if max(sizes) > MOST_NEURONS or len(sizes) > MOST_LAYERS:
        raise ValueError(
            f"net has layers of {', '.join(map(str, sizes))} neurons; a diagram shows at most {MOST_LAYERS} layers "
            f"of at most {MOST_NEURONS}. For larger nets there are plot.first_layer, plot.histograms and net.explain"
        )
    most = max((n_in + net.bias) * n_out for n_in, n_out in pairwise(sizes))
    shown = most <= _NUMBERED if numbers is None else checks.boolean("numbers", numbers)
    if x is None and y is not None:
        raise ValueError("y came without x; expected the sample too, or neither")
    net._check_parameters()
    sample = None if x is None else checks.shaped("x", x, (sizes[0],), net.dtype)
    trace = None if sample is None or y is None else net.trace(sample, y)
    values = _forward(net, sample) if sample is not None else None
    layout = _Layout(net, shown, sample is not None, trace is not None)

    ax = canvas.axes(ax, *layout.inches)
    scale = _prepare(ax, *layout.box)
    if shown and numbers is None and scale < _LEGIBLE:
        shown = False
        layout = _Layout(net, shown, sample is not None, trace is not None)
        scale = _prepare(ax, *layout.box)
    _draw_weights(ax, net, layout, scale)
    _draw_neurons(ax, net, layout, scale, values, trace)
    if shown:
        _draw_numbers(ax, net, layout, scale, trace)
    _draw_key(ax, net.bias, shown, trace is not None, scale)
    return ax


class _Layout:
    """Where everything stands, in lines of text; y grows upwards.

    Neurons of a layer are `row` apart and around 0, the bias unit below them, so that neighbouring columns are
    equally spaced. Then the n_in · n_out numbers between two of them have places at equal distances on one
    vertical: where 1 / (n_out + 1) of the way is done, or where it is still to be done (n_in + 1).
    """

    def __init__(self, net: MLP, numbers: bool, values: bool, gradients: bool) -> None:
        sizes = net.sizes
        rows = [(n_in + net.bias, n_out) for n_in, n_out in pairwise(sizes)]
        self.radius = 2.25 if values else 1.25
        label = (2.5 if gradients else 1.35) if numbers else 0.0
        self.row = max(
            2 * self.radius + 0.5 + (1.2 if values else 0) + (2.3 if gradients else 0),
            max(label * (1 + min(pair)) for pair in rows),
        )
        self.heights = [self.row * (n - 1) for n in sizes]
        lowest = max(self.heights) / 2 + (2.2 if gradients else 0)
        if net.bias:
            lowest = max(lowest, max(self.heights[:-1]) / 2 + self.row)
        gap = max(12.0 if numbers else 7.0, 0.4 * (max(self.heights) + self.row * net.bias))
        self.columns = [l * (gap + 2 * self.radius) for l in range(len(sizes))]
        self.places = [1 / (1 + out) if out <= into else into / (1 + into) for into, out in rows]
        top = max(self.heights) / 2 + self.radius + (1.2 if values else 0.2)
        self.title = top + 0.6
        left, right = self.radius + 1.5, self.radius + 2.5
        bottom = -lowest - self.radius - 2.6  # room for the key
        self.box = (-left, self.columns[-1] + right, bottom, self.title + (2.9 if gradients else 1.9))
        width, height = self.box[1] - self.box[0], self.box[3] - self.box[2]
        shrink = min(1.0, 12 / (width * _LINE / 72), 9 / (height * _LINE / 72))
        self.inches = (max(width * _LINE / 72 * shrink, 5), height * _LINE / 72 * shrink + 0.5)

    def neuron(self, layer: int, i: int) -> tuple[float, float]:
        """The middle of neuron i of a layer; the bias unit comes after the neurons."""
        return self.columns[layer], self.heights[layer] / 2 - i * self.row

    def edge(self, layer: int, i: int, j: int) -> NDArray[np.float64]:
        """The line from neuron i of a layer to neuron j of the next, (2, 2)."""
        (x0, y0), (x1, y1) = self.neuron(layer, i), self.neuron(layer + 1, j)
        return np.array([[x0 + self.radius, y0], [x1 - self.radius, y1]])


def _forward(net: MLP, x: NDArray[Any]) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """The z of each layer, and a of the inputs and of each layer, by the reference."""
    network = net._architecture.reference_twin()
    network.parameters[...] = net.parameters
    zs, activations = network._pass_forward(x[None].astype(_FLOAT))
    return [z[0] for z in zs], [a[0] for a in activations]


def _prepare(ax: Axes, left: float, right: float, bottom: float, top: float) -> float:
    """Set the plane up for lines of text, and return how many points one of them has."""
    ax.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
    ax.axis("off")
    ax.figure.canvas.figure.draw_without_rendering()  # the layout of the figure decides on the size of the Axes
    extent = ax.get_window_extent()
    points = min(extent.width / (right - left), extent.height / (top - bottom)) * 72 / ax.figure.dpi
    return float(min(points, 1.15 * _LINE))


def _draw_weights(ax: Axes, net: MLP, layout: _Layout, scale: float) -> None:
    from matplotlib.collections import LineCollection

    thick = min(_THICK, 0.4 * scale)

    most = float(np.abs(net.parameters).max()) or 1.0
    for l, W in enumerate(net.weights):
        kinds = {"weights": (W, 0)} | ({"biases": (net.biases[l][None, :], len(W))} if net.bias else {})
        for kind, (matrix, first) in kinds.items():
            edges = [layout.edge(l, first + i, j) for i, j in np.ndindex(matrix.shape)]
            w = matrix.ravel().astype(_FLOAT)
            colours = np.where(w > 0, canvas.BLUE, np.where(w < 0, canvas.ORANGE, canvas.GREY))
            ax.add_collection(
                LineCollection(
                    edges, linewidths=_THIN + (thick - _THIN) * np.abs(w) / most, colors=colours.tolist(), zorder=1,
                    alpha=0.65, linestyles="-" if kind == "weights" else "--", gid=f"{kind} {l + 1}", capstyle="butt",
                ),
                autolim=False,
            )  # fmt: skip


def _draw_neurons(ax: Axes, net: MLP, layout: _Layout, scale: float, values: Any, trace: Any) -> None:
    from matplotlib.patches import Circle

    size, r = 0.8 * scale, layout.radius
    last = len(net.sizes) - 1
    names = ("inputs", *net.activation, net.output)
    for l, n in enumerate(net.sizes):
        title = names[l] if l == 0 else f"layer {l}\n{names[l]}"
        if trace is not None and l == last:
            title += f"\nC = {trace.loss:.6g}"
        ax.text(
            layout.columns[l], layout.title, title, ha="center", va="bottom", fontsize=size, color=canvas.INK,
            linespacing=1.15,
        )  # fmt: skip
        for i in range(n):
            place = layout.neuron(l, i)
            ax.add_patch(Circle(place, r, facecolor="white", edgecolor=canvas.INK, linewidth=1.3, zorder=2))
            name = f"x{i + 1}" if l == 0 else (f"ŷ{i + 1}" if n > 1 else "ŷ") if l == last else f"h{i + 1}"
            if values is None:
                _write(ax, place, name, size)
                continue
            if trace is not None and l == last:
                name += f",  y = {canvas.text_of(float(np.ravel(trace.targets)[i]))}"
            _write(ax, (place[0], place[1] + r + 0.65), name, size)
            zs, activations = values
            a = canvas.text_of(activations[l][i])
            inside = [a] if l == 0 else [f"z {canvas.text_of(zs[l - 1][i])}", f"a {a}"]
            for k, text in enumerate(inside):
                _write(ax, (place[0], place[1] + (len(inside) - 1) * 0.55 - 1.1 * k), text, size)
            for k, text in enumerate(_gradients(trace, l, i)):
                _write(ax, (place[0], place[1] - r - 0.75 - 1.1 * k), text, 0.9 * size, canvas.PURPLE)
        if net.bias and l < last:
            place = layout.neuron(l, n)
            ax.add_patch(Circle(place, r, facecolor="white", edgecolor=canvas.INK, linestyle="--", zorder=2))
            _write(ax, place, "1", size)


def _gradients(trace: Any, layer: int, i: int) -> list[str]:
    """What stands under neuron i of a layer, 0 for the inputs."""
    if trace is None:
        return []
    if layer == 0:
        return [f"∂C/∂x {canvas.text_of(trace.gradient_inputs[i])}"]
    here = trace.layers[layer - 1]
    return [f"∂C/∂a {canvas.text_of(here.gradient_a[i])}", f"∂C/∂z {canvas.text_of(here.delta[i])}"]


def _draw_numbers(ax: Axes, net: MLP, layout: _Layout, scale: float, trace: Any) -> None:
    """Weights, and under them their gradients, where the layout has places for them."""
    for l, W in enumerate(net.weights):
        rows = np.vstack([W, net.biases[l][None, :]]) if net.bias else W
        gradients = None
        if trace is not None:
            here = trace.layers[l]
            gradients = np.vstack([here.gradient_weights, *([here.gradient_biases] if net.bias else [])])
        for i, j in np.ndindex(rows.shape):
            start, end = layout.edge(l, i, j)
            place = start + layout.places[l] * (end - start)
            shift = 0.52 if gradients is not None else 0.0
            _write(ax, (place[0], place[1] + shift), canvas.text_of(float(rows[i, j])), 0.78 * scale)
            if gradients is not None:
                text = canvas.text_of(float(gradients[i, j]))
                _write(ax, (place[0], place[1] - shift), text, 0.74 * scale, canvas.PURPLE)


def _draw_key(ax: Axes, bias: bool, numbers: bool, gradients: bool, scale: float) -> None:
    """What lines and numbers are, within the Axes."""
    from matplotlib.lines import Line2D

    entries = [("w > 0", canvas.BLUE, "-", ""), ("w < 0", canvas.ORANGE, "-", "")]
    entries += [("bias", canvas.GREY, "--", "")] if bias else []
    entries += [("weight w", canvas.INK, "", "$0.1$")] if numbers else []
    entries += [("its gradient ∂C/∂w", canvas.PURPLE, "", "$0.1$")] if numbers and gradients else []
    handles = [
        Line2D(
            [], [], color=colour, linestyle=style, linewidth=2.5, marker=marker, markersize=1.35 * scale,
            markeredgewidth=0.3, label=name,
        )
        for name, colour, style, marker in entries
    ]  # fmt: skip
    ax.legend(
        handles=handles, loc="lower center", frameon=False, ncols=len(handles), fontsize=0.75 * scale,
        borderaxespad=0, columnspacing=1.5, handlelength=2.2,
    )  # fmt: skip


def _write(ax: Axes, place: tuple[float, float], text: str, size: float, colour: str = canvas.INK) -> None:
    ax.text(
        *place, text, fontsize=size, color=colour, ha="center", va="center_baseline", zorder=4,
        path_effects=canvas.halo(0.3 * size), parse_math=text.startswith("$\\mathrm{"),
    )  # fmt: skip


def graph(value: Value, *, ax: Axes | None = None) -> Axes:
    """A computational graph from left to right: what was computed, and what `backward` sent back.

    Above the edge that leaves a node stands its value, below it the gradient that came back along this edge, once
    `value.backward()` was called (script 003 draws f = (x + y) z so). Leaves are square, operations round.

    Parameters
    ----------
    value : fastmlp.graph.Value
        The end of the graph, of at most 80 nodes.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure unless given. Its scales become equal, its axes invisible.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError, TypeError
        If value is no Value, or its graph is too large.
    ImportError
        If matplotlib is missing.

    Examples
    --------
    >>> from fastmlp import plot
    >>> from fastmlp.graph import Value
    >>> x, y, z = Value(-2, "x"), Value(5, "y"), Value(-4, "z")
    >>> f = (x + y) * z
    >>> f.backward()
    >>> ax = plot.graph(f)
    """
    if not isinstance(value, Value):
        raise TypeError(f"value is a {type(value).__name__}; expected a fastmlp.graph.Value")
    nodes = value.nodes()
    if len(nodes) > MOST_NODES:
        raise ValueError(
            f"value has a graph of {len(nodes)} nodes; a picture shows at most {MOST_NODES}. Draw a node further "
            "inside, or read value.table()"
        )
    edges = value.edges()
    places, paths = _layered(nodes, [(edge.source, edge.target) for edge in edges])
    x, y = np.array(list(places.values())).T
    end = places[value]
    box = (x.min() - 4, x.max() + 9, min(y.min(), *(p[:, 1].min() for p in paths), end[1]) - 4.2, y.max() + 2.5)
    width, height = box[1] - box[0], box[3] - box[2]
    shrink = min(1.0, 16 / (width * _LINE / 72), 12 / (height * _LINE / 72))

    ax = canvas.axes(ax, max(width * _LINE / 72 * shrink, 5), height * _LINE / 72 * shrink)
    scale = _prepare(ax, *box)
    carried = [(edge.source.value, edge.gradient) for edge in edges]
    paths.append(np.array([end, (end[0] + 8, end[1])]))
    spots = _spots(paths, list(places.values()))
    for path, spot, (number, gradient) in zip(paths, spots, [*carried, (value.value, value.grad)], strict=True):
        ax.plot(*path.T, color=canvas.GREY, linewidth=1.2, zorder=1)
        _write(ax, (spot[0], spot[1] + 0.55), canvas.text_of(number), 0.78 * scale)
        if value.grad:
            _write(ax, (spot[0], spot[1] - 0.6), canvas.text_of(gradient), 0.78 * scale, canvas.PURPLE)
    for node, place in places.items():
        _draw_node(ax, node, place, scale)
    _draw_graph_key(ax, bool(value.grad), scale)
    return ax


_ROOM = np.array([4.5, 2.4])  # lines that a number and its gradient take up
_ON_THE_WAY = np.array([0.5, 0.42, 0.58, 0.36, 0.64, 0.3, 0.7, 0.24, 0.76])[:, None]


def _spots(paths: list[NDArray[np.float64]], nodes: list[tuple[float, float]]) -> list[NDArray[np.float64]]:
    """For each path a place for its two numbers on its first piece, away from nodes and from the other numbers.

    Each takes in turn the first place that is free, else the one with the most room, until none wants to move.
    """
    ways = [path[0] + _ON_THE_WAY * (path[1] - path[0]) for path in paths]
    spots = [way[0] for way in ways]
    for _ in range(5):
        for k, way in enumerate(ways):
            others = np.array([*nodes, *spots[:k], *spots[k + 1 :]])
            # Two are apart if they are in one of the two directions.
            room = (np.abs(way[:, None] - others) / _ROOM).max(axis=2).min(axis=1)
            spots[k] = way[np.argmax(np.minimum(room, 1))]
    return spots


def _draw_node(ax: Axes, node: Value, place: tuple[float, float], scale: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    leaf = not node.inputs
    text = node.operation.replace("·", "×")  # a · is a speck
    if leaf:
        text = node.name or canvas.text_of(node.value)
    letters = len(re.sub(r"\^[^_]+|_", "", text)) or len(text)  # side by side
    half = max(1.0, 0.24 * letters + 0.4)  # of its width
    ax.add_patch(
        FancyBboxPatch(
            (place[0] - half, place[1] - 1), 2 * half, 2, edgecolor=canvas.INK, linewidth=1.2, zorder=3,
            boxstyle="square,pad=0" if leaf else "round,pad=0,rounding_size=1",
            facecolor="#F2F2F2" if leaf else "white",
        )
    )  # fmt: skip
    _write(ax, place, _indexed(text), (1.0 if len(text) == 1 else 0.8) * scale)
    if node.name and not leaf:
        _write(ax, (place[0], place[1] + 1.9), _indexed(node.name), 0.8 * scale)


def _indexed(name: str) -> str:
    """A name as w^1_12, net_h1 or softmax_1 with its indices raised and lowered."""
    parts = re.fullmatch(r"([^\W\d_]+)(?:\^([A-Za-z0-9.]+))?(?:_([A-Za-z0-9,]+))?", name)
    if parts is None or not (parts[2] or parts[3]):
        return name
    above, below = (f"{sign}{{{index}}}" if index else "" for sign, index in (("^", parts[2]), ("_", parts[3])))
    return f"$\\mathrm{{{parts[1]}}}{above}{below}$"


def _draw_graph_key(ax: Axes, gradients: bool, scale: float) -> None:
    from matplotlib.lines import Line2D

    entries = [("value", canvas.INK)] + ([("gradient", canvas.PURPLE)] if gradients else [])
    handles = [
        Line2D(
            [], [], color=colour, linestyle="", marker="$0.1$", markersize=1.35 * scale, markeredgewidth=0.3,
            label=name,
        )
        for name, colour in entries
    ]  # fmt: skip
    ax.legend(handles=handles, loc="lower center", frameon=False, ncols=2, fontsize=0.75 * scale, borderaxespad=0)


_COLUMN, _ROW = 10.5, 4.4  # lines between two columns, and two places in one


def _layered(
    nodes: list[Value], edges: list[tuple[Value, Value]]
) -> tuple[dict[Value, tuple[float, float]], list[NDArray[np.float64]]]:
    """A place for each node, and a path for each edge, as Sugiyama et al. 1981 lay out graphs.

    A node stands one column to the right of the last of its inputs, a leaf one to the left of the first that needs
    it. An edge over several columns gets a place in each between, so that no node lies upon it. Then each
    column is moved towards its neighbours, in turn from the left and from the right.
    """
    depth: dict[Any, int] = {}
    for node in nodes:
        depth[node] = 1 + max((depth[one] for one in node.inputs), default=-1)
    for node in nodes:
        if not node.inputs:
            depth[node] = min((depth[target] for source, target in edges if source is node), default=1) - 1
    chains: list[list[Any]] = []
    for k, (source, target) in enumerate(edges):
        between = range(depth[source] + 1, depth[target])
        chains.append([source, *((k, column) for column in between), target])
        depth |= {(k, column): column for column in between}
    columns: list[list[Any]] = [[] for _ in range(max(depth.values()) + 1)]
    for key, column in depth.items():
        columns[column].append(key)
    y = {key: -_ROW * row for column in columns for row, key in enumerate(column)}
    links: dict[int, dict[Any, list[Any]]] = {-1: {key: [] for key in y}, 1: {key: [] for key in y}}
    for chain in chains:
        for left, right in pairwise(chain):
            links[1][left].append(right)
            links[-1][right].append(left)
    for sweep in range(12):
        side = -1 if sweep % 2 == 0 else 1
        for keys in columns if side == -1 else columns[::-1]:
            wanted = [float(np.mean([y[other] for other in links[side][key] or [key]])) for key in keys]
            y |= zip(keys, _apart(wanted), strict=True)
    places = {node: (depth[node] * _COLUMN, y[node]) for node in nodes}
    paths = [np.array([(depth[key] * _COLUMN, y[key]) for key in chain]) for chain in chains]
    for k, edge in enumerate(edges):
        same = [i for i, other in enumerate(edges) if other == edge]
        if len(same) > 1 and len(paths[k]) == 2:  # a value that enters twice: the edges bend away from each other
            bend = (same.index(k) - (len(same) - 1) / 2) * 0.8 * _ROW
            paths[k] = np.insert(paths[k], 1, paths[k].mean(axis=0) - (0, bend), axis=0)
    return places, paths


def _apart(wanted: list[float]) -> list[float]:
    """The numbers nearest to these, in the same order, that are a row apart: least squares, by pooling neighbours."""
    order = np.argsort(-np.array(wanted), kind="stable")
    pools: list[tuple[float, int]] = []
    for i, k in enumerate(order):
        mean, count = wanted[k] + i * _ROW, 1
        while pools and pools[-1][0] <= mean:
            above, n = pools.pop()
            mean, count = (mean * count + above * n) / (count + n), count + n
        pools.append((mean, count))
    flat = np.repeat([mean for mean, _ in pools], [count for _, count in pools]) - _ROW * np.arange(len(wanted))
    result = np.empty(len(wanted))
    result[order] = flat
    return result.tolist()
