"""Where the parameters of a net stand: one flat buffer, of which the weights and biases of a layer are views.

Gradients and the moments of an optimizer have the same layout. Core and reference lay theirs out so; this is what
Python sees of it. This file imports no other of fastmlp but for the type of an array.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise, repeat

from fastmlp.formulas import Array


def layer_shapes(
    sizes: Sequence[int], bias: bool, kinds: Sequence[str] = ()
) -> Iterator[tuple[tuple[int, int], tuple[int]]]:
    """The shapes of W and b of each layer: of a dense one (n_in, n_out) and (n_out,), of a scale (1, n) and (0,)."""
    for (n_in, n_out), kind in zip(pairwise(sizes), kinds or repeat("dense"), strict=False):
        dense = kind == "dense"
        yield (n_in if dense else 1, n_out), (n_out if dense and bias else 0,)


def layer_views(
    flat: Array, sizes: Sequence[int], bias: bool, kinds: Sequence[str] = ()
) -> tuple[list[Array], list[Array]]:
    """Views (weights, biases) into a flat buffer: for each layer W by rows, then b; without `bias` no biases."""
    weights, biases, at = [], [], 0
    for (rows, n_out), (n_biases,) in layer_shapes(sizes, bias, kinds):
        end = at + rows * n_out
        weights.append(flat[at:end].reshape(rows, n_out))
        at = end + n_biases
        if bias:
            biases.append(flat[end:at])
    return weights, biases
