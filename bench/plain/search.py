"""The loop of one trial, written straight from the protocol with dictionaries and lists: the twin of
`nas_bench_suite.search`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nas_bench_suite import FAILED, INVALID, NOT_RUN, OK, Benchmark, Lookups, Protocol

Slot = tuple[np.ndarray, int | None]  # an architecture and a fidelity


@dataclass
class PlainTrial:
    rows: list[dict[str, Any]] = field(default_factory=list)
    unique: set[int] = field(default_factory=set)
    repeats: int = 0
    invalid: int = 0
    ended: str = "running"
    best: dict[str, Any] | None = None


def plain_search(
    benchmark: Benchmark,
    protocol: Protocol,
    budget: int,
    run_generator: np.random.Generator,
    proposals: Iterator[list[Slot]],
    tell: Callable[[list[float], list[int]], None],
    stall: int,
) -> PlainTrial:
    """One trial. `proposals` yields a list of slots per ask; `tell` gets the accuracy and the status of each
    slot; after `stall` free outcomes in a row the trial is given up."""
    trial = PlainTrial()
    full = benchmark.fidelities[-1]
    cost_of = {f: (1 if protocol.cost == "query" else f) for f in benchmark.fidelities}
    total = budget * cost_of[full]
    left, streak = total, 0
    first_seen: dict[tuple[int, int], dict[str, Any]] = {}
    while trial.ended == "running":
        slots = next(proposals)
        accuracies, statuses = [], []
        for architecture, fidelity in slots:
            fidelity = full if fidelity is None else fidelity
            if trial.ended != "running":
                accuracies.append(math.nan)
                statuses.append(NOT_RUN)
                continue
            cell = int(benchmark.space.cell_id(architecture))
            if cell == -1:
                if protocol.invalid == "free":
                    trial.invalid += 1
                    streak += 1
                    accuracies.append(math.nan)
                    statuses.append(INVALID)
                    continue
            elif (cell, fidelity) in first_seen and protocol.repeats == "free":
                trial.repeats += 1
                streak += 1
                row = first_seen[cell, fidelity]
                accuracies.append(row["validation"])
                statuses.append(row["status"])
                continue
            if cost_of[fidelity] > left:
                trial.ended = "budget" if left == 0 else "no_room"
                accuracies.append(math.nan)
                statuses.append(NOT_RUN)
                continue
            left -= cost_of[fidelity]
            streak = 0
            row = {
                "query": len(trial.rows) + 1,
                "cell_id": cell,
                "fidelity": fidelity,
                "spent": total - left,
                "run": -1,
            }
            trial.rows.append(row)
            if cell == -1:
                trial.invalid += 1
                row |= {"validation": math.nan, "test": math.nan, "status": INVALID}
            else:
                if protocol.run == "mean":
                    found = benchmark.query(Lookups(np.array([cell]), "mean", fidelity))
                    test = found.test[0]
                else:
                    row["run"] = int(run_generator.random() * benchmark.num_runs)
                    found = benchmark.query(Lookups(np.array([cell]), np.array([row["run"]]), fidelity))
                    test = found.test[0]
                    if protocol.run == "single_independent":
                        other = int(run_generator.random() * benchmark.num_runs)
                        test = benchmark.query(Lookups(np.array([cell]), np.array([other]), fidelity)).test[0]
                validation = float(found.validation[0])
                row |= {
                    "validation": validation,
                    "test": float(test),
                    "status": FAILED if math.isnan(validation) else OK,
                }
                trial.unique.add(cell)
                trial.repeats += (cell, fidelity) in first_seen
                first_seen.setdefault((cell, fidelity), row)
                held = trial.best
                if row["status"] == OK and (
                    held is None or (fidelity, validation) > (held["fidelity"], held["validation"])
                ):
                    trial.best = row
            accuracies.append(row["validation"])
            statuses.append(row["status"])
        tell(accuracies, statuses)
        if trial.ended == "running":
            if left == 0:
                trial.ended = "budget"
            elif not slots:
                trial.ended = "exhausted"
            elif streak >= stall:
                trial.ended = "stalled"
    return trial
