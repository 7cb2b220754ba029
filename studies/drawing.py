"""What the studies' pictures share: where they go, and how an axis looks."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"


def open_sided(*axes: Axes) -> None:
    """Take the upper and the right line off."""
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)


def save(figure: Figure, path: Path, dpi: int) -> None:
    """Write a picture and say where."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=dpi)
    print(f"wrote {path}")
