"""Levels of searches draw by draw, and how often intervals hold what was observed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from analysis.style import style
from studies.drawing import open_sided
from studies.draws.calibration import SHARES, Coverage
from studies.draws.levels import BUDGET, COLUMNS, Level, published

COLOURS = {"same run": "#4c78a8", "mean of runs": "#e45756"}


def draw(levels: Sequence[Level], covered: Sequence[Coverage]) -> Figure:
    """Left: one dot for each draw, a bar for the frozen table, a grey band for what is published. Right:
    observed against nominal coverage."""
    figure = Figure(figsize=(9.2, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.7, 1))
    labels = list(dict.fromkeys(level.label for level in levels))
    for row, label in enumerate(labels):
        if values := published(label):
            wide = max(values[1] - values[0], 0.008)
            left.barh(row, wide, left=values[0], height=0.84, color="0.85", zorder=0)
    for level in levels:
        place = labels.index(level.label) + (0.16 if level.reading == "same run" else -0.16)
        colour = COLOURS[level.reading]
        named = level.reading if level.label == labels[0] else None
        height = np.full(len(level.drawn), place)
        left.plot(level.drawn, height, "o", ms=4, alpha=0.6, color=colour, label=named)
        left.plot([level.frozen] * 2, [place - 0.14, place + 0.14], color="black", lw=1.6)
    left.set_yticks(range(len(labels)), [style(label).name for label in labels])
    left.set_xlabel(f"mean test error after {BUDGET} queries, %")
    left.set_title("dots: draws; bars: the frozen table; grey: published", fontsize=8)
    figure.legend(
        *left.get_legend_handles_labels(), frameon=False, fontsize=8, ncols=2, loc="outside lower left"
    )
    for one in covered:
        right.plot(SHARES, one.shares, "o-", ms=4, label=one.what)
    right.plot([0.4, 1], [0.4, 1], color="0.6", lw=1)
    right.set_xlabel("interval of the draws")
    right.set_ylabel("share of held-out cells inside")
    right.legend(frameon=False, fontsize=7)
    open_sided(left, right)
    assert set(COLOURS) == set(COLUMNS)
    return figure
