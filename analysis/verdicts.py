"""Does a claim of the paper hold here, and does a level agree? Rules fixed beforehand, applied to independent
trials.

Notation: a *sample* is a series of final test errors (percent) indexed by trial; trials of two rows are
independent (`statistics`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis import statistics
from analysis.published import PUBLISHED_TRIALS, Claim, Value

CLOSE = 0.10  # percentage points
# A comparison, p of 'no better by the margin' and p of equivalence.
Found = tuple[statistics.Comparison, float, float]
HOLDS, FAILS, UNRESOLVED, MISSING = "holds", "fails", "not resolved", "no data"
BETTER, WORSE, EVEN = "better", "worse", "even"

RULE = (
    "Claims are tested over independent trials: Brunner-Munzel test, two-sided, Holm-corrected over all "
    f"tests of the table that have results, at {statistics.ALPHA:.2f}. 'X is better than Y' holds if the "
    "corrected p is below that and both the difference of means and the median difference "
    "(Hodges-Lehmann) favour X; it fails if both favour Y; otherwise it is not resolved. 'X is no better "
    f"than Y' is an equivalence test (TOST, Welch t) with a margin of {statistics.MARGIN:.2f} percentage "
    "points, which lies between the 0.01 that the paper calls no improvement (MADE over plain REINFORCE) "
    "and the 0.09 that it builds on (MAADE over "
    "MADE): it holds if the one-sided half of it rules out an advantage as large as the margin (whether "
    "both halves hold is said beside it); it fails if that is not so and the Brunner-Munzel test finds X "
    "better. Rows of ours that no claim is about say better, worse or even by the same test."
)
LEVEL_RULE = (
    "Level: 'agrees' if ours and the paper's mean differ by no more than 1.96 standard errors of the "
    "difference (both SDs over their trials) plus 0.005 for the printed rounding; 'close' if by no more "
    f"than {CLOSE:.2f} points; else 'differs'. Not judged where the published value is doubtful (†)."
)
INTERVAL_NOTE = (
    "± is the SD over trials. The 95 % interval is of the mean (BCa bootstrap), not of the trials, and of "
    "one row alone. Intervals of differences (Welch) are simultaneous: they hold for all tests of the "
    "table together at 95 % (Bonferroni), and may include 0 where Holm's p, which is sharper, is below "
    "0.05. P(better): probability that a random trial of the row beats a random trial of the reference. "
    "Mean of runs: test error of the same incumbents averaged over the stored training runs, as other "
    "papers report it."
)


@dataclass(frozen=True)
class Verdict:
    """What became of a claim: `word` is one of HOLDS, FAILS, UNRESOLVED, MISSING (for a comparison without
    claim BETTER, WORSE, EVEN).

    `p` is Holm-corrected over the table; `detail` says the rest in a few words.
    """

    claim: Claim
    word: str
    comparison: statistics.Comparison | None = None
    p: float = float("nan")
    detail: str = ""


def align(a: Any, b: Any) -> tuple[np.ndarray, np.ndarray]:
    """The values of two samples (pandas series indexed by trial) over the trials that both have, in the order
    of the trials."""
    shared = a.index.intersection(b.index).sort_values()
    return a.loc[shared].to_numpy(dtype=float), b.loc[shared].to_numpy(dtype=float)


def judge(claims: Sequence[Claim], samples: Mapping[str, Any]) -> list[Verdict]:
    """Judge claims of kind `better`, `no better` and `compare` (no claim made: which of the two is better
    here?).

    Args:
        claims: all comparisons of a table: Holm's family.
        samples: row name -> test errors in percent, a pandas series indexed by trial; rows without results
            are absent.
    """
    pairs: list[tuple[np.ndarray, np.ndarray] | None] = []
    for claim in claims:
        pair = [samples[name].to_numpy(dtype=float) for name in (claim.row, claim.other) if name in samples]
        pairs.append((pair[0], pair[1]) if len(pair) == 2 and min(map(len, pair)) >= 2 else None)
    tests = sum(
        2 if claim.kind == "no better" else 1 for claim, pair in zip(claims, pairs) if pair is not None
    )
    # Simultaneous over the table (Bonferroni): the intervals stand beside corrected p values.
    confidence = 1 - (1 - statistics.CONFIDENCE) / max(1, tests)
    found: list[Found | None] = []
    for claim, both in zip(claims, pairs):
        if both is None:
            found.append(None)
            continue
        x, y = both
        not_better, equivalent = (
            statistics.equivalence(x, y) if claim.kind == "no better" else (np.nan, np.nan)
        )
        found.append((statistics.compare(x, y, confidence), not_better, equivalent))
    return _decide(claims, found, samples)


def judge_over_draws(
    claims: Sequence[Claim], samples: Mapping[str, Mapping[int, Any]]
) -> tuple[list[Verdict], list[statistics.OverDraws | None]]:
    """The same over draws of the table: the draws that both rows have are the sample
    (`statistics.compare_over_draws`).

    Args:
        claims: Holm's family.
        samples: row name -> draw -> test errors in percent.

    Returns:
        The verdicts, and what stands behind each.
    """
    pairs = [_by_draw(samples.get(claim.row, {}), samples.get(claim.other, {})) for claim in claims]
    tests = sum(2 if claim.kind == "no better" else 1 for claim, both in zip(claims, pairs) if len(both) > 1)
    confidence = 1 - (1 - statistics.CONFIDENCE) / max(1, tests)
    found: list[Found | None] = []
    behind: list[statistics.OverDraws | None] = []
    for both in pairs:
        over = statistics.compare_over_draws(both, confidence) if len(both) > 1 else None
        behind.append(over)
        if over is None:
            found.append(None)
            continue
        better = np.mean([statistics.probability_of_improvement(x, y) for x, y in both])
        comparison = statistics.Comparison(
            n=sum(len(x) for x, _ in both),
            m=sum(len(y) for _, y in both),
            difference=over.difference,
            interval=over.interval,
            shift=float(np.median(over.differences)),
            p=over.p,
            effect=2 * float(better) - 1,
            probability=float(better),
        )
        found.append((comparison, *over.equivalence()))
    return _decide(claims, found, samples, "fewer than two draws have both rows"), behind


def _by_draw(x: Mapping[int, Any], y: Mapping[int, Any]) -> list[tuple[np.ndarray, np.ndarray]]:
    """The samples of the draws that both have, at least two trials each."""
    return [
        (x[draw].to_numpy(dtype=float), y[draw].to_numpy(dtype=float))
        for draw in sorted(set(x) & set(y))
        if min(len(x[draw]), len(y[draw])) >= 2
    ]


def _decide(
    claims: Sequence[Claim],
    found: Sequence[Found | None],
    samples: Mapping[str, Any],
    too_few: str = "fewer than two trials",
) -> list[Verdict]:
    """The verdicts, Holm-corrected over all tests there are."""
    # A claim of no difference enters the family twice: with the test that decides for it, then with the one
    # that decides against it.
    raw = [
        p
        for claim, entry in zip(claims, found)
        if entry
        for p in ((entry[1], entry[0].p) if claim.kind == "no better" else (entry[0].p,))
    ]
    adjusted = iter(statistics.holm(raw).tolist())
    out = []
    for claim, entry in zip(claims, found):
        if entry is None:
            out.append(_missing(claim, samples, too_few))
        elif claim.kind == "no better":
            out.append(_no_better(claim, entry[0], next(adjusted), next(adjusted), entry[2]))
        else:
            out.append(_better(claim, entry[0], next(adjusted)))
    return out


def _missing(claim: Claim, samples: Mapping[str, Any], too_few: str) -> Verdict:
    absent = [name for name in (claim.row, claim.other) if name not in samples]
    return Verdict(
        claim,
        MISSING,
        detail=f"no result for {' and '.join(absent)}" if absent else too_few,
    )


def _no_better(
    claim: Claim, comparison: statistics.Comparison, p: float, p_better: float, equivalent: float
) -> Verdict:
    """`p` is that of the test for the claim, `p_better` that of the test against it, `equivalent` that of
    equivalence (uncorrected)."""
    if p < statistics.ALPHA:
        within = equivalent < statistics.ALPHA
        detail = (
            f"equivalent within {statistics.MARGIN:.2f} (TOST p = {equivalent:.2g})"
            if within
            else "worse, or not better by the margin"
        )
        return Verdict(claim, HOLDS, comparison, p, detail)
    if p_better < statistics.ALPHA and comparison.difference < 0 and comparison.shift < 0:
        return Verdict(claim, FAILS, comparison, p, f"better, p = {p_better:.2g}")
    return Verdict(
        claim, UNRESOLVED, comparison, p, f"an advantage of {statistics.MARGIN:.2f} is not ruled out"
    )


def _better(claim: Claim, comparison: statistics.Comparison, p: float) -> Verdict:
    words = (BETTER, WORSE, EVEN) if claim.kind == "compare" else (HOLDS, FAILS, UNRESOLVED)
    if p >= statistics.ALPHA:
        return Verdict(claim, words[2], comparison, p, "no difference resolved")
    if comparison.difference < 0 and comparison.shift < 0:
        return Verdict(claim, words[0], comparison, p)
    if comparison.difference > 0 and comparison.shift > 0:
        return Verdict(claim, words[1], comparison, p, "the opposite is the case")
    return Verdict(claim, words[2], comparison, p, "mean and median of the differences disagree in sign")


def level(value: Value | None, ours: statistics.Description | None) -> str:
    """Whether a level agrees with the published one; see `LEVEL_RULE`."""
    if value is None or ours is None:
        return "—"
    if value.doubt:
        return "not judged"
    gap = abs(ours.mean - value.mean)
    error = np.hypot(value.sd / np.sqrt(PUBLISHED_TRIALS), (ours.sd if ours.n > 1 else 0.0) / np.sqrt(ours.n))
    if gap <= 1.96 * error + 0.005:
        return "agrees"
    return "close" if gap <= CLOSE else "differs"
