"""Spaces whose strings say which operations lie on which paths from input to output.

Notation: M strings of N variables; a *path* is a tuple of variables, in order from input to output, whose
values are the operations along it. A variable that carries an operation lies in one family with the others
that do, and the vertices of a cell's graph are the variables on its paths.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from functools import cached_property
from itertools import permutations

import numpy as np

from nas_bench_suite.checks import ConfigError, nearest
from nas_bench_suite.space import GraphSpace, SearchSpace

Path = tuple[int, ...]


class PathSpace(GraphSpace):
    """A space that knows the paths of its strings; graph and path encoding follow from them.

    Attributes:
        operations: names of the values of a variable that carries an operation.
        longest: variables on the longest path there is.
    """

    operations: tuple[str, ...]
    longest: int

    @abstractmethod
    def paths(self, strings: np.ndarray) -> Iterator[tuple[Path, np.ndarray]]:
        """Every path that some string has, with bool[M]: which of strings int64[M, N] have it."""

    @abstractmethod
    def every_string(self) -> np.ndarray:
        """int64[S, N]: all valid strings, in order of code."""

    def graph(self, architecture: np.ndarray) -> tuple[np.ndarray, list[str]]:
        """The pruned graph with a vertex for each operation on a path: adjacency int8[V, V], and labels with
        the ends. Where no path leads from input to output, V = 2 and no vertex is connected."""
        string = np.asarray(architecture)
        if string.shape != (self.num_variables,) or not self.is_valid(string):
            raise ConfigError(
                f"architecture {string.tolist()} is no string of space '{self.name}'; accepted: a valid "
                f"row of {self.num_variables} numbers."
            )
        paths = [path for path, has in self.paths(string[None]) if has[0]]
        used = sorted({variable for path in paths for variable in path})
        place = {variable: vertex for vertex, variable in enumerate(used, start=1)}
        last = len(used) + 1
        matrix = np.zeros((last + 1, last + 1), dtype=np.int8)
        for path in paths:
            stops = [0, *(place[variable] for variable in path), last]
            matrix[stops[:-1], stops[1:]] = 1
        labels = (self.variables[variable].choices[string[variable]] for variable in used)
        return matrix, ["input", *labels, "output"]

    def from_graph(self, matrix: np.ndarray, ops: list[str]) -> np.ndarray:
        """A string int64[N] with this pruned graph, the vertices between the ends in any topological
        order."""
        matrix = np.asarray(matrix)
        count = len(matrix)
        most = len([variable for variable in self.variables if variable.choices == self.operations]) + 2
        if (
            matrix.ndim != 2
            or matrix.shape[0] != matrix.shape[1]
            or not 2 <= count <= most
            or np.tril(matrix).any()
        ):
            raise ConfigError(
                f"adjacency matrix of shape {matrix.shape} does not fit; accepted: upper triangular, 2 to "
                f"{most} vertices."
            )
        if len(ops) != count or ops[0] != "input" or ops[-1] != "output":
            raise ConfigError(
                f"operations {list(ops)} do not fit {count} vertices; accepted: 'input', {count - 2} "
                "operations, 'output'."
            )
        for op in ops[1:-1]:
            if op not in self.operations:
                raise ConfigError(
                    f"operation '{op}' is not known{nearest(op, self.operations)}; accepted: "
                    f"{', '.join(self.operations)}."
                )
        for order in permutations(range(1, count - 1)):
            at = [0, *order, count - 1]
            string = self._by_graph.get(
                (matrix[np.ix_(at, at)].astype(np.int8).tobytes(), tuple(ops[i] for i in at))
            )
            if string is not None:
                return string.copy()
        raise ConfigError(f"no cell of space '{self.name}' has the graph of operations {list(ops)}.")

    @cached_property
    def _by_graph(self) -> dict[tuple[bytes, tuple[str, ...]], np.ndarray]:
        """The first string of each graph."""
        found: dict[tuple[bytes, tuple[str, ...]], np.ndarray] = {}
        for string in self.every_string():
            matrix, ops = self.graph(string)
            found.setdefault((matrix.tobytes(), tuple(ops)), string)
        return found

    def encodings(self) -> tuple[str, ...]:
        """`one_hot`; `path`: which sequences of operations lead from input to output, shortest first."""
        return ("one_hot", "path")

    def _encode(self, architectures: np.ndarray, kind: str) -> np.ndarray:
        if kind == "one_hot":
            return SearchSpace._encode(self, architectures, kind)
        base = len(self.operations)
        begin = np.cumsum([0, *(base**length for length in range(1, self.longest + 1))])
        strings = architectures.reshape(-1, self.num_variables)
        out = np.zeros((len(strings), begin[-1]), dtype=np.float32)
        for path, has in self.paths(strings):
            digits = strings[:, path] * base ** np.arange(len(path))
            index = begin[len(path) - 1] + digits.sum(axis=1)
            out[np.flatnonzero(has), index[has]] = 1
        return out.reshape(*architectures.shape[:-1], -1)
