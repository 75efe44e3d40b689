"""What goes with a table of a certain size: the nets of `TabularClassifier` and `TabularRegressor`, their training.

The recipe is that of RealMLP-TD-S (Holzmueller et al. 2024, "Better by default") with smaller nets, fewer epochs and
more members, and with what measured best by bench/tables.py: one learning rate for weights and biases, mish for all,
smaller batches for fewer rows, bins of the numbers. Not here: who makes use of it (members.py).
"""

import math
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
        Of weights and biases, where the schedule is at its height.
    scale_rate : float
        By what it is multiplied for the factors of the inputs.
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
    scale_rate: float = 60.0
    beta_2: float = 0.95


# Samples of a step, and passes over the rows, by the rows up to which they are taken: few rows need many steps more
# than quiet ones, and very many rows have made enough of them in fewer passes.
_BATCH_SIZES = {1_024: 64, 8_192: 128, math.inf: 256}
_EPOCHS = {32_768: 64, 131_072: 32, math.inf: 16}


def recipe_for(model: Any, rows: int, classifies: bool) -> Recipe:
    """The recipe of an estimator with TabularParameters, for a table of so many rows."""
    batch_size, epochs, rate = model.batch_size, model.epochs, model.learning_rate
    if batch_size == "auto":
        batch_size = next(size for most, size in _BATCH_SIZES.items() if rows <= most)
    if epochs == "auto":
        epochs = next(passes for most, passes in _EPOCHS.items() if rows <= most)
    if rate == "auto":
        rate = 0.004 if classifies else 0.007
    return Recipe(
        hidden=tuple(hidden_sizes(model.hidden_layer_sizes)),
        activation="mish",
        n_members=min(int(model.n_members), rows),
        epochs=int(epochs),
        batch_size=int(batch_size),
        learning_rate=float(rate),
    )
