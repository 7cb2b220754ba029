"""From the ensemble's predictions of all cells to the artefact: early residuals, the risk to collapse, frozen
runs.

Notation and shapes
    m            hold-out cells; n all cells; levels are 4, 12, 36 and 108 epochs
    values       float64[n, 5], transformed predictions as in ``ensemble``
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nas_bench_suite.benchmarks.nasbench101.space import NASBench101Space, enumeration_checksum
from nas_bench_suite.benchmarks.nasbench101.surrogate import artefact, noise
from nas_bench_suite.benchmarks.nasbench101.surrogate.graphs import from_strings, to_strings
from nas_bench_suite.benchmarks.nasbench101.surrogate.observed import Observed, load_small_cells, shared_data
from studies.surrogate_fit import calibrate
from studies.surrogate_fit.ensemble import COLLAPSED_36, natural
from studies.surrogate_fit.features import flat_features
from studies.surrogate_fit.trees import fit_propensity


def early_noise(predicted: np.ndarray, observed: Observed, held: np.ndarray) -> list[noise.EarlyNoise]:
    """How single runs at 4, 12 and 36 epochs lie about predictions float64[m, 5] of held cells; collapses at
    36 are drawn apart."""
    measured = []
    for level in range(3):
        truth = observed.accuracies[held, level]
        kept = truth > COLLAPSED_36 if level == 2 else truth >= 0
        measured.append(calibrate.measure_early(predicted[kept, level], truth[kept]))
    return measured


def collapse_risk(observed: Observed, space: NASBench101Space, seed: int) -> np.ndarray:
    """Relative risk of a run of each cell to collapse, float64[n].

    Two models, of a collapse at 36 epochs and of never training at 108, on the features of the cell. The
    events share a cause (sums of pooled branches without a convolution between), so the geometric mean is
    taken: the commoner event steadies the rarer.
    """
    flat = flat_features(observed.adjacency, observed.ops)
    shaky = fit_propensity(flat, observed.accuracies[:, 2] < COLLAPSED_36, seed)
    never = fit_propensity(flat, observed.accuracies[:, 3] < 0.15, seed + 1)
    risks = []
    ids = np.arange(space.num_cells)
    for start in range(0, len(ids), 32768):
        rows = flat_features(*from_strings(space.architecture(ids[start : start + 32768])))
        risks.append(np.sqrt(shaky(rows) * never(rows)))
    return np.concatenate(risks)


def freeze(
    values: np.ndarray,
    measured: list[noise.EarlyNoise],
    observed: Observed,
    space: NASBench101Space,
    folder: Path,
    seed: int,
    meta: dict[str, Any],
) -> None:
    """Freeze runs around smooth predictions and write the artefact.

    Args:
        values: float64[n, 5], transformed predictions of all cells.
        measured: the early residuals.
        folder: where the artefact goes.
        seed: of the draws.
        meta: facts to keep with the artefact.
    """
    model = noise.NoiseModel()
    smooth = natural(values)
    best = smooth[:, 3]
    mean = calibrate.mean_from_best(best, model)
    small = load_small_cells(shared_data())
    pinned = space.cell_id(to_strings(small.adjacency, small.ops))

    risk = collapse_risk(observed, space, seed)
    collapsed, early_collapsed = noise.draw_collapses(noise.collapse_law(risk, pinned, model), (seed,))
    residual = noise.cell_residuals(space.num_cells, (seed,))
    runs = noise.draw_runs(
        mean, residual, collapsed, model, (seed,), pinned, small.validation[:, 3], small.test[:, 3]
    )
    early_runs = noise.draw_early_runs(
        smooth[:, :3], residual, measured, early_collapsed, model, (seed,), pinned, small.validation[:, :3]
    )
    early = smooth[:, :3] + np.stack(
        [np.interp(smooth[:, level], part.centres, part.bias) for level, part in enumerate(measured)], axis=1
    )
    artefact.write(
        folder,
        predictions=np.stack([best, mean], axis=1),
        early=early,
        seconds=smooth[:, 4],
        runs=runs,
        early_runs=early_runs,
        noise=noise.Noise(
            model, noise.collapse_law(risk, pinned, model, best), tuple(part.unbiased() for part in measured)
        ),
        meta={
            **meta,
            "enumeration": enumeration_checksum(),
            "observed_cells": len(observed.ops),
            "noise_seed": seed,
        },
    )
