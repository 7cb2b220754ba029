"""NASBOT: Bayesian optimization with a Gaussian process on OTMANN distances (Kandasamy et al., "Neural
Architecture Search with Bayesian Optimisation and Optimal Transport", NeurIPS 2018).

Notation: T trials, N variables, A active points a trial, K structural weights nu (distances a pair), P
strings in the acquisition's pool.
Kernel, hyperparameters theta and posterior: `gaussian_process`; distances: `otmann`.

Targets are standardised, so that hyperparameters have the ranges of the authors' code whatever the accuracies
are: noise variance 0.005 to 0.2 and alphas 0.01 to 100 times the targets' variance; betas 1e-9 to 1e-3 by
mass counted in channels squared; gammas 0.1 to 100. All are log-uniform. Every `refit_every` queries `draws`
hyperparameters are drawn and REUSED of them drawn again by their marginal likelihood; the queries until the
next time use these in turn (`rand_exp_sampling`, the code's default).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numba import njit

from nas_bench_suite.checks import ConfigError, check_float, check_int
from nas_bench_suite.optimizer import Task
from optimizers.nasbot.descriptions import Descriptions, row_distances
from optimizers.nasbot.gaussian_process import (
    expected_improvement,
    factorise,
    forward,
    log_marginal_likelihood,
    standardise,
    sum_kernel,
)
from optimizers.nasbot.otmann import CHANNELS, LANES
from optimizers.nasbot.search import GaussianSearch
from optimizers.parts.mutation import Mutation

REUSED = 7
CACHED = 1024  # cells a trial whose distances to the active points are remembered
NOISE = (0.005, 0.2)
ALPHA = (0.01, 100.0)
BETA = (1e-9 * CHANNELS**2, 1e-3 * CHANNELS**2)
GAMMA = (0.1, 100.0)
# of the noise variance: where the code's projection of the posterior covariance cuts off
VARIANCE_FLOOR = 0.05
# parents are drawn with probability proportional to exp((acquisition - mean) / (SELECTION deviation))
SELECTION = 2.0
LEAST_EVALUATIONS, LEAST_MUTANTS, MOST_MUTANTS = 50, 5, 100


class NASBOT(GaussianSearch):
    """Gaussian process with OTMANN distances, expected improvement, and an evolutionary search for its
    maximum.

    Args:
        initial: uniform strings evaluated before the first model.
        weights: nu, structural weights, 1 to 4 of them; each gives a distance.
        mutations: probabilities of changing 1, 2, .. variables in a mutation of the acquisition's search.
        pool: evaluated strings that the search for the maximum starts from, the best ones.
        max_evaluations: most strings at which the acquisition is evaluated for a query (25 sqrt(queries so
            far), at least 50).
        draws: hyperparameters drawn at a time.
        refit_every: queries between draws, or
        refit_growth: this share of the observations so far, if that is more.
        max_points: observations that the model is fitted to at most.
        growth: a search for the maximum gives the best of its new cells, so many that they are this share of
            the observations so far, but at least one.

    Raises:
        ConfigError: for a value out of range.
    """

    trials_per_block: ClassVar[int] = 50

    def __init__(
        self,
        *,
        initial: int = 10,
        weights: Sequence[float] = (0.1, 0.2, 0.4, 0.8),
        mutations: Sequence[float] = (0.5, 0.25, 0.125, 0.075, 0.05),
        pool: int = 10,
        max_evaluations: int = 500,
        draws: int = 100,
        refit_every: int = 7,
        refit_growth: float = 0.05,
        max_points: int = 300,
        growth: float = 0.0,
    ) -> None:
        super().__init__(initial=initial, max_points=max_points)
        self.weights = np.array(
            _numbers("optimizer.weights", weights, LANES, positive=True), dtype=np.float32
        )
        self.mutations = np.array(_numbers("optimizer.mutations", mutations, 100, positive=False))
        if not self.mutations.sum() > 0:
            raise ConfigError(
                "optimizer.mutations has no positive entry; accepted: numbers of at least 0, not all of them "
                "0."
            )
        self.pool = check_int("optimizer.pool", pool, 1)
        self.max_evaluations = check_int("optimizer.max_evaluations", max_evaluations, 1)
        self.draws = check_int("optimizer.draws", draws, REUSED)
        self.refit_every = check_int("optimizer.refit_every", refit_every, 1)
        self.refit_growth = check_float("optimizer.refit_growth", refit_growth, 0)
        self.growth = check_float("optimizer.growth", growth, 0)

    def _descriptions(self, task: Task) -> Descriptions:
        return Descriptions(task.space, transport=True, weights=self.weights)

    def start(self, task: Task) -> None:
        super().start(task)
        described, trials = self._described, task.trials
        active = self._active.shape[1]
        self._mutation = Mutation(task.space, steps=self.mutations)
        self._distances = np.zeros((trials, active, active, described.lanes), dtype=np.float32)
        k = described.distances
        self._bounds = np.log(np.array([NOISE, ALPHA, ALPHA, *[BETA] * k, *[GAMMA] * k]))
        self._theta = np.zeros((trials, REUSED, len(self._bounds)))
        self._queries = np.zeros(trials, dtype=np.int64)  # model-based queries so far
        self._turns = np.zeros(trials, dtype=np.int64)  # and searches for the maximum
        self._fitted_at = np.full(trials, -1, dtype=np.int64)
        self._factor = np.zeros((trials, active, active))
        self._whitened = np.zeros((trials, active))
        self._incumbent = np.zeros(trials)
        self._cached_ids = np.full((trials, CACHED), -1, dtype=np.int64)
        self._cached_count = np.zeros((trials, CACHED), dtype=np.int64)
        self._cached = np.zeros((trials, CACHED, active, described.lanes), dtype=np.float32)

    def _update(self, trial: np.ndarray, first: np.ndarray) -> None:
        described = self._described
        _extend(
            trial,
            first,
            self._size,
            self._rows,
            described.kind,
            described.inner,
            described.weights,
            self._distances,
        )

    def _keep(self, t: int, kept: np.ndarray) -> bool:
        _compact(kept, self._distances[t], self._cached_ids[t], self._cached_count[t], self._cached[t])
        return True

    def _choose(self, ready: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        self._fit(ready)
        space, trials = self._task.space, len(ready)
        evaluations = np.clip(25 * np.sqrt(self._count), LEAST_EVALUATIONS, self.max_evaluations).astype(
            np.int64
        )
        evaluations = np.where(ready, np.minimum(evaluations, self.max_evaluations), 0)
        mutants = np.clip(3 * np.sqrt(evaluations), LEAST_MUTANTS, MOST_MUTANTS).astype(np.int64)
        places = self.pool + int(evaluations.max())
        strings = np.zeros((trials, places, space.num_variables), dtype=np.int64)
        ids = np.full((trials, places), -1, dtype=np.int64)
        values = np.full((trials, places), -np.inf)
        size = np.zeros(trials, dtype=np.int64)
        rejected = np.zeros(trials, dtype=np.int64)
        fresh, there = self.best(self.pool)
        wanted = (np.arange(fresh.shape[1]) < there[:, None]) & ready[:, None]
        fresh_ids = space.cell_id(fresh)
        while True:
            trial, slot = np.nonzero(wanted)
            rows = self._described.describe(fresh[trial, slot])
            _enter(
                trial,
                fresh[trial, slot],
                fresh_ids[trial, slot],
                rows,
                self._described.masses(rows).astype(np.float64),
                strings,
                ids,
                values,
                size,
                self._described.kind,
                self._described.inner,
                self._described.weights,
                self._described.lanes,
                self._size,
                self._rows,
                self._masses,
                self._theta,
                self._turns,
                self._factor,
                self._whitened,
                self._incumbent,
                self._cached_ids,
                self._cached_count,
                self._cached,
            )
            left = np.minimum(
                np.where(ready, evaluations - (size - np.minimum(there, self.pool)), 0), mutants
            )
            most = int(left.max())
            if most <= 0:
                break
            wanted = np.arange(most) < left[:, None]
            parents = np.zeros((trials, most), dtype=np.int64)
            _select(self._generators, left, values, size, parents)
            fresh, fresh_ids, refused = self._mutation(
                self._generators,
                np.take_along_axis(strings, parents[:, :, None], axis=1),
                wanted,
                self._task.reject_invalid,
            )
            rejected += refused
        many = np.where(ready, np.maximum(1, (self.growth * self._count).astype(np.int64)), 0)
        chosen = np.full((trials, int(many.max())), -1, dtype=np.int64)
        _pick(many, values, ids, size, self._ids, self._count, self._task.reject_invalid, chosen)
        self._queries += many
        self._turns += ready
        return np.take_along_axis(strings, np.maximum(chosen, 0)[:, :, None], axis=1), chosen >= 0, rejected

    def _fit(self, ready: np.ndarray) -> None:
        """Draw hyperparameters where they are due, and factorise every ready trial's kernel matrix."""
        gap = np.maximum(self.refit_every, (self.refit_growth * self._count).astype(np.int64))
        due = ready & ((self._fitted_at < 0) | (self._queries - self._fitted_at >= gap))
        _refit(
            np.flatnonzero(due),
            self._generators,
            self._distances,
            self._masses,
            self._y,
            self._size,
            self._bounds,
            self.draws,
            self._fitted_at,
            self._theta,
        )
        self._fitted_at[due] = self._queries[due]
        _prepare(
            np.flatnonzero(ready),
            self._distances,
            self._masses,
            self._y,
            self._size,
            self._theta,
            self._turns,
            self._accuracy,
            self._count,
            self._factor,
            self._whitened,
            self._incumbent,
        )


