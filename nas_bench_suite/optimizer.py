"""The interface between a search method and the loop: start, then ask and tell until the budget is spent.

Arrays lead with the trial axis T: an optimizer runs T independent searches in lockstep. Q is the number of
slots of a proposal; slots that a trial does not use are not `wanted`. Whoever has a single search writes T =
1 and sees no other difference.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from nas_bench_suite.space import SearchSpace
from nas_bench_suite.streams import Streams

OK, INVALID, FAILED, NOT_RUN = 0, 1, 2, 3
STATUS_NAMES = ("OK", "INVALID", "FAILED", "NOT_RUN")


@dataclass(frozen=True)
class Task:
    """What a method is told about the search that it is to run.

    Attributes:
        space: the search space.
        trials: T, the number of independent searches.
        first_trial: index of the first of them in the study (streams already take it into account).
        budget: full-fidelity queries a trial.
        streams: random streams of the T trials.
        fidelities: training budgets offered, ascending; the last is the full one.
        fidelity_cost: int64[len(fidelities)], what a query at each costs, in the units in which the full
            budget is `budget * fidelity_cost[-1]` (all ones under `cost: query`).
        reject_invalid: True: draw again inside `ask` until a string is valid and count what was rejected (a
            cap applies: see `Proposal`);
            False: propose invalid strings too; they are charged.
        device: where torch methods compute.
    """

    space: SearchSpace
    trials: int
    budget: int
    streams: Streams
    first_trial: int = 0
    fidelities: tuple[int, ...] = (1,)
    fidelity_cost: np.ndarray = field(default_factory=lambda: np.ones(1, dtype=np.int64))
    reject_invalid: bool = True
    device: str = "cpu"


@dataclass
class Proposal:
    """What a method asks to be evaluated.

    Attributes:
        architectures: int64[T, Q, N].
        wanted: bool[T, Q]; a trial with room and no wanted slot is exhausted and ends.
        fidelity: int64[T, Q], values of `Task.fidelities`; None means the full one throughout.
        rejected: int64[T], strings that the method drew and rejected as invalid for this proposal (None:
            none).
    """

    architectures: np.ndarray
    wanted: np.ndarray
    fidelity: np.ndarray | None = None
    rejected: np.ndarray | None = None


@dataclass
class Outcome:
    """What became of a proposal.

    Attributes:
        accuracy: float64[T, Q], validation accuracy; NaN where there is none.
        status: int8[T, Q]: OK, INVALID (no such architecture), FAILED (evaluated without a result), NOT_RUN
            (not wanted, or past the room).
    """

    accuracy: np.ndarray
    status: np.ndarray


class Optimizer(ABC):
    """A search method. The constructor takes hyperparameters only, by keyword, and checks their ranges.

    `trials_per_block` is the number of trials that a run gives a method at a time, unless the user says
    otherwise: as many as fit in memory and make good batches.

    `asynchronous` says that `ask` may be called again before `tell`, and that proposals may be told in parts
    and in any order. A single search over an objective with workers then keeps all of them busy.
    """

    trials_per_block: ClassVar[int] = 500
    asynchronous: ClassVar[bool] = False

    def uses(self) -> tuple[type, ...]:
        """Further classes whose code decides the search because a hyperparameter names them: a result says
        which code it was made by."""
        return ()

    @abstractmethod
    def start(self, task: Task) -> None:
        """Forget everything and prepare T new searches."""

    @abstractmethod
    def ask(self, room: np.ndarray) -> Proposal:
        """Propose architectures.

        Args:
            room: int64[T], full-fidelity queries left to each trial (rounded up); 0 = that trial has ended
                and needs no slot. Slots past the room come back as NOT_RUN, so a method need not trim its
                batch.
        """

    @abstractmethod
    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        """Learn from the outcome of the last proposal. The test score never enters."""
