"""Every figure, as PNG and PDF, from results alone.

Errors are in percent. Curves are best so far by query: means over trials with the 95 % interval of the mean;
nothing is interpolated. Names, colours, dashes and markers come from `analysis.style`. A figure whose results
are missing is not drawn, and said so by name.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis import published, statistics
from analysis.material import ABLATION, BY_BUDGET, Material, Method, aligned, query_words
from analysis.provenance import commits
from analysis.style import order, style
from nas_bench_suite.results import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

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
BAND = "line: mean over trials; band: its 95 % interval"
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
        for name, make in _figures(material):
            figure = make()
            for ending in ("png", "pdf"):
                path = folder / f"{name}.{ending}"
                if figure is None:
                    path.unlink(missing_ok=True)  # one from an earlier build would belong to another study
                    continue
                buffer = io.BytesIO()
                figure.savefig(
                    buffer,
                    format=ending,
                    dpi=DPI,
                    metadata={"CreationDate": None} if ending == "pdf" else {"Software": None},
                )
                write_whole(path, buffer.getvalue())
            if figure is None:
                left_out.append(f"figure {name} is not drawn: no results for it yet.")
                continue
            plt.close(figure)
            written.append(folder / f"{name}.png")
    return written, left_out


def _figures(material: Material) -> Iterator[tuple[str, Callable[[], Figure | None]]]:
    for budget, labels in BY_BUDGET.items():
        methods = material.methods(labels, budget)
        for kind in ("test", "validation"):
            yield f"curves_{kind}_{budget}", partial(curves, material, methods, kind)
        for name, make in (
            ("final_errors", final_errors),
            ("win_rates", win_rates),
            ("unique_cells", unique_cells),
            ("seconds", seconds),
            ("training_time", training_time),
        ):
            yield f"{name}_{budget}", partial(make, material, methods)
    yield "curves_ablation_150", partial(curves, material, material.methods(ABLATION, 150), "test")
    yield "orderings", partial(orderings, material)
    yield "paper_against_ours", partial(paper_against_ours, material)


def curves(material: Material, methods: list[Method], kind: str) -> Figure | None:
    """Best-so-far error by query, linear and logarithmic."""
    if not methods:
        return None
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.5), sharey=True)
    budget = material.bands(methods[0].found)[kind].x[-1]
    for axis, scale in zip(axes, ("linear", "log")):
        for method in methods:
            _line(axis, method.label, material.bands(method.found)[kind])
        axis.set_xscale(scale)
        axis.set_xlabel(f"{query_words(methods)} ({scale} scale)")
    axes[0].set_ylabel(f"{kind} error of the incumbent, %")
    # The first few queries are far above everything that follows: the axis starts at the worst mean once a
    # twentieth of the budget is spent.
    found = [material.bands(method.found)[kind] for method in methods]
    top = max(float(b.mean[np.searchsorted(b.x, max(budget / 20, 3), side="right") - 1]) for b in found)
    bottom = min(float(np.nanmin(b.low)) for b in found)
    axes[0].set_ylim(bottom - 0.05 * (top - bottom), top + 0.05 * (top - bottom))
    axes[0].set_xlim(0, budget)
    axes[1].set_xlim(min(float(b.x[np.argmax(b.mean <= top)]) for b in found), budget)
    _thousands(axes[0].xaxis)
    _plain_log(axes[1])
    return _finish(figure, material, methods, note=BAND)


def training_time(material: Material, methods: list[Method]) -> Figure | None:
    """Test error by simulated training time."""
    found = [(method, material.bands(method.found)) for method in methods]
    drawn = [(method, bands["time_test"]) for method, bands in found if "time_test" in bands]
    if not drawn:
        return None
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(WIDTH * 0.75, 3.4))
    for method, b in drawn:
        _line(axis, method.label, b)
    axis.set_xscale("log")
    axis.set_xlabel("simulated training time, hours on one accelerator (log scale)")
    axis.set_ylabel("test error of the incumbent, %")
    start = max(float(b.x[-1]) for _, b in drawn) / 20
    top = max(float(b.mean[b.x >= start].max()) for _, b in drawn if (b.x >= start).any())
    bottom = min(float(np.nanmin(b.low)) for _, b in drawn)
    axis.set_ylim(bottom - 0.05 * (top - bottom), top + 0.05 * (top - bottom))
    axis.set_xlim(start / 2, max(float(b.x[-1]) for _, b in drawn))
    _plain_log(axis)
    return _finish(
        figure,
        material,
        [method for method, _ in drawn],
        note=f"{BAND}; a curve ends where the first of its trials does",
    )


def final_errors(material: Material, methods: list[Method]) -> Figure | None:
    """Distribution of the trials' final test errors, with mean and interval."""
    if not methods:
        return None
    import matplotlib.pyplot as plt

    ranked = sorted(methods, key=lambda method: float(method.errors.mean()))
    figure, axis = plt.subplots(figsize=(WIDTH, 0.32 * len(ranked) + 1.2))
    places = np.arange(len(ranked))[::-1]
    values = [method.errors.to_numpy() for method in ranked]
    parts: Any = axis.violinplot(
        [v if np.ptp(v) else v + np.linspace(-1e-6, 1e-6, len(v)) for v in values],
        positions=places.tolist(), orientation="horizontal", widths=0.8, showextrema=False,
    )  # fmt: skip
    for body, method in zip(parts["bodies"], ranked):
        body.set(facecolor=style(method.label).color, alpha=0.35, linewidth=0)
    for place, method, v in zip(places, ranked, values):
        color = style(method.label).color
        quartiles = np.percentile(v, [25, 50, 75])
        axis.plot(quartiles[[0, 2]], [place, place], color=color, linewidth=2.5, solid_capstyle="butt")
        axis.plot(quartiles[1], place, marker="|", color="white", markersize=6)
        described = statistics.describe(v)
        axis.errorbar(
            described.mean,
            place + 0.3,
            xerr=[[described.mean - described.interval.low], [described.interval.high - described.mean]],
            color="black",
            marker="o",
            markersize=2.5,
            linewidth=0.9,
            capsize=2,
        )
    axis.set_yticks(places, [method.name for method in ranked])
    axis.grid(axis="y", visible=False)
    low, high = min(v.min() for v in values), max(np.percentile(v, 99.5) for v in values)
    axis.set_xlim(low - 0.05, high + 0.05)
    axis.set_xlabel("final test error, % (violin: trials; bar: quartiles; dot: mean with its 95 % interval)")
    return _finish(figure, material, ranked, legend=False)


