"""Nets as modules of PyTorch and back: the same outputs and gradients, the weights to the bit, and, where a module is
no net, all that stands in the way.

Expected values are those of torch. Not here: how nets train in comparison with torch (test_trajectories.py).
"""

import copy
import doctest
import io
import pickle
import tomllib
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, formulas, torch_modules
from fastmlp.messages import not_installed
from problems import several_labels
from processes import output_of
from tolerances import assert_close

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
HIDDEN = list(formulas.ACTIVATIONS)
DTYPES = ["float32", "float64"]


def net_of(activation, output="identity", bias=True, dtype="float64", **given):
    """A net of the three layers 3, 6, 5, 2, whose biases are not zero."""
    sizes = [3, 6, 5, 2]
    net = fastmlp.MLP(
        sizes, activation=activation, output=output, bias=bias, dtype=dtype, negative_slope=0.2, seed=0, **given
    )
    net.parameters = np.random.default_rng(1).normal(size=net.n_parameters) / 3
    return net


def outputs_of(module, x=X):
    dtype = next(module.parameters()).dtype
    with torch.no_grad():
        return module(torch.tensor(x, dtype=dtype)).double().numpy()


def assert_same_outputs(module, net, dtype):
    x = X.astype(dtype)
    expected = outputs_of(module, x)
    assert np.ptp(expected, axis=0).min() > 1e-3  # they depend on X
    assert_close(net.predict(x), expected, "forward", dtype)


# To torch


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", HIDDEN)
def test_a_module_has_the_outputs_of_its_net_and_gives_it_back_to_the_bit(activation, dtype, bias):
    net = net_of([activation, "tanh"], bias=bias, dtype=dtype)
    module = net.to_torch()
    assert type(module) is nn.Sequential
    assert_same_outputs(module, net, dtype)
    again = fastmlp.MLP.from_torch(module)
    assert again.parameters.tobytes() == net.parameters.tobytes()
    assert (again.activation, again.output, again.bias, again.dtype) == (net.activation, "identity", bias, dtype)
    assert again.negative_slope == (0.2 if activation == "leaky_relu" else 0.01)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("output", formulas.OUTPUTS)
def test_so_it_is_with_every_output(output, dtype):
    net = net_of("tanh", output, dtype=dtype)
    module = net.to_torch()
    assert_same_outputs(module, net, dtype)
    again = fastmlp.MLP.from_torch(module)
    assert (again.output, again.loss) == (output, formulas.DEFAULT_LOSS[output])
    assert again.parameters.tobytes() == net.parameters.tobytes()


def test_softplus_is_that_of_the_net_where_torchs_own_is_cut_off():
    net = fastmlp.MLP.from_parameters([[[1.0]]], [[0.0]], output="softplus", dtype="float64")
    z = np.linspace(-50, 50, 1001)[:, None]
    expected = np.logaddexp(0, z)
    assert np.abs(outputs_of(net.to_torch(), z) - expected).max() < 1e-14
    with torch.no_grad():
        assert np.abs(nn.Softplus()(torch.tensor(z)).numpy() - expected).max() > 1e-9


@pytest.mark.parametrize("activation", HIDDEN)
def test_the_gradient_of_a_module_is_the_nets(activation):
    net = net_of(activation, loss="squared_error")
    y = np.random.default_rng(2).normal(size=(40, 2))
    module = net.to_torch()
    loss = (module(torch.tensor(X)) - torch.tensor(y)).square().sum() / len(X)
    loss.backward()
    expected = net.gradient(X, y)
    assert_close(loss.item(), expected.loss, "loss", "float64")
    linears = [part for part in module if isinstance(part, nn.Linear)]
    for linear, dW, db in zip(linears, expected.weights, expected.biases, strict=True):
        assert np.abs(dW).max() > 1e-4
        assert_close(linear.weight.grad.numpy().T, dW, "gradient", "float64")
        assert_close(linear.bias.grad.numpy(), db, "gradient", "float64")


