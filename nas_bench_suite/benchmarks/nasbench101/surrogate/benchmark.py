"""The surrogate as a benchmark: every query is a look-up in frozen arrays.

Notation and shapes
    n = 423,624 cells, ids as in ``cells``; three runs; fidelities 4, 12, 36 and 108 epochs
    runs         uint16[n, 3, 2], (validation, test) at 108 epochs in 1/9984
    early_runs   uint16[n, 3, 3], validation at (4, 12, 36) epochs, three runs each, in 1/9984

Draw 0 is the frozen table; every other draw is another table of the same model (see ``draws``), whose arrays
are made when the benchmark is and then queried in the same way.

A query at 4, 12 or 36 epochs reads one of three frozen runs too; run r there is a training of its own, not
the first epochs of run r at 108 (in NASBench-101 each budget is trained afresh, with a schedule of its own).
Test accuracy at those budgets is validation less the published mean gap at that accuracy: no noise of its own
is known.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nas_bench_suite.benchmark import Benchmark, Evaluation, Facts, Lookups
from nas_bench_suite.checks import ConfigError, check_choice, check_int

from ..space import NASBench101Space, enumeration_checksum
from .artefact import FINE, FOLDER, GRID, SECOND, Artefact
from .draws import MOST_DRAWS, Draw
from .graphs import from_strings, official_parameters

FIDELITIES = (4, 12, 36, 108)
# Share of the training time at 108 epochs, medians of the 553 published learning curves (EC-NAS-Bench).
TIME_SHARE = {4: 0.0448, 12: 0.1154, 36: 0.3380, 108: 1.0}
# Mean of validation minus test at a validation accuracy, for 4, 12 and 36 epochs: knots from the same curves.
EARLY_GAP = (
    ((0.10, 0.0), (0.16, 0.0014), (0.28, 0.0017), (0.39, 0.0028), (0.52, 0.0037)),
    ((0.10, 0.0), (0.385, 0.0), (0.536, 0.0021), (0.641, 0.0044), (0.726, 0.0077), (0.79, 0.0100)),
    ((0.10, 0.0), (0.80, 0.0060), (0.862, 0.0060), (0.884, 0.0067), (0.902, 0.0075), (0.92, 0.0082)),
)
STATISTICS = ("mean", "best_of_3")


class NASBench101Surrogate(Benchmark):
    """NASBench-101 as a model fitted to 25,000 of its cells sees it. Not the table itself; see
    ``docs/surrogate.md``.

    Args:
        edge_limit: "pruned" (the official rule: at most 9 edges after pruning) or "raw" (before pruning).
        folder: the artefact's files, those of the package if left out.
        draw: 0 for the frozen table; K for draw K of the calibrated model.
    Raises:
        ConfigError: for a wrong option; if the files are missing, damaged, or belong to another enumeration
            of the cells.
    """

    name = "nasbench101_surrogate"
    fidelities = FIDELITIES
    num_runs = 3

    def __init__(self, edge_limit: str = "pruned", folder: str | Path | None = None, draw: int = 0) -> None:
        self.space: NASBench101Space = NASBench101Space(edge_limit)
        if folder is not None and not isinstance(folder, (str, Path)):
            raise ConfigError(f"benchmark.folder={folder} is no path; accepted: the folder of the files.")
        self._artefact = Artefact(Path(folder) if folder is not None else FOLDER, enumeration_checksum())
        if self._artefact.meta["cells"] != self.space.num_cells:
            raise ConfigError(
                f"the surrogate in {self._artefact.folder} holds {self._artefact.meta['cells']:,} cells; "
                f"accepted: all {self.space.num_cells:,}."
            )
        self.draw = check_int("benchmark.draw", draw, 0, MOST_DRAWS)
        self._table: Artefact | Draw = Draw(self._artefact, self.draw) if self.draw else self._artefact
        self._seconds = self._artefact.seconds.astype(np.float64) / SECOND
        self.replace_runs(self._table.runs)

    def replace_runs(self, runs: np.ndarray) -> None:
        """Let queries at 108 epochs read other runs, uint16[n, 3, 2] on the grid: for studies of the noise
        alone."""
        self._runs = runs
        # Validation in the low and test in the high half of a word: one gather a query.
        self._packed = (runs[:, :, 0] | (runs[:, :, 1].astype(np.uint32) << 16)).ravel()

    def look_up(self, lookups: Lookups) -> Evaluation:
        """See ``Benchmark.look_up``. Architectures are not needed."""
        cell_ids, run = lookups.cells, lookups.runs
        if lookups.fidelities is None:
            return self._full(cell_ids, run)
        levels = np.broadcast_to(self.levels(lookups.fidelities), cell_ids.shape)
        full = self._full(cell_ids, run)
        validation, test, seconds = (np.array(part) for part in full)
        for level, epochs in enumerate(FIDELITIES[:-1]):
            here = levels == level
            if here.any():
                runs = run if isinstance(run, str) else np.broadcast_to(run, cell_ids.shape)[here]
                early = self._early(cell_ids[here], runs, level)
                validation[here] = early
                at, gap = np.array(EARLY_GAP[level]).T
                test[here] = np.rint((early - np.interp(early, at, gap)) * GRID) / GRID
                seconds[here] *= TIME_SHARE[epochs]
        return Evaluation(validation, test, seconds)

    def _full(self, cell_ids: np.ndarray, run: np.ndarray | int | str) -> Evaluation:
        seconds = self._seconds.take(cell_ids)
        if isinstance(run, str):
            pair = self._runs[cell_ids].mean(axis=-2) / GRID
            return Evaluation(pair[..., 0], pair[..., 1], seconds)
        both = self._packed.take(cell_ids * self.num_runs + run)
        return Evaluation((both & 0xFFFF) * (1 / GRID), (both >> 16) * (1 / GRID), seconds)

    def _early(self, cell_ids: np.ndarray, run: np.ndarray | str, level: int) -> np.ndarray:
        runs = self._table.early_runs
        if isinstance(run, str):
            mean: np.ndarray = runs[cell_ids, level].mean(axis=-1) / GRID
            return mean
        early: np.ndarray = runs[cell_ids, level, run] / GRID
        return early

    def prediction(self, cell_ids: np.ndarray, statistic: str = "mean", fidelity: int = 108) -> np.ndarray:
        """The smooth prediction of validation accuracy: what the fitted models say, without residual and run
        noise.

        It is the prediction for runs that train: collapses are not in it.

        Args:
            cell_ids: int[...]. statistic: "mean" or "best_of_3", of the three runs; at 4, 12 and 36 epochs
                "mean" alone.
        Returns:
            float64[...], fractions.
        Raises:
            ConfigError: for an unknown statistic or fidelity.
        """
        check_choice("fidelity", fidelity, FIDELITIES)
        cell_ids = self.space.check_ids(cell_ids)
        if fidelity != FIDELITIES[-1]:
            check_choice("statistic", statistic, ("mean",))
            early: np.ndarray = self._artefact.early[cell_ids, FIDELITIES.index(fidelity)] / FINE
            return early
        check_choice("statistic", statistic, STATISTICS)
        full: np.ndarray = self._artefact.predictions[cell_ids, 1 - STATISTICS.index(statistic)] / FINE
        return full

    def trainable_parameters(self, cell_ids: np.ndarray) -> np.ndarray:
        """Trainable parameters of the network built from each cell, int64[...]; exact (see
        ``graphs.official_parameters``)."""
        ids = np.asarray(cell_ids)
        adjacency, ops = from_strings(self.space.architecture(ids.ravel()))
        return official_parameters(adjacency, ops).reshape(ids.shape)

    def facts(self) -> Facts:
        """What this is, for captions and checks; floors are those of the surrogate's own frozen runs."""
        test = self._runs[:, :, 1]
        which = f", draw {self.draw} of the calibrated model" if self.draw else ""
        return {
            "name": self.name,
            "description": "surrogate of NASBench-101: a model fitted to 25,000 of its 423,624 cells, not "
            f"the table itself{which}",
            "label": f"surrogate of NASBench-101{which}",
            "source": "fitted to validation accuracies of 25,000 cells (NASBench-101, Ying et al. 2019, "
            "Apache-2.0); the 91 cells "
            "of at most 4 vertices carry their published means of three (EC-NAS-Bench)",
            "checksum": self._table.checksum,
            "surrogate": True,
            "cells": len(self._runs),
            "edge_limit": self.space.edge_limit,
            "best_mean_test": float(test.mean(axis=1).max() / GRID),
            "best_single_test": float(test.max() / GRID),
            "best_mean_validation": float(self._runs[:, :, 0].mean(axis=1).max() / GRID),
            "best_single_validation": float(self._runs[:, :, 0].max() / GRID),
            "fit": self._artefact.meta,
        }
