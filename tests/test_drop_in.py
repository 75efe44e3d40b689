"""scikit-learn's own tests of its MLP, run on fastmlp's estimators: with the import replaced, and nothing else.

They are those of the scikit-learn that is installed, which brings its tests with it.
"""

import subprocess
import sys
from importlib import resources

import pytest

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
