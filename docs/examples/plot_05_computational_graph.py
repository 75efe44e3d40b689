"""
A computational graph
=====================

f = (x + y) z, forward and backward, as script 003 draws it.
"""

from fastmlp.graph import Value

x, y, z = Value(-2, "x"), Value(5, "y"), Value(-4, "z")
q = x + y
f = q * z
q.name, f.name = "q", "f"
f.backward()
print(f.table())
assert (f.value, x.grad, y.grad, z.grad, q.grad) == (-12, -4, -4, 3, -4)

# %%
# Values stand above the edges, gradients below: the chain rule, from right to left.

f.plot()

# %%
# A neuron is such a graph, too: the first hidden neuron of script 003.

w1, w2, b1 = Value(0.15, "w1"), Value(0.20, "w2"), Value(0.35, "b1")
net_h1 = w1 * 0.05 + w2 * 0.10 + b1
net_h1.name = "net_h1"
out_h1 = net_h1.activate("sigmoid")
out_h1.name = "out_h1"
out_h1.backward()
print(f"{net_h1.value:.4f} {out_h1.value:.9f}")
out_h1.plot()
