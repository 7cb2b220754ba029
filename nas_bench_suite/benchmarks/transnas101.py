"""TransNAS-Bench-101 (Duan et al. 2021): seven tasks on two spaces, read from a CSV (docs/tabular.md).

An architecture is written 64-MODULES-CELL. In the micro space (4,096 cells) the modules are fixed and CELL,
as in 1_02_333, holds the operations of six edges: a cell of four nodes as in NAS-Bench-201. In the macro
space (3,256 networks) the cell is fixed and MODULES are four to six digits: 1 keeps resolution and channels,
2 doubles the channels, 3 halves the resolution, 4 does both.

There is one training run per architecture. Each metric is its own maximum over epochs, so test is optimistic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nas_bench_suite.benchmarks.nasbench201 import EDGES, CellSpace
from nas_bench_suite.benchmarks.reading import MOST_BYTES, Sheet, read_sheet
from nas_bench_suite.benchmarks.table import to_numbers
from nas_bench_suite.benchmarks.tabular import (
    ArrayBenchmark,
    Origin,
    TabularSpace,
    file_checksum,
    from_frame,
)
from nas_bench_suite.checks import ConfigError, check_choice, check_int, nearest, shown

if TYPE_CHECKING:
    from pandas import DataFrame

OPERATIONS = ("none", "skip_connect", "conv_1x1", "conv_3x3")  # the digits 0 to 3 of a cell
MODULES = ("keep", "channels", "resolution", "both")  # the digits 1 to 4 of a macro network
DEEPEST = 6  # modules of a macro network
SPACES = {"micro": 4096, "macro": 3256}
# task -> metric, as in the file
TASKS = {
    "class_scene": "top1",
    "class_object": "top1",
    "jigsaw": "top1",
    "segmentsemantic": "mIoU",
    "autoencoder": "ssim",
    "normal": "ssim",
    "room_layout": "neg_loss",
}
_PERCENT = ("top1", "mIoU")
_FORM = (
    "a row per architecture: 'architecture' (as in 64-41414-1_02_333), 'space' (micro, macro), and for each "
    "task T T_validation_METRIC, T_test_METRIC, T_seconds (see docs/tabular.md)"
)


class MicroSpace(TabularSpace, CellSpace):
    """Six edges of four operations; every string is a cell of its own."""


def transnas101(
    path: str | None = None, task: str = "class_scene", space: str = "micro", max_bytes: int = MOST_BYTES
) -> ArrayBenchmark:
    """TransNAS-Bench-101 on one task: accuracies are top-1 accuracy, mean IoU or SSIM as fractions; for
    room_layout 1 / (1 + loss), which keeps the order.

    Args:
        path: a CSV (possibly compressed) or Parquet file with a row per architecture.
        task: one of `TASKS`.
        space: `micro` (4,096 cells) or `macro` (3,256 networks).
        max_bytes: how much may be read, inflated. It is no part of a result's key.

    Raises:
        ConfigError: for an unknown option or a file that is none of this form.
    """
    check_choice("benchmark.task", task, TASKS)
    check_choice("benchmark.space", space, SPACES)
    max_bytes = check_int("benchmark.max_bytes", max_bytes, 1)
    where = f"benchmark.path={path}"
    sheet = read_sheet(path, "transnas101", _FORM, (), max_bytes)
    assert path is not None
    rows = _rows(sheet, space, where)
    read = _micro if space == "micro" else _macro
    frame = read(sheet, rows, where)
    for kind in ("validation", "test"):
        column = f"{task}_{kind}_{TASKS[task]}"
        frame[kind] = _accuracy(_numbers(sheet, column, rows, where), TASKS[task])
    frame["seconds"] = _numbers(sheet, f"{task}_seconds", rows, where)
    origin = Origin(f"TransNAS-Bench-101, {space}, {task}", "Duan et al. 2021", file_checksum(path))
    name = f"transnas101_{space}_{task}"
    if space == "micro":
        return from_frame(frame, name, origin, space=MicroSpace)
    return from_frame(frame, name, origin, missing="invalid")


def _rows(sheet: Sheet, space: str, where: str) -> np.ndarray:
    """The rows of a space, int64[C]."""
    for column in ("architecture", "space"):
        if column not in sheet.frame.columns:
            raise ConfigError(
                f"{where} has no column '{column}'{nearest(column, sheet.frame.columns)}; accepted: {_FORM}."
            )
    rows = np.flatnonzero((sheet.frame["space"] == space).to_numpy())
    if len(rows) != SPACES[space]:
        raise ConfigError(
            f"{where} holds {len(rows):,} architectures of the {space} space; accepted: all "
            f"{SPACES[space]:,}."
        )
    return rows


def _parts(sheet: Sheet, rows: np.ndarray, pattern: str, where: str) -> list[str]:
    """What `pattern` finds in each architecture's name."""
    names = sheet.frame["architecture"].iloc[rows].astype(str)
    found = names.str.fullmatch(pattern)
    if not found.all():
        row = int(rows[int((~found).to_numpy().argmax())])
        raise ConfigError(
            f"{where}, column 'architecture', {sheet.place(row)}: "
            f"'{shown(sheet.frame['architecture'].iloc[row])}' is no architecture of this space; accepted: "
            f"{_FORM}."
        )
    return [str(word) for word in names.str.extract(pattern, expand=False)]


def _micro(sheet: Sheet, rows: np.ndarray, where: str) -> DataFrame:
    import pandas as pd

    words = _parts(sheet, rows, r"\d+-\d+-([0-3]_[0-3]{2}_[0-3]{3})", where)
    digits = np.array([[int(digit) for digit in word.replace("_", "")] for word in words])
    names = np.array(OPERATIONS, dtype=object)
    return pd.DataFrame(
        {f"edge_{node}_{source}": names[digits[:, i]] for i, (node, source) in enumerate(EDGES)}
    )


def _macro(sheet: Sheet, rows: np.ndarray, where: str) -> DataFrame:
    import pandas as pd

    words = _parts(sheet, rows, rf"\d+-([1-4]{{4,{DEEPEST}}})-basic", where)
    names = [[MODULES[int(digit) - 1] for digit in word] for word in words]
    return pd.DataFrame(
        [row + ["none"] * (DEEPEST - len(row)) for row in names],
        columns=[f"module_{i}" for i in range(1, DEEPEST + 1)],
    )


def _numbers(sheet: Sheet, column: str, rows: np.ndarray, where: str) -> np.ndarray:
    """float64[C] of a column; a table's own checks follow."""
    if column not in sheet.frame.columns:
        raise ConfigError(
            f"{where} has no column '{column}'{nearest(column, sheet.frame.columns)}; accepted: {_FORM}."
        )
    numbers: np.ndarray = to_numbers(sheet.frame[column])[rows]
    if not np.isfinite(numbers).all():
        row = int(rows[int((~np.isfinite(numbers)).argmax())])
        raise ConfigError(
            f"{where}, column '{column}', {sheet.place(row)}: '{shown(sheet.frame[column].iloc[row])}' is no "
            "number; accepted: finite numbers."
        )
    return numbers


def _accuracy(numbers: np.ndarray, metric: str) -> np.ndarray:
    accuracy: np.ndarray = numbers / 100 if metric in _PERCENT else numbers
    return 1 / (1 - np.minimum(numbers, 0)) if metric == "neg_loss" else accuracy
