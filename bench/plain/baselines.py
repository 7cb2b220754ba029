"""Plain twins of random search, regularized evolution and local search: one trial, Python lists and loops, no
kernel.

An architecture is a tuple of N ints. `sizes` are the numbers of choices, `is_valid(a)` and `cell(a)` belong
to the space, `query(a)` charges one query and returns an accuracy. Every function returns the list of
architectures queried, in order. Uniforms come from numpy generators, one call a number, in the order of the
text, so that a fast version with the same generators makes the same choices.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

Architecture = tuple[int, ...]
Query = Callable[[Architecture], float]
Valid = Callable[[Architecture], bool]


def uniform_string(sizes: Sequence[int], rng: np.random.Generator) -> Architecture:
    return tuple(int(rng.random() * size) for size in sizes)


def uniform_valid_string(sizes: Sequence[int], is_valid: Valid, rng: np.random.Generator) -> Architecture:
    while True:
        string = uniform_string(sizes, rng)
        if is_valid(string):
            return string


def random_search(
    sizes: Sequence[int],
    is_valid: Valid,
    query: Query,
    budget: int,
    rng: np.random.Generator,
    cell: Callable[[Architecture], int] | None = None,
) -> list[Architecture]:
    """Uniform valid strings; with `cell`, none whose cell came before."""
    history: list[Architecture] = []
    seen = set()
    while len(history) < budget:
        string = uniform_valid_string(sizes, is_valid, rng)
        if cell is not None:
            if cell(string) in seen:
                continue
            seen.add(cell(string))
        query(string)
        history.append(string)
    return history


def change_one(string: Architecture, sizes: Sequence[int], rng: np.random.Generator) -> Architecture:
    """One variable, chosen uniformly, takes another of its values."""
    i = int(rng.random() * len(string))
    others = [value for value in range(sizes[i]) if value != string[i]]
    return string[:i] + (others[int(rng.random() * len(others))],) + string[i + 1 :]


def change_each(
    string: Architecture, sizes: Sequence[int], rates: Sequence[float], rng: np.random.Generator
) -> Architecture:
    """Every variable takes another of its values with its own probability."""
    child = []
    for value, size, rate in zip(string, sizes, rates):
        if rng.random() < rate:
            others = [other for other in range(size) if other != value]
            value = others[int(rng.random() * len(others))]
        child.append(value)
    return tuple(child)


def regularized_evolution(
    sizes: Sequence[int],
    is_valid: Valid,
    query: Query,
    budget: int,
    rng_initial: np.random.Generator,
    rng: np.random.Generator,
    population: int = 100,
    sample: int = 10,
    rates: Sequence[float] | None = None,
    initial: int | None = None,
) -> list[Architecture]:
    """Real et al. 2019, algorithm 1: a queue of `population`; the best of `sample` members is mutated; the
    oldest leaves."""
    queue: deque[tuple[Architecture, float]] = deque(maxlen=population)
    history: list[Architecture] = []
    while len(history) < min(budget, initial or population):
        string = uniform_valid_string(sizes, is_valid, rng_initial)
        queue.append((string, query(string)))
        history.append(string)
    while len(history) < budget:
        tournament = [queue[int(rng.random() * len(queue))] for _ in range(sample)]
        parent = max(tournament, key=lambda member: member[1])[0]

        def mutate(parent: Architecture = parent) -> Architecture:
            return change_one(parent, sizes, rng) if rates is None else change_each(parent, sizes, rates, rng)

        children = [mutate()]
        while not any(is_valid(child) for child in children):
            children = [mutate() for _ in range(8)]
        child = next(child for child in children if is_valid(child))
        queue.append((child, query(child)))
        history.append(child)
    return history


def local_search(
    sizes: Sequence[int],
    cell: Callable[[Architecture], int],
    query: Query,
    budget: int,
    rng_start: np.random.Generator,
    rng: np.random.Generator,
    starts: int = 1,
) -> list[Architecture]:
    """Best-improvement hill climbing with restarts; a cell that is known (cell -> accuracy) is not queried
    again."""
    known: dict[int, float] = {}
    history: list[Architecture] = []

    def evaluate(strings: list[Architecture]) -> None:
        for string in strings:
            if cell(string) != -1 and cell(string) not in known and len(history) < budget:
                known[cell(string)] = query(string)
                history.append(string)

    while len(history) < budget:
        first = [uniform_valid_string(sizes, lambda a: cell(a) != -1, rng_start) for _ in range(starts)]
        evaluate(first)
        centre = max(first, key=lambda a: known.get(cell(a), -1.0))
        while len(history) < budget:
            neighbours = [
                centre[:i] + ((centre[i] + step) % size,) + centre[i + 1 :]
                for i, size in enumerate(sizes)
                for step in range(1, size)
            ]
            for j in range(len(neighbours) - 1, 0, -1):
                other = int(rng.random() * (j + 1))
                neighbours[j], neighbours[other] = neighbours[other], neighbours[j]
            neighbours = [neighbour for neighbour in neighbours if cell(neighbour) != -1]
            evaluate(neighbours)
            if len(history) >= budget:
                break
            best = max(neighbours, key=lambda a: known[cell(a)])
            if known[cell(best)] <= known[cell(centre)]:
                break
            centre = best
    return history
