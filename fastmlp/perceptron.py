"""The perceptron and its learning rule (lecture script 003): one neuron with a step, and no gradient.

It is here to be looked at: it starts where it is told, and keeps a record of its updates. It is not a layer, and an
MLP has none of it: data that no straight line separates, as XOR, need hidden neurons.
"""

from reprlib import repr as shortened
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import checks
from fastmlp._perceptron import learning_pass, net_inputs

_FLOAT = np.dtype(np.float64)
_SMALL = 0.01  # standard deviation of random first weights

# What a label can be. A bool is an int as well, so that booleans stand first.
_KINDS: dict[str, tuple[type, ...]] = {
    "booleans": (bool, np.bool_),
    "strings": (str,),
    "numbers": (int, float, np.integer, np.floating),
}
_LEAST, _MOST = np.iinfo(np.int64).min, np.iinfo(np.int64).max
_EXPECTED = "expected labels of one kind: numbers, strings or booleans"


class Update(NamedTuple):
    """One update of a perceptron: the mistake, and the weights and bias that it led to.

    Attributes
    ----------
    epoch : int
        The pass over the samples, from 1.
    row : int
        The row of X that was taken for the other class, from 0.
    label : int, float, bool or str
        What it is, as y has it.
    weights : ndarray of shape (n,), float64
    bias : float
        Both after the update.
    """

    epoch: int
    row: int
    label: int | float | bool | str
    weights: NDArray[np.float64]
    bias: float


