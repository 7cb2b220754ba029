"""A Gaussian process on described cells, and its hyperparameters by maximum a posteriori.

Notation: n observations y at rows x float64[n, F] (`features`), F columns in B blocks, M candidates.

    r^2(a, b) = sum_b w_b |a_b - b_b|^2
    k(a, b) = s (1 + sqrt(5) r + 5 r^2 / 3) exp(-sqrt(5) r)      (Matern 5/2)
    y = m + f(x) + e,  f ~ GP(0, k),  e ~ N(0, v)

theta float64[2 + B] holds the logarithms of s, v and the weights w. Each has a normal prior of standard
deviation PRIOR_DEVIATION about the logarithm of AMPLITUDE, NOISE and 1 / B. m is the estimate by generalised
least squares, in the marginal likelihood as in predictions.

With up to `most` observations the posterior is exact (Rasmussen & Williams 2006, algorithm 2.1). With more,
it is the deterministic training conditional of `most` inducing rows u (Quinonero-Candela & Rasmussen 2005,
section 5): f(x) = k(x, u) K_uu^-1 f(u) in the likelihood of all n observations, and the prior as it is at
candidates.

All sums are over one trial's own arrays, so a trial's numbers do not depend on the trials beside it.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from scipy.linalg import blas, lapack
from scipy.optimize import minimize
from scipy.spatial.distance import cdist
from scipy.special import ndtr

PRIOR_DEVIATION, AMPLITUDE, NOISE = 2.0, 1.0, 0.1
STEPS = 30  # of L-BFGS per fit
JITTER = 1e-6  # of the amplitude, on the diagonal of inducing rows
SPAN = 12.0  # how far a logarithm may go from its prior's centre: six deviations
ROOT5 = math.sqrt(5.0)


def prior_centre(blocks: int) -> np.ndarray:
    """float64[2 + B]: the centre of theta's prior."""
    centre: np.ndarray = np.log(np.array([AMPLITUDE, NOISE, *[1 / max(blocks, 1)] * blocks]))
    return centre


@njit(cache=True)
def _matern(products: np.ndarray, a: np.ndarray, b: np.ndarray, amplitude: float) -> None:
    """Overwrite the inner products of scaled rows with k; their squares are a and b."""
    for i in range(products.shape[0]):
        for j in range(products.shape[1]):
            s = ROOT5 * math.sqrt(max(a[i] + b[j] - 2.0 * products[i, j], 0.0))
            products[i, j] = amplitude * (1.0 + s + s * s / 3.0) * math.exp(-s)


@njit(cache=True)
def _covariance(distances: np.ndarray, theta: np.ndarray, kernel: np.ndarray, slope: np.ndarray) -> None:
    """kernel float64[n, n] = k + v on the diagonal, its lower triangle, and slope float64[P] = d k / d r^2 of
    the P pairs below the diagonal, row by row, from their distances float64[P, B]."""
    amplitude, weights = math.exp(theta[0]), np.exp(theta[2:])
    at = 0
    for i in range(len(kernel)):
        for j in range(i):
            squared = 0.0
            for b in range(len(weights)):
                squared += weights[b] * distances[at, b]
            s = ROOT5 * math.sqrt(squared)
            fall = amplitude * math.exp(-s)
            kernel[i, j] = (1.0 + s + s * s / 3.0) * fall
            slope[at] = -5.0 / 6.0 * (1.0 + s) * fall
            at += 1
        kernel[i, i] = amplitude + math.exp(theta[1])


@njit(cache=True)
def _gradient(
    distances: np.ndarray,
    theta: np.ndarray,
    kernel: np.ndarray,
    slope: np.ndarray,
    inverse: np.ndarray,
    alpha: np.ndarray,
    out: np.ndarray,
) -> None:
    """out float64[2 + B] = the log likelihood's gradient: half the sum of (alpha alpha' - K^-1) d K over the
    matrix; `inverse` holds its lower triangle."""
    amplitude, noise = math.exp(theta[0]), math.exp(theta[1])
    out[:] = 0.0
    at = 0
    for i in range(len(kernel)):
        for j in range(i):
            both = alpha[i] * alpha[j] - inverse[i, j]  # once for (i, j), once for (j, i)
            out[0] += both * kernel[i, j]
            change = both * slope[at]
            for b in range(distances.shape[1]):
                out[2 + b] += change * distances[at, b]
            at += 1
        own = 0.5 * (alpha[i] * alpha[i] - inverse[i, i])
        out[0] += own * amplitude
        out[1] += own * noise
    for b in range(distances.shape[1]):
        out[2 + b] *= math.exp(theta[2 + b])


def pair_distances(x: np.ndarray, block: np.ndarray) -> np.ndarray:
    """float64[n (n - 1) / 2, B]: squared distances of rows x in each block, of the pairs (1, 0), (2, 0),
    (2, 1), .."""
    n, blocks = len(x), int(block.max(initial=-1)) + 1
    below = np.tril_indices(n, k=-1)
    out = np.zeros((len(below[0]), blocks))
    for b in range(blocks):
        own = x[:, block == b]
        out[:, b] = cdist(own, own, "sqeuclidean")[below]
    return out


