"""Optimizers as plain descriptions: hyperparameters, checked when made. Their steps are in src/optimizers.pxd."""

from dataclasses import dataclass

from fastmlp.checks import boolean, choice, number


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent: theta <- theta - learning_rate * dC/dtheta.

    Parameters
    ----------
    learning_rate : float
        The step alpha of the lecture scripts, > 0.
    momentum : float
        v <- momentum * v + g; theta <- theta - learning_rate * v. In [0, 1).
    nesterov : bool
        theta <- theta - learning_rate * (g + momentum * v) instead; needs momentum > 0.
    weight_decay : float
        L2 penalty: adds weight_decay * W to the gradient of the weights, not of the biases. >= 0.

    Raises
    ------
    ValueError, TypeError
        If a value is out of its range or not a number.
    """

    learning_rate: float = 0.01
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        number("learning_rate", self.learning_rate, above=0)
        number("momentum", self.momentum, least=0, below=1)
        number("weight_decay", self.weight_decay, least=0)
        boolean("nesterov", self.nesterov)
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov is True with momentum 0: Nesterov's step needs momentum > 0")


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba 2015): steps scaled by running means of the gradient and of its square.

    Parameters
    ----------
    learning_rate : float
        > 0.
    beta_1, beta_2 : float
        Decay of the means of the gradient and of its square, in [0, 1).
    epsilon : float
        Added to the root of the mean square, > 0.
    epsilon_hat : bool
        Whether epsilon is added before the root's bias correction, as in the shorter form at the end of the paper's
        section 2 and in scikit-learn, or, by default, after it, as in the paper's algorithm and in PyTorch.
    weight_decay : float
        L2 penalty: adds weight_decay * W to the gradient of the weights, not of the biases. >= 0.

    Raises
    ------
    ValueError, TypeError
        If a value is out of its range or not a number.
    """

    learning_rate: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    epsilon_hat: bool = False

    def __post_init__(self) -> None:
        number("learning_rate", self.learning_rate, above=0)
        number("beta_1", self.beta_1, least=0, below=1)
        number("beta_2", self.beta_2, least=0, below=1)
        number("epsilon", self.epsilon, above=0)
        boolean("epsilon_hat", self.epsilon_hat)
        number("weight_decay", self.weight_decay, least=0)


OPTIMIZERS: dict[str, type[SGD | Adam]] = {"sgd": SGD, "adam": Adam}


def optimizer(given: str | SGD | Adam) -> SGD | Adam:
    """The optimizer of a name, with its default hyperparameters, or the one given."""
    if isinstance(given, str):
        return OPTIMIZERS[choice("optimizer", given, OPTIMIZERS)]()
    if isinstance(given, tuple(OPTIMIZERS.values())):
        return given
    raise TypeError(
        f"optimizer is {given!r}; expected a name ({', '.join(OPTIMIZERS)}) or an instance, as Adam(1e-3)"
    )
