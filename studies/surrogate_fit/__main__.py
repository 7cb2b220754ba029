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

from nas_bench_suite.benchmarks.nasbench101.space import NASBench101Space, enumeration_checksum
from nas_bench_suite.benchmarks.nasbench101.surrogate import artefact
from nas_bench_suite.benchmarks.nasbench101.surrogate.graphs import from_strings, to_strings
from nas_bench_suite.benchmarks.nasbench101.surrogate.observed import (
    Observed,
    load_observed,
    load_small_cells,
    shared_data,
)
from nas_bench_suite.benchmarks.nasbench101.surrogate.scores import agreement
from nas_bench_suite.checks import ConfigError
from studies.surrogate_fit import calibrate
from studies.surrogate_fit.ensemble import COLLAPSED_36, COLLAPSED_108, Member, fit_all, natural, targets
from studies.surrogate_fit.features import flat_features
from studies.surrogate_fit.network import NetworkSettings
from studies.surrogate_fit.trees import TreeSettings, fit_propensity

SPLIT_SEED = 123
HOLD_OUT = 0.1


def members(networks: int, seed: int, quick: bool) -> list[Member]:
    """The ensemble: some networks that differ in their seed alone, and one set of trees."""
    network = NetworkSettings(epochs=2) if quick else NetworkSettings()
    trees = TreeSettings(trees=100, learning_rate=0.1) if quick else TreeSettings()
    chosen = [Member(f"network {index}", network, 1000 * seed + index) for index in range(networks)]
    return [*chosen, Member("trees", trees, 1000 * seed)]


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


def combine(predictions: list[np.ndarray], chosen: list[Member], tree_weight: float) -> np.ndarray:
    """Weighted mean in the transformed targets, float64[n, 5]: trees against the mean of the networks."""
    networks = [
        p
        for p, member in zip(predictions, chosen, strict=True)
        if isinstance(member.settings, NetworkSettings)
    ]
    trees = [
        p for p, member in zip(predictions, chosen, strict=True) if isinstance(member.settings, TreeSettings)
    ]
    mean = np.mean(networks, axis=0).astype(np.float64)
    voiced = np.mean(trees, axis=0)
    return np.asarray(np.where(np.isnan(voiced), mean, (1 - tree_weight) * mean + tree_weight * voiced))


def best_tree_weight(
    predictions: list[np.ndarray], chosen: list[Member], observed: Observed, held: np.ndarray
) -> float:
    """The weight of the trees, in steps of .02, with the least squared error on held cells that trained."""
    truth = observed.accuracies[held, 3]
    trained = truth >= COLLAPSED_108
    weights = np.arange(0.0, 1.001, 0.02)
    errors = []
    for weight in weights:
        accuracy = natural(combine(predictions, chosen, weight))[:, 3]
        errors.append(np.mean((accuracy - truth)[trained] ** 2))
    return float(weights[int(np.argmin(errors))])


def early_noise(predicted: np.ndarray, observed: Observed, held: np.ndarray) -> list[calibrate.EarlyNoise]:
    """How single runs at 4, 12 and 36 epochs lie about predictions float64[m, 5] of held cells; collapses at
    36 are drawn apart."""
    measured = []
    for level in range(3):
        truth = observed.accuracies[held, level]
        kept = truth > COLLAPSED_36 if level == 2 else truth >= 0
        measured.append(calibrate.EarlyNoise.measure(predicted[kept, level], truth[kept]))
    return measured


def collapse_risk(observed: Observed, space: NASBench101Space, seed: int) -> np.ndarray:
    """Relative risk of a run of each cell to collapse, float64[n].

    Two models, of a collapse at 36 epochs and of never training at 108, on the features of the cell. The
    events share a cause (sums of pooled branches without a convolution between), so the geometric mean is
    taken: the commoner event steadies the rarer.
    """
    flat = flat_features(observed.adjacency, observed.ops)
    shaky = fit_propensity(flat, observed.accuracies[:, 2] < COLLAPSED_36, seed)
    never = fit_propensity(flat, observed.accuracies[:, 3] < 0.15, seed + 1)
    risks = []
    ids = np.arange(space.num_cells)
    for start in range(0, len(ids), 32768):
        rows = flat_features(*from_strings(space.architecture(ids[start : start + 32768])))
        risks.append(np.sqrt(shaky(rows) * never(rows)))
    return np.concatenate(risks)


