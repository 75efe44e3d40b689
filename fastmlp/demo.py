"""The demonstration: a network learns real handwritten digits, then races its twin in plain NumPy.

Nothing here is special to the demonstration: data, facade and training call are what every user has. Both
networks start from the same weights, see the same data and are timed over the same call, ``fit``, with one
thread. The command line (``__main__.py``) keeps NumPy's matrix products to one thread too, which must be said
before NumPy is imported.
"""

import subprocess
import sys
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastmlp import builds
from fastmlp.datasets import load_digits
from fastmlp.history import History
from fastmlp.mlp import MLP
from fastmlp.optimizers import Adam

LAYERS = [64, 256, 128, 10]

_IN_A_NEW_PROCESS = """
import sys
import fastmlp
X, y = fastmlp.datasets.load_digits()
test = [int(row) for row in sys.argv[2].split(",")]
answers = fastmlp.load(sys.argv[1]).classify(X[test])
print(f"test accuracy {(answers == y[test]).mean():.3f}", flush=True)
"""


def run(output: str | PathLike[str], epochs: int, seed: int) -> float:
    """Train, test, time, save, load and draw; return the accuracy on the test digits.

    Parameters
    ----------
    output : path
        Where the picture goes, a PNG file. Without matplotlib there is no picture. The net goes to a file of the same
        name that ends with .safetensors.
    epochs : int
        Passes over the training digits.
    seed : int
        Of the split, the initial weights and the order of the samples.

    Returns
    -------
    float
        The share of right answers on a fifth of the digits, which training never saw.
    """
    X, y = load_digits()
    train, validation, test = _split(len(X), seed)
    print(
        f"{len(X):,} digits: {len(train):,} to train, {len(validation)} to validate, {len(test)} to test", flush=True
    )

    def learn() -> tuple[MLP, History, NDArray[np.int64], float]:
        net = MLP(LAYERS, activation="relu", output="softmax", seed=seed)
        history = net.fit(
            X[train],
            y[train],
            epochs=epochs,
            batch_size=32,
            optimizer=Adam(learning_rate=1e-3),
            validation=(X[validation], y[validation]),
            progress=True,
            threads=1,
        )
        answers = net.classify(X[test])
        accuracy = float(np.mean(answers == y[test]))
        print(f"test accuracy {accuracy:.3f}, {history.epochs} epochs in {history.seconds:.2f} s", flush=True)
        return net, history, answers, accuracy

    net, history, answers, accuracy = learn()
    print(f"{net!r}\n\nThe same training by the reference, which is plain NumPy:", flush=True)
    with builds.forced("reference"):
        _, reference, _, _ = learn()
    ratio = reference.seconds / history.seconds
    print(f"fastmlp (build {builds.current()}, one thread) trained {ratio:.1f} times as fast as NumPy")

    file = Path(output).with_suffix(".safetensors")
    net.save(file)
    print(
        f"net: {file}, {file.stat().st_size:,} bytes; loaded by a new process, it says of the test digits:",
        flush=True,
    )
    rows = ",".join(map(str, test))
    subprocess.run([sys.executable, "-c", _IN_A_NEW_PROCESS, file, rows], check=True)

    try:
        draw(output, X[test], y[test], answers, history)
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        print('No picture without matplotlib: pip install "matplotlib>=3.9"')
    else:
        print(f"picture: {output}")
    return accuracy


def draw(
    output: str | PathLike[str],
    X: NDArray[np.float32],
    y: NDArray[np.int64],
    answers: NDArray[np.int64],
    history: History,
) -> None:
    """Write a PNG: the loss by epoch above, ten test digits with the network's answers below.

    Parameters
    ----------
    output : path
        Of the PNG file.
    X : ndarray of shape (m, 64)
        Test digits, 8 × 8 pixels a row.
    y, answers : ndarray of shape (m,)
        What the digits are, and what the network takes them for.
    history : History
        Of the training.
    """
    from matplotlib.figure import Figure

    right, wrong = np.flatnonzero(answers == y), np.flatnonzero(answers != y)
    first_of_each = right[np.unique(y[right], return_index=True)[1]]
    shown = np.concatenate([wrong[:3], first_of_each])[:10]

    figure = Figure(figsize=(9, 6), layout="constrained")
    title = f"Handwritten digits: test accuracy {len(right) / len(y):.3f} ({len(right)} of {len(y)} right)"
    figure.suptitle(title, fontsize=14)
    above, below = figure.subfigures(2, 1, height_ratios=[3, 1.2])

    axes = above.subplots()
    epochs = np.arange(1, history.epochs + 1)
    axes.plot(epochs, history.loss, marker=".", label="training")
    axes.plot(epochs, history.validation_loss, marker=".", label="validation")
    axes.set(xlabel="epoch", ylabel="cross-entropy, mean over samples", yscale="log")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.margins(x=0.02)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)

    below.suptitle("Test digits and the network's answers, mistakes first and in red", fontsize=11)
    for cell, i in zip(below.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        cell.imshow(X[i].reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        if answers[i] == y[i]:
            cell.set_title(f"{answers[i]}")
        else:
            cell.set_title(f"{answers[i]}, is {y[i]}", color="tab:red", fontweight="bold")
            cell.spines[:].set(color="tab:red", linewidth=2)
        cell.set(xticks=[], yticks=[])

    figure.savefig(output, format="png", dpi=120)


def _split(m: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return the shuffled rows of training, validation (a tenth of what is left) and test (a fifth)."""
    rows = np.random.default_rng(seed).permutation(m)
    test, rest = np.split(rows, [m // 5])
    validation, train = np.split(rest, [len(rest) // 10])
    return train, validation, test
