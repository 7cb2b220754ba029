"""NAS-Bench-201 (Dong & Yang 2020): 15,625 cells, three datasets, read from a CSV (docs/tabular.md describes
it).

A cell has four nodes; each of its six edges 1<-0, 2<-0, 2<-1, 3<-0, 3<-1, 3<-2 (written input after output,
in this order) carries one of five operations. A node is the sum over its incoming edges of operation(input
node). Node 0 is the cell's input, node 3 its output.

As a labelled graph, each edge with an operation other than `none` is a vertex, and the vertex of an edge v<-u
feeds that of w<-v. Runs: two or three validation runs are stored for a cell, so there are six *slots* (run
numbers 0 to 5), in which each stored run stands equally often. Only the mean test accuracy over runs is
known, so every run reads that.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as FilePath

import numpy as np

from nas_bench_suite.benchmarks.paths import Path, PathSpace
from nas_bench_suite.benchmarks.reading import MOST_BYTES, Sheet, read_sheet
from nas_bench_suite.benchmarks.table import MOST_SECONDS, to_numbers
from nas_bench_suite.benchmarks.tabular import ArrayBenchmark, Origin, file_checksum
from nas_bench_suite.checks import ConfigError, check_bool, check_choice, check_int, nearest, shown
from nas_bench_suite.space import Variable, string_codes

# the digits 0 to 4 of the CSV
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))  # (node, its input)
DATASETS = ("cifar10", "cifar100", "imagenet16")
FIDELITIES = (12, 200)
# best mean test accuracy, percent (Dong & Yang 2020, table 5: "optimal")
FLOORS = {"cifar10": 94.37, "cifar100": 73.51, "imagenet16": 47.31}
NUM_STRINGS = len(OPERATIONS) ** len(EDGES)
_SLOTS = 6  # a multiple of two and of three
_PATHS: tuple[Path, ...] = ((3,), (0, 4), (1, 5), (0, 2, 5))  # edges from input to output
_FORM = (
    "a row per cell: 'ops' (six digits, one per edge: 0 none, 1 skip_connect, 2 nor_conv_1x1, 3 "
    "nor_conv_3x3, 4 avg_pool_3x3) and for each dataset D D_validation_run0 .. run2, D_test, "
    "D_validation_epoch12, D_test_epoch12, D_training_seconds "
    "(see docs/tabular.md)"
)
_NONE, _SKIP = 0, 1


class CellSpace(PathSpace):
    """Cells of four nodes: six edges (`EDGES`), each with an operation, of which `none` leads nowhere."""

    @property
    def operations(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.variables[0].choices

    longest = 3

    def paths(self, strings: np.ndarray) -> Iterator[tuple[Path, np.ndarray]]:
        none = self.operations.index("none")
        for path in _PATHS:
            yield path, (strings[:, path] != none).all(axis=1)


class NASBench201Space(CellSpace):
    """Six edges of five operations; every string is valid.

    Args:
        isomorphism: False: each of the 15,625 strings is a cell of its own, as the benchmark trained them.
            True: strings that the authors count as one architecture (`canonical_form`) are one cell: 6,466
            cells.
    """

    name = "nasbench201"

    def __init__(self, isomorphism: bool = False) -> None:
        self.isomorphism = check_bool("benchmark.isomorphism", isomorphism)
        self.variables = tuple(
            Variable(f"edge_{node}_{source}", OPERATIONS, "operation") for node, source in EDGES
        )
        self._strings = np.stack(
            np.unravel_index(np.arange(NUM_STRINGS), [len(OPERATIONS)] * len(EDGES)), axis=1
        ).astype(np.int64)
        if isomorphism:
            forms = [canonical_form(row) for row in self._strings.tolist()]
            numbers: dict[str, int] = {}
            self._ids = np.array([numbers.setdefault(form, len(numbers)) for form in forms], dtype=np.int64)
            self.members = np.unique(self._ids, return_index=True)[1]
        else:
            self._ids = self.members = np.arange(NUM_STRINGS)

    @property
    def num_cells(self) -> int:
        return len(self.members)

    def is_valid(self, architectures: np.ndarray) -> np.ndarray:
        return string_codes(architectures, self.sizes) >= 0

    def cell_id(self, architectures: np.ndarray) -> np.ndarray:
        codes = string_codes(architectures, self.sizes)
        return np.where(codes >= 0, self._ids[codes], -1)

    def architecture(self, cell_id: np.ndarray | int) -> np.ndarray:
        rows: np.ndarray = self._strings[self.members[self.check_ids(cell_id)]]
        return rows

    def every_string(self) -> np.ndarray:
        return self._strings


def canonical_form(string: list[int]) -> str:
    """The name by which the benchmark's authors tell cells apart: each node as the sorted sum of its inputs'
    expressions.

    `skip_connect` passes an expression on; `none`, and any operation of a node that is "#", is "#". A sum of
    zeros is not taken for zero, and the terms of a sum that is passed on stay together in the sorting, so
    that some strings of equal function keep names of their own. The number of names, 6,466 as published,
    depends on the spelling, which is therefore theirs.
    """
    nodes = ["0"]
    for node in range(1, 4):
        terms = []
        for (target, source), op in zip(EDGES, string):
            if target != node:
                continue
            if op == _NONE or nodes[source] == "#":
                terms.append("#")
            else:
                terms.append(nodes[source] if op == _SKIP else f"({nodes[source]})@{OPERATIONS[op]}")
        nodes.append("+".join(sorted(terms)))
    return nodes[3]


def nasbench201(
    path: str | None = None, dataset: str = "cifar10", isomorphism: bool = False, max_bytes: int = MOST_BYTES
) -> ArrayBenchmark:
    """NAS-Bench-201 on one dataset.

    Args:
        path: a CSV (possibly compressed) or Parquet file with a row for each of the 15,625 cells.
        dataset: cifar10, cifar100 or imagenet16 (ImageNet16-120).
        isomorphism: see `NASBench201Space`; a merged cell has the values of its first member in the order of
            codes.
        max_bytes: how much may be read, inflated. It is no part of a result's key.

    Raises:
        ConfigError: for an unknown option, a file that is none of this form, or values whose best test
            accuracy is not the published one.
    """
    check_choice("benchmark.dataset", dataset, DATASETS)
    space = NASBench201Space(isomorphism)
    max_bytes = check_int("benchmark.max_bytes", max_bytes, 1)
    if isinstance(path, (str, FilePath)) and FilePath(path).name.lower().endswith(
        (".pth", ".pt", ".pickle", ".pkl", ".pbz2", ".pickle.pbz2", ".tar")
    ):
        raise ConfigError(
            f"benchmark.path={path} is an official archive; these are pickles, which run code when opened. "
            f"Accepted: a file (CSV or Parquet) with {_FORM}."
        )
    sheet = read_sheet(path, "nasbench201", _FORM, (), max_bytes)
    assert path is not None
    rows = _rows(sheet, f"benchmark.path={path}")
    values = {}
    for name in (
        "validation_run0",
        "validation_run1",
        "validation_run2",
        "test",
        "validation_epoch12",
        "test_epoch12",
        "training_seconds",
    ):
        values[name] = _column(sheet, f"{dataset}_{name}", rows, f"benchmark.path={path}", name)
    best = float(values["test"].max())
    if abs(best - FLOORS[dataset]) > 0.01:
        raise ConfigError(
            f"benchmark.path={path}, column '{dataset}_test': the best of all cells is {best:.2f}, published "
            f"is {FLOORS[dataset]:.2f}; "
            "accepted: mean test accuracies in percent after 200 epochs."
        )
    runs = np.stack([values[f"validation_run{run}"] for run in range(3)], axis=1)
    early = np.repeat(values["validation_epoch12"][:, None], _SLOTS, axis=1)
    validation = np.stack([early, run_slots(runs)], axis=1) / 100
    test = (
        np.repeat(np.stack([values["test_epoch12"], values["test"]], axis=1)[:, :, None], _SLOTS, axis=2)
        / 100
    )
    seconds = values["training_seconds"][:, None] * np.array(FIDELITIES) / FIDELITIES[-1]
    merged = ", isomorphic cells merged" if isomorphism else ""
    origin = Origin(f"NAS-Bench-201, {dataset}{merged}", "Dong & Yang 2020", file_checksum(path))
    members = space.members
    return ArrayBenchmark(
        f"nasbench201_{dataset}",
        space,
        FIDELITIES,
        validation[members],
        test[members],
        seconds[members],
        origin,
    )


def run_slots(runs: np.ndarray) -> np.ndarray:
    """float64[C, 6]: the runs of each cell, of runs float64[C, 3] with NaN where one does not exist, each
    equally often."""
    stored = ~np.isnan(runs)
    ranked = np.argsort(~stored, axis=1, kind="stable")  # stored runs first
    place = np.arange(_SLOTS) % stored.sum(axis=1)[:, None]
    slots: np.ndarray = np.take_along_axis(runs, np.take_along_axis(ranked, place, axis=1), axis=1)
    return slots


def _rows(sheet: Sheet, where: str) -> np.ndarray:
    """int64[15625]: the row of each string, by code."""
    frame = sheet.frame
    if "ops" not in frame.columns:
        raise ConfigError(f"{where} has no column 'ops'{nearest('ops', frame.columns)}; accepted: {_FORM}.")
    # A column of digits is read as numbers: the leading zeros come back here.
    words = frame["ops"].astype(str).str.removesuffix(".0").str.zfill(len(EDGES))
    good = words.str.fullmatch(f"[0-{len(OPERATIONS) - 1}]{{{len(EDGES)}}}").to_numpy()
    if not good.all():
        row = int(np.argmin(good))
        held = shown(frame["ops"].iloc[row])
        raise ConfigError(
            f"{where}, column 'ops', {sheet.place(row)}: '{held}' is no cell; accepted: six digits from 0 to "
            "4."
        )
    codes = np.array([int(word, len(OPERATIONS)) for word in words])
    counts = np.bincount(codes, minlength=NUM_STRINGS)
    for wrong, what in ((counts > 1, "appears more than once"), (counts == 0, "is missing")):
        if wrong.any():
            word = np.base_repr(int(wrong.argmax()), len(OPERATIONS)).zfill(len(EDGES))
            raise ConfigError(
                f"{where}, column 'ops': cell '{word}' {what}; accepted: each of the {NUM_STRINGS:,} cells "
                "once."
            )
    return np.argsort(codes)


def _column(sheet: Sheet, column: str, rows: np.ndarray, where: str, kind: str) -> np.ndarray:
    """float64[15625] of a column, by code. Only a third run may be blank."""
    frame = sheet.frame
    if column not in frame.columns:
        raise ConfigError(
            f"{where} has no column '{column}'{nearest(column, frame.columns)}; accepted: {_FORM}."
        )
    numbers = to_numbers(frame[column])
    blank = frame[column].isna().to_numpy() & (kind in ("validation_run1", "validation_run2"))
    top = MOST_SECONDS if kind == "training_seconds" else 100.0
    wrong = ~blank & ~((numbers >= 0) & (numbers <= top) & np.isfinite(numbers))
    if wrong.any():
        row = int(wrong.argmax())
        accepted = "seconds" if kind == "training_seconds" else "percent in [0, 100]"
        held = shown(frame[column].iloc[row])
        raise ConfigError(
            f"{where}, column '{column}', {sheet.place(row)}: '{held}' is out of range; accepted: {accepted}."
        )
    by_code: np.ndarray = numbers[rows]
    return by_code
