"""Benchmarks: what an architecture is worth.

Notation: accuracies are fractions in [0, 1]; fidelities are training budgets (epochs), the last one being the
full one; `run` says which of the stored training runs a query reads.
"""

from __future__ import annotations

import importlib
import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, NamedTuple, Required, TypedDict, cast

import numpy as np

from nas_bench_suite.checks import ConfigError, nearest
from nas_bench_suite.space import SearchSpace


class Lookups(NamedTuple):
    """What is asked of a benchmark: look-ups of one shape, side by side.

    Attributes:
        cells: int64[...], ids of valid cells (no -1).
        runs: which stored training run each look-up reads, int64[...] or one int in 0 .. num_runs - 1; "mean"
            for the mean over runs.
        fidelities: the training budget of each, int64[...] or one int of `Benchmark.fidelities`; None for the
            full one.
        architectures: int64[..., N], the strings asked for, which a benchmark that computes rather than looks
            up may need.
    """

    cells: np.ndarray
    runs: np.ndarray | int | str = "mean"
    fidelities: np.ndarray | int | None = None
    architectures: np.ndarray | None = None

    def take(self, index: np.ndarray) -> Lookups:
        """The look-ups at `index`, of arrays with one axis."""
        runs, fidelities, architectures = self.runs, self.fidelities, self.architectures
        return Lookups(
            self.cells[index],
            runs[index] if isinstance(runs, np.ndarray) else runs,
            fidelities[index] if isinstance(fidelities, np.ndarray) else fidelities,
            None if architectures is None else architectures[index],
        )


class Evaluation(NamedTuple):
    """What look-ups return: float64 arrays in the shape of `Lookups.cells`. `test` may be NaN where a
    benchmark has no test value; a NaN `validation` is a failed evaluation. `seconds` is the (simulated)
    training time."""

    validation: np.ndarray
    test: np.ndarray
    seconds: np.ndarray


class Facts(TypedDict, total=False):
    """What a benchmark is, for captions and checks. Accuracies are fractions."""

    name: Required[str]
    description: Required[str]
    source: Required[str]
    checksum: Required[str]  # of the data; part of a result's key
    surrogate: Required[bool]
    notice: str  # a sentence that every listing must carry
    label: str
    cells: int | None  # number of distinct cells
    edge_limit: str
    partial: bool
    failed: list[str]  # published facts that do not hold
    best_mean_test: float
    best_single_test: float
    best_mean_validation: float
    best_single_validation: float
    fit: dict[str, Any]  # how a surrogate was fitted


class Benchmark(ABC):
    """A space with values. `fidelities` ascend; `num_runs` is the number of runs stored for each cell and
    fidelity."""

    name: str
    space: SearchSpace
    fidelities: tuple[int, ...] = (1,)
    num_runs: int = 1
    parallel: int = 1  # evaluations that are computed at a time (an objective with workers)

    def query(self, lookups: Lookups) -> Evaluation:
        """Look cells up: `benchmark.query(Lookups(cells, runs, fidelities))`.

        Raises:
            ConfigError: for a cell, a run or a fidelity that the benchmark does not have.
        """
        return self.look_up(self.checked(lookups))

    @abstractmethod
    def look_up(self, lookups: Lookups) -> Evaluation:
        """The values of look-ups as `checked` returns them."""

    def checked(self, lookups: Lookups) -> Lookups:
        """The same look-ups in one form: `cells` int64[...] in range; `runs` "mean" or int64[...] in range;
        `fidelities` int64[...] of offered budgets, or None where all are the full one.

        Raises:
            ConfigError: for what is out of range, or of another type.
        """
        cells = self.space.check_ids(lookups.cells)
        runs = lookups.runs
        if not isinstance(runs, str):
            runs = np.asarray(runs)
            if runs.dtype.kind not in "iu" or (
                runs.size and not 0 <= runs.min() <= runs.max() < self.num_runs
            ):
                raise ConfigError(f"run={_first_wrong(runs, self.num_runs)} {self._runs_accepted}")
        elif runs != "mean":
            raise ConfigError(f"run={runs} {self._runs_accepted}")
        fidelities = lookups.fidelities
        if fidelities is not None:
            fidelities = np.asarray(fidelities)
            if (fidelities == self.fidelities[-1]).all():
                fidelities = None
            else:
                self.levels(fidelities)
        return Lookups(cells, runs, fidelities, lookups.architectures)

    @property
    def _runs_accepted(self) -> str:
        stored = "0" if self.num_runs == 1 else f"0 to {self.num_runs - 1}"
        return f"is not a run of benchmark '{self.name}'; accepted: {stored} (or an array of them), 'mean'."

    def query_each(self, lookups: Lookups) -> Iterator[tuple[int, tuple[float, float, float]]]:
        """The same for look-ups with one axis, one evaluation at a time as they finish: (index, (validation,
        test, seconds)), in any order."""
        for i, values in enumerate(zip(*self.query(lookups))):
            yield i, (float(values[0]), float(values[1]), float(values[2]))

    @abstractmethod
    def facts(self) -> Facts:
        """What this is, for captions and checks."""

    def levels(self, fidelities: np.ndarray | int | None) -> np.ndarray:
        """int64[...]: the places of training budgets in `self.fidelities`; the last one for None.

        Raises:
            ConfigError: for a budget that is not offered.
        """
        last = len(self.fidelities) - 1
        if fidelities is None:
            return np.asarray(last)
        offered, wanted = np.asarray(self.fidelities), np.asarray(fidelities)
        levels = np.minimum(np.searchsorted(offered, wanted), last)
        wrong = offered[levels] != wanted
        if wrong.any():
            raise ConfigError(
                f"fidelity={wanted[wrong].flat[0]} is not offered by benchmark '{self.name}'; accepted: "
                f"{', '.join(map(str, self.fidelities))}."
            )
        return levels


