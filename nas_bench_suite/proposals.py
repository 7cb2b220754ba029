"""Proposals, checked before they reach compiled code: a kernel that reads past an array ends the process.

Notation: T trials, Q slots, N variables.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from nas_bench_suite.benchmark import Benchmark
from nas_bench_suite.checks import ConfigError
from nas_bench_suite.ledger import Asked
from nas_bench_suite.optimizer import Proposal

MAX_ROUNDS_WITHOUT_CHANGE = 100_000


def read_proposal(proposal: Proposal, benchmark: Benchmark, trials: int, name: str) -> Asked:
    """A proposal as the ledger reads it, every array checked before it reaches compiled code.

    Raises:
        ConfigError: for a shape, type or value that is not accepted; it names the method, `name`.
    """
    where = f"a proposal of {name}: "
    variables = benchmark.space.num_variables
    if not isinstance(proposal, Proposal):
        raise ConfigError(
            f"{name}.ask returned {_shape(proposal)}; accepted: a Proposal, as in Proposal(architectures, "
            "wanted)."
        )
    wanted = proposal.wanted
    if (
        not isinstance(wanted, np.ndarray)
        or wanted.dtype != np.bool_
        or wanted.ndim != 2
        or len(wanted) != trials
    ):
        raise ConfigError(f"{where}wanted is {_shape(wanted)}; accepted: bool[{trials}, Q].")
    shape = wanted.shape
    architectures = _integers(where, "architectures", proposal.architectures, (*shape, variables))
    wrong = out_of_range(architectures, benchmark.space.sizes)
    if wrong >= 0:
        t, q, i = (int(place) for place in np.unravel_index(wrong, architectures.shape))
        raise ConfigError(
            f"{where}architectures[{t}, {q}, {i}] is {architectures[t, q, i]}; accepted for variable "
            f"'{benchmark.space.variables[i].name}': 0 to {benchmark.space.sizes[i] - 1} (in slots that are "
            "not wanted "
            "too)."
        )
    if proposal.fidelity is None:
        levels = np.full(shape, len(benchmark.fidelities) - 1, dtype=np.int64)
    else:
        fidelity = _integers(where, "fidelity", proposal.fidelity, shape)
        levels = benchmark.levels(np.where(wanted, fidelity, benchmark.fidelities[-1]))
    rejected = np.zeros(trials, dtype=np.int64)
    if proposal.rejected is not None:
        rejected = _integers(where, "rejected", proposal.rejected, (trials,))
        if (rejected < 0).any():
            raise ConfigError(
                f"{where}rejected is {rejected.min()} for a trial; accepted: a count of at least 0."
            )
    return Asked(benchmark.space.cell_id(architectures), levels, wanted, rejected, architectures)


def _integers(where: str, name: str, values: Any, shape: tuple[int, ...]) -> np.ndarray:
    """`values` as contiguous int64[shape]; raises `ConfigError` for anything else."""
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iu" or values.shape != shape:
        raise ConfigError(
            f"{where}{name} is {_shape(values)}; accepted: int64[{', '.join(map(str, shape))}]."
        )
    return np.ascontiguousarray(values, dtype=np.int64)


def _shape(values: Any) -> str:
    if not isinstance(values, np.ndarray):
        return f"a {type(values).__name__}"
    return f"{values.dtype}[{', '.join(map(str, values.shape))}]"


@njit(cache=True)
def out_of_range(architectures: np.ndarray, sizes: np.ndarray) -> int:
    """The place in int64[T, Q, N].ravel() of the first value outside 0 .. sizes - 1; -1 if there is none."""
    trials, slots, n = architectures.shape
    for t in range(trials):
        for q in range(slots):
            for i in range(n):
                if architectures[t, q, i] < 0 or architectures[t, q, i] >= sizes[i]:
                    place: int = (t * slots + q) * n + i
                    return place
    return -1


class Rounds:
    """Counts asks in a row that neither charged nor rejected anything: a method that goes on so would loop
    for ever."""

    def __init__(self, name: str) -> None:
        self._name, self._idle = name, 0

    def count(self, moved: bool) -> None:
        """One more ask; `moved`: it charged or rejected something.

        Raises:
            ConfigError: after MAX_ROUNDS_WITHOUT_CHANGE that did not.
        """
        self._idle = 0 if moved else self._idle + 1
        if self._idle > MAX_ROUNDS_WITHOUT_CHANGE:
            raise ConfigError(
                f"{self._name} asked {self._idle:,} times in a row for nothing that could be charged; "
                "accepted: a method that proposes a valid architecture for each trial with room, or none to "
                "end it."
            )
