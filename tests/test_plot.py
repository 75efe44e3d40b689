"""Pictures: what is drawn is what was computed, and each is drawn where it was asked for, without a display."""

import subprocess
import sys

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb

import fastmlp
from fastmlp import plot
from fastmlp.graph import Value, of_net
from fastmlp.plot import canvas

CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])


@pytest.fixture(autouse=True)
def no_figure_is_left():
    yield
    plt.close("all")


def texts(ax):
    return [text.get_text() for text in ax.texts]


def lines_of(ax, gid):
    [found] = [one for one in ax.collections if isinstance(one, LineCollection) and one.get_gid() == gid]
    return found


def test_the_lines_of_a_network_are_as_wide_as_weights_are_large_and_coloured_by_sign():
    net = fastmlp.MLP.from_parameters([[[1.0, -2.0], [0.5, 4.0]]], [[3.0, -1.0]], dtype="float64")
    ax = plot.network(net)
    weights, biases = lines_of(ax, "weights 1"), lines_of(ax, "biases 1")
    widths = np.concatenate([weights.get_linewidths(), biases.get_linewidths()])
    sizes = np.array([1.0, 2.0, 0.5, 4.0, 3.0, 1.0])
    slopes = np.diff(np.sort(widths)) / np.where(np.diff(np.sort(sizes)) == 0, np.inf, np.diff(np.sort(sizes)))
    assert (np.argsort(widths, kind="stable") == np.argsort(sizes, kind="stable")).all()
    np.testing.assert_allclose(slopes[slopes > 0], slopes[0])
    signs = [to_rgb(colour[:3]) == to_rgb(canvas.BLUE) for colour in weights.get_colors()]
    assert signs == [True, False, True, True]


def test_a_network_with_a_sample_shows_the_lecture_s_values_and_gradients():
    example = fastmlp.examples.load("003")
    shown = " ".join(texts(plot.network(example.net, example.x, example.y))).replace("−", "-")
    for number in ("0.378", "0.593", "1.11", "0.751", "0.0822", "0.741", "0.138", "0.298371", "0.45"):
        assert number in shown, number


def test_numbers_can_be_left_out_of_a_network():
    example = fastmlp.examples.load("003")
    assert "0.45" not in texts(plot.network(example.net, numbers=False))
    assert "0.45" in texts(plot.network(example.net, numbers=True))


def test_lines_of_a_network_lead_from_neuron_to_neuron_in_the_order_of_the_weights():
    net = fastmlp.MLP([3, 2], seed=0)
    ends = np.array(lines_of(plot.network(net), "weights 1").get_segments())  # (6, 2, 2)
    starts, stops = ends[:, 0, 1].reshape(3, 2), ends[:, 1, 1].reshape(3, 2)
    assert (starts[:, 0] == starts[:, 1]).all()
    assert (np.diff(starts[:, 0]) < 0).all()  # x1 on top
    assert (stops == stops[0]).all()
    assert stops[0, 0] > stops[0, 1]


def test_a_network_without_biases_draws_none():
    net = fastmlp.MLP([2, 2, 1], bias=False, seed=0)
    gids = {one.get_gid() for one in plot.network(net).collections}
    assert gids == {"weights 1", "weights 2"}


def test_a_gradient_of_minus_zero_has_no_sign():
    example = fastmlp.examples.load("001")
    assert not [text for text in texts(plot.network(example.net, example.x, example.y)) if text.endswith("−0")]


def test_on_small_axes_a_network_leaves_numbers_out_unless_told():
    net = fastmlp.examples.load("003").net
    _, ((small, told), _) = plt.subplots(2, 2, figsize=(2.4, 2))
    assert "0.45" not in texts(plot.network(net, ax=small))
    assert "0.45" in texts(plot.network(net, ax=told, numbers=True))


def drawings_with_texts():
    for name in ("001", "002", "003"):
        example = fastmlp.examples.load(name)
        yield plot.network(example.net)
        yield plot.network(example.net, example.x)
        yield plot.network(example.net, example.x, example.y)
    example = fastmlp.examples.load("002")
    loss = of_net(example.net, example.x, example.y).loss
    loss.backward()
    yield plot.graph(loss)
    x = Value(3, "x")
    yield plot.graph((x * x + (x * 2).activate("sigmoid")).log())


