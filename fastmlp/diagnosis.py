"""What keeps a net from learning: `MLP.diagnose` looks at the data, the units, the gradients and the learning rate.

Each check is a generator of findings over what was looked at, once (`_Seen`); each threshold is a constant with its
reason. A finding is a fact with its numbers and a line of what to do, not a proof: the thresholds are where trouble
is usual, and far from where healthy nets are, fresh or trained.

Not here: how well a net generalises, or whether another architecture would be better. Nothing here changes the net:
values inside come from `MLP.trace`, and learning rates are tried on copies.
"""

from __future__ import annotations  # numpy.random is first imported when rows are drawn

import math
import textwrap
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from fastmlp import checks, formulas
from fastmlp.formulas import Array
from fastmlp.optimizers import Optimizer, OptimizerName
from fastmlp.optimizers import optimizer as as_optimizer

if TYPE_CHECKING:
    from fastmlp.mlp import MLP
    from fastmlp.trace import LayerTrace, Trace

# What can be found, the most important first: causes before what follows from them.
NAMES = (
    "overflow",
    "targets out of range",
    "unscaled inputs",
    "unscaled targets",
    "constant targets",
    "duplicate units",
    "dead units",
    "saturated units",
    "exploding gradients",
    "vanishing gradients",
    "learning rate too high",
    "learning rate too low",
    "nearly constant outputs",
    "no better than the mean",
    "absent classes",
    "unbalanced classes",
    "constant inputs",
)

# Rows, drawn once with a fixed seed. Means, spreads and rates of 2,000 rows are right to some per cent, far less than
# the thresholds ask for; values inside are kept in float64, 1,000 rows of a layer of 1,000 units are 8 MB each.
ROWS = 2000
TRACED_ROWS = 1000
# A trace of softmax outputs keeps a matrix (n_out, n_out) a row: at most so many numbers, 160 MB. Of more than 4,472
# outputs there is none, and the units are not looked at.
_TRACED_NUMBERS = 2e7
# With fewer rows, shares and spreads are those of chance. The gates of the lectures have four.
FEWEST_ROWS = 4

# Initial weights are made for inputs and targets of mean 0 and standard deviation 1 (LeCun et al. 1998). A factor of
# ten either way is made up for by training; pixels of 0..1 or 0..16 and dummies of 0 and 1 are within it.
LARGE_SPREAD = 10.0
# Not the standard deviation: that of a rare dummy, or of a pixel that is seldom on, is small, and it does no harm.
SMALL_DEVIATION = 0.01
# A mean of so many standard deviations: the spread, which is all there is to learn from, is lost beside it.
OFFSET = 10.0
# Between columns of X: the curvatures of the loss differ by the square of it, and one rate has to suit them all.
UNEVEN_INPUTS = 100.0
# Between columns of y: squared errors differ by the square of it, so that the loss hardly sees the smaller one.
UNEVEN_TARGETS = 10.0
# What the rounding of a min-max scaling in float32 leaves beyond the ends of a range.
RANGE_ROUNDING = 1e-6

# Of a layer: two of a thousand units with one input may agree by chance.
DUPLICATE_SHARE = 0.01
# A unit is dead if slope and output are so small for all rows, where an active one has a slope of about 1: with a
# rate that suits the others it never moves. For relu both are exactly 0 there.
DEAD_SLOPE = 1e-4
# Of a layer. He's initial weights leave some units dead, and nets learn with fewer than these; more comes of a rate
# that was too high, of inputs or biases far off, or of many layers.
DEAD_SHARE = 0.1
# A sigmoid or tanh is saturated where the slope is under a hundredth of its largest: |z| > 6, or |z| > 3 for tanh.
SATURATED_SLOPE = 0.01
# Of the rows, for a unit to be called saturated: the others are too few to move it.
SATURATED_ROWS = 0.95
# Of a layer: training drives some units to the ends, and there they may be what they should be.
SATURATED_SHARE = 0.25
# Of the rows, for an output to be called stuck at the wrong end: errors of fewer rows are outliers.
STUCK_ROWS = 0.1
# RMS of dC/dW over RMS of W and of A^(l-1), of a layer and of the last one. Healthy deep nets are within a factor of
# 30 or so; with a thousand no learning rate suits both.
GRADIENT_RATIO = 1e3

# Spread of outputs against spread of targets. An output that knows 1% of the variance has 10%.
CONSTANT_OUTPUT = 0.05
# 1 - loss / loss of the best constant, R^2 for squared errors: below it the inputs have hardly helped.
NO_SKILL = 0.05

# Of two classes, most frequent to rarest: always the former is right on more than 90%.
UNBALANCED = 10.0
# Rows for each class, on average: with fewer, chance alone makes such differences between many classes.
FEWEST_OF_CLASS = 10

