"""Activations and losses as functions to call, to look at and to plot: `fastmlp.activations`, `fastmlp.losses`.

The formulas are those of formulas.py, computed in float64. Here are only the two that are no row there, since no
layer of the core can have them as an elementwise activation: softmax, which couples the neurons of a layer, and the
step of the perceptron, which has no gradient.
"""

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastmlp import checks, formulas
from fastmlp.formulas import Array

_FLOAT = np.dtype(np.float64)


class Activation:
    """An activation g as a function of z; calling it gives a = g(z).

    Attributes
    ----------
    name : str

    Examples
    --------
    >>> import fastmlp
    >>> fastmlp.activations["relu"]([-1.0, 2.0]).tolist()
    [0.0, 2.0]
    >>> float(fastmlp.activations["sigmoid"].derivative(0.0))
    0.25
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, z: ArrayLike, *, negative_slope: float | None = None) -> Array:
        """The activations a = g(z).

        Parameters
        ----------
        z : array_like
            Finite numbers of any shape; for softmax the last axis holds the neurons of a layer.
        negative_slope : float, optional
            Slope of leaky_relu below zero, 0 to 1, by default 0.01; the others have none and refuse it.

        Returns
        -------
        ndarray of the shape of z, float64
            A scalar for a scalar.

        Raises
        ------
        ValueError, TypeError
            If an argument is not of the form above.
        """
        numbers, s = self._checked(z, negative_slope)
        if self.name == "step":
            return (numbers >= 0).astype(_FLOAT)[()]
        if self.name == "softmax":
            return formulas.softmax(numbers)
        with np.errstate(over="ignore"):  # exp beyond its range is infinity
            return np.asarray(formulas.ACTIVATIONS[self.name].value(numbers, s))[()]

    def derivative(self, z: ArrayLike, *, negative_slope: float | None = None) -> Array:
        """g'(z), elementwise; for softmax the matrices da_i/dz_j.

        Parameters
        ----------
        z, negative_slope
            As for the call.

        Returns
        -------
        ndarray of the shape of z, float64
            For softmax (..., n, n): a_i (1 - a_i) where i = j, else -a_i a_j (script 001).

        Raises
        ------
        ValueError, TypeError
            If an argument is not of the form above, and for step, whose gradient is zero wherever it has one.
        """
        numbers, s = self._checked(z, negative_slope)
        if self.name == "step":
            raise ValueError("step has no derivative to learn from: it is 0, and at z = 0 there is none")
        if self.name == "softmax":
            return formulas.softmax_jacobian(formulas.softmax(numbers))
        row = formulas.ACTIVATIONS[self.name]
        with np.errstate(over="ignore"):
            return np.asarray(row.derivative(numbers, row.value(numbers, s), s))[()]

    def _checked(self, z: ArrayLike, negative_slope: float | None) -> tuple[Array, float]:
        numbers: Array = checks.finite("z", z, _FLOAT).reshape(np.shape(z))  # finite() makes an axis for a scalar
        if self.name == "softmax" and (numbers.ndim == 0 or numbers.shape[-1] == 0):
            raise ValueError(f"z has shape {numbers.shape}; softmax expects the neurons of a layer in its last axis")
        if negative_slope is None:
            return numbers, 0.01
        if self.name != "leaky_relu":
            raise ValueError(f"negative_slope is {negative_slope!r} for {self.name}; only leaky_relu has one")
        return numbers, checks.number("negative_slope", negative_slope, least=0, most=1)

    def __repr__(self) -> str:
        return f"<activation {self.name}>"


class Loss:
    """A loss c of outputs a and targets y, term by term; c of a sample is the sum over its outputs.

    Attributes
    ----------
    name : str

    Examples
    --------
    >>> import fastmlp
    >>> float(fastmlp.losses["half_squared_error"](3.0, 1.0))
    2.0
    >>> float(fastmlp.losses["half_squared_error"].derivative(3.0, 1.0))
    2.0
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, a: ArrayLike, y: ArrayLike, *, parameter: float | None = None) -> Array:
        """The terms of c.

        Parameters
        ----------
        a, y : array_like
            Outputs and targets, finite, of shapes that broadcast.
        parameter : float, optional
            Of huber (huber_delta, by default 1), quantile (by default 0.5) and the cross entropies (label_smoothing,
            by default 0, for which the last axis holds the classes of cross_entropy); the others have none and refuse
            it.

        Returns
        -------
        ndarray, float64
            A scalar for scalars.

        Raises
        ------
        ValueError, TypeError
            If an argument is not of the form above, or out of the range where the loss is defined.
        """
        return self._of("value", a, y, parameter)

    def derivative(self, a: ArrayLike, y: ArrayLike, *, parameter: float | None = None) -> Array:
        """dc/da, term by term.

        Parameters
        ----------
        a, y, parameter
            As for the call.

        Returns
        -------
        ndarray, float64
            A scalar for scalars.

        Raises
        ------
        ValueError, TypeError
            As the call.
        """
        return self._of("gradient", a, y, parameter)

    def _of(self, what: str, a: ArrayLike, y: ArrayLike, parameter: float | None) -> Array:
        outputs, targets = (
            checks.finite(name, given, _FLOAT).reshape(np.shape(given)) for name, given in (("a", a), ("y", y))
        )
        try:
            outputs, targets = np.broadcast_arrays(outputs, targets)
        except ValueError:
            raise ValueError(f"a has shape {outputs.shape} and y {targets.shape}; expected the same shape") from None
        if self.name in formulas.NEEDED_OUTPUTS:
            most = np.inf if self.name == "poisson" else 1.0
            bad = (outputs < 0) | (outputs > most)
            if bad.any():
                raise ValueError(f"a has {outputs[bad][0]:g}; {self.name} expects outputs from 0 to {most:g}")
            checks.target_range("y", np.atleast_1d(targets), self.name)
        parameters = list(formulas.LOSS_PARAMETERS.get(self.name, {}).values())
        if parameter is not None and not parameters:
            raise ValueError(f"parameter is {parameter!r} for {self.name}, which has none")
        if parameter is not None:
            if self.name == "huber":
                parameters = [checks.number("parameter", parameter, above=0)]
            elif self.name == "quantile":
                parameters = [checks.number("parameter", parameter, above=0, below=1)]
            else:
                parameters = [checks.number("parameter", parameter, least=0, below=1)]
                if self.name == "cross_entropy" and outputs.ndim == 0:
                    raise ValueError(
                        "parameter is given with scalars a and y; expected the classes in their last axis"
                    )
        function: Callable[..., Array] = getattr(formulas.LOSSES[self.name], what)
        with np.errstate(over="ignore"):
            return np.asarray(function(outputs, targets, *parameters))[()]

    def __repr__(self) -> str:
        return f"<loss {self.name}>"


class _ByName(dict[str, Any]):
    """A table that says what it has when it is asked for something else."""

    def __init__(self, kind: str, rows: dict[str, Any]) -> None:
        super().__init__(rows)
        self._kind = kind

    def __missing__(self, name: object) -> Any:
        try:
            checks.choice(self._kind, name, self)
        except (TypeError, ValueError) as problem:
            raise KeyError(str(problem)) from None


activations = MappingProxyType(
    _ByName("activation", {name: Activation(name) for name in (*formulas.OUTPUTS, "step")})
)
losses = MappingProxyType(_ByName("loss", {name: Loss(name) for name in formulas.LOSSES}))
