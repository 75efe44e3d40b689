"""A sparse X as the core reads it: compressed rows (CSR), whose zeros are neither stored nor multiplied."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.reference import Array

# The share of elements that are not zero from which on products of the dense X are faster.
DENSE = 0.1


@dataclass(frozen=True, eq=False)
class CSR:
    """Row i has values[p] in column indices[p], for p from indptr[i] to indptr[i + 1].

    Attributes
    ----------
    values : ndarray of shape (n,), of the core's dtype
    indices : ndarray of shape (n,), int32
    indptr : ndarray of shape (rows + 1,), int64
    shape : (rows, columns)
    """

    values: Array
    indices: NDArray[np.int32]
    indptr: NDArray[np.int64]
    shape: tuple[int, int]

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """The dense matrix; elements that stand in one place are added."""
        x = np.zeros(self.shape, self.values.dtype if dtype is None else dtype)
        np.add.at(x, (np.repeat(np.arange(len(self)), np.diff(self.indptr)), self.indices), self.values)
        return x


def by_rows(X: Any, dtype: np.dtype[Any]) -> Any:
    """An array, or a sparse matrix of scipy, as the core takes it: an ndarray without gaps, or a CSR.

    Raises
    ------
    ValueError
        If the indices of a sparse X lie outside of its shape.
    """
    if isinstance(X, np.ndarray):
        return np.ascontiguousarray(X, dtype)
    X = X.tocsr()
    X.check_format(full_check=True)
    if X.nnz > DENSE * X.shape[0] * X.shape[1]:
        return np.ascontiguousarray(X.toarray(), dtype)
    # The core trusts indices: they are copied, so that nobody changes them after they were checked.
    return CSR(np.ascontiguousarray(X.data, dtype), X.indices.astype(np.int32), X.indptr.astype(np.int64), X.shape)