# A probe is long enough that a rate of use shows, and short against any training. Large nets make fewer steps: work
# is parameters times samples, 5e9 of it take a second or less.
PROBE_STEPS = 200
FEWEST_PROBE_STEPS = 20
_PROBE_WORK = 5e9
# Both against the loss of the best constant. Too high: the loss rises by more than this, or a tenth of the rate ends
# so much lower. Noise, and a restart of Adam's moments at the end of a training, do less.
PROBE_RISE = 0.1
# Too low: the probe gains less than 3%, and more than 20% with 10 to 10,000 times the rate. The usual rate of Adam,
# 1e-3, gains 8% and more even on XOR and on sigmoid nets.
PROBE_IDLE = 0.03
PROBE_GAIN = 0.2
# A higher rate that gains nearly as much as the best is the safer one to name.
_PROBE_ENOUGH = 0.8

_SCALES = ("unscaled inputs", "unscaled targets", "targets out of range")
_SQUARED = ("half_squared_error", "squared_error")
_CROSS_ENTROPIES = ("binary_cross_entropy", "cross_entropy")
# Least and largest output of an activation; for those that are missing, any number.
RANGES = {
    "sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "relu": (0.0, math.inf),
    "softplus": (0.0, math.inf),
    "exponential": (0.0, math.inf),
    "elu": (-1.0, math.inf),
    "selu": (-formulas.SELU_SCALE * formulas.SELU_ALPHA, math.inf),
    "gelu": (-0.16997, math.inf),
    "silu": (-0.27847, math.inf),
    "mish": (-0.30884, math.inf),
}
# Activations that go to 0 with their slope, so that a unit can be dead; and the largest slope of those that end in a
# flat part elsewhere, so that a unit can be saturated.
_ZERO_TAILS = ("relu", "leaky_relu", "softplus", "gelu", "silu", "mish", "exponential")
_LARGEST_SLOPE = {"sigmoid": 0.25, "tanh": 1.0, "elu": 1.0, "selu": formulas.SELU_SCALE, "softmax": 0.25}

