"""Mutants of given strings: every variable changes independently, with the probability of its family.

Notation: T trials, N variables, C mutants a trial.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numba import njit

from nas_bench_suite.checks import ConfigError, check_float, nearest
from nas_bench_suite.space import SearchSpace


def check_changes(changes: float | Mapping[str, float]) -> float | dict[str, float]:
    """Return `changes`, checked: a number, or a number for each family of variables that is named.

    Raises:
        ConfigError: for a negative number.
    """
    if isinstance(changes, Mapping):
        return {
            str(family): check_float(f"optimizer.changes.{family}", value, 0)
            for family, value in changes.items()
        }
    return check_float("optimizer.changes", changes, 0)


def change_probabilities(space: SearchSpace, changes: float | Mapping[str, float]) -> np.ndarray:
    """float64[N]: each variable's probability of changing, so that `changes` variables of each family change
    in expectation.

    With a mapping, families left out get 1. A variable with a single choice never changes.

    Raises:
        ConfigError: for a family that the space does not have.
    """
    names, family = space.families
    if isinstance(changes, Mapping):
        for name in changes:
            if name not in names:
                raise ConfigError(
                    f"optimizer.changes.{name} is no family of variables of space "
                    f"'{space.name}'{nearest(name, names)}; "
                    f"accepted: {', '.join(names)}."
                )
        expected = [float(changes.get(name, 1.0)) for name in names]
    else:
        expected = [float(changes)] * len(names)
    sizes = np.bincount(family, minlength=len(names))
    probabilities = np.minimum(np.array(expected) / sizes, 1.0)[family]
    return np.where(space.sizes > 1, probabilities, 0.0)


@njit(cache=True)
def mutate(generators, trials, parents, probabilities, sizes, out):
    """Fill out[r, c] with mutants of parents[r], drawn from the generator of trial trials[r].

    A variable that changes takes one of its other values, each equally likely.
    """
    for r in range(len(trials)):
        generator = generators[trials[r]]
        for c in range(out.shape[1]):
            for i in range(out.shape[2]):
                value = parents[r, i]
                if generator.random() < probabilities[i]:
                    other = int(generator.random() * (sizes[i] - 1))
                    value = other + (other >= value)
                out[r, c, i] = value
