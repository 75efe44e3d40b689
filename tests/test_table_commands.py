"""The commands on tables: what they write and say, and one line for whatever is wrong with a file.

Not here: the other commands (test_command_line.py), the format of files of nets (test_files.py).
"""

import csv
import gzip
import io
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets

import fastmlp
from fastmlp import table_scores, table_training
from fastmlp.__main__ import main
from fastmlp.files import Contents, read, write
from fastmlp.saving import save
from processes import python

BUNDLED = {
    "iris": (datasets.load_iris, "classification", 0.85),
    "wine": (datasets.load_wine, "classification", 0.85),
    "breast_cancer": (datasets.load_breast_cancer, "classification", 0.9),
    "diabetes": (datasets.load_diabetes, "regression", 0.15),
}


def bundled(name):
    """A bundled data set as a frame, a class by its name."""
    data = BUNDLED[name][0](as_frame=True)
    return data.frame.assign(target=data.target_names[data.target]) if "target_names" in data else data.frame


def mixed(rows=240, seed=0):
    """A table of numbers, booleans and text, whose price is a function of them."""
    rng = np.random.default_rng(seed)
    age, color = rng.integers(18, 80, rows), rng.choice(["red", "deep, blue", "grün"], rows)
    smoker = rng.random(rows) < 0.4
    price = 2.0 * age + np.where(color == "red", 50, 0) + 30 * smoker + rng.normal(size=rows)
    return pd.DataFrame({"age": age, "color": color, "smoker": smoker, "price": price})


def with_holes(frame):
    """Such a table with empty cells in each column, of every seventh row or so."""
    frame = frame.astype({"age": float, "smoker": object})
    for first, column in enumerate(("age", "color", "smoker")):
        frame.loc[first :: 7 + first, column] = None
    return frame


def inputs_of_mixed(frame):
    """The inputs that one net gets, by hand: numbers, a column for each color in alphabetical order, 0 and 1."""
    colors = [frame["color"] == color for color in ("deep, blue", "grün", "red")]
    return np.column_stack([frame["age"], *colors, frame["smoker"]]).astype(float)


def written(folder, name, frame):
    path = folder / name
    if name.endswith(".parquet"):
        frame.to_parquet(path, index=False)
    else:
        frame.to_csv(path, index=False)
    return str(path)


def refused(capsys, *words, code=2):
    """The one line that a command ends with."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    assert end.value.code == code
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 1, err
    assert err[0].startswith("fastmlp: error: ")
    return err[0]


def predictions(text):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """An ensemble that learned the price, the table that it learned from, and another table."""
    folder = tmp_path_factory.mktemp("trained")
    table, model = written(folder, "mixed.csv", mixed()), str(folder / "price.safetensors")
    main(["train", table, "--target", "price", "--out", model])
    return model, table, written(folder, "new.csv", mixed(50, 1))


@pytest.fixture(scope="module")
def net(tmp_path_factory, trained):
    """The same of one net."""
    model = str(tmp_path_factory.mktemp("net") / "price.safetensors")
    main(["train", trained[1], "--target", "price", "--out", model, "--hidden", "64,64"])
    return model, *trained[1:]


@pytest.fixture(params=["trained", "net"])
def either(request):
    """The one, and the other."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classifier")
    table, model = written(folder, "iris.csv", bundled("iris")), str(folder / "iris.safetensors")
    main(["train", table, "--target", "target", "--out", model])
    return model, table


# What the commands do


@pytest.mark.parametrize("hidden", [[], ["--hidden", "64,64"]], ids=["ensemble", "net"])
@pytest.mark.parametrize("name", list(BUNDLED))
def test_real_data_are_learned_and_the_score_is_that_of_rows_the_model_has_not_seen(name, hidden, tmp_path, capsys):
    frame, (_, task, least) = bundled(name), BUNDLED[name]
    table, model = written(tmp_path, f"{name}.csv", frame), tmp_path / "model"
    main(["train", table, "--target", "target", "--out", str(model), *hidden])
    said = capsys.readouterr().out
    assert f"task      {task}, as 'target' holds" in said
    kept = json.loads(read(model).metadata["fastmlp.table"])
    score = kept["score"]["accuracy" if task == "classification" else "R²"]
    assert least < score <= 1
    # The rows held out, by the public function that split them, and the score of the net of the file on them.
    from sklearn.model_selection import train_test_split

    y = frame["target"]
    strata = y if task == "classification" else None
    rows, held_out = train_test_split(
        np.arange(len(frame)), test_size=kept["held_out"], random_state=0, stratify=strata
    )
    assert kept["held_out"] == np.ceil(0.2 * len(frame))
    X = frame.drop(columns="target").iloc[held_out]
    loaded = fastmlp.load(model)
    assert isinstance(loaded, fastmlp.MLPClassifier | fastmlp.MLPRegressor) == bool(hidden)
    assert loaded.score(X.to_numpy(float) if hidden else X, y[held_out]) == pytest.approx(score, abs=1e-12)
    baseline = y[rows].mode()[0] if task == "classification" else pytest.approx(y[rows].mean())
    if task == "classification":
        counts = y[rows].value_counts()
        assert counts[kept["baseline"]] == counts.max()
        assert (
            f"where always answering {kept['baseline']!r} has {(y[held_out] == kept['baseline']).mean():.4g}" in said
        )
        assert "it learned" in said
    else:
        assert kept["baseline"] == baseline


@pytest.mark.parametrize("name", ["mixed.csv", "mixed.csv.gz", "mixed.parquet"])
def test_each_kind_of_file_gives_the_same_model_and_the_same_predictions(name, tmp_path, either, capsys):
    table, model = written(tmp_path, name, mixed()), tmp_path / "model"
    is_net = isinstance(fastmlp.load(either[0]), fastmlp.MLPRegressor)
    main(["train", table, "--target", "price", "--out", str(model), *(["--hidden", "64,64"] if is_net else [])])
    assert model.read_bytes() == Path(either[0]).read_bytes()  # and the same command the same file
    frame = mixed(50, 1)
    main(["predict", either[0], written(tmp_path, name, frame), "--out", str(tmp_path / "out.csv")])
    by_hand = fastmlp.load(model).predict(inputs_of_mixed(frame) if is_net else frame.drop(columns="price"))
    assert np.array_equal(pd.read_csv(tmp_path / "out.csv")["price"], by_hand)
    assert "'price' is what is predicted; it is not looked at" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["holes.csv", "holes.parquet"])
def test_the_ensemble_is_the_one_that_the_python_api_makes_of_the_same_frame(name, tmp_path, capsys):
    frame, model = with_holes(mixed()), tmp_path / "m"
    main(["train", written(tmp_path, name, frame), "--target", "price", "--out", str(model), "--epochs", "7"])
    said, err = capsys.readouterr()
    assert "columns   3: number age; boolean smoker; category color (3)\nempty     age (35), color (30)" in said
    assert err == ""
    kept, _ = table_training.split(np.arange(len(frame)), 0.2, None, 0)
    X = frame.drop(columns="price")
    expected = fastmlp.TabularRegressor(epochs=7, random_state=0).fit(X.iloc[kept], frame["price"].iloc[kept])
    sizes = "-".join(map(str, expected.hidden_layer_sizes))
    epochs = f"best epoch {expected.best_epoch_} of {expected.history_.epochs}"
    assert f"nets of {sizes}, {epochs}, on 192 rows; 48 others are held out (seed 0)" in said
    loaded = fastmlp.load(model)
    assert loaded.get_params() == expected.get_params()
    assert loaded.feature_names_in_.tolist() == list(X)
    assert np.array_equal(loaded.feature_importances_, expected.feature_importances_)
    new = with_holes(mixed(50, 1))[["smoker", "price", "age", "color"]]
    main(["predict", str(model), written(tmp_path, name, new), "--out", str(tmp_path / "out.csv")])
    assert np.array_equal(pd.read_csv(tmp_path / "out.csv")["price"], expected.predict(new[list(X)]))
    assert np.array_equal(loaded.predict(new.drop(columns="price")), expected.predict(new[list(X)]))


WITHOUT_FRAMES = """
import sys
from fastmlp.__main__ import main

class Without:
    def find_spec(self, name, path=None, target=None):
        if name in ("pandas", "polars"):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Without())
main(["train", {table!r}, "--target", "price", "--out", {model!r}, "--epochs", "1"])
main(["predict", {model!r}, {table!r}])
"""


def test_an_ensemble_is_trained_and_used_where_there_is_no_library_of_frames(tmp_path):
    table, model = written(tmp_path, "t.csv", with_holes(mixed(40))), str(tmp_path / "m")
    done = python("-c", WITHOUT_FRAMES.format(table=table, model=model))
    assert done.returncode == 0, done.stderr


def test_the_net_is_the_one_that_the_python_api_makes_of_the_same_rows(net):
    frame = mixed()
    kept, _ = table_training.split(np.arange(len(frame)), 0.2, None, 0)
    rest, watched = table_training.split(np.arange(len(kept)), 0.15, None, 0)
    X, y = inputs_of_mixed(frame)[kept], frame["price"].to_numpy()[kept]
    expected = fastmlp.MLPRegressor(
        hidden_layer_sizes=(64, 64), scale="standard", batch_size=9, early_stopping=True, n_iter_no_change=20,
        random_state=0,
    )  # fmt: skip
    expected.fit(X[rest], y[rest], eval_set=(X[watched], y[watched]))
    new = inputs_of_mixed(mixed(50, 1))
    assert np.array_equal(expected.predict(new), fastmlp.load(net[0]).predict(new))


