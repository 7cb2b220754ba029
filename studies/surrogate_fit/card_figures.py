"""The model card's plots, from the numbers of ``card_numbers``; to be drawn and saved under the settings
``RC``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from nas_bench_suite.benchmarks.nasbench101.surrogate.noise import NoiseModel, curve
from nas_bench_suite.benchmarks.nasbench101.surrogate.scores import agreement
from studies.surrogate_fit.card_numbers import NOISE_EDGES, SHARES, Noise, Quantiles, Redrawn, Top
from studies.surrogate_fit.published_values import CELL_LEVELS, STRING_LEVELS, STRING_QUANTILES

INK, MODEL, DATA = "#333333", "#1f6fb2", "#d1662b"
RC: Any = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 140}
SHOWN_CELLS = 6000  # of the plot of test accuracies
NAMES = {"random": "random", "regularized_evolution": "evolution"}


def _axes(width: float = 5.0, height: float = 4.0, columns: int = 1) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width * columns, height), layout="constrained")
    return figure, figure.subplots(1, columns)


def save(figure: Figure, path: Path) -> None:
    """Write a plot and say where."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})
    print(f"wrote {path}")


def draw_fidelity(predicted: np.ndarray, observed: np.ndarray) -> Figure:
    """Predicted against observed best of three, float64[m] each, and the same among the best tenth."""
    figure, (left, right) = _axes(4.6, 4.2, 2)
    shown = observed > 0.5
    left.plot([0.8, 0.95], [0.8, 0.95], color=INK, lw=0.8)
    left.hexbin(
        predicted[shown],
        observed[shown],
        gridsize=70,
        extent=(0.8, 0.95, 0.8, 0.95),
        bins="log",
        cmap="Blues",
        mincnt=1,
    )
    scores = agreement(observed, predicted)
    left.set(
        title=f"{scores['cells']:.0f} hold-out cells: R2 {scores['r2']:.4f}, Kendall {scores['kendall']:.4f}",
        aspect="equal",
    )
    best = observed >= np.percentile(observed, 90)
    ticks = [0.93, 0.935, 0.94, 0.945, 0.95]
    right.plot([0.93, 0.95], [0.93, 0.95], color=INK, lw=0.8)
    right.scatter(predicted[best], observed[best], s=9, color=MODEL, alpha=0.6, lw=0)
    right.set(xticks=ticks, yticks=ticks, aspect="equal")
    right.set(title=f"best 10 %: Kendall {agreement(observed[best], predicted[best])['kendall']:.2f}")
    for axis in (left, right):
        axis.set(xlabel="predicted best of three (validation)", ylabel="observed best of three")
    return figure


def draw_top(top: Top) -> Figure:
    """Kendall tau and error among the best cells by observed value."""
    figure, (left, right) = _axes(4.2, 3.4, 2)
    left.plot(SHARES, top.kendall, "o-", color=MODEL)
    left.set(
        xscale="log", xlabel="best cells by observed value (%)", ylabel="Kendall tau among them", ylim=(0, 1)
    )
    right.plot(SHARES, 1e3 * np.array(top.rmse), "o-", color=MODEL, label="RMSE")
    right.plot(SHARES, 1e3 * np.array(top.bias), "s--", color=DATA, label="mean bias")
    right.axhline(0, color=INK, lw=0.6)
    right.set(xscale="log", xlabel="best cells by observed value (%)", ylabel="error (1e-3)")
    right.legend(frameon=False)
    return figure


