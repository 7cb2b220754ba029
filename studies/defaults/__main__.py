"""`python -m studies.defaults OUTPUTS`: the tables and the figure of docs/defaults.md."""

from __future__ import annotations

import sys
from pathlib import Path

from studies import command
from studies.defaults.figure import draw
from studies.defaults.table import step_sizes, table, to_markdown
from studies.drawing import save
from studies.results import read_results


def build(outputs: Path, images: Path) -> None:
    """Print the tables; draw the figure where a policy has enough step sizes."""
    groups = table(read_results(outputs, "defaults"))
    print(to_markdown(groups))
    sweeps = step_sizes(groups)
    if sweeps:
        save(draw(sweeps), images / "defaults.png", dpi=150)


if __name__ == "__main__":
    sys.exit(command.run("defaults", build, "outputs/defaults"))
