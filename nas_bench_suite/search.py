"""The loop. Sole owner of the budget, the incumbents and the test scores.

It asks an optimizer for proposals, trims them to each trial's room (slots past it are NOT_RUN, in slot
order), reads the benchmark as the protocol says, and tells the validation accuracies back. T trials run in
lockstep; each ends for a reason of its own (`ENDINGS`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nas_bench_suite.benchmark import Benchmark, Evaluation, Lookups
from nas_bench_suite.checks import ConfigError, check_int
from nas_bench_suite.journal import Journal, describe_search
from nas_bench_suite.ledger import RUNNING, Admitted, Ledger
from nas_bench_suite.optimizer import Optimizer, Outcome, Task
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
    with Journal(journal, identity) if journal is not None else nullcontext() as book:
        reader = _Reader(benchmark, protocol, first_trial, book)
        optimizer_seconds = _loop(optimizer, reader, task, ledger, progress)
    check_some_succeeded(benchmark.name, *ledger.evaluations(), reader.reason)
    if not np.array_equal(sizes, benchmark.space.sizes):
        raise ConfigError(
            f"{type(optimizer).__name__} has changed the search space that it was given (space.sizes); "
            "accepted: a method that changes its own arrays alone."
        )
    seconds = time.perf_counter() - began
    return record(ledger, benchmark, first_trial, optimizer_seconds / trials, seconds)


def _loop(
    optimizer: Optimizer, reader: _Reader, task: Task, ledger: Ledger, progress: Progress | None
) -> float:
    """Ask, evaluate and tell until every trial has ended. Returns the seconds spent in the optimizer."""
    trials = task.trials
    name = type(optimizer).__name__
    thinking = time.perf_counter()
    optimizer.start(task)
    optimizer_seconds = time.perf_counter() - thinking
    idle = 0
    while (ledger.ending == RUNNING).any():
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

    def _journalled(self, admitted: Admitted, journal: Journal) -> Evaluation:
        lookups, test_runs = admitted.lookups, admitted.test_runs
        count = len(admitted.trial)
        runs = np.full(count, -1) if isinstance(lookups.runs, str) else np.asarray(lookups.runs)
        assert lookups.architectures is not None and lookups.fidelities is not None
        keys = [
            (self.first_trial + int(t), int(row) + 1, string, int(fidelity), int(run))
            for t, row, string, fidelity, run in zip(
                admitted.trial,
                admitted.row,
                lookups.architectures,
                np.ravel(lookups.fidelities),
                np.ravel(runs),
            )
        ]
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