def _numbers(where: str, given: Sequence[float], most: int, *, positive: bool) -> list[float]:
    """Check a list of 1 to `most` numbers."""
    if isinstance(given, str) or not isinstance(given, Sequence) or not 1 <= len(given) <= most:
        raise ConfigError(f"{where}={given} does not fit; accepted: a list of 1 to {most} numbers.")
    return [check_float(f"{where}[{i}]", value, 0, open_low=positive) for i, value in enumerate(given)]


@njit(cache=True)
def _extend(trial, first, size, rows, kind, inner, weights, distances):
    """Distances of each trial's active points from `first` on to all before them."""
    for i in range(len(trial)):
        t = trial[i]
        for a in range(first[i], size[t]):
            row_distances(kind, inner, weights, rows[t, a], rows[t], a, distances[t, a])


@njit(cache=True)
def _compact(kept, distances, cached_ids, cached_count, cached):
    """Move one trial's distances to active points `kept`, ascending, to the front."""
    for a in range(len(kept)):
        for b in range(a):
            distances[a, b] = distances[kept[a], kept[b]]
    for slot in range(len(cached_ids)):
        if cached_ids[slot] < 0:
            continue
        held = 0
        while held < len(kept) and kept[held] < cached_count[slot]:
            cached[slot, held] = cached[slot, kept[held]]
            held += 1
        cached_count[slot] = held


