"""Runs on disk, every file checked before it is used.

A *run* is one configuration's folder (`nas_bench_suite.results.Run`): its blocks of trials, each a query file
with a manifest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from nas_bench_suite.checks import ConfigError
from nas_bench_suite.results import Block, Run, find_runs


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
    def checksum(self) -> str:
        """Checksum of the benchmark's data, as the manifests give it; blocks of one run share it."""
        return str((self.manifests[0].get("benchmark") or {}).get("checksum") or "")

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

    def lacking(self, trials: int) -> np.ndarray:
        """int64[k]: those of trials 0 .. trials - 1 that are not there, ascending."""
        return np.setdiff1d(np.arange(trials), self.trial_ids)

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
    return " ".join(
        f"{key}={options[key]}" for key in ("run", "repeats", "invalid", "cost") if key in options
    )


def scan(output_dir: str | Path, problem: Callable[[str], None] | None = None) -> list[RunInfo]:
    """All runs below `output_dir`, every file checked against its manifest.

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
    report = problem or _refuse
    for path in _absent(root):
        report(
            f"{path} is missing (its manifest is there, so it was removed or never finished); run the job "
            "again."
        )
    infos = []
    for run in find_runs(root):
        blocks, manifests = [], []
        try:
            config = run.config()
            _check_place(run, config)
        except ConfigError as error:
            report(str(error))
            continue
        for block in _without_overlap(run.blocks()):
            try:
                manifest = _checked(block, config)
            except ConfigError as error:
                report(str(error))
                continue
            blocks.append(block)
            manifests.append(manifest)
        if blocks:
            infos.append(RunInfo(run, config, tuple(blocks), tuple(manifests)))
    return infos


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


def _check_place(run: Run, config: dict[str, Any]) -> None:
    benchmark, label = run.folder.parts[-3:-1]
    if config.get("benchmark_label") != benchmark or config.get("optimizer_label") != label:
        raise ConfigError(
            f"{run.folder} holds results of optimizer={config.get('optimizer_label')} on "
            f"benchmark={config.get('benchmark_label')}; "
            f"accepted there: optimizer={label} on benchmark={benchmark}. Move or remove the folder."
        )


def _checked(block: Block, config: dict[str, Any]) -> dict[str, Any]:
    """The manifest of a block whose query file is whole and belongs to `config`."""
    manifest = block.manifest()
    block.check_key(block.folder.name.rpartition("-")[2])
    facts, expected = manifest.get("benchmark") or {}, config["benchmark"]
    # The name that a benchmark gives itself may say more (nasbench201_cifar100) than the one that it is asked
    # for by.
    made_on = {"name": (facts.get("options") or {}).get("name"), "checksum": facts.get("checksum")}
    for key, words in (("name", "on benchmark="), ("checksum", "from data with checksum ")):
        if made_on[key] is not None and expected.get(key) is not None and made_on[key] != expected[key]:
            raise ConfigError(
                f"{block.path} was made {words}{made_on[key]}; accepted there: {expected[key]}. Remove it "
                "and its manifest, and run the "
                "job again."
            )
    if (
        manifest.get("query_file") != block.path.name
        or len(manifest["ledger"].get("trial", ())) != block.last - block.first + 1
    ):
        raise ConfigError(
            f"{block.manifest_path} describes another block than {block.path.name}; remove both and run the "
            "job again."
        )
    try:
        content = block.path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{block.path} cannot be read ({error.strerror or error}); remove it and run the job again."
        ) from None
    if hashlib.sha256(content).hexdigest() != manifest.get("query_sha256"):
        raise ConfigError(
            f"{block.path} is damaged: its {len(content)} bytes do not match its manifest (cut short, or "
            "from elsewhere); "
            "remove it and run the job again."
        )
    return manifest