_WIDTH = 80
_LISTED = 5  # columns or outputs that are named before "and 12 more"


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes
    ----------
    name : str
        One of `NAMES`.
    layer : int or None
        The layer, from 1, if it is about one.
    what : str
        What was seen, with its numbers.
    advice : str
        What to do.
    """

    name: str
    layer: int | None
    what: str
    advice: str


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """What `MLP.diagnose` found; its str is the report, at 80 columns.

    `len` counts the findings, a loop goes over them, `"dead units" in diagnosis` asks for a name, and
    `diagnosis["dead units"]` is the list of findings of that name.

    Attributes
    ----------
    findings : list of Finding
        The most important first, those of a name by layer.
    net : str
        What was looked at, in words.
    rows : int
        How many rows the data has, without those of weight 0.
    """

    findings: list[Finding]
    net: str
    rows: int

    def __len__(self) -> int:
        return len(self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __contains__(self, name: object) -> bool:
        return bool(self[name])

    def __getitem__(self, name: object) -> list[Finding]:
        known = checks.choice("name", name, NAMES)
        return [finding for finding in self.findings if finding.name == known]

    def __str__(self) -> str:
        rows = f"{self.rows:,} row{'s' * (self.rows > 1)}"
        n = len(self)
        found = "nothing found" if n == 0 else f"{n} finding{'s' * (n > 1)}"
        lines = _wrapped(f"Diagnosis of {self.net} on {rows}: {found}.")
        if n == 0 and self.rows < FEWEST_ROWS:
            lines += _wrapped("With fewer than four rows, only values inside the net were looked at.")
        elif n == 0:
            lines += _wrapped(
                "Data, units, gradients and learning rate are as in nets that learn; that is no promise."
            )
        for name, group in groupby(self.findings, key=lambda finding: finding.name):
            lines += ["", name]
            for advice, several in groupby(group, key=lambda finding: finding.advice):
                for finding in several:
                    at = "" if finding.layer is None else f"layer {finding.layer}: "
                    lines += _wrapped(at + finding.what, "  ", "    ")
                lines += _wrapped(advice, "  -> ", "     ")
        return "\n".join(lines)

    __repr__ = __str__


def _wrapped(text: str, first: str = "", later: str = "") -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=first, subsequent_indent=later, break_long_words=False, break_on_hyphens=False
    )


class _Seen(NamedTuple):
    """What is looked at: all rows for ranges and classes, n of them, in random order, for the rest."""

    net: MLP
    optimizer: Optimizer
    batch_size: int | None
    rows: int
    least: Array  # (n_in,), over all rows
    most: Array  # (n_in,), over all rows
    x: Array  # (n, n_in), of the dtype of the net
    targets: Array  # (n, n_out) or labels (n,)
    weight: Array | None  # (n,)
    y: Array  # (n, n_out), float64, labels as one-hot rows
    y_least: Array  # (n_out,), over all rows; of labels 0
    y_most: Array  # (n_out,), over all rows; of labels 1
    shares: list[tuple[str, Array]]  # of classification: "" or "output 3: ", and the weighted share of each class
    outputs: Array  # (n, n_out), float64
    is_finite: bool  # the loss and its gradient, in the dtype of the net
    step: Trace | None  # of the first rows; None if it is not finite, or too large

    def layers(self) -> tuple[LayerTrace, ...]:
        return () if self.step is None else self.step.layers

    def may_be_fresh(self) -> bool:
        """Whether the net may never have been trained: the last biases, which any step moves, are 0 or missing."""
        return not self.net.bias or not self.net.biases[-1].any()


def diagnose(
    net: MLP,
    X: ArrayLike,
    y: ArrayLike,
    *,
    optimizer: OptimizerName | Optimizer = "adam",
    batch_size: int | None = 32,
    sample_weight: ArrayLike | None = None,
) -> Diagnosis:
    """Look for what keeps a net from learning; see `MLP.diagnose`, which is the way to call it.

    Parameters
    ----------
    net : MLP
        It is not changed: neither its parameters, nor its random generator, nor the state of its optimizer.
    X, y, sample_weight
        As for `MLP.fit`.
    optimizer : {"adam", "adamw", "rmsprop", "sgd"} or optimizer
        Whose learning rate to try, on copies of the net and with fresh moments.
    batch_size : int or None
        Samples a step of that trial; None takes all.

    Returns
    -------
    Diagnosis
        The same for the same net and data.

    Raises
    ------
    ValueError, TypeError
        If an argument is not of the form above.

    Notes
    -----
    Least and largest values and classes are those of all rows. All else is seen on at most 2,000 rows, values inside
    the net on at most 1,000 of these, drawn at random with a fixed seed. A learning rate is tried for about 200
    steps, fewer with large nets, and two to six rates are tried; for nets of up to some 100,000 parameters that
    takes less than a second.

    The checks: inputs and targets far from mean 0 and standard deviation 1, or constant (LeCun et al. 1998, Efficient
    BackProp); targets beyond what the output can give; classes that are absent, or ten times rarer than another;
    hidden units with the same weights; relu units that are 0 for all rows, and their like; saturated sigmoid and
    tanh; gradients that vanish or explode from layer to layer (Glorot and Bengio 2010), where the relative gradient
    of a layer is the RMS of dC/dW over those of W and of the inputs of the layer; numbers beyond the dtype; outputs
    that are nearly constant, or no better than a constant; a learning rate with which the loss rises, or hardly moves
    where a higher one lowers it.

    No finding are: some dead units, fewer than 10% of a layer; a column of zeros, which is what scaling makes of a
    constant one; poor outputs of a net that was never trained, whose last biases are 0.

    Examples
    --------
    >>> import fastmlp
    >>> import numpy as np
    >>> x = np.arange(1001.0)[:, None]
    >>> net = fastmlp.MLP([1, 16, 1], seed=0)
    >>> diagnosis = net.diagnose(x, x**2 + 1)
    >>> "unscaled targets" in diagnosis
    True
    >>> scaled = (x - x.mean()) / x.std()
    >>> "unscaled inputs" in net.diagnose(scaled, scaled**2)
    False
    """
    x, targets, weight = net._data(X, y, sample_weight)
    net._check_parameters()
    method = as_optimizer(optimizer)
    checks.hyperparameters(method, net.dtype)
    size = None if batch_size is None else checks.integer("batch_size", batch_size, 1)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of overflow and of divergence, which are findings here
        seen = _look(net, method, size, x, targets, weight)
        found = [finding for check in _CHECKS for finding in check(seen)]
    found.sort(key=lambda finding: (NAMES.index(finding.name), finding.layer or 0))
    return Diagnosis(found, repr(net), seen.rows)


def _look(
    net: MLP, optimizer: Optimizer, batch_size: int | None, x: Array, targets: Array, weight: Array | None
) -> _Seen:
    """Draw the rows, and take all that the checks need from the net."""
    n_out = net.sizes[-1]
    counted = slice(None) if weight is None or weight.all() else np.flatnonzero(weight)
    x, targets, weight = x[counted], targets[counted], None if weight is None else weight[counted]
    labels = targets.ndim == 1
    drawn = np.random.default_rng(0).choice(len(x), min(len(x), ROWS), replace=False)
    some, some_targets, some_weight = x[drawn], targets[drawn], None if weight is None else weight[drawn]
    y = np.zeros((len(some), n_out))
    if labels:
        y[np.arange(len(y)), some_targets] = 1
    else:
        y[...] = some_targets
    traced = slice(min(TRACED_ROWS, int(_TRACED_NUMBERS / n_out**2)) if net.output == "softmax" else TRACED_ROWS)
    own, step = net.gradient(some, some_targets, some_weight), None
    is_finite = math.isfinite(own.loss) and bool(np.isfinite(own.flat).all() and np.isfinite(own.inputs).all())
    if is_finite and traced.stop:
        step = net.trace(some[traced], some_targets[traced], None if some_weight is None else some_weight[traced])
    return _Seen(
        net, optimizer, batch_size, len(x), x.min(axis=0), x.max(axis=0), some, some_targets, some_weight, y,
        np.zeros(n_out) if labels else targets.min(axis=0), np.ones(n_out) if labels else targets.max(axis=0),
        _class_shares(net, targets, weight), net.predict(some).astype(np.float64), is_finite, step,
    )  # fmt: skip


def _class_shares(net: MLP, targets: Array, weight: Array | None) -> list[tuple[str, Array]]:
    """The weighted share of each class, for each output with classes of its own; empty for a regression."""
    n_out = net.sizes[-1]
    total = len(targets) if weight is None else weight.sum(dtype=np.float64)
    if targets.ndim == 1:
        return [("", np.bincount(targets, weight, n_out) / total)]
    low, high = RANGES.get(net.output, (0.0, math.inf))
    if net.output == "softmax":
        if (targets < 0).any() or not np.allclose(targets.sum(axis=1), 1, atol=1e-3):
            return []
        return [("", np.average(targets, axis=0, weights=weight).astype(np.float64))]
    if math.isinf(high) or not ((targets == low) | (targets == high)).all():
        return []
    upper = np.average(targets == high, axis=0, weights=weight)
    return [(f"output {k}: " if n_out > 1 else "", np.array([1 - p, p])) for k, p in enumerate(upper)]


# words


def _some(names: list[str]) -> str:
    """0, 3 and 7."""
    if len(names) > _LISTED + 1:
        names = [*names[:_LISTED], f"{len(names) - _LISTED:,} more"]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _listed(kind: str, numbers: Any) -> str:
    """The numbers with their kind: columns 0, 3 and 7."""
    plural = "" if len(numbers) == 1 else "es" if kind.endswith("s") else "s"
    return f"{kind}{plural} {_some([str(int(i)) for i in numbers])}"


def _n(number: float) -> str:
    return f"{number:.3g}"


# data


def _spread(columns: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of columns."""
    return columns.mean(axis=0, dtype=np.float64), columns.std(axis=0, dtype=np.float64)