@njit(cache=True)
def _refit(trials, generators, distances, masses, y, size, bounds, draws, fitted_at, theta):
    """Draw hyperparameters, and keep REUSED of them by their marginal likelihood. Those kept before take part
    again."""
    count = len(bounds)
    factor = np.empty((distances.shape[1], distances.shape[1]))
    targets = np.empty(distances.shape[1])
    whitened = np.empty(distances.shape[1])
    drawn = np.empty((draws + REUSED, count))
    fit = np.empty(draws + REUSED)
    for t in trials:
        generator = generators[t]
        n = size[t]
        standardise(y[t], n, True, targets)
        total = draws + (REUSED if fitted_at[t] >= 0 else 0)
        best = -np.inf
        for h in range(total):
            for p in range(count):
                if h < draws:
                    drawn[h, p] = np.exp(bounds[p, 0] + (bounds[p, 1] - bounds[p, 0]) * generator.random())
                else:
                    drawn[h, p] = theta[t, h - draws, p]
            fit[h] = -np.inf
            repeated = False
            for before in range(draws, h):
                repeated |= drawn[before, 0] == drawn[h, 0]
            if not repeated and factorise(distances[t], masses[t], n, drawn[h], factor):
                whitened[:n] = targets[:n]
                forward(factor, n, whitened)
                fit[h] = log_marginal_likelihood(factor, whitened, n)
                best = max(best, fit[h])
        sum_ = 0.0
        for h in range(total):
            # No draw gave a positive definite matrix: all are equally likely, and the noise is raised where
            # they are used.
            fit[h] = np.exp(fit[h] - best) if best > -np.inf else 1.0
            sum_ += fit[h]
        for r in range(REUSED):
            u = generator.random() * sum_
            h = 0
            while h < total - 1 and u >= fit[h]:
                u -= fit[h]
                h += 1
            theta[t, r] = drawn[h]


