"""Context parameters, regret and seconds against N."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from analysis.axes import WIDTH
from analysis.style import style
from studies.scaling.table import Curve

TITLES = ("parameters of the context layer", "regret, percentage points", "processor seconds per trial")


def draw(curves: Sequence[Curve], footer: str) -> Figure:
    """One panel each, with the fitted exponents of parameters and seconds beside the names."""
    figure = Figure(figsize=(WIDTH, 4.1))
    axes = figure.subplots(1, 3)
    lines: dict[str, Any] = {}
    for curve in curves:
        s = style(curve.label)
        look: Any = {"color": s.color, "linestyle": s.dash, "marker": s.marker, "markersize": 4}
        if curve.n:
            (lines[s.name],) = axes[0].plot(curve.n, curve.context_parameters, **look)
            (lines[s.name],) = axes[2].plot(curve.n, curve.seconds, **look)
        if curve.rows:
            (lines[s.name],) = axes[1].plot(
                [row.N for row in curve.rows], [row.regret_points for row in curve.rows], **look
            )
            _intervals(axes[1], curve)
    for axis, title in zip(axes, TITLES):
        _against_n(axis, sorted({n for curve in curves for n in (*curve.n, *(row.N for row in curve.rows))}))
        axis.set_title(title)
    axes[1].set_ylim(bottom=0)
    for axis, which in ((axes[0], 0), (axes[2], 1)):
        axis.set_yscale("log")
        _write_exponents(axis, [curve for curve in curves if curve.n], which)
    figure.legend(
        list(lines.values()),
        list(lines),
        loc="lower center",
        bbox_to_anchor=(0.5, 0.055),
        ncols=3,
        frameon=False,
    )
    figure.text(0.01, 0.01, footer, fontsize=5.8, color="#666666", ha="left", va="bottom")
    figure.set_layout_engine("constrained", rect=(0, 0.16, 1, 0.84))
    return figure


def _intervals(axis: Axes, curve: Curve) -> None:
    """Bars at the points that have an interval, hollow markers at the others."""
    s = style(curve.label)
    known = [row for row in curve.rows if np.isfinite(row.regret_low)]
    others = [row for row in curve.rows if not np.isfinite(row.regret_low)]
    axis.errorbar(
        [row.N for row in known],
        [row.regret_points for row in known],
        yerr=[
            [row.regret_points - row.regret_low for row in known],
            [row.regret_high - row.regret_points for row in known],
        ],
        color=s.color,
        linestyle="none",
        capsize=2,
    )
    axis.plot(
        [row.N for row in others],
        [row.regret_points for row in others],
        color=s.color,
        marker=s.marker,
        markersize=4,
        linestyle="none",
        markerfacecolor="white",
    )


def _against_n(axis: Axes, n: list[int]) -> None:
    axis.set_xscale("log")
    axis.set_xlim(n[0] / 1.15, n[-1] * 1.15)
    axis.set_xticks(n)
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_xlabel("variables N (log scale)")


def _write_exponents(axis: Axes, curves: Sequence[Curve], which: int) -> None:
    """Write the exponents (`which`: 0 of the parameters, 1 of the seconds), with room so that they cover no
    line."""
    words = []
    for curve in curves:
        power = curve.exponents[which]
        name = style(curve.label).name.removeprefix("REINFORCE with ")
        words.append(f"{name}: $N^{{{power if abs(power) >= 0.005 else 0:.2f}}}$")
    axis.text(0.03, 0.98, "\n".join(words), transform=axis.transAxes, va="top", fontsize=6.5, color="#333333")
    low, high = axis.get_ylim()
    axis.set_ylim(low, high * (high / low) ** 0.45)
