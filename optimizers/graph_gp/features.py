"""What a cell is described by: blocks of standardised columns.

Notation: M strings of N variables; F columns in B blocks; a labelled graph has V vertices in topological
order, the first its input and the last its output, and O different operations on the others. Vertices on no
path from input to output are left out. Columns of a graph, 48 with the three operations of NASBench-101:

    whole       6            vertices; edges; log of 1 + the number of paths; edges of the longest, the
                             shortest and the mean path
    operations  O            vertices with each operation
    pairs       (O + 1)^2    edges by label of the tail (input or operation) and of the head (operation or
                             output)
    paths       3 O          of each operation, the most, the fewest and the mean vertices along a path
    depths      2 O          of each operation, the mean over its vertices of the longest way from the input,
                             and to the output; 0 where there is none
    degrees     2 (O + 1)    edges beyond a vertex's first, leaving it by label of the tail, then entering it
                             by label of the head

and of a string, in spaces without graphs or where string and cell are one to one:

    one_hot     choices      every choice of every variable
    counts                   of each choice, how many variables of a family take it (spaces without graphs;
                             families of two variables or more)

Columns are standardised by their mean and standard deviation over SAMPLE uniform strings of the space, the
same ones in every search, and divided by sqrt(2 columns of the block): the squared distance of two uniform
strings is 1 in expectation in each block.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from nas_bench_suite.space import GraphSpace, SearchSpace
from optimizers.parts.spelled_out import vertices_spelled_out

SAMPLE, SAMPLE_ROUNDS = 2000, 50
REMEMBERED = 100_000  # strings or cells whose graphs are remembered where a space gives them one by one


class Graphs(NamedTuple):
    """M labelled graphs, each in the first rows and columns of its matrix."""

    sizes: np.ndarray  # int64[M], V; 0 where there is no graph
    edges: np.ndarray  # int8[M, V, V], above the diagonal
    labels: np.ndarray  # int64[M, V], operations 0 .. O - 1 of inner vertices; -1: none of these


class Features:
    """Describes the strings of a space.

    Args:
        space: the search space.
        valid: standardise over valid strings (else over all).

    Attributes:
        names: of the B blocks.
        block: int64[F], the block of each column.
    """

    def __init__(self, space: SearchSpace, valid: bool = True) -> None:
        self.space = space
        self._vertices = vertices_spelled_out(space)
        self._remembered: dict[bytes, np.ndarray] = {}
        self._cells: np.ndarray | None = None  # float64[cells + 1, columns], where cells are enumerable
        sample = _sample(space, valid)
        self._operations: tuple[str, ...] = ()
        names: list[str] = []
        widths: list[int] = []
        if isinstance(space, GraphSpace):
            if self._vertices:
                self._operations = space.variables[-1].choices
            else:
                graphs = [space.graph(string)[1] for string in sample if space.is_valid(string)]
                self._operations = tuple(sorted({label for labels in graphs for label in labels[1:-1]}))
            o = len(self._operations)
            names += ["whole", "operations", "pairs", "paths", "depths", "degrees"]
            widths += [6, o, (o + 1) ** 2, 3 * o, 2 * o, 2 * (o + 1)]
        self._graph_width = sum(widths)
        self._one_hot = not names or space.num_cells == int(np.prod(space.sizes, dtype=np.float64))
        if self._one_hot:
            names.append("one_hot")
            widths.append(int(space.sizes.sum()))
        self._counted = _counted(space) if not self._graph_width else np.full(space.num_variables, -1)
        if (self._counted >= 0).any():
            names.append("counts")
            most = max(int(p + s) for p, s in zip(self._counted, space.sizes) if p >= 0)
            widths.append(most)
        raw = self._raw(sample)
        deviation = raw.std(axis=0) if len(raw) > 1 else np.ones(raw.shape[1])
        varies = deviation > 1e-9
        block = np.repeat(np.arange(len(names)), widths)
        used = np.bincount(block[varies], minlength=len(names))
        self.names = [name for name, count in zip(names, used) if count]
        self._columns = np.flatnonzero(varies)
        self.block = np.searchsorted(np.flatnonzero(used), block[varies])
        self._centre = raw.mean(axis=0)[varies] if len(raw) else np.zeros(0)
        self._scale = 1 / (deviation[varies] * np.sqrt(2.0 * used[block[varies]]))

    def __call__(self, strings: np.ndarray) -> np.ndarray:
        """Describe strings int64[M, N]: float64[M, F]."""
        columns: np.ndarray = (self._raw(strings)[:, self._columns] - self._centre) * self._scale
        return columns

    def _raw(self, strings: np.ndarray) -> np.ndarray:
        """All columns of strings int64[M, N] as they are."""
        parts = []
        if self._graph_width:
            parts.append(self._of_graphs(strings))
        if self._one_hot:
            parts.append(SearchSpace._encode(self.space, strings, "one_hot").astype(np.float64))
        if (self._counted >= 0).any():
            counted = np.flatnonzero(self._counted >= 0)
            width = int((self._counted + self.space.sizes)[counted].max())
            counts = np.zeros((len(strings), width))
            for i in counted:
                counts[np.arange(len(strings)), self._counted[i] + strings[:, i]] += 1
            parts.append(counts)
        return np.concatenate(parts, axis=1) if parts else np.zeros((len(strings), 0))

    def _of_graphs(self, strings: np.ndarray) -> np.ndarray:
        out = np.zeros((len(strings), self._graph_width))
        if self._vertices:
            _describe_strings(strings, self._vertices, len(self._operations), out)
            return out
        count = self.space.num_cells
        if count is not None and count <= REMEMBERED:
            return self._of_cells(self.space.cell_id(strings), count)
        keys = [string.tobytes() for string in strings]
        held = self._remembered
        new = [i for i, key in enumerate(keys) if key not in held]
        if new:
            rows = np.zeros((len(new), self._graph_width))
            _describe(self._graphs(strings[new]), len(self._operations), rows)
            if len(held) + len(new) > REMEMBERED:  # forget all but what is asked for
                held = self._remembered = {key: held[key] for key in keys if key in held}
            held.update((keys[i], row) for i, row in zip(new, rows))
        for i, key in enumerate(keys):
            out[i] = held[key]
        return out

    def _of_cells(self, cells: np.ndarray, count: int) -> np.ndarray:
        """float64[M, columns] of the cells int64[M] of a space of `count` cells, each described once, by the
        string that stands for it; zeros for -1."""
        if self._cells is None:
            self._cells = np.zeros((count + 1, self._graph_width))  # the last row is of no cell
            self._described = np.zeros(count + 1, dtype=np.bool_)
            self._described[-1] = True
        new = np.unique(cells[~self._described[cells]])
        if len(new):
            fresh = np.zeros((len(new), self._graph_width))
            _describe(self._graphs(self.space.architecture(new)), len(self._operations), fresh)
            self._cells[new] = fresh
            self._described[new] = True
        rows: np.ndarray = self._cells[cells]
        return rows

    def _graphs(self, strings: np.ndarray) -> Graphs:
        """The graphs of strings as their space gives them; an invalid string has none."""
        assert isinstance(self.space, GraphSpace)
        valid = self.space.is_valid(strings)
        given = [self.space.graph(string) if ok else None for string, ok in zip(strings, valid)]
        most = max([2, *(len(graph[1]) for graph in given if graph is not None)])
        sizes = np.zeros(len(strings), dtype=np.int64)
        edges = np.zeros((len(strings), most, most), dtype=np.int8)
        labels = np.full((len(strings), most), -1)
        places = {name: o for o, name in enumerate(self._operations)}
        for i, graph in enumerate(given):
            if graph is not None:
                matrix, ops = graph
                size = len(ops)
                sizes[i], edges[i, :size, :size] = size, matrix
                labels[i, 1 : size - 1] = [places.get(op, -1) for op in ops[1:-1]]
        return Graphs(sizes, edges, labels)


def _sample(space: SearchSpace, valid: bool) -> np.ndarray:
    """The strings int64[S, N] that columns are standardised over, S at most SAMPLE."""
    rng = np.random.Generator(np.random.PCG64(101))
    parts = [np.zeros((0, space.num_variables), dtype=np.int64)]
    for _ in range(SAMPLE_ROUNDS if valid else 1):
        drawn = space.from_uniforms(rng.random((SAMPLE, space.num_variables)))
        parts.append(drawn[space.is_valid(drawn)] if valid else drawn)
        if sum(map(len, parts)) >= SAMPLE:
            break
    return np.concatenate(parts)[:SAMPLE]


def _counted(space: SearchSpace) -> np.ndarray:
    """int64[N]: where the counts of a variable's family begin, -1 where it has no other variable."""
    names, family = space.families
    begin = np.full(space.num_variables, -1, dtype=np.int64)
    at = 0
    for f in range(len(names)):
        members = np.flatnonzero(family == f)
        if len(members) > 1:
            begin[members] = at
            at += int(space.sizes[members].max())
    return begin


