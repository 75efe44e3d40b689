"""fastmlp: multilayer perceptrons on the CPU, trained and run at the speed of the hardware.

>>> import fastmlp
>>> net = fastmlp.MLP([64, 32, 10], activation="relu", output="softmax", seed=0)
>>> X, y = fastmlp.datasets.load_digits()
>>> history = net.fit(X, y, epochs=20)
>>> net.classify(X[:4]).tolist()
[0, 1, 2, 3]
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fastmlp import builds, datasets, examples, formulas, reference, schedules
from fastmlp.functions import activations, losses
from fastmlp.history import History
from fastmlp.many import fit_many
from fastmlp.messages import not_installed
from fastmlp.mlp import MLP, Gradient
from fastmlp.optimizers import SGD, Adam, AdamW, RMSprop
from fastmlp.perceptron import Perceptron
from fastmlp.threads import get_num_threads, set_num_threads
from fastmlp.trace import Trace

if TYPE_CHECKING:
    from fastmlp.checkpoints import resume
    from fastmlp.files import LoadError
    from fastmlp.onnx_reading import load_onnx
    from fastmlp.saving import load

__version__ = "0.1.0"

__all__ = [
    "MLP",
    "SGD",
    "Adam",
    "AdamW",
    "Gradient",
    "History",
    "LoadError",
    "Perceptron",
    "RMSprop",
    "Trace",
    "activations",
    "builds",
    "datasets",
    "examples",
    "fit_many",
    "formulas",
    "get_num_threads",
    "load",
    "load_onnx",
    "losses",
    "reference",
    "resume",
    "schedules",
    "set_num_threads",
]


# Where that is which is imported when somebody asks for it.
_ROOMS = {"load": "saving", "load_onnx": "onnx_reading", "LoadError": "files", "resume": "checkpoints"}
_ESTIMATORS = {
    "MLPClassifier": "estimators", "MLPRegressor": "estimators", "TabularClassifier": "tabular",
    "TabularRegressor": "tabular",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """What is imported when somebody asks for it: what training does not need, and scikit-learn's estimators."""
    if name in ("graph", "plot"):
        return import_module(f"fastmlp.{name}")
    if name in _ROOMS:
        return getattr(import_module(f"fastmlp.{_ROOMS[name]}"), name)
    if name not in _ESTIMATORS:
        raise AttributeError(f"module 'fastmlp' has no attribute {name!r}")
    try:
        return getattr(import_module(f"fastmlp.{_ESTIMATORS[name]}"), name)
    except ModuleNotFoundError as missing:
        raise not_installed(f"fastmlp.{name}", "scikit-learn", "sklearn", missing) from missing
