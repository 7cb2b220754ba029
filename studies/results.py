"""Result files as the studies' tables take them: one record for each configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.result import scan
from analysis.selection import differing
from nas_bench_suite.checks import ConfigError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Searches:
    """One configuration's searches.

    Attributes:
        label: the optimizer's config.
        budget: queries.
        settings: the hyperparameters that differ from the label's config, each as `key=value`.
        rules: the same for the protocol.
        hyperparameters: all of them.
        errors: final test error in percent, indexed by trial.
        stalled: trials that ended because nothing new was proposed.
    """

    label: str
    budget: int
    settings: tuple[str, ...]
    rules: tuple[str, ...]
    hyperparameters: Mapping[str, Any]
    errors: pd.Series
    stalled: int

    @property
    def name(self) -> str:
        """The configuration in words: `remaade`, `remaade learning_rate=0.03`, `random run=mean`."""
        return " ".join([self.label, *self.rules, *self.settings])


def read_results(folder: Path, experiment: str) -> list[Searches]:
    """Every configuration below a folder.

    Args:
        folder: where the results lie.
        experiment: of conf/experiment; makes them.

    Raises:
        ConfigError: if there is none, or a file is damaged.
    """
    found = [
        Searches(
            result.label,
            result.budget,
            tuple(differing(result, "optimizer")),
            tuple(differing(result, "protocol")),
            result.config["optimizer"],
            result.errors,
            int((result.ledger["ended"] == "stalled").sum()),
        )
        for result in scan(folder)
    ]
    if not found:
        raise ConfigError(
            f"{folder} has no results of this study; to make them: python run.py -m +experiment={experiment} "
            f"output_dir={folder}."
        )
    return found
