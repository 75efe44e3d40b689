"""The same work in fastmlp and in each of its peers: what is computed, and how each library does it at its best.

A case is a prediction or an epoch of training of one net. For each library that has it, a function makes a Job of it:
the net with the weights that `nets.make` gives, the data in the library's own form, whatever is compiled compiled by
the first call. Only `Job.run` is timed. Not here: processes, clocks, tables (peers.py).

A library is imported by the functions that use it, since each of them runs in a process of its own.

Best form: what a user who knows the library well would write. Peers are spared what a user may have to do besides:
checks that can be turned off are off, inputs and outputs stay in the library's own arrays, and ONNX Runtime reads and
writes buffers that were bound once; but one sample comes as a NumPy array, and its answer goes out as one, since each
question is a new one. fastmlp always takes and gives NumPy arrays and checks both.
"""

import sys
import warnings
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, NamedTuple

import numpy as np

import fastmlp
import nets
import twins
from fastmlp import formulas
from fastmlp.layout import layer_views
from fastmlp.optimizers import Steps

ADAM = fastmlp.Adam()
# Of the sum of squares over the outputs, averaged over the samples; cross entropies need no factor.
FACTOR = {"half_squared_error": 0.5, "squared_error": 1.0}


class Case(NamedTuple):
    kind: str  # "predict" rows samples in one call; "train" an epoch of rows samples; or make one "step" in one call
    net: nets.Net
    rows: int

    @property
    def steps(self):
        """Training steps in one call: an epoch, or several if the whole set is one batch."""
        if self.kind == "step":
            return 1
        return min(1000, 80_000 // self.rows) if self.net.batch == self.rows else self.rows // self.net.batch

    @property
    def units(self):
        """The predictions or steps in one call."""
        return self.steps if self.kind == "train" else 1

    @property
    def data(self):
        return nets.inputs(self.net, self.rows), nets.targets(self.net, self.rows)

    @property
    def order(self):
        """The samples of each step (steps, batch), None where each takes all of them as they stand.

        It is the order of the first epoch that `MLP.fit` draws, which draws it while it is timed.
        """
        if self.net.batch == self.rows:
            return None
        seed = formulas.seed_of_epoch(nets.make(self.net, "fastmlp")._seed, 0)
        return formulas.shuffled(np.arange(self.rows), seed).reshape(-1, self.net.batch)

    def layers(self):
        """[(W (n_in, n_out), b (n_out,)), ...], the weights that all libraries start from; a fresh copy."""
        flat = nets.make(self.net, "NumPy").parameters.copy()
        return list(zip(*layer_views(flat, self.net.sizes, True), strict=True))


CONTROL = nets.Net((4, 16, 16, 1), "tanh", "identity", "half_squared_error", 32)
# Samples in an epoch of each net: so many steps that the call of an epoch costs nothing beside them, and
# no more, since rounding grows from step to step and since a long call is more often interrupted.
EPOCHS = (4096, 4096, 4096, 4096, 1024, 10_000, 4)
CASES = (
    *(Case("predict", net, 1) for net in (CONTROL, *nets.NETS[1:4])),
    *(Case("predict", net, 10_000) for net in nets.NETS[2:4]),
    *(Case("train", net, rows) for net, rows in zip((*nets.NETS, nets.FULL_BATCH, nets.XOR), EPOCHS, strict=True)),
    Case("step", CONTROL, CONTROL.batch),
)


class Job(NamedTuple):
    """One case, ready to run.

    `answer` makes NumPy arrays of what `run` returned: of a prediction (rows, n_out), of a training the mean loss of
    its steps and the flat parameters. `reset` brings a training back to its start, and what it returns are the
    arguments of `run`. `context` is entered once around many runs.
    """

    run: Callable[..., Any]
    answer: Callable[[Any], Any] = np.atleast_2d
    reset: Callable[[], tuple] = tuple
    context: Callable[[], Any] = nullcontext


def flat(layers):
    """The parameters in fastmlp's order, of [(W, b), ...]."""
    return np.concatenate([np.ravel(np.asarray(part)) for layer in layers for part in layer])


# fastmlp and its reference


def network_predict(implementation, case, threads):
    predict = twins.predictor(nets.make(case.net, implementation), implementation)
    return Job(partial(predict, twins.samples(case.net, case.rows)))


def network_job(mlp, run):
    """A Job that trains an MLP, from losses that `run` returns."""
    start = mlp.parameters.copy()

    def reset():
        mlp.parameters[...] = start
        mlp._network.reset_optimizer()
        mlp._epochs = 0
        return ()

    return Job(run, lambda losses: (np.mean(losses), mlp.parameters.copy()), reset)


def network_train(case, threads):
    """The reference: an epoch in the order that fastmlp draws, for whose drawing it has no vectors."""
    mlp, order = nets.make(case.net, "NumPy"), case.order
    plan = *case.data, None, None if order is None else order.ravel(), Steps(case.net.batch, ADAM)
    epochs = range(1 if order is not None else case.steps)
    return network_job(mlp, lambda: [mlp._network.train(*plan) for _ in epochs])


def mlp_fit(case, threads):
    mlp, epochs = nets.make(case.net, "fastmlp"), 1 if case.order is not None else case.steps
    fit = partial(mlp.fit, *case.data, epochs=epochs, batch_size=case.net.batch, optimizer=ADAM, threads=threads)
    return network_job(mlp, lambda: fit().loss)


def mlp_step(implementation, case, threads):
    mlp = nets.make(case.net, implementation)
    return network_job(mlp, partial(mlp.step, *case.data, ADAM))


def sgemm(case, threads):
    """The yardstick: NumPy's product of two large square matrices."""
    A, B = np.random.default_rng(4).standard_normal((2, case.rows, case.rows), np.float32)
    return Job(partial(np.matmul, A, B, out=np.empty_like(A)))


# scikit-learn


def sklearn_estimator(case, **options):
    """An estimator that was fitted once, so that its parts exist, with the weights of the case."""
    import sklearn
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    sklearn.set_config(assume_finite=True, skip_parameter_validation=True)
    warnings.simplefilter("ignore")  # one epoch does not converge, and says so
    # It adds epsilon to the root of the second moments before their bias is corrected, which makes most of a
    # difference in the first step: this factor brings that step into line. And its gradient is that of half the
    # squared error: Adam makes the same steps of half the gradient with half the epsilon.
    epsilon = ADAM.epsilon * (1 - ADAM.beta_2) ** 0.5 * (0.5 if case.net.loss == "squared_error" else 1)
    estimator = (MLPClassifier if case.net.output == "softmax" else MLPRegressor)(
        hidden_layer_sizes=case.net.sizes[1:-1],
        activation=case.net.activation,
        alpha=0.0,
        learning_rate_init=ADAM.learning_rate,
        epsilon=epsilon,
        shuffle=False,
        warm_start=True,
        **options,
    )
    X, y = nets.inputs(case.net, EPOCHS[0]), nets.targets(case.net, EPOCHS[0])  # in which every class occurs
    estimator.set_params(max_iter=1).fit(X, y.ravel() if y.shape[-1] == 1 else y)
    estimator.set_params(**options)
    estimator.coefs_, estimator.intercepts_ = map(list, zip(*case.layers(), strict=True))
    return estimator


def sklearn_predict(case, threads):
    estimator = sklearn_estimator(case)
    outputs = estimator.predict_proba if case.net.output == "softmax" else estimator.predict
    X, _ = case.data
    return Job(partial(outputs, X), lambda Y: Y.reshape(case.rows, -1))


def sklearn_train(case, threads):
    """`fit` over an epoch with warm_start, which starts Adam afresh; without shuffling, but of shuffled rows."""
    order = case.order
    estimator = sklearn_estimator(
        case,
        batch_size=case.net.batch,
        max_iter=1 if order is not None else case.steps,
        n_iter_no_change=sys.maxsize,  # or it stops early: from one fit to the next it remembers the best loss
    )
    X, y = case.data
    y = y.ravel() if y.shape[-1] == 1 else y
    # Its loss is half the square, averaged over outputs too.
    factor = 1.0 if case.net.output == "softmax" else FACTOR[case.net.loss] / 0.5 * case.net.sizes[-1]

    def reset():
        for mine, start in zip(zip(estimator.coefs_, estimator.intercepts_, strict=True), case.layers(), strict=True):
            for part, value in zip(mine, start, strict=True):
                part[...] = value
        estimator.loss_curve_.clear()
        return ()

    def run():
        return estimator.fit(X, y) if order is None else estimator.fit(X[order.ravel()], y[order.ravel()])

    def answer(fitted):
        return factor * np.mean(fitted.loss_curve_), flat(zip(fitted.coefs_, fitted.intercepts_, strict=True))

    return Job(run, answer, reset)


def sklearn_step(case, threads):
    """`partial_fit`, whose Adam starts afresh where it is missing."""
    estimator = sklearn_estimator(case, batch_size=case.net.batch)
    X, y = case.data

    def reset():
        for mine, start in zip(zip(estimator.coefs_, estimator.intercepts_, strict=True), case.layers(), strict=True):
            for part, value in zip(mine, start, strict=True):
                part[...] = value
        estimator.__dict__.pop("_optimizer", None)
        return ()

    def answer(fitted):
        return FACTOR[case.net.loss] / 0.5 * fitted.loss_, flat(zip(fitted.coefs_, fitted.intercepts_, strict=True))

    return Job(partial(estimator.partial_fit, X, y.ravel()), answer, reset)


# PyTorch


def torch_loss(net, outputs, targets):
    """Of what comes before softmax, where there is one."""
    import torch.nn.functional as F

    if net.output == "softmax":
        return F.cross_entropy(outputs, targets)
    return FACTOR[net.loss] * F.mse_loss(outputs, targets, reduction="sum") / len(outputs)


def torch_batches(case):
    """A function that makes the batches of an epoch: gathered in one go, which is faster than one by one."""
    import torch

    X, y = map(torch.from_numpy, case.data)
    if case.order is None:
        return lambda: [(X, y)] * case.steps
    order = torch.from_numpy(case.order.ravel())
    return lambda: zip(X[order].split(case.net.batch), y[order].split(case.net.batch), strict=True)


def torch_modules(case):
    """[Linear, activation, ..., Linear]."""
    import torch

    activation = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}[case.net.activation]
    modules = []
    for W, b in case.layers():
        linear = torch.nn.Linear(*W.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W.T))
            linear.bias.copy_(torch.from_numpy(b))
        modules += [linear, activation()]
    return modules[:-1]


