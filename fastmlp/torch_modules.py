"""Nets as modules of PyTorch, and modules as nets: the layers, a row for each activation in both directions, dropout.

Not here: losses, optimizers and frozen layers, of which a module knows nothing. The `forward` of a module may be any
program, so that a net is made of what is known by its class alone: Linear and the rows below, in Sequentials.

torch is imported with this file, and this file by `to_torch` and `from_torch` when they are called.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastmlp.formulas import Array
from fastmlp.messages import listed, not_installed

if TYPE_CHECKING:
    from fastmlp.mlp import MLP

try:
    import torch
    from torch import nn
except ModuleNotFoundError as missing:
    raise not_installed("a module of PyTorch", "torch", "torch", missing) from missing


class Exponential(nn.Module):
    """a = e^z, of which torch has no module."""

    def forward(self, z: Any) -> Any:
        """e^z, elementwise."""
        return torch.exp(z)


class Argument(NamedTuple):
    """An argument of a module's class, which is an attribute of the module, too."""

    made: Any  # of a module that is made; None for the net's attribute of that name
    accepts: Callable[[Any], bool]  # of a module that is given
    expected: str


class Row(NamedTuple):
    """The module of an activation."""

    module: type
    arguments: dict[str, Argument]  # those that change what it computes


def _row(module: type, **arguments: Argument) -> Row:
    return Row(module, arguments)


def _only(value: Any) -> Argument:
    return Argument(value, lambda given: bool(given == value), repr(value))


ACTIVATIONS = {
    "identity": _row(nn.Identity),
    "sigmoid": _row(nn.Sigmoid),
    "tanh": _row(nn.Tanh),
    "relu": _row(nn.ReLU),
    "leaky_relu": _row(nn.LeakyReLU, negative_slope=Argument(None, lambda s: 0 <= s <= 1, "0 to 1")),
    "elu": _row(nn.ELU, alpha=_only(1.0)),
    "selu": _row(nn.SELU),
    # Above the threshold it is z itself: by 20 that is 2e-9 off, by 40 less than float64 can tell.
    "softplus": _row(nn.Softplus, beta=_only(1.0), threshold=Argument(40.0, lambda t: t >= 20, "20 or more")),
    "gelu": _row(nn.GELU, approximate=_only("none")),
    "silu": _row(nn.SiLU),
    "mish": _row(nn.Mish),
    "exponential": _row(Exponential),
    "softmax": _row(nn.Softmax, dim=Argument(-1, lambda dim: dim in (-1, 1), "-1 or 1")),
}
_NAMES = {row.module: name for name, row in ACTIVATIONS.items()}
_OF_HOMOGENEOUS = "identity", "relu", "leaky_relu"  # g(cz) = c g(z), c >= 0: dropout before them is dropout after
_DOES = "forward", "__call__", "_call_impl", "__iter__"  # what a call of a Sequential goes through
_GLOBAL_HOOKS = "_global_forward_hooks", "_global_forward_pre_hooks"
# What a parameter is read as.
_READ_AS = {
    torch.float64: torch.float64,
    torch.float32: torch.float32,
    torch.float16: torch.float32,
    torch.bfloat16: torch.float32,
}


def to_torch(net: "MLP") -> Any:
    """The module of a net; see `MLP.to_torch`."""
    steps, modules = net._forward(), []
    layers = zip(steps.weights, steps.biases, steps.activations, (*net.dropout, 0.0), strict=True)
    for W, b, name, p in layers:
        # Without a draw of first weights, so that torch's generator stays as it is.
        linear = nn.utils.skip_init(nn.Linear, *W.shape, bias=net.bias, dtype=getattr(torch, net.dtype.name))
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W.T))
            if net.bias:
                linear.bias.copy_(torch.from_numpy(b))
        modules.append(linear)
        if name != "identity":
            row = ACTIVATIONS[name]
            given = {a: getattr(net, a) if of.made is None else of.made for a, of in row.arguments.items()}
            modules.append(row.module(**given))
        if p:
            modules.append(nn.Dropout(p))
    return nn.Sequential(*modules).eval()


