"""The model card's numbers. All scores are on the hold-out cells, which those fits did not see.

Notation and shapes
    m            hold-out cells; n all cells; levels are the fidelities 4, 12, 36 and 108 epochs
    runs         float64[n, 3, 2], frozen (validation, test) at 108 epochs
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nas_bench_suite.benchmarks.nasbench101.surrogate import NASBench101Surrogate
from nas_bench_suite.benchmarks.nasbench101.surrogate.graphs import to_strings
from nas_bench_suite.benchmarks.nasbench101.surrogate.observed import Observed
from nas_bench_suite.benchmarks.nasbench101.surrogate.scores import agreement
from nas_bench_suite.checks import ConfigError
from studies import markdown
from studies.surrogate_fit.published_values import (
    CELL_LEVELS,
    published_facts,
    weighted_quantiles,
)
from studies.surrogate_fit.search_levels import METHODS, RESIDUALS_ANEW, RUNS_ANEW, SHIPPED, Levels

SHARES = np.array([1, 2, 5, 10, 20, 40, 60, 80, 100])  # best cells, percent
TOP_SHARES = (10, 1)  # the same in the table
NOISE_EDGES = np.linspace(0.84, 0.95, 45)  # of the groups of cells by mean accuracy
LEAST_IN_GROUP = 30


class HoldOut(NamedTuple):
    """What ``make surrogate`` leaves: predictions of cells that the models had not seen."""

    cells: np.ndarray  # int64[m], rows of the observed data
    predicted: np.ndarray  # float64[m, 5], accuracies at the levels, and seconds
    observed: np.ndarray  # float64[m, 4]


class Top(NamedTuple):
    """Agreement among the best cells by observed value, one entry for each of SHARES."""

    kendall: list[float]
    rmse: list[float]
    bias: list[float]


class Quantiles(NamedTuple):
    """Frozen values beside observed and published ones."""

    levels: np.ndarray  # float64[k], percent
    gap: np.ndarray  # float64[k], best of three: frozen less observed
    marked_gap: np.ndarray  # float64[6], the same at CELL_LEVELS
    string_levels: np.ndarray  # float64[l], percent
    of_strings: np.ndarray  # float64[l], frozen single runs of uniform strings


class Noise(NamedTuple):
    """SD between runs, by mean accuracy."""

    accuracy: list[float]  # middle of each group of cells
    deviation: list[float]  # root mean square of the frozen runs' SD in the group
    real_accuracy: np.ndarray  # float64[30], of the cells with three known runs
    real_deviation: np.ndarray  # float64[30]


class Redrawn(NamedTuple):
    """Mean test error of searches (same run, percent) at one budget, by method."""

    shipped: dict[str, float]
    runs_anew: dict[str, list[float]]  # one entry for each draw
    residuals_anew: dict[str, list[float]]


def read_hold_out(work: Path) -> HoldOut:
    """The hold-out predictions in the fit's work folder.

    Raises:
        ConfigError: if there are none.
    """
    path = work / "hold_out.npz"
    if not path.is_file():
        raise ConfigError(f"{path} is missing; to make it: make surrogate.")
    with np.load(path) as stored:
        return HoldOut(stored["cells"], stored["predicted"], stored["observed"])


def top(predicted: np.ndarray, observed: np.ndarray) -> Top:
    """Agreement of predictions float64[m] among the best cells by observed value float64[m]."""
    rows = [
        agreement(observed[best], predicted[best])
        for best in (observed >= np.percentile(observed, 100 - share) for share in SHARES)
    ]
    return Top(*([row[name] for row in rows] for name in ("kendall", "rmse", "bias")))


def quantiles(observed: np.ndarray, runs: np.ndarray, weights: np.ndarray) -> Quantiles:
    """Quantiles of the best of three against observed ones float64[m], and of single runs of uniform strings.

    Args:
        weights: int64[n], how often a uniform string lands on each cell.
    """
    levels, string_levels = np.linspace(0.5, 99.9, 400), np.linspace(0.5, 99.5, 300)
    frozen = runs[:, :, 0].max(axis=1)
    return Quantiles(
        levels,
        np.percentile(frozen, levels) - np.percentile(observed, levels),
        np.percentile(frozen, CELL_LEVELS) - np.percentile(observed, CELL_LEVELS),
        string_levels,
        weighted_quantiles(runs[:, :, 0].ravel(), np.repeat(weights, 3), tuple(string_levels)),
    )


def noise(runs: np.ndarray, real: np.ndarray) -> Noise:
    """SD between runs: frozen, and of the cells with three known runs float64[30, 3]."""
    mean, spread = runs[:, :, 0].mean(axis=1), runs[:, :, 0].std(axis=1, ddof=1)
    trained = (runs[:, :, 0] > 0.5).all(axis=1)
    place = np.digitize(mean[trained], NOISE_EDGES)
    groups = [g for g in range(1, len(NOISE_EDGES)) if (place == g).sum() > LEAST_IN_GROUP]
    return Noise(
        [float(NOISE_EDGES[g - 1] + NOISE_EDGES[g]) / 2 for g in groups],
        [float(np.sqrt(np.mean(spread[trained][place == g] ** 2))) for g in groups],
        real.mean(axis=1),
        real.std(axis=1, ddof=1),
    )


def redrawn(work: Path) -> dict[int, Redrawn] | None:
    """How far levels move when the noise is drawn anew, by budget; None where
    ``studies.surrogate_fit.search_levels`` has not left its numbers in the work folder."""
    paths = {budget: work / f"search_{budget}.json" for budget in (150, 3200)}
    if not all(path.exists() for path in paths.values()):
        return None
    found = {}
    for budget, path in paths.items():
        table: Levels = json.loads(path.read_text())

        def of(kind: str, method: str, table: Levels = table) -> list[float]:
            return [levels[method]["same_run"] for name, levels in table.items() if name.startswith(kind)]

        found[budget] = Redrawn(
            {method: of(SHIPPED, method)[0] for method in METHODS},
            {method: of(f"{RUNS_ANEW},", method) for method in METHODS},
            {method: of(f"{RESIDUALS_ANEW},", method) for method in METHODS},
        )
    return found


def scores_markdown(held: HoldOut, observed: Observed) -> str:
    """How well the models predict the hold-out cells."""
    best, guess = held.observed[:, 3], held.predicted[:, 3]
    lines = [("best of three, 108 epochs", best, guess, 0.5)]
    for share in TOP_SHARES:
        chosen = best >= np.percentile(best, 100 - share)
        lines.append((f"the best {share} % ({chosen.sum()} cells)", best[chosen], guess[chosen], 0.5))
    lines += [
        (f"one run, {epochs} epochs", held.observed[:, level], held.predicted[:, level], 0.0)
        for level, epochs in enumerate((4, 12, 36))
    ]
    lines.append(("training seconds", observed.seconds[held.cells], held.predicted[:, 4], 0.0))
    rows = []
    for name, truth, predicted, floor in lines:
        s = agreement(truth, predicted, floor)
        numbers = (f"{s['r2']:.4f}", f"{s['kendall']:.4f}", f"{s['spearman']:.4f}", f"{s['bias']:+.5f}")
        rows.append((name, *numbers))
    return markdown.table(("hold-out cells", "R2", "Kendall", "Spearman", "bias"), rows)


def parameters_sentence(benchmark: NASBench101Surrogate, observed: Observed) -> str:
    """In how many observed cells the count of trainable parameters differs."""
    cells = benchmark.space.cell_id(to_strings(observed.adjacency, observed.ops))
    wrong = int((benchmark.trainable_parameters(cells) != observed.parameters).sum())
    return f"trainable parameters differ in {wrong} of {len(cells)} cells"


def facts_markdown(benchmark: NASBench101Surrogate) -> str:
    """Published values beside the surrogate's."""
    rows = [
        (fact.name, f"{fact.published:.6g}", f"{fact.surrogate:.6g}", "" if fact.agrees else "see below")
        for fact in published_facts(benchmark)
    ]
    return markdown.table(("fact", "published", "surrogate", ""), rows)
