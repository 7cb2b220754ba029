"""Predictions of observed cells by fits that have not seen them: ``python -m studies.draws.folds``.

Notation and shapes
    m            cells of a fold, a tenth of the observed ones; fold 0 is the hold-out of the shipped fit, on
                 whose residuals the noise model was calibrated; those of the other folds were not looked at

Each fold's ensemble has the settings, the seeds and the weight of the shipped one.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nas_bench_suite.benchmarks.nasbench101.surrogate import NASBench101Surrogate
from nas_bench_suite.benchmarks.nasbench101.surrogate.graphs import to_strings
from nas_bench_suite.benchmarks.nasbench101.surrogate.observed import load_observed, shared_data
from nas_bench_suite.checks import ConfigError
from nas_bench_suite.messages import exit_code
from studies.surrogate_fit.__main__ import HOLD_OUT, SPLIT_SEED
from studies.surrogate_fit.ensemble import combine, fit_all, members, natural, targets

NETWORKS = 4
FOLDER = Path("outputs/folds")


class Fold(NamedTuple):
    """Cells that a fit had not seen."""

    cells: np.ndarray  # int64[m], ids
    predicted: (
        np.ndarray
    )  # float64[m, 5], accuracies at 4, 12, 36 and 108 epochs (best of three), and seconds
    observed: np.ndarray  # float64[m, 4]


def rows_of(fold: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the observed cells, int64[m] in the fold and int64[count - m] outside, ascending."""
    order = np.random.default_rng(SPLIT_SEED).permutation(count)
    size = int(HOLD_OUT * count)
    inside = np.zeros(count, dtype=bool)
    inside[order[fold * size : (fold + 1) * size]] = True
    return np.flatnonzero(inside), np.flatnonzero(~inside)


def fit(fold: int, folder: Path, workers: int) -> None:
    """Fit the ensemble to what lies outside a fold, and store what it predicts of the fold."""
    observed = load_observed(shared_data() / "nasbench101" / "observed_25000_cells.csv.gz")
    inside, outside = rows_of(fold, len(observed.ops))
    values, chosen = targets(observed), members(NETWORKS, 0, False)
    jobs = [
        (
            member,
            observed.adjacency[outside],
            observed.ops[outside],
            values[outside],
            observed.adjacency[inside],
            observed.ops[inside],
        )
        for member in chosen
    ]
    found: dict[int, np.ndarray] = {}
    for index, prediction, seconds in fit_all(jobs, workers, None):
        found[index] = prediction
        print(f"fold {fold}: {chosen[index].name} after {seconds / 60:.1f} min", flush=True)
    store(fold, [found[index] for index in range(len(chosen))], folder)


def store(fold: int, predictions: list[np.ndarray], folder: Path) -> None:
    """Write a fold's file from its members' transformed predictions, float32[m, 5] each."""
    observed = load_observed(shared_data() / "nasbench101" / "observed_25000_cells.csv.gz")
    inside, _ = rows_of(fold, len(observed.ops))
    benchmark = NASBench101Surrogate()
    weight = benchmark._artefact.meta["hold_out"]["tree_weight"]
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        folder / f"fold_{fold}.npz",
        cells=benchmark.space.cell_id(to_strings(observed.adjacency[inside], observed.ops[inside])),
        predicted=natural(combine(predictions, members(NETWORKS, 0, False), weight)),
        observed=observed.accuracies[inside],
    )


def read(folder: Path = FOLDER) -> dict[int, Fold]:
    """The folds that have been fitted, by number.

    Raises:
        ConfigError: if there are none.
    """
    found = {}
    for path in sorted(folder.glob("fold_*.npz")):
        with np.load(path) as stored:
            found[int(path.stem.removeprefix("fold_"))] = Fold(*(stored[name] for name in Fold._fields))
    if not found:
        raise ConfigError(f"{folder} has no fold_*.npz; to make them: python -m studies.draws.folds.")
    return found


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m studies.draws.folds", description=__doc__)
    parser.add_argument("--folds", type=int, nargs="+", default=[1], help="which of 0 to 9 (1)")
    parser.add_argument("--workers", type=int, default=2, help="fits at a time, one thread each (2)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"where they go ({FOLDER})")
    options = parser.parse_args(arguments)

    def work() -> int:
        for fold in options.folds:
            if not 0 <= fold < 10:
                raise ConfigError(f"--folds {fold} is out of range; accepted: whole numbers in [0, 9].")
            fit(fold, options.folder, options.workers)
        return 0

    return exit_code(work)


if __name__ == "__main__":
    sys.exit(main())