def test_no_text_of_a_diagram_lies_upon_another_or_beyond_the_figure():
    for ax in drawings_with_texts():
        figure = ax.figure
        figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in [*ax.texts, *ax.get_legend().get_texts()]]
        assert len(boxes) > 10
        for i, box in enumerate(boxes):
            assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
            assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1
            for other in boxes[:i]:
                width = min(box.x1, other.x1) - max(box.x0, other.x0)
                height = min(box.y1, other.y1) - max(box.y0, other.y0)
                assert width <= 0 or height <= 0.25 * min(box.height, other.height)  # a box is higher than its digits


def contour(ax):
    paths = [path for one in ax.collections if type(one).__name__.endswith("ContourSet") for path in one.get_paths()]
    return np.concatenate([path.vertices for path in paths if len(path.vertices)])


def test_the_boundary_of_and_is_where_its_neuron_is_zero():
    ax = plot.decision_boundary(fastmlp.examples.load("and").net, CORNERS, [0, 0, 0, 1], limits=((-1, 2), (-1, 2)))
    line = contour(ax)
    assert len(line) > 10
    np.testing.assert_allclose(line.sum(axis=1), 1.5, atol=0.02)


def test_the_lines_of_hidden_neurons_are_where_their_z_is_zero():
    ax = plot.decision_boundary(fastmlp.examples.load("xnor").net, limits=((0, 1), (0, 1)))
    ends = [
        np.array(line.get_xydata()) for line in ax.lines if line.get_linestyle() == "--" and len(line.get_xydata())
    ]
    sums = sorted(float(end.sum(axis=1).mean()) for end in ends)
    assert sums == pytest.approx([0.5, 1.5])  # 2 - 4 x1 - 4 x2 = 0, and -6 + 4 x1 + 4 x2 = 0
    assert all(np.ptp(end.sum(axis=1)) < 1e-9 for end in ends)
    without = plot.decision_boundary(fastmlp.examples.load("xnor").net, limits=((0, 1), (0, 1)), hidden=False)
    assert not [line for line in without.lines if line.get_linestyle() == "--"]


def test_the_line_of_a_perceptron_is_its_boundary():
    neuron = fastmlp.Perceptron().fit(CORNERS, [0, 0, 0, 1])
    line = contour(plot.decision_boundary(neuron, CORNERS, [0, 0, 0, 1]))
    np.testing.assert_allclose(line @ neuron.weights + neuron.bias, 0, atol=0.05)


