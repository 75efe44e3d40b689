r"""A net as C: one header of C99, its weights in it, that needs <math.h> and <stdint.h> and nothing else.

A template reads as C. In it NAME is the name of the function, with which every other name begins, so that several
headers fit into one program; REAL is the type of the net; @ is the suffix that literals and functions of <math.h>
have in it: f, or none. A prediction is a straight line of loops whose bounds are numbers, the outputs of a layer
inside, so that a compiler makes vector code of them; exp and what is made of it are written out for the same reason,
as in src/elementary.pxd. Nothing is allocated, and nothing is written but y and what is on the stack.

A number is the shortest decimal that rounds to it, as Python prints it, so that a reader can compare. C99 promises to
read it back exactly for hexadecimal numbers alone, but GCC, clang and MSVC round decimals correctly, too.

Not here: what a prediction consists of (forward.py), how a file is replaced (files.py).
"""

import re
import warnings
from collections.abc import Iterator
from itertools import pairwise
from textwrap import wrap
from typing import Any, NamedTuple

import numpy as np

from fastmlp import checks, files
from fastmlp.architecture import as_dtype
from fastmlp.formulas import SELU_ALPHA, SELU_SCALE, Array
from fastmlp.forward import EDGE, IN_THE_MIDDLE, IN_THE_TAILS, MIDDLE, TAIL, Forward, Normalized, Standardized

_WIDTH = 100  # of a line
_ROWS, _SEED = 1000, 0  # what is drawn to see what int8 loses
_LONGEST_STRING = 4000  # bytes of a label; C99 promises 4095 characters
_UNROLLED = 8  # inputs of a layer that are added at a time: the sums are loaded and stored the less often

# Names that are taken: keywords up to C23, main, and the words of the two headers that are included.
_KEYWORDS = """
    alignas alignof asm auto bool break case char const constexpr continue default do double else enum extern false
    float for goto if inline int long main nullptr register restrict return short signed sizeof static static_assert
    struct switch thread_local true typedef typeof typeof_unqual union unsigned void volatile while linux unix
    fpclassify isfinite isgreater isgreaterequal isless islessequal islessgreater isnormal isunordered signbit signgam
    float_t double_t INFINITY NAN HUGE_VAL HUGE_VALF HUGE_VALL
"""
_MATH = """
    acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh drem erf erfc exp exp10 exp2 expm1 fabs fdim
    finite floor fma fmax fmin fmod frexp gamma hypot ilogb isinf isnan j0 j1 jn ldexp lgamma llrint llround log log10
    log1p log2 logb lrint lround modf nan nearbyint nextafter nexttoward pow pow10 remainder remquo rint round scalb
    scalbln scalbn significand sin sincos sinh sqrt tan tanh tgamma trunc y0 y1 yn
"""
_TAKEN = re.compile(
    rf"{'|'.join(_KEYWORDS.split())}|({'|'.join(_MATH.split())})(f|l|_r)?|lgamma[fl]_r|"
    r"u?int\w*_t|U?INT\w*_(C|MAX|MIN)|(FP|M|MATH)_\w+"
)
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)


class _Precision(NamedTuple):
    """What a template needs to know of a type. The polynomials and limits of exp are those of src/elementary.pxd."""

    type: str
    suffix: str
    bits: str
    mantissa: int
    bias: int
    limit: str  # beyond which e^z is 0 or infinite
    log_2: tuple[str, str]  # the first so short that its product with a whole number is exact
    expm1: tuple[str, ...]  # (e^r - 1 - r) / r^2, highest power first
    artanh: tuple[str, ...]  # (2 artanh(s) - 2 s) / s^3, of s^2


_PRECISIONS = {
    "float32": _Precision(
        *("float", "f", "int32_t", 23, 127, "104.0", ("0.693359375", "-0.000212194440055")),
        ("0.001392618359", "0.008363179053", "0.04166655462", "0.1666657699", "0.5"),
        ("0.2685149802", "0.2823661981", "0.4000756064", "0.6666664034"),
    ),
    "float64": _Precision(
        *("double", "", "int64_t", 52, 1023, "746.0", ("0.6931471803691238", "1.9082149292705878e-10")),
        (
            *("2.51003854955103191e-8", "2.76200884454097482e-7", "2.75572684599970648e-6"),
            *("0.0000248015212959543751", "0.000198412698630536169", "0.00138888889172137169"),
            *("0.00833333333333006183", "0.0416666666666241279", "0.166666666666666675", "0.500000000000000102"),
        ),
        (
            *("0.161640456119435322", "0.0880073848614467388", "0.120010728095907125", "0.133141442096549362"),
            *("0.153855700649586231", "0.181817894361328582", "0.22222222717427863", "0.285714285671087572"),
            *("0.400000000000145827", "0.666666666666666586"),
        ),
    ),
}

