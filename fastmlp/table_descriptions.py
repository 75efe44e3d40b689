"""What a file says of the table that its model was trained with: written as JSON, believed only after a look.

Not here: how it is found out (table_columns.py, table_targets.py).
"""

import json
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from fastmlp.files import LoadError
from fastmlp.table_columns import KINDS, Feature
from fastmlp.table_targets import TASKS

VERSION = 2  # of what is kept with a net; raised when an older fastmlp could not read it. 1 knew of no holes


@dataclass(frozen=True)
class Description:
    """What a file says of the table that its model was trained with, an ensemble or one net.

    Attributes
    ----------
    target, task : str
    features : tuple of Feature
        In the order in which the model is given them.
    baseline : str, int or float
        The most frequent label, or the mean, of the rows trained with.
    rows, held_out : int
        How many were trained with, and how many were not.
    seed, epochs : int
        Of the split and the training; epochs made.
    loss : float
        Of the last epoch.
    score : dict of str to float
        On the rows held out.
    version : str
        Of the fastmlp that trained.
    """

    target: str
    task: str
    features: tuple[Feature, ...]
    baseline: str | float
    rows: int
    held_out: int
    seed: int
    epochs: int
    loss: float
    score: dict[str, float]
    version: str

    @property
    def inputs(self) -> list[str]:
        """Names of the inputs of one net, in their order."""
        return [name for one in self.features for name in one.inputs]

    def as_json(self) -> str:
        """As text, which `description` reads."""
        return json.dumps({"format": VERSION} | asdict(self), allow_nan=False)


_TYPES: dict[str, tuple[type, ...]] = {
    "format": (int,), "target": (str,), "task": (str,), "features": (list,), "baseline": (str, int, float),
    "rows": (int,), "held_out": (int,), "seed": (int,), "epochs": (int,), "loss": (float,), "score": (dict,),
    "version": (str,),
}  # fmt: skip


def description(said: dict[str, Any]) -> Description:
    """What `Description.as_json` has written, believed only after a look.

    Raises
    ------
    LoadError
        If it is anything else.
    """
    if type(said.get("format")) is not int:
        raise LoadError("what it says of its table has no format; it is damaged")
    if not 1 <= said["format"] <= VERSION:
        advice = "use a later fastmlp" if said["format"] > VERSION else "it is damaged"
        raise LoadError(f"what it says of its table is of format {said['format']}, and not 1 to {VERSION}; {advice}")
    if set(said) != set(_TYPES):
        raise LoadError(f"what it says of its table has {sorted(said)}; expected {sorted(_TYPES)}")
    for key, types in _TYPES.items():
        if type(said[key]) not in types or (types == (int,) and said[key] < 0):
            raise LoadError(f"{key} of its table is {said[key]!r}; it is damaged")
    later = {"holes": False} if said.pop("format") == 1 else {}
    if said["task"] not in TASKS:
        raise LoadError(f"the task of its table is {said['task']!r}; expected one of {', '.join(TASKS)}")
    baseline, wanted = said["baseline"], (float,) if said["task"] == "regression" else (str, int)
    if type(baseline) not in wanted or (type(baseline) is float and not isfinite(baseline)):
        raise LoadError(f"the baseline of its table is {baseline!r}, which no {said['task']} has; it is damaged")
    if not all(type(number) is float and isfinite(number) for number in (said["loss"], *said["score"].values())):
        raise LoadError(f"loss and score of its table are {said['loss']!r} and {said['score']!r}; expected numbers")
    features = tuple(_feature(one, later) for one in said.pop("features"))
    names = [one.name for one in features]
    if not names or len({*names, said["target"]}) <= len(names):
        raise LoadError(f"the columns of its table are {names} and {said['target']!r}; expected names of their own")
    return Description(features=features, **said)


def _feature(said: Any, later: dict[str, Any]) -> Feature:
    """A column; what an older file does not say of it is `later`."""
    if isinstance(said, dict):
        said = said | later
    if not isinstance(said, dict) or set(said) != {"name", "kind", "categories", "holes"}:
        raise LoadError(f"a column of its table is described by {said!r}; expected name, kind, categories and holes")
    name, kind, categories, holes = said["name"], said["kind"], said["categories"], said["holes"]
    if not isinstance(name, str) or kind not in KINDS or not isinstance(categories, list):
        raise LoadError(f"a column of its table is {name!r} of kind {kind!r}; expected one of {', '.join(KINDS)}")
    texts = [text for text in categories if isinstance(text, str) and text]
    if len(set(texts)) != len(categories) or (kind == "category") != bool(categories) or type(holes) is not bool:
        raise LoadError(f"column {name!r} of its table has categories {categories!r}, holes {holes!r}; it is damaged")
    return Feature(name, kind, tuple(texts), holes)
