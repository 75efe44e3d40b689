"""
Regression, and a diagnosis
===========================

One identity output and half the squared error (script 002): y = x² + 1, first as it comes, then scaled.
"""

import numpy as np

import fastmlp

x = np.arange(1001.0)[:, None]
y = x[:, 0] ** 2 + 1
net = fastmlp.MLP([1, 32, 1], activation="tanh", seed=0)
net.fit(x, y, epochs=50)
print(f"R² {net.score(x, y):.3f}")
print(net.diagnose(x, y))

# %%
# The advice, followed:

x_scaled, y_scaled = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
net = fastmlp.MLP([1, 32, 1], activation="tanh", seed=0)
history = net.fit(x_scaled, y_scaled, epochs=50)
print(f"R² {net.score(x_scaled, y_scaled):.5f}")
assert net.score(x_scaled, y_scaled) > 0.99
fastmlp.plot.loss(history)

# %%
# Real data: diabetes after a year, from ten measurements of a patient.

from sklearn.datasets import load_diabetes

X, y = load_diabetes(return_X_y=True)
X, y = (X - X.mean(axis=0)) / X.std(axis=0), (y - y.mean()) / y.std()
net = fastmlp.MLP([10, 16, 1], activation="tanh", seed=0)
net.fit(X[:350], y[:350], epochs=200, validation=0.2, patience=10)
print(f"R² on 92 other patients {net.score(X[350:], y[350:]):.2f}")
