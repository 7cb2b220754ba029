"""The books of a search: what each trial has spent, what it has seen, and every charged query as a row.

Notation: T trials, Q slots a proposal, F fidelities. A *row* is a charged query; rows of trial t lie in
`column[t, :rows[t]]`. The kernels go through trials one by one and through slots in order, so what happens to
a trial depends on that trial alone.

`admit` decides each slot's status and opens rows; the loop looks the open rows up in the benchmark; `settle`
writes the values and hands back the accuracies. Cells seen by a trial are kept in an open-addressing hash
table a trial (`keys`, `places`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from nas_bench_suite.optimizer import FAILED, INVALID, NOT_RUN, OK

RUNNING, SPENT, EXHAUSTED, STALLED, NO_ROOM = 0, 1, 2, 3, 4
ENDINGS = ("running", "budget", "exhausted", "stalled", "no_room")
STALL = 10_000  # free outcomes or rejections in a row after which a trial is given up

_EMPTY = np.int64(-(2**63))


@njit(cache=True)
def _slot(keys, t, key):
    """Index in the hash table of trial t where `key` lies or would lie."""
    mask = keys.shape[1] - 1
    mixed = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    place = np.int64(mixed >> np.uint64(32)) & mask
    while keys[t, place] != _EMPTY and keys[t, place] != key:
        place = (place + 1) & mask
    return place


@njit(cache=True)
def _admit(
    cells, levels, wanted, rejected, costs, charge_invalid, free_repeats, num_runs, two_runs, generators,
    left, ending, streak, rows, counts, keys, places, cell_seen,
    row_cell, row_level, row_run, row_test_run, row_status, row_spent, total, stall,
    status, slot_row, open_trial, open_row,
):  # fmt: skip
    """Fill `status` and `slot_row` for every slot, open rows, and list the rows to look up in
    open_trial/open_row. Returns their number."""
    opened = 0
    trials, slots = cells.shape
    fidelities = costs.shape[0]
    for t in range(trials):
        for q in range(slots):
            status[t, q] = NOT_RUN
            slot_row[t, q] = -1
        if ending[t] != RUNNING:
            continue
        counts[t, 3] += rejected[t]
        streak[t] += rejected[t]
        any_wanted = False
        for q in range(slots):
            if not wanted[t, q]:
                continue
            any_wanted = True
            if ending[t] != RUNNING:
                continue
            level = levels[t, q]
            cell = cells[t, q]
            invalid = cell == -1
            if invalid and not charge_invalid:
                counts[t, 2] += 1
                status[t, q] = INVALID
                streak[t] += 1
                continue
            key = cell * fidelities + level
            repeat = False
            if not invalid:
                place = _slot(keys, t, key)
                repeat = keys[t, place] == key
                if repeat and free_repeats:
                    counts[t, 1] += 1
                    status[t, q] = OK
                    slot_row[t, q] = places[t, place]
                    streak[t] += 1
                    continue
            if costs[level] > left[t]:
                ending[t] = SPENT if left[t] == 0 else NO_ROOM
                continue
            left[t] -= costs[level]
            row = rows[t]
            rows[t] += 1
            streak[t] = 0
            slot_row[t, q] = row
            row_cell[t, row] = cell
            row_level[t, row] = level
            row_spent[t, row] = total - left[t]
            row_run[t, row] = -1
            if invalid:
                counts[t, 2] += 1
                status[t, q] = INVALID
                row_status[t, row] = INVALID
                continue
            status[t, q] = OK
            row_status[t, row] = OK
            if repeat:
                counts[t, 1] += 1
            else:
                keys[t, place] = key
                places[t, place] = row
                place = _slot(cell_seen, t, cell)
                if cell_seen[t, place] != cell:
                    cell_seen[t, place] = cell
                    counts[t, 0] += 1
            if num_runs > 0:
                row_run[t, row] = min(np.int64(generators[t].random() * num_runs), num_runs - 1)
                if two_runs:
                    row_test_run[t, row] = min(np.int64(generators[t].random() * num_runs), num_runs - 1)
            open_trial[opened] = t
            open_row[opened] = row
            opened += 1
        if left[t] == 0 and ending[t] == RUNNING:
            ending[t] = SPENT
        elif not any_wanted and rejected[t] == 0:
            ending[t] = EXHAUSTED
        elif streak[t] >= stall and ending[t] == RUNNING:
            ending[t] = STALLED
    return opened


@njit(cache=True)
def _settle(
    open_trial,
    open_row,
    opened,
    validation,
    test,
    seconds,
    row_validation,
    row_test,
    row_seconds,
    row_status,
    row_level,
    last,
    status,
    slot_row,
    accuracy,
    best,
):
    """Write looked-up values into their rows, update the incumbents (`best`, row indices) and fill `accuracy`
    and failed statuses by slot."""
    for i in range(opened):
        t, row = open_trial[i], open_row[i]
        row_validation[t, row] = validation[i]
        row_test[t, row] = test[i]
        row_seconds[t, row] = seconds[i]
        if np.isnan(validation[i]):
            row_status[t, row] = FAILED
            continue
        held = best[t]
        # Full-fidelity evaluations only; until there is one, the best at the highest fidelity so far. First
        # come wins a tie.
        if (
            held < 0
            or row_level[t, row] > row_level[t, held]
            or (row_level[t, row] == row_level[t, held] and validation[i] > row_validation[t, held])
        ):
            best[t] = row
    for t in range(status.shape[0]):
        for q in range(status.shape[1]):
            accuracy[t, q] = np.nan
            row = slot_row[t, q]
            if row >= 0 and status[t, q] == OK:
                if row_status[t, row] == FAILED:
                    status[t, q] = FAILED
                else:
                    accuracy[t, q] = row_validation[t, row]


class Ledger:
    """The books of T trials.

    Args:
        trials: T.
        budget: full-fidelity queries a trial.
        costs: int64[F], cost of a query at each fidelity; the last is the full one's.
        num_runs: stored runs to choose from, 0 if the mean is read.
        generators: a numba typed list of T generators, for the choice of runs.
        two_runs: draw the test's run independently of the validation's.
        charge_invalid, free_repeats: see `Protocol`.
    """

    _COLUMNS = (
        ("cell", np.int64),
        ("level", np.int64),
        ("run", np.int64),
        ("test_run", np.int64),
        ("status", np.int8),
        ("spent", np.int64),
        ("validation", np.float64),
        ("test", np.float64),
        ("seconds", np.float64),
    )

    def __init__(
        self,
        trials: int,
        budget: int,
        costs: np.ndarray,
        num_runs: int,
        generators: Any,
        *,
        two_runs: bool,
        charge_invalid: bool,
        free_repeats: bool,
    ) -> None:
        self.costs = np.asarray(costs, dtype=np.int64)
        self.total = int(budget * self.costs[-1])
        self.two_runs, self.charge_invalid, self.free_repeats = two_runs, charge_invalid, free_repeats
        self.num_runs, self._generators = num_runs, generators
        self.left = np.full(trials, self.total, dtype=np.int64)
        self.ending = np.full(trials, SPENT if budget == 0 else RUNNING, dtype=np.int64)
        self.streak = np.zeros(trials, dtype=np.int64)
        self.rows = np.zeros(trials, dtype=np.int64)
        # unique cells, repeats, invalid proposals, strings rejected by the method
        self.counts = np.zeros((trials, 4), dtype=np.int64)
        self.best = np.full(trials, -1, dtype=np.int64)
        capacity = int(budget) + 1
        self.columns = {name: np.empty((trials, capacity), dtype=kind) for name, kind in self._COLUMNS}
        self._keys, self._places = self._tables(trials, capacity)
        self._cells = self._keys.copy()

    @staticmethod
    def _tables(trials: int, capacity: int) -> tuple[np.ndarray, np.ndarray]:
        slots = 1 << int(np.ceil(np.log2(2 * max(capacity, 8))))
        return np.full((trials, slots), _EMPTY, dtype=np.int64), np.zeros((trials, slots), dtype=np.int32)

    def room(self) -> np.ndarray:
        """int64[T]: full-fidelity queries left, rounded up; 0 for a trial that has ended."""
        return np.where(self.ending == RUNNING, -(-self.left // self.costs[-1]), 0)

    def _reserve(self, more: int) -> None:
        """Make place for `more` further rows in every trial."""
        need = int(self.rows.max(initial=0)) + more
        capacity = self.columns["cell"].shape[1]
        if need <= capacity:
            return
        capacity = max(need, 2 * capacity)
        for name, column in self.columns.items():
            grown = np.empty((column.shape[0], capacity), dtype=column.dtype)
            grown[:, : column.shape[1]] = column
            self.columns[name] = grown
        keys, places = self._tables(len(self.rows), capacity)
        cells = keys.copy()
        _rehash(self._keys, self._places, keys, places)
        _rehash(self._cells, self._places, cells, np.zeros_like(places))
        self._keys, self._places, self._cells = keys, places, cells

    def admit(
        self, cells: np.ndarray, levels: np.ndarray, wanted: np.ndarray, rejected: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Decide the slots of a proposal.

        Args:
            cells: int64[T, Q], -1 = invalid.
            levels: int64[T, Q], indices of fidelities.
            wanted: bool[T, Q].
            rejected: int64[T].

        Returns: status int8[T, Q], slot_row int64[T, Q] (the row behind a slot, -1 = none), and trial and row
            of each row to look up.
        """
        shape = cells.shape
        # A trial opens at most one row a slot, and none that it cannot pay for.
        self._reserve(min(shape[1], int(self.left.max(initial=0) // self.costs.min()) + 1))
        status = np.empty(shape, dtype=np.int8)
        slot_row = np.empty(shape, dtype=np.int64)
        open_trial = np.empty(cells.size, dtype=np.int64)
        open_row = np.empty(cells.size, dtype=np.int64)
        c = self.columns
        opened = _admit(
            cells,
            levels,
            wanted,
            rejected,
            self.costs,
            self.charge_invalid,
            self.free_repeats,
            self.num_runs,
            self.two_runs,
            self._generators,
            self.left,
            self.ending,
            self.streak,
            self.rows,
            self.counts,
            self._keys,
            self._places,
            self._cells,
            c["cell"],
            c["level"],
            c["run"],
            c["test_run"],
            c["status"],
            c["spent"],
            self.total,
            STALL,
            status,
            slot_row,
            open_trial,
            open_row,
        )
        return status, slot_row, open_trial[:opened], open_row[:opened]

    def settle(
        self,
        opened: tuple[np.ndarray, np.ndarray],
        values: tuple[np.ndarray, np.ndarray, np.ndarray],
        status: np.ndarray,
        slot_row: np.ndarray,
    ) -> np.ndarray:
        """Write validation, test and seconds of the opened rows; mark failures in `status`. Returns accuracy
        float64[T, Q]."""
        accuracy = np.empty(status.shape)
        c = self.columns
        validation, test, seconds = (np.ascontiguousarray(value, dtype=np.float64) for value in values)
        _settle(
            *opened,
            len(opened[0]),
            validation,
            test,
            seconds,
            c["validation"],
            c["test"],
            c["seconds"],
            c["status"],
            c["level"],
            len(self.costs) - 1,
            status,
            slot_row,
            accuracy,
            self.best,
        )
        return accuracy


@njit(cache=True)
def _rehash(keys, places, new_keys, new_places):
    for t in range(keys.shape[0]):
        for i in range(keys.shape[1]):
            if keys[t, i] != _EMPTY:
                place = _slot(new_keys, t, keys[t, i])
                new_keys[t, place] = keys[t, i]
                new_places[t, place] = places[t, i]
