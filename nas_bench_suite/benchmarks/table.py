"""Tables of architectures: reading them, and saying what is wrong with one.

Notation: R rows, N variables, F fidelities (ascending, the last is the full one), K runs. A table has one
column a variable and

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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nas_bench_suite.checks import ConfigError, nearest
from nas_bench_suite.space import Variable

if TYPE_CHECKING:
    from pandas import DataFrame, Series

_METRIC = re.compile(r"^(validation|test|seconds)(?:_(\d+))?(?:@(.+))?$")
_READERS = (".csv", ".csv.gz", ".csv.bz2", ".csv.xz", ".csv.zip", ".parquet")
FORM = (
    "one column a variable, then validation (or validation_0, validation_1, ...) and test, optionally "
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


def read_frame(path: str | Path | None, benchmark: str, form: str = FORM) -> DataFrame:
    """Read a CSV or Parquet file.

    Args:
        path: the file; a CSV may be compressed.
        benchmark: the benchmark that asks, for the sentences.
        form: what the file should hold, for the sentences.

    Raises:
        ConfigError: if there is no path, no such file, or nothing readable in it.
    """
    import pandas as pd

    if path is None or str(path) == "":
        raise ConfigError(f"benchmark={benchmark} needs benchmark.path, a file (CSV or Parquet) with {form}.")
    path = Path(path).expanduser()
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise ConfigError(f"benchmark.path={path} {what}; accepted: a file (CSV or Parquet) with {form}.")
    if not path.name.lower().endswith(_READERS):
        raise ConfigError(f"benchmark.path={path} has an unknown ending; accepted: {', '.join(_READERS)}.")
    try:
        if path.name.lower().endswith(".parquet"):
            frame = pd.read_parquet(path)
        else:
            frame = pd.read_csv(
                path, skipinitialspace=True, keep_default_na=False, na_values=["", "nan", "NaN"]
            )
    except Exception as error:  # pandas, pyarrow and the decompressors each have their own
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ConfigError(
            f"benchmark.path={path} cannot be read ({reason}); accepted: a file (CSV or Parquet) with {form}."
        ) from None
    if not len(frame):
        raise ConfigError(
            f"benchmark.path={path} holds no rows; accepted: a file (CSV or Parquet) with {form}."
        )
    frame.columns = [str(column).strip() for column in frame.columns]
    frame.attrs["place"] = "row" if path.name.lower().endswith(".parquet") else "line"
    return frame


def parse_frame(
    frame: DataFrame, where: str, *, percent: bool = False, ignore: Sequence[str] = (), need_test: bool = True
) -> Table:
    """Check a frame and turn it into arrays.

    Args:
        frame: R rows; see the module's docstring for the columns.
        where: what the sentences call it, as in "benchmark.path=FILE".
        percent: accuracies are in percent.
        ignore: columns to leave out.
        need_test: whether a table without a test column is an error.

    Raises:
        ConfigError: for everything that is wrong, with the column and the line.
    """
    for column in ignore:
        if column not in frame.columns:
            raise ConfigError(
                f"benchmark.ignore names '{column}', which is no column of "
                f"{where}{nearest(column, frame.columns)}."
            )
    columns = [column for column in frame.columns if column not in set(ignore)]
    twice = [
        column
        for column in columns
        if re.fullmatch(r".*\.\d+", column) and column.rsplit(".", 1)[0] in columns
    ]
    if twice or len(set(columns)) < len(columns):
        raise ConfigError(
            f"{where} has two columns of the name '{twice[0].rsplit('.', 1)[0] if twice else columns[0]}'."
        )
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
    variables, strings = _variables(frame, names, where)
    _check_duplicates(frame, strings, variables, where)
    top = 100.0 if percent else 1.0
    metrics = {kind: _metric(frame, kind, found[kind], fidelities, where, top) for kind in found}
    runs = max(metrics["validation"].shape[2], metrics["test"].shape[2])
    for kind in ("validation", "test"):
        if metrics[kind].shape[2] not in (1, runs):
            raise ConfigError(
                f"{where} has {metrics['validation'].shape[2]} validation runs and "
                f"{metrics['test'].shape[2]} test runs; "
                "accepted: as many test columns as validation columns, or one."
            )
    shape = (len(frame), len(fidelities), runs)
    table = Table(
        variables=variables,
        strings=strings,
        cells=None,
        fidelities=fidelities,
        validation=np.broadcast_to(metrics["validation"] / top, shape),
        test=np.broadcast_to(metrics["test"] / top, shape),
        seconds=np.nan_to_num(metrics["seconds"][:, :, 0], nan=0.0),
    )
    if "cell" in columns:
        table.cells = _cells(frame, table, where)
    return table


def _place(frame: DataFrame, row: int) -> str:
    """Where a row is, as a person counts: lines of a CSV include the header's."""
    return f"line {row + 2}" if frame.attrs.get("place") == "line" else f"row {row + 1}"


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
        if fidelity is not None and not (fidelity.isdigit() and int(fidelity) > 0):
            raise ConfigError(
                f"{where}, column '{column}': '{fidelity}' is no fidelity; accepted: a whole number above 0 "
                "after '@'."
            )
        if kind == "seconds" and run is not None:
            raise ConfigError(
                f"{where}, column '{column}': seconds are not kept by run; accepted: seconds, or "
                "seconds@FIDELITY."
            )
        raw[kind][int(fidelity) if fidelity else None, int(run) if run else 0] = column
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


