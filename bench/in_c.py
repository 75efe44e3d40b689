"""A net written as C by `MLP.to_c`, compiled by GCC for this processor, seen to compute the same, ready to be timed.

One call goes over ROWS rows inside C, one after the other, so that it is a prediction that is timed and not the way
from Python to C, which takes as long as a small net.
"""

import ctypes
import subprocess
import tempfile
from pathlib import Path

import numpy as np

import nets
import twins

ROWS = 256
_PROGRAM = """\
#include "net.h"
#define REAL {}
__attribute__((noinline)) static void one(const REAL *x, REAL *y) {{ net(x, y); }}
void rows(const REAL *X, REAL *Y, int n);
void rows(const REAL *X, REAL *Y, int n)
{{
    for (int i = 0; i < n; i++) one(X + i * net_INPUTS, Y + i * net_OUTPUTS);
}}
"""
_TYPES = {"float32": "float", "float64": "double"}


def verified(net, mlp, dtype):
    """A function without arguments that predicts ROWS rows, each for itself."""
    X = nets.inputs(net, ROWS, dtype)
    Y = np.empty((ROWS, net.sizes[-1]), dtype)
    with tempfile.TemporaryDirectory() as folder:
        mlp.to_c(Path(folder, "net.h"))
        Path(folder, "net.c").write_text(_PROGRAM.format(_TYPES[dtype]))
        command = ["gcc", "-O3", "-march=native", "-shared", "-fPIC", "net.c", "-o", "net.so", "-lm"]
        subprocess.run(command, cwd=folder, check=True)
        rows = ctypes.CDLL(f"{folder}/net.so").rows
    arguments = ctypes.c_void_p(X.ctypes.data), ctypes.c_void_p(Y.ctypes.data), ROWS

    def predict():
        rows(*arguments)
        return Y

    expected = mlp.predict(X)
    twins.assert_close(predict(), expected, twins.TOLERANCES[dtype].output, np.linalg.norm(expected))
    predict.arrays = X, Y  # which the addresses are of
    return predict
