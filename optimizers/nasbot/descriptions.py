"""What a Gaussian process over architectures measures distances on: strings described by rows of floats, and
the distance of two rows.

Notation: N variables; a description is float32[F]; K distances per pair (one for each structural weight; 1
where weights have no meaning).

    otmann   the OTMANN distance of labelled graphs (`otmann`)
    degrees  sum of absolute differences of the sorted in-degrees, of the sorted out-degrees and of the
             number of vertices with each operation
    hamming  the number of variables that differ; with counts: plus the differences in how often a family
             takes each of its values

The first is for spaces of labelled graphs: those whose strings spell the graph out, as NASBench-101's do, and
those of at most MOST_CELLS cells that say what their cells' graphs are. The last is for all others. `degrees`
is what the code of White et al. 2019
("naszilla") calls `nasbot`; it reads the matrix as it is written, vertices off every path included, as that
code does. On spaces with fixed edges that code adds Hamming distance and operation counts, which is `hamming`
with counts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from nas_bench_suite.space import GraphSpace, SearchSpace
from optimizers.nasbot import otmann
from optimizers.parts.spelled_out import vertices_spelled_out

OTMANN, ABSOLUTE = 0, 1
MOST_CELLS = 100_000  # whose descriptions are kept in a table


class Metric(NamedTuple):
    """How two described strings are compared."""

    kind: int  # OTMANN, or ABSOLUTE for the sum of absolute differences of two rows
    inner: int  # the most inner vertices of a graph, 0 where there is none
    weights: np.ndarray  # float32[lanes], the structural weights, padded with zeros; [0] where there is none


class Descriptions:
    """Describes the strings of a space.

    Attributes:
        metric: how they are compared.
        name: "otmann", "degrees" or "hamming".
        width: F.
        lanes: K as stored.
    """

    def __init__(
        self, space: SearchSpace, transport: bool, weights: np.ndarray | None = None, counts: bool = False
    ) -> None:
        """
        Args:
            space: the search space.
            transport: OTMANN distances where the space allows them; else degrees.
            weights: structural weights of the OTMANN distance, at most `otmann.LANES`.
            counts: add counts of values where the distance is `hamming`.
        """
        self.space = space
        vertices = vertices_spelled_out(space)
        labels = otmann.vertex_classes(space.variables[-1].choices) if vertices else None
        self.metric, self.lanes = Metric(ABSOLUTE, 0, np.zeros(0, dtype=np.float32)), 1
        self._by_cell: np.ndarray | None = None  # float32[cells + 1, F]; the last row is of no cell
        inner = 0
        if vertices and labels is not None and transport and vertices - 2 <= otmann.MAX_INNER:
            inner = vertices - 2
            self._classes, self._kinds = labels
        elif transport and not vertices:
            self._by_cell, inner = _describe_cells(space)
        if inner:
            self.name, self.lanes = "otmann", otmann.LANES
            self.width = otmann.width(inner)
            padded = np.zeros(otmann.LANES, dtype=np.float32)
            given = np.asarray(weights, dtype=np.float32)
            padded[: len(given)] = given
            self.metric = Metric(OTMANN, inner, padded)
        elif vertices and not transport:
            self.name = "degrees"
            self.width = 2 * vertices + len(space.variables[-1].choices)
        else:
            self.name = "hamming"
            self._offsets = np.concatenate([[0], np.cumsum(space.sizes)[:-1]])
            self._counts = counts
            family = space.families[1]
            most = np.array([space.sizes[family == f].max() for f in range(len(space.families[0]))])
            self._places = np.concatenate([[0], np.cumsum(most)[:-1]])[family]
            self.width = int(space.sizes.sum()) + (int(most.sum()) if counts else 0)
        self._vertices = vertices

    @property
    def distances(self) -> int:
        """K, the number of distances that mean something."""
        return int(self.lanes if self.metric.kind == ABSOLUTE else np.count_nonzero(self.metric.weights))

    def describe(self, strings: np.ndarray) -> np.ndarray:
        """Describe strings int64[..., N]: float32[..., F]."""
        if self._by_cell is not None:
            of_cells: np.ndarray = self._by_cell[self.space.cell_id(strings)]  # -1 is the last row
            return of_cells
        shape = strings.shape[:-1]
        rows = np.ascontiguousarray(strings.reshape(-1, strings.shape[-1]))
        out = np.zeros((len(rows), self.width), dtype=np.float32)
        if self.name == "hamming":
            # Half of the one-hot difference is 1 for a variable that differs.
            np.put_along_axis(out, rows + self._offsets, np.float32(0.5), axis=1)
            if self._counts:
                start = int(self.space.sizes.sum())
                for i in range(rows.shape[1]):
                    np.add.at(
                        out, (np.arange(len(rows)), start + self._places[i] + rows[:, i]), np.float32(1)
                    )
        else:
            matrices, labels = _matrices(rows, self._vertices)
            if self.name == "otmann":
                otmann.describe(matrices, labels, self._classes, self._kinds, out)
            else:
                size = self._vertices
                out[:, :size] = np.sort(matrices.sum(axis=1), axis=1)
                out[:, size : 2 * size] = np.sort(matrices.sum(axis=2), axis=1)
                out[:, 2 * size :] = (labels[:, :, None] == np.arange(self.width - 2 * size)).sum(axis=1)
        return out.reshape(*shape, self.width)

    def masses(self, rows: np.ndarray) -> np.ndarray:
        """float64[...]: mass of each description float32[..., F]; two masses add up to the largest distance
        there can be."""
        if self.metric.kind == OTMANN:
            return rows[..., 0] + rows[..., 1] * otmann.POOLING_MASS + 2.0 * rows[..., 2]
        return np.full(rows.shape[:-1], self.space.num_variables / 2)


def _describe_cells(space: SearchSpace) -> tuple[np.ndarray | None, int]:
    """OTMANN descriptions float32[cells + 1, F] of all cells of a space that says what their graphs are, the
    last one that of a graph without a path; and the most inner vertices. (None, 0) for another space."""
    count = space.num_cells or 0
    if not isinstance(space, GraphSpace) or not 0 < count <= MOST_CELLS:
        return None, 0
    graphs = [space.graph(string) for string in space.architecture(np.arange(count))]
    most = max(len(ops) for _, ops in graphs)
    if not 2 < most <= otmann.MAX_INNER + 2:
        return None, 0
    names = tuple(sorted({op for _, ops in graphs for op in ops[1:-1]}))
    place = {name: o for o, name in enumerate(names)}
    matrices = np.zeros((count + 1, most, most), dtype=np.int8)
    labels = np.zeros((count + 1, most - 2), dtype=np.int8)
    for c, (matrix, ops) in enumerate(graphs):
        # the output stands last; vertices between the graph's own and it are on no path, and left out there
        inner = len(ops) - 1
        matrices[c, :inner, :inner] = matrix[:inner, :inner]
        matrices[c, :inner, -1] = matrix[:inner, inner]
        labels[c, : inner - 1] = [place[op] for op in ops[1:-1]]
    out = np.zeros((count + 1, otmann.width(most - 2)), dtype=np.float32)
    otmann.describe(matrices, labels, *otmann.vertex_classes_of_all(names), out)
    return out, most - 2


def _matrices(rows: np.ndarray, vertices: int) -> tuple[np.ndarray, np.ndarray]:
    """Adjacency matrices int8[M, V, V] and inner labels int8[M, V - 2] of strings int64[M, N]."""
    tails, heads = np.triu_indices(vertices, k=1)
    matrices = np.zeros((len(rows), vertices, vertices), dtype=np.int8)
    matrices[:, tails, heads] = rows[:, : len(tails)]
    return matrices, rows[:, len(tails) :].astype(np.int8)


@njit(cache=True, fastmath=True, error_model="numpy")
def _absolute(a: np.ndarray, b: np.ndarray) -> np.float32:
    total = np.float32(0)
    for i in range(len(a)):
        total += abs(a[i] - b[i])
    return total


@njit(cache=True)
def row_distances(metric: Metric, row: np.ndarray, others: np.ndarray, count: int, out: np.ndarray) -> None:
    """out[j, :K] = the distances between `row` and others[j], for j < count."""
    if metric.kind == ABSOLUTE:
        for j in range(count):
            out[j, 0] = _absolute(row, others[j])
        return
    work = otmann.workspace(metric.inner)
    for j in range(count):
        otmann.distance(row, others[j], metric.weights, work, out[j])
