"""TPE and BOHB, ours and the libraries': what they propose, what they make of invalid strings, whom they
leave alone."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable

import numpy as np
import pytest

from nas_bench_suite import (
    ConfigError,
    Optimizer,
    Protocol,
    SearchRecord,
    Streams,
    Task,
    load_benchmark,
    search,
)
from nas_bench_suite.isolation import GlobalStream
from optimizers.bohb import BOHB
from optimizers.bohb.hyperband import Brackets, bracket_sizes, ladder
from optimizers.bohb_hpbandster import BOHBHpbandster
from optimizers.tpe import TPE
from optimizers.tpe_hyperopt import TPEHyperopt
from tests.optional import package

EPOCHS = Protocol(cost="epochs")


def run(
    method: Optimizer, budget: int = 40, trials: int = 3, protocol: Protocol | None = None, seed: int = 3
) -> SearchRecord:
    return search(method, load_benchmark("planted"), protocol, budget=budget, trials=trials, seed=seed)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TPE(startup=0), "startup"),
        (lambda: TPE(gamma=0), "gamma"),
        (lambda: TPE(invalid="reject"), "redraw"),
        (lambda: TPEHyperopt(candidates=1.5), "candidates"),  # type: ignore[arg-type]
        (lambda: BOHB(eta=1), "eta"),
        (lambda: BOHB(min_bandwidth=1), "min_bandwidth"),
        (lambda: BOHB(top_n_percent=100), "top_n_percent"),
        (lambda: BOHB(min_points_in_model=0), "min_points_in_model"),
        (lambda: BOHBHpbandster(random_fraction=2), "random_fraction"),
    ],
)
def test_values_out_of_range(make: Callable[[], Optimizer], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_tpe_starts_uniformly_and_then_follows_its_model() -> None:
    """The first strings are uniform draws; afterwards the model's are better by several standard deviations
    of a run."""
    record = run(TPE(), budget=100, trials=200)
    queries = record.queries
    strings = load_benchmark("planted").space.architecture(queries["cell_id"])
    early, late = queries["query"] <= 10, queries["query"] > 80
    assert strings[early][:, 2].mean() == pytest.approx(0.5, abs=0.05)
    assert queries["validation"][late].mean() > queries["validation"][early].mean() + 0.03
    assert (record.ledger["invalid"] > 0).all() and (record.ledger["rejected"] == 0).all()


def test_tpe_that_redraws_observes_no_invalid_string_and_may_stall() -> None:
    record = run(TPE(invalid="redraw"), budget=60, trials=40)
    assert (record.ledger["invalid"] == 0).all() and (record.ledger["rejected"] > 0).any()
    assert set(record.ledger["ended"]) <= {"budget", "stalled"}
    stalled = record.ledger["ended"] == "stalled"
    assert (record.ledger["rejected"][stalled] >= 10_000).all()


def test_tpe_learns_to_avoid_invalid_strings() -> None:
    """One string in four is invalid when drawn uniformly; told as failures, far fewer of the model's are."""
    record = run(TPE(), budget=150, trials=200)
    assert record.ledger["invalid"].mean() < 0.2 * 150


FOUR = (4, 12, 36, 108)


@pytest.mark.parametrize(
    ("fidelities", "eta", "rungs"), [(FOUR, 3, 4), (FOUR, 2, 4), (FOUR, 9, 2), ((1,), 3, 1)]
)
def test_ladder(fidelities: tuple[int, ...], eta: float, rungs: int) -> None:
    chosen = ladder(fidelities, eta)
    assert len(chosen) == rungs and chosen[-1] == len(fidelities) - 1 and (np.diff(chosen) > 0).all()
    assert all(fidelities[a] * eta <= fidelities[b] for a, b in itertools.pairwise(chosen))


def test_bracket_sizes_are_hyperbands() -> None:
    """Four rungs at eta = 3: 27, 9, 3, 1; 9, 3, 1; 6, 2; 4 (Li et al. 2018, table 1 without its largest
    bracket)."""
    np.testing.assert_array_equal(
        bracket_sizes(4, 3), [[4, 0, 0, 0], [6, 2, 0, 0], [9, 3, 1, 0], [27, 9, 3, 1]]
    )


