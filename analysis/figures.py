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

from analysis.captions import commits
from analysis.figure_data import FigureData, all_figures
from analysis.latex import COLUMN
from analysis.material import Material
from analysis.selection import Study
from analysis.style import style
from nas_bench_suite.results import write_whole

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

ONE, TWO = COLUMN, 7.0  # inches
WIDTH = TWO
SMALLEST = 6.5  # points of type in print
RC: Any = {
    "font.size": 7,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7,
    "legend.fontsize": SMALLEST,
    "xtick.labelsize": SMALLEST,
    "ytick.labelsize": SMALLEST,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.grid": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.5,
    "axes.axisbelow": True,
    "lines.linewidth": 1.2,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "figure.dpi": 100,
}
DPI = 300
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
    figure, axis = _figure(width, 0.68 if width < TWO else 0.46)
    bands = data.by("label")
    budget = float(data.frame["x"].max())
    for label, band in bands.items():
        _line(axis, label, band)
    axis.set_xscale("log")
    axis.set_xlabel(f"{data.axes['x']} (log scale)")
    axis.set_ylabel(data.axes["y"])
    # The first few queries are far above everything that follows: the axis starts at the worst mean once a
    # twentieth of the budget is spent.
    early = max(budget / 20, 3)
    top = max(float(band.loc[band["x"] <= early, "mean"].iloc[-1]) for band in bands.values())
    _limits(axis, top, float(data.frame["low"].min()))
    first = min(float(band["x"].to_numpy()[np.argmax(band["mean"] <= top)]) for band in bands.values())
    axis.set_xlim(first, budget)
    _plain_log(axis)
    _end_labels(axis, {label: _last(band["mean"]) for label, band in bands.items()})
    return figure


def training_time(data: FigureData, width: float) -> Figure:
    """Test error by simulated training time."""
    figure, axis = _figure(width, 0.68 if width < TWO else 0.46)
    bands = data.by("label")
    for label, band in bands.items():
        _line(axis, label, band)
    axis.set_xscale("log")
    axis.set_xlabel(data.axes["x"])
    axis.set_ylabel(data.axes["y"])
    end = float(data.frame["x"].max())
    top = float(data.frame.loc[data.frame["x"] >= end / 20, "mean"].max())
    _limits(axis, top, float(data.frame["low"].min()))
    axis.set_xlim(end / 40, end)
    _plain_log(axis)
    x = {label: float(band["x"].max()) for label, band in bands.items()}
    _end_labels(axis, {label: _last(band["mean"]) for label, band in bands.items()}, x)
    return figure


def final_errors(data: FigureData, width: float) -> Figure:
    """Distribution of the trials' final test errors, with mean and interval."""
    labels = list(data.samples)
    figure, axis = _figure(width, (0.24 * len(labels) + 0.6) / width)
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
    figure, axis = _figure(size, (0.36 * len(matrix) + 1.1) / size)
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
    figure, axis = _figure(width, 0.68 if width < TWO else 0.46)
    kind, part = next(iter(data.by("kind").items()))
    bands = dict(iter(part.groupby("label", sort=False)))
    for label, band in bands.items():
        _line(axis, label, band)
    axis.set_xlabel(data.axes["x"])
    axis.set_ylabel(data.axes[kind])
    axis.set_xlim(0, float(part["x"].max()))
    axis.set_ylim(bottom=0)
    _thousands(axis.xaxis)
    _thousands(axis.yaxis)
    _end_labels(axis, {label: _last(band["mean"]) for label, band in bands.items()})
    return figure


def seconds(data: FigureData, width: float) -> Figure:
    """What a method's own computation costs against what it finds; each point is named."""
    figure, axis = _figure(width, 0.75 if width < TWO else 0.46)
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
    _plain_log(axis)
    axis.set_xlabel(data.axes["x"])
    axis.set_ylabel(data.axes["y"])
    axis.margins(x=0.15, y=0.1)
    return figure


def orderings(data: FigureData, width: float) -> Figure:
    """Table 6: error by the number of autoregressive orders, ours beside the paper's."""
    figure, axis = _figure(min(width, 0.7 * TWO), 0.62)
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
            _end_labels(axis, first["mean"].to_dict(), first["paper"].to_dict(), tall)
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


def _figure(width: float, ratio: float) -> tuple[Figure, Axes]:
    """A figure of one panel, and its height over its width."""
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(width, ratio * width), layout="constrained")


