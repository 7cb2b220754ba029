"""Your own objective as a benchmark: a function that trains an architecture and says how good it is.

Notation: an *evaluation* is one look-up; it takes one *attempt*, that is, one call of the function, or
    several if
attempts fail. Accuracies are fractions in [0, 1].
"""

from __future__ import annotations

import functools
import math
import os
import reprlib
import time
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np

from nas_bench_suite.benchmark import Benchmark, Evaluation, Facts, Lookups
from nas_bench_suite.checks import ConfigError, check_bool, check_float, check_int
from nas_bench_suite.journal import Measured
from nas_bench_suite.space import SearchSpace
from nas_bench_suite.workers import Stopped, Workers

LONGEST_REASON = 300  # characters
Waiting = tuple[int, np.ndarray, int]  # number, string int64[N], fidelity

_RETURNS = "a validation accuracy in [0, 1], or a tuple (validation, test)"


class Scale(NamedTuple):
    """The best and the worst value that a function returns; outside: whether values beyond them count as
    them."""

    best: float = 1.0
    worst: float = 0.0
    outside: bool = False

    def accuracy(self, value: float) -> float:
        """A value as a fraction in [0, 1], more being better."""
        if self == Scale():
            return value
        return min(max((self.worst - value) / (self.worst - self.best), 0.0), 1.0)

    def value(self, accuracy: Any) -> Any:
        """The function's value behind an accuracy."""
        return accuracy if self == Scale() else self.worst - (self.worst - self.best) * accuracy


def _scale(minimize: bool, scale: tuple[float, float] | None) -> Scale:
    if scale is None:
        return Scale(0.0, 1.0) if minimize else Scale()
    if not isinstance(scale, (tuple, list)) or len(scale) != 2:
        raise ConfigError(f"scale={scale} does not fit; accepted: (best, worst), as in (0, 2.5) for a loss.")
    best, worst = check_float("scale[0]", scale[0]), check_float("scale[1]", scale[1])
    if best == worst or (minimize and best > worst):
        raise ConfigError(
            f"scale={scale} does not fit{' minimize=True' if minimize else ''}; accepted: (best, worst), two "
            "different numbers, the lower one first for a loss."
        )
    return Scale(best, worst, True)


class _Calls:
    """What is to be called, as `Workers.call_each` takes it: a queue of (number, arguments) over a queue of
    `Waiting`, whose arguments are made when their turn comes."""

    def __init__(
        self, waiting: deque[Waiting], arguments: Callable[[np.ndarray, int], tuple[Any, ...]]
    ) -> None:
        self._waiting, self._make = waiting, arguments
        self.again: deque[tuple[int, tuple[Any, ...]]] = deque()
        self.given: dict[int, tuple[Any, ...]] = {}  # under way

    def __len__(self) -> int:
        return len(self._waiting) + len(self.again)

    def popleft(self) -> tuple[int, tuple[Any, ...]]:
        if not self._waiting:
            return self.again.popleft()
        index, architecture, fidelity = self._waiting.popleft()
        self.given[index] = self._make(architecture, fidelity)
        return index, self.given[index]


