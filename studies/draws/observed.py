"""What does it change that draws do not know the observed values? ``python -m studies.draws.observed``.

The package ships no observed value, so a draw draws all cells of more than 4 vertices. Here observed cells
get theirs back: the three runs of each are shifted until the best validation is the observed one, and the
same searches are made on both tables.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

from nas_bench_suite.benchmarks.nasbench101.surrogate import NASBench101Surrogate
from nas_bench_suite.benchmarks.nasbench101.surrogate.draws import SMALL_CELLS
from nas_bench_suite.benchmarks.nasbench101.surrogate.graphs import to_strings
from nas_bench_suite.benchmarks.nasbench101.surrogate.noise import GRID
from nas_bench_suite.benchmarks.nasbench101.surrogate.observed import Observed, load_observed, shared_data
from nas_bench_suite.messages import exit_code
from studies import markdown
from studies.surrogate_fit.search_levels import METHODS, level


def keep_observed(benchmark: NASBench101Surrogate, observed: Observed) -> None:
    """Let queries at 108 epochs read runs whose best of three is what was observed."""
    cells = benchmark.space.cell_id(to_strings(observed.adjacency, observed.ops))
    big = cells >= SMALL_CELLS
    cells, best = cells[big], np.rint(observed.accuracies[big, 3] * GRID).astype(np.int64)
    runs = benchmark._runs.astype(np.int64)
    runs[cells] += (best - runs[cells, :, 0].max(axis=1))[:, None, None]
    benchmark.replace_runs(np.clip(runs, 0, GRID).astype(np.uint16))


def measure(draws: int, trials: int, budget: int = 150) -> str:
    """The page's table: levels over draws, with and without the observed values."""
    observed = load_observed(shared_data() / "nasbench101" / "observed_25000_cells.csv.gz")
    found: dict[tuple[str, str, bool], list[float]] = {}
    for number in range(1, draws + 1):
        benchmark = NASBench101Surrogate(draw=number)
        for kept in (False, True):
            if kept:
                keep_observed(benchmark, observed)
            for method in METHODS:
                values = level(benchmark, method, budget, trials)
                for reading in ("same_run", "mean_of_3"):
                    found.setdefault((method, reading, kept), []).append(values[reading])
        print(f"draw {number} of {draws}", flush=True)
    rows = []
    for method in METHODS:
        for reading in ("same_run", "mean_of_3"):
            plain, kept_too = (np.array(found[method, reading, kept]) for kept in (False, True))
            words = [f"{x.mean():.3f} (SD {x.std(ddof=1):.3f})" for x in (plain, kept_too)]
            rows.append((f"`{method}`, {reading.replace('_', ' ')}", *words))
    return markdown.table((f"{draws} draws, {trials} trials", "as they are", "observed cells kept"), rows)


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m studies.draws.observed", description=__doc__)
    parser.add_argument("--draws", type=int, default=19)
    parser.add_argument("--trials", type=int, default=500)
    options = parser.parse_args(arguments)

    def work() -> int:
        print(f"\n{measure(options.draws, options.trials)}")
        return 0

    return exit_code(work)


if __name__ == "__main__":
    sys.exit(main())
