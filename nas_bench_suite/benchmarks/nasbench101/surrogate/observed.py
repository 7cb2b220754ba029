"""The observed cells and the published figures that the surrogate is fitted and calibrated to.

Notation and shapes
    N            observed cells
    accuracies   float64[N, 4], validation after 4, 12, 36 and 108 epochs. The last is the best of three runs,
                 the others a single run (values lie on the 1/9984 grid, and against the 91 cells
                 whose mean of three is known the last column lies above the mean by about the expected gap of
                 a maximum, the others on both sides)
"""

from __future__ import annotations

import csv
import io
import os
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nas_bench_suite.benchmarks.reading import inflate
from nas_bench_suite.checks import ConfigError

from .graphs import padded

FIDELITIES = (4, 12, 36, 108)
COLUMNS = (
    "hash",
    "n_vertices",
    "adjacency",
    "ops",
    *(f"validation_accuracy_epoch_{epochs}" for epochs in FIDELITIES),
    "training_seconds",
    "trainable_parameters",
)


class Observed(NamedTuple):
    """Observed cells; see the module's notation."""

    hashes: list[str]
    adjacency: np.ndarray  # bool[N, 7, 7]
    ops: np.ndarray  # int8[N, 7]
    accuracies: np.ndarray  # float64[N, 4]
    seconds: np.ndarray  # float64[N], 108 epochs
    parameters: np.ndarray  # int64[N]


class SmallCells(NamedTuple):
    """The 91 cells of at most 4 vertices: means of three runs (EC-NAS-Bench)."""

    adjacency: np.ndarray  # bool[91, 7, 7]
    ops: np.ndarray  # int8[91, 7]
    validation: np.ndarray  # float64[91, 4]
    test: np.ndarray  # float64[91, 4]


def shared_data() -> Path:
    """The folder with the observed data: ``NBS_SHARED_DATA``, else ``../shared/data`` from the project's
    root.

    Raises:
        ConfigError: if there is no such folder.
    """
    root = Path(__file__).resolve().parents[4]
    folder = Path(os.environ.get("NBS_SHARED_DATA", root.parent / "shared" / "data"))
    if not (folder / "nasbench101").is_dir():
        raise ConfigError(
            f"no folder 'nasbench101' in {folder}; set NBS_SHARED_DATA to the folder that holds the observed "
            "data."
        )
    return folder


def _rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Rows of a CSV file, gzipped or not, with the asked columns present."""
    try:
        with open(path, "rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
        text = inflate(path, ".gz" if zipped else "").decode("utf-8")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        present = next(reader, [])
        missing = [name for name in columns if name not in present]
        if missing:
            raise ConfigError(f"{path} has no column {', '.join(missing)}; needed: {', '.join(columns)}.")
        rows = []
        for fields in filter(None, reader):
            if len(fields) != len(present):
                raise ConfigError(
                    f"{path}, line {reader.line_num}: {len(fields)} fields; accepted: {len(present)}, as "
                    "many as the header has."
                )
            rows.append(dict(zip(present, fields)))
        return rows
    except (OSError, UnicodeDecodeError, EOFError, zlib.error, csv.Error) as error:
        raise ConfigError(f"{path} can't be read as a CSV file, plain or gzipped: {error}.") from None


def load_observed(path: Path) -> Observed:
    """Read a file with the columns of ``observed_25000_cells.csv.gz``.

    Raises:
        ConfigError: if the file can't be read, a column is missing, or a row is malformed (with its line
            number).
    """
    rows = _rows(path, COLUMNS)
    if not rows:
        raise ConfigError(f"{path} holds no rows.")
    matrices, labels, values = [], [], []
    for line, row in enumerate(rows, start=2):
        try:
            names = row["ops"].split(",")
            n = int(row["n_vertices"])
            matrix = _matrix(row["adjacency"], n)
            if len(names) != n or not 2 <= n <= 7 or matrix.max() > 1 or np.tril(matrix).any():
                raise ValueError(
                    "adjacency must be the n x n upper triangle in 0 and 1, with n names in ops, n from 2 to "
                    "7"
                )
            values.append([float(row[name]) for name in COLUMNS[4:]])
            padded([matrix], [names])
            if not np.isfinite(values[-1]).all() or abs(values[-1][-1]) >= 2**31:
                raise ValueError("a value is no finite number")
        except (ValueError, KeyError, OverflowError) as error:
            reason = str(error).splitlines()[0].rstrip(".")
            raise ConfigError(f"{path}, line {line}: {reason}.") from None
        matrices.append(matrix)
        labels.append(names)
    adjacency, ops = padded(matrices, labels)
    table = np.array(values)
    return Observed(
        [row["hash"] for row in rows], adjacency, ops, table[:, :4], table[:, 4], table[:, 5].astype(np.int64)
    )


def load_small_cells(folder: Path) -> SmallCells:
    """Read the published means of three of every cell of at most 4 vertices from the shared data folder."""
    columns = ("hash", "adjacency", "ops", "epochs", "mean_validation_accuracy", "mean_test_accuracy")
    rows = _rows(folder / "nasbench101" / "mean_of_3_all_91_four_vertex_cells.csv", columns)
    cells = {row["hash"]: row for row in rows}
    index = {name: position for position, name in enumerate(cells)}
    labels = [row["ops"].split(",") for row in cells.values()]
    matrices = [
        _matrix(row["adjacency"], len(names)) for row, names in zip(cells.values(), labels, strict=True)
    ]
    validation = np.full((len(cells), len(FIDELITIES)), np.nan)
    test = validation.copy()
    for row in rows:
        where = index[row["hash"]], FIDELITIES.index(int(row["epochs"]))
        validation[where] = float(row["mean_validation_accuracy"])
        test[where] = float(row["mean_test_accuracy"])
    return SmallCells(*padded(matrices, labels), validation, test)


def _matrix(digits: str, n: int) -> np.ndarray:
    """An adjacency matrix uint8[n, n] from its digits row by row."""
    return np.frombuffer(digits.encode(), dtype=np.uint8).reshape(n, n) - ord("0")