def test_columns_are_found_by_name_and_others_are_named_and_not_used(tmp_path, either, capsys):
    model, _, new = either
    main(["predict", model, new])
    expected = capsys.readouterr().out
    frame = mixed(50, 1)[["smoker", "color", "age"]]
    main(["predict", model, written(tmp_path, "other.csv", frame.assign(note="x"))])
    out, err = capsys.readouterr()
    assert out == expected
    assert err.count("\n") == 1
    assert "not used, as the model was not trained with: 'note'" in err
    main(["predict", model, written(tmp_path, "other.csv", frame)])
    assert capsys.readouterr() == (expected, "")


def test_classes_come_with_their_probabilities(classifier, capsys):
    model, table = classifier
    main(["predict", model, table, "--proba"])
    rows = predictions(capsys.readouterr().out)
    loaded, X = fastmlp.load(model), bundled("iris").drop(columns="target")
    assert [row["target"] for row in rows] == loaded.predict(X).tolist()
    by_hand = loaded.predict_proba(X)
    assert loaded.temperature_ != 1  # at which they are
    for at, label in enumerate(("setosa", "versicolor", "virginica")):
        assert [float(row[f"P({label})"]) for row in rows] == by_hand[:, at].tolist()
    main(["predict", model, table])
    assert capsys.readouterr().out.splitlines() == ["target", *loaded.predict(X)]


def test_evaluate_says_the_scores_of_scikit_learn(trained, classifier, capsys):
    from sklearn import metrics

    main(["evaluate", *classifier])
    loaded, frame = fastmlp.load(classifier[0]), bundled("iris")
    X, y = frame.drop(columns="target"), frame["target"]
    out = capsys.readouterr().out
    loss = metrics.log_loss(y, loaded.predict_proba(X))
    assert f"accuracy {loaded.score(X, y):.4g}, log loss {loss:.4g} on 150 rows" in out
    assert "has 0.3333; log loss " in out
    main(["evaluate", trained[0], trained[2]])
    frame = mixed(50, 1)
    y, predicted = frame["price"], fastmlp.load(trained[0]).predict(frame.drop(columns="price"))
    numbers = [
        metrics.r2_score(y, predicted), metrics.root_mean_squared_error(y, predicted),
        metrics.mean_absolute_error(y, predicted),
    ]  # fmt: skip
    assert "R² {:.4g}, RMSE {:.4g}, MAE {:.4g} on 50 rows".format(*numbers) in capsys.readouterr().out


def test_what_cannot_be_learned_is_called_so(tmp_path, capsys):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=200), "y": rng.choice(["a", "b", "b"], 200)})
    main(["train", written(tmp_path, "noise.csv", frame), "--target", "y", "--out", str(tmp_path / "m")])
    out = capsys.readouterr().out
    assert "no better than that" in out or "may be chance" in out
    assert "it learned" not in out


def test_a_number_of_few_values_is_a_class_and_the_task_can_be_given(tmp_path, capsys):
    frame = mixed().assign(grade=lambda f: (f["age"] > 50).astype(int) + 1).drop(columns="price")
    table, model = written(tmp_path, "grades.csv", frame), str(tmp_path / "m")
    main(["train", table, "--target", "grade", "--out", model])
    assert (
        "classification, as 'grade' holds 2 whole numbers: 1, 2; --task regression changes it"
        in capsys.readouterr().out
    )
    assert fastmlp.load(model).classes_.tolist() == [1, 2]
    main(["evaluate", model, written(tmp_path, "floats.csv", frame.assign(grade=frame["grade"].astype(float)))])
    assert "it learned" in capsys.readouterr().out
    main(["train", table, "--target", "grade", "--out", model, "--task", "regression"])
    assert "regression, as --task says" in capsys.readouterr().out
    assert isinstance(fastmlp.load(model), fastmlp.TabularRegressor)
    main(["train", table, "--target", "smoker", "--out", model])
    assert fastmlp.load(model).classes_.tolist() == ["false", "true"]


LABELS = {  # as written for half of the rows and for the others, what they are
    "beyond float64": (["9007199254740993", "9007199254740992"], [9007199254740993, 9007199254740992]),
    "beyond int64": (["9223372036854775808", "5"], ["9223372036854775808", "5"]),
    "fractions": (["0.5", "0.50", ".5", "2"], ["0.5", "0.5", "0.5", "2"]),
    "points": (["1.0", "1", "+1", "2"], [1, 1, 1, 2]),
    "truth": (["True", "true", "TRUE", "FALSE"], ["true", "true", "true", "false"]),
}


@pytest.mark.parametrize("case", list(LABELS))
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_labels_are_what_they_mean(case, ending, tmp_path, capsys):
    texts, meant = LABELS[case]
    which = np.arange(60) % len(texts)
    cells = [texts[i] for i in which]
    if ending == "parquet" and case == "beyond float64":
        cells = np.array(cells, np.int64)
    path = written(tmp_path, f"t.{ending}", pd.DataFrame({"x": which, "y": cells}))
    model = str(tmp_path / "m")
    main(["train", path, "--target", "y", "--out", model, "--task", "classification"])
    assert fastmlp.load(model).classes_.tolist() == sorted(set(meant))
    main(["predict", model, path])
    out = capsys.readouterr().out.splitlines()
    assert out[-60:] == [str(meant[i]) for i in which]
    main(["evaluate", model, path])
    assert "accuracy 1, " in capsys.readouterr().out
    bad = written(tmp_path, "t.csv", pd.DataFrame({"x": [1, 2, 3], "y": [texts[0], texts[-1], "7"]}))
    assert "line 4, column 'y': '7' is not known" in refused(capsys, "evaluate", model, bad)


def test_options_act(tmp_path, capsys):
    frame = mixed().assign(name=[f"N{i}" for i in range(240)])
    path = tmp_path / "t.csv"
    frame.to_csv(path, sep=";", encoding="cp1252", index=False)
    words = ["--target", "price", "--separator", ";", "--encoding", "cp1252", "--ignore", "name,age"]
    models = []
    for more in ([], ["--seed", "1"], ["--epochs", "3"]):
        for hidden in ([], ["--hidden", "5,4"]):
            models.append(str(tmp_path / f"m{len(models)}"))
            main(["train", str(path), *words, "--out", models[-1], *more, *hidden])
    first, net, seeded, seeded_net, short, short_net = map(fastmlp.load, models)
    assert not np.array_equal(first.members_[0].parameters, seeded.members_[0].parameters)
    assert not np.array_equal(net.coefs_[0], seeded_net.coefs_[0])
    assert short.history_.epochs == 3 < first.history_.epochs
    assert short_net.n_iter_ == 3 < net.n_iter_
    notes = capsys.readouterr().err
    assert notes == "fastmlp: note: it was still learning after the last epoch; more --epochs may help\n"
    assert [len(b) for b in net.intercepts_] == [5, 4, 1]
    assert (first.n_features_in_, net.n_features_in_) == (2, 4)
    main(["predict", models[0], str(path), "--separator", ";", "--encoding", "cp1252"])
    assert len(predictions(capsys.readouterr().out)) == 240
    main(["train", str(path), *words, "--out", models[0], "--separator", ";"])
    assert "grün" in json.loads(read(models[0]).metadata["fastmlp.table"])["features"][0]["categories"]


@pytest.mark.parametrize("words", [["--ignore", "a,x", "--ignore=-b"], ["--ignore=a,x", "--ignore", "c, -b"]])
def test_a_column_is_left_out_by_its_whole_name_or_with_others(words, tmp_path, capsys):
    frame = mixed(40).assign(**{"a,x": "A", "-b": "B", "c": "C"})
    words = ["train", written(tmp_path, "t.csv", frame), *words, "--out", str(tmp_path / "m"), "--epochs", "1"]
    main([*words, "--target", "price"])
    left = 7 - 1 - 2 - ("c, -b" in words)
    assert f"columns   {left}: " in capsys.readouterr().out


@pytest.mark.parametrize("hidden", [[], ["--hidden", "4"]], ids=["ensemble", "net"])
def test_few_rows_are_trained_with_to_the_last_one(hidden, tmp_path, capsys):
    frame = pd.DataFrame({"x": np.arange(12.0) ** 2, "y": list("aaaaaabbbbbc")})
    main(["train", written(tmp_path, "t.csv", frame), "--target", "y", "--out", str(tmp_path / "m"), *hidden])
    assert "9 rows; 3 others" in capsys.readouterr().out
    assert fastmlp.load(tmp_path / "m").classes_.tolist() == ["a", "b", "c"]


@pytest.mark.parametrize("seed", range(8))
def test_no_class_is_held_out_alone(seed):
    labels = np.array(list("aaaaaabcde"))
    kept, held_out = table_training.split(np.arange(10), 0.2, labels, seed)
    assert sorted([*kept, *held_out]) == list(range(10))
    assert len(held_out) == 2
    assert set(labels[kept]) == set("abcde")


def test_ten_rows_are_enough_whatever_they_hold(tmp_path, capsys):
    for cells in (list("aaaaaabcde"), list("aaaaaaaaab"), np.arange(10) * 1.5):
        frame = pd.DataFrame({"x": [*range(9), None], "word": [None, "w"] * 5, "y": cells})
        table, model = written(tmp_path, "t.csv", frame), str(tmp_path / "m")
        main(["train", table, "--target", "y", "--out", model, "--epochs", "3"])
        assert "on 8 rows; 2 others are held out" in capsys.readouterr().out
        for words in (["predict", model, table], ["evaluate", model, table], ["info", model]):
            main(words)
        assert len(set(capsys.readouterr().out.splitlines())) > 10


