"""What each method's searches found on each table, on one scale.

Notation: a table has C cells; a method ran T trials on it; B budgets (`BUDGETS`) are read off one search of
the largest. The *score* of a trial is what its incumbent, the cell with the best validation accuracy read so
far, is worth by its mean over runs: its *validation* or its *test*.

The *regret* of a score is (best - score) / (best - start): 0 for the best cell of the table, 1 for what
random search has found after `START` queries on average. So a regret says which part of the way from an early
guess to the optimum is left, whatever a table's accuracies are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from analysis.result import Result, scan
from nas_bench_suite.benchmark import Benchmark, Lookups
from nas_bench_suite.build import make_benchmark
from nas_bench_suite.checks import ConfigError

BUDGETS = (50, 150, 300)
START, START_TRIALS = 10, 20_000
KINDS = ("validation", "test")
# what the benchmarks are called in tables; the rest of a name is the dataset
FAMILIES = {
    "nas_bench_graph": "NAS-Bench-Graph",
    "nasbench201": "NAS-Bench-201",
    "nasbench201_validation": "NAS-Bench-201 (validation)",
    "transnas101": "TransNAS-Bench-101",
    "hpo_fcnet": "FCNet",
    "hpo_nn": "HPOBench",
    "nasbench101": "NASBench-101",
    "nasbench101_surrogate": "NASBench-101 (surrogate)",
}
_PART = ("dataset", "space", "task", "draw")  # options that make a table of its own


class Table(NamedTuple):
    """A table of the arena: the benchmark's config, the options that choose the table, and whether its values
    are made up."""

    benchmark: str
    options: tuple[tuple[str, Any], ...]
    surrogate: bool

    @property
    def family(self) -> str:
        return FAMILIES.get(self.benchmark, self.benchmark)

    @property
    def name(self) -> str:
        """`NAS-Bench-Graph cora`."""
        words = (f"draw {value}" if key == "draw" else str(value) for key, value in self.options)
        return " ".join([self.family, *words])


class Values(NamedTuple):
    """What the cells of a table are worth."""

    benchmark: Benchmark
    scores: Mapping[str, np.ndarray]  # kind -> float64[C], means over runs; no entry where there is no test
    best: Mapping[str, float]
    start: Mapping[str, float]  # random search's mean after START queries


class Arena(NamedTuple):
    """regrets[kind][table][label]: float64[B, T]."""

    tables: tuple[Table, ...]
    values: Mapping[Table, Values]
    regrets: Mapping[str, Mapping[Table, Mapping[str, np.ndarray]]]

    def labels(self, tables: Iterable[Table]) -> list[str]:
        """The methods that ran on all of `tables`."""
        every = [set(self.regrets["validation"][table]) for table in tables]
        return sorted(set.intersection(*every)) if every else []

    def having(self, kind: str, real: bool = True) -> list[Table]:
        """The tables with scores of this kind; real ones, or made-up ones."""
        return [table for table in self.tables if table in self.regrets[kind] and table.surrogate != real]


def read(outputs: Path, files: Mapping[str, str] | None = None) -> Arena:
    """Every search of `BUDGETS[-1]` queries below a folder, under the paper's protocol.

    Args:
        outputs: where the results lie.
        files: where the tables of benchmarks that need one lie, by benchmark; the results' own paths if left
            out.

    Raises:
        ConfigError: if there is none, a file is damaged, or a table cannot be opened any more.
    """
    found: dict[Table, dict[str, Result]] = {}
    for result in scan(outputs):
        if result.budget != BUDGETS[-1] or result.seed != 0:
            continue
        table = _table(result)
        held = found.setdefault(table, {}).get(result.label)
        # of a draft and a full study, the full one counts
        if held is None or len(held.trial_ids) < len(result.trial_ids):
            found[table][result.label] = result
    if not found:
        raise ConfigError(
            f"{outputs} has no searches of {BUDGETS[-1]} queries; to make them: python run.py -m "
            f"+experiment=arena output_dir={outputs}."
        )
    tables = tuple(sorted(found, key=lambda table: (list(FAMILIES).index(table.benchmark), table.options)))
    regrets: dict[str, dict[Table, dict[str, np.ndarray]]] = {kind: {} for kind in KINDS}
    values = {}
    for table in tables:
        results = found[table]
        values[table] = held_values = open_table(
            next(iter(results.values())), (files or {}).get(table.benchmark)
        )
        for kind, scores in held_values.scores.items():
            best, start = held_values.best[kind], held_values.start[kind]
            regrets[kind][table] = {
                label: (best - scores[incumbents(result)]) / (best - start)
                for label, result in results.items()
            }
    return Arena(tables, values, regrets)


def _table(result: Result) -> Table:
    options = result.config["benchmark"]
    if result.benchmark not in FAMILIES:
        raise ConfigError(
            f"{result.run.folder} is of benchmark={result.benchmark}; accepted in the arena: "
            f"{', '.join(FAMILIES)}."
        )
    chosen = tuple((key, options[key]) for key in _PART if key in options)
    return Table(result.benchmark, chosen, result.surrogate)


def open_table(result: Result, path: str | None = None) -> Values:
    """The table that a result was made on."""
    options = {key: value for key, value in result.config["benchmark"].items() if key != "checksum"}
    if path is not None:
        options["path"] = path
    benchmark = make_benchmark(options)
    return evaluate(benchmark)


def evaluate(benchmark: Benchmark) -> Values:
    """What the cells of an enumerable benchmark are worth, and where random search stands after START
    queries."""
    cells = np.arange(benchmark.space.num_cells or 0)
    mean = benchmark.query(Lookups(cells))
    scores = {"validation": mean.validation, "test": mean.test}
    scores = {kind: score for kind, score in scores.items() if not np.isnan(score).any()}
    rng = np.random.default_rng(10)
    drawn = benchmark.space.cell_id(benchmark.space.sample_rng(rng, (START_TRIALS, START)))
    runs = rng.integers(0, benchmark.num_runs, drawn.shape)
    read_ = benchmark.query(Lookups(drawn, runs)).validation
    chosen = np.take_along_axis(drawn, read_.argmax(axis=1)[:, None], axis=1)[:, 0]
    return Values(
        benchmark,
        scores,
        {kind: float(score.max()) for kind, score in scores.items()},
        {kind: float(score[chosen].mean()) for kind, score in scores.items()},
    )


def incumbents(result: Result) -> np.ndarray:
    """int64[B, T]: the incumbent cell of each trial at each budget: of what was evaluated at the full
    fidelity, the best validation accuracy read. Before the first such evaluation, the first cell looked
    up."""
    queries = result.queries()
    trials = result.trial_ids
    unit = int(queries["fidelity"].max()) if result.rules["cost"] == "epochs" else 1
    spent = queries["spent"] / unit
    full = queries["fidelity"] == queries["fidelity"].max()
    out = np.zeros((len(BUDGETS), len(trials)), dtype=np.int64)
    order = np.lexsort((queries["query"], queries["trial"]))
    starts = np.searchsorted(queries["trial"][order], trials)
    ends = np.searchsorted(queries["trial"][order], trials, side="right")
    for t, (start, end) in enumerate(zip(starts, ends)):
        rows = order[start:end]
        accuracy = np.where(full[rows], queries["validation"][rows], -np.inf)
        accuracy = np.where(np.isnan(accuracy), -np.inf, accuracy)
        for b, budget in enumerate(BUDGETS):
            within = np.flatnonzero(spent[rows] <= budget)
            out[b, t] = queries["cell_id"][rows[within[accuracy[within].argmax()]]]
    return out