def test_the_regions_of_softmax_are_the_largest_output():
    net = fastmlp.MLP.from_parameters([[[1, -1, 0], [0, 0, 1]]], None, output="softmax")
    ax = plot.decision_boundary(net, limits=((-1, 1), (-1, 1)))
    [mesh] = [one for one in ax.collections if type(one).__name__ == "QuadMesh"]
    classes = mesh.get_array().reshape(mesh.get_coordinates().shape[0] - 1, -1)
    assert (classes[:, 0] >= 1).all()  # on the left, -x1 or x2 is larger than x1
    assert classes[0, -1] == 0
    assert classes[-1, len(classes) // 2] == 2


def test_classes_of_samples_differ_in_marker_and_in_colour():
    ax = plot.decision_boundary(fastmlp.MLP([2, 3], output="softmax", seed=0), CORNERS, [0, 1, 2, 1])
    marks = {line.get_label(): line for line in ax.lines if line.get_label().startswith("class")}
    assert list(marks) == ["class 0", "class 1", "class 2"]
    np.testing.assert_array_equal(marks["class 1"].get_xydata(), CORNERS[[1, 3]])
    assert len({line.get_marker() for line in marks.values()}) == 3
    assert len({line.get_color() for line in marks.values()}) == 3


def test_the_sigmoid_boundary_is_at_a_half_and_that_of_tanh_at_zero():
    for output in ("sigmoid", "tanh"):
        net = fastmlp.MLP.from_parameters([[[2.0], [-1.0]]], [[0.5]], output=output, loss="half_squared_error")
        line = contour(plot.decision_boundary(net, limits=((-1, 1), (-1, 1))))
        np.testing.assert_allclose(line @ [2.0, -1.0] + 0.5, 0, atol=0.01)


def test_loss_curves_are_the_history_and_its_best_epoch_is_marked():
    net = fastmlp.MLP([2, 4, 1], output="sigmoid", seed=0)
    history = net.fit(CORNERS, [0, 1, 1, 0], epochs=20, validation=(CORNERS, [0, 1, 1, 1]))
    ax = plot.loss(history)
    curves = [line.get_ydata() for line in ax.lines]
    np.testing.assert_array_equal(curves[0], history.loss)
    np.testing.assert_array_equal(curves[1], history.validation_loss)
    assert ax.lines[2].get_xdata()[0] == 1 + int(np.argmin(history.validation_loss))


@pytest.mark.parametrize("derivative", [False, True])
def test_curves_of_activations_are_their_formulas(derivative):
    ax = plot.activations(["tanh", "relu"], derivative=derivative, limits=(-2, 2))
    for line, g, slope in zip(
        ax.lines,
        (np.tanh, lambda z: np.maximum(z, 0)),
        (lambda z: 1 - np.tanh(z) ** 2, lambda z: z > 0),
        strict=False,
    ):
        z = line.get_xdata()
        assert (z[0], z[-1]) == (-2, 2)
        np.testing.assert_allclose(line.get_ydata(), (slope if derivative else g)(z), atol=1e-12)


def test_a_recorder_counts_the_weights_and_gradients_of_each_epoch():
    net = fastmlp.MLP([2, 4, 1], output="sigmoid", dtype="float64", seed=0)
    recorder = plot.Recorder(CORNERS, [0, 1, 1, 0])
    seen = []
    net.fit(
        CORNERS, [0, 1, 1, 0], epochs=6,
        callbacks=[recorder, lambda net, _: seen.append(np.median(net.weights[0])) and False],
    )  # fmt: skip
    assert recorder.epochs == [1, 2, 3, 4, 5, 6]
    assert [int(kept.counts.sum()) for kept in recorder.weights[0]] == [8] * 6
    medians = [kept.quantiles[2] for kept in recorder.weights[0]]
    np.testing.assert_allclose(medians, seen)
    gradient = net.gradient(CORNERS, [0, 1, 1, 0]).weights[1]
    assert recorder.gradients[1][-1].quantiles[2] == pytest.approx(np.median(gradient))
    for what in ("weights", "gradients"):
        assert plot.histograms(recorder, 1, what) is not None


def test_a_loss_that_falls_far_has_a_logarithmic_scale():
    assert plot.loss(fastmlp.History(loss=[1.0, 0.1, 0.01])).get_yscale() == "log"
    assert plot.loss(fastmlp.History(loss=[1.0, 0.5, 0.2])).get_yscale() == "linear"
    assert plot.loss(fastmlp.History(loss=[1.0, 0.5, 0.0])).get_yscale() == "linear"


def test_activations_differ_in_style_and_colour_together():
    names = [name for name in fastmlp.activations if name != "softmax"]
    lines = plot.activations(names, limits=(-2, 2)).lines[: len(names)]
    assert [line.get_label() for line in lines] == names
    assert len({(line.get_color(), str(line._unscaled_dash_pattern)) for line in lines}) == len(names)
    step = lines[names.index("step")]
    np.testing.assert_array_equal(step.get_ydata(), step.get_xdata() >= 0)


def test_a_column_of_the_histograms_is_the_share_of_weights_in_each_row():
    net = fastmlp.MLP([40, 50, 1], seed=0)
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 40)), rng.normal(size=20)
    recorder, seen = plot.Recorder(X, y), []
    net.fit(X, y, epochs=3, callbacks=[recorder, lambda net, _: seen.append(net.weights[0].ravel().copy()) and False])
    mesh = plot.histograms(recorder, 1).collections[0]
    rows = mesh.get_coordinates()[:, 0, 1]
    shares = mesh.get_array().reshape(len(rows) - 1, 3)
    np.testing.assert_allclose(shares.sum(axis=0), 1)
    for epoch, weights in enumerate(seen):
        assert rows[0] <= weights.min() < weights.max() <= rows[-1]
        counted = np.histogram(weights, rows)[0] / weights.size
        # Within a bin of the record, of which there are 64, the share is spread evenly: a few weights move.
        np.testing.assert_allclose(np.cumsum(shares[:, epoch]), np.cumsum(counted), atol=0.01)


def test_a_recorder_of_many_epochs_keeps_a_bounded_number():
    net = fastmlp.MLP([2, 1], output="sigmoid", seed=0)
    recorder = plot.Recorder(CORNERS, [0, 1, 1, 0])
    net.fit(CORNERS, [0, 1, 1, 0], epochs=1500, callbacks=recorder)
    assert 256 <= len(recorder.epochs) <= 512
    assert len(set(np.diff(recorder.epochs))) == 1
    assert len(recorder.weights[0]) == len(recorder.epochs)


def test_images_of_the_first_layer_hold_its_weights():
    net = fastmlp.MLP([6, 2, 1], dtype="float64", seed=0)
    ax = plot.first_layer(net, (2, 3))
    shown = np.ma.filled(ax.images[0].get_array(), np.nan)
    for j in range(2):
        for weight in net.weights[0][:, j]:
            assert np.isclose(shown, weight).any()
    low, high = ax.images[0].get_clim()
    assert low == -high == -np.abs(net.weights[0]).max()