def test_columns_that_do_not_vary_are_nothing_to_learn_from(tmp_path, capsys):
    frame = pd.DataFrame({"x": [1.0] * 20, "word": "w", "y": np.arange(20.0)})
    table, words = written(tmp_path, "t.csv", frame), ["--target", "y", "--out", str(tmp_path / "m")]
    expected = "t.csv: each column has one value in all rows to train with, so that there is nothing to learn"
    assert refused(capsys, "train", table, *words).endswith(expected)
    _, held_out = table_training.split(np.arange(20), 0.2, None, 0)
    frame.loc[held_out[0], "x"] = None
    table = written(tmp_path, "t.csv", frame[["x", "y"]])
    assert refused(capsys, "train", table, *words).endswith(expected)


def test_a_training_shows_on_a_terminal_how_far_it_is_and_its_file_does_not(tmp_path, capsys, monkeypatch):
    frame, model = mixed(40), str(tmp_path / "m")
    words = ["train", written(tmp_path, "t.csv", frame), "--target", "price", "--out", model, "--epochs", "3"]
    main(words)
    assert "epoch" not in capsys.readouterr().err
    monkeypatch.setattr(table_training, "_has_terminal", lambda: True)
    main(words)
    assert "epoch 3/3  loss " in capsys.readouterr().err
    assert fastmlp.load(model).progress is False


def test_what_an_ensemble_warns_of_is_a_note(capsys):
    from sklearn.exceptions import ConvergenceWarning

    class Ensemble(fastmlp.TabularRegressor):
        def fit(self, X, y):
            warnings.warn("training diverged at epoch 3", ConvergenceWarning, stacklevel=1)

    table_training.fit(Ensemble(), np.zeros((3, 1)), np.zeros(3), None, 0)
    assert capsys.readouterr().err == "fastmlp: note: training diverged at epoch 3\n"


def test_row_numbers_are_left_out_or_spoken_of(tmp_path, capsys):
    path = tmp_path / "t.csv"
    mixed().to_csv(path)
    main(["train", str(path), "--target", "price", "--out", str(tmp_path / "m")])
    out, err = capsys.readouterr()
    assert "column 1 holds the row numbers or labels that pandas writes; it is left out" in err
    assert "columns   3: number age; boolean smoker; category color (3)" in out
    mixed().to_csv(path, index_label="Id")
    main(["train", str(path), "--target", "price", "--out", str(tmp_path / "m")])
    assert (
        "column 'Id' counts the rows; if it says nothing else, leave it out by --ignore Id" in capsys.readouterr().err
    )


def test_lines_and_texts_are_read_as_they_are_meant(tmp_path, trained, capsys):
    model = trained[0]
    plain, odd = tmp_path / "plain.csv", tmp_path / "odd.csv"
    plain.write_text('age,color,smoker\n30,red,True\n31,"deep, blue",False\n')
    odd.write_bytes(b'\xef\xbb\xbf"age", color,smoker\r\n\r\n 30 ,red , true\r\n\r\n3.1e1,"deep, blue",FALSE\r\n\r\n')
    main(["predict", model, str(plain)])
    expected = capsys.readouterr().out
    assert len(predictions(expected)) == 2
    main(["predict", model, str(odd)])
    assert capsys.readouterr().out == expected


PLAIN = "age,color,smoker\n30,red,true\n31,red,false\n"
ODD = {
    "a separator at the end": PLAIN.replace("\n", ",\n"),
    "the separator for Excel": "sep=;\n" + PLAIN.replace(",", ";"),
    "a comment": "# of March\n" + PLAIN,
    "two columns without a name": ",,age,color,smoker\n1.5,2,30,red,true\n,3,31,red,false\n",
    "two of one name": "x,x,age,color,smoker\n1.5,2,30,red,true\n,3,31,red,false\n",
    "a long text": f"x,age,color,smoker\n1,30,red,true\n{'x' * 200_000},31,red,false\n",
}


@pytest.mark.parametrize("case", list(ODD))
def test_what_nobody_uses_stops_nobody(case, tmp_path, trained, capsys):
    path = tmp_path / "t.csv"
    path.write_text(PLAIN)
    main(["predict", trained[0], str(path)])
    expected = capsys.readouterr().out
    assert len(predictions(expected)) == 2
    path.write_text(ODD[case])
    main(["predict", trained[0], str(path)])
    assert capsys.readouterr().out == expected


def test_parquet_is_used_as_people_have_it(tmp_path, trained, capsys):
    import pyarrow
    import pyarrow.parquet

    path, frame = tmp_path / "t.parquet", mixed(50, 1)
    main(["predict", trained[0], trained[2]])
    expected = capsys.readouterr().out
    odd = frame.assign(a=[[1, 2]] * 50, b=[b"x"] * 50)
    odd.set_index([pd.Index([*range(0, 100, 2)]), pd.Index(list("ab") * 25)]).to_parquet(path)
    main(["predict", trained[0], str(path)])
    out, err = capsys.readouterr()
    assert out == expected
    assert "column 7 holds the row numbers or labels" in err
    assert "column 8 holds the row numbers or labels" in err
    odd.to_parquet(path)
    words = ["train", str(path), "--target", "price", "--out", str(tmp_path / "m"), "--epochs", "1"]
    main([*words, "--ignore", "a", "--ignore", "b"])
    assert "columns   3: " in capsys.readouterr().out
    main([*words, "--ignore", "a,b", "--hidden", "4"])
    assert "inputs    5 from 3 columns: " in capsys.readouterr().out
    numbered = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 3)))
    numbered.to_parquet(path)
    for table in (path, written(tmp_path, "t.csv", numbered)):
        main(["train", str(table), "--target", "2", "--out", str(tmp_path / "m"), "--epochs", "1"])
        assert "columns   2: number 0, 1" in capsys.readouterr().out
    twice = pyarrow.table([pyarrow.array(range(20))] * 3, names=["a", "a", "price"])
    pyarrow.parquet.write_table(twice, path)
    assert "column 'a': is the name of columns 1 and 2" in refused(capsys, *words)


def test_an_empty_line_of_a_table_of_one_column_is_an_empty_cell(tmp_path, capsys):
    frame = pd.DataFrame({"x": np.arange(60.0), "y": np.arange(60.0)})
    table, model, net = written(tmp_path, "t.csv", frame), str(tmp_path / "m"), str(tmp_path / "net")
    main(["train", table, "--target", "y", "--out", model, "--epochs", "1"])
    main(["train", table, "--target", "y", "--out", net, "--epochs", "1", "--hidden", "4"])
    path = tmp_path / "one.csv"
    path.write_text("x\n1\n2\n\n\n")
    capsys.readouterr()
    main(["predict", model, str(path)])
    assert len(capsys.readouterr().out.splitlines()) == 3
    path.write_text("x\n1\n\n2\n")
    main(["predict", model, str(path)])
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 4
    assert "one.csv, line 3, column 'x': is empty, and none was in training" in err
    assert "one.csv, line 3, column 'x': is empty" in refused(capsys, "predict", net, path)


# Pipes, and what is left where a command is stopped


def run(*words, stdin=b"", **given):
    source = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
    words = [sys.executable, "-m", "fastmlp", *map(str, words)]
    return subprocess.run(words, **source, capture_output=True, timeout=120, check=False, **given)


def test_standard_input_and_output_are_files_like_others(trained, capsys):
    model, _, new = trained
    main(["predict", model, new])
    expected = capsys.readouterr().out
    data = Path(new).read_bytes()
    done = run("predict", model, "-", "--out", "-", stdin=data)
    assert done.returncode == 0
    assert done.stdout.decode() == expected
    assert run("predict", model, "-", stdin=gzip.compress(data)).stdout.decode() == expected
    done = run("evaluate", model, "-", stdin=b"")
    assert done.returncode == 2
    assert done.stderr == (
        b"fastmlp: error: standard input: is empty; expected a header with the names of the columns, and a line for "
        b"each sample\n"
    )


def test_what_is_printed_fits_into_any_encoding_and_predictions_are_utf_8(tmp_path, capsys):
    model = str(tmp_path / "m")
    table = written(tmp_path, "t.csv", pd.DataFrame({"x": np.arange(40.0), "y": ["grün", "blau"] * 20}))
    ascii_only = {"env": os.environ | {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}}
    done = run("train", table, "--target", "y", "--out", model, "--epochs", "2", **ascii_only)
    assert (done.returncode, b"gr?n" in done.stdout) == (0, True)
    main(["predict", model, table])
    assert run("predict", model, table, **ascii_only).stdout.decode() == capsys.readouterr().out


def test_a_standard_stream_that_is_closed_or_full_is_named_in_one_line(trained):
    for redirected, said in (
        (f"info {trained[0]} >&-", "standard output is closed"),
        (f"predict {trained[0]} - <&-", "standard input: is closed"),
        (f"info {trained[0]} >/dev/full", "standard input or output: No space left on device"),
    ):
        code = f"{sys.executable} -m fastmlp {redirected}"
        done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2
        assert done.stderr.startswith(f"fastmlp: error: {said}")
        assert done.stderr.count("\n") == 1


def test_a_net_comes_through_a_pipe(trained, capsys):
    main(["predict", trained[0], trained[2]])
    code = f"{sys.executable} -m fastmlp predict <(cat {trained[0]}) {trained[2]}"
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == capsys.readouterr().out


