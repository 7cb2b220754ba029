"""Do tables that the model draws hold what is observed as often as they say?

Notation and shapes
    m            held-out cells, whose prediction comes from a fit that has not seen them
    D            draws of these cells
    drawn        float64[D, m], what the model draws; observed float64[m]
    place        float64[m], share of draws below the observed value, uniform if the model is right
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from nas_bench_suite.benchmarks.nasbench101.surrogate.draws import SMALL_CELLS
from nas_bench_suite.benchmarks.nasbench101.surrogate.noise import (
    GRID,
    CollapseLaw,
    Noise,
    cell_residuals,
    draw_collapses,
    draw_runs,
)
from studies.draws.folds import Fold
from studies.surrogate_fit.calibrate import mean_from_best

DRAWS = 400
SHARES = (0.5, 0.8, 0.95)
LEVELS = (1, 5, 25, 50, 75, 95, 99)
BANDS = ((0.0, 1.0), (0.0, 0.90), (0.90, 0.92), (0.92, 0.935), (0.935, 1.0))  # of predictions
PAIRS = 10_000
_SEED = 202  # of these draws, apart from those of tables


class Coverage(NamedTuple):
    """How often intervals hold what was observed."""

    what: str
    cells: int
    shares: tuple[float, ...]  # observed, one for each of SHARES
    below: float  # mean place: .5 if the middle is right


class Pairs(NamedTuple):
    """Order of pairs of cells, by how sure the model is of it."""

    sure: str
    pairs: int
    expected: float  # mean probability that the model gives to the order it holds for likelier
    right: float  # share of pairs that are so


class Quantile(NamedTuple):
    """A quantile over the held-out cells of their best of three runs."""

    level: float  # percent
    observed: float
    low: float  # 2.5 and 97.5 % of the draws
    high: float


def sample(mean: np.ndarray, cells: np.ndarray, noise: Noise, draws: int = DRAWS) -> np.ndarray:
    """Runs float64[D, m, 3, 2], (validation, test), of cells int64[m] about predictions of their mean
    float64[m]."""
    model, law, _ = noise
    own = CollapseLaw(law.mean[cells], law.concentration)
    known = np.zeros(0)
    drawn = np.empty((draws, len(mean), 3, 2))
    for draw in range(draws):
        seed = (_SEED, draw)
        collapsed, _ = draw_collapses(own, seed)
        residual = cell_residuals(len(mean), seed)
        drawn[draw] = draw_runs(mean, residual, collapsed, model, seed, known.astype(np.int64), known, known)
    return drawn / GRID


def held_out(folds: dict[int, Fold], noise: Noise) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predictions of the best of three float64[m], what was observed float64[m], and draws of it float64[D,
    m], of the cells of all folds; those whose means are published are left out."""
    cells, predicted, observed = (np.concatenate(part) for part in zip(*folds.values()))
    big = cells >= SMALL_CELLS
    best = predicted[big, 3]
    drawn = sample(mean_from_best(best, noise.model), cells[big], noise)
    return best, observed[big, 3], drawn[..., 0].max(axis=2)


