"""BOHB (Falkner, Klein & Hutter 2018): Hyperband whose fresh architectures come from kernel density estimates
of good and bad ones.

Notation: T trials, N variables, R rungs (training budgets), R' rows (trials that draw now).

Hyperband (`optimizers.bohb.hyperband`) decides at which training budget the next architecture is evaluated
and which ones are promoted; the model (`optimizers.bohb.kde`) of the highest budget with enough observations
suggests the fresh ones, a fraction of them being uniform. Settings are those of NASBench-101's published BOHB
baseline; the suggestion's distribution given a history is that of hpbandster's generator.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from nas_bench_suite.drawing import INVALID_IN_A_ROW
from nas_bench_suite.optimizer import Proposal, Task
from optimizers.bohb.base import BOHBBase
from optimizers.bohb.kde import Models
from optimizers.parts.uniform import UniformStrings


class BOHB(BOHBBase):
    """BOHB, all trials in lockstep, one evaluation at a time.

    Where a benchmark offers a single training budget, or with `low_fidelities=False`, every bracket is a
    single full evaluation and what is left is a search by kernel density estimates: no Hyperband. Where a
    query costs one whatever its training budget (`protocol.cost: query`), each low-fidelity look-up costs one
    too, and of four rungs' queries only one in eight is a full one that can become the incumbent.

    Args:
        eta: ratio of a bracket's neighbouring training budgets, and of the numbers of architectures at them.
        min_points_in_model: observations that either density needs; N + 1, which it is at least, if None.
        top_n_percent: whole percentage of the observations that counts as good.
        num_samples: candidates of which the one with the best ratio of densities is taken.
        random_fraction: fraction of fresh architectures that are drawn uniformly once there is a model.
        bandwidth_factor: widens continuous variables' bandwidths when candidates are drawn (hpbandster);
            categorical ones know no widening, so it changes nothing here and is kept to be read beside
            hpbandster's settings.
        min_bandwidth: floor of the bandwidths.
        low_fidelities: False uses the full training budget only.
        invalid: what becomes of invalid strings where methods may reject them. `redraw`: a draw, uniform or
            from the model, is repeated until valid, and only then observed. `tell`: they are proposed, cost
            nothing and are observed with an infinite loss, as hpbandster does with crashed runs; they take
            their place in the bracket. Where invalid strings are charged: `tell`.

    Raises:
        ConfigError: for a value out of range.
    """

    trials_per_block: ClassVar[int] = 500

    def start(self, task: Task) -> None:
        super().start(task)
        self._streams = task.streams
        min_points = max(self.min_points_in_model or 0, task.space.num_variables + 1)
        self.models = Models(
            task.trials,
            task.space.sizes,
            len(self._brackets.rungs),
            min_points,
            self.top_n_percent,
            self.min_bandwidth,
        )
        self._uniform = UniformStrings(replace(task, reject_invalid=self._redraw), "bohb_random")
        self._generators = task.streams.typed("bohb_model")
        self._rung = np.zeros(task.trials, dtype=np.int64)

    def ask(self, room: np.ndarray) -> Proposal:
        self._rung, fresh, architectures = self._brackets.next()
        fresh &= room > 0
        modelled = fresh & (self.models.level >= 0)
        rows = np.flatnonzero(modelled)
        modelled[rows] = self._streams.uniforms("bohb_coin", (), rows) >= self.random_fraction
        wanted = room > 0
        rejected = np.zeros(len(room), dtype=np.int64)
        lacking = np.flatnonzero(modelled)
        while len(lacking):
            drawn, found = self.models.suggest(lacking, self._generators, self.num_samples)
            # no candidate can be told from another: a uniform one, as hpbandster's fallback
            modelled[lacking[~found]] = False
            architectures[lacking] = drawn
            valid = (
                self._space.is_valid(drawn) | ~found if self._redraw else np.ones(len(lacking), dtype=bool)
            )
            wanted[lacking] = valid
            lacking = lacking[~valid]
            rejected[lacking] += 1
            lacking = lacking[rejected[lacking] < INVALID_IN_A_ROW]
        uniform = fresh & ~modelled
        if uniform.any():
            taken = self._uniform.take(uniform.astype(np.int64))
            given = taken.given > 0
            architectures[given] = taken.architectures[given, 0]
            wanted[uniform] = given[uniform]
            rejected += taken.rejected
        fidelity = self._fidelities[self._brackets.rungs[self._rung]]
        return Proposal(architectures[:, None], wanted[:, None], fidelity[:, None], rejected)

    def _observe(self, rows: np.ndarray, strings: np.ndarray, loss: np.ndarray) -> None:
        self.models.observe(rows, self._rung[rows], strings, loss)
