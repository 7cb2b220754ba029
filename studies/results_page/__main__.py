"""`python -m studies.results_page OUTPUTS`: docs/results.md, from what `make tables` wrote."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from analysis.tables import TABLES
from nas_bench_suite.checks import ConfigError
from nas_bench_suite.messages import exit_code
from studies import results_page
from studies.drawing import ROOT

HEAD = """# Tables 2 to 6, as they came out

What `make tables` wrote, from 500 trials per row, put together by `python -m studies.results_page outputs`.
[analysis.md](analysis.md) says how to read a row, and what each verdict means. The tables come from the
surrogate: its [model card](surrogate.md) says what may not be concluded. The README says how long they take.
"""


def page(outputs: Path) -> str:
    """The page's text.

    Raises:
        ConfigError: if a table is missing.
    """
    paths = [outputs / "tables" / f"{table.name}.md" for table in TABLES]
    for path in paths:
        if not path.is_file():
            raise ConfigError(f"{path} is missing; to make it: make tables OUTPUT={outputs}.")
    return "\n\n".join([HEAD, *(path.read_text() for path in paths)])


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code: 0, 2 for wrong input."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.results_page",
        description=results_page.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "outputs", type=Path, nargs="?", default=Path("outputs"), help="where tables lie (outputs)"
    )
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "results.md", help="what is written")
    options = parser.parse_args(arguments)

    def work() -> int:
        options.page.write_text(page(options.outputs))
        print(f"wrote {options.page}")
        return 0

    return exit_code(work)


if __name__ == "__main__":
    sys.exit(main())
