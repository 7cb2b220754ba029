"""Which reading of the paper's section 8 comes nearest to its tables? `python -m analysis readings`.

A *reading* is one way to take section 8: what a query reads, which test error is reported, what a repeated
cell costs, who rejects invalid strings, and which strings are valid. Some readings come from the same
searches and differ in what is reported alone.

Notation: for a reading and a budget, m_i is the mean test error (percent) of the paper's row i over trials
and p_i the printed one. tau is Kendall's between m and p, over all rows; the *gap* is the root mean square of
m_i - p_i over the rows whose printed level is not doubtful (`published.Value.doubt`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import NamedTuple

import numpy as np

from analysis import captions, published
from analysis.result import Missing, Result
from analysis.row import bounds
from analysis.selection import Study
from analysis.statistics import CONFIDENCE, Interval
from analysis.table import Column, Table, number
from nas_bench_suite import experiments
from nas_bench_suite.checks import ConfigError
from nas_bench_suite.experiments import Job

SAME, MEAN = "incumbent_test", "incumbent_test_mean"
EXPERIMENTS = {150: "readings", 3200: "readings3200"}  # what makes the results, by budget
ROWS = {150: published.TABLE3, 3200: published.TABLE5}
RESAMPLES = 2000
SEED = 0  # of the bootstrap

# What a query reads and what is reported -> the rule `run`, and the ledger's column.
RUNS = {
    "same run": ("single_same", SAME),
    "mean of runs": ("single_same", MEAN),
    "independent run": ("single_independent", SAME),
    "all runs": ("mean", SAME),
}
REPEATS = {"charged": "charge", "free": "free"}
INVALID = {"rejected": "free", "charged": "charge"}
_DOUBTFUL = "; ".join(
    f"{budget:,} queries: without {' and '.join(row.name for row in rows if row.value and row.value.doubt)}"
    for budget, rows in ROWS.items()
)
RULE = (
    "Test error: 'same run': a query reads one training run, and the incumbent's test error is that of the "
    "same run; 'mean of runs': the same searches, the incumbent's test error averaged over its runs; "
    "'independent run': of another run; 'all runs': validation and test are means over runs. Repeats: what a "
    "cell that was seen before costs. Invalid strings: rejected at no cost, or charged as a query. Edges: "
    "whether the limit of nine holds after pruning or before. τ: Kendall's, of our order and the paper's, "
    "over its eight rows, with a 95 % percentile interval (bootstrap over trials; the paper's order is taken "
    "as printed). Gap: root mean square of ours minus the paper's mean, in points, over the rows whose "
    f"printed level is not in doubt ({_DOUBTFUL}). The first row is the default protocol, the others follow "
    "by gap at 150 queries."
)


@dataclass(frozen=True)
class Reading:
    """How section 8 is taken.

    Attributes:
        name: as tables show it.
        column: the ledger's accuracy that is reported.
        changes: what the searches differ in from the default, as on the command line.
    """

    name: str
    column: str
    changes: Job = field(default_factory=dict)


class Combination(NamedTuple):
    """A reading by one word for each of its parts."""

    test: str  # a key of RUNS
    repeats: str  # of REPEATS
    invalid: str  # of INVALID
    edges: str  # the benchmark's `edge_limit`

    @property
    def reading(self) -> Reading:
        run, column = RUNS[self.test]
        return Reading(
            f"{self.test}, repeats {self.repeats}, invalid {self.invalid}, edges {self.edges}",
            column,
            {
                "protocol.run": run,
                "protocol.repeats": REPEATS[self.repeats],
                "protocol.invalid": INVALID[self.invalid],
                "benchmark.edge_limit": self.edges,
            },
        )


COMBINATIONS = [Combination(*words) for words in product(RUNS, REPEATS, INVALID, ("pruned", "raw"))]
DEFAULT = COMBINATIONS[0]


@dataclass(frozen=True)
class Fit:
    """How near a reading comes to the paper at one budget: tau with its interval, gap in points, and the gap
    over all rows; `beats` is the share of resamples in which its tau is above the default reading's."""

    tau: float
    interval: Interval
    gap: float
    gap_all: float
    beats: float
    trials: int
    means: Mapping[str, float]


