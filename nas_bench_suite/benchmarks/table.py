"""Tables of architectures: what their columns mean, and what is wrong with one.

Notation: R rows, N variables, F fidelities (ascending, the last is the full one), K runs. A table has one
column per variable and

    validation            accuracy of the only run; validation_0, validation_1, ... of each of K runs
    test                  the same, one column for all runs or one a run
    seconds               training time (optional)
    validation@12, ...    any of these at a lower fidelity: with '@', every accuracy column has one, and the
                          largest number is the full fidelity
    cell                  a name of the architecture (optional): rows with equal names are the same
                          architecture, whatever their variables say

Every other column is a variable, its values in the column its choices. Accuracies are fractions in [0, 1], or
percent if so told.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nas_bench_suite.benchmarks.reading import Sheet, check_names
from nas_bench_suite.checks import ConfigError, nearest, shown
from nas_bench_suite.space import Variable

if TYPE_CHECKING:
    from pandas import DataFrame, Series

MOST_RUNS = 127  # result files hold a run's number in a byte
MOST_EPOCHS = 2**31 - 1  # and a fidelity in four
MOST_SECONDS = 1e12  # of one training: sums over a search stay exact to a second
_METRIC = re.compile(r"^(validation|test|seconds)(?:_([0-9]+))?(?:@(.+))?$")
FORM = (
    "one column per variable, then validation (or validation_0, validation_1, ...) and test, optionally "
    "seconds (see docs/tabular.md)"
)


@dataclass
class Table:
    """A checked table.

    Attributes:
        variables: N variables with their choices.
        strings: int64[R, N], distinct rows.
        cells: int64[R], 0 .. number of cells - 1 in order of first appearance; None if every row is a cell of
            its own.
        fidelities: F numbers, ascending.
        validation: float64[R, F, K]; test: float64[R, F, K]; seconds: float64[R, F]. Test is NaN at a
            fidelity without one.
    """

    variables: tuple[Variable, ...]
    strings: np.ndarray
    cells: np.ndarray | None
    fidelities: tuple[int, ...]
    validation: np.ndarray
    test: np.ndarray
    seconds: np.ndarray


def parse_sheet(
    sheet: Sheet,
    where: str,
    *,
    percent: bool = False,
    need_test: bool = True,
    scale: tuple[float, float] | None = None,
) -> Table:
    """Check a sheet and turn it into arrays.

    Args:
        sheet: R rows; see the module's docstring for the columns.
        where: what the sentences call it, as in "benchmark.path=FILE".
        percent: accuracies are in percent.
        need_test: whether a table without a test column is an error.
        scale: the (best, worst) value of the accuracy columns where these are not accuracies; they become
            accuracies, linearly.

    Raises:
        ConfigError: for everything that is wrong, with the column and the line.
    """
    columns = [str(column) for column in sheet.frame.columns]
    check_names(columns, (), where)
    fidelities, found = _metric_columns(columns, where)
    if not found["validation"]:
        raise ConfigError(
            f"{where} has no column 'validation'{nearest('validation', columns)}; accepted: {FORM}."
        )
    if need_test and not found["test"]:
        raise ConfigError(f"{where} has no column 'test'{nearest('test', columns)}; accepted: {FORM}.")
    names = [column for column in columns if not _METRIC.match(column) and column != "cell"]
    if not names:
        raise ConfigError(f"{where} has no column besides accuracies, hence no variable; accepted: {FORM}.")
    variables, strings = _variables(sheet, names, where)
    _check_duplicates(sheet, strings, variables, where)
    top = 100.0 if percent else 1.0
    ends = (0.0, top) if scale is None else (min(scale), max(scale))
    metrics = {
        kind: _metric(
            sheet, kind, found[kind], fidelities, where, (0.0, MOST_SECONDS) if kind == "seconds" else ends
        )
        for kind in found
    }
    for kind in ("validation", "test"):
        if scale is None:
            metrics[kind] = metrics[kind] / top
        else:
            metrics[kind] = (scale[1] - metrics[kind]) / (scale[1] - scale[0])
    runs = max(metrics["validation"].shape[2], metrics["test"].shape[2])
    for kind in ("validation", "test"):
        if metrics[kind].shape[2] not in (1, runs):
            raise ConfigError(
                f"{where} has {metrics['validation'].shape[2]} validation runs and "
                f"{metrics['test'].shape[2]} test runs; "
                "accepted: as many test columns as validation columns, or one."
            )
    shape = (len(strings), len(fidelities), runs)
    table = Table(
        variables=variables,
        strings=strings,
        cells=None,
        fidelities=fidelities,
        validation=np.broadcast_to(metrics["validation"], shape),
        test=np.broadcast_to(metrics["test"], shape),
        seconds=np.nan_to_num(metrics["seconds"][:, :, 0], nan=0.0),
    )
    if "cell" in columns:
        table.cells = _cells(sheet, table, where)
    return table


def _metric_columns(
    columns: list[str], where: str
) -> tuple[tuple[int, ...], dict[str, dict[tuple[int, int], str]]]:
    """The fidelities, and for each kind of metric a map from (fidelity, run) to its column."""
    raw: dict[str, dict[tuple[int | None, int], str]] = {"validation": {}, "test": {}, "seconds": {}}
    for column in columns:
        match = _METRIC.match(column)
        if not match:
            continue
        kind, run, fidelity = match[1], match[2], match[3]
        if fidelity is not None and not _is_number(fidelity, 1, MOST_EPOCHS):
            raise ConfigError(
                f"{where}, column '{column}': '{fidelity}' is no fidelity; accepted: a whole number in [1, "
                f"{MOST_EPOCHS}] after '@'."
            )
        if run is not None and not _is_number(run, 0, MOST_RUNS - 1):
            raise ConfigError(
                f"{where}, column '{column}': {run} is no number of a run; accepted: at most {MOST_RUNS} "
                f"runs, numbered from 0 to {MOST_RUNS - 1}."
            )
        if kind == "seconds" and run is not None:
            raise ConfigError(
                f"{where}, column '{column}': seconds are not kept by run; accepted: seconds, or "
                "seconds@FIDELITY."
            )
        place = int(fidelity) if fidelity else None, int(run) if run else 0
        if place in raw[kind]:
            raise ConfigError(
                f"{where}: columns '{raw[kind][place]}' and '{column}' are the same run; accepted: one of "
                "them."
            )
        raw[kind][place] = column
    levels = {fidelity for kind in raw for fidelity, _ in raw[kind]}
    if None in levels and len(levels) > 1:
        plain = next(
            column for kind in raw for (fidelity, _), column in raw[kind].items() if fidelity is None
        )
        raise ConfigError(
            f"{where}: '{plain}' has no fidelity where others have one; accepted: '{plain}@NUMBER', the "
            "largest number being the full fidelity."
        )
    fidelities = tuple(sorted(fidelity for fidelity in levels if fidelity is not None)) or (1,)
    found = {
        kind: {(fidelity or 1, run): column for (fidelity, run), column in raw[kind].items()} for kind in raw
    }
    for fidelity in fidelities:
        if found["validation"] and (fidelity, 0) not in found["validation"]:
            raise ConfigError(
                f"{where} has no validation column for fidelity {fidelity}; accepted: validation@{fidelity}, "
                f"or validation_0@{fidelity}, ..."
            )
    if found["test"] and (fidelities[-1], 0) not in found["test"]:
        raise ConfigError(
            f"{where} has no test column for the full fidelity {fidelities[-1]}; accepted: "
            f"test@{fidelities[-1]}."
        )
    return fidelities, found


def _is_number(digits: str, low: int, high: int) -> bool:
    """Whether these are the digits of a whole number in [low, high]."""
    return re.fullmatch(r"[0-9]{1,18}", digits) is not None and low <= int(digits) <= high


def _factorize(frame: DataFrame, name: str, where: str) -> tuple[np.ndarray, Any]:
    """Codes int64[R] of a column's values, and these, sorted."""
    import pandas as pd

    try:
        codes, values = pd.factorize(frame[name], sort=True)
    except (TypeError, ValueError, NotImplementedError):
        raise ConfigError(
            f"{where}, column '{name}' holds values that cannot be sorted together; accepted: numbers alone, "
            "or words alone."
        ) from None
    return np.asarray(codes, dtype=np.int64), values


