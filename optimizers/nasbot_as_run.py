"""What runs as "NASBOT" in the code of White et al. ("BANANAS", AAAI 2021; the repository naszilla,
`gp_bayesopt` with distance `nasbot`), and so in several comparisons on NASBench-101.

Notation: T trials, N variables, A active points a trial. The kernel is amplitude^2 exp(-d / length^2) with
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

import numpy as np
from numba import njit

from nas_bench_suite.checks import check_float, check_int
from nas_bench_suite.optimizer import Task
from optimizers.nasbot.descriptions import Descriptions, row_distances
from optimizers.nasbot.gaussian_process import forward, standardise
from optimizers.nasbot.search import GaussianSearch
from optimizers.parts.mutation import Mutation


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
        self.parents = check_int("optimizer.parents", parents, 1)
        self.mutants = check_int("optimizer.mutants", mutants, 1)
        self.candidates = check_int("optimizer.candidates", candidates, 1)
        self.length = check_float("optimizer.length", length, 0, open_low=True)
        self.amplitude = check_float("optimizer.amplitude", amplitude, 0, open_low=True)
        self.noise = check_float("optimizer.noise", noise, 1e-7)
        self.exploration = check_float("optimizer.exploration", exploration, 0)

    def _descriptions(self, task: Task) -> Descriptions:
        return Descriptions(task.space, transport=False, counts=True)

    def start(self, task: Task) -> None:
        super().start(task)
        active = self._active.shape[1]
        family = task.space.families[1]
        self._mutation = Mutation(task.space, rates=1 / np.bincount(family)[family])
        self._factor = np.zeros((task.trials, active, active))

    def _update(self, trial: np.ndarray, first: np.ndarray) -> None:
        _extend(
            trial,
            first,
            self._size,
            self._rows,
            self._described.kind,
            self.length,
            self.amplitude,
            self.noise,
            self._factor,
        )

    def _choose(self, ready: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        trials = len(ready)
        best, there = self.best(self.parents)
        slots = np.repeat(np.arange(best.shape[1]), self.mutants)
        wanted = ready[:, None] & (slots < there[:, None])
        strings, ids, rejected = self._mutation(
            self._generators, best[:, slots], wanted, self._task.reject_invalid
        )
        sample = np.full((trials, self.candidates), -1, dtype=np.int64)
        _sample(self._generators, wanted, ids, self._ids, self._count, self._task.reject_invalid, sample)
        trial, place = np.nonzero(sample >= 0)
        rows = self._described.describe(strings[trial, sample[trial, place]])
        chosen = np.full(trials, -1, dtype=np.int64)
        _acquire(
            trial,
            sample[trial, place],
            rows,
            self._described.kind,
            self._size,
            self._rows,
            self._y,
            self._factor,
            self.length,
            self.amplitude,
            self.exploration,
            chosen,
        )
        return (
            strings[np.arange(trials), np.maximum(chosen, 0)][:, None],
            (ready & (chosen >= 0))[:, None],
            rejected,
        )


@njit(cache=True)
def _kernel(kind, row, others, count, length, amplitude, work, out):
    """out[j] = amplitude^2 exp(-d(row, others[j]) / length^2) for j < count."""
    row_distances(kind, 0, work[0], row, others, count, work)
    for j in range(count):
        out[j] = amplitude**2 * math.exp(-np.float64(work[j, 0]) / length**2)


@njit(cache=True)
def _extend(trial, first, size, rows, kind, length, amplitude, noise, factor):
    """Append each trial's active points from `first` on to the Cholesky factor of its kernel matrix plus
    noise."""
    work = np.zeros((rows.shape[1], 1), np.float32)
    for i in range(len(trial)):
        t = trial[i]
        for a in range(first[i], size[t]):
            new = factor[t, a]
            _kernel(kind, rows[t, a], rows[t], a, length, amplitude, work, new)
            forward(factor[t], a, new)
            pivot = amplitude**2 + noise**2
            for j in range(a):
                pivot -= new[j] * new[j]
            # Strings at distance 0 leave a pivot of twice the noise variance, which rounding may eat up.
            new[a] = math.sqrt(max(pivot, noise**2))


@njit(cache=True)
def _sample(generators, wanted, ids, seen, count, reject_invalid, sample):
    """Draw places of mutants, with replacement, among those whose cell is neither evaluated nor listed
    before; a place drawn again is -1."""
    trials, slots = wanted.shape
    new = np.empty(slots, np.int64)
    drawn = np.empty(slots, np.bool_)
    for t in range(trials):
        listed = 0
        for g in range(slots):
            if not wanted[t, g] or (ids[t, g] < 0 and reject_invalid):
                continue
            known = False
            if ids[t, g] >= 0:
                for c in range(count[t]):
                    known |= seen[t, c] == ids[t, g]
                for p in range(listed):
                    known |= ids[t, new[p]] == ids[t, g]
            if not known:
                new[listed] = g
                drawn[listed] = False
                listed += 1
        if listed:
            for s in range(sample.shape[1]):
                pick = np.int64(generators[t].random() * listed)
                if not drawn[pick]:
                    drawn[pick] = True
                    sample[t, s] = new[pick]


@njit(cache=True)
def _acquire(
    trial, places, new_rows, kind, size, rows, y, factor, length, amplitude, exploration, chosen
):  # fmt: skip
    """chosen[t] = the place with the largest mean + exploration deviation, the first among equals. Candidates
    are ordered by trial."""
    most = rows.shape[1]
    work = np.zeros((most, 1), np.float32)
    v = np.empty(most)
    whitened = np.empty(most)
    best = -np.inf
    for i in range(len(trial)):
        t = trial[i]
        n = size[t]
        if i == 0 or trial[i - 1] != t:
            standardise(y[t], n, False, whitened)
            forward(factor[t], n, whitened)
            best = -np.inf
        _kernel(kind, new_rows[i], rows[t], n, length, amplitude, work, v)
        forward(factor[t], n, v)
        mean, variance = 0.0, amplitude**2
        for j in range(n):
            mean += v[j] * whitened[j]
            variance -= v[j] * v[j]
        value = mean + exploration * math.sqrt(max(variance, 0.0))
        if value > best:
            best = value
            chosen[t] = places[i]
