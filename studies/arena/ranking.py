"""From regrets to a ranking over tables.

Notation: L methods, K tables, T trials (which may differ by method and table), B budgets. Ranks go by the
mean regret over trials, 1 is best, ties share. All intervals are 95 %.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from analysis.statistics import ALPHA, Interval, brunner_munzel, holm

RESAMPLES = 2000
SPLITS = 1000

Cells = Mapping[str, Mapping[str, np.ndarray]]  # table -> label -> float64[T], regrets at one budget


class Place(NamedTuple):
    """Where a method stands over all tables."""

    label: str
    rank: float
    interval: Interval  # tables and trials drawn anew
    iqm: float  # interquartile mean of the regrets of all trials, each table weighing the same
    iqm_interval: Interval
    better: int  # tables on which it is ahead of random search, resolved after Holm over methods and tables
    worse: int
    worst: float  # its worst rank on a table


def ranks(cells: Cells, labels: Sequence[str]) -> np.ndarray:
    """float64[K, L]."""
    from scipy.stats import rankdata

    means = [[float(table[label].mean()) for label in labels] for table in cells.values()]
    return np.asarray(rankdata(means, axis=1))


def places(cells: Cells, labels: Sequence[str], seed: int = 0) -> list[Place]:
    """Every method's place, best first. The bootstrap draws tables anew, and on each table every method's
    trials."""
    from scipy.stats import rankdata, trim_mean

    rng = np.random.default_rng(seed)
    tables = list(cells)
    observed = ranks(cells, labels)
    drawn_means = np.empty((RESAMPLES, len(tables), len(labels)))
    drawn_iqm = np.empty((RESAMPLES, len(labels)))
    quantiles = np.linspace(0, 1, 101)
    spread = np.empty((len(labels), len(tables), len(quantiles)))
    for k, table in enumerate(tables):
        for j, label in enumerate(labels):
            x = cells[table][label]
            drawn_means[:, k, j] = x[rng.integers(0, len(x), (RESAMPLES, len(x)))].mean(axis=1)
            # as many values from each table, however many trials it has
            spread[j, k] = np.quantile(x, quantiles)
    chosen = rng.integers(0, len(tables), (RESAMPLES, len(tables)))
    drawn_ranks = np.empty((RESAMPLES, len(labels)))
    for r in range(RESAMPLES):
        drawn_ranks[r] = rankdata(drawn_means[r, chosen[r]], axis=1).mean(axis=0)
        drawn_iqm[r] = trim_mean(spread[:, chosen[r]].reshape(len(labels), -1), 0.25, axis=1)
    iqm = trim_mean(spread.reshape(len(labels), -1), 0.25, axis=1)
    signs = against_random(cells, labels)
    out = [
        Place(
            label,
            float(observed[:, j].mean()),
            _interval(drawn_ranks[:, j]),
            float(iqm[j]),
            _interval(drawn_iqm[:, j]),
            int((signs[:, j] > 0).sum()),
            int((signs[:, j] < 0).sum()),
            float(observed[:, j].max()),
        )
        for j, label in enumerate(labels)
    ]
    return sorted(out, key=lambda place: place.rank)


def against_random(cells: Cells, labels: Sequence[str]) -> np.ndarray:
    """int[K, L]: +1 where a method's regrets are lower than random search's, -1 where they are higher, 0
    where no difference is resolved (Brunner-Munzel, Holm over all methods and tables)."""
    signs = np.zeros((len(cells), len(labels)), dtype=np.int64)
    p = np.ones(signs.shape)
    for k, table in enumerate(cells.values()):
        for j, label in enumerate(labels):
            if label != "random":
                x, y = table[label], table["random"]
                p[k, j] = 1.0 if np.ptp(np.concatenate([x, y])) == 0 else brunner_munzel(x, y)
                signs[k, j] = np.sign(y.mean() - x.mean())
    tested = [j for j, label in enumerate(labels) if label != "random"]
    adjusted = np.ones(signs.shape)
    adjusted[:, tested] = holm(p[:, tested].ravel().tolist()).reshape(len(cells), len(tested))
    return np.where(adjusted < ALPHA, signs, 0)


class Omnibus(NamedTuple):
    """Friedman's test over tables, and which pairs Nemenyi's test tells apart."""

    p: float
    pairs: np.ndarray  # float64[L, L], p of each pair
    difference: float  # of mean ranks that is resolved


def omnibus(cells: Cells, labels: Sequence[str]) -> Omnibus:
    """Friedman and Nemenyi (`scipy`, `scikit-posthocs`)."""
    from scikit_posthocs import posthoc_nemenyi_friedman
    from scipy.stats import friedmanchisquare, studentized_range

    means = np.array([[float(table[label].mean()) for label in labels] for table in cells.values()])
    count, tables = len(labels), len(means)
    critical = float(studentized_range.ppf(1 - ALPHA, count, np.inf)) / np.sqrt(2)
    return Omnibus(
        float(friedmanchisquare(*means.T).pvalue),
        np.asarray(posthoc_nemenyi_friedman(means)),
        critical * float(np.sqrt(count * (count + 1) / (6 * tables))),
    )


def halves(cells: Cells, labels: Sequence[str], seed: int = 0) -> dict[int, tuple[float, float]]:
    """Number of tables n -> Kendall's tau of the ranking over n random tables with that over n others: mean
    and standard deviation over `SPLITS` draws."""
    from scipy.stats import kendalltau

    rng = np.random.default_rng(seed)
    table_ranks = ranks(cells, labels)
    out = {}
    for n in sorted({1, 2, 3, 5, 8, len(table_ranks) // 2}):
        if 0 < 2 * n <= len(table_ranks):
            taus = []
            for _ in range(SPLITS):
                order = rng.permutation(len(table_ranks))
                one, other = table_ranks[order[:n]].mean(axis=0), table_ranks[order[n : 2 * n]].mean(axis=0)
                taus.append(float(kendalltau(one, other).statistic))
            out[n] = float(np.mean(taus)), float(np.std(taus))
    return out


def _interval(x: np.ndarray) -> Interval:
    low, high = np.quantile(x, [ALPHA / 2, 1 - ALPHA / 2])
    return Interval(float(low), float(high))
