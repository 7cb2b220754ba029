"""NASBench-101's official procedure, one cell at a time: prune, hash, look up in a dict (Ying et al. 2019,
and the `nasbench` library's rules).

Slow and obvious on purpose; the twin of `nas_bench_suite.benchmarks.nasbench101`. Strings are as there: 21
edge bits row by row, then 5 operations.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Sequence

OPS = ("conv1x1", "conv3x3", "maxpool3x3")
OFFICIAL = {"input": -1, "conv3x3": 0, "conv1x1": 1, "maxpool3x3": 2, "output": -2}
MAX_EDGES = 9
Matrix = list[list[int]]  # [V][V], 1 where an edge goes from row to column
Graph = tuple[Matrix, list[str]]  # with the label of each vertex


def graph_of_string(row: Sequence[int]) -> Graph:
    """(7 x 7 matrix as lists, 7 labels) of a string of 26 values."""
    matrix = [[0] * 7 for _ in range(7)]
    for (u, v), bit in zip(itertools.combinations(range(7), 2), row[:21]):
        matrix[u][v] = int(bit)
    return matrix, ["input", *(OPS[int(op)] for op in row[21:]), "output"]


def prune(matrix: Matrix, labels: list[str]) -> Graph | None:
    """The part of a graph that lies on paths from first to last vertex, or None if there is no path."""
    n = len(labels)

    def reachable(start: int, neighbours: Callable[[int], list[int]]) -> set[int]:
        seen, frontier = {start}, [start]
        while frontier:
            for w in neighbours(frontier.pop()):
                if w not in seen:
                    seen.add(w)
                    frontier.append(w)
        return seen

    forward = reachable(0, lambda u: [v for v in range(n) if matrix[u][v]])
    backward = reachable(n - 1, lambda v: [u for u in range(n) if matrix[u][v]])
    kept = sorted(forward & backward)
    if 0 not in kept or n - 1 not in kept:
        return None
    return [[matrix[u][v] for v in kept] for u in kept], [labels[v] for v in kept]


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def hash_graph(matrix: Matrix, labels: list[str]) -> str:
    """The official hash of a pruned graph."""
    n = len(labels)
    digests = [
        md5(
            str(
                (
                    sum(matrix[v]),
                    sum(matrix[u][v] for u in range(n)),
                    OFFICIAL[labels[v].removesuffix("-bn-relu")],
                )
            )
        )
        for v in range(n)
    ]
    for _ in range(n):
        following = []
        for v in range(n):
            into = sorted(digests[u] for u in range(n) if matrix[u][v])
            out = sorted(digests[w] for w in range(n) if matrix[v][w])
            following.append(md5("".join(into) + "|" + "".join(out) + "|" + digests[v]))
        digests = following
    return md5(str(sorted(digests)))


def hash_string(row: Sequence[int], edge_limit: str = "pruned") -> str | None:
    """The official hash of a string's cell, or None where the string is invalid."""
    matrix, labels = graph_of_string(row)
    if edge_limit == "raw" and sum(map(sum, matrix)) > MAX_EDGES:
        return None
    pruned = prune(matrix, labels)
    if pruned is None or sum(map(sum, pruned[0])) > MAX_EDGES:
        return None
    return hash_graph(*pruned)


def paths_of_string(row: Sequence[int]) -> list[tuple[int, ...]]:
    """The operation sequences of all paths from input to output, a list of tuples of operation indices (with
    repeats)."""
    matrix, _ = graph_of_string(row)
    found: list[tuple[int, ...]] = []

    def walk(u: int, sequence: tuple[int, ...]) -> None:
        for v in range(7):
            if matrix[u][v]:
                if v == 6:
                    found.append(sequence)
                else:
                    walk(v, (*sequence, int(row[20 + v])))

    walk(0, ())
    return found


def table(strings: Iterable[Sequence[int]]) -> dict[str, int]:
    """A dict from official hash to how many strings have it: what a query looks up in."""
    counts: dict[str, int] = {}
    for row in strings:
        key = hash_string(row)
        if key is not None:
            counts[key] = counts.get(key, 0) + 1
    return counts
