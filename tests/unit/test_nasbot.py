"""NASBOT: properties of its distances, of its acquisition and of what it remembers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nas_bench_suite import (
    FAILED,
    OK,
    Evaluation,
    Lookups,
    Outcome,
    Protocol,
    Streams,
    Task,
    load_benchmark,
    search,
)
from nas_bench_suite.benchmarks.nasbench101.space import NASBench101Space
from nas_bench_suite.benchmarks.planted import Planted
from nas_bench_suite.checks import ConfigError
from optimizers.nasbot import NASBOT, otmann
from optimizers.nasbot.descriptions import Descriptions, row_distances
from optimizers.nasbot.gaussian_process import cholesky
from optimizers.nasbot_as_run import NASBOTAsRun
from optimizers.parts.mutation import Mutation

WEIGHTS = np.array([0.1, 0.2, 0.4, 0.8])
SPACE = NASBench101Space()


def distances(strings: np.ndarray, weights: np.ndarray = WEIGHTS) -> np.ndarray:
    described = Descriptions(SPACE, transport=True, weights=weights)
    rows = described.describe(strings)
    out = np.zeros((len(rows), len(rows), described.lanes), dtype=np.float32)
    for i, row in enumerate(rows):
        row_distances(described.metric, row, rows, len(rows), out[i])
    return out


def test_isomorphic_cells_are_at_distance_zero() -> None:
    strings = SPACE.sample_rng(np.random.default_rng(0), (200,))
    others = SPACE.architecture(SPACE.cell_id(strings))
    assert (strings != others).any(axis=1).sum() > 150
    both = distances(np.concatenate([strings, others]))
    np.testing.assert_allclose(both[np.arange(200), 200 + np.arange(200)], 0, atol=2e-6)


def test_otmann_is_a_pseudo_distance() -> None:
    """Symmetric, never negative, and the triangle inequality of theorem 1 there."""
    d = distances(SPACE.sample_rng(np.random.default_rng(1), (60,)))
    np.testing.assert_allclose(d, d.transpose(1, 0, 2), atol=2e-6)
    assert d.min() >= 0
    assert (d[:, None, :, :] <= d[:, :, None, :] + d[None, :, :, :] + 1e-5).all()
    assert (np.diff(d, axis=2) >= -1e-5).all()  # a larger weight on structure never brings cells together


def test_a_known_distance() -> None:
    """input - conv1x1 - output against input - conv3x3 - output: the same paths, one filter size for another;
    with no weight on structure, a convolution more costs its mass and a tenth of it at either end."""
    chain = np.zeros((3, 26), dtype=np.int64)
    first, last, skip = 0, 10, 5  # edges 0-1, 1-6 and 0-6
    chain[:, [first, last]] = 1
    chain[1, 21] = 1
    chain[2] = 0
    chain[2, skip] = 1
    d = distances(chain, np.array([1e-6]))[..., 0]
    assert d[0, 1] == pytest.approx(0.2, abs=1e-5)
    assert d[0, 2] == pytest.approx(1 + 2 * (0.1 - otmann.END_FLOOR), abs=1e-5)


def test_match_is_the_best_assignment() -> None:
    from scipy.optimize import linear_sum_assignment

    rng = np.random.default_rng(2)
    for rows in range(1, 7):
        for columns in range(1, rows + 1):
            saving = np.maximum(rng.normal(0.3, 1, size=(columns, rows, otmann.LANES)), 0).astype(np.float32)
            best = np.zeros(otmann.LANES << rows, dtype=np.float32)
            otmann.match(saving.reshape(-1), rows, columns, otmann.set_sizes(rows), best)
            for k in range(otmann.LANES):
                chosen = linear_sum_assignment(saving[..., k], maximize=True)
                assert best[k] == pytest.approx(saving[..., k][chosen].sum(), rel=1e-5)


def test_cholesky() -> None:
    root = np.random.default_rng(3).normal(size=(30, 30))
    matrix = root @ root.T + np.eye(30)
    factor = matrix.copy()
    assert cholesky(factor, 30)
    np.testing.assert_allclose(np.tril(factor), np.linalg.cholesky(matrix), atol=1e-10)
    indefinite = np.eye(4)
    indefinite[3, 0] = indefinite[0, 3] = 2
    assert not cholesky(indefinite, 4)


def test_hamming_distance_elsewhere() -> None:
    space = load_benchmark("planted").space
    strings = space.sample_rng(np.random.default_rng(4), (20,))
    described = Descriptions(space, transport=True, weights=WEIGHTS)
    assert described.name == "hamming"
    rows = described.describe(strings)
    out = np.zeros((20, 1), dtype=np.float32)
    row_distances(described.metric, rows[0], rows, 20, out)
    np.testing.assert_array_equal(out[:, 0], (strings != strings[0]).sum(axis=1))


def test_mutants_are_valid_and_near() -> None:
    parents = SPACE.sample_rng(np.random.default_rng(5), 1000)
    trials = np.repeat([0, 1], 500)
    mutation = Mutation(SPACE, steps=np.array([0.5, 0.5]))
    strings, ids, rejected = mutation(Streams(0, 2).typed("x"), trials, parents, True)
    assert SPACE.is_valid(strings).all() and (ids == SPACE.cell_id(strings)).all()
    assert rejected[:500].any() and rejected[500:].any()
    changed = (strings != parents).sum(axis=1)
    assert changed.max() == 2 and changed.mean() == pytest.approx(1.45, abs=0.15)


@pytest.mark.parametrize("make", [NASBOT, NASBOTAsRun])
def test_no_cell_twice_and_deterministic(make: Any) -> None:
    class Flat(Planted):
        """A third of the evaluations fail; the rest are worth the same."""

        def query(self, lookups: Lookups) -> Evaluation:
            found = super().query(lookups)
            return found._replace(validation=np.where(np.asarray(lookups.cells) % 3 == 0, np.nan, 0.5))

    for benchmark in (load_benchmark("planted"), Flat()):
        record = search(make(), benchmark, budget=40, trials=3, seed=1)
        assert (record.ledger["repeats"] == 0).all() and (record.ledger["ended"] == "budget").all()
        again = search(make(), benchmark, budget=40, trials=1, seed=1, first_trial=2)
        np.testing.assert_array_equal(record.queries["cell_id"][-40:], again.queries["cell_id"])
    assert (record.queries["status"] == FAILED).any()


@pytest.mark.parametrize("make", [NASBOT, NASBOTAsRun])
def test_a_capped_model_goes_on(make: Any) -> None:
    """Old points leave, the best stay, and the search is still better than the one it started from."""
    optimizer = make(max_points=30)
    record = search(optimizer, load_benchmark("planted"), Protocol(run="mean"), budget=90, trials=4, seed=2)
    assert (optimizer._points.size <= 30).all() and (record.ledger["incumbent_query"] > 10).all()
    for t in range(4):
        assert (
            optimizer._points.y[t, : optimizer._points.size[t]].max()
            == record.ledger["incumbent_validation"][t]
        )


@pytest.mark.parametrize("make", [NASBOT, NASBOTAsRun])
def test_invalid_strings_are_charged_where_the_protocol_says_so(make: Any) -> None:
    record = search(
        make(), load_benchmark("planted"), Protocol(invalid="charge"), budget=40, trials=3, seed=3
    )
    assert (record.ledger["invalid"] > 0).all() and (record.ledger["rejected"] == 0).all()


def test_remembered_distances_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counted(Planted):
        def __init__(self) -> None:
            super().__init__()
            self.space = SPACE  # type: ignore[assignment]
            self.fidelities = (108,)

        def query(self, lookups: Lookups) -> Evaluation:
            value = 0.9 + 0.01 * np.sin(np.asarray(lookups.cells, dtype=float))
            return Evaluation(value, value, np.ones_like(value))

    with_cache = search(NASBOT(), Counted(), budget=40, trials=2, seed=4)
    monkeypatch.setattr("optimizers.nasbot.method.CACHED", 1)
    without = search(NASBOT(), Counted(), budget=40, trials=2, seed=4)
    np.testing.assert_array_equal(with_cache.queries["cell_id"], without.queries["cell_id"])


WRONG: list[dict[str, Any]] = [
    {"weights": []},
    {"weights": [0.1] * 5},
    {"weights": [0.0]},
    {"mutations": [0, 0]},
    {"max_points": 20},
]


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_hyperparameters(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=rf"optimizer\.{next(iter(wrong))}"):
        NASBOT(**wrong)


def test_a_trial_without_room_takes_no_part() -> None:
    optimizer = NASBOT()
    optimizer.start(Task(space=SPACE, trials=2, budget=15, streams=Streams(0, 2)))
    rng = np.random.default_rng(0)
    for step in range(4):
        proposal = optimizer.ask(np.array([5, 0]))
        assert proposal.wanted[0].any() and not proposal.wanted[1].any(), step
        status = np.where(proposal.wanted, OK, 3).astype(np.int8)
        optimizer.tell(
            proposal, Outcome(np.where(proposal.wanted, rng.random(proposal.wanted.shape), np.nan), status)
        )


def test_a_search_can_give_several_cells() -> None:
    """The best new cells of one pool, none twice, a share of what was observed; and without growth, one."""
    for growth, expected in ((0.25, [10, 2, 3, 3, 4]), (0.0, [10, 1, 1, 1, 1])):
        optimizer = NASBOT(growth=growth)
        optimizer.start(Task(space=SPACE, trials=2, budget=60, streams=Streams(0, 2)))
        seen: list[set[int]] = [set(), set()]
        for size in expected:
            proposal = optimizer.ask(np.array([60, 60]))
            assert proposal.wanted.sum(axis=1).tolist() == [size, size]
            ids = SPACE.cell_id(proposal.architectures)
            for t in range(2):
                assert len(set(ids[t, proposal.wanted[t]]) - seen[t]) == size
                seen[t] |= set(ids[t, proposal.wanted[t]].tolist())
            accuracy = np.where(proposal.wanted, 0.9 + 0.01 * np.sin(ids), np.nan)
            optimizer.tell(proposal, Outcome(accuracy, np.where(proposal.wanted, OK, 3).astype(np.int8)))


def test_distances_survive_a_cut() -> None:
    """After points were dropped, distances kept by moving them are those computed anew."""
    optimizer = NASBOT(max_points=30, growth=0.05)
    optimizer.start(Task(space=SPACE, trials=1, budget=120, streams=Streams(3, 1)))
    while optimizer._seen.number[0] < 100:
        proposal = optimizer.ask(np.array([120]))
        value = 0.9 + 0.01 * np.sin(SPACE.cell_id(proposal.architectures))
        optimizer.tell(proposal, Outcome(value, np.where(proposal.wanted, OK, 3).astype(np.int8)))
    size = int(optimizer._points.size[0])
    strings = optimizer._seen.strings[0, optimizer._points.active[0, :size]].astype(np.int64)
    lower = np.tril_indices(size, k=-1)
    np.testing.assert_allclose(
        optimizer._model.distances[0, :size, :size][lower],
        distances(strings, optimizer.weights)[lower],
        atol=2e-6,
    )
    for slot in np.flatnonzero(optimizer._cache.ids[0] >= 0)[:40]:
        held = int(optimizer._cache.held[0, slot])
        cell = SPACE.architecture(optimizer._cache.ids[0, slot])[None]
        anew = distances(np.concatenate([cell, strings[:held]]), optimizer.weights)[0, 1:]
        np.testing.assert_allclose(optimizer._cache.distances[0, slot, :held], anew, atol=5e-6)
