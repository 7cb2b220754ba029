"""`python -m studies.results_page OUTPUTS`: docs/results.md and docs/tables.md, from what `make tables`,
`python -m analysis verdicts` and `python -m analysis readings` wrote."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from nas_bench_suite.messages import Parser, exit_code
from studies import results_page
from studies.drawing import ROOT
from studies.results_page.short import short
from studies.results_page.whole import whole


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
    parser.add_argument("--pages", type=Path, default=ROOT / "docs", help="folder that both pages go to")

    def work() -> int:
        options = parser.parse_args(arguments)
        tables = options.outputs / "tables"
        pages = {"tables.md": whole(tables), "results.md": short(tables)}
        for name, text in pages.items():
            (options.pages / name).write_text(text)
            print(f"wrote {options.pages / name}")
        return 0

    return exit_code(work)


if __name__ == "__main__":
    sys.exit(main())
