"""The loop. Sole owner of the budget, the incumbents and the test scores.

It asks an optimizer for proposals, trims them to each trial's room (slots past it are NOT_RUN, in slot
order), reads the benchmark as the protocol says, and tells the validation accuracies back. T trials run in
lockstep; each ends for a reason of its own (`ENDINGS`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numba import njit

from nas_bench_suite.benchmark import Benchmark
from nas_bench_suite.checks import check_int
from nas_bench_suite.journal import Journal
from nas_bench_suite.ledger import ENDINGS, RUNNING, Ledger
from nas_bench_suite.optimizer import INVALID, Optimizer, Outcome, Proposal, Task
from nas_bench_suite.protocol import Protocol
from nas_bench_suite.streams import Streams

# asks in a row that neither charge nor reject anything: a method that does this would loop for ever
MAX_ROUNDS_WITHOUT_CHANGE = 100_000

Values = tuple[np.ndarray, np.ndarray, np.ndarray]  # validation, test, seconds
Progress = Callable[[int, int], None]  # (queries charged so far over all trials, queries in all)


@dataclass
class SearchRecord:
    """What T searches did.

    Attributes:
        queries: one array a column over all charged queries, ordered by trial, then query: `trial` (absolute
            index), `query` (from 1), `cell_id`, `run` (-1: the mean, or none), `fidelity`, `validation`,
            `test`, `seconds`, `status`, `spent` (queries, or epochs
            under `cost: epochs`).
        ledger: one array a trial: `trial`, `queries`, `spent`, `unique_cells`, `repeats` (of a cell at a
            fidelity), `invalid`, `rejected`, `epochs`, `training_seconds`, `optimizer_seconds`, `ended`, and
            of the incumbent `incumbent_query` (0: none), `incumbent_cell_id`, `incumbent_validation`,
            `incumbent_test`, `incumbent_test_mean` (its cell's mean over runs).
        seconds: wall-clock time of the whole call.
    """

    queries: dict[str, np.ndarray]
    ledger: dict[str, np.ndarray]
    seconds: float


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
        budget: full-fidelity queries a trial.
        trials: T.
        seed: of the study. A trial's random streams depend on (seed, first_trial + t, purpose) alone.
        first_trial: index of the first trial.
        device: where torch methods compute.
        journal: a file that every evaluation is appended to as it comes, and that an interrupted search is
            resumed from.
        progress: called with (queries charged so far, queries in all) after every tell.

    Raises:
        ConfigError: for numbers out of range, and for a journal that is damaged or belongs to another search.
    """
    began = time.perf_counter()
    protocol = protocol or Protocol()
    budget = check_int("budget", budget, 1)
    trials = check_int("trials", trials, 1)
    streams = Streams(check_int("seed", seed, 0), trials, check_int("first_trial", first_trial, 0))
    costs = protocol.costs(benchmark.fidelities)
    ledger = Ledger(
        trials,
        budget,
        costs,
        0 if protocol.run == "mean" else benchmark.num_runs,
        streams.typed("run"),
        two_runs=protocol.run == "single_independent",
        charge_invalid=protocol.invalid == "charge",
        free_repeats=protocol.repeats == "free",
    )
    task = Task(
        space=benchmark.space,
        trials=trials,
        budget=budget,
        streams=streams,
        first_trial=first_trial,
        fidelities=benchmark.fidelities,
        fidelity_cost=costs,
        reject_invalid=protocol.invalid == "free",
        device=device,
    )
    identity = {
        "optimizer": type(optimizer).__qualname__,
        "benchmark": benchmark.name,
        "space": benchmark.space.name,
        "protocol": asdict(protocol),
        **{"budget": budget, "trials": trials, "first_trial": first_trial, "seed": seed},
    }
    with Journal(journal, identity) if journal is not None else nullcontext() as book:
        optimizer_seconds = _loop(optimizer, benchmark, protocol, task, ledger, book, progress)
    return _record(ledger, benchmark, protocol, first_trial, optimizer_seconds / trials, began)


def _loop(
    optimizer: Optimizer,
    benchmark: Benchmark,
    protocol: Protocol,
    task: Task,
    ledger: Ledger,
    journal: Journal | None,
    progress: Progress | None,
) -> float:
    """Ask, evaluate and tell until every trial has ended. Returns the seconds spent in the optimizer."""
    trials = task.trials
    thinking = time.perf_counter()
    optimizer.start(task)
    optimizer_seconds = time.perf_counter() - thinking
    idle = 0
    while (ledger.ending == RUNNING).any():
        charged = int(ledger.left.sum())
        thinking = time.perf_counter()
        proposal = optimizer.ask(ledger.room())
        optimizer_seconds += time.perf_counter() - thinking
        cells, levels, rejected = _read(proposal, benchmark, trials)
        status, slot_row, trial, row = ledger.admit(cells, levels, proposal.wanted, rejected)
        values = _look_up(
            benchmark, protocol, ledger, task.first_trial, journal, trial, row, proposal, slot_row
        )
        accuracy = ledger.settle((trial, row), values, status, slot_row)
        thinking = time.perf_counter()
        optimizer.tell(proposal, Outcome(accuracy, status))
        optimizer_seconds += time.perf_counter() - thinking
        remaining = int(ledger.left.sum())
        idle = 0 if remaining < charged or rejected.any() else idle + 1
        if idle > MAX_ROUNDS_WITHOUT_CHANGE:
            raise RuntimeError(
                f"{type(optimizer).__name__} asked {idle} times in a row for nothing that could be charged."
            )
        if progress is not None:
            progress(trials * ledger.total - remaining, trials * ledger.total)
    return optimizer_seconds


def _read(proposal: Proposal, benchmark: Benchmark, trials: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cell ids int64[T, Q], fidelity indices int64[T, Q] and rejections int64[T] of a proposal, its shapes
    checked."""
    shape = proposal.wanted.shape
    if (
        len(shape) != 2
        or shape[0] != trials
        or proposal.architectures.shape != (*shape, benchmark.space.num_variables)
    ):
        raise ValueError(
            f"a proposal holds architectures {proposal.architectures.shape} and wanted {shape}; "
            f"accepted: ({trials}, Q, {benchmark.space.num_variables}) and ({trials}, Q)."
        )
    cells = benchmark.space.cell_id(proposal.architectures)
    last = len(benchmark.fidelities) - 1
    if proposal.fidelity is None:
        levels = np.full(shape, last, dtype=np.int64)
    else:
        levels = np.minimum(np.searchsorted(benchmark.fidelities, proposal.fidelity), last)
        unknown = proposal.wanted & (np.asarray(benchmark.fidelities)[levels] != proposal.fidelity)
        if unknown.any():
            raise ValueError(
                f"fidelity {proposal.fidelity[unknown][0]} is not offered; accepted: {benchmark.fidelities}."
            )
    rejected = np.zeros(trials, dtype=np.int64) if proposal.rejected is None else proposal.rejected
    return cells, levels, rejected


def _look_up(
    benchmark: Benchmark,
    protocol: Protocol,
    ledger: Ledger,
    first_trial: int,
    journal: Journal | None,
    trial: np.ndarray,
    row: np.ndarray,
    proposal: Proposal,
    slot_row: np.ndarray,
) -> Values:
    """Validation, test and seconds of the opened rows, as the protocol reads them: from the journal where it
    holds them."""
    if not len(trial):
        return (np.empty(0),) * 3
    columns = ledger.columns
    cells = columns["cell"][trial, row]
    fidelity = np.asarray(benchmark.fidelities)[columns["level"][trial, row]]
    architectures = proposal.architectures[trial, _opening_slots(slot_row, trial, row)]
    run, test_run = columns["run"][trial, row], columns["test_run"][trial, row]
    if journal is None:
        return _evaluate(benchmark, protocol, cells, run, test_run, fidelity, architectures)
    values = (np.full(len(trial), np.nan), np.full(len(trial), np.nan), np.full(len(trial), np.nan))
    keys = [
        (first_trial + int(t), int(r) + 1, architectures[i], int(fidelity[i]), int(run[i]))
        for i, (t, r) in enumerate(zip(trial, row))
    ]
    known = [journal.find(*key) for key in keys]
    open_slots = np.array([i for i, found in enumerate(known) if found is None], dtype=np.int64)
    for i, found in enumerate(known):
        if found is not None:
            for array, value in zip(values, found):
                array[i] = value
    s = open_slots
    for i, new in _one_by_one(
        benchmark, protocol, cells[s], run[s], test_run[s], fidelity[s], architectures[s]
    ):
        journal.add(*keys[int(s[i])], new)
        for array, value in zip(values, new):
            array[s[i]] = value
    return values


def _evaluate(
    benchmark: Benchmark,
    protocol: Protocol,
    cells: np.ndarray,
    run: np.ndarray,
    test_run: np.ndarray,
    fidelity: np.ndarray,
    architectures: np.ndarray,
) -> Values:
    """Look n cells up, as the protocol reads them."""
    if protocol.run == "mean":
        return benchmark.query(cells, "mean", fidelity, architectures)
    found = benchmark.query(cells, run, fidelity, architectures)
    if protocol.run == "single_same" or benchmark.num_runs == 1:
        return found
    other = benchmark.query(cells, test_run, fidelity, architectures)
    return found.validation, other.test, found.seconds


def _one_by_one(
    benchmark: Benchmark,
    protocol: Protocol,
    cells: np.ndarray,
    run: np.ndarray,
    test_run: np.ndarray,
    fidelity: np.ndarray,
    architectures: np.ndarray,
) -> Iterator[tuple[int, tuple[float, float, float]]]:
    """The same, each evaluation as it finishes."""
    if not len(cells):
        return
    if protocol.run == "single_independent" and benchmark.num_runs > 1:
        found = _evaluate(benchmark, protocol, cells, run, test_run, fidelity, architectures)
        yield from enumerate(zip(*(map(float, column) for column in found)))  # type: ignore[misc]
        return
    yield from benchmark.query_each(cells, "mean" if protocol.run == "mean" else run, fidelity, architectures)


def _opening_slots(slot_row: np.ndarray, trial: np.ndarray, row: np.ndarray) -> np.ndarray:
    """For each opened row the first slot of its trial that points to it: int64[len(row)]."""
    slots = np.zeros(len(row), dtype=np.int64)
    if slot_row.shape[1] > 1:
        _find_slots(slot_row, trial, row, slots)
    return slots


@njit(cache=True)
def _find_slots(slot_row, trial, row, slots):
    # Opened rows are listed by trial and, within one, by slot, so each search goes on where the last one
    # ended.
    for i in range(len(row)):
        slot = slots[i - 1] + 1 if i > 0 and trial[i - 1] == trial[i] else 0
        while slot_row[trial[i], slot] != row[i]:
            slot += 1
        slots[i] = slot


def _record(
    ledger: Ledger,
    benchmark: Benchmark,
    protocol: Protocol,
    first_trial: int,
    optimizer_seconds: float,
    began: float,
) -> SearchRecord:
    """Flatten the books."""
    trials = len(ledger.rows)
    trial = np.repeat(np.arange(trials), ledger.rows)
    row = (
        np.concatenate([np.arange(count) for count in ledger.rows]) if trials else np.empty(0, dtype=np.int64)
    )
    # as a rule: then a slice serves, which costs a tenth
    even = trials > 0 and (ledger.rows == ledger.rows[0]).all()
    flat = {
        name: column[:, : ledger.rows[0]].ravel() if even else column[trial, row]
        for name, column in ledger.columns.items()
    }
    looked_up = flat["status"] != INVALID
    for name in ("validation", "test", "seconds"):
        flat[name] = np.where(looked_up, flat[name], 0.0 if name == "seconds" else np.nan)
    fidelities = np.asarray(benchmark.fidelities, dtype=np.int64)
    queries = {
        "trial": first_trial + trial,
        "query": row + 1,
        "cell_id": flat["cell"],
        "run": flat["run"],
        "fidelity": fidelities[flat["level"]],
        "validation": flat["validation"],
        "test": flat["test"],
        "seconds": flat["seconds"],
        "status": flat["status"],
        "spent": flat["spent"],
    }
    everyone = np.arange(trials)
    found = ledger.best >= 0
    best = np.where(found, ledger.best, 0)

    def of_incumbent(name: str, missing: float) -> np.ndarray:
        return np.where(found, ledger.columns[name][everyone, best], missing)

    mean = np.full(trials, np.nan)
    if found.any() and benchmark.num_runs > 1:
        mean[found] = benchmark.query(
            ledger.columns["cell"][everyone, best][found],
            "mean",
            fidelities[ledger.columns["level"][everyone, best][found]],
        ).test
    epochs = np.bincount(trial, weights=fidelities[flat["level"]] * looked_up, minlength=trials).astype(
        np.int64
    )
    return SearchRecord(
        queries=queries,
        ledger={
            "trial": first_trial + everyone,
            "queries": ledger.rows,
            "spent": ledger.total - ledger.left,
            "unique_cells": ledger.counts[:, 0],
            "repeats": ledger.counts[:, 1],
            "invalid": ledger.counts[:, 2],
            "rejected": ledger.counts[:, 3],
            "epochs": epochs,
            "training_seconds": np.bincount(trial, weights=flat["seconds"], minlength=trials),
            "optimizer_seconds": np.full(trials, optimizer_seconds),
            "ended": np.array(ENDINGS)[ledger.ending],
            "incumbent_query": np.where(found, best + 1, 0),
            "incumbent_cell_id": of_incumbent("cell", -1).astype(np.int64),
            "incumbent_validation": of_incumbent("validation", np.nan),
            "incumbent_test": of_incumbent("test", np.nan),
            "incumbent_test_mean": mean,
        },
        seconds=time.perf_counter() - began,
    )
