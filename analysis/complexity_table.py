"""Table 2: parameters of the context layer, counted on the policies, with fitted exponents beside the paper's
O().

Notation: N variables, d the width; a count is c N^a d^b with *exponents* a and b.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from analysis import published, statistics
from analysis.published import Complexity
from analysis.selection import Study
from analysis.table import Column, Table, number
from nas_bench_suite.checks import ConfigError
from nas_bench_suite.experiments import Job

COUNT = "optimizers.reinforce.policies.complexity"  # the program that counts
COLUMNS = ("policy", "N", "d", "context_parameters")
CLOSE = 0.15  # an exponent agrees within this
PAIRS = [(n, d) for d in published.COMPLEXITY_D for n in published.COMPLEXITY_N]


def counted_file(output_dir: Path) -> Path:
    """Where the counts lie."""
    return output_dir / "complexity" / "table2.csv"


class Counts(NamedTuple):
    """Measured parameter counts of the context layers: (policy, N, d) -> count, and the commits that made
    them."""

    parameters: Mapping[tuple[str, int, int], int]
    commits: Sequence[str]


def read_counts(path: Path) -> Counts:
    """Read the counts.

    Raises:
        ConfigError: if the file is unreadable or has other columns.
    """
    try:
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
        if not rows or any(set(COLUMNS) - set(row) for row in rows):
            raise ValueError(f"columns {list(rows[0]) if rows else []}")
        counts = {
            (row["policy"], int(row["N"]), int(row["d"])): int(row["context_parameters"]) for row in rows
        }
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(
            f"{path} cannot be read ({error}); accepted: a CSV file with columns "
            f"{', '.join(COLUMNS)}; remove it to have it made."
        ) from None
    return Counts(counts, sorted({row["commit"] for row in rows if "commit" in row}))


@dataclass(frozen=True)
class ComplexityRow:
    """A policy: what the paper says, the counts at `PAIRS` and the exponents fitted to them."""

    paper: Complexity
    parameters: tuple[int, ...] | None
    exponents: tuple[float, float] | None

    @property
    def status(self) -> str:
        return "ok" if self.parameters is not None else "missing"

    @property
    def verdict(self) -> str | None:
        """Whether both exponents are the paper's."""
        if self.exponents is None:
            return None
        gaps = np.subtract(self.exponents, (self.paper.exponent_n, self.paper.exponent_d))
        return "agrees" if np.abs(gaps).max() < CLOSE else "differs"

    def record(self) -> dict[str, object]:
        counts: Sequence[int | None] = self.parameters or [None] * len(PAIRS)
        return {
            "table": 2,
            "name": self.paper.name,
            "policy": self.paper.policy,
            "paper": self.paper.order,
            "paper_exponent_n": self.paper.exponent_n,
            "paper_exponent_d": self.paper.exponent_d,
            "status": self.status,
            **{f"parameters_N{n}_d{d}": count for (n, d), count in zip(PAIRS, counts)},
            "exponent_n": self.exponents and self.exponents[0],
            "exponent_d": self.exponents and self.exponents[1],
            "verdict": self.verdict,
        }


def row_of(entry: Complexity, counts: Counts | None) -> ComplexityRow:
    """A policy's counts, if all of them are there."""
    found = [counts.parameters.get((entry.policy, n, d)) for n, d in PAIRS] if counts else []
    parameters = tuple(count for count in found if count is not None)
    if len(parameters) < len(PAIRS):
        return ComplexityRow(entry, None, None)
    n, d = np.array(PAIRS, dtype=float).T
    return ComplexityRow(
        entry, parameters, statistics.growth_exponents(n, d, np.array(parameters, dtype=float))
    )


def _count_column(place: int) -> Column[ComplexityRow]:
    n, d = PAIRS[place]
    return Column(f"N={n}, d={d}", lambda row: f"{row.parameters[place]:,}" if row.parameters else "missing")


def _exponent_column(variable: str, place: int) -> Column[ComplexityRow]:
    def show(row: ComplexityRow) -> str:
        published_one = (row.paper.exponent_n, row.paper.exponent_d)[place]
        return f"{number(row.exponents[place]) if row.exponents else 'missing'} ({published_one})"

    return Column(f"Exponent of {variable}", show)


@dataclass(frozen=True)
class ComplexityTable:
    """Table 2, as declared."""

    name: str = "table2"
    title: str = "Table 2. Parameters of the context representation layer."

    def jobs(self, optional: bool = False) -> list[Job]:
        """No search stands behind this table."""
        return []

    def build(self, study: Study, output_dir: Path) -> Table[ComplexityRow]:
        """Build the table from the counts below `output_dir`."""
        path = counted_file(output_dir)
        counts = None
        lacking = f"{path} does not exist; to make it: python -m {COUNT} --output-dir {output_dir}."
        if path.exists():
            try:
                counts = read_counts(path)
            except ConfigError as error:
                lacking = str(error)
        notes = [
            f"Counted on the policies that the searches use (python -m {COUNT}), context layer alone: no "
            "embeddings, no output layer. Exponents: least squares of log count on log N and log d over the "
            "six counts, the paper's in brackets. Agrees: both within 0.15 of the paper's O()."
        ]
        commit = f"Code: commit {', '.join(counts.commits)}." if counts and counts.commits else ""
        return Table(
            name=self.name,
            title=self.title,
            caption="N: variables; d: width. N = 26 is NASBench-101. Counted on the code, no search behind "
            f"it: no benchmark, protocol or trials. {commit}",
            columns=[
                Column("Architecture", lambda row: row.paper.name, "l"),
                Column("Paper", lambda row: row.paper.order, "l"),
                *map(_count_column, range(len(PAIRS))),
                _exponent_column("N", 0),
                _exponent_column("d", 1),
                Column("Verdict", lambda row: row.verdict or "missing", "l"),
            ],
            rows=[row_of(entry, counts) for entry in published.TABLE2],
            notes=notes + ([f"Missing: {lacking}"] if counts is None else []),
        )
