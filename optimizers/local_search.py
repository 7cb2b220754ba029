"""Local search: best-improvement hill climbing with restarts.

Notation: T trials, N variables, K one-variable neighbours of a string (21 + 5 * 2 = 31 on NASBench-101), I
starts of a climb, C = max(K, I) candidates. In each trial a *round* evaluates a set of candidates and then
moves:

    start   I uniform strings; the best becomes the centre.
    climb   the centre's K neighbours, in random order; the best becomes the centre if it is strictly better
            than the centre, else the trial starts again.

The centre's value is the one that it was moved to with; the candidates' values are compared as first seen,
the first in order winning a tie. A trial remembers every cell that it has evaluated, so that a cell is never
asked for twice: a known one (a cell of an earlier round, or a neighbour isomorphic to the centre or to
another neighbour) enters the comparison with its remembered value at no cost. Neighbours are neighbours of
the *string*: isomorphic strings have different ones, since edges and operations off every path count.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numba import njit

from nas_bench_suite.checks import ConfigError, check_int
from nas_bench_suite.optimizer import FAILED, OK, Optimizer, Outcome, Proposal, Task
from nas_bench_suite.space import SearchSpace
from optimizers.parts.uniform import UniformStrings

STARTS_IN_VAIN = 1_000  # starts in a row whose whole climb asks for nothing new: no cell is left within reach
_NO_CELL = np.int64(-1)
_CHUNK = 4_000_000  # integers of neighbour strings built at a time


class LocalSearch(Optimizer):
    """Best-improvement hill climbing over one-variable neighbours, with restarts at local optima.

    Args:
        starts: I, uniform strings evaluated at each start, of which the best is climbed from.
        batch: largest number of strings proposed at a time. It changes no search, only how many can be
            evaluated in parallel.

    A failed evaluation (and, where invalid strings are charged, an invalid one) counts as worse than every
    other.

    Raises:
        ConfigError: for a value out of range.
    """

    trials_per_block: ClassVar[int] = 500

    def __init__(self, *, starts: int = 1, batch: int = 100) -> None:
        self.starts = check_int("optimizer.starts", starts, 1)
        self.batch = check_int("optimizer.batch", batch, 1)

    def start(self, task: Task) -> None:
        self._task = task
        trials, n = task.trials, task.space.num_variables
        self._changes = neighbour_changes(task.space)
        k = len(self._changes)
        candidates = max(k, self.starts)
        self._generators = task.streams.typed("local_search")
        self._uniform = UniformStrings(task, "local_search_start")
        self._centre = np.zeros((trials, n), dtype=np.int64)
        self._value = np.full(trials, -np.inf)
        self._climbing = np.zeros(trials, dtype=np.bool_)
        self._first = np.zeros((trials, self.starts, n), dtype=np.int64)  # strings of a start
        # of a climb: rows of `changes`; of a start: 0 .. I - 1
        self._order = np.tile(np.arange(candidates), (trials, 1))
        self._ids = np.zeros((trials, candidates), dtype=np.int64)  # of the candidates in this order
        # places in this order that must be evaluated
        self._asked = np.zeros((trials, candidates), dtype=np.int64)
        self._to_ask = np.zeros(trials, dtype=np.int64)
        self._next = np.zeros(trials, dtype=np.int64)
        self._count = np.zeros(trials, dtype=np.int64)  # candidates of this round; 0 before the first
        self._proposed = np.zeros(trials, dtype=np.int64)
        self._vain = np.zeros(trials, dtype=np.int64)  # starts in a row without anything to ask for
        self._done = np.zeros(trials, dtype=np.bool_)
        self._known = np.zeros(trials, dtype=np.int64)  # cells evaluated
        # What each trial knows: an open-addressing table from ids to values. Every entry costs a query, so it
        # stays at most half full.
        slots = 1 << int(np.ceil(np.log2(2 * task.budget + 64)))
        self._known_ids = np.full((trials, slots), _NO_CELL)
        self._known_values = np.zeros((trials, slots))

    def ask(self, room: np.ndarray) -> Proposal:
        rejected = np.zeros(self._task.trials, dtype=np.int64)
        rows = np.flatnonzero((room > 0) & (self._next == self._to_ask) & ~self._done)
        while len(rows):  # until each trial has something to ask for
            _move(
                rows,
                self._climbing,
                self._centre,
                self._value,
                self._first,
                self._order,
                self._changes,
                self._ids,
                self._count,
                self._known_ids,
                self._known_values,
            )
            self._begin_start(rows[~self._climbing[rows]], rejected)
            self._begin_climb(rows[self._climbing[rows]], rejected)
            rows = rows[(self._to_ask[rows] == 0) & ~self._done[rows]]
        self._proposed = np.where(
            self._done, 0, np.minimum(np.minimum(room, self.batch), self._to_ask - self._next)
        )
        out = np.zeros((len(room), int(self._proposed.max(initial=0)), self._centre.shape[1]), dtype=np.int64)
        _write(
            self._climbing,
            self._centre,
            self._first,
            self._order,
            self._changes,
            self._asked,
            self._next,
            self._proposed,
            out,
        )
        return Proposal(out, np.arange(out.shape[1]) < self._proposed[:, None], rejected=rejected)

    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        _remember(
            outcome.accuracy, outcome.status, self._ids, self._asked, self._next, self._proposed,
            self._known_ids, self._known_values, self._known,
        )  # fmt: skip
        self._next += self._proposed

    def _begin_start(self, rows: np.ndarray, rejected: np.ndarray) -> None:
        """Draw the strings of a start for the trials `rows`."""
        if not len(rows):
            return
        wanted = np.zeros(len(self._done), dtype=np.int64)
        wanted[rows] = self.starts
        taken = self._uniform.take(wanted)
        rejected += taken.rejected
        self._first[rows] = taken.architectures[rows]
        self._order[rows] = np.arange(self._order.shape[1])
        self._ids[rows, : self.starts] = self._task.space.cell_id(taken.architectures[rows])
        self._count[rows] = taken.given[rows]
        self._vain[rows] += 1
        self._choose(rows)
        self._done[rows] = (
            (taken.given[rows] == 0)
            | (self._vain[rows] > STARTS_IN_VAIN)
            | (self._known[rows] == self._task.space.num_cells)
        )
        self._to_ask[self._done] = self._next[self._done] = 0

    def _begin_climb(self, rows: np.ndarray, rejected: np.ndarray) -> None:
        """Shuffle the neighbours of the centre and look up their ids for the trials `rows`."""
        k, n = len(self._changes), self._centre.shape[1]
        step = max(1, _CHUNK // max(1, k * n))
        for begin in range(0, len(rows), step):
            chunk = rows[begin : begin + step]
            strings = np.empty((len(chunk), k, n), dtype=np.int64)
            _neighbours(self._generators, chunk, self._centre, self._changes, self._order, strings)
            ids = self._task.space.cell_id(strings)
            self._ids[chunk, :k] = ids
            if self._task.reject_invalid:
                rejected[chunk] += (ids == _NO_CELL).sum(axis=1)
        self._count[rows] = k
        self._choose(rows)

    def _choose(self, rows: np.ndarray) -> None:
        """List the candidates that must be evaluated: of unknown cells the first in order, and invalid
        strings where these are charged."""
        _choose(
            rows,
            self._ids,
            self._count,
            not self._task.reject_invalid,
            self._known_ids,
            self._asked,
            self._to_ask,
            self._next,
            self._vain,
        )


def neighbour_changes(space: SearchSpace) -> np.ndarray:
    """int64[K, 3]: the one-variable changes (variable, step, choices); the variable's new value is (old +
    step) mod choices.

    Raises:
        ConfigError: for a space in which no variable has two values.
    """
    changes = [(i, step, size) for i, size in enumerate(space.sizes) for step in range(1, size)]
    if not changes:
        raise ConfigError(
            f"space '{space.name}' has no variable with two values, so no string has a neighbour."
        )
    return np.array(changes, dtype=np.int64)


@njit(cache=True)
def _place(known_ids, t, cell):
    """Where `cell` lies in trial t's table, or would lie."""
    mask = known_ids.shape[1] - 1
    slot = (cell * 0x9E3779B97F4A7C1 >> 20) & mask
    while known_ids[t, slot] != -1 and known_ids[t, slot] != cell:
        slot = (slot + 1) & mask
    return slot