def _far_inputs(seen: _Seen) -> tuple[Array, Array, Array, Array, Array]:
    """Mean, standard deviation and largest deviation of each column of X; which are far off, which are constant."""
    mean, std = _spread(seen.x)
    deviation = np.maximum(seen.most - mean, mean - seen.least)
    constant = seen.least == seen.most
    far = (std > LARGE_SPREAD) | (deviation < SMALL_DEVIATION)
    # The second holds back a dummy that is nearly always 1.
    far |= (np.abs(mean) > OFFSET * std) & (np.abs(mean) > 2 * deviation)
    return mean, std, deviation, far & ~constant, constant


def _inputs(seen: _Seen) -> Iterator[Finding]:
    if seen.rows < FEWEST_ROWS:
        return
    mean, std, deviation, far, constant = _far_inputs(seen)
    n_in, columns = len(mean), np.flatnonzero(far)
    advice = (
        "scale to (X - X.mean(axis=0)) / X.std(axis=0), new data with the same numbers; MLPClassifier and "
        "MLPRegressor do it with scale='standard'"
    )
    if len(columns):
        worst = columns[np.argmax(np.maximum(np.abs(mean), std)[columns])]
        numbers = f"mean {_n(mean[worst])} and standard deviation {_n(std[worst])}"
        subject, end = f"column {worst} of X is", f": it has {numbers}."
        if len(columns) > 1:
            subject = f"{len(columns):,} of {n_in:,} columns of X are"
            end = f": {_listed('column', columns)}; column {worst} has {numbers}."
        yield Finding("unscaled inputs", None, f"{subject} far from mean 0 and standard deviation 1{end}", advice)
    elif not constant.all():
        varying = np.flatnonzero(~constant)
        large, small = varying[np.argmax(std[varying])], varying[np.argmin(deviation[varying])]
        if std[large] > UNEVEN_INPUTS * deviation[small]:
            yield Finding(
                "unscaled inputs",
                None,
                f"the columns of X differ in scale: column {large} has standard deviation {_n(std[large])}, column "
                f"{small} is within {_n(deviation[small])} of its mean.",
                advice,
            )
    columns = np.flatnonzero(constant & (seen.most != 0))
    if len(columns):
        yield Finding(
            "constant inputs",
            None,
            f"{_listed('column', columns)} of X {'has' if len(columns) == 1 else 'have'} the same value in all rows: "
            f"{_n(seen.most[columns[0]])}{'' if len(columns) == 1 else f' in column {columns[0]}'}.",
            "leave such columns out: they say nothing about y, and scaling divides by their spread, which is 0",
        )


def _out_of_range(seen: _Seen) -> tuple[Array, float, float]:
    """Which outputs have targets that they cannot give, and the range that they have."""
    name = seen.net.output
    low, high = RANGES.get(name, (-math.inf, math.inf))
    if name == "leaky_relu" and seen.net.negative_slope == 0:
        low = 0.0
    return (seen.y_least < low - RANGE_ROUNDING) | (seen.y_most > high + RANGE_ROUNDING), low, high


