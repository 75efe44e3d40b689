r"""A net as C: one header of C99, its weights in it, that needs <math.h> and <stdint.h> and nothing else.

A number is the shortest decimal that rounds to it, as Python prints it, so that a reader can compare. C99 promises to
read it back exactly for hexadecimal numbers alone, but GCC, clang and MSVC round decimals correctly, too.

Not here: the text (c_templates.py), what a prediction consists of (forward.py), how a file is replaced (files.py).
"""

import re
import warnings
from collections.abc import Iterator
from itertools import pairwise
from textwrap import wrap
from typing import Any

import numpy as np

from fastmlp import checks, files
from fastmlp.architecture import as_dtype
from fastmlp.c_templates import (
    ACTIVATIONS,
    EACH,
    FUNCTIONS,
    LAYER,
    OF_A_HEADER,
    ONE_CLASS,
    PRECISIONS,
    REST,
    SCALED,
    TAKEN,
    TOGETHER,
    TWO_CLASSES,
    UNSCALED,
    Precision,
)  # fmt: skip
from fastmlp.formulas import ACTIVATIONS as FORMULAS
from fastmlp.formulas import Array, softmax
from fastmlp.forward import EDGE, IN_THE_MIDDLE, IN_THE_TAILS, MIDDLE, TAIL, Forward, Normalized

_WIDTH = 100  # of a line
_ROWS, _SEED = 1000, 0  # what is drawn to see what int8 loses
_LONGEST_STRING = 4000  # bytes of a label; C99 promises 4095 characters
_UNROLLED = 8  # inputs of a layer that are added at a time: the sums are loaded and stored the less often

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)


def write(model: Any, path: Any, name: Any, dtype: Any, int8: Any, X: Any) -> None:
    """Write the header of an MLP or an estimator; see `MLP.to_c`."""
    target = files.as_path(path)
    name = _name(name, target.stem)
    int8 = checks.boolean("int8", int8)
    if X is not None and not int8:
        raise ValueError("X is given, on which int8=True is measured, and int8 is False; expected both or none")
    steps = model._forward()
    steps = _of_dtype(steps, steps.dtype if dtype is None else as_dtype(dtype))
    scales, loss = None, ""
    if int8:
        integers, scales = zip(*map(_rounded, steps.weights), strict=True)
        loss = _loss(model, steps, integers, scales, X)
        steps = steps._replace(weights=integers)
    files.replace_file(target, (part.encode("ascii") for part in _source(steps, name, scales, loss)))


def _name(given: Any, stem: str) -> str:
    """The name of the function: given, or that of the file."""
    name, came = (
        (stem, f"name is not given, and the path's is {stem!r}") if given is None else (given, f"name is {given!r}")
    )
    if not isinstance(name, str):
        raise TypeError(f"{came}; expected a str, or None for the name of the file")
    if not _IDENTIFIER.fullmatch(name):
        raise ValueError(f"{came}; expected letters, digits and _, the first a letter: name='net', as C wants it")
    if TAKEN.fullmatch(name):
        raise ValueError(f"{came}, which C or its library has already; expected another, as name={name + '_net'!r}")
    if OF_A_HEADER.fullmatch(name):
        raise ValueError(
            f"{came}, as another header may call what stands in it; expected a name without _own_ that does not end "
            "in _INPUTS, _OUTPUTS, _CLASSES or _FASTMLP_H"
        )
    return name


def _of_dtype(steps: Forward, dtype: np.dtype[Any]) -> Forward:
    """The steps in another precision."""
    with np.errstate(over="ignore"):
        weights, biases = (tuple(array.astype(dtype) for array in arrays) for arrays in (steps.weights, steps.biases))
    if not all(np.isfinite(array).all() for array in (*weights, *biases)):
        raise ValueError(f"dtype is {dtype.name}, and weights or biases are beyond its range; expected float64")
    numbers = () if steps.of_outputs is None else steps.of_outputs
    if any(np.abs(array).max() > np.finfo(dtype).max for array in numbers):
        raise ValueError(f"dtype is {dtype.name}, and y is scaled by numbers beyond its range; expected float64")
    return steps._replace(weights=weights, biases=biases, dtype=dtype)


