"""BOHB's parts as they are written down: the twin of `optimizers.bohb.kde` and
`optimizers.bohb.hyperband`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np


class Density:
    """An Aitchison-Aitken kernel density over strings int[n, N]."""

    def __init__(self, data: np.ndarray, min_bandwidth: float) -> None:
        self.data = data
        n, variables = data.shape
        self.bandwidth = [
            max(1.06 * float(np.std(data[:, j])) * n ** (-1 / (4 + variables)), min_bandwidth)
            for j in range(variables)
        ]
        self.values = [len(set(data[:, j].tolist())) for j in range(variables)]

    def __call__(self, string: np.ndarray) -> float:
        total = 0.0
        for row in self.data:
            product = 1.0
            for j, (x, y) in enumerate(zip(string, row)):
                h = self.bandwidth[j]
                if x == y:
                    product *= 1 - h
                else:
                    product *= h / (self.values[j] - 1) if self.values[j] > 1 else math.inf
            total += product
        return total / len(self.data)


def split(
    strings: np.ndarray, losses: np.ndarray, min_points: int, top_percent: int
) -> tuple[np.ndarray, np.ndarray]:
    """The good and the bad observations."""
    n = len(losses)
    order = np.argsort(losses, kind="stable")
    good = max(min_points, top_percent * n // 100)
    bad = max(min_points, (100 - top_percent) * n // 100)
    return strings[order[:good]], strings[order[good : good + bad]]


def suggest(
    rng: np.random.Generator, good: Density, bad: Density, sizes: np.ndarray, samples: int
) -> np.ndarray | None:
    """One suggestion of the model, int64[N]; None where no candidate has a usable ratio."""
    best, best_ratio = None, math.inf
    for _ in range(samples):
        string: np.ndarray = good.data[rng.integers(len(good.data))].copy()
        for j, size in enumerate(sizes):
            if rng.random() >= 1 - good.bandwidth[j]:
                string[j] = rng.integers(size)
        below, above = good(string), bad(string)
        ratio = max(1e-32, above) / max(below, 1e-32)
        if not math.isfinite(ratio) and math.isfinite(below):
            return string
        if ratio < best_ratio:
            best, best_ratio = string, ratio
    return best


def hyperband(rungs: int, eta: int, evaluate: Callable[[int, int], float]) -> Iterator[list[tuple[int, int]]]:
    """Brackets without end. `evaluate(name, rung)` returns a loss (inf: failed); architectures are named 0,
    1, 2, ... as they are drawn. Yields each bracket's evaluations (name, rung) in order."""
    names = iter(range(10**9))
    bracket = 0
    while True:
        s = rungs - 1 - bracket % rungs
        first = rungs // (s + 1) * eta**s
        done: list[tuple[int, int]] = []
        promoted: list[int] = []
        for k in range(s + 1):
            size, rung = max(first // eta**k, 1), rungs - 1 - s + k
            population = promoted + [next(names) for _ in range(size - len(promoted))]
            losses = [evaluate(name, rung) for name in population]
            done += [(name, rung) for name in population]
            if k < s:
                order = sorted((i for i in range(size) if math.isfinite(losses[i])), key=lambda i: losses[i])
                keep = order[: max(first // eta ** (k + 1), 1)]
                promoted = [population[i] for i in sorted(keep)]
        yield done
        bracket += 1
