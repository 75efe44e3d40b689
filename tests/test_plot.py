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


def test_a_confusion_matrix_counts_answers():
    net = fastmlp.MLP.from_parameters([np.eye(2)], None, output="softmax")
    X, y = [[1, 0], [1, 0], [0, 1], [0, 1]], [0, 1, 1, 1]
    ax = plot.confusion_matrix(net, X, y, labels=["no", "yes"])
    assert sorted(texts(ax)) == ["0", "1", "1", "2"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["no", "yes"]


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
        (lambda: plot.graph(of_net(fastmlp.MLP([8, 8, 8], seed=0), np.ones(8), np.ones(8)).loss), "at most 80"),
    ],
)
def test_bad_input_says_what_is_wrong(call, words):
    with pytest.raises((ValueError, TypeError), match=words):
        call()
