"""Results: runs on disk, every file checked before it is used.

A *run* is one configuration's folder (`nas_bench_suite.results.Run`). A *result* is a run whose files have
been checked, restricted to the trials that are asked for; where there is none, `Missing` says why. From here
to a table's cell nothing else stands for either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.style import style
from nas_bench_suite.checks import ConfigError
from nas_bench_suite.identity import with_neutral
from nas_bench_suite.protocol import rules_of
from nas_bench_suite.results import Block, Manifest, Run, find_runs

if TYPE_CHECKING:
    import pandas as pd

Columns = dict[str, np.ndarray]  # name -> one value per trial, or per query


@dataclass(frozen=True)
class Missing:
    """Why there is no result."""

    reason: str


@dataclass(frozen=True)
class Origin:
    """How one block came about, as its manifest says. `checksum` is that of the benchmark's data, `notice`
    what is to be known about them, `options` those the benchmark was made with."""

    commit: str
    dirty: bool
    source_hash: str
    device: str
    platform: str
    seconds: float
    versions: Mapping[str, str | None]
    checksum: str
    surrogate: bool
    notice: str
    options: Mapping[str, Any]

    @classmethod
    def of(cls, manifest: Manifest) -> Origin:
        """What a manifest says; one of an older version may say less."""
        benchmark: Mapping[str, Any] = manifest.get("benchmark") or {}
        return cls(
            commit=manifest.get("commit") or "",
            dirty=bool(manifest.get("dirty")),
            source_hash=str(manifest.get("source_hash")),
            device=str(manifest.get("device")),
            platform=str(manifest.get("platform")),
            seconds=float(manifest.get("seconds") or 0.0),
            versions=manifest.get("versions") or {},
            checksum=str(benchmark.get("checksum") or ""),
            surrogate=bool(benchmark.get("surrogate")),
            notice=str(benchmark.get("notice") or ""),
            options=benchmark.get("options") or {},
        )


@dataclass(frozen=True)
class Result:
    """A run whose files have been checked: its configuration, its blocks and their origins.

    Attributes:
        run: the folder.
        config: the resolved configuration.
        blocks, origins: the blocks that are whole, by first trial, and how each came about.
        trials: trials 0 .. trials - 1 are meant; None: all that there are.
    """

    run: Run
    config: Mapping[str, Any]
    blocks: tuple[Block, ...]
    origins: tuple[Origin, ...]
    trials: int | None = None

    def first(self, trials: int) -> Result:
        """The result of trials 0 .. trials - 1."""
        return replace(self, trials=trials)

    @property
    def label(self) -> str:
        """The optimizer's config."""
        return str(self.config["optimizer_label"])

    @property
    def name(self) -> str:
        """The method as it is printed."""
        return style(self.label).name

    @property
    def benchmark(self) -> str:
        """The benchmark's config."""
        return str(self.config["benchmark_label"])

    @property
    def budget(self) -> int:
        return int(self.config["budget"])

    @property
    def seed(self) -> int:
        return int(self.config["seed"])

    @property
    def draw(self) -> int:
        """Which draw of the benchmark's table was searched; 0 for the frozen one, and for a table that is not
        drawn."""
        return int(self.config["benchmark"].get("draw", 0))

    @property
    def block_size(self) -> int:
        return int(self.config["trials_per_block"])

    @property
    def key(self) -> str:
        """Hash of what determines the result."""
        return self.run.folder.name.rpartition("-")[2]

    @property
    def rules(self) -> dict[str, str]:
        """The protocol, every key of it."""
        return rules_of(self.config["protocol"])

    @property
    def protocol(self) -> str:
        """The protocol in one line: `run=single_same repeats=charge invalid=free cost=query`."""
        return " ".join(f"{key}={value}" for key, value in self.rules.items())

    @property
    def checksum(self) -> str:
        """Checksum of the benchmark's data; blocks of one run share it."""
        return self.origins[0].checksum

    @property
    def surrogate(self) -> bool:
        return any(origin.surrogate for origin in self.origins)

    @property
    def seconds(self) -> float:
        """Wall-clock seconds of all blocks."""
        return sum(origin.seconds for origin in self.origins)

    @cached_property
    def held(self) -> np.ndarray:
        """int64[n]: the trials that the run holds, ascending."""
        return np.concatenate([np.arange(block.first, block.last + 1) for block in self.blocks])

    @property
    def trial_ids(self) -> np.ndarray:
        """int64[n]: the trials that are meant and there, ascending."""
        return self.held if self.trials is None else self.held[self.held < self.trials]

    def lacking(self, trials: int) -> np.ndarray:
        """int64[k]: those of trials 0 .. trials - 1 that are not there, ascending."""
        return np.setdiff1d(np.arange(trials), self.held)

    @cached_property
    def ledger(self) -> Columns:
        """One array per ledger column over `trial_ids`."""
        ledgers = [block.ledger() for block in self.blocks]
        keep = np.isin(self.held, self.trial_ids)
        return {name: np.concatenate([ledger[name] for ledger in ledgers])[keep] for name in ledgers[0]}

    def column(self, name: str, percent: bool = False) -> pd.Series:
        """A ledger column, indexed by trial; with `percent` the error of an accuracy."""
        import pandas as pd

        values = self.ledger[name]
        return pd.Series(100 * (1 - values.astype(float)) if percent else values, index=self.trial_ids)

    @cached_property
    def errors(self) -> pd.Series:
        """Final test error in percent, indexed by trial; trials without one (no test value) are left out."""
        return self.column("incumbent_test", percent=True).dropna()

    def ended_early(self) -> dict[str, int]:
        """How many trials ended before their budget, by reason."""
        reasons, counts = np.unique(self.ledger["ended"].astype(str), return_counts=True)
        return {str(reason): int(n) for reason, n in zip(reasons, counts) if reason != "budget"}

    def queries(self) -> Columns:
        """All charged queries: one array per column of the query files."""
        blocks = [block for block in self.blocks if self.trials is None or block.first < self.trials]
        parts = [block.queries() for block in blocks]
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        if self.trials is not None:
            keep = joined["trial"] < self.trials
            joined = {name: column[keep] for name, column in joined.items()}
        return joined


