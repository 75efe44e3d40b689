"""A training step as data: every value of the forward pass, and the gradient of the loss by each of them.

Computed by the NumPy reference in float64, whatever the dtype of the net: the numbers are for looking at, for
lectures and for tests, not for training. `net.explain` puts them into words, `plot.network` into a picture.
"""

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from fastmlp import checks, formulas, reference
from fastmlp.formulas import Array
from fastmlp.optimizers import Optimizer, OptimizerName, Steps
from fastmlp.optimizers import optimizer as as_optimizer

if TYPE_CHECKING:
    from fastmlp.mlp import MLP


@dataclass(frozen=True, eq=False, repr=False)
class LayerTrace:
    """One layer in a step. C is the mean loss over the rows, so that delta has 1/m in it; m is absent for one sample.

    Attributes
    ----------
    number : int
        l, from 1.
    activation : str
        Name of g.
    weights : ndarray of shape (n_in, n_out)
    biases : ndarray of shape (n_out,) or None
    inputs : ndarray of shape (m, n_in)
        A^(l-1).
    z, a : ndarray of shape (m, n_out)
    derivative : ndarray of shape (m, n_out)
        g'(z); for softmax (m, n_out, n_out), da_i/dz_j.
    gradient_a, delta : ndarray of shape (m, n_out)
        dC/da and dC/dz. With sigmoid and binary_cross_entropy, softmax and cross_entropy, exponential and poisson
        delta is computed in the short form a - y, which stays exact where an output saturates.
    gradient_weights : ndarray of shape (n_in, n_out)
        dC/dW.
    gradient_biases : ndarray of shape (n_out,) or None
        dC/db.
    new_weights : ndarray of shape (n_in, n_out) or None
        After the optimizer's step, if one was given.
    new_biases : ndarray of shape (n_out,) or None
    """

    number: int
    activation: str
    weights: Array
    biases: Array | None
    inputs: Array
    z: Array
    a: Array
    derivative: Array
    gradient_a: Array
    delta: Array
    gradient_weights: Array
    gradient_biases: Array | None
    new_weights: Array | None = None
    new_biases: Array | None = None

    def __repr__(self) -> str:
        n_in, n_out = self.weights.shape
        return f"LayerTrace({self.number}: {n_in} -> {n_out} {self.activation})"


@dataclass(frozen=True, eq=False, repr=False)
class Trace:
    """A training step as data, float64; m is absent for one sample.

    Attributes
    ----------
    inputs : ndarray of shape (m, n_in)
    targets : ndarray of shape (m, n_out)
        Class labels as one-hot rows.
    layers : tuple of LayerTrace
    loss_terms : ndarray of shape (m, n_out)
        c, output by output.
    loss : float
        C, the mean of c over the (weighted) rows.
    gradient_inputs : ndarray of shape (m, n_in)
        dC/dx (script 002).
    optimizer : Optimizer or None
        Whose step new_weights and new_biases of the layers are.
    """

    inputs: Array
    targets: Array
    layers: tuple[LayerTrace, ...]
    loss_terms: Array
    loss: float
    gradient_inputs: Array
    optimizer: Optimizer | None

    @property
    def outputs(self) -> Array:
        """A^L, (m, n_out)."""
        return self.layers[-1].a

    def __repr__(self) -> str:
        rows = "one sample" if self.inputs.ndim == 1 else f"{len(self.inputs)} rows"
        return f"Trace({rows}, layers {list(self.layers)}, loss {self.loss:.9g})"


def trace(net: "MLP", x: Any, y: Any, sample_weight: Any, optimizer: OptimizerName | Optimizer | None) -> Trace:
    """A step of net; see `MLP.trace`."""
    method = None if optimizer is None else as_optimizer(optimizer)
    inputs, targets, weight = net._data(x, y, sample_weight, single=True)
    net._check_parameters()
    network = net._architecture.reference_twin()
    network.parameters[...] = net.parameters
    for number, (*_, factor, trainable) in enumerate(net._network.groups):
        network.set_group(number, factor, trainable)
    inputs, weight = inputs.astype(np.float64), None if weight is None else weight.astype(np.float64)
    targets = targets if targets.ndim == 1 else targets.astype(np.float64)
    flat, gradient_inputs, seen = np.empty_like(network.parameters), np.empty_like(inputs), reference.Seen()
    loss = network.gradient(inputs, targets, weight, flat, gradient_inputs, seen=seen)
    if not (np.isfinite(loss) and np.isfinite(flat).all() and np.isfinite(gradient_inputs).all()):
        raise ValueError("the loss or its gradient is not finite; scaled inputs or smaller weights may help")
    first = int(net.input_scale is not None)  # of the layers that are dense; its inputs are the scaled ones, then
    gradients = [views[first:] for views in network.views(flat)]
    before = [array.copy() for views in (network.weights, network.biases) for array in views[first:]]
    after: list[Array] = []
    if method is not None:
        checks.hyperparameters(method, network.dtype)
        if method == net._optimizer:  # fit would continue with its moments
            network.optimizer_state = net._network.optimizer_state
        network.train(inputs, targets, weight, None, Steps(len(inputs), method))
        if not np.isfinite(network.parameters).all():
            raise ValueError(f"optimizer is {method!r}: its step gives parameters that are not finite")
        after = [*network.weights[first:], *network.biases[first:]]
    n_layers, slope = len(net.sizes) - 1, net.negative_slope
    for each in (seen.z, seen.a, seen.gradient_a, seen.delta):
        del each[:first]
    layers = []
    for layer, name in enumerate(net._architecture.layer_activations):
        z, a = seen.z[layer], seen.a[layer + 1]
        derivative = (
            formulas.softmax_jacobian(a) if name == "softmax" else formulas.ACTIVATIONS[name].derivative(z, a, slope)
        )
        layers.append(
            LayerTrace(
                layer + 1, name, before[layer], before[n_layers + layer] if net.bias else None, seen.a[layer], z, a,
                derivative, seen.gradient_a[layer], seen.delta[layer], gradients[0][layer],
                gradients[1][layer] if net.bias else None, after[layer] if after else None,
                after[n_layers + layer] if after and net.bias else None,
            )
        )  # fmt: skip
    result = Trace(inputs, seen.y, tuple(layers), seen.terms, loss, gradient_inputs, method)
    return _of_one_sample(result) if np.ndim(x) == 1 else result


_Part = TypeVar("_Part", LayerTrace, Trace)
_BY_ROWS = ("inputs", "z", "a", "derivative", "gradient_a", "delta", "targets", "loss_terms", "gradient_inputs")


def _of_one_sample(result: Trace) -> Trace:
    """The same without the axis of rows."""

    def without_rows(part: _Part) -> _Part:
        first = {f.name: getattr(part, f.name)[0] for f in fields(part) if f.name in _BY_ROWS}
        return replace(part, **first)

    return without_rows(replace(result, layers=tuple(map(without_rows, result.layers))))
