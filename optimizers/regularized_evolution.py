"""Regularized (ageing) evolution: Real et al., "Regularized Evolution for Image Classifier Architecture
Search" (AAAI 2019), algorithm 1.

Notation: T trials, N variables, P places in the population. A population is a queue: a new member takes the
place of the oldest one, good or bad. `population` int64[T, P, N] and `fitness` float64[T, P] are rings;
`members` int64[T] counts all members ever, so trial t's next member goes to place members[t] mod P.

All trials share a few calls an ask, and a kernel goes through the trials one by one, each with its own
generator. A mutant that is invalid is drawn again; to keep the rounds few, a trial then draws `AGAIN` mutants
at a time, takes the first valid one and forgets the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numba import njit

from nas_bench_suite.checks import ConfigError, check_choice, check_float, check_int, nearest
from nas_bench_suite.optimizer import INVALID, NOT_RUN, Optimizer, Outcome, Proposal, Task
from nas_bench_suite.space import SearchSpace
from optimizers.parts.uniform import INVALID_IN_A_ROW, UniformStrings

MUTATIONS = ("one", "each")
AGAIN = 8


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

    def __init__(
        self,
        *,
        population: int = 100,
        sample: int = 10,
        mutation: str = "one",
        rates: Mapping[str, float] | None = None,
        initial: int | None = None,
    ) -> None:
        self.population = check_int("optimizer.population", population, 2)
        self.sample = check_int("optimizer.sample", sample, 1, self.population)
        self.mutation = check_choice("optimizer.mutation", mutation, MUTATIONS)
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
        self._population = np.zeros(
            (trials, self.population, n), dtype=np.min_scalar_type(-int(self._sizes.max()))
        )
        self._fitness = np.full((trials, self.population), -np.inf)
        self._members = np.zeros(trials, dtype=np.int64)
        self._parents = np.zeros(trials, dtype=np.int64)

    def ask(self, room: np.ndarray) -> Proposal:
        to_fill = np.maximum(self.initial - self._members, 0)
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
        trials, _, n = self._population.shape
        rows = np.flatnonzero(room)
        out = np.zeros((trials, n), dtype=np.int64)
        wanted = np.zeros((trials, 1), dtype=np.bool_)
        wanted[rows] = True
        rejected = np.zeros(trials, dtype=np.int64)
        first = self._draw(rows, 1, self.sample)[:, 0]
        out[rows] = first
        if self._task.reject_invalid:
            rows = rows[~self._task.space.is_valid(first)]
            rejected[rows] = 1
            while len(rows):
                mutants = self._draw(rows, AGAIN, 0)
                valid = self._task.space.is_valid(mutants)
                chosen, found = valid.argmax(axis=1), valid.any(axis=1)
                out[rows] = mutants[np.arange(len(rows)), chosen]
                rejected[rows] += np.where(found, chosen, AGAIN)
                rows = rows[~found]
                if len(rows) and rejected[rows[0]] >= INVALID_IN_A_ROW:
                    wanted[rows] = False
                    break
        return Proposal(out[:, None], wanted, rejected=rejected)

    def _draw(self, rows: np.ndarray, count: int, sample: int) -> np.ndarray:
        """int64[R, count, N]: mutants for the trials `rows`, of the winner of a tournament of `sample`, or of
        the last winner if that is 0."""
        out = np.empty((len(rows), count, self._population.shape[2]), dtype=np.int64)
        _mutate(
            self._generators,
            rows,
            self._population,
            self._fitness,
            self._members,
            sample,
            self._parents,
            self._sizes,
            self._rates,
            out,
        )
        return out

    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        charged = not self._task.reject_invalid
        _enter(
            proposal.architectures,
            outcome.accuracy,
            outcome.status,
            charged,
            self._population,
            self._fitness,
            self._members,
        )


def mutation_rates(space: SearchSpace, rates: Mapping[str, float]) -> np.ndarray:
    """float64[N]: each variable's probability of changing; a family without a rate gets 1 / (number of its
    variables).

    Raises:
        ConfigError: for a family that the space does not have.
    """
    names, family = space.families
    for name in rates:
        if name not in names:
            raise ConfigError(
                f"optimizer.rates.{name} is no family of variables of space "
                f"'{space.name}'{nearest(name, names)}; accepted: {', '.join(names)}."
            )
    counts = np.bincount(family, minlength=len(names))
    return np.array([rates.get(name, 1 / count) for name, count in zip(names, counts)])[family]


@njit(cache=True)
def _mutate(generators, rows, population, fitness, members, sample, parents, sizes, rates, out):
    """Write mutants to out[r, count, N] for each trial rows[r]. A tournament of `sample` members chooses the
    parent; 0 keeps the last one.

    A member is drawn by its age (0 = oldest); of equals the first drawn wins. `rates` is empty for one
    variable changed, else float64[N].
    """
    places, n = population.shape[1], population.shape[2]
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
            parents[t] = best
        for c in range(out.shape[1]):
            for i in range(n):
                out[r, c, i] = population[t, parents[t], i]
            if len(rates):
                for i in range(n):
                    if generator.random() < rates[i] and sizes[i] > 1:
                        value = int(generator.random() * (sizes[i] - 1))
                        out[r, c, i] = value + (value >= out[r, c, i])
            else:
                i = int(generator.random() * n)
                while sizes[i] < 2:
                    i = int(generator.random() * n)
                value = int(generator.random() * (sizes[i] - 1))
                out[r, c, i] = value + (value >= out[r, c, i])


@njit(cache=True)
def _enter(strings, accuracy, status, invalid_enters, population, fitness, members):
    """Let evaluated strings into the populations, in slot order; each takes the oldest member's place."""
    for t in range(status.shape[0]):
        for q in range(status.shape[1]):
            if status[t, q] == NOT_RUN or (status[t, q] == INVALID and not invalid_enters):
                continue
            place = members[t] % population.shape[1]
            for i in range(strings.shape[2]):
                population[t, place, i] = strings[t, q, i]
            fitness[t, place] = accuracy[t, q] if accuracy[t, q] == accuracy[t, q] else -np.inf
            members[t] += 1
