"""Published facts about the whole NASBench-101 table, to hold an imported one against.

Sources: Ying et al. 2019 (cells, runs, budgets) and the table's own documentation as repeated by its users:
best mean and best single-run accuracies, the number of cells with a better mean validation than the cell of
the best mean test, the range of trainable parameters.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nas_bench_suite.benchmarks.nasbench101.cells import NUM_CELLS, cells

# name -> (value, tolerance: half a unit of the last digit published)
PUBLISHED: dict[str, tuple[float, float]] = {
    "best_mean_test": (0.943175752957662, 1e-12),
    "best_mean_validation": (0.9505542318026224, 1e-12),
    "best_single_test": (0.94661456, 5e-9),
    "best_single_validation": (0.95182294, 5e-9),
    "cells_with_better_mean_validation_than_best_test": (174, 0),
    "fewest_parameters": (227_274, 0),
    "most_parameters": (49_979_274, 0),
}


# of the official files, from the README of google-research/nasbench, by the budgets that they hold
PUBLISHED_SHA256 = {
    (108,): "4c39c3936e36a85269881d659e44e61a245babcb72cb374eacacf75d0e5f4fd1",
    (4, 12, 36, 108): "3d64db8180fb1b0207212f9032205064312b6907a3bbc81eabea10db2f5c7e9c",
}


def found_and_checked(
    arrays: dict[str, np.ndarray], budgets: tuple[int, ...], grid: np.ndarray, sha256: str
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Facts of a table.

    Args:
        arrays: as in `tablefile`; budgets: its budgets; grid: float64[9985], the accuracy of each k; sha256:
            of the file that was read.

    Returns: (the facts found, at the highest budget; one entry {"fact", "expected", "found", "holds"} for
        each check. A table that is partial or lacks the 108 epochs is held against fewer).
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
        # the import refuses any other
        _check("cells whose hash follows from the matrix", count, count, True),
    ]
    agreeing = int((parameters_of(arrays) == arrays["parameters"]).sum())
    checked.append(
        _check("cells whose trainable parameters follow from the matrix", count, agreeing, agreeing == count)
    )
    if count == NUM_CELLS and budgets[-1] == 108:
        for name, (value, tolerance) in PUBLISHED.items():
            checked.append(
                _check(name.replace("_", " "), value, found[name], abs(found[name] - value) <= tolerance)
            )
    if count == NUM_CELLS and budgets in PUBLISHED_SHA256:
        checked.append(
            _check(
                "SHA-256 of the file", PUBLISHED_SHA256[budgets], sha256, sha256 == PUBLISHED_SHA256[budgets]
            )
        )
    return found, checked


def parameters_of(arrays: dict[str, np.ndarray], chunk: int = 16_384) -> np.ndarray:
    """int64[n]: the trainable parameters of the network that each recorded cell makes (see
    `surrogate.graphs.trainable_parameters`)."""
    from nas_bench_suite.benchmarks.nasbench101.surrogate.graphs import (
        CONV1X1,
        OUTPUT,
        SLOTS,
        trainable_parameters,
    )

    sizes = cells().vertices[arrays["cells"]]
    out = np.empty(len(sizes), dtype=np.int64)
    for n in range(2, SLOTS + 1):
        slots = np.array([*range(n - 1), SLOTS - 1])
        tails, heads = np.triu_indices(n, k=1)
        members = np.flatnonzero(sizes == n)
        for start in range(0, len(members), chunk):
            rows = members[start : start + chunk]
            adjacency = np.zeros((len(rows), SLOTS, SLOTS), dtype=bool)
            adjacency[:, slots[tails], slots[heads]] = (
                arrays["forms"][rows, None] >> np.arange(len(tails))
            ) & 1
            ops = np.full((len(rows), SLOTS), -1, dtype=np.int8)
            ops[:, 0], ops[:, -1] = 0, OUTPUT
            ops[:, 1 : n - 1] = CONV1X1 + arrays["codes"][rows, None] // 3 ** np.arange(n - 2) % 3
            out[rows] = trainable_parameters(adjacency, ops)
    return out


def _check(fact: str, expected: Any, found: Any, holds: bool) -> dict[str, Any]:
    return {"fact": fact, "expected": expected, "found": found, "holds": bool(holds)}
