"""Result files as tidy frames.

`load_results` gives one row a trial, or with `curves=True` one row a trial and query; `summarize` one row a configuration. Errors are in
percent; result files hold fractions.
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

    Returns:
        A frame. `benchmark, protocol, optimizer` (the label), `config_hash, budget, seed, trial, trials_in_job`, then errors of the incumbent in
        percent (`validation_error, test_error, test_error_mean_of_runs`), the ledger, and a column for each hyperparameter and option that
        differs (`optimizer.orderings`, `benchmark.edge_limit`). With `curves`: `query` (from 1), `spent` (in full-fidelity queries),
        `cell_id, run, fidelity, seconds, status`, errors of the query (`query_validation_error, query_test_error`) and of the incumbent
        after it.

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
    varying = _varying([info.config for info in chosen])
    frames = [_curve_frame(info, trials) if curves else _trial_frame(info, trials) for info in chosen]
    for info, frame in zip(chosen, frames):
        flat = _flatten(info.config)
        for name in varying:
            frame[name] = [flat.get(name)] * len(frame)
    if not frames:
        return pd.DataFrame(columns=["benchmark", "protocol", "optimizer", "config_hash", "budget", "seed", "trial", "trials_in_job", *_FIRST])
    return pd.concat(frames, ignore_index=True)


def _identity(info: RunInfo) -> dict[str, Any]:
    return {
        "benchmark": info.benchmark,
        "protocol": info.protocol,
        "optimizer": info.label,
        "config_hash": info.key,
        "budget": info.budget,
        "seed": int(info.config["seed"]),
    }


def _trial_frame(info: RunInfo, trials: int | None) -> pd.DataFrame:
    import pandas as pd

    ledger = dict(info.ledger)
    frame = pd.DataFrame({name: [value] * len(info.trial_ids) for name, value in _identity(info).items()})
    frame["trial"] = ledger.pop("trial").astype(np.int64)
    frame["trials_in_job"] = len(info.trial_ids)
    for name, source in zip(_FIRST, ("incumbent_validation", "incumbent_test", "incumbent_test_mean")):
        frame[name] = 100 * (1 - ledger.pop(source).astype(float)) if source in ledger else np.nan
    for name, column in ledger.items():
        frame[name] = column
    return frame if trials is None else frame[frame["trial"] < trials]


def _curve_frame(info: RunInfo, trials: int | None) -> pd.DataFrame:
    import pandas as pd

    columns = info.queries(trials)
    held = incumbents(columns)
    frame = pd.DataFrame({name: [value] * len(held) for name, value in _identity(info).items()})
    frame["trial"] = columns["trial"].astype(np.int64)
    frame["trials_in_job"] = len(info.trial_ids)
    frame["query"] = columns["query"].astype(np.int64)
    frame["spent"] = columns["spent"] / unit_cost(info, columns)
    for name, source in zip(_FIRST[:2], ("validation", "test")):
        frame[name] = np.where(held < 0, np.nan, 100 * (1 - columns[source][held]))
    for source in ("validation", "test"):
        frame[f"query_{source}_error"] = 100 * (1 - columns[source])
    for name in ("cell_id", "run", "fidelity", "seconds", "status"):
        frame[name] = columns[name]
    return frame


def _flatten(config: dict[str, Any], sections: tuple[str, ...] = ("benchmark", "optimizer", "protocol")) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for section in sections:
        for key, value in config.get(section, {}).items():
            if key not in ("_target_", "name"):
                flat[f"{section}.{key}"] = value if isinstance(value, (int, float, str, bool, type(None))) else str(value)
    return flat


def _varying(configs: list[dict[str, Any]]) -> list[str]:
    """Options that differ: hyperparameters within a label, benchmark options within a benchmark, protocol rules anywhere."""
    groups: dict[tuple[str, str], set[str]] = {}
    for config in configs:
        for name, value in _flatten(config).items():
            owner = {"optimizer": config["optimizer_label"], "benchmark": config["benchmark_label"]}.get(name.split(".")[0], "")
            groups.setdefault((name, owner), set()).add(repr(value))
    return sorted({name for (name, _), values in groups.items() if len(values) > 1})


def summarize(frame: pd.DataFrame, by: Iterable[str] | None = None) -> pd.DataFrame:
    """One row a configuration: statistics of the final test error (percent) over trials.

    Args:
        frame: from `load_results` (not `curves`).
        by: columns that tell configurations apart; the identity columns and the hyperparameters that differ, if left out.

    Returns:
        A frame indexed by `by` with `trials, mean, sd, median, iqm, low, high` (the 95 % BCa interval of the mean), `mean_of_runs`
        (mean test error of the incumbents' cells over all stored runs), `validation_error`, `unique_cells`, `optimizer_seconds`,
        `without` (trials that have no test error and are left out).
    """
    import pandas as pd

    from analysis import statistics

    by = list(by) if by is not None else _identity_columns(frame)
    rows = []
    for values, group in frame.groupby(by, dropna=False, sort=True):
        errors = group["test_error"].dropna().to_numpy()
        if len(errors):
            described = statistics.describe(errors)
        else:
            described = statistics.Description(0, *(float("nan"),) * 4, statistics.Interval(float("nan"), float("nan")))
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
                "optimizer_seconds": group["optimizer_seconds"].mean() if "optimizer_seconds" in group else np.nan,
                "without": len(group) - described.n,
            }
        )
    return pd.DataFrame(rows, columns=None if rows else [*by, "trials", "mean", "sd"]).set_index(by)


def _identity_columns(frame: pd.DataFrame) -> list[str]:
    base = ["benchmark", "protocol", "optimizer", "config_hash", "budget", "seed"]
    return base + [name for name in frame.columns if name.split(".")[0] in ("optimizer", "benchmark", "protocol") and "." in name]
