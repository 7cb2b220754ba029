"""Best so far by query: incumbents and step curves.

An *incumbent* is the best single evaluation so far: full-fidelity ones only, and until there is one the best
at the highest fidelity so far; the first wins a tie. Its test error is that of the query that found it.
Nothing is interpolated or smoothed.

Notation: T trials; rows are charged queries ordered by trial, then query, as in the query files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.result import Result


def unit_cost(result: Result, columns: dict[str, np.ndarray]) -> float:
    """What a full-fidelity query costs in the units of `spent`: its epochs under `cost: epochs`, else 1."""
    if result.rules["cost"] != "epochs":
        return 1.0
    return float(columns["fidelity"].max())


def incumbents(columns: dict[str, np.ndarray]) -> np.ndarray:
    """int64[rows]: for each charged query the row of its trial's incumbent after it, -1 while there is none.

    Rows are ordered by trial, then query, as in the query files.
    """
    trial, fidelity, validation = columns["trial"], columns["fidelity"], columns["validation"]
    held = np.full(len(trial), -1, dtype=np.int64)
    if not len(trial):
        return held
    starts = np.flatnonzero(np.r_[True, trial[1:] != trial[:-1]])
    counts = np.diff(np.r_[starts, len(trial)])
    # One sortable number per row: fidelity first, then validation (accuracies lie in [0, 1]).
    worth = np.where(
        np.isnan(validation), -np.inf, np.searchsorted(np.unique(fidelity), fidelity) * 2.0 + validation
    )
    grid = np.full((len(starts), counts.max()), -np.inf)
    row, column = np.repeat(np.arange(len(starts)), counts), np.arange(len(trial)) - np.repeat(starts, counts)
    grid[row, column] = worth
    best = np.maximum.accumulate(grid, axis=1)
    before = np.concatenate([np.full((len(grid), 1), -np.inf), best[:, :-1]], axis=1)
    place = np.maximum.accumulate(np.where(grid > before, np.arange(grid.shape[1]), -1), axis=1)[row, column]
    return np.where(place >= 0, starts[row] + place, -1)


@dataclass(frozen=True)
class Curves:
    """Step curves on the grid 1 .. budget of full-fidelity queries spent; float[T, budget], errors in
    percent.

    Column b holds the state after the last query whose cost fits into b; before the first one it is NaN.
    `unique` counts distinct cells, `repeats` queries that met a cell seen before at that fidelity, `hours`
    simulated training time so far.
    """

    trial: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    unique: np.ndarray
    repeats: np.ndarray
    hours: np.ndarray


def curves_of(result: Result) -> Curves:
    """The step curves of a result."""
    columns = result.queries()
    trial = columns["trial"]
    starts = np.flatnonzero(np.r_[True, trial[1:] != trial[:-1]])
    ends = np.r_[starts[1:], len(trial)]
    held = incumbents(columns)
    cost = unit_cost(result, columns)
    grid = np.arange(1, result.budget + 1) * cost
    # Row of the last query that fits into each budget, -1 before the first.
    last = np.stack(
        [np.searchsorted(columns["spent"][a:b], grid, side="right") - 1 + a for a, b in zip(starts, ends)]
    )
    none = last < starts[:, None]
    at = np.where(none, starts[:, None], last)

    def errors(name: str) -> np.ndarray:
        rows = held[at]
        return np.where(none | (rows < 0), np.nan, 100 * (1 - columns[name][rows]))

    cell_seen = _first_time(trial, columns["cell_id"])
    valid = columns["cell_id"] >= 0
    pair_seen = _first_time(trial, columns["cell_id"] * 1024 + columns["fidelity"])

    def running(values: np.ndarray) -> np.ndarray:
        total = np.cumsum(values.astype(float))
        base = np.concatenate([[0.0], total])[starts]
        return np.where(none, 0.0, total[at] - base[:, None])

    return Curves(
        trial=trial[starts].astype(np.int64),
        validation=errors("validation"),
        test=errors("test"),
        unique=running(cell_seen & valid),
        repeats=running(~pair_seen & valid),
        hours=running(columns["seconds"]) / 3600,
    )


def _first_time(trial: np.ndarray, value: np.ndarray) -> np.ndarray:
    """bool[rows]: whether a trial meets `value` for the first time in this row."""
    order = np.lexsort((np.arange(len(value)), value, trial))
    new = (
        np.r_[True, (np.diff(trial[order]) != 0) | (value[order][1:] != value[order][:-1])]
        if len(value)
        else np.empty(0, dtype=bool)
    )
    out = np.zeros(len(value), dtype=bool)
    out[order] = new
    return out


@dataclass(frozen=True)
class Band:
    """A mean over trials with its 95 % interval (Student's t): float[points] each. NaN where some trial has
    no incumbent yet."""

    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def band(x: np.ndarray, values: np.ndarray) -> Band:
    """The band of float[T, points]."""
    from scipy.special import stdtrit

    count = len(values)
    mean = values.mean(axis=0)
    half = np.zeros_like(mean)
    if count > 1:
        half = float(stdtrit(count - 1, 0.975)) * values.std(axis=0, ddof=1) / np.sqrt(count)
    return Band(x, mean, mean - half, mean + half)


def bands(curves: Curves, points: int = 400) -> dict[str, Band]:
    """Bands of all curves of a run.

    By query: `validation`, `test`, `unique`, `repeats`, at `points` query counts (all of them up to 150, then
    evenly spaced in the logarithm). By simulated training time in hours: `time_test`, over the range that
    every trial covers. Values are read off step curves, never interpolated.
    """
    budget = curves.test.shape[1]
    grid = np.arange(1, budget + 1)
    if budget > points:
        grid = np.unique(
            np.concatenate([np.arange(1, 151), np.geomspace(151, budget, points - 150).round().astype(int)])
        )
    out = {
        name: band(grid, getattr(curves, name)[:, grid - 1])
        for name in ("validation", "test", "unique", "repeats")
    }
    started = np.isfinite(curves.test).all(axis=0)
    if started.any() and curves.hours[:, -1].min() > 0:
        first = max(float(curves.hours[:, np.argmax(started)].max()), 1e-9)
        last = float(curves.hours[:, -1].min())
        if last > first:
            hours = np.geomspace(first, last, 150)
            hours[-1] = last
            at = np.stack([np.searchsorted(row, hours, side="right") - 1 for row in curves.hours])
            out["time_test"] = band(hours, np.take_along_axis(curves.test, np.maximum(at, 0), axis=1))
    return out


def few_points(budget: int, points: int = 60) -> np.ndarray:
    """int64[k]: query counts from 1 to `budget`, evenly spaced in the logarithm, each once."""
    return np.unique(np.geomspace(1, budget, points).round().astype(np.int64))


def expected_ranks(tests: Sequence[np.ndarray]) -> np.ndarray:
    """float[M, points]: the rank that a random trial of each of M methods has among random trials of the
    others, 1 the best, ties half; NaN where a trial has no value.

    Args:
        tests: for each method float[T, points], errors of its trials, T may differ.

    The rank of method i is 1 + sum over j of P(a trial of j is below one of i).
    """
    from scipy.stats import rankdata

    points = tests[0].shape[1]
    out = np.full((len(tests), points), np.nan)
    for k in range(points):
        columns = [test[:, k] for test in tests]
        if any(np.isnan(column).any() for column in columns):
            continue
        for i, own in enumerate(columns):
            below = 0.0
            for j, other in enumerate(columns):
                if i != j:
                    ranks = rankdata(np.concatenate([own, other]))[: len(own)]
                    below += (ranks.mean() - (len(own) + 1) / 2) / len(other)
            out[i, k] = 1 + below
    return out
