"""The loop. Sole owner of the budget, the incumbents and the test scores.

It asks an optimizer for proposals, trims them to each trial's room (slots past it are NOT_RUN, in slot
order), reads the benchmark as the protocol says, and tells the validation accuracies back. T trials run in
lockstep; each ends for a reason of its own (`ENDINGS`).
"""

from __future__ import annotations

import math
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nas_bench_suite.benchmark import Benchmark, Evaluation, Lookups
from nas_bench_suite.checks import ConfigError, check_float, check_int
from nas_bench_suite.journal import Journal, Measured, describe_search
from nas_bench_suite.ledger import RUNNING, Admitted, Ledger
from nas_bench_suite.objective import Objective, Waiting
from nas_bench_suite.optimizer import FAILED, OK, Optimizer, Outcome, Proposal, Task
from nas_bench_suite.proposals import read_proposal
from nas_bench_suite.protocol import Protocol
from nas_bench_suite.record import SearchRecord, record
from nas_bench_suite.streams import Streams

# asks in a row that neither charge nor reject anything: a method that does this would loop for ever
MAX_ROUNDS_WITHOUT_CHANGE = 100_000

Progress = Callable[[int, int], None]  # (queries charged so far over all trials, queries in all)


def search(
    optimizer: Optimizer,
    benchmark: Benchmark,
    protocol: Protocol | None = None,
    *,
    budget: int,
    trials: int,
    seed: int,
    first_trial: int = 0,
    device: str = "cpu",
    journal: str | Path | None = None,
    progress: Progress | None = None,
    seconds: float | None = None,
    watch: Watch | None = None,
    extend: bool = False,
    retry_failures: bool = False,
) -> SearchRecord:
    """Run `trials` independent searches of `budget` full-fidelity queries each.

    Args:
        optimizer: the method; it is started anew.
        benchmark: where architectures are looked up.
        protocol: the rules (the defaults of `Protocol` if left out).
        budget: full-fidelity queries per trial.
        trials: T.
        seed: of the study. A trial's random streams depend on (seed, first_trial + t, purpose) alone.
        first_trial: index of the first trial.
        device: where torch methods compute.
        journal: a file that every evaluation is appended to as it comes, and that an interrupted search is
            resumed from.
        progress: called with (queries charged so far, queries in all) after every tell.
        seconds: wall-clock seconds after which nothing new is asked for: what is under way finishes, and the
            trials that are left end for the reason `seconds`.
        watch: called with a `Status` after every evaluation (a round of evaluations, where a method proposes
            in rounds). `print_status` prints it.
        extend: go on from the journal of the same search with a smaller budget.
        retry_failures: evaluate anew what failed according to the journal. The search begins again, and takes
            what succeeded from the journal, which is kept as FILE.before.

    A single search (`trials=1`) over a benchmark that computes several evaluations at a time keeps as many
    under way, if the method allows it (`Optimizer.asynchronous`): whenever one finishes, it is told and the
    next is asked for. The order in which they finished is that of the journal, which a resumed search
    follows.

    Raises:
        ConfigError: for numbers out of range, for a journal that is damaged or belongs to another search, and
            if every single evaluation failed.
    """
    began = time.perf_counter()
    protocol = protocol or Protocol()
    budget = check_int("budget", budget, 1)
    trials = check_int("trials", trials, 1)
    seed, first_trial = check_int("seed", seed, 0), check_int("first_trial", first_trial, 0)
    streams = Streams(seed, trials, first_trial)
    # The loop's own: nothing that a method draws moves them.
    runs = Streams(seed, trials, first_trial).typed("run")
    if seconds is not None:
        seconds = check_float("seconds", seconds, 0, open_low=True)
    if (extend or retry_failures) and journal is None:
        raise ConfigError(
            f"{'extend' if extend else 'retry_failures'}=True needs a journal; accepted: journal=FILE."
        )
    computes = isinstance(benchmark, Objective) and trials == 1 and optimizer.asynchronous
    width = benchmark.parallel if computes else 1
    ledger = Ledger(trials, budget, benchmark.fidelities, protocol, benchmark.num_runs, runs)
    sizes = benchmark.space.sizes.copy()
    task = Task(
        space=benchmark.space,
        trials=trials,
        budget=budget,
        streams=streams,
        first_trial=first_trial,
        fidelities=benchmark.fidelities,
        fidelity_cost=protocol.costs(benchmark.fidelities),
        reject_invalid=protocol.invalid == "free",
        device=device,
    )
    identity = describe_search(
        optimizer, benchmark, protocol, budget=budget, trials=trials, first_trial=first_trial, seed=seed
    )
    if width > 1:
        identity["at_a_time"] = width
    clock = _Clock(began, math.inf if seconds is None else seconds, watch, benchmark)
    with _opened(journal, identity, extend, retry_failures) as book:
        reader = _Reader(benchmark, protocol, first_trial, book)
        loop = _loop if width == 1 else _loop_asynchronously
        optimizer_seconds = loop(optimizer, reader, task, ledger, progress, clock)
    reason = reader.reason or getattr(benchmark, "last_failure", "")
    check_some_succeeded(benchmark.name, *ledger.evaluations(), reason)
    if not np.array_equal(sizes, benchmark.space.sizes):
        raise ConfigError(
            f"{type(optimizer).__name__} has changed the search space that it was given (space.sizes); "
            "accepted: a method that changes its own arrays alone."
        )
    return record(ledger, benchmark, first_trial, optimizer_seconds / trials, time.perf_counter() - began)


