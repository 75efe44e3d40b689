"""Nets for one table, trained side by side, each on all rows but its fold, and stopped together.

The rows stand fold by fold. Member k does not learn from fold k and answers for it after each epoch: these answers
decide which epoch was the best of all members together, and whether a further cycle of the schedule is worth its
time; calibration and intervals are made of them. Not here: how a table becomes numbers (frame_encoding.py), and which
recipe goes with its size (recipes.py).
"""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fastmlp import builds
from fastmlp.calibration import log_loss
from fastmlp.formulas import Array, OutputName
from fastmlp.history import History
from fastmlp.layout import layer_views
from fastmlp.messages import warn
from fastmlp.mlp import MLP
from fastmlp.optimizers import Adam, Steps
from fastmlp.progress import progress as as_progress
from fastmlp.recipes import Recipe
from fastmlp.schedules import CosLog
from fastmlp.training import Run

LEAST_FOLDS = 5  # of fewer, a member would learn from much less than there is

_SCHEDULE = CosLog()
# A mean loss that no table has: targets are standardised, and being sure of a wrong class costs some tens.
_DIVERGED = 1e6


class Table(NamedTuple):
    """The rows of a table, fold by fold.

    Attributes
    ----------
    X : ndarray of shape (m, n_in), float32
    targets : ndarray of shape (m,), int64, or (m, 1), float32
        Labels 0 .. n_out - 1, or standardised numbers.
    sample_weight : ndarray of shape (m,), float32, or None
    starts : ndarray of shape (folds + 1,), int64
        Where each fold begins, and where the last one ends.
    n_out : int
    """

    X: Array
    targets: Array
    sample_weight: Array | None
    starts: Array
    n_out: int

    @property
    def classifies(self) -> bool:
        """Whether the targets are labels."""
        return self.targets.ndim == 1


class Members(NamedTuple):
    """What training gives.

    Attributes
    ----------
    nets : list of MLP
        With the parameters of the best epoch.
    outputs : ndarray of shape (rows held out, n_out)
        Of each fold that is held out, by the member that has not learned from it, fold by fold.
    history : History
        The mean training loss of the members, and what these outputs were worth after each epoch.
    best_epoch : int
        Counted from 1.
    """

    nets: list[MLP]
    outputs: Array
    history: History
    best_epoch: int


