"""BANANAS: candidates, batches, what it learns from, and mutation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nas_bench_suite import (
    OK,
    Evaluation,
    Lookups,
    Outcome,
    Proposal,
    Protocol,
    Streams,
    Task,
    load_benchmark,
    search,
)
from nas_bench_suite.benchmarks.nasbench101.space import NASBench101Space
from nas_bench_suite.checks import ConfigError
from optimizers.bananas import Bananas
from optimizers.parts.ensemble import epochs_within
from optimizers.parts.mutation import change_probabilities, mutate
from optimizers.parts.sparse import Sparse

SMALL: dict[str, Any] = {"networks": 2, "layers": 2, "width": 8, "epochs": 5}


def _tell(optimizer: Bananas, proposal: Proposal, accuracy: np.ndarray) -> None:
    status = np.where(proposal.wanted, OK, 3).astype(np.int8)
    optimizer.tell(proposal, Outcome(np.where(proposal.wanted, accuracy, np.nan), status))


def test_batches_are_new_distinct_valid_and_of_the_promised_size() -> None:
    space = NASBench101Space()
    trials = 3
    optimizer = Bananas(**SMALL)
    optimizer.start(Task(space=space, trials=trials, budget=60, streams=Streams(1, trials)))
    room = np.array([60, 60, 0])
    seen: list[set[int]] = [set() for _ in range(trials)]
    rng = np.random.default_rng(0)
    for _ in range(6):
        proposal = optimizer.ask(room)
        ids = space.cell_id(proposal.architectures)
        np.testing.assert_array_equal(proposal.wanted.sum(axis=1), [10, 10, 0])
        for t in range(2):
            mine = set(ids[t][proposal.wanted[t]].tolist())
            assert len(mine) == 10 and -1 not in mine and not mine & seen[t]
            seen[t] |= mine
        _tell(optimizer, proposal, rng.uniform(0.8, 0.95, proposal.wanted.shape))
        room = room - proposal.wanted.sum(axis=1)


def test_candidates_are_mutants_of_the_best() -> None:
    """With one change expected in each family and the rest kept, proposals stay near the best string, not the
    others."""
    space = NASBench101Space()
    optimizer = Bananas(**SMALL, changes=0.3)
    optimizer.start(Task(space=space, trials=1, budget=60, streams=Streams(2, 1)))
    proposal = optimizer.ask(np.array([60]))
    accuracy = np.linspace(0.80, 0.90, 10)[None]
    _tell(optimizer, proposal, accuracy)
    following = optimizer.ask(np.array([50]))
    distances = (following.architectures[0, :, None] != proposal.architectures[0]).sum(axis=-1)
    nearest = distances.argmin(axis=1)
    assert (nearest >= 5).all() and (distances.min(axis=1) < 6).all()  # at most five parents, the best ones


def test_k_grows_with_the_history() -> None:
    optimizer = Bananas(**SMALL, growth=0.5)
    optimizer.start(Task(space=NASBench101Space(), trials=1, budget=200, streams=Streams(3, 1)))
    sizes, room = [], 200
    while room > 0:
        proposal = optimizer.ask(np.array([room]))
        sizes.append(int(proposal.wanted.sum()))
        _tell(optimizer, proposal, np.full(proposal.wanted.shape, 0.9))
        room -= sizes[-1]
    # k = max(10, half of what was evaluated), and then what is left
    assert sizes == [10, 10, 10, 15, 22, 33, 50, 50]


def test_epochs_within_a_number_of_steps() -> None:
    assert epochs_within(150, 140, 32, 0) == 150
    assert epochs_within(150, 140, 32, 750) == 150
    assert epochs_within(150, 640, 32, 750) == 37
    assert epochs_within(150, 64000, 32, 750) == 1


def test_encodings() -> None:
    planted, nasbench = load_benchmark("planted").space, NASBench101Space()
    for space, options, features in (
        (nasbench, {}, 40),
        (nasbench, {"path_cutoff": None}, 364),
        (nasbench, {"encoding": "one_hot"}, 57),
        (planted, {}, int(planted.sizes.sum())),
    ):
        optimizer = Bananas(**SMALL, **options)
        optimizer.start(Task(space=space, trials=1, budget=20, streams=Streams(0, 1)))
        assert optimizer._features == features
    with pytest.raises(ConfigError, match="adjacency"):
        Bananas(encoding="adjacency").start(Task(space=planted, trials=1, budget=20, streams=Streams(0, 1)))


def test_failed_and_invalid_outcomes_teach_nothing() -> None:
    class Failing(type(load_benchmark("planted"))):  # type: ignore[misc]
        def query(self, lookups: Lookups) -> Evaluation:
            found = super().query(lookups)
            return Evaluation(
                *(np.where(np.asarray(lookups.cells) % 2 == 0, np.nan, values) for values in found)
            )

    optimizer = Bananas(**SMALL)
    record = search(optimizer, Failing(), Protocol(invalid="charge"), budget=60, trials=2, seed=0)
    good = record.queries["status"] == OK
    for trial in range(2):
        assert optimizer._known[trial] == (good & (record.queries["trial"] == trial)).sum()
        assert np.isfinite(optimizer._error[trial, : optimizer._known[trial]]).all()
    assert (record.queries["status"] != OK).any()


def test_changed_variables_have_the_expected_numbers() -> None:
    space = NASBench101Space()
    probabilities = change_probabilities(space, {"edge": 3.0})
    np.testing.assert_allclose(probabilities, [3 / 21] * 21 + [1 / 5] * 5)
    parents = space.sample_rng(np.random.default_rng(0), 1)
    out = np.empty((1, 20_000, 26), dtype=np.int64)
    mutate(Streams(0, 1).typed("m"), np.zeros(1, np.int64), parents, probabilities, space.sizes, out)
    changed = (out[0] != parents[0]).mean(axis=0)
    assert np.abs(changed - probabilities).max() < 5 * np.sqrt(0.16 / 20_000)
    ops = out[0, :, 21][out[0, :, 21] != parents[0, 21]]
    assert abs((ops == ops[0]).mean() - 0.5) < 5 * 0.5 / np.sqrt(len(ops))  # each other value equally likely
    with pytest.raises(ConfigError, match="edges"):
        change_probabilities(space, {"edges": 1.0})


def test_sparse_features() -> None:
    dense = np.array([[[0, 2, 0], [1, 0, 3]], [[0, 0, 0], [0, 0, 1]]], dtype=np.float32)
    sparse = Sparse.of(dense).widened(5)
    np.testing.assert_array_equal(sparse.entries, [[1, 2], [0, 1]])
    again = np.zeros_like(dense)
    for place in np.ndindex(2, 2):
        n = sparse.entries[place]
        again[place][sparse.feature[place][:n]] = sparse.value[place][:n]
    np.testing.assert_array_equal(again, dense)