def torch_predict(case, threads):
    import torch

    softmax = [torch.nn.Softmax(-1)] if case.net.output == "softmax" else []
    model = torch.nn.Sequential(*torch_modules(case), *softmax).eval()
    X, _ = case.data
    if case.rows == 1:
        return Job(lambda: model(torch.from_numpy(X)).numpy(), context=torch.inference_mode)
    return Job(partial(model, torch.from_numpy(X)), torch.Tensor.numpy, context=torch.inference_mode)


def torch_train(case, threads):
    import torch

    model = torch.nn.Sequential(*torch_modules(case))
    start = {name: value.clone() for name, value in model.state_dict().items()}
    adam = torch.optim.Adam(
        model.parameters(), ADAM.learning_rate, (ADAM.beta_1, ADAM.beta_2), ADAM.epsilon, fused=True
    )
    batches = torch_batches(case)

    def reset():
        model.load_state_dict(start)
        for state in adam.state.values():
            for moment in state.values():
                moment.zero_()
        return ()

    def run():
        losses = []
        for x, y in batches():
            adam.zero_grad()
            loss = torch_loss(case.net, model(x), y)
            loss.backward()
            adam.step()
            losses.append(loss.detach())
        return losses

    def answer(losses):
        layers = [(module.weight.T, module.bias) for module in model if isinstance(module, torch.nn.Linear)]
        with torch.no_grad():
            return torch.stack(losses).mean().item(), flat([(W.numpy(), b.numpy()) for W, b in layers])

    return Job(run, answer, reset)