class _Work(NamedTuple):
    """Numbers of each vertex of one graph: float64[V] each."""

    before: np.ndarray  # paths from the input to it
    after: np.ndarray  # paths from it to the output
    long_in: np.ndarray  # edges of the longest of these
    long_out: np.ndarray
    short_in: np.ndarray
    ways_in: np.ndarray  # edges that enter and leave it
    ways_out: np.ndarray
    high: np.ndarray  # most and fewest vertices with an operation on a path from the input to it
    low: np.ndarray


@njit(cache=True)
def _work(size: int) -> _Work:
    a = np.empty((9, size))
    return _Work(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8])


@njit(cache=True)
def _describe(graphs: Graphs, o: int, out: np.ndarray) -> None:
    """Fill out float64[M, columns of a graph] with zeros in it; o operations."""
    work = _work(graphs.edges.shape[1])
    for i in range(len(out)):
        if graphs.sizes[i] > 1:
            _describe_one(graphs.sizes[i], graphs.edges[i], graphs.labels[i], o, work, out[i])


@njit(cache=True)
def _describe_strings(strings: np.ndarray, size: int, o: int, out: np.ndarray) -> None:
    """The same for strings int64[M, N] that spell out graphs of `size` vertices (`vertices_spelled_out`)."""
    work = _work(size)
    edges = np.zeros((size, size), np.int8)
    labels = np.full(size, -1)
    for i in range(len(out)):
        at = 0
        for u in range(size):
            for v in range(u + 1, size):
                edges[u, v] = strings[i, at]
                at += 1
        for v in range(1, size - 1):
            labels[v] = strings[i, at]
            at += 1
        _describe_one(size, edges, labels, o, work, out[i])


