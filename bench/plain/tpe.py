"""TPE as it is written down, without counts kept, kernels or lockstep: the twin of `optimizers.tpe.parzen`
and `optimizers.tpe`."""

from __future__ import annotations

import math

import numpy as np


def split(losses: list[float], gamma: float, flat: int) -> tuple[list[int], list[int]]:
    """Indices of the good and the bad observations, each in order of time."""
    num_good = min(math.ceil(gamma * math.sqrt(len(losses))), flat, len(losses))
    order = sorted(range(len(losses)), key=lambda i: (losses[i], i))
    return sorted(order[:num_good]), sorted(order[num_good:])


def weights(count: int, flat: int) -> list[float]:
    """Linear forgetting, oldest first."""
    if count < flat:
        return [1.0] * count
    return list(np.linspace(1 / count, 1.0, num=count - flat)) + [1.0] * flat


def estimator(values: list[int], choices: int, prior_weight: float, flat: int) -> np.ndarray:
    """float64[choices]: the categorical Parzen estimator over values in order of time."""
    counts = np.full(choices, prior_weight)
    for value, weight in zip(values, weights(len(values), flat)):
        counts[value] += weight
    return np.asarray(counts / counts.sum())


def densities(
    strings: list[np.ndarray],
    losses: list[float],
    sizes: np.ndarray,
    gamma: float,
    prior_weight: float,
    flat: int,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each variable the good and the bad estimator."""
    good, bad = split(losses, gamma, flat)
    return [
        tuple(
            estimator([int(strings[i][j]) for i in part], int(size), prior_weight, flat)
            for part in (good, bad)
        )  # type: ignore[misc]
        for j, size in enumerate(sizes)
    ]


def suggest(
    rng: np.random.Generator, estimators: list[tuple[np.ndarray, np.ndarray]], candidates: int
) -> np.ndarray:
    """One suggestion, int64[N]: for each variable the best of so many draws."""
    chosen = []
    for good, bad in estimators:
        drawn = rng.choice(len(good), size=candidates, p=good)
        score = np.log(good[drawn]) - np.log(bad[drawn])
        chosen.append(drawn[np.argmax(score)])
    return np.array(chosen)
