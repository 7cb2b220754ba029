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
from nas_bench_suite.benchmarks.nasbench101.space import NASBench101Space
from optimizers.local_search import LocalSearch
from optimizers.random_search import RandomSearch
from optimizers.regularized_evolution import RegularizedEvolution

BUDGET, TRIALS, TWIN_TRIALS, SEED = 3200, 500, 2, 0

Sizes = list[int]
Cell = Callable[[plain.Architecture], int]
Streamed = Callable[[str], np.random.Generator]  # the generator of a purpose
Twin = Callable[[Sizes, plain.Valid, Cell, plain.Query, Streamed], list[plain.Architecture]]


def _random(
    sizes: Sizes, valid: plain.Valid, cell: Cell, query: plain.Query, rng: Streamed
) -> list[plain.Architecture]:
    return plain.random_search(sizes, valid, query, BUDGET, rng("random_search"))


def _evolution(
    sizes: Sizes, valid: plain.Valid, cell: Cell, query: plain.Query, rng: Streamed
) -> list[plain.Architecture]:
    return plain.regularized_evolution(
        sizes, valid, query, BUDGET, rng("regularized_evolution_initial"), rng("regularized_evolution")
    )


def _local(
    sizes: Sizes, valid: plain.Valid, cell: Cell, query: plain.Query, rng: Streamed
) -> list[plain.Architecture]:
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
    assert isinstance(space, NASBench101Space)
    ids = {str(digest): cell for cell, digest in enumerate(space.official_hash(np.arange(space.num_cells)))}
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


def _time_twin(benchmark: Benchmark, ids: dict[str, int], twin: Twin, record: SearchRecord) -> float:
    """Seconds of `TWIN_TRIALS` trials of the twin, whose cells are checked."""
    space, seconds = benchmark.space, 0.0
    sizes = [int(size) for size in space.sizes]
    for trial in range(TWIN_TRIALS):
        streams = Streams(SEED, 1, trial)
        runs = streams.generators("run")[0]
        last: list[tuple[plain.Architecture, int]] = [((), -1)]

        def cell(string: plain.Architecture, last: list[tuple[plain.Architecture, int]] = last) -> int:
            if last[0][0] != string:
                digest = hash_string(string)
                last[0] = string, -1 if digest is None else ids[digest]
            return last[0][1]

        def query(string: plain.Architecture, runs: np.random.Generator = runs, cell: Cell = cell) -> float:
            run = int(runs.random() * benchmark.num_runs)
            return float(benchmark.query(Lookups(np.asarray(cell(string)), run)).validation)

        def valid(string: plain.Architecture, cell: Cell = cell) -> bool:
            return cell(string) != -1

        def generator(purpose: str, streams: Streams = streams) -> np.random.Generator:
            return streams.generators(purpose)[0]

        began = time.process_time()
        history = twin(sizes, valid, cell, query, generator)
        seconds += time.process_time() - began
        cells = [cell(string) for string in history]
        if cells != record.queries["cell_id"][record.queries["trial"] == trial].tolist():
            raise AssertionError(f"trial {trial}: the twin queried other cells")
    return seconds
