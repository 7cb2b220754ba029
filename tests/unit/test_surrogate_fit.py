"""The models behind the surrogate: invariances, determinism, a toy fit that learns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nas_bench_suite.benchmarks.nasbench101.space import NASBench101Space
from nas_bench_suite.benchmarks.nasbench101.surrogate.graphs import from_strings, to_strings
from studies.surrogate_fit import features
from studies.surrogate_fit.ensemble import Member, fit_member
from studies.surrogate_fit.network import NetworkSettings
from studies.surrogate_fit.trees import TreeSettings


@pytest.fixture(scope="module")
def graphs() -> tuple[np.ndarray, np.ndarray]:
    space = NASBench101Space()
    return from_strings(
        space.architecture(np.random.default_rng(0).choice(space.num_cells, 900, replace=False))
    )


def test_strings_and_graphs_round_trip(graphs: tuple[np.ndarray, np.ndarray]) -> None:
    space = NASBench101Space()
    strings = space.sample_rng(np.random.default_rng(1), (3000,))
    adjacency, ops = from_strings(strings)
    np.testing.assert_array_equal(space.cell_id(to_strings(adjacency, ops)), space.cell_id(strings))


def test_features_do_not_depend_on_the_order_of_vertices() -> None:
    # Uniform strings of one cell in many orders: counts, depths and paths agree; the channels' remainders may
    # not.
    space = NASBench101Space()
    strings = space.sample_rng(np.random.default_rng(2), (4000,))
    adjacency, ops = from_strings(strings)
    even = np.isin(adjacency[:, 1:-1, -1].sum(axis=1), (0, 1, 2, 4))
    own = features.flat_features(adjacency[even], ops[even])
    other = features.flat_features(*from_strings(space.architecture(space.cell_id(strings[even]))))
    np.testing.assert_allclose(own, other, rtol=1e-5, atol=1e-5)


def test_path_counts_by_brute_force(graphs: tuple[np.ndarray, np.ndarray]) -> None:
    adjacency, ops = graphs

    def paths(matrix: np.ndarray, at: int = 0) -> list[tuple[int, ...]]:
        if at == 6:
            return [()]
        return [
            ((v, *rest) if v != 6 else ())
            for v in range(at + 1, 7)
            if matrix[at, v]
            for rest in paths(matrix, v)
        ]

    counts = features.flat_features(adjacency[:60], ops[:60])[:, -40:]
    for index in range(60):
        labels = [tuple(ops[index][list(path)]) for path in paths(adjacency[index])]
        assert counts[index].sum() == sum(len(label) <= 3 for label in labels)
        assert counts[index, 0] == labels.count(())
        assert counts[index, 2] == labels.count((2,))  # one 3x3 convolution


def test_members_are_deterministic_and_learn(graphs: tuple[np.ndarray, np.ndarray]) -> None:
    adjacency, ops = graphs
    overall = features.global_features(adjacency, ops)
    values = np.stack([overall[:, k] for k in (0, 1, 2, 9, 15)], axis=1).astype(np.float64)
    values[::7, 2] = np.nan
    fitted, new = slice(0, 700), slice(700, None)
    network = replace(NetworkSettings(), epochs=12, batch=64, width=24, layers=2)
    for settings in (network, TreeSettings(trees=80, learning_rate=0.1)):
        member = Member("toy", settings, 3)
        job = (member, adjacency[fitted], ops[fitted], values[fitted], adjacency[new], ops[new])
        first, second = fit_member(*job), fit_member(*job)
        np.testing.assert_array_equal(first, second)
        assert first.shape == (200, 5)
        assert np.corrcoef(first[:, 3], values[new, 3])[0, 1] > 0.9
        if settings is not network:
            assert np.isnan(first[:, [0, 1, 2, 4]]).all()