def log_posterior(theta: np.ndarray, distances: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """The logarithm of likelihood times prior of theta, and its gradient float64[2 + B]; -inf and zeros where
    the matrix is not positive definite.

    Args:
        theta: float64[2 + B].
        distances: of the n observations (`pair_distances`).
        y: float64[n].
    """
    n = len(y)
    kernel, slope, gradient = np.zeros((n, n)), np.empty(len(distances)), np.empty(len(theta))
    _covariance(distances, theta, kernel, slope)
    # LAPACK's upper triangle is the lower one of rows.
    factor, failed = lapack.dpotrf(kernel.T, lower=0)
    if failed:
        return -math.inf, np.zeros(len(theta))
    ones_y = np.stack([y, np.ones(n)], axis=1)
    solved, _ = lapack.dpotrs(factor, ones_y, lower=0)
    alpha = solved[:, 0] - solved[:, 0].sum() / solved[:, 1].sum() * solved[:, 1]
    value = -0.5 * float(y @ alpha) - float(np.log(np.diag(factor)).sum()) - 0.5 * n * math.log(2 * math.pi)
    inverse, _ = lapack.dpotri(factor, lower=0, overwrite_c=1)
    _gradient(distances, theta, kernel, slope, inverse.T, alpha, gradient)
    away = theta - prior_centre(distances.shape[1])
    value -= 0.5 * float((away**2).sum()) / PRIOR_DEVIATION**2
    return value, gradient - away / PRIOR_DEVIATION**2


def fit(theta: np.ndarray, x: np.ndarray, block: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The theta float64[2 + B] of largest posterior probability near a first one."""
    distances = pair_distances(x, block)
    centre = prior_centre(distances.shape[1])

    def loss(point: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = log_posterior(point, distances, y)
        return (-value, -gradient) if math.isfinite(value) else (1e25, np.zeros(len(point)))

    bounds = np.stack([centre - SPAN, centre + SPAN], axis=1)
    found = minimize(
        loss, theta, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": STEPS, "ftol": 1e-5}
    )
    best: np.ndarray = found.x if np.isfinite(found.x).all() else centre
    return best


class Posterior:
    """What n observations say about other cells.

    Args:
        theta: float64[2 + B].
        block: int64[F], the block of each column.
        x: float64[n, F]; y: float64[n].
        inducing: int64[u], rows of x that carry the model; None: all of them, exactly.

    Attributes:
        noise: v.
    """

    def __init__(
        self,
        theta: np.ndarray,
        block: np.ndarray,
        x: np.ndarray,
        y: np.ndarray,
        inducing: np.ndarray | None = None,
    ) -> None:
        self.amplitude, self.noise = math.exp(theta[0]), math.exp(theta[1])
        self._roots = np.exp(0.5 * theta[2:])[block]
        scaled = x * self._roots
        self._rows = scaled if inducing is None else scaled[inducing]
        self._squares = (self._rows * self._rows).sum(axis=1)
        matrix = self._kernel(self._rows)
        matrix[np.diag_indices(len(matrix))] += self.noise if inducing is None else JITTER * self.amplitude
        self._factor = _cholesky(matrix)
        self._inner: np.ndarray | None = None
        both = np.stack([y, np.ones(len(y))], axis=1)
        if inducing is None:
            white = _solve(self._factor, both)
            self.mean = float(white[:, 0] @ white[:, 1] / (white[:, 1] @ white[:, 1]))
            self._white = white[:, 0] - self.mean * white[:, 1]
        else:
            # (K_nu K_uu^-1 K_un + v)^-1 = (I - W' (R R')^-1 W) / v
            # with W = L^-1 K_un / sqrt(v) and I + W W' = R R'.
            wide = _solve(self._factor, self._kernel(scaled).T) / math.sqrt(self.noise)
            self._inner = _cholesky(np.eye(len(wide)) + wide @ wide.T)
            white = _solve(self._inner, wide @ both)
            against = both[:, 1] @ both - white[:, 1] @ white
            self.mean = float(against[0] / against[1])
            self._white = (white[:, 0] - self.mean * white[:, 1]) / math.sqrt(self.noise)

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of m + f at rows x float64[M, F]: float64[M] each."""
        near = _solve(self._factor, self._kernel(x * self._roots).T)
        variance = self.amplitude - np.einsum("ij,ij->i", near.T, near.T)
        if self._inner is not None:
            near = _solve(self._inner, near)
            variance += np.einsum("ij,ij->i", near.T, near.T)
        return self.mean + near.T @ self._white, np.maximum(variance, 1e-10 * self.amplitude)

    def _kernel(self, scaled: np.ndarray) -> np.ndarray:
        """k between scaled rows float64[M, F] and the model's: float64[M, rows]."""
        kernel: np.ndarray = scaled @ self._rows.T
        _matern(kernel, (scaled * scaled).sum(axis=1), self._squares, self.amplitude)
        return kernel


def _cholesky(matrix: np.ndarray) -> np.ndarray:
    """The lower Cholesky factor; the diagonal grows until there is one."""
    more = 1e-10 * float(np.trace(matrix)) / len(matrix)
    while True:
        factor, failed = lapack.dpotrf(matrix, lower=1)
        if not failed:
            lower: np.ndarray = factor
            return lower
        matrix = matrix + np.diag(np.full(len(matrix), more))
        more *= 10


def _solve(factor: np.ndarray, right: np.ndarray) -> np.ndarray:
    """L^-1 right float64[n, M], which it overwrites where its columns are contiguous."""
    solved: np.ndarray = blas.dtrsm(1.0, factor, right, lower=1, overwrite_b=1)
    return solved


def expected_improvement(mean: np.ndarray, variance: np.ndarray, best: float) -> np.ndarray:
    """float64[M]: E max(z - best, 0) for z ~ N(mean, variance)."""
    deviation = np.sqrt(variance)
    z = (mean - best) / deviation
    density = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    improvement: np.ndarray = np.maximum((mean - best) * ndtr(z) + deviation * density, 0.0)
    return improvement