def test_the_names_and_shapes_of_the_parameters_are_those_of_a_sequential():
    module = net_of(["relu", "identity"], dropout=[0.5, 0.25]).to_torch()
    shapes = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    assert shapes == {"0.weight": (6, 3), "0.bias": (6,), "3.weight": (5, 6), "3.bias": (5,), "5.weight": (2, 5),
                      "5.bias": (2,)}  # fmt: skip
    assert [type(part) for part in module] == [nn.Linear, nn.ReLU, nn.Dropout, nn.Linear, nn.Dropout, nn.Linear]
    assert set(net_of("relu", bias=False).to_torch().state_dict()) == {"0.weight", "2.weight", "4.weight"}


def test_a_module_is_a_copy_that_can_be_trained():
    net = net_of("tanh")
    net.trainable = [False, True, True]
    before = net.parameters.copy()
    module = net.to_torch()
    assert all(parameter.requires_grad and parameter.is_leaf for parameter in module.parameters())
    assert all(parameter.is_contiguous() for parameter in module.parameters())
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(1)
    assert np.array_equal(net.parameters, before)
    again = fastmlp.MLP.from_torch(module)
    net.parameters[...] = 0
    assert np.allclose(again.parameters, before + 1)
    with torch.no_grad():
        module[0].weight.zero_()
    assert np.allclose(again.parameters, before + 1)


def test_neither_way_draws_of_torchs_generator():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    fastmlp.MLP.from_torch(net_of("relu", dropout=0.5).to_torch())
    assert torch.equal(torch.get_rng_state(), before)


def test_a_module_has_its_values_whatever_torchs_default_device_is():
    net = net_of("relu", dtype="float32")
    with torch.device("meta"):
        module = net.to_torch()
    assert {(parameter.device.type, parameter.dtype) for parameter in module.parameters()} == {("cpu", torch.float32)}
    assert_same_outputs(module, net, "float32")


def test_dropout_begins_with_the_mode_of_training():
    net = fastmlp.MLP([3, 4000, 1], activation="sigmoid", dropout=0.25, dtype="float64", seed=0)
    module = net.to_torch()
    assert not module.training
    assert_same_outputs(module, net, "float64")
    torch.manual_seed(0)
    kept = module.train()[:-1](torch.tensor(X[:1])).detach().numpy()[0]
    assert 0.22 < (kept == 0).mean() < 0.28
    whole = net.transform(X[:1])[0]
    assert_close(kept[kept != 0], whole[kept != 0] / 0.75, "forward", "float64")
    again = fastmlp.MLP.from_torch(module)
    assert again.dropout == (0.25,)
    assert_same_outputs(module.eval(), again, "float64")


def test_a_module_can_be_copied_pickled_and_saved():
    net = net_of("exponential", "exponential")
    module = net.to_torch()
    expected = outputs_of(module)
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    others = [copy.deepcopy(module), pickle.loads(pickle.dumps(module)), torch.load(file, weights_only=False)]
    for other in others:
        assert np.array_equal(outputs_of(other), expected)
        assert fastmlp.MLP.from_torch(other).parameters.tobytes() == net.parameters.tobytes()
    fresh = net_of("exponential", "exponential").to_torch()
    with torch.no_grad():
        fresh[0].weight.zero_()
    fresh.load_state_dict(module.state_dict())
    assert np.array_equal(outputs_of(fresh), expected)


