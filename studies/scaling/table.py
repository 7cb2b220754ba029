"""The study's numbers from result files and measured costs.

Notation: *regret* is the optimum's test accuracy less that of a search's incumbent, both means over runs, in
percentage points; on the benchmark `large` both are exact. *Seconds* are processor seconds of the method
itself per trial, as `measure.py` has them: start, and as many batches as the budget has. An *exponent* b is
the least-squares slope of log y = a + b log N over all N that have a y.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from analysis import statistics
from analysis.captions import commits
from analysis.result import Missing, Result
from analysis.selection import Study
from analysis.style import order, style
from nas_bench_suite.benchmark import load_benchmark
from studies.scaling.costs import Costs
from studies.scaling.jobs import POLICIES, Job

if TYPE_CHECKING:
    import pandas as pd

REFERENCE = "remaade"
LEAST_FOR_INTERVAL = 10  # with fewer trials a bootstrap says nothing


@dataclass(frozen=True)
class Point:
    """A job with a result: regret in percentage points, indexed by trial, and the ledger's wall-clock seconds
    of the method per trial."""

    job: Job
    regret: pd.Series
    wall_seconds: float
    commits: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """A point in numbers, as `scaling.csv` has it. None: not measured; an interval of NaN: too few trials.
    The paired difference from ReMAADE is over shared trials."""

    optimizer: str
    N: int
    queries: int
    trials: int
    regret_points: float
    regret_sd: float
    regret_low: float
    regret_high: float
    minus_remaade_points: float | None
    minus_remaade_low: float | None
    minus_remaade_high: float | None
    shared_trials: int
    context_parameters: int | None
    all_parameters: int | None
    processor_seconds_per_trial: float | None
    wall_seconds_per_trial: float


@dataclass(frozen=True)
class Curve:
    """A policy over N, as the figure draws it: its rows, and its costs, which can reach to greater N."""

    label: str
    rows: list[Row]
    n: list[int]
    context_parameters: list[float]
    seconds: list[float]

    @property
    def exponents(self) -> tuple[float, float]:
        """Of the parameters and of the seconds."""
        return exponent(self.n, self.context_parameters), exponent(self.n, self.seconds)


def find(results: Sequence[Result], wanted: Sequence[Job], seed: int) -> tuple[list[Point], dict[str, str]]:
    """The results behind `wanted`, and why others are missing, by name."""
    points, missing = [], {}
    optimum: dict[int, float] = {}
    for job in wanted:
        # Data of different N are different data: each N is a study of its own.
        same = [
            result
            for result in results
            if result.benchmark == "large" and result.config["benchmark"].get("variables") == job.variables
        ]
        found = Study(same, "large", job.trials, seed).find(
            {"optimizer": job.label, "budget": job.budget, "benchmark.variables": job.variables}
        )
        if isinstance(found, Missing):
            missing[f"{style(job.label).name} at N = {job.variables}"] = found.reason
            continue
        if job.variables not in optimum:
            optimum[job.variables] = _optimum(found)
        regret = 100 * (optimum[job.variables] - found.column("incumbent_test_mean"))
        seconds = float(found.column("optimizer_seconds").mean())
        points.append(Point(job, regret, seconds, tuple(commits([found]))))
    return points, missing


def _optimum(found: Result) -> float:
    """The best mean test accuracy of the benchmark behind a result."""
    options = {key: value for key, value in found.config["benchmark"].items() if key != "checksum"}
    best: float = load_benchmark(**options).facts()["best_mean_test"]
    return best


def table(points: Sequence[Point], costs: Costs) -> list[Row]:
    """One row for each point, by N and then in the order of the methods."""
    by_place = {(point.job.label, point.job.variables): point for point in points}
    labels = order(sorted({point.job.label for point in points}))
    ordered = sorted(points, key=lambda point: (point.job.variables, labels.index(point.job.label)))
    return [_row(point, by_place.get((REFERENCE, point.job.variables)), costs) for point in ordered]


def _row(point: Point, reference: Point | None, costs: Costs) -> Row:
    job, described = point.job, statistics.describe(point.regret.to_numpy())
    low, high = described.interval if described.n >= LEAST_FOR_INTERVAL else (np.nan, np.nan)
    shared, against = 0, None
    if reference is not None and reference is not point:
        trials = point.regret.index.intersection(reference.regret.index)
        shared = len(trials)
        if shared >= LEAST_FOR_INTERVAL:
            mine, theirs = point.regret.loc[trials].to_numpy(), reference.regret.loc[trials].to_numpy()
            against = statistics.compare_paired(mine, theirs)
    cost = costs.get((POLICIES.get(job.label, ""), job.variables))
    return Row(
        optimizer=job.label,
        N=job.variables,
        queries=job.budget,
        trials=described.n,
        regret_points=described.mean,
        regret_sd=described.sd,
        regret_low=low,
        regret_high=high,
        minus_remaade_points=against.difference if against else None,
        minus_remaade_low=against.interval.low if against else None,
        minus_remaade_high=against.interval.high if against else None,
        shared_trials=shared,
        context_parameters=cost.context_parameters if cost else None,
        all_parameters=cost.all_parameters if cost else None,
        processor_seconds_per_trial=cost.seconds(job.budget) if cost else None,
        wall_seconds_per_trial=point.wall_seconds,
    )


def to_csv(rows: Sequence[Row]) -> str:
    """The rows as a CSV file; what is None is empty."""
    lines = [",".join(field.name for field in fields(Row))]
    lines += [",".join(map(_cell, astuple(row))) for row in rows]
    return "\n".join(lines) + "\n"


def _cell(value: str | int | float | None) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def curves(rows: Sequence[Row], costs: Costs) -> list[Curve]:
    """One curve for each method that has rows or costs, in the order of the methods."""
    out = []
    for label in order(sorted({row.optimizer for row in rows} | set(POLICIES))):
        found = sorted((n, cost) for (policy, n), cost in costs.items() if policy == POLICIES.get(label))
        mine = [row for row in rows if row.optimizer == label]
        if found or mine:
            out.append(
                Curve(
                    label,
                    mine,
                    [n for n, _ in found],
                    [float(cost.context_parameters) for _, cost in found],
                    [cost.seconds(rows[0].queries) for _, cost in found],
                )
            )
    return out


def exponent(n: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> float:
    """The slope b of log y = a + b log N over the finite y; NaN for fewer than two."""
    x, values = np.asarray(n, dtype=float), np.asarray(y, dtype=float)
    known = np.isfinite(values)
    if known.sum() < 2:
        return float("nan")
    return float(np.polyfit(np.log(x[known]), np.log(values[known]), 1)[0])


def footer(points: Sequence[Point], seed: int) -> str:
    """What the figure says of its numbers."""
    counts = sorted({point.job.trials for point in points})
    trials = (
        f"{counts[0]} trials"
        if len(counts) == 1
        else f"{counts[0]} to {counts[-1]} trials per point (scaling.csv)"
    )
    hollow = f"; hollow: fewer than {LEAST_FOR_INTERVAL} trials" if counts[0] < LEAST_FOR_INTERVAL else ""
    made_by = dict.fromkeys(commit for point in points for commit in point.commits)
    return (
        f"benchmark large, {points[0].job.budget} queries, {trials}, seed {seed}, "
        f"commit {', '.join(made_by)}; bars: 95 % interval of the mean{hollow}"
    )
