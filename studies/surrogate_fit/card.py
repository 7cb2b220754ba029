"""Numbers and plots of the model card: ``python -m studies.surrogate_fit.card``.

Reads what ``make surrogate`` leaves in ``outputs/surrogate`` (hold-out predictions), the observed data, and
the shipped artefact; writes ``docs/images/surrogate_*.png`` and prints the tables.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import matplotlib
import numpy as np

from nas_bench_suite.benchmarks.nasbench101.surrogate import NASBench101Surrogate
from nas_bench_suite.benchmarks.nasbench101.surrogate.artefact import GRID
from nas_bench_suite.benchmarks.nasbench101.surrogate.observed import load_observed, shared_data
from nas_bench_suite.messages import Parser, exit_code
from studies.drawing import IMAGES
from studies.surrogate_fit import card_figures as figures
from studies.surrogate_fit import card_numbers as numbers
from studies.surrogate_fit.published_values import string_weights


def build(work: Path, images: Path) -> None:
    """Make the card's plots and print its tables."""
    data = shared_data() / "nasbench101"
    observed = load_observed(data / "observed_25000_cells.csv.gz")
    benchmark, held = NASBench101Surrogate(), numbers.read_hold_out(work)
    best, guess = held.observed[:, 3], held.predicted[:, 3]
    runs = benchmark._runs / GRID
    table = np.genfromtxt(
        data / "three_runs_of_30_cells.csv", delimiter=",", names=True, dtype=None, encoding="utf-8"
    )
    real = table["final_validation_accuracy"].reshape(30, 3)
    curves = np.genfromtxt(data / "mean_of_3_learning_curves.csv.gz", delimiter=",", names=True)
    weights = string_weights(benchmark.space)
    with matplotlib.rc_context(figures.RC):
        drawn = {
            "predicted_observed": figures.draw_fidelity(guess, best),
            "top": figures.draw_top(numbers.top(guess, best)),
            "quantiles": figures.draw_quantiles(numbers.quantiles(observed.accuracies[:, 3], runs, weights)),
            "run_noise": figures.draw_noise(numbers.noise(runs, real)),
            "validation_test": figures.draw_test(
                runs, np.stack([curves["mean_val_108"], curves["mean_test_108"]], axis=1)
            ),
        }
        levels = numbers.redrawn(work)
        if levels is None:
            print(f"{work} has no search_150.json and search_3200.json: surrogate_redrawn_noise.png stays")
        else:
            drawn["redrawn_noise"] = figures.draw_redrawn(levels)
        for name, figure in drawn.items():
            figures.save(figure, images / f"surrogate_{name}.png")
    print(f"\n{numbers.scores_markdown(held, observed)}")
    print(f"\n{numbers.parameters_sentence(benchmark, observed)}")
    print(f"\n{numbers.facts_markdown(benchmark)}")


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code: 0, 2 for wrong input."""
    parser = Parser(
        prog="python -m studies.surrogate_fit.card",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--work", type=Path, default=Path("outputs/surrogate"), help="what the fit and the searches left"
    )
    parser.add_argument("--images", type=Path, default=IMAGES, help="where the plots go (docs/images)")

    def work() -> int:
        options = parser.parse_args(arguments)
        build(options.work, options.images)
        return 0

    return exit_code(work)


if __name__ == "__main__":
    sys.exit(main())