# torch.compile
#
# Nets as functions of plain tensors, W as (n_in, n_out), and a training step that is one graph, Adam included: twice
# as fast for small nets as compiling the loss of a module and leaving backward and step outside. C++ wrappers and no
# guards after the first call are what a small net gains from most; `isolate_recompiles` keeps the nets of one process
# from looking through each other's guards.


def torch_compiled(function):
    import torch

    options = {"cpp_wrapper": True}
    return torch.compile(function, fullgraph=True, dynamic=False, options=options, isolate_recompiles=True)


@contextmanager
def torch_unguarded(mode):
    """Where all is compiled already."""
    import torch

    with mode(), torch.compiler.set_stance(skip_guard_eval_unsafe=True):
        yield


def torch_outputs(net, layers, x):
    """Before softmax."""
    import torch

    for W, b in layers[:-1]:
        x = getattr(torch, net.activation)(torch.addmm(b, x, W))
    W, b = layers[-1]
    return torch.addmm(b, x, W)


def compiled_predict(case, threads):
    import torch

    layers = [tuple(map(torch.from_numpy, layer)) for layer in case.layers()]
    X = torch.from_numpy(case.data[0])

    def forward(layers, x):
        outputs = torch_outputs(case.net, layers, x)
        return torch.softmax(outputs, -1) if case.net.output == "softmax" else outputs

    compiled = torch_compiled(forward)
    with torch.inference_mode():
        compiled(layers, X)
    context = partial(torch_unguarded, torch.inference_mode)
    if case.rows == 1:
        return Job(lambda: compiled(layers, X).numpy(), context=context)
    return Job(partial(compiled, layers, X), torch.Tensor.numpy, context=context)


