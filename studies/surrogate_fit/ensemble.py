"""The models of the ensemble, fitted side by side, and their weighted mean.

Notation and shapes
    N            observed cells; n all cells; targets K = 5: -log(1 - accuracy) after 4, 12, 36 and 108
                 epochs, log seconds
    values       float64[N, K], NaN where a run collapsed: collapses are modelled apart

A member is a network (all targets) or a set of trees (accuracy at 108 epochs alone). Each is fitted in a
process of its own on one thread, so results do not depend on how many run at once.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np

from nas_bench_suite.benchmarks.nasbench101.surrogate.observed import Observed
from studies.surrogate_fit.features import flat_features, global_features, vertex_features
from studies.surrogate_fit.network import NetworkSettings
from studies.surrogate_fit.trees import TreeSettings

# The weight of each target in a network's loss.
LOSS_WEIGHTS = (0.3, 0.3, 0.5, 1.0, 0.3)
# Below these a run counts as collapsed and is not fitted: at 36 epochs and at 108 (at 4 and 12, low values
# are common).
COLLAPSED_36, COLLAPSED_108 = 0.2, 0.5
CHUNK = 16384


@dataclass(frozen=True)
class Member:
    """One model of the ensemble: its kind, its settings, its seed."""

    name: str
    settings: NetworkSettings | TreeSettings
    seed: int


# The arguments of ``fit_member``: what is fitted, to which cells, and the cells to predict.
FitJob = tuple[Member, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def targets(observed: Observed) -> np.ndarray:
    """Transformed targets, float64[N, 5]; see the module's notation."""
    values = np.empty((len(observed.ops), 5))
    values[:, :4] = -np.log1p(-observed.accuracies)
    values[:, 4] = np.log(observed.seconds)
    values[observed.accuracies[:, 2] < COLLAPSED_36, 2] = np.nan
    values[observed.accuracies[:, 3] < COLLAPSED_108, 3] = np.nan
    return values


def natural(values: np.ndarray) -> np.ndarray:
    """Back from transformed targets to accuracies and seconds, float64[..., 5]."""
    return np.concatenate([-np.expm1(-values[..., :4]), np.exp(values[..., 4:])], axis=-1)


def members(networks: int, seed: int, quick: bool) -> list[Member]:
    """The ensemble: some networks that differ in their seed alone, and one set of trees."""
    network = NetworkSettings(epochs=2) if quick else NetworkSettings()
    trees = TreeSettings(trees=100, learning_rate=0.1) if quick else TreeSettings()
    chosen = [Member(f"network {index}", network, 1000 * seed + index) for index in range(networks)]
    return [*chosen, Member("trees", trees, 1000 * seed)]


def fit_member(
    member: Member,
    adjacency: np.ndarray,
    ops: np.ndarray,
    values: np.ndarray,
    new_adjacency: np.ndarray,
    new_ops: np.ndarray,
    log: str | None = None,
) -> np.ndarray:
    """Fit one member to cells and predict others.

    Args:
        adjacency, ops, values: the cells fitted to.
        new_adjacency, new_ops: the cells to predict.
        log: a file that receives progress lines.
    Returns:
        float32[n, 5], transformed targets; NaN where a member has no say.
    """

    def progress(line: str) -> None:
        if log is not None:
            with open(log, "a", encoding="utf-8") as file:
                file.write(f"{member.name}: {line}\n")

    pieces = [slice(start, start + CHUNK) for start in range(0, len(new_ops), CHUNK)]
    if isinstance(member.settings, TreeSettings):
        from studies.surrogate_fit.trees import fit_trees

        model = fit_trees(flat_features(adjacency, ops), values[:, 3], member.settings, member.seed)
        progress(f"{member.settings.trees} trees fitted")
        predicted = np.full((len(new_ops), values.shape[1]), np.nan, dtype=np.float32)
        for piece in pieces:
            predicted[piece, 3] = model.booster_.predict(flat_features(new_adjacency[piece], new_ops[piece]))
        return predicted

    import torch

    from studies.surrogate_fit.network import edge_matrix, fit_network, predict_network

    torch.set_num_threads(1)
    mean, scale = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    network = fit_network(
        vertex_features(adjacency, ops),
        edge_matrix(adjacency),
        global_features(adjacency, ops),
        (values - mean) / scale,
        np.array(LOSS_WEIGHTS),
        member.settings,
        member.seed,
        progress,
    )
    parts = []
    for piece in pieces:
        a, o = new_adjacency[piece], new_ops[piece]
        parts.append(predict_network(network, vertex_features(a, o), edge_matrix(a), global_features(a, o)))
    return np.asarray((np.concatenate(parts) * scale + mean).astype(np.float32))


def _single_thread() -> None:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"


def fit_all(
    jobs: list[FitJob],
    workers: int,
    log: str | None,
) -> Iterator[tuple[int, np.ndarray, float]]:
    """Fit jobs (the arguments of ``fit_member``) in ``workers`` processes.

    Yields:
        (index of the job, its predictions, seconds since the start) as they finish.
    """
    started = time.perf_counter()
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_single_thread, max_tasks_per_child=1
    ) as pool:
        futures = {pool.submit(fit_member, *job, log): index for index, job in enumerate(jobs)}
        for future in as_completed(futures):
            yield futures[future], future.result(), time.perf_counter() - started


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
