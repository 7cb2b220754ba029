"""Gaussian processes on precomputed distances, small and compiled.

Notation: n observations with targets y (standardised), M candidates, K distances per pair. Two kernels:

    exponentials of OTMANN distances (Kandasamy et al. 2018, eq. 4, with powers 1 and 2):
        k(a, b) = alpha_1 exp(-sum_q beta_q d_q(a, b)) + alpha_2 exp(-sum_q gamma_q e_q(a, b)^2),
        with e_q = d_q / (M(a) + M(b)), the distance as a share of the cells' masses;
    one exponential: k(a, b) = amplitude^2 exp(-d(a, b) / length^2).

`theta` float64[3 + 2 K] holds (noise variance, alpha_1, alpha_2, beta_1.., gamma_1..). L is the lower
Cholesky factor of the kernel matrix plus noise, w = L^-1 (y - m), so the posterior mean at a candidate is m +
v.w and its variance k(x, x) - v.v, with v = L^-1 k(x, X) (Rasmussen & Williams 2006, algorithm 2.1).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(cache=True, fastmath=True, error_model="numpy")
def _dot(a: np.ndarray, b: np.ndarray, count: int) -> float:
    total = 0.0
    for i in range(count):
        total += a[i] * b[i]
    return total


@njit(cache=True)
def cholesky(matrix: np.ndarray, n: int) -> bool:
    """Overwrite the lower triangle of the leading n x n block with its Cholesky factor; False where it is not
    positive definite."""
    for i in range(n):
        row = matrix[i]
        for j in range(i):
            row[j] = (row[j] - _dot(row, matrix[j], j)) / matrix[j, j]
        pivot = row[i] - _dot(row, row, i)
        if not pivot > 0:
            return False
        row[i] = math.sqrt(pivot)
    return True


@njit(cache=True)
def forward(factor: np.ndarray, n: int, right: np.ndarray) -> None:
    """Overwrite right[:n] with L^-1 right."""
    for i in range(n):
        right[i] = (right[i] - _dot(factor[i], right, i)) / factor[i, i]


@njit(cache=True)
def log_marginal_likelihood(factor: np.ndarray, whitened: np.ndarray, n: int) -> float:
    """log p(y) given L and w = L^-1 (y - m)."""
    value = -0.5 * _dot(whitened, whitened, n) - 0.5 * n * math.log(2 * math.pi)
    for i in range(n):
        value -= math.log(factor[i, i])
    return value


@njit(cache=True, fastmath=True, error_model="numpy")
def sum_kernel(
    distances: np.ndarray, mass_a: float, mass_b: np.ndarray, theta: np.ndarray, out: np.ndarray
) -> None:
    """out[j] = k between a point of mass `mass_a` and points j of masses mass_b[j], at distances
    float32[len(out), K]."""
    count = (len(theta) - 3) // 2
    for j in range(len(out)):
        share = 1.0 / (mass_a + mass_b[j])
        first, second = 0.0, 0.0
        for q in range(count):
            d = np.float64(distances[j, q])
            first += theta[3 + q] * d
            second += theta[3 + count + q] * (d * share) ** 2
        out[j] = theta[1] * math.exp(-first) + theta[2] * math.exp(-second)


@njit(cache=True)
def factorise(
    distances: np.ndarray, masses: np.ndarray, n: int, theta: np.ndarray, factor: np.ndarray
) -> bool:
    """Write the Cholesky factor of kernel plus noise into factor[:n, :n]; False where it is not positive
    definite."""
    for i in range(n):
        sum_kernel(distances[i, :i], masses[i], masses[:i], theta, factor[i, :i])
        factor[i, i] = theta[0] + theta[1] + theta[2]
    return cholesky(factor, n)


@njit(cache=True)
def expected_improvement(mean: float, variance: float, best: float) -> float:
    """E max(f - best, 0) for f ~ N(mean, variance) (Mockus 1974)."""
    deviation = math.sqrt(variance)
    z = (mean - best) / deviation
    return (mean - best) * 0.5 * math.erfc(-z / math.sqrt(2)) + deviation * math.exp(
        -0.5 * z * z
    ) / math.sqrt(2 * math.pi)


@njit(cache=True)
def standardise(y: np.ndarray, n: int, median: bool, out: np.ndarray) -> tuple[float, float]:
    """out[:n] = (y - centre) / deviation, the centre being the median or the mean; the deviation about the
    mean, or 1 if y is constant. Returns (centre, deviation)."""
    mean = 0.0
    for i in range(n):
        mean += y[i] / n
    variance = 0.0
    for i in range(n):
        variance += (y[i] - mean) ** 2 / n
    deviation = math.sqrt(variance) if variance > 0 else 1.0
    centre = np.median(y[:n]) if median else mean
    for i in range(n):
        out[i] = (y[i] - centre) / deviation
    return centre, deviation
