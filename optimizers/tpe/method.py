"""Tree-structured Parzen estimator (Bergstra et al. 2011, "Algorithms for hyper-parameter optimization") as
hyperopt runs it.

Notation: T trials, N variables, R rows (trials that draw now), n observations of a trial.

After `startup` observations every suggestion takes, for each variable apart (the space is flat, so hyperopt's
tree is a bundle of independent variables), the best of `candidates` draws from the estimator of the good
observations by the ratio of the good to the bad estimator (`optimizers.tpe.parzen`). The suggestion's
distribution given a history is that of `hyperopt.tpe.suggest`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from nas_bench_suite.checks import check_choice, check_float, check_int
from nas_bench_suite.drawing import draw_valid
from nas_bench_suite.optimizer import NOT_RUN, OK, Optimizer, Outcome, Proposal, Task
from optimizers.parts.uniform import UniformStrings
from optimizers.tpe.parzen import Histories

INVALID_DRAWS = ("tell", "redraw")


class TPE(Optimizer):
    """TPE, all trials in lockstep, one query at a time.

    Args:
        startup: observations before the model is used; until then strings are uniform (hyperopt: 20).
        candidates: draws a variable of which the best is taken (hyperopt: 24).
        gamma: the good observations are the ceil(gamma sqrt(n)) best, at most `flat` (hyperopt: 0.25).
        prior_weight: pseudocount of every choice in both estimators (hyperopt: 1).
        flat: how many of the newest observations are not down-weighted (hyperopt: 25, fixed).
        invalid: what becomes of invalid strings where methods may reject them. `tell`: they are proposed,
            cost nothing and are observed as failed, which is what hyperopt does with a failed trial:
            infinitely bad. `redraw`: drawn again from the same model until valid, never observed; a trial
            whose model gives 10,000 invalid strings in a row ends as stalled. Where invalid strings are
            charged: `tell`.

    Raises:
        ConfigError: for a value out of range.
    """

    asynchronous: ClassVar[bool] = True  # its suggestions are draws: what is under way need not be lied about
    trials_per_block: ClassVar[int] = 500

    def __init__(
        self,
        *,
        startup: int = 20,
        candidates: int = 24,
        gamma: float = 0.25,
        prior_weight: float = 1.0,
        flat: int = 25,
        invalid: str = "tell",
    ) -> None:
        self.startup = check_int("optimizer.startup", startup, 1, 1_000_000)
        self.candidates = check_int("optimizer.candidates", candidates, 1, 100_000)
        self.gamma = check_float("optimizer.gamma", gamma, 0, 10, open_low=True)
        self.prior_weight = check_float("optimizer.prior_weight", prior_weight, 0, 1e6, open_low=True)
        self.flat = check_int("optimizer.flat", flat, 1, 1_000_000)
        self.invalid = check_choice("optimizer.invalid", invalid, INVALID_DRAWS)

    def start(self, task: Task) -> None:
        self._space = task.space
        self._redraw = task.reject_invalid and self.invalid == "redraw"
        self._uniform = UniformStrings(replace(task, reject_invalid=self._redraw), "tpe_startup")
        self._generators = task.streams.typed("tpe")
        self._histories = Histories(
            task.trials, task.space.sizes, task.budget + 1, self.gamma, self.flat, self.prior_weight
        )

    def ask(self, room: np.ndarray) -> Proposal:
        starting = self._histories.count < self.startup
        first = self._uniform.take(((room > 0) & starting).astype(np.int64))
        architectures = np.zeros((len(room), 1, self._space.num_variables), dtype=np.int64)
        architectures[:, : first.architectures.shape[1]] = first.architectures
        wanted = first.given > 0
        rejected = first.rejected
        lacking = np.flatnonzero((room > 0) & ~starting)
        if len(lacking):
            drawn = draw_valid(
                lambda rows: self._histories.suggest(lacking[rows], self._generators, self.candidates)[
                    :, None
                ],
                self._space.is_valid if self._redraw else None,
                np.ones(len(lacking), dtype=np.int64),
                self._space.num_variables,
            )
            architectures[lacking], wanted[lacking] = drawn.strings, drawn.given > 0
            rejected[lacking] += drawn.rejected
        return Proposal(architectures, wanted[:, None], rejected=rejected)

    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        status = outcome.status[:, 0]
        rows = np.flatnonzero(status != NOT_RUN)
        loss = np.where(status[rows] == OK, -outcome.accuracy[rows, 0], np.inf)
        self._histories.observe(rows, proposal.architectures[rows, 0], loss)