@njit(cache=True)
def _prepare(
    trials, distances, masses, y, size, theta, turns, accuracy, count, factor, whitened, incumbent
):  # fmt: skip
    """Factorise each trial's kernel matrix with the hyperparameters whose turn it is; whiten the targets;
    standardise the incumbent."""
    for t in trials:
        n = size[t]
        centre, deviation = standardise(y[t], n, True, whitened[t])
        own = theta[t, turns[t] % REUSED]
        while not factorise(distances[t], masses[t], n, own, factor[t]):
            own[0] *= 10
        forward(factor[t], n, whitened[t])
        incumbent[t] = (accuracy[t, : count[t]].max() - centre) / deviation


@njit(cache=True)
def _enter(
    trial,
    new_strings,
    new_ids,
    new_rows,
    new_masses,
    strings,
    ids,
    values,
    size,
    kind,
    inner,
    weights,
    lanes,
    active,
    rows,
    masses,
    theta,
    turns,
    factor,
    whitened,
    incumbent,
    cached_ids,
    cached_count,
    cached,
):
    """Let candidates into their trial's pool with their expected improvement."""
    most = rows.shape[1]
    scratch = np.empty((most, lanes), np.float32)
    v = np.empty(most)
    for i in range(len(trial)):
        t = trial[i]
        place = size[t]
        size[t] += 1
        strings[t, place] = new_strings[i]
        ids[t, place] = new_ids[i]
        if new_ids[i] >= 0:
            known = -1
            for p in range(place):
                if ids[t, p] == new_ids[i]:
                    known = p
                    break
            if known >= 0:
                values[t, place] = values[t, known]
                continue
        n = active[t]
        own = theta[t, turns[t] % REUSED]
        row, held = scratch, 0
        if new_ids[i] >= 0:
            # The search comes back to the same cells query after query: only their distances to newer points
            # are missing.
            slot = (
                np.int64((np.uint64(new_ids[i]) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32))
                % cached_ids.shape[1]
            )
            held = cached_count[t, slot] if cached_ids[t, slot] == new_ids[i] else 0
            cached_ids[t, slot], cached_count[t, slot] = new_ids[i], n
            row = cached[t, slot]
        row_distances(kind, inner, weights, new_rows[i], rows[t, held:], n - held, row[held:])
        sum_kernel(row[:n], new_masses[i], masses[t], own, v[:n])
        forward(factor[t], n, v)
        mean, variance = 0.0, own[1] + own[2]
        for j in range(n):
            mean += v[j] * whitened[t, j]
            variance -= v[j] * v[j]
        values[t, place] = expected_improvement(mean, max(variance, VARIANCE_FLOOR * own[0]), incumbent[t])


@njit(cache=True)
def _select(generators, wanted, values, size, parents):
    """Draw parents from each pool, with replacement, with probabilities exp((value - mean) / (SELECTION
    deviation))."""
    chance = np.empty(values.shape[1])
    for t in range(len(wanted)):
        if wanted[t] <= 0:
            continue
        n = size[t]
        mean = values[t, :n].mean()
        deviation = values[t, :n].std()
        total = 0.0
        for p in range(n):
            total += np.exp((values[t, p] - mean) / (SELECTION * deviation)) if deviation > 0 else 1.0
            chance[p] = total
        for g in range(wanted[t]):
            parents[t, g] = min(
                np.searchsorted(chance[:n], generators[t].random() * total, side="right"), n - 1
            )


@njit(cache=True)
def _pick(many, values, ids, size, seen, count, reject_invalid, chosen):
    """chosen[t] = the places in the pool of the many[t] largest values whose cells are new and differ,
    largest first; then -1."""
    for t in range(len(many)):
        picked = 0
        if many[t] == 0:
            continue
        for p in np.argsort(-values[t, : size[t]], kind="mergesort"):
            if picked == many[t]:
                break
            new = ids[t, p] >= 0 or not reject_invalid
            if ids[t, p] >= 0:
                for c in range(count[t]):
                    if seen[t, c] == ids[t, p]:
                        new = False
                        break
                for before in range(picked):
                    new &= ids[t, chosen[t, before]] != ids[t, p]
            if new:
                chosen[t, picked] = p
                picked += 1
