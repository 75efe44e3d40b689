"""fastmlp as a good neighbour: to the rest of its process, to forked children, other threads, signals, the machine.

Not about speed: an idle pool is shown by the processor time that the process was charged, which no busy machine
changes. Not about results either, but where something goes on in two places it must end with the bits it has alone.
What needs a process of its own, since a signal or a fork may hang it, runs in one with a time limit.
"""

import os
import signal
import threading

import numpy as np
import pytest

import fastmlp
from cases import COMPILED, DTYPES, make
from fastmlp import builds
from fastmlp.optimizers import Steps
from processes import output_of, python


def noise(m=300, dtype="float32"):
    rng = np.random.default_rng(0)
    return rng.normal(size=(m, 64)).astype(dtype), rng.integers(0, 10, m)


def train_a_wide_net(build, dtype, threads=3, epochs=1):
    """The parameters, as bytes, of a net large enough for several threads."""
    X, y = noise(dtype=dtype)
    with builds.forced(build):
        net = fastmlp.MLP([64, 256, 100, 10], activation="relu", output="softmax", seed=0, dtype=dtype)
    net.fit(X, y, epochs=epochs, batch_size=150, threads=threads)
    return net.parameters.tobytes()


def train_in_every_build():
    return [train_a_wide_net(build, dtype) for build in COMPILED for dtype in DTYPES]


# Subnormal numbers


