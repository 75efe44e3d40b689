"""What `fit(progress=...)` shows on standard error: a line that lives, or a bar of tqdm."""

import sys
from time import perf_counter
from typing import Any

from fastmlp.checks import boolean
from fastmlp.history import History

_EVERY = 0.1  # seconds between two refreshes of the line on a terminal
_LINES = 10  # lines in all where standard error is no terminal


class Progress:
    """Shows epoch, loss, validation and samples/s: one living line on a terminal, some ten lines elsewhere."""

    def __init__(self, epochs: int, began: float) -> None:
        self._epochs, self._began = epochs, began
        self._living = sys.stderr is not None and sys.stderr.isatty()
        self._shown = -1.0
        self._lines = 0  # printed, where none lives
        self._text = self._last = ""  # what there is to tell, and what was printed

    def epochs_until_shown(self, done: int) -> int:
        """After how many more epochs there is something to show, if it is not the clock that decides."""
        if self._living:
            return self._epochs
        line = done * _LINES // self._epochs + 1
        return -(-line * self._epochs // _LINES) - done

    def show(self, history: History, samples: int) -> None:
        """Take the state after some epochs over so many samples each; print it if it is time."""
        now, done = perf_counter(), history.epochs
        facts = "".join(f"  {name} {number}" for name, number in _facts(history).items())
        speed = f"{done * samples / (now - self._began):,.0f} samples/s"
        self._text = f"epoch {done:{len(str(self._epochs))}}/{self._epochs}{facts}  {speed}"
        if self._living:
            if now - self._shown >= _EVERY:
                self._shown = now
                self._print("")
        elif done * _LINES // self._epochs > self._lines:
            self._lines = done * _LINES // self._epochs
            self._print("\n")

    def close(self) -> None:
        """Leave the last state standing."""
        if self._text and (self._living or self._text != self._last):
            self._print("\n")

    def _print(self, end: str) -> None:
        text = self._last = self._text
        if self._living:  # a line that wraps could not be written over
            from shutil import get_terminal_size  # slow to import, and seldom wanted

            text = "\r\x1b[K" + text[: get_terminal_size().columns - 1]
        if sys.stderr is not None:
            print(text, end=end, file=sys.stderr, flush=True)


class Bar:
    """The same facts beside a bar of tqdm, an epoch a mark."""

    def __init__(self, tqdm: Any, epochs: int) -> None:
        self._epochs = epochs
        self._bar = tqdm(total=epochs, unit="epoch")

    def epochs_until_shown(self, done: int) -> int:
        """The clock decides."""
        return self._epochs

    def show(self, history: History, samples: int) -> None:
        """Take the state after some epochs."""
        self._bar.set_postfix(_facts(history), refresh=False)
        self._bar.update(history.epochs - self._bar.n)

    def close(self) -> None:
        """Leave the last state standing."""
        self._bar.close()


def _facts(history: History) -> dict[str, str]:
    """The last numbers of a history, by name."""
    facts = {"loss": f"{history.loss[-1]:.4f}"}
    if history.validation_loss:
        facts["validation loss"] = f"{history.validation_loss[-1]:.4f}"
    if history.validation_accuracy:
        facts["validation accuracy"] = f"{history.validation_accuracy[-1]:.3f}"
    return facts


def progress(given: object, epochs: int, began: float | None = None) -> Progress | Bar | None:
    """What a `progress` argument asks for, of epochs that began then, or begin now.

    "tqdm" means the line where tqdm is not installed.
    """
    began = perf_counter() if began is None else began
    if given == "tqdm":
        try:
            from tqdm.auto import tqdm
        except ModuleNotFoundError:
            return Progress(epochs, began)
        return Bar(tqdm, epochs)
    if isinstance(given, str):
        raise ValueError(f"progress is {given!r}; expected True, False or 'tqdm'")
    return Progress(epochs, began) if boolean("progress", given) else None
