"""What `optimizers.bohb` and the wrapper of hpbandster share: settings, Hyperband's schedule, and how
outcomes reach both it and the model."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from nas_bench_suite.checks import check_bool, check_choice, check_float, check_int
from nas_bench_suite.optimizer import NOT_RUN, OK, Optimizer, Outcome, Proposal, Task
from optimizers.bohb.hyperband import Brackets

INVALID_DRAWS = ("redraw", "tell")


class BOHBBase(Optimizer):
    """Settings of BOHB; see `optimizers.bohb.BOHB` for what they mean."""

    def __init__(
        self,
        *,
        eta: float = 3,
        min_points_in_model: int | None = None,
        top_n_percent: int = 15,
        num_samples: int = 64,
        random_fraction: float = 1 / 3,
        bandwidth_factor: float = 3,
        min_bandwidth: float = 0.3,
        low_fidelities: bool = True,
        invalid: str = "redraw",
    ) -> None:
        self.eta = check_float("optimizer.eta", eta, 2, 1e6)
        self.min_points_in_model = (
            None
            if min_points_in_model is None
            else check_int("optimizer.min_points_in_model", min_points_in_model, 1, 1_000_000)
        )
        self.top_n_percent = check_int("optimizer.top_n_percent", top_n_percent, 1, 99)
        self.num_samples = check_int("optimizer.num_samples", num_samples, 1, 100_000)
        self.random_fraction = check_float("optimizer.random_fraction", random_fraction, 0, 1)
        self.bandwidth_factor = check_float(
            "optimizer.bandwidth_factor", bandwidth_factor, 0, 1e6, open_low=True
        )
        self.min_bandwidth = check_float(
            "optimizer.min_bandwidth", min_bandwidth, 0, 1, open_low=True, open_high=True
        )
        self.low_fidelities = check_bool("optimizer.low_fidelities", low_fidelities)
        self.invalid = check_choice("optimizer.invalid", invalid, INVALID_DRAWS)

    def start(self, task: Task) -> None:
        self._space = task.space
        self._redraw = task.reject_invalid and self.invalid == "redraw"
        self._fidelities = np.asarray(
            task.fidelities if self.low_fidelities else task.fidelities[-1:], dtype=np.int64
        )
        self._brackets = Brackets(
            task.trials, task.space.num_variables, tuple(int(f) for f in self._fidelities), self.eta
        )

    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        status = outcome.status[:, 0]
        rows = np.flatnonzero(status != NOT_RUN)
        loss = np.where(status[rows] == OK, -outcome.accuracy[rows, 0], np.inf)
        strings = proposal.architectures[rows, 0]
        self._observe(rows, strings, loss)
        self._brackets.record(rows, strings, loss)

    @abstractmethod
    def _observe(self, rows: np.ndarray, strings: np.ndarray, loss: np.ndarray) -> None:
        """Let the models of the trials `rows`, int64[R'], see strings int64[R', N] with losses float64[R']
        (inf: failed)."""
