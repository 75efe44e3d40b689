"""
The shapes of a batch
=====================

Script 004 stacks samples as columns, fastmlp as rows. The weights are the same.
"""

# %%
# .. math:: Z^{[1]} = W^{[1]T} X + b^{[1]} \quad (h \times m), \qquad Z^1 = X W^1 + b^1 \quad (m \times h)

import numpy as np

import fastmlp

net = fastmlp.examples.load("004").net
columns = np.array([[1.0, 0.0, -1.0, 2.0], [2.0, 1.0, 3.0, 0.5]])  # d = 2 features, m = 4 samples
sigmoid = fastmlp.activations["sigmoid"]

a = columns
for W, b in zip(net.weights, net.biases, strict=True):
    z = W.T @ a + b[:, None]
    a = sigmoid(z)
    print("W^T", W.T.shape, " z", z.shape)
print("outputs", a.round(4))

# %%

outputs = net.predict(columns.T)
print("net.predict(columns.T)", outputs.shape)
assert np.allclose(outputs, a.T)

# %%
# The gradients of the script, for one sample: :math:`\partial L / \partial W^{[1]}` has a row for each neuron.

x, y = columns[:, 0], 1
hidden, output = net.trace(x, y).layers
error = output.a - y
dW1 = (net.weights[1] * hidden.derivative[:, None]) @ error[:, None] @ x[None, :]
print(dW1.shape)
assert np.allclose(dW1.T, net.gradient(x, y).weights[0])

# %%

fastmlp.plot.network(net, x, y)
