"""Result files as tidy frames.

`load_results` gives one row per trial, or with `curves=True` one row per trial and query; `summarize` one row
per configuration; `what_differs` names the columns that tell configurations apart. Errors are in percent;
result files hold fractions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.curves import incumbents, unit_cost
from analysis.result import Columns, Result, scan
from analysis.selection import SECTIONS
from nas_bench_suite.checks import ConfigError

if TYPE_CHECKING:
    import pandas as pd

# What tells configurations apart, beside the options that differ.
IDENTITY = ("benchmark", "protocol", "optimizer", "config_hash", "budget", "seed")
_FIRST = ("validation_error", "test_error", "test_error_mean_of_runs")


def load_results(
    output_dir: str | Path = "outputs",
    *,
    curves: bool = False,
    benchmark: str | None = None,
    optimizer: str | Iterable[str] | None = None,
    budget: int | None = None,
    trials: int | None = None,
    problem: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Read result files.

    Args:
        output_dir: where results lie.
        curves: one row per trial and query instead of one per trial.
        benchmark: keep this one only.
        optimizer: a label or several: keep these only.
        budget: keep this one only.
        trials: keep trials 0 .. trials - 1.
        problem: see `scan`.

    Returns: A frame. `benchmark, protocol, optimizer` (the label), `config_hash, budget, seed, trial,
        trials_in_job`, then errors of the incumbent in percent (`validation_error, test_error,
        test_error_mean_of_runs`), the ledger, and a column for each hyperparameter and option that differs
        (`optimizer.orderings`, `benchmark.edge_limit`). With `curves`: `query` (from 1), `spent` (in
        full-fidelity queries), `cell_id, run, fidelity, seconds, status`, errors of the query
        (`query_validation_error, query_test_error`) and of the incumbent after it.

    Raises:
        ConfigError: for an unreadable folder or file, in one sentence.
    """
    import pandas as pd

    labels = {optimizer} if isinstance(optimizer, str) else None if optimizer is None else set(optimizer)
    chosen = [
        result if trials is None else result.first(trials)
        for result in scan(output_dir, problem)
        if (benchmark is None or result.benchmark == benchmark)
        and (labels is None or result.label in labels)
        and (budget is None or result.budget == budget)
    ]
    if not chosen:
        return pd.DataFrame(columns=[*IDENTITY, "trial", "trials_in_job", *_FIRST])
    varying = _varying(chosen)
    constants = [
        _identity(result) | {name: flat.get(name) for name in varying}
        for result, flat in zip(chosen, map(_flatten, chosen))
    ]
    return _joined(constants, [_curve_columns(r) if curves else _trial_columns(r) for r in chosen])


def _joined(constants: list[dict[str, Any]], parts: list[dict[str, np.ndarray]]) -> pd.DataFrame:
    """One frame of all runs: what is constant within a run (its words as categories), and the runs' columns,
    taken out of `parts` one by one.

    Millions of rows are usual: nothing is held twice, and a word costs a byte per row.
    """
    import pandas as pd

    lengths = [len(part["trial"]) for part in parts]
    out: dict[str, Any] = {}
    for name in constants[0]:
        values = [constant[name] for constant in constants]
        if all(type(value) is int for value in values):
            out[name] = np.repeat(np.array(values), lengths)
        else:
            known = list(dict.fromkeys(value for value in values if value is not None))
            codes = np.repeat(
                np.array([-1 if value is None else known.index(value) for value in values]), lengths
            )
            out[name] = pd.Categorical.from_codes(codes, categories=known)
    columns = list(dict.fromkeys(name for part in parts for name in part))
    for name in columns:
        pieces = [part.pop(name, None) for part in parts]
        out[name] = np.concatenate(
            [np.full(length, np.nan) if piece is None else piece for piece, length in zip(pieces, lengths)]
        )
    order = [name for name in out if "." not in name] + [name for name in out if "." in name]
    return pd.DataFrame({name: out.pop(name) for name in order}, copy=False)


def _identity(result: Result) -> dict[str, Any]:
    values = (result.benchmark, result.protocol, result.label, result.key, result.budget, result.seed)
    return dict(zip(IDENTITY, values))


def _trial_columns(result: Result) -> Columns:
    """One value per trial."""
    ledger = dict(result.ledger)
    count = len(result.trial_ids)
    out = {
        "trial": ledger.pop("trial").astype(np.int64),
        "trials_in_job": np.full(count, len(result.held)),
    }
    for name, source in zip(_FIRST, ("incumbent_validation", "incumbent_test", "incumbent_test_mean")):
        out[name] = (
            100 * (1 - ledger.pop(source).astype(float)) if source in ledger else np.full(count, np.nan)
        )
    return out | ledger