def test_a_net_that_is_not_finite_is_no_module():
    net = net_of("relu")
    net.weights[1][0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity"):
        net.to_torch()


# From torch


def seeded(make):
    torch.manual_seed(0)
    return make()


def two_layers(*between, end=()):
    return lambda: nn.Sequential(nn.Linear(3, 4), *between, nn.Linear(4, 2), *end)


# What makes a module, and the activations of its net.
MODULES = {
    "Linear": (lambda: nn.Linear(3, 2), (), "identity"),
    "one layer": (lambda: nn.Sequential(nn.Linear(3, 2), nn.Sigmoid()), (), "sigmoid"),
    "ReLU in place": (two_layers(nn.ReLU(inplace=True)), ("relu",), "identity"),
    "LeakyReLU": (two_layers(nn.LeakyReLU(0.3)), ("leaky_relu",), "identity"),
    "one slope": (two_layers(nn.LeakyReLU(0.3), end=[nn.LeakyReLU(0.3)]), ("leaky_relu",), "leaky_relu"),
    "ELU, SELU": (two_layers(nn.ELU(), end=[nn.SELU()]), ("elu",), "selu"),
    "Softplus, Tanh": (two_layers(nn.Softplus(), end=[nn.Tanh()]), ("softplus",), "tanh"),
    "GELU, SiLU": (two_layers(nn.GELU(), end=[nn.SiLU()]), ("gelu",), "silu"),
    "Mish, Softmax": (two_layers(nn.Mish(), end=[nn.Softmax(dim=-1)]), ("mish",), "softmax"),
    "Softmax over 1": (lambda: nn.Sequential(nn.Linear(3, 2), nn.Softmax(dim=1)), (), "softmax"),
    "two Linears in a row": (
        lambda: nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2)),
        ("identity", "tanh"),
        "identity",
    ),
    "what changes nothing": (
        lambda: nn.Sequential(nn.Flatten(), nn.Identity(), nn.Dropout(0.0), nn.Linear(3, 4), nn.Identity(), nn.Tanh(),
                              nn.Flatten(), nn.Linear(4, 2), nn.Dropout(0.0)),
        ("tanh",),
        "identity",
    ),
    "Sequentials inside": (
        lambda: nn.Sequential(nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.Tanh())), nn.Sequential(),
                              nn.Sequential(OrderedDict(head=nn.Linear(4, 2), act=nn.Sigmoid()))),
        ("tanh",),
        "sigmoid",
    ),
    "no biases": (
        lambda: nn.Sequential(nn.Linear(3, 4, bias=False), nn.Tanh(), nn.Linear(4, 2, bias=False)),
        ("tanh",),
        "identity",
    ),
    "some biases": (
        lambda: nn.Sequential(nn.Linear(3, 4, bias=False), nn.Tanh(), nn.Linear(4, 2)),
        ("tanh",),
        "identity",
    ),
}  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", list(MODULES))
def test_a_net_has_the_outputs_of_its_module(name, dtype):
    make, hidden, output = MODULES[name]
    module = seeded(make).to(getattr(torch, dtype))
    net = fastmlp.MLP.from_torch(module)
    assert (net.activation, net.output, net.dtype) == (hidden, output, dtype)
    assert net.bias == (name != "no biases")
    assert_same_outputs(module, net, dtype)


def test_where_some_layers_have_biases_the_others_have_zeros():
    module = seeded(MODULES["some biases"][0])
    net = fastmlp.MLP.from_torch(module)
    assert not net.biases[0].any()
    assert np.array_equal(net.biases[1], module[2].bias.detach().numpy())
    assert net.biases[1].all()


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.LeakyReLU(0.2), nn.Identity()])
def test_dropout_before_an_activation_that_scales_is_dropout_after_it(activation):
    layers = nn.Linear(3, 4), nn.Dropout(0.5), activation, nn.Linear(4, 2)
    assert fastmlp.MLP.from_torch(nn.Sequential(*layers)).dropout == (0.5,)


def test_a_module_used_twice_is_two_layers():
    shared = seeded(lambda: nn.Linear(3, 3).double())
    module = nn.Sequential(shared, nn.Tanh(), shared, nn.Tanh())
    net = fastmlp.MLP.from_torch(module)
    assert net.sizes == (3, 3, 3)
    assert_same_outputs(module, net, "float64")


class Named(nn.Sequential):
    """A Sequential by another name."""


