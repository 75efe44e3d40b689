"""Real data that comes with the package, so that examples and tests need no network.

Each loader returns arrays that :meth:`fastmlp.MLP.fit` takes as they are. Sources and licences stand in
``fastmlp/data/README.md``.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_INK = 16  # the darkest value of a pixel in the stored images


def load_digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return 1,797 handwritten digits and what they show.

    Returns
    -------
    X : ndarray of shape (1797, 64), float32
        One image a row, 8 × 8 pixels row by row, from 0 (paper) to 1 (ink).
    y : ndarray of shape (1797,), int64
        The digits, 0 to 9, about 180 of each.

    Notes
    -----
    The images are the test samples of E. Alpaydin and C. Kaynak, *Optical Recognition of Handwritten Digits*,
    UCI Machine Learning Repository, 1998, https://doi.org/10.24432/C50P49, in the order of scikit-learn's
    ``load_digits``. Licence: CC BY 4.0. Every call returns fresh arrays.

    Examples
    --------
    >>> X, y = load_digits()
    >>> X.shape, y[:5].tolist()
    ((1797, 64), [0, 1, 2, 3, 4])
    """
    with np.load(Path(__file__).with_name("data") / "digits.npz") as stored:
        return stored["images"] / np.float32(_INK), stored["labels"].astype(np.int64)
