"""A table of a million rows as a benchmark: loading it, and a query beside one of the built-in surrogate."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from nas_bench_suite import Benchmark, Lookups, load_benchmark


def _query(benchmark: Benchmark) -> float:
    """Least processor seconds of id and values of one string, in batches of 100,000 strings."""
    strings = benchmark.space.sample_rng(np.random.default_rng(0), (100_000,))
    runs = np.zeros(len(strings), dtype=np.int64)
    seconds = []
    for _ in range(5):
        began = time.process_time()
        benchmark.query(Lookups(benchmark.space.cell_id(strings), runs))
        seconds.append(time.process_time() - began)
    return min(seconds[1:]) / len(strings)


def run() -> list[tuple[str, str]]:
    """Rows (what, measured) of `make bench`."""
    rows = []
    table = pd.DataFrame(
        np.array(np.unravel_index(np.arange(10**6), [10] * 6)).T, columns=[f"v{i}" for i in range(6)]
    )
    table["validation"] = table["test"] = np.random.default_rng(0).random(10**6).round(4)
    with tempfile.TemporaryDirectory() as folder:
        for name, write in (("table.csv", table.to_csv), ("table.parquet", table.to_parquet)):
            path = Path(folder) / name
            write(path, index=False)
            began = time.process_time()
            benchmark = load_benchmark("tabular", path=str(path))
            rows.append((f"a million rows, {name}", f"loaded in {time.process_time() - began:.1f} s"))
    built_in = _query(load_benchmark("nasbench101_surrogate"))
    rows.append(
        (
            "a query of it",
            f"{_query(benchmark) * 1e9:.0f} ns; of nasbench101_surrogate {built_in * 1e9:.0f} ns",
        )
    )
    return rows