def _curve_columns(result: Result) -> Columns:
    """One value per charged query."""
    columns = result.queries()
    held = incumbents(columns)
    out = {
        "trial": columns["trial"],
        "trials_in_job": np.full(len(held), len(result.held), dtype=np.int32),
        "query": columns["query"],
        "spent": columns["spent"] / unit_cost(result, columns),
    }
    for name, source in zip(_FIRST[:2], ("validation", "test")):
        out[name] = np.where(held < 0, np.nan, 100 * (1 - columns[source][held]))
    for source in ("validation", "test"):
        out[f"query_{source}_error"] = 100 * (1 - columns[source])
    return out | {name: columns[name] for name in ("cell_id", "run", "fidelity", "seconds", "status")}


def _flatten(result: Result) -> dict[str, Any]:
    """Options, hyperparameters and rules by dotted names."""
    flat: dict[str, Any] = {}
    for section in SECTIONS:
        for key, value in (result.rules if section == "protocol" else result.config[section]).items():
            if key not in ("_target_", "name"):
                plain = value is None or isinstance(value, (int, float, str, bool))
                flat[f"{section}.{key}"] = value if plain else str(value)
    return flat


def _varying(results: Iterable[Result]) -> list[str]:
    """Options that differ: hyperparameters within a label, benchmark options within a benchmark, protocol
    rules anywhere."""
    groups: dict[tuple[str, str], set[str]] = {}
    for result in results:
        for name, value in _flatten(result).items():
            owner = {"optimizer": result.label, "benchmark": result.benchmark}.get(name.split(".")[0], "")
            groups.setdefault((name, owner), set()).add(repr(value))
    return sorted({name for (name, _), values in groups.items() if len(values) > 1})


def what_differs(frame: pd.DataFrame) -> list[str]:
    """The columns by which the configurations in a frame differ: group by these, and no mean is taken over
    two configurations. `["optimizer"]` where nothing differs.

    `config_hash` is named only if nothing else tells two configurations apart (they were cut into blocks of
    other sizes).
    """
    names = [name for name in _identity_columns(frame) if name != "config_hash"]
    differ = [name for name in names if frame[name].nunique(dropna=False) > 1]
    apart = frame[[*differ, "config_hash"]].drop_duplicates()
    if apart.duplicated(differ).any() if differ else len(apart) > 1:
        differ.append("config_hash")
    return differ or ["optimizer"]


def summarize(frame: pd.DataFrame, by: Iterable[str] | None = None, join: Iterable[str] = ()) -> pd.DataFrame:
    """One row per configuration: statistics of the final test error (percent) over trials.

    Args:
        frame: from `load_results` (not `curves`).
        by: columns that tell configurations apart; the identity columns and the hyperparameters that differ,
            if left out.
        join: columns that may differ within a row: `("seed", "benchmark.draw")` takes the trials of all seeds
            and draws as one sample.

    Returns: A frame indexed by `by` with `trials, mean, sd, median, iqm, low, high` (the 95 % BCa interval of
        the mean), `mean_of_runs` (mean test error of the incumbents' cells over all stored runs),
        `validation_error`, `unique_cells`, `optimizer_seconds`, `without` (trials that have no test error and
        are left out).

    Raises:
        ConfigError: if a row would average over configurations that differ in a column which neither `by` nor
            `join` names.
    """
    import pandas as pd

    from analysis import statistics

    by = list(by) if by is not None else _identity_columns(frame)
    joined = set(join)
    rows = []
    for values, group in frame.groupby(by, dropna=False, sort=True, observed=True):
        over = [name for name in what_differs(group) if name not in joined and group[name].nunique(False) > 1]
        if over and not (joined and over == ["config_hash"]):
            raise ConfigError(
                f"by={by} averages over {', '.join(over)}; accepted: these columns in `by`, or in `join` "
                "where the trials are to be one sample."
            )
        errors = group["test_error"].dropna().to_numpy()
        described = statistics.describe(errors)
        rows.append(
            dict(zip(by, values))
            | described.values()
            | {
                "mean_of_runs": group["test_error_mean_of_runs"].mean(),
                "validation_error": group["validation_error"].mean(),
                "unique_cells": group["unique_cells"].mean() if "unique_cells" in group else np.nan,
                "optimizer_seconds": group["optimizer_seconds"].mean()
                if "optimizer_seconds" in group
                else np.nan,
                "without": len(group) - described.n,
            }
        )
    return pd.DataFrame(rows, columns=None if rows else [*by, "trials", "mean", "sd"]).set_index(by)


def _identity_columns(frame: pd.DataFrame) -> list[str]:
    dotted = [name for name in frame.columns if "." in name and name.split(".")[0] in SECTIONS]
    return [*IDENTITY, *dotted]