def compiled_train(case, threads):
    import torch

    start = [tuple(map(torch.from_numpy, layer)) for layer in case.layers()]
    layers, first, second = ([tuple(map(torch.zeros_like, layer)) for layer in start] for _ in range(3))
    powers, betas = torch.ones(2), torch.tensor([ADAM.beta_1, ADAM.beta_2])
    batches = torch_batches(case)

    def step(layers, first, second, powers, x, y):
        def loss_of(layers):
            return torch_loss(case.net, torch_outputs(case.net, layers, x), y)

        gradient, loss = torch.func.grad_and_value(loss_of)(layers)
        powers.mul_(betas)
        for parts in zip(layers, first, second, gradient, strict=True):
            for theta, m, v, g in zip(*parts, strict=True):
                m.lerp_(g, 1 - ADAM.beta_1)
                v.mul_(ADAM.beta_2).addcmul_(g, g, value=1 - ADAM.beta_2)
                denominator = (v / (1 - powers[1])).sqrt() + ADAM.epsilon
                theta.sub_(ADAM.learning_rate / (1 - powers[0]) * m / denominator)
        return loss

    compiled = torch_compiled(step)

    def reset():
        powers.fill_(1)
        for layer, *moments, values in zip(layers, first, second, start, strict=True):
            for theta, m, v, value in zip(layer, *moments, values, strict=True):
                theta.copy_(value), m.zero_(), v.zero_()
        return ()

    def run():
        return [compiled(layers, first, second, powers, x, y) for x, y in batches()]

    def answer(losses):
        return torch.stack(losses).mean().item(), flat(layers)

    with torch.no_grad():
        run()
    return Job(run, answer, reset, partial(torch_unguarded, torch.no_grad))


# JAX


def jax_outputs(net, layers, x):
    """Before softmax."""
    import jax

    activation = {"tanh": jax.numpy.tanh, "relu": jax.nn.relu}[net.activation]
    for W, b in layers[:-1]:
        x = activation(x @ W + b)
    W, b = layers[-1]
    return x @ W + b


def jax_predict(case, threads):
    """The weights are constants of the compiled function, which is faster than to pass them."""
    import jax

    jax.config.update("jax_cpu_enable_async_dispatch", False)  # saves a small net the way to another thread and back
    layers = jax.device_put(case.layers())
    X = case.data[0] if case.rows == 1 else jax.device_put(case.data[0])

    @jax.jit
    def forward(x):
        outputs = jax_outputs(case.net, layers, x)
        return jax.nn.softmax(outputs) if case.net.output == "softmax" else outputs

    if case.rows == 1:
        return Job(lambda: np.asarray(forward(X)))
    return Job(lambda: forward(X).block_until_ready(), np.asarray)


