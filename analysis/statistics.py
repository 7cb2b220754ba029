"""Statistics of trials, from SciPy and statsmodels.

Notation: `x` float[n], `y` float[m] are the final test errors (percent) of the trials of two methods. Lower
is better. A *difference* is x - y, so a negative one favours x.

Trials of two methods are independent. Trial t of both starts from the same seed, but two methods spend their
random numbers differently, and what they find is uncorrelated: `correlation` measures it for each table. So
two methods are compared as independent samples (`compare`). One method under two readings of the protocol
makes the same searches, or shares their beginnings: there trials are paired (`compare_paired`). Over several
draws of a table, the draws are the sample (`compare_over_draws`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

CONFIDENCE = 0.95
ALPHA = 0.05
RESAMPLES = 9999
FEW = 10  # trials below which the Brunner-Munzel test is not to be trusted
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
    """Two samples, x against y.

    `difference` = mean(x) - mean(y) with its interval; `p` two-sided; `shift` the location that goes with the
    test (Hodges-Lehmann), in the units of the difference; `effect` rank-biserial correlation, +1 when x is
    lower throughout; `probability` = P(x < y) + P(x = y) / 2 over all pairs of trials (probability of
    improvement of x over y).
    """

    n: int  # of x
    m: int  # of y
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


def brunner_munzel(x: np.ndarray, y: np.ndarray) -> float:
    """Two-sided p of the Brunner-Munzel test that P(x < y) + P(x = y) / 2 is one half; it lets the spreads
    differ.

    Below `FEW` trials, and where one sample lies below the other throughout, that test has no variance to go
    by; the Mann-Whitney test stands in for it (exact up to 8 trials without ties).
    """
    from scipy import stats

    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if np.ptp(np.concatenate([x, y])) == 0:
        return 1.0
    apart = x.max() < y.min() or y.max() < x.min()
    if min(len(x), len(y)) < FEW or apart:
        return float(stats.mannwhitneyu(x, y, alternative="two-sided").pvalue)
    return float(stats.brunnermunzel(x, y).pvalue)


def compare(x: np.ndarray, y: np.ndarray, confidence: float = CONFIDENCE) -> Comparison:
    """Compare two methods, whose trials are independent: Welch's interval of the difference of means, the
    Brunner-Munzel test, the median of all differences x_i - y_j."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if not len(x) or not len(y):
        raise ValueError("a sample is empty: nothing to compare.")
    probability = probability_of_improvement(x, y)
    return Comparison(
        n=len(x),
        m=len(y),
        difference=float(x.mean() - y.mean()),
        interval=welch_interval(x, y, confidence),
        shift=float(np.median(np.subtract.outer(x, y))),
        p=brunner_munzel(x, y),
        effect=2 * probability - 1,
        probability=probability,
    )


def compare_paired(x: np.ndarray, y: np.ndarray, confidence: float = CONFIDENCE) -> Comparison:
    """Compare two readings of the same searches, paired by trial: BCa bootstrap interval of the mean
    difference, Wilcoxon signed-rank test, the median of the Walsh averages, the matched-pairs rank-biserial
    correlation."""
    difference = _paired(x, y)
    p, effect = wilcoxon(x, y)
    return Comparison(
        n=len(difference),
        m=len(difference),
        difference=float(difference.mean()),
        interval=bootstrap_interval(difference, confidence=confidence),
        shift=hodges_lehmann(difference),
        p=p,
        effect=effect,
        probability=probability_of_improvement(x, y),
    )


def welch_interval(x: np.ndarray, y: np.ndarray, confidence: float = CONFIDENCE) -> Interval:
    """Welch's interval of mean(x) - mean(y); two constant samples have the point interval, a single trial has
    none (NaN)."""
    from scipy import stats

    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if min(len(x), len(y)) < 2:
        return Interval(np.nan, np.nan)
    if np.ptp(x) == 0 == np.ptp(y):
        return Interval(float(x[0] - y[0]), float(x[0] - y[0]))
    low, high = stats.ttest_ind(x, y, equal_var=False).confidence_interval(confidence)
    return Interval(float(low), float(high))