class Perceptron:
    """A linear classifier of two classes, trained by Rosenblatt's rule.

    The rule of lecture script 003, with alpha for the learning rate:

    1. Begin with zero weights and bias, or with small random ones.
    2. Take each sample in turn, and predict the positive class iff w.x + b > 0. If that is right, change nothing. A
       positive sample taken for negative: w <- w + alpha x, b <- b + alpha. A negative one taken for positive:
       w <- w - alpha x, b <- b - alpha.
    3. Stop after a pass without a mistake, which comes if a line (plane, hyperplane) separates the classes, or after
       max_epochs passes.

    Labels are any two numbers, strings or booleans. In sorted order the second is the positive class: +1 of -1 and
    +1, 1 of 0 and 1, True of False and True, "dog" of "cat" and "dog".

    Parameters
    ----------
    learning_rate : float
        The step alpha, > 0. From zeros it scales weights and bias, and but for rounding changes no prediction.
    max_epochs : int
        Passes at most, >= 1.
    shuffle : bool
        Whether each pass takes the samples in a new order.
    seed : int, optional
        Of the random first weights, then of the orders.
    initial_weights : "random" or array_like of shape (n,), optional
        Where each fit starts; zeros unless told. "random": weights and bias from a normal distribution of mean 0 and
        standard deviation 0.01.
    initial_bias : float, optional
        The bias where each fit starts. By default 0, and a random one with random weights.
    record : int
        How many updates to keep at most, >= 0: the first ones, in `updates`.

    Attributes
    ----------
    weights : ndarray of shape (n,), float64
    bias : float
    classes : ndarray of shape (2,)
        The labels, negative and positive, with the dtype of y.
    first_weights : ndarray of shape (n,), float64
    first_bias : float
        Where the fit started.
    updates : list of Update
        The first `record` updates, in the order in which they were made.
    n_updates : int
        How many there were in all.
    mistakes : list of int
        Wrong predictions in each pass, each of which led to an update.
    converged : bool
        Whether the last pass had none.

    Raises
    ------
    ValueError, TypeError
        If an argument is not of the form above.

    References
    ----------
    Rosenblatt, F. (1958). The perceptron: a probabilistic model for information storage and organization in the
    brain. Psychological Review 65(6). Lecture script 003, "The Algorithm: Perceptron Learning Rule".

    Examples
    --------
    >>> import fastmlp
    >>> X, AND = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 0, 0, 1]
    >>> neuron = fastmlp.Perceptron().fit(X, AND)
    >>> neuron
    Perceptron(learning_rate=1; 2 inputs, converged after 6 passes)
    >>> neuron.predict(X).tolist(), neuron.weights.tolist(), neuron.bias
    ([0, 0, 0, 1], [2.0, 1.0], -2.0)
    >>> for update in neuron.updates[:3]:
    ...     print(update.epoch, X[update.row], update.label, update.weights, update.bias)
    1 [1, 1] 1 [1. 1.] 1.0
    2 [0, 0] 0 [1. 1.] 0.0
    2 [0, 1] 0 [1. 0.] -1.0
    """

    def __init__(
        self,
        learning_rate: float = 1.0,
        max_epochs: int = 1000,
        shuffle: bool = False,
        seed: int | None = None,
        *,
        initial_weights: ArrayLike | None = None,
        initial_bias: float | None = None,
        record: int = 1000,
    ) -> None:
        self.learning_rate = checks.number("learning_rate", learning_rate, above=0)
        self.max_epochs = checks.integer("max_epochs", max_epochs, 1)
        self.shuffle = checks.boolean("shuffle", shuffle)
        self.seed = None if seed is None else checks.integer("seed", seed, 0)
        self.initial_weights = _first_weights(initial_weights)
        self.initial_bias = None if initial_bias is None else checks.number("initial_bias", initial_bias)
        self.record = checks.integer("record", record, 0)
        self.weights = self.first_weights = np.zeros(0)
        self.bias = self.first_bias = 0.0
        self.classes: NDArray[Any] = np.zeros(0)
        self.updates: list[Update] = []
        self.n_updates = 0
        self.mistakes: list[int] = []
        self.converged = False

    def fit(self, X: ArrayLike, y: ArrayLike) -> "Perceptron":
        """Learn from the first weights on; what an earlier fit learned is forgotten.

        Parameters
        ----------
        X : array_like of shape (m, n)
            Samples in rows.
        y : array_like of shape (m,)
            Labels: two different numbers, strings or booleans. If all rows have one label, it is +1 or -1 (of -1 and
            +1), 0 (of 0 and 1), or a boolean.

        Returns
        -------
        Perceptron
            Itself.

        Raises
        ------
        ValueError, TypeError
            If shapes do not fit, a number is not finite, or labels are not of one kind or not two. The neuron is as
            it was.
        """
        array = checks.numeric("X", X)
        if array.ndim != 2 or array.shape[1] == 0:
            raise ValueError(f"X has shape {array.shape}; expected (m, n), a sample in each row")
        x = checks.inputs(array, array.shape[1], _FLOAT)
        m, n = x.shape
        labels = _labels(y, m)
        classes = _two_classes(labels)
        signs = np.where(labels == classes[1], 1.0, -1.0)
        rng = np.random.default_rng(self.seed)
        theta = self._start(n, rng)  # (n + 1,): the weights, then the bias
        first = theta.copy()
        order = np.arange(m)
        rows = np.empty(min(self.record, m), np.int64)  # what is recorded of one pass, which has m updates at most
        thetas = np.empty((len(rows), n + 1))
        updates: list[Update] = []
        mistakes: list[int] = []
        while len(mistakes) < self.max_epochs and (not mistakes or mistakes[-1]):
            if self.shuffle:
                rng.shuffle(order)
            room = self.record - len(updates)
            made = learning_pass(theta, rows[:room], thetas[:room], x, signs, order, self.learning_rate)
            mistakes.append(made)
            kept = min(made, room)
            for row, after in zip(rows[:kept].tolist(), thetas[:kept].copy(), strict=True):
                updates.append(Update(len(mistakes), row, labels[row].item(), after[:-1], float(after[-1])))
        z = np.empty(m)
        net_inputs(z, theta, x)
        if not np.isfinite(z).all():  # nor is it where a weight is not
            raise ValueError(
                f"learning_rate {self.learning_rate}, X and the first weights give a w.x + b that is not finite; "
                "use smaller ones"
            )
        self.weights, self.bias = theta[:-1], float(theta[-1])
        self.first_weights, self.first_bias = first[:-1], float(first[-1])
        self.classes = classes
        self.updates, self.n_updates = updates, sum(mistakes)
        self.mistakes, self.converged = mistakes, mistakes[-1] == 0
        return self

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """The net input w.x + b, positive for the positive class.

        Parameters
        ----------
        X : array_like of shape (m, n) or (n,)
            Samples in rows, or one sample.

        Returns
        -------
        ndarray of shape (m,), float64
            Added up as in `fit`, b first and then the products from left to right; a scalar for one sample.

        Raises
        ------
        ValueError, TypeError
            If it was not fitted, X is not of the form above, or a result is beyond float64.
        """
        return self._net_inputs(X, single=True)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Labels of samples.

        Parameters
        ----------
        X : array_like of shape (m, n) or (n,)
            Samples in rows, or one sample.

        Returns
        -------
        ndarray of shape (m,), with the dtype of `classes`
            classes[1] where w.x + b > 0, else classes[0]; a scalar for one sample.

        Raises
        ------
        ValueError, TypeError
            As `decision_function`.
        """
        positive = self.decision_function(X) > 0
        predicted: NDArray[Any] = self.classes[positive.astype(np.intp)]
        return predicted

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """The accuracy: which part of the samples gets the right label.

        Parameters
        ----------
        X : array_like of shape (m, n)
            Samples in rows.
        y : array_like of shape (m,)
            Their labels, each one of `classes`.

        Returns
        -------
        float
            From 0 to 1.

        Raises
        ------
        ValueError, TypeError
            As `predict`, or if y is not of the form above.
        """
        z = self._net_inputs(X, single=False)
        labels = _labels(y, len(z))
        positive = labels == self.classes[1]
        known = positive | (labels == self.classes[0])
        if not known.all():
            at = int(np.argmin(known))
            names = " and ".join(map(shortened, self.classes.tolist()))
            raise ValueError(f"y[{at}] is {shortened(labels[at].item())}; expected the labels of fit, {names}")
        return float(np.mean((z > 0) == positive))

    def _net_inputs(self, X: ArrayLike, single: bool) -> NDArray[np.float64]:
        """w.x + b, (m,); with `single`, also of one sample."""
        if not self.mistakes:
            raise ValueError("this Perceptron has not been fitted; call fit(X, y) first")
        x = checks.inputs(X, len(self.weights), _FLOAT, single=single)
        theta = np.append(
            checks.shaped("weights", self.weights, (x.shape[-1],), _FLOAT), checks.number("bias", self.bias)
        )
        z = np.empty(x.size // x.shape[-1])
        net_inputs(z, theta, x.reshape(len(z), -1))
        if not np.isfinite(z).all():
            at = int(np.argmax(~np.isfinite(z)))
            raise ValueError(f"row {at} of X gives w.x + b = {z[at]}, beyond the range of float64; scale X")
        return z.reshape(x.shape[:-1])[()]

    def _start(self, n: int, rng: "np.random.Generator") -> NDArray[np.float64]:
        """The first weights and bias, (n + 1,)."""
        theta = np.zeros(n + 1)
        if isinstance(self.initial_weights, str):
            theta = rng.normal(scale=_SMALL, size=n + 1)
        elif self.initial_weights is not None:
            if self.initial_weights.shape != (n,):
                raise ValueError(
                    f"initial_weights has shape {self.initial_weights.shape}; expected ({n},), a weight for each "
                    "column of X"
                )
            theta[:-1] = self.initial_weights
        if self.initial_bias is not None:
            theta[-1] = self.initial_bias
        return theta

    def __repr__(self) -> str:
        state = "not fitted"
        if self.mistakes:
            end = "converged" if self.converged else f"{_count(self.mistakes[-1], 'mistake')} left"
            passes = _count(len(self.mistakes), "pass", "passes")
            state = f"{_count(len(self.weights), 'input')}, {end} after {passes}"
        return f"Perceptron(learning_rate={self.learning_rate:g}; {state})"


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _first_weights(given: ArrayLike | None) -> NDArray[np.float64] | str | None:
    """None, "random", or a copy (n,) that nobody can change."""
    expected = "expected None for zeros, 'random', or an array of shape (n,)"
    if given is None:
        return None
    if isinstance(given, str):
        if given != "random":
            raise ValueError(f"initial_weights is {given!r}; {expected}")
        return given
    weights = checks.finite("initial_weights", given, _FLOAT).copy()
    if weights.ndim != 1 or weights.size == 0:
        raise ValueError(f"initial_weights has shape {weights.shape}; {expected}")
    weights.flags.writeable = False
    return weights


def _labels(given: ArrayLike, rows: int) -> NDArray[Any]:
    """Labels (rows,) of one kind: booleans, strings or finite numbers."""
    if isinstance(given, np.ma.MaskedArray) and np.ma.is_masked(given):
        raise TypeError("y is a masked array with masked elements; expected labels throughout")
    # A list is read as objects first, since NumPy makes the two strings 'cat' and '1' of ['cat', 1].
    array = np.asarray(given) if hasattr(given, "__array__") else np.asarray(given, object)
    if array.shape != (rows,):
        hint = "; np.ravel(y) makes it so" if array.size == rows and array.ndim > 1 else ""
        raise ValueError(
            f"y has shape {array.shape} for {rows} rows of X; expected ({rows},), a label for each row{hint}"
        )
    if array.dtype.kind in ("O", "T"):
        array = _of_one_kind(array.tolist())
    if array.dtype.kind not in "biufU":
        raise TypeError(f"y has dtype {array.dtype}; {_EXPECTED}")
    return checks.finite("y", array, array.dtype) if array.dtype.kind == "f" else array


def _of_one_kind(items: list[Any]) -> NDArray[Any]:
    """The array of Python objects that are all booleans, all strings or all numbers."""
    kinds = {
        each: next((kind for kind, types in _KINDS.items() if issubclass(each, types)), None)
        for each in set(map(type, items))
    }
    kind = kinds[type(items[0])]
    for at, item in enumerate(items):
        if kinds[type(item)] is None:
            raise TypeError(f"y[{at}] is {shortened(item)}; {_EXPECTED}")
        if kinds[type(item)] != kind:
            raise TypeError(f"y[0] is {shortened(items[0])} and y[{at}] is {shortened(item)}; {_EXPECTED}")
        if kind == "numbers" and not isinstance(item, (float, np.floating)) and not _LEAST <= int(item) <= _MOST:
            raise ValueError(f"y[{at}] is {shortened(item)}; expected integers that int64 can hold")
    # Plain strings, since NumPy would ask a member of a str enumeration for its name.
    return np.array(list(map(str.__str__, items)) if kind == "strings" else items)


def _two_classes(labels: NDArray[Any]) -> NDArray[Any]:
    """The negative and the positive label, (2,)."""
    classes = np.unique(labels)
    if len(classes) > 2:
        names = ", ".join(map(shortened, classes[:5].tolist())) + (", ..." if len(classes) > 5 else "")
        raise ValueError(
            f"y has {len(classes)} labels: {names}; expected two, and an MLP with output='softmax' takes more"
        )
    if len(classes) == 2:
        return classes
    only = classes[0].item()
    if isinstance(only, bool):
        return np.array([False, True])
    if only in (-1, 1):
        return np.array([-1, 1], np.int64 if classes.dtype.kind == "u" else classes.dtype)
    if only == 0:
        return np.array([0, 1], classes.dtype)
    raise ValueError(
        f"y has the single label {shortened(only)}; expected two (only -1, 0, 1, False and True tell "
        "what the other is)"
    )
