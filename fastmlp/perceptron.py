"""The perceptron and its learning rule (lecture script 003): one neuron with a step, no gradient."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import checks
from fastmlp._perceptron import learning_pass

_FLOAT = np.dtype(np.float64)


class Perceptron:
    """A linear classifier trained by Rosenblatt's rule.

    For each sample in turn, with labels +1 and -1 and the prediction positive iff w.x + b > 0: right, no change; a
    positive taken for negative, w <- w + learning_rate * x and b <- b + learning_rate; a negative taken for positive,
    both minus. It stops after a pass without a mistake, which comes if the data are linearly separable, or after
    max_epochs passes. Weights and bias start at zero.

    Parameters
    ----------
    learning_rate : float
        The step, > 0.
    max_epochs : int
        Passes at most, >= 1.
    shuffle : bool
        Whether each pass takes the samples in a new order.
    seed : int, optional
        Of the orders.

    Attributes
    ----------
    weights : ndarray of shape (n,), float64
    bias : float
    mistakes : list of int
        Wrong predictions in each pass.
    converged : bool
        Whether the last pass had none.

    Raises
    ------
    ValueError, TypeError
        If an argument is not of the form above.

    Examples
    --------
    >>> import fastmlp
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [-1, -1, -1, 1]
    >>> neuron = fastmlp.Perceptron().fit(X, y)
    >>> neuron.converged, neuron.predict(X).tolist()
    (True, [-1, -1, -1, 1])
    """

    def __init__(
        self, learning_rate: float = 1.0, max_epochs: int = 1000, shuffle: bool = False, seed: int | None = None
    ) -> None:
        self.learning_rate = checks.number("learning_rate", learning_rate, above=0)
        self.max_epochs = checks.integer("max_epochs", max_epochs, 1)
        self.shuffle = checks.boolean("shuffle", shuffle)
        self.seed = None if seed is None else checks.integer("seed", seed, 0)
        self.weights: NDArray[np.float64] = np.zeros(0)
        self.bias = 0.0
        self.mistakes: list[int] = []
        self.converged = False

    def fit(self, X: ArrayLike, y: ArrayLike) -> "Perceptron":
        """Learn from zero weights.

        Parameters
        ----------
        X : array_like of shape (m, n)
            Samples in rows.
        y : array_like of shape (m,)
            Labels, +1 or -1.

        Returns
        -------
        Perceptron
            Itself.

        Raises
        ------
        ValueError, TypeError
            If shapes do not fit, a value is not finite, or a label is another number; the neuron is as it was.
        """
        array = checks.numeric("X", X)
        if array.ndim != 2 or array.shape[1] == 0:
            raise ValueError(f"X has shape {array.shape}; expected (m, n), a sample in each row")
        x = checks.inputs(array, array.shape[1], _FLOAT)
        labels = checks.shaped("y", y, (len(x),), _FLOAT)
        if not np.isin(labels, (-1, 1)).all():
            at = int(np.argmax(~np.isin(labels, (-1, 1))))
            raise ValueError(f"y[{at}] is {labels[at]:g}; expected labels +1 and -1")
        rng = np.random.default_rng(self.seed)
        theta = np.zeros(x.shape[1] + 1)  # the weights, then the bias
        order = np.arange(len(x))
        mistakes: list[int] = []
        while len(mistakes) < self.max_epochs and (not mistakes or mistakes[-1]):
            if self.shuffle:
                rng.shuffle(order)
            mistakes.append(learning_pass(theta, x, labels, order, self.learning_rate))
        if not np.isfinite(theta).all():
            raise ValueError(
                f"learning_rate {self.learning_rate} and X give weights that are not finite; use smaller ones"
            )
        self.weights, self.bias = theta[:-1], float(theta[-1])
        self.mistakes, self.converged = mistakes, mistakes[-1] == 0
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Labels of samples.

        Parameters
        ----------
        X : array_like of shape (m, n) or (n,)
            Samples in rows, or one sample.

        Returns
        -------
        ndarray of shape (m,), int64
            +1 where w.x + b > 0, else -1; a scalar for one sample.

        Raises
        ------
        ValueError, TypeError
            If it was not fitted, or X is not of the form above.
        """
        if not self.mistakes:
            raise ValueError("this Perceptron has not been fitted; call fit(X, y) first")
        x = checks.inputs(X, len(self.weights), _FLOAT, single=True)
        return np.where(x @ self.weights + self.bias > 0, 1, -1)[()]

    def __repr__(self) -> str:
        state = "not fitted"
        if self.mistakes:
            end = "converged" if self.converged else f"{self.mistakes[-1]} mistakes left"
            state = f"{len(self.weights)} inputs, {end} after {len(self.mistakes)} passes"
        return f"Perceptron(learning_rate={self.learning_rate:g}; {state})"
