"""Where the parameters of a net stand: one flat buffer, of which the weights and biases of a layer are views.

Gradients and the moments of an optimizer have the same layout. Core and reference lay theirs out so; this is what
Python sees of it. This file imports no other of fastmlp but for the type of an array.
"""

from collections.abc import Sequence
from itertools import pairwise

from fastmlp.formulas import Array


def layer_views(flat: Array, sizes: Sequence[int], bias: bool) -> tuple[list[Array], list[Array]]:
    """Views (weights, biases) into a flat buffer: for each layer W (n_in, n_out) by rows, then b (n_out,)."""
    weights, biases, at = [], [], 0
    for n_in, n_out in pairwise(sizes):
        weights.append(flat[at : at + n_in * n_out].reshape(n_in, n_out))
        at += n_in * n_out
        if bias:
            biases.append(flat[at : at + n_out])
            at += n_out
    return weights, biases
