"""The books of T trials: what each has spent, seen and found best, as compiled kernels over plain arrays.

Notation: T trials, Q slots of a proposal, F fidelities, N variables; a *slot* is one place of a proposal, a
*row* one charged query, numbered from 0 within its trial, a *level* the index of a fidelity. Every decision
about a trial depends on that trial alone.

`admit` decides each slot's status and opens rows; the loop looks the opened rows up in the benchmark;
`settle` writes the values and hands back the accuracies. Cells seen by a trial are kept in a hash table per
trial (`keys`, `places`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from nas_bench_suite.benchmark import Evaluation, Lookups
from nas_bench_suite.hash_table import empty_keys, move, slot
from nas_bench_suite.optimizer import FAILED, INVALID, NOT_RUN, OK
from nas_bench_suite.protocol import Protocol

RUNNING, SPENT, EXHAUSTED, STALLED, NO_ROOM, OUT_OF_TIME = 0, 1, 2, 3, 4, 5
ENDINGS = ("running", "budget", "exhausted", "stalled", "no_room", "seconds")
STALL = 10_000  # free outcomes or rejections in a row after which a trial is given up


class Asked(NamedTuple):
    """A proposal as the ledger reads it."""

    cells: np.ndarray  # int64[T, Q], -1 = invalid
    levels: np.ndarray  # int64[T, Q]
    wanted: np.ndarray  # bool[T, Q]
    rejected: np.ndarray  # int64[T], strings that the method rejected itself
    architectures: np.ndarray  # int64[T, Q, N]


class Admitted(NamedTuple):
    """What became of a proposal's slots, and what is to be looked up for it: n opened rows, by trial, then
    slot."""

    status: np.ndarray  # int8[T, Q]
    slot_row: np.ndarray  # int64[T, Q], the row behind a slot; -1 = none
    trial: np.ndarray  # int64[n]
    row: np.ndarray  # int64[n]
    test_runs: np.ndarray  # int64[n], runs of the test, where the protocol draws them apart
    lookups: Lookups  # n look-ups


class _Rules(NamedTuple):
    """What never changes during a search."""

    costs: np.ndarray  # int64[F]
    total: int  # of a trial, in the units of `costs`
    stall: int
    num_runs: int  # stored runs to choose from; 0: the mean is read
    two_runs: bool
    charge_invalid: bool
    free_repeats: bool


class _Books(NamedTuple):
    """What changes with every proposal. C: rows that there is place for; M: slots of a hash table."""

    left: np.ndarray  # int64[T]
    ending: np.ndarray  # int64[T], index of ENDINGS
    streak: np.ndarray  # int64[T], free outcomes or rejections in a row
    rows: np.ndarray  # int64[T], opened so far
    counts: (
        np.ndarray
    )  # int64[T, 4]: unique cells, repeats, invalid proposals, strings rejected by the method
    best: np.ndarray  # int64[T], row of the incumbent; -1 = none
    keys: np.ndarray  # int64[T, M], cell and level as one number
    places: np.ndarray  # int32[T, M], the row that first had this key
    seen: np.ndarray  # int64[T, M], cells
    cell: np.ndarray  # int64[T, C], from here on a column of rows
    level: np.ndarray  # int64[T, C]
    run: np.ndarray  # int64[T, C], -1 = the mean, or none
    test_run: np.ndarray  # int64[T, C]
    status: np.ndarray  # int8[T, C]
    spent: np.ndarray  # int64[T, C]
    validation: np.ndarray  # float64[T, C]
    test: np.ndarray  # float64[T, C]
    seconds: np.ndarray  # float64[T, C]


class _Opened(NamedTuple):
    """Rows opened by one proposal; `slot` is the slot that opened the row."""

    trial: np.ndarray  # int64[T Q]
    slot: np.ndarray  # int64[T Q]
    row: np.ndarray  # int64[T Q]


COLUMNS = ("cell", "level", "run", "test_run", "status", "spent", "validation", "test", "seconds")


@njit(cache=True)
def _open(rules: _Rules, books: _Books, t: int, cell: int, level: int) -> np.int64:
    """Charge a query of trial t and open its row."""
    books.left[t] -= rules.costs[level]
    row: np.int64 = books.rows[t]
    books.rows[t] += 1
    books.streak[t] = 0
    books.cell[t, row] = cell
    books.level[t, row] = level
    books.spent[t, row] = rules.total - books.left[t]
    books.run[t, row] = -1
    return row


@njit(cache=True)
def _draw_runs(rules: _Rules, books: _Books, t: int, row: np.int64, generator: Any) -> None:
    """Choose the stored runs that the row reads."""
    n = rules.num_runs
    books.run[t, row] = min(np.int64(generator.random() * n), n - 1)
    if rules.two_runs:
        books.test_run[t, row] = min(np.int64(generator.random() * n), n - 1)


@njit(cache=True)
def _admit(
    asked: Asked,
    rules: _Rules,
    books: _Books,
    generators: Any,
    status: np.ndarray,
    slot_row: np.ndarray,
    opened: _Opened,
) -> int:
    """Fill `status` and `slot_row` for every slot, open rows, and list the rows to look up in `opened`.
    Returns their number."""
    count = 0
    counts, streak, ending, left = books.counts, books.streak, books.ending, books.left
    keys, places, seen = books.keys, books.places, books.seen
    trials, slots = asked.cells.shape
    fidelities = rules.costs.shape[0]
    for t in range(trials):
        for q in range(slots):
            status[t, q] = NOT_RUN
            slot_row[t, q] = -1
        if ending[t] != RUNNING:
            continue
        counts[t, 3] += asked.rejected[t]
        streak[t] += asked.rejected[t]
        any_wanted = False
        for q in range(slots):
            if not asked.wanted[t, q]:
                continue
            any_wanted = True
            if ending[t] != RUNNING:
                continue
            level = asked.levels[t, q]
            cell = asked.cells[t, q]
            invalid = cell == -1
            if invalid and not rules.charge_invalid:
                counts[t, 2] += 1
                status[t, q] = INVALID
                streak[t] += 1
                continue
            key = cell * fidelities + level
            place = np.int64(0)
            repeat = False
            if not invalid:
                place = slot(keys[t], key)
                repeat = keys[t, place] == key
                if repeat and rules.free_repeats:
                    counts[t, 1] += 1
                    status[t, q] = OK
                    slot_row[t, q] = places[t, place]
                    streak[t] += 1
                    continue
            if rules.costs[level] > left[t]:
                ending[t] = SPENT if left[t] == 0 else NO_ROOM
                continue
            row = _open(rules, books, t, cell, level)
            slot_row[t, q] = row
            if invalid:
                counts[t, 2] += 1
                status[t, q] = INVALID
                books.status[t, row] = INVALID
                continue
            status[t, q] = OK
            books.status[t, row] = OK
            if repeat:
                counts[t, 1] += 1
            else:
                keys[t, place] = key
                places[t, place] = row
                place = slot(seen[t], cell)
                if seen[t, place] != cell:
                    seen[t, place] = cell
                    counts[t, 0] += 1
            if rules.num_runs > 0:
                _draw_runs(rules, books, t, row, generators[t])
            opened.trial[count] = t
            opened.slot[count] = q
            opened.row[count] = row
            count += 1
        if left[t] == 0 and ending[t] == RUNNING:
            ending[t] = SPENT
        elif not any_wanted and asked.rejected[t] == 0:
            ending[t] = EXHAUSTED
        elif streak[t] >= rules.stall and ending[t] == RUNNING:
            ending[t] = STALLED
    return count


@njit(cache=True)
def _settle(
    books: _Books,
    opened: tuple[np.ndarray, np.ndarray],
    values: Evaluation,
    status: np.ndarray,
    slot_row: np.ndarray,
    accuracy: np.ndarray,
) -> None:
    """Write looked-up values into their rows, update the incumbents and fill `accuracy` and failed statuses
    by slot."""
    for i in range(len(opened[0])):
        t, row = opened[0][i], opened[1][i]
        books.validation[t, row] = values.validation[i]
        books.test[t, row] = values.test[i]
        books.seconds[t, row] = values.seconds[i]
        if np.isnan(values.validation[i]):
            books.status[t, row] = FAILED
            continue
        held = books.best[t]
        # Full-fidelity evaluations only; until there is one, the best at the highest fidelity so far. First
        # come wins a tie.
        if (
            held < 0
            or books.level[t, row] > books.level[t, held]
            or (
                books.level[t, row] == books.level[t, held]
                and values.validation[i] > books.validation[t, held]
            )
        ):
            books.best[t] = row
    for t in range(status.shape[0]):
        for q in range(status.shape[1]):
            accuracy[t, q] = np.nan
            row = slot_row[t, q]
            if row >= 0 and status[t, q] == OK:
                if books.status[t, row] == FAILED:
                    status[t, q] = FAILED
                else:
                    accuracy[t, q] = books.validation[t, row]


class Ledger:
    """The books of T trials.

    Args:
        trials: T.
        budget: full-fidelity queries per trial.
        fidelities: F training budgets, ascending; the last is the full one.
        protocol: what a query costs and which run it reads.
        num_runs: runs that the benchmark stores.
        generators: a numba typed list of T generators, for the choice of runs.
    """

    def __init__(
        self,
        trials: int,
        budget: int,
        fidelities: tuple[int, ...],
        protocol: Protocol,
        num_runs: int,
        generators: Any,
    ) -> None:
        self.fidelities = np.asarray(fidelities, dtype=np.int64)
        costs = protocol.costs(fidelities)
        self._generators = generators
        self._rules = _Rules(
            costs=costs,
            total=int(budget * costs[-1]),
            stall=STALL,
            num_runs=0 if protocol.run == "mean" else num_runs,
            two_runs=protocol.run == "single_independent",
            charge_invalid=protocol.invalid == "charge",
            free_repeats=protocol.repeats == "free",
        )
        capacity = int(budget) + 1
        keys = empty_keys(trials, capacity)
        self._books = _Books(
            left=np.full(trials, self._rules.total, dtype=np.int64),
            ending=np.full(trials, SPENT if budget == 0 else RUNNING, dtype=np.int64),
            streak=np.zeros(trials, dtype=np.int64),
            rows=np.zeros(trials, dtype=np.int64),
            counts=np.zeros((trials, 4), dtype=np.int64),
            best=np.full(trials, -1, dtype=np.int64),
            keys=keys,
            places=np.zeros(keys.shape, dtype=np.int32),
            seen=keys.copy(),
            **{
                name: np.empty((trials, capacity), dtype=kind)
                for name, kind in zip(COLUMNS, [np.int64] * 4 + [np.int8, np.int64] + [np.float64] * 3)
            },
        )

    @property
    def total(self) -> int:
        """What a trial may spend, in queries, or in epochs under `cost: epochs`."""
        return self._rules.total

    @property
    def left(self) -> np.ndarray:
        """int64[T]: what is left of it."""
        return self._books.left

    @property
    def ending(self) -> np.ndarray:
        """int64[T]: why each trial ended, as an index of `ENDINGS`."""
        return self._books.ending

    @property
    def rows(self) -> np.ndarray:
        """int64[T]: charged queries so far."""
        return self._books.rows

    @property
    def counts(self) -> np.ndarray:
        """int64[T, 4]: unique cells, repeats, invalid proposals, strings rejected by the method."""
        return self._books.counts

    @property
    def best(self) -> np.ndarray:
        """int64[T]: the incumbent's row; -1 = none."""
        return self._books.best

    def column(self, name: str) -> np.ndarray:
        """[T, C]: a column of the rows, of which trial t's first `rows[t]` count."""
        column: np.ndarray = getattr(self._books, name)
        return column

    def evaluations(self) -> tuple[int, int]:
        """How many evaluations failed, and how many there were, over all trials."""
        charged = np.arange(self.column("status").shape[1]) < self.rows[:, None]
        status = self.column("status")[charged]
        return int((status == FAILED).sum()), int((status != INVALID).sum())

    def room(self) -> np.ndarray:
        """int64[T]: full-fidelity queries left, rounded up; 0 for a trial that has ended."""
        return np.where(self.ending == RUNNING, -(-self.left // self._rules.costs[-1]), 0)

    @property
    def unit(self) -> int:
        """What a query at full fidelity costs."""
        return int(self._rules.costs[-1])

    def best_validation(self) -> float:
        """The best incumbent's validation accuracy over all trials; NaN before there is one."""
        found = np.flatnonzero(self.best >= 0)
        return (
            float(self.column("validation")[found, self.best[found]].max(initial=-np.inf))
            if len(found)
            else np.nan
        )

    def stop(self) -> None:
        """End every trial that is not at its end: the time is up."""
        self.ending[self.ending == RUNNING] = OUT_OF_TIME

    def _reserve(self, more: int) -> None:
        """Make place for `more` further rows in every trial."""
        books = self._books
        need = int(books.rows.max(initial=0)) + more
        capacity = books.cell.shape[1]
        if need <= capacity:
            return
        capacity = max(need, 2 * capacity)
        grown = {}
        for name in COLUMNS:
            column = getattr(books, name)
            grown[name] = np.empty((column.shape[0], capacity), dtype=column.dtype)
            grown[name][:, : column.shape[1]] = column
        keys = empty_keys(len(books.rows), capacity)
        seen, places = keys.copy(), np.zeros(keys.shape, dtype=np.int32)
        move(books.keys, books.places, keys, places)
        move(books.seen, books.places, seen, np.zeros_like(places))
        self._books = books._replace(keys=keys, places=places, seen=seen, **grown)

    def admit(self, asked: Asked) -> Admitted:
        """Decide the slots of a proposal, charge what is to be charged, and say what is to be looked up."""
        shape, rules = asked.cells.shape, self._rules
        # A trial opens at most one row per slot, and none that it cannot pay for.
        self._reserve(min(shape[1], int(self.left.max(initial=0) // rules.costs.min()) + 1))
        books = self._books
        status = np.empty(shape, dtype=np.int8)
        slot_row = np.empty(shape, dtype=np.int64)
        opened = _Opened(*(np.empty(asked.cells.size, dtype=np.int64) for _ in range(3)))
        count = _admit(asked, rules, books, self._generators, status, slot_row, opened)
        trial, at, row = (column[:count] for column in opened)
        lookups = Lookups(
            books.cell[trial, row],
            books.run[trial, row] if rules.num_runs else "mean",
            self.fidelities[books.level[trial, row]],
            asked.architectures[trial, at],
        )
        return Admitted(status, slot_row, trial, row, books.test_run[trial, row], lookups)

    def settle_row(self, trial: int, row: int, values: Evaluation) -> None:
        """Write the values (of one look-up) of one opened row."""
        nothing = np.empty((0, 0), dtype=np.int8)
        _settle(
            self._books,
            (np.array([trial]), np.array([row])),
            Evaluation(*(np.ascontiguousarray(value, dtype=np.float64) for value in values)),
            nothing,
            np.empty((0, 0), dtype=np.int64),
            np.empty((0, 0)),
        )

    def settle(self, admitted: Admitted, values: Evaluation) -> np.ndarray:
        """Write validation, test and seconds of the opened rows; mark failures in the status. Returns
        accuracy float64[T, Q]."""
        accuracy = np.empty(admitted.status.shape)
        _settle(
            self._books,
            (admitted.trial, admitted.row),
            Evaluation(*(np.ascontiguousarray(value, dtype=np.float64) for value in values)),
            admitted.status,
            admitted.slot_row,
            accuracy,
        )
        return accuracy
