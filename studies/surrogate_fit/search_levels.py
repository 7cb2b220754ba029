"""Search on the surrogate: levels at a budget, and how far they move when its noise is drawn anew.

    python -m studies.surrogate_fit.search_levels --budget 150 --trials 500 --draws 10

Prints Markdown for docs/surrogate.md. Errors are percent; "same run" is the test error of the run whose
validation was read, "mean of three" that of its cell.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from nas_bench_suite.benchmarks.nasbench101.surrogate import NASBench101Surrogate
from nas_bench_suite.search import search
from optimizers.random_search import RandomSearch
from optimizers.regularized_evolution import RegularizedEvolution
from studies.surrogate_fit.redraw import redrawn

METHODS = {"random": RandomSearch, "regularized_evolution": RegularizedEvolution}


def levels(benchmark: NASBench101Surrogate, method: str, budget: int, trials: int) -> dict[str, float]:
    """Mean and SD over trials of the incumbent's test error, same run and mean of three, percent."""
    ledger = search(METHODS[method](), benchmark, budget=budget, trials=trials, seed=0).ledger
    same, mean = (100 * (1 - ledger[name]) for name in ("incumbent_test", "incumbent_test_mean"))
    return {"same_run": float(same.mean()), "sd": float(same.std(ddof=1)), "mean_of_3": float(mean.mean())}


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.surrogate_fit.search_levels", description=__doc__
    )
    parser.add_argument("--budget", type=int, default=150)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--draws", type=int, default=10, help="how often the noise is drawn anew")
    parser.add_argument(
        "--out", type=Path, help="a JSON file for the numbers, which the plots of the model card read"
    )
    options = parser.parse_args()
    rows: list[tuple[str, int | None, bool]] = [("as shipped", None, False)]
    rows += [(f"runs anew, {seed}", 1000 + seed, False) for seed in range(options.draws)]
    rows += [(f"runs and residuals anew, {seed}", 2000 + seed, True) for seed in range(options.draws)]
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, draw, residuals in rows:
        benchmark = NASBench101Surrogate() if draw is None else redrawn(draw, residuals)
        found[name] = {
            method: levels(benchmark, method, options.budget, options.trials) for method in METHODS
        }
        print(
            f"{name}: "
            + "; ".join(f"{m} {v['same_run']:.3f} ({v['mean_of_3']:.3f})" for m, v in found[name].items()),
            flush=True,
        )
    heads = (
        "same run, mean +- SD",
        "mean of three",
        f"same run over {options.draws} draws of the runs",
        "of runs and residuals",
    )
    print(
        f"\n| {options.budget} queries, {options.trials} trials | {' | '.join(heads)} "
        "|\n|---|---|---|---|---|"
    )
    for method in METHODS:
        shipped = found["as shipped"][method]
        spread = []
        for kind in ("runs anew", "runs and residuals anew"):
            values = np.array(
                [found[name][method]["same_run"] for name in found if name.startswith(kind + ",")]
            )
            spread.append(
                f"{values.mean():.3f} (SD {values.std(ddof=1):.3f}, {values.min():.3f} to {values.max():.3f})"
            )
        print(
            f"| {method} | {shipped['same_run']:.3f} +- {shipped['sd']:.3f} | {shipped['mean_of_3']:.3f} | "
            f"{spread[0]} | {spread[1]} |"
        )
    if options.out:
        options.out.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
