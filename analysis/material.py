"""What figures and the report show: the results behind them and their bands, each computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from analysis import curves, published
from analysis.result import Missing, Result
from analysis.selection import Study
from analysis.style import style

# Labels that figures show: the paper's rows, and of ours those that say something new.
OURS = ("local_search", "remaade_ranked")
BY_BUDGET = {
    budget: (*(row.label for row in rows), *OURS)
    for budget, rows in ((150, published.TABLE3), (3200, published.TABLE5))
}
ABLATION = tuple(row.label for row in (*published.TABLE4, *published.OTHER_POLICIES))


@dataclass
class Material:
    """Results by role; `missing` collects what was asked for and is not there, by name."""

    study: Study
    missing: dict[str, str] = field(default_factory=dict)
    _bands: dict[Path, dict[str, curves.Band]] = field(default_factory=dict)
    _tests: dict[Path, np.ndarray] = field(default_factory=dict)

    def results(self, labels: Sequence[str], budget: int) -> list[Result]:
        """The results of `labels` at `budget` that have a test value; with the methods of a table those of
        `Study.also`."""
        out = []
        if labels == BY_BUDGET.get(budget):
            labels = (*labels, *(label for label in self.study.also if label not in labels))
        for label in labels:
            found = self.study.find({"optimizer": label, "budget": budget})
            if isinstance(found, Result) and len(found.errors):
                out.append(found)
            else:
                reason = found.reason if isinstance(found, Missing) else "no trial has a test value"
                self.missing[f"{style(label).name} at {budget:,} queries"] = reason
        return out

    def bands(self, result: Result) -> dict[str, curves.Band]:
        """The bands of a result, computed once."""
        self._follow(result)
        return self._bands[result.run.folder]

    def tests(self, result: Result) -> np.ndarray:
        """float[T, points]: test errors of a result's trials at `curves.few_points` of its budget."""
        self._follow(result)
        return self._tests[result.run.folder]

    def _follow(self, result: Result) -> None:
        """Compute a result's curves once and keep what is shown of them."""
        folder = result.run.folder
        if folder not in self._bands:
            found = curves.curves_of(result)
            self._bands[folder] = curves.bands(found)
            self._tests[folder] = found.test[:, curves.few_points(result.budget) - 1]


def query_words(results: Sequence[Result]) -> str:
    """Label of a query axis; its unit is named where a method is charged by epochs."""
    charged = {result.rules["cost"] for result in results}
    return "queries, in full trainings" if "epochs" in charged else "queries"
