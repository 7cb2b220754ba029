"""The surrogate with its noise drawn anew: how much of a result is the luck of the frozen draws?"""

from __future__ import annotations

import numpy as np

from nas_bench_suite.benchmarks.nasbench101.surrogate import NASBench101Surrogate, noise
from nas_bench_suite.benchmarks.nasbench101.surrogate.artefact import GRID
from studies.surrogate_fit.calibrate import NOISE_SEED

SMALL_CELLS = 91  # of at most 4 vertices; ids ascend by vertices, so these come first


def redrawn(seed: int, residuals: bool = False) -> NASBench101Surrogate:
    """The shipped surrogate with new runs at 108 epochs about the same smooth prediction; which runs collapse
    stays.

    Args:
        seed: of the new draws. residuals: whether the cells' residuals are drawn anew too, and not just the
            runs about the cells' means.
    """
    benchmark = NASBench101Surrogate()
    cells = np.arange(benchmark.space.num_cells)
    runs = benchmark._artefact.runs
    small = runs[:SMALL_CELLS].mean(axis=1) / GRID
    new = noise.draw_runs(
        benchmark.prediction(cells, "mean"),
        noise.cell_residuals(len(cells), (seed if residuals else NOISE_SEED,)),
        runs[:, :, 0] < 0.2 * GRID,
        noise.NoiseModel(),
        (seed,),
        cells[:SMALL_CELLS],
        small[:, 0],
        small[:, 1],
    )
    benchmark.replace_runs(new.astype(np.uint16))
    return benchmark
