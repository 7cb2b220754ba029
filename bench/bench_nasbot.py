"""NASBOT: processor seconds a trial, and its transport beside POT's network simplex on the same pairs of
cells."""

from __future__ import annotations

import time

import numpy as np

from bench.plain import nasbot as plain
from nas_bench_suite import experiments, load_benchmark, search
from nas_bench_suite.build import make_optimizer
from optimizers.nasbot.descriptions import Descriptions, row_distances

SEED, CELLS, PAIRS = 0, 1000, 100
# label, queries, trials
METHODS = (
    ("nasbot", 150, 10),
    ("nasbot_as_run", 150, 50),
    ("nasbot_medium", 3200, 4),
    ("nasbot_as_run", 3200, 4),
)


def run() -> list[tuple[str, str]]:
    """Rows (what, measured) of `make bench`."""
    benchmark = load_benchmark("nasbench101_surrogate")
    rows = []
    for name, budget, trials in METHODS:
        optimizer = make_optimizer(experiments.compose({"optimizer": name})["optimizer"])
        search(optimizer, benchmark, budget=20, trials=2, seed=SEED)  # compiles
        began = time.process_time()
        search(optimizer, benchmark, budget=budget, trials=trials, seed=SEED)
        each = (time.process_time() - began) / trials
        rows.append(
            (
                f"{name}, a trial of {budget:,} queries",
                f"{each:.2f} s, so 500 in {500 * each / 60:.1f} min on one thread",
            )
        )
    strings = benchmark.space.sample_rng(np.random.default_rng(SEED), (CELLS,))
    described = Descriptions(benchmark.space, transport=True, weights=np.array(plain.NUS))
    cells = described.describe(strings)
    out = np.zeros((CELLS, described.lanes), dtype=np.float32)
    row_distances(described.metric, cells[0], cells, CELLS, out)
    began = time.process_time()
    for row in cells[:PAIRS]:
        row_distances(described.metric, row, cells, CELLS, out)
    ours = (time.process_time() - began) / (PAIRS * CELLS)
    problems = [
        plain.problem(plain.cell_of(a), plain.cell_of(b), nu)
        for a, b in zip(strings[:PAIRS], strings[PAIRS:])
        for nu in plain.NUS
    ]
    import ot

    began = time.process_time()
    for supply, demand, cost in problems:
        ot.emd(supply / supply.sum(), demand / supply.sum(), cost)
    theirs = (time.process_time() - began) / PAIRS
    return [
        *rows,
        (
            "OTMANN distances of two cells, four structural weights",
            f"{1e9 * ours:.0f} ns, path lengths compared included",
        ),
        (
            "the same four transport problems in POT",
            f"{1e6 * theirs:.0f} us, costs given, {theirs / ours:.0f} times as long",
        ),
    ]
