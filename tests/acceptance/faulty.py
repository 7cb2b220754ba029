"""A method with a fault, as somebody's first draft may have one."""

from __future__ import annotations

from nas_bench_suite.optimizer import Outcome, Proposal
from optimizers.random_search import RandomSearch


class Faulty(RandomSearch):
    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        raise ZeroDivisionError("no good reason")
