"""
Activations and their derivatives
=================================

What makes a net more than one linear map, and what backpropagation multiplies by (scripts 002 and 003).
"""

import fastmlp

fastmlp.plot.activations()

# %%
# The derivative of the sigmoid is 1/4 at most: a product over many layers vanishes. That of ReLU is 0 or 1.

fastmlp.plot.activations(derivative=True)

# %%
# All of them can be called:

for name in ("sigmoid", "tanh", "relu", "leaky_relu"):
    g = fastmlp.activations[name]
    print(f"{name:<11} g(-1) = {g(-1.0):.4f}   g'(-1) = {g.derivative(-1.0):.4f}")
