"""Every figure, as PNG and PDF, drawn from its table (`analysis.figure_data`).

Errors are in percent. Curves are best so far by query: means over trials with the 95 % interval of the mean;
nothing is interpolated. Names, colours, dashes and markers come from `analysis.style`. A figure whose results
are missing is not drawn, and said so by name.

A figure has the width at which it is printed: one column (`ONE`) or two (`TWO`), with type of at least
`SMALLEST` points. Methods are named at the ends of their curves. What is to be said about a figure
(benchmark, trials, commits) stands in the file's metadata and beside it in `<name>.txt`, not in the picture;
its numbers are in `<name>.csv`. A draft alone is marked in the picture.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.axes import (
    DPI,
    RC,
    SMALLEST,
    TWO,
    curve,
    end_labels,
    last,
    limits,
    panel,
    plain_log,
    thousands,
)
from analysis.captions import commits
from analysis.figure_data import FigureData, all_figures
from analysis.material import Material
from analysis.selection import Study
from analysis.style import style
from nas_bench_suite.results import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# What a paper shows in one column, if there are results; their captions stand in `<name>.txt`.
IN_A_PAPER = ("curves_test_150", "curves_test_3200", "final_errors_150", "orderings", "paper_against_ours")


def draw_all(
    material: Material, folder: Path, width: float = TWO, names: Sequence[str] | None = None
) -> tuple[list[Path], list[str]]:
    """Draw every figure, or those of `names`.

    Returns:
        The PNG files written, and a sentence for each figure that could not be drawn.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    written, left_out = [], []
    with plt.rc_context(RC):
        for data in all_figures(material):
            if names is not None and data.name not in names:
                continue
            if data.frame.empty:
                for ending in ("png", "pdf", "txt", "csv"):
                    # one from an earlier build would belong to another study
                    (folder / f"{data.name}.{ending}").unlink(missing_ok=True)
                left_out.append(f"figure {data.name} is not drawn: no results for it yet.")
                continue
            figure = DRAWINGS[data.kind](data, width)
            if material.study.draft:
                figure.suptitle(f"draft, {material.study.trials} trials", fontsize=SMALLEST, color="#B00020")
            words = caption(data, material.study)
            for ending in ("png", "pdf"):
                buffer = io.BytesIO()
                figure.savefig(buffer, format=ending, dpi=DPI, metadata=_metadata(ending, data.name, words))
                write_whole(folder / f"{data.name}.{ending}", buffer.getvalue())
            plt.close(figure)
            write_whole(folder / f"{data.name}.txt", (words + "\n").encode())
            write_whole(folder / f"{data.name}.csv", data.frame.to_csv(float_format="%.6g").encode())
            written.append(folder / f"{data.name}.png")
    return written, left_out


def caption(data: FigureData, study: Study) -> str:
    """What is to be said about a figure: what it shows, the benchmark, trials and commits."""
    kind = (
        " (a surrogate: accuracies are modelled, not trained)"
        if any(r.surrogate for r in data.results)
        else ""
    )
    axes = "; ".join(f"{words}" for key, words in data.axes.items() if not key.startswith("title"))
    made = f"{study.benchmark}{kind}, {study.trials} trials, seed {study.seed}"
    code = ", ".join(commits(data.results))
    parts = [axes, data.note, made, f"commit {code}"]
    text = ". ".join(part[0].upper() + part[1:] for part in parts if part).replace("\n", " ")
    text = f"{data.name}: {text}"
    return ("DRAFT. " if study.draft else "") + text + "."


def _metadata(ending: str, name: str, words: str) -> dict[str, str | None]:
    """What a file says of itself; no time of making, so that equal results give equal files."""
    if ending == "pdf":
        return {"CreationDate": None, "Title": name, "Subject": words}
    return {"Software": None, "Title": name, "Description": words}


def curves(data: FigureData, width: float) -> Figure:
    """Best-so-far error by query, on a logarithmic axis."""
    figure, axis = panel(width, 0.68 if width < TWO else 0.46)
    bands = data.by("label")
    budget = float(data.frame["x"].max())
    for label, band in bands.items():
        curve(axis, label, band)
    axis.set_xscale("log")
    axis.set_xlabel(f"{data.axes['x']} (log scale)")
    axis.set_ylabel(data.axes["y"])
    # The first few queries are far above everything that follows: the axis starts at the worst mean once a
    # twentieth of the budget is spent.
    early = max(budget / 20, 3)
    top = max(float(band.loc[band["x"] <= early, "mean"].iloc[-1]) for band in bands.values())
    limits(axis, top, float(data.frame["low"].min()))
    first = min(float(band["x"].to_numpy()[np.argmax(band["mean"] <= top)]) for band in bands.values())
    axis.set_xlim(first, budget)
    plain_log(axis)
    end_labels(axis, {label: last(band["mean"]) for label, band in bands.items()})
    return figure


