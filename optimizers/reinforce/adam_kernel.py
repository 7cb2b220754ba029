"""Adam's step for some rows of a table, in one pass over memory: policies with millions of parameters spend
most of their time here.

Notation: theta, first and second moments [T, P]; rows int64[R] of these move along gradient [R, P].
"""

from __future__ import annotations

import math

from numba import njit


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def ascend(theta, first, second, steps, rows, gradient, rate, beta1, beta2, epsilon):
    """Ascend in place and count the steps [T, 1]; the numbers are those of Kingma & Ba's algorithm 1 with
    bias correction."""
    real = theta.dtype.type
    b1, b2, one = real(beta1), real(beta2), real(1.0)
    for r in range(len(rows)):
        t = rows[r]
        steps[t, 0] += 1.0
        scale = real(rate / (1.0 - beta1 ** steps[t, 0]))
        unbias = real(1.0 / math.sqrt(1.0 - beta2 ** steps[t, 0]))
        small = real(epsilon)
        for p in range(theta.shape[1]):
            g = gradient[r, p]
            m = b1 * first[t, p] + (one - b1) * g
            v = b2 * second[t, p] + (one - b2) * g * g
            first[t, p] = m
            second[t, p] = v
            theta[t, p] += scale * m / (math.sqrt(v) * unbias + small)