class Objective(Benchmark):
    """A benchmark that computes instead of looking up.

    An attempt fails if the function raises, takes longer than `timeout`, takes its worker process down, or
    returns anything but accuracies: a fraction in [0, 1], or a tuple of two of them, of which the second
    may be NaN or None (no test value). An evaluation whose attempts all failed is recorded as failed, with
    the reason of the last one, and the search goes on without it.

    With `workers=1` and no timeout the function runs in this process: it may keep a state, and takes the
    search with it if it crashes the interpreter. Otherwise it runs in worker processes, which import it by
    name (a function that is defined in `__main__` is sent by value).

    Args:
        space: the search space.
        function: takes an architecture int64[N] and returns its validation accuracy, or (validation, test).
        workers: evaluations at a time.
        with_fidelity: call `function(architecture, fidelity)`.
        fidelities: training budgets offered, ascending.
        name: for captions; part of what a journal knows of its search.
        timeout: seconds that one attempt may take; then its process is killed. None: no limit.
        retries: how often a failed evaluation is tried again.
        max_failures_in_a_row: so many failed evaluations in a row stop the search with an error. None: no
            limit.
        minimize: the function returns losses, the lower the better, in [0, 1].
        scale: (best, worst) values of the function where they are not in [0, 1]: (100, 0) for percent of
            accuracy, (0, 2.5) for a loss. A value is mapped linearly to an accuracy; one worse than `worst`
            counts as `worst`, one better than `best` as `best`.

    Raises:
        ConfigError: for an argument out of range; while evaluating, if a worker process can't import the
            function, or after `max_failures_in_a_row`.
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
        timeout: float | None = None,
        retries: int = 0,
        max_failures_in_a_row: int | None = None,
        minimize: bool = False,
        scale: tuple[float, float] | None = None,
    ) -> None:
        check_bool("minimize", minimize)
        self._scale = _scale(minimize, scale)
        self.minimize = self._scale.best < self._scale.worst
        self.space, self.name, self.fidelities = space, name, fidelities
        self._function, self._with_fidelity = function, with_fidelity
        self._attempts = 1 + check_int("retries", retries, 0)
        self._bound = (
            None
            if max_failures_in_a_row is None
            else check_int("max_failures_in_a_row", max_failures_in_a_row, 1)
        )
        self._failures_in_a_row = 0
        self.last_failure = ""  # why
        workers = check_int("workers", workers, 1)
        if timeout is not None:
            timeout = check_float("timeout", timeout, 0, open_low=True)
        self._workers = (
            None
            if workers == 1 and timeout is None
            else Workers(
                functools.partial(_attempt, function, True, self._scale), workers, timeout, self.function_name
            )
        )
        self.parallel = workers

    @property
    def function_name(self) -> str:
        """The function's qualified name, and what `functools.partial` fixed: part of a journal's identity."""
        return _qualified_name(self._function)

    @property
    def ends(self) -> tuple[float, float] | None:
        """The best and the worst value; None where the function returns accuracies."""
        return None if self._scale == Scale() else (self._scale.best, self._scale.worst)

    def value(self, accuracy: Any) -> Any:
        """What the function returned where a record says `accuracy` (as far as `scale` reaches)."""
        return self._scale.value(accuracy)

    def close(self) -> None:
        """End the worker processes; otherwise they end when they are idle for a minute, or with this
        object."""
        if self._workers is not None:
            self._workers.close()

    def stream(self, waiting: deque[Waiting]) -> Generator[tuple[int, Measured], None, None]:
        """Evaluate what waits, `workers` at a time, as evaluations finish; the caller may add to `waiting`
        meanwhile. With `workers=1` and no timeout one after another, in this process."""
        calls = _Calls(waiting, self._arguments)
        with closing(self._here(calls) if self._workers is None else self._in_workers(calls)) as each:
            for index, found in each:
                yield index, self._reported(found)
                self._count(found)

    def _arguments(self, architecture: np.ndarray, fidelity: int) -> tuple[Any, ...]:
        """What the function is called with."""
        shown = self.space.present(np.asarray(architecture))
        return (shown, int(fidelity)) if self._with_fidelity else (shown,)

    def _reported(self, found: Measured) -> Measured:
        if found.reason:
            self.last_failure = found.reason
            warnings.warn(
                f"evaluation failed and is recorded as such: {found.reason}", RuntimeWarning, stacklevel=3
            )
        return found

    def look_up(self, lookups: Lookups) -> Evaluation:
        shape = np.shape(lookups.cells)
        result = Evaluation(*(np.full(shape, np.nan) for _ in range(3)))
        with closing(self.query_each(lookups)) as found_each:
            for index, values in found_each:
                for array, value in zip(result, values):
                    array.reshape(-1)[index] = value
        return result

    def query_each(self, lookups: Lookups) -> Generator[tuple[int, Measured], None, None]:
        architectures, fidelity = lookups.architectures, lookups.fidelities
        if architectures is None:
            architectures = self.space.architecture(lookups.cells)
        rows = np.asarray(architectures).reshape(-1, self.space.num_variables)
        levels = np.broadcast_to(np.ravel(self.fidelities[-1] if fidelity is None else fidelity), len(rows))
        waiting = deque((i, row, int(level)) for i, (row, level) in enumerate(zip(rows, levels)))
        yield from self.stream(waiting)

    def _here(self, waiting: _Calls) -> Generator[tuple[int, Measured], None, None]:
        while waiting:
            index, arguments = waiting.popleft()
            tries: list[Measured] = []
            while not tries or (tries[-1].reason and len(tries) < self._attempts):
                tries.append(_attempt(self._function, False, self._scale, *arguments))
            yield index, _combine(tries)

    def _in_workers(self, waiting: _Calls) -> Generator[tuple[int, Measured], None, None]:
        assert self._workers is not None
        arguments: dict[int, tuple[Any, ...]] = waiting.given
        tries: dict[int, list[Measured]] = {}
        with closing(self._workers.call_each(waiting)) as answers:
            for index, answer in answers:
                if isinstance(answer, Stopped):
                    answer = Measured(math.nan, math.nan, answer.seconds, str(answer))
                tries.setdefault(index, []).append(answer)
                if answer.reason and len(tries[index]) < self._attempts:
                    waiting.again.append((index, arguments[index]))
                else:
                    del arguments[index]
                    yield index, _combine(tries.pop(index))

    def _count(self, found: Measured) -> None:
        self._failures_in_a_row = self._failures_in_a_row + 1 if found.reason else 0
        if self._failures_in_a_row == self._bound:
            self._failures_in_a_row = 0
            raise ConfigError(
                f"{self._bound} evaluations of {self.function_name} in a row failed "
                f"(max_failures_in_a_row={self._bound}), the last one: {found.reason}; a journal keeps "
                f"what was evaluated; accepted: a function that returns {_RETURNS}."
            )

    def facts(self) -> Facts:
        return {
            "name": self.name,
            "description": f"the objective {getattr(self._function, '__name__', 'given')} on space "
            f"'{self.space.name}'",
            "source": "computed by the user's function",
            "checksum": "",
            "surrogate": False,
        }


def _combine(tries: list[Measured]) -> Measured:
    """One evaluation from its attempts: the values of the last, the seconds of all."""
    validation, test, _ = tries[-1]
    reason = tries[-1].reason
    if reason and len(tries) > 1:
        reason = f"{reason} (attempt {len(tries)} of {len(tries)})"
    return Measured(validation, test, sum(seconds for _, _, seconds in tries), reason)


def _attempt(function: Callable[..., Any], catch_exit: bool, scale: Scale, *arguments: Any) -> Measured:
    """One call of the function. In a worker process a `sys.exit` is a failure like any other; in the
    process of the search it may come from a signal, and ends it."""
    began = time.perf_counter()
    try:
        validation, test, reason = _read(function(*arguments), scale)
    except (Exception, SystemExit) as error:
        if isinstance(error, SystemExit) and not catch_exit:
            raise
        validation, test, reason = math.nan, math.nan, _describe(error)
    return Measured(validation, test, time.perf_counter() - began, reason)


def _read(found: Any, scale: Scale) -> tuple[float, float, str]:
    """Validation, test and reason of failure from what a function returned."""
    values = found if isinstance(found, tuple) else (found, None)
    if len(values) != 2:
        return math.nan, math.nan, f"returned {_show(found)}, {len(values)} values; accepted: {_RETURNS}"
    numbers = []
    for name, value in zip(("validation", "test"), values):
        if name == "test" and (value is None or _number(value) != _number(value)):
            numbers.append(math.nan)
            continue
        number = _number(value)
        if number is None or not math.isfinite(number):
            return math.nan, math.nan, f"returned {_show(found)}; accepted: {_RETURNS}"
        if not scale.outside and not 0 <= number <= 1 and scale.best < scale.worst:
            beyond = "losses are in [0, 1] with minimize=True; for others give scale=(best, worst)"
            return math.nan, math.nan, f"returned {_show(found)}, but {beyond}"
        if not scale.outside and not 0 <= number <= 1:
            percent = f" ({number / 100:g} rather than {number:g} percent)" if 1 < number <= 100 else ""
            return (
                math.nan,
                math.nan,
                f"returned {_show(found)}, but accuracies are fractions in [0, 1]{percent}",
            )
        numbers.append(scale.accuracy(number))
    return numbers[0], numbers[1], ""


def _number(value: Any) -> float | None:
    """A single number of Python, numpy or torch as a float; None for anything else, text and truth values
    too."""
    if isinstance(value, (str, bytes, bytearray, bool, np.bool_)) or getattr(value, "ndim", 0) != 0:
        return None
    try:
        return float(value)
    except Exception:
        return None


def _show(value: Any) -> str:
    short = reprlib.Repr()
    short.maxother = short.maxstring = 80
    return " ".join(short.repr(value).split())


def _describe(error: BaseException) -> str:
    """An exception in one line, with the place that it came from."""
    try:
        text = " ".join(str(error).split())
    except Exception:
        text = "no text"
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({os.path.basename(frames[-1].filename)}, line {frames[-1].lineno})" if len(frames) > 1 else ""
    return f"{type(error).__name__}: {text}"[:LONGEST_REASON] + place


def _qualified_name(function: Callable[..., Any]) -> str:
    if isinstance(function, functools.partial):
        given = [repr(value) for value in function.args if isinstance(value, (bool, int, float, str))]
        given += [
            f"{name}={value!r}"
            for name, value in function.keywords.items()
            if isinstance(value, (bool, int, float, str))
        ]
        return f"{_qualified_name(function.func)}({', '.join(given)})"
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}.{named.__qualname__}"