def training_time(data: FigureData, width: float) -> Figure:
    """Test error by simulated training time."""
    figure, axis = panel(width, 0.68 if width < TWO else 0.46)
    bands = data.by("label")
    for label, band in bands.items():
        curve(axis, label, band)
    axis.set_xscale("log")
    axis.set_xlabel(data.axes["x"])
    axis.set_ylabel(data.axes["y"])
    end = float(data.frame["x"].max())
    top = float(data.frame.loc[data.frame["x"] >= end / 20, "mean"].max())
    limits(axis, top, float(data.frame["low"].min()))
    axis.set_xlim(end / 40, end)
    plain_log(axis)
    x = {label: float(band["x"].max()) for label, band in bands.items()}
    end_labels(axis, {label: last(band["mean"]) for label, band in bands.items()}, x)
    return figure


def final_errors(data: FigureData, width: float) -> Figure:
    """Distribution of the trials' final test errors, with mean and interval."""
    labels = list(data.samples)
    figure, axis = panel(width, (0.24 * len(labels) + 0.6) / width)
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
        axis.plot(row.median, place, marker="|", color="white", markersize=5)
        axis.errorbar(
            row.mean,
            place + 0.3,
            xerr=[[row.mean - row.low], [row.high - row.mean]],
            color="black",
            marker="o",
            markersize=2,
            linewidth=0.9,
            capsize=1.5,
        )
    axis.set_yticks(places, [style(label).name for label in labels])
    axis.grid(axis="y", visible=False)
    low, high = min(v.min() for v in values), max(np.percentile(v, 99.5) for v in values)
    axis.set_xlim(low - 0.05, high + 0.05)
    axis.set_xlabel(data.axes["x"])
    return figure


def win_rates(data: FigureData, width: float) -> Figure:
    """How often the row's method ends below the column's, over all pairs of trials."""
    matrix = data.frame.to_numpy()
    size = min(0.36 * len(matrix) + 2.4, TWO)
    figure, axis = panel(size, (0.36 * len(matrix) + 1.1) / size)
    image = axis.imshow(matrix, cmap="RdBu", vmin=0, vmax=1, aspect="auto")
    names = [style(label).name for label in data.frame.index]
    axis.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(names)), names)
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)
    for (i, j), rate in np.ndenumerate(matrix):
        if i != j:
            color = "white" if abs(rate - 0.5) > 0.33 else "black"
            axis.text(j, i, f"{100 * rate:.0f}", ha="center", va="center", fontsize=SMALLEST, color=color)
    bar = figure.colorbar(image, ax=axis, shrink=0.8, aspect=16)
    bar.set_label(data.axes["color"])
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    return figure


def unique_cells(data: FigureData, width: float) -> Figure:
    """Distinct cells by query; the rest are repeats."""
    figure, axis = panel(width, 0.68 if width < TWO else 0.46)
    kind, part = next(iter(data.by("kind").items()))
    bands = dict(iter(part.groupby("label", sort=False)))
    for label, band in bands.items():
        curve(axis, label, band)
    axis.set_xlabel(data.axes["x"])
    axis.set_ylabel(data.axes[kind])
    axis.set_xlim(0, float(part["x"].max()))
    axis.set_ylim(bottom=0)
    thousands(axis.xaxis)
    thousands(axis.yaxis)
    end_labels(axis, {label: last(band["mean"]) for label, band in bands.items()})
    return figure


