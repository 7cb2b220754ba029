"""hyperopt's own TPE, asked and told in process: the reference that `optimizers.tpe` is checked against.
Slow.

One `hyperopt.Trials` a trial; hyperopt seeds a generator of its own for every suggestion, and the seed comes
from the trial's stream, so nothing is shared between trials and no global state is touched.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from nas_bench_suite.checks import check_choice, check_float, check_int
from nas_bench_suite.drawing import draw_valid
from nas_bench_suite.optimizer import NOT_RUN, OK, Optimizer, Outcome, Proposal, Task

INVALID_DRAWS = ("tell", "redraw")


class TPEHyperopt(Optimizer):
    """hyperopt's `tpe.suggest`, one query at a time. Arguments as `optimizers.tpe.TPE` (hyperopt's linear
    forgetting is fixed at 25).

    A suggestion whose query failed is told as `STATUS_FAIL`. With `invalid="redraw"` an invalid suggestion is
    replaced by a further one under another seed and is not told.
    """

    trials_per_block: ClassVar[int] = 10

    def __init__(
        self,
        *,
        startup: int = 20,
        candidates: int = 24,
        gamma: float = 0.25,
        prior_weight: float = 1.0,
        invalid: str = "tell",
    ) -> None:
        self.startup = check_int("optimizer.startup", startup, 1, 1_000_000)
        self.candidates = check_int("optimizer.candidates", candidates, 1, 100_000)
        self.gamma = check_float("optimizer.gamma", gamma, 0, 10, open_low=True)
        self.prior_weight = check_float("optimizer.prior_weight", prior_weight, 0, 1e6, open_low=True)
        self.invalid = check_choice("optimizer.invalid", invalid, INVALID_DRAWS)

    def start(self, task: Task) -> None:
        import hyperopt
        from hyperopt.base import Domain

        self._space = task.space
        self._redraw = task.reject_invalid and self.invalid == "redraw"
        self._seeds = task.streams.generators("tpe_hyperopt")
        self._labels = [f"v{j:04d}" for j in range(task.space.num_variables)]
        space = {
            label: hyperopt.hp.choice(label, list(range(int(size))))
            for label, size in zip(self._labels, task.space.sizes)
        }
        self._domain = Domain(lambda config: 0.0, space)
        self._trials = [hyperopt.Trials() for _ in range(task.trials)]
        self._documents: list[dict[str, Any] | None] = [None] * task.trials

    def suggest(self, t: int) -> np.ndarray:
        """One suggestion for trial t, int64[N], to be told next."""
        from hyperopt import tpe

        trials = self._trials[t]
        (document,) = tpe.suggest(
            [len(trials)],
            self._domain,
            trials,
            int(self._seeds[t].integers(2**31 - 1)),
            prior_weight=self.prior_weight,
            n_startup_jobs=self.startup,
            n_EI_candidates=self.candidates,
            gamma=self.gamma,
            verbose=False,
        )
        self._documents[t] = document
        return np.array([document["misc"]["vals"][label][0] for label in self._labels], dtype=np.int64)

    def observe(self, t: int, loss: float | None) -> None:
        """Tell trial t the loss of its last suggestion; None if it failed."""
        from hyperopt import STATUS_FAIL, STATUS_OK
        from hyperopt.base import JOB_STATE_DONE

        trials, document = self._trials[t], self._documents[t]
        assert document is not None
        document["state"] = JOB_STATE_DONE
        document["result"] = (
            {"status": STATUS_FAIL} if loss is None else {"status": STATUS_OK, "loss": float(loss)}
        )
        trials.insert_trial_docs([document])
        trials.refresh()

    def ask(self, room: np.ndarray) -> Proposal:
        architectures = np.zeros((len(room), 1, self._space.num_variables), dtype=np.int64)
        wanted = np.zeros((len(room), 1), dtype=np.bool_)
        rejected = np.zeros(len(room), dtype=np.int64)
        asked = np.flatnonzero(room > 0)
        if len(asked):
            drawn = draw_valid(
                lambda rows: np.stack([self.suggest(t) for t in asked[rows].tolist()])[:, None],
                self._space.is_valid if self._redraw else None,
                np.ones(len(asked), dtype=np.int64),
                self._space.num_variables,
            )
            architectures[asked], wanted[asked, 0] = drawn.strings, drawn.given > 0
            rejected[asked] = drawn.rejected
        return Proposal(architectures, wanted, rejected=rejected)

    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        for t in np.flatnonzero(outcome.status[:, 0] != NOT_RUN).tolist():
            self.observe(t, -outcome.accuracy[t, 0] if outcome.status[t, 0] == OK else None)
