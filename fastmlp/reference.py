"""The network in plain NumPy: the specification of the compiled core, its test oracle and its benchmark baseline.

`Network` here and `Network` in src/network.pyx have the same constructor, methods and meaning. If the two differ, one
of them is wrong; that is why this one is written to be read.

It is written as a careful NumPy user would write it: matrix products over the whole batch, in-place updates of flat
buffers, no Python loop over rows. Not here: what an activation, a loss or an optimizer computes (formulas.py), and
where the weights of a layer stand in a buffer (layout.py). Of fastmlp it imports these two and nothing else.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from fastmlp.formulas import ACTIVATIONS, CANONICAL, LOSSES, OPTIMIZERS, Array, dropped_units, softmax
from fastmlp.layout import layer_views


def _masked(activations: Sequence[Array], factors: dict[int, Array] | None, layer: int) -> Array:
    return activations[layer] * factors[layer] if factors and layer in factors else activations[layer]


@dataclass
class Seen:
    """What backpropagation computes on its way, kept for `trace`; training keeps nothing.

    z, delta and gradient_a hold an array (m, n_l) for each layer, a also X before them; y and terms are (m, n_L).
    """

    z: list[Array] = field(default_factory=list)
    a: list[Array] = field(default_factory=list)
    gradient_a: list[Array] = field(default_factory=list)
    delta: list[Array] = field(default_factory=list)
    y: Array = field(default_factory=lambda: np.zeros(0))
    terms: Array = field(default_factory=lambda: np.zeros(0))


# A loss that overflows is an answer here, not a warning: fit looks at it.
_quietly = np.errstate(over="ignore", invalid="ignore", divide="ignore")


def _dense(X: Any) -> Array:
    """X as an array; it may be a sparse.CSR."""
    x: Array = X if isinstance(X, np.ndarray) else X.dense()
    return x


class Network:
    """A multilayer perceptron over one flat buffer of parameters.

    Arguments are trusted: mlp.py has checked them. Arrays are C-contiguous and of `dtype`.

    Parameters
    ----------
    sizes : tuple of int
        n_0, ..., n_L: inputs, hidden layers, outputs.
    activations : tuple of str
        One name a layer, the last from formulas.OUTPUTS, the others from formulas.ACTIVATIONS.
    loss : str
        A name from formulas.LOSSES.
    bias : bool
        Whether layers have biases.
    negative_slope : float
        The slope of leaky_relu below zero.
    loss_parameter : float
        The threshold of huber, the level of quantile.
    dropout : tuple of float
        For each hidden layer, the probability that a unit is left out of a step of `train` (Srivastava et al. 2014);
        the others are multiplied by 1 / (1 - p). Empty for none.
    """

    dtype: np.dtype[Any] = np.dtype(np.float64)

    def __init__(
        self,
        sizes: Sequence[int],
        activations: Sequence[str],
        loss: str,
        bias: bool = True,
        negative_slope: float = 0.01,
        loss_parameter: float = 1.0,
        dropout: Sequence[float] = (),
    ) -> None:
        self.sizes = tuple(sizes)
        self.activations = tuple(activations)
        self.loss = loss
        self.negative_slope = negative_slope
        self.loss_parameter = loss_parameter
        self.dropout = tuple(dropout)
        self.bias = bias
        n = sum(n_in * n_out + n_out * bias for n_in, n_out in pairwise(sizes))
        self.parameters = np.zeros(n, self.dtype)
        self.weights, self.biases = layer_views(self.parameters, sizes, bias)
        self._gradient = np.zeros_like(self.parameters)
        # The mean loss of the last epoch in which a batch counts by its rows, not by their weights; and its penalty.
        self.loss_by_rows = self.penalty_by_rows = 0.0
        self.reset_optimizer()

    def _activate(self, name: str, z: Array) -> Array:
        return softmax(z) if name == "softmax" else ACTIVATIONS[name].value(z, self.negative_slope)

    def _dropout_factors(self, seed: int, start: int, rows: int) -> dict[int, Array]:
        """What dropout multiplies A of hidden layers by, 0 or 1 / (1 - p), (rows, n): by number, from 1."""
        return {
            layer: np.where(dropped_units(seed, start, rows, layer - 1, self.sizes[layer], p), 0, 1 / (1 - p)).astype(
                self.dtype
            )
            for layer, p in enumerate(self.dropout, start=1)
            if int(p * 2**24) > 0
        }

    def _pass_forward(self, x: Array, factors: dict[int, Array] | None = None) -> tuple[list[Array], list[Array]]:
        """Z and A of every layer; the next layer reads A times its factors, if it has any."""
        zs, activations = [], [x]
        for layer, name in enumerate(self.activations):
            z = _masked(activations, factors, layer) @ self.weights[layer]
            if self.bias:
                z += self.biases[layer]
            zs.append(z)
            activations.append(self._activate(name, z))
        return zs, activations

    def _targets(self, targets: Array, rows: slice | Array = slice(None)) -> Array:
        """Target rows; class labels become one-hot rows."""
        if targets.ndim == 2:
            return targets[rows]
        labels = targets[rows]
        one_hot = np.zeros((len(labels), self.sizes[-1]), self.dtype)
        one_hot[np.arange(len(labels)), labels] = 1
        return one_hot

    def _loss_terms(self, z: Array, a: Array, y: Array) -> Array:
        pair = (self.activations[-1], self.loss)
        if pair in CANONICAL:
            return CANONICAL[pair].value(z, y)
        return LOSSES[self.loss].value(a, y, self.loss_parameter)

    def _loss_sum(self, z: Array, a: Array, y: Array, w: Array | None) -> float:
        costs = self._loss_terms(z, a, y).sum(axis=1)
        return float((costs if w is None else costs * w).sum(dtype=np.float64))

    def _output_delta(self, z: Array, a: Array, y: Array) -> Array:
        name = self.activations[-1]
        if (name, self.loss) in CANONICAL:
            return CANONICAL[name, self.loss].delta(a, y)
        delta = LOSSES[self.loss].gradient(a, y, self.loss_parameter)
        if name == "softmax":
            delta = a * (delta - (a * delta).sum(axis=1, keepdims=True))
        else:
            delta = delta * ACTIVATIONS[name].derivative(z, a, self.negative_slope)
        return delta

    def _backpropagate(
        self,
        x: Array,
        y: Array,
        w: Array | None,
        flat: Array,
        inputs: Array | None = None,
        factors: dict[int, Array] | None = None,
        seen: Seen | None = None,
    ) -> float:
        """The loss summed over the weighted rows; the gradient of their mean into flat."""
        zs, activations = self._pass_forward(x, factors)
        total = self._loss_sum(zs[-1], activations[-1], y, w)
        delta = self._output_delta(zs[-1], activations[-1], y)
        if w is None:
            delta /= len(x)
        else:
            delta *= (w / w.sum())[:, None]
        if seen is not None:
            seen.z, seen.a, seen.y, seen.terms = zs, activations, y, self._loss_terms(zs[-1], activations[-1], y)
            share = 1 / len(x) if w is None else (w / w.sum())[:, None]
            seen.gradient_a.append(share * LOSSES[self.loss].gradient(activations[-1], y, self.loss_parameter))
            seen.delta.append(delta.copy())
        weights, biases = layer_views(flat, self.sizes, self.bias)
        for layer in reversed(range(len(weights))):
            np.matmul(_masked(activations, factors, layer).T, delta, out=weights[layer])
            if self.bias:
                np.sum(delta, axis=0, out=biases[layer])
            if layer > 0:
                derivative = ACTIVATIONS[self.activations[layer - 1]].derivative
                delta = delta @ self.weights[layer].T
                if factors and layer in factors:
                    delta *= factors[layer]
                if seen is not None:
                    seen.gradient_a.insert(0, delta.copy())
                delta *= derivative(zs[layer - 1], activations[layer], self.negative_slope)
                if seen is not None:
                    seen.delta.insert(0, delta.copy())
        if inputs is not None:
            np.matmul(delta, self.weights[0].T, out=inputs)
        return total

    @_quietly
    def forward(self, X: Any, out: Any = None, threads: int = 1, checked: bool = False) -> Array | None:
        """Outputs (m, n_L) of X (m, n_0), or (n_L,) of (n_0,), into `out` if given.

        X and out are looked at: None says that one of them cannot be used as it stands, or, unless they were
        `checked` before, that X or the outputs are not finite.
        """
        if checked:
            X = _dense(X)
        if not self._usable(X, self.sizes[0]) or len(X) == 0 or not (checked or np.isfinite(X).all()):
            return None
        x: Array = X
        for layer, name in enumerate(self.activations):
            x = x @ self.weights[layer]
            if self.bias:
                x += self.biases[layer]
            x = self._activate(name, x)
        if not (checked or np.isfinite(x).all()):
            return None
        if out is None:
            return x
        if not self._usable(out, self.sizes[-1]) or out.shape != x.shape or not out.flags.writeable:
            return None
        if np.may_share_memory(out, self.parameters):
            return None
        out[...] = x
        y: Array = out
        return y

    def _usable(self, x: Any, columns: int) -> bool:
        return (
            type(x) is np.ndarray
            and x.ndim in (1, 2)
            and x.shape[-1] == columns
            and x.dtype == self.dtype
            and x.flags.c_contiguous
            and x.flags.aligned
        )

    @_quietly
    def evaluate(self, X: Array, targets: Array, sample_weight: Array | None = None, threads: int = 1) -> float:
        """The mean loss over the weighted rows."""
        zs, activations = self._pass_forward(_dense(X))
        total = self._loss_sum(zs[-1], activations[-1], self._targets(targets), sample_weight)
        return total / (len(X) if sample_weight is None else float(sample_weight.sum(dtype=np.float64)))

    @_quietly
    def gradient(
        self,
        X: Array,
        targets: Array,
        sample_weight: Array | None,
        flat: Array,
        inputs: Array | None = None,
        threads: int = 1,
        seen: Seen | None = None,
    ) -> float:
        """The mean loss; its gradient into flat (n_parameters,), and into inputs (m, n_0) unless None.

        What is computed on the way goes into `seen`, which the compiled core does not have.
        """
        total = self._backpropagate(_dense(X), self._targets(targets), sample_weight, flat, inputs, seen=seen)
        return total / (len(X) if sample_weight is None else float(sample_weight.sum(dtype=np.float64)))

    @_quietly
    def train(
        self,
        X: Array,
        targets: Array,
        sample_weight: Array | None,
        order: Array | None,
        batch_size: int,
        optimizer: Any,
        threads: int = 1,
        l2: float = 0.0,
        rates: Array | None = None,
        seed: int = 0,
        first: int = 0,
        last: int | None = None,
    ) -> float:
        """One epoch: a step for every batch_size samples, taken in `order` (m,), or as they stand if it is None.

        Or some of an epoch: its steps first .. last. With l2, a batch's loss summed over its weighted samples has the
        penalty l2 / 2 sum W^2 added. With rates (steps of an epoch,) of float64, each step has its own learning rate.
        `seed` decides which units dropout leaves out. Returns the mean of the losses seen on the way, over the
        weighted samples. At a loss that is not finite it stops, and returns that loss. A batch whose weights are all
        zero makes no step.
        """
        total = total_weight = total_rows = by_rows = penalty_by_rows = 0.0
        step, X = OPTIMIZERS[type(optimizer).__name__], _dense(X)
        for number, start in list(enumerate(range(0, len(X), batch_size)))[first:last]:
            rows = slice(start, start + batch_size) if order is None else order[start : start + batch_size]
            x, w = X[rows], None if sample_weight is None else sample_weight[rows]
            weight = len(x) if w is None else float(w.sum(dtype=np.float64))
            if weight == 0:
                continue
            factors = self._dropout_factors(seed, start, len(x))
            loss = self._backpropagate(x, self._targets(targets, rows), w, self._gradient, factors=factors)
            penalty = 0.5 * l2 * sum(float(np.square(W, dtype=np.float64).sum()) for W in self.weights) if l2 else 0.0
            total += loss + penalty
            total_weight += weight
            by_rows += len(x) * (loss + penalty) / weight
            penalty_by_rows += len(x) * penalty / weight
            total_rows += len(x)
            if not math.isfinite(loss):
                break
            if optimizer.clip_norm is not None:
                norm = math.sqrt(float(np.square(self._gradient, dtype=np.float64).sum()))
                self._gradient *= min(1.0, optimizer.clip_norm / norm) if norm > 0 else 1.0
            decay = (0 if optimizer.decoupled else optimizer.weight_decay) + l2 / weight
            if decay or optimizer.l1:
                for g, theta in zip(layer_views(self._gradient, self.sizes, self.bias)[0], self.weights, strict=True):
                    g += decay * theta + optimizer.l1 * np.sign(theta)
            self.beta_1_power *= getattr(optimizer, "beta_1", 0)
            self.beta_2_power *= getattr(optimizer, "beta_2", 0)
            step(self, optimizer, optimizer.learning_rate if rates is None else float(rates[number]), self._gradient)
        self.loss_by_rows, self.penalty_by_rows = by_rows / total_rows, penalty_by_rows / total_rows
        return total / total_weight

    @property
    def optimizer_state(self) -> tuple[float, float, Array, Array]:
        """(beta_1^t, beta_2^t, first moments, second moments): what a later step needs of the earlier ones."""
        return self.beta_1_power, self.beta_2_power, self.first.copy(), self.second.copy()

    @optimizer_state.setter
    def optimizer_state(self, state: tuple[float, float, Array, Array]) -> None:
        self.beta_1_power, self.beta_2_power = state[:2]
        self.first[...], self.second[...] = state[2:]

    def reset_optimizer(self) -> None:
        """Forget the steps taken so far."""
        self.beta_1_power = self.beta_2_power = 1.0
        self.first, self.second = np.zeros_like(self.parameters), np.zeros_like(self.parameters)


class SinglePrecisionNetwork(Network):
    """The same in float32."""

    dtype = np.dtype(np.float32)


NETWORKS: dict[str, type[Network]] = {network.dtype.name: network for network in (SinglePrecisionNetwork, Network)}
