"""
The perceptron, and what it cannot learn
========================================

Rosenblatt's rule changes the weights after each mistake, and stops after a pass without one (script 003).
"""

# %%
# .. math:: w \leftarrow w \pm \alpha x, \qquad b \leftarrow b \pm \alpha
#
# plus where a positive sample was taken for a negative one, minus the other way round.

import numpy as np

import fastmlp

corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
neuron = fastmlp.Perceptron().fit(corners, [0, 0, 0, 1])
print(neuron)
print("epoch  sample  label  weights  bias")
for update in neuron.updates:
    print(f"{update.epoch:5}  {corners[update.row]}   {update.label:5}  {update.weights}  {update.bias:4}")

# %%

fastmlp.plot.decision_boundary(neuron, corners, [0, 0, 0, 1])

# %%
# XOR has no such line. The rule goes round in circles:

xor = fastmlp.Perceptron(max_epochs=12).fit(corners, [0, 1, 1, 0])
print(xor)
print("mistakes in each pass:", xor.mistakes)