class Skipping(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


class Calling(nn.Sequential):
    def __call__(self, x):
        return 2 * super().__call__(x)


class Backwards(nn.Sequential):
    def __iter__(self):
        return reversed(self._modules.values())


class OtherLinear(nn.Linear):
    pass


def test_a_class_that_is_a_sequential_with_its_forward_is_one():
    module = seeded(lambda: Named(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double())
    assert_same_outputs(module, fastmlp.MLP.from_torch(module), "float64")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_becomes_float32_without_loss(dtype):
    module = seeded(lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))).to(dtype)
    net = fastmlp.MLP.from_torch(module)
    assert net.dtype == "float32"
    assert np.array_equal(net.weights[0], module[0].weight.detach().float().numpy().T)
    assert fastmlp.MLP.from_torch(module, dtype="float64").dtype == "float64"


def test_the_arguments_are_those_of_a_net():
    module = seeded(lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)))
    net = fastmlp.MLP.from_torch(module, loss="huber", huber_delta=0.5, dtype="float64", seed=0)
    assert (net.loss, net.huber_delta, net.dtype) == ("huber", 0.5, "float64")
    assert fastmlp.MLP.from_torch(module, loss="quantile", quantile=0.9).quantile == 0.9
    trained = [fastmlp.MLP.from_torch(module, seed=seed) for seed in (0, 0, 1)]
    for one in trained:
        one.fit(X, X[:, 0], epochs=2, batch_size=8)
    assert trained[0].parameters.tobytes() == trained[1].parameters.tobytes() != trained[2].parameters.tobytes()
    with pytest.raises(ValueError, match="loss is 'cross_entropy'"):
        fastmlp.MLP.from_torch(module, loss="cross_entropy")
    with pytest.raises(ValueError, match="did you mean 'huber'"):
        fastmlp.MLP.from_torch(module, loss="hubber")


def test_a_subclass_of_mlp_gets_one_of_its_own():
    class Mine(fastmlp.MLP):
        pass

    assert type(Mine.from_torch(nn.Linear(3, 2))) is Mine


def linear(n_in=4, n_out=4, **given):
    return nn.Linear(n_in, n_out, **given)


def with_weight(value):
    layer = linear()
    with torch.no_grad():
        layer.weight[1, 2] = value
    return layer


def without_outputs():
    layer = linear(bias=False)
    layer.weight = nn.Parameter(torch.zeros(0, 4))
    return layer


def with_parameter(name, value):
    layer = linear()
    setattr(layer, name, None if value is None else nn.Parameter(value))
    return layer


def with_child_none(part):
    part.register_module("none", None)
    return part


def with_hook(part):
    part.register_forward_hook(lambda module, given, output: output * 2)
    return part


def with_pre_hook(part):
    part.register_forward_pre_hook(lambda module, given: tuple(2 * one for one in given))
    return part


def with_forward(part):
    part.forward = lambda x: x
    return part


