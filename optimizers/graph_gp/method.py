"""Bayesian optimization with a Gaussian process on counts and path lengths of a cell's graph: a method of
ours (docs/methods/graph_gp.md).

Notation: T trials, N variables, n observations of a trial, at most C told; b strings per batch. Cells are
described by `features`; model, hyperparameters theta and acquisition: `gaussian_process`.

A *key* names what was told or proposed: a cell's id, or for an invalid string, which has none, a negative
number made of the string. Targets are -log(1 - accuracy), less their median and divided by their deviation
(MAD), those below -CLIP raised to it.

Where a cell may be asked again, the noise v of the model has two parts: what the features do not tell about a
cell (*residual*) and what differs between its evaluations (*run*). `run_share` of v is the run's at first;
every pair of evaluations of a cell says more. The mean of k evaluations of a cell that lies d above the
smooth part says that the cell itself lies d residual / (residual + run / k) above.

Candidates are drawn and described for all trials at once, each from its own stream; models go trial by trial,
so that their sums do not depend on the trials beside them.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np

from nas_bench_suite.checks import check_float, check_int
from nas_bench_suite.optimizer import FAILED, INVALID, NOT_RUN, OK, Optimizer, Outcome, Proposal, Task
from optimizers.graph_gp.features import Features
from optimizers.graph_gp.gaussian_process import Posterior, expected_improvement, fit, prior_centre
from optimizers.parts.mutation import Mutation, check_steps
from optimizers.parts.uniform import UniformStrings

CLIP = 1.5
LEAST_ERROR = 1e-6  # what an accuracy of 1 is taken to lack
MAD = 1.4826  # standard deviations of a normal per median absolute deviation
PARENTS = 10  # best cells that mutants come from, at least
PER_SLOT = 2  # and twice the batch of them for the first mutants
POOL_PER_SLOT = 0.04  # mutants and uniform cells per string of the batch, as a share of `pool`
UNIFORM_PER_SLOT = 0.02
CLIMB_PER_SLOT = 0.04  # as a share of `climb_mutants`
REPEATED_FROM = 60  # best observed cells that compete to be asked again
RUN_WEIGHT = 3.0  # pairs of evaluations that `run_share` is worth
SAME = 3  # after so many repeats of which each gave what was known, no cell is asked again


class _History(NamedTuple):
    """All that T trials were told."""

    number: np.ndarray  # int64[T], n and what failed or was invalid
    strings: np.ndarray  # int16[T, C, N]
    keys: np.ndarray  # int64[T, C]
    accuracy: np.ndarray  # float64[T, C], -inf where there is none


class _Cells(NamedTuple):
    """The observations of one trial, and what they say of each of its U cells."""

    strings: np.ndarray  # int64[n, N]
    y: np.ndarray  # float64[n], targets
    cell: np.ndarray  # int64[n], places among the U cells
    first: np.ndarray  # int64[U], a cell's first observation
    keys: np.ndarray  # int64[U]
    times: np.ndarray  # int64[U], k
    mean: np.ndarray  # float64[U], mean target


class _Model(NamedTuple):
    """What one trial knows."""

    cells: _Cells
    x: np.ndarray  # float64[n, F], descriptions of its observations
    known: np.ndarray  # int64[..], keys of all that it was told
    best: float  # the largest target
    posterior: Posterior


class _Candidates(NamedTuple):
    """Strings that compete for a batch."""

    strings: np.ndarray  # int64[M, N]
    keys: np.ndarray  # int64[M]
    values: np.ndarray  # float64[M], expected improvement


class GraphGP(Optimizer):
    """Gaussian process on graph features; expected improvement; mutants, uniform cells and climbs as
    candidates.

    Args:
        initial: uniform strings evaluated before the first model.
        growth: strings per batch, as a share of the observations, but at least one.
        pool: mutants of the best cells among the candidates, and as many uniform cells, at least.
        mutations: probabilities of changing 1, 2, .. variables in a mutant.
        climbs: how often the best candidates are mutated in turn.
        climb_mutants: how many mutants each time, at least.
        refit_growth: theta is fitted again when the observations have grown by this share.
        fit_points: observations that theta is fitted to at most, two thirds of them the best.
        inducing: observations that the model is exact for at most, and its inducing points beyond, two thirds
            of them the best.
        last: share of the budget, the last one, in which a cell may be asked again.
        evaluations: of a cell at most.
        run_share: the share of the noise that differs between a cell's evaluations, before any was repeated.

    Raises:
        ConfigError: for a value out of range.
    """

    trials_per_block: ClassVar[int] = 50

    def __init__(
        self,
        *,
        initial: int = 10,
        growth: float = 0.04,
        pool: int = 500,
        mutations: Sequence[float] = (0.2, 0.2, 0.2, 0.2, 0.2),
        climbs: int = 2,
        climb_mutants: int = 250,
        refit_growth: float = 0.15,
        fit_points: int = 200,
        inducing: int = 300,
        last: float = 0.2,
        evaluations: int = 3,
        run_share: float = 0.5,
    ) -> None:
        self.initial = check_int("optimizer.initial", initial, 1, 1_000_000)
        self.growth = check_float("optimizer.growth", growth, 0, 1)
        self.pool = check_int("optimizer.pool", pool, 1, 1_000_000)
        self.mutations = check_steps(mutations)
        self.climbs = check_int("optimizer.climbs", climbs, 0, 1000)
        self.climb_mutants = check_int("optimizer.climb_mutants", climb_mutants, 1, 1_000_000)
        self.refit_growth = check_float("optimizer.refit_growth", refit_growth, 0, 1e6)
        self.fit_points = check_int("optimizer.fit_points", fit_points, 2, 10_000)
        self.inducing = check_int("optimizer.inducing", inducing, 2, 10_000)
        self.last = check_float("optimizer.last", last, 0, 1)
        self.evaluations = check_int("optimizer.evaluations", evaluations, 1, 1000)
        self.run_share = check_float("optimizer.run_share", run_share, 0, 1)

    def start(self, task: Task) -> None:
        self._task = task
        trials, n = task.trials, task.space.num_variables
        self._features = Features(task.space, valid=task.reject_invalid)
        self._mutation = Mutation(task.space, steps=self.mutations)
        self._first = UniformStrings(task, "graph_gp_initial", repeats=False)
        self._others = UniformStrings(task, "graph_gp_uniform")
        self._generators = task.streams.generators("graph_gp")
        self._typed = task.streams.typed("graph_gp")
        capacity = task.budget + self.initial
        self._told = _History(
            number=np.zeros(trials, dtype=np.int64),
            strings=np.zeros((trials, capacity, n), dtype=np.int16),
            keys=np.zeros((trials, capacity), dtype=np.int64),
            accuracy=np.full((trials, capacity), -np.inf),
        )
        self._theta = np.tile(prior_centre(len(self._features.names)), (trials, 1))
        self._fitted = np.zeros(trials, dtype=np.int64)  # observations when theta was fitted
        self._asked_at = np.full(trials, task.budget, dtype=np.int64)  # room of the last ask
        self._used = np.zeros(trials, dtype=np.int64)  # evaluations that the last proposal should have cost
        self._free = np.zeros(trials, dtype=np.bool_)  # a repeat cost nothing: repeats say nothing

    def ask(self, room: np.ndarray) -> Proposal:
        room = np.asarray(room)
        self._free |= self._asked_at - room < self._used
        self._asked_at, self._used = room.copy(), np.zeros(len(room), dtype=np.int64)
        to_fill = np.where(room > 0, np.maximum(self.initial - self._told.number, 0), 0)
        modelled = (self._told.accuracy > -np.inf).any(axis=1)
        to_fill[(room > 0) & (to_fill == 0) & ~modelled] = 1
        first = self._first.take(np.minimum(room, to_fill))
        ready = (room > 0) & (to_fill == 0)
        batch = np.maximum(1, (self.growth * self._told.number).astype(np.int64))
        uniform = self._uniform(ready, _grown(self.pool, UNIFORM_PER_SLOT, batch))
        rejected = first.rejected + uniform[1]
        chosen, refused = self._choose(np.flatnonzero(ready), batch, room, uniform[0])
        rejected = rejected + refused
        slots = max([1, first.architectures.shape[1], *map(len, chosen.values())])
        strings = np.zeros((len(room), slots, self._task.space.num_variables), dtype=np.int64)
        wanted = np.zeros((len(room), slots), dtype=np.bool_)
        strings[:, : first.architectures.shape[1]] = first.architectures
        wanted[:] = np.arange(slots) < first.given[:, None]
        for t, picked in chosen.items():
            strings[t, : len(picked)], wanted[t, : len(picked)] = picked, True
        return Proposal(strings, wanted, rejected=rejected)

    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        status, told = np.asarray(outcome.status), self._told
        trial, slot = np.nonzero(status != NOT_RUN)
        needed = int((told.number + (status != NOT_RUN).sum(axis=1)).max(initial=0))
        held = told.keys.shape[1]
        if needed > held:  # free repeats and failures can be more than the budget
            more = ((0, 0), (0, max(needed - held, held)))
            told = self._told = told._replace(
                strings=np.pad(told.strings, (*more, (0, 0))),
                keys=np.pad(told.keys, more),
                accuracy=np.pad(told.accuracy, more, constant_values=-np.inf),
            )
        strings = np.asarray(proposal.architectures)[trial, slot]
        keys = self._keys(strings)
        accuracy = np.asarray(outcome.accuracy)[trial, slot]
        state = status[trial, slot]
        accuracy = np.where((state == OK) & np.isfinite(accuracy), accuracy, -np.inf)
        for t, string, key, value in zip(trial, strings, keys, accuracy):
            at = told.number[t]
            told.strings[t, at], told.keys[t, at], told.accuracy[t, at] = string, key, value
            told.number[t] += 1
        self._used += ((status == OK) | (status == FAILED)).sum(axis=1)
        self._used += (status == INVALID).sum(axis=1) * (not self._task.reject_invalid)

    def _uniform(self, ready: np.ndarray, count: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        """For each ready trial count[t] uniform cells, or strings where cells are unknown or invalid strings
        may be asked, and how many strings each trial rejected."""
        space, trials = self._task.space, len(ready)
        if space.num_cells is None or not self._task.reject_invalid:
            taken = self._others.take(np.where(ready, count, 0))
            return [taken.architectures[t, : taken.given[t]] for t in range(trials)], taken.rejected
        none = np.zeros((0, space.num_variables), dtype=np.int64)
        drawn = [
            space.architecture(self._generators[t].integers(0, space.num_cells, count[t]))
            if ready[t]
            else none
            for t in range(trials)
        ]
        return drawn, np.zeros(trials, dtype=np.int64)

    def _choose(
        self, trials: np.ndarray, batch: np.ndarray, room: np.ndarray, uniform: list[np.ndarray]
    ) -> tuple[dict[int, np.ndarray], np.ndarray]:
        """The next strings int64[at most batch, N] of each of `trials`, and how many every trial rejected."""
        models = {t: self._model(t) for t in trials.tolist()}
        found, rejected = self._candidates(models, batch, uniform)
        chosen = {}
        for t, model in models.items():
            candidates = found[t]
            late = room[t] <= self.last * self._task.budget or not len(candidates.keys)
            if late and not self._free[t]:
                candidates = _joined(candidates, self._again(model))
            best = _largest(candidates.values, int(min(batch[t], room[t])))
            chosen[t] = candidates.strings[best]
        return chosen, rejected

    def _model(self, t: int) -> _Model:
        """What trial t knows; its hyperparameters are fitted where that is due."""
        cells, generator = self._cells(t), self._generators[t]
        x = self._features(cells.strings)
        n = len(x)
        if self._fitted[t] == 0 or n >= (1 + self.refit_growth) * self._fitted[t]:
            rows = _some(cells.y, self.fit_points, generator)
            self._theta[t] = fit(self._theta[t], x[rows], self._features.block, cells.y[rows])
            self._fitted[t] = n
        inducing = _some(cells.y, self.inducing, generator) if n > self.inducing else None
        known = self._told.keys[t, : self._told.number[t]]
        posterior = Posterior(self._theta[t], self._features.block, x, cells.y, inducing)
        return _Model(cells, x, known, float(cells.y.max()), posterior)

    def _cells(self, t: int) -> _Cells:
        told, number = self._told, self._told.number[t]
        good = np.flatnonzero(told.accuracy[t, :number] > -np.inf)
        keys, first, cell, times = np.unique(
            told.keys[t, good], return_index=True, return_inverse=True, return_counts=True
        )
        y = targets(told.accuracy[t, good])
        strings = told.strings[t, good].astype(np.int64)
        return _Cells(strings, y, cell, first, keys, times, np.bincount(cell, y) / times)

    def _candidates(
        self, models: dict[int, _Model], batch: np.ndarray, uniform: list[np.ndarray]
    ) -> tuple[dict[int, _Candidates], np.ndarray]:
        """New cells, one string each, of each trial with a model, and how many strings every trial rejected
        on the way."""
        rejected = np.zeros(len(batch), dtype=np.int64)
        found: dict[int, _Candidates] = {}
        parents: dict[int, np.ndarray] = {}
        for t, model in models.items():
            best = _largest(model.cells.mean, max(PARENTS, PER_SLOT * int(batch[t])))
            parents[t] = model.cells.strings[model.cells.first[best]]
            found[t] = _Candidates(uniform[t][:0], np.zeros(0, dtype=np.int64), np.zeros(0))
        mutants = self._mutants(parents, _grown(self.pool, POOL_PER_SLOT, batch), rejected)
        tried = {t: np.concatenate([strings, uniform[t]]) for t, strings in mutants.items()}
        self._judge(models, tried, found)
        for _ in range(self.climbs):
            parents = {
                t: own.strings[_largest(own.values, max(PARENTS, int(batch[t])))]
                for t, own in found.items()
                if len(own.keys)
            }
            tried = self._mutants(parents, _grown(self.climb_mutants, CLIMB_PER_SLOT, batch), rejected)
            self._judge(models, tried, found)
        return found, rejected

    def _mutants(
        self, parents: dict[int, np.ndarray], count: np.ndarray, rejected: np.ndarray
    ) -> dict[int, np.ndarray]:
        """count[t] mutants of each trial's parents, these in turn; adds what was rejected on the way."""
        if not parents:
            return {}
        rows = {t: own[np.arange(int(count[t])) % len(own)] for t, own in parents.items()}
        trial = np.repeat(list(rows), [len(own) for own in rows.values()])
        mutants = self._mutation(
            self._typed, trial, np.concatenate(list(rows.values())), self._task.reject_invalid
        )
        np.add.at(rejected, trial, mutants.rejected)
        return _split(mutants.strings, rows)

    def _judge(
        self, models: dict[int, _Model], tried: dict[int, np.ndarray], found: dict[int, _Candidates]
    ) -> None:
        """Let the new ones of the strings tried join what each trial found, with their expected
        improvement."""
        if not tried:
            return
        keys = _split(self._keys(np.concatenate(list(tried.values()))), tried)
        new = {t: _new(own, np.concatenate([models[t].known, found[t].keys])) for t, own in keys.items()}
        strings = {t: own[new[t]] for t, own in tried.items()}
        x = _split(self._features(np.concatenate(list(strings.values()))), strings)
        for t, own in x.items():
            if len(own):
                posterior = models[t].posterior
                mean, variance = posterior(own)
                values = expected_improvement(mean, variance + posterior.noise, models[t].best)
                found[t] = _joined(found[t], _Candidates(strings[t], keys[t][new[t]], values))

    def _again(self, model: _Model) -> _Candidates:
        """Cells that were seen and may be asked again."""
        cells, noise = model.cells, model.posterior.noise
        best = _largest(cells.mean, REPEATED_FROM)
        best = best[cells.times[best] < self.evaluations]
        rows = cells.first[best]
        pairs = len(cells.y) - len(cells.times)
        spread = float(((cells.y - cells.mean[cells.cell]) ** 2).sum())
        if not len(best) or (pairs >= SAME and spread < 1e-18):
            return _Candidates(cells.strings[rows[:0]], cells.keys[:0], np.zeros(0))
        mean, variance = model.posterior(model.x[rows])
        run = min((RUN_WEIGHT * self.run_share * noise + spread) / (RUN_WEIGHT + pairs), noise)
        of_mean = run / cells.times[best]
        kept = (noise - run) / np.maximum(noise - run + of_mean, 1e-300)
        mean = mean + kept * (cells.mean[best] - mean)
        variance = (1 - kept) ** 2 * variance + kept * of_mean + run
        values = expected_improvement(mean, variance, model.best)
        return _Candidates(cells.strings[rows], cells.keys[best], values)

    def _keys(self, strings: np.ndarray) -> np.ndarray:
        """int64[M]: what names each of strings int64[M, N]."""
        keys: np.ndarray = self._task.space.cell_id(strings).copy()
        for i in np.flatnonzero(keys == -1):
            keys[i] = -2 - zlib.crc32(strings[i].astype(np.int16).tobytes())
        return keys