def from_torch(kind: "type[MLP]", module: Any, dtype: Any, **given: Any) -> "MLP":
    """The net of a module; see `MLP.from_torch`."""
    if not isinstance(module, nn.Module):
        raise TypeError(f"module is {type(module).__name__}; expected a torch.nn.Sequential or a torch.nn.Linear")
    layers = _read(module)
    biases = None
    if any(layer.b is not None for layer in layers):
        biases = [np.zeros(len(layer.W), layer.W.dtype) if layer.b is None else layer.b for layer in layers]
    names: list[Any] = [layer.activation or "identity" for layer in layers]
    slopes = [layer.slope for layer in layers if layer.slope is not None]
    if slopes:
        given["negative_slope"] = slopes[0]
    return kind.from_parameters(
        [layer.W.T for layer in layers], biases, activation=names[:-1], output=names[-1],
        dropout=[layer.dropout for layer in layers[:-1]],
        dtype=np.result_type(*(layer.W for layer in layers)) if dtype is None else dtype, **given,
    )  # fmt: skip


@dataclass
class _Layer:
    """A layer of a module, as far as it was read."""

    W: Array  # (n_out, n_in), as torch has it
    b: Array | None  # (n_out,)
    is_known: bool  # else it stands for a module that no net has
    activation: str | None = None
    slope: float | None = None
    dropout: float = 0.0
    places: dict[type, str] = field(default_factory=dict)  # of its modules, the last one of each class


def _read(module: Any) -> list[_Layer]:
    """The layers of a module; an error that lists all that stands in the way."""
    layers: list[_Layer] = []
    obstacles: list[str] = []
    if any(getattr(nn.modules.module, name, None) for name in _GLOBAL_HOOKS):
        obstacles.append("torch.nn.modules.module has hooks of all modules, and what these do is not known")
    for place, part in _parts(module):
        obstacles += [f"{place}: {problem}" for problem in _take(part, layers)]
        if layers:
            layers[-1].places[type(part)] = place
    for layer in layers[:-1]:
        if layer.activation == "softmax":
            obstacles.append(f"{layer.places[nn.Softmax]}: is before the last layer; expected at the end")
    if layers and layers[-1].dropout:
        obstacles.append(f"{layers[-1].places[nn.Dropout]}: drops outputs; a net drops units of hidden layers")
    if not layers:
        obstacles.append(f"{type(module).__name__}: has no Linear")
    if obstacles:
        known = ", ".join(kind.__name__ for kind in _TAKEN_BY)
        raise ValueError(listed(f"this module is no MLP; expected a Sequential of {known}:", obstacles))
    return layers


def _parts(module: Any) -> Iterator[tuple[str, Any]]:
    """The parts that Sequentials put together, in the order of their forward, each with its place."""
    inside = None
    for name, part in module.named_modules(remove_duplicate=False):
        if inside is not None and name.startswith(inside):
            continue
        if isinstance(part, nn.Sequential) and not _is_changed(part):
            continue
        inside = f"{name}." if name else ""
        yield inside + type(part).__name__, part


def _is_changed(part: Any) -> bool:
    """Whether a module of a known class may do something else than its class does."""
    if isinstance(part, nn.Sequential):
        kinds = type(part), nn.Sequential
        if None in part._modules.values() or any(len({getattr(kind, name) for kind in kinds}) > 1 for name in _DOES):
            return True
    return not vars(part).keys().isdisjoint(_DOES) or bool(part._forward_hooks or part._forward_pre_hooks)


def _take(part: Any, layers: list[_Layer]) -> list[str]:
    """Put what a part does into the last layer, or begin one with it; what stands in the way."""
    kind = type(part)
    if kind in _TAKEN_BY and not _is_changed(part):
        return _TAKEN_BY[kind](part, layers)
    layers.append(_Layer(np.zeros((0, 0)), None, is_known=False))
    if kind is nn.LogSoftmax:
        return ["a net has no logarithms of probabilities; expected Softmax, with the loss cross_entropy"]
    if isinstance(part, nn.Sequential) and None in part._modules.values():
        return ["has a child that is None"]
    if kind in _TAKEN_BY or isinstance(part, nn.Sequential):
        return ["has hooks or a forward of its own, and what these do is not known"]
    return ["is none of these, and what its forward does is not known"]


