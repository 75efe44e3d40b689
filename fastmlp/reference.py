"""The network in plain NumPy: the specification of the compiled core, its test oracle and its benchmark baseline.

`Network` here and `Network` in src/network.pyx have the same constructor, methods and meaning. If the two differ, one
of them is wrong; that is why this one is written to be read.

It is written as a careful NumPy user would write it: matrix products over the whole batch, in-place updates of flat
buffers, no Python loop over rows. Not here: what an activation, a loss or an optimizer computes (formulas.py),
where the weights of a layer stand in a buffer (layout.py) and what says how steps are made (optimizers.py).
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field, replace
from time import perf_counter
from typing import Any

import numpy as np

from fastmlp.formulas import (
    ACTIVATIONS,
    CANONICAL,
    KINDS,
    LOSS_PARAMETERS,
    LOSSES,
    OPTIMIZERS,
    Array,
    dropped_units,
    seed_of_epoch,
    shuffled,
    smoothed,
    softmax,
)
from fastmlp.layout import layer_shapes, layer_views
from fastmlp.optimizers import Steps


def _masked(activations: Sequence[Array], factors: dict[int, Array] | None, layer: int) -> Array:
    return activations[layer] * factors[layer] if factors and layer in factors else activations[layer]


@dataclass
class Group:
    """Parameters that an optimizer treats alike: those at offset .. offset + length of the flat buffer.

    Penalties and weight decay count for those that are `decayed`; the learning rate is multiplied by `rate_factor`.
    Those that are not `trainable` are moved by no step, and their gradient is not part of the length that is clipped.
    """

    offset: int
    length: int
    decayed: bool
    rate_factor: float = 1.0
    trainable: bool = True


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


LOOK_EVERY = 0.1  # seconds after which the caller of a run gets to see the end of an epoch

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
    loss : str or tuple
        A name from formulas.LOSSES, whose parameters are those of formulas.LOSS_PARAMETERS, or the name and the
        loss's parameters in the order of that table.
    bias : bool
        Whether layers have biases.
    negative_slope : float
        The slope of leaky_relu below zero.
    dropout : tuple of float
        For each hidden layer, the probability that a unit is left out of a step of `train` (Srivastava et al. 2014);
        the others are multiplied by 1 / (1 - p). Empty for none.
    kinds : tuple of str
        Of each layer a name from formulas.KINDS; empty where all are dense.
    """

    dtype: np.dtype[Any] = np.dtype(np.float64)

    def __init__(
        self,
        sizes: Sequence[int],
        activations: Sequence[str],
        loss: str | tuple[Any, ...],
        bias: bool = True,
        negative_slope: float = 0.01,
        dropout: Sequence[float] = (),
        kinds: Sequence[str] = (),
    ) -> None:
        self.sizes = tuple(sizes)
        self.activations = tuple(activations)
        given: tuple[Any, ...] = (
            (loss, *LOSS_PARAMETERS.get(loss, {}).values()) if isinstance(loss, str) else tuple(loss)
        )
        self.loss, *self.loss_parameters = given
        expected = len(LOSS_PARAMETERS.get(self.loss, ()))
        if len(self.loss_parameters) != expected:
            raise ValueError(f"loss {self.loss!r} has {len(self.loss_parameters)} parameters; expected {expected}")
        for kind, n_in, n_out in zip(kinds, sizes, sizes[1:], strict=False):
            if kind not in KINDS or (kind != "dense" and n_in != n_out):
                raise ValueError(f"layer {kind!r} from {n_in} to {n_out}; expected {tuple(KINDS)}, scale from n to n")
        if len(kinds) not in (0, len(sizes) - 1):
            raise ValueError(f"{len(kinds)} kinds for {len(sizes) - 1} layers")
        self.negative_slope = negative_slope
        self.dropout = tuple(dropout)
        self.bias = bias
        self.kinds = tuple(kinds) or ("dense",) * (len(self.sizes) - 1)
        self.layers = [KINDS[kind] for kind in self.kinds]
        self._groups: list[Group] = []
        n = 0
        for kind, shapes in zip(self.kinds, layer_shapes(sizes, bias, kinds), strict=True):
            for length, decayed in zip(map(math.prod, shapes), (KINDS[kind].decayed, False), strict=True):
                if length > 0:
                    self._groups.append(Group(n, length, decayed))
                    n += length
        self.parameters = np.zeros(n, self.dtype)
        self.weights, self.biases = self.views(self.parameters)
        self.decayed = np.concatenate([np.full(group.length, group.decayed) for group in self._groups])
        self._gradient = np.zeros_like(self.parameters)
        # The mean loss of the last epoch in which a batch counts by its rows, not by their weights; and its penalty.
        self.loss_by_rows = self.penalty_by_rows = 0.0
        self._interrupted = False
        self.masked = False  # whether a target that is NaN adds nothing to the loss; not with softmax
        self.reset_optimizer()

    def views(self, flat: Array) -> tuple[list[Array], list[Array]]:
        """Views (weights, biases) into an array that is laid out as `parameters`: see layout.py."""
        return layer_views(flat, self.sizes, self.bias, self.kinds)

    def is_finite(self, array: Array | None = None) -> bool:
        """Whether no parameter is NaN or infinite; or no element of an array of the core's own type, without gaps."""
        return bool(np.isfinite(self.parameters if array is None else array).all())

    def ready_inputs(self, X: Any) -> Array | None:
        """X (m, n_0) as the methods below take it, where it needs no closer look: here it always does."""
        return None

    def ready(self, X: Any, y: Any, derivative: bool = False) -> tuple[Array, Array] | None:
        """(X, targets) as the methods below take them, where they need no closer look: here they always do."""
        return None

    @property
    def groups(self) -> tuple[tuple[Any, ...], ...]:
        """(offset, length, decayed, rate_factor, trainable) of every group, in the order of `parameters`."""
        return tuple(map(astuple, self._groups))

    def set_group(self, number: int, rate_factor: float = 1.0, trainable: bool = True) -> None:
        """The factor of a group's learning rate, and whether steps move it; `number` counts as `groups` does."""
        if not 0 <= number < len(self._groups):
            raise IndexError("no such parameter group")
        self._groups[number].rate_factor, self._groups[number].trainable = rate_factor, trainable

    def _activate(self, name: str, z: Array) -> Array:
        return softmax(z) if name == "softmax" else ACTIVATIONS[name].value(z, self.negative_slope)

    def _net_input(self, layer: int, x: Array) -> Array:
        return self.layers[layer].forward(x, self.weights[layer], self.biases[layer] if self.bias else None)

    def _dropout_factors(self, seed: int, start: int, rows: int, factor: float = 1.0) -> dict[int, Array]:
        """What dropout multiplies A of hidden layers by, 0 or 1 / (1 - p), (rows, n): by number, from 1.

        p is `factor` times the layer's.
        """
        return {
            layer: np.where(dropped_units(seed, start, rows, layer - 1, self.sizes[layer], p), 0, 1 / (1 - p)).astype(
                self.dtype
            )
            for layer, p in enumerate((factor * p for p in self.dropout), start=1)
            if int(p * 2**24) > 0
        }

    def _pass_forward(self, x: Array, factors: dict[int, Array] | None = None) -> tuple[list[Array], list[Array]]:
        """Z and A of every layer; the next layer reads A times its factors, if it has any."""
        zs, activations = [], [x]
        for layer, name in enumerate(self.activations):
            z = self._net_input(layer, _masked(activations, factors, layer))
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
            return CANONICAL[pair].value(z, self._smoothed(y))
        return LOSSES[self.loss].value(a, y, *self.loss_parameters)

    def _smoothed(self, y: Array) -> Array:
        """The targets as a cross entropy takes them."""
        has = "label_smoothing" in LOSS_PARAMETERS.get(self.loss, ())
        return smoothed(self.loss, y, *self.loss_parameters) if has else y

    def _loss_sum(self, z: Array, a: Array, y: Array, w: Array | None) -> float:
        costs = self._known(self._loss_terms(z, a, y), y).sum(axis=1)
        return float((costs if w is None else costs * w).sum(dtype=np.float64))

    def _output_delta(self, z: Array, a: Array, y: Array) -> Array:
        name = self.activations[-1]
        if (name, self.loss) in CANONICAL:
            return self._known(CANONICAL[name, self.loss].delta(a, self._smoothed(y)), y)
        return self._known(self._through_output(LOSSES[self.loss].gradient(a, y, *self.loss_parameters), z, a), y)

    def _known(self, terms: Array, y: Array) -> Array:
        """Terms (m, n_L), without those of targets that are missing."""
        return np.where(np.isnan(y), terms.dtype.type(0), terms) if self.masked else terms

    def _through_output(self, gradient_a: Array, z: Array, a: Array) -> Array:
        """dc/dz of the output layer from dc/da."""
        name = self.activations[-1]
        if name == "softmax":
            delta: Array = a * (gradient_a - (a * gradient_a).sum(axis=1, keepdims=True))
            return delta
        return gradient_a * ACTIVATIONS[name].derivative(z, a, self.negative_slope)

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
            seen.gradient_a.append(share * LOSSES[self.loss].gradient(activations[-1], y, *self.loss_parameters))
            seen.delta.append(delta.copy())
        self._descend(delta, zs, activations, flat, inputs, factors, seen)
        return total

    def _descend(
        self,
        delta: Array,
        zs: list[Array],
        activations: list[Array],
        flat: Array | None,
        inputs: Array | None = None,
        factors: dict[int, Array] | None = None,
        seen: Seen | None = None,
    ) -> None:
        """From delta of the output down: the gradient by the parameters into flat, that by X into inputs."""
        weights, biases = ([], []) if flat is None else self.views(flat)
        for layer in reversed(range(len(self.layers))):
            if weights:
                self.layers[layer].backward_parameters(
                    _masked(activations, factors, layer), delta, weights[layer], biases[layer] if self.bias else None
                )
            if layer > 0:
                derivative = ACTIVATIONS[self.activations[layer - 1]].derivative
                delta = self.layers[layer].backward_input(delta, self.weights[layer])
                if factors and layer in factors:
                    delta *= factors[layer]
                if seen is not None:
                    seen.gradient_a.insert(0, delta.copy())
                delta *= derivative(zs[layer - 1], activations[layer], self.negative_slope)
                if seen is not None:
                    seen.delta.insert(0, delta.copy())
        if inputs is not None:
            inputs[...] = self.layers[0].backward_input(delta, self.weights[0])

    @_quietly
    def forward(
        self, X: Any, out: Any = None, threads: int = 1, checked: bool = False, logits: bool = False
    ) -> Array | None:
        """Outputs (m, n_L) of X (m, n_0), or (n_L,) of (n_0,), into `out` if given.

        X and out are looked at: None says that one of them cannot be used as it stands, or, unless they were
        `checked` before, that X or the outputs are not finite. With `logits`, Z of the last layer.
        """
        if checked:
            X = _dense(X)
        if not self._usable(X, self.sizes[0]) or len(X) == 0 or not (checked or np.isfinite(X).all()):
            return None
        x: Array = X
        for layer, name in enumerate((*self.activations[:-1], "identity" if logits else self.activations[-1])):
            x = self._activate(name, self._net_input(layer, x))
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
    def vjp(
        self,
        X: Array,
        targets: Array,
        sample_weight: Array | None,
        flat: Array,
        inputs: Array | None = None,
        threads: int = 1,
    ) -> float:
        """The sum of targets * outputs over the rows, each times its weight of any sign; its gradient as above."""
        zs, activations = self._pass_forward(X)
        given = targets if sample_weight is None else targets * sample_weight[:, None]
        self._descend(self._through_output(given, zs[-1], activations[-1]), zs, activations, flat, inputs)
        return float((given * activations[-1]).sum(dtype=np.float64))

    @_quietly
    def jacobian(self, X: Array, out: Array, threads: int = 1) -> None:
        """dA^L/dX of every row, into out (m, n_L, n_0)."""
        zs, activations = self._pass_forward(_dense(X))
        for k in range(self.sizes[-1]):
            of_output = np.zeros_like(activations[-1])
            of_output[:, k] = 1
            self._descend(self._through_output(of_output, zs[-1], activations[-1]), zs, activations, None, out[:, k])

    @_quietly
    def activations_of(self, X: Array, first: int, end: int, threads: int = 1) -> list[Array]:
        """A^(l + 1) (m, n) of the layers l = first .. end - 1, counted from 0."""
        return self._pass_forward(_dense(X))[1][1 + first : 1 + end]

    @_quietly
    def update(self, gradient: Array, optimizer: Any, threads: int = 1) -> None:
        """One step of an optimizer, from a gradient (n_parameters,) of whatever origin."""
        self._gradient[...] = gradient
        self._make_step(optimizer, optimizer.learning_rate, 0 if optimizer.decoupled else optimizer.weight_decay)

    def interrupt(self, end: bool = True) -> None:
        """Let epochs end as by the clock, after the step in work, which another thread makes; or no more of them."""
        self._interrupted = end

    @_quietly
    def train(
        self,
        X: Array,
        targets: Array,
        sample_weight: Array | None,
        order: Array | None,
        steps: Steps,
        threads: int = 1,
        run: Any = None,
    ) -> float | None:
        """An epoch, or some steps of one, over the samples in `order` (m,), or as they stand if it is None.

        Returns the mean of the losses seen on the way, over the weighted samples. At a loss that is not finite it
        stops, and returns that loss. A batch whose weights are all zero makes no step.

        With a `run`, a fastmlp.training.Run, as many epochs as it lets this call make, and None: order are the rows
        to train with. `run` is told how far they are.
        """
        if run is not None:
            self._run_epochs(X, targets, sample_weight, order, steps, run)
            return None
        sums = np.zeros(5)
        for _ in self._steps(X, targets, sample_weight, order, steps, sums):
            pass
        loss, weight, by_rows, penalty_by_rows, rows = sums.tolist()
        self.loss_by_rows, self.penalty_by_rows = by_rows / rows, penalty_by_rows / rows
        return loss / weight

    def _run_epochs(
        self, X: Array, targets: Array, sample_weight: Array | None, rows: Array | None, steps: Steps, run: Any
    ) -> None:
        """Whole epochs, or with run.one_step the next step, or the end of the epoch that has no more steps."""
        samples = len(X if rows is None else rows)
        per_epoch, run.ended = steps.per_epoch(samples), 0
        began = perf_counter()
        while run.ended < len(run.losses) and not run.stop:
            if run.step == 0:
                run.before[...] = self.parameters
                if run.average > 0:
                    run.average_room[1] = run.averaged
            seed, order = seed_of_epoch(run.seed, run.number), rows
            if run.order is not None:
                run.order[...] = order = shuffled(np.arange(samples) if rows is None else rows, seed)
            scheduled: dict[str, Any] = {
                name: None if values is None else values[run.ended * per_epoch :]
                for name in ("rates", "weight_decays", "dropout_factors")
                for values in [getattr(steps, name)]
            }
            rest = steps._replace(seed=seed, first=run.step, **scheduled)
            if not run.cut:
                for number, loss in self._steps(X, targets, sample_weight, order, rest, run.sums):
                    run.step, run.batch_loss = number + 1, loss
                    if not math.isfinite(loss):
                        break
                    if run.average > 0:
                        run.average_power *= run.average
                        weight = (1 - run.average) / (1 - run.average_power)
                        run.averaged += weight * (self.parameters - run.averaged)
                    if perf_counter() - began > run.seconds or self._interrupted:
                        run.cut = "time"
                    if run.one_step:
                        return
                    if run.cut:
                        break
            self._end_epoch(run)
            if perf_counter() - began > LOOK_EVERY:
                break

    def _end_epoch(self, run: Any) -> None:
        """Its losses, and whether it was the best or the last one."""
        losses = run.losses[run.ended]
        losses[...] = math.nan
        losses[0] = loss = run.sums[0] / run.sums[1]
        if run.validation is not None and math.isfinite(loss):
            x, targets, rows = run.validation
            rows = slice(None) if rows is None else rows
            with self._averaged(run):
                losses[1] = loss = self.evaluate(x[rows], targets[rows])
                if run.wants_accuracy:
                    losses[2] = self._accuracy(x[rows], targets[rows])
        run.step, run.number, run.sums[...] = 0, run.number + 1, 0
        finite = self.is_finite() and (run.averaged is None or self.is_finite(run.averaged))
        if not (math.isfinite(loss) and finite):
            self.parameters[...] = run.before
            if run.average > 0:
                run.averaged[...] = run.average_room[1]
            self.reset_optimizer()
            run.stop, run.diverged_loss = "diverged", loss
            return
        run.ended += 1
        run.stop = run.cut
        if run.best is not None and run.criterion != "metric":
            run.judge(-losses[2] if run.criterion == "accuracy" else loss, self.parameters)

    @contextmanager
    def _averaged(self, run: Any) -> Iterator[None]:
        """The net with the average of its parameters, if the run makes one."""
        own = self.parameters.copy()
        if run.average > 0:
            self.parameters[...] = run.averaged
        try:
            yield
        finally:
            self.parameters[...] = own

    def _accuracy(self, X: Array, targets: Array) -> float:
        """The share of rows that get their class, from softmax or from one sigmoid."""
        outputs = self._pass_forward(X)[1][-1]
        if self.activations[-1] != "softmax":
            return float(np.mean((outputs >= 0.5) == (targets >= 0.5)))
        labels = targets if targets.ndim == 1 else targets.argmax(axis=1)
        return float(np.mean(outputs.argmax(axis=1) == labels))

    def _steps(
        self,
        X: Array,
        targets: Array,
        sample_weight: Array | None,
        order: Array | None,
        steps: Steps,
        sums: Array,
    ) -> Iterator[tuple[int, float]]:
        """Make steps of an epoch, one at a time: the number of each and its mean loss, without penalty.

        sums are, over their samples, of: the loss and the weight; the mean loss of a batch times its rows, and the
        penalty in it; the rows.
        """
        batch_size, optimizer, l2, rates, seed, first, last, weight_decays, dropout_factors = steps
        X = _dense(X)
        samples = len(X if order is None else order)
        for number, start in list(enumerate(range(0, samples, batch_size)))[first:last]:
            rows = slice(start, start + batch_size) if order is None else order[start : start + batch_size]
            x, w = X[rows], None if sample_weight is None else sample_weight[rows]
            weight = len(x) if w is None else float(w.sum(dtype=np.float64))
            if weight == 0:
                continue
            factor = 1.0 if dropout_factors is None else float(dropout_factors[number])
            factors = self._dropout_factors(seed, start, len(x), factor)
            loss = self._backpropagate(x, self._targets(targets, rows), w, self._gradient, factors=factors)
            penalty = (
                0.5 * l2 * sum(float(np.square(W, dtype=np.float64).sum()) for W, _ in self._decayed()) if l2 else 0.0
            )
            total = loss + penalty
            sums += (total, weight, len(x) * total / weight, len(x) * penalty / weight, len(x))
            if math.isfinite(loss):
                rate = optimizer.learning_rate if rates is None else float(rates[number])
                if weight_decays is not None:
                    optimizer = replace(optimizer, weight_decay=float(weight_decays[number]))
                decay = (0 if optimizer.decoupled else optimizer.weight_decay) + l2 / weight
                self._make_step(optimizer, rate, decay)
            yield number, loss / weight
            if not math.isfinite(loss):
                break

    def _make_step(self, optimizer: Any, rate: float, decay: float) -> None:
        """The step of an optimizer from self._gradient, at a learning rate, and with so much L2 penalty."""
        frozen = [slice(g.offset, g.offset + g.length) for g in self._groups if not g.trainable]
        for group in frozen:
            self._gradient[group] = 0
        if optimizer.clip_norm is not None:
            norm = math.sqrt(float(np.square(self._gradient, dtype=np.float64).sum()))
            self._gradient *= min(1.0, optimizer.clip_norm / norm) if norm > 0 else 1.0
        if decay or optimizer.l1:
            for theta, g in self._decayed():
                g += decay * theta + optimizer.l1 * np.sign(theta)
        if optimizer.bias_correction:
            self.beta_1_power *= optimizer.beta_1
            self.beta_2_power *= optimizer.beta_2
        moved = (self.parameters, self.first, self.second)
        before = [[array[group].copy() for array in moved] for group in frozen]
        OPTIMIZERS[type(optimizer).__name__](self, optimizer, rate * self._rate_factors(), self._gradient)
        for group, values in zip(frozen, before, strict=True):
            for array, value in zip(moved, values, strict=True):
                array[group] = value

    def _decayed(self) -> list[tuple[Array, Array]]:
        """The parameters that penalties count for, group by group, and their gradient."""
        groups = [slice(g.offset, g.offset + g.length) for g in self._groups if g.decayed]
        return [(self.parameters[group], self._gradient[group]) for group in groups]

    def _rate_factors(self) -> float | Array:
        """Of the learning rate: of each parameter (n,), or 1 where all are 1."""
        if all(group.rate_factor == 1 for group in self._groups):
            return 1.0
        return np.concatenate([np.full(g.length, g.rate_factor, self.dtype) for g in self._groups])

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