def _rounded(W: Array) -> tuple[Array, Array]:
    """Whole numbers from -127 to 127 (n_in, n_out) and scales (n_out,), the product of which is nearly W."""
    scale = (np.abs(W).max(axis=0) / 127).astype(W.dtype)
    with np.errstate(divide="ignore", invalid="ignore"):
        integers = np.where(scale > 0, np.rint(W / scale), 0)
    return np.clip(integers, -127, 127).astype(np.int8), scale


def _loss(model: Any, steps: Forward, weights: tuple[Array, ...], scales: tuple[Array, ...], X: Any) -> str:
    """By how much these weights change the outputs, in words."""
    rows = "rows given as X"
    of_x, _ = model._scalings()
    if X is None:
        rows = f"rows of a standard normal distribution, drawn by NumPy's default_rng({_SEED})"
        rows += ", brought to the units of X by its scaler" if of_x is not None else ""
        drawn = np.random.default_rng(_SEED).standard_normal((_ROWS, len(steps.weights[0])))
        X = (drawn if of_x is None else of_x.undo(drawn)).astype(steps.dtype)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X does not have valid feature names")
        before = _predicted(model, X)
    with np.errstate(all="ignore"):  # what is not finite is refused
        after = before if _is_one_class(steps) else _of_int8(model, steps, weights, scales, X)
        apart = np.abs(after.reshape(before.shape) - before)
    if not np.isfinite(apart).all():
        raise ValueError(
            f"int8 is True, and outputs for the {rows} leave the range of {steps.dtype}; expected other rows as X, "
            "dtype='float64' or int8=False"
        )
    return (
        "int8: the weights are whole numbers from -127 to 127, times a scale for each neuron. That changes the "
        f"outputs, compared with those of fastmlp: by {apart.max():.6g} at most, by {apart.mean():.6g} on average, "
        f"over the {apart.size // _outputs(steps):,} {rows}."
    )


def _of_int8(model: Any, steps: Forward, weights: tuple[Array, ...], scales: tuple[Array, ...], X: Any) -> Array:
    """What the function gives with such weights, in the order in which it computes."""
    of_x, of_y = model._scalings()
    a: Array = np.atleast_2d(X.toarray() if hasattr(X, "toarray") else X).astype(steps.dtype)
    if of_x is not None:
        a = of_x.apply(a.astype(np.float64)).astype(steps.dtype)
    for W, scale, b, name in zip(weights, scales, steps.biases, steps.activations, strict=True):
        z = (a @ W.astype(steps.dtype)) * scale + b
        if not np.isfinite(z).all():
            return np.full((len(a), _outputs(steps)), np.nan)
        a = softmax(z) if name == "softmax" else FORMULAS[name].value(z, steps.negative_slope)
    if of_y is not None:
        a = of_y.undo(a.astype(np.float64))
    a = a.astype(steps.dtype)
    return np.hstack([1 - a, a]) if steps.classes is not None and a.shape[1] == 1 else a


def _predicted(model: Any, X: Any) -> Array:
    predict = model.predict_proba if hasattr(model, "predict_proba") else model.predict
    outputs: Array = predict(X)
    return outputs


def _is_one_class(steps: Forward) -> bool:
    """Whether there is one answer only."""
    return steps.classes is not None and len(steps.classes) == 1


def _outputs(steps: Forward) -> int:
    """Elements of y: the outputs, or the probabilities of both classes."""
    return len(steps.biases[-1]) if steps.classes is None or steps.several else len(steps.classes)


# the text


