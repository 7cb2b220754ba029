"""Measure what the policies cost against the number N of variables: parameters and processor seconds on the
benchmark family `large`.

    python -m studies.scaling.measure --output-dir outputs

writes `<output_dir>/complexity/scaling.csv`: `policy, N, d, context_parameters, all_parameters`, and per
trial `start_seconds` (drawing the parameters) and `batch_seconds` (ask and tell of one batch: sampling it and
one gradient step), measured over `timed_trials` in lockstep.

The context layer is counted as for table 2 (it does not depend on how many choices a variable has). All
parameters are those of a policy on the family's own variables, embeddings and density layer included. Seconds
are those of one processor core (`time.process_time`, one thread), so other programs on the machine disturb
them little: the median over the batches that follow a search's first. They are NaN where nothing was run:
MADE at N = 500 takes about 16 GB per trial (25 bytes per parameter, as measured at N = 100 and 200).
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import numpy as np  # noqa: E402

from nas_bench_suite import experiments  # noqa: E402
from nas_bench_suite.benchmark import load_benchmark  # noqa: E402
from nas_bench_suite.build import make_optimizer  # noqa: E402
from nas_bench_suite.messages import Parser, exit_code  # noqa: E402
from nas_bench_suite.optimizer import Optimizer, Outcome, Proposal, Task  # noqa: E402
from nas_bench_suite.results import write_whole  # noqa: E402
from nas_bench_suite.search import search  # noqa: E402
from studies.scaling.costs import costs_file  # noqa: E402
from studies.scaling.jobs import POLICIES  # noqa: E402

LABELS = {policy: label for label, policy in POLICIES.items()}
VARIABLES = (26, 50, 100, 200, 500)
COLUMNS = (
    "policy",
    "N",
    "d",
    "context_parameters",
    "all_parameters",
    "start_seconds",
    "batch_seconds",
    "timed_trials",
)
# MADE has no memory for more; the others share a step's overhead among trials
TRIALS = {"maade": 10, "nade": 10, "lstm": 10, "made": 1}
BATCHES = 3  # timed, after one that is not
COSTLY = ("made", 100)  # above that N one batch is timed
MOST_PARAMETERS = 200_000_000  # above, a policy is counted and not run: it takes 25 bytes a parameter


class Clocked(Optimizer):
    """A method with the processor time of its every call noted: `start` seconds, and `batches`, the seconds
    of each ask with its tell."""

    def __init__(self, method: Optimizer) -> None:
        self.method = method
        self.start_seconds, self.batches = 0.0, [0.0]

    def start(self, task: Task) -> None:
        began = time.process_time()
        self.method.start(task)
        self.start_seconds = time.process_time() - began
        self.batches = []

    def ask(self, room: np.ndarray) -> Proposal:
        began = time.process_time()
        proposal = self.method.ask(room)
        self.batches.append(time.process_time() - began)
        return proposal

    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        began = time.process_time()
        self.method.tell(proposal, outcome)
        self.batches[-1] += time.process_time() - began


def measure(policy: str, variables: int, trials: int, batches: int = BATCHES) -> dict[str, Any]:
    """One row of the file, by column: the counts, and the seconds of `trials` searches in lockstep divided by
    `trials`."""
    from optimizers.reinforce.policies import policy_class
    from optimizers.reinforce.policies.base import Layout
    from optimizers.reinforce.policies.complexity import count

    benchmark = load_benchmark("large", variables=variables)
    options = experiments.packaged("optimizer", LABELS[policy])["optimizer"]
    width, size = options["width"], options["batch_size"]
    parameters = policy_class(policy)(Layout.of(benchmark.space), width=width).num_parameters
    seconds = (math.nan, math.nan, 0)
    if parameters <= MOST_PARAMETERS:
        clocked = Clocked(make_optimizer(options))
        search(clocked, benchmark, budget=size * (1 + batches), trials=trials, seed=1000)
        seconds = (clocked.start_seconds / trials, median(clocked.batches[1:]) / trials, trials)
    return dict(
        zip(COLUMNS, (policy, variables, width, count(policy, variables, width), parameters, *seconds))
    )


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output-dir", type=Path, default=Path("outputs"))
    parser.add_argument(
        "--policies", nargs="+", choices=sorted(LABELS), default=list(LABELS), help="which to measure (all)"
    )
    parser.add_argument(
        "--variables", type=int, nargs="+", default=VARIABLES, help="which N (26 50 100 200 500)"
    )

    def work() -> int:
        options = parser.parse_args(arguments)
        path = costs_file(options.output_dir)
        lines = [",".join(COLUMNS)]
        for policy in options.policies:
            measure(policy, min(VARIABLES), 1, 1)  # compiles kernels and loads libraries
            for variables in options.variables:
                costly = policy == COSTLY[0] and variables > COSTLY[1]
                row = measure(policy, variables, TRIALS[policy], 1 if costly else BATCHES)
                cells = (f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values())
                lines.append(",".join(cells))
                print(lines[-1], flush=True)
        write_whole(path, ("\n".join(lines) + "\n").encode())
        print(path)
        return 0

    return exit_code(work)


if __name__ == "__main__":
    sys.exit(main())
