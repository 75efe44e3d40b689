"""A sparse X as the core reads it: compressed rows (CSR), whose zeros are neither stored nor multiplied."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.formulas import Array

# X is made dense where that is faster: if a larger share of its elements is not zero, and the first layer has so many
# neurons; and if it takes no more bytes. docs/architecture.md has the measurement.
MAX_SPARSE_SHARE = 0.15
MIN_DENSE_NEURONS = 32
MAX_DENSE_BYTES = 2**28
MAX_COLUMN = 2**31 - 1  # the highest number of a column
_ALIGNED: Any = ("C_CONTIGUOUS", "ALIGNED")  # as the core reads arrays


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

    def dense(self) -> Array:
        """The dense matrix; elements that stand in one place are added."""
        x = np.zeros(self.shape, self.values.dtype)
        np.add.at(x, (np.repeat(np.arange(len(self)), np.diff(self.indptr)), self.indices), self.values)
        return x


def checked(X: Any) -> Any:
    """X; if it is sparse, a copy in compressed rows, whose indices the core may trust.

    Raises
    ------
    ValueError
        If the indices lie outside of the shape of X, or there are more columns than an index can count.
    """
    if isinstance(X, np.ndarray):
        return X
    if X.shape[1] > MAX_COLUMN:
        raise ValueError(f"X has {X.shape[1]} columns; expected {MAX_COLUMN} at most")
    X = X.copy()  # so that nobody changes it after the look at it
    X.check_format(full_check=True)
    if (np.diff(X.indptr) < 0).any():  # where the last one says that X is empty, scipy does not look
        raise ValueError("indptr of X falls; expected that each row begins where the one before it ends")
    return X.tocsr()


def dense(X: Any) -> Any:
    """What `checked` gives as an array, for who cannot do without the zeros."""
    return X if isinstance(X, np.ndarray) else X.toarray()


def by_rows(X: Any, network: Any) -> Any:
    """An array, or what `checked` gives, as the Network takes it: an ndarray without gaps, or a CSR."""
    dtype, shape = network.dtype, X.shape
    if isinstance(X, np.ndarray):
        return np.require(X, dtype, _ALIGNED)
    elements = shape[0] * shape[1]
    is_dense = X.nnz > MAX_SPARSE_SHARE * elements
    if is_dense and network.sizes[1] >= MIN_DENSE_NEURONS and elements * dtype.itemsize <= MAX_DENSE_BYTES:
        return np.ascontiguousarray(X.toarray(), dtype)
    indices, indptr = np.require(X.indices, np.int32, _ALIGNED), np.require(X.indptr, np.int64, _ALIGNED)
    return CSR(np.require(X.data, dtype, _ALIGNED), indices, indptr, shape)
