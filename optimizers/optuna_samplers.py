"""Optuna's samplers, asked and told in process: one study for each trial, in memory."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from nas_bench_suite.ask_tell import AskTell, Suggestion
from nas_bench_suite.checks import check_bool
from nas_bench_suite.space import SearchSpace


class _Optuna(AskTell):
    """What the samplers share. An ordered variable is an integer for Optuna, another a choice.

    Optuna's samplers do not look at failed trials, and would suggest the same invalid string again and again:
    failures are told as the worst accuracy that the trial has seen.
    """

    package, extra, failures = "optuna", "optuna", "worst"
    all_integers = False  # for samplers that know no choices

    def begin(self, space: SearchSpace, rng: np.random.Generator) -> Any:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        in_order = [self.all_integers or known for known in space.ordered]
        self._distributions: dict[str, Any] = {
            f"v{i:04d}": optuna.distributions.IntDistribution(0, size - 1)
            if ordered
            else optuna.distributions.CategoricalDistribution(list(range(size)))
            for i, (size, ordered) in enumerate(zip(space.sizes.tolist(), in_order))
        }
        return optuna.create_study(direction="maximize", sampler=self.sampler(int(rng.integers(2**31))))

    @abstractmethod
    def sampler(self, seed: int) -> Any:
        """A sampler of Optuna's."""

    def suggest(self, study: Any) -> Suggestion:
        trial = study.ask(self._distributions)
        return Suggestion([trial.params[name] for name in self._distributions], trial)

    def observe(self, study: Any, suggestion: Suggestion, accuracy: float | None) -> None:
        study.tell(suggestion.token, accuracy)

    def forget(self, study: Any, suggestion: Suggestion) -> None:
        import optuna

        study.tell(suggestion.token, state=optuna.trial.TrialState.FAIL)


class OptunaTPE(_Optuna):
    """`TPESampler`. `multivariate` and `constant_liar` are its arguments; the second one counts suggestions
    under way as bad. Law 7 (it beats random search) does not hold at its defaults and 150 queries:
    docs/other-optimizers.md."""

    def __init__(
        self, *, multivariate: bool = False, constant_liar: bool = False, invalid: str = "tell"
    ) -> None:
        super().__init__(invalid=invalid)
        self.multivariate = check_bool("optimizer.multivariate", multivariate)
        self.constant_liar = check_bool("optimizer.constant_liar", constant_liar)

    def sampler(self, seed: int) -> Any:
        import optuna

        return optuna.samplers.TPESampler(
            seed=seed, multivariate=self.multivariate, constant_liar=self.constant_liar
        )


class OptunaCmaEs(_Optuna):
    """`CmaEsSampler`. It knows no choices, so every variable is an integer for it, in the order of its
    values."""

    all_integers = True

    def _check_package(self) -> None:
        super()._check_package()
        self._check("cmaes")

    def sampler(self, seed: int) -> Any:
        import optuna

        return optuna.samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)


class OptunaGP(_Optuna):
    """`GPSampler`, a Gaussian process with expected improvement."""

    global_generators = ("numpy", "torch")

    def sampler(self, seed: int) -> Any:
        import optuna

        return optuna.samplers.GPSampler(seed=seed)
