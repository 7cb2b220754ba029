"""The page's first words: who leads, by how much, and what speaks against it."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.selection import FULL_TRIALS, Study
from analysis.standing import REFERENCE, Place, Standing
from analysis.statistics import Comparison

OURS = ("remaade", "remaade_medium")  # the paper's own method


def headline(standings: Sequence[Standing]) -> list[str]:
    """One sentence for each budget: winners, differences, intervals."""
    return [_sentence(standing) for standing in standings if standing.places]


def _sentence(standing: Standing) -> str:
    first, *others = standing.places
    when = f"After {standing.budget:,} queries"
    if standing.random is None:
        mean = f"{first.sample.mean:.3f} %"
        return f"{when} {first.name} has the lowest test error, {mean}; random search was not run."
    if not others:
        return f"{when} there is {first.name} alone, {first.sample.mean:.3f} % test error."
    level = [place.name for place in standing.first if place is not first]
    if first.label == REFERENCE:
        return f"{when} no method is ahead of random search ({first.sample.mean:.3f} % test error)."
    c = first.comparison
    assert c is not None
    words = f"{when} {first.name} leads, {_by(c)} than random search"
    if level:
        words += f", not resolved from {joined(level)}"
    elif others[0].label != REFERENCE:
        words += f", ahead of {others[0].name} ({_by(others[0].comparison, short=True)})"
    paper = next((place for place in others if place.label in OURS and place.comparison), None)
    if paper is not None and paper is not others[0]:
        words += f"; {paper.name} is {_by(paper.comparison)}" + _resolved(paper)
    even = [place.name for place in others if place.word == "even" and place is not paper]
    if even:
        words += f"; {joined(even)} {'is' if len(even) == 1 else 'are'} not resolved from random search"
    worse = [place.name for place in others if place.word == "worse" and place is not paper]
    if worse:
        words += f"; {joined(worse)} {'is' if len(worse) == 1 else 'are'} worse than it"
    return words + "."


def _resolved(place: Place) -> str:
    return ", which is not resolved" if place.word == "even" else ""


def _by(c: Comparison | None, short: bool = False) -> str:
    """`0.419 points better [0.390 to 0.449]`."""
    assert c is not None
    low, high = c.interval
    way = "better" if c.difference <= 0 else "worse"
    if c.difference <= 0:
        low, high = -high, -low
    words = f"{abs(c.difference):.3f}" if short else f"{abs(c.difference):.3f} points {way}"
    return f"{words} [{low:.3f} to {high:.3f}]".replace("[-", "[\u2212")


def doubts(study: Study, standings: Sequence[Standing], surrogate: bool) -> list[str]:
    """What speaks against taking the sentences at their word."""
    out = []
    if study.draft:
        out.append(f"this is a draft, {study.trials} trials per row where the paper has {FULL_TRIALS}")
    if surrogate:
        out.append("the benchmark is a surrogate: accuracies are modelled, not trained")
    for standing in standings:
        if standing.places and standing.absent:
            out.append(f"no result at {standing.budget:,} queries for {joined(standing.absent)}")
        elif not standing.places:
            out.append(f"nothing was run at {standing.budget:,} queries")
        lead = standing.places[0] if standing.places else None
        if lead is not None and lead.draws is not None:
            count = len(lead.draws.differences)
            share = round(lead.draws.agree * count)
            out.append(
                f"on other draws of the table {lead.name} is ahead of random search on {share} of {count}"
            )
        elif lead is not None and surrogate and lead.comparison is not None:
            out.append(f"{lead.name} was not run on other draws of the table at {standing.budget:,} queries")
        doubtful = [place.name for place in standing.places if place.printed and place.printed.doubt]
        if doubtful:
            words = f"the paper's {standing.budget:,}-query value of {joined(doubtful)} is itself doubtful"
            out.append(words)
    return out


def joined(names: Sequence[str]) -> str:
    """`A`, `A and B`, `A, B and C`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else ""
