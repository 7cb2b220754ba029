"""The suite's benchmarks for other people's frameworks: an objective for Optuna, a space for ConfigSpace.

Both ask a benchmark of the suite and nothing else; what a query reads is the argument `run`. Neither counts a
budget or keeps a record: that is the framework's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from nas_bench_suite.benchmark import Benchmark, Lookups
from nas_bench_suite.checks import ConfigError

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace


def evaluate(
    benchmark: Benchmark, string: np.ndarray, run: int | str = "mean", fidelity: int | None = None
) -> dict[str, float] | None:
    """`validation`, `test` and `seconds` of one string int[N]; None for an invalid string, and for one whose
    evaluation failed.

    Raises:
        ConfigError: for a run or a fidelity that the benchmark does not have.
    """
    cells = benchmark.space.cell_id(np.asarray(string, dtype=np.int64)[None])
    if cells[0] == -1:
        return None
    strings = np.asarray(string, dtype=np.int64)[None]
    found = benchmark.query(Lookups(cells, run, fidelity, strings))
    values = {name: float(value[0]) for name, value in zip(("validation", "test", "seconds"), found)}
    return None if np.isnan(values["validation"]) else values


def optuna_objective(
    benchmark: Benchmark, run: int | str = "mean", invalid: float | None = 0.0
) -> Callable[[Any], float]:
    """A function for `optuna.create_study(direction="maximize").optimize`: the validation accuracy of a
    trial's architecture. Test accuracy and seconds are user attributes of the trial, `test` and `seconds`.

    Args:
        benchmark: of the suite.
        run: which stored run is read, or "mean".
        invalid: the value of an invalid string; None prunes the trial, which samplers other than TPE do not
            learn from.
    """
    import optuna

    space = benchmark.space

    def objective(trial: Any) -> float:
        string = [
            trial.suggest_int(variable.name, 0, len(variable.choices) - 1)
            if in_order
            else variable.choices.index(trial.suggest_categorical(variable.name, variable.choices))
            for variable, in_order in zip(space.variables, space.ordered)
        ]
        found = evaluate(benchmark, np.array(string), run)
        if found is None:
            trial.set_user_attr("valid", False)
            if invalid is None:
                raise optuna.TrialPruned
            return invalid
        trial.set_user_attr("test", found["test"])
        trial.set_user_attr("seconds", found["seconds"])
        return found["validation"]

    return objective


def config_space(benchmark: Benchmark, seed: int | None = None) -> ConfigurationSpace:
    """The benchmark's space for ConfigSpace (SMAC, HpBandSter, DEHB, CARP-S): a hyper-parameter for each
    variable, its choices as words; ordinal where their order means something. ConfigSpace cannot say which
    strings are invalid: `evaluate(benchmark, string_of(benchmark, configuration))` returns None for one.

    Raises:
        ConfigError: if ConfigSpace is not installed.
    """
    try:
        import ConfigSpace
    except ImportError as error:
        raise ConfigError(
            f"a ConfigSpace needs ConfigSpace, which cannot be imported ({error}); install it with `pip "
            "install ConfigSpace`."
        ) from None
    space, out = benchmark.space, ConfigSpace.ConfigurationSpace(seed=seed)
    for variable, in_order in zip(space.variables, space.ordered):
        kind = ConfigSpace.OrdinalHyperparameter if in_order else ConfigSpace.CategoricalHyperparameter
        if len(variable.choices) == 1:
            out.add(ConfigSpace.Constant(variable.name, variable.choices[0]))
        else:
            out.add(kind(variable.name, list(variable.choices)))
    return out


def string_of(benchmark: Benchmark, configuration: Any) -> np.ndarray:
    """int64[N]: the string of a configuration of `config_space`, or of any mapping from names to choices.

    Raises:
        ConfigError: for a choice that a variable does not have.
    """
    out = []
    for variable in benchmark.space.variables:
        value = str(configuration[variable.name])
        if value not in variable.choices:
            raise ConfigError(
                f"{variable.name}={value} is not in space '{benchmark.space.name}'; accepted: "
                f"{', '.join(variable.choices)}."
            )
        out.append(variable.choices.index(value))
    return np.array(out, dtype=np.int64)
