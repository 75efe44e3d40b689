"""How the learning rate changes over a run of `fit`: a factor for every step, by what share of the run is done.

A schedule is a callable: it takes the progress of steps, an array of numbers between 0 and 1, and returns as many
factors >= 0 of the optimizer's learning rate. The classes here are the usual ones; any other callable will do. The
same schedules may be those of dropout and of the weight decay.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from fastmlp.checks import choice, integer, number
from fastmlp.formulas import Array

Schedule = Callable[[Array], Any]


@dataclass(frozen=True)
class Constant:
    """The factor 1, after a warm-up.

    Parameters
    ----------
    warm_up : float
        The share of the run in which the factor rises from 0 to what it would be, in a straight line. In [0, 1).

    Raises
    ------
    ValueError, TypeError
        If a value is out of its range or not a number.
    """

    warm_up: float = 0.0

    def __post_init__(self) -> None:
        number("warm_up", self.warm_up, least=0, below=1)

    def __call__(self, progress: Array) -> Array:
        """The factors at these shares of the run."""
        rest = np.clip((progress - self.warm_up) / (1 - self.warm_up), 0, 1)
        return self._factors(rest) * (np.minimum(progress / self.warm_up, 1) if self.warm_up else 1)

    def _factors(self, progress: Array) -> Array:
        """The factors after the warm-up, by the share of what remains."""
        return np.ones_like(progress)


@dataclass(frozen=True)
class Cosine(Constant):
    """floor + (1 - floor) (1 + cos(pi t)) / 2 at the share t of the run (Loshchilov and Hutter 2017, no restarts).

    Parameters
    ----------
    warm_up : float
        As for `Constant`.
    floor : float
        The factor at the end, 0 to 1.
    """

    floor: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        number("floor", self.floor, least=0, most=1)

    def _factors(self, progress: Array) -> Array:
        return self.floor + (1 - self.floor) * 0.5 * (1 + np.cos(math.pi * progress))


@dataclass(frozen=True)
class Step(Constant):
    """factor^k after k of the equal parts of the run.

    Parameters
    ----------
    warm_up : float
        As for `Constant`.
    factor : float
        By which the rate is multiplied at the end of a part, above 0 and at most 1.
    every : float
        The share of the run that is a part, above 0 and at most 1.
    """

    factor: float = 0.1
    every: float = 1 / 3

    def __post_init__(self) -> None:
        super().__post_init__()
        number("factor", self.factor, above=0, most=1)
        number("every", self.every, above=0, most=1)

    def _factors(self, progress: Array) -> Array:
        return self.factor ** np.floor(progress / self.every)


@dataclass(frozen=True)
class OneCycle:
    """From `start` up to 1 at the share `peak` of the run, then down to `end`, both along a cosine (Smith 2018).

    Parameters
    ----------
    peak : float
        The share of the run at which the factor is 1, between 0 and 1.
    start, end : float
        The factors at the start and at the end, 0 to 1.

    Raises
    ------
    ValueError, TypeError
        If a value is out of its range or not a number.
    """

    peak: float = 0.3
    start: float = 0.04
    end: float = 4e-6

    def __post_init__(self) -> None:
        number("peak", self.peak, above=0, below=1)
        number("start", self.start, least=0, most=1)
        number("end", self.end, least=0, most=1)

    def __call__(self, progress: Array) -> Array:
        """The factors at these shares of the run."""
        rising = progress < self.peak
        share = np.where(rising, 1 - progress / self.peak, (progress - self.peak) / (1 - self.peak))
        least = np.where(rising, self.start, self.end)
        factors: Array = least + (1 - least) * 0.5 * (1 + np.cos(math.pi * share))
        return factors


@dataclass(frozen=True)
class CosLog:
    """(1 - cos(2 pi log2(1 + (2^cycles - 1) t))) / 2 at the share t of the run: RealMLP's (Holzmüller et al. 2024).

    So many cycles from 0 up to 1 and down to 0, each twice as long as the one before: many small ones first, and long
    ones for what is learned late.

    Parameters
    ----------
    cycles : int
        How many, 1 to 32.

    Raises
    ------
    ValueError, TypeError
        If it is out of its range or not a whole number.

    References
    ----------
    D. Holzmüller, L. Grinsztajn, I. Steinwart: Better by default. Strong pre-tuned MLPs and boosted trees on tabular
    data. NeurIPS 2024.
    """

    cycles: int = 4

    def __post_init__(self) -> None:
        if integer("cycles", self.cycles, 1) > 32:
            raise ValueError(f"cycles is {self.cycles}; expected at most 32")

    def __call__(self, progress: Array) -> Array:
        """The factors at these shares of the run."""
        factors: Array = 0.5 * (1 - np.cos(2 * math.pi * np.log2(1 + (2.0**self.cycles - 1) * progress)))
        return factors


@dataclass(frozen=True)
class FlatCosine(Constant):
    """1 up to the share `flat` of the run, then down to 0 along a cosine: RealMLP's (Holzmüller et al. 2024).

    Parameters
    ----------
    warm_up : float
        As for `Constant`.
    flat : float
        The share of the run, after the warm-up, in which the factor stays 1. In [0, 1).
    """

    flat: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        number("flat", self.flat, least=0, below=1)

    def _factors(self, progress: Array) -> Array:
        return 0.5 * (1 + np.cos(math.pi * np.maximum(progress - self.flat, 0) / (1 - self.flat)))


SCHEDULES: dict[str, type[Any]] = {
    "constant": Constant, "cosine": Cosine, "step": Step, "one_cycle": OneCycle, "coslog4": CosLog,
    "flat_cosine": FlatCosine,
}  # fmt: skip
CLASSES = tuple(SCHEDULES.values())
ScheduleName = Literal["constant", "cosine", "step", "one_cycle", "coslog4", "flat_cosine"]


def _schedule(given: ScheduleName | Schedule, name: str) -> Schedule:
    """The schedule of a name, with its default numbers, or the one given."""
    if isinstance(given, str):
        made: Schedule = SCHEDULES[choice(name, given, SCHEDULES)]()
        return made
    if callable(given) and not isinstance(given, type):
        return given
    names = ", ".join(SCHEDULES)
    raise TypeError(f"{name} is {given!r}; expected a name ({names}), an instance as Cosine(), or a callable")


def is_elementwise(given: ScheduleName | Schedule) -> bool:
    """Whether the factor of a step is known not to depend on which other steps are asked for: not of any callable."""
    return isinstance(given, str) or type(given) in CLASSES


def factors(
    given: ScheduleName | Schedule, epoch: int, n: int, epochs: int, steps: int, name: str = "schedule"
) -> Array:
    """The factors of the steps of n of the epochs, from `epoch` on, each at its middle, by a schedule or its name.

    `name` is that of the argument, for errors.
    """
    progress = (epoch * steps + np.arange(n * steps) + 0.5) / (epochs * steps)
    came = _schedule(given, name)(progress)
    try:
        answer = np.asarray(came, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} gave {came!r}; expected {len(progress)} numbers, one for each step") from None
    if answer.shape != progress.shape:
        raise ValueError(f"{name} gave shape {answer.shape} for {len(progress)} steps; expected {progress.shape}")
    if not (np.isfinite(answer) & (answer >= 0)).all():
        raise ValueError(f"{name} gave a factor that is negative or not finite")
    return answer
