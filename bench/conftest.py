"""`--turns N`: all that is timed is timed N times over, so that no case depends on one moment of the machine."""

import pytest


def pytest_addoption(parser):
    parser.addoption("--turns", type=int, default=1, help="how often to go round all benchmarks")


def pytest_generate_tests(metafunc):
    if "turn" in metafunc.fixturenames:
        metafunc.parametrize("turn", range(metafunc.config.getoption("turns")))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.callspec.params.get("turn", 0) if hasattr(item, "callspec") else 0)
