"""NASBOT: Bayesian optimization with a Gaussian process on OTMANN distances (Kandasamy et al., "Neural
Architecture Search with Bayesian Optimisation and Optimal Transport", NeurIPS 2018).

Notation: T trials, N variables, A active points per trial, K structural weights nu (distances per pair), P
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
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numba import njit

from nas_bench_suite.checks import check_float, check_floats, check_int
from nas_bench_suite.hash_table import mix
from nas_bench_suite.optimizer import Task
from optimizers.nasbot.descriptions import Descriptions, Metric, row_distances
from optimizers.nasbot.gaussian_process import (
    expected_improvement,
    factorise,
    forward,
    log_marginal_likelihood,
    standardise,
    sum_kernel,
)
from optimizers.nasbot.otmann import CHANNELS, LANES
from optimizers.nasbot.search import Described, GaussianSearch, Observations, Points
from optimizers.parts.mutation import Mutation, check_steps

REUSED = 7
CACHED = 1024  # cells per trial whose distances to the active points are remembered
NOISE = (0.005, 0.2)
ALPHA = (0.01, 100.0)
BETA = (1e-9 * CHANNELS**2, 1e-3 * CHANNELS**2)
GAMMA = (0.1, 100.0)
# of the noise variance: where the code's projection of the posterior covariance cuts off
VARIANCE_FLOOR = 0.05
# parents are drawn with probability proportional to exp((acquisition - mean) / (SELECTION deviation))
SELECTION = 2.0
LEAST_EVALUATIONS, LEAST_MUTANTS, MOST_MUTANTS = 50, 5, 100


class _Model(NamedTuple):
    """The Gaussian processes of T trials, H hyperparameters each."""

    distances: np.ndarray  # float32[T, A, A, K], of the active points, below the diagonal
    theta: np.ndarray  # float64[T, REUSED, H], hyperparameters that are used in turn
    turns: np.ndarray  # int64[T], searches for the maximum so far
    fitted_at: np.ndarray  # int64[T], model-based queries when theta was drawn, -1 before
    factor: np.ndarray  # float64[T, A, A], L of the theta whose turn it is
    whitened: np.ndarray  # float64[T, A], w
    incumbent: np.ndarray  # float64[T], the best accuracy, standardised


class _Cache(NamedTuple):
    """Distances between cells and active points that each trial remembers: a search comes back to the same
    cells query after query. A cell has one place only, and takes it from the cell that held it."""

    ids: np.ndarray  # int64[T, CACHED], -1 where a place is free
    held: np.ndarray  # int64[T, CACHED], how many active points, the first ones, have their distance
    distances: np.ndarray  # float32[T, CACHED, A, K]


class _Pool(NamedTuple):
    """The candidates of a search for the maximum, P places per trial."""

    size: np.ndarray  # int64[T], how many
    strings: np.ndarray  # int64[T, P, N]
    ids: np.ndarray  # int64[T, P], their cells, -1 for an invalid string
    values: np.ndarray  # float64[T, P], expected improvement, -inf past `size`


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
            check_floats("optimizer.weights", weights, LANES, 0, 1e6, open_low=True), dtype=np.float32
        )
        self.mutations = check_steps(mutations)
        self.pool = check_int("optimizer.pool", pool, 1, 100_000)
        self.max_evaluations = check_int("optimizer.max_evaluations", max_evaluations, 1, 1_000_000)
        self.draws = check_int("optimizer.draws", draws, REUSED, 100_000)
        self.refit_every = check_int("optimizer.refit_every", refit_every, 1, 1_000_000)
        self.refit_growth = check_float("optimizer.refit_growth", refit_growth, 0, 1e6)
        self.growth = check_float("optimizer.growth", growth, 0, 1)

    def _descriptions(self, task: Task) -> Descriptions:
        return Descriptions(task.space, transport=True, weights=self.weights)

    def start(self, task: Task) -> None:
        super().start(task)
        trials, active, lanes = task.trials, self._points.active.shape[1], self._described.lanes
        self._mutation = Mutation(task.space, steps=self.mutations)
        k = self._described.distances
        self._bounds = np.log(np.array([NOISE, ALPHA, ALPHA, *[BETA] * k, *[GAMMA] * k]))
        self._queries = np.zeros(trials, dtype=np.int64)  # model-based queries so far
        self._model = _Model(
            distances=np.zeros((trials, active, active, lanes), dtype=np.float32),
            theta=np.zeros((trials, REUSED, len(self._bounds))),
            turns=np.zeros(trials, dtype=np.int64),
            fitted_at=np.full(trials, -1, dtype=np.int64),
            factor=np.zeros((trials, active, active)),
            whitened=np.zeros((trials, active)),
            incumbent=np.zeros(trials),
        )
        self._cache = _Cache(
            ids=np.full((trials, CACHED), -1, dtype=np.int64),
            held=np.zeros((trials, CACHED), dtype=np.int64),
            distances=np.zeros((trials, CACHED, active, lanes), dtype=np.float32),
        )

    def _update(self, trial: np.ndarray, first: np.ndarray) -> None:
        _extend(trial, first, self._points, self._described.metric, self._model.distances)

    def _keep(self, t: int, kept: np.ndarray) -> bool:
        _compact(t, kept, self._model.distances, self._cache)
        return True

    def _choose(self, ready: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        self._fit(ready)
        number, reject_invalid = self._seen.number, self._task.reject_invalid
        evaluations = np.clip(25 * np.sqrt(number), LEAST_EVALUATIONS, self.max_evaluations).astype(np.int64)
        evaluations = np.where(ready, np.minimum(evaluations, self.max_evaluations), 0)
        pool, rejected = self._search(ready, evaluations)
        many = np.where(ready, np.maximum(1, (self.growth * number).astype(np.int64)), 0)
        chosen = np.full((len(ready), int(many.max())), -1, dtype=np.int64)
        _pick(many, pool, self._seen, reject_invalid, chosen)
        self._queries += many
        self._model.turns[:] += ready
        strings = np.take_along_axis(pool.strings, np.maximum(chosen, 0)[:, :, None], axis=1)
        return strings, chosen >= 0, rejected

    def _search(self, ready: np.ndarray, evaluations: np.ndarray) -> tuple[_Pool, np.ndarray]:
        """Search evolutionarily for the acquisition's maximum, `evaluations` int64[T] beside the first pool;
        returns all candidates, and how many strings each trial rejected."""
        space, trials = self._task.space, len(ready)
        places = self.pool + int(evaluations.max())
        pool = _Pool(
            size=np.zeros(trials, dtype=np.int64),
            strings=np.zeros((trials, places, space.num_variables), dtype=np.int64),
            ids=np.full((trials, places), -1, dtype=np.int64),
            values=np.full((trials, places), -np.inf),
        )
        at_once = np.clip(3 * np.sqrt(evaluations), LEAST_MUTANTS, MOST_MUTANTS).astype(np.int64)
        rejected = np.zeros(trials, dtype=np.int64)
        first, there = self.best(self.pool)
        trial, slot = np.nonzero((np.arange(first.shape[1]) < there[:, None]) & ready[:, None])
        new = self.describe(first[trial, slot], space.cell_id(first[trial, slot]))
        while True:
            _enter(trial, new, pool, self._described.metric, self._points, self._model, self._cache)
            beside = pool.size - np.minimum(there, self.pool)
            left = np.minimum(np.where(ready, evaluations - beside, 0), at_once)
            most = int(left.max())
            if most <= 0:
                return pool, rejected
            parents = np.full((trials, most), -1, dtype=np.int64)
            _select(self._generators, left, pool, parents)
            trial, slot = np.nonzero(parents >= 0)
            mutants = self._mutation(
                self._generators,
                trial,
                pool.strings[trial, parents[trial, slot]],
                self._task.reject_invalid,
            )
            np.add.at(rejected, trial, mutants.rejected)
            new = self.describe(mutants.strings, mutants.ids)

    def _fit(self, ready: np.ndarray) -> None:
        """Draw hyperparameters where they are due, and factorise every ready trial's kernel matrix."""
        gap = np.maximum(self.refit_every, (self.refit_growth * self._seen.number).astype(np.int64))
        fitted_at = self._model.fitted_at
        due = ready & ((fitted_at < 0) | (self._queries - fitted_at >= gap))
        _refit(np.flatnonzero(due), self._generators, self._points, self._bounds, self.draws, self._model)
        fitted_at[due] = self._queries[due]
        _prepare(np.flatnonzero(ready), self._points, self._seen, self._model)