def win_rates(material: Material, methods: list[Method]) -> Figure | None:
    """How often the row's method ends below the column's, over shared trials."""
    if len(methods) < 2:
        return None
    import matplotlib.pyplot as plt

    ranked = sorted(methods, key=lambda method: float(method.errors.mean()))
    matrix = statistics.win_rate_matrix(aligned(ranked))
    size = 0.36 * len(ranked)
    # a colour bar keeps the layout it was made under
    figure, axis = plt.subplots(figsize=(size + 2.7, size + 1.3), layout="constrained")
    image = axis.imshow(matrix, cmap="RdBu", vmin=0, vmax=1, aspect="auto")
    names = [method.name for method in ranked]
    axis.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(names)), names)
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)
    for i in range(len(names)):
        for j in range(len(names)):
            if i != j:
                dark = abs(matrix[i, j] - 0.5) > 0.33
                axis.text(
                    j,
                    i,
                    f"{100 * matrix[i, j]:.0f}",
                    ha="center",
                    va="center",
                    fontsize=7,
                    color="white" if dark else "black",
                )
    bar = figure.colorbar(image, ax=axis, shrink=0.8, aspect=16)
    bar.set_label("share of trials in which the row has\nthe lower test error, ties half")
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    return _finish(figure, material, ranked, legend=False)


