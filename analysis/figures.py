"""Every figure, as PNG and PDF, drawn from its table (`analysis.figure_data`).

Errors are in percent. Curves are best so far by query: means over trials with the 95 % interval of the mean;
nothing is interpolated. Names, colours, dashes and markers come from `analysis.style`. A figure whose results
are missing is not drawn, and said so by name.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.captions import commits
from analysis.figure_data import FigureData, all_figures
from analysis.material import Material
from analysis.selection import Study
from analysis.style import order, style
from nas_bench_suite.results import write_whole

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

Handles = tuple[list[Any], list[str]]  # of a legend: artists and their names

RC: Any = {
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.labelsize": 8,
    "legend.fontsize": 7.5,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "lines.linewidth": 1.4,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "figure.dpi": 100,
}
DPI = 200
WIDTH = 7.0  # inches


def draw_all(material: Material, folder: Path) -> tuple[list[Path], list[str]]:
    """Draw every figure.

    Returns:
        The PNG files written, and a sentence for each figure that could not be drawn.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    written, left_out = [], []
    with plt.rc_context(RC):
        for data in all_figures(material):
            if data.frame.empty:
                for ending in ("png", "pdf"):
                    # one from an earlier build would belong to another study
                    (folder / f"{data.name}.{ending}").unlink(missing_ok=True)
                left_out.append(f"figure {data.name} is not drawn: no results for it yet.")
                continue
            figure = DRAWINGS[data.kind](data, material.study)
            for ending in ("png", "pdf"):
                buffer = io.BytesIO()
                undated = {"CreationDate": None} if ending == "pdf" else {"Software": None}
                figure.savefig(buffer, format=ending, dpi=DPI, metadata=undated)
                write_whole(folder / f"{data.name}.{ending}", buffer.getvalue())
            plt.close(figure)
            written.append(folder / f"{data.name}.png")
    return written, left_out


def curves(data: FigureData, study: Study) -> Figure:
    """Best-so-far error by query, linear and logarithmic."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.5), sharey=True)
    bands = data.by("label")
    budget = float(data.frame["x"].max())
    for axis, scale in zip(axes, ("linear", "log")):
        for label, band in bands.items():
            _line(axis, label, band)
        axis.set_xscale(scale)
        axis.set_xlabel(f"{data.axes['x']} ({scale} scale)")
    axes[0].set_ylabel(data.axes["y"])
    # The first few queries are far above everything that follows: the axis starts at the worst mean once a
    # twentieth of the budget is spent.
    early = max(budget / 20, 3)
    top = max(float(band.loc[band["x"] <= early, "mean"].iloc[-1]) for band in bands.values())
    _limits(axes[0], top, float(data.frame["low"].min()))
    axes[0].set_xlim(0, budget)
    first = min(float(band["x"].to_numpy()[np.argmax(band["mean"] <= top)]) for band in bands.values())
    axes[1].set_xlim(first, budget)
    _thousands(axes[0].xaxis)
    _plain_log(axes[1])
    return _finish(figure, data, study)


def training_time(data: FigureData, study: Study) -> Figure:
    """Test error by simulated training time."""
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(WIDTH * 0.75, 3.4))
    for label, band in data.by("label").items():
        _line(axis, label, band)
    axis.set_xscale("log")
    axis.set_xlabel(data.axes["x"])
    axis.set_ylabel(data.axes["y"])
    end = float(data.frame["x"].max())
    top = float(data.frame.loc[data.frame["x"] >= end / 20, "mean"].max())
    _limits(axis, top, float(data.frame["low"].min()))
    axis.set_xlim(end / 40, end)
    _plain_log(axis)
    return _finish(figure, data, study)


def final_errors(data: FigureData, study: Study) -> Figure:
    """Distribution of the trials' final test errors, with mean and interval."""
    import matplotlib.pyplot as plt

    labels = list(data.samples)
    figure, axis = plt.subplots(figsize=(WIDTH, 0.32 * len(labels) + 1.2))
    places = np.arange(len(labels))[::-1]
    values = list(data.samples.values())
    parts: Any = axis.violinplot(
        [v if np.ptp(v) else v + np.linspace(-1e-6, 1e-6, len(v)) for v in values],
        positions=places.tolist(), orientation="horizontal", widths=0.8, showextrema=False,
    )  # fmt: skip
    for body, label in zip(parts["bodies"], labels):
        body.set(facecolor=style(label).color, alpha=0.35, linewidth=0)
    for place, row in zip(places, data.frame.itertuples()):
        color = style(row.label).color
        axis.plot([row.q25, row.q75], [place, place], color=color, linewidth=2.5, solid_capstyle="butt")
        axis.plot(row.median, place, marker="|", color="white", markersize=6)
        axis.errorbar(
            row.mean,
            place + 0.3,
            xerr=[[row.mean - row.low], [row.high - row.mean]],
            color="black",
            marker="o",
            markersize=2.5,
            linewidth=0.9,
            capsize=2,
        )
    axis.set_yticks(places, [style(label).name for label in labels])
    axis.grid(axis="y", visible=False)
    low, high = min(v.min() for v in values), max(np.percentile(v, 99.5) for v in values)
    axis.set_xlim(low - 0.05, high + 0.05)
    axis.set_xlabel(data.axes["x"])
    return _finish(figure, data, study, legend=False)


