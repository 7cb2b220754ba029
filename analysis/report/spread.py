"""How single trials end, as quantile dots, and each curve in miniature."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from analysis.curves import Band
from analysis.report import svg
from analysis.standing import Place, Standing

DOTS = 20  # each stands for a twentieth of the trials
SIZE = 7.0  # pixels from dot to dot
CURVE = (76, 26)  # pixels of a small curve


def quantile_dots(standing: Standing, wide: bool) -> str:
    """A row of dots for each place: the middle of every twentieth of its trials; a line marks the mean."""
    width = svg.WIDE if wide else svg.NARROW
    left, right = (196.0, width - 12.0) if wide else (12.0, width - 12.0)
    samples = {place.label: _dots(place.result.errors.to_numpy()) for place in standing.places}
    every = np.concatenate(list(samples.values()))
    low, high = float(every.min()), float(every.max())
    room = 0.04 * (high - low) or 0.1
    scale = svg.Scale(low - room, high + room, left, right)
    head = 0.0 if wide else 18.0
    y, rows = 6.0, []
    for place in standing.places:
        columns = Counter(round((scale(v) - left) / SIZE) for v in samples[place.label])
        height = max(24.0, SIZE * max(columns.values()) + 8) + head
        base = y + height - 4
        mean = scale(place.sample.mean)
        dots = [
            svg.tag("circle", cx=left + column * SIZE, cy=base - SIZE / 2 - k * SIZE, r=SIZE / 2 - 0.4)
            for column, count in sorted(columns.items())
            for k in range(count)
        ]
        dots.append(svg.tag("line", x1=mean, x2=mean, y1=y + head, y2=base + 2, class_="mean"))
        rows.append(svg.tag("g", "".join(dots), class_="method dots", style=svg.colors(place.label)))
        rows.append(svg.text(0, base - 4 if wide else y + 13, place.name))
        rows.append(svg.tag("line", x1=left, x2=right, y1=base, y2=base, class_="grid"))
        y += height
    axis = []
    for value in svg.ticks(scale.low, scale.high, 6):
        x = scale(value)
        axis.append(svg.tag("line", x1=x, x2=x, y1=4, y2=y, class_="grid"))
        axis.append(svg.text(x, y + 16, f"{value:.1f}", "middle"))
    words = "final test error, %"
    axis.append(svg.text((left + right) / 2, y + 34, words, "middle"))
    label = f"{standing.budget:,} queries, {words}, middle half of the trials: " + "; ".join(
        "{} {:.2f} to {:.2f}".format(place.name, *np.percentile(place.result.errors, [25, 75]))
        for place in standing.places
    )
    return svg.picture("wide" if wide else "narrow", width, y + 42, label, axis + rows)


def _dots(errors: np.ndarray) -> np.ndarray:
    """float[k]: the middles of `DOTS` equal shares of the trials; every trial where there are fewer."""
    if len(errors) <= DOTS:
        return np.sort(errors)
    middles: np.ndarray = np.quantile(errors, (np.arange(DOTS) + 0.5) / DOTS)
    return middles


def sparklines(places: Sequence[Place], bands: Sequence[Band]) -> list[str]:
    """A small curve for each place, all on the same axes: test error of the incumbent by query (logarithmic),
    random search behind it."""
    width, height = CURVE
    ends = [band.mean[np.isfinite(band.mean)] for band in bands]
    low = min(float(end.min()) for end in ends)
    high = max(float(np.interp(band.x[-1] / 20, band.x, band.mean)) for band in bands)
    across = svg.Scale(float(np.log(3)), float(np.log(bands[0].x[-1])), 2, width - 5)
    down = svg.Scale(low, max(high, low + 1e-9), height - 4, 4)
    paths = [_path(band, across, down) for band in bands]
    behind = next((path for place, path in zip(places, paths) if place.comparison is None), "")
    out = []
    for place, path, end in zip(places, paths, ends):
        parts = [
            svg.tag("polyline", points=behind, class_="behind"),
            svg.tag("polyline", points=path, class_="line"),
            svg.tag("circle", cx=across.right, cy=down(float(end[-1])), r=2.5, class_="point"),
        ]
        label = f"{place.name}: {end[0]:.2f} % at first, {end[-1]:.2f} % at the end"
        inner = svg.tag("g", "".join(parts), class_="method", style=svg.colors(place.label))
        out.append(svg.picture("spark", width, height, label, [inner]))
    return out


def _path(band: Band, across: svg.Scale, down: svg.Scale) -> str:
    keep = np.isfinite(band.mean) & (band.x >= 3)
    x, mean = np.log(band.x[keep]), band.mean[keep]
    chosen = np.unique(np.searchsorted(x, np.linspace(x[0], x[-1], 45)).clip(max=len(x) - 1))
    return " ".join(f"{across(float(x[i])):.1f},{down(float(mean[i])):.1f}" for i in chosen)