def targets(accuracy: np.ndarray) -> np.ndarray:
    """float64[n]: what the model sees of accuracies float64[n]."""
    y = -np.log(np.maximum(1.0 - accuracy, LEAST_ERROR))
    y -= np.median(y)
    deviation = MAD * float(np.median(np.abs(y)))
    if deviation < 1e-9:
        deviation = float(y.std())
    return np.maximum(y / deviation, -CLIP) if deviation > 1e-9 else np.zeros(len(y))


def _some(y: np.ndarray, most: int, generator: np.random.Generator) -> np.ndarray:
    """int64[min(n, most)]: the places of the best two thirds of `most` of y float64[n], and of random
    others."""
    if len(y) <= most:
        return np.arange(len(y))
    order = np.argsort(-y, kind="stable")
    top = 2 * most // 3
    others = generator.permutation(len(y) - top)[: most - top]
    return np.sort(np.concatenate([order[:top], order[top:][others]]))


def _largest(values: np.ndarray, count: int) -> np.ndarray:
    """int64[at most count]: the places of the largest values, largest first, earlier ones first among
    equals."""
    places = np.arange(len(values))
    if len(values) > count:
        places = np.flatnonzero(values >= np.partition(values, -count)[-count])
    order: np.ndarray = places[np.argsort(-values[places], kind="stable")[:count]]
    return order


def _split(array: np.ndarray, like: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
    """The rows of an array, by trial; they lie trial by trial, as many as those of `like`."""
    ends = np.cumsum([len(own) for own in like.values()])
    return dict(zip(like, np.split(array, ends[:-1])))


def _new(keys: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The places of the first of each of `keys` that is not among `known`."""
    once = np.unique(keys, return_index=True)[1]
    known = np.sort(known)
    at = np.minimum(np.searchsorted(known, keys[once]), len(known) - 1)
    new: np.ndarray = once[known[at] != keys[once]]
    return new


def _grown(least: int, per_slot: float, batch: np.ndarray) -> np.ndarray:
    """int64[...]: how many candidates go with a batch."""
    return np.maximum(least, np.round(per_slot * least * batch).astype(np.int64))


def _joined(a: _Candidates, b: _Candidates) -> _Candidates:
    return _Candidates(*(np.concatenate(pair) for pair in zip(a, b)))
