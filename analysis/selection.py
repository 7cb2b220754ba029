"""Which run stands behind a row of a table.

A row asks for a label, a budget and perhaps settings; the rest is that label's own configuration
(`conf/optimizer/<label>.yaml`) under the paper's protocol. A row gets trials 0 .. trials - 1 of one run, all
of them, or it is missing, with the reason: drafts and full runs are never mixed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.runs import RunInfo
from nas_bench_suite.checks import ConfigError

if TYPE_CHECKING:
    import pandas as pd

CONF = Path(__file__).resolve().parents[1] / "conf"
PROTOCOL = {"run": "single_same", "repeats": "charge", "invalid": "free", "cost": "query"}
FULL_TRIALS = 500


@dataclass(frozen=True)
class Found:
    """A row's run, or why there is none."""

    info: RunInfo | None
    trials: int
    reason: str = ""

    @property
    def errors(self) -> pd.Series:
        """Final test error in percent, indexed by trial; trials without one (no test value) are left out."""
        return self.column("incumbent_test", percent=True).dropna()

    def column(self, name: str, percent: bool = False) -> pd.Series:
        """A ledger column over the row's trials, indexed by trial."""
        import pandas as pd

        assert self.info is not None
        values = self.info.ledger[name]
        series = pd.Series(100 * (1 - values.astype(float)) if percent else values, index=self.info.trial_ids)
        return series.loc[series.index < self.trials]


@dataclass(frozen=True)
class Study:
    """Results of one benchmark, seed and number of trials, from which rows are taken."""

    runs: Sequence[RunInfo]
    benchmark: str = "nasbench101_surrogate"
    trials: int = FULL_TRIALS
    seed: int = 0
    # budget of the paper -> budget asked here, for tests on small runs
    budgets: Mapping[int, int] = field(default_factory=dict)

    @property
    def draft(self) -> bool:
        return self.trials < FULL_TRIALS

    @cached_property
    def comparable(self) -> list[RunInfo]:
        """Runs on the benchmark, all from the same data: what most runs were made from, the checksum deciding
        a tie."""
        runs = [info for info in self.runs if info.benchmark == self.benchmark]
        counts = Counter(info.checksum for info in runs)
        data = max(counts, key=lambda checksum: (counts[checksum], checksum), default="")
        return [info for info in runs if info.checksum == data]

    @property
    def left_out(self) -> list[str]:
        """A sentence for each run on the benchmark that other data stands behind."""
        if not self.comparable:
            return []
        data = self.comparable[0].checksum
        return [
            f"{info.run.folder} was made from other data (checksum {info.checksum[:8]}) than most runs on "
            f"{self.benchmark} ({data[:8]}) and is "
            "left out."
            for info in self.runs
            if info.benchmark == self.benchmark and info.checksum != data
        ]

    def find(
        self,
        label: str,
        budget: int,
        settings: Mapping[str, Any] | None = None,
        protocol: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Found:
        """The run behind a row.

        Args:
            label: the optimizer's config.
            budget: queries.
            settings: hyperparameters that differ from the label's config.
            protocol, options: rules of the protocol and options of the benchmark that differ from their
                defaults.
        """
        budget = self.budgets.get(budget, budget)
        wanted_options = dict(defaults("benchmark", self.benchmark)) | dict(options or {})
        # A multi-fidelity method may charge epochs by its own config; captions say so.
        wanted_rules = PROTOCOL | dict(own_rules(label)) | dict(protocol or {})
        same = [
            info
            for info in self.comparable
            if info.label == label
            and info.budget == budget
            and int(info.config["seed"]) == self.seed
            and agrees(info.config["optimizer"], settings or {})
            and agrees(info.config["benchmark"], wanted_options)
            and agrees(info.config["protocol"], wanted_rules)
        ]
        own = dict(defaults("optimizer", label)) | dict(settings or {})
        fitting = [info for info in same if agrees(info.config["optimizer"], own)]
        if not fitting:
            if not is_built(label) and not same:
                return Found(None, self.trials, "not built yet (no config of that name)")
            others = f" with its present configuration ({len(same)} with another)" if same else ""
            return Found(None, self.trials, f"no result{others}")
        whole = [info for info in fitting if not len(info.lacking(self.trials))]
        if not whole:
            lacking = min((info.lacking(self.trials) for info in fitting), key=len)
            return Found(
                None,
                self.trials,
                f"incomplete, {self.trials - len(lacking)} of {self.trials} trials (without "
                f"{_ranges(lacking)})",
            )
        # The largest blocks first; the key decides what is left, so that the choice is always the same.
        whole.sort(key=lambda info: (-int(info.config["trials_per_block"]), info.key))
        return Found(whole[0], self.trials)


def _ranges(trials: Sequence[int] | np.ndarray) -> str:
    """Ascending trials in words: `trials 50 to 99, 200 to 249 and 100 more`."""
    parts = np.split(np.asarray(trials), np.flatnonzero(np.diff(trials) > 1) + 1)
    shown = [f"{part[0]}" if len(part) == 1 else f"{part[0]} to {part[-1]}" for part in parts[:3]]
    more = sum(len(part) for part in parts[3:])
    return f"trials {', '.join(shown)}" + (f" and {more} more" if more else "")


def agrees(config: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a configuration has the wanted values; one that it lacks agrees with None alone."""
    return all(
        _plain(config.get(key)) == _plain(value)
        for key, value in wanted.items()
        if key in config or value is not None
    )


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


def is_built(label: str) -> bool:
    """Whether there is a config of that name."""
    return (CONF / "optimizer" / f"{label}.yaml").exists()


@cache
def defaults(group: str, name: str) -> Mapping[str, Any]:
    """The values of `conf/<group>/<name>.yaml`, without those that refer to others; empty if there is no such
    file. A config that stands on another of its group (`defaults: [reinforce, _self_]`) has that one's values
    where it has none of its own.

    Raises:
        ConfigError: if the file cannot be read.
    """
    content = _content(group, name)
    if isinstance(content.get(group), dict):  # a global package keeps the section under its own name
        content = content[group]
    return {str(key): value for key, value in content.items() if key != "_target_" and "${" not in str(value)}


def own_rules(label: str) -> Mapping[str, Any]:
    """Rules of the protocol that a method's own config sets (BOHB: `cost: epochs`)."""
    rules = _content("optimizer", label).get("protocol")
    return rules if isinstance(rules, dict) else {}


def _content(group: str, name: str) -> dict[str, Any]:
    from omegaconf import OmegaConf

    path = CONF / group / f"{name}.yaml"
    if not path.exists():
        return {}
    try:
        content: Any = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    except Exception as error:
        raise ConfigError(f"{path} cannot be read ({str(error).splitlines()[0]}).") from None
    if not isinstance(content, dict):
        return {}
    # As Hydra composes: what the defaults list names comes first, the file itself last.
    inherited: dict[str, Any] = {}
    for parent in content.pop("defaults", []):
        if isinstance(parent, str) and parent != "_self_":
            inherited |= _content(group, parent)
    return inherited | content