def unique_cells(material: Material, methods: list[Method]) -> Figure | None:
    """Distinct cells, and queries spent on a cell seen before, by query."""
    if not methods:
        return None
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.3))
    labels = {
        "unique": "distinct cells, a trial",
        "repeats": "queries on a cell seen before at that\nfidelity, a trial",
    }
    for axis, (kind, label) in zip(axes, labels.items()):
        for method in methods:
            _line(axis, method.label, material.bands(method.found)[kind])
        axis.set_xlabel(query_words(methods))
        axis.set_ylabel(label)
        axis.set_xlim(left=0)
        axis.set_ylim(bottom=0)
        _thousands(axis.xaxis)
        _thousands(axis.yaxis)
    return _finish(figure, material, methods, note=BAND)


def seconds(material: Material, methods: list[Method]) -> Figure | None:
    """What a method's own computation costs against what it finds."""
    if not methods:
        return None
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(WIDTH * 0.7, 3.4))
    for method in methods:
        described, s = statistics.describe(method.errors.to_numpy()), style(method.label)
        axis.errorbar(
            max(method.optimizer_seconds, 1e-7), described.mean,
            yerr=[[described.mean - described.interval.low], [described.interval.high - described.mean]],
            color=s.color, marker=s.marker, markersize=6, capsize=2, linestyle="none", label=method.name,
        )  # fmt: skip
    axis.set_xscale("log")
    _plain_log(axis)
    axis.set_xlabel("seconds of the optimizer itself, a trial (log scale)")
    axis.set_ylabel("final test error, %: mean and 95 % interval")
    return _finish(
        figure,
        material,
        methods,
        note="wall-clock seconds of the machine as it was, loading compiled code included",
    )


def orderings(material: Material) -> Figure | None:
    """Table 6: error by the number of autoregressive orders, ours beside the paper's."""
    runs = [(s, found) for s, found in material.orderings() if found.info is not None]
    if not runs:
        return None
    import matplotlib.pyplot as plt

    names = [str(s) for s in published.ORDERINGS]
    paper = [row.value for row in published.TABLE6]
    figure, axis = plt.subplots(figsize=(WIDTH * 0.7, 3.1))
    x = np.arange(len(names))
    means = np.array([value.mean for value in paper if value])
    errors = np.array([1.96 * value.sd / np.sqrt(published.PUBLISHED_TRIALS) for value in paper if value])
    axis.errorbar(
        x - 0.08,
        means,
        yerr=errors,
        color="#7F7F7F",
        marker="s",
        markersize=4,
        linestyle="dashed",
        linewidth=1,
        capsize=2,
        label="paper (NASBench-101; interval from its SD over 500 trials)",
    )
    mine = [(names.index(str(s)), statistics.describe(found.errors.to_numpy())) for s, found in runs]
    axis.errorbar(
        [i + 0.08 for i, _ in mine],
        [d.mean for _, d in mine],
        yerr=[[d.mean - d.interval.low for _, d in mine], [d.interval.high - d.mean for _, d in mine]],
        color=style("remaade_medium").color,
        marker="o",
        markersize=4,
        capsize=2,
        linewidth=1.2,
        label=f"ours ({material.study.benchmark})",
    )
    axis.set_xticks(x, names)
    axis.set_xlabel("number S of autoregressive orders")
    axis.set_ylabel("test error, %: mean and 95 % interval")
    return _finish(
        figure, material, [], handles=axis.get_legend_handles_labels(), used=[found for _, found in runs]
    )


