"""What the studies' command lines share: a folder of results, a folder for pictures, one sentence for wrong
input."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from pathlib import Path

from nas_bench_suite.messages import Parser, exit_code
from studies.drawing import IMAGES


def run(
    study: str,
    build: Callable[[Path, Path], None],
    outputs: str = "outputs",
    arguments: list[str] | None = None,
) -> int:
    """Parse `[OUTPUTS] [--images FOLDER]` and call `build(outputs, images)`.

    Args:
        study: name of the study's folder, whose docstring is the help.
        build: makes the page's tables and pictures.
        outputs: where results lie unless given.
        arguments: the command line's, unless given.

    Returns:
        The exit code: 0, 2 for wrong input or damaged files, 130 when interrupted.
    """
    parser = Parser(
        prog=f"python -m studies.{study}",
        description=importlib.import_module(f"studies.{study}").__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("outputs", type=Path, nargs="?", default=Path(outputs), help=f"results ({outputs})")
    parser.add_argument("--images", type=Path, default=IMAGES, help="where pictures go (docs/images)")

    def work() -> int:
        options = parser.parse_args(arguments)
        build(options.outputs, options.images)
        return 0

    return exit_code(work)
