"""What goes with a table of a certain size: the nets of `TabularClassifier` and `TabularRegressor`, their training.

The recipe is that of RealMLP-TD-S (Holzmueller et al. 2024, "Better by default") with smaller nets, fewer epochs and
more members, and with what measured best on tables of bench/tables.py: mish for all, biases at the full rate, smaller
batches for fewer rows, bins of the numbers. Not here: who makes use of it (members.py).
"""

from dataclasses import dataclass
from typing import Any

from fastmlp.estimator_parameters import hidden_sizes
from fastmlp.formulas import ActivationName


@dataclass(frozen=True)
class Recipe:
    """The nets for a table, and their training.

    Attributes
    ----------
    hidden : tuple of int
        Neurons of the hidden layers.
    activation : str
        Of the hidden layers.
    n_members, epochs, batch_size : int
    learning_rate : float
        Of parameters whose factor is 1, where the schedule is at its height.
    scale_rate, bias_rate : float
        The factors of the inputs' own factors and of the biases. That of weights is 1 / sqrt(n_in).
    beta_2, label_smoothing : float
        Of Adam, and of the cross entropy.
    """

    hidden: tuple[int, ...]
    activation: ActivationName
    n_members: int
    epochs: int
    batch_size: int
    learning_rate: float
    label_smoothing: float = 0.1
    scale_rate: float = 6.0
    bias_rate: float = 1.0
    beta_2: float = 0.95


# Samples of a step, by the rows up to which it is taken: small nets of few rows need many steps more than quiet ones.
_BATCH_SIZES = {1_024: 64, 8_192: 128}
_LARGEST_BATCH = 256


def recipe_for(model: Any, rows: int, classifies: bool) -> Recipe:
    """The recipe of an estimator with TabularParameters, for a table of so many rows."""
    batch_size, rate = model.batch_size, model.learning_rate
    if batch_size == "auto":
        batch_size = next((size for most, size in _BATCH_SIZES.items() if rows <= most), _LARGEST_BATCH)
    if rate == "auto":
        rate = 0.04 if classifies else 0.07
    return Recipe(
        hidden=tuple(hidden_sizes(model.hidden_layer_sizes)),
        activation="mish",
        n_members=min(int(model.n_members), rows),
        epochs=int(model.epochs),
        batch_size=int(batch_size),
        learning_rate=float(rate),
    )