def _source(steps: Forward, name: str, scales: tuple[Array, ...] | None, loss: str) -> Iterator[str]:
    """The header, in parts."""
    of = PRECISIONS[steps.dtype.name]
    one_class = _is_one_class(steps)
    tables = {} if one_class else dict(_tables(steps, scales))
    body, stack = (ONE_CLASS, 0) if one_class else _body(steps, scales is not None)
    functions = _needed(body)
    words = {"NAME": name, "REAL": of.type, "BITS": of.bits, "MANTISSA": str(of.mantissa), "BIAS": str(of.bias)}
    numbers = zip(("LIMIT", "UPPER_LOG_2", "LOWER_LOG_2"), (of.limit, *of.log_2), strict=True)
    words |= {word: number + of.suffix for word, number in numbers}
    words |= {"EXPM1": _polynomial(of.expm1, "r", of.suffix), "ARTANH": _polynomial(of.artanh, "w", of.suffix)}
    words |= {"SLOPE": _literals(np.array([steps.negative_slope], steps.dtype))[0]}
    if {"to_normal", "from_normal"} & set(functions):
        from fastmlp.estimator_scaling import LEAST, MOST  # which needs scikit-learn, as such a net does

        words |= {word: repr(float(number)) for word, number in (("EDGE", EDGE), ("LEAST", LEAST), ("MOST", MOST))}
    if "quantile" in functions:
        tables |= {"middle": np.array(IN_THE_MIDDLE), "tail": np.array(IN_THE_TAILS)}
        words |= {"MIDDLE": repr(MIDDLE), "TAIL": repr(TAIL)}
    n_in, n_out = len(steps.weights[0]), _outputs(steps)
    constants = sum(array.nbytes for array in tables.values())
    yield _comment(steps, name, of, n_out, constants, stack * steps.dtype.itemsize, loss)
    yield f"#ifndef {name}_FASTMLP_H\n#define {name}_FASTMLP_H\n\n#include <math.h>\n#include <stdint.h>\n\n"
    yield f"enum {{ {name}_INPUTS = {n_in}, {name}_OUTPUTS = {n_out} }};\n\n"
    yield from _class_table(steps, name)
    for key, array in tables.items():
        yield from _table(f"{name}_own_{key}", array)
    for text in functions.values():
        yield _filled(text.replace("@", of.suffix), words) + "\n"
    yield _filled(f"static inline void NAME(const REAL x[{n_in}], REAL y[{n_out}])\n{{\n{body}}}\n\n#endif\n", words)


def _filled(text: str, words: dict[str, str]) -> str:
    """A template with its words in capitals replaced, all at once: what is put in is left alone."""
    pattern = rf"(?<![A-Za-z0-9_])({'|'.join(sorted(words, key=len, reverse=True))})(?![A-Z0-9])"
    return re.sub(pattern, lambda found: words[found[0]], text)


def _polynomial(coefficients: tuple[str, ...], variable: str, suffix: str) -> str:
    """Of these coefficients, highest power first, as the factors that Horner's rule nests."""
    first, *others = (number + suffix for number in coefficients)
    return first + "".join(f";\n    p = p * {variable} + {number}" for number in others)


