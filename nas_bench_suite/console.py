"""What a person sees while jobs run and when they have ended: a progress bar a job, and one closing table."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import numpy as np

from nas_bench_suite.job import JobResult


class JobProgress:
    """A progress bar over the trials of a job, on stderr; silent where that is no terminal."""

    def __init__(self, label: str, config: Mapping[str, Any]) -> None:
        self._label, self._trials = label, config.get("trials", 0)
        self._bar: Any = None

    def __enter__(self) -> JobProgress:
        return self

    def __call__(self, done: float) -> None:
        if self._bar is None:
            from tqdm import tqdm

            tqdm.set_lock(threading.RLock())  # its own is shared by processes, and leaks if one is killed
            form = (
                "{desc} {percentage:3.0f}% |{bar}| {n:.0f}/{total:.0f} trials, {elapsed} elapsed, "
                "{remaining} left"
            )
            self._bar = tqdm(
                total=float(self._trials),
                desc=f"{self._label:<22}",
                bar_format=form,
                disable=None,
                leave=False,
                mininterval=0.2,
            )
        self._bar.total = max(self._bar.total, done)
        self._bar.update(done - self._bar.n)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()


def summary(result: JobResult) -> dict[str, float]:
    """Mean, SD and 95 % interval (Student's t) of the test error in percent over the trials that have one,
    and means of the ledger."""
    error = 100 * (1 - result.ledger["incumbent_test"])
    error = error[~np.isnan(error)]
    count = len(error)
    sd = float(np.std(error, ddof=1)) if count > 1 else math.nan
    half = math.nan
    if count > 1:
        from scipy.special import stdtrit

        half = float(stdtrit(count - 1, 0.975)) * sd / math.sqrt(count)
    mean = float(error.mean()) if count else math.nan
    return {
        "mean": mean,
        "sd": sd,
        "low": mean - half,
        "high": mean + half,
        "trials": len(result.ledger["trial"]),
        "without": len(result.ledger["trial"]) - count,
        "unique": float(result.ledger["unique_cells"].mean()),
        "seconds": result.seconds,
    }


def row_labels(results: Sequence[JobResult]) -> list[str]:
    """The name of each job's row: its method, and its benchmark and settings where these are not the same for
    all."""
    benchmarks = {result.benchmark for result in results}
    shared = _shared(results)
    names = []
    for result in results:
        own = [
            word.removeprefix("optimizer.").removeprefix("benchmark.")
            for word in result.overrides
            if word not in shared
        ]
        names.append(
            " ".join([result.label, *([f"on {result.benchmark}"] if len(benchmarks) > 1 else []), *own])
        )
    return names


def _shared(results: Sequence[JobResult]) -> set[str]:
    """The words of the command line that all jobs have."""
    return set.intersection(*(set(result.overrides) for result in results)) if results else set()


def print_results(results: Sequence[JobResult]) -> None:
    """Print one table over jobs, then where the files lie and what is to be known about them."""
    if not results:
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 140)
    surrogate = any(result.surrogate for result in results)
    benchmarks = sorted({result.benchmark for result in results})
    title = f"Test error on {', '.join(benchmarks)}" + (
        " (a surrogate: modelled, not trained, accuracies)" if surrogate else ""
    )
    for word in sorted(_shared(results)):
        if word.startswith(("benchmark.", "protocol")) and not word.startswith("benchmark.path="):
            title += f", {word.removeprefix('benchmark.')}"
    table = Table(title=escape(title), title_justify="left")
    table.add_column("optimizer")
    for name in (
        "budget",
        "test error, %: mean +- SD",
        "95 % interval of the mean",
        "trials",
        "unique architectures",
        "seconds",
    ):
        table.add_column(name, justify="right")
    for result, label in zip(results, row_labels(results)):
        s = summary(result)
        seconds = f"{s['seconds']:.1f}" if result.computed else "found"
        interval = f"[{s['low']:.3f}, {s['high']:.3f}]" if s["trials"] > 1 else "(one trial)"
        spread = f"{s['mean']:.3f} +- {s['sd']:.3f}" if s["trials"] > 1 else f"{s['mean']:.3f}"
        table.add_row(
            escape(label),
            str(result.budget),
            spread,
            interval,
            f"{s['trials']:.0f}",
            f"{s['unique']:.1f}",
            seconds,
        )
    console.print(table, highlight=False)
    for result, label in zip(results, row_labels(results)):
        console.print(f"{label}: {result.folder}", highlight=False, soft_wrap=True, markup=False)
        without = int(summary(result)["without"])
        if without:
            print(
                f"warning: {label}: {without} trial(s) have no test error and are left out of the mean.",
                file=sys.stderr,
            )
        for warning in dict.fromkeys(result.warnings):
            print(f"warning: {warning}", file=sys.stderr)
