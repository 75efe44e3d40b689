"""Frames as matrices: what each kind of column becomes, by hand or by independent code, and what is refused."""

import datetime
import decimal
import json
import pickle
import subprocess
import sys
import zoneinfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
from sklearn.preprocessing import OneHotEncoder

from fastmlp.files import LoadError
from fastmlp.frame_encoding import FrameEncoder
from fastmlp.values import decoded, encoded

CLOSE = 1e-6  # of numbers below 3 in float32
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


def scaled(x, later=None):
    """The robust scale of a column without its holes and the smooth clip, by NumPy's own percentiles."""
    there = x[~np.isnan(x)]
    c, s = np.median(there), np.percentile(there, 75) - np.percentile(there, 25)
    s = s or (there.max() - there.min()) / 2
    z = ((x if later is None else later) - c) / s
    return np.where(np.isnan(z), 0.0, z / np.sqrt(1 + (z / 3) ** 2))


def column(encoder, matrix, name):
    return matrix[:, encoder.names_out.index(name)]


def learned(X, **options):
    encoder, matrix = FrameEncoder.learned(X, **({"max_one_hot": 32} | options))
    assert matrix.dtype == np.float32
    assert matrix.shape == (len(X), len(encoder.names_out))
    return encoder, matrix


def mixed(n=60, seed=0):
    """A frame with columns of each kind and holes in most."""
    rng = np.random.default_rng(seed)
    days = pd.Series(pd.date_range("2021-03-05 06:00", periods=n, freq="31h"))
    frame = pd.DataFrame(
        {
            "age": rng.normal(40, 9, n),
            "rooms": rng.integers(1, 6, n),
            "smoker": rng.random(n) > 0.4,
            "colour": rng.choice(["red", "green", "blue"], n),
            "sex": rng.choice(["f", "m"], n),
            "city": rng.choice([f"c{i}" for i in range(9)], n),
            "seen": days,
            "left": days.dt.tz_localize("Europe/Berlin"),
            "wait": pd.to_timedelta(rng.integers(0, 999, n), unit="s"),
        }
    )
    frame.loc[3, ["age", "colour", "seen", "wait"]] = None
    return frame


# Numbers


def test_numbers_are_scaled_by_median_and_quartiles_and_smoothly_clipped():
    x = np.array([1.0, 2.0, 4.0, 8.0, 1000.0])  # median 4, quartiles 2 and 8
    encoder, matrix = learned(pd.DataFrame({"x": x}))
    z = np.array([-0.5, -1 / 3, 0.0, 2 / 3, 166.0])
    assert np.allclose(matrix[:, 0], z / np.sqrt(1 + (z / 3) ** 2), atol=CLOSE)
    assert np.allclose(encoder.encode(pd.DataFrame({"x": [5.0, -1e300]}))[:, 0], [1 / 6 / np.sqrt(1 + 1 / 324), -3])


def test_where_the_quartiles_are_equal_the_range_scales():
    x = np.array([5.0] * 8 + [1.0, 13.0])  # range 12, so that s = 6
    _, matrix = learned(x[:, None])
    z = (x - 5) / 6
    assert np.allclose(matrix[:, 0], z / np.sqrt(1 + (z / 3) ** 2), atol=CLOSE)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 37])