def test_tiles_of_the_first_layer_stand_where_they_are_named():
    net = fastmlp.MLP([6, 5, 1], dtype="float64", seed=0)
    ax = plot.first_layer(net, (2, 3), neurons=[5, 2])
    shown = np.ma.filled(ax.images[0].get_array(), np.nan)
    np.testing.assert_array_equal(shown[1:3, 1:4], net.weights[0][:, 4].reshape(2, 3))
    place = np.argwhere(np.isclose(shown, net.weights[0][0, 1]))[0]
    np.testing.assert_array_equal(
        shown[place[0] : place[0] + 2, place[1] : place[1] + 3], net.weights[0][:, 1].reshape(2, 3)
    )
    assert np.isfinite(shown).sum() == 12
    assert ax.get_yticklabels()[0].get_text() == "h5"


def test_a_confusion_matrix_counts_answers():
    net = fastmlp.MLP.from_parameters([np.eye(2)], None, output="softmax")
    X, y = [[1, 0], [1, 0], [0, 1], [0, 1]], [0, 1, 1, 1]
    ax = plot.confusion_matrix(net, X, y, labels=["no", "yes"])
    assert sorted(texts(ax)) == ["0", "1", "1", "2"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["no", "yes"]


def test_a_confusion_matrix_takes_an_estimator_and_shares_of_rows():
    X, y = np.repeat(CORNERS[:2], 4, axis=0), ["cat"] * 3 + ["dog"] * 5
    model = fastmlp.MLPClassifier((8,), max_iter=300, learning_rate_init=0.05, random_state=0).fit(X, y)
    ax = plot.confusion_matrix(model, X, y, normalize=True)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["cat", "dog"]
    assert sorted(texts(ax)) == ["0.00", "0.20", "0.80", "1.00"]  # one dog stands among the cats


def test_a_confusion_matrix_without_scikit_learn_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match=r"scikit-learn.*fastmlp\[sklearn\]"):
        plot.confusion_matrix(fastmlp.MLP([2, 2], output="softmax"), CORNERS, [0, 1, 1, 0])


def test_a_graph_shows_values_and_gradients():
    x, y, z = Value(-2, "x"), Value(5, "y"), Value(-4, "z")
    f = (x + y) * z
    assert "−4" not in "".join(texts(plot.graph(f))).replace("−4", "", 1)  # z alone: nothing went backward
    f.backward()
    shown = texts(f.plot())
    assert [shown.count(number) for number in ("−2", "5", "−12", "3")] == [1, 1, 1, 2]
    assert shown.count("−4") == 4  # the value of z, the gradients of x, y and x + y
    assert {"x", "y", "z", "+", "×"} <= set(shown)


DRAWN = {
    "network": lambda ax: plot.network(fastmlp.examples.load("003").net, ax=ax),
    "decision_boundary": lambda ax: plot.decision_boundary(fastmlp.examples.load("xnor").net, CORNERS, ax=ax),
    "loss": lambda ax: plot.loss(fastmlp.MLP([2, 1], seed=0).fit(CORNERS, [0, 1, 1, 0], epochs=2), ax=ax),
    "activations": lambda ax: plot.activations(ax=ax),
    "first_layer": lambda ax: plot.first_layer(fastmlp.MLP([4, 3, 1], seed=0), (2, 2), ax=ax),
    "confusion_matrix": lambda ax: plot.confusion_matrix(
        fastmlp.examples.load("xnor").net, CORNERS, [1, 0, 0, 1], ax=ax
    ),
    "graph": lambda ax: plot.graph(Value(2, "x") * 3, ax=ax),
    "histograms": lambda ax: plot.histograms(recorded(), 2, "gradients", ax=ax),
}


@pytest.mark.parametrize("name", DRAWN)
def test_each_draws_on_the_axes_it_is_given_and_returns_it(name):
    figure, ax = plt.subplots()
    before = plt.get_fignums()
    assert DRAWN[name](ax) is ax
    assert plt.get_fignums() == before
    assert DRAWN[name](None).figure is not figure


def test_it_draws_without_a_display_and_leaves_settings_alone(tmp_path):
    code = (
        "import matplotlib, fastmlp; before = dict(matplotlib.rcParams); e = fastmlp.examples.load('003')\n"
        f"fastmlp.plot.network(e.net, e.x, e.y).figure.savefig({str(tmp_path / 'net.png')!r})\n"
        "assert {k: v for k, v in matplotlib.rcParams.items() if k != 'backend'} == "
        "{k: v for k, v in before.items() if k != 'backend'}"
    )
    done = subprocess.run([sys.executable, "-c", code], env={"PATH": ""}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "net.png").stat().st_size > 10_000


