"""Optimizers as plain descriptions: hyperparameters, checked when made. Their steps are in src/optimizers.pxd."""

from dataclasses import KW_ONLY, dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple

from fastmlp.checks import boolean, choice, number


@dataclass(frozen=True)
class Optimizer:
    """What all optimizers have. It makes no step: use one of its subclasses.

    Parameters
    ----------
    learning_rate : float
        The step alpha of the lecture scripts, > 0.
    weight_decay : float
        L2 penalty: adds weight_decay * W to the gradient of the weights, not of the biases. >= 0.
    l1 : float
        L1 penalty: adds l1 * sign(W) to the gradient of the weights, not of the biases. >= 0. Neither penalty is part
        of the loss that is reported.
    clip_norm : float, optional
        Where the gradient of the mean loss by all parameters, as it is before the penalties, is longer than this in
        the Euclidean norm, it is scaled down to it (Pascanu et al. 2013). > 0.

    Raises
    ------
    ValueError, TypeError
        If a value is out of its range or not a number.
    """

    learning_rate: float = 1e-3
    _: KW_ONLY
    weight_decay: float = 0.0
    l1: float = 0.0
    clip_norm: float | None = None

    decoupled: ClassVar[bool] = False  # whether weight_decay acts on the weights and not on the gradient
    bias_correction: ClassVar[bool] = False  # whether moments are divided by 1 - beta^t, as by Adam

    def __post_init__(self) -> None:
        number("learning_rate", self.learning_rate, above=0)
        number("weight_decay", self.weight_decay, least=0)
        number("l1", self.l1, least=0)
        if self.clip_norm is not None:
            number("clip_norm", self.clip_norm, above=0)


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent: theta <- theta - learning_rate * dC/dtheta.

    Parameters
    ----------
    learning_rate, weight_decay, l1, clip_norm
        As for `Optimizer`.
    momentum : float
        v <- momentum * v + g; theta <- theta - learning_rate * v. 0 to 1; at 1 nothing slows down.
    nesterov : bool
        theta <- theta - learning_rate * (g + momentum * v) instead; needs momentum > 0.

    Raises
    ------
    ValueError, TypeError
        If a value is out of its range or not a number.
    """

    learning_rate: float = 0.01
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        number("momentum", self.momentum, least=0, most=1)
        boolean("nesterov", self.nesterov)
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov is True with momentum 0: Nesterov's step needs momentum > 0")


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam (Kingma and Ba 2015): steps scaled by running means of the gradient and of its square.

    Parameters
    ----------
    learning_rate, weight_decay, l1, clip_norm
        As for `Optimizer`.
    beta_1, beta_2 : float
        Decay of the means of the gradient and of its square, in [0, 1).
    epsilon : float
        Added to the root of the mean square, > 0.
    epsilon_hat : bool
        Whether epsilon is added before the root's bias correction, as in the shorter form at the end of the paper's
        section 2 and in scikit-learn, or, by default, after it, as in the paper's algorithm and in PyTorch.

    Raises
    ------
    ValueError, TypeError
        If a value is out of its range or not a number.
    """

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    epsilon_hat: bool = False

    bias_correction: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        number("beta_1", self.beta_1, least=0, below=1)
        number("beta_2", self.beta_2, least=0, below=1)
        number("epsilon", self.epsilon, above=0)
        boolean("epsilon_hat", self.epsilon_hat)


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019): the decay does not pass through the moments.

    Parameters
    ----------
    learning_rate, beta_1, beta_2, epsilon, epsilon_hat, l1, clip_norm
        As for `Adam`.
    weight_decay : float
        W <- W - learning_rate * weight_decay * W beside Adam's step; biases do not decay. >= 0.

    Raises
    ------
    ValueError, TypeError
        If a value is out of its range or not a number.
    """

    weight_decay: float = field(default=0.01, kw_only=True)

    decoupled: ClassVar[bool] = True


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """RMSprop (Tieleman and Hinton 2012): steps scaled by a running mean of the square of the gradient.

    s <- rho * s + (1 - rho) * g^2; v <- momentum * v + g / (sqrt(s) + epsilon); theta <- theta - learning_rate * v.

    Parameters
    ----------
    learning_rate, weight_decay, l1, clip_norm
        As for `Optimizer`.
    rho : float
        Decay of the mean of the squares, in [0, 1).
    momentum : float
        In [0, 1).
    epsilon : float
        Added to the root of the mean square, > 0.

    Raises
    ------
    ValueError, TypeError
        If a value is out of its range or not a number.
    """

    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        number("rho", self.rho, least=0, below=1)
        number("momentum", self.momentum, least=0, below=1)
        number("epsilon", self.epsilon, above=0)


class Steps(NamedTuple):
    """The steps that `Network.train` makes of some samples.

    Attributes
    ----------
    batch_size : int
        Samples of a step; the last of an epoch may have fewer.
    optimizer : Optimizer
    l2 : float
        Where it is above 0, a batch's loss summed over its weighted samples has the penalty l2 / 2 sum W^2 added.
    rates : ndarray (steps of an epoch,) of float64, or None
        A learning rate for each step in place of the optimizer's.
    weight_decays, dropout_factors : ndarray (steps of an epoch,) of float64, or None
        For each step a weight decay in place of the optimizer's, and what the probabilities of dropout are multiplied
        by. With a Run, these three go on for the epochs that a call may make.
    seed : int
        Decides which units dropout leaves out.
    first, last : int
        The steps of the epoch that are made, first .. last; by default all.
    """

    batch_size: int
    optimizer: Any
    l2: float = 0.0
    rates: Any = None
    seed: int = 0
    first: int = 0
    last: int | None = None
    weight_decays: Any = None
    dropout_factors: Any = None

    def per_epoch(self, rows: int) -> int:
        """How many steps an epoch over so many rows has."""
        return -(-rows // self.batch_size)


OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW, "rmsprop": RMSprop}
_DEFAULTS = {name: cls() for name, cls in OPTIMIZERS.items()}
_CLASSES = tuple(OPTIMIZERS.values())

OptimizerName = Literal["sgd", "adam", "adamw", "rmsprop"]


def optimizer(given: OptimizerName | Optimizer) -> Optimizer:
    """The optimizer of a name, with its default hyperparameters, or the one given."""
    if isinstance(given, str):
        return _DEFAULTS.get(given) or _DEFAULTS[choice("optimizer", given, OPTIMIZERS)]
    if isinstance(given, _CLASSES):
        return given
    raise TypeError(
        f"optimizer is {given!r}; expected a name ({', '.join(OPTIMIZERS)}) or an instance, as Adam(1e-3)"
    )