def in_folds(targets: Array, folds: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """An order of the rows, fold by fold, each class dealt out to all of them; and where each fold begins.

    There are no more folds than rows.
    """
    rows = len(targets)
    folds = min(folds, rows)
    dealt = rng.permutation(rows)
    if targets.ndim == 1:
        dealt = dealt[np.argsort(targets[dealt], kind="stable")]
    order = np.concatenate([np.sort(dealt[k::folds]) for k in range(folds)])
    starts = np.cumsum([0, *(len(dealt[k::folds]) for k in range(folds))])
    return order, starts


class _Member:
    """A net, the rows that it learns from, and the fold that it answers for."""

    def __init__(self, table: Table, recipe: Recipe, fold: int, rng: np.random.Generator, outputs: Array) -> None:
        first, end = table.starts[fold], table.starts[fold + 1]
        self.rows = np.concatenate([np.arange(first), np.arange(end, table.starts[-1])])
        self.held_out, self.outputs = table.X[first:end], outputs
        self.network = _network(table, recipe, rng)
        # Batches of one size: a last one of few samples would be a step like any other.
        batches = max(1, round(len(self.rows) / recipe.batch_size))
        self.batch_size = -(-len(self.rows) // batches)
        self.run = Run(int(rng.integers(2**63)), 0, np.empty_like(self.network.parameters))
        self.run.order, self.run.losses = np.empty(len(self.rows), np.int64), np.empty((1, 3))
        self.best = self.network.parameters.copy()

    def train(self, threads: int, table: Table, recipe: Recipe, epoch: int, epochs: int) -> None:
        """An epoch, and the answers for the held-out fold. An epoch that diverges is undone by the core."""
        steps = Steps(self.batch_size, Adam(recipe.learning_rate, beta_2=recipe.beta_2))
        n = steps.per_epoch(len(self.rows))
        progress = (epoch * n + np.arange(n) + 0.5) / (epochs * n)
        steps = steps._replace(rates=recipe.learning_rate * _SCHEDULE(progress))
        self.run.stop = ""
        self.network.train(table.X, table.targets, table.sample_weight, self.rows, steps, threads, self.run)
        self.answer(threads)

    def answer(self, threads: int) -> None:
        """Put the outputs for the held-out fold into their place."""
        self.network.forward(self.held_out, self.outputs, threads, True)

    def as_net(self, recipe: Recipe) -> MLP:
        """The net of the best epoch, with the factors of the inputs within its first weights."""
        self.network.parameters[...] = self.best
        (s, first, *weights), (_, *biases) = self.network.views(self.network.parameters)
        output: OutputName = "softmax" if self.network.sizes[-1] > 1 else "identity"
        return MLP.from_parameters(
            [s[0][:, None] * first, *weights], biases, activation=recipe.activation, output=output
        )


def _network(table: Table, recipe: Recipe, rng: np.random.Generator) -> Any:
    """A net with a factor for each input in front, which moves faster, and its parameters as RealMLP's begin."""
    n_in, n_hidden = table.X.shape[1], len(recipe.hidden)
    sizes = (n_in, n_in, *recipe.hidden, table.n_out)
    kinds = ("scale", *["dense"] * (n_hidden + 1))
    output = "softmax" if table.classifies else "identity"
    loss = ("cross_entropy", recipe.label_smoothing) if table.classifies else "half_squared_error"
    activations = ("identity", *[recipe.activation] * n_hidden, output)
    network = builds.network("float32")(sizes, activations, loss, True, 0.01, (), kinds)
    weights, biases = layer_views(network.parameters, sizes, True, kinds)
    weights[0][...] = 1
    network.set_group(0, recipe.scale_rate)
    for l, (W, b) in enumerate(zip(weights[1:], biases[1:], strict=True)):
        if l < n_hidden:  # the last layer begins with zeros
            W[...] = rng.standard_normal(W.shape, np.float32) / math.sqrt(len(W))
            b[...] = rng.standard_normal(b.shape, np.float32)
    return network


def _ends_of_cycles(epochs: int) -> set[int]:
    """The epochs after which a cycle of the schedule is over."""
    of_last = 2**_SCHEDULE.cycles - 1
    return {round(epochs * (2**k - 1) / of_last) for k in range(1, _SCHEDULE.cycles + 1)}


class _Judge:
    """Which epoch is the best, and when a cycle of the schedule has brought nothing."""

    def __init__(self, epochs: int) -> None:
        self.ends, self.best_epoch = _ends_of_cycles(epochs), 0
        self._best = self._least_loss = math.inf
        self._last_better = self._began_after = 0

    def is_best(self, epoch: int, score: float, loss: float) -> bool:
        """Whether an epoch has the least score so far, or one as small, so that it is the last of the best."""
        if score <= self._best or loss <= self._least_loss:
            self._last_better = epoch
        self._least_loss = min(self._least_loss, loss)
        if score > self._best:
            return False
        self._best, self.best_epoch = score, epoch
        return True

    def ends_in_vain(self, epoch: int) -> bool:
        """Whether a cycle ends here that brought nothing better: nor would the next, which is longer."""
        if epoch not in self.ends:
            return False
        began_after, self._began_after = self._began_after, epoch
        return self._last_better <= began_after


def trained(
    table: Table,
    recipe: Recipe,
    rng: np.random.Generator,
    threads: int,
    deadline: float,
    progress: bool | str,
) -> Members:
    """Train the members of a recipe until its epochs are made, or until the clock shows `deadline`.

    They end earlier after a cycle of the schedule in which neither score nor loss of the held-out rows was as good as
    before it. The members are the same bits for any number of threads, unless the clock ends them.

    Raises
    ------
    ValueError
        If training diverges before an epoch is done.
    """
    began = perf_counter()
    outputs = np.zeros((table.starts[recipe.n_members], table.n_out), np.float32)
    members = [
        _Member(table, recipe, k, generator, outputs[table.starts[k] : table.starts[k + 1]])
        for k, generator in enumerate(rng.spawn(recipe.n_members))
    ]
    samples = sum(len(member.rows) for member in members)
    history, line, epochs, judge = History(), None, recipe.epochs, _Judge(recipe.epochs)
    with _side_by_side(members, threads) as each:
        while history.epochs < epochs:
            each(partial(_Member.train, table=table, recipe=recipe, epoch=history.epochs, epochs=epochs))
            losses = np.mean([member.run.losses for member in members], axis=0)
            losses[0, 1:] = _measured(table, outputs)
            diverged = [member.run.diverged_loss for member in members if member.run.stop == "diverged"]
            worst = max([*diverged, *losses[0, :2]], key=lambda loss: math.inf if math.isnan(loss) else loss)
            if diverged or not worst < _DIVERGED:
                _take_divergence(history, worst, judge.best_epoch, recipe)
                break
            history.take(losses, True, table.classifies)
            if judge.is_best(history.epochs, 1 - losses[0, 2] if table.classifies else losses[0, 1], losses[0, 1]):
                for member in members:
                    np.copyto(member.best, member.network.parameters)
            now = perf_counter()
            if history.epochs == 1:
                if deadline < math.inf:  # a schedule that fits into the time is better than one that is cut off
                    epochs = min(epochs, max(1, int((deadline - began) / (now - began))))
                    judge.ends = _ends_of_cycles(epochs)
                line = as_progress(progress, epochs, began)
            history.seconds = now - began
            if line is not None:
                line.show(history, samples)
            if now > deadline and history.epochs < epochs:
                history.stop_reason = "time"
                break
            if history.epochs < epochs and judge.ends_in_vain(history.epochs):
                history.stop_reason = "patience"
                break
    if line is not None:
        line.close()
    if epochs < recipe.epochs and history.stop_reason == "epochs":
        history.stop_reason = "time"
    nets = [member.as_net(recipe) for member in members]
    for member in members:
        member.answer(threads)
    return Members(nets, outputs, history, judge.best_epoch)


def _take_divergence(history: History, loss: float, best_epoch: int, recipe: Recipe) -> None:
    """End at the best epoch with a warning; an error where there is none."""
    said = f"training diverged at epoch {history.epochs + 1} (loss {loss:.3g}):"
    rate = f"learning_rate is {recipe.learning_rate:g}"
    if not best_epoch:
        raise ValueError(f"{said} {rate}; expected less")
    history.stop_reason = "diverged"
    warn(f"{said} the nets are those of epoch {best_epoch}. {rate}, which may be too large", ConvergenceWarning)


def _measured(table: Table, outputs: Array) -> tuple[float, float]:
    """The loss of the answers for the held-out folds, and the share of them that is right; NaN for numbers."""
    targets = table.targets[: len(outputs)]
    w = None if table.sample_weight is None else table.sample_weight[: len(outputs)]
    if not table.classifies:
        return float(np.average(0.5 * np.square(outputs - targets, dtype=np.float64)[:, 0], weights=w)), math.nan
    right = outputs.argmax(axis=1) == targets
    return log_loss(outputs, targets, w), float(np.average(right, weights=w))


@contextmanager
def _side_by_side(members: list[_Member], threads: int) -> Iterator[Callable[[Callable[[_Member, int], None]], None]]:
    """What does something with every member, on so many threads; where there are fewer members, each has several."""
    if threads == 1 or len(members) == 1:

        def one_by_one(do: Callable[[_Member, int], None]) -> None:
            for member in members:
                do(member, threads)

        yield one_by_one
        return
    workers = min(threads, len(members))
    with ThreadPoolExecutor(workers) as pool:

        def some(do: Callable[[_Member, int], None], first: int) -> None:
            for member in members[first::workers]:
                do(member, threads // workers)

        def each(do: Callable[[_Member, int], None]) -> None:
            tasks = [pool.submit(some, do, first) for first in range(workers)]
            try:
                for task in tasks:
                    task.result()
            except BaseException:  # Ctrl-C, or what a member has raised
                for member in members:
                    member.network.interrupt()
                raise

        yield each
