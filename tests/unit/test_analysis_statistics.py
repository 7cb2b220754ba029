"""Statistics against hand-computed and library examples, and the verdict rules."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis import published, statistics, verdicts
from analysis.published import Claim, Value


def test_wilcoxon_of_a_textbook_example() -> None:
    # Differences 1 .. 8 with signs: W- = 1 + 3 = 4 of 36. Exactly 7 subsets of {1..8} sum to at most 4, so p
    # = 2 * 7 / 2^8.
    difference = np.array([-1.0, 2.0, -3.0, 4.0, 5.0, 6.0, 7.0, 8.0])
    p, effect = statistics.wilcoxon(difference, np.zeros(8))
    assert p == pytest.approx(2 * 7 / 256)
    assert effect == pytest.approx((4 - 32) / 36)  # negative: the first tends to be higher


def test_wilcoxon_of_darwins_maize() -> None:
    # Heights of 15 pairs of cross- and self-fertilized plants (Darwin 1876; the example of SciPy's
    # documentation): W = 24 of 120, exact p.
    difference = np.array([6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75], dtype=float)
    p, effect = statistics.wilcoxon(difference, np.zeros(15))
    assert p == pytest.approx(0.041259765625)
    assert effect == pytest.approx((24 - 96) / 120)


def test_equal_samples_differ_in_nothing() -> None:
    x = np.array([1.0, 2.0, 3.0])
    assert statistics.wilcoxon(x, x) == (1.0, 0.0)
    assert statistics.probability_of_improvement(x, x) == 0.5


def test_holm_by_hand() -> None:
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert len(statistics.holm([])) == 0


def test_interquartile_mean_and_hodges_lehmann_by_hand() -> None:
    assert statistics.interquartile_mean([1, 2, 3, 4, 5, 6, 7, 100]) == pytest.approx(4.5)
    assert statistics.hodges_lehmann(np.array([1.0, 2.0, 6.0])) == pytest.approx(
        np.median([1, 1.5, 3.5, 2, 4, 6])
    )


def test_probability_of_improvement_by_counting() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 6, 30).astype(float), rng.integers(0, 6, 40).astype(float)
    counted = np.mean((x[:, None] < y[None]) + 0.5 * (x[:, None] == y[None]))
    assert statistics.probability_of_improvement(x, y) == pytest.approx(counted)


def test_probability_of_improvement_of_a_library_example() -> None:
    # SciPy's example of Mann and Whitney's test: U = 17 of 20 pairs in which the first is above.
    first, second = np.array([19.0, 22, 16, 29, 24]), np.array([20.0, 11, 17, 12])
    assert statistics.probability_of_improvement(second, first) == pytest.approx(17 / 20)
    assert statistics.probability_of_improvement(first, second) == pytest.approx(3 / 20)


def test_bootstrap_intervals_against_all_resamples() -> None:
    """Both intervals of a skewed sample of 6 from the means of all 6^6 resamples; BCa by its formulas (Efron
    1987)."""
    from scipy.stats import norm

    x = np.array([0.1, 0.4, 0.5, 1.1, 2.3, 6.0])
    means = np.array(np.meshgrid(*[x] * 6)).reshape(6, -1).mean(axis=0)
    assert statistics.bootstrap_interval(x, method="percentile") == pytest.approx(
        np.quantile(means, [0.025, 0.975]), abs=0.06
    )
    below = (np.mean(means < x.mean()) + np.mean(means <= x.mean())) / 2
    jackknife = np.array([np.delete(x, i).mean() for i in range(6)])
    d = jackknife.mean() - jackknife
    acceleration = (d**3).sum() / (6 * (d**2).sum() ** 1.5)
    z = norm.ppf(below) + norm.ppf([0.025, 0.975])
    levels = norm.cdf(norm.ppf(below) + z / (1 - acceleration * z))
    # far from the percentiles, so that the two methods are told apart
    assert levels[0] > 0.04 and levels[1] > 0.985
    assert statistics.bootstrap_interval(x) == pytest.approx(np.quantile(means, levels), abs=0.06)


def test_bootstrap_interval_of_normal_data_is_near_the_t_interval() -> None:
    x = np.random.default_rng(2).normal(6, 0.25, 400)
    for method in ("BCa", "percentile"):
        low, high = statistics.bootstrap_interval(x, method=method)
        half = 1.966 * x.std(ddof=1) / 20
        assert low == pytest.approx(x.mean() - half, abs=0.002)
        assert high == pytest.approx(x.mean() + half, abs=0.002)
    assert statistics.bootstrap_interval(np.full(5, 3.0)) == (3.0, 3.0)


def test_equivalence_is_two_one_sided_welch_tests() -> None:
    from scipy import stats

    rng = np.random.default_rng(3)
    x, y = rng.normal(0, 0.1, 60), rng.normal(0.005, 0.2, 40)
    lower = stats.ttest_ind(x + 0.03, y, equal_var=False, alternative="greater").pvalue
    upper = stats.ttest_ind(x - 0.03, y, equal_var=False, alternative="less").pvalue
    assert statistics.equivalence(x, y, 0.03) == pytest.approx((lower, max(lower, upper)))


def test_equivalence_by_hand() -> None:
    # Two samples of 4 with SD 0.01 sqrt(2) and means 0.01 apart: standard error 0.01, t = (0.01 + 0.03)
    # / 0.01 = 4 and (0.01 - 0.03) / 0.01 = -2, 6 df as the variances are equal.
    from scipy.special import stdtr

    spread = 0.01 * np.sqrt(2) * np.sqrt(3 / 4) * np.array([1.0, 1.0, -1.0, -1.0])
    not_better, equivalent = statistics.equivalence(0.01 + spread, spread, 0.03)
    assert not_better == pytest.approx(stdtr(6, -4)) and equivalent == pytest.approx(stdtr(6, -2))


def test_welch_by_hand() -> None:
    # Variances 1 and 4 of 4 and 16 trials: standard error sqrt(1/4 + 4/16) = sqrt(1/2); by Welch and
    # Satterthwaite 1/4 / (1/16/3 + 1/16/15) = 10 df.
    from scipy.special import stdtrit

    x = np.sqrt(3 / 4) * np.array([1.0, 1, -1, -1])
    y = 1 + 2 * np.sqrt(15 / 16) * np.repeat([1.0, -1.0], 8)
    half = stdtrit(10, 0.975) * np.sqrt(1 / 2)
    assert statistics.welch_interval(x, y) == pytest.approx((-1 - half, -1 + half))
    wider = statistics.compare(x, y, 0.99).interval
    assert wider.low == pytest.approx(-1 - stdtrit(10, 0.995) * np.sqrt(1 / 2))
    assert statistics.welch_interval(np.full(3, 2.0), np.full(4, 5.0)) == (-3, -3)


def test_brunner_munzel_of_the_papers_example() -> None:
    # Pain scores of Brunner and Munzel (2000), as in SciPy's documentation: p = 0.0057862.
    x = np.array([1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 1, 1], dtype=float)
    y = np.array([3, 3, 4, 3, 1, 2, 3, 1, 1, 5, 4], dtype=float)
    assert statistics.brunner_munzel(x, y) == pytest.approx(0.005786208666)
    comparison = statistics.compare(x, y)
    assert comparison.probability == pytest.approx(0.788961, abs=1e-6)  # the paper's estimate
    assert comparison.effect == pytest.approx(2 * comparison.probability - 1)
    assert comparison.shift == np.median([a - b for a in x for b in y])


def test_where_brunner_munzel_has_no_variance_mann_and_whitneys_stands_in() -> None:
    # Of the 20 ways to place 3 of 6 ranks, 2 are as extreme as full separation.
    assert statistics.brunner_munzel(np.array([1.0, 2, 3]), np.array([4.0, 5, 6])) == pytest.approx(2 / 20)
    assert statistics.brunner_munzel(np.arange(20.0), np.arange(30.0, 50.0)) < 1e-6
    assert statistics.brunner_munzel(np.ones(12), np.ones(12)) == 1.0


def test_independent_tests_keep_their_level_where_spreads_differ() -> None:
    rng = np.random.default_rng(5)
    p = [statistics.brunner_munzel(rng.normal(0, 1, 20), rng.normal(0, 3, 40)) for _ in range(400)]
    assert 0.025 < np.mean(np.array(p) < 0.05) < 0.08  # 0.05 +- 2.8 standard errors


def test_paired_and_independent_tests_differ_where_trials_are_shared() -> None:
    rng = np.random.default_rng(6)
    x = rng.normal(0, 1, 50)
    y = x + 0.1 + rng.normal(0, 0.05, 50)
    assert statistics.compare_paired(x, y).p < 1e-6 and statistics.compare(x, y).p > 0.1
    assert statistics.correlation(x, y) > 0.99
    assert np.isnan(statistics.correlation(np.ones(5), np.arange(5.0)))


def test_over_draws_is_a_t_test_of_the_draws_differences() -> None:
    from scipy import stats

    rng = np.random.default_rng(7)
    pairs = [(rng.normal(k / 50, 1, 30), rng.normal(0.3, 1, 30)) for k in range(6)]
    differences = [x.mean() - y.mean() for x, y in pairs]
    over = statistics.compare_over_draws(pairs)
    expected = stats.ttest_1samp(differences, 0)
    assert over.p == pytest.approx(expected.pvalue)
    assert over.interval == pytest.approx(tuple(expected.confidence_interval()))
    assert over.agree == np.mean(np.array(differences) < 0)
    width = (over.next.high - over.next.low) / (over.interval.high - over.interval.low)
    assert width == pytest.approx(np.sqrt(7))  # sqrt(1 + 1/K) over sqrt(1/K)
    assert over.equivalence(0.1)[0] == pytest.approx(
        stats.ttest_1samp(differences, -0.1, alternative="greater").pvalue
    )
    with pytest.raises(ValueError, match="at least 2"):
        statistics.compare_over_draws(pairs[:1])


def test_the_interval_over_draws_covers_the_truth() -> None:
    """Draws differ by SD 0.05, trials by 0.25, 40 trials on each of 12 draws: 95 % of the intervals hold the
    true difference, and 95 % of those for one more draw hold that one. Intervals that pool the trials do
    not."""
    rng, truth, covered, next_covered, pooled = np.random.default_rng(8), -0.04, [], [], []
    for _ in range(600):
        effects = truth + rng.normal(0, 0.05, 13)
        pairs = [(rng.normal(e, 0.25, 40), rng.normal(0, 0.25, 40)) for e in effects]
        over = statistics.compare_over_draws(pairs[:12])
        covered.append(over.interval.low <= truth <= over.interval.high)
        new = pairs[12][0].mean() - pairs[12][1].mean()
        next_covered.append(over.next.low <= new <= over.next.high)
        ours, theirs = (np.concatenate(samples) for samples in zip(*pairs[:12]))
        low, high = statistics.welch_interval(ours, theirs)
        pooled.append(low <= truth <= high)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.027)  # 3 standard errors
    assert np.mean(next_covered) == pytest.approx(0.95, abs=0.027)
    assert np.mean(pooled) < 0.9


@pytest.mark.filterwarnings("ignore:The MLE may be on the boundary")
def test_a_balanced_mixed_model_says_the_same() -> None:
    """The draw as random effect, fitted by REML with statsmodels: the same estimate and standard error."""
    import statsmodels.api as sm

    rng, draws, trials = np.random.default_rng(9), 8, 25
    differences = [rng.normal(-0.1 + rng.normal(0, 0.1), 0.2, trials) for _ in range(draws)]
    over = statistics.compare_over_draws([(d, np.zeros(trials)) for d in differences])
    groups = np.repeat(np.arange(draws), trials)
    fit = sm.MixedLM(np.concatenate(differences), np.ones((draws * trials, 1)), groups).fit(reml=True)
    half = (over.interval.high - over.interval.low) / 2 / 2.364624  # t of 7 df
    assert fit.params[0] == pytest.approx(over.difference, abs=1e-6)
    assert fit.bse[0] == pytest.approx(half, rel=1e-3)
    assert over.between == pytest.approx(float(np.sqrt(np.asarray(fit.cov_re).item())), rel=0.02)


def test_win_rates_by_counting() -> None:
    matrix = statistics.win_rate_matrix({"a": np.array([1.0, 3.0]), "b": np.array([2.0, 3.0, 4.0])})
    assert matrix[0, 1] == (3 + 1.5) / 6 and matrix[1, 0] == 1.5 / 6 and np.isnan(matrix[0, 0])


def test_exponents_of_a_power_law() -> None:
    n, d = np.array([2.0, 4, 8, 2, 4, 8]), np.array([3.0, 3, 3, 6, 6, 6])
    assert statistics.growth_exponents(n, d, 7 * n**2 * d) == pytest.approx((2, 1))


def test_unpaired_or_missing_values_are_refused() -> None:
    with pytest.raises(ValueError, match="2 and 3 trials"):
        statistics.compare_paired(np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match="a sample is empty"):
        statistics.compare(np.zeros(0), np.zeros(3))
    with pytest.raises(ValueError, match="1 of 2 trials have no value"):
        statistics.describe([1.0, np.nan])


def _samples(**shifts: float) -> dict[str, pd.Series]:
    rng = np.random.default_rng(4)
    return {name: pd.Series(6 + shift + rng.normal(0, 0.1, 200)) for name, shift in shifts.items()}


def test_verdicts_follow_their_rules() -> None:
    samples = _samples(good=-0.1, bad=0.1, same=0.1)
    kinds = [("good", "better", "bad"), ("bad", "better", "good"), ("same", "better", "bad"), ("good", "no better", "bad"), ("good", "better", "gone"),  # noqa: E501
             ("bad", "no better", "good"), ("bad", "compare", "good")]  # fmt: skip
    judged = verdicts.judge([Claim(a, kind, b, "") for a, kind, b in kinds], samples)
    assert [verdict.word for verdict in judged] == [
        "holds",
        "fails",
        "not resolved",
        "fails",
        "no data",
        "holds",
        "worse",
    ]
    assert "gone" in judged[4].detail


def test_no_better_enters_the_family_with_both_its_tests() -> None:
    samples = _samples(a=0.0, b=0.0)
    x, y = samples["a"].to_numpy(), samples["b"].to_numpy()
    raw = [statistics.compare(x, y).p, statistics.equivalence(x, y)[0], statistics.compare(x, y).p]
    alone, pair = verdicts.judge([Claim("a", "better", "b", ""), Claim("a", "no better", "b", "")], samples)
    assert [alone.p, pair.p] == pytest.approx(statistics.holm(raw)[:2])


def test_intervals_beside_corrected_p_values_are_simultaneous() -> None:
    samples = _samples(a=0.0, b=0.02, c=0.04)
    judged = verdicts.judge([Claim("a", "better", name, "") for name in ("b", "c")], samples)
    alone = statistics.compare(samples["a"].to_numpy(), samples["b"].to_numpy(), 1 - 0.05 / 2).interval
    assert judged[0].comparison is not None and judged[0].comparison.interval == alone


def test_samples_of_different_lengths_are_judged_whole() -> None:
    samples = _samples(a=0.0, b=0.1)
    samples["a"] = samples["a"][:150]
    (verdict,) = verdicts.judge([Claim("a", "better", "b", "")], samples)
    assert verdict.comparison is not None and (verdict.comparison.n, verdict.comparison.m) == (150, 200)


def test_pairs_are_trials_not_positions() -> None:
    a, b = pd.Series([1.0, 2.0, 3.0], index=[0, 1, 2]), pd.Series([20.0, 30.0, 10.0], index=[2, 3, 1])
    x, y = verdicts.align(a, b)
    assert (x.tolist(), y.tolist()) == ([2.0, 3.0], [10.0, 20.0])


def test_levels() -> None:
    ours = statistics.Description(500, 6.15, 0.25, 6.15, 6.15, statistics.Interval(6.1, 6.2))
    assert verdicts.level(Value(6.16, 0.25), ours) == "agrees"
    assert verdicts.level(Value(6.23, 0.25), ours) == "close"
    assert verdicts.level(Value(6.40, 0.25), ours) == "differs"
    assert verdicts.level(Value(6.16, 0.25, "odd"), ours) == "not judged"


def test_published_values_are_those_of_the_paper() -> None:
    rows = {3: published.TABLE3, 4: published.TABLE4, 5: published.TABLE5, 6: published.TABLE6}
    printed = {
        table: [(row.value.mean, row.value.sd) for row in of_it if row.value] for table, of_it in rows.items()
    }
    assert printed[3] == [
        (6.43, 0.16),
        (6.40, 0.12),
        (6.36, 0.12),
        (6.31, 0.13),
        (6.35, 0.10),
        (6.20, 0.13),
        (6.15, 0.13),
        (5.77, 0.31),
    ]
    assert printed[4] == [(6.30, 0.25), (6.26, 0.22), (6.25, 0.22), (6.17, 0.25), (6.16, 0.25)]
    assert printed[5] == [
        (6.19, 0.83),
        (6.08, 0.34),
        (6.03, 0.23),
        (5.94, 0.32),
        (6.06, 0.34),
        (6.04, 0.23),
        (5.91, 0.19),
        (5.34, 0.45),
    ]
    assert [mean for mean, _ in printed[6]] == [5.95, 5.94, 5.91, 5.92, 5.93, 5.92, 5.92]
    doubtful = {
        (table, row.name) for table in (3, 4, 5) for row in rows[table] if row.value and row.value.doubt
    }
    assert {(3, "BANANAS"), (5, "BANANAS"), (3, "Random Search"), (4, "Random Search")} <= doubtful