def test_the_quartiles_are_numpys(n):
    x = np.random.default_rng(n).normal(size=(n, 3)) ** 3
    x[n // 2, 1] = np.nan
    if n > 2:
        x[0, 2] = np.nan
    encoder, matrix = learned(x)
    assert np.allclose(column(encoder, matrix, "x0"), scaled(x[:, 0]), atol=CLOSE)
    if n > 2:
        assert np.allclose(column(encoder, matrix, "x1"), scaled(x[:, 1]), atol=CLOSE)
        assert np.allclose(column(encoder, matrix, "x2_missing"), scaled(np.isnan(x[:, 2]).astype(float)), atol=CLOSE)


def test_a_hole_is_the_median_and_has_an_indicator_if_there_were_some_in_training():
    train = pd.DataFrame({"with": [1.0, np.nan, 3.0, 9.0], "without": [1.0, 2.0, 3.0, 4.0]})
    encoder, matrix = learned(train)
    assert encoder.names_out == ["with", "with_missing", "without"]
    assert matrix[1, 0] == 0
    indicator = np.array([0.0, 1.0, 0.0, 0.0])  # s = 1 / 4, from the quartiles 0 and 1 / 4
    assert np.allclose(matrix[:, 1], scaled(indicator), atol=CLOSE)
    later = encoder.encode(pd.DataFrame({"with": [np.nan], "without": [np.nan]}))
    assert later.tolist() == [[0.0, matrix[1, 1], 0.0]]


def test_numbers_of_any_type_are_alike():
    x = [3, 1, None, 4, 1, 5]
    kinds = {
        "object": pd.Series(x, dtype=object),
        "Int64": pd.Series(x, dtype="Int64"),
        "Float64": pd.Series(x, dtype="Float64"),
        "arrow": pd.Series(x, dtype=pd.ArrowDtype(pa.int32())),
        "decimal": pd.Series([None if v is None else decimal.Decimal(v) for v in x], dtype=object),
        "sparse": pd.Series(pd.arrays.SparseArray([np.nan if v is None else float(v) for v in x])),
    }
    polars = [pl.Int8, pl.UInt64, pl.Float32, pl.Decimal(10, 2)]
    _, expected = learned(np.array([[np.nan if v is None else v] for v in x]))
    for name, series in kinds.items():
        assert np.array_equal(learned(pd.DataFrame({"x": series}))[1], expected), name
    for dtype in polars:
        assert np.array_equal(learned(pl.DataFrame({"x": pl.Series(x, dtype=dtype)}))[1], expected), dtype
    masked = np.ma.MaskedArray([[v or 0] for v in x], mask=[[v is None] for v in x])
    assert np.array_equal(learned(masked)[1], expected)
    assert np.array_equal(learned(masked.astype(object))[1], expected)


def test_ten_thousand_columns_of_numbers_are_encoded():
    X = np.random.default_rng(0).normal(size=(30, 10_000))
    X[3, 7] = np.nan
    encoder, matrix = learned(X)
    assert len(encoder.names_out) == 10_001
    assert np.array_equal(encoder.encode(X[:5]), matrix[:5])
    assert np.allclose(matrix[:, -1], scaled(X[:, -1]), atol=CLOSE)


def test_numbers_at_the_ends_of_the_range_stay_finite():
    X = np.array([[1.7e308, 5e-324], [-1.7e308, 0.0], [0.0, 1e-323], [1.0, np.nan]])
    encoder, matrix = learned(X)
    assert np.isfinite(matrix).all()
    assert np.isfinite(encoder.encode(-X)).all()


# Categories and truth values


def test_few_categories_have_a_column_each():
    colours = np.array(["red", "green", "blue", "red", "red", "green"])
    encoder, matrix = learned(pd.DataFrame({"colour": colours}))
    assert encoder.names_out == ["colour_blue", "colour_green", "colour_red"]
    theirs = OneHotEncoder(sparse_output=False).fit_transform(colours[:, None])
    for j in range(3):
        assert np.allclose(matrix[:, j], scaled(theirs[:, j]), atol=CLOSE)
    later = encoder.encode(pd.DataFrame({"colour": ["violet", None, "red"]}))
    zeros = [scaled(theirs[:, j], np.array([0.0]))[0] for j in range(3)]
    assert np.allclose(later[:2], [zeros, zeros], atol=CLOSE)
    assert np.array_equal(later[2], matrix[0])


def test_missing_is_a_category_if_it_was_one_in_training():
    encoder, matrix = learned(pd.DataFrame({"colour": ["red", None, "green", "blue", "red"]}))
    assert encoder.names_out == ["colour_blue", "colour_green", "colour_red", "colour_missing"]
    expected = scaled(np.array([0.0, 1.0, 0.0, 0.0, 0.0]))
    assert np.allclose(matrix[:, 3], expected, atol=CLOSE)
    assert np.array_equal(encoder.encode(pd.DataFrame({"colour": [np.nan]}))[0], matrix[1])


def test_two_categories_share_a_column():
    x = np.array([1.0, -1.0, 1.0, 1.0, 0.0, -1.0])  # m, f, m, m, nothing, f
    encoder, matrix = learned(pd.DataFrame({"sex": ["m", "f", "m", "m", None, "f"]}))
    assert encoder.names_out == ["sex_m"]
    assert np.allclose(matrix[:, 0], scaled(x), atol=CLOSE)
    assert np.allclose(encoder.encode(pd.DataFrame({"sex": ["x", None]}))[:, 0], scaled(x, np.zeros(2)), atol=CLOSE)


def test_a_category_and_nothing_are_two():
    encoder, matrix = learned(pd.DataFrame({"note": ["yes", None, None, "yes", None]}))
    assert encoder.names_out == ["note_missing"]
    assert np.allclose(matrix[:, 0], scaled(np.array([-1.0, 1, 1, -1, 1])), atol=CLOSE)


@pytest.mark.parametrize("hole", [False, True])
def test_truth_values_are_minus_and_plus_one(hole):
    x = np.array([1.0, -1.0, -1.0, 0.0 if hole else 1.0, 1.0])
    given = [True, False, False, None if hole else True, True]
    for series in (pd.Series(given, dtype=object), pd.Series(given, dtype="boolean"), pd.Categorical(given)):
        encoder, matrix = learned(pd.DataFrame({"smoker": series}))
        assert encoder.names_out == ["smoker"]
        assert np.allclose(matrix[:, 0], scaled(x), atol=CLOSE)
    assert np.array_equal(learned(pl.DataFrame({"smoker": given}))[1], matrix)
    later = encoder.encode(pd.DataFrame({"smoker": [1, 0.0, np.nan]}))[:, 0]
    assert np.allclose(later, scaled(x, np.array([1.0, -1.0, 0.0])), atol=CLOSE)


def test_categories_of_any_type_are_alike():
    x = ["b", None, "a", "c", "b"]
    kinds = {
        "object": pd.Series(x, dtype=object),
        "string": pd.Series(x, dtype="string"),
        "arrow": pd.Series(x, dtype=pd.ArrowDtype(pa.string())),
        "dictionary": pd.Series(x, dtype=pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string()))),
        "categorical": pd.Series(pd.Categorical(x, categories=["z", "c", "b", "a"])),
        "bytes": pd.Series([v and v.encode() for v in x], dtype=object),
    }
    encoder, expected = learned([[v] for v in x])
    assert encoder.names_out == ["x0_a", "x0_b", "x0_c", "x0_missing"]
    for name, series in kinds.items():
        assert np.array_equal(learned(pd.DataFrame({"x": series}))[1], expected), name
    for dtype in (pl.String, pl.Categorical, pl.Enum(["z", "c", "b", "a"])):
        assert np.array_equal(learned(pl.DataFrame({"x": pl.Series(x, dtype=dtype)}))[1], expected), dtype


