"""From the steps of a file of ONNX to the layers of a net: what stands before and after a product becomes part of it.

Not here: which nodes make a step (onnx_reading.py).
"""

from typing import Any, NamedTuple

import numpy as np

from fastmlp.formulas import Array


class Dense(NamedTuple):
    """x W + b."""

    where: str
    weights: Array
    biases: Array | None


class Diagonal(NamedTuple):
    """x * factor + summand, of shape (1,) or (n,)."""

    where: str
    factor: Array
    summand: Array


class Activated(NamedTuple):
    """g(x), with the slope of leaky_relu, and the columns of the constants in it."""

    where: str
    name: str
    slope: float | None
    columns: int


class Columns(NamedTuple):
    """x, with so many columns; with -1, with as many as it takes."""

    where: str
    number: int


class TwoClasses(NamedTuple):
    """1 - x and x, side by side."""

    where: str


Step = Dense | Diagonal | Activated | Columns | TwoClasses


class _Layer:
    """A layer in the making: x W + b, and its activation once there is one.

    What scales is taken in in float64, and would be lost in float32: of x - 1e6 the half, of 1e-30 / 1e30 all.
    """

    def __init__(self, step: Dense, before: Diagonal | None) -> None:
        self.is_double = before is not None or np.float64 in (step.weights.dtype, getattr(step.biases, "dtype", None))
        self.weights = step.weights.astype(np.float64)
        n_in, n_out = self.weights.shape
        self.biases = np.zeros(n_out) if step.biases is None else step.biases.astype(np.float64)
        self.has_biases = step.biases is not None
        self.activation: str | None = None
        if before is not None:
            self.biases = self.biases + np.broadcast_to(before.summand, n_in) @ self.weights
            self.weights = np.broadcast_to(before.factor, n_in)[:, None] * self.weights
            self.has_biases = self.has_biases or bool(before.summand.any())

    @property
    def is_one_sigmoid(self) -> bool:
        return len(self.biases) == 1 and self.activation == "sigmoid"

    def then(self, step: Diagonal) -> None:
        """Take a factor and a summand that follow into the layer; the first summand alone is its biases."""
        scales = self.has_biases or bool((step.factor != 1).any())
        self.is_double = self.is_double or scales or step.summand.dtype == np.float64
        self.weights = self.weights * step.factor
        self.biases = self.biases * step.factor + step.summand
        self.has_biases = self.has_biases or bool(step.summand.any())


def assembled(steps: list[Step], columns: int | None, obstacles: list[str]) -> dict[str, Any] | None:
    """The arguments of MLP.from_parameters; None, and obstacles, if the steps make no layers."""
    with np.errstate(all="ignore"):  # whatever is not finite in the end is refused there
        layers = _layers(steps, columns, obstacles)
    slopes = {step.slope for step in steps if isinstance(step, Activated) and step.slope is not None}
    if len(slopes) > 1:
        obstacles.append(f"its layers have different slopes of leaky_relu: {', '.join(map(str, sorted(slopes)))}")
    if not layers and not obstacles:
        obstacles.append("it has no layer")
    if obstacles:
        return None
    *hidden, output = [layer.activation or "identity" for layer in layers]
    return {
        "weights": [layer.weights for layer in layers],
        "biases": [layer.biases for layer in layers] if any(layer.has_biases for layer in layers) else None,
        "activation": hidden,
        "output": output,
        "negative_slope": slopes.pop() if slopes else 0.01,
        "dtype": "float64" if any(layer.is_double for layer in layers) else "float32",
    }


def _layers(steps: list[Step], width: int | None, obstacles: list[str]) -> list[_Layer]:
    """The layers that the steps make, of an input of that width; `width` is that of what is computed so far."""
    layers: list[_Layer] = []
    last = max((at for at, step in enumerate(steps) if not isinstance(step, Columns)), default=-1)
    waiting: Diagonal | None = None  # for the layer that it precedes
    for at, step in enumerate(steps):
        is_open = bool(layers) and layers[-1].activation is None
        fitting = _width(step, width)
        if fitting is None:
            obstacles.append(f"{step.where}, whose shape does not fit the {width} columns before it")
            return []
        width = fitting or width
        if isinstance(step, Dense):
            if is_open:
                layers[-1].activation = "identity"
            layers.append(_Layer(step, waiting))
            waiting = None
        elif isinstance(step, Diagonal) and is_open:
            layers[-1].then(step)
        elif isinstance(step, Diagonal):
            waiting = step if waiting is None else _composed(waiting, step)
        elif isinstance(step, Activated) and is_open and (step.name != "softmax" or at == last):
            layers[-1].activation = step.name
        elif isinstance(step, Activated):
            obstacles.append(f"{step.where}, which does not follow a layer, or not the last as Softmax does")
        elif isinstance(step, TwoClasses) and (not layers or not layers[-1].is_one_sigmoid):
            obstacles.append(f"{step.where} of something else than the one output of a sigmoid")
    if waiting is not None:
        obstacles.append(f"{waiting.where}, after the last layer and its activation")
    return layers


def _width(step: Step, width: int | None) -> int | None:
    """The number of columns after a step, 0 if that stays unknown; None if the step does not go with those before."""
    if isinstance(step, Dense):
        return step.weights.shape[1] if width in (None, len(step.weights)) else None
    if isinstance(step, TwoClasses):
        return 2
    if isinstance(step, Diagonal):
        n = max(len(step.factor), len(step.summand))
    elif isinstance(step, Activated):
        n = step.columns
    else:
        n = max(step.number, 0)
    if n == 1 and not isinstance(step, Columns):
        n = 0  # a number goes with any
    if n and width not in (None, n):
        return None
    return n or width or 0


def _composed(first: Diagonal, second: Diagonal) -> Diagonal:
    return Diagonal(first.where, first.factor * second.factor, first.summand * second.factor + second.summand)
