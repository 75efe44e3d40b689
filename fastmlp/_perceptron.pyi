import numpy as np
from numpy.typing import NDArray

def learning_pass(
    theta: NDArray[np.float64],
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    order: NDArray[np.int64],
    learning_rate: float,
) -> int: ...
