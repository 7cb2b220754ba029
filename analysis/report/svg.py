"""Small pieces of SVG, and scales, for the pictures that stand in the page without a script.

Text keeps its size on a screen of any width: a picture is made once for a wide and once for a narrow column,
and the style sheet shows one of the two. Colours of methods are custom properties, light and dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from analysis.style import on_dark, style

WIDE, NARROW = 640, 356  # pixels of a picture's column


def tag(name: str, content: str = "", **attributes: object) -> str:
    """An element; `_` in an attribute's name stands for `-`, a trailing one is dropped. `content` is
    markup."""
    words = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_short(value))}"' for key, value in attributes.items()
    )
    return f"<{name}{words}>{content}</{name}>"


def text(x: float, y: float, words: str, anchor: str = "start", css: str = "") -> str:
    """A line of text; `css` is its class."""
    return tag("text", escape(words), x=x, y=y, text_anchor=anchor, **({"class_": css} if css else {}))


def picture(name: str, width: float, height: float, label: str, parts: Sequence[str]) -> str:
    """A picture of its own size; `label` says what it shows to those who do not see it."""
    return tag(
        "svg", "".join(parts), viewBox=f"0 0 {_short(width)} {_short(height)}", width=width, height=height,
        role="img", aria_label=label, class_=f"picture {name}",
    )  # fmt: skip


def colors(label: str) -> str:
    """A style attribute with the method's colour on light and on dark ground."""
    color = style(label).color
    return f"--c:{color};--d:{on_dark(color)}"


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers between two values, at most about `most`."""
    from matplotlib.ticker import MaxNLocator

    found = MaxNLocator(nbins=most, steps=[1, 2, 5, 10]).tick_values(low, high)
    return [float(value) for value in found if low - 1e-9 <= value <= high + 1e-9]


class Scale:
    """Data on [low, high] to pixels on [left, right], cut off at both ends."""

    def __init__(self, low: float, high: float, left: float, right: float) -> None:
        self.low, self.high, self.left, self.right = low, high, left, right

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.left + min(1.0, max(0.0, share)) * (self.right - self.left)


def _short(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
