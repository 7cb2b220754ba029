"""Statistics of trials, from SciPy and statsmodels.

Notation: `x`, `y` float[n] are the final test errors (percent) of the trials of two methods, paired by trial
index: trial t of both starts from the same seed. Lower is better. A *difference* is x - y, so a negative one
favours x.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

CONFIDENCE = 0.95
ALPHA = 0.05
RESAMPLES = 9999
MARGIN = 0.03  # percentage points; see `verdicts.RULE`


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


class Description(NamedTuple):
    """One sample: `sd` is over trials (ddof 1); `interval` is of the mean (BCa bootstrap, 95 %), not of the
    trials. `Description()` is that of no trials at all."""

    n: int = 0
    mean: float = float("nan")
    sd: float = float("nan")
    median: float = float("nan")
    iqm: float = float("nan")
    interval: Interval = Interval(float("nan"), float("nan"))

    def values(self) -> dict[str, float]:
        """Every statistic by the name that tables and frames give it: `trials, mean, ..., low, high`."""
        between = {
            name: float(value) for name, value in self._asdict().items() if name not in ("n", "interval")
        }
        return {"trials": self.n, **between, "low": self.interval.low, "high": self.interval.high}


class Comparison(NamedTuple):
    """Two paired samples.

    `difference` = mean(x - y) with its bootstrap interval; `p` two-sided Wilcoxon signed-rank; `shift` the
    median of the Walsh averages (Hodges-Lehmann), the quantity that test is about; `effect` matched-pairs
    rank-biserial correlation, +1 when x is lower in every pair; `probability` = P(x < y) + P(x = y) / 2 over
    all pairs of trials (probability of improvement of x over y).
    """

    n: int
    difference: float
    interval: Interval
    shift: float
    p: float
    effect: float
    probability: float


def interquartile_mean(x: Sequence[float] | np.ndarray) -> float:
    """Mean of the middle half: `scipy.stats.trim_mean` at 25 % (Agarwal et al., 2021)."""
    from scipy import stats

    return float(stats.trim_mean(np.asarray(x, dtype=float), 0.25))


def bootstrap_interval(
    x: Sequence[float] | np.ndarray,
    statistic: Callable[..., np.ndarray] = np.mean,
    method: str = "BCa",
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> Interval:
    """Bootstrap interval of a statistic of one sample (`scipy.stats.bootstrap`, 9,999 resamples, fixed seed).

    A constant sample has the point interval at its value; fewer than two values have none (NaN). `method`:
    "BCa", "percentile" or "basic".
    """
    from scipy import stats

    x = np.asarray(x, dtype=float)
    if len(x) < 2:
        return Interval(np.nan, np.nan)
    if np.ptp(x) == 0:
        value = float(statistic(x))
        return Interval(value, value)
    result = stats.bootstrap(
        (x,),
        statistic,
        n_resamples=RESAMPLES,
        confidence_level=confidence,
        method=method,
        rng=np.random.default_rng(seed),
        batch=500,
    )
    return Interval(float(result.confidence_interval.low), float(result.confidence_interval.high))


def describe(x: Sequence[float] | np.ndarray) -> Description:
    """Describe one sample; NaNs are refused, since a silent drop would change which trials are meant."""
    x = np.asarray(x, dtype=float)
    if np.isnan(x).any():
        raise ValueError(
            f"{int(np.isnan(x).sum())} of {len(x)} trials have no value; leave them out by name first."
        )
    if not len(x):
        return Description()
    return Description(
        n=len(x),
        mean=float(x.mean()),
        sd=float(np.std(x, ddof=1)) if len(x) > 1 else float("nan"),
        median=float(np.median(x)),
        iqm=interquartile_mean(x),
        interval=bootstrap_interval(x),
    )


def wilcoxon(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Two-sided Wilcoxon signed-rank test of paired samples and its matched-pairs rank-biserial correlation.

    Pairs with zero difference are dropped (`zero_method="wilcox"`). Returns (p, effect); effect = (R- - R+) /
    (R- + R+) over ranks of |x - y|, positive when x tends to be lower. All pairs equal: (1, 0).
    """
    from scipy import stats

    difference = _paired(x, y)
    difference = difference[difference != 0]
    if not len(difference):
        return 1.0, 0.0
    ranks = stats.rankdata(np.abs(difference))
    below, above = ranks[difference < 0].sum(), ranks[difference > 0].sum()
    p = float(stats.wilcoxon(difference, zero_method="wilcox", alternative="two-sided").pvalue)
    return p, float((below - above) / (below + above))


