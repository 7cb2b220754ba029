"""Numbers and plots of the model card: ``python -m studies.surrogate_fit.card``.

Reads what ``make surrogate`` leaves in ``outputs/surrogate`` (hold-out predictions), the observed data, and
the shipped artefact; writes ``docs/images/surrogate_*.png`` and prints the tables. All scores are on the
hold-out cells, which those fits did not see.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from nas_bench_suite.benchmarks.nasbench101.surrogate import NASBench101Surrogate
from nas_bench_suite.benchmarks.nasbench101.surrogate.artefact import GRID
from nas_bench_suite.benchmarks.nasbench101.surrogate.graphs import to_strings
from nas_bench_suite.benchmarks.nasbench101.surrogate.observed import load_observed, shared_data
from nas_bench_suite.benchmarks.nasbench101.surrogate.scores import agreement
from studies.surrogate_fit.calibrate import NoiseModel, curve
from studies.surrogate_fit.published_values import (
    CELL_LEVELS,
    STRING_LEVELS,
    STRING_QUANTILES,
    published_facts,
    string_weights,
    weighted_quantiles,
)

INK, MODEL, DATA = "#333333", "#1f6fb2", "#d1662b"


def _axes(width: float = 5.0, height: float = 4.0, columns: int = 1) -> tuple[Any, Any]:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update(
        {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 140}
    )
    return plt.subplots(1, columns, figsize=(width * columns, height), layout="constrained")


def _save(figure: Any, folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"surrogate_{name}.png", metadata={"Software": None})
    print(f"wrote {folder / f'surrogate_{name}.png'}")


def plot_fidelity(predicted: np.ndarray, observed: np.ndarray, folder: Path) -> None:
    """Predicted against observed best of three, hold-out cells, and the same among the best tenth."""
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
    top = observed >= np.percentile(observed, 90)
    right.plot([0.93, 0.95], [0.93, 0.95], color=INK, lw=0.8)
    right.scatter(predicted[top], observed[top], s=9, color=MODEL, alpha=0.6, lw=0)
    right.set(
        xticks=[0.93, 0.935, 0.94, 0.945, 0.95], yticks=[0.93, 0.935, 0.94, 0.945, 0.95], aspect="equal"
    )
    right.set(title=f"best 10 %: Kendall {agreement(observed[top], predicted[top])['kendall']:.2f}")
    for axis in (left, right):
        axis.set(xlabel="predicted best of three (validation)", ylabel="observed best of three")
    _save(figure, folder, "predicted_observed")


def plot_top(predicted: np.ndarray, observed: np.ndarray, folder: Path) -> None:
    """Kendall tau and error among the best cells by observed value."""
    shares = np.array([1, 2, 5, 10, 20, 40, 60, 80, 100])
    rows = [
        agreement(observed[top], predicted[top])
        for top in (observed >= np.percentile(observed, 100 - s) for s in shares)
    ]
    figure, (left, right) = _axes(4.2, 3.4, 2)
    left.plot(shares, [row["kendall"] for row in rows], "o-", color=MODEL)
    left.set(
        xscale="log", xlabel="best cells by observed value (%)", ylabel="Kendall tau among them", ylim=(0, 1)
    )
    right.plot(shares, [1e3 * row["rmse"] for row in rows], "o-", color=MODEL, label="RMSE")
    right.plot(shares, [1e3 * row["bias"] for row in rows], "s--", color=DATA, label="mean bias")
    right.axhline(0, color=INK, lw=0.6)
    right.set(xscale="log", xlabel="best cells by observed value (%)", ylabel="error (1e-3)")
    right.legend(frameon=False)
    _save(figure, folder, "top")


def plot_quantiles(observed: np.ndarray, runs: np.ndarray, weights: np.ndarray, folder: Path) -> None:
    """Quantiles of frozen runs against observed best of three, and single runs of uniform strings against the
    published."""
    figure, (left, right) = _axes(4.4, 3.8, 2)
    levels = np.linspace(0.5, 99.9, 400)
    frozen = runs[:, :, 0].max(axis=1)
    left.plot(levels, 1e3 * (np.percentile(frozen, levels) - np.percentile(observed, levels)), color=MODEL)
    left.fill_between(levels, -2, 2, color=INK, alpha=0.08, lw=0)
    left.plot(
        CELL_LEVELS,
        1e3 * (np.percentile(frozen, CELL_LEVELS) - np.percentile(observed, CELL_LEVELS)),
        "o",
        color=MODEL,
    )
    left.set(
        title="best of three, uniform cells",
        xlabel="percentile",
        ylabel="frozen less observed (1e-3)",
        ylim=(-6, 6),
    )
    grid = np.linspace(0.5, 99.5, 300)
    right.plot(
        grid,
        weighted_quantiles(runs[:, :, 0].ravel(), np.repeat(weights, 3), tuple(grid)),
        color=MODEL,
        label="frozen runs",
    )
    right.plot(STRING_LEVELS, STRING_QUANTILES, "o", color=DATA, label="published")
    right.set(
        title="single runs, uniform valid strings",
        xlabel="percentile",
        ylabel="validation accuracy",
        ylim=(0.76, 0.95),
    )
    right.legend(frameon=False)
    _save(figure, folder, "quantiles")


def plot_noise(runs: np.ndarray, real: np.ndarray, folder: Path) -> None:
    """Run-to-run SD against accuracy: frozen runs, the noise curve, and the 30 cells with three known
    runs."""
    mean, spread = runs[:, :, 0].mean(axis=1), runs[:, :, 0].std(axis=1, ddof=1)
    trained = (runs[:, :, 0] > 0.5).all(axis=1)
    figure, axis = _axes(5.2, 3.8)
    edges = np.linspace(0.84, 0.95, 45)
    place = np.digitize(mean[trained], edges)
    middle = [index for index in range(1, len(edges)) if (place == index).sum() > 30]
    axis.plot(
        [(edges[index - 1] + edges[index]) / 2 for index in middle],
        [1e3 * np.sqrt(np.mean(spread[trained][place == index] ** 2)) for index in middle],
        color=MODEL,
        label="frozen runs, root mean square",
    )
    axis.plot(
        edges, 1e3 * curve(NoiseModel().run_sd, edges), "--", color=INK, lw=0.9, label="noise curve s(a)"
    )
    axis.scatter(
        real.mean(axis=1),
        1e3 * real.std(axis=1, ddof=1),
        s=14,
        color=DATA,
        label="30 cells, three real runs each",
    )
    axis.set(xlabel="mean validation accuracy", ylabel="SD between runs (1e-3)", ylim=(0, 14))
    axis.legend(frameon=False)
    _save(figure, folder, "run_noise")


def plot_test(runs: np.ndarray, published: np.ndarray, folder: Path) -> None:
    """Validation less test, means of three: frozen and published."""
    means = runs[(runs[:, :, 0] > 0.5).all(axis=1)].mean(axis=1)
    figure, axis = _axes(5.4, 3.8)
    sample = np.random.default_rng(0).choice(len(means), 6000, replace=False)
    axis.scatter(
        means[sample, 0],
        1e3 * (means - means[:, 1:])[sample, 0],
        s=3,
        color=MODEL,
        alpha=0.25,
        lw=0,
        label="frozen runs, 6,000 cells",
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
    _save(figure, folder, "validation_test")


def plot_redrawn(work: Path, folder: Path) -> None:
    """How far levels move when the noise is drawn anew, where ``studies.surrogate_fit.search_levels`` has
    left its numbers."""
    found = {budget: work / f"search_{budget}.json" for budget in (150, 3200)}
    if not all(path.exists() for path in found.values()):
        print(
            "no search_150.json and search_3200.json in the work folder: the plot of redrawn noise is left "
            "as it is"
        )
        return
    figure, axes = _axes(4.4, 3.4, 2)
    for axis, (budget, path) in zip(axes, found.items(), strict=True):
        table = json.loads(path.read_text())
        for row, method in enumerate(("random", "regularized_evolution")):
            for offset, kind, colour in (
                (0.12, "runs anew,", MODEL),
                (-0.12, "runs and residuals anew,", DATA),
            ):
                values = [table[name][method]["same_run"] for name in table if name.startswith(kind)]
                axis.plot(
                    values,
                    np.full(len(values), row + offset),
                    "o",
                    ms=4,
                    color=colour,
                    alpha=0.7,
                    label=kind[:-1] if row == 0 else None,
                )
            shipped = table["as shipped"][method]["same_run"]
            axis.plot(
                [shipped, shipped],
                [row - 0.22, row + 0.22],
                color=INK,
                lw=1.6,
                label="as shipped" if row == 0 else None,
            )
        axis.set(yticks=(0, 1), yticklabels=("random", "evolution"), ylim=(-0.6, 1.9))
        axis.set(xlabel="mean test error, same run (%)", title=f"{budget} queries")
    axes[0].legend(frameon=False, loc="upper left", ncols=1, fontsize=7)
    _save(figure, folder, "redrawn_noise")


def main() -> None:
    """Make the card's plots and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("outputs/surrogate"))
    parser.add_argument("--images", type=Path, default=Path("docs/images"))
    options = parser.parse_args()
    data = shared_data() / "nasbench101"
    observed = load_observed(data / "observed_25000_cells.csv.gz")
    benchmark = NASBench101Surrogate()
    with np.load(options.work / "hold_out.npz") as stored:
        held, predicted, truth = stored["cells"], stored["predicted"], stored["observed"]
    runs = benchmark._runs / GRID

    table = np.genfromtxt(
        data / "three_runs_of_30_cells.csv", delimiter=",", names=True, dtype=None, encoding="utf-8"
    )
    real = table["final_validation_accuracy"].reshape(30, 3)
    curves = np.genfromtxt(data / "mean_of_3_learning_curves.csv.gz", delimiter=",", names=True)
    plot_fidelity(predicted[:, 3], truth[:, 3], options.images)
    plot_top(predicted[:, 3], truth[:, 3], options.images)
    plot_quantiles(observed.accuracies[:, 3], runs, string_weights(benchmark.space), options.images)
    plot_noise(runs, real, options.images)
    plot_test(runs, np.stack([curves["mean_val_108"], curves["mean_test_108"]], axis=1), options.images)
    plot_redrawn(options.work, options.images)

    print("\n| hold-out cells | R2 | Kendall | Spearman | bias |\n|---|---|---|---|---|")
    lines = [("best of three, 108 epochs", truth[:, 3], predicted[:, 3], 0.5)]
    for share in (10, 1):
        top = truth[:, 3] >= np.percentile(truth[:, 3], 100 - share)
        lines.append((f"the best {share} % ({top.sum()} cells)", truth[top, 3], predicted[top, 3], 0.5))
    lines += [
        (f"one run, {epochs} epochs", truth[:, level], predicted[:, level], 0.0)
        for level, epochs in enumerate((4, 12, 36))
    ]
    lines.append(("training seconds", observed.seconds[held], predicted[:, 4], 0.0))
    for name, x, y, floor in lines:
        s = agreement(x, y, floor)
        print(f"| {name} | {s['r2']:.4f} | {s['kendall']:.4f} | {s['spearman']:.4f} | {s['bias']:+.5f} |")
    cells = benchmark.space.cell_id(to_strings(observed.adjacency, observed.ops))
    print(
        "\ntrainable parameters differ in "
        f"{(benchmark.trainable_parameters(cells) != observed.parameters).sum()} of {len(cells)} cells"
    )
    print("\n| fact | published | surrogate | |\n|---|---|---|---|")
    for fact in published_facts(benchmark):
        print(
            f"| {fact.name} | {fact.published:.6g} | {fact.surrogate:.6g} | "
            f"{'' if fact.agrees else 'see below'} |"
        )


if __name__ == "__main__":
    main()
