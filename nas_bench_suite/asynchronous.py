"""The loop for one trial of an objective that computes several evaluations at a time.

What is told when decides what is asked next, so the order in which evaluations finish is part of the search:
the journal keeps it, and `_Stream` hands out what the journal holds in that order.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Generator
from contextlib import closing

import numpy as np

from nas_bench_suite.benchmark import Evaluation
from nas_bench_suite.checks import ConfigError
from nas_bench_suite.journal import Measured
from nas_bench_suite.ledger import RUNNING, Ledger
from nas_bench_suite.objective import Objective, Waiting
from nas_bench_suite.optimizer import FAILED, OK, Optimizer, Outcome, Proposal, Task
from nas_bench_suite.proposals import Rounds, read_proposal
from nas_bench_suite.reader import Lookup, Reader
from nas_bench_suite.status import Clock, Progress


def loop(
    optimizer: Optimizer,
    reader: Reader,
    task: Task,
    ledger: Ledger,
    progress: Progress | None,
    clock: Clock,
) -> float:
    """`benchmark.parallel` evaluations at a time: as soon as one finishes it is told, and the next is asked
    for, until the trial has ended. Returns the seconds spent in the optimizer."""
    name, width = type(optimizer).__name__, reader.benchmark.parallel
    stream = _Stream(reader)
    slots: dict[int, list[Proposal]] = {}  # row -> proposals of one slot that wait for it
    thinking = time.perf_counter()
    optimizer.start(task)
    optimizer_seconds = time.perf_counter() - thinking
    rounds = Rounds(name)

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
        nonlocal optimizer_seconds
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
            rounds.count(int(ledger.left[0]) < left or bool(asked.rejected.any()))

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


class _Stream:
    """Evaluations under way, handed out as they finish: first those of the journal, in its order."""

    def __init__(self, reader: Reader) -> None:
        assert isinstance(reader.benchmark, Objective)
        self._reader, self._objective = reader, reader.benchmark
        self._under_way: dict[int, Lookup] = {}
        self._waiting: deque[Waiting] = deque()
        self._running: Generator[tuple[int, Measured], None, None] | None = None
        self._known: dict[int, Measured] = {}  # of an earlier course of the search
        book = reader.journal
        self._recorded = deque() if book is None else deque(book.entries)

    def add(self, row: int, lookup: Lookup) -> None:
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