def _far_targets(seen: _Seen) -> tuple[Array, Array, Array]:
    """Mean and standard deviation of each column of y, and which are far off; none for classes and counts."""
    mean, std = _spread(seen.y)
    if seen.shares or seen.net.loss in (*_CROSS_ENTROPIES, "poisson") or seen.rows < FEWEST_ROWS:
        return mean, std, np.zeros(len(std), bool)
    # A mean up to 1 is within reach of a bias, however small the spread.
    far = (std > LARGE_SPREAD) | (std < SMALL_DEVIATION) | (np.abs(mean) > np.maximum(OFFSET * std, 1))
    return mean, std, far & (seen.y_least < seen.y_most)


def _targets(seen: _Seen) -> Iterator[Finding]:
    net, n_out = seen.net, seen.net.sizes[-1]
    beyond, low, high = _out_of_range(seen)
    if beyond.any():
        columns = np.flatnonzero(beyond)
        k = columns[0]
        ends = f"{_n(low)} to {_n(high)}" if math.isfinite(high) else f"{_n(low)} and more"
        subject, one = ("y", "it") if n_out == 1 else (f"{_listed('column', columns)} of y", f"column {k}")
        yield Finding(
            "targets out of range",
            None,
            f"{subject} {'leave' if len(columns) > 1 else 'leaves'} the range of {net.output} outputs, {ends}: {one} "
            f"goes from {_n(seen.y_least[k])} to {_n(seen.y_most[k])}.",
            "make the net with output='identity', or scale y into that range",
        )
    mean, std, far = _far_targets(seen)
    of_range = f"(y - y.min(axis=0)) / (y.max(axis=0) - y.min(axis=0)){' * 2 - 1' if low else ''}"
    scaled = "(y - y.mean(axis=0)) / y.std(axis=0)"
    if math.isfinite(high):
        scaled = of_range
    elif low == 0:
        scaled = "y / y.std(axis=0)"
    advice = f"fit on {scaled} and turn predictions back" + (
        "; MLPRegressor does both with scale='standard'" if net.output == "identity" else ""
    )
    far &= ~beyond  # one finding about the scale is enough
    if far.any():
        columns = np.flatnonzero(far)
        worst = columns[np.argmax(np.maximum(np.abs(mean), std)[columns])]
        subject = f"{_listed('column', columns)} of {n_out:,} of y" if n_out > 1 else "y"
        yield Finding(
            "unscaled targets",
            None,
            f"{subject} {'is' if len(columns) == 1 else 'are'} far from mean 0 and standard deviation 1: mean "
            f"{_n(mean[worst])} and standard deviation {_n(std[worst])}"
            + (f" in column {worst}." if len(columns) > 1 else "."),
            advice,
        )
    elif n_out > 1 and not (seen.shares or beyond.any() or net.loss in (*_CROSS_ENTROPIES, "poisson")):
        varying = np.flatnonzero(seen.y_least < seen.y_most)
        if len(varying) and std[varying].max() > UNEVEN_TARGETS * std[varying].min():
            large, small = varying[np.argmax(std[varying])], varying[np.argmin(std[varying])]
            yield Finding(
                "unscaled targets",
                None,
                f"the columns of y differ in scale, and the loss is mostly about the largest: standard deviation "
                f"{_n(std[large])} in column {large}, {_n(std[small])} in column {small}.",
                advice,
            )
    constant = np.flatnonzero(seen.y_least == seen.y_most)
    if len(constant) and not seen.shares and seen.rows >= FEWEST_ROWS:
        subject = f"{_listed('column', constant)} of {n_out:,} of y" if n_out > 1 else "y"
        yield Finding(
            "constant targets",
            None,
            f"{subject} {'has' if len(constant) == 1 else 'have'} the same value in all rows"
            f"{' each' if len(constant) > 1 else f', {_n(seen.y_most[constant[0]])}'}.",
            "look where y comes from: there is nothing to learn from the inputs",
        )


def _classes(seen: _Seen) -> Iterator[Finding]:
    if seen.rows < FEWEST_ROWS:
        return
    absent, uneven = [], []
    for of, shares in seen.shares:
        missing, present = np.flatnonzero(shares == 0), np.flatnonzero(shares)
        if len(missing):
            absent.append(f"{of}{_listed('class', missing)} of {len(shares):,}")
        if seen.rows < FEWEST_OF_CLASS * len(shares):
            continue
        most, rarest = present[np.argmax(shares[present])], present[np.argmin(shares[present])]
        if shares[most] > UNBALANCED * shares[rarest]:
            weighted = "" if seen.weight is None else " (weighted)"
            uneven.append(
                (
                    shares[most] / shares[rarest],
                    f"{of}class {most} has {100 * shares[most]:.3g}% of the rows{weighted} and class {rarest} "
                    f"{100 * shares[rarest]:.3g}%.",
                )
            )
    if absent:
        yield Finding(
            "absent classes",
            None,
            f"no row of y has {_some(absent)}.",
            "add rows of that kind, or make the net without it: what never occurs cannot be learned",
        )
    if uneven:
        more = f" (and {len(uneven) - 1:,} outputs alike)" if len(uneven) > 1 else ""
        yield Finding(
            "unbalanced classes",
            None,
            max(uneven)[1][:-1] + more + ".",
            "judge the net by recall and precision of the rare class, not by the share of right answers; to make it "
            "count, give its rows a larger sample_weight in fit, or lower the threshold of classify",
        )