@njit(cache=True)
def _neighbours(generators, rows, centre, changes, order, out):
    """Shuffle order[t, :K] afresh (Fisher-Yates from 0 .. K - 1) and write the neighbours in this order to
    out int64[R, K, N]."""
    k = len(changes)
    for r in range(len(rows)):
        t = rows[r]
        generator = generators[t]
        for j in range(k):
            order[t, j] = j
        for j in range(k - 1, 0, -1):
            other = int(generator.random() * (j + 1))
            order[t, j], order[t, other] = order[t, other], order[t, j]
        for j in range(k):
            for i in range(centre.shape[1]):
                out[r, j, i] = centre[t, i]
            variable, step, choices = changes[order[t, j]]
            out[r, j, variable] = (centre[t, variable] + step) % choices


@njit(cache=True)
def _choose(rows, ids, count, ask_invalid, known_ids, asked, to_ask, following, vain):
    for t in rows:
        following[t] = 0
        total = 0
        for c in range(count[t]):
            cell = ids[t, c]
            if cell == -1:
                new = ask_invalid
            else:
                new = known_ids[t, _place(known_ids, t, cell)] != cell
                for a in range(total):
                    if ids[t, asked[t, a]] == cell:
                        new = False
                        break
            if new:
                asked[t, total] = c
                total += 1
        to_ask[t] = total
        if total > 0:
            vain[t] = 0


