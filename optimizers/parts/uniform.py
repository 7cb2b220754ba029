"""Uniform strings for T trials, each trial's sequence fixed by its own stream.

Notation: T trials, N variables, C strings drawn ahead a trial. A trial's sequence of strings is the sequence
of its stream cut into rows of N uniforms, so neither C nor the number taken at a time nor the other trials
change it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from nas_bench_suite.optimizer import Task

INVALID_IN_A_ROW = 10_000  # a trial that draws this many invalid strings in a row gives up for this call
# with repeats skipped: this many strings without a new cell count as 'no cells left'
REPEATS_IN_A_ROW = 200_000
_EMPTY = np.int64(-1)  # the id of an invalid string, so of no cell


class Taken(NamedTuple):
    """What `UniformStrings.take` returns: strings int64[T, Q, N] (rows past `given` are zero), given
    int64[T], rejected int64[T]."""

    architectures: np.ndarray
    given: np.ndarray
    rejected: np.ndarray


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
        num_variables = task.space.num_variables
        ahead = int(np.clip(2_000_000 // max(1, task.trials * num_variables), 8, 256))
        self._strings = np.zeros((task.trials, ahead, num_variables), dtype=np.int64)
        self._valid = np.zeros((task.trials, ahead), dtype=np.bool_)
        self._ids = np.zeros((task.trials, ahead if not repeats else 0), dtype=np.int64)
        self._next = np.full(task.trials, ahead, dtype=np.int64)
        self._invalid_run = np.zeros(task.trials, dtype=np.int64)
        self._repeat_run = np.zeros(task.trials, dtype=np.int64)
        self._given = np.zeros(task.trials, dtype=np.int64)
        # An open-addressing set of ids a trial. Every new cell costs a query, so twice the budget keeps it at
        # most half full.
        slots = 1 if repeats else 1 << int(np.ceil(np.log2(2 * task.budget + 64)))
        self._seen = np.full((task.trials, slots), _EMPTY)
        self._limit = slots // 2 if task.space.num_cells is None else min(slots // 2, task.space.num_cells)

    def take(self, wanted: np.ndarray) -> Taken:
        """Give trial t its next `wanted[t]` strings (int[T]); fewer where no cell is left or too many strings
        in a row are invalid."""
        wanted = np.asarray(wanted, dtype=np.int64)
        trials, _, num_variables = self._strings.shape
        out = np.zeros((trials, int(wanted.max(initial=0)), num_variables), dtype=np.int64)
        count, rejected = np.zeros(trials, dtype=np.int64), np.zeros(trials, dtype=np.int64)
        stuck = np.zeros(trials, dtype=np.bool_)
        while True:
            _take(
                self._strings,
                self._valid,
                self._ids,
                self._next,
                self._seen,
                self._given,
                self._limit,
                self._invalid_run,
                self._repeat_run,
                wanted,
                self.repeats,
                out,
                count,
                rejected,
                stuck,
            )
            lacking = np.flatnonzero((count < wanted) & ~stuck)
            if not len(lacking):
                return Taken(out, count, rejected)
            self._draw(lacking)

    def _draw(self, rows: np.ndarray) -> None:
        task = self.task
        strings = np.empty((len(rows), *self._strings.shape[1:]), dtype=np.int64)
        draw_strings(task.streams.typed(self.purpose), rows, task.space.sizes, strings)
        self._strings[rows] = strings
        if self.repeats:
            self._valid[rows] = task.space.is_valid(strings) if task.reject_invalid else True
        else:
            ids = task.space.cell_id(strings)
            self._ids[rows] = ids
            self._valid[rows] = ids != _EMPTY if task.reject_invalid else True
        self._next[rows] = 0


@njit(cache=True)
def draw_strings(generators, rows, sizes, out):
    """Fill out int64[R, C, N] with uniform strings, row r from generator rows[r]: variable i takes floor(u *
    sizes[i])."""
    for r in range(len(rows)):
        generator = generators[rows[r]]
        for c in range(out.shape[1]):
            for i in range(out.shape[2]):
                out[r, c, i] = np.int64(generator.random() * sizes[i])


@njit(cache=True)
def _take(
    strings,
    valid,
    ids,
    following,
    seen,
    given,
    limit,
    invalid_run,
    repeat_run,
    wanted,
    repeats,
    out,
    count,
    rejected,
    stuck,
):
    """Move strings from each trial's store to `out` until it has what it wants, its store is empty, or it is
    stuck."""
    ahead, num_variables = strings.shape[1], strings.shape[2]
    mask = seen.shape[1] - 1
    for t in range(len(wanted)):
        while count[t] < wanted[t] and following[t] < ahead and not stuck[t]:
            if not repeats and given[t] >= limit:
                stuck[t] = True
                break
            c = following[t]
            following[t] += 1
            if not valid[t, c]:
                rejected[t] += 1
                invalid_run[t] += 1
                if invalid_run[t] >= INVALID_IN_A_ROW:
                    invalid_run[t] = 0
                    stuck[t] = True
                continue
            invalid_run[t] = 0
            if not repeats and ids[t, c] != -1:  # an invalid string is no cell, so it is no repeat
                slot = (ids[t, c] * 0x9E3779B97F4A7C1 >> 20) & mask
                while seen[t, slot] != -1 and seen[t, slot] != ids[t, c]:
                    slot = (slot + 1) & mask
                if seen[t, slot] == ids[t, c]:
                    repeat_run[t] += 1
                    if repeat_run[t] >= REPEATS_IN_A_ROW:
                        repeat_run[t] = 0
                        stuck[t] = True
                    continue
                seen[t, slot] = ids[t, c]
                given[t] += 1
                repeat_run[t] = 0
            for i in range(num_variables):
                out[t, count[t], i] = strings[t, c, i]
            count[t] += 1