# The body of g(z), for each activation. NaN stays NaN.
_ACTIVATIONS = {
    "identity": "return z;",
    "sigmoid": """\
const REAL e = NAME_exp(-fabs@(z));
return (z < 0 ? e : 1) / (1 + e);""",
    "tanh": """\
const REAL m = NAME_expm1(-2 * fabs@(z));
return copysign@(m / (m + 2), z);""",
    "relu": "return z < 0 ? 0 : z;",
    "leaky_relu": "return z < 0 ? SLOPE * z : z;",
    "elu": "return NAME_relu(z) + NAME_expm1(z < 0 ? z : 0);",
    "selu": f"""\
const REAL below = {SELU_SCALE * SELU_ALPHA!r}@ * NAME_expm1(z < 0 ? z : 0);
return {SELU_SCALE!r}@ * NAME_relu(z) + below;""",
    "softplus": "return NAME_relu(z) + NAME_log1p(NAME_exp(-fabs@(z)));",
    "gelu": "return 0.5@ * z * erfc@(-0.70710678118654752@ * z);",
    "silu": "return z * NAME_sigmoid(z);",
    # z ((1 + p / q)^2 - 1) / ((1 + p / q)^2 + 1) for e^z = p / q
    "mish": """\
const REAL e = NAME_exp(-fabs@(z)), p = z < 0 ? e : 1, q = z < 0 ? 1 : e, n = p * (p + 2 * q);
return z * (n / (n + 2 * q * q));""",
    "exponential": "return NAME_exp(z);",
}

