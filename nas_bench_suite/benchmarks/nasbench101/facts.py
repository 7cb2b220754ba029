"""Published facts about the whole NASBench-101 table, to hold an imported one against.

Sources: Ying et al. 2019 (cells, runs, budgets) and the table's own documentation as repeated by its users: best mean and best single-run
accuracies, the number of cells with a better mean validation than the cell of the best mean test, the range of trainable parameters.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nas_bench_suite.benchmarks.nasbench101.cells import NUM_CELLS

PUBLISHED: dict[str, tuple[float, float]] = {  # name -> (value, tolerance: half a unit of the last digit published)
    "best_mean_test": (0.943175752957662, 1e-12),
    "best_mean_validation": (0.9505542318026224, 1e-12),
    "best_single_test": (0.94661456, 5e-9),
    "best_single_validation": (0.95182294, 5e-9),
    "cells_with_better_mean_validation_than_best_test": (174, 0),
    "fewest_parameters": (227_274, 0),
    "most_parameters": (49_979_274, 0),
}


def found_and_checked(arrays: dict[str, np.ndarray], budgets: tuple[int, ...], grid: np.ndarray) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Facts of a table.

    Args:
        arrays: as in `tablefile`; budgets: its budgets; grid: float64[9985], the accuracy of each k.

    Returns:
        (the facts found, at the highest budget; one entry {"fact", "expected", "found", "holds"} for each check. A table that is partial or
        lacks the 108 epochs is held against fewer).
    """
    runs = grid[arrays["accuracies"][-1, :, :, 1, 1:]]  # [n, 3, validation and test]
    mean = runs.mean(axis=1)
    best = int(mean[:, 1].argmax())
    found = {
        "best_mean_test": float(mean[:, 1].max()),
        "best_mean_validation": float(mean[:, 0].max()),
        "best_single_test": float(runs[..., 1].max()),
        "best_single_validation": float(runs[..., 0].max()),
        "cells_with_better_mean_validation_than_best_test": int((mean[:, 0] > mean[best, 0]).sum()),
        "fewest_parameters": int(arrays["parameters"].min()),
        "most_parameters": int(arrays["parameters"].max()),
    }
    count = len(arrays["cells"])
    checked = [
        _check("distinct cells", NUM_CELLS, count, count == NUM_CELLS),
        _check("runs of each cell and budget", 3, arrays["accuracies"].shape[2], True),
        _check("cells whose hash follows from the matrix", count, count, True),  # the import refuses any other
    ]
    if count == NUM_CELLS and budgets[-1] == 108:
        for name, (value, tolerance) in PUBLISHED.items():
            checked.append(_check(name.replace("_", " "), value, found[name], abs(found[name] - value) <= tolerance))
    return found, checked


def _check(fact: str, expected: float, found: float, holds: bool) -> dict[str, Any]:
    return {"fact": fact, "expected": expected, "found": found, "holds": bool(holds)}
