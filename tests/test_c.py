"""Nets as C: what the compiled function gives is what `predict` and `predict_proba` give, and it needs nothing else.

All headers of a type are included into one program, with every warning an error, which reads rows and writes outputs;
so a few compilations do, and names that meet would show. Expected values are the net's own.

Not here: how fast it is (bench).
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import mpmath
import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import MinMaxScaler

import fastmlp
from bad_arguments import refuses
from fastmlp import MLP, MLPClassifier, MLPRegressor, c_templates, formulas
from problems import several_labels
from tolerances import EPSILON, assert_close

pytestmark = pytest.mark.filterwarnings("ignore")

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-pedantic"]
SANITIZED = "gcc -O1, sanitized"
COMPILERS = {
    "gcc -O0": ["gcc", "-O0"],
    "gcc -O2": ["gcc", "-O2"],
    SANITIZED: ["gcc", "-O1", "-fsanitize=undefined,address", "-fno-sanitize-recover=all"],
    "clang -O2": [sys.executable, "-m", "ziglang", "cc", "-O2"],
    "clang -O0": [sys.executable, "-m", "ziglang", "cc", "-O0"],
}
C_TYPES = {"float32": "float", "float64": "double"}
LIBM = {"erf", "erfc", "exp", "log", "sqrt", "fabs", "copysign"}

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4)) * [1, 2, 30, 1] + [0, 5, -40, 0]
X[:, 3] = np.round(2 * X[:, 3]) / 2  # values that are known twice and more often
NUMBER = 3 + X[:, 0] + 0.1 * X[:, 1]
NAMES = ["end */ of it", "??/", "new\nline", "é\\"]


class Case(NamedTuple):
    """A net, rows, and what to_c is told besides."""

    net: Any
    rows: Any
    options: Mapping[str, Any] = MappingProxyType({})

    @property
    def expected(self):
        predict = self.net.predict_proba if hasattr(self.net, "predict_proba") else self.net.predict
        return predict(self.rows).reshape(len(self.rows), -1)

    @property
    def dtype(self):
        return np.dtype(self.options.get("dtype") or self.net._forward().dtype).name

    @property
    def type(self):
        return C_TYPES[self.dtype]


def activations():
    """Every activation inside and at the end, in both precisions; 17 and 8 inputs of a layer, added in eights."""
    for dtype in C_TYPES:
        for name in formulas.OUTPUTS:
            hidden = name if name in formulas.ACTIVATIONS else "tanh"
            net = MLP([17, 8, 5, 3], activation=hidden, output=name, dtype=dtype, negative_slope=0.3, seed=1)
            net.biases[0][:] = RNG.normal(size=8)
            rows = RNG.normal(size=(40, 17))
            if name == "exponential":
                net.parameters[:] *= 0.3  # far from infinity
            else:
                rows[:5] *= 30  # where others are flat
            yield f"{name}_{dtype}", Case(net, rows.astype(np.float32).astype(dtype))


def shapes():
    rows = RNG.normal(size=(20, 3)).astype(np.float32)
    yield "one_layer", Case(MLP([3, 2], seed=0), rows)
    yield "one_layer_more", Case(MLP([3, 1], output="sigmoid", seed=0), rows)
    yield "without_biases", Case(MLP([3, 4, 2], bias=False, seed=0), rows)
    yield "in_double", Case(MLP([3, 40, 33, 2], activation=["tanh", "relu"], seed=0), rows, {"dtype": "float64"})
    wide = MLP([3, 40, 33, 2], activation=["selu", "gelu"], dtype="float64", seed=0)
    yield "in_float", Case(wide, rows.astype(np.float64), {"dtype": np.float32})


TASKS = {
    "number": (MLPRegressor, NUMBER),
    "numbers": (MLPRegressor, np.column_stack([NUMBER, X[:, 1] ** 2])),
    "rounded": (MLPRegressor, np.round(NUMBER)),
    "two": (MLPClassifier, np.where(X[:, 0] > 0, 3, -2)),
    "strings": (MLPClassifier, np.array(["a", 'b"*/', "??/é\n"])[np.arange(120) % 3]),
    "labels": (MLPClassifier, several_labels(120, 4, 3)[1]),
    "one": (MLPClassifier, np.full(120, 7)),
}


def estimators():
    """Every kind of answer and of scale, for rows that were seen, that lie beyond, and at the edges of the known."""
    for dtype in C_TYPES:
        for task, (kind, y) in TASKS.items():
            for scale in (None, "standard", "quantile"):
                net = kind(hidden_layer_sizes=(9, 6), scale=scale, activation="tanh", random_state=0, max_iter=20)
                net.fit(X.astype(dtype), y)
                rows = X.astype(dtype)
                if scale is not None:
                    rows = np.concatenate([rows, 3 * rows, *edges(rows)])
                yield f"{task}_{scale}_{dtype}", Case(net, rows)
    counts = MLPRegressor(loss="poisson", hidden_layer_sizes=5, scale="standard", random_state=0, max_iter=20)
    yield "counts", Case(counts.fit(X, np.round(abs(NUMBER))), X)
    frame = pd.DataFrame(X, columns=NAMES)
    named = MLPClassifier(hidden_layer_sizes=5, scale="quantile", random_state=0, max_iter=20)
    yield "named", Case(named.fit(frame, X[:, 0] > 0), frame)


def edges(rows):
    """Around the least and the greatest value of each column, by less and by more than QuantileTransformer's edge."""
    for edge in (rows.min(axis=0), rows.max(axis=0)):
        for step in (-1, -1.1e-7, -1e-7, 0, 1e-8, 1e-7, 1.1e-7, 1e-6, 1e-3):
            yield (edge + step).astype(rows.dtype)[None]


