"""Architecture: what a net is, apart from the numbers it learns; checked once, for whoever makes a net.

`MLP` and the estimators make one of their arguments, and pickles keep one. Not here: the parameters (layout.py) and
what is done with them.
"""

from dataclasses import dataclass, fields, replace
from itertools import pairwise
from numbers import Real
from typing import Any, TypeVar

import numpy as np

from fastmlp import builds, checks, formulas, reference
from fastmlp.formulas import ActivationName, Array, LossName, OutputName

AnyNetwork = TypeVar("AnyNetwork", bound=reference.Network)

# The defaults of MLP; a test compares them with its signature.
DEFAULTS: dict[str, Any] = {
    "loss": None, "bias": True, "negative_slope": 0.01, "dropout": 0.0, "input_scale": False,
    **{name: value for parameters in formulas.LOSS_PARAMETERS.values() for name, value in parameters.items()},
}  # fmt: skip


@dataclass(frozen=True)
class Architecture:
    """Layers, loss and precision of a net; the arguments of `MLP` of these names, in their final form.

    Attributes
    ----------
    sizes : tuple of int
        Neurons of each layer, inputs first.
    activations : tuple of str
        Of each hidden layer.
    output : str
        Activation of the output layer.
    loss : str
    bias : bool
    negative_slope : float
        Of leaky_relu.
    huber_delta, quantile : float
        Of the losses huber and quantile, whether this is one of them or not.
    dropout : tuple of float
        Of each hidden layer.
    dtype : numpy.dtype
    label_smoothing : float
        Of the cross entropies; 0 with every other loss.
    input_scale : bool
        Whether each input is multiplied by a factor that is trained. These two are last, and have defaults, for what
        older versions kept has none of them.

    Raises
    ------
    ValueError, TypeError
        If a value cannot be used; the message names the argument of `MLP`.
    """

    sizes: tuple[int, ...]
    activations: tuple[ActivationName, ...]
    output: OutputName
    loss: LossName
    bias: bool
    negative_slope: float
    huber_delta: float
    quantile: float
    dropout: tuple[float, ...]
    dtype: np.dtype[Any]
    label_smoothing: float = 0.0
    input_scale: bool = False

    @classmethod
    def of(cls, sizes: Any, **given: Any) -> "Architecture":
        """An architecture of arguments as a user gives them, of whatever type, with the defaults of `MLP`.

        activations and dropout may be one for all hidden layers, loss None for that of the output.
        """
        return cls(sizes, **(DEFAULTS | given))

    def __post_init__(self) -> None:
        """Check the fields and bring them into their final form, in the order of the arguments of `MLP`."""
        sizes = _sizes(self.sizes)
        n_hidden = len(sizes) - 2
        activations = _activations(self.activations, n_hidden)
        output = checks.choice("output", self.output, formulas.OUTPUTS)
        if output == "softmax" and sizes[-1] == 1:
            raise ValueError(
                "output is 'softmax' with one neuron, whose answer is always 1; expected sigmoid, or n_out >= 2"
            )
        loss = (
            formulas.DEFAULT_LOSS[output] if self.loss is None else checks.choice("loss", self.loss, formulas.LOSSES)
        )
        if not formulas.is_defined(output, loss):
            needed = " or ".join(formulas.NEEDED_OUTPUTS[loss])
            raise ValueError(f"loss is {loss!r} with output {output!r}; expected output {needed}")
        final: dict[str, Any] = {"sizes": sizes, "activations": activations, "output": output, "loss": loss}
        final["bias"] = checks.boolean("bias", self.bias)
        final["negative_slope"] = checks.number("negative_slope", self.negative_slope, least=0, most=1)
        final["huber_delta"] = checks.number("huber_delta", self.huber_delta, above=0)
        final["quantile"] = checks.number("quantile", self.quantile, above=0, below=1)
        final["label_smoothing"] = e = checks.number("label_smoothing", self.label_smoothing, least=0, below=1)
        if e > 0 and "label_smoothing" not in formulas.LOSS_PARAMETERS.get(loss, ()):
            having = [name for name, those in formulas.LOSS_PARAMETERS.items() if "label_smoothing" in those]
            raise ValueError(f"label_smoothing is {e} with loss {loss!r}; expected 0, or loss {' or '.join(having)}")
        final["dtype"] = dtype = as_dtype(self.dtype)
        final["input_scale"] = checks.boolean("input_scale", self.input_scale)
        final["dropout"] = _dropout(self.dropout, n_hidden, dtype)
        for name, value in final.items():
            object.__setattr__(self, name, value)
        for name, value in self.loss_parameters.items():
            checks.rounded(name, value, dtype)

    # what follows from it

    @property
    def layer_activations(self) -> tuple[OutputName, ...]:
        """The activation of every layer, the output's last."""
        return (*self.activations, self.output)

    @property
    def loss_parameters(self) -> dict[str, float]:
        """The arguments that are parameters of this loss, with their values; empty for a loss without."""
        return {name: getattr(self, name) for name in formulas.LOSS_PARAMETERS.get(self.loss, ())}

    def network(self, cls: type[AnyNetwork]) -> AnyNetwork:
        """A network of that class, compiled or reference, all parameters zero."""
        loss = self.loss, *self.loss_parameters.values()
        dropout = self.dropout if any(self.dropout) else ()
        if not self.input_scale:
            return cls(self.sizes, self.layer_activations, loss, self.bias, self.negative_slope, dropout)
        return cls(
            (self.sizes[0], *self.sizes),
            ("identity", *self.layer_activations),
            loss,
            self.bias,
            self.negative_slope,
            (0.0, *dropout) if dropout else (),
            ("scale", *("dense",) * (len(self.sizes) - 1)),
        )

    def reference_twin(self) -> reference.Network:
        """The net in NumPy and float64, without dropout, to look inside; all parameters zero."""
        return replace(self, dropout=(0.0,) * len(self.dropout)).network(reference.Network)

    @property
    def classifies(self) -> bool:
        """Whether a sample has one class, which `labels` names: with softmax, or one sigmoid."""
        return self.output == "softmax" or (self.output == "sigmoid" and self.sizes[-1] == 1)

    def labels(self, outputs: Array, threshold: float = 0.5) -> Array:
        """The class labels of outputs (m, n_out) or (n_out,) of softmax or sigmoid; the threshold is sigmoid's."""
        if self.output != "sigmoid":
            return np.asarray(outputs.argmax(axis=-1))[()]
        labels = (outputs >= threshold).astype(np.int64)
        return (labels[..., 0] if self.sizes[-1] == 1 else labels)[()]

    # in words

    def layers_in_words(self) -> str:
        """The sizes and activations, layer after layer."""
        layers = [f"{n} {name}" for n, name in zip(self.sizes[1:], self.layer_activations, strict=True)]
        inputs = f"{self.sizes[0]} scaled" if self.input_scale else str(self.sizes[0])
        return " -> ".join([inputs, *layers])

    def loss_in_words(self) -> str:
        """The loss and its parameter, if that does something: label_smoothing=0 does not."""
        return " ".join([self.loss, *(f"{name}={value:g}" for name, value in self.loss_parameters.items() if value)])

    def dropout_in_words(self) -> list[str]:
        """A fact, or none without dropout."""
        return [f"dropout {list(self.dropout)}"] if any(self.dropout) else []

    # in pickles

    def state(self) -> dict[str, Any]:
        """What a pickle of `MLP` keeps, under the names that its attributes had in version 0.1.0."""
        return {f"_{f.name}": getattr(self, f.name) for f in fields(self)}

    @classmethod
    def taken_from(cls, state: dict[str, Any]) -> "Architecture":
        """The architecture in the state of a pickle, where `state` put it; it is taken out.

        What is younger than the pickle has its default.
        """
        return cls(**{f.name: state.pop(f"_{f.name}") for f in fields(cls) if f"_{f.name}" in state})