def _variables(frame: DataFrame, names: list[str], where: str) -> tuple[tuple[Variable, ...], np.ndarray]:
    import pandas as pd

    strings = np.empty((len(frame), len(names)), dtype=np.int64)
    choices = []
    for i, name in enumerate(names):
        blank = frame[name].isna().to_numpy()
        if blank.any():
            raise ConfigError(
                f"{where}, column '{name}', {_place(frame, int(blank.argmax()))}: no value; accepted: a "
                "choice in every row."
            )
        codes, values = pd.factorize(frame[name], sort=True)
        if len(values) < 2:
            raise ConfigError(
                f"{where}, column '{name}' has one value only ({values[0]}), so it is no variable; drop it, "
                f"or give benchmark.ignore=[{name}]."
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


def _check_duplicates(
    frame: DataFrame, strings: np.ndarray, variables: tuple[Variable, ...], where: str
) -> None:
    import pandas as pd

    keys = pd.util.hash_pandas_object(pd.DataFrame(strings), index=False).to_numpy()
    if len(np.unique(keys)) == len(keys):
        return
    repeated = pd.DataFrame(strings).duplicated(keep="first").to_numpy()
    if repeated.any():
        second = int(repeated.argmax())
        first = int((strings == strings[second]).all(axis=1).argmax())
        values = ", ".join(
            f"{variable.name}={variable.choices[code]}" for variable, code in zip(variables, strings[second])
        )
        raise ConfigError(
            f"{where}: {_place(frame, first)} and {_place(frame, second)} are the same architecture "
            f"({values}); "
            "accepted: each combination once, further runs as columns validation_0, validation_1, ..."
        )


def _metric(
    frame: DataFrame,
    kind: str,
    found: dict[tuple[int, int], str],
    fidelities: tuple[int, ...],
    where: str,
    top: float,
) -> np.ndarray:
    """float64[R, F, K] of a kind of metric; NaN at a fidelity without a column."""
    runs = 1 + max((run for _, run in found), default=0)
    out = np.full((len(frame), len(fidelities), runs), np.nan)
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
            out[:, level, run] = _numbers(
                frame, here.get(run, here[0]), where, None if kind == "seconds" else top
            )
    return out


def _numbers(frame: DataFrame, column: str, where: str, top: float | None) -> np.ndarray:
    """The finite numbers of a column, within [0, top] for accuracies and not negative for seconds."""
    import pandas as pd

    values: Series = pd.to_numeric(frame[column], errors="coerce")
    numbers = values.to_numpy(dtype=np.float64)
    wrong = ~np.isfinite(numbers)
    if wrong.any():
        row = int(wrong.argmax())
        held = frame[column].iloc[row]
        text = "no value" if pd.isna(held) else f"'{held}' is not a finite number"
        raise ConfigError(
            f"{where}, column '{column}', {_place(frame, row)}: {text}; accepted: a finite number in every "
            "row."
        )
    outside = (numbers < 0) | (numbers > (np.inf if top is None else top))
    if outside.any():
        row = int(outside.argmax())
        if top is None:
            accepted = "seconds of at least 0"
        elif top == 1 and (numbers <= 100).all() and (numbers >= 0).all():
            accepted = "fractions in [0, 1]; for percent give benchmark.percent=true"
        else:
            accepted = f"accuracies in [0, {top:g}]"
        raise ConfigError(
            f"{where}, column '{column}', {_place(frame, row)}: {numbers[row]:g} is out of range; accepted: "
            f"{accepted}."
        )
    return numbers


def _cells(frame: DataFrame, table: Table, where: str) -> np.ndarray:
    """Number the values of the column `cell`; rows of one cell must agree in every number."""
    import pandas as pd

    blank = frame["cell"].isna().to_numpy()
    if blank.any():
        raise ConfigError(
            f"{where}, column 'cell', {_place(frame, int(blank.argmax()))}: no value; accepted: a name in "
            "every row."
        )
    cells, _ = pd.factorize(frame["cell"])
    first = np.full(cells.max() + 1, len(cells))
    np.minimum.at(first, cells, np.arange(len(cells)))
    values: dict[str, Any] = {"validation": table.validation, "test": table.test, "seconds": table.seconds}
    for kind, array in values.items():
        flat = array.reshape(len(cells), -1)
        differ = ~((flat == flat[first[cells]]) | (np.isnan(flat) & np.isnan(flat[first[cells]]))).all(axis=1)
        if differ.any():
            row = int(differ.argmax())
            raise ConfigError(
                f"{where}: {_place(frame, int(first[cells[row]]))} and {_place(frame, row)} are the same "
                "cell "
                f"('{frame['cell'].iloc[row]}') with different {kind}; accepted: equal numbers for a cell."
            )
    return cells.astype(np.int64)
