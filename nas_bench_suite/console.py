"""The closing table: what a person sees when jobs have ended."""

from __future__ import annotations

import math
import os
import re
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from nas_bench_suite.job import JobResult

WIDTH = 80  # columns where there is no terminal that has its own
UNTRAINED = 50  # percent: test errors above are of runs that did not train
REFERENCE = "random"  # what the others are compared with, where it was run

Interval = tuple[float, float]


class Summary(NamedTuple):
    """Test error in percent over the trials that have one: mean, SD, median and 95 % interval of the mean
    (Student's t); `trials` of the job, and how many are `without`."""

    errors: np.ndarray
    mean: float
    sd: float
    median: float
    interval: Interval
    trials: int
    without: int

    @property
    def moved(self) -> bool:
        """Whether few trials move the mean: a run that did not train, or an SD three times what the middle
        half of normal trials would have, with a trial ten times that half's width away."""
        if len(self.errors) < 4:
            return False
        low, high = np.percentile(self.errors, [25, 75])
        wide = high - low
        away = self.errors.max() - self.median
        far = wide > 0 and self.sd > 3 * wide / 1.349 and away > 10 * wide
        return bool(far or (self.median < UNTRAINED < self.errors.max()))


def summary(result: JobResult) -> Summary:
    """The summary of a job."""
    error = 100 * (1 - result.ledger["incumbent_test"])
    error = error[~np.isnan(error)]
    count = len(error)
    mean = float(error.mean()) if count else math.nan
    sd = float(np.std(error, ddof=1)) if count > 1 else math.nan
    half = _quantile(count - 1) * sd / math.sqrt(count) if count > 1 else math.nan
    median = float(np.median(error)) if count else math.nan
    trials = len(result.ledger["trial"])
    return Summary(error, mean, sd, median, (mean - half, mean + half), trials, trials - count)


