"""What searches guided by a Gaussian process share: the initial strings, the observations, and the points
that the model is fitted to.

Notation: T trials, N variables; A = `max_points`, the most points that a model holds; F floats describe a
string (`descriptions`).

Every observation is kept (`Observations`; a failed evaluation has accuracy -inf). The model sees the *active*
ones (`Points`): all of them as long as they are at most A; when there are more, the best third of A and the
newest third stay, and new ones join them.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, NamedTuple

import numpy as np
from numba import njit

from nas_bench_suite.checks import check_int
from nas_bench_suite.optimizer import FAILED, NOT_RUN, OK, Optimizer, Outcome, Proposal, Task
from optimizers.nasbot.descriptions import Descriptions
from optimizers.parts.uniform import UniformStrings

SPARE = 50  # uniform strings looked through for a new cell where the acquisition knows none


class Observations(NamedTuple):
    """Everything that T trials were told, at most C evaluations each."""

    number: np.ndarray  # int64[T], how many
    distinct: np.ndarray  # int64[T], of how many cells
    strings: np.ndarray  # int16[T, C, N]
    ids: np.ndarray  # int64[T, C], their cells
    accuracy: np.ndarray  # float64[T, C], -inf for a failed evaluation


class Points(NamedTuple):
    """The active points of T trials."""

    size: np.ndarray  # int64[T], how many
    active: np.ndarray  # int64[T, A], their places among the observations
    y: np.ndarray  # float64[T, A], accuracies
    rows: np.ndarray  # float32[T, A, F], descriptions
    masses: np.ndarray  # float64[T, A]


class Described(NamedTuple):
    """S strings on their way into observations or a pool."""

    strings: np.ndarray  # int64[S, N]
    ids: np.ndarray  # int64[S], their cells, -1 for an invalid string
    rows: np.ndarray  # float32[S, F], descriptions
    masses: np.ndarray  # float64[S]


class GaussianSearch(Optimizer):
    """Uniform strings first, no cell twice; then a few strings at a time, chosen by `_choose`.

    Args:
        initial: strings evaluated before the first model.
        max_points: A.
    """

    trials_per_block: ClassVar[int] = 100

    def __init__(self, *, initial: int, max_points: int) -> None:
        self.initial = check_int("optimizer.initial", initial, 1, 1_000_000)
        self.max_points = check_int("optimizer.max_points", max_points, max(30, 3 * self.initial), 10_000_000)

    @abstractmethod
    def _descriptions(self, task: Task) -> Descriptions:
        """How strings are described and compared."""

    @abstractmethod
    def _choose(self, ready: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Strings int64[T, K, N] for the trials with ready bool[T], which of them count bool[T, K], and how
        many were rejected int64[T]."""

    @abstractmethod
    def _update(self, trial: np.ndarray, first: np.ndarray) -> None:
        """Active points first[i] .. size - 1 of each trial[i] are new (all of them are, if first[i] is 0)."""

    def _keep(self, t: int, kept: np.ndarray) -> bool:
        """Trial t's active points are cut down to places `kept`, ascending. Returns whether what is known of
        pairs of them was kept, too: if not, all of them are new to `_update`."""
        return False

    def start(self, task: Task) -> None:
        self._task = task
        self._described = self._descriptions(task)
        name = type(self).__name__.lower()
        self._uniform = UniformStrings(task, f"{name}_initial", repeats=False)
        self._spare = UniformStrings(task, f"{name}_spare", repeats=False)
        self._generators = task.streams.typed(name)
        trials, n = task.trials, task.space.num_variables
        capacity = task.budget + self.initial
        active = min(self.max_points, capacity)
        self._told = np.zeros(trials, dtype=np.int64)
        self._seen = Observations(
            number=np.zeros(trials, dtype=np.int64),
            distinct=np.zeros(trials, dtype=np.int64),
            strings=np.zeros((trials, capacity, n), dtype=np.int16),
            ids=np.full((trials, capacity), -1, dtype=np.int64),
            accuracy=np.full((trials, capacity), -np.inf),
        )
        self._points = Points(
            size=np.zeros(trials, dtype=np.int64),
            active=np.zeros((trials, active), dtype=np.int64),
            y=np.zeros((trials, active)),
            rows=np.zeros((trials, active, self._described.width), dtype=np.float32),
            masses=np.zeros((trials, active)),
        )

    def ask(self, room: np.ndarray) -> Proposal:
        live = np.asarray(room) > 0
        cells = self._task.space.num_cells
        if cells is not None:
            live &= self._seen.distinct < cells
        to_fill = np.where(live, np.maximum(self.initial - self._told, 0), 0)
        to_fill[live & (to_fill == 0) & (self._points.size == 0)] = 1  # nothing to fit a model to yet
        initial = self._uniform.take(np.minimum(room, to_fill))
        strings, rejected = initial.architectures, initial.rejected
        if not strings.shape[1]:
            strings = np.zeros((len(live), 1, strings.shape[2]), dtype=np.int64)
        wanted = np.arange(strings.shape[1]) < initial.given[:, None]
        ready = live & (to_fill == 0)
        if ready.any():
            chosen, found, refused = self._choose(ready)
            rejected = rejected + refused
            lacking = ready & ~found.any(axis=1)
            if lacking.any():
                rejected = rejected + self._look_elsewhere(lacking, chosen[:, 0], found[:, 0])
            more = chosen.shape[1] - strings.shape[1]
            if more > 0:
                strings, wanted = (
                    np.pad(strings, ((0, 0), (0, more), (0, 0))),
                    np.pad(wanted, ((0, 0), (0, more))),
                )
            strings[ready, : chosen.shape[1]], wanted[ready, : chosen.shape[1]] = chosen[ready], found[ready]
        return Proposal(strings, wanted, rejected=rejected)

    def _look_elsewhere(self, lacking: np.ndarray, chosen: np.ndarray, found: np.ndarray) -> np.ndarray:
        """Give lacking trials a uniform string of a new cell, or of any where none turns up; returns how many
        strings each rejected."""
        taken = self._spare.take(np.where(lacking, SPARE, 0))
        for t in np.flatnonzero(lacking & (taken.given > 0)):
            spare = taken.architectures[t, : taken.given[t]]
            new = ~np.isin(self._task.space.cell_id(spare), self._seen.ids[t, : self._seen.number[t]])
            chosen[t] = spare[np.argmax(new)]
            found[t] = True
        return taken.rejected

    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        status = outcome.status
        self._told += (status != NOT_RUN).sum(axis=1)
        trial, slot = np.nonzero((status == OK) | (status == FAILED))
        if not len(trial):
            return
        accuracy = np.asarray(outcome.accuracy)[trial, slot]
        good = (status[trial, slot] == OK) & np.isfinite(accuracy)
        trials = self._task.trials
        self._make_room(int((self._seen.number + np.bincount(trial, minlength=trials)).max()))
        strings = np.asarray(proposal.architectures)[trial, slot]
        new = self.describe(strings, self._task.space.cell_id(strings))
        added = np.bincount(trial[good], minlength=trials)
        touched = np.flatnonzero(added)
        first = self._points.size[touched]
        for i in np.flatnonzero(first + added[touched] > self._points.active.shape[1]):
            kept = self._forget(touched[i])
            first[i] = len(kept) if self._keep(touched[i], kept) else 0
        _record(trial, new, np.where(good, accuracy, -np.inf), self._seen, self._points)
        if len(touched):
            self._update(touched, first)

    def _make_room(self, needed: int) -> None:
        """Let `needed` observations per trial fit: free repeats and failures can be more than the budget."""
        held = self._seen.ids.shape[1]
        if needed > held:
            more = ((0, 0), (0, max(needed - held, held)))
            self._seen = self._seen._replace(
                strings=np.pad(self._seen.strings, (*more, (0, 0))),
                ids=np.pad(self._seen.ids, more, constant_values=-1),
                accuracy=np.pad(self._seen.accuracy, more, constant_values=-np.inf),
            )

    def _forget(self, t: int) -> np.ndarray:
        """Cut trial t's active points down to the best third of A and the newest third; returns their former
        places."""
        points = self._points
        size, third = points.size[t], max(1, points.active.shape[1] // 3)
        keep = np.zeros(size, dtype=np.bool_)
        keep[np.argsort(-points.y[t, :size], kind="stable")[:third]] = True
        keep[np.flatnonzero(~keep)[-third:]] = True
        kept = np.flatnonzero(keep)
        for held in (points.active, points.y, points.rows, points.masses):
            held[t, : len(kept)] = held[t, kept]
        points.size[t] = len(kept)
        return kept

    def best(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Each trial's best observations, strings int64[T, count, N] (earlier ones first among equals), and
        how many there are, int64[T]."""
        seen, trials = self._seen, self._task.trials
        places = np.zeros((trials, min(count, seen.accuracy.shape[1])), dtype=np.int64)
        there = np.zeros(trials, dtype=np.int64)
        _largest(seen.accuracy, seen.number, places, there)
        return np.take_along_axis(seen.strings, places[:, :, None], axis=1).astype(np.int64), there

    def describe(self, strings: np.ndarray, ids: np.ndarray) -> Described:
        """Describe strings int64[S, N] of cells int64[S]."""
        rows = self._described.describe(strings)
        return Described(strings, ids, rows, self._described.masses(rows).astype(np.float64))


@njit(cache=True)
def _largest(values: np.ndarray, count: np.ndarray, places: np.ndarray, there: np.ndarray) -> None:
    """places[t] = where the largest of values[t, :count[t]] above -inf are, earlier ones first among equals;
    there[t], how many."""
    for t in range(len(values)):
        held = 0
        for c in range(count[t]):
            value = values[t, c]
            if value == -np.inf or (held == places.shape[1] and value <= values[t, places[t, held - 1]]):
                continue
            held = min(held + 1, places.shape[1])
            at = held - 1
            while at > 0 and values[t, places[t, at - 1]] < value:
                places[t, at] = places[t, at - 1]
                at -= 1
            places[t, at] = c
        there[t] = held


@njit(cache=True)
def _record(
    trial: np.ndarray, new: Described, accuracy: np.ndarray, seen: Observations, points: Points
) -> None:
    """Enter new[i] of each trial[i] into the observations, and into the active points where it has an
    accuracy, not -inf."""
    for i in range(len(trial)):
        t = trial[i]
        c = seen.number[t]
        seen.strings[t, c] = new.strings[i]
        fresh = True
        for before in range(c):
            fresh &= seen.ids[t, before] != new.ids[i]
        seen.distinct[t] += fresh
        seen.ids[t, c] = new.ids[i]
        seen.accuracy[t, c] = accuracy[i]
        seen.number[t] += 1
        if accuracy[i] > -np.inf:
            a = points.size[t]
            points.active[t, a] = c
            points.y[t, a] = accuracy[i]
            points.rows[t, a] = new.rows[i]
            points.masses[t, a] = new.masses[i]
            points.size[t] += 1