def _line(axis: Axes, label: str, band: pd.DataFrame) -> None:
    """A mean with its interval, where every trial has a value; markers from the first point to the last."""
    s = style(label)
    step = len(band) <= 400
    shown = band[np.isfinite(band["mean"])]
    axis.plot(
        shown["x"],
        shown["mean"],
        color=s.color,
        linestyle=s.dash,
        marker=s.marker,
        markersize=2.6,
        markevery=_spread(shown["x"].to_numpy(dtype=float)),
        drawstyle="steps-post" if step else "default",
        clip_on=True,
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


def _spread(x: np.ndarray, count: int = 7) -> list[int]:
    """Places of about `count` points, evenly spaced in the logarithm, the last one among them."""
    if not len(x):
        return []
    wanted = np.geomspace(max(x[0], x[-1] / 100), x[-1], count)
    return [int(i) for i in np.unique(np.searchsorted(x, wanted).clip(max=len(x) - 1))]


def _last(values: pd.Series) -> float:
    """The last finite value; NaN without one."""
    finite = values[np.isfinite(values)]
    return float(finite.iloc[-1]) if len(finite) else float("nan")


def apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places in ascending order, moved as little as need be so that they lie `gap` apart within [low, high];
    from the lower end on if there is no room for all."""
    places = np.clip(np.asarray(wanted, dtype=float), low, high)
    count = len(places)
    if count * gap > high - low:
        return [low + i * gap for i in range(count)]
    for _ in range(500):
        short = gap - np.diff(places)
        if not (short > 1e-9).any():
            break
        for i in np.flatnonzero(short > 1e-9):
            places[i] -= short[i] / 2
            places[i + 1] += short[i] / 2
        places = np.clip(places, low + gap * np.arange(count), high - gap * np.arange(count)[::-1])
    return [float(place) for place in places]


def _end_labels(
    axis: Axes, ends: Mapping[str, float], x: Mapping[str, float] | None = None, tall: float = 0.78
) -> None:
    """The names of methods at the right of the axes, at the height of their last values, moved apart.

    Args:
        axis: with its final limits.
        ends: label -> value.
        x: label -> place of the value, where it lies inside the axes.
        tall: about what the axes have of the figure's height.
    """
    low, high = axis.get_ylim()
    height = _size(axis)[1] * tall * 72  # points
    labels = sorted((label for label in ends if np.isfinite(ends[label])), key=lambda label: ends[label])
    at = [(ends[label] - low) / (high - low) for label in labels]
    right = 1 + 0.11 / _size(axis)[0]
    for label, start, place in zip(labels, at, apart(at, 1.25 * SMALLEST / height, 0.0, 1.0)):
        s = style(label)
        inside = x is not None
        line = {"arrowstyle": "-", "color": s.color, "linewidth": 0.5 if inside else 0.8, "relpos": (0, 0.5)}
        axis.annotate(
            s.name.removesuffix(" (medium term)"),
            (x[label], ends[label]) if x is not None else (1.0, min(max(start, 0.0), 1.0)),
            (right, place), xycoords="data" if inside else "axes fraction", textcoords="axes fraction",
            va="center", fontsize=SMALLEST, annotation_clip=False,
            arrowprops={**line, "shrinkA": 1, "shrinkB": 4 if inside else 0},
        )  # fmt: skip


def _size(axis: Axes) -> tuple[float, float]:
    """Width and height of the figure that an axis is in, in inches."""
    figure = axis.get_figure(root=True)
    assert figure is not None
    width, height = figure.get_size_inches()
    return float(width), float(height)


def _limits(axis: Axes, top: float, bottom: float) -> None:
    """The y axis over [bottom, top], with a little room."""
    room = 0.05 * (top - bottom)
    axis.set_ylim(bottom - room, top + room)


def _plain_log(axis: Axes) -> None:
    """Plain numbers at 1, 2 and 5 of each decade: 0.5, 1, 2, 5, 10."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axis.get_xlim()
    few = np.log10(high / max(low, 1e-12)) > (2.2 if _size(axis)[0] > ONE else 1.3)
    axis.xaxis.set_major_locator(LogLocator(subs=(1.0,) if few else (1.0, 2.0, 5.0)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())


def _thousands(axis: Axis) -> None:
    """Thousands separators on a linear axis, as on logarithmic ones."""
    from matplotlib.ticker import StrMethodFormatter

    axis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))
