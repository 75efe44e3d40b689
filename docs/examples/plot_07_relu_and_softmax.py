"""
The exercise: ReLU and softmax
==============================

Script 001 asks for the loss and one derivative of a net with x = (1, 2) and the second of three classes.
"""

import fastmlp

example = fastmlp.examples.load("001")
step = example.net.trace(example.x, example.y)
fastmlp.plot.network(example.net, example.x, example.y)

# %%
# The loss is -log of the output of the true class:

print("loss", round(step.loss, 6))
print("dC/dw^1_21", round(step.layers[0].gradient_weights[0, 1], 6))
assert round(step.loss, 6) == 0.407606

# %%
# The weight in question leads from input 1 to neuron 2. In the script's notation its gradient is
# :math:`\partial C / \partial w^1_{21} = \delta^1_2 x_1`:

text = str(example.net.explain(example.x, example.y, notation="001"))
print(text[text.index("6. Backward") :])
