"""The page's first picture: every method's difference from random search, with its interval, the paper's
value and the spread over draws of the table."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.report import svg
from analysis.row import bounds
from analysis.standing import Place, Standing
from analysis.table import number

ROW, BELOW = 27, 42
NAME = 196  # pixels of the column of names in a wide picture
NUMBER = 150  # of the column of numbers


def forest(standing: Standing, wide: bool) -> str:
    """One row for each place, best first; zero is random search. In a narrow picture name and number stand
    above the marks."""
    width = svg.WIDE if wide else svg.NARROW
    left, right = (NAME, width - NUMBER) if wide else (10.0, width - 10.0)
    row, first = (float(ROW), 8.0) if wide else (43.0, 4.0)
    low, high = _extent(standing.places)
    scale = svg.Scale(low, high, left, right)
    bottom = first + row * len(standing.places)
    parts = []
    for value in svg.ticks(low, high, 5):
        x = scale(value)
        parts.append(svg.tag("line", x1=x, x2=x, y1=first, y2=bottom, class_="grid"))
        parts.append(svg.text(x, bottom + 16, number(value, "+.1f"), "middle"))
    zero = scale(0.0)
    parts.append(svg.tag("line", x1=zero, x2=zero, y1=first, y2=bottom, class_="zero"))
    for i, place in enumerate(standing.places):
        top = first + i * row
        middle = top + (row / 2 if wide else 30.0)
        said, baseline = _difference(place), (middle + 4.5 if wide else top + 14)
        css = "first" if place.level_with_first else ""
        parts.append(svg.text(0, baseline, place.name, css=css))
        parts.append(svg.text(width, baseline, said, "end", css="number"))
        parts.append(_marks(place, scale, middle))
    parts.append(
        svg.text((left + right) / 2, bottom + 34, "points of test error, less random search", "middle")
    )
    label = f"{standing.budget:,} queries, difference from random search: " + "; ".join(
        f"{place.name} {_difference(place)}" for place in standing.places
    )
    return svg.picture("wide" if wide else "narrow", width, bottom + BELOW, label, parts)


def _difference(place: Place) -> str:
    c = place.comparison
    if c is None:
        return f"{place.sample.mean:.3f} %"
    return f"{number(c.difference, '+.2f')} {bounds(c.interval, '+.2f')}"


def _marks(place: Place, scale: svg.Scale, y: float) -> str:
    """Band, interval, point and diamond of a place."""
    parts = []
    band, c, printed = place.band, place.comparison, place.printed
    if band is not None:
        a, b = scale(band.low), scale(band.high)
        parts.append(svg.tag("rect", x=a, y=y - 7, width=max(b - a, 2.0), height=14, rx=2, class_="band"))
    if c is not None:
        a, b = scale(c.interval.low), scale(c.interval.high)
        parts.append(svg.tag("line", x1=a, x2=b, y1=y, y2=y, class_="interval"))
    parts.append(svg.tag("circle", cx=scale(c.difference if c else 0.0), cy=y, r=4.5, class_="point"))
    if printed is not None:
        x = scale(printed.difference)
        css = "diamond doubtful" if printed.doubt else "diamond"
        title = svg.tag("title", f"paper: {number(printed.difference, '+.2f')}")
        shape = f"M{x:.1f},{y - 6:.1f}l5,6l-5,6l-5,-6z"
        parts.append(svg.tag("path", title, d=shape, class_=css))
    return svg.tag("g", "".join(parts), class_="method", style=svg.colors(place.label))


def _extent(places: Sequence[Place]) -> tuple[float, float]:
    """The differences' range with a little room; zero lies in it."""
    values = [0.0]
    for place in places:
        if place.comparison is not None:
            values += place.comparison.interval
        if place.printed is not None:
            values.append(place.printed.difference)
        if place.band is not None:
            values += place.band
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or 0.1
    return low - room, high + room
