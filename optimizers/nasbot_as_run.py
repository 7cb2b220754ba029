"""What runs as "NASBOT" in the code of White et al. ("BANANAS", AAAI 2021; the repository naszilla,
`gp_bayesopt` with distance `nasbot`), and so in several comparisons on NASBench-101.

Notation: T trials, N variables, A active points per trial. The kernel is amplitude^2 exp(-d / length^2) with
fixed hyperparameters, d the sum of absolute differences of sorted in-degrees, sorted out-degrees and
operation counts (`nasbot.descriptions`, `degrees`); the acquisition is the lower confidence bound of the
standardised error. There is no transport, no marginal likelihood and no evolution: candidates are single
mutations of the five best strings.

Its `edits` argument, 1 to 19 for a parent, never reaches the mutation there, so all 19 x 5 mutants of a
parent change one edge and one operation in expectation; we do the same. It estimates the bound from 1,000
joint posterior samples; we take the exact mean and deviation. It tells cells apart by their paths, we by
their ids.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from nas_bench_suite.checks import check_float, check_int
from nas_bench_suite.optimizer import Task
from optimizers.nasbot.descriptions import Descriptions, Metric, row_distances
from optimizers.nasbot.gaussian_process import forward, standardise
from optimizers.nasbot.search import GaussianSearch, Observations, Points
from optimizers.parts.mutation import Mutation, mutation_rates


class _Kernel(NamedTuple):
    """The covariance amplitude^2 exp(-d / length^2), and the noise variance noise^2."""

    length: float
    amplitude: float
    noise: float


class _Candidates(NamedTuple):
    """Mutants that the acquisition is evaluated at, ordered by trial."""

    trial: np.ndarray  # int64[S]
    place: np.ndarray  # int64[S], which of all mutants
    rows: np.ndarray  # float32[S, F], descriptions


class NASBOTAsRun(GaussianSearch):
    """Gaussian process on degree and operation-count distances.

    Args:
        initial: uniform strings evaluated before the first model.
        parents: best strings that are mutated.
        mutants: mutants of each.
        candidates: how many of the new cells among them the acquisition is evaluated at, drawn with
            replacement.
        length, amplitude, noise: the kernel is amplitude^2 exp(-d / length^2) and the noise variance noise^2,
            for standardised targets.
        exploration: standard deviations that the acquisition adds to the mean.
        max_points: observations that the model is fitted to at most.

    Raises:
        ConfigError: for a value out of range.
    """

    def __init__(
        self,
        *,
        initial: int = 10,
        parents: int = 5,
        mutants: int = 95,
        candidates: int = 200,
        length: float = 3.0,
        amplitude: float = 1.5,
        noise: float = 1e-5,
        exploration: float = 0.5,
        max_points: int = 300,
    ) -> None:
        super().__init__(initial=initial, max_points=max_points)
        self.parents = check_int("optimizer.parents", parents, 1, 100_000)
        self.mutants = check_int("optimizer.mutants", mutants, 1, 100_000)
        self.candidates = check_int("optimizer.candidates", candidates, 1, 100_000)
        self.length = check_float("optimizer.length", length, 0, 1e6, open_low=True)
        self.amplitude = check_float("optimizer.amplitude", amplitude, 0, 1e6, open_low=True)
        self.noise = check_float("optimizer.noise", noise, 1e-7, 1e6)
        self.exploration = check_float("optimizer.exploration", exploration, 0, 1e6)

    def _descriptions(self, task: Task) -> Descriptions:
        return Descriptions(task.space, transport=False, counts=True)

    def start(self, task: Task) -> None:
        super().start(task)
        active = self._points.active.shape[1]
        self._mutation = Mutation(task.space, rates=mutation_rates(task.space, {}))
        self._kernel = _Kernel(self.length, self.amplitude, self.noise)
        self._factor = np.zeros((task.trials, active, active))

    def _update(self, trial: np.ndarray, first: np.ndarray) -> None:
        _extend(trial, first, self._points, self._described.metric, self._kernel, self._factor)

    def _choose(self, ready: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        best, there = self.best(self.parents)
        wanted = ready[:, None] & (np.arange(best.shape[1]) < there[:, None])
        trial, parent = (np.repeat(index, self.mutants) for index in np.nonzero(wanted))
        mutants = self._mutation(self._generators, trial, best[trial, parent], self._task.reject_invalid)
        rejected = np.zeros(len(ready), dtype=np.int64)
        np.add.at(rejected, trial, mutants.rejected)
        sample = np.full((len(ready), self.candidates), -1, dtype=np.int64)
        _sample(self._generators, trial, mutants.ids, self._seen, self._task.reject_invalid, sample)
        trial, column = np.nonzero(sample >= 0)
        place = sample[trial, column]
        candidates = _Candidates(trial, place, self._described.describe(mutants.strings[place]))
        values = np.empty(len(trial))
        _acquire(
            candidates,
            self._points,
            self._described.metric,
            self._kernel,
            self._factor,
            self.exploration,
            values,
        )
        chosen = np.full(len(ready), -1, dtype=np.int64)
        _largest(candidates, values, chosen)
        return mutants.strings[np.maximum(chosen, 0)][:, None], (chosen >= 0)[:, None], rejected


@njit(cache=True)
def _covariances(
    metric: Metric,
    kernel: _Kernel,
    row: np.ndarray,
    others: np.ndarray,
    count: int,
    work: np.ndarray,
    out: np.ndarray,
) -> None:
    """out[j] = amplitude^2 exp(-d(row, others[j]) / length^2) for j < count; work float32[A, 1]."""
    row_distances(metric, row, others, count, work)
    for j in range(count):
        out[j] = kernel.amplitude**2 * math.exp(-np.float64(work[j, 0]) / kernel.length**2)


@njit(cache=True)
def _extend(
    trial: np.ndarray,
    first: np.ndarray,
    points: Points,
    metric: Metric,
    kernel: _Kernel,
    factor: np.ndarray,
) -> None:
    """Append each trial's active points from `first` on to the Cholesky factor of its kernel matrix plus
    noise."""
    work = np.zeros((points.rows.shape[1], 1), np.float32)
    for i in range(len(trial)):
        t = trial[i]
        for a in range(first[i], points.size[t]):
            new = factor[t, a]
            _covariances(metric, kernel, points.rows[t, a], points.rows[t], a, work, new)
            forward(factor[t], a, new)
            pivot = kernel.amplitude**2 + kernel.noise**2
            for j in range(a):
                pivot -= new[j] * new[j]
            # Strings at distance 0 leave a pivot of twice the noise variance, which rounding may eat up.
            new[a] = math.sqrt(max(pivot, kernel.noise**2))


@njit(cache=True)
def _sample(
    generators: Any,
    trial: np.ndarray,
    ids: np.ndarray,
    seen: Observations,
    reject_invalid: bool,
    sample: np.ndarray,
) -> None:
    """Draw places of mutants, with replacement, among those of a trial whose cell is neither evaluated nor
    listed before; a place drawn again is -1. The mutants, of cells ids int64[R], are ordered by trial."""
    new = np.empty(len(ids), np.int64)
    drawn = np.empty(len(ids), np.bool_)
    g = 0
    while g < len(ids):
        t = trial[g]
        listed = 0
        while g < len(ids) and trial[g] == t:
            known = ids[g] < 0 and reject_invalid
            if ids[g] >= 0:
                for c in range(seen.number[t]):
                    known |= seen.ids[t, c] == ids[g]
                for p in range(listed):
                    known |= ids[new[p]] == ids[g]
            if not known:
                new[listed] = g
                drawn[listed] = False
                listed += 1
            g += 1
        if listed:
            for s in range(sample.shape[1]):
                pick = np.int64(generators[t].random() * listed)
                if not drawn[pick]:
                    drawn[pick] = True
                    sample[t, s] = new[pick]


@njit(cache=True)
def _acquire(
    candidates: _Candidates,
    points: Points,
    metric: Metric,
    kernel: _Kernel,
    factor: np.ndarray,
    exploration: float,
    values: np.ndarray,
) -> None:
    """Fill values float64[S] with each candidate's mean + exploration deviation."""
    most = points.rows.shape[1]
    work = np.zeros((most, 1), np.float32)
    v = np.empty(most)
    whitened = np.empty(most)
    for i in range(len(values)):
        t = candidates.trial[i]
        n = points.size[t]
        if i == 0 or candidates.trial[i - 1] != t:
            standardise(points.y[t], n, False, whitened)
            forward(factor[t], n, whitened)
        _covariances(metric, kernel, candidates.rows[i], points.rows[t], n, work, v)
        forward(factor[t], n, v)
        mean, variance = 0.0, kernel.amplitude**2
        for j in range(n):
            mean += v[j] * whitened[j]
            variance -= v[j] * v[j]
        values[i] = mean + exploration * math.sqrt(max(variance, 0.0))


@njit(cache=True)
def _largest(candidates: _Candidates, values: np.ndarray, chosen: np.ndarray) -> None:
    """chosen[t] = the place of trial t's largest value, the first among equals."""
    best = -np.inf
    for i in range(len(values)):
        t = candidates.trial[i]
        if i == 0 or candidates.trial[i - 1] != t:
            best = -np.inf
        if values[i] > best:
            best = values[i]
            chosen[t] = candidates.place[i]
