"""Hyperband's brackets (Li et al. 2018) for T trials, one evaluation at a time, as hpbandster runs them with
a single worker.

Notation: T trials, N variables, R rungs (training budgets eta apart, ascending), a *bracket* is one run of
successive halving: of ns[0] architectures at its lowest rung the ns[1] best are evaluated at the next, and so
on.

Bracket i of a trial (from 0) has s + 1 rungs with s = R - 1 - (i mod R), the last of them the full one, and

    n_0 = floor(R / (s + 1)) eta^s,    ns[k] = max(floor(n_0 eta^-k), 1)     (Falkner et al. 2018, algorithm
                                       1).

Failed evaluations are never promoted; if too few are left to fill a rung, fresh architectures are evaluated
there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit


def ladder(fidelities: tuple[int, ...], eta: float) -> np.ndarray:
    """The rungs, int64[R], as indices into `fidelities`: from the full one downwards, always the largest that
    is at most 1 / eta of the last."""
    rungs = [len(fidelities) - 1]
    while True:
        lower = [i for i in range(rungs[-1]) if fidelities[i] * eta <= fidelities[rungs[-1]] * (1 + 1e-9)]
        if not lower:
            return np.array(rungs[::-1], dtype=np.int64)
        rungs.append(lower[-1])


def bracket_sizes(rungs: int, eta: float) -> np.ndarray:
    """int64[R, R]: [s, k] is how many architectures bracket type s evaluates at its k-th rung (0 past its s +
    1 rungs)."""
    sizes = np.zeros((rungs, rungs), dtype=np.int64)
    for s in range(rungs):
        first = int(np.floor(rungs // (s + 1) * eta**s + 1e-9))
        for k in range(s + 1):
            sizes[s, k] = max(int(first * eta**-k + 1e-9), 1)
    return sizes


class _State(NamedTuple):
    """Where T trials are. A *stage* is what a bracket evaluates at one rung; K is the most of any stage."""

    bracket: np.ndarray  # int64[T], from 0
    stage: np.ndarray  # int64[T], within the bracket, from 0
    slot: np.ndarray  # int64[T], the stage's next architecture
    promoted: np.ndarray  # int64[T], so many of the stage come from the one before: the first ones
    strings: np.ndarray  # int64[T, K, N], the stage's architectures
    loss: np.ndarray  # float64[T, K]


class Brackets:
    """Where each trial is in its brackets.

    Args:
        trials: T.
        num_variables: N.
        fidelities: training budgets offered, ascending.
        eta: ratio of neighbouring rungs.
    """

    def __init__(self, trials: int, num_variables: int, fidelities: tuple[int, ...], eta: float) -> None:
        self.rungs = ladder(fidelities, eta)
        self.sizes = bracket_sizes(len(self.rungs), eta)
        most = int(self.sizes.max())
        self._state = _State(
            bracket=np.zeros(trials, dtype=np.int64),
            stage=np.zeros(trials, dtype=np.int64),
            slot=np.zeros(trials, dtype=np.int64),
            promoted=np.zeros(trials, dtype=np.int64),
            strings=np.zeros((trials, most, num_variables), dtype=np.int64),
            loss=np.zeros((trials, most)),
        )

    def next(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What each trial evaluates next.

        Returns: rung int64[T] (0 = lowest of the ladder), fresh bool[T] (True: a new architecture is needed),
            and the promoted strings int64[T, N] where none is.
        """
        state = self._state
        everyone = np.arange(len(state.slot))
        s = len(self.rungs) - 1 - state.bracket % len(self.rungs)
        rung = len(self.rungs) - 1 - s + state.stage
        return rung, state.slot >= state.promoted, state.strings[everyone, state.slot]

    def record(self, rows: np.ndarray, strings: np.ndarray, loss: np.ndarray) -> None:
        """Enter what became of the evaluations of trials `rows` int[R]: strings int64[R, N], loss float64[R]
        (inf: failed)."""
        _record(rows, strings, loss, self.sizes, self._state)


@njit(cache=True)
def _record(
    rows: np.ndarray, new_strings: np.ndarray, new_loss: np.ndarray, sizes: np.ndarray, state: _State
) -> None:
    bracket, stage, slot, promoted = state.bracket, state.stage, state.slot, state.promoted
    num_rungs = sizes.shape[0]
    for r in range(len(rows)):
        t = rows[r]
        s = num_rungs - 1 - bracket[t] % num_rungs
        state.strings[t, slot[t]] = new_strings[r]
        state.loss[t, slot[t]] = new_loss[r]
        slot[t] += 1
        here = sizes[s, stage[t]]
        if slot[t] < here:
            continue
        slot[t], promoted[t] = 0, 0
        if stage[t] == s:
            stage[t] = 0
            bracket[t] += 1
            continue
        stage[t] += 1
        ranks = np.empty(here, dtype=np.int64)
        ranks[np.argsort(state.loss[t, :here], kind="mergesort")] = np.arange(here)
        for i in range(here):  # survivors keep their order
            if ranks[i] < sizes[s, stage[t]] and np.isfinite(state.loss[t, i]):
                state.strings[t, promoted[t]] = state.strings[t, i]
                promoted[t] += 1
