"""
Several outputs at once
=======================

K identity outputs and rows of K targets (script 002): three measurements of the body from three exercises.
"""

import numpy as np
from sklearn.datasets import load_linnerud

import fastmlp

X, y = load_linnerud(return_X_y=True)
X, y = (X - X.mean(axis=0)) / X.std(axis=0), (y - y.mean(axis=0)) / y.std(axis=0)
net = fastmlp.MLP([3, 4, 3], activation="tanh", dtype="float64", seed=0)
history = net.fit(X, y, epochs=300, batch_size=None, optimizer=fastmlp.Adam(0.01))
print("weight, waist, pulse of the first man, in standard deviations")
print("measured ", y[0].round(2))
print("predicted", net.predict(X[0]).round(2))
fastmlp.plot.loss(history)

# %%
# The loss of a sample is the sum over its outputs:

step = net.trace(X[0], y[0])
print(step.loss_terms.round(4), "sum", round(step.loss, 4))
assert np.isclose(step.loss_terms.sum(), step.loss)