def _variables(sheet: Sheet, names: list[str], where: str) -> tuple[tuple[Variable, ...], np.ndarray]:
    frame = sheet.frame
    strings = np.empty((len(frame), len(names)), dtype=np.int64)
    choices = []
    for i, name in enumerate(names):
        blank = frame[name].isna().to_numpy()
        if blank.any():
            raise ConfigError(
                f"{where}, column '{name}', {sheet.place(int(blank.argmax()))}: no value; accepted: a "
                "choice in every row."
            )
        codes, values = _factorize(frame, name, where)
        if len(values) < 2:
            raise ConfigError(
                f"{where}, column '{name}' has one value only ({shown(values[0])}), so it is no variable; "
                f"drop it, or give benchmark.ignore=[{name}]."
            )
        strings[:, i] = codes
        choices.append(tuple(str(value) for value in values))
    # Variables of the same choices and of the same name up to a trailing number are one family.
    stems = [re.sub(r"[_\-.]*\d+([_\-.]\d+)*$", "", name) or "variable" for name in names]
    groups = list(dict.fromkeys(zip(stems, choices)))
    labels = []
    for stem, chosen in zip(stems, choices):
        same = [group for group in groups if group[0] == stem]
        labels.append(stem if len(same) == 1 else f"{stem}_{same.index((stem, chosen)) + 1}")
    return tuple(
        Variable(name, chosen, label) for name, chosen, label in zip(names, choices, labels)
    ), strings


