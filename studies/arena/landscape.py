"""What the tables are like.

Notation: C cells with mean validation accuracy v; a *neighbour* of a string differs in one variable.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nas_bench_suite.benchmark import Benchmark, Lookups
from studies.arena.scores import Values

WALK, OPTIMA, NEIGHBOURS = 20_000, 2_000, 400


class Landscape(NamedTuple):
    """Properties of a table.

    Attributes:
        cells, variables, runs: its size.
        agreement: Spearman's correlation of validation with test, over the best tenth of the cells by
            validation; NaN without test.
        noise: standard deviation of a cell's runs over that of cells, in the best tenth; NaN with one run.
        smoothness: correlation of v along a random walk of one-variable changes (lag 1), by ranks.
        optima: share of strings that no neighbour beats.
        near_best: share of cells whose error is at most 1 % (relative) above the best cell's.
    """

    cells: int
    variables: int
    runs: int
    agreement: float
    noise: float
    smoothness: float
    optima: float
    near_best: float


PROPERTIES = ("agreement", "noise", "smoothness", "optima", "near_best")


def landscape(values: Values) -> Landscape:
    """Measure a table."""
    from scipy.stats import rankdata, spearmanr

    benchmark, validation = values.benchmark, values.scores["validation"]
    space = benchmark.space
    good = np.argsort(-validation)[: max(50, len(validation) // 10)]
    agreement = np.nan
    if "test" in values.scores:
        agreement = float(spearmanr(validation[good], values.scores["test"][good]).statistic)
    rank = rankdata(validation) / len(validation)
    walk = space.cell_id(_walk(benchmark, WALK))
    smoothness = float(np.corrcoef(rank[walk[:-1]], rank[walk[1:]])[0, 1])
    error = 1 - validation
    return Landscape(
        len(validation),
        space.num_variables,
        benchmark.num_runs,
        agreement,
        _noise(benchmark, good),
        smoothness,
        _optima(benchmark, validation),
        float((error <= 1.01 * error.min()).mean()),
    )


def _noise(benchmark: Benchmark, cells: np.ndarray) -> float:
    if benchmark.num_runs == 1:
        return float("nan")
    runs = np.stack([benchmark.query(Lookups(cells, k)).validation for k in range(benchmark.num_runs)])
    within = float(np.sqrt(runs.var(axis=0, ddof=1).mean()))
    return within / float(runs.mean(axis=0).std())


def _walk(benchmark: Benchmark, steps: int) -> np.ndarray:
    """int64[steps, N]: a random walk over valid strings, one variable changed at a time."""
    space, rng = benchmark.space, np.random.default_rng(11)
    out = np.empty((steps, space.num_variables), dtype=np.int64)
    at = space.sample_rng(rng)
    for step in range(steps):
        out[step] = at
        while True:
            new = at.copy()
            i = rng.integers(space.num_variables)
            new[i] = (new[i] + 1 + rng.integers(space.sizes[i] - 1)) % space.sizes[i]
            if space.is_valid(new):
                break
        at = new
    return out


def _optima(benchmark: Benchmark, validation: np.ndarray) -> float:
    """Over uniform valid strings. A neighbour that is the same cell does not count."""
    space = benchmark.space
    strings = space.sample_rng(np.random.default_rng(12), (OPTIMA,))
    own = space.cell_id(strings)
    beaten = np.zeros(len(strings), dtype=np.bool_)
    for i in range(space.num_variables):
        for shift in range(1, int(space.sizes[i])):
            near = strings.copy()
            near[:, i] = (near[:, i] + shift) % space.sizes[i]
            cells = space.cell_id(near)
            beaten |= (cells != -1) & (validation[np.maximum(cells, 0)] > validation[own])
    return float((~beaten).mean())
