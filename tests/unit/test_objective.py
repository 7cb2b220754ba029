"""Objectives: what counts as an accuracy, and evaluations that fail, hang, or take their process down."""

from __future__ import annotations

import functools
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nas_bench_suite import ConfigError, Lookups, Objective, search
from nas_bench_suite.benchmarks.planted import Planted
from nas_bench_suite.journal import Measured
from nas_bench_suite.search import check_some_succeeded
from optimizers.random_search import RandomSearch
from tests.unit import trainings

SPACE = Planted().space
pytestmark = pytest.mark.filterwarnings("ignore:evaluation failed")


def lookups(*first: int) -> Lookups:
    """One look-up for each value of the first variable."""
    strings = np.zeros((len(first), SPACE.num_variables), dtype=np.int64)
    strings[:, 0] = first
    return Lookups(np.arange(len(first)), 0, None, strings)


def evaluate(objective: Objective, *first: int) -> list[Measured]:
    found = dict(objective.query_each(lookups(*first)))
    return [found[index] for index in range(len(first))]


def answer(value: Any) -> Measured:
    return evaluate(Objective(SPACE, lambda architecture: value), 0)[0]


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("value", "validation", "test"),
    [
        (0.5, 0.5, np.nan),
        (1, 1.0, np.nan),
        (0, 0.0, np.nan),
        ((0.5, 0.25), 0.5, 0.25),
        ((0.5, None), 0.5, np.nan),
        ((0.5, float("nan")), 0.5, np.nan),
        (np.float32(0.5), 0.5, np.nan),
        (np.array(0.5), 0.5, np.nan),
        (torch.tensor(0.5), 0.5, np.nan),
        ((torch.tensor(0.5), np.float64(0.25)), 0.5, 0.25),
    ],
)
def test_accuracies(value: Any, validation: float, test: float) -> None:
    found = answer(value)
    assert found.reason == ""
    np.testing.assert_array_equal(found[:2], (validation, test))


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (93.1, r"returned 93.1, but accuracies are fractions in \[0, 1\] \(0.931 rather than 93.1 percent\)"),
        ((0.9, 88.0), r"returned \(0.9, 88.0\), but .* \(0.88 rather than 88 percent\)"),
        (-0.25, r"returned -0.25, but accuracies are fractions in \[0, 1\]$"),
        (1e9, r"returned 1000000000.0, but accuracies are fractions in \[0, 1\]$"),
        (float("nan"), "returned nan; accepted: a validation accuracy"),
        (float("inf"), "returned inf; accepted"),
        ((0.5, float("inf")), r"returned \(0.5, inf\); accepted"),
        (None, "returned None; accepted"),
        ("0.9", "returned '0.9'; accepted"),
        ((0.5, "0.9"), r"returned \(0.5, '0.9'\); accepted"),
        (True, "returned True; accepted"),
        ([0.9, 0.8], r"returned \[0.9, 0.8\]; accepted"),
        (np.array([0.9]), r"returned array\(\[0.9\]\); accepted"),
        (torch.ones(2), r"returned tensor\(\[1., 1.\]\); accepted"),
        ({"accuracy": 0.9}, "returned {'accuracy': 0.9}; accepted"),
        (1j, "returned 1j; accepted"),
        ((), r"returned \(\), 0 values; accepted"),
        ((0.9,), r"returned \(0.9,\), 1 values; accepted"),
        ((0.9, 0.8, 12.0), r"returned \(0.9, 0.8, 12.0\), 3 values; accepted"),
        (Unprintable(), "returned <Unprintable instance"),
        ("x" * 1000, "returned 'x+[.]+x+'; accepted"),
    ],
)
def test_what_is_no_accuracy_is_a_failure_that_says_so(value: Any, says: str) -> None:
    found = answer(value)
    np.testing.assert_array_equal(found[:2], (np.nan, np.nan))
    assert np.isfinite(found[2])
    assert re.search(says, found.reason), found.reason
    assert len(found.reason) < 300 and "\n" not in found.reason


def test_an_exception_is_a_failure_with_its_place_and_a_warning() -> None:
    with pytest.warns(
        RuntimeWarning, match="evaluation failed and is recorded as such: ValueError: diverged"
    ):
        good, bad = evaluate(Objective(SPACE, trainings.misbehave), 0, 6)
    assert good[0] == 0.5 and np.isnan(good[1]) and good.reason == ""
    assert bad.reason.startswith("ValueError: diverged (trainings.py, line ")