@njit(cache=True)
def _describe_one(
    size: int, edges: np.ndarray, label: np.ndarray, o: int, work: _Work, row: np.ndarray
) -> None:
    """Fill row float64[columns of a graph] of zeros for one graph."""
    before, after, long_in, long_out = work.before, work.after, work.long_in, work.long_out
    short_in, ways_in, ways_out, high, low = (
        work.short_in,
        work.ways_in,
        work.ways_out,
        work.high,
        work.low,
    )
    last = size - 1
    for v in range(size):
        before[v] = 1.0 if v == 0 else 0.0
        long_in[v], short_in[v] = 0.0, 0.0
        for u in range(v):
            if edges[u, v] and before[u] > 0:
                if before[v] == 0 or short_in[u] + 1 < short_in[v]:
                    short_in[v] = short_in[u] + 1
                long_in[v] = max(long_in[v], long_in[u] + 1)
                before[v] += before[u]
    for v in range(last, -1, -1):
        after[v] = 1.0 if v == last else 0.0
        long_out[v], ways_in[v], ways_out[v] = 0.0, 0.0, 0.0
        for w in range(v + 1, size):
            if edges[v, w] and after[w] > 0:
                long_out[v] = max(long_out[v], long_out[w] + 1)
                after[v] += after[w]
    paths = before[last]
    if paths == 0:
        return
    operations, pairs = 6, 6 + o
    on_paths = pairs + (o + 1) ** 2
    depths = on_paths + 3 * o
    degrees = depths + 2 * o
    count, edge_count, along = 0, 0, 0.0
    for v in range(size):
        if before[v] == 0 or after[v] == 0:
            continue
        count += 1
        known = v == 0 or label[v] >= 0
        if 0 < v < last and known:
            row[operations + label[v]] += 1
            row[depths + label[v]] += long_in[v]
            row[depths + o + label[v]] += long_out[v]
            row[on_paths + 2 * o + label[v]] += before[v] * after[v] / paths
        tail = 0 if v == 0 else label[v] + 1
        for w in range(v + 1, size):
            if edges[v, w] and after[w] > 0:
                edge_count += 1
                along += before[v] * after[w] / paths
                ways_out[v] += 1
                ways_in[w] += 1
                if known and (w == last or label[w] >= 0):
                    row[pairs + tail * (o + 1) + (o if w == last else label[w])] += 1
    for v in range(size):
        if (v == 0 or label[v] >= 0) and ways_out[v] > 1:
            row[degrees + (0 if v == 0 else label[v] + 1)] += ways_out[v] - 1
        if (v == last or label[v] >= 0) and ways_in[v] > 1:
            row[degrees + o + 1 + (o if v == last else label[v])] += ways_in[v] - 1
    for p in range(o):
        if row[operations + p] == 0:
            continue
        row[depths + p] /= row[operations + p]
        row[depths + o + p] /= row[operations + p]
        high[0], low[0] = 0.0, 0.0
        for v in range(1, size):
            own = 1.0 if label[v] == p and v < last else 0.0
            first = True
            high[v], low[v] = 0.0, 0.0
            for u in range(v):
                if edges[u, v] and before[u] > 0:
                    high[v] = max(high[v], high[u] + own)
                    low[v] = low[u] + own if first else min(low[v], low[u] + own)
                    first = False
        row[on_paths + p], row[on_paths + o + p] = high[last], low[last]
    row[0], row[1], row[2] = count, edge_count, np.log(1 + paths)
    row[3], row[4], row[5] = long_in[last], short_in[last], along
