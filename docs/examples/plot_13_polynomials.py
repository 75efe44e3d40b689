"""
Why a net? Polynomials grow
===========================

A polynomial of degree p in n variables has C(n + p, p) coefficients (script 000).
"""

from math import comb

from matplotlib import pyplot as plt

import fastmlp

pixels = 100 * 100
net = fastmlp.MLP([pixels, 32, 1])
print(f"{comb(pixels + 2, 2):,} coefficients of degree 2 against {net.n_parameters:,} parameters")
assert comb(pixels + 2, 2) == 50_015_001
assert net.n_parameters == 320_065

# %%

n = [2**k for k in range(15)]
figure, ax = plt.subplots(figsize=(8.3, 4.6), layout="constrained")
for p, style in ((2, "--"), (3, ":")):
    ax.loglog(n, [comb(k + p, p) for k in n], style, label=f"polynomial of degree {p}")
ax.loglog(n, [k * 32 + 32 + 33 for k in n], label="net n-32-1")
ax.set(xlabel="inputs n", ylabel="coefficients")
ax.legend(frameon=False)
