"""The functions of `nasbench.lib.graph_util`, on labelled directed acyclic graphs.

A graph is an upper-triangular matrix [V, V] and V labels.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nas_bench_suite.benchmarks.nasbench101.hashing import graph_hash


def gen_is_edge_fn(bits: int) -> Callable[[Any, Any], np.ndarray]:
    """A function of two arrays of vertices (x, y): whether bit x + y (y - 1) / 2 of `bits` is set, for x < y;
    the columns of a matrix above the diagonal, one after another."""

    def is_edge(x: Any, y: Any) -> np.ndarray:
        sources, targets = np.broadcast_arrays(np.asarray(x, dtype=int), np.asarray(y, dtype=int))
        # bits may be longer than a machine word
        pairs = zip(sources.ravel().tolist(), targets.ravel().tolist())
        found = [u < v and (bits >> (u + v * (v - 1) // 2)) & 1 == 1 for u, v in pairs]
        return np.array(found, dtype=np.bool_).reshape(sources.shape)

    return is_edge


def is_full_dag(matrix: np.ndarray) -> bool:
    """Whether every vertex but the last has an edge out, and every one but the first an edge in."""
    edges = np.asarray(matrix) != 0
    return bool(edges[:-1].any(axis=1).all() and edges[:, 1:].any(axis=0).all())


def num_edges(matrix: np.ndarray) -> Any:
    """The sum of the matrix."""
    return np.sum(matrix)


def hash_module(matrix: np.ndarray, labeling: Sequence[int]) -> str:
    """The hash that isomorphic graphs share, and by which the table holds its cells."""
    matrix = np.asarray(matrix)
    assert matrix.shape == (len(labeling), len(labeling)), (matrix.shape, len(labeling))
    return graph_hash(matrix, list(labeling))


def permute_graph(
    graph: np.ndarray, label: Sequence[Any], permutation: Sequence[int]
) -> tuple[np.ndarray, list[Any]]:
    """The same graph with vertex v called permutation[v]: its matrix and its labels."""
    places = np.argsort(permutation)  # the old vertex at each new place
    matrix = np.asarray(graph)[np.ix_(places, places)] == 1
    return matrix, [label[v] for v in places]


def is_isomorphic(graph1: tuple[np.ndarray, Sequence[Any]], graph2: tuple[np.ndarray, Sequence[Any]]) -> bool:
    """Whether some renaming of vertices makes one (matrix, labels) the other; all are tried."""
    (first, labels), (second, others) = graph1, graph2
    first, second = np.asarray(first), np.asarray(second)
    assert first.shape == second.shape and len(labels) == len(others)
    for permutation in itertools.permutations(range(len(labels))):
        matrix, renamed = permute_graph(first, labels, permutation)
        if np.array_equal(matrix, second) and renamed == list(others):
            return True
    return False
