"""Every method on every dataset, beside published values.

Notation: errors are test errors of the incumbent after `BUDGET` queries in percent.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from analysis.compare import compare
from analysis.result import scan
from analysis.selection import Study
from analysis.statistics import Interval
from analysis.style import style
from studies import markdown

BUDGET = 150
DATASETS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet16": "ImageNet16-120"}


class Level(NamedTuple):
    """A method on a dataset; `published` is the mean and SD that stand in the literature, under another
    protocol."""

    mean: float
    sd: float
    interval: Interval
    verdict: str  # against random search: better, worse, or another word where no difference is resolved
    published: tuple[float, float] | None


Levels = dict[str, Level]  # by label, best first


def table(outputs: Path, trials: int = 500) -> dict[str, Levels]:
    """The levels by dataset, of all methods that have `trials` trials there.

    Raises:
        ConfigError: if a dataset has no results.
    """
    study = Study(scan(outputs), "nasbench201", trials)
    return {dataset: _levels(study, dataset) for dataset in DATASETS}


def _levels(study: Study, dataset: str) -> Levels:
    rows = compare(study, BUDGET, options={"dataset": dataset}).data
    return {
        row.row.label: Level(
            row.sample.mean,
            row.sample.sd,
            row.sample.interval,
            row.verdict,
            None if row.row.value is None else (row.row.value.mean, row.row.value.sd),
        )
        for row in rows
        if row.sample is not None
    }


def labels(tables: Mapping[str, Levels]) -> list[str]:
    """The methods in the order of the first dataset, then those that it lacks."""
    return list(dict.fromkeys(label for levels in tables.values() for label in levels))


def to_markdown(tables: Mapping[str, Levels]) -> str:
    """The page's table: a row for each method, mean and SD of ours and of the literature for each dataset."""
    headers = ["", *(word for name in DATASETS.values() for word in (f"{name}, %", "published, %"))]
    rows = [
        [
            style(label).name,
            *(cell for levels in tables.values() for cell in _cells(levels.get(label))),
        ]
        for label in labels(tables)
    ]
    return markdown.table(headers, rows, right=True)


def _cells(level: Level | None) -> tuple[str, str]:
    """Ours, marked + where it is better than random search and - where it is worse; the published value."""
    if level is None:
        return "missing", ""
    mark = {"better": " **+**", "worse": " **-**"}.get(level.verdict, "")
    published = "" if level.published is None else f"{level.published[0]:.2f} ± {level.published[1]:.2f}"
    return f"{level.mean:.2f} ± {level.sd:.2f}{mark}", published