def _body(steps: Forward, int8: bool) -> tuple[str, int]:
    """The function's, and how many numbers its local arrays hold."""
    sizes = [len(steps.weights[0]), *map(len, steps.biases)]
    lengths = {"a": 0, "b": 0}  # what is computed goes from one into the other
    into, source, text = "a", "x", ""
    if steps.of_inputs is not None:
        words = {"N": str(sizes[0]), "INTO": into, "Q": _known(steps.of_inputs)}
        text += _filled(SCALED[type(steps.of_inputs)], words)
        lengths[into] = sizes[0]
        into, source = "b", "a"
    for l, ((n_in, n_out), activation) in enumerate(zip(pairwise(sizes), steps.activations, strict=True), 1):
        cast = "(REAL)" if int8 else ""
        terms = [f"{source}[i + {k}] * {cast}NAME_own_W{l}[i + {k}][j]" for k in range(_UNROLLED)]
        pairs = [" + ".join(terms[k : k + 2]) for k in range(0, _UNROLLED, 2)]
        many = n_in - n_in % _UNROLLED
        words = {
            "LAYER": f"{l}", "N_IN": f"{n_in}", "N_OUT": f"{n_out}", "ACTIVATION": activation, "INTO": into,
            "START": "0" if int8 else f"NAME_own_b{l}[j]", "UNROLLED": f"{many}", "STEP": f"{_UNROLLED}",
            "SUM": (" +\n" + 20 * " ").join(pairs), "TERM": f"{source}[i] * {cast}NAME_own_W{l}[i][j]",
        }  # fmt: skip
        text += _filled(LAYER + TOGETHER * (many > 0) + REST * (many < n_in), words)
        value = f"{into}[j] * NAME_own_s{l}[j] + NAME_own_b{l}[j]" if int8 else f"{into}[j]"
        if activation not in ("identity", "softmax"):
            value = f"NAME_own_{activation}({value})"  # KeyError, where no row is of that name
        if value != f"{into}[j]":
            text += _filled(EACH, words | {"VALUE": value})
        if activation == "softmax":
            text += f"    NAME_own_softmax({into}, {n_out});\n"
        lengths[into] = max(lengths[into], n_out)
        into, source = source if source != "x" else "b", into
    if steps.classes is not None and sizes[-1] == 1:
        text += _filled(TWO_CLASSES, {"FROM": source})
    else:
        words = {"N": str(sizes[-1]), "FROM": source, "Q": _known(steps.of_outputs)}
        text += _filled(UNSCALED[type(steps.of_outputs)], words)
    buffers = ", ".join(f"{letter}[{length}]" for letter, length in lengths.items() if length)
    return f"    REAL {buffers};\n{text}", sum(lengths.values())


def _known(scaling: Any) -> str:
    return str(len(scaling.levels)) if isinstance(scaling, Normalized) else ""


def _needed(body: str) -> dict[str, str]:
    """The functions that a text calls, each after those that it calls itself."""
    found: dict[str, str] = {}
    for name in re.findall(r"NAME_own_(\w+)\(", body):
        text = FUNCTIONS.get(name) or _of_activation(name)
        found |= {key: value for key, value in _needed(text.split("{", 1)[1]).items() if key not in found}
        found.setdefault(name, text)
    return found


def _of_activation(name: str) -> str:
    lines = ACTIVATIONS[name].replace("\n", "\n    ")
    return f"static inline REAL NAME_own_{name}(REAL z)\n{{\n    {lines}\n}}\n"


def _tables(steps: Forward, scales: tuple[Array, ...] | None) -> Iterator[tuple[str, Array]]:
    """The numbers of a net, by the end of their names."""
    for l, (W, b) in enumerate(zip(steps.weights, steps.biases, strict=True), 1):
        yield f"W{l}", W
        if scales is not None:
            yield f"s{l}", scales[l - 1]
        yield f"b{l}", b
    for letter, scaling in (("x", steps.of_inputs), ("y", steps.of_outputs)):
        for key, array in ({} if scaling is None else scaling._asdict()).items():
            yield f"{letter}_{key}", np.asarray(array, np.float64)


