"""`--turns N`: all that is timed is timed N times over, so that no case depends on one moment of the machine.

`--dtype float64`: in that precision.
"""

import pytest

import nets


def pytest_addoption(parser):
    parser.addoption("--turns", type=int, default=1, help="how often to go round all benchmarks")
    parser.addoption("--dtype", choices=["float32", "float64"], default=nets.DTYPE, help="precision of both sides")


@pytest.fixture(scope="session")
def dtype(request):
    return request.config.getoption("dtype")


def pytest_generate_tests(metafunc):
    if "turn" in metafunc.fixturenames:
        metafunc.parametrize("turn", range(metafunc.config.getoption("turns")))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.callspec.params.get("turn", 0) if hasattr(item, "callspec") else 0)
