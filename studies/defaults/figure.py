"""Every policy at its step sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from analysis.statistics import Description
from analysis.style import style
from studies.defaults.table import BUDGET


def draw(sweeps: Mapping[str, Sequence[tuple[float, Description]]]) -> Figure:
    """Mean test error with its interval against the learning rate, one line for each policy
    (`table.step_sizes`)."""
    figure = Figure(figsize=(6.4, 4))
    axis = figure.subplots()
    for label, sweep in sweeps.items():
        described = [d for _, d in sweep]
        look = style(label)
        axis.errorbar(
            [rate for rate, _ in sweep],
            [d.mean for d in described],
            yerr=[
                [d.mean - d.interval.low for d in described],
                [d.interval.high - d.mean for d in described],
            ],
            label=look.name,
            color=look.color,
            marker="o",
            markersize=4,
            capsize=2,
        )
    sizes = _words({len(sweep) for sweep in sweeps.values()})
    trials = _words({d.n for sweep in sweeps.values() for _, d in sweep})
    axis.set_xscale("log")
    axis.set_xlabel("learning rate")
    axis.set_ylabel(f"test error after {BUDGET} queries, %")
    axis.set_title(
        f"Every policy at {sizes} step sizes ({trials} trials, 95 % intervals of the mean)", fontsize=9
    )
    axis.legend(fontsize=8)
    figure.tight_layout()
    return figure


def _words(counts: set[int]) -> str:
    return " or ".join(map(str, sorted(counts)))
