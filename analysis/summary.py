"""Result files as tidy frames.

`load_results` gives one row a trial, or with `curves=True` one row a trial and query; `summarize` one row a configuration. Errors are in percent;
result files hold fractions. A *run* is one configuration's folder (`nas_bench_suite.results.Run`).

An *incumbent* is the best single evaluation so far: full-fidelity ones only, and until there is one the best at the highest fidelity so far; the first
wins a tie. Its test error is that of the query that found it. Nothing is interpolated or smoothed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nas_bench_suite.config import ConfigError
from nas_bench_suite.results import Block, Run, find_runs

if TYPE_CHECKING:
    import pandas as pd

# Ledger columns of a frame, in order; whatever else a ledger holds follows.
_FIRST = ("validation_error", "test_error", "test_error_mean_of_runs")


@dataclass(frozen=True)
class RunInfo:
    """A run whose files have been checked: its configuration, its blocks, and what their manifests say."""

    run: Run
    config: dict[str, Any]
    blocks: tuple[Block, ...]
    manifests: tuple[dict[str, Any], ...]

    @property
    def label(self) -> str:
        return str(self.config["optimizer_label"])

    @property
    def benchmark(self) -> str:
        return str(self.config["benchmark_label"])

    @property
    def budget(self) -> int:
        return int(self.config["budget"])

    @property
    def key(self) -> str:
        """Hash of what determines the result."""
        return self.run.folder.name.rpartition("-")[2]

    @property
    def protocol(self) -> str:
        return protocol_name(self.config["protocol"])

    @property
    def surrogate(self) -> bool:
        return any(bool((manifest.get("benchmark") or {}).get("surrogate")) for manifest in self.manifests)

    @cached_property
    def trial_ids(self) -> np.ndarray:
        """int64[n]: the trials that this run holds, ascending."""
        return np.concatenate([np.arange(block.first, block.last + 1) for block in self.blocks])

    @property
    def seconds(self) -> float:
        """Wall-clock seconds of all blocks."""
        return float(sum(manifest.get("seconds") or 0.0 for manifest in self.manifests))

    @cached_property
    def ledger(self) -> dict[str, np.ndarray]:
        """One array a ledger column over `trial_ids`."""
        ledgers = [block.ledger() for block in self.blocks]
        return {name: np.concatenate([ledger[name] for ledger in ledgers]) for name in ledgers[0]}

    def covers(self, trials: int) -> bool:
        """Whether trials 0 .. trials - 1 are all there."""
        return bool(np.isin(np.arange(trials), self.trial_ids).all())

    def queries(self, trials: int | None = None) -> dict[str, np.ndarray]:
        """All charged queries, of trials below `trials` if given."""
        blocks = [block for block in self.blocks if trials is None or block.first < trials]
        parts = [block.queries() for block in blocks]
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        if trials is not None:
            keep = joined["trial"] < trials
            joined = {name: column[keep] for name, column in joined.items()}
        return joined


def protocol_name(options: dict[str, Any]) -> str:
    """A protocol in one line: `run=single_same repeats=charge invalid=free cost=query`."""
    return " ".join(f"{key}={options[key]}" for key in ("run", "repeats", "invalid", "cost") if key in options)


def scan(output_dir: str | Path, problem: Callable[[str], None] | None = None) -> list[RunInfo]:
    """All runs below `output_dir`, every file checked against its manifest.

    Args:
        output_dir: where results lie.
        problem: called with the sentence of each damaged or misplaced file, whose block is then left out; if None the first one is raised.

    Raises:
        ConfigError: if `output_dir` does not exist; for a damaged file unless `problem` is given.
    """
    root = Path(output_dir)
    if not root.is_dir():
        raise ConfigError(f"output_dir={root} is no folder; accepted: a folder with results, as `python run.py` writes them.")
    infos = []
    for run in find_runs(root):
        blocks, manifests = [], []
        try:
            config = run.config()
            _check_place(run, config)
        except ConfigError as error:
            if problem is None:
                raise
            problem(str(error))
            continue
        for block in _without_overlap(run.blocks()):
            try:
                manifest = _checked(block, config)
            except ConfigError as error:
                if problem is None:
                    raise
                problem(str(error))
                continue
            blocks.append(block)
            manifests.append(manifest)
        if blocks:
            infos.append(RunInfo(run, config, tuple(blocks), tuple(manifests)))
    return infos


def _without_overlap(blocks: list[Block]) -> list[Block]:
    kept: list[Block] = []
    for block in blocks:
        if not kept or block.first > kept[-1].last:
            kept.append(block)
    return kept


def _check_place(run: Run, config: dict[str, Any]) -> None:
    benchmark, label = run.folder.parts[-3:-1]
    if config.get("benchmark_label") != benchmark or config.get("optimizer_label") != label:
        raise ConfigError(
            f"{run.folder} holds results of optimizer={config.get('optimizer_label')} on benchmark={config.get('benchmark_label')}; "
            f"accepted there: optimizer={label} on benchmark={benchmark}. Move or remove the folder."
        )


def _checked(block: Block, config: dict[str, Any]) -> dict[str, Any]:
    """The manifest of a block whose query file is whole and belongs to `config`."""
    manifest = block.manifest()
    made_on = (manifest.get("benchmark") or {}).get("name")
    if made_on is not None and made_on != config["benchmark"]["name"]:
        raise ConfigError(
            f"{block.path} was made on benchmark={made_on}; accepted there: benchmark={config['benchmark']['name']}. Remove it and run the job again."
        )
    if manifest.get("query_file") != block.path.name or len(manifest["ledger"].get("trial", ())) != block.last - block.first + 1:
        raise ConfigError(f"{block.manifest_path} describes another block than {block.path.name}; remove both and run the job again.")
    try:
        content = block.path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{block.path} cannot be read ({error.strerror or error}); remove it and run the job again.") from None
    if hashlib.sha256(content).hexdigest() != manifest.get("query_sha256"):
        raise ConfigError(
            f"{block.path} is damaged: its {len(content)} bytes do not match its manifest (cut short, or from elsewhere); "
            "remove it and run the job again."
        )
    return manifest


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
        differs (`optimizer.orderings`, `benchmark.edge_limit`). With `curves`: `query` (from 1), `spent` (in full-fidelity queries), `cell_id, run,
        fidelity, seconds, status`, errors of the query (`query_validation_error, query_test_error`) and of the incumbent after it.

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


def unit_cost(info: RunInfo, columns: dict[str, np.ndarray]) -> float:
    """What a full-fidelity query costs in the units of `spent`: its epochs under `cost: epochs`, else 1."""
    if info.config["protocol"].get("cost") != "epochs":
        return 1.0
    return float(columns["fidelity"].max())


def incumbents(columns: dict[str, np.ndarray]) -> np.ndarray:
    """int64[rows]: for each charged query the row of its trial's incumbent after it, -1 while there is none.

    Rows are ordered by trial, then query, as in the query files.
    """
    trial, fidelity, validation = columns["trial"], columns["fidelity"], columns["validation"]
    held = np.full(len(trial), -1, dtype=np.int64)
    if not len(trial):
        return held
    starts = np.flatnonzero(np.r_[True, trial[1:] != trial[:-1]])
    counts = np.diff(np.r_[starts, len(trial)])
    # One sortable number a row: fidelity first, then validation (accuracies lie in [0, 1]).
    worth = np.where(np.isnan(validation), -np.inf, np.searchsorted(np.unique(fidelity), fidelity) * 2.0 + validation)
    grid = np.full((len(starts), counts.max()), -np.inf)
    row, column = np.repeat(np.arange(len(starts)), counts), np.arange(len(trial)) - np.repeat(starts, counts)
    grid[row, column] = worth
    best = np.maximum.accumulate(grid, axis=1)
    before = np.concatenate([np.full((len(grid), 1), -np.inf), best[:, :-1]], axis=1)
    place = np.maximum.accumulate(np.where(grid > before, np.arange(grid.shape[1]), -1), axis=1)[row, column]
    return np.where(place >= 0, starts[row] + place, -1)


@dataclass(frozen=True)
class Curves:
    """Step curves on the grid 1 .. budget of full-fidelity queries spent; float[T, budget], errors in percent.

    Column b holds the state after the last query whose cost fits into b; before the first one it is NaN. `unique` counts distinct cells, `repeats`
    queries that met a cell seen before at that fidelity, `hours` simulated training time so far.
    """

    trial: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    unique: np.ndarray
    repeats: np.ndarray
    hours: np.ndarray
    extra: dict[str, Any] = field(default_factory=dict)


def curves_of(info: RunInfo, trials: int | None = None) -> Curves:
    """The step curves of a run."""
    columns = info.queries(trials)
    trial = columns["trial"]
    starts = np.flatnonzero(np.r_[True, trial[1:] != trial[:-1]])
    ends = np.r_[starts[1:], len(trial)]
    held = incumbents(columns)
    cost = unit_cost(info, columns)
    grid = np.arange(1, info.budget + 1) * cost
    # Row of the last query that fits into each budget, -1 before the first.
    last = np.stack([np.searchsorted(columns["spent"][a:b], grid, side="right") - 1 + a for a, b in zip(starts, ends)])
    none = last < starts[:, None]
    at = np.where(none, starts[:, None], last)

    def errors(name: str) -> np.ndarray:
        rows = held[at]
        return np.where(none | (rows < 0), np.nan, 100 * (1 - columns[name][rows]))

    cell_seen = _first_time(trial, columns["cell_id"])
    valid = columns["cell_id"] >= 0
    pair_seen = _first_time(trial, columns["cell_id"] * 1024 + columns["fidelity"])

    def running(values: np.ndarray) -> np.ndarray:
        total = np.cumsum(values.astype(float))
        base = np.concatenate([[0.0], total])[starts]
        return np.where(none, 0.0, total[at] - base[:, None])

    return Curves(
        trial=trial[starts].astype(np.int64),
        validation=errors("validation"),
        test=errors("test"),
        unique=running(cell_seen & valid),
        repeats=running(~pair_seen & valid),
        hours=running(columns["seconds"]) / 3600,
    )


def _first_time(trial: np.ndarray, value: np.ndarray) -> np.ndarray:
    """bool[rows]: whether a trial meets `value` for the first time in this row."""
    order = np.lexsort((np.arange(len(value)), value, trial))
    new = np.r_[True, (np.diff(trial[order]) != 0) | (value[order][1:] != value[order][:-1])] if len(value) else np.empty(0, dtype=bool)
    out = np.zeros(len(value), dtype=bool)
    out[order] = new
    return out


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
        A frame indexed by `by` with `trials, mean, sd, median, iqm, low, high` (the 95 % BCa interval of the mean), `mean_of_runs` (mean test error of the
        incumbents' cells over all stored runs), `validation_error`, `unique_cells`, `optimizer_seconds`, `without` (trials that have no test error and
        are left out).
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
