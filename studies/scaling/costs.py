"""What a policy costs at N variables, as `measure.py` writes it: `<output_dir>/complexity/scaling.csv`."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from nas_bench_suite.checks import ConfigError

BATCH = 30  # queries a gradient step, in every config of the study


def costs_file(output_dir: Path) -> Path:
    """Where the costs lie."""
    return output_dir / "complexity" / "scaling.csv"


@dataclass(frozen=True)
class Cost:
    """What a policy costs at N variables: parameters of its context layer and of all, processor seconds of
    the start and of a batch, a trial (NaN where it is too large to be run)."""

    context_parameters: int
    all_parameters: int
    start_seconds: float
    batch_seconds: float

    def seconds(self, budget: int) -> float:
        """A trial of `budget` queries."""
        return self.start_seconds + -(-budget // BATCH) * self.batch_seconds


Costs = dict[tuple[str, int], Cost]  # by policy and N


def read_costs(path: Path) -> Costs:
    """Read the file.

    Raises:
        ConfigError: if it is unreadable or has other columns.
    """
    kinds = {"context_parameters": int, "all_parameters": int, "start_seconds": float, "batch_seconds": float}
    try:
        with open(path, newline="") as file:
            return {
                (row["policy"], int(row["N"])): Cost(
                    **{name: kind(row[name]) for name, kind in kinds.items()}
                )
                for row in csv.DictReader(file)
            }
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise ConfigError(
            f"{path} cannot be read ({error}); accepted: a CSV file with columns policy, N, "
            f"{', '.join(kinds)}. To make it: "
            f"python -m studies.scaling.measure --output-dir {path.parent.parent}."
        ) from None
