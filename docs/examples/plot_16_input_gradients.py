"""
Gradients with respect to the inputs
====================================

Backpropagation gives the gradient of the loss by every value, the inputs among them (script 002).
"""

# %%
# The script's net has no biases. By the chain rule
#
# .. math::
#    \frac{\partial L}{\partial x_1} = (\hat y - y)\, g'(z_3)\, \bigl(w_5\, g'(z_1)\, w_1 + w_6\, g'(z_2)\, w_2\bigr)

import numpy as np

import fastmlp

example = fastmlp.examples.load("002")
net, x, y = example.net, example.x, example.y
step = net.trace(x, y)
hidden, output = step.layers
(w1, w2), (w5, w6) = net.weights[0][0], net.weights[1][:, 0]
g1, g2 = hidden.derivative
by_hand = (output.a - y) * output.derivative * (w5 * g1 * w1 + w6 * g2 * w2)
print(by_hand[0], step.gradient_inputs[0])
assert np.isclose(by_hand[0], step.gradient_inputs[0])

# %%

fastmlp.plot.network(net, x, y)

# %%
# For a digit, the gradient by its pixels shows what the net looks at: more ink there (blue) makes the loss larger.

from matplotlib import pyplot as plt

X, labels = fastmlp.datasets.load_digits()
net = fastmlp.MLP([64, 32, 10], output="softmax", seed=0)
net.fit(X, labels, epochs=20)
gradient = net.gradient(X[0], labels[0]).inputs.reshape(8, 8)
figure, axes = plt.subplots(1, 2, figsize=(7, 3.4), layout="constrained")
axes[0].imshow(X[0].reshape(8, 8), cmap="gray_r")
axes[0].set_title("a zero")
most = np.abs(gradient).max()
axes[1].imshow(gradient, cmap="RdBu", vmin=-most, vmax=most)
axes[1].set_title("gradient by its pixels")
for ax in axes:
    ax.set(xticks=[], yticks=[])
