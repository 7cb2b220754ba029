"""What all figures share: sizes and type in print, and what is put on an axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.latex import COLUMN
from analysis.style import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

ONE, TWO = COLUMN, 7.0  # inches
WIDTH = TWO
SMALLEST = 6.5  # points of type in print
RC: Any = {
    "font.size": 7,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7,
    "legend.fontsize": SMALLEST,
    "xtick.labelsize": SMALLEST,
    "ytick.labelsize": SMALLEST,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.grid": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.5,
    "axes.axisbelow": True,
    "lines.linewidth": 1.2,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "figure.dpi": 100,
}
DPI = 300


def panel(width: float, ratio: float) -> tuple[Figure, Axes]:
    """A figure of one panel, and its height over its width."""
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(width, ratio * width), layout="constrained")


def curve(axis: Axes, label: str, band: pd.DataFrame) -> None:
    """A mean with its interval, where every trial has a value; markers from the first point to the last."""
    s = style(label)
    step = len(band) <= 400
    shown = band[np.isfinite(band["mean"])]
    axis.plot(
        shown["x"],
        shown["mean"],
        color=s.color,
        linestyle=s.dash,
        marker=s.marker,
        markersize=2.6,
        markevery=spread(shown["x"].to_numpy(dtype=float)),
        drawstyle="steps-post" if step else "default",
        clip_on=True,
    )
    axis.fill_between(
        shown["x"],
        shown["low"],
        shown["high"],
        color=s.color,
        alpha=0.11,
        linewidth=0,
        step="post" if step else None,
    )


def spread(x: np.ndarray, count: int = 7) -> list[int]:
    """Places of about `count` points, evenly spaced in the logarithm, the last one among them."""
    if not len(x):
        return []
    wanted = np.geomspace(max(x[0], x[-1] / 100), x[-1], count)
    return [int(i) for i in np.unique(np.searchsorted(x, wanted).clip(max=len(x) - 1))]


def last(values: pd.Series) -> float:
    """The last finite value; NaN without one."""
    finite = values[np.isfinite(values)]
    return float(finite.iloc[-1]) if len(finite) else float("nan")


def apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places in ascending order, moved as little as need be so that they lie `gap` apart within [low, high];
    from the lower end on if there is no room for all."""
    places = np.clip(np.asarray(wanted, dtype=float), low, high)
    count = len(places)
    if count * gap > high - low:
        return [low + i * gap for i in range(count)]
    for _ in range(500):
        short = gap - np.diff(places)
        if not (short > 1e-9).any():
            break
        for i in np.flatnonzero(short > 1e-9):
            places[i] -= short[i] / 2
            places[i + 1] += short[i] / 2
        places = np.clip(places, low + gap * np.arange(count), high - gap * np.arange(count)[::-1])
    return [float(place) for place in places]


def end_labels(
    axis: Axes, ends: Mapping[str, float], x: Mapping[str, float] | None = None, tall: float = 0.78
) -> None:
    """The names of methods at the right of the axes, at the height of their last values, moved apart.

    Args:
        axis: with its final limits.
        ends: label -> value.
        x: label -> place of the value, where it lies inside the axes.
        tall: about what the axes have of the figure's height.
    """
    low, high = axis.get_ylim()
    height = inches(axis)[1] * tall * 72  # points
    labels = sorted((label for label in ends if np.isfinite(ends[label])), key=lambda label: ends[label])
    at = [(ends[label] - low) / (high - low) for label in labels]
    right = 1 + 0.11 / inches(axis)[0]
    for label, start, place in zip(labels, at, apart(at, 1.25 * SMALLEST / height, 0.0, 1.0)):
        s = style(label)
        inside = x is not None
        line = {"arrowstyle": "-", "color": s.color, "linewidth": 0.5 if inside else 0.8, "relpos": (0, 0.5)}
        axis.annotate(
            s.name.removesuffix(" (medium term)"),
            (x[label], ends[label]) if x is not None else (1.0, min(max(start, 0.0), 1.0)),
            (right, place), xycoords="data" if inside else "axes fraction", textcoords="axes fraction",
            va="center", fontsize=SMALLEST, annotation_clip=False,
            arrowprops={**line, "shrinkA": 1, "shrinkB": 4 if inside else 0},
        )  # fmt: skip


def inches(axis: Axes) -> tuple[float, float]:
    """Width and height of the figure that an axis is in, in inches."""
    figure = axis.get_figure(root=True)
    assert figure is not None
    width, height = figure.get_size_inches()
    return float(width), float(height)


def limits(axis: Axes, top: float, bottom: float) -> None:
    """The y axis over [bottom, top], with a little room."""
    room = 0.05 * (top - bottom)
    axis.set_ylim(bottom - room, top + room)


def plain_log(axis: Axes) -> None:
    """Plain numbers at 1, 2 and 5 of each decade: 0.5, 1, 2, 5, 10."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axis.get_xlim()
    few = np.log10(high / max(low, 1e-12)) > (2.2 if inches(axis)[0] > ONE else 1.3)
    axis.xaxis.set_major_locator(LogLocator(subs=(1.0,) if few else (1.0, 2.0, 5.0)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())


def thousands(axis: Axis) -> None:
    """Thousands separators on a linear axis, as on logarithmic ones."""
    from matplotlib.ticker import StrMethodFormatter

    axis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))
