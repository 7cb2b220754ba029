"""Hydra's basic sweeper, in which a job that cannot run does not keep the others from running.

A job whose configuration cannot be composed is set aside with its sentence; after the sweep one table shows all jobs, and the failed ones
are listed last.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins

from nas_bench_suite.messages import sentence_for
from nas_bench_suite.report import print_results

Plugins.instance()  # Hydra loads its plugin modules anew when it first looks for them: the class to extend is the one that is there after
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper  # noqa: E402

# Hydra takes plugins from the package `hydra_plugins` only; the class stays here and is registered under a name in that package.
_NAME = "hydra_plugins.nas_bench_suite.SuiteSweeper"
_failures: list[str] = []


class SuiteSweeper(BasicSweeper):
    """The sweeper that `conf/config.yaml` selects."""

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Compose every job; take those that fail out of the batch."""
        assert self.hydra_context is not None and self.config is not None
        good = []
        for overrides in batch:
            try:
                self.hydra_context.config_loader.load_sweep_config(master_config=self.config, sweep_overrides=list(overrides))
            except Exception as error:
                sources = self.config.hydra.runtime.config_sources
                folder = Path(next(source.path for source in sources if source.provider == "main"))
                sentence = sentence_for(error, list(overrides), folder)
                if sentence is None:
                    raise
                _failures.append(f"{sentence} (job: {' '.join(overrides)})")
            else:
                good.append(overrides)
        batch[:] = good  # type: ignore[index]

    def sweep(self, arguments: list[str]) -> Any:
        returns = super().sweep(arguments)
        results = [job.return_value for batch in returns for job in batch]
        _failures.extend(result.failure for result in results if result.failure)
        print_results([result for result in results if not result.failure])
        for sentence in _failures:
            print(f"error: {sentence}", file=sys.stderr)
        return returns


def register(failures: list[str]) -> None:
    """Make the sweeper known to Hydra; the sentences of failed jobs are appended to `failures`."""
    global _failures
    _failures = failures
    Plugins.instance().class_name_to_class[_NAME] = SuiteSweeper
    ConfigStore.instance().store(
        group="hydra/sweeper", name="suite", node={"_target_": _NAME, "max_batch_size": None, "params": None}, provider="nas_bench_suite"
    )