def test_categories_may_be_whole_numbers_and_numbers_in_strings_stay_categories():
    encoder, matrix = learned(pd.DataFrame({"zip": pd.Categorical([1, 2, 3, 1]), "id": ["7", "8", "9", "7"]}))
    assert encoder.names_out == ["zip_1", "zip_2", "zip_3", "id_7", "id_8", "id_9"]
    as_float = pd.DataFrame({"zip": pd.Categorical([1.0, 2.0, 3.0, 1.0]), "id": ["7", "8", "9", "7"]})
    assert np.array_equal(encoder.encode(as_float), matrix)


# Many categories


def by_hand(codes, targets, seed, rows):
    """Means out of fold, row by row."""
    fold = np.random.default_rng(seed).permutation(rows) % 5
    means, counts = np.empty(rows), np.empty(rows)
    for i in range(rows):
        same = [k for k in range(rows) if fold[k] != fold[i] and codes[k] == codes[i]]
        means[i] = (sum(targets[k] for k in same) + 10 * targets.mean()) / (len(same) + 10)
        counts[i] = np.log1p(len(same) * rows / np.count_nonzero(fold != fold[i]))
    return means, counts


def test_many_categories_have_the_mean_of_the_target_from_other_rows():
    rng = np.random.default_rng(1)
    codes, y = rng.integers(0, 12, 83), rng.normal(size=83)
    frame = pd.DataFrame({"city": [None if k == 11 else f"c{k}" for k in codes]})
    encoder, matrix = learned(frame, y=y, task="regression", max_one_hot=10, seed=5)
    assert encoder.names_out == ["city_mean", "city_count"]
    means, counts = by_hand(codes, y, 5, 83)
    assert np.allclose(matrix, np.stack([scaled(means), scaled(counts)], axis=1), atol=CLOSE)
    later = encoder.encode(pd.DataFrame({"city": ["c4", None, "nowhere"]}))
    of = [y[codes == 4], y[codes == 11], y[:0]]
    final = np.array([(one.sum() + 10 * y.mean()) / (len(one) + 10) for one in of])
    assert np.allclose(later[:, 0], scaled(means, final), atol=CLOSE)
    assert np.allclose(later[:, 1], scaled(counts, np.log1p([len(one) for one in of])), atol=CLOSE)


def test_max_one_hot_is_the_most_categories_with_a_column_each():
    frame = pd.DataFrame({"city": [f"c{i % 7}" for i in range(50)]})
    assert len(learned(frame, max_one_hot=7)[0].names_out) == 7
    assert learned(frame, max_one_hot=6)[0].names_out == ["city_count"]


@pytest.mark.parametrize(("classes", "columns"), [(2, [1]), (3, [0, 1, 2]), (12, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])])
def test_classes_have_means_of_their_own_at_most_ten(classes, columns):
    rng = np.random.default_rng(2)
    codes, y = rng.integers(0, 6, 200), np.repeat(np.arange(classes), 200)[::classes]
    y = np.where(y >= 10, np.where(rng.random(200) < 0.9, y % 10, y), y)
    frame = pd.DataFrame({"city": [f"c{k}" for k in codes]})
    labels = np.array([f"class {k:02}" for k in range(classes)])[y]
    encoder, matrix = learned(frame, y=labels, task="classification", max_one_hot=3)
    assert encoder.names_out == [*(f"city_mean_class {k:02}" for k in columns), "city_count"]
    means, _ = by_hand(codes, (y == columns[-1]).astype(float), 0, 200)
    assert np.allclose(matrix[:, -2], scaled(means), atol=CLOSE)