# What else a net may call, by the names that stand after NAME_ there. For GCC to make vector code of a loop, what is
# chosen from must be there anyway, and a limit must be one of whole numbers, for of others one may be NaN.
_FUNCTIONS = {
    "power": """\
/* 2^n, where that is a normal number. */
static inline REAL NAME_power(int32_t n)
{
    union { BITS bits; REAL value; } number;
    number.bits = (BITS)(n + BIAS) << MANTISSA;
    return number.value;
}
""",
    "within": """\
/* z from -most to most; the bits of a float are in the order of its size. */
static inline REAL NAME_within(REAL z, REAL most)
{
    union { REAL value; BITS bits; } size, limit;
    size.value = fabs@(z);
    limit.value = most;
    size.bits = size.bits < limit.bits ? size.bits : limit.bits;
    return copysign@(size.value, z);
}
""",
    "or_nan": """\
/* A value, or NaN if z is NaN. */
static inline REAL NAME_or_nan(REAL value, REAL z)
{
    union { REAL value; BITS bits; } size, infinity, result;
    size.value = fabs@(z);
    infinity.value = (REAL)INFINITY;
    result.value = value;
    result.bits |= -(BITS)(size.bits > infinity.bits) & size.bits;
    return result.value;
}
""",
    "whole": """\
/* The whole number that is next to x. */
static inline int32_t NAME_whole(REAL x)
{
    return (int32_t)(x + copysign@(0.5@, x));
}
""",
    "rest": """\
/* e^r - 1 for x = n log 2 + r, |r| <= log(2) / 2. */
static inline REAL NAME_rest(REAL x, int32_t n)
{
    const REAL r = (x - (REAL)n * UPPER_LOG_2) - (REAL)n * LOWER_LOG_2;
    REAL p = EXPM1;
    return r + r * r * p;
}
""",
    "exp": """\
/* e^z, as 2^n e^r; 2^n in two factors, since it may be no number itself. */
static inline REAL NAME_exp(REAL z)
{
    const REAL x = NAME_within(z, LIMIT);
    const int32_t n = NAME_whole(x * 1.44269504088896341@), half = n / 2;
    const REAL value = (1 + NAME_rest(x, n)) * NAME_power(half);
    return NAME_or_nan(value * NAME_power(n - half), z);
}
""",
    "expm1": """\
/* e^z - 1 for z <= 0, without the cancellation near 0. */
static inline REAL NAME_expm1(REAL z)
{
    const REAL x = NAME_within(z, 80);
    const int32_t n = NAME_whole(x * 1.44269504088896341@);
    const REAL scale = NAME_power(n);
    return NAME_or_nan(scale * NAME_rest(x, n) + (scale - 1), z);
}
""",
    "log1p": """\
/* log(1 + u) for 0 <= u <= 1, as 2 artanh(u / (2 + u)). */
static inline REAL NAME_log1p(REAL u)
{
    const REAL s = u / (2 + u), w = s * s;
    REAL p = ARTANH;
    return 2 * s + s * w * p;
}
""",
    "softmax": """\
/* e^z_i / sum_j e^z_j, in place. */
static inline void NAME_softmax(REAL *z, int n)
{
    REAL most = z[0], sum = 0;
    for (int k = 1; k < n; k++) most = z[k] > most ? z[k] : most;
    for (int k = 0; k < n; k++) z[k] = NAME_exp(z[k] - most);
    for (int k = 0; k < n; k++) sum += z[k];
    for (int k = 0; k < n; k++) z[k] /= sum;
}
""",
    "count": """\
/* How many of n ascending numbers are below v, or not above it. */
static inline int NAME_count(const double *numbers, int n, double v, int or_equal)
{
    int low = 0, high = n;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (or_equal ? numbers[middle] <= v : numbers[middle] < v) low = middle + 1;
        else high = middle;
    }
    return low;
}
""",
    "interpolated": """\
/* What v, a place among the n ascending numbers of `from`, is among those of `to`; where it is
   there more than once, the mean of the first and the last. */
static inline double NAME_interpolated(const double *from, const double *to, int n, double v)
{
    const int first = NAME_count(from, n, v, 0), last = NAME_count(from, n, v, 1) - 1;
    if (v != v) return v;
    if (first == last) return to[first];
    if (first < last) return 0.5 * (to[first] + to[last]);
    if (first == 0) return to[0];
    if (first == n) return to[n - 1];
    return (to[first] - to[last]) / (from[first] - from[last]) * (v - from[last]) + to[last];
}
""",
    "polynomial": """\
/* A polynomial of degree 7, highest power first. */
static inline double NAME_polynomial(const double coefficients[8], double t)
{
    double p = coefficients[0];
    for (int k = 1; k < 8; k++) p = p * t + coefficients[k];
    return p;
}
""",
    "quotient": """\
/* Of two such, that stand one below the other. */
static inline double NAME_quotient(const double rows[2][8], double t)
{
    return NAME_polynomial(rows[0], t) / NAME_polynomial(rows[1], t);
}
""",
    "quantile": """\
/* The z below which a standard normal number is with probability p, 1e-11 < p < 1 - 1e-11:
   algorithm AS 241. */
static inline double NAME_quantile(double p)
{
    const double q = p - 0.5;
    if (fabs(q) <= MIDDLE) return q * NAME_quotient(NAME_middle, MIDDLE * MIDDLE - q * q);
    const double size = NAME_quotient(NAME_tail, sqrt(-log(q < 0 ? p : 1 - p)) - TAIL);
    return q < 0 ? -size : size;
}
""",
    "to_normal": """\
/* The normal quantile at the level that v has among n known numbers, of levels from 0 to 1. */
static inline double NAME_to_normal(const double *known, const double *levels, int n, double v)
{
    if (known[0] > v - EDGE) return LEAST;
    if (known[n - 1] < v + EDGE) return MOST;
    const double level = NAME_interpolated(known, levels, n, v);
    if (level < EDGE) return LEAST;
    if (level > 1 - EDGE) return MOST;
    return NAME_quantile(level);
}
""",
    "from_normal": """\
/* The number whose level among n known ones is that of z in a standard normal distribution. */
static inline double NAME_from_normal(const double *known, const double *levels, int n, double z)
{
    const double level = 0.5 * erfc(-0.70710678118654752 * z);
    if (level < EDGE) return known[0];
    if (level > 1 - EDGE) return known[n - 1];
    return NAME_interpolated(levels, known, n, level);
}
""",
}

