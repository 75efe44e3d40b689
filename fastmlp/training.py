"""What training leaves behind, and what ends it: History and the monitor of the best loss."""

import math
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from fastmlp import checks


@dataclass
class History:
    """What a call of `MLP.fit` saw.

    Attributes
    ----------
    loss : list of float
        The mean training loss of each epoch, as seen batch by batch while the weights changed.
    validation_loss : list of float
        The loss on the validation rows after each epoch; empty without validation.
    validation_accuracy : list of float
        The share of validation rows classified rightly after each epoch; for classifiers (softmax, or one sigmoid
        output) with validation, else empty.
    seconds : float
        Wall-clock time of the call.
    stop_reason : str
        "epochs" (all done), "patience", "tol", "callback" or "diverged".
    """

    loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    seconds: float = 0.0
    stop_reason: str = "epochs"

    @property
    def epochs(self) -> int:
        """Epochs completed."""
        return len(self.loss)


class Monitor:
    """Keeps the best loss and its weights, and counts epochs without improvement."""

    def __init__(self, patience: int | None, tol: float | None) -> None:
        self._patience = 1 if patience is None else checks.integer("patience", patience, 1)
        self._tol = 0.0 if tol is None else checks.number("tol", tol, least=0)
        self._active = patience is not None or tol is not None
        self._loss = math.inf
        self._waited = 0
        self.best: NDArray[Any] | None = None

    def is_over(self, loss: float, parameters: NDArray[Any]) -> bool:
        """Take the loss of an epoch; whether patience is at its end."""
        if not self._active:
            return False
        if loss < self._loss - self._tol:
            self._loss, self._waited, self.best = loss, 0, parameters.copy()
        else:
            self._waited += 1
        return self._waited >= self._patience