def win_rates(data: FigureData, study: Study) -> Figure:
    """How often the row's method ends below the column's, over all pairs of trials."""
    import matplotlib.pyplot as plt

    matrix = data.frame.to_numpy()
    size = 0.36 * len(matrix)
    # a colour bar keeps the layout it was made under
    figure, axis = plt.subplots(figsize=(size + 2.7, size + 1.3), layout="constrained")
    image = axis.imshow(matrix, cmap="RdBu", vmin=0, vmax=1, aspect="auto")
    names = [style(label).name for label in data.frame.index]
    axis.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(names)), names)
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)
    for (i, j), rate in np.ndenumerate(matrix):
        if i != j:
            color = "white" if abs(rate - 0.5) > 0.33 else "black"
            axis.text(j, i, f"{100 * rate:.0f}", ha="center", va="center", fontsize=7, color=color)
    bar = figure.colorbar(image, ax=axis, shrink=0.8, aspect=16)
    bar.set_label(data.axes["color"])
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    return _finish(figure, data, study, legend=False)


def unique_cells(data: FigureData, study: Study) -> Figure:
    """Distinct cells, and queries spent on a cell seen before, by query."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.3))
    for axis, (kind, part) in zip(axes, data.by("kind").items()):
        for label, band in part.groupby("label", sort=False):
            _line(axis, label, band)
        axis.set_xlabel(data.axes["x"])
        axis.set_ylabel(data.axes[kind])
        axis.set_xlim(left=0)
        axis.set_ylim(bottom=0)
        _thousands(axis.xaxis)
        _thousands(axis.yaxis)
    return _finish(figure, data, study)


def seconds(data: FigureData, study: Study) -> Figure:
    """What a method's own computation costs against what it finds."""
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(WIDTH * 0.7, 3.4))
    for row in data.frame.itertuples():
        s = style(row.label)
        axis.errorbar(
            max(row.seconds, 1e-7), row.mean, yerr=[[row.mean - row.low], [row.high - row.mean]],
            color=s.color, marker=s.marker, markersize=6, capsize=2, linestyle="none", label=s.name,
        )  # fmt: skip
    axis.set_xscale("log")
    _plain_log(axis)
    axis.set_xlabel(data.axes["x"])
    axis.set_ylabel(data.axes["y"])
    return _finish(figure, data, study)


def orderings(data: FigureData, study: Study) -> Figure:
    """Table 6: error by the number of autoregressive orders, ours beside the paper's."""
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(WIDTH * 0.7, 3.1))
    names = list(data.frame["S"].drop_duplicates())
    looks: dict[str, dict[str, Any]] = {
        "paper": {
            "color": "#7F7F7F",
            "marker": "s",
            "linestyle": "dashed",
            "linewidth": 1,
            "label": "paper (NASBench-101; interval from its SD over 500 trials)",
        },
        "ours": {
            "color": style("remaade_medium").color,
            "marker": "o",
            "linewidth": 1.2,
            "label": f"ours ({study.benchmark})",
        },
    }
    for source, shift in (("paper", -0.08), ("ours", 0.08)):
        part = data.frame[data.frame["source"] == source]
        axis.errorbar(
            [names.index(s) + shift for s in part["S"]],
            part["mean"],
            yerr=[part["mean"] - part["low"], part["high"] - part["mean"]],
            markersize=4,
            capsize=2,
            **looks[source],
        )
    axis.set_xticks(np.arange(len(names)), names)
    axis.set_xlabel(data.axes["x"])
    axis.set_ylabel(data.axes["y"])
    return _finish(figure, data, study, handles=axis.get_legend_handles_labels())


