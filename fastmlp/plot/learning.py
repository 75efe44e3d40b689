"""How a net learned: the loss by epoch, and how the weights of a layer or their gradients moved.

The first is what `MLP.fit` returns. The second is what a Recorder saw, a callback of `fit`, which keeps the counts of
a histogram and some quantiles an epoch, not the numbers themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import checks
from fastmlp.history import History
from fastmlp.plot import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_BINS = 64  # of a histogram that is kept
_ROWS = 80  # of the picture
_MOST = 512  # epochs that are kept


def loss(history: History, *, ax: Axes | None = None) -> Axes:
    """The training loss of each epoch, the validation loss if there is one, and the best epoch.

    The best epoch is the one of the least validation loss, or without validation of the least training loss. The
    scale of the losses is logarithmic where all are above zero and the largest is over twenty times the least.

    Parameters
    ----------
    history : History
        What `MLP.fit` returned, with one epoch at least.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure unless given.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError, TypeError
        If history is no History, or has no epoch.
    ImportError
        If matplotlib is missing.

    Examples
    --------
    >>> import fastmlp
    >>> from fastmlp import plot
    >>> X, y = fastmlp.datasets.load_digits()
    >>> net = fastmlp.MLP([64, 32, 10], output="softmax", seed=0)
    >>> ax = plot.loss(net.fit(X, y, epochs=5, validation=0.2))
    """
    if not isinstance(history, History):
        raise TypeError(f"history is a {type(history).__name__}; expected the fastmlp.History that fit returns")
    if not history.loss:
        raise ValueError("history has no epoch; expected one at least: training diverged in its first")
    curves = {"training": history.loss}
    if history.validation_loss:
        curves["validation"] = history.validation_loss
    judged = list(curves)[-1]
    best = int(np.argmin(curves[judged]))

    ax = canvas.axes(ax, 8.3, 4.4)
    for (name, values), colour, style in zip(curves.items(), (canvas.BLUE, canvas.ORANGE), ("-", "--"), strict=False):
        marker = "." if len(values) <= 40 else ""
        epochs = np.arange(1, len(values) + 1)
        ax.plot(epochs, values, color=colour, linestyle=style, marker=marker, linewidth=1.8, label=name)
    low = curves[judged][best]
    ax.plot(
        best + 1, low, linestyle="", marker="o", markersize=11, fillstyle="none", markeredgewidth=1.8,
        color=canvas.INK, label=f"least {judged} loss: {canvas.text_of(low)}, epoch {best + 1}",
    )  # fmt: skip
    every = np.concatenate(list(curves.values()))
    if every.min() > 0 and every.max() > 20 * every.min():
        ax.set_yscale("log")
    ax.set(xlabel="epoch", ylabel="mean loss")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.margins(x=0.02)
    canvas.quiet(ax)
    ax.legend(loc="best", framealpha=0.9, edgecolor="none")
    return ax


class Distribution(NamedTuple):
    """How the numbers of a layer were spread in one epoch.

    Attributes
    ----------
    counts : ndarray of shape (64,), int64
        How many lie in each bin.
    edges : ndarray of shape (65,), float64
        The limits of the bins, from the least number to the greatest.
    quantiles : ndarray of shape (5,), float64
        Of the levels 0.05, 0.25, 0.5, 0.75 and 0.95.
    """

    counts: NDArray[np.int64]
    edges: NDArray[np.float64]
    quantiles: NDArray[np.float64]


class Recorder:
    """A callback for `MLP.fit` that keeps how weights and gradients are spread, layer by layer and epoch by epoch.

    The gradient is that of the mean loss on the samples given here, at the weights that an epoch ended with. What is
    kept is a histogram of 64 bins and five quantiles for each layer, of at most 512 epochs: when there are more,
    every other one is forgotten, and from then on only every second one recorded, and so on. The last epochs may
    thus be missing by less than one part in 256.

    Parameters
    ----------
    X, y
        Samples to take the gradient on, as for `MLP.gradient`: the training data, or a part of it. They are kept, not
        copied.

    Attributes
    ----------
    epochs : list of int
        The epochs that are kept, counted from 1 over all calls of `fit`.
    weights, gradients : list of list of Distribution
        For each layer, that of each of these epochs.

    Raises
    ------
    ValueError, TypeError
        If X or y is no array of numbers; when it is called, if they do not fit the net, or if it is another net than
        before.

    Examples
    --------
    >>> import fastmlp
    >>> from fastmlp import plot
    >>> X, y = fastmlp.datasets.load_digits()
    >>> net, recorder = fastmlp.MLP([64, 16, 10], output="softmax", seed=0), plot.Recorder(X[:200], y[:200])
    >>> history = net.fit(X, y, epochs=5, callbacks=recorder)
    >>> recorder.epochs, int(recorder.weights[0][-1].counts.sum())
    ([1, 2, 3, 4, 5], 1024)
    >>> ax = plot.histograms(recorder, 1, "gradients")
    """

    def __init__(self, X: ArrayLike, y: ArrayLike) -> None:
        self._X, self._y = checks.numeric("X", X), checks.numeric("y", y)
        self._sizes: tuple[int, ...] | None = None
        self._seen, self._every = 0, 1
        self.epochs: list[int] = []
        self.weights: list[list[Distribution]] = []
        self.gradients: list[list[Distribution]] = []

    def __call__(self, net: Any, history: History) -> None:
        """Keep an epoch of this net."""
        net = canvas.mlp(net)
        if self._sizes not in (None, net.sizes):
            raise ValueError(
                f"this Recorder has seen a net of sizes {self._sizes}, now one of {net.sizes}; make one for each net"
            )
        if self._seen % self._every == 0:
            gradients = net.gradient(self._X, self._y).weights
            if not self.weights:
                self._sizes = net.sizes
                self.weights, self.gradients = [[] for _ in net.weights], [[] for _ in net.weights]
            if all(np.isfinite(g).all() for g in gradients):  # else gradient has warned
                self.epochs.append(self._seen + 1)
                for kept, arrays in ((self.weights, net.weights), (self.gradients, gradients)):
                    for layer, array in zip(kept, arrays, strict=True):
                        layer.append(_distribution(array))
        self._seen += 1
        if len(self.epochs) > _MOST:
            self._every *= 2
            del self.epochs[1::2]
            for column in (*self.weights, *self.gradients):
                del column[1::2]


def _distribution(array: NDArray[Any]) -> Distribution:
    values = array.ravel().astype(np.float64)
    counts, edges = np.histogram(values, _BINS)
    return Distribution(counts, edges, np.quantile(values, QUANTILES))


def histograms(recorder: Recorder, layer: int, what: str = "weights", *, ax: Axes | None = None) -> Axes:
    """How the weights of a layer, or their gradients, are spread in each epoch: a heat map with three quantiles.

    A column is an epoch; the darker, the more of the layer's numbers lie there. The lines are the median and the
    quantiles 5 % and 95 %.

    Parameters
    ----------
    recorder : Recorder
        That has been a callback of `MLP.fit`.
    layer : int
        From 1.
    what : {"weights", "gradients"}
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure unless given.

    Returns
    -------
    matplotlib.axes.Axes
        Its first collection holds the share of the layer's numbers, (rows, epochs); each epoch adds up to 1.

    Raises
    ------
    ValueError, TypeError
        If recorder is none or has recorded nothing, the net has no such layer, or `what` is something else.
    ImportError
        If matplotlib is missing.
    """
    if not isinstance(recorder, Recorder):
        raise TypeError(f"recorder is a {type(recorder).__name__}; expected a fastmlp.plot.Recorder")
    checks.choice("what", what, ("weights", "gradients"))
    layer = checks.integer("layer", layer, 1)
    if not recorder.epochs:
        raise ValueError("recorder has recorded nothing; call fit(X, y, callbacks=recorder) first")
    kept = recorder.weights if what == "weights" else recorder.gradients
    if layer > len(kept):
        raise ValueError(f"layer is {layer}; expected 1 to {len(kept)}, the layers of the recorded net")
    epochs, records = np.array(recorder.epochs), kept[layer - 1]
    low, high = min(r.edges[0] for r in records), max(r.edges[-1] for r in records)
    edges = np.linspace(low, high, _ROWS + 1)
    # The share below each edge rises straight within the bin that it was counted in.
    below = [np.interp(edges, r.edges, np.concatenate([[0], np.cumsum(r.counts)]) / r.counts.sum()) for r in records]
    shares = np.diff(below, axis=1).T  # (rows, epochs)
    middles = (epochs[1:] + epochs[:-1]) / 2
    borders = np.concatenate([[epochs[0] - 0.5], middles, [epochs[-1] + 0.5]])

    ax = canvas.axes(ax, 8.3, 4.4)
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap, PowerNorm

    blues = ListedColormap(colormaps["Blues"](np.linspace(0, 0.85, 256)))
    mesh = ax.pcolormesh(borders, edges, shares, cmap=blues, norm=PowerNorm(0.5, 0, shares.max()))
    bar = ax.figure.colorbar(mesh, ax=ax, label=f"share of the {what} in a bin")
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
    quantiles = np.array([r.quantiles for r in records])
    for level, style in ((0.95, "--"), (0.5, "-"), (0.05, ":")):
        name = "median" if level == 0.5 else f"{level:.0%} quantile"
        line = quantiles[:, QUANTILES.index(level)]
        ax.plot(epochs, line, color=canvas.ORANGE, linestyle=style, linewidth=2, label=name)
    symbol = f"$W^{layer}$" if what == "weights" else f"$\\partial C/\\partial W^{layer}$"
    ax.set(xlabel="epoch", ylabel=f"{what} of layer {layer}, {symbol}", xlim=borders[[0, -1]])
    ax.xaxis.get_major_locator().set_params(integer=True)
    canvas.legend_below(ax, ax.get_lines())
    return ax
