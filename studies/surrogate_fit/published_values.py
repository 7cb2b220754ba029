"""Published facts of the whole table beside the same figures of the frozen runs.

Notation and shapes
    n            cells; runs float64[n, 3, 2], (validation, test); early float64[n, 3, 3], (fidelity, run)

Each fact is (name, published value, surrogate's value, what would be close). A published value that is itself
an estimate is compared within its stated error; the two sets of quantiles within the margins that are asked
of this surrogate.
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

import numpy as np

from nas_bench_suite.benchmark import Lookups
from nas_bench_suite.benchmarks.nasbench101.space import NASBench101Space
from nas_bench_suite.benchmarks.nasbench101.surrogate import NASBench101Surrogate
from nas_bench_suite.benchmarks.nasbench101.surrogate.artefact import GRID

CELL_LEVELS = (5, 25, 50, 75, 95, 99)
CELL_QUANTILES = (0.8703, 0.9003, 0.9162, 0.9280, 0.9392, 0.9434)  # best of three, 25,000 uniform cells
STRING_LEVELS = (1, 25, 50, 75, 99)
STRING_QUANTILES = (0.809, 0.8825, 0.9096, 0.9323, 0.9435)  # single runs, uniform valid strings


class Fact(NamedTuple):
    """One figure: published, the surrogate's, and how far apart counts as agreement."""

    name: str
    published: float
    surrogate: float
    margin: float

    @property
    def agrees(self) -> bool:
        """Whether the surrogate's value lies within the margin."""
        return abs(self.surrogate - self.published) <= self.margin


def string_weights(space: NASBench101Space, strings: int = 2_000_000, seed: int = 0) -> np.ndarray:
    """How often uniform valid strings land on each cell, int64[n], by sampling."""
    rng = np.random.default_rng(seed)
    return np.bincount(space.cell_id(space.sample_rng(rng, (strings,))), minlength=space.num_cells)


def weighted_quantiles(values: np.ndarray, weights: np.ndarray, levels: tuple[int, ...]) -> np.ndarray:
    """Quantiles (percent levels) of values that count ``weights`` times each."""
    order = np.argsort(values)
    mass = np.cumsum(weights[order])
    return np.asarray(values[order][np.searchsorted(mass, np.array(levels) / 100 * mass[-1])])


def best_by_one_run(runs: np.ndarray, repeats: int = 100, seed: int = 0) -> np.ndarray:
    """Choose the best of all cells by one random run each: float64[repeats, 2], its validation and the same
    run's test."""
    rng = np.random.default_rng(seed)
    chosen = np.empty((repeats, 2))
    cells = np.arange(len(runs))
    for repeat in range(repeats):
        drawn = runs[cells, rng.integers(0, 3, len(runs))]
        chosen[repeat] = drawn[drawn[:, 0].argmax()]
    return chosen


def published_facts(benchmark: NASBench101Surrogate) -> list[Fact]:
    """Every published fact that concerns values, beside the surrogate's."""
    from scipy.stats import kendalltau

    runs = benchmark._table.runs / GRID
    early = benchmark._table.early_runs / GRID
    means = runs.mean(axis=1)
    best_of_3 = runs[:, :, 0].max(axis=1)
    collapsed = runs[:, :, 0] < 0.2
    trained = ~collapsed.any(axis=1)
    gap = (means[:, 0] - means[:, 1])[trained]
    top_test = means[:, 1].argmax()
    one_run = best_by_one_run(runs)
    rng = np.random.default_rng(2)
    some = rng.choice(np.flatnonzero(trained), 20_000, replace=False)
    spread = np.sqrt(runs[some].var(axis=1, ddof=1).mean(axis=0))
    seconds = benchmark.query(Lookups(np.arange(len(runs)), 0)).seconds
    facts = [
        Fact("best mean validation", 0.9505542318, means[:, 0].max(), 0.0005),
        Fact("best mean test", 0.9431757530, means[:, 1].max(), 0.0005),
        Fact("best single-run validation", 0.95182294, runs[:, :, 0].max(), 0.0005),
        Fact("best single-run test", 0.94661456, runs[:, :, 1].max(), 0.0008),
        Fact(
            "cells with a better mean validation than the best-test cell",
            174,
            (means[:, 0] > means[top_test, 0]).sum(),
            174,
        ),
        Fact("best of all by one run: validation", 0.95139, one_run[:, 0].mean(), 0.00038),
        Fact("best of all by one run: its SD", 0.00038, one_run[:, 0].std(ddof=1), 0.0002),
        Fact("best of all by one run: test of that run", 0.94552, one_run[:, 1].mean(), 0.00080),
        Fact("best of all by one run: SD of test", 0.00080, one_run[:, 1].std(ddof=1), 0.0004),
        Fact("share of collapsed runs", 0.0063, collapsed.mean(), 0.0003),
        Fact("cells that never train", 645, collapsed.all(axis=1).sum(), 80),
        Fact("share of cells below 80 % (mean)", 0.012, (means[:, 0] < 0.8).mean(), 0.0015),
        Fact("mean validation minus test", 0.0060, gap.mean(), 0.0003),
        Fact("SD of validation minus test, means of three", 0.0018, gap.std(), 0.0002),
        Fact(
            "correlation of validation and test, means of three",
            0.9955,
            np.corrcoef(means[trained].T)[0, 1],
            0.002,
        ),
        Fact("run-to-run SD, validation (30 cells)", 0.0047, spread[0], 0.0008),
        Fact("run-to-run SD, test (30 cells)", 0.0053, spread[1], 0.0008),
    ]
    pick = rng.choice(len(runs), 25_000, replace=False)
    for level, (epochs, published) in enumerate(((4, 0.309), (12, 0.439), (36, 0.695))):
        tau = kendalltau(early[pick, level, 0], best_of_3[pick]).statistic
        facts.append(Fact(f"Kendall tau of {epochs} epochs with 108", published, float(tau), 0.02))
    for level, published in ((1, 707), (25, 1243), (50, 1554), (75, 2511), (99, 4385)):
        facts.append(
            Fact(
                f"training seconds, {level} %",
                published,
                float(np.percentile(seconds, level)),
                0.02 * published,
            )
        )
    for level, published, value in zip(
        CELL_LEVELS, CELL_QUANTILES, np.percentile(best_of_3, CELL_LEVELS), strict=True
    ):
        facts.append(Fact(f"best of three over uniform cells, {level} %", published, float(value), 0.002))
    weights = np.repeat(string_weights(benchmark.space), 3)
    for level, published, value in zip(
        STRING_LEVELS,
        STRING_QUANTILES,
        weighted_quantiles(runs[:, :, 0].ravel(), weights, STRING_LEVELS),
        strict=True,
    ):
        facts.append(
            Fact(f"single run over uniform valid strings, {level} %", published, float(value), 0.004)
        )
    return facts


def main() -> int:
    """Print the facts; exit code 1 if one lies outside its margin."""
    parser = argparse.ArgumentParser(prog="python -m studies.surrogate_fit.published_values")
    parser.add_argument("--draw", type=int, default=0, help="of the table (0, the frozen one)")
    facts = published_facts(NASBench101Surrogate(draw=parser.parse_args().draw))
    for fact in facts:
        print(
            f"{'' if fact.agrees else '!':1s} {fact.name:62s} {fact.published:10.5f} {fact.surrogate:10.5f}  "
            f"within {fact.margin:g}"
        )
    return 0 if all(fact.agrees for fact in facts) else 1


if __name__ == "__main__":
    raise SystemExit(main())
