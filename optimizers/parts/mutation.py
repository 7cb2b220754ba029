"""How a string changes: the ways to mutate that several methods use, and probabilities by family.

Notation: N variables, F families, R rows, each a parent and the trial whose generator it draws from. A
variable that changes takes one of its other values, each equally likely.

    one     one variable, chosen uniformly among those with two values or more
    some    1, 2, .. S variables with given probabilities, one after another; one may be hit twice
    each    every variable independently, with its own probability
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from nas_bench_suite.checks import ConfigError, check_float, check_floats, nearest
from nas_bench_suite.drawing import draw_valid
from nas_bench_suite.space import SearchSpace

ATTEMPTS = 1_000  # a row whose mutants are invalid this many times in a row keeps its parent


def check_changes(changes: float | Mapping[str, float]) -> float | dict[str, float]:
    """Return `changes`, checked: a number, or a number for each family of variables that is named.

    Raises:
        ConfigError: for a negative number.
    """
    if isinstance(changes, Mapping):
        return {
            str(family): check_float(f"optimizer.changes.{family}", value, 0, 1e6)
            for family, value in changes.items()
        }
    return check_float("optimizer.changes", changes, 0, 1e6)


def check_steps(steps: Sequence[float]) -> np.ndarray:
    """float64[S]: the probabilities of changing 1, 2, .. S variables, `optimizer.mutations`, up to a factor.

    Raises:
        ConfigError: if they are no list of numbers of at least 0, or all of them are 0.
    """
    checked = np.array(check_floats("optimizer.mutations", steps, 100, 0, 1e6))
    if not checked.sum() > 0:
        raise ConfigError(
            "optimizer.mutations has no positive entry; accepted: numbers of at least 0, not all of them 0."
        )
    return checked


def change_probabilities(space: SearchSpace, changes: float | Mapping[str, float]) -> np.ndarray:
    """float64[N]: each variable's probability of changing, so that `changes` variables of each family change
    in expectation.

    With a mapping, families left out get 1. A variable with a single choice never changes.

    Raises:
        ConfigError: for a family that the space does not have.
    """
    names, family = space.families
    if isinstance(changes, Mapping):
        expected = _by_family(space, "optimizer.changes", changes, np.ones(len(names)))
    else:
        expected = np.full(len(names), float(changes))
    return _where_free(space, np.minimum(expected / _members(space), 1.0)[family])


def mutation_rates(space: SearchSpace, rates: Mapping[str, float]) -> np.ndarray:
    """float64[N]: each variable's probability of changing; a family without a rate gets 1 / (number of its
    variables). A variable with a single choice never changes.

    Raises:
        ConfigError: for a family that the space does not have.
    """
    by_family = _by_family(space, "optimizer.rates", rates, 1 / _members(space))
    return _where_free(space, by_family[space.families[1]])


def _where_free(space: SearchSpace, probabilities: np.ndarray) -> np.ndarray:
    """The probabilities float64[N], 0 for variables with a single choice."""
    return np.where(space.sizes > 1, probabilities, 0.0)


def _members(space: SearchSpace) -> np.ndarray:
    """int64[F]: how many variables each family has."""
    names, family = space.families
    return np.bincount(family, minlength=len(names))


def _by_family(space: SearchSpace, where: str, given: Mapping[str, float], default: np.ndarray) -> np.ndarray:
    """float64[F]: what is given for each family, else its default float64[F]."""
    names, _ = space.families
    for name in given:
        if name not in names:
            raise ConfigError(
                f"{where}.{name} is no family of variables of space '{space.name}'{nearest(name, names)}; "
                f"accepted: {', '.join(names)}."
            )
    return np.array([given.get(name, default[i]) for i, name in enumerate(names)], dtype=np.float64)


class Mutants(NamedTuple):
    """What `Mutation` returns for R parents."""

    strings: np.ndarray  # int64[R, N]
    ids: np.ndarray  # int64[R], their cells, -1 for an invalid string
    rejected: np.ndarray  # int64[R], invalid mutants drawn on the way


class Mutation:
    """One mutant of each of R parents, drawn again if it is invalid.

    Args:
        space: whose strings.
        steps: float64[S], with which `some` variables change: probabilities of 1, 2, .. S of them; left out
            with `rates`.
        rates: float64[N], with which `each` variable changes.
    """

    def __init__(
        self, space: SearchSpace, *, steps: np.ndarray | None = None, rates: np.ndarray | None = None
    ) -> None:
        self.space = space
        self._free = np.flatnonzero(space.sizes > 1)
        self._steps = np.zeros(0) if steps is None else np.cumsum(steps) / np.sum(steps)
        self._rates = np.zeros(0) if rates is None else np.asarray(rates, dtype=np.float64)

    def __call__(
        self, generators: Any, trials: np.ndarray, parents: np.ndarray, reject_invalid: bool
    ) -> Mutants:
        """Mutate parents int64[R, N], row r with the generator of trial trials[r], rows one after another."""
        if not len(self._free) or not len(parents):
            return Mutants(parents, self.space.cell_id(parents), np.zeros(len(parents), dtype=np.int64))
        drawn = draw_valid(
            lambda rows: self._mutants(generators, trials[rows], parents[rows]),
            self.space.is_valid if reject_invalid else None,
            np.ones(len(parents), dtype=np.int64),
            parents.shape[1],
            ATTEMPTS,
        )
        strings, lacking = drawn.strings[:, 0], drawn.given == 0
        strings[lacking] = parents[lacking]
        return Mutants(strings, self.space.cell_id(strings), drawn.rejected)

    def _mutants(self, generators: Any, trials: np.ndarray, parents: np.ndarray) -> np.ndarray:
        """Turn each of parents int64[R, N] into a mutant: int64[R, 1, N]."""
        out = parents[:, None]
        _mutate_rows(generators, trials, self.space.sizes, self._free, self._steps, self._rates, out)
        return out


@njit(cache=True)
def mutate(
    generators: Any,
    trials: np.ndarray,
    parents: np.ndarray,
    probabilities: np.ndarray,
    sizes: np.ndarray,
    out: np.ndarray,
) -> None:
    """Fill out[r, c] with mutants of parents[r] of which `each` variable changes, drawn from the generator of
    trial trials[r]."""
    every = np.arange(len(sizes))
    for r in range(len(trials)):
        generator = generators[trials[r]]
        for c in range(out.shape[1]):
            for i in range(out.shape[2]):
                out[r, c, i] = parents[r, i]
            change_each(generator, out[r, c], every, probabilities, sizes)


@njit(cache=True)
def _mutate_rows(
    generators: Any,
    trials: np.ndarray,
    sizes: np.ndarray,
    free: np.ndarray,
    steps: np.ndarray,
    rates: np.ndarray,
    out: np.ndarray,
) -> None:
    """Change the string out[r, 0] of each r in place."""
    for r in range(len(trials)):
        if len(rates):
            change_each(generators[trials[r]], out[r, 0], free, rates, sizes)
        else:
            change_some(generators[trials[r]], out[r, 0], free, steps, sizes)


@njit(cache=True)
def change_each(
    generator: Any, string: np.ndarray, variables: np.ndarray, rates: np.ndarray, sizes: np.ndarray
) -> None:
    """Change each of `variables` with its probability of rates float64[N]."""
    for i in variables:
        if generator.random() < rates[i]:
            _change(generator, string, i, sizes[i])


@njit(cache=True)
def change_one(generator: Any, string: np.ndarray, sizes: np.ndarray) -> None:
    """Change one variable; some variable must have two values."""
    i = int(generator.random() * len(sizes))
    while sizes[i] < 2:
        i = int(generator.random() * len(sizes))
    _change(generator, string, i, sizes[i])


@njit(cache=True)
def change_some(
    generator: Any, string: np.ndarray, free: np.ndarray, steps: np.ndarray, sizes: np.ndarray
) -> None:
    """Change one of the variables `free` after another; steps float64[S] are the chances of at most 1, 2, ..
    of them."""
    u = generator.random()
    count = 1
    while count < len(steps) and u >= steps[count - 1]:
        count += 1
    for _ in range(count):
        i = free[int(generator.random() * len(free))]
        _change(generator, string, i, sizes[i])


@njit(cache=True)
def _change(generator: Any, string: np.ndarray, i: int, size: int) -> None:
    value = int(generator.random() * (size - 1))
    string[i] = value + (value >= string[i])
