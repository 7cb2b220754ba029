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

from typing import Any, ClassVar, NamedTuple

import numpy as np
from numba import njit

from nas_bench_suite.checks import ConfigError, check_int
from nas_bench_suite.hash_table import empty_keys, slot
from nas_bench_suite.optimizer import FAILED, OK, Optimizer, Outcome, Proposal, Task
from nas_bench_suite.space import SearchSpace
from optimizers.parts.uniform import UniformStrings

STARTS_IN_VAIN = 1_000  # starts in a row whose whole climb asks for nothing new: no cell is left within reach
_CHUNK = 4_000_000  # integers of neighbour strings built at a time


class _Rounds(NamedTuple):
    """Where T trials stand: the round that each is in, and what it knows."""

    climbing: np.ndarray  # bool[T], whether the round is a climb
    centre: np.ndarray  # int64[T, N]
    value: np.ndarray  # float64[T], of the centre
    first: np.ndarray  # int64[T, I, N], strings of a start
    order: np.ndarray  # int64[T, C], candidates: of a climb, rows of `changes`; of a start, 0 .. I - 1
    ids: np.ndarray  # int64[T, C], cells of the candidates in this order, -1 for an invalid string
    candidates: np.ndarray  # int64[T], how many this round has; 0 before the first
    asked: np.ndarray  # int64[T, C], places in the order that must be evaluated
    to_ask: np.ndarray  # int64[T], how many these are
    following: np.ndarray  # int64[T], the next of them
    proposed: np.ndarray  # int64[T], how many of them the last proposal holds
    vain: np.ndarray  # int64[T], starts in a row without anything to ask for
    known: np.ndarray  # int64[T], cells evaluated
    known_ids: np.ndarray  # int64[T, M], table of these (see `hash_table`)
    known_values: np.ndarray  # float64[T, M], their accuracies beside it, -inf for a failed evaluation


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
        self.starts = check_int("optimizer.starts", starts, 1, 100_000)
        self.batch = check_int("optimizer.batch", batch, 1, 100_000)

    def start(self, task: Task) -> None:
        self._task = task
        trials, n = task.trials, task.space.num_variables
        self._changes = neighbour_changes(task.space)
        most = max(len(self._changes), self.starts)
        self._generators = task.streams.typed("local_search")
        self._uniform = UniformStrings(task, "local_search_start")
        self._done = np.zeros(trials, dtype=np.bool_)
        # Every known cell costs a query, so a table for a few more than the budget is never full.
        known_ids = empty_keys(trials, task.budget + 32)
        self._rounds = _Rounds(
            climbing=np.zeros(trials, dtype=np.bool_),
            centre=np.zeros((trials, n), dtype=np.int64),
            value=np.full(trials, -np.inf),
            first=np.zeros((trials, self.starts, n), dtype=np.int64),
            order=np.tile(np.arange(most), (trials, 1)),
            ids=np.zeros((trials, most), dtype=np.int64),
            candidates=np.zeros(trials, dtype=np.int64),
            asked=np.zeros((trials, most), dtype=np.int64),
            to_ask=np.zeros(trials, dtype=np.int64),
            following=np.zeros(trials, dtype=np.int64),
            proposed=np.zeros(trials, dtype=np.int64),
            vain=np.zeros(trials, dtype=np.int64),
            known=np.zeros(trials, dtype=np.int64),
            known_ids=known_ids,
            known_values=np.zeros(known_ids.shape),
        )

    def ask(self, room: np.ndarray) -> Proposal:
        now = self._rounds
        rejected = np.zeros(self._task.trials, dtype=np.int64)
        rows = np.flatnonzero((room > 0) & (now.following == now.to_ask) & ~self._done)
        while len(rows):  # until each trial has something to ask for
            _move(rows, self._changes, now)
            self._begin_start(rows[~now.climbing[rows]], rejected)
            self._begin_climb(rows[now.climbing[rows]], rejected)
            rows = rows[(now.to_ask[rows] == 0) & ~self._done[rows]]
        at_most = np.minimum(room, self.batch)
        now.proposed[:] = np.where(self._done, 0, np.minimum(at_most, now.to_ask - now.following))
        out = np.zeros((len(room), int(now.proposed.max(initial=0)), now.centre.shape[1]), dtype=np.int64)
        _write(self._changes, now, out)
        return Proposal(out, np.arange(out.shape[1]) < now.proposed[:, None], rejected=rejected)

    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        _remember(outcome.accuracy, outcome.status, self._rounds)
        self._rounds.following[:] += self._rounds.proposed

    def _begin_start(self, rows: np.ndarray, rejected: np.ndarray) -> None:
        """Draw the strings of a start for the trials `rows`."""
        if not len(rows):
            return
        now = self._rounds
        wanted = np.zeros(len(self._done), dtype=np.int64)
        wanted[rows] = self.starts
        taken = self._uniform.take(wanted)
        rejected += taken.rejected
        now.first[rows] = taken.architectures[rows]
        now.order[rows] = np.arange(now.order.shape[1])
        now.ids[rows, : self.starts] = self._task.space.cell_id(taken.architectures[rows])
        now.candidates[rows] = taken.given[rows]
        now.vain[rows] += 1
        _choose(rows, not self._task.reject_invalid, now)
        self._done[rows] = (
            (taken.given[rows] == 0)
            | (now.vain[rows] > STARTS_IN_VAIN)
            | (now.known[rows] == self._task.space.num_cells)
        )
        now.to_ask[self._done] = now.following[self._done] = 0

    def _begin_climb(self, rows: np.ndarray, rejected: np.ndarray) -> None:
        """Shuffle the neighbours of the centre and look up their ids for the trials `rows`."""
        now = self._rounds
        k, n = len(self._changes), now.centre.shape[1]
        step = max(1, _CHUNK // max(1, k * n))
        for begin in range(0, len(rows), step):
            chunk = rows[begin : begin + step]
            strings = np.empty((len(chunk), k, n), dtype=np.int64)
            _neighbours(self._generators, chunk, self._changes, now, strings)
            ids = self._task.space.cell_id(strings)
            now.ids[chunk, :k] = ids
            if self._task.reject_invalid:
                rejected[chunk] += (ids == -1).sum(axis=1)
        now.candidates[rows] = k
        _choose(rows, not self._task.reject_invalid, now)


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
def _neighbours(
    generators: Any, rows: np.ndarray, changes: np.ndarray, now: _Rounds, out: np.ndarray
) -> None:
    """Shuffle order[t, :K] afresh (Fisher-Yates from 0 .. K - 1) and write the neighbours in this order to
    out int64[R, K, N]."""
    k = len(changes)
    for r in range(len(rows)):
        t = rows[r]
        generator = generators[t]
        order, centre = now.order[t], now.centre[t]
        for j in range(k):
            order[j] = j
        for j in range(k - 1, 0, -1):
            other = int(generator.random() * (j + 1))
            order[j], order[other] = order[other], order[j]
        for j in range(k):
            for i in range(len(centre)):
                out[r, j, i] = centre[i]
            variable, step, choices = changes[order[j]]
            out[r, j, variable] = (centre[variable] + step) % choices


@njit(cache=True)
def _choose(rows: np.ndarray, ask_invalid: bool, now: _Rounds) -> None:
    """List the candidates that must be evaluated: of unknown cells the first in order, and invalid strings
    where these are charged."""
    for t in rows:
        now.following[t] = 0
        total = 0
        for c in range(now.candidates[t]):
            cell = now.ids[t, c]
            if cell == -1:
                new = ask_invalid
            else:
                new = now.known_ids[t, slot(now.known_ids[t], cell)] != cell
                for a in range(total):
                    if now.ids[t, now.asked[t, a]] == cell:
                        new = False
                        break
            if new:
                now.asked[t, total] = c
                total += 1
        now.to_ask[t] = total
        if total > 0:
            now.vain[t] = 0


@njit(cache=True)
def _remember(accuracy: np.ndarray, status: np.ndarray, now: _Rounds) -> None:
    """Enter the outcome of the last proposal, [T, Q], into what each trial knows."""
    for t in range(status.shape[0]):
        for q in range(now.proposed[t]):
            cell = now.ids[t, now.asked[t, now.following[t] + q]]
            if cell == -1 or (status[t, q] != OK and status[t, q] != FAILED):
                continue
            at = slot(now.known_ids[t], cell)
            now.known[t] += now.known_ids[t, at] != cell
            now.known_ids[t, at] = cell
            now.known_values[t, at] = accuracy[t, q] if status[t, q] == OK else -np.inf


@njit(cache=True)
def _move(rows: np.ndarray, changes: np.ndarray, now: _Rounds) -> None:
    """End the round of each trial of `rows`: move to the best candidate, or start again (climbing[t]
    False)."""
    for t in rows:
        best = -1
        best_value = now.value[t] if now.climbing[t] else -np.inf
        for c in range(now.candidates[t]):
            cell = now.ids[t, c]
            if cell == -1:
                continue
            at = slot(now.known_ids[t], cell)
            if now.known_ids[t, at] == cell and now.known_values[t, at] > best_value:
                best, best_value = c, now.known_values[t, at]
        if best < 0:
            now.climbing[t] = False
        elif now.climbing[t]:
            variable, step, choices = changes[now.order[t, best]]
            now.centre[t, variable] = (now.centre[t, variable] + step) % choices
        else:
            now.climbing[t] = True
            for i in range(now.centre.shape[1]):
                now.centre[t, i] = now.first[t, best, i]
        now.value[t] = best_value


@njit(cache=True)
def _write(changes: np.ndarray, now: _Rounds, out: np.ndarray) -> None:
    """Write the strings to propose to out int64[T, Q, N]."""
    for t in range(len(now.proposed)):
        for q in range(now.proposed[t]):
            c = now.asked[t, now.following[t] + q]
            for i in range(out.shape[2]):
                out[t, q, i] = now.centre[t, i] if now.climbing[t] else now.first[t, c, i]
            if now.climbing[t]:
                variable, step, choices = changes[now.order[t, c]]
                out[t, q, variable] = (now.centre[t, variable] + step) % choices
