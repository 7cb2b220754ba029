"""NASBOT by definition, one trial, nothing compiled: paths by enumeration, transport by a library, posteriors
by solving linear systems.

Follows Kandasamy et al. 2018 (sections 3 and 4) and the two codes named in docs/methods/nasbot.md. Random
numbers are taken in the order in which the fast version takes them, so that both must propose the same
strings.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import norm

OPS = ("conv1x1", "conv3x3", "maxpool3x3")
SIZE = {"conv1x1": 1, "conv3x3": 3}
CHANNELS = 128
NUS = (0.1, 0.2, 0.4, 0.8)

Cell = tuple[np.ndarray, list[str]]
# paths are enumerated once a graph: the rest of the twin is slow enough
_LENGTHS: dict[tuple[bytes, tuple[str, ...]], np.ndarray] = {}


def cell_of(string: np.ndarray) -> Cell:
    """The pruned graph of a string of 21 edges and 5 operations."""
    matrix = np.zeros((7, 7), dtype=int)
    matrix[np.triu_indices(7, k=1)] = string[:21]
    labels = ["input", *[OPS[o] for o in string[21:]], "output"]
    on_paths = sorted({v for path in paths(matrix, 0, 6) for v in path} | {0, 6})
    return matrix[np.ix_(on_paths, on_paths)], [labels[v] for v in on_paths]


def paths(matrix: np.ndarray, start: int, end: int) -> list[list[int]]:
    """All paths."""
    if start == end:
        return [[end]]
    return [[start, *rest] for v in np.flatnonzero(matrix[start]) for rest in paths(matrix, int(v), end)]


def path_lengths(cell: Cell) -> np.ndarray:
    """[V, 18]: lengths from the input, then to the output, by group (all, convolutions, poolings) and kind
    (shortest, longest, random walk).

    A path's length counts its vertices of the group, without the end that the length leads to.
    """
    matrix, labels = cell
    last = len(labels) - 1
    groups: tuple[Callable[[str], bool], ...] = (
        lambda _: True,
        lambda name: "conv" in name,
        lambda name: "pool" in name,
    )
    key = matrix.tobytes(), tuple(labels)
    if key in _LENGTHS:
        return _LENGTHS[key]
    out = _LENGTHS[key] = np.zeros((len(labels), 18))
    for way, steps in enumerate((matrix.T, matrix)):
        goal = 0 if way == 0 else last
        for v, group in itertools.product(range(len(labels)), range(3)):
            weigh = [int(groups[group](name)) for name in labels]
            lengths, chances = [], []
            for path in paths(steps, v, goal):
                lengths.append(sum(weigh[u] for u in path[:-1]))
                chances.append(np.prod([1 / steps[u].sum() for u in path[:-1]]))
            if lengths:
                out[v, 9 * way + 3 * group : 9 * way + 3 * group + 3] = (
                    min(lengths),
                    max(lengths),
                    np.dot(lengths, chances),
                )
    return out


def masses(cell: Cell) -> np.ndarray:
    """Layer masses in units of channels squared."""
    inner = [1.0 if "conv" in name else 1 / CHANNELS for name in cell[1][1:-1]]
    end = max(0.1 * sum(inner), 100 / CHANNELS**2)
    return np.array([end, *inner, end])


def mislabel(a: str, b: str) -> float:
    if a == b:
        return 0.0
    if "conv" in a and "conv" in b:
        return float(np.sqrt(2) / 10 * np.sqrt(abs(SIZE[a] - SIZE[b])))
    return np.inf


def problem(a: Cell, b: Cell, nu: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Supplies, demands and costs, the last row and column being the vertex that takes what is not
    matched."""
    cost = np.array([[mislabel(x, y) for y in b[1]] for x in a[1]])
    cost = cost + nu * np.abs(path_lengths(a)[:, None] - path_lengths(b)[None]).mean(axis=2)
    cost = np.where(np.isfinite(cost), cost, 1e4)
    cost = np.block([[cost, np.ones((len(cost), 1))], [np.ones((1, cost.shape[1])), np.zeros((1, 1))]])
    supply, demand = masses(a), masses(b)
    return np.append(supply, demand.sum()), np.append(demand, supply.sum()), cost


def otmann(a: Cell, b: Cell, nu: float) -> float:
    """The distance through POT's network simplex."""
    import ot

    supply, demand, cost = problem(a, b, nu)
    total = supply.sum()
    return float(total * (ot.emd(supply / total, demand / total, cost) * cost).sum())


def otmann_brute_force(a: Cell, b: Cell, nu: float) -> float:
    """The distance by trying every matching of whole inner vertices; input and output move the smaller of
    their masses, or nothing."""
    supply, demand, cost = problem(a, b, nu)
    rest = supply[:-1].sum() + demand[:-1].sum()
    for u, v in ((0, 0), (len(supply) - 2, len(demand) - 2)):
        rest -= min(supply[u], demand[v]) * max(0.0, 2 - cost[u, v])
    few, many = (range(1, len(supply) - 2), range(1, len(demand) - 2)) if len(supply) <= len(demand) else (
        range(1, len(demand) - 2), range(1, len(supply) - 2)
    )  # fmt: skip
    if len(supply) > len(demand):
        supply, demand, cost = demand, supply, cost.T
    best = 0.0
    for order in itertools.permutations(many, len(few)):
        best = max(
            best, sum(min(supply[u], demand[v]) * max(0.0, 2 - cost[u, v]) for u, v in zip(few, order))
        )
    return float(rest - best)