@njit(cache=True)
def _remember(accuracy, status, ids, asked, following, proposed, known_ids, known_values, known):
    for t in range(status.shape[0]):
        for q in range(proposed[t]):
            cell = ids[t, asked[t, following[t] + q]]
            if cell == -1 or (status[t, q] != OK and status[t, q] != FAILED):
                continue
            slot = _place(known_ids, t, cell)
            known[t] += known_ids[t, slot] != cell
            known_ids[t, slot] = cell
            known_values[t, slot] = accuracy[t, q] if status[t, q] == OK else -np.inf


@njit(cache=True)
def _move(rows, climbing, centre, value, first, order, changes, ids, count, known_ids, known_values):
    """End the round of each trial of `rows`: move to the best candidate, or start again (climbing[t]
    False)."""
    for t in rows:
        best = -1
        best_value = value[t] if climbing[t] else -np.inf
        for c in range(count[t]):
            cell = ids[t, c]
            if cell == -1:
                continue
            slot = _place(known_ids, t, cell)
            if known_ids[t, slot] == cell and known_values[t, slot] > best_value:
                best, best_value = c, known_values[t, slot]
        if best < 0:
            climbing[t] = False
        elif climbing[t]:
            variable, step, choices = changes[order[t, best]]
            centre[t, variable] = (centre[t, variable] + step) % choices
        else:
            climbing[t] = True
            for i in range(centre.shape[1]):
                centre[t, i] = first[t, best, i]
        value[t] = best_value


@njit(cache=True)
def _write(climbing, centre, first, order, changes, asked, following, proposed, out):
    """Write the strings to propose to out int64[T, Q, N]."""
    for t in range(len(proposed)):
        for q in range(proposed[t]):
            c = asked[t, following[t] + q]
            for i in range(out.shape[2]):
                out[t, q, i] = centre[t, i] if climbing[t] else first[t, c, i]
            if climbing[t]:
                variable, step, choices = changes[order[t, c]]
                out[t, q, variable] = (centre[t, variable] + step) % choices
