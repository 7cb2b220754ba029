"""`python -m studies.small_effects OUTPUTS`: the tables of docs/small-effects.md."""

from __future__ import annotations

import sys
from pathlib import Path

from studies import command
from studies.results import read_results
from studies.small_effects.claims import to_markdown, verdicts


def build(outputs: Path, images: Path) -> None:
    """Print the tables; there is no picture."""
    results = read_results(outputs, "small_effects")
    print(to_markdown(verdicts(results), results))


if __name__ == "__main__":
    sys.exit(command.run("small_effects", build, "outputs/small_effects"))