@njit(cache=True)
def _extend(
    trial: np.ndarray, first: np.ndarray, points: Points, metric: Metric, distances: np.ndarray
) -> None:
    """Distances of each trial's active points from `first` on to all before them."""
    for i in range(len(trial)):
        t = trial[i]
        for a in range(first[i], points.size[t]):
            row_distances(metric, points.rows[t, a], points.rows[t], a, distances[t, a])


@njit(cache=True)
def _compact(t: int, kept: np.ndarray, distances: np.ndarray, cache: _Cache) -> None:
    """Move trial t's distances to active points `kept`, ascending, to the front."""
    for a in range(len(kept)):
        for b in range(a):
            distances[t, a, b] = distances[t, kept[a], kept[b]]
    for place in range(cache.ids.shape[1]):
        if cache.ids[t, place] < 0:
            continue
        held = 0
        while held < len(kept) and kept[held] < cache.held[t, place]:
            cache.distances[t, place, held] = cache.distances[t, place, kept[held]]
            held += 1
        cache.held[t, place] = held


@njit(cache=True)
def _refit(
    trials: np.ndarray, generators: Any, points: Points, bounds: np.ndarray, draws: int, model: _Model
) -> None:
    """Draw hyperparameters within exp(bounds) float64[H, 2], and keep REUSED of them by their marginal
    likelihood. Those kept before take part again."""
    count, most = len(bounds), points.y.shape[1]
    factor = np.empty((most, most))
    targets = np.empty(most)
    whitened = np.empty(most)
    drawn = np.empty((draws + REUSED, count))
    fit = np.empty(draws + REUSED)
    for t in trials:
        generator = generators[t]
        n = points.size[t]
        distances, masses = model.distances[t], points.masses[t]
        standardise(points.y[t], n, True, targets)
        total = draws + (REUSED if model.fitted_at[t] >= 0 else 0)
        best = -np.inf
        for h in range(total):
            for p in range(count):
                if h < draws:
                    drawn[h, p] = np.exp(bounds[p, 0] + (bounds[p, 1] - bounds[p, 0]) * generator.random())
                else:
                    drawn[h, p] = model.theta[t, h - draws, p]
            fit[h] = -np.inf
            repeated = False
            for before in range(draws, h):
                repeated |= drawn[before, 0] == drawn[h, 0]
            if not repeated and factorise(distances, masses, n, drawn[h], factor):
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
            model.theta[t, r] = drawn[h]


