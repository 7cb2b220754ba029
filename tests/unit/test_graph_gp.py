"""Graph GP: its features against brute force, its model against direct formulas, and what it asks for."""

from __future__ import annotations

import numpy as np
import pytest

from nas_bench_suite import Evaluation, Lookups, Protocol, SearchRecord, load_benchmark, search
from nas_bench_suite.benchmarks.nasbench101.space import NASBench101Space
from nas_bench_suite.benchmarks.nasbench201 import NASBench201Space
from nas_bench_suite.benchmarks.planted import Planted, PlantedSpace
from nas_bench_suite.checks import ConfigError
from nas_bench_suite.space import GraphSpace
from optimizers.graph_gp import GraphGP
from optimizers.graph_gp.features import Features
from optimizers.graph_gp.gaussian_process import (
    Posterior,
    expected_improvement,
    fit,
    log_posterior,
    pair_distances,
    prior_centre,
)
from optimizers.graph_gp.method import targets

SPACE = NASBench101Space()
BLOCKS = ["whole", "operations", "pairs", "paths", "depths", "degrees"]


def all_paths(matrix: np.ndarray, v: int = 0) -> list[list[int]]:
    if v == len(matrix) - 1:
        return [[v]]
    return [[v, *rest] for w in np.flatnonzero(matrix[v]) for rest in all_paths(matrix, int(w))]


def by_hand(space: GraphSpace, string: np.ndarray, operations: tuple[str, ...]) -> list[float]:
    """The columns of a graph, straight from their definitions, over all of its paths."""
    matrix, labels = space.graph(string)
    paths = all_paths(matrix)
    last, inner = len(labels) - 1, range(1, len(labels) - 1)
    edges = [(int(u), int(v)) for u, v in zip(*np.nonzero(matrix))]
    lengths = [len(path) - 1 for path in paths]
    row: list[float] = [len(labels), len(edges), np.log(1 + len(paths))]
    row += [max(lengths), min(lengths), float(np.mean(lengths))]
    row += [labels.count(o) for o in operations]
    tails, heads = ["input", *operations], [*operations, "output"]
    row += [sum((labels[u], labels[v]) == (a, b) for u, v in edges) for a in tails for b in heads]
    on_paths = [[sum(labels[v] == o for v in path) for path in paths] for o in operations]
    row += [max(counts) for counts in on_paths] + [min(counts) for counts in on_paths]
    row += [float(np.mean(counts)) for counts in on_paths]
    to_it = [max(path.index(v) for path in paths if v in path) for v in range(last + 1)]
    from_it = [max(len(path) - 1 - path.index(v) for path in paths if v in path) for v in range(last + 1)]
    for depth in (to_it, from_it):
        row += [
            float(np.mean([depth[v] for v in inner if labels[v] == o])) if o in labels else 0.0
            for o in operations
        ]
    leaving, entering = matrix.sum(axis=1), matrix.sum(axis=0)
    row += [sum(max(int(leaving[v]) - 1, 0) for v in range(last) if labels[v] == a) for a in tails]
    row += [sum(max(int(entering[v]) - 1, 0) for v in range(1, last + 1) if labels[v] == b) for b in heads]
    return row


def test_features_of_graphs_are_what_they_are_defined_as() -> None:
    strings = SPACE.sample_rng(np.random.default_rng(0), (200,))
    features = Features(SPACE)
    assert features.names == BLOCKS and len(features.block) == 48
    expected = [by_hand(SPACE, string, ("conv1x1", "conv3x3", "maxpool3x3")) for string in strings]
    np.testing.assert_allclose(features._raw(strings), expected, atol=1e-12)


def test_graphs_that_a_space_gives_one_by_one() -> None:
    """NAS-Bench-201: the same columns through `graph`, remembered or not, and zeros without a path."""
    space = NASBench201Space(isomorphism=True)
    features = Features(space)
    assert features.names == BLOCKS
    operations = tuple(sorted({"skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"}))
    assert features._operations == operations
    strings = space.architecture(np.arange(0, space.num_cells, 97))
    connected = np.array([len(space.graph(string)[1]) > 2 for string in strings])
    raw = features._raw(strings)
    expected = [by_hand(space, string, operations) for string in strings[connected]]
    np.testing.assert_allclose(raw[connected], expected, atol=1e-12)
    assert not raw[~connected].any() and (~connected).any()
    np.testing.assert_array_equal(features._raw(strings[::-1])[::-1], raw)
    assert Features(NASBench201Space()).names == [*BLOCKS, "one_hot"]  # string and cell are one to one


