"""scikit-optimize's Gaussian process, asked and told in process."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from nas_bench_suite.ask_tell import AskTell, Suggestion
from nas_bench_suite.checks import check_choice, check_int
from nas_bench_suite.space import SearchSpace

ESTIMATORS = ("GP", "RF", "ET", "GBRT")


class Skopt(AskTell):
    """`skopt.Optimizer` with its defaults.

    Args:
        estimator: the model: a Gaussian process, random forest, extra trees or boosted trees.
        initial: uniform suggestions before the model's.
        invalid: as in `AskTell`.

    A variable is `Categorical`, an ordered one an `Integer`. The library knows no failures; it gets the worst
    accuracy that the trial has seen. Asked twice it suggests the same, so it is asked when it has been told.
    """

    package, extra, failures, asynchronous = "skopt", "skopt", "worst", False
    global_generators = ("numpy",)

    def __init__(self, *, estimator: str = "GP", initial: int = 10, invalid: str = "tell") -> None:
        super().__init__(invalid=invalid)
        self.estimator = check_choice("optimizer.estimator", estimator, ESTIMATORS)
        self.initial = check_int("optimizer.initial", initial, 1, 1_000_000)

    def begin(self, space: SearchSpace, rng: np.random.Generator) -> Any:
        import skopt

        dimensions = [
            skopt.space.Integer(0, size - 1)
            if in_order
            else skopt.space.Categorical(list(range(size)), transform="onehot")
            for size, in_order in zip(space.sizes.tolist(), space.ordered)
        ]
        seed = int(rng.integers(2**31))
        return skopt.Optimizer(dimensions, self.estimator, n_initial_points=self.initial, random_state=seed)

    def suggest(self, study: Any) -> Suggestion:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Suggestion(study.ask())

    def observe(self, study: Any, suggestion: Suggestion, accuracy: float | None) -> None:
        assert accuracy is not None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            study.tell([int(value) for value in suggestion.string], -accuracy)
