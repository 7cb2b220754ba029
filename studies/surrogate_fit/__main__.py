"""Fit the surrogate and write its artefact: ``make surrogate``, or ``python -m studies.surrogate_fit``.

First every model is fitted to 90 % of the observed cells, and the other 10 % give the ensemble's weights, the
spread of the residuals and the numbers of the model card; then every model is fitted again to all of them,
and these make the artefact.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from nas_bench_suite.benchmarks.nasbench101.space import NASBench101Space
from nas_bench_suite.benchmarks.nasbench101.surrogate import artefact
from nas_bench_suite.benchmarks.nasbench101.surrogate.graphs import from_strings
from nas_bench_suite.benchmarks.nasbench101.surrogate.observed import Observed, load_observed, shared_data
from nas_bench_suite.benchmarks.nasbench101.surrogate.scores import agreement
from nas_bench_suite.checks import ConfigError
from nas_bench_suite.messages import Parser, exit_code
from studies.surrogate_fit import calibrate
from studies.surrogate_fit.ensemble import (
    FitJob,
    Member,
    best_tree_weight,
    combine,
    fit_all,
    members,
    natural,
    targets,
)
from studies.surrogate_fit.freeze import early_noise, freeze

SPLIT_SEED = 123
HOLD_OUT = 0.1


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code: 0, 2 for wrong input, 130 when interrupted."""
    parser = Parser(
        prog="python -m studies.surrogate_fit",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--networks", type=int, default=4, help="networks in the ensemble (default 4)")
    parser.add_argument(
        "--workers", type=int, default=2, help="models fitted at once, one thread each (default 2)"
    )
    parser.add_argument(
        "--folder", type=Path, default=artefact.FOLDER, help="where the artefact goes (default: the package)"
    )
    parser.add_argument(
        "--work", type=Path, default=Path("outputs/surrogate"), help="predictions and log go here"
    )
    parser.add_argument(
        "--reuse", action="store_true", help="take predictions found in --work: only calibrate again"
    )
    parser.add_argument(
        "--quick", action="store_true", help="a toy fit that shows that everything runs (two minutes)"
    )

    def work() -> int:
        options = parser.parse_args(arguments)
        fit(options)
        return 0

    return exit_code(work)


def fit(options: argparse.Namespace) -> None:
    """Both rounds of fits, calibration, artefact."""
    started = time.perf_counter()
    if importlib.util.find_spec("lightgbm") is None:
        raise ConfigError(
            "fitting the surrogate needs lightgbm; install the extra: pip install "
            "'nas-bench-suite[surrogate]'."
        )
    observed = load_observed(shared_data() / "nasbench101" / "observed_25000_cells.csv.gz")
    space = NASBench101Space()
    held, kept = split(len(observed.ops))
    chosen = members(options.networks, options.seed, options.quick)
    on_held, on_all = _predictions(_jobs(chosen, observed, space, held, kept), options)

    weight = best_tree_weight(on_held, chosen, observed, held)
    predicted = natural(combine(on_held, chosen, weight))
    scores = _scores(on_held, predicted, weight, chosen, observed, held)
    np.savez_compressed(
        options.work / "hold_out.npz",
        cells=held,
        predicted=predicted,
        observed=observed.accuracies[held],
        seconds=observed.seconds[held],
    )
    print(json.dumps(scores, indent=1), flush=True)
    meta = {
        "hold_out": scores,
        "hold_out_cells": len(held),
        "members": {member.name: {**vars(member.settings), "seed": member.seed} for member in chosen},
    }
    values, measured = combine(on_all, chosen, weight), early_noise(predicted, observed, held)
    freeze(values, measured, observed, space, options.folder, calibrate.NOISE_SEED, meta)
    print(f"artefact in {options.folder}, {(time.perf_counter() - started) / 60:.1f} min in all", flush=True)


def split(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the observed cells, int64[m] held out and int64[N - m] kept, ascending."""
    order = np.random.default_rng(SPLIT_SEED).permutation(count)
    cut = int(HOLD_OUT * count)
    return np.sort(order[:cut]), np.sort(order[cut:])


def _jobs(
    chosen: list[Member], observed: Observed, space: NASBench101Space, held: np.ndarray, kept: np.ndarray
) -> dict[str, FitJob]:
    """The fits by name: for each member one to the cells kept, that predicts those held out, and one to all
    observed cells, that predicts all there are."""
    values = targets(observed)
    adjacency, ops = observed.adjacency, observed.ops
    everything = from_strings(space.architecture(np.arange(space.num_cells)))
    jobs: dict[str, FitJob] = {}
    for member in chosen:
        name = member.name.replace(" ", "_")
        jobs[f"hold-out_{name}"] = (
            member,
            adjacency[kept],
            ops[kept],
            values[kept],
            adjacency[held],
            ops[held],
        )
        jobs[f"all_{name}"] = (member, adjacency, ops, values, *everything)
    return jobs


def _predictions(
    jobs: dict[str, FitJob], options: argparse.Namespace
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What the fits to a part and the fits to all predict, one entry for each member; what an earlier run
    left is taken if that is asked for."""
    options.work.mkdir(parents=True, exist_ok=True)
    log = options.work / "progress.log"
    log.unlink(missing_ok=True)
    paths = {name: options.work / f"{name}.npy" for name in jobs}
    found = {name: np.load(path) for name, path in paths.items() if options.reuse and path.exists()}
    missing = [name for name in jobs if name not in found]
    cells = max(len(job[2]) for job in jobs.values())
    print(f"{len(missing)} fits on {options.workers} processes, {cells:,} observed cells", flush=True)
    stop = threading.Event()
    follower = threading.Thread(target=_follow, args=(log, stop), daemon=True)
    follower.start()
    try:
        fits = fit_all([jobs[name] for name in missing], options.workers, str(log))
        for position, prediction, seconds in fits:
            name = missing[position]
            found[name] = prediction
            temporary = options.work / f".{name}.npy"
            np.save(temporary, prediction)
            os.replace(temporary, paths[name])
            print(f"{name} done, {len(found)} of {len(jobs)}, {seconds / 60:.1f} min", flush=True)
    finally:
        stop.set()
        follower.join()
    ordered = [found[name] for name in jobs]
    return ordered[0::2], ordered[1::2]


def _follow(log: Path, stop: threading.Event) -> None:
    """Print what the fitting processes write to their log until told to stop."""
    position = 0
    while not stop.wait(1.0):
        if log.exists():
            with open(log, encoding="utf-8") as file:
                file.seek(position)
                text = file.read()
                position = file.tell()
            if text:
                print(text, end="", flush=True)


def _scores(
    on_held: list[np.ndarray],
    predicted: np.ndarray,
    weight: float,
    chosen: list[Member],
    observed: Observed,
    held: np.ndarray,
) -> dict[str, Any]:
    """Agreement with the cells held out, of the ensemble and of each member.

    Args:
        on_held: each member's transformed predictions float64[m, 5].
        predicted: float64[m, 5], the ensemble's, as accuracies and seconds.
    """
    best = observed.accuracies[held, 3]
    scores: dict[str, Any] = {"tree_weight": weight, "ensemble": agreement(best, predicted[:, 3])}
    for member, prediction in zip(chosen, on_held, strict=True):
        scores[member.name] = agreement(best, natural(prediction)[:, 3])
    scores["seconds"] = agreement(observed.seconds[held], predicted[:, 4])
    for level, epochs in enumerate((4, 12, 36)):
        truth = observed.accuracies[held, level]
        scores[f"epoch {epochs}"] = agreement(truth, predicted[:, level], floor=0.0)
    return scores


if __name__ == "__main__":
    sys.exit(main())
