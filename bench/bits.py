"""Whether two trees compute the same bits: random nets, trained by every build that can run, and hashes of results.

    python bench/bits.py > new.txt      in each tree; then compare the files: a line is a net, a build, a precision

Kinds of layers, activations, losses, optimizers, batches, sample weights, orders, dropout, sparse X are drawn for
each net. A line has one hash if one, two and three threads agree, else all of them.
"""

import argparse
import hashlib
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from fastmlp import SGD, Adam, AdamW, RMSprop, builds, formulas
from fastmlp.optimizers import Steps
from fastmlp.sparse import CSR

OPTIMIZERS = (
    SGD(0.01),
    SGD(0.01, momentum=0.9),
    SGD(0.01, momentum=0.9, nesterov=True, weight_decay=0.01),
    SGD(0.1, clip_norm=0.1),
    Adam(),
    Adam(epsilon_hat=True, l1=1e-4),
    Adam(clip_norm=0.05, weight_decay=0.01),
    AdamW(),
    RMSprop(momentum=0.5),
)
THREADS = (1, 2, 3)


class Net(NamedTuple):
    sizes: tuple[int, ...]
    activations: tuple[str, ...]
    loss: tuple
    bias: bool
    dropout: tuple[float, ...]
    kinds: tuple[str, ...]


def drawn(rng, number):
    """A net, from one neuron to layers past the caches; every 25th is large."""
    sizes = [int(rng.choice([rng.integers(1, 20), rng.integers(20, 150), 300, 784], p=[0.4, 0.5, 0.06, 0.04]))]
    kinds = []
    for _ in range(rng.integers(1, 5)):
        scales = rng.random() < 0.15
        kinds.append("scale" if scales else "dense")
        sizes.append(sizes[-1] if scales else int(rng.integers(1, 150)))
    if number % 25 == 0:
        sizes, kinds = [784, 512, 512, 10], ["dense"] * 3
    loss = str(rng.choice(list(formulas.LOSSES)))
    output = str(rng.choice([name for name in formulas.OUTPUTS if formulas.is_defined(name, loss)]))
    hidden = [str(name) for name in rng.choice(list(formulas.ACTIVATIONS), len(sizes) - 2)]
    dropout = tuple(rng.uniform(0, 0.5, len(hidden)).tolist()) if rng.random() < 0.3 else ()
    parameters = [0.7] * len(formulas.LOSS_PARAMETERS.get(loss, ()))
    return Net(tuple(sizes), (*hidden, output), (loss, *parameters), bool(rng.random() < 0.8), dropout, tuple(kinds))


def compressed(X):
    """A CSR of an array."""
    indptr = np.concatenate([[0], np.cumsum((X != 0).sum(axis=1))]).astype(np.int64)
    return CSR(np.ascontiguousarray(X[X != 0]), np.nonzero(X)[1].astype(np.int32), indptr, X.shape)


def digest(number, Network, threads):
    """A hash of all that the calls of one net give."""
    rng, dtype = np.random.default_rng(number), Network.dtype
    net = drawn(rng, number)
    network = Network(net.sizes, net.activations, net.loss, net.bias, 0.02, net.dropout, net.kinds)
    scale = np.concatenate([np.full((n_in + 1) * n_out, 1 / np.sqrt(n_in)) for n_in, n_out in pairwise(net.sizes)])
    network.parameters[:] = 0.5 * scale[: network.parameters.size] * rng.normal(size=network.parameters.size)
    m, batch_size, optimizer = int(rng.integers(1, 1600)), int(rng.integers(1, 700)), rng.choice(OPTIMIZERS)
    dense = rng.normal(size=(m, net.sizes[0])).astype(dtype)
    X = dense
    if rng.random() < 0.25 and net.kinds[0] == "dense":
        dense *= rng.random(dense.shape) < 0.2
        X = compressed(dense)
    y = rng.random((m, net.sizes[-1])).astype(dtype)
    if net.activations[-1] == "softmax" and rng.random() < 0.5:
        y = rng.integers(0, net.sizes[-1], m)
    weight = rng.uniform(0.1, 2, m).astype(dtype) if rng.random() < 0.4 else None
    order = rng.permutation(m) if rng.random() < 0.6 else None
    found = []
    for epoch in range(2):
        rates = rng.uniform(1e-4, 1e-2, -(-m // batch_size)) if rng.random() < 0.2 else None
        steps = Steps(batch_size, optimizer, 0.01 if rng.random() < 0.3 else 0.0, rates, 7 + epoch)
        found += [network.train(X, y, weight, order, steps, threads), network.loss_by_rows, network.penalty_by_rows]
    found += [network.parameters, *network.optimizer_state[2:]]
    flat, inputs = np.zeros_like(network.parameters), np.zeros_like(dense)
    found += [network.gradient(X, y, weight, flat, inputs, threads), flat, inputs]
    found.append(network.evaluate(X, y, weight, threads))
    found += [network.forward(np.ascontiguousarray(dense[:rows]), None, threads, True) for rows in (1, 2, 3, 7, 600)]
    found.append(network.forward(X, None, threads, True))
    return hashlib.sha256(b"".join(np.asarray(value).tobytes() for value in found)).hexdigest()[:24]


def main():
    parser = argparse.ArgumentParser(description="Print a hash of what random nets compute.")
    parser.add_argument("--nets", type=int, default=200)
    for number in range(parser.parse_args().nets):
        for build in builds.available():
            for dtype in builds.DTYPES:
                hashes = {digest(number, builds.network(dtype, build), threads) for threads in THREADS}
                print(number, build, dtype, *sorted(hashes), flush=True)


if __name__ == "__main__":
    main()