def sum_kernel(
    distances: np.ndarray, mass_a: np.ndarray, mass_b: np.ndarray, theta: np.ndarray
) -> np.ndarray:
    """alpha_1 exp(-sum beta_q d_q) + alpha_2 exp(-sum gamma_q (d_q / total mass)^2) of distances [n, m,
    K]."""
    k = distances.shape[-1]
    share = distances / (mass_a[:, None] + mass_b)[..., None]
    first = theta[1] * np.exp(-(distances @ theta[3 : 3 + k]))
    return np.asarray(first + theta[2] * np.exp(-(share**2 @ theta[3 + k :])))


def posterior(
    kernel: np.ndarray, noise: float, y: np.ndarray, cross: np.ndarray, prior: float
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance at candidates, cross being their kernel [m, n] with the observations."""
    inverse = np.linalg.inv(kernel + noise * np.eye(len(kernel)))
    return cross @ inverse @ y, prior - np.einsum("ij,jk,ik->i", cross, inverse, cross)


def log_likelihood(kernel: np.ndarray, noise: float, y: np.ndarray) -> float:
    covariance = kernel + noise * np.eye(len(kernel))
    if np.linalg.eigvalsh(covariance)[0] <= 0:
        return -np.inf
    return float(
        -0.5 * y @ np.linalg.solve(covariance, y)
        - 0.5 * np.linalg.slogdet(covariance)[1]
        - 0.5 * len(y) * np.log(2 * np.pi)
    )


class Mutants:
    """Draws mutants in slot order, and again those that came out invalid."""

    def __init__(
        self, sizes: np.ndarray, valid: Callable[[np.ndarray], bool], rng: np.random.Generator
    ) -> None:
        self.sizes, self.valid, self.rng = sizes, valid, rng

    def __call__(
        self, parents: Sequence[np.ndarray], change: Callable[[np.ndarray], None]
    ) -> list[np.ndarray]:
        out: list[np.ndarray] = [np.zeros(0)] * len(parents)
        pending = list(range(len(parents)))
        while pending:
            for slot in pending:
                out[slot] = parents[slot].copy()
                change(out[slot])
            pending = [slot for slot in pending if not self.valid(out[slot])]
        return out

    def other_value(self, string: np.ndarray, i: int) -> None:
        value = int(self.rng.random() * (self.sizes[i] - 1))
        string[i] = value + (value >= string[i])


def nasbot(
    initial: np.ndarray,
    budget: int,
    query: Callable[[np.ndarray], float],
    identify: Callable[[np.ndarray], int],
    sizes: np.ndarray,
    rng: np.random.Generator,
    *,
    mutations: Sequence[float] = (0.5, 0.25, 0.125, 0.075, 0.05),
    pool: int = 10,
    max_evaluations: int = 500,
    draws: int = 100,
    refit_every: int = 7,
) -> list[np.ndarray]:
    """The strings that a trial queries, the initial ones included."""
    strings = list(initial)
    y = [query(string) for string in strings]
    cells = [cell_of(string) for string in strings]
    bounds = np.log(
        [
            (0.005, 0.2),
            (0.01, 100),
            (0.01, 100),
            *[(1e-9 * CHANNELS**2, 1e-3 * CHANNELS**2)] * 4,
            *[(0.1, 100)] * 4,
        ]
    )
    chances = np.cumsum(mutations)
    breed = Mutants(sizes, lambda string: identify(string) >= 0, rng)
    known: dict[tuple[int, int], np.ndarray] = {}
    thetas: list[np.ndarray] = []

    def apart(string: np.ndarray, other: np.ndarray) -> np.ndarray:
        key = identify(string), identify(other)
        if key not in known:
            first, second = cell_of(string), cell_of(other)
            known[key] = np.array([otmann(first, second, nu) for nu in NUS])
        return known[key]

    def change(string: np.ndarray) -> None:
        u = rng.random()
        for _ in range(1 + int(np.sum(u >= chances[:-1]))):
            breed.other_value(string, int(rng.random() * len(sizes)))

    for step in range(budget - len(initial)):
        targets = (np.array(y) - np.median(y)) / np.std(y)
        between = np.array([[apart(a, b) for b in strings] for a in strings])
        mass = np.array([masses(cell).sum() for cell in cells])
        if step % refit_every == 0:
            drawn = [
                np.exp(bounds[:, 0] + (bounds[:, 1] - bounds[:, 0]) * rng.random(11)) for _ in range(draws)
            ]
            for theta in thetas:
                if not any(theta is other for other in drawn):
                    drawn.append(theta)
            fit = np.array(
                [log_likelihood(sum_kernel(between, mass, mass, theta), theta[0], targets) for theta in drawn]
            )
            chance = np.cumsum(np.exp(fit - fit.max()))
            thetas = [
                drawn[np.searchsorted(chance, rng.random() * chance[-1], side="right")] for _ in range(7)
            ]
        theta = thetas[step % 7]
        kernel = sum_kernel(between, mass, mass, theta)

        def improvement(
            candidates: list[np.ndarray],
            theta: np.ndarray = theta,
            kernel: np.ndarray = kernel,
            mass: np.ndarray = mass,
            targets: np.ndarray = targets,
            strings: tuple[np.ndarray, ...] = tuple(strings),
        ) -> list[float]:
            cross = np.array([[apart(candidate, string) for string in strings] for candidate in candidates])
            own = np.array([masses(cell_of(candidate)).sum() for candidate in candidates])
            mean, variance = posterior(
                kernel, theta[0], targets, sum_kernel(cross, own, mass, theta), theta[1] + theta[2]
            )
            deviation = np.sqrt(np.maximum(variance, 0.05 * theta[0]))
            z = (mean - targets.max()) / deviation
            return list((mean - targets.max()) * norm.cdf(z) + deviation * norm.pdf(z))

        evaluations = int(min(max_evaluations, np.clip(25 * np.sqrt(len(strings)), 50, 500)))
        each = int(np.clip(3 * np.sqrt(evaluations), 5, 100))
        candidates = [strings[i] for i in np.argsort(-np.array(y), kind="stable")[:pool]]
        values = improvement(candidates)
        while evaluations > 0:
            scaled = (
                np.exp((np.array(values) - np.mean(values)) / (2 * np.std(values)))
                if np.std(values) > 0
                else np.ones(len(values))
            )
            chance = np.cumsum(scaled)
            parents = [
                int(np.searchsorted(chance, rng.random() * chance[-1], side="right"))
                for _ in range(min(each, evaluations))
            ]
            new = breed([candidates[p] for p in parents], change)
            candidates += new
            values += improvement(new)
            evaluations -= len(new)
        seen = {identify(string) for string in strings}
        allowed = [
            value if identify(string) not in seen else -np.inf for value, string in zip(values, candidates)
        ]
        # Cells at distance 0 of each other have the same value up to rounding; the first of them is taken.
        best = candidates[int(np.argmax(np.array(allowed) >= max(allowed) * (1 - 1e-6)))]
        strings.append(best)
        y.append(query(best))
        cells.append(cell_of(best))
    return strings


def degree_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Sorted in- and out-degrees and operation counts of the strings as they are written."""
    total = 0
    sides = []
    for string in (a, b):
        matrix = np.zeros((7, 7), dtype=int)
        matrix[np.triu_indices(7, k=1)] = string[:21]
        sides.append(
            (
                sorted(matrix.sum(axis=0)),
                sorted(matrix.sum(axis=1)),
                [int((string[21:] == o).sum()) for o in range(3)],
            )
        )
    for first, second in zip(*sides):
        total += int(np.abs(np.subtract(first, second)).sum())
    return float(total)


def as_run(
    initial: np.ndarray,
    budget: int,
    query: Callable[[np.ndarray], float],
    identify: Callable[[np.ndarray], int],
    sizes: np.ndarray,
    rng: np.random.Generator,
) -> list[np.ndarray]:
    """naszilla's loop: the strings that a trial queries."""
    strings = list(initial)
    y = [query(string) for string in strings]
    breed = Mutants(sizes, lambda string: identify(string) >= 0, rng)
    rates = np.where(sizes == 2, 1 / 21, 1 / 5)

    def change(string: np.ndarray) -> None:
        for i, rate in enumerate(rates):
            if rng.random() < rate:
                breed.other_value(string, i)

    for _ in range(budget - len(initial)):
        best = [strings[i] for i in np.argsort(-np.array(y), kind="stable")[:5]]
        mutants = breed([string for string in best for _ in range(95)], change)
        seen, new = {identify(string) for string in strings}, []
        for mutant in mutants:
            if identify(mutant) not in seen:
                seen.add(identify(mutant))
                new.append(mutant)
        sample = [new[int(rng.random() * len(new))] for _ in range(200)]
        targets = (np.array(y) - np.mean(y)) / np.std(y)
        kernel = 2.25 * np.exp(-np.array([[degree_distance(a, b) for b in strings] for a in strings]) / 9)
        cross = 2.25 * np.exp(-np.array([[degree_distance(a, b) for b in strings] for a in sample]) / 9)
        covariance = kernel + 1e-10 * np.eye(len(kernel))
        mean = cross @ np.linalg.solve(covariance, targets)
        variance = 2.25 - np.einsum("ij,ij->i", cross, np.linalg.solve(covariance, cross.T).T)
        bound = mean + 0.5 * np.sqrt(np.maximum(variance, 0))
        chosen = sample[int(np.argmax(bound >= bound.max() - 1e-4))]
        strings.append(chosen)
        y.append(query(chosen))
    return strings
