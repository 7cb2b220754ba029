"""Random streams that depend on (seed, trial, purpose) and on nothing else.

A trial's draws are the same whether it runs alone, in a block of 50 or among 500, so a search can be cut into
blocks, spread over processes and resumed. `purpose` keeps the draws of different parts apart: a method that
draws more does not shift the runs that the loop picks.

Notation: T trials in this block; trial t of the block is trial `first_trial + t` of the study.

To keep the promise, whoever draws must let a trial's consumption depend on that trial alone: never draw for
all trials because one of them needs more (use `rows`, or a kernel that goes through the trials one by one
with `typed`).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit, typed


class Streams:
    """One independent PCG64 stream for every (seed, trial, purpose)."""

    def __init__(self, seed: int, trials: int, first_trial: int = 0) -> None:
        self.seed = int(seed)
        self.trials = int(trials)
        self.first_trial = int(first_trial)
        self._lists: dict[str, list[np.random.Generator]] = {}
        self._typed: dict[str, Any] = {}

    def generators(self, purpose: str) -> list[np.random.Generator]:
        """Return the T generators of `purpose`. The same objects come back at every call: their state moves
        on."""
        if purpose not in self._lists:
            code = zlib.crc32(purpose.encode())
            self._lists[purpose] = [
                np.random.Generator(
                    np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=(code, self.first_trial + t)))
                )
                for t in range(self.trials)
            ]
        return self._lists[purpose]

    def typed(self, purpose: str) -> Any:
        """Return the same generators as a numba typed list, which a kernel takes at no cost per trial."""
        if purpose not in self._typed:
            listed = typed.List()
            for generator in self.generators(purpose):
                listed.append(generator)
            self._typed[purpose] = listed
        return self._typed[purpose]

    def uniforms(
        self, purpose: str, shape: int | Sequence[int] = (), rows: np.ndarray | None = None
    ) -> np.ndarray:
        """Draw uniforms in [0, 1).

        Args:
            purpose: which stream.
            shape: what each trial gets.
            rows: indices of the trials that draw (all, if left out); the others' streams stay where they are.

        Returns:
            float64[T or len(rows), *shape].
        """
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        rows = np.arange(self.trials) if rows is None else np.asarray(rows, dtype=np.int64)
        out = np.empty((len(rows), int(np.prod(shape, dtype=np.int64))))
        _fill(self.typed(purpose), rows, out)
        return out.reshape(len(rows), *shape)


@njit(cache=True)
def _fill(generators: Any, rows: np.ndarray, out: np.ndarray) -> None:
    for i in range(len(rows)):
        generator = generators[rows[i]]
        for j in range(out.shape[1]):
            out[i, j] = generator.random()
