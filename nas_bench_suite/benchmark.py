"""Benchmarks: what an architecture is worth.

Notation: accuracies are fractions in [0, 1]; fidelities are training budgets (epochs), the last one being the
full one; `run` says which of the stored training runs a query reads.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from nas_bench_suite.checks import ConfigError, nearest
from nas_bench_suite.space import SearchSpace


class Evaluation(NamedTuple):
    """What a query returns: float64 arrays in the shape of the query. `test` may be NaN where a benchmark has
    no test value; a NaN `validation` is a failed evaluation. `seconds` is the (simulated) training time."""

    validation: np.ndarray
    test: np.ndarray
    seconds: np.ndarray


class Benchmark(ABC):
    """A space with values. `fidelities` ascend; `num_runs` is the number of runs stored for each cell and
    fidelity."""

    name: str
    space: SearchSpace
    fidelities: tuple[int, ...] = (1,)
    num_runs: int = 1

    @abstractmethod
    def query(
        self,
        cell_ids: np.ndarray,
        run: np.ndarray | int | str,
        fidelity: np.ndarray | int | None = None,
        architectures: np.ndarray | None = None,
    ) -> Evaluation:
        """Look cells up.

        Args:
            cell_ids: int64[...], all valid (no -1).
            run: int[...] or int in 0 .. num_runs - 1, or "mean" for the mean over runs.
            fidelity: the training budget, one of `fidelities`: a scalar or int[...]; the full one if left
                out.
            architectures: int[..., N], the strings asked for, which benchmarks that compute rather than look
                up may need.
        """

    def query_each(
        self,
        cell_ids: np.ndarray,
        run: np.ndarray | int | str,
        fidelity: np.ndarray | int | None = None,
        architectures: np.ndarray | None = None,
    ) -> Iterator[tuple[int, tuple[float, float, float]]]:
        """The same for int64[n], one evaluation at a time as they finish: (index, (validation, test,
        seconds)), in any order."""
        found = self.query(cell_ids, run, fidelity, architectures)
        for i, values in enumerate(zip(*found)):
            yield i, (float(values[0]), float(values[1]), float(values[2]))

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """What this is, for captions and checks: at least `name`, `description`, `source`, `checksum`,
        `surrogate` (bool), and where known the floors `best_mean_test`, `best_single_test` (accuracies)."""


# name -> "module:class"; modules are imported when asked for, since some take seconds.
BENCHMARKS: dict[str, str] = {
    "planted": "nas_bench_suite.benchmarks.planted:Planted",
    "large": "nas_bench_suite.benchmarks.large:Large",
    "nasbench101": "nas_bench_suite.benchmarks.nasbench101.table:NASBench101",
    "nasbench101_surrogate": "nas_bench_suite.benchmarks.nasbench101.surrogate:NASBench101Surrogate",
    "tabular": "nas_bench_suite.benchmarks.tabular:tabular",
    "nasbench201": "nas_bench_suite.benchmarks.nasbench201:nasbench201",
    "nas_bench_graph": "nas_bench_suite.benchmarks.converters:nas_bench_graph",
    "hpo_fcnet": "nas_bench_suite.benchmarks.converters:hpo_fcnet",
    "hpo_nn": "nas_bench_suite.benchmarks.converters:hpo_nn",
}


def load_benchmark(name: str, **options: Any) -> Benchmark:
    """Return the benchmark called `name`.

    Raises:
        ConfigError: for an unknown name or option.
    """
    if name not in BENCHMARKS:
        raise ConfigError(
            f"benchmark={name} is not known{nearest(name, BENCHMARKS)}; accepted: "
            f"{', '.join(sorted(BENCHMARKS))}."
        )
    module, attribute = BENCHMARKS[name].split(":")
    make = getattr(importlib.import_module(module), attribute)
    try:
        return make(**options)
    except TypeError as error:
        if "unexpected keyword argument" not in str(error):
            raise
        import inspect

        accepted = [key for key in inspect.signature(make).parameters if key != "self"]
        wrong = [key for key in options if key not in accepted]
        raise ConfigError(
            f"benchmark.{wrong[0]} is not an option of benchmark '{name}'{nearest(wrong[0], accepted)}; "
            f"accepted: {', '.join(accepted) or 'none'}."
        ) from None