def draw_quantiles(quantiles: Quantiles) -> Figure:
    """Quantiles of frozen runs against observed best of three, and single runs of uniform strings against the
    published."""
    figure, (left, right) = _axes(4.4, 3.8, 2)
    left.plot(quantiles.levels, 1e3 * quantiles.gap, color=MODEL)
    left.fill_between(quantiles.levels, -2, 2, color=INK, alpha=0.08, lw=0)
    left.plot(CELL_LEVELS, 1e3 * quantiles.marked_gap, "o", color=MODEL)
    left.set(
        title="best of three, uniform cells",
        xlabel="percentile",
        ylabel="frozen less observed (1e-3)",
        ylim=(-6, 6),
    )
    right.plot(quantiles.string_levels, quantiles.of_strings, color=MODEL, label="frozen runs")
    right.plot(STRING_LEVELS, STRING_QUANTILES, "o", color=DATA, label="published")
    right.set(
        title="single runs, uniform valid strings",
        xlabel="percentile",
        ylabel="validation accuracy",
        ylim=(0.76, 0.95),
    )
    right.legend(frameon=False)
    return figure


def draw_noise(noise: Noise) -> Figure:
    """Run-to-run SD against accuracy: frozen runs, the noise curve, and the 30 cells with three known
    runs."""
    figure, axis = _axes(5.2, 3.8)
    frozen = 1e3 * np.array(noise.deviation)
    axis.plot(noise.accuracy, frozen, color=MODEL, label="frozen runs, root mean square")
    s = 1e3 * curve(NoiseModel().run_sd, NOISE_EDGES)
    axis.plot(NOISE_EDGES, s, "--", color=INK, lw=0.9, label="noise curve s(a)")
    axis.scatter(
        noise.real_accuracy,
        1e3 * noise.real_deviation,
        s=14,
        color=DATA,
        label="30 cells, three real runs each",
    )
    axis.set(xlabel="mean validation accuracy", ylabel="SD between runs (1e-3)", ylim=(0, 14))
    axis.legend(frameon=False)
    return figure


def draw_test(runs: np.ndarray, published: np.ndarray) -> Figure:
    """Validation less test, means of three: frozen runs float64[n, 3, 2] and published means float64[k,
    2]."""
    means = runs[(runs[:, :, 0] > 0.5).all(axis=1)].mean(axis=1)
    figure, axis = _axes(5.4, 3.8)
    sample = np.random.default_rng(0).choice(len(means), SHOWN_CELLS, replace=False)
    axis.scatter(
        means[sample, 0],
        1e3 * (means[sample, 0] - means[sample, 1]),
        s=3,
        color=MODEL,
        alpha=0.25,
        lw=0,
        label=f"frozen runs, {SHOWN_CELLS:,} cells",
    )
    axis.scatter(
        published[:, 0],
        1e3 * (published[:, 0] - published[:, 1]),
        s=9,
        color=DATA,
        alpha=0.7,
        lw=0,
        label="published, no identity",
    )
    axis.set(
        xlim=(0.82, 0.952),
        ylim=(-4, 16),
        xlabel="mean validation accuracy",
        ylabel="validation less test (1e-3)",
    )
    axis.legend(frameon=False)
    return figure


def draw_redrawn(redrawn: Mapping[int, Redrawn]) -> Figure:
    """How far levels move when the noise is drawn anew, one panel for each budget."""
    figure, axes = _axes(4.4, 3.4, 2)
    for axis, (budget, levels) in zip(axes, redrawn.items(), strict=True):
        for row, method in enumerate(NAMES):
            for offset, label, values, colour in (
                (0.12, "runs anew", levels.runs_anew[method], MODEL),
                (-0.12, "runs and residuals anew", levels.residuals_anew[method], DATA),
            ):
                axis.plot(
                    values,
                    np.full(len(values), row + offset),
                    "o",
                    ms=4,
                    color=colour,
                    alpha=0.7,
                    label=label if row == 0 else None,
                )
            shipped = levels.shipped[method]
            axis.plot(
                [shipped, shipped],
                [row - 0.22, row + 0.22],
                color=INK,
                lw=1.6,
                label="as shipped" if row == 0 else None,
            )
        axis.set(yticks=range(len(NAMES)), yticklabels=NAMES.values(), ylim=(-0.6, 1.9))
        axis.set(xlabel="mean test error, same run (%)", title=f"{budget} queries")
    axes[0].legend(frameon=False, loc="upper left", ncols=1, fontsize=7)
    return figure
