"""Search on the surrogate: levels at a budget, and how far they move when its noise is drawn anew.

    python -m studies.surrogate_fit.search_levels --budget 150 --trials 500 --draws 10

Prints Markdown for docs/surrogate.md. Errors are percent; "same run" is the test error of the run whose
validation was read, "mean of three" that of its cell.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from nas_bench_suite.benchmarks.nasbench101.surrogate import NASBench101Surrogate
from nas_bench_suite.checks import check_int
from nas_bench_suite.messages import Parser, exit_code
from nas_bench_suite.search import search
from optimizers.random_search import RandomSearch
from optimizers.regularized_evolution import RegularizedEvolution
from studies import markdown
from studies.surrogate_fit.redraw import redrawn

METHODS = {"random": RandomSearch, "regularized_evolution": RegularizedEvolution}
SHIPPED, RUNS_ANEW, RESIDUALS_ANEW = "as shipped", "runs anew", "runs and residuals anew"
Levels = dict[str, dict[str, dict[str, float]]]  # by draw, method, and what `level` names


def level(benchmark: NASBench101Surrogate, method: str, budget: int, trials: int) -> dict[str, float]:
    """Mean and SD over trials of the incumbent's test error, same run and mean of three, percent."""
    ledger = search(METHODS[method](), benchmark, budget=budget, trials=trials, seed=0).ledger
    same, mean = (100 * (1 - ledger[name]) for name in ("incumbent_test", "incumbent_test_mean"))
    return {"same_run": float(same.mean()), "sd": float(same.std(ddof=1)), "mean_of_3": float(mean.mean())}


def measure(budget: int, trials: int, draws: int) -> Levels:
    """Search on the surrogate as shipped and on `draws` redrawn ones of each kind, printing each as it
    ends."""
    rows: list[tuple[str, int | None, bool]] = [(SHIPPED, None, False)]
    rows += [(f"{RUNS_ANEW}, {seed}", 1000 + seed, False) for seed in range(draws)]
    rows += [(f"{RESIDUALS_ANEW}, {seed}", 2000 + seed, True) for seed in range(draws)]
    found: Levels = {}
    for name, draw, residuals in rows:
        benchmark = NASBench101Surrogate() if draw is None else redrawn(draw, residuals)
        found[name] = {method: level(benchmark, method, budget, trials) for method in METHODS}
        words = [f"{m} {v['same_run']:.3f} ({v['mean_of_3']:.3f})" for m, v in found[name].items()]
        print(f"{name}: {'; '.join(words)}", flush=True)
    return found


def to_markdown(found: Levels, budget: int, trials: int, draws: int) -> str:
    """The page's table."""
    headers = (
        f"{budget} queries, {trials} trials",
        "same run, mean +- SD",
        "mean of three",
        f"same run over {draws} draws of the runs",
        "of runs and residuals",
    )
    rows = []
    for method in METHODS:
        shipped = found[SHIPPED][method]
        spreads = []
        for kind in (RUNS_ANEW, RESIDUALS_ANEW):
            of_kind = [levels[method] for name, levels in found.items() if name.startswith(f"{kind},")]
            values = np.array([levels["same_run"] for levels in of_kind])
            extremes = f"{values.min():.3f} to {values.max():.3f}"
            spreads.append(f"{values.mean():.3f} (SD {values.std(ddof=1):.3f}, {extremes})")
        mean = f"{shipped['same_run']:.3f} +- {shipped['sd']:.3f}"
        rows.append((method, mean, f"{shipped['mean_of_3']:.3f}", *spreads))
    return markdown.table(headers, rows)


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = Parser(
        prog="python -m studies.surrogate_fit.search_levels",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--budget", type=int, default=150)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--draws", type=int, default=10, help="how often the noise is drawn anew")
    parser.add_argument(
        "--out", type=Path, help="a JSON file for the numbers, which the plots of the model card read"
    )

    def work() -> int:
        options = parser.parse_args(arguments)
        check_int("--draws", options.draws, 1)
        found = measure(options.budget, options.trials, options.draws)
        print(f"\n{to_markdown(found, options.budget, options.trials, options.draws)}")
        if options.out:
            options.out.write_text(json.dumps(found, indent=1))
        return 0

    return exit_code(work)


if __name__ == "__main__":
    sys.exit(main())
