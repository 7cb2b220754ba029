"""Processor time of tables 3 and 5, method by method: one block of trials is timed and taken for 500 (marked
so where it is less than 500).

These are seconds of this machine, one thread; divide the sum by the number of processes that share the work.
"""

from __future__ import annotations

import time

from analysis import published
from nas_bench_suite import experiments, search
from nas_bench_suite.build import make_benchmark, make_optimizer, make_protocol

FULL, LIMIT = 500, 60.0  # trials of a table; seconds after which no further trials are timed
METHODS = {
    budget: list(dict.fromkeys(row.label for row in (*rows, *ours)))
    for budget, rows, ours in (
        (150, published.TABLE3, published.OURS),
        (3200, published.TABLE5, published.OURS),
    )
}


def run() -> list[tuple[str, str]]:
    """Rows (what, measured) of `make bench`."""
    rows = []
    for budget, labels in METHODS.items():
        total = 0.0
        for label in labels:
            seconds, trials = _time(label, budget)
            whole = seconds * FULL / trials
            total += whole
            how = "measured" if trials == FULL else f"from {trials} trials"
            rows.append((f"{label}, {FULL} trials x {budget:,} queries", f"{whole:,.1f} s ({how})"))
        rows.append((f"all of these at {budget:,} queries", f"{total / 60:,.1f} minutes of one core"))
    return rows


def _time(label: str, budget: int) -> tuple[float, int]:
    """Processor seconds and the number of trials that they are of: as many as finish soon, all if these are
    few."""
    config = experiments.compose({"optimizer": label, "budget": budget})
    optimizer, benchmark, protocol = (
        make_optimizer(config["optimizer"]),
        make_benchmark(config["benchmark"]),
        make_protocol(config["protocol"]),
    )
    search(optimizer, benchmark, protocol, budget=150, trials=2, seed=0)  # compiles
    trials = 4
    while True:
        began = time.process_time()
        search(optimizer, benchmark, protocol, budget=budget, trials=trials, seed=0)
        seconds = time.process_time() - began
        # Lockstep methods cost less a trial the more trials there are: time as many as a block holds, if that
        # does not take too long.
        most = min(FULL, optimizer.trials_per_block)
        if trials >= most or seconds > LIMIT / 4:
            return seconds, trials
        trials = min(most, trials * 4)
