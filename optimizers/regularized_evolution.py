"""Regularized (ageing) evolution: Real et al., "Regularized Evolution for Image Classifier Architecture
Search" (AAAI 2019), algorithm 1.

Notation: T trials, N variables, P places in the population. A population is a queue: a new member takes the
place of the oldest one, good or bad. `population` int64[T, P, N] and `fitness` float64[T, P] are rings;
`members` int64[T] counts all members ever, so trial t's next member goes to place members[t] mod P.

All trials share a few calls per ask, and a kernel goes through the trials one by one, each with its own
generator. A mutant that is invalid is drawn again; to keep the rounds few, a trial then draws `AGAIN` mutants
at a time, takes the first valid one and forgets the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numba import njit

from nas_bench_suite.checks import ConfigError, check_choice, check_float, check_int, shown
from nas_bench_suite.drawing import draw_valid
from nas_bench_suite.optimizer import INVALID, NOT_RUN, Optimizer, Outcome, Proposal, Task
from optimizers.parts.mutation import change_each, change_one, mutation_rates
from optimizers.parts.uniform import UniformStrings

MUTATIONS = ("one", "each")
AGAIN = 8


class _Populations(NamedTuple):
    """The populations of T trials."""

    strings: np.ndarray  # int[T, P, N]
    fitness: np.ndarray  # float64[T, P]
    members: np.ndarray  # int64[T], all members ever
    parents: np.ndarray  # int64[T], the place of the last tournament's winner


class RegularizedEvolution(Optimizer):
    """Ageing evolution with tournament selection.

    Args:
        population: P, members kept; the oldest leaves (100: NASBench-101; 30: BANANAS's comparison).
        sample: size of the tournament, drawn with replacement; the best member drawn is the parent (10: both
            sources).
        mutation: `one`: one variable, chosen uniformly, takes another of its values (NASBench-101's
            baseline); `each`: every variable does so independently, with the probability of its family
            (BANANAS's comparison); no variable may change, and then the parent is proposed again. A mutant
            that is invalid is drawn again from the same parent.
        rates: with `each`, probabilities by family, as in {edge: 0.05, op: 0.2}; a family left out gets 1 /
            (number of its variables), which is one change a family in expectation: 1/21 an edge and 1/5 an
            operation on NASBench-101.
        initial: uniform strings evaluated before the first mutation (left out: P).

    A member without an accuracy (a failed evaluation, or an invalid string where these are charged) has
    fitness -inf.

    Raises:
        ConfigError: for a value out of range, or (at `start`) a family that the space does not have.
    """

    trials_per_block: ClassVar[int] = 500
    asynchronous: ClassVar[bool] = True  # steady state: a tournament among the members that there are

    def __init__(
        self,
        *,
        population: int = 100,
        sample: int = 10,
        mutation: str = "one",
        rates: Mapping[str, float] | None = None,
        initial: int | None = None,
    ) -> None:
        self.population = check_int("optimizer.population", population, 2, 1_000_000)
        self.sample = check_int("optimizer.sample", sample, 1, self.population)
        self.mutation = check_choice("optimizer.mutation", mutation, MUTATIONS)
        if rates is not None and not isinstance(rates, Mapping):
            raise ConfigError(
                f"optimizer.rates={shown(rates)} does not fit; accepted: a number for each family, as in "
                "{edge: 0.05, op: 0.2}, or null."
            )
        self.rates = {
            str(family): check_float(f"optimizer.rates.{family}", rate, 0, 1)
            for family, rate in dict(rates or {}).items()
        }
        if self.rates and mutation != "each":
            raise ConfigError(
                f"optimizer.rates has no use with optimizer.mutation={mutation}; accepted: no rates, or "
                "optimizer.mutation=each."
            )
        self.initial = (
            self.population
            if initial is None
            else check_int("optimizer.initial", initial, 1, self.population)
        )

    def start(self, task: Task) -> None:
        self._task = task
        trials, n = task.trials, task.space.num_variables
        self._sizes = task.space.sizes
        if (self._sizes < 2).all():
            raise ConfigError(
                f"space '{task.space.name}' has no variable with two values, so there is nothing to mutate."
            )
        self._rates = np.zeros(0) if self.mutation == "one" else mutation_rates(task.space, self.rates)
        self._generators = task.streams.typed("regularized_evolution")
        self._uniform = UniformStrings(task, "regularized_evolution_initial")
        # The narrowest integers that hold the choices: populations of many trials then stay in the
        # processor's cache.
        narrow = np.min_scalar_type(-int(self._sizes.max()))
        self._populations = _Populations(
            strings=np.zeros((trials, self.population, n), dtype=narrow),
            fitness=np.full((trials, self.population), -np.inf),
            members=np.zeros(trials, dtype=np.int64),
            parents=np.zeros(trials, dtype=np.int64),
        )

    def ask(self, room: np.ndarray) -> Proposal:
        to_fill = np.maximum(self.initial - self._populations.members, 0)
        if not to_fill.any():
            return self._mutants(room)
        initial = self._uniform.take(np.minimum(room, to_fill))
        strings = initial.architectures
        wanted = np.arange(strings.shape[1]) < initial.given[:, None]
        rejected = initial.rejected
        ready = (to_fill == 0) & (room > 0)
        # trials whose first members came at different times: only where evaluations can be free
        if ready.any():
            mutants = self._mutants(np.where(ready, room, 0))
            if not strings.shape[1]:
                return mutants
            strings[ready, 0], wanted[ready, 0] = mutants.architectures[ready, 0], mutants.wanted[ready, 0]
            rejected = rejected + mutants.rejected
        return Proposal(strings, wanted, rejected=rejected)

    def _mutants(self, room: np.ndarray) -> Proposal:
        """One mutant of a tournament's winner for each trial with room."""
        space, trials, n = self._task.space, self._task.trials, self._task.space.num_variables
        rows = np.flatnonzero(room)
        out = np.zeros((trials, n), dtype=np.int64)
        wanted = np.zeros((trials, 1), dtype=np.bool_)
        wanted[rows] = True
        rejected = np.zeros(trials, dtype=np.int64)
        first = self._draw(rows, 1, self.sample)[:, 0]
        out[rows] = first
        again = rows[~space.is_valid(first)] if self._task.reject_invalid else rows[:0]
        if len(again):
            drawn = draw_valid(
                lambda lacking: self._draw(again[lacking], AGAIN, 0), space.is_valid, np.ones_like(again), n
            )
            out[again] = drawn.strings[:, 0]
            wanted[again, 0] = drawn.given > 0
            rejected[again] = 1 + drawn.rejected
        return Proposal(out[:, None], wanted, rejected=rejected)

    def _draw(self, rows: np.ndarray, count: int, sample: int) -> np.ndarray:
        """int64[R, count, N]: mutants for the trials `rows`, of the winner of a tournament of `sample`, or of
        the last winner if that is 0."""
        out = np.empty((len(rows), count, len(self._sizes)), dtype=np.int64)
        _mutate(self._generators, rows, self._populations, sample, self._sizes, self._rates, out)
        return out

    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        entering = (outcome.status != NOT_RUN) & (
            (outcome.status != INVALID) | (not self._task.reject_invalid)
        )
        _enter(proposal.architectures, outcome.accuracy, entering, self._populations)


@njit(cache=True)
def _mutate(
    generators: Any,
    rows: np.ndarray,
    populations: _Populations,
    sample: int,
    sizes: np.ndarray,
    rates: np.ndarray,
    out: np.ndarray,
) -> None:
    """Write mutants to out[r, count, N] for each trial rows[r]. A tournament of `sample` members chooses the
    parent; 0 keeps the last one.

    A member is drawn by its age (0 = oldest); of equals the first drawn wins. `rates` is empty for one
    variable changed, else float64[N].
    """
    members, fitness = populations.members, populations.fitness
    places, n = populations.strings.shape[1], populations.strings.shape[2]
    every = np.arange(n)
    for r in range(len(rows)):
        t = rows[r]
        generator = generators[t]
        if sample > 0:
            alive = min(members[t], places)
            oldest = members[t] % places if alive == places else 0
            best = oldest + int(generator.random() * alive)
            best -= places * (best >= places)
            for _ in range(sample - 1):
                rival = oldest + int(generator.random() * alive)
                rival -= places * (rival >= places)
                if fitness[t, rival] > fitness[t, best]:
                    best = rival
            populations.parents[t] = best
        for c in range(out.shape[1]):
            for i in range(n):
                out[r, c, i] = populations.strings[t, populations.parents[t], i]
            if len(rates):
                change_each(generator, out[r, c], every, rates, sizes)
            else:
                change_one(generator, out[r, c], sizes)


@njit(cache=True)
def _enter(
    strings: np.ndarray, accuracy: np.ndarray, entering: np.ndarray, populations: _Populations
) -> None:
    """Let evaluated strings into the populations where entering bool[T, Q], in slot order; each takes the
    oldest member's place."""
    members = populations.members
    for t in range(entering.shape[0]):
        for q in range(entering.shape[1]):
            if not entering[t, q]:
                continue
            place = members[t] % populations.strings.shape[1]
            for i in range(strings.shape[2]):
                populations.strings[t, place, i] = strings[t, q, i]
            value = accuracy[t, q]
            populations.fitness[t, place] = -np.inf if np.isnan(value) else value
            members[t] += 1
