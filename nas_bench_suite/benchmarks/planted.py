"""A planted benchmark: a small space whose optimum, structure and noise are known, for tests of every method.

Notation: N = 10 variables, five binary (family "edge") and five ternary (family "op"); a target string a*. A
string scores

    z(a) = (sum_i [a_i = a*_i] + 2 sum_i [a_i = a*_i and a_{i+1} = a*_{i+1}]) / (N + 2 (N - 1))  in [0, 1],

so it pays to get variables right and pays more to get neighbours right together. The last two variables are
interchangeable (their order does not matter: the better of the two counts), which gives isomorphic strings;
strings whose first two variables are both 0 are invalid. The mean accuracy of a cell is 0.80 + 0.15 z, and
its three frozen runs add N(0, noise^2).

Closed form: with r(a) runs read at random, n uniform queries have the incumbent's distribution F(v)^n
(`random_search_cdf`).
"""

from __future__ import annotations

import hashlib
from functools import cached_property

import numpy as np

from nas_bench_suite.benchmark import Benchmark, Evaluation, Facts, Lookups
from nas_bench_suite.checks import check_float, check_int
from nas_bench_suite.space import SearchSpace, Variable, string_codes

_EDGES, _OPS = 5, 5
_GRID = 9984  # accuracies lie on this grid, as those of NASBench-101 do: ties are real
_FIDELITIES = (4, 12, 36, 108)
# further spread of a cell's low-fidelity mean, in units of 0.01
_FIDELITY_NOISE = {4: 4.0, 12: 2.0, 36: 1.0, 108: 0.0}


class PlantedSpace(SearchSpace):
    """Ten variables; 3 of 4 strings are valid; the last two variables commute."""

    name = "planted"

    def __init__(self) -> None:
        edges = [Variable(f"edge{i}", ("0", "1"), "edge") for i in range(_EDGES)]
        self.variables = tuple(edges + [Variable(f"op{i}", ("a", "b", "c"), "op") for i in range(_OPS)])
        strings = np.stack(
            np.meshgrid(*[np.arange(size) for size in self.sizes], indexing="ij"), axis=-1
        ).reshape(-1, self.num_variables)
        self._strings = len(strings)
        canonical = strings.copy()
        canonical[:, -2:].sort(axis=1)
        valid = self.is_valid(strings)
        codes = string_codes(canonical, self.sizes)
        cells = np.unique(codes[valid])
        self._ids = np.where(valid, np.searchsorted(cells, codes), -1)
        self._representatives = strings[cells]

    @property
    def num_cells(self) -> int:
        return len(self._representatives)

    def is_valid(self, architectures: np.ndarray) -> np.ndarray:
        # The first two variables are binary and most significant, so both are 0 in the first quarter of the
        # codes; a value out of range has the code -1.
        valid: np.ndarray = string_codes(architectures, self.sizes) >= self._strings // 4
        return valid

    def cell_id(self, architectures: np.ndarray) -> np.ndarray:
        codes = string_codes(architectures, self.sizes)
        return np.where(codes >= 0, self._ids[codes], -1)

    def architecture(self, cell_id: np.ndarray | int) -> np.ndarray:
        rows: np.ndarray = self._representatives[self.check_ids(cell_id)]
        return rows


def _on_grid(values: np.ndarray) -> np.ndarray:
    rounded: np.ndarray = np.round(np.clip(values, 0, 1) * _GRID) / _GRID
    return rounded


class Planted(Benchmark):
    """The planted benchmark.

    Args:
        noise: standard deviation of a run's accuracy about its cell's mean.
        instance: which target and which frozen noise.
    """

    name = "planted"
    fidelities: tuple[int, ...] = _FIDELITIES
    num_runs = 3

    def __init__(self, noise: float = 0.004, instance: int = 0) -> None:
        self.noise = check_float("benchmark.noise", noise, 0, 0.05)
        self.instance = check_int("benchmark.instance", instance, 0)
        self.space: PlantedSpace = PlantedSpace()
        rng = np.random.default_rng([self.instance, 20])
        self.target = self.space.sample_rng(rng)
        cells = self.space.architecture(np.arange(self.space.num_cells))
        mean = 0.80 + 0.15 * self.score(cells)
        shape = (len(cells), len(_FIDELITIES), self.num_runs)
        spread = np.array([_FIDELITY_NOISE[epochs] for epochs in _FIDELITIES]) * 0.01
        level = (
            mean[:, None] - 0.1 * (1 - np.array(_FIDELITIES) / 108) + spread * rng.standard_normal(shape[:2])
        )
        run_noise = self.noise * rng.standard_normal(shape)
        self._validation = _on_grid(level[..., None] + run_noise)
        self._test = _on_grid(
            level[..., None] - 0.006 + run_noise * 0.9 + 0.3 * self.noise * rng.standard_normal(shape)
        )
        self._seconds = np.array(_FIDELITIES) * (5.0 + cells[:, _EDGES:].sum(axis=1))[:, None]

    def score(self, architectures: np.ndarray) -> np.ndarray:
        """z(a) in [0, 1] for strings int[..., N]."""
        architectures = np.asarray(architectures)
        swapped = np.concatenate([architectures[..., :-2], architectures[..., :-3:-1]], axis=-1)
        n = self.space.num_variables
        scores = []
        for strings in (architectures, swapped):
            hits = strings == self.target
            scores.append(
                (hits.sum(axis=-1) + 2 * (hits[..., :-1] & hits[..., 1:]).sum(axis=-1)) / (n + 2 * (n - 1))
            )
        best: np.ndarray = np.maximum(*scores)
        return best

    def look_up(self, lookups: Lookups) -> Evaluation:
        cells, level, runs = lookups.cells, self.levels(lookups.fidelities), lookups.runs
        seconds = self._seconds[cells, level]
        if isinstance(runs, str):
            return Evaluation(
                self._validation[cells, level].mean(axis=-1), self._test[cells, level].mean(axis=-1), seconds
            )
        return Evaluation(self._validation[cells, level, runs], self._test[cells, level, runs], seconds)

    def random_search_cdf(self, queries: int, run: str = "single") -> tuple[np.ndarray, np.ndarray]:
        """Distribution of random search's incumbent validation accuracy after `queries` uniform queries.

        Args:
            queries: n.
            run: "single": a query reads a run at random; "mean": it reads the mean over runs.

        Returns:
            The attainable accuracies, ascending, and P(incumbent <= each).
        """
        weights = np.bincount(self.space._ids[self.space._ids >= 0], minlength=self.space.num_cells)
        accuracy = self._validation[:, -1, :]
        if run == "mean":
            accuracy = accuracy.mean(axis=-1, keepdims=True)
        values, inverse = np.unique(accuracy, return_inverse=True)
        mass = np.bincount(inverse.ravel(), weights=np.repeat(weights, accuracy.shape[1]).astype(float))
        return values, (np.cumsum(mass) / mass.sum()) ** queries

    @cached_property
    def _checksum(self) -> str:
        return hashlib.sha256(self._validation.tobytes() + self._test.tobytes()).hexdigest()

    def facts(self) -> Facts:
        return {
            "name": self.name,
            "description": f"planted benchmark, instance {self.instance}, run noise {self.noise}",
            "source": "synthetic (nas_bench_suite.benchmarks.planted)",
            "checksum": self._checksum,
            "surrogate": False,
            "cells": self.space.num_cells,
            "best_mean_test": float(self._test[:, -1].mean(axis=-1).max()),
            "best_single_test": float(self._test[:, -1].max()),
        }
