"""Matrices as images: the weights of a first layer, and who is taken for whom."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import checks
from fastmlp.mlp import MLP
from fastmlp.plot import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 256  # neurons in one mosaic


def first_layer(
    net: MLP, shape: Sequence[int], *, neurons: Iterable[int] | None = None, ax: Axes | None = None
) -> Axes:
    """The weights that enter each neuron of the first layer, as an image; all of them in one mosaic.

    For inputs that are pixels: an image shows which of them a neuron adds (blue) and which it takes away (orange).

    Parameters
    ----------
    net : MLP
    shape : (int, int)
        Rows and columns of an image, as (8, 8) for 64 inputs, which X has row by row.
    neurons : iterable of int, optional
        Which neurons, numbered from 1, in this order; at most 256. All of them unless given.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure unless given.

    Returns
    -------
    matplotlib.axes.Axes
        With one image, the numbers of the neurons at the left of each row; between two neurons a pixel is masked.

    Raises
    ------
    ValueError, TypeError
        If shape does not make the inputs, the first layer has no such neuron, or there are too many.
    ImportError
        If matplotlib is missing.

    Examples
    --------
    >>> import fastmlp
    >>> from fastmlp import plot
    >>> net = fastmlp.MLP([64, 32, 10], output="softmax", seed=0)
    >>> ax = plot.first_layer(net, (8, 8))
    """
    canvas.mlp(net)._check_parameters()
    W = net.weights[0].astype(np.float64)  # (n_in, n_out)
    if net.input_scale is not None:
        W *= net.input_scale[:, None]
    n_in, n_out = W.shape
    if not isinstance(shape, (tuple, list)) or len(shape) != 2:
        raise TypeError(f"shape is {shape!r}; expected two integers, rows and columns of an image")
    height, width = (checks.integer(f"shape[{i}]", n, 1) for i, n in enumerate(shape))
    if height * width != n_in:
        raise ValueError(
            f"shape is ({height}, {width}), {height * width} pixels, for a net of {n_in} inputs; expected rows "
            f"times columns to be {n_in}"
        )
    if neurons is not None and (isinstance(neurons, (str, bytes)) or not isinstance(neurons, Iterable)):
        raise TypeError(f"neurons is {neurons!r}; expected a list of numbers from 1 to {n_out}")
    given = range(1, n_out + 1) if neurons is None else neurons
    chosen = [checks.integer(f"neurons[{i}]", j, 1) for i, j in enumerate(given)]
    for i, j in enumerate(chosen):
        if j > n_out:
            raise ValueError(f"neurons[{i}] is {j}; expected 1 to {n_out}, the neurons of the first layer")
    if not 0 < len(chosen) <= _MOST:
        raise ValueError(
            f"{'the first layer' if neurons is None else 'neurons'} has {len(chosen)} neurons; expected 1 to "
            f"{_MOST}: choose some, as in neurons=range(1, 65)"
        )
    mosaic, columns = _mosaic(W[:, np.array(chosen) - 1].T.reshape(-1, height, width))

    ax = canvas.axes(ax, 8.3, min(max(7 * mosaic.shape[0] / mosaic.shape[1] + 0.6, 2), 9))
    most = np.nanmax(np.abs(mosaic)) or 1.0
    image = ax.imshow(mosaic, cmap=canvas.signs(), vmin=-most, vmax=most, interpolation="nearest")
    ax.figure.colorbar(image, ax=ax, label="weight", fraction=0.05, pad=0.02)
    firsts = range(0, len(chosen), columns)
    ax.set_yticks(
        [1 + height // 2 + row * (height + 1) - (height % 2 == 0) / 2 for row in range(len(firsts))],
        [f"h{chosen[i]}" for i in firsts],
    )
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


def _mosaic(tiles: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """Tiles (n, h, w) in rows of so many columns, a line of NaN around each."""
    n, height, width = tiles.shape
    columns = min(n, math.ceil(math.sqrt(n * 1.8 * height / width)))  # somewhat wider than high
    mosaic = np.full((-(-n // columns) * (height + 1) + 1, columns * (width + 1) + 1), np.nan)
    for i, tile in enumerate(tiles):
        row, column = divmod(i, columns)
        top, left = row * (height + 1) + 1, column * (width + 1) + 1
        mosaic[top : top + height, left : left + width] = tile
    return mosaic, columns


def confusion_matrix(
    net: Any,
    X: Any,
    y: ArrayLike,
    *,
    ax: Axes | None = None,
    labels: Sequence[object] | None = None,
    normalize: bool = False,
) -> Axes:
    """How often a class (row) is taken for a class (column), by scikit-learn's ConfusionMatrixDisplay.

    Parameters
    ----------
    net : MLP or estimator
        An MLP that classifies, or any classifier of scikit-learn's kind with predict and ``classes_``.
    X : array_like of shape (m, n_in)
        Samples; what predict takes.
    y : array_like of shape (m,)
        Their classes; for an MLP also what `MLP.evaluate` takes.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure unless given.
    labels : sequence, optional
        Names to show for the classes, in their order; by default the classes themselves.
    normalize : bool
        Whether to show the share of each row instead of counts.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError, TypeError
        If net is no classifier, X or y does not fit, or labels are not as many as classes.
    ImportError
        If matplotlib or scikit-learn is missing.

    Examples
    --------
    >>> import fastmlp
    >>> from fastmlp import plot
    >>> X, y = fastmlp.datasets.load_digits()
    >>> net = fastmlp.MLP([64, 32, 10], output="softmax", seed=0)
    >>> history = net.fit(X, y, epochs=5)
    >>> ax = plot.confusion_matrix(net, X, y, normalize=True)
    """
    try:
        from sklearn import metrics
    except ImportError as missing:
        raise ImportError(
            f"fastmlp.plot.confusion_matrix needs scikit-learn ({missing}): pip install fastmlp[sklearn]"
        ) from missing
    normalize = checks.boolean("normalize", normalize)
    if isinstance(net, MLP):
        classes, truth, answers = _classified(net, X, y)
    elif hasattr(net, "predict") and hasattr(net, "classes_"):
        classes, truth, answers = np.asarray(net.classes_), np.asarray(y), np.asarray(net.predict(X))
        if truth.shape != (len(answers),) or answers.ndim != 1:
            raise ValueError(f"y has shape {truth.shape} for {len(answers)} rows of X; expected a class for each row")
        unknown = ~np.isin(truth, classes)
        if unknown.any():
            at = int(np.argmax(unknown))
            raise ValueError(f"y[{at}] is {truth[at]!r}; expected one of the classes of net, {classes.tolist()}")
    else:
        raise TypeError(f"net is a {type(net).__name__}; expected an MLP, or a fitted classifier with predict")
    if labels is not None and (isinstance(labels, (str, bytes)) or not isinstance(labels, Iterable)):
        raise TypeError(f"labels is {labels!r}; expected a name for each of the {len(classes)} classes")
    names = classes.tolist() if labels is None else list(labels)
    if len(names) != len(classes):
        raise ValueError(f"labels has {len(names)} names; expected {len(classes)}, one for each class")
    counts = metrics.confusion_matrix(truth, answers, labels=classes, normalize="true" if normalize else None)

    ax = canvas.axes(ax, 7, 6)
    display = metrics.ConfusionMatrixDisplay(counts, display_labels=names)
    slanted = max(len(str(name)) for name in names) > 4
    size = min(12, 160 / len(names))
    display.plot(
        ax=ax, cmap="Blues", values_format=".2f" if normalize else "d", xticks_rotation=45 if slanted else 0,
        text_kw={"fontsize": size},
    )  # fmt: skip
    ax.set(xlabel="class by the net", ylabel="true class")
    return ax


def _classified(net: MLP, X: Any, y: Any) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Classes, true classes and answers of an MLP."""
    n_out = net.sizes[-1]
    if n_out > 1 and net.output == "sigmoid":
        raise ValueError(
            f"net has {n_out} sigmoid outputs, so many labels of one sample; expected softmax, or one sigmoid"
        )
    x = checks.inputs(X, net.sizes[0], net.dtype)
    answers = net.classify(x)
    # Labels where there is one column for each class, whatever the output.
    output = "softmax" if n_out > 1 else net.output
    targets = checks.targets(y, len(x), n_out, output, net.loss, net.dtype)
    if targets.ndim == 2:
        targets = targets.argmax(axis=1) if n_out > 1 else (targets[:, 0] >= 0.5).astype(np.int64)
    return np.arange(max(n_out, 2)), targets, answers
