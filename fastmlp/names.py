"""The names that arguments take, as types: a type checker finds one that is misspelt.

What they stand for are the rows of the tables in formulas.py, optimizers.py, initializers.py, schedules.py and
builds.py, with which a test compares them. At run time these tables decide, not the types.
"""

from typing import Literal

Activation = Literal[
    "identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "softplus", "gelu", "silu", "mish",
    "exponential",
]  # fmt: skip
Output = Literal[Activation, "softmax"]
Loss = Literal[
    "half_squared_error", "squared_error", "binary_cross_entropy", "cross_entropy", "absolute_error", "huber",
    "log_cosh", "quantile", "poisson",
]  # fmt: skip
OptimizerName = Literal["sgd", "adam", "adamw", "rmsprop"]
InitializerName = Literal["glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_normal"]
ScheduleName = Literal["constant", "cosine", "step", "one_cycle"]
DType = Literal["float32", "float64"]
