"""Result files as tidy frames.

`load_results` gives one row a trial, or with `curves=True` one row a trial and query; `summarize` one row a
configuration. Errors are in percent; result files hold fractions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.curves import incumbents, unit_cost
from analysis.runs import RunInfo, scan

if TYPE_CHECKING:
    import pandas as pd

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
        curves: one row a trial and query instead of one a trial.
        benchmark, optimizer, budget: keep these only (`optimizer`: a label or several).
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
        info
        for info in scan(output_dir, problem)
        if (benchmark is None or info.benchmark == benchmark)
        and (labels is None or info.label in labels)
        and (budget is None or info.budget == budget)
    ]
    if not chosen:
        return pd.DataFrame(
            columns=[
                "benchmark",
                "protocol",
                "optimizer",
                "config_hash",
                "budget",
                "seed",
                "trial",
                "trials_in_job",
                *_FIRST,
            ]
        )
    varying = _varying([info.config for info in chosen])
    flat = [_flatten(info.config) for info in chosen]
    constants = [
        _identity(info) | {name: values.get(name) for name in varying} for info, values in zip(chosen, flat)
    ]
    parts = [_curve_columns(info, trials) if curves else _trial_columns(info, trials) for info in chosen]
    return _joined(constants, parts)


def _joined(constants: list[dict[str, Any]], parts: list[dict[str, np.ndarray]]) -> pd.DataFrame:
    """One frame of all runs: what is constant within a run (its words as categories), and the runs' columns,
    taken out of `parts` one by one.

    Millions of rows are usual: nothing is held twice, and a word costs a byte a row.
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


def _identity(info: RunInfo) -> dict[str, Any]:
    return {
        "benchmark": info.benchmark,
        "protocol": info.protocol,
        "optimizer": info.label,
        "config_hash": info.key,
        "budget": info.budget,
        "seed": int(info.config["seed"]),
    }


def _trial_columns(info: RunInfo, trials: int | None) -> dict[str, np.ndarray]:
    """One value a trial."""
    ledger = dict(info.ledger)
    count = len(info.trial_ids)
    out = {"trial": ledger.pop("trial").astype(np.int64), "trials_in_job": np.full(count, count)}
    for name, source in zip(_FIRST, ("incumbent_validation", "incumbent_test", "incumbent_test_mean")):
        out[name] = (
            100 * (1 - ledger.pop(source).astype(float)) if source in ledger else np.full(count, np.nan)
        )
    out |= ledger
    return out if trials is None else {name: column[out["trial"] < trials] for name, column in out.items()}


def _curve_columns(info: RunInfo, trials: int | None) -> dict[str, np.ndarray]:
    """One value a charged query."""
    columns = info.queries(trials)
    held = incumbents(columns)
    out = {
        "trial": columns["trial"],
        "trials_in_job": np.full(len(held), len(info.trial_ids), dtype=np.int32),
        "query": columns["query"],
        "spent": columns["spent"] / unit_cost(info, columns),
    }
    for name, source in zip(_FIRST[:2], ("validation", "test")):
        out[name] = np.where(held < 0, np.nan, 100 * (1 - columns[source][held]))
    for source in ("validation", "test"):
        out[f"query_{source}_error"] = 100 * (1 - columns[source])
    return out | {name: columns[name] for name in ("cell_id", "run", "fidelity", "seconds", "status")}


def _flatten(
    config: dict[str, Any], sections: tuple[str, ...] = ("benchmark", "optimizer", "protocol")
) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for section in sections:
        for key, value in config.get(section, {}).items():
            if key not in ("_target_", "name"):
                flat[f"{section}.{key}"] = (
                    value if isinstance(value, (int, float, str, bool, type(None))) else str(value)
                )
    return flat


def _varying(configs: list[dict[str, Any]]) -> list[str]:
    """Options that differ: hyperparameters within a label, benchmark options within a benchmark, protocol
    rules anywhere."""
    groups: dict[tuple[str, str], set[str]] = {}
    for config in configs:
        for name, value in _flatten(config).items():
            owner = {"optimizer": config["optimizer_label"], "benchmark": config["benchmark_label"]}.get(
                name.split(".")[0], ""
            )
            groups.setdefault((name, owner), set()).add(repr(value))
    return sorted({name for (name, _), values in groups.items() if len(values) > 1})


def summarize(frame: pd.DataFrame, by: Iterable[str] | None = None) -> pd.DataFrame:
    """One row a configuration: statistics of the final test error (percent) over trials.

    Args:
        frame: from `load_results` (not `curves`).
        by: columns that tell configurations apart; the identity columns and the hyperparameters that differ,
            if left out.

    Returns: A frame indexed by `by` with `trials, mean, sd, median, iqm, low, high` (the 95 % BCa interval of
        the mean), `mean_of_runs` (mean test error of the incumbents' cells over all stored runs),
        `validation_error`, `unique_cells`, `optimizer_seconds`, `without` (trials that have no test error and
        are left out).
    """
    import pandas as pd

    from analysis import statistics

    by = list(by) if by is not None else _identity_columns(frame)
    rows = []
    for values, group in frame.groupby(by, dropna=False, sort=True, observed=True):
        errors = group["test_error"].dropna().to_numpy()
        if len(errors):
            described = statistics.describe(errors)
        else:
            described = statistics.Description(
                0, *(float("nan"),) * 4, statistics.Interval(float("nan"), float("nan"))
            )
        rows.append(
            dict(zip(by, values))
            | {
                "trials": described.n,
                "mean": described.mean,
                "sd": described.sd,
                "median": described.median,
                "iqm": described.iqm,
                "low": described.interval.low,
                "high": described.interval.high,
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
    base = ["benchmark", "protocol", "optimizer", "config_hash", "budget", "seed"]
    return base + [
        name
        for name in frame.columns
        if name.split(".")[0] in ("optimizer", "benchmark", "protocol") and "." in name
    ]