def keeps_subnormals():
    """Whether this thread computes with subnormal numbers, as operands and as results, in both precisions."""
    for real, whole in ((np.float32, np.uint32), (np.float64, np.uint64)):
        # The bits of a subnormal number are its multiple of the smallest. They are compared as integers, since a
        # comparison of reals would itself take them for 0.
        subnormal = np.full(33, 2**20, whole).view(real)
        if not np.array_equal((subnormal * real(4)).view(whole), np.full(33, 2**22, whole)):
            return False
    return True


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_inside_the_core_subnormals_count_as_zero_in_every_thread(build, dtype):
    sizes, m = (64, 256), 8000
    parameters = np.full(64 * 256, 2.0**60)
    network = make(build, dtype, sizes, "identity", "identity", "half_squared_error", False, parameters)
    X = np.full((m, 64), np.finfo(dtype).tiny / 2, dtype)
    assert (X[:1].astype(np.longdouble) @ network.parameters.reshape(sizes).astype(np.longdouble) > 0).all()
    assert (network.forward(X, None, 1) == 0).all()
    # Many row blocks, several times: a worker that wakes late finds that the caller has done all the work.
    for _ in range(5):
        assert (network.forward(X, None, 4) == 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_after_every_call_the_caller_has_its_subnormals_and_callbacks_have_them_too(build, dtype):
    X, y = noise(dtype=dtype)
    with builds.forced(build):
        net = fastmlp.MLP([64, 256, 10], output="softmax", seed=0, dtype=dtype)
    seen = []
    for threads in (1, 2):
        calls = {
            "predict of one": lambda: net.predict(X[0]),
            "predict": lambda: net.predict(X),
            "classify": lambda: net.classify(X),
            "evaluate": lambda: net.evaluate(X, y),
            "gradient": lambda: net.gradient(X, y),
            "fit": lambda threads=threads: net.fit(
                X,
                y,
                epochs=2,
                threads=threads,
                validation=0.1,
                callbacks=[lambda net, history: seen.append(keeps_subnormals())],
            ),
        }
        for what, call in calls.items():
            call()
            assert keeps_subnormals(), what
    assert seen == [True] * 4


class Interruption(Exception):
    """What the signal handler below raises."""


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_a_signal_handler_in_the_middle_of_training_has_its_subnormals_and_so_has_who_catches_its_error(build, dtype):
    X, y = noise(dtype=dtype)
    with builds.forced(build):
        net = fastmlp.MLP([64, 256, 10], output="softmax", seed=0, dtype=dtype)
    seen = []

    def handler(number, frame):
        seen.append(keeps_subnormals())
        if len(seen) == 2:
            signal.setitimer(signal.ITIMER_REAL, 0)  # or the next comes before who catches this has done so
            raise Interruption

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
        with pytest.raises(Interruption):
            net.fit(X, y, epochs=10**9, batch_size=1)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert keeps_subnormals()
    assert seen == [True, True]
    assert np.isfinite(net.fit(X, y, epochs=1).loss[0])


def test_importing_every_build_leaves_the_arithmetic_of_the_process_alone():
    script = """
from cases import COMPILED, DTYPES
from fastmlp import builds
from fastmlp.optimizers import Steps
for build in COMPILED:
    for dtype in DTYPES:
        builds.network(dtype, build)
import numpy as np
print(*(np.full(9, np.finfo(real).tiny, real) / real(4) > 0 for real in (np.float32, np.float64)))
"""
    assert output_of("-c", script).replace("[", "").replace("]", "").split() == ["True"] * 18


def subnormals_in(array):
    return int(((array != 0) & (np.abs(array) < np.finfo(array.dtype).tiny)).sum())


def vanish(build, dtype, optimizer):
    """Moments and gradient of a net whose gradient, and whose moments step by step, sink below the normal numbers."""
    sizes = (3, 20, 2)
    rng = np.random.default_rng(0)
    parameters = rng.normal(size=3 * 20 + 20 * 2)
    network = make(build, dtype, sizes, "identity", "identity", "half_squared_error", False, parameters)
    tiny = float(np.finfo(dtype).tiny)
    X = rng.uniform(1, 2, size=(8, 3)).astype(dtype)
    y = network.forward(X)
    moments = rng.uniform(1, 100, size=parameters.size) * tiny
    network.optimizer_state = (0.5, 0.5, moments, moments)
    for _ in range(20):
        network.train(X, y, None, None, Steps(8, optimizer))
    # The error of this output is 1 there, and the weights that its gradient goes through are next to nothing.
    network.parameters[60:] *= network.parameters.dtype.type(tiny)
    flat, inputs = np.empty(network.parameters.size, dtype), np.empty(X.shape, dtype)
    network.gradient(X, np.ones((8, 2), dtype), None, flat, inputs)
    return (*network.optimizer_state[2:], flat, inputs)


@pytest.mark.parametrize("optimizer", [fastmlp.SGD(1e-30, momentum=0.7), fastmlp.Adam(1e-30, beta_2=0.7)], ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_vanishing_gradients_and_moments_end_in_zeros_and_not_in_subnormals_which_are_slow(build, dtype, optimizer):
    first, second, *gradients = vanish("reference", dtype, optimizer)
    # In plain NumPy they do: so the case is one, and the count can see them.
    assert subnormals_in(first) > 0
    assert max(map(subnormals_in, gradients)) > 0
    if isinstance(optimizer, fastmlp.Adam):
        assert subnormals_in(second) > 0
    assert [subnormals_in(array) for array in vanish(build, dtype, optimizer)] == [0] * 4


# Forks


FORKED_AFTER_TRAINING = """
import os
from test_neighbour import COMPILED, DTYPES, train_in_every_build
tasks = lambda: len(os.listdir("/proc/self/task"))
expected = train_in_every_build()
for generation in (1, 2):   # the child's child as well
    child = os.fork()
    if child:
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    assert tasks() == 1
    assert train_in_every_build() == expected
    assert tasks() == 1 + 2, "the child did not make threads of its own"
print("trained", flush=True)
os._exit(0)
"""


def test_forked_child_can_train():
    done = python("-W", "ignore", "-c", FORKED_AFTER_TRAINING)
    assert (done.stdout.split(), done.returncode) == (["trained"], 0), done.stderr


FORKED_IN_TRAINING = """
import os, threading
from test_neighbour import COMPILED, DTYPES, builds, fastmlp, noise, train_in_every_build
expected = train_in_every_build()
X, y = noise(3000)
for build in COMPILED:
    with builds.forced(build):
        net = fastmlp.MLP([64, 256, 10], output="softmax", seed=0)
    running, enough = threading.Event(), threading.Event()
    def watch(net, history):
        running.set()
        return enough.is_set()
    busy = threading.Thread(target=net.fit, args=(X, y), kwargs=dict(epochs=10**6, callbacks=[watch], threads=2))
    busy.start()
    running.wait()
    for _ in range(2):
        child = os.fork()
        if child == 0:
            net.predict(X[:3])
            assert train_in_every_build() == expected
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    enough.set()
    busy.join()
print("alive")
"""


def test_a_child_forked_while_another_thread_trains_can_use_that_net_and_train_others():
    done = python("-W", "ignore", "-c", FORKED_IN_TRAINING)
    assert (done.stdout.split(), done.returncode) == (["alive"], 0), done.stderr


# Threads of the program


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_python_threads_training_side_by_side_get_the_bits_they_get_alone(build, dtype):
    alone = train_a_wide_net(build, dtype, epochs=3)
    start, ends = threading.Barrier(3), []

    def train():
        start.wait()
        ends.append(train_a_wide_net(build, dtype, epochs=3))

    workers = [threading.Thread(target=train) for _ in range(3)]
    with builds.forced(build):  # so that the build of the process is the same afterwards, whoever ends last
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
    assert ends == [alone] * 3


IDLE = """
import time
from test_neighbour import train_in_every_build
train_in_every_build()
time.sleep(0.05)    # a worker looks for more work for some microseconds before it sleeps
before = time.process_time()
time.sleep(0.5)
print(time.process_time() - before)
"""


def test_idle_threads_do_not_spin():
    # One thread that spun would be charged half a second, or its share of the machine; here many would.
    assert float(output_of("-c", IDLE)) < 0.05


EXIT = """
import threading
from test_neighbour import fastmlp, noise
X, y = noise(3000)
net = fastmlp.MLP([64, 256, 10], output="softmax", seed=0)
running = threading.Event()
threading.Thread(
    target=net.fit, args=(X, y), daemon=True,
    kwargs=dict(epochs=10**6, threads=2, callbacks=[lambda net, history: running.set()]),
).start()
running.wait()
print("leaving")
"""


def test_a_program_can_end_while_a_daemon_thread_trains():
    done = python("-c", EXIT)
    assert (done.stdout.split(), done.stderr, done.returncode) == (["leaving"], "", 0)


# The number of threads


THREADS_USED = """
import os, sys
if "affinity" in sys.argv:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from test_neighbour import COMPILED, fastmlp, train_a_wide_net
train_a_wide_net(COMPILED[0], "float32", threads=None)
print(fastmlp.get_num_threads(), len(os.listdir("/proc/self/task")))
"""


@pytest.mark.parametrize("number", ["1", "2", "3"])
def test_the_environment_sets_the_number_of_threads_which_training_uses(number):
    assert output_of("-c", THREADS_USED, FASTMLP_NUM_THREADS=number).split() == [number, number]


def test_a_process_bound_to_one_processor_uses_one_thread():
    assert output_of("-c", THREADS_USED, "affinity").split() == ["1", "1"]
    # The environment has the last word.
    assert output_of("-c", THREADS_USED, "affinity", FASTMLP_NUM_THREADS="2").split() == ["2", "2"]


def test_without_being_told_as_many_threads_are_used_as_there_are_processors_to_run_on():
    used = output_of("-c", "import fastmlp; print(fastmlp.get_num_threads())")
    # A container may grant less than the affinity says, but not less than one.
    assert 1 <= int(used) <= len(os.sched_getaffinity(0))


@pytest.mark.parametrize("share", ["1", "1,4", " 1 "])
def test_a_worker_of_joblib_which_has_a_share_of_the_processors_uses_no_more(share):
    assert output_of("-c", THREADS_USED, OMP_NUM_THREADS=share).split() == ["1", "1"]
    assert output_of("-c", THREADS_USED, OMP_NUM_THREADS=share, FASTMLP_NUM_THREADS="2").split() == ["2", "2"]


@pytest.mark.parametrize("unknown", ["", "0", "many", "99"])
def test_what_openmp_would_not_take_is_not_taken_and_none_are_added(unknown):
    used = output_of("-c", "import fastmlp; print(fastmlp.get_num_threads())", OMP_NUM_THREADS=unknown)
    assert used == output_of("-c", "import fastmlp; print(fastmlp.get_num_threads())")


@pytest.mark.parametrize("wrong", ["0", "-1", "two", "1.5"])
def test_a_wrong_number_of_threads_in_the_environment_is_an_error(wrong):
    done = python("-c", "import fastmlp", FASTMLP_NUM_THREADS=wrong)
    assert done.returncode != 0
    assert "FASTMLP_NUM_THREADS" in done.stderr.strip().splitlines()[-1]


def test_importing_does_not_start_threads_or_write_anything():
    script = "import threading, os, fastmlp; print(threading.active_count(), len(os.listdir('/proc/self/task')))"
    done = python("-c", script)
    assert (done.stdout.split(), done.stderr) == (["1", "1"], "")


# Signals


BLOCKED = """
import os
from test_neighbour import train_in_every_build
def blocked():
    found = {}
    for task in os.listdir("/proc/self/task"):
        for line in open(f"/proc/self/task/{task}/status"):
            if line.startswith("SigBlk:"):
                found[int(task)] = int(line.split()[1], 16)
    return found
before = blocked()
train_in_every_build()
after = blocked()
assert after[os.getpid()] == before[os.getpid()] == 0
workers = [mask for task, mask in after.items() if task != os.getpid()]
can_be_blocked = [n for n in range(1, 32) if n not in (9, 19)]   # SIGKILL and SIGSTOP cannot
print(len(workers), all(mask >> (n - 1) & 1 for mask in workers for n in can_be_blocked))
"""


def test_signals_are_left_to_the_threads_of_the_program():
    assert output_of("-c", BLOCKED).split() == ["2", "True"]


INTERRUPTED = """
import os, signal, threading
import numpy as np, fastmlp
signal.signal(signal.SIGINT, signal.default_int_handler)
X = np.zeros((5_000_000, 2), "f4")
net = fastmlp.MLP([2, 4, 1], activation="tanh", seed=0)
before = net.parameters.copy()
epochs = 0
def count(net, history):
    global epochs
    epochs = history.epochs
threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    net.fit(X, X[:, 0] + 1, epochs=10**6, batch_size=1, shuffle=False, callbacks=count)
except KeyboardInterrupt:
    assert np.isfinite(net.parameters).all()
    assert net.parameters.tobytes() != before.tobytes()
    net.fit(X[:9], X[:9, 0], epochs=1)
    print("interrupted", epochs)
"""


def test_a_keyboard_interrupt_ends_training_within_an_epoch_and_keeps_the_weights():
    done = python("-c", INTERRUPTED)
    # No epoch was over: the first takes seconds, and the signal comes long before its end.
    assert done.stdout.split() == ["interrupted", "0"], done.stderr


HANDLER = """
import signal
import numpy as np, fastmlp
X = np.zeros((4000, 64), "f4")
net = fastmlp.MLP([64, 512, 512, 10], output="softmax", seed=0)
def use_the_net(number, frame):
    net.predict(X[:1])
signal.signal(signal.SIGALRM, use_the_net)
signal.setitimer(signal.ITIMER_REAL, 0.2)
try:
    net.fit(X, np.zeros(4000, int), epochs=10**6, batch_size=1)
except RuntimeError as error:
    print(error)
"""


def test_a_signal_handler_that_uses_the_net_in_training_gets_an_error_and_no_deadlock():
    done = python("-c", HANDLER)
    assert "signal handler" in done.stdout, done.stderr