def test_importing_plot_needs_no_matplotlib_and_drawing_says_how_to_get_it(monkeypatch):
    code = "import sys, fastmlp.plot; assert 'matplotlib' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'matplotlib>=3.9'.*plot"):
        plot.activations()


def recorded():
    """What saw an epoch of a 2-2-1 net."""
    recorder = plot.Recorder(CORNERS, [0, 1, 1, 0])
    fastmlp.MLP([2, 2, 1], seed=0).fit(CORNERS, [0, 1, 1, 0], epochs=1, callbacks=recorder)
    return recorder


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plot.network(fastmlp.MLP([64, 32, 10])), "at most 8 layers of at most 16"),
        (lambda: plot.network("net"), "net is"),
        (lambda: plot.network(fastmlp.MLP([2, 1]), [1, 2, 3]), r"x has shape \(3,\)"),
        (lambda: plot.network(fastmlp.MLP([2, 1]), y=1), "without x"),
        (lambda: plot.decision_boundary(fastmlp.MLP([3, 1], output="sigmoid")), "3"),
        (lambda: plot.decision_boundary(fastmlp.examples.load("and").net, limits=((1, 0), (0, 1))), "limits"),
        (lambda: plot.decision_boundary(fastmlp.Perceptron()), "not been fitted"),
        (lambda: plot.loss([1, 2]), "history is"),
        (lambda: plot.activations("tanx"), "did you mean 'tanh'"),
        (lambda: plot.activations(["step"], derivative=True), "step"),
        (lambda: plot.first_layer(fastmlp.MLP([6, 2, 1]), (2, 2)), r"shape"),
        (lambda: plot.first_layer(fastmlp.MLP([4, 2, 1]), (2, 2), neurons=[3]), "neurons"),
        (lambda: plot.histograms(plot.Recorder(CORNERS, [0, 1, 1, 0]), 1), "recorder"),
        (lambda: plot.confusion_matrix(fastmlp.MLP([2, 1]), CORNERS, [0, 1, 1, 0]), "identity"),
        (lambda: plot.graph(3), "value is a int"),
        (lambda: plot.network(fastmlp.MLP([2] * 9)), "at most 8 layers"),
        (lambda: plot.network(fastmlp.MLP([2, 1]), numbers="no"), "numbers is 'no'"),
        (lambda: plot.decision_boundary(fastmlp.MLP([2, 3])), "3 identity outputs"),
        (lambda: plot.decision_boundary(fastmlp.MLP([2, 1], output="relu")), "never negative"),
        (lambda: plot.decision_boundary(fastmlp.MLP([2, 1]), y=[1]), "y came without X"),
        (lambda: plot.decision_boundary(fastmlp.MLP([2, 1]), [[np.nan, 0]]), "finite"),
        (lambda: plot.loss(fastmlp.History()), "no epoch"),
        (lambda: plot.activations([]), "names is"),
        (lambda: plot.activations("softmax"), "names"),
        (lambda: plot.activations(limits=(1, 1)), "limits"),
        (lambda: plot.first_layer(fastmlp.MLP([4, 300, 1]), (2, 2)), r"300 neurons.*neurons=range"),
        (lambda: plot.first_layer(fastmlp.MLP([4, 2, 1]), 4), "shape is 4"),
        (lambda: plot.histograms(recorded(), 3), "layer is 3; expected 1 to 2"),
        (lambda: plot.histograms(recorded(), 1, "biases"), "what is 'biases'"),
        (lambda: recorded()(fastmlp.MLP([2, 3]), fastmlp.History()), "make one for each net"),
        (lambda: plot.confusion_matrix("net", CORNERS, [0, 1, 1, 0]), "net is a str"),
        (
            lambda: plot.confusion_matrix(fastmlp.MLP([2, 2], output="softmax"), CORNERS, [0, 1, 1, 0], labels=["a"]),
            "labels has 1 names; expected 2",
        ),
        (lambda: plot.network(fastmlp.MLP([2, 1]), ax="axes"), "ax is 'axes'"),
        (lambda: plot.graph(of_net(fastmlp.MLP([8, 8, 8], seed=0), np.ones(8), np.ones(8)).loss), "at most 80"),
    ],
)
def test_bad_input_says_what_is_wrong(call, words):
    before = plt.get_fignums()
    with pytest.raises((ValueError, TypeError), match=words):
        call()
    assert plt.get_fignums() == before
