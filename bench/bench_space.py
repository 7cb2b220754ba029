"""NASBench-101's space: look-ups against the official procedure, and the enumeration."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from bench.plain import nasbench101 as plain
from nas_bench_suite.benchmarks.nasbench101 import cells
from nas_bench_suite.benchmarks.nasbench101.space import NASBench101Space


def _least(function: Callable[[], object], repeats: int) -> float:
    """Least processor seconds of a call."""
    function()
    seconds = []
    for _ in range(repeats):
        start = time.thread_time()
        function()
        seconds.append(time.thread_time() - start)
    return min(seconds)


def run() -> list[tuple[str, str]]:
    space = NASBench101Space()
    rows = space.sample_rng(np.random.default_rng(0), 100_000)
    few = [row.tolist() for row in rows[:300]]
    table = plain.table(few)
    fast = _least(lambda: space.cell_id(rows), 20) / len(rows)
    slow = _least(lambda: [table[str(plain.hash_string(row))] for row in few], 3) / len(few)
    enumeration = _least(cells.enumerate_cells, 3)
    ratio = (
        f"{fast * 1e9:.0f} ns, {slow / fast:,.0f} times as fast as the plain procedure ({slow * 1e6:.0f} us)"
    )
    return [
        ("NASBench-101 look-up, 100,000 strings", ratio),
        ("NASBench-101 enumeration of 423,624 cells", f"{enumeration:.2f} s"),
    ]
