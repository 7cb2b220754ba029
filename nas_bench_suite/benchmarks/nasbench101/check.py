"""`check FILE.csv`: hold the surrogate against observed cells.

The file has the columns of the observed cells that the surrogate was fitted to (gzipped or not): `hash,
n_vertices, adjacency, ops, validation_accuracy_epoch_{4,12,36,108}, training_seconds, trainable_parameters`;
the 108-epoch value is the best of three runs. Scores on cells that the fit saw flatter it; the model card
(docs/surrogate.md) has those of cells that it did not see.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from nas_bench_suite.benchmark import Lookups
from nas_bench_suite.checks import ConfigError

QUANTILES = (5, 25, 50, 75, 95, 99)
# best-of-three accuracies below it are runs that collapsed, which the smooth prediction does not cover
FLOOR = 0.5


def check(path: Path) -> dict[str, Any]:
    """Compare the surrogate with a file of observed cells.

    Returns: `file`, `cells`; `best_of_3`, `epoch_4`, `epoch_12`, `epoch_36`, `training_seconds`: scores of
        the smooth prediction (see `scores.agreement`); `top_10_percent`, `top_1_percent`: the same among the
        best observed cells; `quantiles`: observed best of three, that of the frozen runs of the same cells,
        and the gap; `single_run`: the same for one frozen run at 4, 12 and 36 epochs;
        `parameters`: cells whose trainable parameters differ; `checksum` of the surrogate.
    Raises:
        ConfigError: if the file can't be read, lacks a column, or holds a row that is no cell of the space.
    """
    from .surrogate import NASBench101Surrogate
    from .surrogate.graphs import to_strings
    from .surrogate.observed import FIDELITIES, load_observed
    from .surrogate.scores import agreement

    observed = load_observed(path)
    benchmark = NASBench101Surrogate()
    cells = benchmark.space.cell_id(to_strings(observed.adjacency, observed.ops))
    if (cells < 0).any():
        line = int(np.flatnonzero(cells < 0)[0]) + 2
        raise ConfigError(
            f"{path}, line {line}: no cell of NASBench-101; accepted: input connected to output, at most 9 "
            "edges."
        )
    best = observed.accuracies[:, -1]
    predicted = benchmark.prediction(cells, statistic="best_of_3")
    result: dict[str, Any] = {
        "file": str(path),
        "cells": len(cells),
        "best_of_3": agreement(best, predicted, FLOOR),
    }
    for level, epochs in enumerate(FIDELITIES[:-1]):
        result[f"epoch_{epochs}"] = agreement(
            observed.accuracies[:, level], benchmark.prediction(cells, fidelity=epochs), 0.0
        )
    result["training_seconds"] = agreement(observed.seconds, benchmark.query(Lookups(cells, 0)).seconds, 0.0)
    for percent in (10, 1):
        top = best >= np.percentile(best, 100 - percent)
        result[f"top_{percent}_percent"] = agreement(best[top], predicted[top], FLOOR)
    frozen = np.max(
        [benchmark.query(Lookups(cells, run)).validation for run in range(benchmark.num_runs)], axis=0
    )
    result["quantiles"] = _gaps(best, frozen)
    result["single_run"] = {
        f"epoch_{epochs}": _gaps(
            observed.accuracies[:, level], benchmark.query(Lookups(cells, 0, epochs)).validation
        )
        for level, epochs in enumerate(FIDELITIES[:-1])
    }
    result["parameters"] = {
        "differ": int((benchmark.trainable_parameters(cells) != observed.parameters).sum())
    }
    result["checksum"] = benchmark.facts()["checksum"]
    return result


def _gaps(observed: np.ndarray, frozen: np.ndarray) -> list[dict[str, float]]:
    """Quantiles of two samples and their gaps, frozen less observed."""
    return [
        {"percent": percent, "observed": float(first), "frozen": float(second), "gap": float(second - first)}
        for percent, first, second in zip(
            QUANTILES, np.percentile(observed, QUANTILES), np.percentile(frozen, QUANTILES), strict=True
        )
    ]


def describe(result: dict[str, Any]) -> str:
    """The result as a page of text."""
    rows = [
        ("best of three, 108 epochs", "best_of_3"),
        ("  the best 10 % of these", "top_10_percent"),
        ("  the best 1 %", "top_1_percent"),
        ("one run, 36 epochs", "epoch_36"),
        ("one run, 12 epochs", "epoch_12"),
        ("one run, 4 epochs", "epoch_4"),
        ("training seconds", "training_seconds"),
    ]
    lines = [f"{result['file']}: {result['cells']:,} cells against the surrogate {result['checksum']}", ""]
    lines.append(
        f"{'smooth prediction of':28s}{'cells':>8s}{'R2':>9s}"
        f"{'Kendall':>9s}{'Spearman':>10s}{'mean bias':>12s}"
    )
    for name, key in rows:
        scores = result[key]
        lines.append(
            f"{name:28s}{scores['cells']:8.0f}{scores['r2']:9.4f}{scores['kendall']:9.4f}{scores['spearman']:10.4f}{scores['bias']:+12.5f}"
        )
    lines += ["", f"{'quantiles of frozen runs':28s}" + "".join(f"{percent:>8d} %" for percent in QUANTILES)]
    tables = [
        ("best of three, observed", result["quantiles"], "observed"),
        ("best of three, frozen", result["quantiles"], "frozen"),
    ]
    tables.append(("  gap", result["quantiles"], "gap"))
    tables += [(f"one run, {key[6:]} epochs, gap", gaps, "gap") for key, gaps in result["single_run"].items()]
    lines += [
        f"{name:28s}" + "".join(f"{row[column]:10.4f}" for row in gaps) for name, gaps, column in tables
    ]
    lines += [
        "",
        f"trainable parameters differ in {result['parameters']['differ']} of {result['cells']:,} cells",
    ]
    return "\n".join(lines)


def run(options: argparse.Namespace) -> int:
    """Check a file and print what came of it."""
    result = check(options.file)
    print(json.dumps(result, indent=1) if options.json else describe(result))
    return 0


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line of `nas_bench_suite.benchmarks.nasbench101`."""
    parser = subparsers.add_parser(
        "check", help="hold the surrogate against a file of observed cells", description=__doc__
    )
    parser.add_argument("file", type=Path, metavar="FILE.csv", help="observed cells, gzipped or not")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)
