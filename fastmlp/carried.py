"""What nets and estimators have alike to leave for other languages; each is written out from its `_forward`."""

import os
from typing import TYPE_CHECKING, Any

from fastmlp.forward import Forward

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike


class Carried:
    """A model that says what a prediction computes, and so can be written down elsewhere."""

    def _forward(self) -> Forward:
        """What a prediction computes."""
        raise NotImplementedError

    def _scalings(self) -> tuple[Any, Any]:
        """What scales X and y, with `apply` and `undo`; None where nothing does."""
        return None, None

    def to_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write what is predicted to a file of ONNX, which ONNX Runtime and others run; needs fastmlp[onnx].

        The file is of opset 17 and IR version 8, of 2022, and needs none of ai.onnx.ml. Its input
        is "X" (m, n_in), for any m. A net with a softmax or sigmoid output has the outputs "label", int64, as
        `classify` gives it, and "probabilities" (m, n_out), as `predict` does; so has an estimator that classifies,
        as `predict` (integers are int64) and `predict_proba` give them. All others have the one output "variable"
        (m, n_out). Numbers are of the dtype of the net; scaling is in the file, and computed in float64. Labels and
        names of columns are in its metadata, as "classes" and "feature_names", in JSON.

        Parameters
        ----------
        path : path-like
            Such as "net.onnx". A file that is there is replaced; whatever stops it leaves that one or the new one.

        Raises
        ------
        ImportError
            If the package onnx is not there.
        ValueError
            If weights are not finite, X or y is scaled by a scaler that is not one of fit, labels are of a type that
            ONNX has not or are no text, or there are more than the 2 GiB that such a file can hold.
        sklearn.exceptions.NotFittedError
            If an estimator is not fitted.
        OSError
            If it cannot be written.

        See Also
        --------
        fastmlp.load_onnx : the net of such a file.

        Examples
        --------
        >>> import os, tempfile
        >>> import fastmlp
        >>> net = fastmlp.MLP([2, 3, 1], activation="silu", seed=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "net.onnx")
        ...     net.to_onnx(path)
        ...     again = fastmlp.load_onnx(path)
        >>> bool((again.parameters == net.parameters).all())
        True
        """
        from fastmlp.onnx_files import write

        write(self._forward(), path)

    def to_c(
        self,
        path: str | os.PathLike[str],
        *,
        name: str | None = None,
        dtype: "DTypeLike | None" = None,
        int8: bool = False,
        X: "ArrayLike | None" = None,
    ) -> None:
        """Write the net as C: one header with one function, which predicts for a sample, scaling included.

        `static inline void name(const float x[n_in], float y[n_out])`, with double for float64. y is what `predict`
        gives for a net and a regression, and `predict_proba` for an estimator that classifies; labels stand in an
        array beside the function, where they are numbers or strings. It is C99, needs <math.h> and <stdint.h>,
        allocates nothing and may be called by many threads. Several such headers fit into one program. A comment at
        the top says what stands in it.

        Parameters
        ----------
        path : path-like
            Such as "net.h". A file that is there is replaced, as a whole or not at all.
        name : str, optional
            Of the function, with which all that the header defines begins: beside it name_INPUTS, name_OUTPUTS and
            name_CLASSES are for use. By default that of the file, without its ending.
        dtype : {"float32", "float64"}, optional
            In which it computes, scaling apart, which is computed in double; by default that of the net.
        int8 : bool
            Whether weights are stored as whole numbers from -127 to 127, with a scale for each neuron: a quarter of
            the memory of float32, and outputs that differ. By how much, on average and at most, is measured and
            stands in the comment.
        X : array_like of shape (m, n_in), optional
            Samples to measure that on. By default 1,000 rows of a standard normal distribution, always the same, in
            the units of X as far as `scale` knows them.

        Raises
        ------
        ValueError, TypeError
            If an argument is not of the form above, or name is no name that C leaves free; if a weight is not
            finite, or a number beyond the range of dtype; if X or y is scaled by a scaler that is not one of fit; if
            what int8 computes for X leaves the range of dtype.
        sklearn.exceptions.NotFittedError
            If an estimator is not fitted.
        OSError
            If the file cannot be written; nothing is left of it.

        Examples
        --------
        >>> import os, tempfile
        >>> import fastmlp
        >>> net = fastmlp.MLP([2, 3, 1], activation="tanh", seed=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "net.h")
        ...     net.to_c(path)
        ...     with open(path) as file:
        ...         text = file.read()
        >>> "static inline void net(const float x[2], float y[1])" in text
        True
        """
        from fastmlp.c_source import write

        write(self, path, name, dtype, int8, X)
