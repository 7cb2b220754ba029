"""What the `nasbench` library promises, on dictionaries read record by record: the twin of
`nas_bench_suite.benchmarks.nasbench101.compat`."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.plain import nasbench101, tfrecord

OPS = ["conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"]


Matrix = Sequence[Sequence[int]] | np.ndarray


class Api:
    """The library's class; `spent` are training seconds and epochs of its queries."""

    def __init__(self, path: str | Path, seed: int | None = None) -> None:
        random.seed(seed)
        self.fixed, self.computed = tfrecord.read(path)
        self.spent = [0.0, 0]

    def why_invalid(self, matrix: Matrix, ops: Sequence[str]) -> tuple[str | None, nasbench101.Graph | None]:
        """The pruned graph, or a word for what is wrong with it."""
        pruned = nasbench101.prune([[int(bit) for bit in row] for row in matrix], list(ops))
        if pruned is None:
            return "disconnected", None
        if len(pruned[1]) > 7:
            return "too many vertices", None
        if sum(map(sum, pruned[0])) > 9:
            return "too many edges", None
        if pruned[1][0] != "input":
            return "first operation", None
        if pruned[1][-1] != "output":
            return "last operation", None
        if any(op not in OPS for op in pruned[1][1:-1]):
            return "unsupported op", None
        return None, pruned

    def metrics(
        self, matrix: Matrix, ops: Sequence[str]
    ) -> tuple[dict[str, Any], dict[int, list[tfrecord.Point]]]:
        _, pruned = self.why_invalid(matrix, ops)
        assert pruned is not None
        name = nasbench101.hash_graph(*pruned)
        return self.fixed[name], self.computed[name]

    def query(
        self, matrix: Matrix, ops: Sequence[str], epochs: int = 108, halfway: bool = False
    ) -> dict[str, Any]:
        fixed, computed = self.metrics(matrix, ops)
        point = computed[epochs][random.randint(0, 2)]
        part = "halfway" if halfway else "final"
        self.spent[0] += point[f"{part}_training_time"]
        self.spent[1] += epochs // 2 if halfway else epochs
        return {
            "module_adjacency": np.array(fixed["module_adjacency"], dtype=np.int8),
            "module_operations": fixed["module_operations"],
            "trainable_parameters": fixed["trainable_parameters"],
            **{
                name: point[f"{part}_{name}"]
                for name in ("training_time", "train_accuracy", "validation_accuracy", "test_accuracy")
            },
        }
