"""`python -m studies.results_page OUTPUTS`: docs/results.md, from what `make tables` wrote."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections import Counter
from pathlib import Path

from analysis.tables import TABLES
from nas_bench_suite.checks import ConfigError
from nas_bench_suite.messages import Parser, exit_code
from studies import results_page
from studies.drawing import ROOT

HEAD = """# Tables 2 to 6, as they came out

What `make tables` wrote, from 500 trials per row, put together by `python -m studies.results_page outputs`.
[analysis.md](analysis.md#how-to-read-a-row) says how to read a row, and what each verdict means. The tables
come from the surrogate: its [model card](surrogate.md) says what may not be concluded. What stands under more
than one table is at the [end](#notes-to-several-tables). [How long the searches take](times.md)."""
NOTES = "## Notes to several tables"


def page(outputs: Path) -> str:
    """The page's text: the tables, each with its own notes, then the notes that several share.

    Raises:
        ConfigError: if a table is missing.
    """
    tables: dict[str, list[str]] = {}
    for table in TABLES:
        path = outputs / "tables" / f"{table.name}.md"
        if not path.is_file():
            raise ConfigError(f"{path} is missing; to make it: make tables OUTPUT={outputs}.")
        tables[table.name] = path.read_text().strip().split("\n\n")
    count = Counter(paragraph for paragraphs in tables.values() for paragraph in paragraphs)
    parts = [HEAD]
    for name, paragraphs in tables.items():
        parts.append(f"## {name.replace('table', 'table ').capitalize()}")
        parts += [_wrapped(paragraph) for paragraph in paragraphs if count[paragraph] == 1]
    shared = [_wrapped(paragraph) for paragraph in count if count[paragraph] > 1]
    return "\n\n".join(parts + ([NOTES, *shared] if shared else [])) + "\n"


def _wrapped(paragraph: str) -> str:
    """A paragraph in lines as long as those of the other pages; a table as it is."""
    if paragraph.startswith("|"):
        return paragraph
    return textwrap.fill(paragraph, 110, break_long_words=False, break_on_hyphens=False)


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code: 0, 2 for wrong input."""
    parser = Parser(
        prog="python -m studies.results_page",
        description=results_page.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "outputs", type=Path, nargs="?", default=Path("outputs"), help="where tables lie (outputs)"
    )
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "results.md", help="what is written")

    def work() -> int:
        options = parser.parse_args(arguments)
        options.page.write_text(page(options.outputs))
        print(f"wrote {options.page}")
        return 0

    return exit_code(work)


if __name__ == "__main__":
    sys.exit(main())