@cache
def all_cases():
    return dict([*activations(), *shapes(), *estimators()])


PROGRAM = """\
#include <stdio.h>
{includes}
{functions}
int main(void)
{{
{calls}
    return 0;
}}
"""
FUNCTION = """
static int run_{name}(int rows)
{{
    double in[{name}_INPUTS], out[{name}_OUTPUTS];
    {type} x[{name}_INPUTS], y[{name}_OUTPUTS];
    while (rows--) {{
        if (fread(in, sizeof in, 1, stdin) != 1) return 1;
        for (int i = 0; i < {name}_INPUTS; i++) x[i] = ({type})in[i];
        {name}(x, y);
        for (int k = 0; k < {name}_OUTPUTS; k++) out[k] = (double)y[k];
        if (fwrite(out, sizeof out, 1, stdout) != 1) return 1;
    }}
    return 0;
}}
"""


def compiled(command, folder, text, name="program"):
    """The program of a text, compiled with every warning an error."""
    (folder / f"{name}.c").write_text(text)
    done = subprocess.run(
        [*command, *STRICT, f"{name}.c", "-o", name, "-lm"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[:3000]
    return folder / name


def outputs(program, rows):
    """What a program writes, as numbers."""
    data = np.concatenate([np.asarray(one, np.float64).reshape(-1) for one in rows]).tobytes()
    done = subprocess.run([program], input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr[:3000]
    return np.frombuffer(done.stdout)


def program_of(cases):
    """A program that goes over the rows of some cases, whose headers lie beside it."""
    return PROGRAM.format(
        includes="\n".join(f'#include "{name}.h"' for name in cases),
        functions="".join(FUNCTION.format(name=name, type=C_TYPES[one.dtype]) for name, one in cases.items()),
        calls="\n".join(f"    if (run_{name}({len(one.rows)})) return 1;" for name, one in cases.items()),
    )


def results(command, folder, cases):
    """What the C of each case gives for its rows."""
    flat = outputs(compiled(command, folder, program_of(cases)), [one.rows for one in cases.values()])
    found = {}
    for name, one in cases.items():
        size = one.expected.size
        found[name], flat = flat[:size].reshape(one.expected.shape), flat[size:]
    assert flat.size == 0
    return found


@pytest.fixture(scope="module")
def headers(tmp_path_factory):
    """A folder with the header of every case."""
    folder = tmp_path_factory.mktemp("c")
    for name, one in all_cases().items():
        one.net.to_c(folder / f"{name}.h", **one.options)
    return folder


# A type at a time, so that pytest-xdist can share them. Sanitized is float alone: double has the same text, but for
# suffixes.
RUNS = [(compiler, "float32") for compiler in COMPILERS]
RUNS += [(compiler, "float64") for compiler in COMPILERS if compiler != SANITIZED]


@pytest.mark.parametrize(("compiler", "dtype"), RUNS)
def test_the_function_gives_what_predict_gives(headers, compiler, dtype):
    cases = {name: one for name, one in all_cases().items() if one.dtype == dtype}
    assert len(cases) > 30
    found = results(COMPILERS[compiler], headers, cases)
    for name, one in cases.items():
        expected = one.expected
        assert np.ptp(expected) > 0 or name.startswith("one_")
        precision = "float32" if one.net._forward().dtype == np.float32 else dtype
        assert_close(found[name], expected, "forward", precision, name)


def test_every_activation_has_a_row():
    assert list(c_templates.ACTIVATIONS) == list(formulas.ACTIVATIONS)


def test_the_polynomials_are_those_of_the_core():
    core = (Path(__file__).parents[1] / "src" / "elementary.pxd").read_text()
    for of in c_templates.PRECISIONS.values():
        for number in (*of.expm1, *of.artanh, *of.log_2):
            assert f"<real> {number}" in core or f"else {number}" in core, number


def test_lines_are_short_and_plain(tmp_path):
    for name, one in all_cases().items():
        one.net.to_c(tmp_path / "net.h", **one.options)
        text = (tmp_path / "net.h").read_bytes().decode("ascii")
        assert max(map(len, text.split("\n"))) <= 100, name
        assert text.index("*/") == text.index("\n */") + 2, name
        assert "??" not in text


def test_nothing_is_allocated_and_nothing_static_is_written(headers):
    text = "".join(f'#include "{name}.h"\n' for name in all_cases())
    for name, one in all_cases().items():
        text += f"void call_{name}(const {one.type} *x, {one.type} *y);\n"
        text += f"void call_{name}(const {one.type} *x, {one.type} *y) {{ {name}(x, y); }}\n"
    (headers / "object.c").write_text(text)
    command = ["gcc", *STRICT, "-O0", "-fno-pic", "-c", "object.c", "-o", "object.o"]
    subprocess.run(command, cwd=headers, check=True)
    symbols = subprocess.run(["nm", "object.o"], cwd=headers, capture_output=True, text=True, check=True).stdout
    kinds = {}
    for line in symbols.splitlines():
        *_, kind, name = line.split()
        kinds.setdefault(kind, set()).add(name)
    assert {"T", "t", "r", "U"} == set(kinds), "text, constants and what is called elsewhere, but no data"
    assert kinds["U"] <= LIBM | {f"{name}f" for name in LIBM}
    assert {"erfc", "erfcf", "log", "sqrt"} <= kinds["U"]


def test_x_and_y_may_be_one_array(headers):
    text = '#include <stdio.h>\n#include "in_double.h"\n#include "one_layer.h"\n'
    text += "int main(void)\n{\n    double v[3] = {1, 2, 3};\n    float w[3] = {1, 2, 3};\n"
    text += "    in_double(v, v);\n    one_layer(w, w);\n    fwrite(v, sizeof v[0], 2, stdout);\n"
    text += "    v[0] = (double)w[0];\n    v[1] = (double)w[1];\n"
    text += "    fwrite(v, sizeof v[0], 2, stdout);\n    return 0;\n}\n"
    found = outputs(compiled(["gcc", "-O2"], headers, text, "overlap"), [[]]).reshape(2, 2)
    for name, one in zip(("in_double", "one_layer"), found, strict=True):
        assert_close(one, all_cases()[name].net.predict([1, 2, 3]), "forward", "float32", name)


def test_the_quantile_of_a_normal_distribution_is_exact_to_some_units(headers):
    levels = np.concatenate([RNG.uniform(size=200), 10.0 ** -RNG.uniform(0, 7, size=200), [0.075, 0.925, 0.5 + 1e-9]])
    text = '#include <stdio.h>\n#include "number_quantile_float64.h"\nint main(void)\n{\n    double p;\n'
    text += "    while (fread(&p, sizeof p, 1, stdin) == 1) {\n        p = number_quantile_float64_own_quantile(p);\n"
    text += "        fwrite(&p, sizeof p, 1, stdout);\n    }\n    return 0;\n}\n"
    found = outputs(compiled(["gcc", "-O2"], headers, text, "quantile"), [levels])
    with mpmath.workdps(40):
        exact = [float(mpmath.sqrt(2) * mpmath.erfinv(2 * mpmath.mpf(level) - 1)) for level in levels.tolist()]
    assert max(abs(found / exact - 1)) < 1e-15


def test_a_nan_is_no_answer(tmp_path):
    cases = {
        name: Case(one.net, np.full((1, np.shape(one.rows)[1]), np.nan))
        for name, one in all_cases().items()
        if isinstance(one.net, MLP) or len(getattr(one.net, "classes_", "two")) > 1
    }
    for name, one in cases.items():
        one.net.to_c(tmp_path / f"{name}.h")
    flat = outputs(compiled(["gcc", "-O2"], tmp_path, program_of(cases)), [one.rows for one in cases.values()])
    assert flat.size >= len(cases) > 50
    assert np.isnan(flat).all()


# int8


@pytest.mark.parametrize("given", [False, True], ids=["rows drawn", "rows given"])
def test_the_loss_of_int8_is_what_the_comment_says(tmp_path, given):
    others = "one_", "named"  # what is 1 whatever the weights are, and rows in a frame
    cases = {name: one for name, one in all_cases().items() if not (one.options or name.startswith(others))}
    rows = {}
    for name, one in cases.items():
        drawn = np.random.default_rng(0).standard_normal((1000, np.shape(one.rows)[1]))
        scaler = getattr(one.net, "x_scaler_", None)
        drawn = drawn if scaler is None else scaler.inverse_transform(drawn)
        rows[name] = one.rows if given else drawn.astype(one.dtype)
        one.net.to_c(tmp_path / f"{name}.h", int8=True, X=one.rows if given else None)
    cases = {name: Case(one.net, rows[name]) for name, one in cases.items()}
    found = results(["gcc", "-O2"], tmp_path, cases)
    for name, one in cases.items():
        text = " ".join((tmp_path / f"{name}.h").read_text().replace("\n * ", " ").split())
        said = re.search(r"by (\S+) at most, by (\S+) on average, over the ([\d,]+)", text)
        most, mean, number = (float(word.replace(",", "")) for word in said.groups())
        assert number == len(one.rows)
        assert (f"over the {len(one.rows):,} rows given as X" in text) == given
        apart = abs(found[name] - one.expected)
        # What the loss is measured on are the same weights in another order of sums.
        slack = 1e-4 * most + 1e3 * EPSILON[one.dtype] * float(abs(one.expected).max())
        assert apart.max() == pytest.approx(most, rel=1e-4, abs=slack), name
        assert apart.mean() == pytest.approx(mean, rel=1e-4, abs=slack), name
        assert most > 1e-6, name
        assert 0 < mean < most


def test_int8_takes_a_quarter_of_the_memory(tmp_path):
    net = MLP([100, 100, 10], seed=0)
    sizes = []
    for int8 in (False, True):
        net.to_c(tmp_path / "net.h", int8=int8)
        text = " ".join((tmp_path / "net.h").read_text().replace("\n * ", " ").split())
        sizes.append(int(re.search(r"numbers of the net take ([\d,]+) bytes", text)[1].replace(",", "")))
    assert sizes == [4 * (11_000 + 110), 11_000 + 8 * 110]


def test_int8_of_a_neuron_without_weights(tmp_path):
    net = MLP([3, 2], seed=0)
    net.weights[0][:, 1] = 0
    net.biases[0][:] = [1, 2]
    rows = RNG.normal(size=(5, 3)).astype(np.float32)
    net.to_c(tmp_path / "net.h", int8=True)
    found = results(["gcc", "-O2"], tmp_path, {"net": Case(net, rows)})["net"]
    assert (found[:, 1] == 2).all()
    assert np.ptp(found[:, 0]) > 0


# constants


def bytes_of(folder, headers_, names):
    """What stands in memory of some constants of headers."""
    text = "#include <stdio.h>\n" + "".join(f'#include "{name}.h"\n' for name in headers_)
    lines = "".join(f"    fwrite({name}, sizeof {name}, 1, stdout);\n" for name in names)
    program = compiled(["gcc", "-O0"], folder, f"{text}int main(void)\n{{\n{lines}    return 0;\n}}\n", "constants")
    return subprocess.run([program], capture_output=True, check=True).stdout


@pytest.mark.parametrize("dtype", list(C_TYPES))
def test_numbers_come_back_to_the_bit(tmp_path, dtype):
    info = np.finfo(dtype)
    net = MLP([30, 7], dtype=dtype, seed=0)
    odd = [info.max, info.min, info.tiny, info.smallest_subnormal, -info.smallest_subnormal, -0.0, 1 + info.eps]
    net.weights[0][3] = odd
    net.weights[0][4:20] *= 10.0 ** RNG.uniform(-30, 30, size=(16, 7))
    net.biases[0][:] = odd[::-1]
    net.to_c(tmp_path / "net.h")
    expected = net.weights[0].tobytes() + net.biases[0].tobytes()
    assert bytes_of(tmp_path, ["net"], ["net_own_W1", "net_own_b1"]) == expected


LABELS = {
    "whole": (np.array([-(2**63) + 1, 0, 2**63 - 1]), "i8"),
    "yes_or_no": (np.array([False, True]), "i8"),
    "numbers": (np.array([1.0, 2.5e9, -3.0]), "f8"),
    "strings": (np.array(['"\\ab*/', "??/ ??=", "é\n\t0", "long " * 200, "%d 7"]), "S"),
}


def test_labels_stand_in_a_table(tmp_path):
    for name, (labels, _) in LABELS.items():
        net = MLPClassifier(hidden_layer_sizes=2, max_iter=1, random_state=0)
        net.fit(RNG.normal(size=(60, 2)), np.resize(labels, 60))
        net.to_c(tmp_path / f"{name}.h")
    for name, (labels, kind) in LABELS.items():
        found = bytes_of(tmp_path, LABELS, [f"{name}_CLASSES"])
        labels = np.unique(labels)
        if kind == "S":
            encoded = [str(label).encode() for label in labels]
            width = max(map(len, encoded)) + 1
            assert found == b"".join(label.ljust(width, b"\0") for label in encoded)
        else:
            assert np.array_equal(np.frombuffer(found, kind), labels)


def test_labels_that_c_has_no_type_for_stand_in_the_comment(tmp_path):
    net = MLPClassifier(hidden_layer_sizes=2, max_iter=1, random_state=0)
    net.fit(RNG.normal(size=(60, 2)), np.resize(["a" * 5000, "b"], 60))
    net.to_c(tmp_path / "net.h")
    text = (tmp_path / "net.h").read_text()
    assert "net_CLASSES" not in text
    assert "y[1]: of class 'b'" in text
    compiled(["gcc"], tmp_path, '#include "net.h"\nint main(void) { return 0; }\n')


# arguments


GOOD = MLP([2, 3, 1], seed=0)
BAD = {
    "path": ((3,), {}, ["path is 3"]),
    "file": (("my-net.h",), {}, ["name is not given", "my-net", "letters"]),
    "empty": (("net.h",), {"name": ""}, ["name is ''", "letters"]),
    "digit": (("net.h",), {"name": "7net"}, ["name is '7net'"]),
    "greek": (("net.h",), {"name": "nét"}, ["name is 'nét'"]),
    "underscore": (("net.h",), {"name": "_net"}, ["name is '_net'"]),
    "newline": (("net.h",), {"name": "net\n"}, ["name is"]),
    "no str": (("net.h",), {"name": 3}, ["name is 3", "str"]),
    "dtype": (("net.h",), {"dtype": "float16"}, ["dtype is 'float16'", "float32"]),
    "int8": (("net.h",), {"int8": 1}, ["int8 is 1", "True or False"]),
    "X alone": (("net.h",), {"X": [[1.0, 2.0]]}, ["X is given", "int8"]),
    "X": (("net.h",), {"int8": True, "X": [[1.0]]}, [r"X has shape \(1, 1\)", "2"]),
    **{
        word: ((f"{word}.h",), {}, [f"{word}'", "C or"])
        for word in (
            *("int", "restrict", "bool", "main", "exp", "tanhf", "y0", "NAN", "M_PI", "int8_t", "isnan", "SIZE_MAX"),
            *("PTRDIFF_MAX", "WCHAR_MIN", "SIG_ATOMIC_MAX", "WINT_MAX", "abs", "exit", "printf", "malloc", "memcpy"),
            *("strlen", "time", "size_t", "FILE", "NULL", "EOF", "isalpha", "toupper", "creal", "SIGINT", "INT_MAX"),
        )
    },
    **{
        f"{word} of a header": ((f"{word}.h",), {}, [f"{word}'", "_own_", "_INPUTS"])
        for word in ("net_own_exp", "net_INPUTS", "net_OUTPUTS", "net_CLASSES", "net_FASTMLP_H")
    },
}


@pytest.mark.parametrize("name", list(BAD))
def test_what_cannot_be_used_is_named_and_nothing_is_written(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    arguments, options, words = BAD[name]
    refuses(lambda: GOOD.to_c(*arguments, **options), *words)
    assert os.listdir(tmp_path) == []


def test_a_net_that_is_not_finite_or_too_large_is_not_written(tmp_path):
    net = MLP([2, 1], dtype="float64", seed=0)
    net.weights[0][0, 0] = 1e200
    refuses(lambda: net.to_c(tmp_path / "net.h", dtype="float32"), "dtype is float32", "float64")
    net.weights[0][0, 0] = np.nan
    refuses(lambda: net.to_c(tmp_path / "net.h"), "NaN")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("scale", ["standard", "quantile"])
def test_a_scale_of_y_that_is_too_large_is_refused(tmp_path, scale):
    net = MLPRegressor(hidden_layer_sizes=2, scale=scale, max_iter=1, random_state=0).fit(X, 1e120 * NUMBER)
    refuses(lambda: net.to_c(tmp_path / "net.h", dtype="float32"), "y is scaled by numbers beyond its range")
    assert os.listdir(tmp_path) == []
    net.to_c(tmp_path / "net.h")


def test_int8_whose_sums_or_outputs_leave_the_range_is_refused(tmp_path):
    large = {"X": np.full((3, 2), 1e37, np.float32)}
    for weight, activation, given in ((1e-3, "tanh", large), (1e30, "identity", {"X": np.full((3, 2), 1e9)})):
        net = MLP.from_parameters([[[weight], [weight]]], [[0.0]], output=activation)
        refuses(partial(net.to_c, tmp_path / "net.h", int8=True, **given), "leave the range of float32", "float64")
        assert os.listdir(tmp_path) == []
        net.to_c(tmp_path / "net.h", int8=True)
        os.remove(tmp_path / "net.h")


def test_names_of_headers_that_extend_each_other_do_not_meet(tmp_path):
    names = ["net", "net_exp", "net_tanh", "net_W1", "net_own", "exp_net"]
    for name in names:
        MLP([2, 3, 1], activation="mish", seed=0).to_c(tmp_path / f"{name}.h")
    text = "".join(f'#include "{name}.h"\n' for name in names)
    calls = "".join(f"    {name}(x, y);\n" for name in names)
    compiled(
        ["gcc"], tmp_path, f"{text}int main(void)\n{{\n    float x[2] = {{0, 1}}, y[1];\n{calls}    return 0;\n}}\n"
    )


def test_a_scaler_of_somebody_else_is_refused(tmp_path):
    net = MLPRegressor(hidden_layer_sizes=2, scale="quantile", max_iter=1, random_state=0).fit(X, NUMBER)
    net.x_scaler_ = MinMaxScaler().fit(X)
    refuses(lambda: net.to_c(tmp_path / "net.h"), "MinMaxScaler", "expected a scaler of fit")


def test_an_estimator_that_has_not_learned_is_refused(tmp_path):
    with pytest.raises(Exception, match="not fitted"):
        MLPRegressor().to_c(tmp_path / "net.h")


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "net.h"
    GOOD.to_c(path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space left"):
        GOOD.to_c(path, dtype="float64")
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["net.h"]


def test_the_same_net_is_the_same_text_and_writing_it_changes_nothing(tmp_path):
    net = MLPClassifier(hidden_layer_sizes=4, scale="quantile", max_iter=3, random_state=0).fit(X, TASKS["two"][1])
    before = net.predict_proba(X).tobytes(), [W.tobytes() for W in net.coefs_]
    net.to_c(str(tmp_path / "net.h"), int8=True)
    text = (tmp_path / "net.h").read_bytes()
    net.to_c(tmp_path / "other.h", name="net", int8=True)
    assert (tmp_path / "other.h").read_bytes() == text
    assert f"fastmlp {fastmlp.__version__}.".encode() in text
    assert (net.predict_proba(X).tobytes(), [W.tobytes() for W in net.coefs_]) == before
