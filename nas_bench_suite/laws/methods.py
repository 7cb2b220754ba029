"""The laws that every search method keeps (ARCHITECTURE.md), as pytest tests.

Whoever runs them parametrizes `method` by labels of configs, indirectly (`pytest_generate_tests`), and may
override the fixture `allowance`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from nas_bench_suite import (
    FAILED,
    INVALID,
    NOT_RUN,
    OK,
    Benchmark,
    Evaluation,
    Optimizer,
    Protocol,
    SearchRecord,
    Streams,
    Task,
    load_benchmark,
    search,
)
from nas_bench_suite.benchmark import Lookups
from nas_bench_suite.benchmarks.planted import Planted
from nas_bench_suite.build import make_optimizer, make_protocol
from nas_bench_suite.checks import ConfigError
from nas_bench_suite.laws.collect import composed

BUDGET, TRIALS, SEED = 40, 6, 11


@dataclass(frozen=True)
class Allowance:
    """What single methods need of the laws, by label.

    Attributes:
        trials_to_beat_random: of law 7, where 30 are too few to see a small lead, or take too long.
        cheaper: hyperparameters for the tests, where the method's own take an hour.
        sizes: (budget, trials) of a search, where 40 queries of 6 trials take minutes.
    """

    trials_to_beat_random: Mapping[str, int] = field(default_factory=dict)
    cheaper: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass
class Method:
    label: str
    options: dict[str, Any]
    protocol: Protocol
    budget: int = BUDGET
    trials: int = TRIALS

    def make(self) -> Optimizer:
        return make_optimizer(self.options)

    def search(self, benchmark: Benchmark | None = None, **changes: Any) -> SearchRecord:
        how: dict[str, Any] = {"budget": self.budget, "trials": self.trials, "seed": SEED}
        how["protocol"] = self.protocol
        return search(self.make(), benchmark or load_benchmark("planted"), **how | changes)


@pytest.fixture(scope="module")
def allowance() -> Allowance:
    return Allowance()


@pytest.fixture(scope="module")
def method(request: pytest.FixtureRequest, allowance: Allowance) -> Method:
    label = request.param
    config = composed(f"optimizer={label}", "benchmark=planted")
    options = config["optimizer"] | dict(allowance.cheaper.get(label, {}))
    budget, trials = allowance.sizes.get(label, (BUDGET, TRIALS))
    method = Method(label, options, make_protocol(config["protocol"]), budget, trials)
    try:
        method.make().start(Task(load_benchmark("planted").space, 1, 1, Streams(0, 1)))
    except ConfigError as error:
        # only a package may be missing, and its sentence says how to get it
        if "pip install" not in str(error):
            raise
        pytest.skip(str(error))
    return method


@pytest.fixture(scope="module")
def record(method: Method) -> SearchRecord:
    return method.search()


def trial_rows(record: SearchRecord, trial: int) -> dict[str, np.ndarray]:
    chosen = record.queries["trial"] == trial
    return {name: column[chosen] for name, column in record.queries.items()}


def test_same_seed_same_search(method: Method, record: SearchRecord) -> None:
    again = method.search()
    for name, column in record.queries.items():
        np.testing.assert_array_equal(column, again.queries[name], err_msg=name)


def test_blocks_give_the_same_searches(method: Method, record: SearchRecord) -> None:
    """Law 1. Bit for bit, except that a batched sum may round differently in a block of another size, after
    which searches part."""
    first = method.search(trials=2)
    second = method.search(trials=method.trials - 2, first_trial=2)
    same = 0
    for trial in range(method.trials):
        whole, part = trial_rows(record, trial), trial_rows(first if trial < 2 else second, trial)
        assert list(whole["cell_id"][:5]) == list(part["cell_id"][:5])
        same += len(whole["cell_id"]) == len(part["cell_id"]) and bool(
            (whole["cell_id"] == part["cell_id"]).all()
        )
    assert same >= method.trials - 1


def test_trials_and_seeds_differ(method: Method, record: SearchRecord) -> None:
    starts = {tuple(trial_rows(record, trial)["cell_id"][:5]) for trial in range(method.trials)}
    assert len(starts) == method.trials
    other = method.search(seed=SEED + 1)
    assert not np.array_equal(
        other.queries["cell_id"][: method.budget], record.queries["cell_id"][: method.budget]
    )


def test_test_scores_do_not_matter(method: Method, record: SearchRecord) -> None:
    """Law 2."""

    class Scrambled(Planted):
        def query(self, lookups: Lookups) -> Evaluation:
            found = super().query(lookups)
            return found._replace(test=1 - found.test)

    scrambled = method.search(Scrambled())
    np.testing.assert_array_equal(scrambled.queries["cell_id"], record.queries["cell_id"])
    np.testing.assert_array_equal(scrambled.queries["fidelity"], record.queries["fidelity"])
    assert not np.array_equal(scrambled.queries["test"], record.queries["test"])


def test_no_trial_overspends(method: Method, record: SearchRecord) -> None:
    """Law 3."""
    total = method.budget * int(method.protocol.costs(Planted.fidelities)[-1])
    spent = record.ledger["spent"]
    assert (spent <= total).all()
    assert set(record.ledger["ended"]) <= {"budget", "exhausted", "stalled", "no_room"}
    np.testing.assert_array_equal(record.ledger["ended"] == "budget", spent == total)
    for trial in range(method.trials):
        rows = trial_rows(record, trial)
        np.testing.assert_array_equal(rows["query"], np.arange(1, len(rows["query"]) + 1))
        assert (np.diff(rows["spent"]) > 0).all() and rows["spent"][-1] == spent[trial]


@pytest.mark.parametrize(
    "protocol",
    [Protocol(invalid="charge"), Protocol(repeats="free"), Protocol(run="mean"), Protocol(cost="epochs")],
)
def test_every_protocol_runs(method: Method, protocol: Protocol) -> None:
    record = method.search(protocol=protocol, trials=3)
    assert (record.ledger["spent"] <= method.budget * protocol.costs(Planted.fidelities)[-1]).all()
    assert (record.ledger["incumbent_query"] > 0).all()
    if protocol.repeats == "free":
        for trial in range(3):
            rows = trial_rows(record, trial)
            assert len(set(zip(rows["cell_id"], rows["fidelity"]))) == len(rows["cell_id"])
    if protocol.invalid == "free":
        assert (record.queries["status"] == OK).all()


def test_failed_evaluations_are_survived(method: Method) -> None:
    """A training that fails (NaN) costs its query, is told as FAILED, and never becomes the incumbent."""

    class Failing(Planted):
        def query(self, lookups: Lookups) -> Evaluation:
            found = super().query(lookups)
            return Evaluation(
                *(np.where(np.asarray(lookups.cells) % 3 == 0, np.nan, values) for values in found)
            )

    record = method.search(Failing(), trials=3)
    failed = record.queries["status"] == FAILED
    assert failed.any() and (record.queries["cell_id"][failed] % 3 == 0).all()
    assert (record.ledger["incumbent_cell_id"] % 3 != 0).all()


def test_a_small_space_runs_dry_without_hanging(method: Method, monkeypatch: pytest.MonkeyPatch) -> None:
    """With free repeats and a budget above the number of cells every trial ends, and says why."""
    # the library wrappers take a tenth of a second a suggestion
    monkeypatch.setattr("nas_bench_suite.ledger.STALL", 40)
    benchmark = Tiny()
    record = method.search(benchmark, budget=60, trials=2, protocol=Protocol(repeats="free"))
    assert (record.ledger["unique_cells"] <= 36).all()
    assert set(record.ledger["ended"]) <= {"budget", "exhausted", "stalled"}


class Tiny(Planted):
    """The planted values on a space of 4 variables: 36 strings, all valid."""

    fidelities = (108,)

    def __init__(self) -> None:
        super().__init__()
        from nas_bench_suite.space import SearchSpace, Variable

        class Space(SearchSpace):
            name = "tiny"
            variables = tuple(
                Variable(f"v{i}", tuple("abc"[:size]), "edge" if size == 2 else "op")
                for i, size in enumerate((2, 2, 3, 3))
            )
            num_cells = 36

            def is_valid(self, architectures: np.ndarray) -> np.ndarray:
                return np.ones(np.shape(architectures)[:-1], dtype=bool)

            def cell_id(self, architectures: np.ndarray) -> np.ndarray:
                ids: np.ndarray = np.asarray(architectures) @ np.array([18, 9, 3, 1])
                return ids

            def architecture(self, cell_id: np.ndarray | int) -> np.ndarray:
                return np.stack(np.unravel_index(cell_id, (2, 2, 3, 3)), axis=-1)

        self.space = Space()  # type: ignore[assignment]


def test_beats_random_search(method: Method, allowance: Allowance) -> None:
    """Law 7: the mean of 30 trials, or of what the allowance says, lies two standard errors above
    the exact expectation of random search's incumbent. Random search itself agrees with that expectation."""
    benchmark = load_benchmark("planted")
    protocol = Protocol(run="mean", cost=method.protocol.cost)
    ours = method.search(
        benchmark,
        budget=150,
        trials=allowance.trials_to_beat_random.get(method.label, 30),
        protocol=protocol,
    )
    values, cdf = benchmark.random_search_cdf(150, run="mean")  # type: ignore[attr-defined]
    expected = float((values * np.diff(cdf, prepend=0)).sum())
    reached = benchmark.query(Lookups(ours.ledger["incumbent_cell_id"], "mean")).validation
    error = reached.std(ddof=1) / np.sqrt(len(reached))
    if method.label == "random":
        assert abs(reached.mean() - expected) < 4 * error
    else:
        assert reached.mean() - 2 * error > expected


