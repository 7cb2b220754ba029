"""A table as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], right: bool = False) -> str:
    """Rows of cells under headers; `right` aligns all columns but the first to the right."""
    rule = "|---" + ("|---:" if right else "|---") * (len(headers) - 1) + "|"
    return "\n".join([_line(headers), rule, *map(_line, rows)])


def _line(cells: Sequence[str]) -> str:
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"
