"""`nasbench.api`: the table behind the library's interface, opened from whatever there is.

Notation: a *row* is the place of a cell in the table.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nas_bench_suite.benchmark import Lookups
from nas_bench_suite.benchmarks.nasbench101 import compat
from nas_bench_suite.benchmarks.nasbench101.compat import ModelSpec, OutOfDomainError
from nas_bench_suite.benchmarks.nasbench101.importer import import_file
from nas_bench_suite.benchmarks.nasbench101.surrogate import NASBench101Surrogate
from nas_bench_suite.benchmarks.nasbench101.table import RUNS
from nas_bench_suite.checks import ConfigError
from nas_bench_suite.nasbench.lib import config as _config

__all__ = ["ModelSpec", "NASBench", "OutOfDomainError"]
SURROGATE = "surrogate"


class NASBench(compat.NASBench):
    """The table, with budget counters.

    Args:
        dataset_file: an official `.tfrecord` file, which is imported once, to a `.table` file beside it; an
            imported table; None, for the installed one; or "surrogate", for the model of NASBench-101 that
            ships with the suite, which is not the table (docs/surrogate.md) and says so.
        seed: of Python's `random`, which draws the runs.

    Raises:
        ConfigError: if there is no table at that place, or the file cannot be imported.
    """

    def __init__(self, dataset_file: str | Path | None = None, seed: Any = None) -> None:
        super().__init__(_imported(dataset_file), seed)
        self._complete()

    def __new__(cls, dataset_file: str | Path | None = None, seed: Any = None) -> NASBench:
        return object.__new__(_Surrogate if str(dataset_file) == SURROGATE else cls)

    def _complete(self) -> None:
        self.dataset_file = None
        self.config = _config.build_config()
        self.history: dict[str, Any] = {}
        self.fixed_statistics: Mapping[str, dict[str, Any]] = _Lazy(
            self, lambda name: self.get_metrics_from_hash(name)[0]
        )
        self.computed_statistics: Mapping[str, dict[int, list[dict[str, float]]]] = _Lazy(
            self, lambda name: self.get_metrics_from_hash(name)[1]
        )

    def hash_iterator(self) -> Any:
        """All hashes, in the order of the official file; it has a length."""
        return self.fixed_statistics.keys()

    def _hashes(self) -> Iterator[str]:
        yield from super().hash_iterator()

    def _count(self) -> int:
        return len(self._table.arrays["order"])

    def _hash_spec(self, model_spec: ModelSpec) -> str:
        """The hash of a spec."""
        return model_spec.hash_spec(self.config["available_ops"])


class _Lazy(Mapping[str, Any]):
    """A dictionary of all cells that looks each up when it is asked for."""

    def __init__(self, owner: NASBench, look_up: Callable[[str], Any]) -> None:
        self._owner, self._look_up = owner, look_up

    def __getitem__(self, name: str) -> Any:
        if not isinstance(name, str):
            raise KeyError(name)
        return self._look_up(name)

    def __iter__(self) -> Iterator[str]:
        return self._owner._hashes()

    def __len__(self) -> int:
        return self._owner._count()


class _Surrogate(NASBench):
    """The same interface over the surrogate: runs at 4, 12, 36 and 108 epochs. It knows no training accuracy
    (NaN) and no half-way point (refused)."""

    def __init__(self, dataset_file: str | Path | None = None, seed: Any = None) -> None:
        print("NASBench: this is a surrogate of NASBench-101, not its table.", file=sys.stderr)
        random.seed(seed)
        self._model = NASBench101Surrogate()
        self.valid_epochs = set(self._model.fidelities)
        self.training_time_spent = 0.0
        self.total_epochs_spent = 0
        self._complete()

    def query(self, model_spec: ModelSpec, epochs: int = 108, stop_halfway: bool = False) -> dict[str, Any]:
        if stop_halfway:
            raise OutOfDomainError("the surrogate knows no half-way point; use stop_halfway=False")
        if epochs not in self.valid_epochs:
            raise OutOfDomainError(f"invalid number of epochs, must be one of {self.valid_epochs}")
        cell = self._row(model_spec)
        point = self._point(cell, epochs, random.randint(0, RUNS - 1))
        data = self._fixed(cell) | {name.removeprefix("final_"): value for name, value in point.items()}
        self.training_time_spent += data["training_time"]
        self.total_epochs_spent += epochs
        return data

    def get_metrics_from_hash(
        self, module_hash: str
    ) -> tuple[dict[str, Any], dict[int, list[dict[str, float]]]]:
        try:
            cell = int(self._model.space.from_official_hash(module_hash))
        except ConfigError:
            raise KeyError(module_hash) from None
        return self._metrics(cell)

    def get_metrics_from_spec(
        self, model_spec: ModelSpec
    ) -> tuple[dict[str, Any], dict[int, list[dict[str, float]]]]:
        return self._metrics(self._row(model_spec))

    def _metrics(self, cell: int) -> tuple[dict[str, Any], dict[int, list[dict[str, float]]]]:
        return self._fixed(cell), {
            epochs: [self._point(cell, epochs, run) for run in range(RUNS)]
            for epochs in self._model.fidelities
        }

    def _row(self, model_spec: ModelSpec) -> int:
        self._check_spec(model_spec)
        matrix = (np.asarray(model_spec.matrix) != 0).astype(np.int64)
        space = self._model.space
        return int(space.cell_id(space.from_graph(matrix, model_spec.ops)))

    def _fixed(self, row: int) -> dict[str, Any]:
        matrix, ops = self._model.space.graph(self._model.space.architecture(row))
        names = [f"{op}-bn-relu" if op.startswith("conv") and "-" not in op else op for op in ops]
        return {
            "module_adjacency": matrix.astype(np.int8),
            "module_operations": names,
            "trainable_parameters": int(self._model.trainable_parameters(np.array([row]))[0]),
        }

    def _point(self, row: int, epochs: int, run: int) -> dict[str, float]:
        found = self._model.query(Lookups(np.array([row]), run, epochs))
        return {
            "final_training_time": float(found.seconds[0]),
            "final_train_accuracy": float("nan"),
            "final_validation_accuracy": float(found.validation[0]),
            "final_test_accuracy": float(found.test[0]),
        }

    def _hashes(self) -> Iterator[str]:
        for start in range(0, self._count(), 4096):
            cells = np.arange(start, min(start + 4096, self._count()))
            yield from self._model.space.official_hash(cells)

    def _count(self) -> int:
        assert self._model.space.num_cells is not None
        return self._model.space.num_cells


def _imported(path: str | Path | None) -> str | Path | None:
    """The imported table of an official file; any other path as it is."""
    if path is None or not str(path).endswith(".tfrecord"):
        return path
    source = Path(path).expanduser()
    target = source.with_suffix(".table")
    if not target.exists():
        print(f"NASBench: importing {source} to {target}, once.", file=sys.stderr)
        import_file(source, target, progress=sys.stderr.isatty())
    return target
