"""What figures and the report draw: the runs behind them with their errors and bands, each computed once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from analysis import curves, published
from analysis.selection import Found, Study
from analysis.style import style

# Labels that figures show: the paper's rows, and of ours those that say something new.
OURS = ("local_search", "remaade_ranked")
BY_BUDGET = {
    budget: (*(row.label for row in rows), *OURS)
    for budget, rows in ((150, published.TABLE3), (3200, published.TABLE5))
}
ABLATION = tuple(row.label for row in (*published.TABLE4, *published.OTHER_POLICIES))


@dataclass
class Method:
    """A method with a result: its label and final errors in percent by trial."""

    label: str
    found: Found
    errors: pd.Series

    @property
    def name(self) -> str:
        return style(self.label).name

    @property
    def optimizer_seconds(self) -> float:
        """Seconds of the method itself, a trial."""
        return float(self.found.column("optimizer_seconds").mean())


@dataclass
class Material:
    """Results by role; `missing` collects what was asked for and is not there, by name."""

    study: Study
    missing: dict[str, str] = field(default_factory=dict)
    _bands: dict[str, dict[str, curves.Band]] = field(default_factory=dict)

    def methods(self, labels: tuple[str, ...], budget: int) -> list[Method]:
        """The methods among `labels` that have results at `budget`."""
        out = []
        for label in labels:
            found = self.study.find(label, budget)
            if found.info is None:
                self.missing[f"{style(label).name} at {budget:,} queries"] = found.reason
                continue
            errors = found.errors
            if len(errors):
                out.append(Method(label, found, errors))
            else:
                self.missing[f"{style(label).name} at {budget:,} queries"] = "no trial has a test value"
        return out

    def orderings(self) -> list[tuple[object, Found]]:
        """Table 6's runs: (S, found) for each S."""
        return [
            (row.name.removeprefix("S = "), self.study.find(row.label, 3200, row.settings))
            for row in published.TABLE6
        ]

    def bands(self, found: Found) -> dict[str, curves.Band]:
        """The bands of a run, computed once."""
        assert found.info is not None
        key = str(found.info.run.folder)
        if key not in self._bands:
            self._bands[key] = curves.bands(curves.curves_of(found.info, found.trials))
        return self._bands[key]


def query_words(methods: list[Method]) -> str:
    """Label of a query axis; its unit is named where a method is charged by epochs."""
    charged = {
        method.found.info.config["protocol"].get("cost")
        for method in methods
        if method.found.info is not None
    }
    return "queries, in full trainings" if "epochs" in charged else "queries"


def aligned(methods: list[Method]) -> dict[str, np.ndarray]:
    """Final errors over the trials that all methods have, by label."""
    shared = methods[0].errors.index
    for method in methods[1:]:
        shared = shared.intersection(method.errors.index)
    return {method.label: method.errors.loc[shared].to_numpy() for method in methods}
