"""How far the levels of searches move from draw to draw, beside what is published of the real table.

Notation: errors are mean test errors over the trials of one method on one draw, in percent; a *reading* is
the test error of the run whose validation was read (`same run`) or the mean of the cell's three runs (`mean
of runs`), of the same incumbents.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from analysis.published import BANANAS_TABLE_150, REPLICATIONS_150
from analysis.result import Result, scan
from nas_bench_suite.checks import ConfigError

COLUMNS = {"same run": "incumbent_test", "mean of runs": "incumbent_test_mean"}
BUDGET = 150
BASE = "random"


class Level(NamedTuple):
    """A method under a reading."""

    label: str
    reading: str
    draws: np.ndarray  # int64[d], ascending
    errors: np.ndarray  # float64[d], means over trials
    standard_error: float  # of one of them, over trials
    trials: int

    @property
    def frozen(self) -> float:
        """On draw 0."""
        return float(self.errors[self.draws == 0][0])

    @property
    def drawn(self) -> np.ndarray:
        """float64[d - 1]: on the other draws."""
        return self.errors[self.draws > 0]


def published(label: str) -> tuple[float, float] | None:
    """Least and greatest mean test error at 150 queries that is reported of the real table."""
    values = [BANANAS_TABLE_150[name] for name in (label, f"{label}_small") if name in BANANAS_TABLE_150]
    values += REPLICATIONS_150.get(label, ())
    return (min(values), max(values)) if values else None


def levels(outputs: Path) -> list[Level]:
    """Levels of every method under both readings.

    Raises:
        ConfigError: if there are no results, or a method lacks draws that others have.
    """
    results = [result for result in scan(outputs) if result.budget == BUDGET]
    found: list[Level] = []
    labels = sorted({result.label for result in results}, key=lambda label: (label != BASE, label))
    every = sorted({result.draw for result in results})
    for label in labels:
        own = {result.draw: result for result in results if result.label == label}
        if sorted(own) != every or every[:1] != [0]:
            raise ConfigError(
                f"{outputs} lacks draws of {label}; to make them: python run.py -m +experiment=draws "
                f"output_dir={outputs}."
            )
        found += [_level(label, reading, [own[draw] for draw in every]) for reading in COLUMNS]
    if not found:
        raise ConfigError(
            f"{outputs} has no results of this study; to make them: python run.py -m +experiment=draws "
            f"output_dir={outputs}."
        )
    return found


def _level(label: str, reading: str, results: Sequence[Result]) -> Level:
    values = [result.column(COLUMNS[reading], percent=True).to_numpy() for result in results]
    errors = np.array([value.mean() for value in values])
    spread = float(np.mean([value.std(ddof=1) / np.sqrt(len(value)) for value in values]))
    return Level(label, reading, np.array([r.draw for r in results]), errors, spread, len(values[0]))


def between_draws(level: Level) -> float:
    """SD between draws, the error over trials taken off."""
    return float(np.sqrt(max(0.0, level.drawn.var(ddof=1) - level.standard_error**2)))


def differences(found: Sequence[Level]) -> list[Level]:
    """Each method less random search, draw by draw."""
    base = {level.reading: level for level in found if level.label == BASE}
    return [
        level._replace(
            errors=level.errors - base[level.reading].errors,
            standard_error=float(np.hypot(level.standard_error, base[level.reading].standard_error)),
        )
        for level in found
        if level.label != BASE
    ]