def test_a_reader_who_has_seen_enough_gets_no_traceback(trained):
    rows = "age,color,smoker\n" + "30,red,true\n" * 20000
    code = f"{sys.executable} -m fastmlp predict {trained[0]} - | head -1"
    done = subprocess.run(["bash", "-c", code], input=rows, capture_output=True, text=True, timeout=120, check=True)
    assert (done.stdout, done.stderr) == ("price\n", "")


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("command", ["train", "predict"])
def test_a_command_that_is_killed_while_it_writes_leaves_the_old_file(command, step, tmp_path, trained):
    model, table, new = trained
    out = tmp_path / "out"
    out.write_bytes(b"old")
    words = {"train": ["train", table, "--target", "price", "--epochs", "5"], "predict": ["predict", model, new]}
    code = (
        "import os, time\nfrom fastmlp.__main__ import main\n"
        f"os.{step} = lambda *given: (print('HERE', flush=True), time.sleep(600))\n"
        f"main({[*words[command], '--out', str(out)]!r})"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert "HERE\n" in child.stdout
    child.send_signal(signal.SIGKILL)
    child.stdout.close()
    assert child.wait() == -signal.SIGKILL
    assert out.read_bytes() == b"old"
    main([*words[command], "--out", str(out)])
    assert out.stat().st_size > 100


def test_a_file_that_is_there_is_kept_until_the_new_one_is_whole_and_keeps_its_mode(
    tmp_path, trained, capsys, monkeypatch
):
    out = tmp_path / "out.csv"
    out.write_text("old")
    out.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(out)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        line = refused(capsys, "predict", trained[0], trained[2], "--out", link)
        assert line == f"fastmlp: error: {link}: No space left on device"
    assert out.read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["link", "out.csv"]
    main(["predict", trained[0], trained[2], "--out", str(link)])
    assert link.is_symlink()
    assert stat.S_IMODE(out.stat().st_mode) == 0o640
    assert len(predictions(out.read_text())) == 50
    main(["predict", trained[0], trained[2], "--out", "/dev/null"])
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


# What is refused

ROWS = [f"{20 + i},{'red' if i % 2 else 'blue'},{i * 1.5}" for i in range(20)]


def lines(header="age,color,price", at=None, row=None, rows=ROWS):
    """A table whose line `at` is another one."""
    text = [header, *rows]
    if at is not None:
        text[at - 1] = row
    return "\n".join(text) + "\n"


# content, further words of the command, what the line says
BAD_TABLES = {
    "empty cell": (
        lines(at=17, row=",red,3"), ["--hidden", "4"],
        ["t.csv, line 17, column 'age': is empty;", "--ignore age", "; without --hidden, cells may be empty"],
    ),
    "empty text": (lines(at=4, row="1,,3"), ["--hidden", "4"], ["t.csv, line 4, column 'color': is empty;"]),
    "three empty": (
        lines(rows=[*ROWS, *[",red,1"] * 3]), ["--hidden", "4"], ["line 22, column 'age'", "as are 2 other cells"],
    ),
    "words for an empty cell": (
        lines(at=9, row="NA,red,1"), [], ["'NA' is no number, as 19 others", "correct it, leave the cell empty, or"],
    ),
    "nothing but a number": (lines(at=5, row="nan,red,1"), [], ["'nan' is no number; leave the cell empty, or"]),
    "a word that is there once": (
        lines("name,price", rows=[f"{f'N{i}' if i < 6 else ''},{i}" for i in range(20)]), [],
        ["'name': has 6 different texts in 6 rows, such as 'N0'"],
    ),
    "empty target": (lines(at=5, row="1,red,"), [], ["line 5, column 'price': is empty; fill it or take"]),
    "empty column": (lines(rows=[",red,1", ",blue,2"] * 9), [], ["'age': is empty in every row", "--ignore age"]),
    "nan": (lines(at=5, row="nan,red,1"), [], ["line 5, column 'age': 'nan' is no number"]),
    "infinite": (lines(at=5, row="1e999,red,1"), [], ["line 5, column 'age': '1e999' is infinite"]),
    "infinite target": (lines(at=5, row="1,red,-inf"), [], ["line 5, column 'price': '-inf' is infinite"]),
    "huge": (lines(at=5, row="1e200,red,1"), [], ["line 5, column 'age': '1e200' is beyond 1e+100"]),
    "text among numbers": (lines(at=9, row="NA,red,1"), [], ["line 9, column 'age': 'NA' is no number, as 19"]),
    "text in the target": (lines(at=9, row="1,red,x"), [], ["line 9, column 'price': 'x' is no number"]),
    "text as a regression": (lines(), ["--target", "color", "--task", "regression"], ["line 2, column 'color'"]),
    "numbers with commas": (
        lines("a;b", rows=[f"{i},5;{i}" for i in range(12)]), ["--separator", ";", "--target", "b"],
        ["line 2, column 'a': '0,5' is a number with marks; write all of the column with a point", "--ignore a"],
    ),
    "another separator": (lines("a;b", rows=["1;2"] * 12), [], ["one name, 'a;b'; pass --separator ';'"]),
    "tabs": (lines("a\tb", rows=["1\t2"] * 12), [], ["pass --separator tab"]),
    "dates": (
        lines("day,price", rows=[f"2024-01-{i:02},{i}" for i in range(1, 15)]), [],
        ["column 'day': holds dates or times, such as '2024-01-01'", "--ignore day"],
    ),
    "times": (
        lines("t,price", rows=[f"31.12.24 1{i % 10}:00,{i}" for i in range(14)]), [], ["'t': holds dates or times"],
    ),
    "names": (
        lines("name,price", rows=[f"N{i},{i}" for i in range(101)]), [],
        ["column 'name': has 101 different texts in 101 rows, such as 'N0'", "--ignore name"],
    ),
    "nothing": ("", [], ["t.csv: is empty"]),
    "blank lines": ("\n \n\n", [], ["t.csv: is empty"]),
    "header only": ("age,price\n", [], ["t.csv: has a header and no rows"]),
    "no header": (lines("1,2,3"), [], ["the header has numbers (1, 2, 3) where names of columns are expected"]),
    "no such target": (lines("age,color,Prize"), [], ["there is no target column 'price'; did you mean 'Prize'?"]),
    "no such target at all": (lines("age,color,z"), [], ["no target column 'price'; there are 'age', 'color', 'z'"]),
    "no such column": (lines(), ["--ignore", "colour"], ["there is no column 'colour'; did you mean 'color'?"]),
    "target ignored": (lines(), ["--ignore", "price"], ["--target and --ignore both name 'price'"]),
    "all ignored": (lines(), ["--ignore", "age,color"], ["no column besides 'price'"]),
    "twice": (lines("age,age,price"), [], ["t.csv, column 'age': is the name of columns 1 and 2"]),
    "no name": (lines("age,,price"), [], ["t.csv: column 2 has no name; give it one"]),
    "one class": (lines(rows=["1,red,1"] * 20), ["--target", "color"], ["'color': has the class 'red' in every"]),
    "one number": (lines(rows=[f"{i},red,2.5" for i in range(20)]), [], ["'price': has the number 2.5 in every"]),
    "as many classes as rows": (lines(), ["--task", "classification"], ["has 20 classes in 20", "--task regression"]),
    "few rows": (lines(rows=ROWS[:9]), [], ["t.csv: has 9 rows; expected at least 10"]),
    "long row": (lines(at=8, row="1,red,2,3"), [], ["t.csv, line 8: has 4 cells, and the header 3"]),
    "short row": (lines(at=8, row="1,red"), [], ["t.csv, line 8: has 2 cells, and the header 3"]),
    "lines in a cell": (lines(at=3, row='1,"r\ne\nd",2') + "1,red\n", [], ["t.csv, line 24: has 2 cells"]),
    "no end of a quotation": (lines(at=6, row='1,"red,2'), [], ["t.csv, line 6: cannot be read", "quotation mark"]),
    "half a quotation": (lines(at=6, row='1,"r"ed,2'), [], ["t.csv, line 6: cannot be read"]),
    "NUL": (lines(at=6, row="1,r\0d,2"), [], ["t.csv, line 6: has a NUL"]),
    "an unknown encoding": (lines(), ["--encoding", "klingon"], ["--encoding 'klingon' is not known"]),
    "UTF-8 for UTF-16": (lines(), ["--encoding", "utf-16"], ["is not UTF-16", "such as utf-8"]),
    "per cent": (
        lines(rows=[f"{i}%,red,{i}" for i in range(12)]), [], ["line 2, column 'age': '0%' is a number with marks"],
    ),
    "money": (lines(at=5, row="$12.5,red,3"), [], ["line 5, column 'age': '$12.5' is a number with marks"]),
    "thousands": (lines(at=5, row='"1,000.50",red,3'), [], ["column 'age': '1,000.50' is a number with marks"]),
    "thousands of Switzerland": (lines(at=5, row="1'000,red,3"), [], ["\"1'000\" is a number with marks"]),
    "thousands of France": (lines(at=5, row="1 000,red,3"), [], ["column 'age': '1 000' is a number with marks"]),
    "euros": (lines(at=5, row="1,red,5.5 €"), [], ["'5.5 €' is a number with marks", "--task classification"]),
    "many NA": (lines(rows=[*ROWS[:5], *["NA,red,1"] * 9]), [], ["line 7, column 'age': 'NA' is no number, as 5"]),
    "a word for a regression": (
        lines(at=9, row="1,red,x"), ["--task", "regression"], ["line 9, column 'price': 'x' is no number; --task"],
    ),
    "texts for all rows": (
        lines("name,price", rows=[f"N{i},{i}" for i in range(20)]), [], ["'name': has 20 different texts in 20 rows"],
    ),
    "many classes": (
        lines("x,price", rows=[f"{i},{i // 3}" for i in range(333)]), ["--task", "classification"],
        ["has 111 classes, and at most 100", "--task regression"],
    ),
    "close together": (
        lines(rows=[f"{i}e-200,red,{i}" for i in range(20)]), [], ["column 'age': has numbers so close together"],
    ),
    "a row for a header": (lines("-1.210,red,3.5"), ["--target", "red"], ["has numbers (-1.210, 3.5) where names"]),
    "measurements without a name": (
        lines(",color,price", rows=[f"{i}.5,red,{i}" for i in range(20)]), [], ["column 1 has no name; give it one"],
    ),
    "a name with a comma and a dash": (
        lines('"-a,x",price', rows=[f"N{i},{i}" for i in range(20)]), [], ["column '-a,x'", "--ignore=-a,x"],
    ),
    "a name of several lines": (lines('"a\nb\x1b",price', rows=[",1", ",2"] * 9), [], ["'a\\nb\\x1b': is empty"]),
    "bytes for an encoding": (lines(), ["--encoding", "hex"], ["--encoding 'hex' is not known"]),
}  # fmt: skip


DATES = [
    "2024-05", "05/2024", "05-Jan-24", "Jan 5, 2024", "5 January 2024", "2024-Jan-05", "Mar 24", "1.2.24 10:00 pm",
    "2024-05-06T07:08:09Z", "12:30", "3 days, 1:00:00",
]  # fmt: skip


@pytest.mark.parametrize("date", DATES)
def test_dates_are_no_words_even_if_some_are_not_there(date, tmp_path, capsys):
    path = tmp_path / "t.csv"
    cells = [f'"{date}"', "NA", "soon", f'"{date}"']
    path.write_text(lines("day,price", rows=[f"{cells[i % 4]},{i}" for i in range(16)]))
    line = refused(capsys, "train", path, "--target", "price", "--out", tmp_path / "m")
    assert f"column 'day': holds dates or times, such as {date!r}" in line


@pytest.mark.parametrize("text", ["marble 10", "may", "1-2", "5 km", "Jan Smith", "NA"])
def test_words_are_no_dates_and_no_numbers(text, tmp_path, capsys):
    path = tmp_path / "t.csv"
    path.write_text(lines("word,price", rows=[f"{text if i % 3 else 'other'},{i}" for i in range(20)]))
    main(["train", str(path), "--target", "price", "--out", str(tmp_path / "m"), "--epochs", "1"])
    assert "category word (2)" in capsys.readouterr().out


@pytest.mark.parametrize("case", list(BAD_TABLES))
def test_a_table_that_cannot_be_learned_from_is_refused_in_one_line(case, tmp_path, capsys):
    content, words, expected = BAD_TABLES[case]
    path, out = tmp_path / "t.csv", tmp_path / "m"
    path.write_text(content)
    target = [] if "--target" in words else ["--target", "price"]
    line = refused(capsys, "train", path, *target, *words, "--out", out)
    for words_of_it in expected:
        assert words_of_it in line
    assert os.listdir(tmp_path) == ["t.csv"]


BAD_FILES = {
    "latin-1": ("t.csv", lines(at=7, row="1,grün,2").encode("latin-1"), "t.csv, line 7: is not UTF-8", "cp1252"),
    "UTF-16": ("t.csv", lines().encode("utf-16"), "t.csv, line 1: is not UTF-8", "utf-16"),
    "no gzip": ("t.csv.gz", lines().encode(), "t.csv.gz: is no gzip file", ""),
    "half of a gzip": ("t.csv.gz", gzip.compress(lines().encode())[:40], "t.csv.gz: is a damaged gzip file", ""),
    "a changed gzip": ("t.csv", gzip.compress(lines().encode())[:-8] + bytes(8), "t.csv: is a damaged gzip file", ""),
    "no Parquet": ("t.parquet", lines().encode(), "t.parquet: is no Parquet file", ""),
    "half of Parquet": ("t.parquet", b"PAR1" + bytes(50), "t.parquet: is a damaged Parquet file", ""),
    "a workbook": ("t.xlsx", b"PK\x03\x04" + bytes(50), "t.xlsx: is no text file but a workbook", "as CSV"),
    "an old workbook": ("t.xls", b"\xd0\xcf\x11\xe0" + bytes(50), "t.xls: is no text file but a workbook", ""),
    "xz": ("t.csv.xz", b"\xfd7zXZ\0" + bytes(50), "is no text file but packed by xz", ""),
    "bytes": ("t.csv", b"\x93\0\1" * 50, "t.csv: is no text file; save the table as CSV", ""),
    "a carriage return ends lines": (
        "t.csv",
        lines(at=7, row="1,grün,2").replace("\n", "\r").encode("latin-1"),
        "t.csv, line 7: is not UTF-8",
        "",
    ),
}


@pytest.mark.parametrize("case", list(BAD_FILES))
def test_a_file_that_is_no_table_is_refused_in_one_line(case, tmp_path, capsys):
    name, content, *expected = BAD_FILES[case]
    (tmp_path / name).write_bytes(content)
    line = refused(capsys, "train", tmp_path / name, "--target", "price", "--out", tmp_path / "m")
    assert all(words in line for words in expected)
    assert os.listdir(tmp_path) == [name]


def test_parquet_is_refused_by_row_and_column(tmp_path, capsys, monkeypatch):
    frame = mixed()
    for column, value, words in (
        ("age", None, "row 4, column 'age': is empty"),
        ("color", None, "row 4, column 'color': is empty"),
        ("price", np.inf, "row 4, column 'price': 'inf' is infinite"),
    ):
        bad = frame.astype({"age": float})
        bad.loc[3, column] = value
        path = written(tmp_path, "t.parquet", bad)
        line = refused(capsys, "train", path, "--target", "price", "--out", tmp_path / "m", "--hidden", "4")
        assert words in line
    path = written(tmp_path, "t.parquet", frame.assign(age=np.nan))
    line = refused(capsys, "train", path, "--target", "price", "--out", tmp_path / "m")
    assert "column 'age': is empty in every row" in line
    path = written(tmp_path, "t.parquet", frame.assign(day=pd.Timestamp("2024-05-06")))
    assert "column 'day': holds dates" in refused(capsys, "train", path, "--target", "price", "--out", tmp_path / "m")
    path = written(tmp_path, "t.parquet", frame.assign(a=[[1, 2]] * len(frame)))
    assert "column 'a': has values of type list" in refused(
        capsys, "train", path, "--target", "price", "--out", tmp_path / "m"
    )
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    line = refused(capsys, "train", path, "--target", "price", "--out", tmp_path / "m")
    assert "pip install 'pyarrow>=" in line
    assert os.listdir(tmp_path) == ["t.parquet"]


def test_a_category_of_parquet_is_text(tmp_path, trained, capsys):
    frame = mixed(50, 1)
    main(["predict", trained[0], trained[2]])
    expected = capsys.readouterr().out
    main(["predict", trained[0], written(tmp_path, "c.parquet", frame.astype({"color": "category"}))])
    assert capsys.readouterr().out == expected


BAD_PREDICTIONS = {
    "a missing column": ("color,smoker\nred,True\n", "new.csv: there is no column 'age'"),
    "two": ("smoker,x\nTrue,1\n", "there are no columns 'age', 'color', which the model was trained with"),
    "another name": ("Age,color,smoker\n3,red,True\n", "no column 'age'; did you mean 'Age'?"),
    "no boolean": ("age,color,smoker\n3,red,True\n3,red,maybe\n", "line 3, column 'smoker': 'maybe' is not known"),
    "numbers for booleans": ("age,color,smoker\n3,red,1\n", "line 2, column 'smoker': '1' is not known"),
    "text for a number": ("age,color,smoker\n3,red,True\nold,red,True\n", "line 3, column 'age': 'old' is no number"),
    "an infinite one": ("age,color,smoker\ninf,red,True\n", "line 2, column 'age': 'inf' is infinite"),
    "no names of the net": (
        "ages,color,smokers\n3,red,1\n",
        "there are no columns 'age', 'smoker', which",
    ),
    "twice": ("age,age,color,smoker\n3,3,red,True\n", "column 'age': is the name of columns 1 and 2"),
    "no header": ("3,red,True\n3,red,False\n", "the header has '3': is it one, with the names of the columns?"),
    "missing cells": (
        "age,color,smoker\n3,red\n",
        "line 2: has 2 cells, and the header 3; cells are missing",
    ),
    "no rows": ("age,color,smoker\n", "new.csv: has a header and no rows"),
}


@pytest.mark.parametrize("case", list(BAD_PREDICTIONS))
def test_a_row_that_cannot_be_predicted_is_named_and_nothing_is_written(case, tmp_path, either, capsys):
    content, words = BAD_PREDICTIONS[case]
    path, out = tmp_path / "new.csv", tmp_path / "out.csv"
    path.write_text(content)
    out.write_text("old")
    assert words in refused(capsys, "predict", either[0], path, "--out", out)
    assert out.read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["new.csv", "out.csv"]
    assert words in refused(capsys, "predict", either[0], path)
    assert capsys.readouterr().out == ""


# rows, what one net says of them, what an ensemble does, which predicts them
STRANGE_ROWS = {
    "an unknown text": (
        ["3,red,True", "3,pink,True", "3,pink,"],
        "line 3, column 'color': 'pink' is not known from training; known are 'deep, blue', 'grün', 'red': correct",
        "line 3, column 'color': 'pink' is not known from training, nor is one other cell of it; predicted without",
    ),
    "an empty number": (
        ["3,red,True", ",red,True"], "line 3, column 'age': is empty; fill it or take out the row",
        "line 3, column 'age': is empty, and none was in training; predicted without",
    ),
    "no number": (
        [",red,True"] * 3, "line 2, column 'age': is empty, as are 2 other cells of it; fill it",
        "line 2, column 'age': is empty, as are 2 other cells of it, and none was in training; predicted without",
    ),
    "an empty text": (
        ["3,,True"], "line 2, column 'color': is empty; fill it",
        "line 2, column 'color': is empty, and none was in training; predicted without",
    ),
    "an empty truth value": (
        ["3,red,True", "3,red,"], "line 3, column 'smoker': is empty; fill it",
        "line 3, column 'smoker': is empty, and none was in training; predicted without",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", list(STRANGE_ROWS))
def test_what_was_not_there_in_training_is_refused_by_a_net_and_noted_by_an_ensemble(
    case, tmp_path, trained, net, capsys
):
    rows, of_net, of_ensemble = STRANGE_ROWS[case]
    path = tmp_path / "new.csv"
    path.write_text(lines("age,color,smoker", rows=rows))
    assert of_net in refused(capsys, "predict", net[0], path)
    main(["predict", trained[0], str(path)])
    out, err = capsys.readouterr()
    assert f"fastmlp: note: {path}, {of_ensemble} it\n" in err
    by_hand = fastmlp.load(trained[0]).predict(pd.read_csv(path).astype({"smoker": object}))
    assert [float(row["price"]) for row in predictions(out)] == by_hand.tolist()
    assert np.isfinite(by_hand).all()


def test_cells_that_were_empty_in_training_may_be_so_again(tmp_path, capsys):
    table, model = written(tmp_path, "t.csv", with_holes(mixed())), str(tmp_path / "m")
    main(["train", table, "--target", "price", "--out", model, "--epochs", "2"])
    capsys.readouterr()
    path = tmp_path / "new.csv"
    path.write_text("age,color,smoker\n,red,true\n30,,\n")
    main(["predict", model, str(path)])
    out, err = capsys.readouterr()
    assert (len(predictions(out)), err) == (2, "")


def test_evaluate_wants_a_target_that_is_known(tmp_path, trained, classifier, capsys):
    path = written(tmp_path, "t.csv", mixed(20).drop(columns="price"))
    assert "there is no target column 'price'" in refused(capsys, "evaluate", trained[0], path)
    path = written(tmp_path, "t.csv", mixed(20).assign(price="x"))
    assert "line 2, column 'price': 'x' is no number" in refused(capsys, "evaluate", trained[0], path)
    frame = bundled("iris")
    frame.loc[4, "target"] = "rose"
    path = written(tmp_path, "t.csv", frame)
    assert "line 6, column 'target': 'rose' is not known from training" in refused(
        capsys, "evaluate", classifier[0], path
    )
    assert "--proba is for classes" in refused(capsys, "predict", trained[0], trained[2], "--proba")


@pytest.mark.parametrize("command", ["train", "predict", "export"])
def test_a_place_where_nothing_can_be_written_is_refused_before_the_work(
    command, tmp_path, trained, capsys, monkeypatch
):
    model, table, new = trained
    words = {
        "train": ["train", table, "--target", "price"],
        "predict": ["predict", model, new],
        "export": ["export", model, "--to", "onnx"],
    }[command]
    assert "is a folder" in refused(capsys, *words, "--out", tmp_path)
    assert "is a folder" in refused(capsys, *words, "--out", f"{tmp_path}/no/")
    assert "--out '' is no name of a file" in refused(capsys, *words, "--out", "")
    if command != "predict":
        assert "only predict writes to standard output" in refused(capsys, *words, "--out", "-")
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != "/dev/null")
    assert "it may not be written into" in refused(capsys, *words, "--out", "/dev/null")
    assert "there is no folder" in refused(capsys, *words, "--out", tmp_path / "no" / "such")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "nothing may be written into" in refused(capsys, *words, "--out", tmp_path / "file")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("command", ["train", "predict", "export"])
def test_what_is_read_is_never_written_over(command, tmp_path, trained, capsys):
    table, model, link = tmp_path / "t.csv", tmp_path / "m", tmp_path / "link"
    shutil.copyfile(trained[1], table)
    shutil.copyfile(trained[0], model)
    words = {
        "train": ["train", table, "--target", "price"],
        "predict": ["predict", model, table],
        "export": ["export", model, "--to", "onnx"],
    }[command]
    for path, what in ((table, "table"), (model, "net")):
        if (command, what) not in (("export", "table"), ("train", "net")):
            before = path.read_bytes()
            link.symlink_to(path)
            for out in (path, link, tmp_path / "." / path.name):
                line = refused(capsys, *words, "--out", out)
                assert line == f"fastmlp: error: --out {out} is the {what} that is read; give another name"
            link.unlink()
            assert path.read_bytes() == before
    if command == "predict":
        with open(table, "rb") as stdin:
            done = run("predict", str(model), "-", "--out", str(table), stdin=stdin)
        assert b"is the table that is read" in done.stderr


def test_the_ending_of_a_file_of_predictions_says_what_it_is(tmp_path, trained, capsys):
    main(["predict", trained[0], trained[2]])
    expected = capsys.readouterr().out.encode()
    main(["predict", trained[0], trained[2], "--out", str(tmp_path / "p.csv.gz")])
    assert gzip.decompress((tmp_path / "p.csv.gz").read_bytes()) == expected
    line = refused(capsys, "predict", trained[0], trained[2], "--out", tmp_path / "p.parquet")
    assert "predictions are written as CSV" in line
    assert os.listdir(tmp_path) == ["p.csv.gz"]


def test_files_that_are_not_there_are_named(tmp_path, trained, capsys):
    none = tmp_path / "none"
    for words in (
        ["predict", none, trained[2]],
        ["predict", trained[0], none],
        ["info", none],
        ["evaluate", none, none],
    ):
        assert refused(capsys, *words) == f"fastmlp: error: {none}: No such file or directory"
    assert refused(capsys, "predict", trained[0], tmp_path) == f"fastmlp: error: {tmp_path}: Is a directory"


def test_a_file_that_is_no_net_is_refused_in_one_line(tmp_path, trained, capsys):
    model, table, _ = trained
    cut = tmp_path / "cut"
    cut.write_bytes(Path(model).read_bytes()[:-5])
    for path in (table, cut):
        for words in (["predict", path, table], ["evaluate", path, table], ["info", path]):
            assert f"{path}" in refused(capsys, *words)


COLUMN = {"name": "a", "kind": "category", "categories": ["b", "c"], "holes": False}
CHANGES = {
    "no JSON": (lambda said: "{", "cannot be read"),
    "no table": (lambda said: "[]", "is no table"),
    "format 0": (lambda said: said | {"format": 0}, "is of format 0, and not 1 to 2; it is damaged"),
    "baseline of classes": (lambda said: said | {"baseline": "red"}, "the baseline of its table is 'red'"),
    "infinite baseline": (lambda said: json.dumps(said | {"baseline": 7.25}).replace("7.25", "1e999"), "baseline"),
    "a later format": (lambda said: said | {"format": 3}, "use a later fastmlp"),
    "one key more": (lambda said: said | {"color": 1}, "expected"),
    "one key less": (lambda said: {k: v for k, v in said.items() if k != "seed"}, "expected"),
    "target": (lambda said: said | {"target": 1}, "target of its table is 1"),
    "target among the columns": (lambda said: said | {"target": "age"}, "names of their own"),
    "task": (lambda said: said | {"task": "magic"}, "'magic'; expected one of"),
    "the other task": (lambda said: said | {"task": "classification", "baseline": 1}, "does not go with"),
    "rows": (lambda said: said | {"rows": -1}, "rows of its table is -1"),
    "rows true": (lambda said: said | {"rows": True}, "rows of its table is True"),
    "loss": (lambda said: json.dumps(said | {"loss": 7.25}).replace("7.25", "1e999"), "loss and score"),
    "NaN": (lambda said: json.dumps(said | {"loss": 7.25}).replace("7.25", "NaN"), "cannot be read"),
    "score": (lambda said: said | {"score": {"R²": "good"}}, "loss and score"),
    "columns": (lambda said: said | {"features": []}, "columns of its table"),
    "one column less": (lambda said: said | {"features": said["features"][1:]}, "does not go with"),
    "a column": (lambda said: said | {"features": [1]}, "is described by 1"),
    "kind": (lambda said: said | {"features": [COLUMN | {"kind": "x"}]}, "of kind 'x'"),
    "categories": (lambda said: said | {"features": [COLUMN | {"categories": ["b", "b"]}]}, "it is damaged"),
    "no categories": (lambda said: said | {"features": [COLUMN | {"categories": []}]}, "it is damaged"),
    "holes": (lambda said: said | {"features": [COLUMN | {"holes": 1}]}, "it is damaged"),
    "no holes": (lambda said: said | {"features": [{k: v for k, v in COLUMN.items() if k != "holes"}]},
                 "expected name, kind, categories and holes"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(CHANGES))
def test_what_a_file_says_of_its_table_is_believed_only_after_a_look(case, tmp_path, either, capsys):
    change, words = CHANGES[case]
    path, contents = tmp_path / "changed", read(either[0])
    changed = change(json.loads(contents.metadata["fastmlp.table"]))
    text = changed if isinstance(changed, str) else json.dumps(changed)
    write(path, Contents(contents.tensors, contents.metadata | {"fastmlp.table": text}))
    line = refused(capsys, "predict", path, either[2])
    assert line.startswith(f"fastmlp: error: {path}: ")
    assert words in line


def changed_description(path, model, change):
    """A file whose description of its table is another one."""
    contents = read(model)
    said = change(json.loads(contents.metadata["fastmlp.table"]))
    write(path, Contents(contents.tensors, contents.metadata | {"fastmlp.table": json.dumps(said)}))
    return str(path)


def test_an_ensemble_goes_with_the_columns_of_its_table_in_their_order(tmp_path, trained, capsys):
    def exchange(said):
        return said | {"features": said["features"][::-1]}

    def rename(said):
        return said | {"features": [said["features"][0] | {"name": "size"}, *said["features"][1:]]}

    for change in (exchange, rename):
        path = changed_description(tmp_path / "changed", trained[0], change)
        line = refused(capsys, "predict", path, trained[2])
        assert "its TabularRegressor, whose inputs are ['age', 'color', 'smoker'], does not go with" in line

    def another_kind(said):
        return said | {"features": [*said["features"][:2], said["features"][2] | {"kind": "number"}]}

    path = changed_description(tmp_path / "changed", trained[0], another_kind)
    numbers = written(tmp_path, "t.csv", mixed(20, 2).assign(smoker=7))
    assert "expected truth values, as in training" in refused(capsys, "predict", path, numbers)


def test_files_of_the_first_format_are_read(tmp_path, net, capsys):
    def first_format(said):
        features = [{key: one[key] for key in ("name", "kind", "categories")} for one in said["features"]]
        return said | {"format": 1, "features": features}

    path = changed_description(tmp_path / "first", net[0], first_format)
    for command in (["predict"], ["evaluate"]):
        main([*command, net[0], net[2]])
        expected = capsys.readouterr()
        main([*command, path, net[2]])
        assert capsys.readouterr() == expected


def test_a_baseline_is_one_of_the_classes_for_whoever_reads_it(tmp_path, classifier, capsys):
    path, contents = tmp_path / "changed", read(classifier[0])
    said = json.loads(contents.metadata["fastmlp.table"]) | {"baseline": "rose"}
    write(path, Contents(contents.tensors, contents.metadata | {"fastmlp.table": json.dumps(said)}))
    for words in (["info", path], ["evaluate", path, classifier[1]], ["export", path, "--to", "c", "--out", "x.h"]):
        assert "the baseline of its table is 'rose', which is none of its classes" in refused(capsys, *words)


# Scores in words


def test_a_number_has_four_digits_or_as_many_as_tell_it_from_a_perfect_one():
    for number, text in (
        (22587.4, "22,590"), (421984.0, "422,000"), (0.96972, "0.9697"), (0.99996, "0.99996"), (1, "1"), (0, "0"),
        (299 / 300, "0.9967"), (1.5e-5, "1.5e-05"), (1e8, "1e+08"), (-0.25, "-0.25"), (1 - 1e-9, "0.999999999"),
    ):  # fmt: skip
        assert table_scores.written(number) == text


class Answers:
    """A model that answers what it is told."""

    def __init__(self, answers, classes=None):
        self.answers = answers
        if classes is not None:
            self.classes_ = classes

    def predict(self, X):
        return self.classes_[self.answers.argmax(axis=1)] if hasattr(self, "classes_") else self.answers

    def predict_proba(self, X):
        return self.answers


def test_a_net_that_is_no_better_than_the_mean_of_the_rows_has_not_learned():
    y = np.arange(100.0)
    for answers, learned in ((np.full(100, 60.0), False), (np.full(100, y.mean()), False), (y + 1, True)):
        scores, said = table_scores.scored(Answers(answers), None, y, 0)
        assert (scores["R²"] > 0) == said.endswith("it learned") == learned
    said = table_scores.scored(Answers(1e100 * (y + 1)), None, 1e100 * y, 0)[1]  # without a warning
    assert said.endswith("it learned")


def test_of_a_few_rows_nothing_is_said():
    y = np.arange(5.0)
    assert table_scores.scored(Answers(y), None, y, 0)[1].endswith("on 5 rows that says nothing")
    assert table_scores.scored(Answers(y[:1]), None, y[:1], 0)[1].endswith("on 1 row that says nothing")


def test_a_net_of_a_rare_class_is_judged_by_its_probabilities():
    classes, y = np.array(["a", "b"]), np.array(["a"] * 180 + ["b"] * 20)
    rare = np.where(y == "b", 0.4, 0.02)
    said = table_scores.scored(Answers(np.column_stack([1 - rare, rare]), classes), None, y, "a")[1]
    assert "0.9 right (180 of 200), where always answering 'a' has 0.9; log loss 0.1098" in said
    assert "where the shares of the classes have 0.3251: it learned" in said
    same = np.full(200, 0.1)
    said = table_scores.scored(Answers(np.column_stack([1 - same, same]), classes), None, y, "a")[1]
    assert "no better than that" in said


# Nets of other origin, info and export


def test_info_says_what_an_ensemble_is(trained, classifier, capsys):
    main(["info", trained[0]])
    out, loaded = capsys.readouterr().out, fastmlp.load(trained[0])
    n, sizes = len(loaded.members_), loaded.members_[0].sizes
    weights = n * sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))
    by_importance = sorted(zip(loaded.feature_importances_, ("age", "color", "smoker"), strict=True), reverse=True)
    for words in (
        "TabularRegressor", f"{n}, each {' → '.join(map(str, sizes))}  mish",
        f"{weights:,} of float32, {4 * weights:,} bytes",
        f"inputs    {len(loaded.get_feature_names_out())} numbers made of 3 columns",
        f"kept      best epoch {loaded.best_epoch_} of {loaded.history_.epochs}",
        "important " + ", ".join(f"{name} {grown:.4g}" for grown, name in by_importance),
        "predicts  'price', a regression", "'color': category of deep, blue, grün, red\n", "'smoker': boolean\n",
        "'age': number\n", f"by fastmlp {fastmlp.__version__}: {loaded.history_.epochs} epochs, 192 rows, last loss ",
        "held out  48 rows, seed 0: R² 0.9", "always answering",
    ):  # fmt: skip
        assert words in out
    main(["info", classifier[0]])
    out, loaded = capsys.readouterr().out, fastmlp.load(classifier[0])
    assert "classes   setosa, versicolor, virginica" in out
    assert f"calibrated by the temperature {loaded.temperature_:.4g}" in out


def test_info_names_columns_with_empty_cells_and_knows_ensembles_of_other_origin(tmp_path, trained, capsys):
    frame, model = with_holes(mixed()).assign(noise=0.0), str(tmp_path / "m")
    main(["train", written(tmp_path, "t.csv", frame), "--target", "price", "--out", model, "--epochs", "1"])
    main(["info", model])
    out = capsys.readouterr().out
    assert "column    'age': number, some of it empty\n" in out
    assert "column    'color': category of deep, blue, grün, red, some of it empty\n" in out
    assert "column    'noise': number\n" in out
    assert "noise" not in out[out.index("important") : out.index("predicts")]  # which brings nothing
    X = np.random.default_rng(0).normal(size=(60, 3))
    fastmlp.TabularClassifier(2, epochs=3, random_state=0).fit(X, X[:, 0] > 0).save(model)
    main(["info", model])
    out = capsys.readouterr().out
    assert "columns   not known: it was not trained by fastmlp train" in out
    assert "classes   False, True" in out
    assert "trained   3 epochs in " in out
    assert "says nothing of the columns of a table" in refused(capsys, "predict", model, trained[2])
    assert "an ensemble of 2 nets" in refused(capsys, "export", model, "--to", "c", "--out", tmp_path / "x.h")
    fastmlp.TabularRegressor(2, hidden_layer_sizes=(), n_bins=0, epochs=1).fit(X, X[:, 0]).save(model)
    main(["info", model])
    assert "nets      2, each 3 → 1\n" in capsys.readouterr().out


def test_info_says_what_a_net_is(tmp_path, net, capsys):
    main(["info", net[0]])
    out = capsys.readouterr().out
    for words in (
        "MLPRegressor", "5 → 64  relu", "64 → 1  identity", "4,609 of float64, 36,872 bytes", "squared_error",
        "predicts  'price', a regression", "'color': category of deep, blue, grün, red", "'smoker': boolean",
        "'age': number",
        f"by fastmlp {fastmlp.__version__}", "192 rows", "held out  48 rows, seed 0: R² 0.9", "always answering",
    ):  # fmt: skip
        assert words in out


@pytest.mark.parametrize("to", ["onnx", "c", "torch"])
def test_an_ensemble_is_not_exported(to, tmp_path, trained, capsys):
    line = refused(capsys, "export", trained[0], "--to", to, "--out", tmp_path / "out")
    n = len(fastmlp.load(trained[0]).members_)
    assert line == (
        f"fastmlp: error: {trained[0]} holds an ensemble of {n} nets, and a file for another program holds one; "
        "train with --hidden, such as --hidden 128,64, to have one net to export"
    )
    assert os.listdir(tmp_path) == []


def nets_of_other_origin(folder):
    net = fastmlp.MLP([3, 5, 2], activation="tanh", seed=0)
    net.save(folder / "net")
    X = np.random.default_rng(0).normal(size=(60, 3))
    estimator = fastmlp.MLPClassifier((7,), max_iter=5, tol=0, n_iter_no_change=9, random_state=0, solver="sgd")
    estimator.set_params(early_stopping=False, shuffle=True, schedule="constant").fit(X, X[:, 0] > 0)
    save(estimator, folder / "estimator", False)


def test_info_and_export_know_nets_of_other_origin_and_predict_says_that_it_does_not(tmp_path, trained, capsys):
    nets_of_other_origin(tmp_path)
    main(["info", str(tmp_path / "net")])
    out = capsys.readouterr().out
    assert "3 → 5  tanh" in out
    assert "32 of float32, 128 bytes" in out
    main(["info", str(tmp_path / "estimator")])
    assert "7 → 1  sigmoid" in capsys.readouterr().out
    for name in ("net", "estimator"):
        line = refused(capsys, "predict", tmp_path / name, trained[2])
        assert "says nothing of the columns of a table" in line


def test_info_says_that_a_training_is_not_over(tmp_path, capsys):
    X, path = np.random.default_rng(0).normal(size=(50, 3)), tmp_path / "run"

    def stop(net, progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fastmlp.MLP([3, 4, 1], seed=0).fit(X, X[:, :1], epochs=5, checkpoint=path, callbacks=stop)
    main(["info", str(path)])
    out = capsys.readouterr().out
    assert "fit       not over" in out
    assert "ended by" not in out


@pytest.mark.parametrize("kind", ["regression", "classification"])
@pytest.mark.parametrize("to", ["onnx", "c", "torch"])
def test_what_is_exported_computes_what_predict_does(to, kind, tmp_path, net, capsys):
    model, frame = net[0], mixed(50, 1)
    if kind == "classification":
        model, sold = str(tmp_path / "m"), mixed().assign(sold=lambda f: np.where(f["price"] > 120, "yes", "no"))
        sold = sold.drop(columns="price")
        main(["train", written(tmp_path, "t.csv", sold), "--target", "sold", "--out", model, "--hidden", "9"])
    capsys.readouterr()
    main(["predict", model, net[2], *(["--proba"] if kind == "classification" else [])])
    rows = [list(row.values()) for row in predictions(capsys.readouterr().out)]
    expected = np.array([row[-1] for row in rows], float)
    out = tmp_path / f"my-net.{to}"
    main(["export", model, "--to", to, "--out", str(out)])
    said = capsys.readouterr().out
    X = inputs_of_mixed(frame)
    assert "its inputs, in their order:\n    0  age\n    1  color=deep, blue\n" in said
    if kind == "classification" and to != "torch":
        assert "its classes, in the order of their probabilities:\n    0  no\n    1  yes\n" in said
    if to == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
        label, *probabilities = session.run(None, {"X": X})
        if kind == "classification":
            assert label.tolist() == [row[0] for row in rows]
            label = probabilities[0][:, 1]
        found = label.reshape(-1)
    elif to == "c":
        assert f"written  {out}, the function my_net; its inputs" in said
        found = of_compiled(tmp_path, out.read_text(), X, 1 if kind == "regression" else 2)[:, -1]
    else:
        import torch
        from torch.nn import Linear, ReLU, Sequential, Sigmoid

        if kind == "classification":
            assert "its output is the probability of yes, and not of no" in said
            layers = Sequential(Linear(5, 9), ReLU(), Linear(9, 1), Sigmoid())
        else:
            layers = Sequential(Linear(5, 64), ReLU(), Linear(64, 64), ReLU(), Linear(64, 1))
        assert f"it is the state_dict of\n{layers}\n" in said
        layers.double().load_state_dict(torch.load(out, weights_only=True))
        found = layers(torch.from_numpy(X)).detach().numpy().reshape(-1)
    assert found == pytest.approx(expected, rel=1e-5 if to == "onnx" else 1e-12, abs=1e-6 if to == "onnx" else 1e-12)


def of_compiled(folder, header, X, n):
    """What the function of a header gives for rows."""
    rows = ",".join(map(repr, X.reshape(-1).tolist()))
    (folder / "net.h").write_text(header)
    (folder / "net.c").write_text(
        f'#include <stdio.h>\n#include "net.h"\nstatic const double X[] = {{{rows}}};\nint main(void)\n{{\n'
        f"    double y[{n}];\n    for (int i = 0; i < {len(X)}; i++) {{\n        my_net(X + i * {X.shape[1]}, y);\n"
        f'        for (int k = 0; k < {n}; k++) printf("%.17g\\n", y[k]);\n    }}\n    return 0;\n}}\n'
    )
    subprocess.run(["gcc", "-std=c99", "net.c", "-o", "net", "-lm"], cwd=folder, check=True)
    done = subprocess.run([folder / "net"], capture_output=True, text=True, check=True)
    return np.array(done.stdout.split(), float).reshape(-1, n)


def test_inputs_without_names_are_numbered(tmp_path, capsys):
    nets_of_other_origin(tmp_path)
    main(["export", str(tmp_path / "net"), "--to", "c", "--out", str(tmp_path / "2.h")])
    said = capsys.readouterr().out.splitlines()
    assert "the function net_2;" in said[0]
    assert [line.split()[1] for line in said[1:]] == ["x[0]", "x[1]", "x[2]"]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("double", "net_double"),
        ("printf", "net_printf"),
        ("M_x", "net_M_x"),
        ("2", "net_2"),
        ("my_own_own_net", "my_net"),
        ("a_INPUTS", "a_INPUTS_net"),
    ],
)
def test_a_file_that_is_called_as_no_function_can_be_has_one_of_another_name(tmp_path, net, capsys, file, name):
    out = tmp_path / f"{file}.h"
    main(["export", net[0], "--to", "c", "--out", str(out)])
    assert f"the function {name};" in capsys.readouterr().out
    X = inputs_of_mixed(mixed(50, 1))
    found = of_compiled(tmp_path, out.read_text().replace(name, "my_net"), X, 1)
    main(["predict", net[0], net[2]])
    expected = [float(*row.values()) for row in predictions(capsys.readouterr().out)]
    assert found[:, 0] == pytest.approx(expected, rel=1e-12)


