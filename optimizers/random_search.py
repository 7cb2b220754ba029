"""Random search: strings drawn uniformly, independent of every outcome.

Notation: T trials, Q slots, N variables.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from nas_bench_suite.checks import check_bool, check_int
from nas_bench_suite.optimizer import Optimizer, Outcome, Proposal, Task
from optimizers.parts.uniform import UniformStrings


class RandomSearch(Optimizer):
    """Uniform strings: the valid ones, or all of them where invalid ones are charged (`Task.reject_invalid`
    False).

    Args:
        repeats: True draws with replacement, as the published baselines do. False never proposes a cell twice
            in a trial (isomorphic strings are one cell; invalid strings are no cell and may repeat); a trial
            that runs out of cells ends.
        batch: strings proposed at a time. It changes no search, only how many can be evaluated in parallel.

    Raises:
        ConfigError: for a value out of range.
    """

    trials_per_block: ClassVar[int] = 500
    asynchronous: ClassVar[bool] = True

    def __init__(self, *, repeats: bool = True, batch: int = 100) -> None:
        self.repeats = check_bool("optimizer.repeats", repeats)
        self.batch = check_int("optimizer.batch", batch, 1, 100_000)

    def start(self, task: Task) -> None:
        self._strings = UniformStrings(task, "random_search", self.repeats)

    def ask(self, room: np.ndarray) -> Proposal:
        taken = self._strings.take(np.minimum(room, self.batch))
        wanted = np.arange(taken.architectures.shape[1]) < taken.given[:, None]
        return Proposal(taken.architectures, wanted, rejected=taken.rejected)

    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        """Random search learns nothing."""