def hodges_lehmann(difference: np.ndarray) -> float:
    """Median of the Walsh averages (d_i + d_j) / 2, i <= j: the location that the signed-rank test is
    about."""
    d = np.asarray(difference, dtype=float)
    i, j = np.triu_indices(len(d))
    return float(np.median((d[i] + d[j]) / 2))


def probability_of_improvement(x: np.ndarray, y: np.ndarray) -> float:
    """P(x < y) + P(x = y) / 2 over all pairs of trials: the Mann-Whitney statistic over n m (Agarwal et al.,
    2021)."""
    from scipy import stats

    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    ranks = stats.rankdata(np.concatenate([y, x]))
    u = ranks[: len(y)].sum() - len(y) * (len(y) + 1) / 2  # pairs in which y is above x, ties half
    return float(u / (len(x) * len(y)))


def compare(x: np.ndarray, y: np.ndarray) -> Comparison:
    """Compare two methods over shared trials."""
    difference = _paired(x, y)
    p, effect = wilcoxon(x, y)
    return Comparison(
        n=len(difference),
        difference=float(difference.mean()),
        interval=bootstrap_interval(difference),
        shift=hodges_lehmann(difference),
        p=p,
        effect=effect,
        probability=probability_of_improvement(x, y),
    )


def equivalence(x: np.ndarray, y: np.ndarray, margin: float = MARGIN) -> tuple[float, float]:
    """Two one-sided paired t tests (TOST, `statsmodels.stats.weightstats.ttost_paired`) against +-`margin`.

    Returns: (p of 'x is not better than y by as much as the margin', p of equivalence). The first tests
        mean(x - y) > -margin; the second is the larger of both one-sided p values.
    """
    from statsmodels.stats.weightstats import ttost_paired

    difference = _paired(x, y)
    if np.ptp(difference) == 0:
        value = difference[0]
        return (0.0 if value > -margin else 1.0), (0.0 if abs(value) < margin else 1.0)
    p, lower, _ = ttost_paired(np.asarray(x, dtype=float), np.asarray(y, dtype=float), -margin, margin)
    return float(lower[1]), float(p)


def holm(p: Sequence[float]) -> np.ndarray:
    """Holm's step-down adjustment of a family of p values (`statsmodels.stats.multitest.multipletests`)."""
    from statsmodels.stats.multitest import multipletests

    family = np.asarray(p, dtype=float)
    if not len(family):
        return family
    return np.asarray(multipletests(family, alpha=ALPHA, method="holm")[1], dtype=float)


def win_rate_matrix(columns: dict[str, np.ndarray]) -> np.ndarray:
    """float[k, k]: over shared trials, the share in which the row's method has the lower error, ties half;
    the diagonal is NaN."""
    names = list(columns)
    out = np.full((len(names), len(names)), np.nan)
    for i, a in enumerate(names):
        for j, b in enumerate(names):
            if i != j:
                difference = _paired(columns[a], columns[b])
                out[i, j] = np.mean(difference < 0) + np.mean(difference == 0) / 2
    return out


def growth_exponents(n: np.ndarray, d: np.ndarray, count: np.ndarray) -> tuple[float, float]:
    """Least-squares exponents (a, b) of count = c n^a d^b, in logarithms (table 2)."""
    design = np.column_stack([np.ones(len(n)), np.log(n), np.log(d)])
    _, a, b = np.linalg.lstsq(design, np.log(count), rcond=None)[0].tolist()
    return a, b


def _paired(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x.shape != y.shape:
        raise ValueError(
            f"paired samples have {len(x)} and {len(y)} trials; align them on shared trials first."
        )
    if not len(x):
        raise ValueError("paired samples are empty: the two methods share no trial.")
    difference: np.ndarray = x - y
    return difference
