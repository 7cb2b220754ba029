"""Which result stands behind a row of a table.

A row asks for a *job* (`nas_bench_suite.experiments`): a label, a budget and what differs from that label's
configuration and from the paper's protocol, as on the command line. It gets trials 0 .. trials - 1 of one
run, all of them, or it is missing, with the reason: drafts and full runs are never mixed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from analysis.result import Missing, Result
from nas_bench_suite.benchmark import NOT_IDENTITY
from nas_bench_suite.experiments import Job, compose, names

FULL_TRIALS = 500
SECTIONS = ("optimizer", "benchmark", "protocol")


@dataclass(frozen=True)
class Study:
    """Results of one benchmark, seed and number of trials, from which rows are taken."""

    results: Sequence[Result]
    benchmark: str = "nasbench101_surrogate"
    trials: int = FULL_TRIALS
    seed: int = 0
    also: tuple[str, ...] = ()  # labels of somebody's own that tables and figures show beside the paper's
    # budget of the paper -> budget asked here, for tests on small runs
    budgets: Mapping[int, int] = field(default_factory=dict)
    # what was found, by run and trials: tables, figures and the report ask for the same ones
    _found: dict[tuple[Path, int], Result] = field(default_factory=dict, repr=False, compare=False)

    @property
    def draft(self) -> bool:
        return self.trials < FULL_TRIALS

    @cached_property
    def comparable(self) -> list[Result]:
        """Results on the benchmark, those of one draw all from the same data: what most of its runs were made
        from, the checksum deciding a tie."""
        data = self._data
        return [
            result
            for result in self.results
            if result.benchmark == self.benchmark and result.checksum == data[result.draw]
        ]

    @cached_property
    def _data(self) -> dict[int, str]:
        """The checksum of the data that most runs on a draw were made from, by draw."""
        counts: dict[int, Counter[str]] = {}
        for result in self.results:
            if result.benchmark == self.benchmark:
                counts.setdefault(result.draw, Counter())[result.checksum] += 1
        return {
            draw: max(of_it, key=lambda checksum: (of_it[checksum], checksum))
            for draw, of_it in counts.items()
        }

    @property
    def left_out(self) -> list[str]:
        """A sentence for each run on the benchmark that other data stands behind."""
        return [
            f"{result.run.folder} was made from other data (checksum {result.checksum[:8]}) than most runs "
            f"on {self.benchmark} ({self._data[result.draw][:8]}) and is left out."
            for result in self.results
            if result.benchmark == self.benchmark and result.checksum != self._data[result.draw]
        ]

    def asked(self, budget: int) -> int:
        """The budget that stands for one of the paper's."""
        return self.budgets.get(budget, budget)

    def find(self, job: Job) -> Result | Missing:
        """The result behind a row, which asks for `optimizer`, `budget` and what differs from their
        defaults."""
        label, budget = str(job["optimizer"]), self.asked(int(job["budget"]))
        wanted = standard(label, self.benchmark, job)
        own = {
            key.removeprefix("optimizer."): value
            for key, value in job.items()
            if key.startswith("optimizer.")
        }
        same = [
            result
            for result in self.comparable
            if (result.label, result.budget, result.seed) == (label, budget, self.seed)
            and not _differing(result.config["optimizer"], own)
            and result.draw == int(wanted["benchmark"].get("draw") or 0)
            and not _differing(result.config["benchmark"], wanted["benchmark"])
            and not _differing(result.rules, wanted["protocol"])
        ]
        fitting = [
            result for result in same if not _differing(result.config["optimizer"], wanted["optimizer"])
        ]
        if not fitting:
            if not same and label not in names("optimizer"):
                return Missing("not built yet (no config of that name)")
            others = f" with its present configuration ({len(same)} with another)" if same else ""
            return Missing(f"no result{others}")
        whole = [result for result in fitting if not len(result.lacking(self.trials))]
        if not whole:
            lacking = min((result.lacking(self.trials) for result in fitting), key=len)
            return Missing(
                f"incomplete, {self.trials - len(lacking)} of {self.trials} trials (without "
                f"{_ranges(lacking)})"
            )
        # The largest blocks first; the key decides what is left, so that the choice is always the same.
        chosen = min(whole, key=lambda result: (-result.block_size, result.key))
        return self._found.setdefault((chosen.run.folder, self.trials), chosen.first(self.trials))


def standard(label: str, benchmark: str, job: Job | None = None) -> dict[str, dict[str, Any]]:
    """The sections of the configuration that a label has on a benchmark, with what `job` changes; empty where
    there is no config of that name (a method or a benchmark of the user's own, from elsewhere)."""
    changes = {key: value for key, value in (job or {}).items() if key not in ("optimizer", "benchmark")}
    known = {
        group: name
        for group, name in (("optimizer", label), ("benchmark", benchmark))
        if name in names(group)
    }
    empty = [group for group in ("optimizer", "benchmark") if group not in known]
    config = compose(
        known | {key: value for key, value in changes.items() if key.partition(".")[0] not in empty}
    )
    out = {section: dict(config[section]) for section in SECTIONS}
    for group in empty:
        start = f"{group}."
        out[group] = {k.removeprefix(start): v for k, v in changes.items() if k.startswith(start)}
    out["optimizer"].pop("_target_", None)
    for key in NOT_IDENTITY:
        out["benchmark"].pop(key, None)
    return out


def differing(result: Result, section: str) -> list[str]:
    """What of a result's hyperparameters (section `optimizer`), options (`benchmark`) or rules (`protocol`)
    differs from its label's configuration, as `key=value`."""
    found = result.rules if section == "protocol" else result.config[section]
    wanted = standard(result.label, result.benchmark)[section]
    return [f"{key}={found[key]}" for key in found if key in _differing(found, wanted)]


def configuration(result: Result) -> str:
    """A configuration by its label and what differs from the label's: `remaade`, `remaade
    learning_rate=0.03`, `random run=mean`."""
    return " ".join([result.label, *differing(result, "protocol"), *differing(result, "optimizer")])


def fits(result: Result, section: str, wanted: Mapping[str, Any]) -> bool:
    """Whether a section of a result's configuration has the wanted values."""
    return not _differing(result.config[section], wanted)


def _differing(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """The keys of `wanted` that a section has other values for; one that it lacks agrees with None alone."""
    return [key for key, value in wanted.items() if _plain(found.get(key)) != _plain(value)]


def _plain(value: Any) -> Any:
    """Values as configs compare them: 1 and 1.0 are the same, an order count may be a string."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _ranges(trials: Sequence[int] | np.ndarray) -> str:
    """Ascending trials in words: `trials 50 to 99, 200 to 249 and 100 more`."""
    parts = np.split(np.asarray(trials), np.flatnonzero(np.diff(trials) > 1) + 1)
    shown = [f"{part[0]}" if len(part) == 1 else f"{part[0]} to {part[-1]}" for part in parts[:3]]
    more = sum(len(part) for part in parts[3:])
    return f"trials {', '.join(shown)}" + (f" and {more} more" if more else "")
