"""
A step of the 2-2-2 net, by hand
================================

Script 003 works a step of backpropagation out by hand. These are its numbers.
"""

import fastmlp

example = fastmlp.examples.load("003")
net, x, y = example.net, example.x, example.y
fastmlp.plot.network(net, x, y)

# %%
# Black is what is computed on the way forward, purple what comes back. The same as data:

step = net.trace(x, y, optimizer=fastmlp.SGD(0.5))
hidden, output = step.layers
print(f"net_h1 {hidden.z[0]:.4f}   out_h1 {hidden.a[0]:.9f}   E_total {step.loss:.9f}")
print(f"dE/dw5 {output.gradient_weights[0, 0]:.9f}   new w5 {output.new_weights[0, 0]:.8f}")
assert round(output.gradient_weights[0, 0], 9) == 0.082167041

# %%
# And in the script's words:

print(net.explain(x, y, optimizer=fastmlp.SGD(0.5), notation="003"))

# %%
# Again and again, a step of gradient descent brings the outputs to their targets:

history = net.fit(x[None, :], y[None, :], epochs=2000, batch_size=None, optimizer=fastmlp.SGD(0.5))
print(net.predict(x).round(3), "for", y)
fastmlp.plot.loss(history)
