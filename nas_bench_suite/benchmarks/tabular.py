"""Bring your own table: a benchmark from a CSV or Parquet file (docs/tabular.md).

Notation: N variables, S = product of their numbers of choices, C cells, F fidelities, K runs. The *code* of a
string is its index among all S (`space.string_codes`). Ids are dense: in order of code, or of the file's
`cell` column where it has one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nas_bench_suite.benchmark import Benchmark, Evaluation, Facts, Lookups
from nas_bench_suite.benchmarks.reading import MOST_BYTES, Sheet, read_sheet
from nas_bench_suite.benchmarks.table import FORM, Table, parse_sheet
from nas_bench_suite.checks import ConfigError, check_bool, check_choice, check_floats, check_int, shown
from nas_bench_suite.space import SearchSpace, Variable, string_codes

if TYPE_CHECKING:
    from pandas import DataFrame

MISSING = ("error", "invalid")
TESTS = ("column", "validation")
_DIRECT = 1 << 26  # up to this many strings, ids lie in an array with one entry a string
# at least one string in so many must be in the table, or uniform strings cannot be drawn by rejection
_RAREST = 1000


class TabularSpace(SearchSpace):
    """The strings of a table; a string that the table lacks is invalid.

    Args:
        name: of the space.
        variables: N variables.
        codes: int64[C'], codes of the strings in the table, ascending.
        cells: int64[C'], the cell of each, dense; None if each is a cell of its own.
    """

    def __init__(
        self, name: str, variables: Sequence[Variable], codes: np.ndarray, cells: np.ndarray | None = None
    ) -> None:
        self.name = name
        self.variables = tuple(variables)
        total = (
            int(np.prod(self.sizes, dtype=np.float64))
            if np.prod(self.sizes, dtype=np.float64) < 2**62
            else 2**62
        )
        self._complete = len(codes) == total and cells is None
        self._codes = codes
        ids = np.arange(len(codes)) if cells is None else cells
        self._ids = ids
        first = np.full(int(ids.max()) + 1, np.iinfo(np.int64).max)
        np.minimum.at(first, ids, codes)
        self._representatives = first
        self._direct: np.ndarray | None = None
        if not self._complete and total <= _DIRECT:
            self._direct = np.full(total, -1, dtype=np.int32)
            self._direct[codes] = ids

    @property
    def num_cells(self) -> int:
        return len(self._representatives)

    def every_string(self) -> np.ndarray:
        """int64[C', N]: the strings of the table, in order of code."""
        return self._decoded(self._codes)

    def is_valid(self, architectures: np.ndarray) -> np.ndarray:
        valid: np.ndarray = self.cell_id(architectures) != -1
        return valid

    def cell_id(self, architectures: np.ndarray) -> np.ndarray:
        codes = string_codes(architectures, self.sizes)
        if self._complete:
            return codes
        if self._direct is not None:
            return np.where(codes >= 0, self._direct[codes], -1).astype(np.int64)
        place = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
        return np.where(self._codes[place] == codes, self._ids[place], -1)

    def architecture(self, cell_id: np.ndarray | int) -> np.ndarray:
        return self._decoded(self._representatives[self.check_ids(cell_id)])

    def _decoded(self, codes: np.ndarray) -> np.ndarray:
        """int64[..., N]: the strings of codes int64[...]."""
        out = np.empty((*np.shape(codes), self.num_variables), dtype=np.int64)
        for i in range(self.num_variables - 1, -1, -1):
            codes, out[..., i] = np.divmod(codes, self.sizes[i])
        return out


class Origin(NamedTuple):
    """Where a table comes from: a description, its source, and the checksum of its values."""

    description: str
    source: str
    checksum: str


class ArrayBenchmark(Benchmark):
    """A benchmark whose values lie in arrays indexed by cell.

    Args:
        name, space: of the benchmark.
        fidelities: F numbers, ascending.
        validation, test: float64[C, F, K]; seconds: float64[C, F].
        origin: where the values come from.
    """

    def __init__(
        self,
        name: str,
        space: SearchSpace,
        fidelities: Sequence[int],
        validation: np.ndarray,
        test: np.ndarray,
        seconds: np.ndarray,
        origin: Origin,
    ) -> None:
        self.name, self.space, self.fidelities = name, space, tuple(fidelities)
        self.num_runs = validation.shape[2]
        self._validation, self._test, self._seconds = validation, test, seconds
        self._mean_validation, self._mean_test = validation.mean(axis=2), test.mean(axis=2)
        self._origin = origin
        self.notice = ""  # what every listing must say

    def look_up(self, lookups: Lookups) -> Evaluation:
        cells, level, runs = lookups.cells, self.levels(lookups.fidelities), lookups.runs
        seconds = self._seconds[cells, level]
        if isinstance(runs, str):
            return Evaluation(self._mean_validation[cells, level], self._mean_test[cells, level], seconds)
        return Evaluation(self._validation[cells, level, runs], self._test[cells, level, runs], seconds)

    def facts(self) -> Facts:
        facts = Facts(
            name=self.name,
            description=self._origin.description,
            source=self._origin.source,
            checksum=self._origin.checksum,
            surrogate=False,
            cells=len(self._validation),
        )
        if self.notice:
            facts["notice"] = self.notice
        if np.isfinite(self._mean_test[:, -1]).any():
            facts["best_mean_test"] = float(np.nanmax(self._mean_test[:, -1]))
            facts["best_single_test"] = float(np.nanmax(self._test[:, -1]))
        return facts


def tabular(
    path: str | None = None,
    percent: bool = False,
    missing: str = "error",
    ignore: Sequence[str] | None = None,
    max_bytes: int = MOST_BYTES,
    minimize: bool = False,
    scale: Sequence[float] | None = None,
    test: str = "column",
) -> ArrayBenchmark:
    """The benchmark in a file.

    Args:
        path: a CSV (possibly compressed) or Parquet file: one column per variable, validation and test
            columns, optionally seconds, lower fidelities and `cell` (see `nas_bench_suite.benchmarks.table`).
        percent: accuracies are in percent rather than fractions.
        missing: `error`: every combination of values must be there; `invalid`: those that are not are invalid
            strings.
        ignore: columns to leave out.
        max_bytes: how much may be read, inflated. It is no part of a result's key.
        minimize: the accuracy columns are losses in [0, 1] (with `percent` in [0, 100]), the lower the
            better.
        scale: [best, worst] value of the accuracy columns where they are anything else: [0, 2.5] for a loss.
            An error of e % in tables is then the value best + e / 100 (worst - best).
        test: `column`: there is a test column; `validation`: there is none, and validation stands in for it.

    Raises:
        ConfigError: for whatever is wrong with the options or the file.
    """
    max_bytes = check_int("benchmark.max_bytes", max_bytes, 1)
    ignored = [] if ignore is None else list(ignore)
    if isinstance(ignore, str) or not all(isinstance(name, str) for name in ignored):
        raise ConfigError(f"benchmark.ignore={ignore} is no list of columns; accepted: [NAME, NAME, ...].")
    check_bool("benchmark.percent", percent)
    check_choice("benchmark.missing", missing, MISSING)
    check_bool("benchmark.minimize", minimize)
    check_choice("benchmark.test", test, TESTS)
    ends = _ends(percent, minimize, scale)
    sheet = read_sheet(path, "tabular", FORM, ignored, max_bytes)
    where = f"benchmark.path={path}"
    table = parse_sheet(sheet, where, percent=percent, need_test=test == "column", scale=ends)
    notices = []
    if scale is not None and ends is not None:
        notices.append(
            f"values from {ends[0]:g} (best) to {ends[1]:g} (worst) are shown as errors of 0 to 100 %"
        )
    if test == "validation":
        if np.isfinite(table.test).any():
            raise ConfigError(
                f"{where} has a test column, for which benchmark.test=validation has no use; accepted: "
                "benchmark.test=column, or the column's name in benchmark.ignore."
            )
        table.test = table.validation
        notices.append("the table has no test values: the validation value of the incumbent stands in")
    assert path is not None
    made = from_table(
        table,
        "tabular",
        where,
        missing,
        Origin(f"table {Path(path).name}", Path(path).name, file_checksum(path)),
    )
    made.notice = f"{Path(path).name}: {'; '.join(notices)}." if notices else ""
    return made


def _ends(percent: bool, minimize: bool, scale: Sequence[float] | None) -> tuple[float, float] | None:
    """The best and the worst value of a table's accuracy columns; None where they are accuracies."""
    if scale is None:
        return (0.0, 100.0 if percent else 1.0) if minimize else None
    both = check_floats("benchmark.scale", scale, 2, -1e300, 1e300)
    if percent or len(both) != 2 or both[0] == both[1] or (minimize and both[0] > both[1]):
        raise ConfigError(
            f"benchmark.scale={shown(scale)} does not fit; accepted: [best, worst], two different numbers, "
            "the lower one first with benchmark.minimize=true, and benchmark.percent=false."
        )
    return both[0], both[1]


def from_frame(
    frame: DataFrame,
    name: str,
    origin: Origin,
    *,
    percent: bool = False,
    missing: str = "error",
    space: type[TabularSpace] = TabularSpace,
) -> ArrayBenchmark:
    """The same from a data frame in memory (a test column may be absent); `origin` says where it comes from,
    `space` what kind its strings are.

    Raises:
        ConfigError: for whatever is wrong with the frame.
    """
    table = parse_sheet(Sheet(frame), f"the table of {name}", percent=percent, need_test=False)
    return from_table(table, name, f"the table of {name}", missing, origin, space)


def from_table(
    table: Table,
    name: str,
    where: str,
    missing: str,
    origin: Origin,
    space: type[TabularSpace] = TabularSpace,
) -> ArrayBenchmark:
    """Order a checked table by code and make it a benchmark. Raises `ConfigError` if combinations are missing
    where none may be."""
    sizes = np.array([len(variable.choices) for variable in table.variables], dtype=np.int64)
    total = float(np.prod(sizes, dtype=np.float64))
    rows = len(table.strings)
    if rows < total and missing == "error":
        raise ConfigError(_missing_sentence(table, sizes, total, where))
    if total > _RAREST * rows:
        raise ConfigError(
            f"{where} holds {rows:,} of {total:,.0f} combinations, too few to draw uniform strings from by "
            "rejection; "
            f"accepted: at least one in {_RAREST:,}. {_sizes_sentence(table)}"
        )
    codes = string_codes(table.strings, sizes)
    order = np.argsort(codes, kind="stable")
    cells = None
    first = order  # the rows that hold each cell's values
    if table.cells is not None:
        _, place, cells = np.unique(table.cells[order], return_index=True, return_inverse=True)
        first = order[place]
    return ArrayBenchmark(
        name,
        space(name, table.variables, codes[order], cells),
        table.fidelities,
        table.validation[first],
        table.test[first],
        table.seconds[first],
        origin,
    )


def _sizes_sentence(table: Table) -> str:
    listed = ", ".join(f"{variable.name} ({len(variable.choices)})" for variable in table.variables)
    return (
        f"Columns read as variables, with their numbers of values: {listed}; leave out those that are "
        "none with benchmark.ignore."
    )


def _missing_sentence(table: Table, sizes: np.ndarray, total: float, where: str) -> str:
    lacking = total - len(table.strings)
    example = ""
    if total <= _DIRECT:
        present = np.zeros(int(total), dtype=np.bool_)
        present[string_codes(table.strings, sizes)] = True
        code = int(np.argmin(present))
        values = []
        for variable in reversed(table.variables):
            code, value = divmod(code, len(variable.choices))
            values.append(f"{variable.name}={shown(variable.choices[value])}")
        example = f" (the first: {', '.join(reversed(values))})"
    return (
        f"{where} lacks {lacking:,.0f} of {total:,.0f} combinations{example}; accepted: all of them, or "
        "benchmark.missing=invalid, "
        f"which makes them invalid architectures. {_sizes_sentence(table)}"
    )


def file_checksum(path: str | Path) -> str:
    """SHA-256 of a file."""
    with open(Path(path).expanduser(), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
