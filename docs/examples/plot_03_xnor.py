"""
XNOR, by two learned features
=============================

What one neuron cannot do, a layer of two and a third on top of it can (script 002).
"""

# %%
# The script finds the weights by hand: :math:`a_1 = \sigma(-6 + 4x_1 + 4x_2)` is near 1 where both inputs are,
# :math:`a_2 = \sigma(2 - 4x_1 - 4x_2)` where neither is, and the output adds them up.

import numpy as np

import fastmlp

corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
y = [1, 0, 0, 1]
net = fastmlp.examples.load("xnor").net
hidden = net.trace(corners, y).layers[0].a
for x, a, answer in zip(corners, hidden, net.classify(corners), strict=True):
    print(x, a.round(3), answer)
assert net.classify(corners).tolist() == y

# %%
# The dashed lines are where z of a hidden neuron is 0; the output bends them into a region.

fastmlp.plot.decision_boundary(net, corners, y)

# %%
# Gradient descent finds weights of its own, from random ones:

learned = fastmlp.MLP([2, 2, 1], activation="sigmoid", output="sigmoid", dtype="float64", seed=1)
history = learned.fit(corners, y, epochs=3000, batch_size=None, optimizer=fastmlp.SGD(2.0, momentum=0.9))
assert learned.classify(corners).tolist() == y
fastmlp.plot.decision_boundary(learned, corners, y)
