"""The tables of docs/arena.md as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from analysis import published
from analysis.statistics import ALPHA, brunner_munzel, holm
from analysis.style import style
from studies import markdown
from studies.arena.landscape import PROPERTIES, Landscape
from studies.arena.ranking import Cells, Place
from studies.arena.scores import Arena, Table


def ranking(by_budget: Mapping[int, Sequence[Place]], test: Sequence[Place], budget: int, tables: int) -> str:
    """Every method: mean rank at each budget, worst rank, interquartile mean, verdicts against random
    search."""
    main = by_budget[budget]
    held = {b: {place.label: place for place in places} for b, places in by_budget.items()}
    tested = {place.label: place for place in test}
    headers = [
        "method",
        *(f"rank, {b} queries" for b in by_budget),
        f"rank by test, {budget}",
        "regret (IQM)",
        f"better / worse than random, of {tables}",
        "worst rank",
    ]
    rows = []
    for place in main:
        label = place.label
        low, high = place.iqm_interval
        rows.append(
            [
                style(label).name,
                *(_rank(held[b][label]) for b in by_budget),
                _rank(tested[label]) if label in tested else "",
                f"{place.iqm:.2f} [{low:.2f}, {high:.2f}]",
                "" if label == "random" else f"{place.better} / {place.worse}",
                f"{place.worst:.0f}",
            ]
        )
    return markdown.table(headers, rows, right=True)


def _rank(place: Place) -> str:
    return f"{place.rank:.1f} [{place.interval.low:.1f}, {place.interval.high:.1f}]"


def claims(cells: Cells, labels: Sequence[str]) -> str:
    """The claims of tables 3 and 4 on every table: how often each holds, fails (the opposite is resolved) or
    is not resolved; Holm over a claim's tables."""
    rows_by_name = {row.name: row.label for row in (*published.TABLE3, *published.TABLE4)}
    rows = []
    seen = set()
    for claim in (*published.CLAIMS3, *published.CLAIMS4):
        row, other = rows_by_name.get(claim.row), rows_by_name.get(claim.other)
        if row is None or other is None or row == other or (row, other) in seen:
            continue
        if row not in labels or other not in labels:
            continue
        seen.add((row, other))
        p = [
            1.0 if np.ptp(np.concatenate([t[row], t[other]])) == 0 else brunner_munzel(t[row], t[other])
            for t in cells.values()
        ]
        resolved = holm(p) < ALPHA
        ahead = np.array([t[row].mean() < t[other].mean() for t in cells.values()])
        holds, fails = int((resolved & ahead).sum()), int((resolved & ~ahead).sum())
        if claim.kind != "better":
            holds, fails = len(p) - holds, holds
        rows.append(
            [
                f"{style(row).name} {claim.kind} than {style(other).name}",
                str(holds),
                str(fails),
                str(len(p) - holds - fails),
            ]
        )
    return markdown.table(["claim (tables 3 and 4)", "holds", "fails", "not resolved"], rows, right=True)


def landscapes(arena: Arena, found: Mapping[Table, Landscape]) -> str:
    """One row per table."""
    headers = ["table", "cells", "variables", "runs", *PROPERTIES]
    rows = []
    for table, land in found.items():
        values = [getattr(land, name) for name in PROPERTIES]
        rows.append(
            [
                table.name,
                f"{land.cells:,}",
                str(land.variables),
                str(land.runs),
                *("" if np.isnan(value) else f"{value:.2g}" for value in values),
            ]
        )
    return markdown.table(headers, rows, right=True)


def associations(lead: Mapping[str, Sequence[float]], found: Sequence[Landscape]) -> str:
    """Spearman's correlation over tables of a method's regret (over random search's) with each property:
    below 0 means that it gains where there is more of it. Bold where p < .05 without correction."""
    from scipy.stats import spearmanr

    rows = []
    for label, values in lead.items():
        cells = []
        for name in PROPERTIES:
            x = np.array([getattr(land, name) for land in found])
            known = ~np.isnan(x)
            if known.sum() < 5 or np.ptp(x[known]) == 0:
                cells.append("")
                continue
            result = spearmanr(x[known], np.asarray(values)[known])
            word = f"{result.statistic:+.2f}"
            cells.append(f"**{word}**" if result.pvalue < ALPHA else word)
        rows.append([style(label).name, *cells])
    return markdown.table(["method", *PROPERTIES], rows, right=True)


def stability(found: Mapping[int, tuple[float, float]]) -> str:
    """Kendall's tau between rankings over n and n other tables."""
    return markdown.table(
        ["tables", *(str(n) for n in found)],
        [["Kendall's tau", *(f"{mean:.2f} (SD {sd:.2f})" for mean, sd in found.values())]],
        right=True,
    )


def trials(arena: Arena, tables: Sequence[Table], labels: Sequence[str]) -> str:
    """How many trials stand behind each method, fewest over the tables."""
    counts: dict[int, list[str]] = {}
    for label in labels:
        fewest = min(arena.regrets["validation"][table][label].shape[1] for table in tables)
        counts.setdefault(fewest, []).append(style(label).name)
    parts = [f"{count} ({', '.join(names)})" for count, names in sorted(counts.items(), reverse=True)]
    return "Trials per method and table: " + "; ".join(parts) + "."
