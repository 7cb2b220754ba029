"""`python -m studies.method_pictures [NAMES]`: the pictures of the pages in docs/methods."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from nas_bench_suite.checks import check_choice
from nas_bench_suite.messages import Parser, exit_code
from studies import method_pictures
from studies.drawing import IMAGES, save

METHODS = ("alphax", "bananas", "bohb", "nasbot", "policy", "search_map", "tpe")


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = Parser(
        prog="python -m studies.method_pictures",
        description=method_pictures.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("methods", nargs="*", metavar="NAME", help=f"which (all): {', '.join(METHODS)}")
    parser.add_argument("--images", type=Path, default=IMAGES, help="where pictures go (docs/images)")

    def work() -> int:
        options = parser.parse_args(arguments)
        for name in options.methods:
            check_choice("picture", name, METHODS)
        for name in options.methods or METHODS:
            picture = importlib.import_module(f"studies.method_pictures.{name}")
            data = picture.collect()
            save(picture.draw(data), options.images / f"{name}.png", picture.DPI)
            if hasattr(picture, "animate"):
                picture.animate(data, options.images / f"{name}.gif")
        return 0

    return exit_code(work)


if __name__ == "__main__":
    sys.exit(main())
