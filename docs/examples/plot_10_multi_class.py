"""
Many classes: handwritten digits
================================

A softmax output for each class, cross-entropy as loss (scripts 001 and 002).
"""

import numpy as np

import fastmlp

X, y = fastmlp.datasets.load_digits()
rows = np.random.default_rng(0).permutation(len(X))
train, test = rows[:1500], rows[1500:]

net = fastmlp.MLP([64, 32, 10], output="softmax", seed=0)
recorder = fastmlp.plot.Recorder(X[train], y[train])
history = net.fit(X[train], y[train], epochs=40, validation=0.1, callbacks=recorder)
print(f"right on {net.score(X[test], y[test]):.1%} of the digits it never saw")
fastmlp.plot.loss(history)

# %%

fastmlp.plot.confusion_matrix(net, X[test], y[test])

# %%
# What the hidden neurons look for: their weights, as images of 8 × 8.

fastmlp.plot.first_layer(net, (8, 8))

# %%
# How the weights of the first layer spread, and how the gradient shrinks.

fastmlp.plot.histograms(recorder, 1)

# %%

fastmlp.plot.histograms(recorder, 1, "gradients")
