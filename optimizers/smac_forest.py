"""SMAC3's Bayesian optimization with random forests, asked and told in process."""

from __future__ import annotations

import logging
import tempfile
import warnings
from typing import Any, NamedTuple

import numpy as np

from nas_bench_suite.ask_tell import AskTell, Suggestion
from nas_bench_suite.space import SearchSpace


class Study(NamedTuple):
    """One trial's."""

    facade: Any
    labels: list[str]
    folder: tempfile.TemporaryDirectory[str]  # SMAC writes what it does; gone with the study


class SMAC(AskTell):
    """`HyperparameterOptimizationFacade` with its defaults, deterministic. A variable is categorical for it,
    an ordered one ordinal."""

    package, extra = "smac", "smac"
    global_generators = ("numpy", "random")

    def begin(self, space: SearchSpace, rng: np.random.Generator) -> Study:
        import ConfigSpace
        import smac

        logging.getLogger("smac").setLevel(logging.ERROR)
        seed = int(rng.integers(2**31 - 1))
        labels = [f"v{i:04d}" for i in range(space.num_variables)]
        choices = ConfigSpace.ConfigurationSpace(seed=seed)
        for label, size, in_order in zip(labels, space.sizes.tolist(), space.ordered):
            kind = ConfigSpace.OrdinalHyperparameter if in_order else ConfigSpace.CategoricalHyperparameter
            choices.add(kind(label, list(range(size))))
        folder = tempfile.TemporaryDirectory(prefix="nas-bench-suite-smac-", ignore_cleanup_errors=True)
        written: Any = folder.name  # a path, where SMAC's signature says Path
        scenario = smac.Scenario(
            choices,
            deterministic=True,
            n_trials=self.task.budget,
            seed=seed,
            output_directory=written,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            facade = smac.HyperparameterOptimizationFacade(
                scenario, lambda config, seed: 0.0, logging_level=False, overwrite=True
            )
        return Study(facade, labels, folder)

    def suggest(self, study: Study) -> Suggestion | None:
        from smac.main.exceptions import ConfigurationSpaceExhaustedException

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                info = study.facade.ask()
            except (StopIteration, ConfigurationSpaceExhaustedException):  # it has seen everything
                return None
        return Suggestion([int(info.config[label]) for label in study.labels], info)

    def observe(self, study: Study, suggestion: Suggestion, accuracy: float | None) -> None:
        from smac.runhistory import StatusType, TrialValue

        value = (
            TrialValue(cost=1.0, status=StatusType.CRASHED)
            if accuracy is None
            else TrialValue(cost=1 - accuracy, status=StatusType.SUCCESS)
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            study.facade.tell(suggestion.token, value)
