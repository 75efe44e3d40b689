"""Every table has the same rows in the same order wherever it stands: core, formulas, optimizers, types."""

import inspect
from importlib import import_module
from typing import get_args

import numpy as np
import pytest

import fastmlp
from cases import COMPILED, DTYPES, EVERY_BUILD, EVERY_NETWORK
from fastmlp import architecture, builds, formulas, initializers, optimizers, schedules
from fastmlp.optimizers import Steps


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_the_core_has_the_rows_of_the_formulas(build, dtype):
    core = import_module(builds.network(dtype, build).__module__)
    assert core.ACTIVATIONS == formulas.OUTPUTS
    assert list(core.LOSSES.items()) == [
        (name, tuple(formulas.LOSS_PARAMETERS.get(name, {}).values())) for name in formulas.LOSSES
    ]
    assert tuple(formulas.OPTIMIZERS) == core.OPTIMIZERS
    assert tuple(formulas.KINDS) == core.KINDS


def test_the_optimizers_are_those_of_the_formulas():
    assert [cls.__name__ for cls in optimizers.OPTIMIZERS.values()] == list(formulas.OPTIMIZERS)
    assert [cls.__name__.lower() for cls in optimizers.OPTIMIZERS.values()] == list(optimizers.OPTIMIZERS)


def test_the_names_of_the_types_are_the_rows_of_the_tables():
    for literal, table in {
        formulas.ActivationName: formulas.ACTIVATIONS,
        formulas.OutputName: formulas.OUTPUTS,
        formulas.LossName: formulas.LOSSES,
        optimizers.OptimizerName: optimizers.OPTIMIZERS,
        initializers.InitializerName: initializers.INITIALIZERS,
        schedules.ScheduleName: schedules.SCHEDULES,
        builds.DType: builds.DTYPES,
    }.items():
        assert get_args(literal) == tuple(table)


def test_an_architecture_has_the_defaults_of_mlp():
    signature = inspect.signature(fastmlp.MLP).parameters
    assert {name: signature[name].default for name in architecture.DEFAULTS} == architecture.DEFAULTS


@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_bias_correction_is_what_the_optimizer_says_and_not_that_it_has_betas(build, dtype):
    # The first step of Adam without it is rate * (1 - beta_1) / sqrt(1 - beta_2), whatever the gradient.
    class Adam(fastmlp.Adam):
        bias_correction = False

    net = builds.network(dtype, build)((1, 1), ("identity",), "half_squared_error", False)
    steps = Steps(1, Adam(0.5, beta_1=0.75, beta_2=0.9375, epsilon=1e-30))
    net.train(np.ones((1, 1), dtype), np.ones((1, 1), dtype), None, None, steps)
    np.testing.assert_allclose(net.parameters, [0.5 * 0.25 / 0.25], rtol=1e-6)
    assert net.optimizer_state[:2] == (1.0, 1.0)


@pytest.mark.parametrize("loss", list(formulas.LOSSES))
@pytest.mark.parametrize("build", EVERY_BUILD)
def test_a_loss_takes_as_many_parameters_as_it_has(build, loss):
    Network, parameters = builds.network("float64", build), [0.5] * len(formulas.LOSS_PARAMETERS.get(loss, ()))
    for wrong in ([*parameters, 0.5], parameters[1:] if parameters else [0.5, 0.5]):
        with pytest.raises(ValueError, match=f"loss '{loss}' has {len(wrong)} parameters"):
            Network((1, 1), ("sigmoid",), (loss, *wrong))
    Network((1, 1), ("sigmoid",), (loss, *parameters))


@pytest.mark.parametrize("loss", list(formulas.LOSSES))
@pytest.mark.parametrize("build", EVERY_BUILD)
def test_a_loss_named_bare_has_its_default_parameters(build, loss):
    Network, X, y = builds.network("float64", build), np.array([[-2.0, 1.0]]), np.array([[0.25, 0.5]])
    found = []
    for given in (loss, (loss, *formulas.LOSS_PARAMETERS.get(loss, {}).values())):
        net = Network((2, 2), ("sigmoid",), given, False)
        net.parameters[:] = [1.0, 0.5, -1.0, 2.0]
        found.append(net.evaluate(X, y))
    assert found[0] == found[1] > 0