def paper_against_ours(data: FigureData, study: Study) -> Figure:
    """Published means against ours, tables 3 and 4 left, 5 and 6 right."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.9))
    handles: dict[str, Any] = {}
    for place, axis in enumerate(axes):
        part = data.frame[data.frame["place"] == place]
        for row in part.itertuples():
            s = style(row.label)
            marker = axis.errorbar(
                row.paper,
                row.mean,
                xerr=row.paper_half,
                yerr=[[row.mean - row.low], [row.high - row.mean]],
                color=s.color,
                marker=s.marker,
                markersize=6,
                fillstyle="full" if row.filled else "none",
                linestyle="none",
                linewidth=0.8,
            )
            if row.doubtful:
                axis.plot(
                    row.paper,
                    row.mean,
                    marker="o",
                    markersize=13,
                    color="#B00020",
                    fillstyle="none",
                    markeredgewidth=0.9,
                )
            handles.setdefault(s.name, marker)
        if len(part):
            ends = (part["paper"] - part["paper_half"], part["paper"] + part["paper_half"])
            low, high = np.nanmin([ends[0], part["low"]]) - 0.03, np.nanmax([ends[1], part["high"]]) + 0.03
            axis.plot([low, high], [low, high], color="#999999", linewidth=0.8, linestyle="dotted")
            axis.set_xlim(low, high)
            axis.set_ylim(low, high)
            axis.set_aspect("equal")
        axis.set_title(data.axes[f"title {place}"])
        axis.set_xlabel(data.axes["x"])
        axis.set_ylabel(data.axes["y"])
    return _finish(figure, data, study, handles=(list(handles.values()), list(handles)))


DRAWINGS: Mapping[str, Callable[[FigureData, Study], Figure]] = {
    "curves": curves,
    "training_time": training_time,
    "final_errors": final_errors,
    "win_rates": win_rates,
    "unique_cells": unique_cells,
    "seconds": seconds,
    "orderings": orderings,
    "paper_against_ours": paper_against_ours,
}


def _line(axis: Axes, label: str, band: pd.DataFrame) -> None:
    """A mean with its interval, where every trial has a value."""
    s = style(label)
    step = len(band) <= 400
    shown = band[np.isfinite(band["mean"])]
    axis.plot(
        shown["x"],
        shown["mean"],
        color=s.color,
        linestyle=s.dash,
        marker=s.marker,
        markersize=3.2,
        markevery=(0, max(len(shown) // 8, 1)),
        label=s.name,
        drawstyle="steps-post" if step else "default",
    )
    axis.fill_between(
        shown["x"],
        shown["low"],
        shown["high"],
        color=s.color,
        alpha=0.11,
        linewidth=0,
        step="post" if step else None,
    )


def _limits(axis: Axes, top: float, bottom: float) -> None:
    """The y axis over [bottom, top], with a little room."""
    room = 0.05 * (top - bottom)
    axis.set_ylim(bottom - room, top + room)


def _plain_log(axis: Axes) -> None:
    """Plain numbers at 1, 2 and 5 of each decade: 0.5, 1, 2, 5, 10."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axis.get_xlim()
    few = np.log10(high / max(low, 1e-12)) > 2.2
    axis.xaxis.set_major_locator(LogLocator(subs=(1.0,) if few else (1.0, 2.0, 5.0)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())


def _thousands(axis: Axis) -> None:
    """Thousands separators on a linear axis, as on logarithmic ones."""
    from matplotlib.ticker import StrMethodFormatter

    axis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))


def _finish(
    figure: Figure, data: FigureData, study: Study, legend: bool = True, handles: Handles | None = None
) -> Figure:
    """Legend under the axes, provenance under the legend, nothing over anything else."""
    if handles is None and legend:
        got, names = figure.axes[0].get_legend_handles_labels()
        by_name = dict(zip(names, got))
        wanted = [style(label).name for label in order([result.label for result in data.results])]
        wanted = [name for name in wanted if name in by_name]
        handles = ([by_name[name] for name in wanted], wanted)
    kind = " (a surrogate)" if any(result.surrogate for result in data.results) else ""
    made_by = ", ".join(commits(data.results))
    words = f"{study.benchmark}{kind}, {study.trials} trials, seed {study.seed}, commit {made_by}"
    words = ("DRAFT: " if study.draft else "") + words + (f"; {data.note}" if data.note else "")
    widest = max(map(len, handles[1]), default=0) if handles else 0
    columns = max(1, int(figure.get_figwidth() / (0.55 + 0.058 * widest)))
    rows = -(-len(handles[1]) // columns) if handles else 0
    lines = textwrap.wrap(words, int(figure.get_figwidth() / 0.044))
    below = 0.08 + 0.1 * len(lines)
    footer = below + 0.17 * rows
    height = figure.get_figheight() + footer
    figure.set_figheight(height)
    figure.set_layout_engine("compressed", rect=(0, footer / height, 1, 1 - footer / height))
    if handles and rows:
        figure.legend(
            *handles,
            loc="lower center",
            bbox_to_anchor=(0.5, below / height),
            ncols=columns,
            frameon=False,
            borderaxespad=0,
        )
    figure.text(0.01, 0.04 / height, "\n".join(lines), fontsize=5.8, color="#666666", ha="left", va="bottom")
    return figure