def seconds(data: FigureData, width: float) -> Figure:
    """What a method's own computation costs against what it finds; each point is named."""
    figure, axis = panel(width, 0.75 if width < TWO else 0.46)
    for i, row in enumerate(data.frame.sort_values("seconds").itertuples()):
        s = style(row.label)
        axis.errorbar(
            max(row.seconds, 1e-7), row.mean, yerr=[[row.mean - row.low], [row.high - row.mean]],
            color=s.color, marker=s.marker, markersize=4, capsize=2, linestyle="none", linewidth=0.9,
        )  # fmt: skip
        axis.annotate(
            s.name, (max(row.seconds, 1e-7), row.mean), (5, -9 if i % 2 else 4),
            textcoords="offset points", fontsize=SMALLEST,
        )  # fmt: skip
    axis.set_xscale("log")
    plain_log(axis)
    axis.set_xlabel(data.axes["x"])
    axis.set_ylabel(data.axes["y"])
    axis.margins(x=0.15, y=0.1)
    return figure


def orderings(data: FigureData, width: float) -> Figure:
    """Table 6: error by the number of autoregressive orders, ours beside the paper's."""
    figure, axis = panel(min(width, 0.7 * TWO), 0.62)
    names = list(data.frame["S"].drop_duplicates())
    looks: dict[str, dict[str, Any]] = {
        "paper": {"color": "#7F7F7F", "marker": "s", "linestyle": "dashed", "linewidth": 1},
        "ours": {"color": style("remaade_medium").color, "marker": "o", "linewidth": 1.2},
    }
    for source, shift in (("paper", -0.08), ("ours", 0.08)):
        part = data.frame[data.frame["source"] == source]
        x = [names.index(s) + shift for s in part["S"]]
        errors = [part["mean"] - part["low"], part["high"] - part["mean"]]
        axis.errorbar(x, part["mean"], yerr=errors, markersize=3.5, capsize=2, **looks[source])
        if x:
            end = (x[-1], float(part["mean"].iloc[-1]))
            axis.annotate(
                source, end, (8, 0), textcoords="offset points", va="center", color=looks[source]["color"]
            )
    axis.set_xlim(-0.4, len(names) - 0.3)
    axis.set_xticks(np.arange(len(names)), names)
    axis.set_xlabel(data.axes["x"])
    axis.set_ylabel(data.axes["y"])
    return figure


def paper_against_ours(data: FigureData, width: float) -> Figure:
    """Published means against ours, tables 3 and 4, then 5 and 6: side by side, in one column below each
    other."""
    import matplotlib.pyplot as plt

    stacked = width < TWO
    shape, height = ((2, 1), 1.5 * width) if stacked else ((1, 2), 0.45 * width)
    figure, axes = plt.subplots(*shape, figsize=(width, height), layout="constrained")
    for place, axis in enumerate(np.ravel(axes)):
        part = data.frame[data.frame["place"] == place]
        for row in part.itertuples():
            s = style(row.label)
            axis.errorbar(
                row.paper,
                row.mean,
                xerr=row.paper_half,
                yerr=[[row.mean - row.low], [row.high - row.mean]],
                color=s.color,
                marker=s.marker,
                markersize=4,
                fillstyle="full" if row.filled else "none",
                linestyle="none",
                linewidth=0.7,
            )
            if row.doubtful:
                axis.plot(row.paper, row.mean, marker="o", markersize=10, color="#B00020", fillstyle="none",
                          markeredgewidth=0.8)  # fmt: skip
        if len(part):
            ends = (part["paper"] - part["paper_half"], part["paper"] + part["paper_half"])
            low, high = np.nanmin([ends[0], part["low"]]) - 0.03, np.nanmax([ends[1], part["high"]]) + 0.03
            axis.plot([low, high], [low, high], color="#999999", linewidth=0.8, linestyle="dotted")
            axis.set_xlim(low, high)
            axis.set_ylim(low, high)
            if not stacked:  # where there is room for names beside a square
                axis.set_aspect("equal", anchor="W")
            # One name for each method of the panel, with a line to its first point.
            first = part.drop_duplicates("label").set_index("label")
            tall = 0.3 if stacked else 0.56
            end_labels(axis, first["mean"].to_dict(), first["paper"].to_dict(), tall)
        axis.set_title(data.axes[f"title {place}"])
        axis.set_xlabel(data.axes["x"])
        axis.set_ylabel(data.axes["y"])
    return figure


DRAWINGS: Mapping[str, Callable[[FigureData, float], Figure]] = {
    "curves": curves,
    "training_time": training_time,
    "final_errors": final_errors,
    "win_rates": win_rates,
    "unique_cells": unique_cells,
    "seconds": seconds,
    "orderings": orderings,
    "paper_against_ours": paper_against_ours,
}
