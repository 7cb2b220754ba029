"""Valid mutants for T trials: compiled mutations, validity by the space, another draw for those that are
invalid.

Notation: T trials, G slots a trial, N variables. Slots are filled one after another from the trial's own
generator, and a slot is drawn again only if it came out invalid, so a trial's draws depend on that trial
alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from nas_bench_suite.space import SearchSpace

ATTEMPTS = 1_000  # a slot that is invalid this many times in a row keeps its parent


class Mutation:
    """How a string changes.

    Args:
        space: whose strings.
        steps: float64[S]: probabilities of changing 1, 2, .. S variables one after another, each chosen
            uniformly and set to another of its values (one may be hit twice); left out with `rates`.
        rates: float64[N]: each variable changes with its own probability, independently.
    """

    def __init__(
        self, space: SearchSpace, *, steps: np.ndarray | None = None, rates: np.ndarray | None = None
    ) -> None:
        self.space = space
        self._sizes = space.sizes
        self._free = np.flatnonzero(space.sizes > 1)
        self._steps = np.zeros(0) if steps is None else np.cumsum(steps) / np.sum(steps)
        self._rates = np.zeros(0) if rates is None else np.asarray(rates, dtype=np.float64)

    def __call__(
        self, generators: Any, parents: np.ndarray, wanted: np.ndarray, reject_invalid: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mutate parents int64[T, G, N] where wanted bool[T, G].

        Returns: Strings int64[T, G, N] and their cell ids int64[T, G] (-1: invalid, or not wanted), and how
            many each trial rejected, int64[T].
        """
        out = parents.copy()
        ids = np.full(wanted.shape, -1, dtype=np.int64)
        rejected = np.zeros(len(wanted), dtype=np.int64)
        pending = wanted.copy()
        for _ in range(ATTEMPTS):
            if not len(self._free):
                break
            _mutate(generators, parents, pending, self._sizes, self._free, self._steps, self._rates, out)
            drawn = self.space.cell_id(out[pending])
            ids[pending] = drawn
            if not reject_invalid:
                return out, ids, rejected
            pending[pending] = drawn < 0
            if not pending.any():
                return out, ids, rejected
            rejected += pending.sum(axis=1)
        out[pending] = parents[pending]
        ids[pending] = self.space.cell_id(parents[pending])
        return out, ids, rejected


@njit(cache=True)
def _mutate(generators, parents, pending, sizes, free, steps, rates, out):
    trials, slots, n = parents.shape
    for t in range(trials):
        generator = generators[t]
        for g in range(slots):
            if not pending[t, g]:
                continue
            for i in range(n):
                out[t, g, i] = parents[t, g, i]
            if len(rates):
                for i in free:
                    if generator.random() < rates[i]:
                        _change(generator, out[t, g], i, sizes[i])
            else:
                u = generator.random()
                count = 1
                while count < len(steps) and u >= steps[count - 1]:
                    count += 1
                for _ in range(count):
                    i = free[np.int64(generator.random() * len(free))]
                    _change(generator, out[t, g], i, sizes[i])


@njit(cache=True)
def _change(generator, string, i, size):
    value = np.int64(generator.random() * (size - 1))
    string[i] = value + (value >= string[i])
