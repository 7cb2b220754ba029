"""What a search hands back: its books as flat columns.

Notation: T trials, R charged queries of all trials.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nas_bench_suite.benchmark import Benchmark, Lookups
from nas_bench_suite.checks import ConfigError
from nas_bench_suite.ledger import COLUMNS, ENDINGS, Ledger
from nas_bench_suite.optimizer import INVALID, STATUS_NAMES

if TYPE_CHECKING:
    from pandas import DataFrame


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

    def to_frame(self, benchmark: Benchmark) -> DataFrame:
        """A data frame with a row for each charged query: its trial and number, the variables by name (the
        architecture that its cell stands for, where the space can say), and what came of it. An objective's
        values stand as its function returned them, in the columns `validation` and `test`; `best` is the
        trial's best so far.

        Args:
            benchmark: that was searched.
        """
        import pandas as pd

        queries, space = self.queries, benchmark.space
        columns: dict[str, Any] = {name: queries[name] for name in ("trial", "query")}
        known = np.flatnonzero(queries["cell_id"] >= 0)
        try:
            strings = space.architecture(queries["cell_id"][known])
        except ConfigError:  # it cannot be enumerated
            strings = None
        if strings is not None:
            shown = [space.present(string) for string in strings]
            for i, variable in enumerate(space.variables):
                held = [
                    one[variable.name] if isinstance(one, dict) else variable.choices[one[i]] for one in shown
                ]
                columns[variable.name] = pd.Series(held, index=known, dtype=object).reindex(
                    range(len(queries["cell_id"]))
                )
        value = getattr(benchmark, "value", lambda accuracy: accuracy)
        columns |= {name: value(queries[name]) for name in ("validation", "test")}
        columns |= {name: queries[name] for name in ("fidelity", "seconds")}
        columns["status"] = np.array(STATUS_NAMES)[queries["status"]]
        frame = pd.DataFrame(columns).infer_objects()
        best = pd.Series(queries["validation"]).groupby(queries["trial"]).cummax()
        frame["best"] = value(best.groupby(queries["trial"]).ffill().to_numpy())
        return frame


def record(
    ledger: Ledger, benchmark: Benchmark, first_trial: int, optimizer_seconds: float, seconds: float
) -> SearchRecord:
    """Flatten the books.

    Args:
        ledger: of the search.
        benchmark: that was searched; asked once more, for the incumbents' means over runs.
        first_trial: absolute index of the first trial.
        optimizer_seconds: seconds per trial that the method took.
        seconds: of the whole search.
    """
    trials = len(ledger.rows)
    trial = np.repeat(np.arange(trials), ledger.rows)
    row = np.concatenate([np.arange(count) for count in ledger.rows])
    even = (ledger.rows == ledger.rows[0]).all()  # as a rule: then a slice serves, which costs a tenth

    def flatten(name: str) -> np.ndarray:
        column = ledger.column(name)
        return column[:, : ledger.rows[0]].ravel() if even else column[trial, row]

    flat = {name: flatten(name) for name in COLUMNS}
    looked_up = flat["status"] != INVALID
    for name in ("validation", "test", "seconds"):
        flat[name] = np.where(looked_up, flat[name], 0.0 if name == "seconds" else np.nan)
    fidelities = ledger.fidelities[flat["level"]]
    queries = {
        "trial": first_trial + trial,
        "query": row + 1,
        "cell_id": flat["cell"],
        "run": flat["run"],
        "fidelity": fidelities,
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
        return np.where(found, ledger.column(name)[everyone, best], missing)

    mean = np.full(trials, np.nan)
    if found.any() and benchmark.num_runs > 1:
        cells, levels = (ledger.column(name)[everyone, best][found] for name in ("cell", "level"))
        mean[found] = benchmark.query(Lookups(cells, "mean", ledger.fidelities[levels])).test
    epochs = np.bincount(trial, weights=fidelities * looked_up, minlength=trials).astype(np.int64)
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
        seconds=seconds,
    )
