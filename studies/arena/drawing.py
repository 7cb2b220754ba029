"""The pictures of docs/arena.md, each from numbers of `ranking` and `landscape`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.axes import TWO
from analysis.style import style
from studies.arena.ranking import Cells, Omnibus, Place, ranks
from studies.drawing import open_sided

SMALL = 7


def rank_figure(by_budget: Mapping[int, Sequence[Place]], order: Sequence[str], tables: int) -> Figure:
    """Mean rank with its interval, a row for each method, a marker for each budget."""
    figure = Figure(figsize=(TWO, 0.34 * len(order) + 1.0))
    axis = figure.subplots()
    shades = ("0.72", "0.45", "black")
    height = 0.22
    for b, (budget, places) in enumerate(by_budget.items()):
        held = {place.label: place for place in places}
        for row, label in enumerate(order):
            place = held[label]
            y = row + height * (b - 1)
            axis.plot(place.interval, [y, y], color=shades[b], linewidth=1.6)
            axis.plot(place.rank, y, "oDs"[b], color=shades[b], markersize=4)
        axis.plot([], [], "oDs"[b] + "-", color=shades[b], markersize=4, label=f"{budget} queries")
    axis.set_yticks(range(len(order)), [style(label).name for label in order])
    axis.invert_yaxis()
    axis.set_xlabel(
        f"mean rank over {tables} real tables, 1 is best (95 % interval, tables and trials drawn anew)"
    )
    axis.grid(axis="x", color="0.9")
    axis.set_axisbelow(True)
    axis.legend(frameon=False, loc="lower left", fontsize=SMALL)
    _finish(figure, axis)
    return figure


def difference_figure(places: Sequence[Place], test: Omnibus, labels: Sequence[str], budget: int) -> Figure:
    """Critical-difference diagram (`scikit_posthocs`): a bar joins methods that Nemenyi's test does not tell
    apart."""
    import pandas as pd
    from scikit_posthocs import critical_difference_diagram

    figure = Figure(figsize=(TWO, 0.16 * len(labels) + 1.4))
    axis = figure.subplots()
    named = [style(label).name for label in labels]
    pairs = pd.DataFrame(test.pairs, index=named, columns=named)
    critical_difference_diagram(
        {style(place.label).name: place.rank for place in places},
        pairs,
        ax=axis,
        label_fmt_left="{label} {rank:.1f}",
        label_fmt_right="{rank:.1f} {label}",
        label_props={"fontsize": SMALL},
        color_palette={style(label).name: "black" for label in labels},
        text_h_margin=0.02,
    )
    axis.set_title(
        f"Mean rank at {budget} queries; critical difference {test.difference:.1f} (Nemenyi, 5 %)", fontsize=8
    )
    figure.tight_layout()
    return figure


def heat_figure(cells: Cells, labels: Sequence[str], signs: np.ndarray, budget: int) -> Figure:
    """Rank of each method on each table, both sorted by clustering; bold where it is better than random
    search, in brackets where worse."""
    from scipy.cluster.hierarchy import leaves_list, linkage

    table_ranks = ranks(cells, labels)
    columns = np.argsort(table_ranks.mean(axis=0))
    rows = (
        leaves_list(linkage(table_ranks, "average")) if len(table_ranks) > 2 else np.arange(len(table_ranks))
    )
    shown = table_ranks[np.ix_(rows, columns)]
    figure = Figure(figsize=(TWO, 0.2 * len(shown) + 1.7))
    axis = figure.subplots()
    image = axis.imshow(shown, cmap="cividis_r", aspect="auto", vmin=1, vmax=len(labels))
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            sign = signs[row, column]
            word = f"{table_ranks[row, column]:.0f}"
            axis.text(
                j,
                i,
                f"({word})" if sign < 0 else word,
                ha="center",
                va="center",
                fontsize=6.5,
                fontweight="bold" if sign > 0 else "normal",
                color="white" if shown[i, j] > 0.6 * len(labels) else "black",
            )
    names = list(cells)
    axis.set_yticks(range(len(rows)), [names[row] for row in rows], fontsize=6.5)
    axis.set_xticks(
        range(len(columns)),
        [style(labels[column]).name for column in columns],
        rotation=40,
        ha="left",
        fontsize=6.5,
    )
    axis.xaxis.tick_top()
    axis.tick_params(length=0)
    bar = figure.colorbar(image, ax=axis, fraction=0.02, pad=0.01)
    bar.set_label(f"rank at {budget} queries", fontsize=SMALL)
    bar.ax.tick_params(labelsize=6.5)
    bar.ax.invert_yaxis()
    figure.tight_layout()
    return figure


def profile_figure(by_kind: Mapping[str, Cells], labels: Sequence[str], budget: int) -> Figure:
    """Performance profiles (Agarwal et al. 2021): the share of trials with at most this regret, each table
    weighing the same. A panel for validation, one for test."""
    figure = Figure(figsize=(TWO, 4.0))
    panels = figure.subplots(1, len(by_kind), sharey=True, squeeze=False)[0]
    grid = np.linspace(0, 1.2, 241)
    for axis, (kind, cells) in zip(panels, by_kind.items()):
        for label in labels:
            share = np.mean(
                [
                    np.searchsorted(np.sort(t[label]), grid, side="right") / len(t[label])
                    for t in cells.values()
                ],
                axis=0,
            )
            look = style(label)
            axis.plot(grid, share, color=look.color, linestyle=look.dash, linewidth=1.4, label=look.name)
        axis.set_title(f"{kind}, {len(cells)} tables", fontsize=8)
        axis.set_xlabel("regret (0: best cell; 1: random search at 10 queries)")
        axis.set_xlim(0, 1.2)
        axis.grid(color="0.92")
        _small(axis)
    panels[0].set_ylabel(f"share of trials at {budget} queries")
    figure.legend(
        *panels[0].get_legend_handles_labels(), frameon=False, fontsize=6.5, loc="lower center", ncols=5
    )
    figure.tight_layout(rect=(0, 0.14, 1, 1))
    return figure


def landscape_figure(
    smoothness: Sequence[float], lead: Mapping[str, Sequence[float]], families: Sequence[str], budget: int
) -> Figure:
    """How much of random search's regret a method leaves, against how smooth a table is; a point is a
    table."""
    figure = Figure(figsize=(TWO, 2.9))
    panels = figure.subplots(1, len(lead), sharey=True, squeeze=False)[0]
    marks: dict[str, Any] = dict(zip(dict.fromkeys(families), "osD^vP*X"))
    for axis, (label, values) in zip(panels, lead.items()):
        for family, mark in marks.items():
            here = [i for i, name in enumerate(families) if name == family]
            axis.plot(
                [smoothness[i] for i in here],
                [values[i] for i in here],
                mark,
                color=style(label).color,
                markersize=5,
                markerfacecolor="none",
                label=family,
            )
        axis.axhline(1, color="0.5", linewidth=0.8)
        axis.set_title(style(label).name, fontsize=8)
        axis.set_xlabel("smoothness of the table")
        axis.grid(color="0.92")
        _small(axis)
    panels[0].set_ylabel(f"regret over random search's,\n{budget} queries")
    handles = panels[0].get_legend_handles_labels()
    figure.legend(*handles, frameon=False, fontsize=6.5, loc="lower center", ncols=len(marks))
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    return figure


def _small(axis: Axes) -> None:
    axis.tick_params(labelsize=SMALL)
    axis.xaxis.label.set_fontsize(SMALL)
    axis.yaxis.label.set_fontsize(SMALL)
    open_sided(axis)


def _finish(figure: Figure, axis: Axes) -> None:
    _small(axis)
    figure.tight_layout()