@dataclass(frozen=True)
class ReadingRow:
    """A reading and its fits by budget; absent ones are missing."""

    of: Combination
    fits: Mapping[int, Fit]

    @property
    def status(self) -> str:
        return "ok" if len(self.fits) == len(EXPERIMENTS) else "partly" if self.fits else "missing"

    def record(self) -> dict[str, object]:
        out: dict[str, object] = dict(self.of._asdict())
        for budget, rows in ROWS.items():
            fit = self.fits.get(budget)
            out |= {
                f"trials, {budget}": fit and fit.trials,
                f"tau, {budget}": fit and fit.tau,
                f"tau_low, {budget}": fit and fit.interval.low,
                f"tau_high, {budget}": fit and fit.interval.high,
                f"tau_above_default, {budget}": fit and fit.beats,
                f"gap, {budget}": fit and fit.gap,
                f"gap_all_rows, {budget}": fit and fit.gap_all,
                **{f"{row.name}, {budget}": fit and fit.means[row.name] for row in rows},
            }
        return out


def build(study: Study, trials: int | None = None) -> Table[ReadingRow]:
    """The table of readings.

    Raises:
        ConfigError: if no reading has all of the paper's rows at a budget.
    """
    table = build_if_any(study, trials)
    if table is None:
        raise ConfigError(
            f"no reading has results of every row of table 3 or 5 on {study.benchmark}; to make some: python "
            f"run.py -m +experiment={EXPERIMENTS[150]}."
        )
    return table


def build_if_any(study: Study, trials: int | None = None) -> Table[ReadingRow] | None:
    """The table of readings, or None if no reading has all of the paper's rows at a budget.

    Args:
        study: results, benchmark and seed.
        trials: of each row; as many as the experiments have (the study, if those are fewer), if left out.
    """
    used: dict[str, Result] = {}
    fits: dict[Combination, dict[int, Fit]] = {}
    for budget in EXPERIMENTS:
        standard = int(experiments.jobs(EXPERIMENTS[budget])[0]["trials"])
        of_budget = replace(study, trials=trials or min(standard, study.trials))
        default: np.ndarray | None = None
        for combination in COMBINATIONS:
            samples = _samples(of_budget, budget, combination.reading, used)
            if samples is None:
                continue
            taus = _resampled(budget, samples)
            default = taus if combination == DEFAULT else default
            fits.setdefault(combination, {})[budget] = _fit(budget, samples, taus, default)
    if not fits:
        return None

    def place(combination: Combination) -> tuple[bool, float]:
        fit = fits[combination].get(150)
        return combination != DEFAULT, fit.gap if fit else np.inf

    rows = [ReadingRow(combination, fits[combination]) for combination in sorted(fits, key=place)]
    results = list(used.values())
    counts = sorted({fit.trials for row in rows for fit in row.fits.values()}, reverse=True)
    return Table(
        name="readings",
        title="Readings of section 8 against tables 3 and 5.",
        caption=" ".join(
            (
                captions.benchmark_words(study.benchmark, results),
                f"{' or '.join(map(str, counts))} trials of each row, seed {study.seed}.",
                captions.code_words(results),
            )
        ),
        columns=COLUMNS,
        rows=rows,
        notes=[*_nearest(rows), RULE],
    )


def _samples(
    study: Study, budget: int, reading: Reading, used: dict[str, Result]
) -> dict[str, np.ndarray] | None:
    """Row name -> test errors in percent; None where a row has no result. `used` collects the results."""
    found = {row.name: study.find({**row.job(budget), **reading.changes}) for row in ROWS[budget]}
    out = {}
    for name, result in found.items():
        if isinstance(result, Missing):
            return None
        out[name] = result.column(reading.column, percent=True).dropna().to_numpy(dtype=float)
        if not len(out[name]):
            return None
    used.update({str(result.run.folder): result for result in found.values() if isinstance(result, Result)})
    return out


