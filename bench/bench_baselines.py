"""Random search, regularized evolution and local search on NASBench-101's cells: processor seconds, beside
their plain twins trial by trial.

The twin is a Python loop over one trial, in which validity and look-up are the official procedure (prune,
iterate vertex hashes, a dict by MD5). Both run whole searches with the same random streams, so the twin must
query the very same cells.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from bench.plain import baselines as plain
from bench.plain.nasbench101 import hash_string
from nas_bench_suite import Benchmark, Lookups, Optimizer, SearchRecord, Streams, load_benchmark, search
from optimizers.local_search import LocalSearch
from optimizers.random_search import RandomSearch
from optimizers.regularized_evolution import RegularizedEvolution

BUDGET, TRIALS, TWIN_TRIALS, SEED = 3200, 500, 2, 0

Twin = Callable[
    [list[int], Callable, Callable, Callable, Callable[[str], np.random.Generator]], list[plain.Architecture]
]


def _random(sizes, valid, cell, query, rng):
    return plain.random_search(sizes, valid, query, BUDGET, rng("random_search"))


def _evolution(sizes, valid, cell, query, rng):
    return plain.regularized_evolution(
        sizes, valid, query, BUDGET, rng("regularized_evolution_initial"), rng("regularized_evolution")
    )


def _local(sizes, valid, cell, query, rng):
    return plain.local_search(sizes, cell, query, BUDGET, rng("local_search_start"), rng("local_search"))


METHODS: dict[str, tuple[Optimizer, Twin, int | None]] = {
    "random": (RandomSearch(), _random, 500),
    "regularized_evolution": (RegularizedEvolution(), _evolution, 500),
    "local_search": (LocalSearch(), _local, None),
}


def run() -> list[tuple[str, str]]:
    """Rows (what, measured) of `make bench`."""
    benchmark = load_benchmark("nasbench101_surrogate")
    space = benchmark.space
    ids = {str(digest): cell for cell, digest in enumerate(space.official_hash(np.arange(space.num_cells)))}  # type: ignore[attr-defined]
    rows = []
    for name, (optimizer, twin, asked) in METHODS.items():
        search(optimizer, benchmark, budget=150, trials=3, seed=SEED)  # compiles
        short, _, _ = _time(optimizer, benchmark, 150, 1)
        whole, method, record = _time(optimizer, benchmark, BUDGET, 2)
        slow = _time_twin(benchmark, ids, twin, record) / TWIN_TRIALS
        rows.append((f"{name}, {TRIALS} trials x 150 queries", f"{short:.2f} s"))
        rows.append(
            (
                f"{name}, {TRIALS} trials x {BUDGET:,} queries",
                f"{whole:.2f} s, of which the method {method:.2f} s",
            )
        )
        ratio = f"{slow:.2f} s a trial, {slow * TRIALS / whole:.0f} times as long{_asked(asked)}"
        rows.append((f"{name}, {BUDGET:,} queries: the plain twin, trial by trial", ratio))
    return rows


def _time(
    optimizer: Optimizer, benchmark: Benchmark, budget: int, repeats: int
) -> tuple[float, float, SearchRecord]:
    """Least processor seconds of a search, the part of them that its method took, and its record."""
    best = (np.inf, np.inf)
    for _ in range(repeats):
        began = time.process_time()
        record = search(optimizer, benchmark, budget=budget, trials=TRIALS, seed=SEED)
        spent = time.process_time() - began
        best = min(best, (spent, spent * record.ledger["optimizer_seconds"].sum() / record.seconds))
    return *best, record


def _asked(ratio: int | None) -> str:
    return f" (asked: {ratio})" if ratio else ""


def _time_twin(benchmark, ids: dict[str, int], twin: Twin, record) -> float:
    """Seconds of `TWIN_TRIALS` trials of the twin, whose cells are checked."""
    space, seconds = benchmark.space, 0.0
    sizes = [int(size) for size in space.sizes]
    for trial in range(TWIN_TRIALS):
        streams = Streams(SEED, 1, trial)
        runs = streams.generators("run")[0]
        last: list = [None, -1]

        def cell(string, last=last):
            if last[0] != string:
                digest = hash_string(string)
                last[:] = string, -1 if digest is None else ids[digest]
            return last[1]

        def query(string, runs=runs, cell=cell):
            return float(
                benchmark.query(
                    Lookups(np.int64(cell(string)), int(runs.random() * benchmark.num_runs))
                ).validation
            )

        def valid(string, cell=cell):
            return cell(string) != -1

        def generator(purpose, streams=streams):
            return streams.generators(purpose)[0]

        began = time.process_time()
        history = twin(sizes, valid, cell, query, generator)
        seconds += time.process_time() - began
        cells = [cell(string) for string in history]
        if cells != record.queries["cell_id"][record.queries["trial"] == trial].tolist():
            raise AssertionError(f"trial {trial}: the twin queried other cells")
    return seconds
