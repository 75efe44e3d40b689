"""scikit-learn's own tests of its MLP, run on fastmlp's estimators: with the import replaced, and nothing else.

They are those of the scikit-learn that is installed, which brings its tests with it. Here too is what the estimators
may use of it: what it documents for developers.
"""

import ast
import subprocess
import sys
import tomllib
from importlib import resources
from pathlib import Path

import pytest

import fastmlp

# What is left out, and why.
LEFT_OUT = {
    "test_gradient": "calls the private _loss_grad_lbfgs; tests/test_gradients.py looks at ours",
    "test_early_stopping_stratified": "wants the label 'True' in an error; ours names the user's, 1",
}

# What scikit-learn's own configuration of pytest offers its tests.
CONFTEST = """
import pytest

@pytest.fixture
def global_random_seed():
    return 42
"""


def test_scikit_learns_own_tests_of_its_mlp_pass(tmp_path):
    source = resources.files("sklearn.neural_network.tests").joinpath("test_mlp.py").read_text()
    theirs = "from sklearn.neural_network import MLPClassifier, MLPRegressor"
    assert theirs in source
    (tmp_path / "test_mlp.py").write_text(source.replace(theirs, "from fastmlp import MLPClassifier, MLPRegressor"))
    (tmp_path / "conftest.py").write_text(CONFTEST)
    left_out = [f"--deselect=test_mlp.py::{name}" for name in LEFT_OUT]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *left_out]
    run = subprocess.run([*command, "test_mlp.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout
    assert " skipped" not in run.stdout
    passed = int(run.stdout.rpartition(" passed")[0].split()[-1])
    assert passed >= 50


@pytest.mark.parametrize("name", list(LEFT_OUT))
def test_what_is_left_out_is_there(name):
    source = resources.files("sklearn.neural_network.tests").joinpath("test_mlp.py").read_text()
    assert f"def {name}(" in source


def test_no_private_name_of_scikit_learn_is_imported():
    imported = set()
    for path in Path(fastmlp.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "sklearn":
                imported |= {f"{node.module}.{name.name}" for name in node.names}
            elif isinstance(node, ast.Import):
                imported |= {name.name for name in node.names if name.name.partition(".")[0] == "sklearn"}
    assert "sklearn.base.BaseEstimator" in imported
    assert [name for name in imported if "._" in name] == []


def test_the_oldest_scikit_learn_that_is_tested_is_the_oldest_that_is_supported():
    extras = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    (supported,) = extras["sklearn"]
    (oldest,) = [row for row in extras["oldest"] if row.startswith("scikit-learn")]
    assert oldest == supported.replace(">=", "==") + ".0"