def _take_linear(part: Any, layers: list[_Layer]) -> list[str]:
    problems: list[str] = []
    arrays: dict[str, Any] = {"weight": None, "bias": None}
    for name in arrays:
        tensor = getattr(part, name)
        if tensor is None:
            continue
        if tensor.is_meta or tensor.layout is not torch.strided:
            problems.append(
                f"its {name} is on {tensor.device} as {tensor.layout}; expected a dense tensor with values"
            )
        elif tensor.dtype not in _READ_AS:
            problems.append(f"its {name} is {tensor.dtype}; expected {', '.join(map(str, _READ_AS))}")
        else:
            arrays[name] = tensor.detach().to("cpu", _READ_AS[tensor.dtype]).numpy()
            if not np.isfinite(arrays[name]).all():
                problems.append(f"its {name} contains NaN or infinity; expected finite numbers")
    shape, of_bias = (None if one is None else tuple(one.shape) for one in (part.weight, part.bias))
    if shape is None or len(shape) != 2:
        layers.append(_Layer(np.zeros((0, 0)), None, is_known=False))
        return [*problems, f"its weight has shape {shape}; expected one of two axes"]
    n_out, n_in = shape
    if of_bias not in (None, (n_out,)):
        problems.append(f"its bias has shape {of_bias}; expected {(n_out,)}")
    if not n_out or not n_in:
        problems.append(f"has {n_in} inputs and {n_out} outputs; expected 1 or more")
    if layers and layers[-1].is_known and len(layers[-1].W) != n_in:
        problems.append(f"has {n_in} inputs; the layer before has {len(layers[-1].W)} outputs")
    W = np.zeros((n_out, n_in)) if arrays["weight"] is None else arrays["weight"]
    layers.append(_Layer(W, arrays["bias"], is_known=True))
    return problems


def _take_dropout(part: Any, layers: list[_Layer]) -> list[str]:
    if part.p == 0:
        return []
    if not layers:
        return ["drops inputs; a net drops units of hidden layers"]
    if part.p >= 1:
        return [f"drops all, with p={part.p}; expected less than 1"]
    if layers[-1].dropout:
        return ["is the second Dropout of its layer; expected one"]
    layers[-1].dropout = part.p
    return []


def _take_flatten(part: Any, layers: list[_Layer]) -> list[str]:
    if part.start_dim == 1 and part.end_dim in (-1, 1):
        return []
    return [f"is from {part.start_dim} to {part.end_dim}; expected 1 to -1, which leaves rows as they are"]


def _take_activation(part: Any, layers: list[_Layer]) -> list[str]:
    problems: list[str] = []
    name = _NAMES[type(part)]
    if name == "identity":
        return problems
    for argument, of in ACTIVATIONS[name].arguments.items():
        value = getattr(part, argument)
        if not of.accepts(value):
            problems.append(f"{argument} is {value!r}; expected {of.expected}")
    if not layers:
        return [*problems, "stands before the first Linear"]
    layer = layers[-1]
    if layer.activation is not None:
        problems.append(f"is the second activation of its layer, after {layer.activation}; expected one")
    if layer.dropout and name not in _OF_HOMOGENEOUS:
        problems.append("stands after the Dropout of its layer; expected before it")
    if name == "leaky_relu":
        slopes = [one.slope for one in layers if one.slope is not None]
        if slopes and slopes[0] != part.negative_slope:
            problems.append(f"negative_slope is {part.negative_slope}, and {slopes[0]} above; a net has one")
        layer.slope = part.negative_slope
    layer.activation = name
    return problems


_TAKEN_BY: dict[type, Callable[[Any, list[_Layer]], list[str]]] = {
    nn.Linear: _take_linear,
    **dict.fromkeys(_NAMES, _take_activation),
    nn.Dropout: _take_dropout,
    nn.Flatten: _take_flatten,
}