def build(
    values: np.ndarray,
    measured: list[calibrate.EarlyNoise],
    observed: Observed,
    space: NASBench101Space,
    folder: Path,
    seed: int,
    meta: dict[str, Any],
    noise: calibrate.NoiseModel | None = None,
) -> None:
    """Freeze runs around smooth predictions and write the artefact.

    Args:
        values: float64[n, 5], transformed predictions of all cells.
        measured: the early residuals; folder: where the artefact goes; meta: facts to keep with it.
    """
    noise = noise or calibrate.NoiseModel()
    smooth = natural(values)
    best = smooth[:, 3]
    mean = calibrate.mean_from_best(best, noise)
    small = load_small_cells(shared_data())
    pinned = space.cell_id(to_strings(small.adjacency, small.ops))

    risk = collapse_risk(observed, space, seed)
    rng = np.random.default_rng([seed, 10])
    probability = calibrate.collapse_probability(rng, risk, pinned, noise)[:, None]
    collapsed = rng.random((space.num_cells, 3)) < probability
    early_collapsed = np.zeros((space.num_cells, 3, 3), dtype=bool)
    # At 4 and 12 epochs the spread of the residuals holds whatever collapses.
    early_collapsed[:, 2] = rng.random((space.num_cells, 3)) < probability

    residual = calibrate.cell_residuals(space.num_cells, seed)
    runs = calibrate.frozen_runs(
        mean, residual, collapsed, noise, seed, pinned, small.validation[:, 3], small.test[:, 3]
    )
    early_runs = calibrate.frozen_early_runs(
        smooth[:, :3], residual, measured, early_collapsed, noise, seed, pinned, small.validation[:, :3]
    )
    early = smooth[:, :3] + np.stack(
        [np.interp(smooth[:, level], part.centres, part.bias) for level, part in enumerate(measured)], axis=1
    )
    artefact.write(
        folder,
        predictions=np.stack([best, mean], axis=1),
        early=early,
        seconds=smooth[:, 4],
        runs=runs,
        early_runs=early_runs,
        meta={
            **meta,
            "enumeration": enumeration_checksum(),
            "observed_cells": len(observed.ops),
            "noise_seed": seed,
        },
    )


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m studies.surrogate_fit", description=__doc__)
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
    options = parser.parse_args(arguments)
    try:
        fit(options)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


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
    values = targets(observed)
    order = np.random.default_rng(SPLIT_SEED).permutation(len(values))
    cut = int(HOLD_OUT * len(values))
    held, kept = np.sort(order[:cut]), np.sort(order[cut:])
    everything = from_strings(space.architecture(np.arange(space.num_cells)))
    options.work.mkdir(parents=True, exist_ok=True)
    log = options.work / "progress.log"
    log.unlink(missing_ok=True)

    chosen = members(options.networks, options.seed, options.quick)
    jobs, names = [], []
    for member in chosen:
        for stage in ("hold-out", "all"):
            if stage == "hold-out":
                job = (
                    member,
                    observed.adjacency[kept],
                    observed.ops[kept],
                    values[kept],
                    observed.adjacency[held],
                    observed.ops[held],
                )
            else:
                job = (member, observed.adjacency, observed.ops, values, *everything)
            jobs.append(job)
            names.append(f"{stage} {member.name}".replace(" ", "_"))
    found: dict[int, np.ndarray] = {}
    for index, name in enumerate(names):
        path = options.work / f"{name}.npy"
        if options.reuse and path.exists():
            found[index] = np.load(path)
    missing = [index for index in range(len(jobs)) if index not in found]
    print(f"{len(missing)} fits on {options.workers} processes, {len(values):,} observed cells", flush=True)
    stop = threading.Event()
    follower = threading.Thread(target=_follow, args=(log, stop), daemon=True)
    follower.start()
    try:
        for position, prediction, seconds in fit_all(
            [jobs[index] for index in missing], options.workers, str(log)
        ):
            index = missing[position]
            found[index] = prediction
            temporary = options.work / f".{names[index]}.npy"
            np.save(temporary, prediction)
            os.replace(temporary, options.work / f"{names[index]}.npy")
            print(f"{names[index]} done, {len(found)} of {len(jobs)}, {seconds / 60:.1f} min", flush=True)
    finally:
        stop.set()
        follower.join()

    first, second = [found[i] for i in range(0, len(jobs), 2)], [found[i] for i in range(1, len(jobs), 2)]
    weight = best_tree_weight(first, chosen, observed, held)
    predicted = natural(combine(first, chosen, weight))
    report: dict[str, Any] = {
        "tree_weight": weight,
        "ensemble": agreement(observed.accuracies[held, 3], predicted[:, 3]),
    }
    for member, prediction in zip(chosen, first, strict=True):
        report[member.name] = agreement(observed.accuracies[held, 3], natural(prediction)[:, 3])
    report["seconds"] = agreement(observed.seconds[held], predicted[:, 4])
    for level, epochs in enumerate((4, 12, 36)):
        report[f"epoch {epochs}"] = agreement(
            observed.accuracies[held, level], predicted[:, level], floor=0.0
        )
    np.savez_compressed(
        options.work / "hold_out.npz",
        cells=held,
        predicted=predicted,
        observed=observed.accuracies[held],
        seconds=observed.seconds[held],
    )
    print(json.dumps(report, indent=1), flush=True)
    meta = {
        "hold_out": report,
        "hold_out_cells": len(held),
        "members": {member.name: {**vars(member.settings), "seed": member.seed} for member in chosen},
    }
    build(
        combine(second, chosen, weight),
        early_noise(predicted, observed, held),
        observed,
        space,
        options.folder,
        calibrate.NOISE_SEED,
        meta,
    )
    print(f"artefact in {options.folder}, {(time.perf_counter() - started) / 60:.1f} min in all", flush=True)


if __name__ == "__main__":
    sys.exit(main())
