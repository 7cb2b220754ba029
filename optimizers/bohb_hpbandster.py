"""BOHB with hpbandster's own configuration generator, asked and told in process: the reference that
`optimizers.bohb` is checked against. Slow.

Hyperband's schedule is the one that `optimizers.bohb` uses, which is hpbandster's with a single worker; what
suggests fresh architectures is `hpbandster.optimizers.config_generators.bohb.BOHB`, one a trial. It draws
from numpy's global generator, whose state is set before every call from the trial's own stream and put back
afterwards.
"""

from __future__ import annotations

import logging
import warnings
from typing import Any, ClassVar

import numpy as np

from nas_bench_suite.checks import ConfigError
from nas_bench_suite.drawing import INVALID_IN_A_ROW
from nas_bench_suite.isolation import GlobalStream
from nas_bench_suite.optimizer import Proposal, Task
from optimizers.bohb.base import BOHBBase

HOW_TO_INSTALL = (
    "install it with `pip install 'nas-bench-suite[bohb]'` (its requirement netifaces needs a C "
    "compiler), or use optimizer=bohb"
)


class BOHBHpbandster(BOHBBase):
    """hpbandster's BOHB, one evaluation at a time. Arguments as `optimizers.bohb.BOHB`.

    With `invalid="redraw"` a draw is repeated until it is valid and of the kind (uniform or from the model)
    that the first draw was, so that rejection does not change the share of uniform ones.

    Raises:
        ConfigError: for a value out of range; at `start`, if hpbandster is not installed.
    """

    trials_per_block: ClassVar[int] = 10

    def start(self, task: Task) -> None:
        super().start(task)
        # of equal width: ConfigSpace orders by name
        self._labels = [f"v{j:04d}" for j in range(task.space.num_variables)]
        self._streams: list[GlobalStream] = []
        self._generators: list[Any] = []
        for generator in task.streams.generators("bohb_hpbandster"):
            seeds = generator.integers(2**32, size=2)
            self._streams.append(GlobalStream(int(seeds[0])))
            self._generators.append(self._make(int(seeds[1])))
        self._fidelity = np.zeros(task.trials, dtype=np.int64)

    def _make(self, seed: int) -> Any:
        """A configuration generator of hpbandster's for this space."""
        try:
            import ConfigSpace
            from hpbandster.optimizers.config_generators.bohb import BOHB as Generator
        except ImportError as error:
            raise ConfigError(
                f"optimizer=bohb_hpbandster needs hpbandster, which cannot be imported ({error}); "
                f"{HOW_TO_INSTALL}."
            ) from None
        logger = logging.getLogger("nas_bench_suite.hpbandster")
        # it warns of every candidate with an infinite ratio of densities, which is nothing to act on
        logger.propagate = False
        logger.addHandler(logging.NullHandler())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            space = ConfigSpace.ConfigurationSpace(seed=seed % (2**31))
            for label, size in zip(self._labels, self._space.sizes):
                space.add(ConfigSpace.CategoricalHyperparameter(label, list(range(int(size)))))
            return Generator(
                space,
                logger=logger,
                min_points_in_model=self.min_points_in_model,
                top_n_percent=self.top_n_percent,
                num_samples=self.num_samples,
                random_fraction=self.random_fraction,
                bandwidth_factor=self.bandwidth_factor,
                min_bandwidth=self.min_bandwidth,
            )

    def suggest(self, t: int, fidelity: int) -> tuple[np.ndarray, bool]:
        """One suggestion of trial t's generator, int64[N], and whether its model made it."""
        with self._streams[t], warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            config, info = self._generators[t].get_config(float(fidelity))
        return np.array([int(config[label]) for label in self._labels], dtype=np.int64), bool(
            info["model_based_pick"]
        )

    def observe(self, t: int, fidelity: int, string: np.ndarray, loss: float) -> None:
        """Tell trial t's generator a loss (inf: failed)."""
        from hpbandster.core.dispatcher import Job

        job = Job(
            (0, 0, 0),
            config={label: int(value) for label, value in zip(self._labels, string)},
            budget=float(fidelity),
        )
        job.result = {"loss": float(loss)} if np.isfinite(loss) else None
        if job.result is None:
            job.exception = "failed"
        with self._streams[t], warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            self._generators[t].new_result(job)

    def ask(self, room: np.ndarray) -> Proposal:
        rung, fresh, architectures = self._brackets.next()
        self._fidelity = self._fidelities[self._brackets.rungs[rung]]
        wanted = room > 0
        rejected = np.zeros(len(room), dtype=np.int64)
        for t in np.flatnonzero(wanted & fresh).tolist():
            architectures[t], kind = self.suggest(t, self._fidelity[t])
            while self._redraw and wanted[t] and not self._space.is_valid(architectures[t]):
                rejected[t] += 1
                wanted[t] = rejected[t] < INVALID_IN_A_ROW
                again = not kind
                while wanted[t] and again != kind:
                    architectures[t], again = self.suggest(t, self._fidelity[t])
        return Proposal(architectures[:, None], wanted[:, None], self._fidelity[:, None], rejected)

    def _observe(self, rows: np.ndarray, strings: np.ndarray, loss: np.ndarray) -> None:
        for t, string, value in zip(rows.tolist(), strings, loss):
            self.observe(t, self._fidelity[t], string, value)
