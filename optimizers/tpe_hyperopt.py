"""hyperopt's own TPE, asked and told in process: the reference that `optimizers.tpe` is checked against.
Slow.

One `hyperopt.Trials` a trial; hyperopt seeds a generator of its own for every suggestion, and the seed comes
from the trial's stream, so nothing is shared between trials and no global state is touched.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nas_bench_suite.ask_tell import AskTell, Suggestion
from nas_bench_suite.checks import check_float, check_int
from nas_bench_suite.space import SearchSpace


class Study(NamedTuple):
    """One trial's."""

    trials: Any  # hyperopt.Trials
    domain: Any
    labels: list[str]
    rng: np.random.Generator


class TPEHyperopt(AskTell):
    """hyperopt's `tpe.suggest`, one query at a time. Arguments as `optimizers.tpe.TPE` (hyperopt's linear
    forgetting is fixed at 25).

    A suggestion whose query failed is told as `STATUS_FAIL`. With `invalid="redraw"` an invalid suggestion is
    replaced by a further one under another seed and is not told.
    """

    package, stream = "hyperopt", "tpe_hyperopt"

    def __init__(
        self,
        *,
        startup: int = 20,
        candidates: int = 24,
        gamma: float = 0.25,
        prior_weight: float = 1.0,
        invalid: str = "tell",
    ) -> None:
        super().__init__(invalid=invalid)
        self.startup = check_int("optimizer.startup", startup, 1, 1_000_000)
        self.candidates = check_int("optimizer.candidates", candidates, 1, 100_000)
        self.gamma = check_float("optimizer.gamma", gamma, 0, 10, open_low=True)
        self.prior_weight = check_float("optimizer.prior_weight", prior_weight, 0, 1e6, open_low=True)

    def begin(self, space: SearchSpace, rng: np.random.Generator) -> Study:
        import hyperopt
        from hyperopt.base import Domain

        labels = [f"v{j:04d}" for j in range(space.num_variables)]
        choices = {
            label: hyperopt.hp.choice(label, list(range(int(size))))
            for label, size in zip(labels, space.sizes)
        }
        return Study(hyperopt.Trials(), Domain(lambda config: 0.0, choices), labels, rng)

    def suggest(self, study: Study) -> Suggestion:
        from hyperopt import tpe

        (document,) = tpe.suggest(
            [len(study.trials)],
            study.domain,
            study.trials,
            int(study.rng.integers(2**31 - 1)),
            prior_weight=self.prior_weight,
            n_startup_jobs=self.startup,
            n_EI_candidates=self.candidates,
            gamma=self.gamma,
            verbose=False,
        )
        return Suggestion([document["misc"]["vals"][label][0] for label in study.labels], document)

    def observe(self, study: Study, suggestion: Suggestion, accuracy: float | None) -> None:
        from hyperopt import STATUS_FAIL, STATUS_OK
        from hyperopt.base import JOB_STATE_DONE

        document = suggestion.token
        document["state"] = JOB_STATE_DONE
        document["result"] = (
            {"status": STATUS_FAIL} if accuracy is None else {"status": STATUS_OK, "loss": -accuracy}
        )
        study.trials.insert_trial_docs([document])
        study.trials.refresh()
