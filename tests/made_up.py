"""Tables and files of the right form with made-up values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from bench.plain import tfrecord as plain
from nas_bench_suite.benchmarks import transnas101 as transnas
from nas_bench_suite.benchmarks.nasbench101 import records
from nas_bench_suite.benchmarks.nasbench101.space import NASBench101Space
from nas_bench_suite.benchmarks.nasbench201 import DATASETS, NASBench201Space


def tabular() -> pd.DataFrame:
    """36 cells of three variables, two validation runs, a lower fidelity, seconds."""
    table = pd.DataFrame(
        list(product((1, 2, 10), (16, 32, 64, 128), ("relu", "tanh", "elu"))),
        columns=["depth", "width", "activation"],
    )
    rng = np.random.default_rng(0)
    for name in ("validation_0", "validation_1", "test"):
        table[name] = rng.uniform(0.5, 0.9, len(table)).round(4)
    table["seconds"] = rng.uniform(10, 90, len(table)).round(1)
    return table


def nasbench201() -> pd.DataFrame:
    """NAS-Bench-201's cells; the published best test accuracies stand in the first row."""
    space, rng = NASBench201Space(), np.random.default_rng(0)
    table = pd.DataFrame(
        {"ops": ["".join(map(str, row)) for row in space.architecture(np.arange(space.num_cells))]}
    )
    for dataset, best in zip(DATASETS, (94.3733, 73.5133, 47.3111)):
        for run in range(3):
            table[f"{dataset}_validation_run{run}"] = rng.uniform(5, 40, len(table)).round(3)
        for name in ("test", "validation_epoch12", "test_epoch12"):
            table[f"{dataset}_{name}"] = rng.uniform(5, 40, len(table)).round(3)
        table[f"{dataset}_training_seconds"] = rng.uniform(500, 4000, len(table)).round(1)
        table.loc[0, f"{dataset}_test"] = best
        table.loc[1::2, f"{dataset}_validation_run2"] = np.nan
    return table


def transnas101() -> pd.DataFrame:
    """TransNAS-Bench-101's architectures of both spaces."""
    cells = [f"64-41414-{a}_{b}{c}_{d}{e}{f}" for a, b, c, d, e, f in product("0123", repeat=6)]
    deep = ["".join(digits) for depth in (4, 5, 6) for digits in product("1234", repeat=depth)]
    networks = [f"64-{modules}-basic" for modules in deep[: transnas.SPACES["macro"]]]
    table = pd.DataFrame({"architecture": networks + cells})
    table["space"] = ["macro"] * len(networks) + ["micro"] * len(cells)
    rng = np.random.default_rng(0)
    for task, metric in transnas.TASKS.items():
        low, high = {"top1": (20, 90), "mIoU": (5, 30), "ssim": (0.2, 0.7), "neg_loss": (-1, -0.5)}[metric]
        for kind in ("validation", "test"):
            table[f"{task}_{kind}_{metric}"] = rng.uniform(low, high, len(table)).round(6)
        table[f"{task}_seconds"] = rng.uniform(500, 4000, len(table)).round(1)
    return table


CELLS = (0, 3, 50, 90, 2_000, 40_000, 64_500, 300_000, 423_623)


def payloads(
    cells: Sequence[int] = CELLS,
    budgets: Sequence[int] = (108,),
    seed: int = 0,
    runs: int = 3,
    single: bool = True,
    checkpoint: bytes | None = None,
) -> list[bytes]:
    """Payloads of NASBench-101's official file: cells with random values, in random order of cells."""
    space, rng = NASBench101Space(), np.random.default_rng(seed)
    grid = records.SINGLE if single else records.DOUBLE
    out = []
    for cell in rng.permutation(cells):
        matrix, ops = space.graph(space.architecture(int(cell)))
        for budget in budgets:
            for _ in range(runs):
                k = rng.integers(0, 9985, 6)
                half, final = rng.uniform(1, 4000, 2).astype(np.float32).astype(float)
                values = (half, *grid[k[:3]]), (final, *grid[k[3:]])
                name, parameters = str(space.official_hash(int(cell))), 300_000 + int(cell)
                out.append(plain.payload(name, budget, matrix, ops, parameters, *values, checkpoint))
    return out


def write(path: Path, records_of_it: Iterable[bytes]) -> Path:
    """An official file with these payloads."""
    plain.write(path, records_of_it)
    return path
