"""Nets in files: kept to the bit, read by the safetensors package and from it, and believed only after a look.

Not here: pickles (test_mlp.py).
"""

import json
import multiprocessing
import os
import pickle
import signal
import time

import numpy as np
import pytest
import safetensors.numpy

import fastmlp
from fastmlp.files import Contents, LoadError, read, write

X = np.random.default_rng(0).normal(size=(50, 3))
Y = X[:, :2] ** 2

NETS = {
    "plain": {"sizes": [3, 5, 2]},
    "one layer": {"sizes": [3, 2]},
    "without bias": {"sizes": [3, 4, 2], "bias": False},
    "float64": {"sizes": [3, 4, 2], "dtype": "float64"},
    "activations": {"sizes": [3, 5, 4, 2], "activation": ["leaky_relu", "gelu"], "negative_slope": 0.2},
    "dropout": {"sizes": [3, 9, 2], "dropout": 0.3},
    "huber": {"sizes": [3, 5, 2], "loss": "huber", "huber_delta": 0.3},
    "quantile": {"sizes": [3, 5, 2], "loss": "quantile", "quantile": 0.9},
    "input scale": {"sizes": [3, 5, 2], "input_scale": True},
    "label smoothing": {"sizes": [3, 5, 2], "output": "softmax", "label_smoothing": 0.1},
    "sigmoid": {"sizes": [3, 5, 2], "output": "sigmoid", "loss": "half_squared_error"},
}
OPTIMIZERS = [None, "adam", fastmlp.SGD(0.01, momentum=0.9, nesterov=True), fastmlp.AdamW(1e-3), fastmlp.RMSprop()]


def net_of(name, optimizer=None):
    net = fastmlp.MLP(**NETS[name], seed=0)
    if optimizer is not None:
        net.fit(X, Y, epochs=3, batch_size=16, optimizer=optimizer)
    return net


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", list(NETS))
def test_a_net_comes_back_to_the_bit_and_goes_on_as_if_nothing_had_been(tmp_path, name, optimizer):
    net, path = net_of(name, optimizer), tmp_path / "net.safetensors"
    net.trainable = [len(net.sizes) == 2] + [True] * (len(net.sizes) - 2)
    net.save(path, training=True)
    again = fastmlp.load(path)
    assert again.parameters.tobytes() == net.parameters.tobytes()
    assert str(again) == str(net)
    assert again._architecture == net._architecture
    assert again.trainable == net.trainable
    assert again.rate_factors == net.rate_factors
    assert again.predict(X).tobytes() == net.predict(X).tobytes()
    method = "adam" if optimizer is None else optimizer
    for each in (net, again):
        each.fit(X, Y, epochs=3, batch_size=16, optimizer=method)
    assert again.parameters.tobytes() == net.parameters.tobytes()


def test_without_training_the_weights_alone_are_kept(tmp_path):
    net = net_of("plain", "adam")
    net.save(tmp_path / "small")
    net.save(tmp_path / "large", training=True)
    small, large = (os.path.getsize(tmp_path / name) for name in ("small", "large"))
    assert large - small > 1.9 * net.parameters.nbytes
    assert set(read(tmp_path / "small").tensors) == {
        "W1",
        "b1",
        "W2",
        "b2",
        "history.loss",
        "history.validation_loss",
        "history.validation_accuracy",
        "history.metric",
    }
    assert fastmlp.load(str(tmp_path / "small")).predict(X).tobytes() == net.predict(X).tobytes()


def test_the_safetensors_package_reads_it_and_writes_what_is_read(tmp_path):
    net, path = net_of("activations"), tmp_path / "net.safetensors"
    net.save(path)
    tensors = safetensors.numpy.load_file(path)
    for l, (W, b) in enumerate(zip(net.weights, net.biases, strict=True), 1):
        assert np.array_equal(tensors[f"W{l}"], W)
        assert np.array_equal(tensors[f"b{l}"], b)
    other = tmp_path / "other.safetensors"
    safetensors.numpy.save_file(tensors, other, metadata=read(path).metadata)
    assert fastmlp.load(other).parameters.tobytes() == net.parameters.tobytes()


