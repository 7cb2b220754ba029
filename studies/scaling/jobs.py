"""The points of the study: what its experiment asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nas_bench_suite import experiments

EXPERIMENT = "scaling"
# label -> policy
POLICIES = {"remaade": "maade", "reinforce_made": "made", "reinforce_nade": "nade", "reinforce_lstm": "lstm"}


@dataclass(frozen=True)
class Job:
    """One point of the study."""

    label: str
    variables: int
    budget: int
    trials: int


def jobs(trials: int | None = None, variables: Sequence[int] | None = None) -> list[Job]:
    """The points of `conf/experiment/scaling.yaml`, its warm-up (of a lower budget) left out.

    Args:
        trials: at most that many per point.
        variables: the N wanted (all, if left out).
    """
    listed = experiments.jobs(EXPERIMENT)
    budget = max(int(job["budget"]) for job in listed)
    return [
        Job(
            job["optimizer"],
            int(job["benchmark.variables"]),
            budget,
            min(int(job["trials"]), trials or int(job["trials"])),
        )
        for job in listed
        if int(job["budget"]) == budget and (not variables or int(job["benchmark.variables"]) in variables)
    ]