def test_the_target_does_not_leak_into_a_column_that_names_the_rows():
    y = np.random.default_rng(3).normal(size=400)
    encoder, _ = learned(pd.DataFrame({"id": [f"row {i}" for i in range(400)]}), y=y, task="regression")
    assert encoder.names_out == []
    twice = pd.DataFrame({"id": [f"row {i // 2}" for i in range(400)]})
    encoder, matrix = learned(twice, y=y, task="regression")
    own = np.corrcoef(column(encoder, matrix, "id_mean"), y)[0, 1]
    assert abs(own) < 0.2  # the mean of a row and its own target have 0.7


def test_the_seed_alone_decides_the_folds():
    rng = np.random.default_rng(4)
    frame, y = pd.DataFrame({"city": [f"c{k}" for k in rng.integers(0, 50, 300)]}), rng.normal(size=300)
    first, again, other = (learned(frame, y=y, task="regression", seed=seed)[1] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


# Dates


def test_dates_are_seconds_and_the_parts_that_vary():
    days = np.array(["2021-01-01T12:00", "2021-07-02T12:00", "2020-12-31T00:00", "2021-03-01T06:00"], "datetime64[m]")
    encoder, matrix = learned(pd.DataFrame({"day": days}))
    assert encoder.names_out == [
        "day",
        *(f"day_{part}_{f}" for part in ("year", "week", "day") for f in ("sin", "cos")),
    ]
    minutes = (days - days.min()).astype(float)
    assert np.allclose(column(encoder, matrix, "day"), scaled(minutes), atol=CLOSE)
    turns = {
        "year": np.array([0 / 365, 182 / 365, 365 / 366, 59 / 365]),
        "week": np.array([4, 4, 3, 0]) / 7,  # Friday, Friday, Thursday, Monday
        "day": np.array([0.5, 0.5, 0.0, 0.25]),
    }
    for part, turn in turns.items():
        for name, function in (("sin", np.sin), ("cos", np.cos)):
            expected = scaled(np.round(function(2 * np.pi * turn), 9))
            assert np.allclose(column(encoder, matrix, f"day_{part}_{name}"), expected, atol=CLOSE), (part, name)


def test_a_part_that_is_constant_in_training_is_left_out():
    mondays = pd.date_range("2024-01-01", periods=9, freq="7D")
    encoder, matrix = learned(pd.DataFrame({"day": mondays}))
    assert encoder.names_out == ["day", "day_year_sin", "day_year_cos"]
    assert np.array_equal(encoder.encode(pd.DataFrame({"day": mondays})), matrix)


def test_rounding_makes_no_part_of_a_date():
    days = np.array(["2024-01-02", "2024-01-07", "2024-02-06", "2024-03-03"], "datetime64[D]")  # Tuesdays and Sundays
    cosines = np.cos(2 * np.pi * np.array([1, 6]) / 7)
    assert cosines[0] != cosines[1]
    encoder, _ = learned(days[:, None])
    assert encoder.names_out == ["x0", "x0_year_sin", "x0_year_cos", "x0_week_sin"]


def test_a_date_that_is_missing_is_the_median_of_each_part_and_has_one_indicator():
    encoder, matrix = learned(pd.DataFrame({"day": [*pd.date_range("2024-01-01", periods=9), pd.NaT]}))
    assert [name for name in encoder.names_out if "missing" in name] == ["day_missing"]
    others = [j for j, name in enumerate(encoder.names_out) if name != "day_missing"]
    assert (matrix[-1, others] == 0).all()
    assert matrix[-1, encoder.names_out.index("day_missing")] > 1


def test_dates_of_any_type_are_alike():
    days = [datetime.date(2021, 1, 1), None, datetime.date(2021, 6, 4), datetime.date(1950, 2, 6)]
    kinds = {
        "datetime64": pd.Series(pd.to_datetime(pd.Series(days))),
        "objects": pd.Series(days, dtype=object),
        "arrow": pd.Series(days, dtype=pd.ArrowDtype(pa.date32())),
        "arrow times": pd.Series(days, dtype=pd.ArrowDtype(pa.timestamp("ms"))),
        "datetimes": pd.Series([d and datetime.datetime(d.year, d.month, d.day) for d in days], dtype=object),
        "periods": pd.Series(pd.PeriodIndex(days, freq="D")),
    }
    encoder, expected = learned(np.array(days, "datetime64[D]")[:, None])
    assert len(encoder.names_out) == 6
    for name, series in kinds.items():
        assert np.array_equal(learned(pd.DataFrame({"x": series}))[1], expected), name
    for dtype in (pl.Date, pl.Datetime("ns")):
        assert np.array_equal(learned(pl.DataFrame({"x": pl.Series(days).cast(dtype)}))[1], expected), dtype


def test_with_a_time_zone_the_seconds_are_real_and_the_parts_are_those_of_the_wall():
    # Noon of the wall on both sides of the change to summer time: 23 hours apart.
    noons = [datetime.datetime(2021, 3, day, 12, tzinfo=BERLIN) for day in (27, 28, 29, 30)]
    hours = np.array([0.0, 23.0, 47.0, 71.0])
    wall = pd.Series([noon.replace(tzinfo=None) for noon in noons])
    frames = {
        "pandas": pd.DataFrame({"t": wall.dt.tz_localize("Europe/Berlin")}),
        "objects": pd.DataFrame({"t": pd.Series(noons, dtype=object)}),
        "polars": pl.DataFrame({"t": pl.Series(wall.tolist()).dt.replace_time_zone("Europe/Berlin")}),
    }
    encoder, _ = learned(frames["pandas"])
    for name, frame in frames.items():
        other, matrix = learned(frame)
        assert "t_day_sin" not in other.names_out, name
        assert np.allclose(column(other, matrix, "t"), scaled(hours), atol=CLOSE), name
        assert np.array_equal(encoder.encode(frame), matrix), name
    with pytest.raises(
        ValueError, match="'t' of X has dates in the time zone UTC; expected dates in the time zone Eur"
    ):
        encoder.encode(frames["pandas"].assign(t=lambda f: f.t.dt.tz_convert("UTC")))


def test_the_first_and_the_last_date_have_a_time_zone_like_any_other():
    """Databases write them for dates that are not known; the one in UTC is in the year 0 or 10000."""
    tokyo, new_york = zoneinfo.ZoneInfo("Asia/Tokyo"), zoneinfo.ZoneInfo("America/New_York")
    for zone, end in ((tokyo, datetime.datetime.min), (new_york, datetime.datetime.max)):
        days = [datetime.datetime(2020, 1, 1), end, datetime.datetime(2021, 1, 1)]
        aware = pd.DataFrame({"t": pd.Series([day.replace(tzinfo=zone) for day in days], dtype=object)})
        naive = pd.DataFrame({"t": pd.Series(days, dtype=object)})
        assert np.allclose(learned(aware)[1], learned(naive)[1], atol=CLOSE)


def test_durations_are_numbers_of_seconds():
    x = [90.0, np.nan, 1.5, 86400.0]
    lengths = pd.Series(pd.to_timedelta(x, unit="s"))
    encoder, matrix = learned(pd.DataFrame({"wait": lengths}))
    assert np.array_equal(matrix, learned(np.array(x)[:, None])[1])
    assert encoder.names_out == ["wait", "wait_missing"]
    for frame in (
        pl.DataFrame({"wait": pl.Series([None if pd.isna(one) else one.to_pytimedelta() for one in lengths])}),
        pd.DataFrame({"wait": lengths.astype(object)}),
        pd.DataFrame({"wait": lengths.astype(pd.ArrowDtype(pa.duration("ms")))}),
    ):
        assert np.array_equal(encoder.encode(frame), matrix)
    clock = pd.DataFrame({"at": [datetime.time(0, 1, 30), None, datetime.time(0, 0, 1, 500_000), datetime.time(23)]})
    x[3] = 23 * 3600.0
    assert np.array_equal(learned(clock)[1], learned(np.array(x)[:, None])[1])
    assert np.array_equal(learned(pl.from_pandas(clock))[1], learned(clock)[1])


# Bins


def test_bins_are_shares_of_the_way_between_quantiles():
    x = np.array([0.0, 1.0, 2.0, 6.0, 10.0])  # quartiles 0, 1, 2, 6, 10
    encoder, matrix = learned(x[:, None], bins=4)
    assert encoder.names_out == ["x0", "x0_bin1", "x0_bin2", "x0_bin3", "x0_bin4"]
    later = encoder.encode(np.array([[-5.0], [0.5], [4.0], [99.0], [np.nan]]))[:, 1:]
    assert later.tolist() == [[0, 0, 0, 0], [0.5, 0, 0, 0], [1, 1, 0.5, 0], [1, 1, 1, 1], [1, 1, 0, 0]]
    assert np.array_equal(encoder.encode(x[:, None]), matrix)


def test_equal_quantiles_are_one_edge():
    encoder, _ = learned(np.array([[1.0]] * 8 + [[2.0], [3.0]]), bins=4)
    assert encoder.names_out == ["x0", "x0_bin1"]  # edges 1 and 3


@pytest.mark.filterwarnings("error")
def test_numbers_as_large_as_there_are_go_through_bins():
    most = np.finfo(np.float64).max
    x = np.array([-most, -1.0, 0.0, 1.0, most])
    encoder, matrix = learned(x[:, None], bins=4)
    shares = [[0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]]
    assert matrix[:, 1:].tolist() == shares
    assert encoder.encode(x[:, None])[:, 1:].tolist() == shares
    narrow, _ = learned(np.array([[0.0], [1e-320], [2e-320]]), bins=2)
    assert narrow.encode(np.array([[1e300], [-most]]))[:, 1:].tolist() == [[1, 1], [0, 0]]


@pytest.mark.parametrize(("columns", "bins"), [(14, 8), (15, 7), (32, 3), (33, 0)])
def test_bins_are_as_many_as_there_is_room_for(columns, bins):
    X = np.random.default_rng(0).standard_normal((100, columns))
    encoder, matrix = learned(X, bins=8)
    assert matrix.shape == (100, columns * (1 + bins))
    assert sum(name.startswith("x0_bin") for name in encoder.names_out) == bins
    assert np.array_equal(encoder.encode(X), matrix)


# Frames


def test_the_columns_of_a_later_frame_are_found_by_name():
    frame = mixed()
    encoder, matrix = learned(frame)
    assert encoder.names_in == list(frame.columns)
    assert encoder.n_features_in == 9
    assert encoder.named
    assert np.array_equal(encoder.encode(frame[frame.columns[::-1]]), matrix)
    assert np.array_equal(encoder.encode(pl.from_pandas(frame)[list(frame.columns[::-1])]), matrix)


def test_pandas_polars_and_arrays_of_objects_are_alike():
    frame = mixed()
    y = np.arange(60) % 3
    options = {"y": y, "task": "classification", "max_one_hot": 5, "bins": 3}
    encoder, matrix = learned(frame, **options)
    for other in (pl.from_pandas(frame), frame.astype(object), frame.convert_dtypes(dtype_backend="pyarrow")):
        twin, twin_matrix = learned(other, **options)
        assert twin.names_out == encoder.names_out
        assert np.array_equal(twin_matrix, matrix)
    array = frame.astype(object).to_numpy()
    unnamed, unnamed_matrix = learned(array, **options)
    assert not unnamed.named
    assert unnamed.names_in == [f"x{j}" for j in range(9)]
    assert np.array_equal(unnamed_matrix, matrix)
    assert np.array_equal(unnamed.encode(frame), encoder.encode(frame))
    assert np.array_equal(encoder.encode(array), encoder.encode(frame))


def test_rows_are_encoded_alike_alone_and_together():
    frame = mixed()
    encoder, _ = learned(frame, max_one_hot=4)
    whole = encoder.encode(frame)
    for i in range(0, 60, 7):
        assert np.array_equal(encoder.encode(frame.iloc[[i]])[0], whole[i])


@pytest.mark.parametrize("of", [lambda frame: frame, lambda frame: frame[["age", "rooms"]].to_numpy()])
def test_of_some_rows_the_encoder_of_these_alone_is_learned(of):
    X, y, rows = of(mixed()), np.arange(60.0) ** 2, np.flatnonzero(np.arange(60) % 3)
    options = {"task": "regression", "max_one_hot": 5, "bins": 3}
    encoder, matrix = FrameEncoder.learned(X, y=y, rows=rows, **options)
    twin, twin_matrix = FrameEncoder.learned(X.iloc[rows] if hasattr(X, "iloc") else X[rows], y=y[rows], **options)
    assert encoder.names_out == twin.names_out
    assert np.array_equal(matrix, twin_matrix)
    assert np.array_equal(encoder.encode(X), twin.encode(X))


def test_what_is_constant_or_missing_in_training_says_nothing_later():
    train = pd.DataFrame({"one": [1.0, 1, 1], "none": [None] * 3, "word": ["a"] * 3, "x": [1.0, 2, 3], "yes": True})
    encoder, matrix = learned(train)
    assert encoder.names_out == ["x"]
    later = pd.DataFrame({"one": ["?", np.inf, {}], "none": [[1], 2, "z"], "word": 7, "x": [1.0, 2, 3], "yes": "no"})
    assert np.array_equal(encoder.encode(later), matrix)
    numbers = np.array([[1.0, 5.0], [2.0, 5.0]])
    encoder, matrix = learned(numbers)
    assert encoder.names_out == ["x0"]
    assert np.array_equal(encoder.encode(np.array([[1.0, np.inf], [2.0, -7.0]])), matrix)


def test_a_frame_of_constants_has_no_columns():
    encoder, matrix = learned(pd.DataFrame({"a": [1, 1], "b": ["x", "x"]}))
    assert matrix.shape == (2, 0)
    assert encoder.encode(pd.DataFrame({"a": [3], "b": ["y"]})).shape == (1, 0)


def test_holes_alone_are_of_any_kind():
    frame = mixed()
    encoder, _ = learned(frame, max_one_hot=4)
    nothing = encoder.encode(pd.DataFrame({name: [None] for name in frame.columns}))
    assert np.array_equal(nothing, encoder.encode(pd.DataFrame({name: [np.nan] for name in frame.columns})))
    assert column(encoder, nothing, "age")[0] == 0
    assert column(encoder, nothing, "age_missing")[0] > 1


def test_names_of_columns_are_there_once():
    frame = pd.DataFrame({"a": [1.0, np.nan, 3.0], "a_missing": [1.0, 2.0, 3.0], "a_missing_": [3.0, 2.0, 2.0]})
    encoder, _ = learned(frame)
    assert encoder.names_out == ["a", "a_missing", "a_missing_", "a_missing__"]


def test_names_that_are_numbers_are_places():
    encoder, matrix = learned(pd.DataFrame([[1.0, 2.0], [3.0, 5.0]]))
    assert not encoder.named
    assert np.array_equal(encoder.encode(np.array([[1.0, 2.0], [3.0, 5.0]])), matrix)


def test_pandas_and_polars_need_not_be_there():
    program = (
        "import sys; sys.modules.update(dict.fromkeys(['pandas', 'polars', 'pyarrow'])); import numpy as np; "
        "from fastmlp.frame_encoding import FrameEncoder; "
        "X = np.array([[1, 'a'], [2, 'b'], [3, 'c']], object); "
        "encoder, _ = FrameEncoder.learned(X, max_one_hot=32); print(encoder.encode(X).shape)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "(3, 4)"


# What is refused

A = pd.DataFrame(
    {"n": [1.0, 2, 4], "c": ["x", "y", "z"], "b": [True, False, True], "d": pd.date_range("2020", periods=3)}
)


def objects(*items):
    return pd.DataFrame({"a": pd.Series(items, dtype=object)})


@pytest.mark.parametrize(
    ("X", "error", "words"),
    [
        (objects(1, "x"), TypeError, "'a' of X has the .* 'x' and the .* 1; expected one kind"),
        (
            objects(True, "x"),
            TypeError,
            "the string 'x' and the truth value True|the truth value True and the string",
        ),
        (
            objects({"k": 1}, 2),
            TypeError,
            r"'a' of X has the element \{'k': 1\} of dict; the argument must be a string",
        ),
        (objects([1], "x"), TypeError, r"'a' of X has the element \[1\] of list"),
        (objects(1j), ValueError, "Complex data not supported: column 'a'"),
        (pd.DataFrame({"a": [1j]}), ValueError, "Complex data not supported: column 'a'"),
        (np.array([[1j]]), ValueError, "Complex data not supported"),
        (objects(1.0, 2.0, float("inf")), ValueError, "'a' of X has infinity in row 2 .inf."),
        (pl.DataFrame({"u": [1.0], "v": [-np.inf]}), ValueError, "'v' of X has infinity in row 0 .-inf."),
        (np.array([[1.0, 2.0], [3.0, np.inf]]), ValueError, "'x1' of X has infinity in row 1"),
        (objects(10**400), ValueError, "'a' of X has numbers beyond the range"),
        (
            objects(datetime.datetime(2020, 1, 1), datetime.datetime(2020, 1, 1, tzinfo=BERLIN)),
            TypeError,
            "zone and wi",
        ),
        (pl.DataFrame({"a": [[1], [2]]}), TypeError, r"'a' of X has the element \[1\] of list"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), ValueError, "2 columns called 'a'"),
        (pd.DataFrame([[1, 2]], columns=["a", 1]), TypeError, "'a', whose name is a string, and 1"),
        (pd.DataFrame({"a": []}), ValueError, r"0 sample\(s\) \(shape=\(0, 1\)\)"),
        (pd.DataFrame(index=[1, 2]), ValueError, r"0 feature\(s\) \(shape=\(2, 0\)\)"),
        (np.empty((0, 2)), ValueError, r"0 sample\(s\)"),
        ([1.0, 2.0], ValueError, "Reshape your data"),
        (pl.Series([1.0]), ValueError, "Reshape your data"),
        ([[1], [1, 2]], ValueError, "inhomogeneous"),
        (np.zeros((2, 2, 2)), ValueError, "dim 3"),
        (scipy.sparse.csr_matrix(np.eye(3)), TypeError, "Sparse data was passed for X"),
        (pl.DataFrame({"a": [1]}).lazy(), TypeError, "X is a LazyFrame of polars"),
        (pa.table({"a": [1]}), TypeError, "X is a Table of pyarrow"),
    ],
    ids=str,
)
def test_a_frame_that_cannot_be_read_is_refused(X, error, words):
    with pytest.raises(error, match=words):
        FrameEncoder.learned(X, max_one_hot=32)


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (A.assign(n=["a", "b", "c"]), "'n' of X has categories, such as 'a'; expected numbers, as in training"),
        (A.assign(n=A.d), "'n' of X has dates, such as 2020-01-01T00:00:00; expected numbers"),
        (A.assign(n=A.d - A.d[0]), "'n' of X has durations, such as 0 s; expected numbers"),
        (A.assign(c=[None, 8.5, 2]), "'c' of X has numbers, such as 8.5; expected categories"),
        (A.assign(c=[None, False, True]), "'c' of X has truth values, such as False; expected categories"),
        (A.assign(b=[0, 1, 2]), "'b' of X has numbers, such as 2; expected truth values"),
        (A.assign(b=["yes", "no", "yes"]), "'b' of X has categories, such as 'yes'; expected truth values"),
        (A.assign(d=[1, 2, 3]), "'d' of X has numbers, such as 1; expected dates"),
        (A.assign(d=A.d.dt.tz_localize("UTC")), "'d' of X has dates in the time zone UTC; expected dates without a"),
        (A.assign(n=[1, np.inf, 2]), "'n' of X has infinity in row 1"),
        (A[["n", "d"]], "X lacks the columns 'c', 'b'; expected the 4 of training"),
        (A.assign(z=1), "X has the column 'z' besides; expected the 4"),
        (A.rename(columns={"n": "N"}), "X lacks the column 'n' and has the column 'N' besides"),
        (A.astype(object).to_numpy()[:, :3], "X has 3 features, but Net is expecting 4 features as input"),
        (np.ones((2, 4)), "'x1' of X has numbers, such as 1; expected categories"),
    ],
)
def test_a_frame_unlike_that_of_training_is_refused(X, words):
    encoder, _ = learned(A)
    with pytest.raises(ValueError, match=words):
        encoder.encode(X, of="Net")


