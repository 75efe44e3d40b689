"""The line that `fit(progress=True)` keeps alive on standard error."""

import sys
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastmlp.training import History

_EVERY = 0.1  # seconds between two refreshes of the line on a terminal
_LINES = 10  # lines in all where standard error is no terminal


class Progress:
    """Shows epoch, loss, validation and samples/s: one living line on a terminal, some ten lines elsewhere."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._living = sys.stderr is not None and sys.stderr.isatty()
        self._began = perf_counter()
        self._shown = -1.0
        self._text = ""

    def show(self, history: "History", samples: int) -> None:
        """Take the state after an epoch over so many samples; print it if it is time."""
        now, done = perf_counter(), history.epochs
        self._text = f"epoch {done:{len(str(self._epochs))}}/{self._epochs}  loss {history.loss[-1]:.4f}"
        if history.validation_loss:
            self._text += f"  validation loss {history.validation_loss[-1]:.4f}"
        if history.validation_accuracy:
            self._text += f"  validation accuracy {history.validation_accuracy[-1]:.3f}"
        self._text += f"  {done * samples / (now - self._began):,.0f} samples/s"
        if self._living:
            if now - self._shown >= _EVERY:
                self._shown = now
                self._print("")
        elif done * _LINES // self._epochs > (done - 1) * _LINES // self._epochs:
            self._print("\n")

    def close(self) -> None:
        """Leave the last state standing."""
        if self._living and self._text:
            self._print("\n")

    def _print(self, end: str) -> None:
        text = self._text
        if self._living:  # a line that wraps could not be written over
            from shutil import get_terminal_size  # slow to import, and seldom wanted

            text = "\r\x1b[K" + text[: get_terminal_size().columns - 1]
        if sys.stderr is not None:
            print(text, end=end, file=sys.stderr, flush=True)
