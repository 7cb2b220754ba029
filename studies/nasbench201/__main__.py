"""`python -m studies.nasbench201 OUTPUTS`: the table and the figure of docs/nasbench201.md."""

from __future__ import annotations

import sys
from pathlib import Path

from studies import command
from studies.drawing import save
from studies.nasbench201.figure import draw
from studies.nasbench201.table import table, to_markdown


def build(outputs: Path, images: Path) -> None:
    """Print the table and draw the figure."""
    tables = table(outputs)
    print(to_markdown(tables))
    save(draw(tables), images / "nasbench201.png", dpi=120)


if __name__ == "__main__":
    sys.exit(command.run("nasbench201", build))
