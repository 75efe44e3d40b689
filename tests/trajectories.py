"""The trainings whose losses are compared with PyTorch's, step by step: what is trained, on what, in which batches.

PyTorch is too heavy for the tests, so its losses stand in torch_trajectories.json. To record them anew, after
`make peers`:

    PYTHONPATH=. .venv-peers/bin/python tests/trajectories.py

The recording is PyTorch all the way, modules, losses and optimizers; it takes from fastmlp the weights at the start
alone. What fastmlp makes of the same trainings is the business of test_trajectories.py.
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

import fastmlp

RECORD = Path(__file__).with_name("torch_trajectories.json")
STEPS = 200
DIGITS = 9


class Trajectory(NamedTuple):
    sizes: tuple[int, ...]
    activation: str
    output: str
    loss: str
    batch: int
    optimizer: fastmlp.Adam | fastmlp.SGD

    @property
    def name(self):
        return f"{'-'.join(map(str, self.sizes))} {self.activation} {self.loss} {type(self.optimizer).__name__}"


TRAJECTORIES = (
    Trajectory((4, 32, 32, 1), "tanh", "identity", "half_squared_error", 32, fastmlp.Adam()),
    Trajectory((17, 64, 64, 6), "tanh", "identity", "squared_error", 64, fastmlp.Adam()),
    Trajectory((54, 128, 64, 7), "relu", "softmax", "cross_entropy", 256, fastmlp.Adam()),
    Trajectory((17, 64, 64, 6), "tanh", "identity", "squared_error", 64, fastmlp.SGD(0.01, momentum=0.9)),
)


def start(trajectory):
    """The net before the first step."""
    return fastmlp.MLP(
        trajectory.sizes,
        activation=trajectory.activation,
        output=trajectory.output,
        loss=trajectory.loss,
        dtype="float32",
        seed=0,
    )


def batches(trajectory):
    """STEPS times X (batch, n_in) and y: the sines of sums of the inputs, or which of them is the largest."""
    rng = np.random.default_rng(1)
    n_in, n_out = trajectory.sizes[0], trajectory.sizes[-1]
    mixture = rng.standard_normal((n_in, n_out)) / np.sqrt(n_in)
    for _ in range(STEPS):
        X = rng.standard_normal((trajectory.batch, n_in))
        y = (X @ mixture).argmax(axis=1) if trajectory.output == "softmax" else np.sin(X @ mixture).astype(np.float32)
        yield X.astype(np.float32), y


def torch_losses(trajectory):
    """The loss of each step, by PyTorch."""
    import torch

    net = start(trajectory)
    activation = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}[trajectory.activation]
    modules = []
    for W, b in zip(net.weights, net.biases, strict=True):
        linear = torch.nn.Linear(*W.shape)
        linear.weight.data, linear.bias.data = torch.from_numpy(W.T.copy()), torch.from_numpy(b.copy())
        modules += [linear, activation()]
    model = torch.nn.Sequential(*modules[:-1])  # cross_entropy takes what comes before softmax
    measure = {
        "half_squared_error": lambda outputs, y: 0.5 * (outputs - y).square().sum(1).mean(),
        "squared_error": lambda outputs, y: (outputs - y).square().sum(1).mean(),
        "cross_entropy": torch.nn.functional.cross_entropy,
    }[trajectory.loss]
    ours = trajectory.optimizer
    if isinstance(ours, fastmlp.Adam):
        theirs = torch.optim.Adam(model.parameters(), ours.learning_rate, (ours.beta_1, ours.beta_2), ours.epsilon)
    else:
        theirs = torch.optim.SGD(model.parameters(), ours.learning_rate, ours.momentum, nesterov=ours.nesterov)
    losses = []
    for X, y in batches(trajectory):
        theirs.zero_grad()
        loss = measure(model(torch.from_numpy(X)), torch.from_numpy(y))
        loss.backward()
        theirs.step()
        losses.append(float(f"{loss.item():.{DIGITS}g}"))
    return losses


def record():
    import torch

    torch.set_num_threads(1)
    losses = {trajectory.name: torch_losses(trajectory) for trajectory in TRAJECTORIES}
    RECORD.write_text(json.dumps({"torch": torch.__version__, "losses": losses}) + "\n")
    print(f"{STEPS} losses of {len(losses)} nets, torch {torch.__version__}")


if __name__ == "__main__":
    record()
