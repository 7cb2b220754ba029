"""NASBOT against its plain twin, POT, brute force and scikit-learn."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bench.plain import nasbot as plain
from nas_bench_suite import OK, Outcome, Streams, Task
from nas_bench_suite.benchmarks.nasbench101.space import NASBench101Space
from nas_bench_suite.benchmarks.nasbench201 import NASBench201Space
from nas_bench_suite.optimizer import Optimizer
from nas_bench_suite.space import GraphSpace
from optimizers.nasbot import NASBOT
from optimizers.nasbot.descriptions import Descriptions, row_distances
from optimizers.nasbot.gaussian_process import (
    expected_improvement,
    factorise,
    forward,
    log_marginal_likelihood,
    sum_kernel,
)
from optimizers.nasbot_as_run import NASBOTAsRun

SPACE = NASBench101Space()
NUS = np.array(plain.NUS)


def distances(
    strings: np.ndarray, others: np.ndarray, space: GraphSpace = SPACE, transport: bool = True
) -> np.ndarray:
    """float64[n, m, K] of the compiled version."""
    described = Descriptions(space, transport=transport, weights=NUS)
    rows, columns = described.describe(strings), described.describe(others)
    out = np.zeros((len(rows), len(columns), described.lanes), dtype=np.float32)
    for i, row in enumerate(rows):
        row_distances(described.metric, row, columns, len(columns), out[i])
    return out.astype(np.float64)


def cells(count: int, seed: int, at_least: int = 2) -> np.ndarray:
    """Strings of cells with at least so many vertices."""
    strings = SPACE.sample_rng(np.random.default_rng(seed), (50 * count,))
    large = [string for string in strings if len(plain.cell_of(string)[1]) >= at_least]
    return np.array(large[:count])


@pytest.mark.parametrize("at_least", [2, 6])
def test_otmann_is_the_optimal_transport_cost(at_least: int) -> None:
    strings = cells(9, seed=at_least, at_least=at_least)
    ours = distances(strings, strings)
    for i, a in enumerate(strings):
        for j, b in enumerate(strings[: i + 1]):
            for k, nu in enumerate(plain.NUS):
                expected = plain.otmann(plain.cell_of(a), plain.cell_of(b), nu)
                assert ours[i, j, k] == pytest.approx(expected, abs=2e-5)
                if len(plain.cell_of(a)[1]) <= 6:
                    assert plain.otmann_brute_force(plain.cell_of(a), plain.cell_of(b), nu) == pytest.approx(
                        expected, abs=1e-9
                    )


def test_otmann_where_a_space_says_what_its_graphs_are() -> None:
    """NAS-Bench-201: operations on edges are vertices, and a skip is a pooling unlike the others."""
    space = NASBench201Space()
    names = {
        "nor_conv_1x1": "conv1x1",
        "nor_conv_3x3": "conv3x3",
        "avg_pool_3x3": "avgpool3x3",
        "skip_connect": "skip (pool)",
    }
    strings = space.sample_rng(np.random.default_rng(3), (12,))
    strings[0] = 0  # no path at all
    graphs = []
    for string in strings:
        matrix, ops = space.graph(string)
        graphs.append((matrix.astype(int), [names.get(op, op) for op in ops]))
    ours = distances(strings, strings, space)
    for i, j in itertools.combinations_with_replacement(range(len(strings)), 2):
        for k, nu in enumerate(plain.NUS):
            assert ours[i, j, k] == pytest.approx(plain.otmann(graphs[i], graphs[j], nu), abs=2e-5)


def test_otmann_of_small_cells_is_brute_force() -> None:
    """All cells of up to four vertices, 91 of them, against each other."""
    strings = SPACE.architecture(np.arange(91))
    graphs = [plain.cell_of(string) for string in strings]
    ours = distances(strings, strings)
    rng = np.random.default_rng(0)
    for i, j in rng.integers(91, size=(150, 2)):
        for k, nu in enumerate(plain.NUS):
            assert ours[i, j, k] == pytest.approx(
                plain.otmann_brute_force(graphs[i], graphs[j], nu), abs=2e-5
            )


def test_degree_distance() -> None:
    strings = cells(20, seed=3)
    ours = distances(strings, strings, transport=False)[:, :, 0]
    np.testing.assert_array_equal(ours, [[plain.degree_distance(a, b) for b in strings] for a in strings])


@pytest.mark.parametrize("seed", [0, 1])
def test_posterior_and_likelihood_are_scikit_learns(seed: int) -> None:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import Kernel, NormalizedKernelMixin

    strings = cells(40, seed=10 + seed)
    rng = np.random.default_rng(seed)
    # noise that outweighs what is indefinite
    theta = np.exp(rng.normal(size=11)) * np.array([1.0, 1, 1, *[0.1] * 4, *[5.0] * 4])
    between = distances(strings, strings)
    mass = np.array([plain.masses(plain.cell_of(string)).sum() for string in strings])
    kernel = plain.sum_kernel(between, mass, mass, theta)
    n = 30
    y = rng.normal(size=n)

    class Precomputed(NormalizedKernelMixin, Kernel):  # type: ignore[misc]  # scikit-learn has no types
        """Looks pairs of indices up."""

        def __init__(self) -> None:
            pass

        def __call__(self, X: np.ndarray, Y: np.ndarray | None = None, eval_gradient: bool = False) -> Any:
            return kernel[np.ix_(X[:, 0].astype(int), (X if Y is None else Y)[:, 0].astype(int))]

        def diag(self, X: np.ndarray) -> np.ndarray:
            return np.full(len(X), theta[1] + theta[2])

        def is_stationary(self) -> bool:
            return False

    index = np.arange(40)[:, None]
    reference = GaussianProcessRegressor(Precomputed(), alpha=theta[0], optimizer=None).fit(index[:n], y)
    mean, deviation = reference.predict(index[n:], return_std=True)

    factor, whitened = np.zeros((n, n)), y.copy()
    assert factorise(between.astype(np.float32), mass, n, theta, factor)
    forward(factor, n, whitened)
    assert log_marginal_likelihood(factor, whitened, n) == pytest.approx(
        reference.log_marginal_likelihood_value_, rel=1e-6
    )
    for i in range(n, 40):
        v = np.zeros(n)
        sum_kernel(between[i, :n].astype(np.float32), mass[i], mass[:n], theta, v)
        forward(factor, n, v)
        assert v @ whitened == pytest.approx(mean[i - n], abs=1e-6)
        assert np.sqrt(theta[1] + theta[2] - v @ v) == pytest.approx(deviation[i - n], rel=1e-5)


def test_expected_improvement_is_the_integral() -> None:
    from scipy.integrate import quad
    from scipy.stats import norm

    for mean, variance, best in ((0.0, 1.0, 0.5), (-1.0, 0.3, 1.0), (2.0, 0.01, 1.0)):
        deviation = np.sqrt(variance)
        exact = quad(
            lambda f, m=mean, s=deviation, b=best: (f - b) * norm.pdf(f, m, s),
            best,
            mean + 12 * deviation + 5,
        )[0]
        assert expected_improvement(mean, variance, best) == pytest.approx(exact, abs=1e-8)


def queries(optimizer: Optimizer, value: Callable[[np.ndarray], float], budget: int, seed: int) -> np.ndarray:
    """The strings that one trial queries."""
    optimizer.start(Task(space=SPACE, trials=1, budget=budget, streams=Streams(seed, 1)))
    asked: list[np.ndarray] = []
    while len(asked) < budget:
        proposal = optimizer.ask(np.array([budget - len(asked)]))
        strings = proposal.architectures[0][proposal.wanted[0]]
        asked += list(strings)
        accuracy = np.array([[value(string) for string in strings]])
        optimizer.tell(proposal, Outcome(accuracy, np.full(accuracy.shape, OK, dtype=np.int8)))
    return np.array(asked)


def value(string: np.ndarray) -> float:
    """A made-up accuracy that all strings of a cell share and that neighbours have in part."""
    matrix, labels = plain.cell_of(string)
    noise = np.random.default_rng(int(SPACE.cell_id(string))).normal()
    mean = (
        0.9
        + 0.01 * labels.count("conv3x3")
        - 0.004 * labels.count("maxpool3x3")
        + 0.003 * len(plain.paths(matrix, 0, len(labels) - 1))
    )
    return mean + 0.002 * noise


def identify(string: np.ndarray) -> int:
    return int(SPACE.cell_id(string))


@pytest.mark.parametrize("seed", [0, 1])
def test_nasbot_queries_what_its_twin_queries(seed: int) -> None:
    settings: dict[str, Any] = {"max_evaluations": 25, "draws": 12}
    ours = queries(NASBOT(**settings), value, 19, seed)
    rng = Streams(seed, 1).generators("nasbot")[0]
    twin = plain.nasbot(ours[:10], 19, value, identify, SPACE.sizes, rng, **settings)
    np.testing.assert_array_equal(SPACE.cell_id(ours), SPACE.cell_id(np.array(twin)))


@pytest.mark.parametrize("seed", [0, 1])
def test_as_run_queries_what_its_twin_queries(seed: int) -> None:
    ours = queries(NASBOTAsRun(), value, 14, seed)
    rng = Streams(seed, 1).generators("nasbotasrun")[0]
    twin = plain.as_run(ours[:10], 14, value, identify, SPACE.sizes, rng)
    np.testing.assert_array_equal(SPACE.cell_id(ours), SPACE.cell_id(np.array(twin)))
