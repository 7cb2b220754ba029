"""Where a search is, and the time that it has."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from nas_bench_suite.benchmark import Benchmark
from nas_bench_suite.ledger import Ledger

Progress = Callable[[int, int], None]  # (queries charged so far over all trials, queries in all)


class Status(NamedTuple):
    """Where a search is, over all of its trials."""

    done: int  # evaluations that finished
    of: int  # queries of the budget
    failed: int
    running: int
    best: float  # validation value of the best so far, as the function returned it; NaN before there is one
    seconds: float  # since the search began
    left: float  # seconds that it will take at this pace, or that are left of `seconds`; NaN: not known


Watch = Callable[[Status], None]


def print_status(status: Status) -> None:
    """Print a status: one line that is written over in a terminal, a line each time elsewhere."""
    best = "none yet" if math.isnan(status.best) else f"{status.best:.4f}"
    left = "" if math.isnan(status.left) else f", {status.left:.0f} s left"
    line = (
        f"{status.done} of {status.of} done, {status.running} running, {status.failed} failed, best {best}, "
        f"{status.seconds:.0f} s{left}"
    )
    end = "\r" if sys.stdout.isatty() and status.done < status.of else "\n"
    print(f"{line:<78}", end=end, flush=True)


@dataclass
class Clock:
    """The time that a search has, and whom to tell where it is."""

    began: float
    limit: float
    watch: Watch | None
    benchmark: Benchmark

    @property
    def up(self) -> bool:
        return time.perf_counter() - self.began >= self.limit

    def tell(self, ledger: Ledger, running: int = 0) -> None:
        if self.watch is None:
            return
        failed, opened = ledger.evaluations()
        done, of = opened - running, int(ledger.total * len(ledger.rows) // ledger.unit)
        passed = time.perf_counter() - self.began
        spent = ledger.total * len(ledger.rows) - int(ledger.left.sum())
        pace = passed / spent * int(ledger.left.sum()) if spent else math.nan
        left = min(pace, self.limit - passed) if not math.isnan(pace) else pace
        best = getattr(self.benchmark, "value", lambda accuracy: accuracy)(ledger.best_validation())
        self.watch(Status(done, of, failed, running, best, passed, max(left, 0.0)))