class Status(NamedTuple):
    """Where a search is, over all of its trials."""

    done: int  # evaluations that finished
    of: int  # queries of the budget
    failed: int
    running: int
    best: float  # validation value of the best so far, as the function returned it; NaN before there is one
    seconds: float  # since the search began
    left: float  # seconds that it will take at this pace, or that are left of `seconds`; NaN: not known


Watch = Callable[[Status], None]


def print_status(status: Status) -> None:
    """Print a status: one line that is written over in a terminal, a line each time elsewhere."""
    best = "none yet" if math.isnan(status.best) else f"{status.best:.4f}"
    left = "" if math.isnan(status.left) else f", {status.left:.0f} s left"
    line = (
        f"{status.done} of {status.of} done, {status.running} running, {status.failed} failed, best {best}, "
        f"{status.seconds:.0f} s{left}"
    )
    end = "\r" if sys.stdout.isatty() and status.done < status.of else "\n"
    print(f"{line:<78}", end=end, flush=True)


@dataclass
class _Clock:
    """The time that a search has, and whom to tell where it is."""

    began: float
    limit: float
    watch: Watch | None
    benchmark: Benchmark

    @property
    def up(self) -> bool:
        return time.perf_counter() - self.began >= self.limit

    def tell(self, ledger: Ledger, running: int = 0) -> None:
        if self.watch is None:
            return
        failed, opened = ledger.evaluations()
        done, of = opened - running, int(ledger.total * len(ledger.rows) // ledger.unit)
        passed = time.perf_counter() - self.began
        spent = ledger.total * len(ledger.rows) - int(ledger.left.sum())
        pace = passed / spent * int(ledger.left.sum()) if spent else math.nan
        left = min(pace, self.limit - passed) if not math.isnan(pace) else pace
        best = getattr(self.benchmark, "value", lambda accuracy: accuracy)(ledger.best_validation())
        self.watch(Status(done, of, failed, running, best, passed, max(left, 0.0)))


@contextmanager
def _opened(
    path: str | Path | None, identity: dict[str, Any], extend: bool, retry_failures: bool
) -> Iterator[Journal | None]:
    """The journal of a search, if it has one."""
    if path is None:
        yield None
        return
    book = Journal(path, identity, extend)
    if retry_failures and any(entry["validation"] is None for entry in book.entries.values()):
        try:
            fresh = book.without_failures(identity)
        finally:
            book.close()
        book = fresh
    with book:
        yield book


def _loop(
    optimizer: Optimizer,
    reader: _Reader,
    task: Task,
    ledger: Ledger,
    progress: Progress | None,
    clock: _Clock,
) -> float:
    """Ask, evaluate and tell until every trial has ended. Returns the seconds spent in the optimizer."""
    trials = task.trials
    name = type(optimizer).__name__
    thinking = time.perf_counter()
    optimizer.start(task)
    optimizer_seconds = time.perf_counter() - thinking
    idle = 0
    while (ledger.ending == RUNNING).any():
        if clock.up:
            ledger.stop()
            break
        charged = int(ledger.left.sum())
        thinking = time.perf_counter()
        proposal = optimizer.ask(ledger.room())
        optimizer_seconds += time.perf_counter() - thinking
        asked = read_proposal(proposal, reader.benchmark, trials, name)
        admitted = ledger.admit(asked)
        accuracy = ledger.settle(admitted, reader(admitted))
        thinking = time.perf_counter()
        optimizer.tell(proposal, Outcome(accuracy, admitted.status))
        optimizer_seconds += time.perf_counter() - thinking
        remaining = int(ledger.left.sum())
        idle = 0 if remaining < charged or asked.rejected.any() else idle + 1
        if idle > MAX_ROUNDS_WITHOUT_CHANGE:
            raise ConfigError(
                f"{name} asked {idle:,} times in a row for nothing that could be charged; accepted: a method "
                "that proposes a valid architecture for each trial with room, or none to end it."
            )
        if progress is not None:
            progress(trials * ledger.total - remaining, trials * ledger.total)
        clock.tell(ledger)
    return optimizer_seconds


def _loop_asynchronously(
    optimizer: Optimizer,
    reader: _Reader,
    task: Task,
    ledger: Ledger,
    progress: Progress | None,
    clock: _Clock,
) -> float:
    """The same for one trial, `benchmark.parallel` evaluations at a time: as soon as one finishes it is told,
    and the next is asked for.

    What is told when decides what is asked next, so the order in which evaluations finish is part of the
    search: the journal keeps it, and `_Stream` hands out what the journal holds in that order.
    """
    name, width = type(optimizer).__name__, reader.benchmark.parallel
    stream = _Stream(reader)
    slots: dict[int, list[Proposal]] = {}  # row -> proposals of one slot that wait for it
    thinking = time.perf_counter()
    optimizer.start(task)
    optimizer_seconds = time.perf_counter() - thinking
    idle = 0

    def tell(slot: Proposal, accuracy: float, status: int) -> None:
        nonlocal optimizer_seconds
        thinking = time.perf_counter()
        optimizer.tell(slot, Outcome(np.full((1, 1), accuracy), np.full((1, 1), status, dtype=np.int8)))
        optimizer_seconds += time.perf_counter() - thinking

    def tell_row(slot: Proposal, row: int) -> None:
        value = float(ledger.column("validation")[0, row])
        tell(slot, value, FAILED if math.isnan(value) else OK)

    def fill() -> None:
        """Ask until `width` evaluations are under way, or the trial has ended."""
        nonlocal optimizer_seconds, idle
        while ledger.ending[0] == RUNNING and len(slots) < width:
            if clock.up:
                ledger.stop()
                return
            left = int(ledger.left[0])
            thinking = time.perf_counter()
            proposal = optimizer.ask(np.minimum(ledger.room(), width - len(slots)))
            optimizer_seconds += time.perf_counter() - thinking
            asked = read_proposal(proposal, reader.benchmark, 1, name)
            admitted = ledger.admit(asked)
            for row, lookup in zip(admitted.row.tolist(), reader.each(admitted)):
                slots[row] = []
                stream.add(row, lookup)
            for q in np.flatnonzero(proposal.wanted[0]).tolist():
                slot = _slot(proposal, q)
                row, status = int(admitted.slot_row[0, q]), int(admitted.status[0, q])
                if row in slots:
                    slots[row].append(slot)
                elif status == OK:  # a free repeat of what has finished
                    tell_row(slot, row)
                else:
                    tell(slot, math.nan, status)
            moved = int(ledger.left[0]) < left or bool(asked.rejected.any())
            idle = 0 if moved else idle + 1
            if idle > MAX_ROUNDS_WITHOUT_CHANGE:
                raise ConfigError(f"{name} asked {idle:,} times in a row for nothing that could be charged.")

    with closing(stream):
        fill()
        while slots:
            row, values = stream.next()
            ledger.settle_row(0, row, Evaluation(*(np.array([value]) for value in values)))
            for slot in slots.pop(row):
                tell_row(slot, row)
            fill()
            if progress is not None:
                progress(ledger.total - int(ledger.left[0]), ledger.total)
            clock.tell(ledger, len(slots))
    return optimizer_seconds


def _slot(proposal: Proposal, q: int) -> Proposal:
    """One slot of a proposal, as a proposal."""
    fidelity = None if proposal.fidelity is None else proposal.fidelity[:, q : q + 1]
    return Proposal(proposal.architectures[:, q : q + 1], proposal.wanted[:, q : q + 1], fidelity)


class _Lookup(NamedTuple):
    """One opened row, as the journal and an objective ask for it."""

    key: tuple[int, int, np.ndarray, int, int]  # trial, query, string, fidelity, run

    @property
    def place(self) -> tuple[int, int]:
        return self.key[0], self.key[1]


class _Stream:
    """Evaluations under way, handed out as they finish: first those of the journal, in its order."""

    def __init__(self, reader: _Reader) -> None:
        assert isinstance(reader.benchmark, Objective)
        self._reader, self._objective = reader, reader.benchmark
        self._under_way: dict[int, _Lookup] = {}
        self._waiting: deque[Waiting] = deque()
        self._running: Generator[tuple[int, Measured], None, None] | None = None
        self._known: dict[int, Measured] = {}  # of an earlier course of the search
        book = reader.journal
        self._recorded = deque() if book is None else deque(book.entries)

    def add(self, row: int, lookup: _Lookup) -> None:
        self._under_way[row] = lookup
        book = self._reader.journal
        if book is not None and lookup.place in book.entries:
            return  # its turn comes
        _, _, string, fidelity, run = lookup.key
        known = None if book is None else book.known.get((tuple(string.tolist()), fidelity, run))
        if known is not None:
            self._known[row] = known
        else:
            self._waiting.append((row, string, fidelity))

    def next(self) -> tuple[int, Measured]:
        """The row that finishes next, and its values."""
        book = self._reader.journal
        while book is not None and self._recorded:
            place = self._recorded.popleft()
            row = next((row for row, found in self._under_way.items() if found.place == place), None)
            if row is None:  # not asked for yet: the order is another one
                raise ConfigError(
                    f"journal {book.path}: trial {place[0]}, query {place[1]} finished before the search "
                    "asks for it now (the method, its settings or the code changed); accepted: the same "
                    "search, or a new journal."
                )
            lookup = self._under_way.pop(row)
            found = book.find(*lookup.key)
            assert found is not None
            return self._noted(row, found)
        if self._known:
            row = next(iter(self._known))
            found = self._known.pop(row)
        else:
            row, found = self._evaluated()
        lookup = self._under_way.pop(row)
        if book is not None:
            book.add(*lookup.key, found)
        return self._noted(row, found)

    def _noted(self, row: int, found: Measured) -> tuple[int, Measured]:
        self._reader.reason = found.reason or self._reader.reason
        return row, found

    def _evaluated(self) -> tuple[int, Measured]:
        while True:
            if self._running is None:
                self._running = self._objective.stream(self._waiting)
            answer = next(self._running, None)
            if answer is not None:
                return answer
            self._running = None  # it had nothing left for a moment

    def close(self) -> None:
        """End what is under way."""
        if self._running is not None:
            self._running.close()


def check_some_succeeded(name: str, failed: int, evaluated: int, reason: str = "") -> None:
    """Refuse the result of a search in which every one of `evaluated` evaluations failed, the last for
    `reason`.

    Raises:
        ConfigError: if `failed` is `evaluated`, and not 0.
    """
    if failed == evaluated > 0:
        last = f", the last one: {reason}" if reason else ""
        raise ConfigError(
            f"all {evaluated} evaluations of '{name}' failed{last}; accepted: a benchmark, or a function, "
            "that gives an accuracy for at least one of the architectures that are tried."
        )


@dataclass
class _Reader:
    """Looks opened rows up as the protocol reads them: in the journal where it holds them, else in the
    benchmark. `reason` is that of the last failure, where it is known."""

    benchmark: Benchmark
    protocol: Protocol
    first_trial: int
    journal: Journal | None
    reason: str = ""

    def __call__(self, admitted: Admitted) -> Evaluation:
        """Validation, test and seconds of the opened rows."""
        if not len(admitted.trial):
            return Evaluation(*(np.empty(0),) * 3)
        if self.journal is not None:
            return self._journalled(admitted, self.journal)
        return self._evaluate(admitted.lookups, admitted.test_runs)

    @property
    def _two_runs(self) -> bool:
        return self.protocol.run == "single_independent" and self.benchmark.num_runs > 1

    def _evaluate(self, lookups: Lookups, test_runs: np.ndarray) -> Evaluation:
        found = self.benchmark.query(lookups)
        if self._two_runs:
            found = found._replace(test=self.benchmark.query(lookups._replace(runs=test_runs)).test)
        count = len(lookups.cells)
        for name, values in zip(Evaluation._fields, found):
            if np.shape(values) != (count,):
                raise ConfigError(
                    f"benchmark '{self.benchmark.name}' answers {count} look-ups with {name} of shape "
                    f"{np.shape(values)}; accepted: ({count},)."
                )
        return found

    def _one_by_one(
        self, lookups: Lookups, test_runs: np.ndarray
    ) -> Generator[tuple[int, tuple[float, float, float]], None, None]:
        """The same, each evaluation as it finishes."""
        if not len(lookups.cells):
            return
        if not self._two_runs:
            each = self.benchmark.query_each(lookups)
            try:
                yield from each
            finally:  # an interrupt between two evaluations ends those under way at once
                getattr(each, "close", lambda: None)()
            return
        for i, (validation, test, seconds) in enumerate(zip(*self._evaluate(lookups, test_runs))):
            yield i, (float(validation), float(test), float(seconds))

    def each(self, admitted: Admitted) -> list[_Lookup]:
        """The opened rows, one by one."""
        lookups = admitted.lookups
        count = len(admitted.trial)
        runs = np.full(count, -1) if isinstance(lookups.runs, str) else np.asarray(lookups.runs)
        assert lookups.architectures is not None and lookups.fidelities is not None
        return [
            _Lookup((self.first_trial + int(t), int(row) + 1, string, int(fidelity), int(run)))
            for t, row, string, fidelity, run in zip(
                admitted.trial,
                admitted.row,
                lookups.architectures,
                np.ravel(lookups.fidelities),
                np.ravel(runs),
            )
        ]

    def _journalled(self, admitted: Admitted, journal: Journal) -> Evaluation:
        lookups, test_runs = admitted.lookups, admitted.test_runs
        count = len(admitted.trial)
        keys = [lookup.key for lookup in self.each(admitted)]
        values = np.full((3, count), np.nan)
        known = [journal.find(*key) for key in keys]
        for i, found in enumerate(known):
            if found is not None:
                values[:, i] = found
                self.reason = getattr(found, "reason", "") or self.reason
        lacking = np.array([i for i, found in enumerate(known) if found is None], dtype=np.int64)
        with closing(self._one_by_one(lookups.take(lacking), test_runs[lacking])) as each:
            for i, new in each:
                journal.add(*keys[int(lacking[i])], new)
                values[:, lacking[i]] = new
                self.reason = getattr(new, "reason", "") or self.reason
        return Evaluation(*values)