def test_a_net_that_is_not_finite_is_not_saved(tmp_path):
    net = net_of("plain")
    net.weights[0][0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity"):
        net.save(tmp_path / "net")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("training", [1, None, "yes"])
def test_training_is_true_or_false(tmp_path, training):
    with pytest.raises(TypeError, match="training is"):
        net_of("plain").save(tmp_path / "net", training=training)


class Mine(fastmlp.MLP):
    pass


def test_a_net_of_another_class_is_not_saved(tmp_path):
    with pytest.raises(TypeError, match="is a Mine"):
        Mine([2, 1]).save(tmp_path / "net")


@pytest.mark.parametrize(
    "optimizer", [fastmlp.Adam(np.float32(0.01)), fastmlp.SGD(0.1, np.float64(0.9), np.bool_(True))]
)
def test_numbers_of_numpy_in_an_optimizer_come_back(tmp_path, optimizer):
    net = net_of("plain", optimizer)
    net.save(tmp_path / "net", training=True)
    again = fastmlp.load(tmp_path / "net")
    for each in (net, again):
        each.fit(X, Y, epochs=2, optimizer=optimizer)
    assert again.parameters.tobytes() == net.parameters.tobytes()


def test_squares_that_overflowed_are_a_state_like_others(tmp_path):
    net = fastmlp.MLP([1, 1], seed=0, loss="absolute_error")
    net.fit(np.full((4, 1), 1e25), np.zeros(4), epochs=2)
    net.save(tmp_path / "net", training=True)
    assert np.isinf(read(tmp_path / "net").tensors["second_moments"]).any()
    assert fastmlp.load(tmp_path / "net").parameters.tobytes() == net.parameters.tobytes()


def test_a_history_that_was_changed_is_not_saved(tmp_path):
    net = net_of("plain", "adam")
    net.history.stop_reason = None
    with pytest.raises(ValueError, match="stop_reason"):
        net.save(tmp_path / "net")


def test_a_name_may_be_as_long_as_names_are(tmp_path):
    net_of("plain").save(tmp_path / ("ü" * 127))
    assert os.listdir(tmp_path) == ["ü" * 127]
    with pytest.raises(ValueError, match="NUL"):
        net_of("plain").save("a\0b")


# Damage


def rewritten(path, change):
    contents = read(path)
    said = json.loads(contents.metadata["fastmlp"])
    tensors = dict(contents.tensors)
    change(said, tensors)
    write(path, Contents(tensors, {"fastmlp": json.dumps(said)}))


def put(key, value):
    return lambda said, tensors: said.update({key: value})


def put_in(table, key, value):
    return lambda said, tensors: said[table].update({key: value})


CHANGES = {
    "a later version": (put("version", 2), "version 2; this fastmlp reads up to 1"),
    "no version": (lambda said, tensors: said.pop("version"), "no version"),
    "version true": (put("version", True), "no version"),
    "another kind": (put("kind", "Perceptron"), "says that it is a 'Perceptron'"),
    "sizes": (put_in("architecture", "sizes", [3, 6, 2]), "'W1' has shape"),
    "huge sizes": (put_in("architecture", "sizes", [3, 2**31 - 1, 2]), "'W1' has shape"),
    "an activation": (put_in("architecture", "activations", ["no_such"]), "activation"),
    "an unknown key": (put_in("architecture", "color", 1), "color"),
    "dtype": (put_in("architecture", "dtype", "float64"), "dtype float32; expected"),
    "no architecture": (lambda said, tensors: said.pop("architecture"), "architecture"),
    "trainable": (put("trainable", [True]), "trainable"),
    "rates": (put("rate_factors", [[-1, 1], [1, 1]]), "rate_factors"),
    "seed": (put_in("training", "seed", -1), "seed"),
    "epochs": (put_in("training", "epochs", 1.5), "epochs"),
    "optimizer": (lambda said, tensors: said["training"]["optimizer"].update(name="magic"), "magic"),
    "hyperparameter": (lambda said, tensors: said["training"]["optimizer"].update(beta_1=2), "beta_1"),
    "powers": (put_in("training", "powers", [2, 0]), "powers"),
    "one more tensor": (lambda said, tensors: tensors.update(extra=np.zeros(2)), "tensor 'extra'"),
    "one less": (lambda said, tensors: tensors.pop("b2"), "no tensor 'b2'"),
    "NaN": (lambda said, tensors: tensors["W1"].__setitem__((1, 2), np.nan), r"'W1' has the value nan at \[1, 2\]"),
    "moments": (lambda said, tensors: tensors["second_moments"].__setitem__(3, np.nan), "second_moments"),
}


@pytest.mark.parametrize("name", list(CHANGES))
def test_a_file_that_contradicts_itself_is_refused(tmp_path, name):
    change, said = CHANGES[name]
    path = tmp_path / "net.safetensors"
    net_of("plain", "adam").save(path, training=True)
    rewritten(path, change)
    with pytest.raises(LoadError, match=said) as caught:
        fastmlp.load(path)
    assert str(path) in str(caught.value)


def raw(path, header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


F = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
HEADERS = {
    "no table": ([], b"", "no table of tensors"),
    "no JSON": (b"{", b"", "cannot be read"),
    "twice": (b'{"a": {}, "a": {}}', b"", "twice"),
    "twice inside": (b'{"a": {"shape": [], "shape": []}}', b"", "twice"),
    "NaN": (b'{"a": NaN}', b"", "no number of JSON"),
    "not ASCII": ('{"é": 1}'.encode(), b"", "cannot be read"),
    "digits of another script": (
        '{"a": {"dtype": "F32", "shape": [١], "data_offsets": [0, 4]}}'.encode(),
        b"",
        "read",
    ),
    "nested": (b"[" * 100_000, b"", "cannot be read"),
    "a long number": (b'{"a": ' + b"9" * 5000 + b"}", b"", "cannot be read"),
    "a key more": ({"a": F | {"x": 1}}, b"1234", "described otherwise"),
    "dtype": ({"a": F | {"dtype": "BF16"}}, b"1234", "dtype 'BF16'"),
    "dtype list": ({"a": F | {"dtype": []}}, b"1234", "dtype"),
    "shape": ({"a": F | {"shape": [-1]}}, b"1234", "shape"),
    "shape true": ({"a": F | {"shape": [True]}}, b"1234", "shape"),
    "shape float": ({"a": F | {"shape": [1.0]}}, b"1234", "shape"),
    "overflow": ({"a": F | {"shape": [2**32, 2**32]}}, b"1234", "which no array has"),
    "axes": ({"a": F | {"shape": [1] * 65}}, b"1234", "which no array has"),
    "a huge axis of nothing": ({"a": F | {"shape": [0, 2**61], "data_offsets": [0, 0]}}, b"", "which no array has"),
    "offsets": ({"a": F | {"data_offsets": [4, 0]}}, b"1234", "contradict"),
    "one offset": ({"a": F | {"data_offsets": [4]}}, b"1234", "contradict"),
    "beyond the end": ({"a": F | {"shape": [2], "data_offsets": [0, 8]}}, b"1234", "4 for them"),
    "hole": ({"a": F | {"data_offsets": [4, 8]}}, b"12345678", "begins at byte 4"),
    "overlap": ({"a": F, "b": F}, b"1234", "begins at byte 0"),
    "more data": ({"a": F}, b"12345", "5 for them"),
    "metadata": ({"__metadata__": {"a": 1}, "a": F}, b"1234", "no table of strings"),
    "metadata list": ({"__metadata__": [], "a": F}, b"1234", "no table of strings"),
    "another's": ({"__metadata__": {"format": "pt"}, "a": F}, b"1234", "no net of fastmlp's"),
}


@pytest.mark.parametrize("name", list(HEADERS))
def test_a_header_that_is_wrong_is_refused(tmp_path, name):
    header, data, said = HEADERS[name]
    with pytest.raises(LoadError, match=said):
        fastmlp.load(raw(tmp_path / "net.safetensors", header, data))


@pytest.mark.parametrize("bytes_", [b"", b"1234567", b"\xff" * 8, (10**8 + 1).to_bytes(8, "little"), bytes(8)])
def test_a_file_without_a_header_is_refused(tmp_path, bytes_):
    path = tmp_path / "net"
    path.write_bytes(bytes_)
    with pytest.raises(LoadError, match=r"has \d+ bytes|says that its header|cannot be read"):
        fastmlp.load(path)


@pytest.mark.parametrize("path", [None, 3, 1.5, ["a"]])
def test_a_path_that_is_none_is_named(path):
    for use in (fastmlp.load, net_of("plain").save):
        with pytest.raises(TypeError, match="path is"):
            use(path)


def test_a_file_that_is_not_there_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        fastmlp.load(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        fastmlp.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        net_of("plain").save(tmp_path / "no" / "folder")


def test_ten_thousand_damaged_files_are_refused_or_hold_a_good_net(tmp_path):
    net, path = net_of("plain", "adam"), tmp_path / "net.safetensors"
    net.save(path, training=True)
    good, rng = path.read_bytes(), np.random.default_rng(0)
    n = int.from_bytes(good[:8], "little")
    refused = 0
    for _ in range(10_000):
        damaged = bytearray(good)
        how = rng.integers(5)
        if how == 0:  # a bit, mostly of the header
            damaged[rng.integers(8 + n if rng.random() < 0.8 else len(good))] ^= 1 << rng.integers(8)
        elif how == 1:
            del damaged[rng.integers(len(good)) :]
        elif how == 2:
            at = rng.integers(8 + n)
            damaged[at : at + rng.integers(1, 9)] = rng.bytes(rng.integers(9))
        elif how == 3:
            at, to = rng.integers(len(good), size=2)
            damaged[to : to + 20] = damaged[at : at + 20]
        else:
            damaged += rng.bytes(rng.integers(1, 9))
        path.write_bytes(damaged)
        try:
            loaded = fastmlp.load(path)
        except LoadError:
            refused += 1
            continue
        assert np.isfinite(loaded.parameters).all()
        assert np.isfinite(loaded.predict(np.zeros(loaded.sizes[0]))).all()
    assert refused > 7000


# Kills


def write_again_and_again(path, started):
    nets = []
    for value in (1.0, 2.0):
        net = fastmlp.MLP([300, 200, 100], seed=0)
        net.parameters[...] = value
        nets.append(net)
    nets[0].save(path)
    started.set()
    while True:
        for net in nets:
            net.save(path)


def test_a_kill_at_any_moment_leaves_a_whole_file(tmp_path):
    path, fork = tmp_path / "net.safetensors", multiprocessing.get_context("fork")
    for i in range(20):
        started = fork.Event()
        writer = fork.Process(target=write_again_and_again, args=(path, started))
        writer.start()
        assert started.wait(60)
        time.sleep(0.003 * i)
        writer.kill()
        writer.join()
        assert writer.exitcode == -signal.SIGKILL
        assert set(fastmlp.load(path).parameters.tolist()) in ({1.0}, {2.0})


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "net"
    net_of("plain").save(path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space left"):
        net_of("float64").save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["net"]


def test_a_file_has_the_mode_of_any_other_or_that_of_the_one_it_replaces(tmp_path):
    path, other = tmp_path / "net", tmp_path / "other"
    net_of("plain").save(path)
    other.write_bytes(b"")
    assert path.stat().st_mode == other.stat().st_mode
    path.chmod(0o640)
    net_of("plain").save(path)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_pickle_of_a_net_is_no_larger_than_its_numbers():
    net = fastmlp.MLP([100, 100, 10], seed=0)
    assert len(pickle.dumps(net)) < 1.2 * net.parameters.nbytes