def paper_against_ours(material: Material) -> Figure | None:
    """Published means against ours, tables 3 and 4 left, 5 and 6 right."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.9))
    used: list[Any] = []
    handles: dict[str, Any] = {}
    for axis, tables in zip(axes, ((3, 4), (5, 6))):
        points: list[float] = []  # ends of all intervals
        for table in tables:
            budget, rows, _, _ = published.TABLES[table]
            for row in rows:
                found = material.study.find(row.label, budget, row.settings)
                if found.info is None or row.value is None or not len(found.errors):
                    continue
                used.append(found)
                described, s = statistics.describe(found.errors.to_numpy()), style(row.label)
                half = 1.96 * row.value.sd / np.sqrt(published.PUBLISHED_TRIALS)
                filled = "full" if table in (3, 5) else "none"
                marker = axis.errorbar(
                    row.value.mean,
                    described.mean,
                    xerr=half,
                    yerr=[
                        [described.mean - described.interval.low],
                        [described.interval.high - described.mean],
                    ],
                    color=s.color,
                    marker=s.marker,
                    markersize=6,
                    fillstyle=filled,
                    linestyle="none",
                    linewidth=0.8,
                )
                if row.value.doubt:
                    axis.plot(
                        row.value.mean,
                        described.mean,
                        marker="o",
                        markersize=13,
                        color="#B00020",
                        fillstyle="none",
                        markeredgewidth=0.9,
                    )
                handles.setdefault(s.name, marker)
                points += [row.value.mean - half, row.value.mean + half, *described.interval]
        if points:
            low, high = np.nanmin(points) - 0.03, np.nanmax(points) + 0.03
            axis.plot([low, high], [low, high], color="#999999", linewidth=0.8, linestyle="dotted")
            axis.set_xlim(low, high)
            axis.set_ylim(low, high)
            axis.set_aspect("equal")
        axis.set_title(
            f"{published.TABLES[tables[0]][0]:,} queries (table {tables[0]} filled, table {tables[1]} hollow)"
        )
        axis.set_xlabel("paper: test error, %")
        axis.set_ylabel("ours: test error, %")
    if not used:
        plt.close(figure)
        return None
    names = list(handles)
    note = "bars: 95 % interval of the mean; dotted: equal levels; red ring: doubtful published value"
    return _finish(
        figure, material, [], handles=([handles[name] for name in names], names), used=used, note=note
    )


def _line(axis: Axes, label: str, b: Any) -> None:
    s = style(label)
    shown = np.isfinite(b.mean)
    step: Any = {"drawstyle": "steps-post"} if len(b.x) <= 400 else {}
    marks = _marks(int(shown.sum()))
    axis.plot(
        b.x[shown],
        b.mean[shown],
        color=s.color,
        linestyle=s.dash,
        marker=s.marker,
        markersize=3.2,
        markevery=marks,
        label=s.name,
        **step,
    )
    axis.fill_between(
        b.x[shown],
        b.low[shown],
        b.high[shown],
        color=s.color,
        alpha=0.11,
        linewidth=0,
        step="post" if step else None,
    )


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


def _marks(points: int) -> Any:
    return (0, max(points // 8, 1))


def _finish(
    figure: Figure,
    material: Material,
    methods: list[Method],
    legend: bool = True,
    handles: tuple[list[Any], list[str]] | None = None,
    used: list[Any] | None = None,
    note: str = "",
) -> Figure:
    """Legend under the axes, provenance under the legend, nothing over anything else."""
    if handles is None and legend:
        got, names = figure.axes[0].get_legend_handles_labels()
        by_name = dict(zip(names, got))
        wanted = [style(label).name for label in order([method.label for method in methods])]
        handles = (
            [by_name[name] for name in wanted if name in by_name],
            [name for name in wanted if name in by_name],
        )
    infos = [method.found.info for method in methods] + [found.info for found in used or []]
    study = material.study
    kind = " (a surrogate)" if any(info.surrogate for info in infos if info is not None) else ""
    names = commits([info for info in infos if info is not None])
    words = f"{study.benchmark}{kind}, {study.trials} trials, seed {study.seed}, commit {', '.join(names)}"
    words = ("DRAFT: " if study.draft else "") + words + (f"; {note}" if note else "")
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
