"""The protocol: what a query costs, which run it reads, what becomes of invalid and repeated architectures
(paper, section 8).

The paper leaves these open; each is a key, since they move the reported numbers as much as the algorithm
does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nas_bench_suite.checks import check_choice

RUNS = ("single_same", "single_independent", "mean")
REPEATS = ("charge", "free")
INVALIDS = ("free", "charge")
COSTS = ("query", "epochs")


@dataclass(frozen=True)
class Protocol:
    """Rules of a search.

    Attributes:
        run: `single_same`: a query reads one stored run at random, and the incumbent's test error is that
            run's (the default);
            `single_independent`: the test error comes from a run drawn independently of the validation's;
                `mean`: both are means over runs.
        repeats: `charge`: a repeated cell costs a query and reads a run of its own; `free`: it costs nothing
            and returns the cell's first evaluation at that fidelity.
        invalid: `free`: methods reject invalid strings themselves, and one that is proposed costs nothing;
            `charge`: nobody rejects, and every invalid string costs a query.
        cost: `query`: a query at a low fidelity costs one; `epochs`: it costs its epochs, and the budget is
            that many full trainings.
    """

    run: str = "single_same"
    repeats: str = "charge"
    invalid: str = "free"
    cost: str = "query"

    def __post_init__(self) -> None:
        check_choice("protocol.run", self.run, RUNS)
        check_choice("protocol.repeats", self.repeats, REPEATS)
        check_choice("protocol.invalid", self.invalid, INVALIDS)
        check_choice("protocol.cost", self.cost, COSTS)

    def costs(self, fidelities: tuple[int, ...]) -> np.ndarray:
        """int64[len(fidelities)]: what a query at each fidelity costs; the last is what a full one costs."""
        if self.cost == "query":
            return np.ones(len(fidelities), dtype=np.int64)
        return np.array(fidelities, dtype=np.int64)