# units and gradients


def _weights_in(layer: LayerTrace) -> Array:
    """The incoming weights and the bias of each unit, (n_out, n_in + 1) or (n_out, n_in)."""
    return layer.weights.T if layer.biases is None else np.column_stack([layer.weights.T, layer.biases])


def _duplicates(seen: _Seen) -> Iterator[Finding]:
    for layer in seen.layers()[:-1]:
        incoming = _weights_in(layer)
        if len(incoming) < 2:
            continue
        # Along a random direction, those that agree are neighbours.
        order = np.argsort(incoming @ np.random.default_rng(0).normal(size=incoming.shape[1]), kind="stable")
        gaps = np.abs(np.diff(incoming[order], axis=0)).max(axis=1)
        # Units that were the same and were trained alike differ by rounding at most.
        same = gaps <= np.finfo(seen.net.dtype).eps * np.abs(incoming).max()
        count = int((np.append(same, False) | np.append(False, same)).sum())
        if count and count >= DUPLICATE_SHARE * len(incoming):
            yield Finding(
                "duplicate units",
                layer.number,
                f"{count:,} of {len(incoming):,} units have the same incoming weights as another one: the layer "
                f"counts as {len(incoming) - int(same.sum()):,}.",
                "start from random weights, as MLP does: equal units get equal gradients, and stay equal",
            )


def _is_stopped_by_slope(seen: _Seen) -> bool:
    """Whether g' of the outputs is a factor of their delta: not with the losses made for them."""
    net = seen.net
    return (net.output, net.loss) not in formulas.CANONICAL and net.loss not in (*_CROSS_ENTROPIES, "poisson")


def _dead(seen: _Seen) -> Iterator[Finding]:
    for layer in seen.layers():
        is_output = layer.number == len(seen.layers())
        if layer.activation not in _ZERO_TAILS or (is_output and not _is_stopped_by_slope(seen)):
            continue
        still = (np.abs(layer.derivative) <= DEAD_SLOPE) & (np.abs(layer.a) <= DEAD_SLOPE)
        dead, units = int(still.all(axis=0).sum()), still.shape[1]
        if dead:  # on all rows that were drawn, not only on those that were traced
            a = seen.net.activations(seen.x)[layer.number - 1]
            dead = int((still.all(axis=0) & (np.abs(a) <= DEAD_SLOPE).all(axis=0)).sum())
        if dead and dead >= (1 if is_output else DEAD_SHARE * units):
            yield Finding(
                "dead units",
                layer.number,
                f"{dead:,} of {units:,} {layer.activation} units are 0 for all {len(seen.x):,} rows, and so is their "
                "gradient.",
                "start anew with scaled inputs and a lower learning rate; leaky_relu keeps a slope below 0"
                + ("" if not is_output else ", and output='identity' one everywhere"),
            )


def _saturated(seen: _Seen) -> Iterator[Finding]:
    for layer in seen.layers()[:-1]:
        if layer.activation not in _LARGEST_SLOPE:
            continue
        flat = layer.derivative < SATURATED_SLOPE * _LARGEST_SLOPE[layer.activation]
        units = flat.shape[1]
        count = int((flat.mean(axis=0) >= SATURATED_ROWS).sum())
        if count and count >= SATURATED_SHARE * units:
            yield Finding(
                "saturated units",
                layer.number,
                f"{count:,} of {units:,} {layer.activation} units have a slope under {SATURATED_SLOPE:.0%} of its "
                f"largest on {SATURATED_ROWS:.0%} and more of {len(flat):,} rows.",
                "scale the inputs, start from smaller weights and with a lower learning rate; relu does not saturate",
            )
    yield from _stuck_outputs(seen)


def _stuck_outputs(seen: _Seen) -> Iterator[Finding]:
    """Outputs saturated at the wrong end of their range, with a loss that does not make up for it."""
    beyond, low, high = _out_of_range(seen)
    if seen.step is None or not math.isfinite(high) or not _is_stopped_by_slope(seen):
        return
    layer, y = seen.step.layers[-1], seen.step.targets
    slope = layer.a * (1 - layer.a) if layer.activation == "softmax" else layer.derivative
    flat = slope < SATURATED_SLOPE * _LARGEST_SLOPE[layer.activation]
    wrong = np.abs(layer.a - y) > (high - low) / 2
    stuck = flat & wrong & ~beyond  # targets out of range are a finding of their own
    if layer.activation == "softmax":  # one wrong output and all the others move together
        share, columns = stuck.any(axis=1).mean(), np.arange(1)
        subject = "the softmax is"
    else:
        shares = stuck.mean(axis=0)
        share, columns = shares.max(), np.flatnonzero(shares >= STUCK_ROWS)
        many = len(columns) > 1
        subject = f"{len(columns):,} of {stuck.shape[1]:,} {layer.activation} outputs {'are' if many else 'is'}"
    if share >= STUCK_ROWS and len(columns):
        proper = {"sigmoid": "binary_cross_entropy", "softmax": "cross_entropy"}.get(layer.activation)
        yield Finding(
            "saturated units",
            layer.number,
            f"{subject} saturated at the wrong end on {share:.0%} of {len(y):,} rows, where {seen.net.loss} has "
            "hardly any gradient.",
            (f"use loss='{proper}' if y are classes, whose gradient is a - y; else " if proper else "")
            + "start from smaller weights, with a lower learning rate",
        )


