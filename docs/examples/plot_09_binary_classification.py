"""
Binary classification
=====================

One sigmoid output is the probability of class 1 (script 002): tumours, malignant or benign.
"""

import numpy as np
from sklearn.datasets import load_breast_cancer

import fastmlp

X, y = load_breast_cancer(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
rows = np.random.default_rng(0).permutation(len(X))
train, test = rows[:400], rows[400:]

net = fastmlp.MLP([30, 16, 1], output="sigmoid", seed=0)
history = net.fit(X[train], y[train], epochs=60, validation=0.2, patience=10)
print(f"accuracy {net.score(X[test], y[test]):.3f}")
fastmlp.plot.loss(history)

# %%

fastmlp.plot.confusion_matrix(net, X[test], y[test], labels=["malignant", "benign"])

# %%
# A higher threshold asks for more certainty: precision rises, recall falls (script 003).

for threshold in (0.1, 0.5, 0.9, 0.99):
    said = net.classify(X[test], threshold=threshold) == 1
    right = (y[test][said] == 1).sum()
    print(f"threshold {threshold:<4}  precision {right / said.sum():.3f}  recall {right / (y[test] == 1).sum():.3f}")
