"""A drop-in for code written against Google's `nasbench` library, on the imported table and without
TensorFlow.

`from nas_bench_suite.benchmarks.nasbench101 import compat as api`, then `api.NASBench()`,
`api.ModelSpec(matrix, ops)`, `api.OutOfDomainError` as before: same methods, keys and semantics, the same
draws from Python's `random` for the same seed, matrices and operations as the official file records them.
`evaluate` (training a network) is not offered. What the library keeps as dictionaries of all cells
(`fixed_statistics`, `computed_statistics`) is looked up instead.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nas_bench_suite.benchmarks.nasbench101.cells import INNER, MAX_EDGES, VERTICES
from nas_bench_suite.benchmarks.nasbench101.hashing import graph_hash
from nas_bench_suite.benchmarks.nasbench101.records import OFFICIAL_NAMES
from nas_bench_suite.benchmarks.nasbench101.table import RUNS, NASBench101
from nas_bench_suite.checks import ConfigError

AVAILABLE_OPS = ["conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"]
_METRICS = ("train_accuracy", "validation_accuracy", "test_accuracy")


class OutOfDomainError(Exception):
    """The graph or the number of epochs lies outside the search space."""


class ModelSpec:
    """A cell as a matrix and labels, pruned to what lies on paths from input to output.

    Attributes:
        matrix, ops: the pruned graph; None if the input is not connected to the output, and then `valid_spec`
            is False.
        original_matrix, original_ops: as given.
    """

    def __init__(self, matrix: Any, ops: list[str], data_format: str = "channels_last") -> None:
        """Copy and prune.

        Args:
            matrix: [V, V], upper triangular; an edge is any entry that is not zero.
            ops: V labels, the ends included.
            data_format: kept for callers that pass it.

        Raises:
            ValueError: if the matrix is not square, does not fit the labels or is not upper triangular.
        """
        matrix = np.array(matrix)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise ValueError("matrix must be square")
        if len(matrix) != len(ops):
            raise ValueError("length of ops must match matrix dimensions")
        if np.tril(matrix).any():
            raise ValueError("matrix must be upper triangular")
        self.original_matrix = matrix
        self.original_ops = copy.deepcopy(ops)
        self.data_format = data_format
        self.matrix: Any = None
        self.ops: Any = None
        kept = _on_paths(matrix)
        self.valid_spec = bool(kept)
        if kept:
            self.matrix = matrix[np.ix_(kept, kept)].copy()
            self.ops = [copy.deepcopy(ops[v]) for v in kept]

    def hash_spec(self, canonical_ops: list[str]) -> str:
        """The official hash: labels are places in `canonical_ops`."""
        return graph_hash(self.matrix != 0, [-1, *(canonical_ops.index(op) for op in self.ops[1:-1]), -2])


def _on_paths(matrix: np.ndarray) -> list[int]:
    """The vertices on paths from first to last, ascending; empty if there is no path."""
    n = len(matrix)
    forward = [False] * n
    backward = [False] * n
    forward[0] = backward[n - 1] = True
    for v in range(1, n):
        forward[v] = any(forward[u] and matrix[u, v] for u in range(v))
    for v in range(n - 2, -1, -1):
        backward[v] = any(backward[w] and matrix[v, w] for w in range(v + 1, n))
    return [v for v in range(n) if forward[v] and backward[v]] if n > 1 and forward[n - 1] else []


class NASBench:
    """The table, with budget counters."""

    def __init__(self, dataset_file: str | Path | None = None, seed: Any = None) -> None:
        """Open a table.

        Args:
            dataset_file: the imported table (not the .tfrecord file); None: the installed one.
            seed: of Python's `random`, which draws the runs.

        Raises:
            ConfigError: if there is no table at that place, with how to get it.
        """
        random.seed(seed)
        self._table = NASBench101(dataset_file)
        self.config: dict[str, Any] = {
            "module_vertices": VERTICES,
            "max_edges": MAX_EDGES,
            "num_repeats": RUNS,
            "available_ops": list(AVAILABLE_OPS),
        }
        self.valid_epochs = set(self._table.fidelities)
        self.training_time_spent = 0.0
        self.total_epochs_spent = 0

    def query(self, model_spec: ModelSpec, epochs: int = 108, stop_halfway: bool = False) -> dict[str, Any]:
        """One of the three runs at random, at the end or half-way; adds to the budget counters.

        Returns: `module_adjacency` int8[V, V], `module_operations`, `trainable_parameters`, `training_time`
            (seconds), `train_accuracy`, `validation_accuracy`, `test_accuracy` (fractions).

        Raises:
            OutOfDomainError: for a graph or epochs outside the space.
        """
        if epochs not in self.valid_epochs:
            raise OutOfDomainError(f"invalid number of epochs, must be one of {self.valid_epochs}")
        row = self._row(model_spec)
        point = self._point(row, epochs, random.randint(0, RUNS - 1))
        part = "halfway" if stop_halfway else "final"
        data = self._fixed(row) | {name: point[f"{part}_{name}"] for name in ("training_time", *_METRICS)}
        self.training_time_spent += data["training_time"]
        self.total_epochs_spent += epochs // 2 if stop_halfway else epochs
        return data

    def is_valid(self, model_spec: ModelSpec) -> bool:
        """Whether the spec lies within the space. Costs nothing."""
        try:
            self._check_spec(model_spec)
        except OutOfDomainError:
            return False
        return True

    def get_budget_counters(self) -> tuple[float, int]:
        """(seconds, epochs) spent by queries."""
        return self.training_time_spent, self.total_epochs_spent

    def reset_budget_counters(self) -> None:
        """Set both counters to zero."""
        self.training_time_spent = 0.0
        self.total_epochs_spent = 0

    def hash_iterator(self) -> Iterator[str]:
        """All hashes, in the order of the official file."""
        cells = self._table.arrays["cells"]
        order = self._table.arrays["order"]
        for start in range(0, len(order), 4096):
            yield from self._table.space.official_hash(
                cells[order[start : start + 4096]].astype(np.int64)
            ).tolist()  # type: ignore[union-attr]

    def get_metrics_from_hash(
        self, module_hash: str
    ) -> tuple[dict[str, Any], dict[int, list[dict[str, float]]]]:
        """(fixed statistics, {epochs: three points}) of a hash; costs nothing.

        Raises:
            KeyError: for what is no hash of the table.
        """
        try:
            row = int(self._table.rows(self._table.space.from_official_hash(module_hash)))
        except ConfigError:
            raise KeyError(module_hash) from None
        return self._fixed(row), {
            epochs: [self._point(row, epochs, run) for run in range(RUNS)]
            for epochs in self._table.fidelities
        }

    def get_metrics_from_spec(
        self, model_spec: ModelSpec
    ) -> tuple[dict[str, Any], dict[int, list[dict[str, float]]]]:
        """The same for a spec.

        Raises:
            OutOfDomainError: for a spec outside the space.
        """
        row = self._row(model_spec)
        return self._fixed(row), {
            epochs: [self._point(row, epochs, run) for run in range(RUNS)]
            for epochs in self._table.fidelities
        }

    def _row(self, model_spec: ModelSpec) -> int:
        """Raises KeyError, as a dictionary would, for a cell that a partial table lacks."""
        self._check_spec(model_spec)
        space = self._table.space
        cell = space.cell_id(
            space.from_graph((np.asarray(model_spec.matrix) != 0).astype(np.int64), model_spec.ops)
        )
        try:
            return int(self._table.rows(cell))
        except ConfigError as error:
            raise KeyError(str(error)) from None

    def _fixed(self, row: int) -> dict[str, Any]:
        arrays = self._table.arrays
        n = int(self._table.space.cell_vertices[arrays["cells"][row]])
        matrix = np.zeros((n, n), dtype=np.int8)
        matrix[np.triu_indices(n, k=1)] = (int(arrays["forms"][row]) >> np.arange(n * (n - 1) // 2)) & 1
        code = int(arrays["codes"][row])
        inner = [OFFICIAL_NAMES[code // 3**v % 3] for v in range(INNER)][: n - 2]
        return {
            "module_adjacency": matrix,
            "module_operations": ["input", *inner, "output"],
            "trainable_parameters": int(arrays["parameters"][row]),
        }

    def _point(self, row: int, epochs: int, run: int) -> dict[str, float]:
        budget = self._table.fidelities.index(epochs)
        point = {}
        for half, part in enumerate(("halfway", "final")):
            point[f"{part}_training_time"] = float(self._table.arrays["seconds"][budget, row, run, half])
            for metric, name in enumerate(_METRICS):
                point[f"{part}_{name}"] = float(
                    self._table.grid[self._table.arrays["accuracies"][budget, row, run, half, metric]]
                )
        return point

    def _check_spec(self, model_spec: ModelSpec) -> None:
        if not model_spec.valid_spec:
            raise OutOfDomainError("invalid spec, provided graph is disconnected.")
        vertices, edges = len(model_spec.ops), np.sum(model_spec.matrix)
        if vertices > VERTICES:
            raise OutOfDomainError(f"too many vertices, got {vertices} (max vertices = {VERTICES})")
        if edges > MAX_EDGES:
            raise OutOfDomainError(f"too many edges, got {edges} (max edges = {MAX_EDGES})")
        if model_spec.ops[0] != "input":
            raise OutOfDomainError("first operation should be 'input'")
        if model_spec.ops[-1] != "output":
            raise OutOfDomainError("last operation should be 'output'")
        for op in model_spec.ops[1:-1]:
            if op not in AVAILABLE_OPS:
                raise OutOfDomainError(f"unsupported op {op} (available ops = {AVAILABLE_OPS})")