@pytest.mark.parametrize("make", [BOHB, BOHBHpbandster])
def test_a_round_of_brackets(make: type[Optimizer]) -> None:
    if make is BOHBHpbandster:
        package("hpbandster")
    record = run(make(), budget=15, trials=1, protocol=EPOCHS)
    fidelity = record.queries["fidelity"]
    rounds = (
        [4] * 27
        + [12] * 9
        + [36] * 3
        + [108]
        + [12] * 9
        + [36] * 3
        + [108]
        + [36] * 6
        + [108] * 2
        + [108] * 4
    )
    np.testing.assert_array_equal(fidelity, rounds)
    assert record.ledger["spent"][0] == 15 * 108 and record.ledger["ended"][0] == "budget"
    cells = record.queries["cell_id"]
    accuracy = record.queries["validation"]
    best = np.sort(np.argsort(-accuracy[:27], kind="stable")[:9])
    np.testing.assert_array_equal(cells[27:36], cells[:27][best])


def test_kde_search_without_low_fidelities() -> None:
    record = run(BOHB(low_fidelities=False))
    assert (record.queries["fidelity"] == 108).all() and (record.ledger["queries"] == 40).all()
    brackets = Brackets(1, 1, (108,), 3)
    for _ in range(5):
        rung, fresh, _ = brackets.next()
        assert rung[0] == 0 and fresh[0]
        brackets.record(np.zeros(1, dtype=np.int64), np.zeros((1, 1), dtype=np.int64), np.zeros(1))


@pytest.mark.parametrize("invalid", ["redraw", "tell"])
def test_bohb_and_invalid_strings(invalid: str) -> None:
    ledger = run(BOHB(invalid=invalid, low_fidelities=False), budget=100, trials=20).ledger
    assert ((ledger["invalid"] > 0) == (invalid == "tell")).all() and (
        (ledger["rejected"] > 0) == (invalid == "redraw")
    ).all()
    charged = run(
        BOHB(invalid=invalid, low_fidelities=False),
        budget=100,
        trials=20,
        protocol=Protocol(invalid="charge"),
    ).ledger
    assert (charged["invalid"] > 0).all() and (charged["rejected"] == 0).all()


def test_redrawing_keeps_the_share_of_uniform_draws() -> None:
    """hpbandster's: a replaced draw is of the kind of the one that it replaces."""
    package("hpbandster")
    space = load_benchmark("planted").space
    method = BOHBHpbandster(low_fidelities=False)
    method.start(Task(space, 1, 10, Streams(0, 1), fidelities=(108,)))
    valid, invalid = np.ones(10, dtype=np.int64), np.zeros(10, dtype=np.int64)
    script = [
        (invalid, True),
        (valid, False),
        (invalid, True),
        (valid, True),
        (invalid, False),
        (valid, True),
        (valid, False),
    ]
    method.suggest = lambda t, fidelity: script.pop(0)  # type: ignore[method-assign]
    first = method.ask(np.ones(1, dtype=np.int64))
    assert len(script) == 3 and first.rejected is not None and first.rejected[0] == 2
    second = method.ask(np.ones(1, dtype=np.int64))
    assert not script and second.rejected is not None and second.rejected[0] == 1


def test_global_streams_are_apart() -> None:
    a, b = GlobalStream(1), GlobalStream(2)
    np.random.seed(0)  # noqa: NPY002 - it is about this generator, here and below
    expected = np.random.RandomState(0).random_sample(2)
    drawn = []
    for stream in (a, b, a):
        with stream:
            drawn.append(np.random.random_sample())  # noqa: NPY002
    with pytest.raises(KeyError), a:
        raise KeyError
    np.testing.assert_array_equal(np.random.random_sample(2), expected)  # noqa: NPY002
    np.testing.assert_array_equal([drawn[0], drawn[2]], np.random.RandomState(1).random_sample(2))


@pytest.mark.parametrize("make", [TPEHyperopt, lambda: BOHBHpbandster(low_fidelities=False, num_samples=4)])
def test_wrappers_neither_read_nor_move_the_global_generator(make: Callable[[], Optimizer]) -> None:
    if not isinstance(make, type):
        package("hpbandster")
    cells = []
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002
        cells.append(run(make(), budget=30, trials=2).queries["cell_id"])
        assert np.random.random_sample() == np.random.RandomState(seed).random_sample()  # noqa: NPY002
    np.testing.assert_array_equal(cells[0], cells[1])


def test_without_hpbandster_one_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hpbandster.optimizers.config_generators.bohb", None)
    with pytest.raises(ConfigError, match=r"C compiler.*optimizer=bohb") as caught:
        run(BOHBHpbandster())
    assert "\n" not in str(caught.value)
