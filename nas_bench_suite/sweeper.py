"""Hydra's basic sweeper, in which a job that cannot run does not keep the others from running, and which can
run a union of products.

A job whose configuration cannot be composed is set aside with its sentence; after the sweep one table shows
all jobs, and the failed ones are listed last.

Tables need several products (rows at one setting, the orderings of one method), which one cartesian product
can't express. A config in conf/experiment/ lists them, or names other experiments
(`nas_bench_suite.experiments`). The jobs are those of all products, in order, without duplicates. What the
command line gives holds for every job and wins: `-m +experiment=table3 trials=50 optimizer=random` is one row
of that table.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from omegaconf import OmegaConf

from nas_bench_suite import experiments, process
from nas_bench_suite.checks import ConfigError, shown
from nas_bench_suite.console import print_results
from nas_bench_suite.job import JobResult, cannot_be_used, check_output_dir
from nas_bench_suite.messages import complain, one_line, sentence_for
from nas_bench_suite.progress import Sweep
from nas_bench_suite.results import remove_leftovers

# Hydra loads its plugin modules anew when it first looks for them: the class to extend is the one that is
# there after
Plugins.instance()
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper  # noqa: E402
from hydra.plugins.search_path_plugin import SearchPathPlugin  # noqa: E402

# Hydra takes plugins from the package `hydra_plugins` only; the class stays here and is registered under a
# name in that package.
_NAME = "hydra_plugins.nas_bench_suite.SuiteSweeper"
_failures: list[JobResult] = []
MOST_JOBS = 100_000  # of one command: composing them alone takes an hour


class Folders(SearchPathPlugin):
    """Configs of installed packages and of `--config-dir`, after our own."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for folder in experiments.folders()[1:]:
            search_path.append("nas-bench-suite", f"file://{folder}")


class SuiteSweeper(BasicSweeper):
    """The sweeper that `conf/config.yaml` selects."""

    def __init__(
        self,
        max_batch_size: int | None = None,
        params: dict[str, str] | None = None,
        products: Sequence[experiments.Product] = (),
        experiments: Sequence[str] = (),
    ) -> None:
        super().__init__(max_batch_size, params)
        self.products, self.experiments = list(products), list(experiments)
        self._progress = Sweep(False)

    def all_products(self) -> list[experiments.Product]:
        """The products of the experiments that this one names, then its own."""
        return experiments.union(self.products, self.experiments, self._folder())

    def _folder(self) -> Path:
        """The folder of the configs."""
        assert self.config is not None
        sources = self.config.hydra.runtime.config_sources
        return Path(next(source.path for source in sources if source.provider == "main"))

    def split_arguments(self, overrides: list[Override], max_batch_size: int | None) -> list[list[list[str]]]:  # type: ignore[override]
        """The override lists of all jobs, in batches: the union over products of each product with the
        command line's `overrides`."""
        assert self.hydra_context is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        jobs: dict[tuple[str, ...], list[str]] = {}
        all_overrides = [
            parser.parse_overrides([f"{key}={value}" for key, value in product.items()]) + list(overrides)
            for product in self.all_products() or [{}]
        ]
        _check_count(all_overrides)
        for product in all_overrides:
            for job in BasicSweeper.split_arguments(product, None)[0]:
                jobs.setdefault(tuple(sorted(job)), list(job))
        self._progress.expect(len(jobs))
        return list(BasicSweeper.split_overrides_to_chunks(list(jobs.values()), max_batch_size))

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Compose every job; take those that fail out of the batch."""
        assert self.hydra_context is not None and self.config is not None
        good = []
        for overrides in batch:
            try:
                config = self.hydra_context.config_loader.load_sweep_config(
                    master_config=self.config, sweep_overrides=list(overrides)
                )
                _make_folder(config)
            except Exception as error:
                sentence = sentence_for(error, list(overrides), self._folder())
                job = one_line(" ".join(overrides))
                _failures.append(JobResult("", failure=f"{sentence} (job: {job})"))
            else:
                good.append(overrides)
        self._progress.expect(len(good) - len(batch))
        batch[:] = good  # type: ignore[index]

    def sweep(self, arguments: list[str]) -> Any:
        assert self.config is not None
        _make_folder(self.config)
        launcher = type(self.launcher).__name__
        starts_processes = launcher == "JoblibLauncher"  # and waits for them in small steps
        try:
            with (
                process.children_ignore_interrupts_all_along() if starts_processes else nullcontext(),
                Sweep(launcher == "BasicLauncher") as self._progress,
            ):
                returns = super().sweep(arguments)
        except KeyboardInterrupt:
            for folder in Path(str(self.config.output_dir)).glob("*/*/*-*"):
                remove_leftovers(folder)  # of processes that were ended
            raise
        results = [job.return_value for batch in returns for job in batch]
        _failures.extend(result for result in results if result.failure)
        print_results([result for result in results if not result.failure])
        for result in _failures:
            complain(str(result.failure))
        return returns


def _check_count(products: Sequence[Sequence[Override]]) -> None:
    """Refuse a sweep that has more jobs than anybody can wait for, before they are listed.

    Raises:
        ConfigError: for more than `MOST_JOBS`, and for a sweep that is no list of values.
    """
    jobs = 0
    for product in products:
        count = 1
        for override in {override.get_key_element(): override for override in product}.values():
            if not override.is_sweep_override():
                continue
            if not override.is_discrete_sweep():
                raise ConfigError(f"{shown(override.input_line)} is no list of values; accepted: key=1,2,4.")
            values = sum(1 for _ in islice(override.sweep_iterator(), 20 * MOST_JOBS))
            if not values:
                raise ConfigError(f"{shown(override.input_line)} has no value; accepted: at least one.")
            count *= values
        jobs += count
    if jobs > MOST_JOBS:
        raise ConfigError(
            f"this sweep has {jobs:,} jobs or more; accepted: up to {MOST_JOBS:,} in one command."
        )


def _make_folder(config: Any) -> None:
    """Make the folder that Hydra wants for a sweep, whose path `output_dir` decides.

    Raises:
        ConfigError: if `output_dir` is no folder and cannot become one.
    """
    folder = check_output_dir(OmegaConf.select(config, "output_dir"))
    try:
        Path(str(config.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise cannot_be_used(folder, error) from None


def register(failures: list[JobResult]) -> None:
    """Make the sweeper known to Hydra; jobs that fail are appended to `failures`."""
    global _failures
    _failures = failures
    plugins = Plugins.instance()
    plugins.class_name_to_class[_NAME] = SuiteSweeper
    if Folders not in plugins.discover(SearchPathPlugin):
        plugins.register(Folders)
    ConfigStore.instance().store(
        group="hydra/sweeper",
        name="suite",
        node={"_target_": _NAME, "max_batch_size": None, "params": None, "products": [], "experiments": []},
        provider="nas_bench_suite",
    )
