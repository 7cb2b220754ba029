"""Uniform strings for T trials, each trial's sequence fixed by its own stream.

Notation: T trials, N variables, C strings drawn ahead per trial. A trial's strings are its stream, cut into
rows of N uniforms, so neither C nor the number taken at a time nor the other trials change them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from nas_bench_suite.drawing import INVALID_IN_A_ROW
from nas_bench_suite.hash_table import empty_keys, slot
from nas_bench_suite.optimizer import Task

# with repeats skipped: this many strings without a new cell count as 'no cells left'
REPEATS_IN_A_ROW = 200_000


class Taken(NamedTuple):
    """What `UniformStrings.take` returns."""

    architectures: np.ndarray  # int64[T, Q, N]; rows past `given` are zero
    given: np.ndarray  # int64[T]
    rejected: np.ndarray  # int64[T]


class _Store(NamedTuple):
    """What each trial has drawn ahead and met so far."""

    strings: np.ndarray  # int64[T, C, N]
    valid: np.ndarray  # bool[T, C]
    ids: np.ndarray  # int64[T, C], cells, -1 for an invalid string; [T, 0] if repeats are allowed
    following: np.ndarray  # int64[T], the next string to give; C if there is none
    invalid_run: np.ndarray  # int64[T], invalid strings in a row
    repeat_run: np.ndarray  # int64[T], strings of known cells in a row
    given: np.ndarray  # int64[T], different cells given
    seen: np.ndarray  # int64[T, M], table of these (see `hash_table`); M = 1 if repeats are allowed


class UniformStrings:
    """Draws strings uniformly for every trial of a task, without invalid ones if `task.reject_invalid`.

    Args:
        task: the searches to draw for.
        purpose: name of the random stream.
        repeats: False leaves out every cell that the trial was already given (cells, not strings: isomorphic
            strings are repeats).
    """

    def __init__(self, task: Task, purpose: str, repeats: bool = True) -> None:
        self.task, self.purpose, self.repeats = task, purpose, repeats
        trials, num_variables = task.trials, task.space.num_variables
        ahead = int(np.clip(2_000_000 // max(1, trials * num_variables), 8, 256))
        # Every new cell costs a query, so a table for a few more cells than the budget is never full.
        seen = np.zeros((trials, 1), dtype=np.int64) if repeats else empty_keys(trials, task.budget + 32)
        self._store = _Store(
            strings=np.zeros((trials, ahead, num_variables), dtype=np.int64),
            valid=np.zeros((trials, ahead), dtype=np.bool_),
            ids=np.zeros((trials, 0 if repeats else ahead), dtype=np.int64),
            following=np.full(trials, ahead, dtype=np.int64),
            invalid_run=np.zeros(trials, dtype=np.int64),
            repeat_run=np.zeros(trials, dtype=np.int64),
            given=np.zeros(trials, dtype=np.int64),
            seen=seen,
        )
        room = seen.shape[1] // 2
        self._limit = room if task.space.num_cells is None else min(room, task.space.num_cells)

    def take(self, wanted: np.ndarray) -> Taken:
        """Give trial t its next `wanted[t]` strings (int[T]); fewer where no cell is left or too many strings
        in a row are invalid."""
        wanted = np.asarray(wanted, dtype=np.int64)
        trials, _, num_variables = self._store.strings.shape
        taken = Taken(
            np.zeros((trials, int(wanted.max(initial=0)), num_variables), dtype=np.int64),
            np.zeros(trials, dtype=np.int64),
            np.zeros(trials, dtype=np.int64),
        )
        stuck = np.zeros(trials, dtype=np.bool_)
        while True:
            _take(self._store, self._limit, wanted, self.repeats, taken, stuck)
            lacking = np.flatnonzero((taken.given < wanted) & ~stuck)
            if not len(lacking):
                return taken
            self._draw(lacking)

    def _draw(self, rows: np.ndarray) -> None:
        task, store = self.task, self._store
        strings = np.empty((len(rows), *store.strings.shape[1:]), dtype=np.int64)
        draw_strings(task.streams.typed(self.purpose), rows, task.space.sizes, strings)
        store.strings[rows] = strings
        if self.repeats:
            store.valid[rows] = task.space.is_valid(strings) if task.reject_invalid else True
        else:
            ids = task.space.cell_id(strings)
            store.ids[rows] = ids
            store.valid[rows] = ids != -1 if task.reject_invalid else True
        store.following[rows] = 0


@njit(cache=True)
def draw_strings(generators: Any, rows: np.ndarray, sizes: np.ndarray, out: np.ndarray) -> None:
    """Fill out int64[R, C, N] with uniform strings, row r from generator rows[r]: variable i takes floor(u *
    sizes[i])."""
    for r in range(len(rows)):
        generator = generators[rows[r]]
        for c in range(out.shape[1]):
            for i in range(out.shape[2]):
                out[r, c, i] = np.int64(generator.random() * sizes[i])


@njit(cache=True)
def _take(
    store: _Store, limit: int, wanted: np.ndarray, repeats: bool, taken: Taken, stuck: np.ndarray
) -> None:
    """Move strings from each trial's store to `taken` until it has what it wants, its store is empty, or it
    is stuck."""
    ahead, num_variables = store.strings.shape[1], store.strings.shape[2]
    for t in range(len(wanted)):
        while taken.given[t] < wanted[t] and store.following[t] < ahead and not stuck[t]:
            if not repeats and store.given[t] >= limit:
                stuck[t] = True
                break
            c = store.following[t]
            store.following[t] += 1
            if not store.valid[t, c]:
                taken.rejected[t] += 1
                store.invalid_run[t] += 1
                if store.invalid_run[t] >= INVALID_IN_A_ROW:
                    store.invalid_run[t] = 0
                    stuck[t] = True
                continue
            store.invalid_run[t] = 0
            if not repeats and store.ids[t, c] != -1:  # an invalid string is no cell, so it is no repeat
                at = slot(store.seen[t], store.ids[t, c])
                if store.seen[t, at] == store.ids[t, c]:
                    store.repeat_run[t] += 1
                    if store.repeat_run[t] >= REPEATS_IN_A_ROW:
                        store.repeat_run[t] = 0
                        stuck[t] = True
                    continue
                store.seen[t, at] = store.ids[t, c]
                store.given[t] += 1
                store.repeat_run[t] = 0
            for i in range(num_variables):
                taken.architectures[t, taken.given[t], i] = store.strings[t, c, i]
            taken.given[t] += 1
