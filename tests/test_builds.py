"""Which compiled core runs, how one is forced, and that the package needs NumPy and nothing else.

What depends on the environment or on a fresh import is asked of a fresh Python.
"""

import re

import numpy as np
import pytest

import fastmlp
from cases import COMPILED, EVERY_BUILD
from fastmlp import builds
from processes import output_of, python

TRAIN = """
import numpy as np, fastmlp
X = np.random.default_rng(0).normal(size=(50, 3))
net = fastmlp.MLP([3, 8, 1], activation="tanh", seed=0)
loss = net.fit(X, X[:, 0], epochs=100, optimizer=fastmlp.Adam(0.01)).loss
assert loss[-1] < 0.1 * loss[0], loss
print(fastmlp.builds.current())
"""


@pytest.mark.parametrize("build", EVERY_BUILD)
def test_the_environment_forces_a_build_and_it_trains(build):
    assert output_of("-c", TRAIN, FASTMLP_BUILD=build) == build


def test_without_being_forced_the_best_build_that_can_run_is_chosen():
    assert output_of("-c", TRAIN) == COMPILED[0]


@pytest.mark.parametrize("wrong", ["v9", "avx512", "V2 ", "float32"])
def test_an_unknown_forced_build_is_an_error_that_names_what_can_run(wrong):
    done = python("-c", "import fastmlp", FASTMLP_BUILD=wrong)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert re.match(r"(ImportError|ValueError): ", last), last
    assert "FASTMLP_BUILD" in last
    assert wrong in last
    for name in COMPILED:
        assert name in last


def test_the_builds_of_this_machine_are_named_best_first():
    known = ("v4", "v3", "v2")
    names = [name for name in known if name in COMPILED]
    assert [name for name in COMPILED if name in known] == names
    assert len(set(COMPILED)) == len(COMPILED)


@pytest.mark.parametrize("build", EVERY_BUILD)
def test_nets_made_inside_forced_use_that_build_and_those_made_after_do_not(build):
    before = builds.current()
    with builds.forced(build):
        assert builds.current() == build
        inside = fastmlp.MLP([3, 4, 2], seed=0)
    assert builds.current() == before
    X = np.random.default_rng(0).normal(size=(5, 3))
    outside = fastmlp.MLP([3, 4, 2], seed=0)
    # The first weights are drawn by the facade, so they are the same in every build.
    assert inside.parameters.tobytes() == outside.parameters.tobytes()
    np.testing.assert_allclose(inside.predict(X), outside.predict(X), rtol=1e-5, atol=1e-6)


def test_forced_ends_also_when_something_fails_inside_and_can_be_nested():
    before = builds.current()
    with pytest.raises(LookupError), builds.forced("reference"):
        raise LookupError
    assert builds.current() == before
    with builds.forced("reference"):
        with builds.forced(COMPILED[-1]):
            assert builds.current() == COMPILED[-1]
        assert builds.current() == "reference"


def test_an_unknown_build_is_refused_by_forced_and_by_network():
    with pytest.raises(ImportError, match="v9") as caught, builds.forced("v9"):
        pass
    assert COMPILED[0] in str(caught.value)
    with pytest.raises(ImportError, match="v9"):
        builds.network("float32", "v9")
    assert builds.current() in EVERY_BUILD


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("build", EVERY_BUILD)
def test_every_build_is_of_its_own_and_has_aligned_parameters_of_its_dtype(build, dtype):
    network = builds.network(dtype, build)
    others = [builds.network(other, name) for name in EVERY_BUILD for other in ("float32", "float64")]
    assert sum(network is other for other in others) == 1
    made = network((3, 5, 2), ("tanh", "identity"), "half_squared_error")
    assert made.parameters.size == 3 * 5 + 5 + 5 * 2 + 2
    assert made.parameters.ndim == 1
    assert made.parameters.dtype == np.dtype(dtype)
    assert made.parameters.flags.c_contiguous
    if build != "reference":
        assert made.parameters.ctypes.data % 64 == 0


def test_python_m_fastmlp_tells_the_version():
    assert fastmlp.__version__ in output_of("-m", "fastmlp", "--version")
    assert re.match(r"\d+\.\d+", fastmlp.__version__)


def test_python_m_fastmlp_refuses_an_unknown_command():
    done = python("-m", "fastmlp", "dance")
    assert done.returncode != 0
    assert "dance" in done.stderr


def test_the_package_works_where_scipy_scikit_learn_pandas_and_matplotlib_are_missing():
    missing = "import sys\nfor name in ('scipy', 'sklearn', 'pandas', 'matplotlib'): sys.modules[name] = None\n"
    assert output_of("-c", missing + TRAIN) == COMPILED[0]


def test_the_package_imports_numpy_alone():
    script = """
import sys
before = set(sys.modules)
import numpy
import fastmlp, fastmlp.reference, fastmlp.datasets
names = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(names - set(sys.stdlib_module_names)))
"""
    imported = output_of("-c", script).split()
    # Cython registers a module of its own for the types its extensions share.
    assert [name for name in imported if not re.match(r"_?cython", name)] == ["fastmlp", "numpy"]


def test_public_names_are_there_and_documented():
    for name in ("MLP", "SGD", "Adam", "Perceptron", "set_num_threads", "get_num_threads"):
        assert name in fastmlp.__all__
        assert getattr(fastmlp, name).__doc__
    for name in ("predict", "classify", "evaluate", "gradient", "fit", "summary", "from_parameters"):
        assert getattr(fastmlp.MLP, name).__doc__
