"""What the pictures of BANANAS and NASBOT share: one watched trial, and the panel that shows its course."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from nas_bench_suite import Lookups, Optimizer, Streams, Task, load_benchmark
from nas_bench_suite.optimizer import OK, Outcome

BUDGET, SEED, TRIAL = 150, 0, 1


def one_trial(optimizer: Optimizer) -> list[float]:
    """Run one trial on the surrogate by hand, so that the optimizer can be looked at; returns the validation
    error (%) of each query."""
    benchmark, rng = load_benchmark("nasbench101_surrogate"), np.random.default_rng(0)
    space = benchmark.space
    optimizer.start(
        Task(space=space, trials=1, budget=BUDGET, streams=Streams(SEED, 1, TRIAL), first_trial=TRIAL)
    )
    errors: list[float] = []
    while len(errors) < BUDGET:
        proposal = optimizer.ask(np.array([BUDGET - len(errors)]))
        run = rng.integers(benchmark.num_runs, size=proposal.wanted.shape)
        accuracy = benchmark.query(Lookups(space.cell_id(proposal.architectures), run)).validation
        optimizer.tell(proposal, Outcome(accuracy, np.full(accuracy.shape, OK, dtype=np.int8)))
        errors += (100 * (1 - accuracy[0])).tolist()
    return errors


def draw_course(axis: Axes, errors: list[float], color: str, title: str) -> None:
    """Validation error by query, the ten uniform ones marked, and the best so far."""
    queries = np.arange(1, len(errors) + 1)
    axis.axvspan(0.5, 10.5, color="0.9", lw=0, label="10 uniform cells")
    axis.plot(queries, errors, "o", ms=4, color=color, alpha=0.7, label="validation error of a query")
    axis.plot(queries, np.minimum.accumulate(errors), color="black", label="best so far")
    axis.set(xlabel="query", ylabel="validation error (%)", ylim=(4.6, 10), title=title)
    axis.legend(frameon=False)