def _table(name: str, array: Array) -> Iterator[str]:
    """An array of one or two dimensions as constants."""
    kind = "int8_t" if array.dtype == np.int8 else PRECISIONS[array.dtype.name].type
    yield f"static const {kind} {name}{''.join(f'[{n}]' for n in array.shape)} = {{\n"
    for row in array if array.ndim == 2 else [array]:
        literals = _literals(row)
        many = max(1, (_WIDTH - 6) // (max(map(len, literals)) + 2))
        lines = [", ".join(literals[at : at + many]) for at in range(0, len(literals), many)]
        yield "    {" + ",\n     ".join(lines) + "},\n" if array.ndim == 2 else "    " + ",\n    ".join(lines) + ",\n"
    yield "};\n\n"


def _literals(array: Array) -> list[str]:
    """The numbers (n,) as C writes them."""
    if array.dtype == np.float32:
        return [f"{number!s}f" for number in array]
    return [repr(number) for number in array.tolist()]


def _class_table(steps: Forward, name: str) -> Iterator[str]:
    """The labels, where C has a type for them: whole numbers, numbers, or strings in UTF-8."""
    labels = [] if steps.classes is None else steps.classes.tolist()
    begin, end = f"{name}_CLASSES[{name}_OUTPUTS]", "};\n\n"
    if labels and all(isinstance(label, int) and abs(label) < 2**63 for label in labels):
        yield f"static const long long {begin} = {{\n"
        yield "".join(f"    {int(label)},\n" for label in labels) + end
    elif labels and all(isinstance(label, float) and np.isfinite(label) for label in labels):
        yield f"static const double {begin} = {{\n"
        yield "".join(f"    {label!r},\n" for label in labels) + end
    elif labels and all(isinstance(label, str) for label in labels):
        encoded = [label.encode("utf-8", "surrogatepass") for label in labels]
        longest = max(map(len, encoded))
        if longest <= _LONGEST_STRING and not any(b"\0" in label for label in encoded):
            yield f"static const char {begin}[{longest + 1}] = {{\n"
            yield "".join(f"    {_string(label)},\n" for label in encoded) + end


def _string(label: bytes) -> str:
    """Bytes as a string of C, in pieces that fit into lines: no character is left that could mean something there."""
    signs = [chr(b) if (chr(b).isalnum() and b < 128) or chr(b) in " _-.,:;()+=/<>" else f"\\{b:03o}" for b in label]
    pieces = ["".join(signs[at : at + 22]) for at in range(0, len(signs), 22)] or [""]
    return "\n        ".join(f'"{piece}"' for piece in pieces)


def _comment(steps: Forward, name: str, of: Precision, n_out: int, constants: int, stack: int, loss: str) -> str:
    """What stands above all: what the function computes of what, and what it costs."""
    from fastmlp import __version__  # which is there by the time that a net is

    sizes = [len(steps.weights[0]), *map(len, steps.biases)]
    layers = ", ".join(f"{n} {activation}" for n, activation in zip(sizes[1:], steps.activations, strict=True))
    number = sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))
    if steps.classes is None:
        meaning = "each the probability of a label of its own" if steps.several else "in the units of y"
        what = [f"y: what predict of fastmlp gives, {meaning}."]
    else:
        of_class = "of label {!a}, whatever the others are" if steps.several else "of class {!a}"
        what = ["y: what predict_proba of fastmlp gives, probabilities."]
        what += [f"y[{k}]: {of_class.format(label)}" for k, label in enumerate(steps.classes.tolist())]
    names = [f"x[{i}]: {column!a}" for i, column in enumerate(steps.names or ())]
    scaled = "" if steps.of_inputs is None else " Scaling is part of the function, and is computed in double."
    paragraphs = [
        [f"{name}: a multilayer perceptron, written by fastmlp {__version__}."],
        [f"    void {name}(const {of.type} x[{sizes[0]}], {of.type} y[{n_out}]);"],
        [f"{sizes[0]} inputs, {layers}: {number:,} weights and biases, computed in {of.type}.{scaled}"],
        ["x: a sample, in the units of the X that the net has learned from.", *names],
        what,
        [
            "C99, with <math.h> (link with -lm) and <stdint.h>. The numbers of the net take "
            f"{constants:,} bytes, local arrays {stack:,}. Nothing is allocated, and nothing static is written, so "
            "that any number of threads may call it. x and y may overlap."
        ],
        [loss] * bool(loss),
    ]
    lines: list[str] = []
    for paragraph in filter(None, paragraphs):
        for text in paragraph:
            safe = re.sub(r"\*(?=/)|/(?=\*)|\?(?=\?)", r"\g<0> ", text)  # neither an end, nor a trigraph
            lines += wrap(safe, _WIDTH - 3)
        lines.append("")
    return "/*\n" + "".join(f" * {line}".rstrip() + "\n" for line in lines[:-1]) + " */\n"