def _rms(array: Array) -> float:
    return math.sqrt(float(np.mean(np.square(array))))


def _gradients(seen: _Seen) -> Iterator[Finding]:
    relative = []
    for layer in seen.layers():
        # Unscaled inputs make large gradients of W^1, and in a relu net of all W; they are a finding of their own.
        scale = _rms(layer.weights) * _rms(layer.inputs)
        relative.append(_rms(layer.gradient_weights) / scale if scale > 0 else math.nan)
    for number, size in enumerate(relative[:-1], start=1):
        ratio = size / relative[-1] if relative[-1] > 0 else math.nan
        what = f"the relative gradient of its weights is {_n(ratio)} times the last layer's."
        if ratio < 1 / GRADIENT_RATIO:
            yield Finding(
                "vanishing gradients",
                number,
                what,
                "scale the inputs, use relu in hidden layers instead of sigmoid, fewer layers, MLP's own weights",
            )
        elif ratio > GRADIENT_RATIO:
            yield Finding(
                "exploding gradients",
                number,
                what,
                "start from smaller weights, as MLP makes them; clip_norm=1.0 of the optimizer bounds the step",
            )


def _overflow(seen: _Seen) -> Iterator[Finding]:
    if seen.is_finite:
        return
    net = seen.net
    where, what = None, f"values are finite, but the loss or its gradient leaves the range of {net.dtype}."
    names = (*net.activation, net.output)
    for number, (name, a) in enumerate(zip(names, net.activations(seen.x), strict=True), start=1):
        if not np.isfinite(a).all():
            where, what = number, f"outputs of {name} leave the range of {net.dtype}."
            break
    yield Finding(
        "overflow",
        where,
        what,
        "scale inputs and targets to mean 0 and standard deviation 1, start from smaller weights, or take "
        "dtype='float64'",
    )


# outputs


def _loss_of_constant(seen: _Seen, y: Array, weight: Array | None) -> float:
    """The mean loss of the best answer that is the same for all rows: the mean of y, its median or quantile."""
    net, name = seen.net, seen.net.loss
    parameters = [getattr(net, argument) for argument in formulas.LOSS_PARAMETERS.get(name, ())]
    answers = [np.average(y, axis=0, weights=weight)]
    if name not in (*_SQUARED, *_CROSS_ENTROPIES, "poisson"):
        answers.append(np.quantile(y, net.quantile if name == "quantile" else 0.5, axis=0))
    value = formulas.LOSSES[name].value
    losses = [value(np.broadcast_to(answer, y.shape), y, *parameters).sum(axis=1) for answer in answers]
    return min(float(np.average(loss, weights=weight)) for loss in losses)


def _outputs(seen: _Seen) -> Iterator[Finding]:
    net, y, a = seen.net, seen.y, seen.outputs
    if (net.bias and seen.may_be_fresh()) or seen.rows < FEWEST_ROWS or not np.isfinite(a).all():
        return
    varying = np.flatnonzero(y.std(axis=0) > 0)
    if not len(varying):
        return
    loss, least = net.evaluate(seen.x, seen.targets, seen.weight), _loss_of_constant(seen, y, seen.weight)
    skill = 1 - loss / least if least > 0 else math.nan
    measure = "R² is" if net.loss in _SQUARED else "1 - loss / loss of the best constant is"
    flat = varying[a.std(axis=0)[varying] < CONSTANT_OUTPUT * y.std(axis=0)[varying]]
    answer = "the mean of y" if net.loss in _SQUARED else "with the best constant"
    if seen.shares:
        answer = "with the shares of the classes"
    advice = "see to the other findings first; else more epochs, another learning rate or more hidden units"
    if len(flat):
        k = flat[0]
        subject = f"{_listed('output', flat)} of {y.shape[1]:,}" if y.shape[1] > 1 else "the output"
        yield Finding(
            "nearly constant outputs",
            len(net.sizes) - 1,
            f"{subject} hardly {'vary' if len(flat) > 1 else 'varies'} from row to row: standard deviation "
            f"{_n(a[:, k].std())} around {_n(a[:, k].mean())}, where y has {_n(y[:, k].std())} around "
            f"{_n(y[:, k].mean())}; {measure} {skill:.2f}.",
            advice,
        )
    elif skill < NO_SKILL and not seen.may_be_fresh() and not _is_often_right(seen):
        yield Finding(
            "no better than the mean",
            None,
            f"the loss is {_n(loss)}, that of always answering {answer} is {_n(least)}; {measure} {skill:.2f}.",
            advice,
        )


