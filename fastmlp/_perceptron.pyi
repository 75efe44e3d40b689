import numpy as np
from numpy.typing import NDArray

def net_inputs(z: NDArray[np.float64], theta: NDArray[np.float64], X: NDArray[np.float64]) -> None: ...
def learning_pass(
    theta: NDArray[np.float64],
    rows: NDArray[np.int64],
    thetas: NDArray[np.float64],
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    order: NDArray[np.int64],
    learning_rate: float,
) -> int: ...