def _first_wrong(values: np.ndarray, count: int) -> Any:
    """The first of `values` that is not a whole number in 0 .. count - 1."""
    flat = values.reshape(-1)
    return flat[0] if values.dtype.kind not in "iu" else flat[(flat < 0) | (flat >= count)][0]


# Options that do not determine a result: where data lie, and how much of them may be read. What the data hold
# does, by `Facts.checksum`.
NOT_IDENTITY = ("path", "max_bytes")

# name -> "module:class"; modules are imported when asked for, since some take seconds.
BENCHMARKS: dict[str, str] = {
    "planted": "nas_bench_suite.benchmarks.planted:Planted",
    "large": "nas_bench_suite.benchmarks.large:Large",
    "nasbench101": "nas_bench_suite.benchmarks.nasbench101.table:NASBench101",
    "nasbench101_surrogate": "nas_bench_suite.benchmarks.nasbench101.surrogate:NASBench101Surrogate",
    "tabular": "nas_bench_suite.benchmarks.tabular:tabular",
    "nasbench201": "nas_bench_suite.benchmarks.nasbench201:nasbench201",
    "transnas101": "nas_bench_suite.benchmarks.transnas101:transnas101",
    "nas_bench_graph": "nas_bench_suite.benchmarks.converters:nas_bench_graph",
    "nasbench201_validation": "nas_bench_suite.benchmarks.converters:nasbench201_validation",
    "hpo_fcnet": "nas_bench_suite.benchmarks.converters:hpo_fcnet",
    "hpo_nn": "nas_bench_suite.benchmarks.converters:hpo_nn",
}


def load_benchmark(name: str, **options: Any) -> Benchmark:
    """Return the benchmark called `name`, or the one that "module:class" makes, as in `BENCHMARKS`.

    Raises:
        ConfigError: for an unknown name or option.
    """
    module, _, attribute = BENCHMARKS.get(name, name).partition(":")
    if not attribute:
        raise ConfigError(
            f"benchmark={name} is not known{nearest(name, BENCHMARKS)}; accepted: "
            f"{', '.join(sorted(BENCHMARKS))}, or module:class of your own."
        )
    try:
        make = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        if name in BENCHMARKS:
            raise
        raise ConfigError(
            f"benchmark.name={name} cannot be imported ({error}); accepted: the module and the class of a "
            "benchmark, as in my_package.my_module:MyBenchmark."
        ) from error
    try:
        return cast(Benchmark, make(**options))
    except TypeError as error:
        if "unexpected keyword argument" not in str(error):
            raise
        accepted = [key for key in inspect.signature(make).parameters if key != "self"]
        wrong = [key for key in options if key not in accepted]
        raise ConfigError(
            f"benchmark.{wrong[0]} is not an option of benchmark '{name}'{nearest(wrong[0], accepted)}; "
            f"accepted: {', '.join(accepted) or 'none'}."
        ) from None
