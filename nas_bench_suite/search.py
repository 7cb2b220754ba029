"""The loop. Sole owner of the budget, the incumbents and the test scores.

It asks an optimizer for proposals, trims them to each trial's room (slots past it are NOT_RUN, in slot
order), reads the benchmark as the protocol says, and tells the validation accuracies back. T trials run in
lockstep; each ends for a reason of its own (`ENDINGS`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from nas_bench_suite import asynchronous
from nas_bench_suite.benchmark import Benchmark
from nas_bench_suite.checks import ConfigError, check_float, check_int
from nas_bench_suite.journal import Journal, describe_search
from nas_bench_suite.ledger import RUNNING, Ledger
from nas_bench_suite.objective import Objective
from nas_bench_suite.optimizer import Optimizer, Outcome, Task
from nas_bench_suite.proposals import Rounds, read_proposal
from nas_bench_suite.protocol import Protocol
from nas_bench_suite.reader import Reader
from nas_bench_suite.record import SearchRecord, record
from nas_bench_suite.status import Clock, Progress, Watch
from nas_bench_suite.streams import Streams


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
    clock = Clock(began, math.inf if seconds is None else seconds, watch, benchmark)
    with _opened(journal, identity, extend, retry_failures) as book:
        reader = Reader(benchmark, protocol, first_trial, book)
        loop = _loop if width == 1 else asynchronous.loop
        optimizer_seconds = loop(optimizer, reader, task, ledger, progress, clock)
    reason = reader.reason or getattr(benchmark, "last_failure", "")
    check_some_succeeded(benchmark.name, *ledger.evaluations(), reason)
    if not np.array_equal(sizes, benchmark.space.sizes):
        raise ConfigError(
            f"{type(optimizer).__name__} has changed the search space that it was given (space.sizes); "
            "accepted: a method that changes its own arrays alone."
        )
    return record(ledger, benchmark, first_trial, optimizer_seconds / trials, time.perf_counter() - began)


@contextmanager
def _opened(
    path: str | Path | None, identity: dict[str, Any], extend: bool, retry_failures: bool
) -> Iterator[Journal | None]:
    """The journal of a search, if it has one."""
    if path is None:
        yield None
        return
    book = Journal(path, identity, extend)
    if retry_failures:
        book.take_earlier()
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
    reader: Reader,
    task: Task,
    ledger: Ledger,
    progress: Progress | None,
    clock: Clock,
) -> float:
    """Ask, evaluate and tell until every trial has ended. Returns the seconds spent in the optimizer."""
    trials = task.trials
    name = type(optimizer).__name__
    thinking = time.perf_counter()
    optimizer.start(task)
    optimizer_seconds = time.perf_counter() - thinking
    rounds = Rounds(name)
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
        rounds.count(remaining < charged or bool(asked.rejected.any()))
        if progress is not None:
            progress(trials * ledger.total - remaining, trials * ledger.total)
        clock.tell(ledger)
    return optimizer_seconds


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
