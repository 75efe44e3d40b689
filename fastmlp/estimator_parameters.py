"""The parameters of the estimators, each in one row: its default, what it may be, and what it does.

A row is a field of a dataclass, so that the constructor, its signature, the checks of `fit` and the docstring of the
class all come from it. What a parameter does not accept is said in scikit-learn's words.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from functools import cache
from math import inf, isfinite
from numbers import Integral, Real
from operator import attrgetter, is_
from reprlib import Repr
from textwrap import fill
from typing import Any, NamedTuple, TypeVar

import numpy as np

from fastmlp import checks, formulas
from fastmlp.schedules import SCHEDULES

# scikit-learn's names where they differ from fastmlp's.
ACTIVATIONS = {"logistic": "sigmoid", "exp": "exponential"}
# The loss of the net by the estimator's; that of a classifier belongs to its output.
LOSSES = {"squared_error": "half_squared_error", "log_loss": None}


class Kind(NamedTuple):
    """One kind of value of a parameter."""

    accepts: Callable[[Any], bool]
    words: str  # in scikit-learn's words
    type: str  # in those of a docstring


_repr = Repr()
_repr.maxother = _repr.maxstring = 200


class InvalidParameterError(ValueError, TypeError):
    """A parameter of an estimator that has a value which it cannot have."""


def _is_number(value: Any, of: type) -> bool:
    return isinstance(value, of) and not isinstance(value, (bool, np.bool_))


def _number(
    least: float | None = None, below: float = inf, *, above: float | None = None, most: float | None = None
) -> Kind:
    """Finite numbers in a range of which `least` and `most` are part, `above` and `below` are not."""
    start = f"({float(above)}" if above is not None else f"[{float(least or 0)}"
    end = f"{float(below)})" if most is None else f"{float(most)}]"

    def accepts(value: Any) -> bool:
        if not _is_number(value, Real) or not isfinite(value):
            return False
        is_large = value > above if above is not None else value >= (least or 0)
        return bool(is_large and (value < below if most is None else value <= most))

    return Kind(accepts, f"a float in the range {start}, {end}", "float")


def _integer(least: int) -> Kind:
    return Kind(lambda v: _is_number(v, Integral) and v >= least, f"an int in the range [{least}, inf)", "int")


def _names(*known: str) -> Kind:
    listed = ", ".join(map(repr, known))
    quoted = listed.replace("'", '"')
    return Kind(lambda v: isinstance(v, str) and v in known, f"a str among {{{listed}}}", f"{{{quoted}}}")


def _is_sequence(value: Any) -> bool:
    if isinstance(value, (str, bytes)):
        return False
    return isinstance(value, Sequence) or len(getattr(value, "shape", ())) == 1


_SEQUENCE = Kind(_is_sequence, "an array-like", "array-like")
_NONE = Kind(lambda v: v is None, "None", "None")
_CALLABLE = Kind(callable, "a callable", "callable")
_BOOLEAN = Kind(
    lambda v: isinstance(v, (bool, np.bool_)), "an instance of 'bool' or an instance of 'numpy.bool'", "bool"
)
_COUNT = _integer(1)
_SHARE = _number(0, 1)
_POSITIVE = _number(above=0)
_FOREVER = Kind(lambda v: _is_number(v, Real) and v == inf, "a float among {inf}", "inf")
_SEED = Kind(lambda v: _is_number(v, Integral) and 0 <= v < 2**32, "an int in the range [0, 4294967295]", "int")
_GENERATOR = Kind(
    lambda v: isinstance(v, np.random.RandomState),
    "an instance of 'numpy.random.mtrand.RandomState'",
    "RandomState instance",
)
_MAPPING = Kind(lambda v: isinstance(v, dict), "an instance of 'dict'", "dict")
_METRIC = Kind(lambda v: isinstance(v, str), "an instance of 'str'", "str")


def _row(default: Any, *kinds: Kind, does: str, type: str = "") -> Any:
    """A parameter. `type` is what the docstring says of its type, where the kinds say too little."""
    return field(default=default, metadata={"kinds": kinds, "does": does, "type": type})


@dataclass(eq=False, repr=False)
class Parameters:
    """What both estimators have."""

    hidden_layer_sizes: Any = _row(
        (100,), _SEQUENCE, _COUNT, type="array-like of int, or int",
        does="Neurons of each hidden layer, the first one first; () for none.",
    )  # fmt: skip
    activation: Any = _row(
        "relu", _names(*formulas.ACTIVATIONS, "logistic"), _SEQUENCE, type="str or list of str",
        does="""Of the hidden layers: one name, or one for each. "logistic" is sigmoid's other name; all names are in
        `fastmlp.activations`.""",
    )  # fmt: skip
    _: KW_ONLY
    solver: Any = _row(
        "adam", _names("lbfgs", "sgd", "adam", "adamw", "rmsprop"),
        does="""Adam, AdamW, RMSprop, gradient descent with momentum; or L-BFGS, which takes all rows at once and is
        best for some hundreds of them.""",
    )  # fmt: skip
    alpha: Any = _row(
        0.0001, _number(0), does="The loss has alpha / 2 times the sum of the squared weights, per sample, added."
    )
    batch_size: Any = _row(
        "auto", _names("auto"), _COUNT, type='int or "auto"', does='Samples of a step; "auto" is 200 at most.'
    )
    learning_rate: Any = _row(
        "constant", _names("constant", "invscaling", "adaptive"),
        does="""How the rate of sgd changes. "invscaling" is learning_rate_init / t**power_t after t samples;
        "adaptive" is divided by 5 whenever n_iter_no_change epochs have not improved by tol.""",
    )  # fmt: skip
    learning_rate_init: Any = _row(0.001, _POSITIVE, does="The learning rate at the start. Not of lbfgs.")
    power_t: Any = _row(0.5, _number(0), does='The exponent of learning_rate="invscaling".')
    max_iter: Any = _row(200, _COUNT, does="Epochs at most; iterations of lbfgs.")
    shuffle: Any = _row(True, _BOOLEAN, does="Whether each epoch takes the samples in a new order. Not of lbfgs.")
    random_state: Any = _row(
        None, _SEED, _GENERATOR, _NONE, type="int or RandomState",
        does="What the first weights, the orders, the rows held back and dropout are drawn with.",
    )  # fmt: skip
    tol: Any = _row(
        1e-4, _number(0), does="What improves the loss, or the score of early_stopping, by less is no improvement."
    )
    verbose: Any = _row(False, _integer(0), _BOOLEAN, type="bool or int", does="Whether to print each epoch's loss.")
    warm_start: Any = _row(
        False, _BOOLEAN, does="Whether `fit` goes on from the weights, and the optimizer's state, of the last fit."
    )
    momentum: Any = _row(0.9, _number(0, most=1), does="Of sgd.")
    nesterovs_momentum: Any = _row(True, _BOOLEAN, does="Whether sgd's momentum is Nesterov's.")
    early_stopping: Any = _row(
        False, _BOOLEAN,
        does="""Whether to hold back rows, to stop when n_iter_no_change epochs have not improved on them by tol, and
        to end with the weights that were best there: by accuracy or R²; by the loss, for any loss of a regression but
        squared_error. Each class is held back in proportion, unless there are several labels, or, of three classes
        or more, too few samples of one.""",
    )  # fmt: skip
    validation_fraction: Any = _row(0.1, _SHARE, does="How much early_stopping holds back.")
    beta_1: Any = _row(0.9, _SHARE, does="Decay of the first moments of adam and adamw.")
    beta_2: Any = _row(0.999, _SHARE, does="Decay of their second moments.")
    epsilon: Any = _row(1e-8, _POSITIVE, does="What keeps adam, adamw and rmsprop from dividing by 0.")
    n_iter_no_change: Any = _row(
        10, _COUNT, _FOREVER, type="int or inf", does="Epochs without improvement that end a fit. Not of lbfgs."
    )
    max_fun: Any = _row(15000, _COUNT, does="Loss computations of lbfgs at most.")
    n_layers: Any = _row(
        None, _COUNT, _NONE, does="Instead of hidden_layer_sizes, for a tuner: so many hidden layers (None: 1) ..."
    )
    width: Any = _row(None, _COUNT, _NONE, does="... of so many neurons (None: 100).")
    dropout: Any = _row(
        0.0, _SHARE, _SEQUENCE, type="float or list of float",
        does="Share of a hidden layer's activations that training drops: one number, or one a layer.",
    )  # fmt: skip
    l1: Any = _row(0.0, _number(0), does="l1 * sign(W) is added to the gradient of the weights.")
    weight_decay: Any = _row(
        None, _number(0), _NONE,
        does="Of the solvers adamw (None: 0.01) and rmsprop (0), beside alpha, which is a part of the loss.",
    )  # fmt: skip
    clip_norm: Any = _row(None, _POSITIVE, _NONE, does="The norm that the gradient of a batch has at most.")
    schedule: Any = _row(
        None, _names(*SCHEDULES), _CALLABLE, _NONE,
        does="""By what factor the learning rate of each step is multiplied over max_iter epochs: see
        `fastmlp.schedules`. All of them are made, unless early_stopping ends them; partial_fit takes none.""",
    )  # fmt: skip
    max_time: Any = _row(None, _POSITIVE, _NONE, does="Seconds after which training ends.")
    callbacks: Any = _row(
        None, _CALLABLE, _SEQUENCE, _NONE, type="callable or list of callable",
        does="""Called as callback(estimator, history) after each epoch (iteration of lbfgs) with the
        `fastmlp.History` so far; a true answer stops.""",
    )  # fmt: skip
    batch_callbacks: Any = _row(
        None, _CALLABLE, _SEQUENCE, _NONE, type="callable or list of callable", does="The same after each batch."
    )
    progress: Any = _row(
        False, _BOOLEAN, _names("tqdm"),
        does="Whether to show a line on standard error, or a bar of tqdm where it is installed.",
    )  # fmt: skip
    eval_metric: Any = _row(
        None, _METRIC, _CALLABLE, _NONE,
        does="Any scorer of scikit-learn, computed on the validation data of `fit` before the first epoch and after "
        "each.",
    )  # fmt: skip
    scale: Any = _row(
        None, _names("standard", "quantile"), _NONE,
        does="""How `fit` scales X, and y of a regression unless loss="poisson", and prediction alike and back: to
        mean 0 and variance 1, or to a normal distribution. A sparse X becomes dense by it. partial_fit goes on with
        the means and variances of all it has seen; quantiles it does not take.""",
    )  # fmt: skip
    initial_weights: Any = _row(
        None, _SEQUENCE, _NONE, type="(list of ndarray, list of ndarray)", does="coefs and intercepts to start from."
    )
    missing_targets: Any = _row(
        None, _names("mask"), _NONE,
        does="""What becomes of NaN in a y of several outputs or labels: an error, or, with "mask", such an element
        adds nothing to the loss and teaches nothing.""",
    )  # fmt: skip
    n_threads: Any = _row(
        None, _COUNT, _NONE,
        does="Threads at most; None for `fastmlp.get_num_threads()`. The results are the same.",
    )  # fmt: skip


@dataclass(eq=False, repr=False)
class ClassifierParameters:
    """What a classifier has besides."""

    _: KW_ONLY
    class_weight: Any = _row(
        None, _MAPPING, _names("balanced"), _SEQUENCE, _NONE, type='dict, list of dict or "balanced"',
        does="""Weights of the classes, multiplied into sample_weight; "balanced" is inverse to how often a class
        occurs. For several labels, a list with a dict for each.""",
    )  # fmt: skip


@dataclass(eq=False, repr=False)
class RegressorParameters:
    """What a regressor has besides; `loss` is its first parameter, as in scikit-learn."""

    loss: Any = _row(
        "squared_error",
        _names("squared_error", "poisson", "absolute_error", "huber", "log_cosh", "quantile"),
        does="""The first two as in scikit-learn: half the squared error, and half the deviance of Poisson regression,
        whose predictions are exp of the last layer.""",
    )
    _: KW_ONLY
    quantile: Any = _row(0.5, _number(above=0, below=1), does='Which quantile loss="quantile" estimates.')
    huber_delta: Any = _row(1.0, _POSITIVE, does='From which error on loss="huber" is linear.')


@dataclass(eq=False, repr=False)
class TabularParameters:
    """What `TabularClassifier` and `TabularRegressor` have."""

    n_members: Any = _row(
        8, _COUNT,
        does="""Nets, each trained on all rows but a fold of its own: a fifth of the rows, or 1 / n_members of them
        where these are more than five. There are no more members than rows.""",
    )  # fmt: skip
    _: KW_ONLY
    hidden_layer_sizes: Any = _row(
        (128, 128, 128), _SEQUENCE, _COUNT, type="array-like of int, or int",
        does="Neurons of each hidden layer of a net.",
    )  # fmt: skip
    epochs: Any = _row(
        "auto", _names("auto"), _COUNT, type='int or "auto"',
        does="""Passes over the rows; the nets are those of the epoch that was best on held-out rows. Training ends
        after 3/15 or 7/15 of them where the last cycle of the schedule brought nothing there. "auto" is 64 up to
        32,768 rows, 32 up to 131,072, and 16 for more.""",
    )  # fmt: skip
    batch_size: Any = _row(
        "auto", _names("auto"), _COUNT, type='int or "auto"',
        does='Samples of a step; "auto" is 64 up to 1,024 rows, 128 up to 8,192, and 256 for more.',
    )  # fmt: skip
    learning_rate: Any = _row(
        "auto", _names("auto"), _POSITIVE, type='float or "auto"',
        does="""Of Adam at each of the four heights of the schedule; "auto" is 0.004 for classes and 0.007 for
        numbers. The factors of the inputs, in front of the first weights, move 60 times as fast.""",
    )  # fmt: skip
    max_one_hot: Any = _row(
        32, _integer(0),
        does="""Categories of a column that have a column each; for those of a column with more, the mean of the
        target stands, computed from other rows, and how often they occur.""",
    )  # fmt: skip
    n_bins: Any = _row(
        8, _integer(0),
        does="""Bins of a column of numbers, between quantiles: how far a number has gone through each stands beside
        it. There are fewer where the nets would read more than 128 columns, and none where that were fewer than 3;
        0 for none.""",
    )  # fmt: skip
    random_state: Any = _row(
        None, _SEED, _GENERATOR, _NONE, type="int or RandomState",
        does="What folds, first weights and orders are drawn with.",
    )  # fmt: skip
    progress: Any = _row(
        False, _BOOLEAN, _names("tqdm"),
        does="Whether to show a line on standard error, or a bar of tqdm where it is installed.",
    )  # fmt: skip
    n_threads: Any = _row(
        None, _COUNT, _NONE,
        does="""Threads at most, on which members are trained side by side; None for `fastmlp.get_num_threads()`. The
        results are the same.""",
    )  # fmt: skip


@cache
def _rows(estimator: Any) -> tuple[Callable[[Any], tuple[Any, ...]], tuple[tuple[str, tuple[Kind, ...]], ...]]:
    """What gets the values of all parameters of an estimator of this class, and their names and kinds."""
    rows = tuple((row.name, row.metadata["kinds"]) for row in fields(estimator))
    return attrgetter(*(name for name, _ in rows)), rows


def check_parameters(estimator: Any) -> None:
    """Refuse what a parameter cannot be."""
    values_of, rows = _rows(estimator.__class__)
    values, known = values_of(estimator), estimator.__dict__.get("_checked")
    if known is not None and all(map(is_, values, known)):
        return
    for (name, kinds), value in zip(rows, values, strict=True):
        if not any(kind.accepts(value) for kind in kinds):
            *words, last = [kind.words for kind in kinds]
            expected = f"{', '.join(words)} or {last}" if words else last
            raise InvalidParameterError(
                f"The {name!r} parameter of {type(estimator).__name__} must be {expected}. Got {_repr.repr(value)} "
                "instead."
            )
    estimator._checked = values


def hidden_sizes(given: Any) -> list[int]:
    """Neurons of each hidden layer, as the parameter hidden_layer_sizes has them."""
    sizes = list(given) if isinstance(given, Iterable) else [given]
    for size in sizes:
        if type(size) is int:
            continue
        whole = isinstance(size, Integral) or (isinstance(size, Real) and float(size).is_integer())
        if isinstance(size, (bool, np.bool_)) or not whole:
            raise TypeError(f"hidden_layer_sizes is {given!r} with {size!r} in it; expected whole numbers > 0")
    if any(size <= 0 for size in sizes):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
    if any(size > checks.MOST for size in sizes):
        raise ValueError(f"hidden_layer_sizes is {given!r}; expected at most {checks.MOST} neurons in a layer")
    return [int(size) for size in sizes]


Class = TypeVar("Class", bound=type)


def documented(cls: Class) -> Class:
    """Put the rows of a class into its docstring, in place of {parameters}."""
    if cls.__doc__:
        cls.__doc__ = cls.__doc__.replace("{parameters}", "\n    ".join(_described(row) for row in fields(cls)))
    return cls


def _described(row: Any) -> str:
    kinds = [kind.type for kind in row.metadata["kinds"] if kind is not _NONE]
    default = f'"{row.default}"' if isinstance(row.default, str) else row.default
    does = fill(" ".join(row.metadata["does"].split()), 110, initial_indent=" " * 8, subsequent_indent=" " * 8)
    return f"{row.name} : {row.metadata['type'] or ' or '.join(kinds)}, default={default}\n{does}"