def jax_train(case, threads):
    """The whole epoch is one compiled scan over its batches, which are gathered on the way."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_cpu_enable_async_dispatch", False)
    net = case.net
    order = None if case.order is None else jax.device_put(case.order.astype(np.int32))

    def loss_of(layers, x, y):
        outputs = jax_outputs(net, layers, x)
        if net.output == "softmax":
            return (jax.nn.logsumexp(outputs, 1) - (outputs * jax.nn.one_hot(y, net.sizes[-1])).sum(1)).mean()
        return FACTOR[net.loss] * jnp.square(outputs - y).sum() / len(x)

    def adam(state, gradient):
        layers, first, second, power_1, power_2 = state
        power_1, power_2 = power_1 * ADAM.beta_1, power_2 * ADAM.beta_2
        first = jax.tree.map(lambda m, g: ADAM.beta_1 * m + (1 - ADAM.beta_1) * g, first, gradient)
        second = jax.tree.map(lambda v, g: ADAM.beta_2 * v + (1 - ADAM.beta_2) * g * g, second, gradient)

        def moved(theta, m, v):
            rate = ADAM.learning_rate / (1 - power_1)
            return theta - rate * m / (jnp.sqrt(v / (1 - power_2)) + ADAM.epsilon)

        return jax.tree.map(moved, layers, first, second), first, second, power_1, power_2

    @partial(jax.jit, donate_argnums=0)
    def epoch(state, X, y, order):
        def step(state, rows):
            batch = (X, y) if rows is None else (X[rows], y[rows])
            loss, gradient = jax.value_and_grad(loss_of)(state[0], *batch)
            return adam(state, gradient), loss

        state, losses = jax.lax.scan(step, state, order, length=case.steps)
        return state, losses.mean()

    def reset():
        layers = case.layers()
        zeros = [[np.zeros_like(part) for part in layer] for layer in layers]
        state = layers, *([tuple(layer) for layer in zeros] for _ in range(2)), np.float32(1), np.float32(1)
        # Copied on the device: memory borrowed from NumPy cannot be donated.
        return (jax.block_until_ready(jax.tree.map(jnp.array, state)),)

    X, y = jax.device_put(case.data)

    def run(state):
        return jax.block_until_ready(epoch(state, X, y, order))

    return Job(run, lambda result: (float(result[1]), flat(result[0][0])), reset)


# ONNX Runtime


def onnx_model(case):
    """Gemm, activation, ..., Gemm and perhaps Softmax."""
    from onnx import TensorProto, helper, numpy_helper

    net, nodes, constants, layers = case.net, [], [], case.layers()
    functions = [net.activation.capitalize()] * (len(layers) - 1) + [
        {"identity": "Identity", "softmax": "Softmax"}[net.output]
    ]
    value = "X"
    for i, ((W, b), function) in enumerate(zip(layers, functions, strict=True)):
        constants += [numpy_helper.from_array(W, f"W{i}"), numpy_helper.from_array(b, f"b{i}")]
        nodes.append(helper.make_node("Gemm", [value, f"W{i}", f"b{i}"], [f"Z{i}"]))
        nodes.append(helper.make_node(function, [f"Z{i}"], [value := f"A{i}"]))
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [case.rows, columns])]
        for name, columns in (("X", net.sizes[0]), (value, net.sizes[-1]))
    ]
    graph = helper.make_graph(nodes, "mlp", *ends, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return model.SerializeToString()


def onnx_predict(case, threads):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = ort.InferenceSession(onnx_model(case), options, providers=["CPUExecutionProvider"])
    X, _ = case.data
    if case.rows == 1:
        return Job(lambda: session.run(None, {"X": X})[0])
    Y = np.empty((case.rows, case.net.sizes[-1]), np.float32)
    binding = session.io_binding()
    binding.bind_cpu_input("X", X)
    binding.bind_output(session.get_outputs()[0].name, "cpu", 0, np.float32, Y.shape, Y.ctypes.data)
    # X is kept by its owner: the binding holds its address alone.
    return Job(partial(session.run_with_iobinding, binding), lambda _, X=X: Y.copy())


LIBRARIES = {
    "fastmlp": {
        "predict": partial(network_predict, "fastmlp"),
        "train": mlp_fit,
        "step": partial(mlp_step, "fastmlp"),
    },
    "NumPy": {
        "predict": partial(network_predict, "NumPy"),
        "train": network_train,
        "step": partial(mlp_step, "NumPy"),
        "product": sgemm,
    },
    "scikit-learn": {"predict": sklearn_predict, "train": sklearn_train, "step": sklearn_step},
    "torch": {"predict": torch_predict, "train": torch_train, "step": torch_train},
    "torch.compile": {"predict": compiled_predict, "train": compiled_train, "step": compiled_train},
    "JAX": {"predict": jax_predict, "train": jax_train, "step": jax_train},
    "ONNX Runtime": {"predict": onnx_predict},
}
PACKAGES = ("scikit-learn", "torch", "jax", "jaxlib", "onnxruntime")


def environment(threads):
    """Said before the libraries are imported; JAX heeds none of them, but the cores that its process is bound to."""
    return {
        **dict.fromkeys(
            ("FASTMLP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"),
            str(threads),
        ),
        "JAX_PLATFORMS": "cpu",
        "TORCHINDUCTOR_CACHE_DIR": f"{sys.prefix}/inductor",
    }