def _resampled(budget: int, samples: Mapping[str, np.ndarray]) -> np.ndarray:
    """float64[RESAMPLES]: tau over bootstrap resamples of every row's trials."""
    rng = np.random.default_rng(SEED)
    means = np.stack(
        [
            errors[rng.integers(len(errors), size=(RESAMPLES, len(errors)))].mean(axis=1)
            for errors in samples.values()
        ],
        axis=1,
    )
    return _tau(means, _printed(budget))


def _tau(means: np.ndarray, printed: np.ndarray) -> np.ndarray:
    """Kendall's tau (a) of each row of means[R, I] with printed[I]; the printed means of a table all differ,
    and so do means over trials but for a chance of nothing."""
    upper = np.triu_indices(len(printed), 1)
    ours = np.sign(means[:, upper[0]] - means[:, upper[1]])
    theirs = np.sign(printed[upper[0]] - printed[upper[1]])
    taus: np.ndarray = (ours * theirs).mean(axis=1)
    return taus


def _printed(budget: int) -> np.ndarray:
    return np.array([row.value.mean if row.value else np.nan for row in ROWS[budget]])


def _fit(budget: int, samples: Mapping[str, np.ndarray], taus: np.ndarray, default: np.ndarray | None) -> Fit:
    means = np.array([errors.mean() for errors in samples.values()])
    printed = _printed(budget)
    undoubted = np.array([row.value is not None and row.value.doubt is None for row in ROWS[budget]])
    gaps = (means - printed) ** 2
    tail = 50 * (1 - CONFIDENCE)
    return Fit(
        tau=float(_tau(means[None], printed)[0]),
        interval=Interval(*(float(q) for q in np.percentile(taus, [tail, 100 - tail]))),
        gap=float(np.sqrt(gaps[undoubted].mean())),
        gap_all=float(np.sqrt(gaps.mean())),
        beats=float("nan") if default is None else float((taus > default).mean()),
        trials=min(map(len, samples.values())),
        means={name: float(mean) for name, mean in zip(samples, means)},
    )


def _nearest(rows: Sequence[ReadingRow]) -> list[str]:
    """What comes nearest at each budget, beside the default."""
    notes = []
    for budget in EXPERIMENTS:
        present = [(row, row.fits[budget]) for row in rows if budget in row.fits]
        if len(present) < 2:
            continue
        closest = min(present, key=lambda pair: pair[1].gap)
        orderly = max(present, key=lambda pair: pair[1].tau)
        words = [
            f"{what}: {row.of.reading.name} (τ {number(fit.tau)} {bounds(fit.interval)}, gap {fit.gap:.2f})"
            for what, (row, fit) in (("nearest levels", closest), ("nearest order", orderly))
        ]
        first = present[0]
        default = (
            f"; the default has τ {number(first[1].tau)} {bounds(first[1].interval)}, gap {first[1].gap:.2f}"
            if first[0].of == DEFAULT
            else ""
        )
        notes.append(f"{budget:,} queries, {len(present)} readings: {'; '.join(words)}{default}.")
    return notes


def _shown(budget: int) -> list[Column[ReadingRow]]:
    def tau(row: ReadingRow) -> str:
        fit = row.fits.get(budget)
        return "—" if fit is None else f"{number(fit.tau)} {bounds(fit.interval)}"

    def gap(row: ReadingRow) -> str:
        fit = row.fits.get(budget)
        return "—" if fit is None else f"{fit.gap:.2f}"

    return [Column(f"τ, {budget:,}", tau), Column(f"Gap, {budget:,}", gap)]


COLUMNS: tuple[Column[ReadingRow], ...] = (
    Column("Test error", lambda row: row.of.test, "l"),
    Column("Repeats, invalid, edges", lambda row: ", ".join(row.of[1:]), "l"),
    *(column for budget in EXPERIMENTS for column in _shown(budget)),
)