@dataclass(frozen=True)
class Joined(Result):
    """Several results of one method as one: other seeds, or other draws of the table. Trials are counted
    through; what describes one run (folder, key, configuration) is that of the first part.

    Attributes:
        parts: the results, in order.
    """

    parts: tuple[Result, ...] = ()

    @classmethod
    def of(cls, parts: Sequence[Result]) -> Joined:
        """Join results of one configuration."""
        first = parts[0]
        origins = tuple(origin for part in parts for origin in part.origins)
        return cls(first.run, first.config, first.blocks, origins, None, tuple(parts))

    @property
    def key(self) -> str:
        return " ".join(part.key for part in self.parts)

    @property
    def trial_ids(self) -> np.ndarray:
        return np.arange(sum(len(part.trial_ids) for part in self.parts))

    @cached_property
    def held(self) -> np.ndarray:
        return self.trial_ids

    @cached_property
    def ledger(self) -> Columns:
        names = [name for name in self.parts[0].ledger if all(name in part.ledger for part in self.parts)]
        return {name: np.concatenate([part.ledger[name] for part in self.parts]) for name in names}

    def queries(self) -> Columns:
        raise NotImplementedError("joined results have no common queries; take those of their parts.")

    def errors_by_draw(self) -> dict[int, pd.Series]:
        """Final test errors of each draw, its seeds one after the other."""
        import pandas as pd

        draws = sorted({part.draw for part in self.parts})
        return {
            draw: pd.concat([part.errors for part in self.parts if part.draw == draw], ignore_index=True)
            for draw in draws
        }


def scan(output_dir: str | Path, problem: Callable[[str], None] | None = None) -> list[Result]:
    """All results below `output_dir`, every file checked against its manifest.

    Args:
        output_dir: where results lie.
        problem: called with the sentence of each damaged or misplaced file, whose block is then left out; if
            None the first one is raised.

    Raises:
        ConfigError: if `output_dir` does not exist; for a damaged file unless `problem` is given.
    """
    root = Path(output_dir)
    if not root.is_dir():
        raise ConfigError(
            f"output_dir={root} is no folder; accepted: a folder with results, as `python run.py` writes "
            "them."
        )
    complain = problem or _refuse
    for path in _absent(root):
        complain(
            f"{path} is missing (its manifest is there, so it was removed or never finished); run the job "
            "again."
        )
    results = []
    for run in find_runs(root):
        blocks, origins = [], []
        try:
            config = with_neutral(run.config())
            _check_place(run, config)
        except ConfigError as error:
            complain(str(error))
            continue
        for block in _without_overlap(run.blocks()):
            try:
                origin = _checked(block, config)
            except ConfigError as error:
                complain(str(error))
                continue
            blocks.append(block)
            origins.append(origin)
        if blocks:
            results.append(Result(run, config, tuple(blocks), tuple(origins)))
    return results


def _refuse(sentence: str) -> None:
    raise ConfigError(sentence)


def _absent(root: Path) -> list[Path]:
    """Query files that are not there although their manifests, which are written first, are."""
    expected = [manifest.with_suffix(".parquet") for manifest in root.glob("*/*/*-*/trials-*.json")]
    return sorted(path for path in expected if not path.exists())


def _without_overlap(blocks: list[Block]) -> list[Block]:
    kept: list[Block] = []
    for block in blocks:
        if not kept or block.first > kept[-1].last:
            kept.append(block)
    return kept


def _check_place(run: Run, config: Mapping[str, Any]) -> None:
    benchmark, label = run.folder.parts[-3:-1]
    if config.get("benchmark_label") != benchmark or config.get("optimizer_label") != label:
        raise ConfigError(
            f"{run.folder} holds results of optimizer={config.get('optimizer_label')} on "
            f"benchmark={config.get('benchmark_label')}; "
            f"accepted there: optimizer={label} on benchmark={benchmark}. Move or remove the folder."
        )


def _checked(block: Block, config: Mapping[str, Any]) -> Origin:
    """The origin of a block whose files are whole and belong to `config`."""
    manifest = block.check(block.folder.name.rpartition("-")[2])
    origin, expected = Origin.of(manifest), config["benchmark"]
    # The name that a benchmark gives itself may say more (nasbench201_cifar100) than the one that it is asked
    # for by.
    made_on = {"name": origin.options.get("name"), "checksum": origin.checksum or None}
    for key, words in (("name", "on benchmark="), ("checksum", "from data with checksum ")):
        if made_on[key] is not None and expected.get(key) is not None and made_on[key] != expected[key]:
            raise ConfigError(
                f"{block.path} was made {words}{made_on[key]}; accepted there: {expected[key]}. Remove it "
                "and its manifest, and run the job again."
            )
    return origin