def places(drawn: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """float64[m]: share of draws float64[D, m] below what was observed, ties counted half."""
    below, equal = (drawn < observed - 0.5 / GRID).mean(axis=0), np.abs(drawn - observed) <= 0.5 / GRID
    return np.asarray(below + equal.mean(axis=0) / 2)


def coverage(what: str, drawn: np.ndarray, observed: np.ndarray) -> Coverage:
    """How often the middle 50, 80 and 95 % of draws hold what was observed."""
    place = places(drawn, observed)
    shares = tuple(float((np.abs(place - 0.5) <= share / 2).mean()) for share in SHARES)
    return Coverage(what, len(observed), shares, float(place.mean()))


def by_band(predicted: np.ndarray, observed: np.ndarray, drawn: np.ndarray) -> list[Coverage]:
    """Coverage of best-of-three intervals of cells, all and by prediction."""
    found = []
    for low, high in BANDS:
        chosen = (predicted >= low) & (predicted < high)
        words = {(0.0, 1.0): "all", (0.0, 0.9): "below .90"}.get((low, high), f"{low:.3g} to {high:.3g}")
        found.append(coverage(words, drawn[:, chosen], observed[chosen]))
    return found


def some_pairs(predicted: np.ndarray, share: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Random pairs int64[PAIRS] each of different cells, among the `share` of them that is predicted best."""
    order = np.argsort(-predicted)[: max(2, int(share * len(predicted)))]
    rng = np.random.default_rng(_SEED)
    one = rng.integers(0, len(order), PAIRS)
    other = (one + rng.integers(1, len(order), PAIRS)) % len(order)
    return order[one], order[other]


def differences(
    what: str, share: float, predicted: np.ndarray, observed: np.ndarray, drawn: np.ndarray
) -> Coverage:
    """Coverage of intervals of the difference of two cells' best of three."""
    one, other = some_pairs(predicted, share)
    return coverage(what, drawn[:, one] - drawn[:, other], observed[one] - observed[other])


def order_of_pairs(predicted: np.ndarray, observed: np.ndarray, drawn: np.ndarray) -> list[Pairs]:
    """How often pairs have the order that the model holds for likelier, by its probability; among all cells,
    and among the best tenth."""
    found = []
    for name, share, edges in (
        ("all cells", 1.0, (0.5, 0.6, 0.7, 0.8, 0.9, 1.01)),
        ("the best tenth", 0.1, (0.5, 0.6, 0.7, 0.8, 1.01)),
    ):
        one, other = some_pairs(predicted, share)
        differ = observed[one] != observed[other]
        one, other = one[differ], other[differ]
        better = drawn[:, one] - drawn[:, other]
        chance = (better > 0).mean(axis=0) + (better == 0).mean(axis=0) / 2
        sure, right = np.maximum(chance, 1 - chance), (chance > 0.5) == (observed[one] > observed[other])
        for low, high in pairwise(edges):
            here = (sure >= low) & (sure < high)
            words = f"{name}, {low:.1f} to {min(high, 1):.1f}"
            found.append(Pairs(words, int(here.sum()), float(sure[here].mean()), float(right[here].mean())))
    return found


def quantiles(observed: np.ndarray, drawn: np.ndarray) -> list[Quantile]:
    """Quantiles over the cells: observed, and in how wide a band the draws have them."""
    rows = np.percentile(drawn, LEVELS, axis=1)
    low, high = np.percentile(rows, (2.5, 97.5), axis=1)
    return [
        Quantile(level, float(truth), float(one), float(other))
        for level, truth, one, other in zip(LEVELS, np.percentile(observed, LEVELS), low, high, strict=True)
    ]


def neighbours(place: np.ndarray, features: np.ndarray) -> tuple[float, float]:
    """Do cells that are alike err alike? Rank correlation of the places of each cell and its nearest other
    cell, by standardised features float[m, F], and the same at random.

    Independent residuals, as the model has them, would give 0.
    """
    from scipy.spatial import cKDTree
    from scipy.stats import spearmanr

    scaled = (features - features.mean(axis=0)) / np.maximum(features.std(axis=0), 1e-9)
    nearest = cKDTree(scaled).query(scaled, k=2)[1][:, 1]
    shuffled = np.random.default_rng(0).permutation(len(place))
    return float(spearmanr(place, place[nearest]).statistic), float(
        spearmanr(place, place[shuffled]).statistic
    )


def known_runs(mean: np.ndarray, cells: np.ndarray, runs: np.ndarray, noise: Noise) -> list[Coverage]:
    """Coverage of intervals for cells whose three runs are known.

    Args:
        mean: float64[m], the shipped predictions. cells: int64[m]. runs: float64[m, 3, 2].
    """
    drawn = sample(mean, cells, noise, 1000)
    found = []
    for index, kind in enumerate(("validation", "test")):
        ours, theirs = drawn[..., index], runs[..., index]
        flat = np.repeat(ours[:, :, :1], 3, axis=2).reshape(len(ours), -1)
        found.append(coverage(f"{kind}, one run", flat, theirs.ravel()))
        found.append(coverage(f"{kind}, mean of three", ours.mean(axis=2), theirs.mean(axis=1)))
        found.append(coverage(f"{kind}, best of three", ours.max(axis=2), theirs.max(axis=1)))
    return found
