"""History: what a fit saw, epoch after epoch; and the type of a callback, which is shown it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class History:
    """What a call of `MLP.fit` saw.

    Attributes
    ----------
    loss : list of float
        The mean training loss of each epoch, as seen batch by batch while the weights changed. The last epoch may be
        cut short, by a callback after a batch or by max_time.
    validation_loss : list of float
        The loss on the validation rows after each epoch; empty without validation.
    validation_accuracy : list of float
        The share of validation rows classified rightly after each epoch; for classifiers (softmax, or one sigmoid
        output) with validation, else empty.
    metric : list of float
        The metric that `fit` was given, on the validation rows after each epoch; empty without one.
    seconds : float
        Wall-clock time of the call.
    stop_reason : str
        "epochs" (all done), "patience", "tol", "time", "callback" or "diverged".
    batch_loss : float
        The mean loss of the last batch, before its step, where there are callbacks for batches; else NaN.
    """

    loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    seconds: float = 0.0
    stop_reason: str = "epochs"
    batch_loss: float = math.nan
    metric: list[float] = field(default_factory=list)

    def take(self, losses: Any, validated: bool, classified: bool) -> None:
        """Add epochs (n, 3): the mean training loss, and if measured the validation loss and accuracy."""
        self.loss.extend(losses[:, 0].tolist())
        if validated:
            self.validation_loss.extend(losses[:, 1].tolist())
        if classified:
            self.validation_accuracy.extend(losses[:, 2].tolist())

    @property
    def epochs(self) -> int:
        """Epochs, the last perhaps cut short."""
        return len(self.loss)


Callback = Callable[[Any, History], object]