# The parts of the function itself, in the order in which they come.
_SCALED = {
    Standardized: """
    /* X, scaled to mean 0 and standard deviation 1. */
    for (int i = 0; i < N; i++)
        INTO[i] = (REAL)(((double)x[i] - NAME_x_mean[i]) / NAME_x_scale[i]);
""",
    Normalized: """
    /* X, scaled to a normal distribution. */
    for (int i = 0; i < N; i++)
        INTO[i] = (REAL)NAME_to_normal(NAME_x_known[i], NAME_x_levels, Q, (double)x[i]);
""",
}
_LAYER = """
    /* Layer LAYER: N_IN -> N_OUT, ACTIVATION. */
    for (int j = 0; j < N_OUT; j++) INTO[j] = START;
"""
_TOGETHER = """\
    for (int i = 0; i < UNROLLED; i += STEP)
        for (int j = 0; j < N_OUT; j++)
            INTO[j] += SUM;
"""
_REST = """\
    for (int i = UNROLLED; i < N_IN; i++)
        for (int j = 0; j < N_OUT; j++) INTO[j] += TERM;
"""
_EACH = """\
    for (int j = 0; j < N_OUT; j++) INTO[j] = VALUE;
"""
_UNSCALED = {
    type(None): """
    for (int k = 0; k < N; k++) y[k] = FROM[k];
""",
    Standardized: """
    /* y, scaled back from mean 0 and standard deviation 1. */
    for (int k = 0; k < N; k++)
        y[k] = (REAL)((double)FROM[k] * NAME_y_scale[k] + NAME_y_mean[k]);
""",
    Normalized: """
    /* y, scaled back from a normal distribution. */
    for (int k = 0; k < N; k++)
        y[k] = (REAL)NAME_from_normal(NAME_y_known[k], NAME_y_levels, Q, (double)FROM[k]);
""",
}
_ONE_CLASS = """\
    (void)x; /* There is one class. */
    y[0] = 1;
"""
_TWO_CLASSES = """
    y[0] = 1 - FROM[0];
    y[1] = FROM[0];
"""


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
        loss = _loss(model, steps, [W * scale for W, scale in zip(integers, scales, strict=True)], X)
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
    if _TAKEN.fullmatch(name):
        raise ValueError(f"{came}, which C or <math.h> has already; expected another, as name={name + '_net'!r}")
    return name


def _of_dtype(steps: Forward, dtype: np.dtype[Any]) -> Forward:
    """The steps in another precision."""
    with np.errstate(over="ignore"):
        weights, biases = (tuple(array.astype(dtype) for array in arrays) for arrays in (steps.weights, steps.biases))
    if not all(np.isfinite(array).all() for array in (*weights, *biases)):
        raise ValueError(f"dtype is {dtype.name}, and weights or biases are beyond its range; expected float64")
    return steps._replace(weights=weights, biases=biases, dtype=dtype)


def _rounded(W: Array) -> tuple[Array, Array]:
    """Whole numbers from -127 to 127 (n_in, n_out) and scales (n_out,), the product of which is nearly W."""
    scale = (np.abs(W).max(axis=0) / 127).astype(W.dtype)
    with np.errstate(divide="ignore", invalid="ignore"):
        integers = np.where(scale > 0, np.rint(W / scale), 0)
    return np.clip(integers, -127, 127).astype(np.int8), scale


def _loss(model: Any, steps: Forward, weights: list[Array], X: Any) -> str:
    """By how much these weights change the outputs, in words."""
    rows = "the rows given as X"
    if X is None:
        rows = f"rows of a standard normal distribution, drawn by NumPy's default_rng({_SEED})"
        rows += ", brought to the units of X by its scaler" if steps.of_inputs is not None else ""
        drawn = np.random.default_rng(_SEED).standard_normal((_ROWS, len(steps.weights[0])))
        X = model._in_units_of_X(drawn).astype(steps.dtype)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X does not have valid feature names")
        before, after = (_predicted(one, X) for one in (model, model._with_weights(weights)))
    apart = np.abs(after - before)
    return (
        "int8: the weights are whole numbers from -127 to 127, times a scale for each neuron. That changes the "
        f"outputs, compared with those of fastmlp: by {apart.max():.6g} at most, by {apart.mean():.6g} on average, "
        f"over {apart.size // _outputs(steps):,} {rows}."
    )


