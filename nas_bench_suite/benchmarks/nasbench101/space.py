"""The NASBench-101 space: 21 edges and 5 operations (Ying et al. 2019, section 2).

Notation: an architecture is int[..., 26]: the upper triangle of the 7 x 7 adjacency matrix row by row ((0,1),
(0,2), ..., (5,6); 1 = edge), then the operations of vertices 1 to 5 as indices into `OPERATIONS`. Vertex 0 is
the input, vertex 6 the output.

A string is valid if a path leads from input to output and at most 9 edges are left after pruning
(`edge_limit="pruned"`, the official rule: 73.3 % of uniform strings) or before it (`"raw"`, the rule of some
code bases: 27.3 %). Ids are those of `cells`: dense, equal for isomorphic cells, the same under both rules.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit

from nas_bench_suite.benchmarks.nasbench101 import cells as _cells
from nas_bench_suite.benchmarks.nasbench101 import hashing
from nas_bench_suite.benchmarks.nasbench101.cells import CODES, EDGES, INNER, MAX_EDGES, STRINGS, VERTICES
from nas_bench_suite.checks import ConfigError, check_choice, nearest
from nas_bench_suite.space import GraphSpace, Variable
from nas_bench_suite.streams import Streams

OPERATIONS = ("conv1x1", "conv3x3", "maxpool3x3")
EDGE_LIMITS = ("pruned", "raw")
NUM_VARIABLES = EDGES + INNER
NUM_PATHS = sum(3**length for length in range(INNER + 1))  # 364
_TAILS, _HEADS = np.triu_indices(VERTICES, k=1)
_PATH_STARTS = np.array([sum(3**j for j in range(length)) for length in range(INNER + 1)], dtype=np.int64)


def enumeration_checksum() -> str:
    """Checksum of the enumeration that tables indexed by cell id rely on (see `cells.Cells.checksum`)."""
    return _cells.cells().checksum()


@njit(cache=True)
def _strings(rows: np.ndarray, out: np.ndarray) -> None:
    """mask + 2^21 code of rows int[n, 26]; 0, an invalid string, where a value is out of its range."""
    for i in range(len(rows)):
        mask = np.int64(0)
        wrong = np.int64(0)
        for e in range(21):
            value = np.int64(rows[i, e])
            mask |= value << e
            wrong |= value
        code = np.int64(0)
        ops = np.int64(0)
        for v in range(25, 20, -1):
            value = np.int64(rows[i, v])
            code = code * 3 + value
            ops |= value | ((value & (value >> 1)) << 2)  # 3 sets a bit that 0, 1 and 2 do not
        wrong |= ops >> 1
        out[i] = (mask | (code << 21)) if (wrong & ~1) == 0 else 0


# A kernel of its own: within one loop, or one function, with `_strings` the compiler vectorises neither (80
# or 30 against 13 ns a row).
@njit(cache=True)
def _look_up(
    strings: np.ndarray, packed: np.ndarray, gather: np.ndarray, ids: np.ndarray, out: np.ndarray
) -> None:
    for i in range(len(strings)):
        entry = np.int64(packed[strings[i] & 0x1FFFFF])
        out[i] = ids[(entry >> 5) + gather[entry & 31, strings[i] >> 21]]


@njit(cache=True)
def _sample(generators: Any, trials: np.ndarray, packed: np.ndarray, invalid: int, out: np.ndarray) -> None:
    """Fill out[i, :, 26] with valid strings from the generator of trial trials[i], one uniform for each
    string tried."""
    for i in range(len(trials)):
        generator = generators[trials[i]]
        for j in range(out.shape[1]):
            while True:
                string = np.int64(generator.random() * 509607936.0)
                mask = string & 0x1FFFFF
                if packed[mask] != invalid:
                    break
            _unpack(mask, string >> 21, out[i, j])


@njit(cache=True)
def _unpack(mask: np.int64, code: np.int64, row: np.ndarray) -> None:
    for e in range(21):
        row[e] = (mask >> e) & 1
    for v in range(21, 26):
        row[v] = code % 3
        code //= 3


@njit(cache=True)
def _unpack_all(masks: np.ndarray, codes: np.ndarray, out: np.ndarray) -> None:
    for i in range(len(masks)):
        _unpack(masks[i], codes[i], out[i])


@njit(cache=True)
def _paths(rows: np.ndarray, starts: np.ndarray, out: np.ndarray) -> None:
    """Add one to out[i, p] for every path p of rows int[n, 26] (see `NASBench101Space.path_counts`)."""
    succ = np.zeros(7, dtype=np.int64)
    for i in range(len(rows)):
        bit = 0
        for u in range(6):
            succ[u] = 0
            for v in range(u + 1, 7):
                if rows[i, bit] != 0:
                    succ[u] |= 1 << v
                bit += 1
        for inner in range(32):
            at = 0
            length = 0
            power = 1
            index = 0
            for v in range(1, 6):
                if (inner >> (v - 1)) & 1:
                    if not (succ[at] >> v) & 1:
                        at = -1
                        break
                    index += rows[i, 20 + v] * power
                    power *= 3
                    length += 1
                    at = v
            if at >= 0 and (succ[at] >> 6) & 1:
                out[i, starts[length] + index] += 1


class NASBench101Space(GraphSpace):
    """423,624 cells; see the module's docstring for variables, validity and ids.

    Args:
        edge_limit: "pruned" or "raw", whether the limit of 9 edges counts them after or before pruning.
    """

    name = "nasbench101"

    def __init__(self, edge_limit: str = "pruned") -> None:
        self.edge_limit = check_choice("benchmark.edge_limit", edge_limit, EDGE_LIMITS)
        self._cells = _cells.cells()
        self._packed = self._cells.packed
        if edge_limit == "raw":
            self._packed = np.where(
                np.bitwise_count(np.arange(1 << EDGES)) > MAX_EDGES, self._cells.invalid, self._packed
            )
        self.variables = tuple(
            [Variable(f"edge_{u}_{v}", ("0", "1"), "edge") for u, v in zip(_TAILS, _HEADS)]
            + [Variable(f"op_{v}", OPERATIONS, "op") for v in range(1, INNER + 1)]
        )

    @property
    def num_cells(self) -> int:
        """423,624."""
        return len(self._cells.vertices)

    @property
    def cell_vertices(self) -> np.ndarray:
        """int8[num_cells]: the number of vertices of each cell, 2 to 7."""
        return self._cells.vertices

    def is_valid(self, architectures: np.ndarray) -> np.ndarray:
        """bool[...]: whether each row of int[..., 26] is a valid string. A value out of its range makes a
        string invalid."""
        return self.cell_id(architectures) >= 0

    def cell_id(self, architectures: np.ndarray) -> np.ndarray:
        """int64[...]: the id of each string int[..., 26]; -1 where it is invalid."""
        rows, shape = self._rows(architectures)
        out = np.empty(len(rows), dtype=np.int64)
        strings = np.empty(len(rows), dtype=np.int64)
        _strings(rows, strings)
        _look_up(strings, self._packed, self._cells.gather, self._cells.ids, out)
        return out.reshape(shape)

    def architecture(self, cell_id: np.ndarray | int) -> np.ndarray:
        """int64[..., 26]: the representative of each cell. Its inner vertices come first, in the order of the
        enumeration; vertices that it lacks are without edges and carry conv1x1.

        Raises:
            ConfigError: for an id outside 0 .. num_cells - 1.
        """
        ids = self.check_ids(cell_id)
        masks, codes = _masks()
        flat = ids.reshape(-1)
        out = np.empty((len(flat), NUM_VARIABLES), dtype=np.int64)
        _unpack_all(masks[flat], codes[flat], out)
        return out.reshape(*ids.shape, NUM_VARIABLES)

    def sample(
        self, streams: Streams, count: int, purpose: str = "sample", rows: np.ndarray | None = None
    ) -> np.ndarray:
        """Draw valid strings uniformly, by rejection, each trial from its own stream: int64[T or len(rows),
        count, 26]."""
        rows = np.arange(streams.trials) if rows is None else np.asarray(rows, dtype=np.int64)
        out = np.empty((len(rows), count, NUM_VARIABLES), dtype=np.int64)
        _sample(streams.typed(purpose), rows, self._packed, self._cells.invalid, out)
        return out

    def sample_rng(self, rng: np.random.Generator, shape: int | tuple[int, ...] = ()) -> np.ndarray:
        """Draw valid strings uniformly from a single generator: int64[*shape, 26]."""
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        total = int(np.prod(shape, dtype=np.int64))
        parts: list[np.ndarray] = [np.empty((0, NUM_VARIABLES), dtype=np.int64)]
        have = 0
        while have < total:
            strings = rng.integers(0, STRINGS, size=max(16, 2 * (total - have)))
            drawn = np.empty((len(strings), NUM_VARIABLES), dtype=np.int64)
            _unpack_all(strings & ((1 << EDGES) - 1), strings >> EDGES, drawn)
            parts.append(drawn[self.is_valid(drawn)])
            have += len(parts[-1])
        return np.concatenate(parts)[:total].reshape(*shape, NUM_VARIABLES)

    def graph(self, architecture: np.ndarray) -> tuple[np.ndarray, list[str]]:
        """The pruned graph of one valid string: adjacency int8[V, V] and V labels, "input", ..., "output",
        vertices in the string's order.

        Raises:
            ConfigError: for an invalid string.
        """
        row = np.asarray(architecture)
        if row.shape != (NUM_VARIABLES,) or not self.is_valid(row):
            raise ConfigError(
                f"architecture {row.tolist()} is no valid string of space '{self.name}' "
                f"(edge_limit={self.edge_limit})."
            )
        matrix = np.zeros((VERTICES, VERTICES), dtype=np.int8)
        matrix[_TAILS, _HEADS] = row[:EDGES]
        keep = int(self._cells.packed[_bits(row)]) & 31
        kept = [0, *(v for v in range(1, INNER + 1) if keep >> (v - 1) & 1), VERTICES - 1]
        labels = ["input", *(OPERATIONS[row[EDGES + v - 1]] for v in kept[1:-1]), "output"]
        return matrix[np.ix_(kept, kept)], labels

    def from_graph(self, matrix: np.ndarray, ops: list[str]) -> np.ndarray:
        """A string int64[26] of the graph with adjacency [V, V], 2 <= V <= 7, and V labels with the ends.

        The official names ("conv3x3-bn-relu") are taken too. The graph need not be pruned, and the string
        need not be valid.

        Raises:
            ConfigError: for a matrix that is no upper triangular 0/1 matrix of at most 7 vertices, or labels
                that do not fit it.
        """
        matrix = np.asarray(matrix)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not 2 <= len(matrix) <= VERTICES:
            raise ConfigError(
                f"adjacency matrix of shape {matrix.shape} does not fit; accepted: [V, V] with V from 2 to "
                f"{VERTICES}."
            )
        if not np.isin(matrix, (0, 1)).all() or np.tril(matrix).any():
            raise ConfigError(
                "adjacency matrix is not upper triangular with entries 0 and 1, zero on the diagonal."
            )
        n = len(matrix)
        names = [str(op).removesuffix("-bn-relu") for op in ops]
        if len(names) != n or names[0] != "input" or names[-1] != "output":
            raise ConfigError(
                f"operations {list(ops)} do not fit {n} vertices; accepted: 'input', {n - 2} operations, "
                "'output'."
            )
        row = np.zeros(NUM_VARIABLES, dtype=np.int64)
        for v, label in enumerate(names[1:-1], start=1):
            if label not in OPERATIONS:
                raise ConfigError(
                    f"operation '{ops[v]}' is not known{nearest(label, OPERATIONS)}; accepted: "
                    f"{', '.join(OPERATIONS)}."
                )
            row[EDGES + v - 1] = OPERATIONS.index(label)
        full = np.zeros((VERTICES, VERTICES), dtype=np.int64)
        slots = [*range(n - 1), VERTICES - 1]
        full[np.ix_(slots, slots)] = matrix
        row[:EDGES] = full[_TAILS, _HEADS]
        return row

    def official_hash(self, cell_id: np.ndarray | int) -> np.ndarray | str:
        """The MD5 under which the official table keeps each cell: a string for one id, an array of
        32-character strings for several."""
        ids = self.check_ids(cell_id)
        digests = hashing.hex_digests(self._cells, ids.reshape(-1))
        return str(digests[0]) if ids.ndim == 0 else digests.reshape(ids.shape)

    def from_official_hash(self, digests: np.ndarray | list[str] | str) -> np.ndarray | int:
        """The ids of cells given by their official MD5, int64[...] (an int for one string).

        Raises:
            ConfigError: for what is the hash of no cell.
        """
        names = np.asarray(digests, dtype=str)
        ids = hashing.find(names.reshape(-1))
        if (ids < 0).any():
            raise ConfigError(
                f"'{names.reshape(-1)[ids < 0][0]}' is the official hash of no cell of space '{self.name}'."
            )
        return int(ids[0]) if names.ndim == 0 else ids.reshape(names.shape)

    def encodings(self) -> tuple[str, ...]:
        """`one_hot` (57 features: every choice of every variable), `adjacency` (36: edge bits as they are,
        operations one-hot), `path` (364)."""
        return ("one_hot", "adjacency", "path")

    def path_counts(self, architectures: np.ndarray) -> np.ndarray:
        """int64[..., 364]: how many paths lead from input to output with each sequence of operations.

        Shorter sequences come first: one of length l with operations o_1 .. o_l has index 1 + 3 + ... +
        3^(l-1) + sum_i 3^(i-1) o_i, as in BANANAS (White et al. 2021, section 4), so that a truncated
        encoding is a prefix.

        Raises:
            ConfigError: for an operation out of range.
        """
        rows, shape = self._rows(architectures)
        ops = rows[:, EDGES:]
        if len(rows) and not 0 <= ops.min() <= ops.max() < len(OPERATIONS):
            raise ConfigError(
                f"operation {ops.min() if ops.min() < 0 else ops.max()} is out of range in space "
                f"'{self.name}'; accepted: 0 to {len(OPERATIONS) - 1}."
            )
        out = np.zeros((len(rows), NUM_PATHS), dtype=np.int64)
        _paths(rows, _PATH_STARTS, out)
        return out.reshape(*shape, NUM_PATHS)

    def _encode(self, architectures: np.ndarray, kind: str) -> np.ndarray:
        if kind == "path":
            return (self.path_counts(architectures) > 0).astype(np.float32)
        if kind == "adjacency":
            ops = (architectures[..., EDGES:, None] == np.arange(len(OPERATIONS))).astype(np.float32)
            edges = architectures[..., :EDGES].astype(np.float32)
            return np.concatenate([edges, ops.reshape(*ops.shape[:-2], INNER * len(OPERATIONS))], axis=-1)
        return super()._encode(architectures, kind)

    def _rows(self, architectures: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
        """Rows int64 or int8 [n, 26], contiguous, and the leading shape."""
        rows = np.asarray(architectures)
        if rows.ndim < 1 or rows.shape[-1] != NUM_VARIABLES or rows.dtype.kind not in "iub":
            raise ConfigError(
                f"architectures of shape {rows.shape} and type {rows.dtype} do not fit; accepted: int[..., "
                f"{NUM_VARIABLES}]."
            )
        shape = rows.shape[:-1]
        wanted = np.int8 if rows.dtype == np.int8 else np.int64
        return np.ascontiguousarray(rows.reshape(-1, NUM_VARIABLES), dtype=wanted), shape


def _bits(row: np.ndarray) -> int:
    return int((row[:EDGES].astype(np.int64) << np.arange(EDGES)).sum())


@lru_cache(maxsize=1)
def _masks() -> tuple[np.ndarray, np.ndarray]:
    """Mask and code of every cell's representative among seven vertices: int64[n] each."""
    tables = _cells.cells()
    masks = np.zeros(len(tables.vertices), dtype=np.int64)
    for n in range(2, VERTICES + 1):
        rows = np.flatnonzero(tables.vertices == n)
        slots = np.array([*range(n - 1), VERTICES - 1])
        for small, (u, v) in enumerate(zip(*np.triu_indices(n, k=1))):
            u, v = slots[u], slots[v]
            masks[rows] |= ((tables.forms[rows].astype(np.int64) >> small) & 1) << int(
                u * VERTICES - u * (u + 1) // 2 + v - u - 1
            )
    return masks, tables.codes.astype(np.int64)


__all__ = ["CODES", "EDGE_LIMITS", "NUM_PATHS", "OPERATIONS", "NASBench101Space", "enumeration_checksum"]
