"""Means with their intervals, one panel for each dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.style import style
from studies.drawing import open_sided
from studies.nasbench201.table import BUDGET, DATASETS, Levels, labels

PUBLISHED: Any = {"marker": "D", "markerfacecolor": "white", "markeredgecolor": "black", "linestyle": "none"}


def draw(tables: Mapping[str, Levels]) -> Figure:
    """The levels of `table.table`, the best of the first dataset on top, published means beside them."""
    figure = Figure(figsize=(11, 4.6))
    panels = figure.subplots(1, len(tables), sharey=True)
    shown = labels(tables)[::-1]
    for axis, (dataset, levels) in zip(panels, tables.items()):
        _panel(axis, levels, shown)
        axis.set_title(DATASETS[dataset])
        axis.set_xlabel(f"test error after {BUDGET} queries (%)")
    panels[0].set_yticks(range(len(shown)), [style(label).name for label in shown])
    panels[0].plot([], [], **PUBLISHED, label="NATS-Bench (another protocol)")
    panels[0].plot([], [], "o-", color="0.3", label="here: mean and 95 % interval")
    figure.legend(loc="lower center", ncols=2, frameon=False)
    figure.tight_layout(rect=(0, 0.06, 1, 1))
    return figure


def _panel(axis: Axes, levels: Levels, shown: list[str]) -> None:
    for place, label in enumerate(shown):
        level, look = levels.get(label), style(label)
        if level is None:
            continue
        axis.plot(level.interval, [place, place], color=look.color, linewidth=2.5, solid_capstyle="butt")
        axis.plot(level.mean, place, "o", color=look.color, markersize=6)
        if level.published is not None:
            axis.plot(level.published[0], place, **PUBLISHED, markersize=6)
    axis.grid(axis="x", color="0.9")
    axis.set_axisbelow(True)
    open_sided(axis)
