"""`python -m studies`: every study with its experiment, its command and its page."""

from __future__ import annotations

import importlib
from pathlib import Path

from studies import Study


def studies() -> dict[str, Study]:
    """All studies by the name of their folder."""
    folders = sorted(path.parent.name for path in Path(__file__).parent.glob("*/__init__.py"))
    return {name: importlib.import_module(f"studies.{name}").STUDY for name in folders}


def main() -> None:
    """Print one line for each study."""
    lines = [("experiment", "command", "page"), *studies().values()]
    widths = [max(map(len, column)) for column in zip(*lines)]
    for line in lines:
        print("   ".join(word.ljust(width) for word, width in zip(line, widths)).rstrip())


if __name__ == "__main__":
    main()
