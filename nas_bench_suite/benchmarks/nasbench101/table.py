"""The official NASBench-101 table as a benchmark: `load_benchmark("nasbench101")`.

Notation: B budgets, n cells that the table holds (all 423,624 unless it is partial); a *row* is a cell's
place in the table's arrays.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nas_bench_suite.benchmark import Benchmark, Evaluation, Facts, Lookups
from nas_bench_suite.benchmarks.nasbench101 import tablefile
from nas_bench_suite.benchmarks.nasbench101.records import DOUBLE, SINGLE
from nas_bench_suite.benchmarks.nasbench101.space import NASBench101Space, enumeration_checksum
from nas_bench_suite.checks import ConfigError

RUNS = 3
_END, _VALIDATION, _TEST = 1, 1, 2


def _place(path: Any) -> Path:
    """Where the table lies, by `benchmark.path`."""
    if path is None:
        return tablefile.default_path()
    try:
        if isinstance(path, (str, Path)) and str(path):
            return Path(path).expanduser()
    except RuntimeError:  # a home folder that is none
        pass
    raise ConfigError(f"benchmark.path={path} is no path; accepted: the imported table, {tablefile.HOW}.")


class NASBench101(Benchmark):
    """Three runs of every cell at every budget of the imported file.

    Args:
        path: the compact file that `python -m nas_bench_suite.benchmarks.nasbench101 import` wrote; left out:
            the one in `$NAS_BENCH_SUITE_DATA` or the cache folder.
        edge_limit: see `NASBench101Space`.

    Raises:
        ConfigError: if there is no table (with how to get it), or it is damaged.
    """

    name = "nasbench101"
    num_runs = RUNS

    def __init__(self, path: str | Path | None = None, edge_limit: str = "pruned") -> None:
        self.space: NASBench101Space = NASBench101Space(edge_limit)
        self.path = _place(path)
        self.header, self.arrays = tablefile.read(self.path)
        if self.header["enumeration"] != enumeration_checksum():
            raise ConfigError(
                f"{self.path} numbers the cells in another way than this version. Import the official file "
                "again."
            )
        self.fidelities = tuple(self.header["budgets"])
        cells = self.arrays["cells"]
        self.partial = len(cells) < self.space.num_cells
        self.grid = SINGLE if self.header["precision"] == "single" else DOUBLE
        self._rows: np.ndarray | None = None
        if self.partial:
            self._rows = np.full(self.space.num_cells, -1, dtype=np.int32)
            self._rows[cells] = np.arange(len(cells), dtype=np.int32)

    def rows(self, cell_ids: np.ndarray | int) -> np.ndarray:
        """int64[...]: the rows of cells int64[...].

        Raises:
            ConfigError: for an id that is out of range or that a partial table lacks.
        """
        return self._held(self.space.check_ids(cell_ids))

    def _held(self, ids: np.ndarray) -> np.ndarray:
        if self._rows is None:
            return ids
        rows: np.ndarray = self._rows[ids].astype(np.int64)
        if (rows < 0).any():
            cell = int(ids[rows < 0].flat[0])
            raise ConfigError(
                f"cell {cell} ({self.space.official_hash(cell)}) is missing from {self.path}, which is "
                "partial: it holds "
                f"{len(self.arrays['cells']):,} of {self.space.num_cells:,} cells."
            )
        return rows

    def look_up(self, lookups: Lookups) -> Evaluation:
        """See `Benchmark.look_up`. "mean" averages accuracies and seconds over the three runs."""
        rows, budget, runs = self._held(lookups.cells), self.levels(lookups.fidelities), lookups.runs
        accuracies, seconds = self.arrays["accuracies"], self.arrays["seconds"]
        if isinstance(runs, str):
            rows, budget = np.broadcast_arrays(rows, budget)
            values = self.grid[accuracies[budget, rows, :, _END, 1:]].mean(axis=-2)
            return Evaluation(
                values[..., 0], values[..., 1], seconds[budget, rows, :, _END].mean(axis=-1, dtype=np.float64)
            )
        rows, budget, runs = np.broadcast_arrays(rows, budget, runs)
        return Evaluation(
            self.grid[accuracies[budget, rows, runs, _END, _VALIDATION]],
            self.grid[accuracies[budget, rows, runs, _END, _TEST]],
            seconds[budget, rows, runs, _END].astype(np.float64),
        )

    def facts(self) -> Facts:
        """What the table is; `best_mean_test` and `best_single_test` are of the cells that it holds.
        `partial` says that it lacks cells, and `failed` which published facts do not hold (see
        `published.PUBLISHED`); the description repeats both, and `notice`, where there is one, is the
        sentence that a listing must carry."""
        held, total = len(self.arrays["cells"]), self.space.num_cells
        failed = [entry["fact"] for entry in self.header["checked"] if not entry["holds"]]
        lacking = notice = ""
        if self.partial:
            lacking = f", PARTIAL: {held:,} of {total:,} cells"
            notice = f"The NASBench-101 table is PARTIAL: it holds {held:,} of {total:,} cells."
        elif failed:
            lacking = f", {len(failed)} published facts FAIL: this is not the official table"
            notice = (
                f"This is not the official NASBench-101 table: {len(failed)} published facts FAIL "
                f"({', '.join(failed)})."
            )
        return {
            "name": self.name,
            "description": "NASBench-101, the official table (CIFAR-10), "
            f"{'/'.join(map(str, self.fidelities))} epochs{lacking}",
            "source": f"Ying et al. 2019, imported from {self.header['source']['name']}",
            "checksum": self.header["checksum"],
            "surrogate": False,
            "partial": self.partial,
            "failed": failed,
            "notice": notice,
            "cells": held,
            "best_mean_test": self.header["found"]["best_mean_test"],
            "best_single_test": self.header["found"]["best_single_test"],
            "best_mean_validation": self.header["found"]["best_mean_validation"],
        }

    def levels(self, fidelities: np.ndarray | int | None) -> np.ndarray:
        try:
            return super().levels(fidelities)
        except ConfigError as error:
            if len(self.fidelities) == 4:
                raise
            more = "(nasbench_full.tfrecord holds 4, 12, 36 and 108 epochs)"
            raise ConfigError(f"{str(error).removesuffix('.')} {more}.") from None
