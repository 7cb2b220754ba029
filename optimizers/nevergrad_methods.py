"""Nevergrad's optimizers, asked and told in process."""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import Any

import numpy as np

from nas_bench_suite.ask_tell import AskTell, Suggestion
from nas_bench_suite.checks import ConfigError, nearest, shown
from nas_bench_suite.space import SearchSpace


class Nevergrad(AskTell):
    """An optimizer of Nevergrad's registry: `NGOpt` is chosen by the library from the space and the budget,
    `DE` and `PSO` are differential evolution and particle swarms.

    A variable is a `Choice`, an ordered one a `TransitionChoice`. Nevergrad knows no failures; it gets the
    worst accuracy that the trial has seen. Law 7 (it beats random search) does not hold for `NGOpt` at 150
    queries: docs/other-optimizers.md.
    """

    package, extra, failures = "nevergrad", "nevergrad", "worst"
    global_generators = ("numpy", "random")

    def __init__(self, *, method: str = "NGOpt", invalid: str = "tell") -> None:
        super().__init__(invalid=invalid)
        if not isinstance(method, str):
            raise ConfigError(f"optimizer.method={shown(method)} is no name; accepted: NGOpt, DE, PSO, ...")
        self.method = method
        with suppress(ImportError):  # `start` says what is missing
            self._registered()

    def _registered(self) -> Any:
        """The library's class of that name."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import nevergrad as ng

        known = ng.optimizers.registry
        if self.method not in known:
            raise ConfigError(
                f"optimizer.method={shown(self.method)} is not in Nevergrad's registry"
                f"{nearest(self.method, known)}; accepted: NGOpt, DE, PSO, ..."
            )
        return known[self.method]

    def begin(self, space: SearchSpace, rng: np.random.Generator) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import nevergrad as ng

            variables = [
                (ng.p.TransitionChoice if in_order else ng.p.Choice)(list(range(size)))
                for size, in_order in zip(space.sizes.tolist(), space.ordered)
            ]
            parametrization = ng.p.Tuple(*variables)
            parametrization.random_state = np.random.RandomState(int(rng.integers(2**31)))
            return self._registered()(parametrization, budget=self.task.budget)

    def suggest(self, study: Any) -> Suggestion:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            candidate = study.ask()
        return Suggestion(candidate.value, candidate)

    def observe(self, study: Any, suggestion: Suggestion, accuracy: float | None) -> None:
        assert accuracy is not None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            study.tell(suggestion.token, -accuracy)