def test_a_function_of_c_has_the_name_that_is_given(tmp_path, net, capsys):
    out = tmp_path / "double.h"
    main(["export", net[0], "--to", "c", "--out", str(out), "--name", "price_of"])
    assert "the function price_of;" in capsys.readouterr().out
    assert "void price_of(const double x[5], double y[1]);" in out.read_text()
    out.unlink()
    assert "name is 'double', which C" in refused(
        capsys, "export", net[0], "--to", "c", "--out", out, "--name", "double"
    )
    assert "--name price_of is for --to c" in refused(
        capsys, "export", net[0], "--to", "onnx", "--out", out, "--name", "price_of"
    )
    assert not out.exists()


def test_without_torch_export_says_what_to_install(tmp_path, net, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "fastmlp.torch_modules", raising=False)
    line = refused(capsys, "export", net[0], "--to", "torch", "--out", tmp_path / "out")
    assert "pip install 'torch>=" in line
    assert os.listdir(tmp_path) == []


# The words


@pytest.mark.parametrize("command", ["train", "predict", "evaluate", "export", "info"])
def test_help_has_an_example(command, capsys):
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    assert f"examples:\n  fastmlp {command} " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "t.csv", "--target", "y"], "--out"),
        (["train", "t.csv", "--out", "m"], "--target"),
        (["train", "t.csv", "--target", "y", "--out", "m", "--hidden", "5,x"], "expected numbers of neurons"),
        (["train", "t.csv", "--target", "y", "--out", "m", "--hidden", "0"], "expected numbers of neurons"),
        (["train", "t.csv", "--target", "y", "--out", "m", "--epochs", "0"], "at least 1"),
        (["train", "t.csv", "--target", "y", "--out", "m", "--seed", "4294967296"], "at most 4294967295"),
        (["train", "t.csv", "--target", "y", "--out", "m", "--separator", "ab"], "expected one character"),
        (["train", "t.csv", "--target", "y", "--out", "m", "--task", "magic"], "invalid choice"),
        (["export", "m", "--to", "java", "--out", "x"], "invalid choice"),
    ],
)
def test_words_that_are_not_understood_end_with_2(words, message, capsys):
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_the_help_is_there_before_scikit_learn_or_pyarrow_is(tmp_path):
    code = (
        "import sys, contextlib\nfrom fastmlp.__main__ import main\n"
        "with contextlib.suppress(SystemExit): main(['train', '--help'])\n"
        "assert not {'sklearn', 'scipy', 'pandas', 'pyarrow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)
    code = (
        "import sys\nsys.modules['sklearn'] = None\nfrom fastmlp.__main__ import main\n"
        f"main(['train', {written(tmp_path, 't.csv', mixed())!r}, '--target', 'price', '--out', 'm'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("fastmlp: error: ")
    assert "pip install 'scikit-learn" in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_interrupt_ends_with_130_and_a_line(trained, capsys, monkeypatch):
    def interrupted(*given, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr("fastmlp.table_commands.opened", interrupted)
    with pytest.raises(SystemExit) as end:
        main(["info", trained[0]])
    assert end.value.code == 130
    assert capsys.readouterr().err == "\nfastmlp: interrupted\n"


INTERRUPTED_IMPORT = """
import os, signal, sys
from fastmlp.__main__ import main

class Interrupts:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupts())
main(["info", {file!r}])
"""


@pytest.mark.parametrize("module", ["sklearn", "fastmlp.table_commands", "fastmlp.estimators"])
def test_an_interrupt_while_a_command_is_imported_ends_with_130_and_a_line(trained, module):
    done = python("-c", INTERRUPTED_IMPORT.format(module=module, file=trained[0]))
    assert done.returncode == 130
    assert done.stderr == "\nfastmlp: interrupted\n"