def test_infinity_in_later_numbers_is_refused():
    encoder, _ = learned(np.array([[1.0, 2.0], [3.0, 5.0]]))
    with pytest.raises(ValueError, match="'x1' of X has infinity in row 1"):
        encoder.encode(np.array([[1.0, 2.0], [3.0, -np.inf]]))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_one_hot": -1}, "max_one_hot"),
        ({"bins": 2.5}, "bins"),
        ({"y": [1, 2, 3], "task": "guessing"}, "task"),
        ({"y": [1, 2], "task": "regression"}, "inconsistent numbers of samples"),
    ],
)
def test_options_that_are_none_are_refused(options, words):
    with pytest.raises((ValueError, TypeError), match=words):
        FrameEncoder.learned(A, **({"max_one_hot": 32} | options))


# States


@pytest.fixture
def states():
    frame = mixed()
    encoder, _ = learned(frame, y=np.arange(60.0), task="regression", max_one_hot=5, bins=2)
    return frame, encoder, encoder.state()


def test_a_state_goes_through_a_file_and_back(states):
    frame, encoder, state = states
    tensors = {}
    text = json.dumps(encoded(state, tensors, "frame"))
    again = FrameEncoder.restored(decoded(json.loads(text), tensors))
    assert tensors == {}
    assert (again.names_in, again.names_out, again.named) == (encoder.names_in, encoder.names_out, True)
    for later in (frame, mixed(31, seed=9)):
        assert np.array_equal(again.encode(later), encoder.encode(later))