def test_isomorphic_cells_have_the_same_features() -> None:
    strings = SPACE.sample_rng(np.random.default_rng(1), (300,))
    others = SPACE.architecture(SPACE.cell_id(strings))
    assert (strings != others).any(axis=1).sum() > 200
    features = Features(SPACE)
    np.testing.assert_allclose(features(strings), features(others), atol=1e-12)


def test_blocks_are_standardised() -> None:
    """Two uniform strings have a squared distance of 1 in expectation, in each block."""
    space = PlantedSpace()
    features = Features(space)
    assert features.names == ["one_hot", "counts"]
    x = features(space.sample_rng(np.random.default_rng(2), (1000,)))
    np.testing.assert_allclose(pair_distances(x, features.block).mean(axis=0), 1, atol=0.05)


def sample(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, the blocks of their columns and targets."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5)) / 3
    return x, np.array([0, 0, 1, 1, 1]), np.sin(3 * x[:, 0]) + 0.3 * rng.normal(size=n)


def matrix(x: np.ndarray, z: np.ndarray, block: np.ndarray, theta: np.ndarray) -> np.ndarray:
    weights = np.exp(theta[2:])[block]
    r = np.sqrt((((x[:, None] - z[None]) ** 2) * weights).sum(axis=2))
    s = np.sqrt(5) * r
    kernel: np.ndarray = np.exp(theta[0]) * (1 + s + s**2 / 3) * np.exp(-s)
    return kernel


def test_the_likelihood_is_the_normal_density_and_its_gradient_is_right() -> None:
    x, block, y = sample(25)
    theta = np.array([0.3, -1.2, 0.1, -0.8])
    distances = pair_distances(x, block)
    value, gradient = log_posterior(theta, distances, y)
    k = matrix(x, x, block, theta) + np.exp(theta[1]) * np.eye(25)
    inverse = np.linalg.inv(k)
    off = y - inverse.sum(axis=0) @ y / inverse.sum()
    expected = -0.5 * (off @ inverse @ off + np.linalg.slogdet(2 * np.pi * k)[1])
    assert value == pytest.approx(expected - 0.5 * (((theta - prior_centre(2)) / 2) ** 2).sum(), rel=1e-9)
    for i in range(4):
        step = np.eye(4)[i] * 1e-5
        rise = (
            log_posterior(theta + step, distances, y)[0] - log_posterior(theta - step, distances, y)[0]
        ) / 2e-5
        assert gradient[i] == pytest.approx(rise, rel=1e-5, abs=1e-6)


def test_fitting_finds_the_block_that_matters() -> None:
    x, block, y = sample(80)
    theta = fit(prior_centre(2), x, block, y)
    distances = pair_distances(x, block)
    assert log_posterior(theta, distances, y)[0] > log_posterior(prior_centre(2), distances, y)[0]
    assert theta[2] > theta[3] + 1


def test_the_posterior_is_that_of_direct_formulas() -> None:
    x, block, y = sample(30)
    new = sample(7, seed=1)[0]
    theta = np.array([0.3, -1.2, 0.1, -0.8])
    inverse = np.linalg.inv(matrix(x, x, block, theta) + np.exp(theta[1]) * np.eye(30))
    m = inverse.sum(axis=0) @ y / inverse.sum()
    across = matrix(new, x, block, theta)
    mean, variance = Posterior(theta, block, x, y)(new)
    np.testing.assert_allclose(mean, m + across @ inverse @ (y - m), atol=1e-9)
    np.testing.assert_allclose(
        variance, np.exp(theta[0]) - np.einsum("ij,jk,ik->i", across, inverse, across), atol=1e-9
    )


def test_inducing_points() -> None:
    """With every row inducing, the approximation is exact; with half, it is the one of its definition."""
    x, block, y = sample(40)
    new = sample(7, seed=1)[0]
    theta = np.array([0.3, -1.2, 0.1, -0.8])
    exact, every = Posterior(theta, block, x, y)(new), Posterior(theta, block, x, y, np.arange(40))(new)
    np.testing.assert_allclose(every[0], exact[0], atol=1e-4)
    np.testing.assert_allclose(every[1], exact[1], atol=1e-4)
    u, noise = x[::2], np.exp(theta[1])
    to_u = np.linalg.solve(matrix(u, u, block, theta) + 1e-6 * np.exp(theta[0]) * np.eye(20), np.eye(20))
    near, across = matrix(x, u, block, theta), matrix(new, u, block, theta)
    inverse = np.linalg.inv(near @ to_u @ near.T + noise * np.eye(40))
    m = inverse.sum(axis=0) @ y / inverse.sum()
    q = across @ to_u @ near.T
    mean, variance = Posterior(theta, block, x, y, np.arange(0, 40, 2))(new)
    np.testing.assert_allclose(mean, m + q @ inverse @ (y - m), atol=1e-7)
    np.testing.assert_allclose(
        variance, np.exp(theta[0]) - np.einsum("ij,jk,ik->i", q, inverse, q), atol=1e-7
    )


def test_rows_that_are_equal_do_not_break_the_model() -> None:
    x, block, y = sample(10)
    x, y = np.repeat(x, 3, axis=0), np.repeat(y, 3)
    theta = fit(prior_centre(2), x, block, y)
    for inducing in (None, np.arange(30)):
        mean, variance = Posterior(theta, block, x, y, inducing)(x)
        assert np.isfinite(mean).all() and (variance > 0).all()


def test_expected_improvement() -> None:
    draws = np.random.default_rng(3).normal(0.2, 0.5, 1_000_000)
    expected = np.maximum(draws - 0.6, 0).mean()
    assert expected_improvement(np.array([0.2]), np.array([0.25]), 0.6)[0] == pytest.approx(
        expected, rel=0.01
    )
    assert expected_improvement(np.array([-50.0]), np.array([0.01]), 0.6)[0] == 0


def test_targets_rise_with_accuracy_and_are_clipped_below() -> None:
    y = targets(np.array([0.1, 0.90, 0.92, 0.93, 0.94, 1.0]))
    assert y[0] == -1.5 and (np.diff(y[1:]) > 0).all() and np.isfinite(y).all()
    assert y[2:4].sum() == pytest.approx(0, abs=1e-12)  # about the median
    assert not targets(np.full(4, 0.9)).any()


def run(budget: int = 50, trials: int = 4, first: int = 0, **protocol: str) -> SearchRecord:
    return search(
        GraphGP(), load_benchmark("planted"), Protocol(**protocol), budget=budget, trials=trials, seed=5,
        first_trial=first,
    )  # fmt: skip


def test_cells_are_asked_again_in_the_last_fifth_only_and_three_times_at_most() -> None:
    record = run(budget=100, trials=8)
    again = 0
    for trial in range(8):
        cells = record.queries["cell_id"][record.queries["trial"] == trial]
        assert len(cells) == 100 and len(set(cells[:80].tolist())) == 80
        assert np.unique(cells, return_counts=True)[1].max() <= 3
        again += 100 - len(set(cells.tolist()))
    assert again > 8


def test_repeats_that_say_nothing_end() -> None:
    """A repeat that costs nothing, or returns what is known, is not worth asking."""
    free = run(budget=100, repeats="free")
    assert (free.ledger["spent"] == 100).all()
    assert (free.ledger["repeats"] <= 5).all()  # a batch of them at most
    same = run(budget=100, run="mean")
    assert (same.ledger["repeats"] <= 8).all()


def test_invalid_strings_are_not_asked_twice() -> None:
    record = run(budget=100, invalid="charge")
    assert (record.ledger["spent"] == 100).all()
    assert (record.ledger["invalid"] > 0).all()


def test_blocks_of_trials_change_nothing() -> None:
    """Bit for bit, with batches of several strings."""
    whole, part = run(budget=80, trials=5), run(budget=80, trials=2, first=3)
    rows = whole.queries["trial"] >= 3
    for name in ("cell_id", "validation"):
        np.testing.assert_array_equal(whole.queries[name][rows], part.queries[name])


def test_beyond_the_exact_model() -> None:
    record = search(GraphGP(inducing=30, fit_points=20), Planted(), Protocol(), budget=90, trials=2, seed=1)
    assert (record.ledger["spent"] == 90).all()


def test_everything_failed() -> None:
    class Failing(Planted):
        def query(self, lookups: Lookups) -> Evaluation:
            return Evaluation(*(np.full(np.shape(value), np.nan) for value in super().query(lookups)))

    with pytest.raises(ConfigError, match="all 60 evaluations"):  # which the loop says at the very end
        search(GraphGP(), Failing(), Protocol(), budget=30, trials=2, seed=1)


@pytest.mark.parametrize("mutations", [[], [0, 0], [-1], "some", [0.5, "a"], 3])
def test_mutations_are_checked(mutations: object) -> None:
    with pytest.raises(ConfigError, match=r"optimizer\.mutations"):
        GraphGP(mutations=mutations)  # type: ignore[arg-type]