def _is_often_right(seen: _Seen) -> bool:
    """Whether a classifier, perhaps too sure of itself, is right more often than the most frequent class."""
    if not seen.shares:
        return False
    if seen.net.output == "softmax":
        right = seen.outputs.argmax(axis=1) == seen.y.argmax(axis=1)
    else:
        low, high = RANGES[seen.net.output]
        right = (seen.outputs > (low + high) / 2) == (seen.y == high)
    usual = float(np.mean([shares.max() for _, shares in seen.shares]))
    return float(np.average(right, axis=0, weights=seen.weight).mean()) > usual + NO_SKILL * (1 - usual)


# the learning rate


class _Probe:
    """Short trainings of copies, all over the same rows in the same order."""

    def __init__(self, seen: _Seen) -> None:
        net = self._net = seen.net
        self._optimizer = seen.optimizer
        self._batch_size = min(seen.batch_size or len(seen.x), len(seen.x))
        affordable = int(_PROBE_WORK / (net.n_parameters * self._batch_size))
        steps = max(FEWEST_PROBE_STEPS, min(PROBE_STEPS, affordable))
        rows = slice(min(len(seen.x), steps * self._batch_size))
        self._weight = None if seen.weight is None else seen.weight[rows]
        self._data = seen.x[rows], seen.targets[rows]
        steps_of_epoch = -(-len(self._data[0]) // self._batch_size)
        self._epochs = max(1, round(steps / steps_of_epoch))
        self.steps = self._epochs * steps_of_epoch
        self.before = net.evaluate(*self._data, self._weight)
        self.constant = _loss_of_constant(seen, seen.y[rows], self._weight)

    def rate(self, factor: float) -> float:
        """The learning rate times a factor, as the dtype has it."""
        return float(self._net.dtype.type(self._optimizer.learning_rate * factor))

    def loss(self, factor: float) -> float:
        """The loss after the probe; infinity if it diverged or the dtype does not have the rate."""
        net, rate = self._net, self.rate(factor)
        if not np.finfo(net.dtype).tiny <= rate <= np.finfo(net.dtype).max:
            return math.inf
        probe = net.copy()
        probe._network.reset_optimizer()
        history = probe.fit(
            *self._data, sample_weight=self._weight, epochs=self._epochs, batch_size=self._batch_size, shuffle=False,
            optimizer=replace(self._optimizer, learning_rate=rate),
        )  # fmt: skip
        loss = math.inf if history.stop_reason == "diverged" else probe.evaluate(*self._data, self._weight)
        return loss if math.isfinite(loss) else math.inf


def _learning_rate(seen: _Seen) -> Iterator[Finding]:
    if not seen.is_finite:
        return
    probe = _Probe(seen)
    before, scale, now = probe.before, probe.constant or probe.before, probe.loss(1)
    if not scale > 0:
        return
    name, rate = type(seen.optimizer).__name__, seen.optimizer.learning_rate
    in_steps = f"in {probe.steps:,} steps"
    tenth = probe.loss(0.1)
    if now > before + PROBE_RISE * scale or now > tenth + PROBE_RISE * scale:
        lower, better = 0.1, tenth
        while better > before and lower > 1e-6:
            lower /= 10
            better = probe.loss(lower)
        ends = (
            f"goes from {_n(before)} to {_n(now)}" if math.isfinite(now) else f"starts at {_n(before)} and overflows"
        )
        helps = better < before
        yield Finding(
            "learning rate too high",
            None,
            f"with {name} and learning_rate={rate:g} the loss {ends} {in_steps}"
            + (f", with {probe.rate(lower):g} to {_n(better)}." if helps else "; a lower rate does not help."),
            f"try learning_rate={probe.rate(lower):g}"
            if helps
            else "see to the other findings first, the scale of inputs and targets above all",
        )
        return
    # Where the data are not scaled, a rate cannot be judged before they are.
    is_scaled = not any(finding.name in _SCALES for finding in (*_inputs(seen), *_targets(seen)))
    if is_scaled and before - now < PROBE_IDLE * scale:
        gains = {factor: before - probe.loss(factor) for factor in (1e1, 1e2, 1e3, 1e4)}
        best = max(gains.values())
        if best > PROBE_GAIN * scale:
            factor = min(factor for factor, gain in gains.items() if gain >= _PROBE_ENOUGH * best)
            yield Finding(
                "learning rate too low",
                None,
                f"with {name} and learning_rate={rate:g} the loss goes from {_n(before)} to {_n(now)} {in_steps}, "
                f"with {probe.rate(factor):g} to {_n(before - gains[factor])}.",
                f"try learning_rate={probe.rate(factor):g}",
            )


_CHECKS: tuple[Callable[[_Seen], Iterator[Finding]], ...] = (
    _overflow,
    _inputs,
    _targets,
    _duplicates,
    _dead,
    _saturated,
    _gradients,
    _learning_rate,
    _outputs,
    _classes,
)
