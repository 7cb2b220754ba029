"""Random search, regularized evolution and local search: against their plain twins, and the properties that
each promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import pytest

from bench.plain import baselines as plain
from nas_bench_suite import ConfigError, Lookups, Protocol, SearchSpace, Streams, Task, Variable
from nas_bench_suite.benchmarks.planted import Planted
from nas_bench_suite.optimizer import FAILED, INVALID, NOT_RUN, OK, Optimizer, Outcome, Proposal
from nas_bench_suite.search import search
from optimizers.local_search import LocalSearch, neighbour_changes
from optimizers.parts.mutation import mutation_rates
from optimizers.parts.uniform import UniformStrings
from optimizers.random_search import RandomSearch
from optimizers.regularized_evolution import RegularizedEvolution

SEED, TRIALS, BUDGET = 11, 4, 130
Cell = Callable[[plain.Architecture], int]
Generators = Callable[[str], np.random.Generator]
PlainMethod = Callable[[list[int], plain.Valid, Cell, plain.Query, Generators], list[plain.Architecture]]
AnOptimizer = TypeVar("AnOptimizer", bound=Optimizer)


@pytest.fixture(scope="module")
def planted() -> Planted:
    return Planted()


class Nowhere(SearchSpace):
    """A space without a single valid string."""

    name = "nowhere"
    variables = (Variable("a", ("0", "1"), "edge"), Variable("b", ("0", "1", "2"), "op"))

    def is_valid(self, architectures: np.ndarray) -> np.ndarray:
        return np.zeros(np.shape(architectures)[:-1], dtype=bool)

    def cell_id(self, architectures: np.ndarray) -> np.ndarray:
        return np.full(np.shape(architectures)[:-1], -1)


def twin(benchmark: Planted, trial: int, method: PlainMethod) -> tuple[list[int], list[float]]:
    """Cells and accuracies of one trial of a plain twin with the streams of `search`: `method(sizes,
    is_valid, cell, query, generators)`."""
    streams = Streams(SEED, 1, trial)
    runs = streams.generators("run")[0]
    space = benchmark.space
    accuracies: list[float] = []

    def query(string: plain.Architecture) -> float:
        run = int(runs.random() * benchmark.num_runs)
        accuracies.append(float(benchmark.query(Lookups(space.cell_id(np.array(string)), run)).validation))
        return accuracies[-1]

    def cell(string: plain.Architecture) -> int:
        return int(space.cell_id(np.array(string)))

    history = method(
        [int(size) for size in space.sizes],
        lambda a: cell(a) != -1,
        cell,
        query,
        lambda name: streams.generators(name)[0],
    )
    return [cell(string) for string in history], accuracies


def plain_random(repeats: bool) -> PlainMethod:
    def method(
        sizes: list[int], is_valid: plain.Valid, cell: Cell, query: plain.Query, rng: Generators
    ) -> list[plain.Architecture]:
        return plain.random_search(
            sizes, is_valid, query, BUDGET, rng("random_search"), None if repeats else cell
        )

    return method


def plain_evolution(space: SearchSpace, **options: Any) -> PlainMethod:
    rates = None
    if options.pop("mutation", "one") == "each":
        rates = mutation_rates(space, options.pop("rates", {})).tolist()

    def method(
        sizes: list[int], is_valid: plain.Valid, cell: Cell, query: plain.Query, rng: Generators
    ) -> list[plain.Architecture]:
        first, later = rng("regularized_evolution_initial"), rng("regularized_evolution")
        return plain.regularized_evolution(
            sizes, is_valid, query, BUDGET, first, later, rates=rates, **options
        )

    return method


def plain_local(**options: Any) -> PlainMethod:
    def method(
        sizes: list[int], is_valid: plain.Valid, cell: Cell, query: plain.Query, rng: Generators
    ) -> list[plain.Architecture]:
        return plain.local_search(
            sizes, cell, query, BUDGET, rng("local_search_start"), rng("local_search"), **options
        )

    return method


SMALL: dict[str, Any] = {"population": 12, "sample": 4}
CASES: dict[str, tuple[Callable[[], Optimizer], Callable[[SearchSpace], PlainMethod]]] = {
    "random": (lambda: RandomSearch(), lambda space: plain_random(True)),
    "random, small batches": (lambda: RandomSearch(batch=7), lambda space: plain_random(True)),
    "random without repeats": (lambda: RandomSearch(repeats=False), lambda space: plain_random(False)),
    "evolution": (lambda: RegularizedEvolution(**SMALL), lambda space: plain_evolution(space, **SMALL)),
    "evolution, every variable": (
        lambda: RegularizedEvolution(**SMALL, mutation="each", rates={"op": 0.4}, initial=5),
        lambda space: plain_evolution(space, **SMALL, mutation="each", rates={"op": 0.4}, initial=5),
    ),
    "local search": (lambda: LocalSearch(), lambda space: plain_local()),
    "local search, three starts, small batches": (
        lambda: LocalSearch(starts=3, batch=4),
        lambda space: plain_local(starts=3),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_equals_the_plain_twin(planted: Planted, case: str) -> None:
    make, make_twin = CASES[case]
    record = search(make(), planted, budget=BUDGET, trials=TRIALS, seed=SEED)
    for trial in range(TRIALS):
        cells, accuracies = twin(planted, trial, make_twin(planted.space))
        mine = record.queries["trial"] == trial
        assert record.queries["cell_id"][mine].tolist() == cells
        assert record.queries["validation"][mine].tolist() == accuracies


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "protocol",
    [Protocol(), Protocol(repeats="free"), Protocol(invalid="charge", run="mean"), Protocol(cost="epochs")],
)
def test_a_trial_is_the_same_in_every_block(planted: Planted, case: str, protocol: Protocol) -> None:
    make, _ = CASES[case]
    whole = search(make(), planted, protocol, budget=60, trials=6, seed=3)
    part = search(make(), planted, protocol, budget=60, trials=2, seed=3, first_trial=4)
    mine = whole.queries["trial"] >= 4
    for column, values in part.queries.items():
        np.testing.assert_array_equal(whole.queries[column][mine], values)
    assert (part.ledger["ended"] == "budget").all()
    assert (whole.ledger["rejected"][4:] == part.ledger["rejected"]).all()


def test_random_search_follows_the_closed_form(planted: Planted) -> None:
    trials, queries = 4000, 15
    record = search(RandomSearch(), planted, budget=queries, trials=trials, seed=5)
    values, cdf = planted.random_search_cdf(queries)
    observed = np.searchsorted(np.sort(record.ledger["incumbent_validation"]), values, side="right") / trials
    # Dvoretzky-Kiefer-Wolfowitz at 1e-4
    assert np.abs(observed - cdf).max() < np.sqrt(np.log(2 / 1e-4) / (2 * trials))
    expected = trials * queries / 3  # three of four strings are valid
    assert abs(record.ledger["rejected"].sum() - expected) < 5 * np.sqrt(expected * 4 / 3)


def test_random_search_without_repeats_visits_every_cell_once_and_ends(planted: Planted) -> None:
    cells = planted.space.num_cells
    record = search(RandomSearch(repeats=False), planted, budget=cells + 50, trials=2, seed=0)
    for trial in range(2):
        assert sorted(record.queries["cell_id"][record.queries["trial"] == trial]) == list(range(cells))
    assert (record.ledger["ended"] == "exhausted").all()


def test_invalid_strings_are_proposed_where_they_are_charged(planted: Planted) -> None:
    for optimizer in (RandomSearch(), RegularizedEvolution(**SMALL), LocalSearch()):
        record = search(optimizer, planted, Protocol(invalid="charge"), budget=400, trials=20, seed=1)
        assert (record.ledger["rejected"] == 0).all()
        assert (
            record.ledger["invalid"]
            == np.bincount(record.queries["trial"][record.queries["status"] == INVALID], minlength=20)
        ).all()
        assert (record.ledger["invalid"] > 0).all()
        if isinstance(optimizer, RandomSearch):
            assert abs(record.ledger["invalid"].sum() / 8000 - 0.25) < 5 * np.sqrt(0.25 * 0.75 / 8000)


@pytest.mark.parametrize("make", [RandomSearch, RegularizedEvolution, LocalSearch])
def test_a_space_without_valid_strings_ends_the_search(
    planted: Planted, make: Callable[[], Optimizer]
) -> None:
    class Nothing(Planted):
        def __init__(self) -> None:
            self.space = Nowhere()  # type: ignore[assignment]  # another space than the planted one

    record = search(make(), Nothing(), budget=10, trials=2, seed=0)
    assert record.ledger["ended"].tolist() == ["stalled", "stalled"]
    assert (record.ledger["queries"] == 0).all()


def test_taking_few_or_many_strings_at_a_time_gives_the_same_sequence(planted: Planted) -> None:
    def sequence(sizes: list[int]) -> np.ndarray:
        strings = UniformStrings(Task(planted.space, 3, 500, Streams(0, 3)), "x")
        return np.concatenate([strings.take(np.full(3, size)).architectures for size in sizes], axis=1)

    np.testing.assert_array_equal(sequence([500]), sequence([1, 199, 2, 298]))


# --- regularized evolution


def start(optimizer: AnOptimizer, space: SearchSpace, trials: int = 1) -> AnOptimizer:
    optimizer.start(Task(space, trials, 1000, Streams(0, trials)))
    return optimizer


def told(proposal: Proposal, accuracy: np.ndarray | float) -> Outcome:
    shape = proposal.wanted.shape
    status = np.where(proposal.wanted, OK, NOT_RUN).astype(np.int8)
    return Outcome(np.where(status == OK, np.broadcast_to(accuracy, shape), np.nan), status)


def test_a_mutant_is_a_valid_neighbour_of_a_living_member(planted: Planted) -> None:
    optimizer = start(RegularizedEvolution(population=6, sample=3), planted.space)
    members: list[np.ndarray] = []
    rng = np.random.default_rng(0)
    for step in range(60):
        proposal = optimizer.ask(np.array([100]))
        strings = proposal.architectures[0][proposal.wanted[0]]
        assert len(strings) == (6 if step == 0 else 1)
        assert planted.space.is_valid(strings).all()
        if step:
            assert ((np.array(members[-6:]) != strings[0]).sum(axis=1) == 1).any()
        members.extend(strings)
        optimizer.tell(proposal, told(proposal, rng.random(proposal.wanted.shape)))


def test_the_best_of_the_sample_is_the_parent_and_failures_never_are(planted: Planted) -> None:
    optimizer = start(RegularizedEvolution(population=4, sample=4), planted.space, trials=300)
    first = optimizer.ask(np.full(300, 9))
    outcome = told(first, np.array([0.5, 0.9, 0.7, 0.6]))
    outcome.status[:, 0], outcome.accuracy[:, 0] = FAILED, np.nan
    optimizer.tell(first, outcome)
    child = optimizer.ask(np.full(300, 5)).architectures
    distance = (first.architectures != child).sum(axis=2)
    # A tournament of 4 of 4 with replacement holds the best with probability 1 - (3/4)^4, the second best
    # else with 1 - (2/3)^4, ...
    best = (distance[:, 1] == 1).mean()
    assert abs(best - (1 - 0.75**4)) < 5 * np.sqrt(0.21 / 300)
    # A failed member is parent only of a tournament that holds nothing else: 1 in 256 (few trials, some by
    # coincidence of strings).
    assert (distance[:, 0] == 1).mean() < 0.05


def test_mutation_rates_are_those_of_the_sources() -> None:
    from nas_bench_suite.benchmarks.nasbench101.space import NASBench101Space

    rates = mutation_rates(NASBench101Space(), {})
    np.testing.assert_allclose(rates, [1 / 21] * 21 + [1 / 5] * 5)


def test_every_variable_changes_with_its_rate(planted: Planted) -> None:
    trials = 4000
    method = RegularizedEvolution(
        population=2, sample=1, mutation="each", rates={"edge": 0.1, "op": 0.3}, initial=1
    )
    optimizer = start(method, planted.space, trials)
    first = optimizer.ask(np.full(trials, 9))
    optimizer.tell(first, told(first, 0.5))
    changed = (optimizer.ask(np.full(trials, 8)).architectures != first.architectures)[:, 0]
    # the first two decide on validity
    assert np.abs(changed[:, 2:5].mean(axis=0) - 0.1).max() < 5 * np.sqrt(0.09 / trials)
    assert np.abs(changed[:, 5:].mean(axis=0) - 0.3).max() < 5 * np.sqrt(0.21 / trials)


def test_ended_trials_get_no_slot_and_draw_nothing(planted: Planted) -> None:
    def run(rooms: Sequence[int]) -> np.ndarray:
        optimizer = start(RegularizedEvolution(**SMALL), planted.space, trials=2)
        for room in rooms:
            proposal = optimizer.ask(np.array([room, 50]))
            assert proposal.wanted[0].any() == (room > 0)
            optimizer.tell(proposal, told(proposal, np.linspace(0, 1, proposal.wanted.shape[1])))
        last: np.ndarray = proposal.architectures[1, 0]
        return last

    np.testing.assert_array_equal(run([50] * 9), run([50, 50, 0, 0, 0, 0, 0, 0, 0]))


# --- local search


def test_neighbours_are_all_strings_that_differ_in_one_variable(planted: Planted) -> None:
    changes = neighbour_changes(planted.space)
    origin = np.array(planted.target)
    strings = set()
    for variable, step, choices in changes:
        string = origin.copy()
        string[variable] = (string[variable] + step) % choices
        strings.add(tuple(string))
    assert len(strings) == len(changes) == 5 + 5 * 2
    assert all((np.array(string) != origin).sum() == 1 for string in strings)


def test_local_search_never_asks_for_a_cell_twice_and_ends_when_none_is_left(planted: Planted) -> None:
    cells = planted.space.num_cells
    record = search(LocalSearch(), planted, budget=cells + 1, trials=2, seed=0)
    assert (record.ledger["repeats"] == 0).all()
    assert (record.ledger["unique_cells"] == cells).all()
    assert (record.ledger["ended"] == "exhausted").all()


def test_a_climb_ends_at_a_local_optimum(planted: Planted) -> None:
    """Without noise, a whole first climb: its last centre has no better neighbour, and every centre beats the
    one before."""
    quiet = Planted(noise=0.0)
    space = quiet.space
    optimizer = start(LocalSearch(), space)
    centres: list[tuple[np.ndarray, float]] = []
    while not centres or optimizer._rounds.climbing[0] or len(centres) < 2:
        proposal = optimizer.ask(np.array([1000]))
        if not optimizer._rounds.climbing[0] and centres:
            break
        if optimizer._rounds.climbing[0]:
            centres.append((optimizer._rounds.centre[0].copy(), float(optimizer._rounds.value[0])))
        strings = proposal.architectures[0]
        optimizer.tell(
            proposal, told(proposal, quiet.query(Lookups(space.cell_id(strings), "mean")).validation[None])
        )
    values = [value for _, value in centres]
    assert values == sorted(set(values))
    neighbours = np.array(
        [
            (centres[-1][0] + step * (np.arange(10) == i)) % space.sizes
            for i, step, _ in neighbour_changes(space)
        ]
    )
    neighbours = neighbours[space.is_valid(neighbours)]
    assert quiet.query(Lookups(space.cell_id(neighbours), "mean")).validation.max() <= values[-1]


# --- wrong options


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: RandomSearch(repeats="no"), "optimizer.repeats"),  # type: ignore[arg-type]  # wrong type
        (lambda: RandomSearch(batch=0), "optimizer.batch=0 is out of range"),
        (lambda: RegularizedEvolution(population=1), "optimizer.population=1"),
        (lambda: RegularizedEvolution(population=5, sample=6), "optimizer.sample=6"),
        (lambda: RegularizedEvolution(mutation="all"), "accepted: one, each"),
        (lambda: RegularizedEvolution(mutation="each", rates={"edge": 1.5}), "optimizer.rates.edge=1.5"),
        (lambda: RegularizedEvolution(rates={"edge": 0.5}), "optimizer.mutation=each"),
        (lambda: RegularizedEvolution(initial=101), "optimizer.initial=101"),
        (
            lambda: start(RegularizedEvolution(mutation="each", rates={"edges": 0.5}), Planted().space),
            "did you mean 'edge'",
        ),
        (lambda: LocalSearch(starts=0), "optimizer.starts=0"),
        (lambda: LocalSearch(batch=1.5), "optimizer.batch=1.5"),  # type: ignore[arg-type]  # wrong type
    ],
)
def test_wrong_options_get_one_sentence(make: Callable[[], object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence.replace(".", r"\.")) as caught:
        make()
    assert "\n" not in str(caught.value)
