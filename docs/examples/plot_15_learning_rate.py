"""
The learning rate, and when to stop
===================================

Gradient descent makes a step against the gradient, of the length that the rate says, until a rule ends it (002).
"""

# %%
# .. math:: \theta \leftarrow \theta - \alpha \frac{\partial C}{\partial \theta}

import numpy as np
from matplotlib import pyplot as plt

import fastmlp

rng = np.random.default_rng(0)
X = rng.uniform(-2, 2, size=(200, 1))
y = np.sin(2 * X[:, 0]) + 0.1 * rng.normal(size=200)

figure, ax = plt.subplots(figsize=(8.3, 4.6), layout="constrained")
for rate, style in ((0.001, ":"), (0.01, "--"), (0.1, "-"), (0.5, "-.")):
    net = fastmlp.MLP([1, 20, 1], activation="tanh", dtype="float64", seed=0)
    history = net.fit(X, y, epochs=200, optimizer=fastmlp.SGD(rate))
    ax.semilogy(history.loss, style, label=f"rate {rate}")
ax.set(xlabel="epoch", ylabel="mean loss")
ax.legend(frameon=False)

# %%
# Training ends after ``epochs`` passes, when the improvement is at most ``tol``, or when the validation loss has not
# improved for ``patience`` epochs; then the net has its best weights.

net = fastmlp.MLP([1, 20, 1], activation="tanh", dtype="float64", seed=0)
history = net.fit(X, y, epochs=2000, optimizer=fastmlp.SGD(0.1), validation=0.25, patience=20)
print(history.epochs, "epochs:", history.stop_reason)
fastmlp.plot.loss(history)
