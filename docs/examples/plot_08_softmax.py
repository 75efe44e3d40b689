"""
Softmax
=======

Outputs that are probabilities: positive, and 1 in sum (scripts 001, 002 and 004).
"""

# %%
# .. math:: a_i = \frac{e^{z_i}}{\sum_k e^{z_k}}

import numpy as np

import fastmlp

np.set_printoptions(precision=4, suppress=True)
softmax = fastmlp.activations["softmax"]
z = np.array([7, 5, 2, -1, 3])
print(softmax(z), "sum", softmax(z).sum())

# %%
# Only differences count, so that e to the power of a large number is never needed:

print(softmax(z + 1000))

# %%
# Each output depends on every z, so that the derivative is a matrix, :math:`a_i (1 - a_i)` on its diagonal and
# :math:`-a_i a_j` beside it:

print(softmax.derivative(z))

# %%
# The larger z, the larger its share; a factor on all of z makes the largest win:

from matplotlib import pyplot as plt

figure, axes = plt.subplots(1, 3, figsize=(9, 3), layout="constrained", sharey=True)
for ax, factor in zip(axes, (0.2, 0.5, 1), strict=True):
    ax.bar(range(1, 6), softmax(factor * z))
    ax.set(title=f"softmax of {factor} z", xlabel="i")