def _quantile(freedom: float) -> float:
    """Of Student's t, for an interval of 95 %."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.975))


def difference(one: Summary, other: Summary) -> Interval | None:
    """Difference of the means and half of its 95 % interval (Welch); None where a trial alone has none."""
    if min(len(one.errors), len(other.errors)) < 2:
        return None
    a, b = one.sd**2 / len(one.errors), other.sd**2 / len(other.errors)
    if a + b == 0:
        return one.mean - other.mean, 0.0
    freedom = (a + b) ** 2 / (a**2 / (len(one.errors) - 1) + b**2 / (len(other.errors) - 1))
    return one.mean - other.mean, _quantile(freedom) * math.sqrt(a + b)


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


class Line(NamedTuple):
    """A row of the closing table."""

    name: str  # within its group
    full_name: str
    result: JobResult
    summary: Summary
    best: bool
    against: Interval | None  # difference from the group's reference, and half of its interval
    reference: bool


class Group(NamedTuple):
    """Rows that may be compared, the lowest mean first; `heading` says what they share and others do not."""

    heading: str
    lines: list[Line]


def groups(results: Sequence[JobResult]) -> list[Group]:
    """The rows by benchmark, budget and all settings but the method's own.

    A group's reference is its only job of random search, else its first job; a group of one has none.
    """
    found: dict[tuple[str, int, tuple[str, ...]], list[JobResult]] = {}
    for result in results:
        own = tuple(word for word in result.overrides if not word.startswith("optimizer."))
        found.setdefault((result.benchmark, result.budget, own), []).append(result)
    if len(found) > 1 and max(map(len, found.values())) == 1:
        names = row_labels(results)
        return [Group("", [_line(name, name, result, None, False)]) for name, result in zip(names, results)]
    full = dict(zip(map(id, results), row_labels(results)))
    shared = _shared(results)
    benchmarks, budgets = ({key[k] for key in found} for k in (0, 1))
    out = []
    for (benchmark, budget, own), jobs in found.items():
        words = [benchmark] if len(benchmarks) > 1 else []
        words += [f"{budget:,} queries"] if len(budgets) > 1 else []
        words += [word.removeprefix("benchmark.") for word in own if word not in shared]
        random = [result for result in jobs if result.label == REFERENCE]
        reference = None if len(jobs) == 1 else random[0] if len(random) == 1 else jobs[0]
        lowest = min((summary(result).mean for result in jobs), default=math.nan)
        lines = [
            _line(name, full[id(result)], result, reference, len(jobs) > 1 and summary(result).mean == lowest)
            for name, result in zip(row_labels(jobs), jobs)
        ]
        lines.sort(key=lambda line: (math.isnan(line.summary.mean), line.summary.mean))
        out.append(Group(", ".join(words), lines))
    return out


def _line(name: str, full_name: str, result: JobResult, reference: JobResult | None, best: bool) -> Line:
    s = summary(result)
    other = None if reference is None or reference is result else difference(s, summary(reference))
    return Line(name, full_name, result, s, best, other, reference is result)


def print_results(results: Sequence[JobResult]) -> None:
    """Print one table over jobs, then where the files lie and what is to be known about them."""
    if not results:
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    found = groups(results)
    for words in textwrap.wrap(_title(results), console.width):
        console.print(Text(words, style="bold"))
    for words, style in table_lines(results, found, console.width):
        console.print(Text(words, style=style), soft_wrap=True)
    for note in _notes(found):
        console.print(note, highlight=False, markup=False)
    folders = [result.folder for result in results]
    place = folders[0] if len(folders) == 1 else os.path.commonpath(folders)
    console.print(f"results: {place}", highlight=False, soft_wrap=True, markup=False)
    for line in (line for group in found for line in group.lines):
        if line.summary.without:
            print(
                f"warning: {line.full_name}: {line.summary.without} trial(s) have no test error and are left "
                "out of the mean.",
                file=sys.stderr,
            )
    for warning in dict.fromkeys(warning for result in results for warning in result.warnings):
        print(f"warning: {warning}", file=sys.stderr)


def _title(results: Sequence[JobResult]) -> str:
    """What all rows have in common."""
    surrogate = any(result.surrogate for result in results)
    words = f"Test error on {', '.join(sorted({result.benchmark for result in results}))}"
    words += " (a surrogate: modelled, not trained, accuracies)" if surrogate else ""
    for word in sorted(_shared(results)):
        if word.startswith(("benchmark.", "protocol")) and not word.startswith("benchmark.path="):
            words += f", {word.removeprefix('benchmark.')}"
    budgets = {result.budget for result in results}
    trials = {len(result.ledger["trial"]) for result in results}
    if len(budgets) == 1:
        words += f", {max(budgets):,} queries"
    if len(trials) == 1:
        words += f", {max(trials):,} trial{'s' if max(trials) > 1 else ''}"
    return words


def table_lines(results: Sequence[JobResult], found: Sequence[Group], width: int) -> list[tuple[str, str]]:
    """The closing table as lines with their styles; a column whose value is the same in all rows stands in
    the title. Names are folded so that a line has at most `width` columns, if that leaves a name a dozen."""
    labels = {line.result.label for group in found for line in group.lines if line.reference}
    columns: list[tuple[str, Callable[[Line], str]]] = []
    if len({result.budget for result in results}) > 1 and not any(group.heading for group in found):
        columns.append((" \nbudget", lambda line: f"{line.result.budget:,}"))
    if len({len(result.ledger["trial"]) for result in results}) > 1:
        columns.append((" \ntrials", lambda line: f"{line.summary.trials:,}"))
    columns += [
        ("test error, %\nmean +- SD", _mean),
        ("95 % interval\nof the mean", lambda line: _interval(line.summary)),
    ]
    if labels:
        name = labels.pop() if len(labels) == 1 else "reference"
        columns.append((f"less {name}\n+- 95 %", _against))
    columns.append((" \nseconds", _seconds))
    cells = {id(line): [show(line) for _, show in columns] for group in found for line in group.lines}
    widths = [
        max(map(len, [*head.split("\n"), *(row[k] for row in cells.values())]))
        for k, (head, _) in enumerate(columns)
    ]
    longest = max(len(line.name) for group in found for line in group.lines)
    left = max(9, min(longest, max(12, width - sum(widths) - 2 * len(widths))))

    def joined(name: str, texts: Sequence[str]) -> str:
        return "".join([f"{name:<{left}}", *(f"  {text:>{w}}" for text, w in zip(texts, widths))]).rstrip()

    out = [
        (joined(first, [head.split("\n")[k] for head, _ in columns]), "")
        for k, first in enumerate(("", "optimizer"))
    ]
    rule = ("-" * (left + sum(widths) + 2 * len(widths)), "")
    out.append(rule)
    for group in found:
        if group.heading:
            out.append((group.heading, "italic"))
        for line in group.lines:
            first, *others = folded(line.name, left)
            style = "bold" if line.best else ""
            out.append((joined(first, cells[id(line)]), style))
            out += [(other, style) for other in others]
    return [*out, rule]


def folded(name: str, width: int) -> list[str]:
    """A name in lines of at most `width`, broken after spaces, `_`, `,` and `=`, further lines indented; a
    part that is too long by itself is cut into pieces."""
    lines = [""]
    for part in re.findall(r"[^ _,=]+[ _,=]?|[ _,=]", name):
        for piece in textwrap.wrap(part, width - 2, drop_whitespace=False) or [part]:
            if lines[-1].strip() and len((lines[-1] + piece).rstrip()) > width:
                lines.append("  ")
            lines[-1] += piece
    return [line.rstrip() for line in lines]


def _mean(line: Line) -> str:
    s = line.summary
    words = f"{s.mean:.3f} +- {s.sd:.3f}" if len(s.errors) > 1 else f"{s.mean:.3f}"
    return ("*" if line.best else "") + ("!" if s.moved else "") + words


def _interval(s: Summary) -> str:
    return f"[{s.interval[0]:.3f}, {s.interval[1]:.3f}]" if len(s.errors) > 1 else "(one trial)"


def _against(line: Line) -> str:
    if line.reference:
        return "reference"
    return f"{line.against[0]:+.3f} +- {line.against[1]:.3f}" if line.against is not None else ""


def _seconds(line: Line) -> str:
    return f"{line.result.seconds:.1f}" if line.result.computed else "found"


def _notes(found: Sequence[Group]) -> list[str]:
    """What the table's signs mean, those that are there."""
    lines = [line for group in found for line in group.lines]
    notes = ["* lowest mean"] if any(line.best for line in lines) else []
    for line in (line for line in lines if line.summary.moved):
        s = line.summary
        lost = int((s.errors > UNTRAINED).sum())
        why = f"{lost} trial(s) ended on a run that did not train" if lost else "few trials move the mean"
        notes.append(
            f"! {line.full_name}: {why}; the median is {s.median:.3f}, the worst {s.errors.max():.1f}"
        )
    return notes
