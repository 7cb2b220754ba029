"""Does a claim of the paper hold here, and does a level agree? Rules fixed beforehand, applied to trials that share their seeds.

Notation: a *sample* is a series of final test errors (percent) indexed by trial; a row is paired with another over the trials both have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis import statistics
from analysis.published import PUBLISHED_TRIALS, Claim, Value

CLOSE = 0.10  # percentage points
HOLDS, FAILS, UNRESOLVED, MISSING = "holds", "fails", "not resolved", "no data"
BETTER, WORSE, EVEN = "better", "worse", "even"

RULE = (
    f"Claims are tested over trials that share their seeds: paired Wilcoxon signed-rank test, two-sided, Holm-corrected over all comparisons of "
    f"the table, at {statistics.ALPHA:.2f}. 'X is better than Y' holds if the corrected p is below that and both the mean and the median "
    f"(Hodges-Lehmann) of the differences favour X; it fails if both favour Y; otherwise it is not resolved. 'X is no better than Y' is "
    f"an equivalence "
    f"test (TOST, paired t) with a margin of {statistics.MARGIN:.2f} percentage points, which lies between the 0.01 that the paper calls no "
    f"improvement (MADE over plain REINFORCE) and the 0.09 that it builds on (MAADE over MADE): it holds if an advantage as large as the "
    f"margin is "
    f"ruled out; it fails if X is significantly better and that is not."
)
LEVEL_RULE = (
    f"Level: 'agrees' if ours and the paper's mean differ by no more than 1.96 standard errors of the difference (both SDs over their trials) "
    f"plus 0.005 for the printed rounding; 'close' if by no more than {CLOSE:.2f} points; else 'differs'. Not judged where the published value "
    f"is doubtful (†)."
)
INTERVAL_NOTE = (
    "± is the SD over trials. The 95 % interval is of the mean (BCa bootstrap), not of the trials. Effect: matched-pairs rank-biserial "
    "correlation; P(better): probability that a random trial of the row beats a random trial of the reference."
)


@dataclass(frozen=True)
class Verdict:
    """What became of a claim: `word` is one of HOLDS, FAILS, UNRESOLVED, MISSING (for a comparison without claim BETTER, WORSE, EVEN).

    `p` is Holm-corrected over the table; `detail` says the rest in a few words.
    """

    claim: Claim
    word: str
    comparison: statistics.Comparison | None = None
    p: float = float("nan")
    detail: str = ""


def align(a: Any, b: Any) -> tuple[np.ndarray, np.ndarray]:
    """The values of two samples (pandas series indexed by trial) over the trials that both have, in the order of the trials."""
    shared = a.index.intersection(b.index).sort_values()
    return a.loc[shared].to_numpy(dtype=float), b.loc[shared].to_numpy(dtype=float)


def judge(claims: Sequence[Claim], samples: Mapping[str, Any]) -> list[Verdict]:
    """Judge claims of kind `better`, `no better` and `compare` (no claim made: which of the two is better here?).

    Args:
        claims: all comparisons of a table: Holm's family.
        samples: row name -> test errors in percent, a pandas series indexed by trial; rows without results are absent.
    """
    found: list[tuple[statistics.Comparison, float, float] | None] = []
    for claim in claims:
        if claim.row not in samples or claim.other not in samples:
            found.append(None)
            continue
        x, y = align(samples[claim.row], samples[claim.other])
        if len(x) < 2:
            found.append(None)
            continue
        comparison = statistics.compare(x, y)
        not_better, equivalent = statistics.equivalence(x, y) if claim.kind == "no better" else (np.nan, np.nan)
        found.append((comparison, not_better, equivalent))
    # A claim of no difference enters the family with the p of its own test: that no advantage as large as the margin exists.
    raw = [entry[1] if claim.kind == "no better" else entry[0].p for claim, entry in zip(claims, found) if entry]
    adjusted = iter(statistics.holm(raw))
    return [_word(claim, entry, float(next(adjusted))) if entry else _missing(claim, samples) for claim, entry in zip(claims, found)]


def _missing(claim: Claim, samples: Mapping[str, Any]) -> Verdict:
    absent = [name for name in (claim.row, claim.other) if name not in samples]
    return Verdict(claim, MISSING, detail=f"no result for {' and '.join(absent)}" if absent else "fewer than two shared trials")


def _word(claim: Claim, entry: tuple[statistics.Comparison, float, float], p: float) -> Verdict:
    comparison, _, equivalent = entry
    favours_row = comparison.difference < 0 and comparison.shift < 0
    favours_other = comparison.difference > 0 and comparison.shift > 0
    significant = p < statistics.ALPHA
    if claim.kind == "no better":
        if significant:
            within = equivalent < statistics.ALPHA
            detail = f"equivalent within {statistics.MARGIN:.2f} (TOST p = {equivalent:.2g})" if within else "worse, or not better by the margin"
            return Verdict(claim, HOLDS, comparison, p, detail)
        better = comparison.p < statistics.ALPHA and favours_row
        detail = f"better, Wilcoxon p = {comparison.p:.2g}" if better else f"an advantage of {statistics.MARGIN:.2f} is not ruled out"
        return Verdict(claim, FAILS if better else UNRESOLVED, comparison, p, detail)
    words = (BETTER, WORSE, EVEN) if claim.kind == "compare" else (HOLDS, FAILS, UNRESOLVED)
    if significant and favours_row:
        return Verdict(claim, words[0], comparison, p)
    if significant and favours_other:
        return Verdict(claim, words[1], comparison, p, "the opposite is the case")
    detail = "mean and median of the differences disagree in sign" if significant else "no difference resolved"
    return Verdict(claim, words[2], comparison, p, detail)


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
