"""
A neuron, and gates
===================

A neuron adds up its weighted inputs and a bias, and answers with an activation of the sum (scripts 002 and 003).
"""

# %%
# .. math:: z = w_1 x_1 + w_2 x_2 + b, \qquad a = g(z)
#
# With the step as activation it answers 0 or 1. AND has the boundary :math:`z = -1.5 + x_1 + x_2`, OR
# :math:`z = -0.5 + x_1 + x_2`.

import numpy as np

import fastmlp

corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
step = fastmlp.activations["step"]
for gate, bias in (("AND", -1.5), ("OR", -0.5)):
    print(gate, step(bias + corners.sum(axis=1)))

# %%
# A sigmoid in its place makes the step soft. The line where z = 0, and the output is 1/2, is the same.

from matplotlib import pyplot as plt

figure, axes = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
for ax, gate, y in zip(axes, ("and", "or"), ([0, 0, 0, 1], [0, 1, 1, 1]), strict=True):
    fastmlp.plot.decision_boundary(fastmlp.examples.load(gate).net, corners, y, ax=ax)
    ax.set_title(gate.upper())