def _check_duplicates(sheet: Sheet, strings: np.ndarray, variables: tuple[Variable, ...], where: str) -> None:
    import pandas as pd

    keys = pd.util.hash_pandas_object(pd.DataFrame(strings), index=False).to_numpy()
    if len(np.unique(keys)) == len(keys):
        return
    repeated = pd.DataFrame(strings).duplicated(keep="first").to_numpy()
    if repeated.any():
        second = int(repeated.argmax())
        first = int((strings == strings[second]).all(axis=1).argmax())
        values = ", ".join(
            f"{variable.name}={shown(variable.choices[code])}"
            for variable, code in zip(variables, strings[second])
        )
        raise ConfigError(
            f"{where}: {sheet.place(first)} and {sheet.place(second)} are the same architecture "
            f"({values}); "
            "accepted: each combination once, further runs as columns validation_0, validation_1, ..."
        )


def _metric(
    sheet: Sheet,
    kind: str,
    found: dict[tuple[int, int], str],
    fidelities: tuple[int, ...],
    where: str,
    ends: tuple[float, float],
) -> np.ndarray:
    """float64[R, F, K] of a kind of metric; NaN at a fidelity without a column."""
    runs = 1 + max((run for _, run in found), default=0)
    out = np.full((len(sheet.frame), len(fidelities), runs), np.nan)
    for level, fidelity in enumerate(fidelities):
        here = {run: column for (epochs, run), column in found.items() if epochs == fidelity}
        if not here:
            continue
        missing = [run for run in range(runs) if run not in here]
        if missing and list(here) != [0]:
            suffix = f"@{fidelity}" if fidelities != (1,) else ""
            raise ConfigError(
                f"{where} has no column '{kind}_{missing[0]}{suffix}'; accepted: runs numbered from 0 "
                "without gaps, or one column."
            )
        for run in range(runs):
            out[:, level, run] = _numbers(sheet, here.get(run, here[0]), where, ends)
    return out


def to_numbers(column: Series) -> np.ndarray:
    """float64[R]: the values of a column, NaN where they are no numbers."""
    import pandas as pd

    try:
        return np.asarray(pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan))
    except (TypeError, ValueError):  # lists, dates and other objects
        return np.full(len(column), np.nan)


def _numbers(sheet: Sheet, column: str, where: str, ends: tuple[float, float]) -> np.ndarray:
    """The numbers of a column, all within `ends`."""
    import pandas as pd

    frame = sheet.frame
    numbers = to_numbers(frame[column])
    wrong = ~np.isfinite(numbers)
    if wrong.any():
        row = int(wrong.argmax())
        held = frame[column].iloc[row]
        text = "no value" if pd.isna(held) else f"'{shown(held)}' is not a finite number"
        raise ConfigError(
            f"{where}, column '{column}', {sheet.place(row)}: {text}; accepted: a finite number in every row."
        )
    low, top = ends
    outside = (numbers < low) | (numbers > top)
    if outside.any():
        row = int(outside.argmax())
        if top == MOST_SECONDS:
            accepted = f"seconds in [0, {top:g}]"
        elif ends == (0, 1) and (numbers <= 100).all() and (numbers >= 0).all():
            accepted = "fractions in [0, 1]; for percent give benchmark.percent=true"
        elif ends in ((0, 1), (0, 100)):
            accepted = f"accuracies in [0, {top:g}]"
        else:
            accepted = f"values of benchmark.scale, in [{low:g}, {top:g}]"
        raise ConfigError(
            f"{where}, column '{column}', {sheet.place(row)}: {numbers[row]:g} is out of range; accepted: "
            f"{accepted}."
        )
    return numbers


def _cells(sheet: Sheet, table: Table, where: str) -> np.ndarray:
    """Number the values of the column `cell`; rows of one cell must agree in every number."""
    import pandas as pd

    frame = sheet.frame
    blank = frame["cell"].isna().to_numpy()
    if blank.any():
        raise ConfigError(
            f"{where}, column 'cell', {sheet.place(int(blank.argmax()))}: no value; accepted: a name in "
            "every row."
        )
    codes, _ = pd.factorize(frame["cell"])
    cells = np.asarray(codes, dtype=np.int64)
    first = np.full(cells.max() + 1, len(cells))
    np.minimum.at(first, cells, np.arange(len(cells)))
    values: dict[str, Any] = {"validation": table.validation, "test": table.test, "seconds": table.seconds}
    for kind, array in values.items():
        flat = array.reshape(len(cells), -1)
        differ = ~((flat == flat[first[cells]]) | (np.isnan(flat) & np.isnan(flat[first[cells]]))).all(axis=1)
        if differ.any():
            row = int(differ.argmax())
            raise ConfigError(
                f"{where}: {sheet.place(int(first[cells[row]]))} and {sheet.place(row)} are the same cell "
                f"('{shown(frame['cell'].iloc[row])}') with different {kind}; accepted: equal numbers for a "
                "cell."
            )
    return cells