def test_exits_and_interrupts_end_a_search_in_this_process() -> None:
    def interrupted(architecture: np.ndarray) -> float:
        raise KeyboardInterrupt

    for function, error in ((interrupted, KeyboardInterrupt), (lambda _: sys.exit(3), SystemExit)):
        with pytest.raises(error):
            evaluate(Objective(SPACE, function), 0)


def test_retries() -> None:
    calls = []

    def flaky(architecture: np.ndarray) -> float:
        calls.append(int(architecture[0]))
        time.sleep(0.01)
        if calls.count(calls[-1]) <= calls[-1]:
            raise OSError("no connection")
        return 0.5

    never, once, twice = evaluate(Objective(SPACE, flaky, retries=1), 0, 1, 2)
    assert calls == [0, 1, 1, 2, 2]
    assert never.reason == once.reason == "" and once[2] >= 0.02
    assert twice.reason.endswith("(attempt 2 of 2)") and "OSError: no connection" in twice.reason


def test_failures_in_a_row_stop_a_search_and_the_journal_keeps_what_was_evaluated(tmp_path: Path) -> None:
    failing: list[bool] = [False, True, True, False, True, True, True, False]

    def function(architecture: np.ndarray) -> float:
        if failing[calls.pop(0)]:
            raise ValueError("diverged")
        return 0.5

    calls = list(range(8))
    how: dict[str, Any] = {"budget": 8, "trials": 1, "seed": 0, "journal": tmp_path / "journal"}
    objective = Objective(SPACE, function, max_failures_in_a_row=3)
    with pytest.raises(
        ConfigError, match=r"^3 evaluations of .*function in a row failed .*ValueError: diverged"
    ):
        search(RandomSearch(), objective, **how)
    assert calls == [7], "all that ran is in the journal"
    record = search(RandomSearch(), objective, **how)
    assert calls == []
    np.testing.assert_array_equal(record.queries["status"] == 2, failing)


def test_a_search_of_failures_alone() -> None:
    check_some_succeeded("digits", 0, 0)
    check_some_succeeded("digits", 3, 4)
    with pytest.raises(
        ConfigError, match="all 4 evaluations of 'digits' failed, the last one: ValueError: no"
    ):
        check_some_succeeded("digits", 4, 4, "ValueError: no")

    def fails(string: np.ndarray) -> float:
        raise ValueError("no luck")

    with pytest.raises(
        ConfigError, match="all 6 evaluations of 'hard' failed, the last one: ValueError: no luck"
    ):
        search(RandomSearch(), Objective(SPACE, fails, name="hard"), budget=3, trials=2, seed=0)


def test_a_journalled_search_of_failures_alone_says_why_and_keeps_its_journal(tmp_path: Path) -> None:
    def fails(string: np.ndarray) -> float:
        raise ValueError("no luck")

    journal = tmp_path / "journal.jsonl"
    words = "all 3 evaluations of 'hard' failed, the last one: ValueError: no luck"
    for _ in range(2):  # the second time they come from the journal
        with pytest.raises(ConfigError, match=words):
            search(
                RandomSearch(),
                Objective(SPACE, fails, name="hard"),
                budget=3,
                trials=1,
                seed=0,
                journal=journal,
            )
    assert len(journal.read_text().splitlines()) == 4


@pytest.mark.parametrize(
    "option",
    [
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": float("nan")},
        {"timeout": "1"},
        {"retries": -1},
        {"retries": 0.5},
        {"max_failures_in_a_row": 0},
        {"workers": 0},
    ],
)
def test_options_out_of_range(option: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(option))}=.* is out of range"):
        Objective(SPACE, trainings.score, **option)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (trainings.score, "tests.unit.trainings.score"),
        (functools.partial(trainings.hang, folder="x"), "tests.unit.trainings.hang(folder='x')"),
        (functools.partial(trainings.score, np.zeros(2)), "tests.unit.trainings.score()"),
        (Unprintable, "tests.unit.test_objective.Unprintable"),
        (Unprintable().__repr__, "tests.unit.test_objective.Unprintable.__repr__"),
    ],
)
def test_the_name_of_a_function(function: Callable[..., Any], name: str) -> None:
    assert Objective(SPACE, function).function_name == name