def _sizes(given: Any) -> tuple[int, ...]:
    sizes = tuple(checks.integer(f"sizes[{i}]", n, 1) for i, n in enumerate(checks.sequence("sizes", given)))
    if len(sizes) < 2:
        raise ValueError(f"sizes is {given!r}; expected n_in, the hidden layers, n_out: at least two numbers")
    if sum(n_in * n_out for n_in, n_out in pairwise(sizes)) >= 2**44:
        raise ValueError(f"sizes is {given!r}: too many parameters for any memory")
    return sizes


def _activations(given: Any, n_hidden: int) -> tuple[str, ...]:
    if isinstance(given, str):
        each = [checks.choice("activation", given, formulas.ACTIVATIONS)] * n_hidden
    else:
        each = checks.sequence("activation", given)
    if len(each) != n_hidden:
        raise ValueError(
            f"activation has {len(each)} names for {n_hidden} hidden layers; expected one name, or one for each"
        )
    return tuple(checks.choice(f"activation[{i}]", name, formulas.ACTIVATIONS) for i, name in enumerate(each))


def as_dtype(given: Any) -> np.dtype[Any]:
    """The dtype of a net."""
    if type(given) is str and given in builds.DTYPES:
        return np.dtype(given)
    try:
        name = None if given is None else np.dtype(given).name
    except TypeError:
        name = given
    return np.dtype(checks.choice("dtype", name, builds.DTYPES))


def _dropout(given: Any, n_hidden: int, dtype: np.dtype[Any]) -> tuple[float, ...]:
    if isinstance(given, Real):
        given = [checks.number("dropout", given, least=0, below=1)] * n_hidden
    each = checks.sequence("dropout", given)
    if len(each) != n_hidden:
        raise ValueError(
            f"dropout has {len(each)} numbers for {n_hidden} hidden layers; expected one number, or one for each"
        )
    shares = tuple(checks.number(f"dropout[{i}]", p, least=0, below=1) for i, p in enumerate(each))
    for i, p in enumerate(shares):
        checks.rounded(f"dropout[{i}]", p, dtype)
    return shares
