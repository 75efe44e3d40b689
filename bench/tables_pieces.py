"""The pieces of fastmlp's recipe for tables, one left out at a time, and pieces that it does without.

A row of PIECES is a peer of its own, and says of which other one it is a variant, with which it is compared on the
same splits. Those of fastmlp are TabularClassifier and TabularRegressor with one piece changed; what is no parameter
of theirs is changed in the modules that it stands in, since a fit has a process of its own. Those of RealMLP-TD-S
have a piece more: pieces that bins, a fixed map, have made needless here, or that were not worth their time.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

import tables_peers

# fastmlp


def put(module, **changed):
    """Give names of a module other values. A name that it has no more is an error: to set it would change nothing."""
    for name, value in changed.items():
        getattr(module, name)
        setattr(module, name, value)


def with_recipe(**changed):
    """The recipes for all tables, with these attributes changed."""
    from fastmlp import tabular

    recipe_for = tabular.recipe_for
    put(tabular, recipe_for=lambda *arguments: replace(recipe_for(*arguments), **changed))


def without_schedule():
    from fastmlp import members

    class Constant:
        cycles = members._SCHEDULE.cycles  # after which a fit may end, as it may with the schedule

        def __call__(self, progress):
            return np.ones_like(progress)

    put(members, _SCHEDULE=Constant())


def with_ntk():
    """Rates of weights as in RealMLP and the neural tangent parametrisation: 0.04 or 0.07 over the root of n_in."""
    from fastmlp import members

    network_of = members._network

    def network(table, recipe, rng):
        made = network_of(table, recipe, rng)
        for l, n_in in enumerate((table.X.shape[1], *recipe.hidden)):
            made.set_group(1 + 2 * l, 10 / n_in**0.5)
        return made

    put(members, _network=network)


def with_standard_scaling():
    """Numbers by mean and standard deviation, and nothing clipped; columns of categories by their quartiles."""
    from fastmlp import frame_pieces

    def scales(x):
        mean, deviation = np.nanmean(x, axis=1), np.nanstd(x, axis=1)
        return mean, np.where(deviation > 0, 1 / np.where(deviation > 0, deviation, 1), 0.0)

    def scaled(x, c, factor):
        return np.nan_to_num((x - c) * factor)

    put(frame_pieces, robust_scales=scales, scaled=scaled)


def to_the_last_epoch():
    """All epochs, whatever the held-out rows say; these decide which epoch is the best."""
    from fastmlp import members

    put(members, _ends_of_cycles=lambda epochs: set())


def ours(change=None, **parameters):
    def make(classes, seed):
        if change is not None:
            change()
        return tables_peers.fastmlp(classes, seed).set_params(**parameters)

    return make


# RealMLP-TD-S


def theirs(**parameters):
    def make(classes, seed):
        pipeline = tables_peers.real_mlp(classes, seed)
        pipeline[-1].set_params(**parameters)
        return pipeline

    return make


class Piece(NamedTuple):
    name: str
    of: str  # the peer with which it is compared
    package: str
    make: Callable  # of (classes, seed)


FASTMLP, REAL_MLP = "fastmlp", "RealMLP-TD-S"
EMBEDDED = {
    "max_one_hot_cat_size": 9,
    "embedding_size": 8,
    "tfms": ["one_hot", "median_center", "robust_scale", "smooth_clip", "embedding"],
}
PERIODIC = {"num_emb_type": "pbld", "plr_sigma": 0.1, "plr_hidden_1": 16, "plr_hidden_2": 4, "plr_lr_factor": 0.1}
PIECES = {
    piece.name: piece
    for piece in (
        Piece("one net", FASTMLP, "fastmlp", ours(n_members=1)),
        Piece("four nets", FASTMLP, "fastmlp", ours(n_members=4)),
        Piece("no bins", FASTMLP, "fastmlp", ours(n_bins=0)),
        Piece("relu for mish", FASTMLP, "fastmlp", ours(lambda: with_recipe(activation="relu"))),
        Piece("selu for mish", FASTMLP, "fastmlp", ours(lambda: with_recipe(activation="selu"))),
        Piece("no input scale", FASTMLP, "fastmlp", ours(lambda: with_recipe(scale_rate=0.0))),
        Piece("with rates of NTK", FASTMLP, "fastmlp", ours(with_ntk)),
        Piece("nets of 256-256-256", FASTMLP, "fastmlp", ours(hidden_layer_sizes=(256, 256, 256))),
        Piece("nets of 64-64-64", FASTMLP, "fastmlp", ours(hidden_layer_sizes=(64, 64, 64))),
        Piece("constant rate", FASTMLP, "fastmlp", ours(without_schedule)),
        Piece("no label smoothing", FASTMLP, "fastmlp", ours(lambda: with_recipe(label_smoothing=0.0))),
        Piece("beta_2 of 0.999", FASTMLP, "fastmlp", ours(lambda: with_recipe(beta_2=0.999))),
        Piece("standard scaling", FASTMLP, "fastmlp", ours(with_standard_scaling)),
        Piece("batches of 256", FASTMLP, "fastmlp", ours(batch_size=256)),
        Piece("all epochs", FASTMLP, "fastmlp", ours(to_the_last_epoch)),
        Piece("one-hot for all", FASTMLP, "fastmlp", ours(max_one_hot=1_000_000)),
        Piece("periodic embeddings", REAL_MLP, "pytabkit", theirs(**PERIODIC)),
        Piece("embeddings of categories", REAL_MLP, "pytabkit", theirs(**EMBEDDED)),
        Piece("parametric activation", REAL_MLP, "pytabkit", theirs(use_parametric_act=True, act_lr_factor=0.1)),
    )
}