def _predicted(model: Any, X: Any) -> Array:
    predict = model.predict_proba if hasattr(model, "predict_proba") else model.predict
    outputs: Array = predict(X)
    return outputs


def _outputs(steps: Forward) -> int:
    """Elements of y: the outputs, or the probabilities of both classes."""
    return len(steps.biases[-1]) if steps.classes is None or steps.several else len(steps.classes)


# the text


def _source(steps: Forward, name: str, scales: tuple[Array, ...] | None, loss: str) -> Iterator[str]:
    """The header, in parts."""
    of = _PRECISIONS[steps.dtype.name]
    one_class = steps.classes is not None and len(steps.classes) == 1
    tables = {} if one_class else dict(_tables(steps, scales))
    body, stack = (_ONE_CLASS, 0) if one_class else _body(steps, scales is not None)
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
        yield from _table(f"{name}_{key}", array)
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
        text += _filled(_SCALED[type(steps.of_inputs)], words)
        lengths[into] = sizes[0]
        into, source = "b", "a"
    for l, ((n_in, n_out), activation) in enumerate(zip(pairwise(sizes), steps.activations, strict=True), 1):
        cast = "(REAL)" if int8 else ""
        terms = [f"{source}[i + {k}] * {cast}NAME_W{l}[i + {k}][j]" for k in range(_UNROLLED)]
        pairs = [" + ".join(terms[k : k + 2]) for k in range(0, _UNROLLED, 2)]
        many = n_in - n_in % _UNROLLED
        words = {
            "LAYER": f"{l}", "N_IN": f"{n_in}", "N_OUT": f"{n_out}", "ACTIVATION": activation, "INTO": into,
            "START": "0" if int8 else f"NAME_b{l}[j]", "UNROLLED": f"{many}", "STEP": f"{_UNROLLED}",
            "SUM": (" +\n" + 20 * " ").join(pairs), "TERM": f"{source}[i] * {cast}NAME_W{l}[i][j]",
        }  # fmt: skip
        text += _filled(_LAYER + _TOGETHER * (many > 0) + _REST * (many < n_in), words)
        value = f"{into}[j] * NAME_s{l}[j] + NAME_b{l}[j]" if int8 else f"{into}[j]"
        if activation not in ("identity", "softmax"):
            value = f"NAME_{activation}({value})"  # KeyError, where no row is of that name
        if value != f"{into}[j]":
            text += _filled(_EACH, words | {"VALUE": value})
        if activation == "softmax":
            text += f"    NAME_softmax({into}, {n_out});\n"
        lengths[into] = max(lengths[into], n_out)
        into, source = source if source != "x" else "b", into
    if steps.classes is not None and sizes[-1] == 1:
        text += _filled(_TWO_CLASSES, {"FROM": source})
    else:
        words = {"N": str(sizes[-1]), "FROM": source, "Q": _known(steps.of_outputs)}
        text += _filled(_UNSCALED[type(steps.of_outputs)], words)
    buffers = ", ".join(f"{letter}[{length}]" for letter, length in lengths.items() if length)
    return f"    REAL {buffers};\n{text}", sum(lengths.values())


def _known(scaling: Any) -> str:
    return str(len(scaling.levels)) if isinstance(scaling, Normalized) else ""


def _needed(body: str) -> dict[str, str]:
    """The functions that a text calls, each after those that it calls itself."""
    found: dict[str, str] = {}
    for name in re.findall(r"NAME_(\w+)\(", body):
        text = _FUNCTIONS.get(name) or _of_activation(name)
        found |= {key: value for key, value in _needed(text.split("{", 1)[1]).items() if key not in found}
        found.setdefault(name, text)
    return found


def _of_activation(name: str) -> str:
    lines = _ACTIVATIONS[name].replace("\n", "\n    ")
    return f"static inline REAL NAME_{name}(REAL z)\n{{\n    {lines}\n}}\n"


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
    kind = "int8_t" if array.dtype == np.int8 else _PRECISIONS[array.dtype.name].type
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


def _comment(steps: Forward, name: str, of: _Precision, n_out: int, constants: int, stack: int, loss: str) -> str:
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