OBSTACLES = {
    "a convolution": (nn.Sequential(linear(), nn.Conv2d(1, 1, 1), linear()), ["1.Conv2d: is none of these"]),
    "another root": (nn.Conv2d(1, 1, 1), ["Conv2d: is none of these"]),
    "what is inside of another": (
        nn.Sequential(linear(), nn.TransformerEncoderLayer(4, 2, batch_first=True), linear()),
        ["1.TransformerEncoderLayer: is none of these"],
    ),
    "a forward of its own": (
        nn.Sequential(linear(), Skipping(linear(), nn.ReLU())),
        ["1.Skipping: has hooks or a forward of its own"],
    ),
    "a call of its own": (Calling(linear()), ["Calling: has hooks or a forward of its own"]),
    "an order of its own": (Backwards(linear(), nn.ReLU()), ["Backwards: has hooks or a forward of its own"]),
    "a child that is None": (with_child_none(nn.Sequential(linear())), ["Sequential: has a child that is None"]),
    "a vector": (with_parameter("weight", torch.ones(4)), ["Linear: its weight has shape (4,); expected one of two"]),
    "no weight": (with_parameter("weight", None), ["Linear: its weight has shape None"]),
    "a bias of another shape": (
        nn.Sequential(with_parameter("bias", torch.ones(1)), nn.ReLU(), with_parameter("bias", torch.ones(1, 4))),
        ["0.Linear: its bias has shape (1,); expected (4,)", "2.Linear: its bias has shape (1, 4); expected (4,)"],
    ),
    "a class of its own": (OtherLinear(4, 4), ["OtherLinear: is none of these"]),
    "a normalization": (
        nn.Sequential(nn.BatchNorm1d(4), linear(), nn.BatchNorm1d(4), nn.ReLU(), linear()),
        ["0.BatchNorm1d: is none of these", "2.BatchNorm1d: is none of these"],
    ),
    "a lazy layer": (nn.Sequential(nn.LazyLinear(4)), ["0.LazyLinear: is none of these"]),
    "LogSoftmax": (nn.Sequential(linear(), nn.LogSoftmax(-1)), ["1.LogSoftmax: a net has no logarithms of"]),
    "Softmax inside": (
        nn.Sequential(linear(), nn.Softmax(-1), linear(), nn.Softmax(-1)),
        ["1.Softmax: is before the last layer"],
    ),
    "Softmax over rows": (nn.Sequential(linear(), nn.Softmax(0)), ["1.Softmax: dim is 0; expected -1 or 1"]),
    "Softmax over nothing": (nn.Sequential(linear(), nn.Softmax()), ["1.Softmax: dim is None; expected -1 or 1"]),
    "GELU": (nn.Sequential(linear(), nn.GELU("tanh")), ["1.GELU: approximate is 'tanh'; expected 'none'"]),
    "ELU": (nn.Sequential(linear(), nn.ELU(0.5)), ["1.ELU: alpha is 0.5; expected 1.0"]),
    "Softplus": (
        nn.Sequential(linear(), nn.Softplus(2, 5)),
        ["1.Softplus: beta is 2; expected 1.0", "1.Softplus: threshold is 5; expected 20 or more"],
    ),
    "a slope": (
        nn.Sequential(linear(), nn.LeakyReLU(-1.0)),
        ["1.LeakyReLU: negative_slope is -1.0; expected 0 to 1"],
    ),
    "two slopes": (
        nn.Sequential(linear(), nn.LeakyReLU(0.1), linear(), nn.LeakyReLU(0.2)),
        ["3.LeakyReLU: negative_slope is 0.2, and 0.1 above; a net has one"],
    ),
    "two activations": (
        nn.Sequential(linear(), nn.ReLU(), nn.Tanh(), linear()),
        ["2.Tanh: is the second activation of its layer, after relu"],
    ),
    "an activation of inputs": (nn.Sequential(nn.Tanh(), linear()), ["0.Tanh: stands before the first Linear"]),
    "dropout of inputs": (nn.Sequential(nn.Dropout(0.1), linear()), ["0.Dropout: drops inputs"]),
    "dropout of outputs": (nn.Sequential(linear(), nn.Dropout(0.1)), ["1.Dropout: drops outputs"]),
    "dropout of all": (nn.Sequential(linear(), nn.Dropout(1.0), linear()), ["1.Dropout: drops all"]),
    "dropout twice": (
        nn.Sequential(linear(), nn.Dropout(0.1), nn.ReLU(), nn.Dropout(0.2), linear()),
        ["3.Dropout: is the second Dropout of its layer"],
    ),
    "dropout before an activation": (
        nn.Sequential(linear(), nn.Dropout(0.1), nn.Tanh(), linear()),
        ["2.Tanh: stands after the Dropout of its layer"],
    ),
    "Flatten": (nn.Sequential(nn.Flatten(0), linear()), ["0.Flatten: is from 0 to -1; expected 1 to -1"]),
    "no outputs": (without_outputs(), ["Linear: has 4 inputs and 0 outputs; expected 1 or more"]),
    "sizes": (nn.Sequential(linear(4, 5), linear(4, 3)), ["1.Linear: has 4 inputs; the layer before has 5 outputs"]),
    "NaN": (nn.Sequential(linear(), with_weight(np.nan)), ["1.Linear: its weight contains NaN or infinity"]),
    "infinity": (with_weight(np.inf), ["Linear: its weight contains NaN or infinity"]),
    "complex": (
        linear(dtype=torch.complex64),
        ["Linear: its weight is torch.complex64", "Linear: its bias is torch.complex64"],
    ),
    "no values": (linear(device="meta", bias=False), ["Linear: its weight is on meta as torch.strided"]),
    "a hook": (nn.Sequential(linear(), with_hook(nn.Tanh())), ["1.Tanh: has hooks or a forward"]),
    "a hook before": (nn.Sequential(with_pre_hook(linear())), ["0.Linear: has hooks or a forward"]),
    "another forward": (nn.Sequential(with_forward(linear())), ["0.Linear: has hooks or a forward"]),
    "another forward of a sequence": (with_forward(nn.Sequential(linear())), ["Sequential: has hooks or a forward"]),
    "a hook of a sequence": (
        nn.Sequential(with_hook(nn.Sequential(linear()))),
        ["0.Sequential: has hooks or a forward"],
    ),
    "nothing": (nn.Sequential(nn.Sequential()), ["Sequential: has no Linear"]),
    "no Linear": (nn.Sequential(nn.Tanh()), ["0.Tanh: stands before the first Linear", "Sequential: has no Linear"]),
    "a place inside": (
        nn.Sequential(OrderedDict(body=nn.Sequential(linear(), nn.Conv1d(1, 1, 1)), head=linear())),
        ["body.1.Conv1d: is none of these"],
    ),
    "everything at once": (
        nn.Sequential(
            nn.Dropout(0.5), linear(3, 4), nn.Softmax(-1), with_weight(np.nan), nn.GELU("tanh"), nn.PReLU()
        ),
        [
            "0.Dropout: drops inputs",
            "3.Linear: its weight contains NaN",
            "4.GELU: approximate is 'tanh'",
            "5.PReLU: is none of these",
            "2.Softmax: is before the last layer",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(OBSTACLES))
def test_a_module_that_is_no_net_is_refused_with_all_that_stands_in_the_way(name):
    module, expected = OBSTACLES[name]
    with pytest.raises(
        ValueError, match="this module is no MLP; expected a Sequential of Linear, Identity"
    ) as caught:
        fastmlp.MLP.from_torch(module)
    head, *found = str(caught.value).splitlines()
    assert "LeakyReLU" in head
    assert len(found) == len(expected), found
    for line, start in zip(found, expected, strict=True):
        assert line.startswith(f"- {start}")


def test_hooks_of_all_modules_are_seen():
    register = nn.modules.module.register_module_forward_hook, nn.modules.module.register_module_forward_pre_hook
    for one in register:
        handle = one(lambda *given: None)
        try:
            with pytest.raises(ValueError, match="has hooks of all modules"):
                fastmlp.MLP.from_torch(linear())
        finally:
            handle.remove()
    fastmlp.MLP.from_torch(linear())


@pytest.mark.parametrize("given", [None, [nn.Linear(3, 2)], nn.Linear(3, 2).state_dict(), nn.Linear, torch.ones(3)])
def test_what_is_no_module_is_a_type_error(given):
    with pytest.raises(TypeError, match=r"module is .*; expected a torch\.nn\.Sequential"):
        fastmlp.MLP.from_torch(given)


def test_one_softmax_output_is_refused_by_the_net():
    with pytest.raises(ValueError, match="output is 'softmax' with one neuron"):
        fastmlp.MLP.from_torch(nn.Sequential(nn.Linear(3, 1), nn.Softmax(-1)))


def test_every_activation_has_a_row_and_every_row_a_class():
    assert set(torch_modules.ACTIVATIONS) == set(formulas.OUTPUTS)
    assert len({row.module for row in torch_modules.ACTIVATIONS.values()}) == len(formulas.OUTPUTS)


# Estimators


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("scale", [None, "standard"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_an_estimator_as_a_module_predicts_the_same(dtype, scale):
    rng = np.random.default_rng(0)
    x = (5 + 3 * rng.normal(size=(60, 4))).astype(dtype)
    expected_dtype = torch.float64 if scale else getattr(torch, dtype)
    tasks = {
        "number": (MLPRegressor, 100 + 20 * x[:, 0]),
        "numbers": (MLPRegressor, x[:, :2] ** 2),
        "two classes": (MLPClassifier, np.where(x[:, 0] > 5, "yes", "no")),
        "strings": (MLPClassifier, np.array(["a", "b", "c"])[np.arange(60) % 3]),
        "labels": (MLPClassifier, several_labels(60, 4, 3)[1]),
    }
    for name, (kind, y) in tasks.items():
        model = kind(
            hidden_layer_sizes=(6,), activation="gelu", scale=scale, solver="lbfgs", max_iter=15, random_state=0
        )
        model.fit(x, y)
        module = model.to_torch()
        assert {parameter.dtype for parameter in module.parameters()} == {expected_dtype}
        outputs = outputs_of(module, x)
        if kind is MLPRegressor:
            expected = model.predict(x).reshape(outputs.shape)
        else:
            expected = model.predict_proba(x)[:, 1 if name == "two classes" else 0 :]
        assert np.ptp(expected, axis=0).min() > 1e-3
        # X and y of float32 are scaled in it by the estimator, and in float64 by the module.
        assert_close(outputs, expected, "forward", dtype, name)


def test_an_estimator_with_quantiles_is_no_module():
    model = MLPRegressor(hidden_layer_sizes=(3,), scale="quantile", solver="lbfgs", random_state=0).fit(X, X[:, 0])
    with pytest.raises(ValueError, match="scale='quantile' says"):
        model.to_torch()


# What is imported, and what is installed


LAZY = """
import sys, fastmlp
net = fastmlp.MLP([2, 1], seed=0)
net.predict([1.0, 2.0])
fastmlp.MLPRegressor
print("torch" in sys.modules)
net.to_torch()
print("torch" in sys.modules)
"""
WITHOUT = """
import sys
sys.modules["torch"] = None
import fastmlp
net = fastmlp.MLP([2, 1])
for use in (net.to_torch, lambda: fastmlp.MLP.from_torch(net)):
    try:
        use()
    except ImportError as error:
        print(error)
"""


def test_torch_is_imported_when_a_module_is_made():
    assert output_of("-c", LAZY).split() == ["False", "True"]


def test_without_torch_fastmlp_says_how_to_get_it():
    lines = output_of("-c", WITHOUT).splitlines()
    assert len(lines) == 2
    assert all("a module of PyTorch needs torch" in line and "pip install 'torch" in line for line in lines)


def test_the_hint_names_what_the_extra_has(monkeypatch):
    rows = ['scikit-learn>=1.6; extra == "sklearn"', 'torch==2.13.0; extra == "test"', 'torch>=2; extra == "torch"']
    monkeypatch.setattr("importlib.metadata.requires", lambda package: rows)
    error = not_installed("a module of PyTorch", "torch", "torch", ModuleNotFoundError("none"))
    assert str(error) == "a module of PyTorch needs torch (none): pip install 'torch>=2'"


def test_the_peers_have_the_torch_of_the_tests():
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
    rows = [
        [row for row in project["optional-dependencies"][extra] if row.startswith("torch")]
        for extra in ("test", "peers", "bench-tables")
    ]
    assert rows[0] == rows[1] == rows[2]
    assert rows[0][0] == f"torch=={torch.__version__.partition('+')[0]}"


@pytest.mark.parametrize("method", [fastmlp.MLP.to_torch, fastmlp.MLP.from_torch, MLPRegressor.to_torch])
def test_the_examples_of_the_docstrings_print_what_they_say(method):
    (test,) = doctest.DocTestFinder().find(method, method.__qualname__)
    assert len(test.examples) >= 2
    assert doctest.DocTestRunner().run(test).failed == 0