class OverDraws(NamedTuple):
    """Two methods over K draws of a table.

    The model has two levels: the difference of means d_k on draw k varies over draws (variance `between`^2)
    and, within a draw, with the trials. With equally many trials on every draw the d_k are K independent
    values of one distribution, so that Student's t over them is exact for normal d_k, whatever the share of
    either variance; it is what a mixed model with the draw as random effect gives in the balanced case.

    Attributes:
        differences: float[K], d_k = mean(x) - mean(y) on draw k.
        difference: their mean; `interval` of it, `p` two-sided (H0: 0).
        next: 95 % interval for the difference on one more draw (trials as many): what the real table may be.
        between: SD of the difference over draws, less what the trials explain; 0 if they explain it all.
        agree: share of draws with a negative difference (x better).
    """

    differences: np.ndarray
    difference: float
    interval: Interval
    next: Interval
    p: float
    between: float
    agree: float

    def equivalence(self, margin: float = MARGIN) -> tuple[float, float]:
        """As `equivalence`, by t tests over the draws."""
        from scipy import stats

        d, value = self.differences, self.difference
        if np.ptp(d) == 0:
            return (0.0 if value > -margin else 1.0), (0.0 if abs(value) < margin else 1.0)
        above = float(stats.ttest_1samp(d, -margin, alternative="greater").pvalue)
        below = float(stats.ttest_1samp(d, margin, alternative="less").pvalue)
        return above, max(above, below)


def compare_over_draws(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]], confidence: float = CONFIDENCE
) -> OverDraws:
    """Compare two methods over draws of a table.

    Args:
        pairs: for each draw the samples x and y, at least two draws.
        confidence: of the interval of their mean.
    """
    from scipy import stats

    if len(pairs) < 2:
        raise ValueError(f"{len(pairs)} draw(s) of the table; at least 2 tell how much draws differ.")
    d = np.array([np.mean(x) - np.mean(y) for x, y in pairs])
    within = np.mean(
        [np.var(x, ddof=1) / len(x) + np.var(y, ddof=1) / len(y) for x, y in pairs if min(len(x), len(y)) > 1]
        or [np.nan]
    )
    mean, sd, k = float(d.mean()), float(d.std(ddof=1)), len(d)
    t = float(stats.t.ppf((1 + confidence) / 2, k - 1))
    half = t * sd / np.sqrt(k)
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, k - 1)) * sd * np.sqrt(1 + 1 / k)
    p = float(stats.ttest_1samp(d, 0).pvalue) if sd > 0 else float(mean == 0)
    return OverDraws(
        differences=d,
        difference=mean,
        interval=Interval(mean - half, mean + half),
        next=Interval(mean - reach, mean + reach),
        p=p,
        between=float(np.sqrt(max(0.0, sd**2 - within))),
        agree=float(np.mean(d < 0)),
    )


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's correlation of samples with equal trials in equal places; NaN if one is constant or has fewer
    than three."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def equivalence(x: np.ndarray, y: np.ndarray, margin: float = MARGIN) -> tuple[float, float]:
    """Two one-sided Welch t tests (TOST, `statsmodels.stats.weightstats.ttost_ind`) against +-`margin`.

    Returns: (p of 'x is not better than y by as much as the margin', p of equivalence). The first tests
        mean(x) - mean(y) > -margin; the second is the larger of both one-sided p values.
    """
    from statsmodels.stats.weightstats import ttost_ind

    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if np.ptp(x) == 0 == np.ptp(y):
        value = x[0] - y[0]
        return (0.0 if value > -margin else 1.0), (0.0 if abs(value) < margin else 1.0)
    p, lower, _ = ttost_ind(x, y, -margin, margin, usevar="unequal")
    return float(lower[1]), float(p)


def holm(p: Sequence[float]) -> np.ndarray:
    """Holm's step-down adjustment of a family of p values (`statsmodels.stats.multitest.multipletests`)."""
    from statsmodels.stats.multitest import multipletests

    family = np.asarray(p, dtype=float)
    if not len(family):
        return family
    return np.asarray(multipletests(family, alpha=ALPHA, method="holm")[1], dtype=float)


def win_rate_matrix(columns: dict[str, np.ndarray]) -> np.ndarray:
    """float[k, k]: the probability that a trial of the row's method has a lower error than one of the
    column's, over all pairs of trials, ties half; the diagonal is NaN."""
    names = list(columns)
    out = np.full((len(names), len(names)), np.nan)
    for i, a in enumerate(names):
        for j, b in enumerate(names):
            if i != j:
                out[i, j] = probability_of_improvement(columns[a], columns[b])
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