@njit(cache=True)
def _prepare(trials: np.ndarray, points: Points, seen: Observations, model: _Model) -> None:
    """Factorise each trial's kernel matrix with the hyperparameters whose turn it is; whiten the targets;
    standardise the incumbent."""
    for t in trials:
        n = points.size[t]
        whitened, factor = model.whitened[t], model.factor[t]
        centre, deviation = standardise(points.y[t], n, True, whitened)
        own = model.theta[t, model.turns[t] % REUSED]
        while not factorise(model.distances[t], points.masses[t], n, own, factor):
            own[0] *= 10
        forward(factor, n, whitened)
        model.incumbent[t] = (seen.accuracy[t, : seen.number[t]].max() - centre) / deviation


@njit(cache=True)
def _enter(
    trial: np.ndarray,
    new: Described,
    pool: _Pool,
    metric: Metric,
    points: Points,
    model: _Model,
    cache: _Cache,
) -> None:
    """Let candidates into their trial's pool with their expected improvement."""
    most = points.rows.shape[1]
    scratch = np.empty((most, cache.distances.shape[3]), np.float32)
    v = np.empty(most)
    for i in range(len(trial)):
        t, cell = trial[i], new.ids[i]
        place = pool.size[t]
        pool.size[t] += 1
        pool.strings[t, place] = new.strings[i]
        pool.ids[t, place] = cell
        if cell >= 0:
            known = -1
            for p in range(place):
                if pool.ids[t, p] == cell:
                    known = p
                    break
            if known >= 0:
                pool.values[t, place] = pool.values[t, known]
                continue
        n = points.size[t]
        own = model.theta[t, model.turns[t] % REUSED]
        row, held = scratch, 0
        if cell >= 0:  # only its distances to newer points may be missing
            at = mix(cell) % cache.ids.shape[1]
            held = cache.held[t, at] if cache.ids[t, at] == cell else 0
            cache.ids[t, at], cache.held[t, at] = cell, n
            row = cache.distances[t, at]
        row_distances(metric, new.rows[i], points.rows[t, held:], n - held, row[held:])
        sum_kernel(row[:n], new.masses[i], points.masses[t], own, v[:n])
        forward(model.factor[t], n, v)
        mean, variance = 0.0, own[1] + own[2]
        for j in range(n):
            mean += v[j] * model.whitened[t, j]
            variance -= v[j] * v[j]
        pool.values[t, place] = expected_improvement(
            mean, max(variance, VARIANCE_FLOOR * own[0]), model.incumbent[t]
        )


@njit(cache=True)
def _select(generators: Any, wanted: np.ndarray, pool: _Pool, parents: np.ndarray) -> None:
    """Draw parents[t, :wanted[t]] from each pool, with replacement, with probabilities exp((value - mean) /
    (SELECTION deviation))."""
    chance = np.empty(pool.values.shape[1])
    for t in range(len(wanted)):
        if wanted[t] <= 0:
            continue
        n = pool.size[t]
        values = pool.values[t, :n]
        mean = values.mean()
        deviation = values.std()
        total = 0.0
        for p in range(n):
            total += np.exp((values[p] - mean) / (SELECTION * deviation)) if deviation > 0 else 1.0
            chance[p] = total
        for g in range(wanted[t]):
            parents[t, g] = min(
                np.searchsorted(chance[:n], generators[t].random() * total, side="right"), n - 1
            )


@njit(cache=True)
def _pick(
    many: np.ndarray, pool: _Pool, seen: Observations, reject_invalid: bool, chosen: np.ndarray
) -> None:
    """chosen[t] = the places in the pool of the many[t] largest values whose cells are new and differ,
    largest first; then -1."""
    for t in range(len(many)):
        picked = 0
        if many[t] == 0:
            continue
        for p in np.argsort(-pool.values[t, : pool.size[t]], kind="mergesort"):
            if picked == many[t]:
                break
            cell = pool.ids[t, p]
            new = cell >= 0 or not reject_invalid
            if cell >= 0:
                for c in range(seen.number[t]):
                    if seen.ids[t, c] == cell:
                        new = False
                        break
                for before in range(picked):
                    new &= pool.ids[t, chosen[t, before]] != cell
            if new:
                chosen[t, picked] = p
                picked += 1
