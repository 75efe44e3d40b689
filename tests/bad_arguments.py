"""Small nets, good data to spoil, and how a refusal is asked for: what the tests of argument validation share.

A call is refused with one clear error whose message holds the argument, what came and what was expected.
"""

import re

import numpy as np
import pytest

import fastmlp

X = np.random.default_rng(0).normal(size=(6, 4))
Y = np.random.default_rng(1).normal(size=(6, 3))
SIGNS = np.array([1, -1, 1, -1, 1, -1])
FINITE = r"(?i)finite|nan|infinity"


def regression(dtype="float32", **options):
    return fastmlp.MLP([4, 5, 3], activation="tanh", dtype=dtype, seed=0, **options)


def classifier(dtype="float32"):
    return fastmlp.MLP([4, 5, 3], activation="tanh", output="softmax", dtype=dtype, seed=0)


def yes_or_no(dtype="float32"):
    return fastmlp.MLP([4, 5, 1], activation="tanh", output="sigmoid", dtype=dtype, seed=0)


def changed(array, index, value, dtype=None):
    copy = np.array(array, dtype=dtype)
    copy[index] = value
    return copy


def read_only(array):
    array.flags.writeable = False
    return array


def refuses(call, *words, net=None):
    """`call` raises a ValueError or TypeError that holds every pattern; the parameters of `net` stay."""
    before = None if net is None else net.parameters.copy()
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    message = str(caught.value)
    for word in words:
        assert re.search(word, message), f"no {word!r} in: {message}"
    if net is not None:
        assert net.parameters.tobytes() == before.tobytes(), "the parameters have changed"
    return message