def test_unknown_hyperparameter_is_one_sentence(method: Method) -> None:
    """Law 6."""
    with pytest.raises(ConfigError, match=r"no_such_thing is not a hyperparameter of .*; accepted: .*\."):
        make_optimizer(method.options | {"no_such_thing": 1})


def test_hyperparameters_out_of_range_are_one_sentence(method: Method) -> None:
    """Law 6: every numeric hyperparameter refuses nonsense, naming itself."""
    for key, value in method.options.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            continue
        with pytest.raises(ConfigError, match=key) as caught:
            make_optimizer(method.options | {key: -12345.5})
        assert "\n" not in str(caught.value) and "accepted" in str(caught.value)


def test_every_choice_refuses_an_unknown_word(method: Method) -> None:
    for key, value in method.options.items():
        if isinstance(value, str) and not key.startswith("_"):
            with pytest.raises(ConfigError, match=key):
                make_optimizer(method.options | {key: "no_such_word"})


def test_proposals_have_the_promised_shapes(method: Method) -> None:
    """Ended trials (room 0) want nothing that counts, architectures are in range, and invalid ones appear
    only where they may."""
    from nas_bench_suite import Outcome

    benchmark = load_benchmark("planted")
    optimizer = method.make()
    costs = method.protocol.costs(benchmark.fidelities)
    optimizer.start(
        Task(
            space=benchmark.space,
            trials=4,
            budget=30,
            streams=Streams(5, 4),
            fidelities=benchmark.fidelities,
            fidelity_cost=costs,
        )
    )
    room = np.array([30, 0, 30, 0])
    for _ in range(5):
        proposal = optimizer.ask(room)
        strings = proposal.architectures
        assert strings.shape == (*proposal.wanted.shape, benchmark.space.num_variables) and len(strings) == 4
        asked = proposal.wanted & (room > 0)[:, None]
        assert ((strings[asked] >= 0) & (strings[asked] < benchmark.space.sizes)).all()
        # a method that tells its model of invalid strings has to propose them
        if method.options.get("invalid") != "tell":
            assert benchmark.space.is_valid(strings[asked]).all()
        accuracy = np.where(asked, 0.9, np.nan)
        status = np.where(asked, OK, NOT_RUN).astype(np.int8)
        assert INVALID not in status
        optimizer.tell(proposal, Outcome(accuracy, status))
