"""Adam's step for some rows of a table, in one pass over memory: policies with millions of parameters spend
most of their time here.

Notation: T trials, P parameters; rows int64[R] of these trials move along gradient float[R, P].
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit


class Ascent(NamedTuple):
    """The state of Adam for T trials."""

    theta: np.ndarray  # float[T, P]
    first: np.ndarray  # float[T, P], moving average of the gradient
    second: np.ndarray  # float[T, P], moving average of its square
    steps: np.ndarray  # float64[T, 1], steps taken


class Rates(NamedTuple):
    """The numbers of Adam."""

    rate: float  # the step size
    beta1: float  # decay of the first moment
    beta2: float  # decay of the second
    epsilon: float


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def ascend(state: Ascent, rows: np.ndarray, gradient: np.ndarray, rates: Rates) -> None:
    """Ascend in place and count the steps; the numbers are those of Kingma & Ba's algorithm 1 with bias
    correction."""
    theta, first, second, steps = state
    rate, beta1, beta2, epsilon = rates
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