def test_an_encoder_is_pickled(states):
    frame, encoder, _ = states
    encoder.encode(frame)
    assert np.array_equal(pickle.loads(pickle.dumps(encoder)).encode(frame), encoder.encode(frame))


def test_texts_of_any_kind_are_kept():
    texts = ["", "ä", "\udc80", "日本", "\0", "a\nb"]
    frame = pd.DataFrame({"x": pd.Series(texts, dtype=object)})
    encoder, matrix = learned(frame)
    again = FrameEncoder.restored(encoder.state())
    assert np.array_equal(again.encode(frame), matrix)
    assert len(set(map(tuple, matrix.tolist()))) == 6


def piece(state, kind):
    return next(one for one in state["pieces"] if one["piece"] == kind)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: s.pop("names_in"),
        lambda s: s.update(names_in=["a", "a"]),
        lambda s: s.update(names_in=[]),
        lambda s: s.update(named=1),
        lambda s: s.update(pieces=3),
        lambda s: s["pieces"].append({"piece": "others"}),
        lambda s: s["pieces"].append({"piece": ["codes"]}),
        lambda s: piece(s, "numbers").update(columns=[99]),
        lambda s: piece(s, "numbers").update(columns=[-1]),
        lambda s: piece(s, "numbers").update(c=np.zeros(99)),
        lambda s: piece(s, "numbers").update(factor=np.full_like(piece(s, "numbers")["factor"], np.nan)),
        lambda s: piece(s, "numbers").update(kind="word"),
        lambda s: piece(s, "numbers").update(more=1),
        lambda s: piece(s, "bins").update(edges=np.array([2.0, 1.0])),
        lambda s: piece(s, "bins").update(edges=np.array([2.0])),
        lambda s: piece(s, "bins").update(median="x"),
        lambda s: piece(s, "codes").update(endings=["a", "b", "c"]),
        lambda s: piece(s, "codes").update(levels=piece(s, "codes")["levels"].astype(np.float64)),
        lambda s: piece(s, "codes")["texts"].update(ends=np.array([5, 3])),
        lambda s: piece(s, "codes")["texts"].update(bytes=np.zeros(3)),
        lambda s: piece(s, "codes").update(texts=["a", "b"]),
    ],
)
def test_a_state_that_training_does_not_give_is_refused(states, spoil):
    _, _, state = states
    spoil(state)
    with pytest.raises(LoadError, match="not described as they are in a file"):
        FrameEncoder.restored(state)
