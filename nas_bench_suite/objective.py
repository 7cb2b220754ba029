"""Your own objective as a benchmark: a function that trains an architecture and says how good it is."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator
from pickle import PicklingError
from typing import Any

import numpy as np

from nas_bench_suite.benchmark import Benchmark, Evaluation
from nas_bench_suite.checks import ConfigError, check_int
from nas_bench_suite.space import SearchSpace


class Objective(Benchmark):
    """A benchmark that computes instead of looking up.

    Args:
        space: the search space.
        function: takes an architecture int64[N] and returns its validation accuracy, or (validation, test).
            Whatever it raises, and any value that is not finite, is recorded as a failed evaluation: the
            search goes on without it.
        workers: evaluations at a time, by joblib (`function` must then be importable by its worker
            processes).
        with_fidelity: call `function(architecture, fidelity)`.
        fidelities: training budgets offered, ascending.
        name: for captions.
    """

    num_runs = 1

    def __init__(
        self,
        space: SearchSpace,
        function: Callable[..., Any],
        workers: int = 1,
        with_fidelity: bool = False,
        fidelities: tuple[int, ...] = (1,),
        name: str = "objective",
    ) -> None:
        self.space, self.name, self.fidelities = space, name, fidelities
        self._function, self._with_fidelity = function, with_fidelity
        self._workers = check_int("workers", workers, 1)

    def query(
        self,
        cell_ids: np.ndarray,
        run: np.ndarray | int | str,
        fidelity: np.ndarray | int | None = None,
        architectures: np.ndarray | None = None,
    ) -> Evaluation:
        shape = np.shape(cell_ids)
        result = Evaluation(*(np.full(shape, np.nan) for _ in range(3)))
        for index, values in self.query_each(np.ravel(cell_ids), run, fidelity, architectures):
            for array, value in zip(result, values):
                array.reshape(-1)[index] = value
        return result

    def query_each(
        self,
        cell_ids: np.ndarray,
        run: np.ndarray | int | str,
        fidelity: np.ndarray | int | None = None,
        architectures: np.ndarray | None = None,
    ) -> Iterator[tuple[int, tuple[float, float, float]]]:
        if architectures is None:
            architectures = self.space.architecture(cell_ids)
        rows = np.asarray(architectures).reshape(-1, self.space.num_variables)
        levels = np.broadcast_to(np.ravel(self.fidelities[-1] if fidelity is None else fidelity), len(rows))
        calls = [
            (i, self._function, (row, int(level)) if self._with_fidelity else (row,))
            for i, (row, level) in enumerate(zip(rows, levels))
        ]
        if self._workers == 1:
            yield from (_evaluate(*call) for call in calls)
            return
        from joblib import Parallel, delayed

        try:
            yield from Parallel(n_jobs=self._workers, return_as="generator_unordered")(
                delayed(_evaluate)(*call) for call in calls
            )
        except PicklingError:
            name = getattr(self._function, "__name__", "the function")
            raise ConfigError(
                f"{name} cannot be sent to worker processes; accepted: a function of an importable module, "
                "or workers=1."
            ) from None

    def facts(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "description": f"the objective {getattr(self._function, '__name__', 'given')} on space "
            f"'{self.space.name}'",
            "source": "computed by the user's function",
            "checksum": "",
            "surrogate": False,
        }


def _evaluate(
    index: int, function: Callable[..., Any], arguments: tuple[Any, ...]
) -> tuple[int, tuple[float, float, float]]:
    """One call: its index and (validation, test, seconds); NaN where it failed."""
    began = time.perf_counter()
    try:
        found = function(*arguments)
        validation, test = found if isinstance(found, tuple) else (found, math.nan)
        validation, test = float(validation), float(test)
    except Exception as error:
        warnings.warn(
            f"evaluation failed and is recorded as such: {type(error).__name__}: {error}",
            RuntimeWarning,
            stacklevel=2,
        )
        validation, test = math.nan, math.nan
    if not math.isfinite(validation):
        validation = math.nan
    return index, (validation, test if math.isfinite(test) else math.nan, time.perf_counter() - began)
