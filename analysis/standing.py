"""Who leads after a number of queries, by how much, and what speaks against it.

A *place* is a method with its trials, compared with random search; places are sorted by mean test error. All
differences are of test error in percentage points, method minus random search: negative is better. Their
intervals hold together (Bonferroni over the places), and p is Holm-corrected over them, as in the tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from analysis import published, statistics, tables, verdicts
from analysis.material import BY_BUDGET, Material
from analysis.paper_table import PaperTable
from analysis.published import PUBLISHED_TRIALS, Claim
from analysis.result import Missing, Result
from analysis.selection import Study
from analysis.statistics import Comparison, Description, Interval, OverDraws
from analysis.style import style
from nas_bench_suite import experiments

if TYPE_CHECKING:
    import pandas as pd

REFERENCE = "random"
ROWS = {150: published.TABLE3, 3200: published.TABLE5}
DRAWS = {150: "draws150", 3200: "draws3200"}  # the experiments on several draws of the table
SPREADS = 2  # the band over draws reaches this many SDs to each side


@dataclass(frozen=True)
class Printed:
    """What the paper prints for a method, less what it prints for random search; `interval` follows from its
    SDs over 500 trials."""

    difference: float
    interval: Interval
    doubt: str | None


@dataclass(frozen=True)
class Place:
    """A method in a standing.

    Attributes:
        result: its trials.
        sample: their statistics.
        comparison: with random search; None for random search itself, and where it has no result.
        p: of that comparison, Holm-corrected.
        word: `better`, `worse` or `even` than random search; "" without a comparison.
        level_with_first: its difference from the first place is not resolved.
        printed: the paper's difference.
        draws: the same difference over draws of the table, where these were run.
    """

    result: Result
    sample: Description
    comparison: Comparison | None
    p: float
    word: str
    level_with_first: bool
    printed: Printed | None
    draws: OverDraws | None

    @property
    def label(self) -> str:
        return self.result.label

    @property
    def name(self) -> str:
        return self.result.name

    @property
    def band(self) -> Interval | None:
        """Where the difference lies on other draws of the table: `SPREADS` SDs around the mean over draws,
        what the trials explain taken off."""
        if self.draws is None:
            return None
        middle, reach = self.draws.difference, SPREADS * self.draws.between
        return Interval(middle - reach, middle + reach)


@dataclass(frozen=True)
class Standing:
    """The places at one budget, the lowest mean first, and the methods without a result."""

    budget: int
    places: Sequence[Place]
    absent: Sequence[str]

    @property
    def random(self) -> Place | None:
        """Random search."""
        return next((place for place in self.places if place.label == REFERENCE), None)

    @property
    def first(self) -> Sequence[Place]:
        """The first place and those that are not resolved from it."""
        return [place for place in self.places if place.level_with_first]


def standings(material: Material) -> list[Standing]:
    """The standings at the paper's budgets; one without results has no places."""
    return [standing(material, labels, budget) for budget, labels in _labels(material.study).items()]


def _labels(study: Study) -> dict[int, tuple[str, ...]]:
    """By budget the methods of tables 3 and 5, and methods that stand in no table (a user's own)."""
    in_tables = {
        row.label for table in tables.TABLES if isinstance(table, PaperTable) for row, _ in table.all_rows()
    }
    out = {}
    for budget, labels in BY_BUDGET.items():
        others = {result.label for result in study.comparable if result.budget == study.asked(budget)}
        out[budget] = (*labels, *sorted(others - in_tables))
    return out


def standing(material: Material, labels: Sequence[str], budget: int) -> Standing:
    """The methods `labels` after `budget` queries."""
    results = {result.label: result for result in material.results(labels, budget)}
    order = sorted(results, key=lambda label: float(results[label].errors.mean()))
    samples = {label: results[label].errors for label in order}
    against = _compare([label for label in order if label != REFERENCE], REFERENCE, samples)
    level = set(order[:1]) | unresolved(samples)
    places = []
    for label in order:
        verdict = against.get(label)
        places.append(
            Place(
                result=results[label],
                sample=statistics.describe(samples[label].to_numpy()),
                comparison=verdict.comparison if verdict else None,
                p=verdict.p if verdict else float("nan"),
                word=verdict.word if verdict and verdict.comparison else "",
                level_with_first=label in level,
                printed=_printed(label, budget),
                draws=_over_draws(material.study, label, budget) if label != REFERENCE else None,
            )
        )
    absent = [style(label).name for label in dict.fromkeys(labels) if label not in results]
    return Standing(budget, places, absent)


def unresolved(samples: Mapping[str, pd.Series]) -> set[str]:
    """The samples whose difference from that with the lowest mean is not resolved (Holm over all others)."""
    order = sorted(samples, key=lambda name: float(samples[name].mean()))
    if not order:
        return set()
    judged = verdicts.judge([Claim(order[0], "compare", name, "") for name in order[1:]], samples)
    return {verdict.claim.other for verdict in judged if verdict.word != verdicts.BETTER}


def _compare(
    labels: Sequence[str], reference: str, samples: Mapping[str, pd.Series]
) -> dict[str, verdicts.Verdict]:
    claims = [Claim(label, "compare", reference, "") for label in labels]
    return {verdict.claim.row: verdict for verdict in verdicts.judge(claims, samples)}


def _printed(label: str, budget: int) -> Printed | None:
    values = {row.label: row.value for row in ROWS.get(budget, ()) if row.value is not None}
    if label == REFERENCE or label not in values or REFERENCE not in values:
        return None
    ours, random = values[label], values[REFERENCE]
    difference = ours.mean - random.mean
    half = 1.96 * float(np.hypot(ours.sd, random.sd)) / float(np.sqrt(PUBLISHED_TRIALS))
    return Printed(difference, Interval(difference - half, difference + half), ours.doubt)


def _over_draws(study: Study, label: str, budget: int) -> OverDraws | None:
    """The difference from random search over the draws that both have, with as many trials as the experiment
    has; None below two draws."""
    if budget not in DRAWS:
        return None
    standard = int(experiments.jobs(DRAWS[budget])[0]["trials"])
    study = replace(study, trials=min(standard, study.trials))
    pairs = []
    for draw in sorted({result.draw for result in study.comparable if result.label == label}):
        change = {"benchmark.draw": draw} if draw else {}
        found = [study.find({"optimizer": one, "budget": budget, **change}) for one in (label, REFERENCE)]
        pair = [result.errors.to_numpy() for result in found if not isinstance(result, Missing)]
        if len(pair) == 2 and min(map(len, pair)) > 1:
            pairs.append((pair[0], pair[1]))
    return statistics.compare_over_draws(pairs) if len(pairs) > 1 else None
