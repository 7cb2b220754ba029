"""The lockstep loop equals its plain twin, trial by trial, under every protocol and with everything that can
happen to a slot."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from bench.plain.search import Slot, plain_search
from nas_bench_suite import Evaluation, Lookups, Optimizer, Outcome, Proposal, Protocol, Streams, Task, search
from nas_bench_suite.benchmarks.planted import Planted

TRIALS, BUDGET, SLOTS = 5, 30, 7
STALL = 500


@pytest.fixture(autouse=True)
def short_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas_bench_suite.ledger.STALL", STALL)


def script(trial: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Endless proposals of a trial: strings (some invalid, some repeated), which slots are wanted, and
    fidelities."""
    rng = np.random.default_rng([trial, 77])
    benchmark = Planted()
    pool = benchmark.space.from_uniforms(rng.random((25, benchmark.space.num_variables)))
    for step in itertools.count():
        wanted = rng.random(SLOTS) < 0.7
        wanted[0] = not (trial == 4 and step >= 3)  # trial 4 proposes nothing from its fourth ask on
        yield (
            pool[rng.integers(len(pool), size=SLOTS)],
            wanted & wanted[0],
            rng.choice(benchmark.fidelities, size=SLOTS),
        )


class Scripted(Optimizer):
    def __init__(self, fidelities: bool) -> None:
        self.fidelities = fidelities

    def start(self, task: Task) -> None:
        self.scripts = [script(task.first_trial + t) for t in range(task.trials)]
        self.told: list[list[tuple[float, int]]] = [[] for _ in range(task.trials)]

    def ask(self, room: np.ndarray) -> Proposal:
        strings, wanted, fidelity = (np.stack(part) for part in zip(*(next(s) for s in self.scripts)))
        return Proposal(strings, wanted, fidelity if self.fidelities else None)

    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        for t in range(len(self.told)):
            kept = proposal.wanted[t]
            self.told[t] += list(zip(outcome.accuracy[t][kept].tolist(), outcome.status[t][kept].tolist()))


class Failing(Planted):
    def query(self, lookups: Lookups) -> Evaluation:
        found = super().query(lookups)
        return Evaluation(*(np.where(np.asarray(lookups.cells) % 5 == 0, np.nan, values) for values in found))


PROTOCOLS = [
    Protocol(run=run, repeats=repeats, invalid=invalid, cost=cost)
    for run, repeats, invalid, cost in itertools.product(
        ("single_same", "single_independent", "mean"),
        ("charge", "free"),
        ("free", "charge"),
        ("query", "epochs"),
    )
]


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda p: f"{p.run}-{p.repeats}-{p.invalid}-{p.cost}")
@pytest.mark.parametrize("fidelities", [False, True], ids=["full", "mixed"])
def test_lockstep_equals_plain(protocol: Protocol, fidelities: bool) -> None:
    benchmark = Failing()
    # With free repeats and 25 strings a trial cannot spend a large budget: it stalls, which is part of the
    # test.
    optimizer = Scripted(fidelities)
    record = search(optimizer, benchmark, protocol, budget=BUDGET, trials=TRIALS, seed=4)
    for t in range(TRIALS):
        told: list[tuple[float, int]] = []

        def proposals(t: int = t) -> Iterator[list[Slot]]:
            for strings, wanted, fidelity in script(t):
                yield [(s, int(f) if fidelities else None) for s, w, f in zip(strings, wanted, fidelity) if w]

        def tell(accuracies: list[float], statuses: list[int], told: list[tuple[float, int]] = told) -> None:
            told.extend(zip(accuracies, statuses))

        generator = Streams(4, TRIALS).generators("run")[t]
        plain = plain_search(benchmark, protocol, BUDGET, generator, proposals(), tell, STALL)
        rows = record.queries["trial"] == t
        for name in ("query", "cell_id", "run", "fidelity", "validation", "test", "status", "spent"):
            np.testing.assert_array_equal(
                record.queries[name][rows], [row[name] for row in plain.rows], err_msg=name
            )
        ledger = {name: column[t] for name, column in record.ledger.items()}
        assert ledger["ended"] == plain.ended
        assert (ledger["unique_cells"], ledger["repeats"], ledger["invalid"]) == (
            len(plain.unique),
            plain.repeats,
            plain.invalid,
        )
        assert plain.best is not None
        assert (ledger["incumbent_query"], ledger["incumbent_cell_id"]) == (
            plain.best["query"],
            plain.best["cell_id"],
        )
        assert (ledger["incumbent_validation"], ledger["incumbent_test"]) == (
            plain.best["validation"],
            plain.best["test"],
        )
        np.testing.assert_array_equal(np.array(optimizer.told[t][: len(told)]), np.array(told))


def test_endings_are_all_reached() -> None:
    endings = set()
    for protocol in PROTOCOLS:
        endings |= set(
            search(Scripted(True), Failing(), protocol, budget=BUDGET, trials=TRIALS, seed=4).ledger["ended"]
        )
    assert endings == {"budget", "exhausted", "stalled", "no_room"}


def test_a_large_low_fidelity_search_grows_its_books() -> None:
    """27 queries at the lowest fidelity fit into one full one: the tables grow and stay right."""

    class Cheap(Optimizer):
        def start(self, task: Task) -> None:
            self.task = task

        def ask(self, room: np.ndarray) -> Proposal:
            strings = self.task.space.sample(self.task.streams, 40)
            return Proposal(strings, np.ones(strings.shape[:2], dtype=bool), np.full(strings.shape[:2], 4))

        def tell(self, proposal: Proposal, outcome: Outcome) -> None:
            pass

    record = search(Cheap(), Planted(), Protocol(cost="epochs"), budget=50, trials=3, seed=0)
    assert (record.ledger["queries"] == 50 * 27).all() and (record.ledger["spent"] == 50 * 108).all()
    for t in range(3):
        cells = record.queries["cell_id"][record.queries["trial"] == t]
        assert record.ledger["unique_cells"][t] == len(set(cells)) and record.ledger["repeats"][t] == len(
            cells
        ) - len(set(cells))
