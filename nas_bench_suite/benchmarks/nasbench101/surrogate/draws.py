"""Other tables that the same model draws: draw K = 1, 2, ... about the same smooth predictions.

Notation and shapes
    n            cells; K the number of a draw; draw 0 is the frozen table and is read, not drawn
    runs         uint16[n, 3, 2], (validation, test) at 108 epochs in 1/9984
    early_runs   uint16[n, 3, 3], (fidelity, run), validation at 4, 12 and 36 epochs in 1/9984

A draw has new residuals of all cells, new run noise, new collapses and new gaps of validation and test; all
depend on K alone. What is published stays: the means of the 91 cells of at most 4 vertices, which come first.
The observed values of 25,000 cells are no part of the package, so that a draw is not conditioned on them.
"""

from __future__ import annotations

import hashlib
from functools import cached_property

import numpy as np

from .artefact import FINE, NOISE, Artefact
from .noise import GRID, cell_residuals, draw_collapses, draw_early_runs, draw_runs

SMALL_CELLS = 91  # of at most 4 vertices; ids ascend by vertices, so these come first
MOST_DRAWS = 2**31 - 1
_SEED = 101  # keeps these streams apart from those of the frozen table


class Draw:
    """One draw; its arrays are made when first asked for.

    Args:
        artefact: predictions and noise model.
        number: K, from 1.
    """

    def __init__(self, artefact: Artefact, number: int) -> None:
        self._artefact = artefact
        self.number = number
        self._seed = (_SEED, number)
        self._small = np.arange(SMALL_CELLS)

    @cached_property
    def runs(self) -> np.ndarray:
        """uint16[n, 3, 2]: runs at 108 epochs."""
        model, law, _ = self._artefact.noise
        known = self._artefact.runs[:SMALL_CELLS].mean(axis=1) / GRID
        runs = draw_runs(
            self._artefact.predictions[:, 1] / FINE,
            self._residuals(),
            draw_collapses(law, self._seed)[0],
            model,
            self._seed,
            self._small,
            known[:, 0],
            known[:, 1],
        )
        return runs.astype(np.uint16)

    @cached_property
    def early_runs(self) -> np.ndarray:
        """uint16[n, 3, 3]: validation at 4, 12 and 36 epochs."""
        model, law, early = self._artefact.noise
        runs = draw_early_runs(
            self._artefact.early / FINE,
            self._residuals(),
            early,
            draw_collapses(law, self._seed)[1],
            model,
            self._seed,
            self._small,
            self._artefact.early_runs[:SMALL_CELLS].mean(axis=2) / GRID,
        )
        return runs.astype(np.uint16)

    def _residuals(self) -> np.ndarray:
        return cell_residuals(len(self._artefact.predictions), self._seed)

    @cached_property
    def checksum(self) -> str:
        """Sixteen hexadecimal digits for the files, the number and the runs at 108 epochs. A random generator
        that draws otherwise shows in the runs."""
        digest = hashlib.sha256()
        digest.update(f"{self._artefact.checksum} {self.number} ".encode())
        digest.update((self._artefact.folder / NOISE).read_bytes())
        digest.update(self.runs.tobytes())
        return digest.hexdigest()[:16]
